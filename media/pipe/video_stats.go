package pipe

import (
	"time"
)

// VideoStats counts one video track since it began; rates are the reader's to derive. The
// zero Latency means unknown.
type VideoStats struct {
	Width, Height int
	Packets       uint64
	Bytes         uint64
	Frames        uint64        // sent, or decoded
	Painted       uint64        // shown on the screen
	Keyframes     uint64        // sent, or received
	Dropped       uint64        // captured but not encoded, or received but never shown
	Late          uint64        // decoded too late to be shown: the next one was due as well
	Lost          uint64        // packets that never came
	Repaired      uint64        // packets that came after they were asked for
	Nacks         uint64        // packets asked for
	Corrupt       uint64        // packets or frames that made no sense
	Requests      uint64        // keyframes asked for
	Freezes       uint64        // as W3C webrtc-stats freezeCount counts them
	FreezeTime    time.Duration // the sum of their lengths
	Latency       time.Duration // capture to paint, the median of the last two seconds
	LatencyP95    time.Duration
	Delay         time.Duration // held back for smoothness and lip-sync
}

// freezeWindow is how many frames the average behind a freeze covers (W3C webrtc-stats,
// freezeCount: 30).
const freezeWindow = 30

// paintStats derives what a person notices from the times at which pictures were painted.
type paintStats struct {
	frames     uint64
	last       time.Time
	gaps       [freezeWindow]time.Duration
	sum        time.Duration
	n          int
	freezes    uint64
	freezeTime time.Duration
	latency    [64]time.Duration // a ring of the last two seconds
	nLatency   int
}

func (s *paintStats) add(captured, at time.Time) {
	s.frames++
	if !s.last.IsZero() {
		gap := at.Sub(s.last)
		if s.n >= freezeWindow {
			avg := s.sum / freezeWindow
			if gap > max(3*avg, avg+150*time.Millisecond) {
				s.freezes++
				s.freezeTime += gap
			}
		}
		i := s.n % freezeWindow
		s.sum += gap - s.gaps[i]
		s.gaps[i] = gap
		s.n++
	}
	s.last = at
	if !captured.IsZero() {
		s.latency[s.nLatency%len(s.latency)] = at.Sub(captured)
		s.nLatency++
	}
}

// pause keeps a wanted stop (camera off, tile hidden) from counting as a freeze.
func (s *paintStats) pause() { s.last = time.Time{} }

func (s *paintStats) quantiles() (median, p95 time.Duration) {
	n := min(s.nLatency, len(s.latency))
	if n == 0 {
		return 0, 0
	}
	l := s.latency
	return quantile(l[:n], 0.5), quantile(l[:n], 0.95)
}
