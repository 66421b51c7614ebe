package pipe

import "time"

// Lip-sync tolerances. Sound may lead by 45 ms or lag by 125 ms before people notice
// (ITU-R BT.1359-1). We begin to act well inside, nearer to the middle at the early end: under
// loss single frames are shown late, and the sound must not be ahead of those either.
const (
	soundLeast = 10 * time.Millisecond // of lag
	soundLag   = 80 * time.Millisecond
	syncStep   = 20 * time.Millisecond // the most that one update moves either
)

// SyncInterval is how often Update is to be called: a tenth of the time is what stretched sound
// gains or loses without being heard, syncStep in each interval.
const SyncInterval = 200 * time.Millisecond

// LipSync holds back whichever of sound and picture is ahead, and no more than needed. It
// is pure; Update is called every SyncInterval.
type LipSync struct {
	hold time.Duration // of the picture; of the sound when below zero
}

// Video is how much longer pictures are to be held back.
func (s *LipSync) Video() time.Duration { return max(s.hold, 0) }

// Audio is how much longer sound is to be held back.
func (s *LipSync) Audio() time.Duration { return max(-s.hold, 0) }

// Update takes the delays from capture to speaker and to screen as they are now, extras
// included. Both are by the sender's clock at one end and the receiver's at the other: only
// their difference means anything.
func (s *LipSync) Update(audio, video time.Duration) {
	switch lag := audio - video; {
	case lag > soundLag:
		s.hold += min(lag-soundLag, syncStep)
	case lag < soundLeast:
		s.hold += max(lag-soundLeast, -syncStep)
	case s.hold > 0 && lag < soundLag/2:
		s.hold -= min(s.hold, syncStep/4)
	case s.hold < 0 && lag > soundLag/2:
		s.hold += min(-s.hold, syncStep/4)
	}
}
