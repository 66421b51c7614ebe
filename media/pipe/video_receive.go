package pipe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pion/rtp"

	"parley/media"
)

// videoClock is the RTP clock rate of all video (RFC 7741 section 4.1), in Hz.
const videoClock = 90000

// Feedback is what a VideoReceiver asks of the sender at the other end.
type Feedback interface {
	Nack(seqs []uint16)
	RequestKeyframe()
}

// VideoReceiver is one remote camera or screen on its way in: it reorders, has lost packets
// sent again, decodes, and shows. Frames wait in it at most maxVideoDelay.
type VideoReceiver struct {
	codecs   media.Codecs
	view     *View
	feedback Feedback
	log      *slog.Logger
	wake     chan struct{}
	maxSize  Size // of a picture, longer side first

	mu      sync.Mutex
	asm     assembler
	playout playout
	clock   senderClock
	rtt     time.Duration
	extra   time.Duration
	stats   VideoStats
	shown   time.Time // when, and of which capture time, a picture was last shown
	shownOf time.Time
}

// pendingFrames is how many complete frames wait for their time; when there are more, the
// oldest are decoded at once.
const pendingFrames = 64

// maxVideoDelay bounds how long a frame is held back for smoothness and lip-sync together.
const maxVideoDelay = 600 * time.Millisecond

// NewVideoReceiver returns a receiver that shows in view. maxSize is the largest picture it decodes, in
// either orientation, see MaxCamera and MaxScreen. feedback is called on the Run goroutine.
func NewVideoReceiver(codecs media.Codecs, view *View, maxSize Size, feedback Feedback, log *slog.Logger) *VideoReceiver {
	return &VideoReceiver{
		maxSize: maxSize,
		codecs:  codecs, view: view, feedback: feedback, log: log,
		wake: make(chan struct{}, 1), rtt: 100 * time.Millisecond,
	}
}

// Push takes one packet as it arrives. It may be called by one goroutine beside Run's and
// keeps the packet.
func (r *VideoReceiver) Push(p *rtp.Packet, at time.Time) {
	r.mu.Lock()
	r.stats.Packets++
	r.stats.Bytes += uint64(len(p.Payload))
	r.asm.push(p, at)
	r.mu.Unlock()
	r.signal()
}

// Missing says whether packets are missing that may still come.
func (r *VideoReceiver) Missing() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.asm.missing) > 0
}

func (r *VideoReceiver) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// SetRTT tells the round-trip time to the sender.
func (r *VideoReceiver) SetRTT(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rtt = d
}

// SenderReport tells which capture time, by the sender's clock, an RTP timestamp stands for
// (RFC 3550 section 6.4.1).
func (r *VideoReceiver) SenderReport(ntp time.Time, rtpTime uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock = senderClock{ntp: ntp, rtp: rtpTime, rate: videoClock}
}

// SetExtraDelay holds pictures back by d more than the network asks for, for lip-sync.
func (r *VideoReceiver) SetExtraDelay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.extra = min(max(d, 0), maxVideoDelay)
}

// Shown returns when the last picture was shown and when it was captured by the sender's
// clock; ok is false before the first sender report.
func (r *VideoReceiver) Shown() (at, captured time.Time, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown, r.shownOf, !r.shownOf.IsZero()
}

// Stats returns a copy of the counters.
func (r *VideoReceiver) Stats() VideoStats {
	r.mu.Lock()
	s := r.stats
	a := r.asm.stats
	s.Delay = r.playout.delay() + r.extra
	r.mu.Unlock()
	s.Lost, s.Repaired, s.Nacks, s.Corrupt = a.lost, a.repaired, a.nacks, s.Corrupt+a.rubbish
	r.view.mu.Lock()
	defer r.view.mu.Unlock()
	p := &r.view.painted
	s.Painted, s.Freezes, s.FreezeTime = p.frames, p.freezes, p.freezeTime
	s.Dropped += r.view.skipped
	s.Latency, s.LatencyP95 = p.quantiles()
	return s
}

// Run decodes and shows until ctx ends.
func (r *VideoReceiver) Run(ctx context.Context) error {
	dec, err := r.codecs.VideoDecoder(media.VP8)
	if err != nil {
		return fmt.Errorf("set up video decoder: %w", err)
	}
	defer dec.Close()
	defer r.view.Pause()
	l := receiveLoop{VideoReceiver: r, dec: dec}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := l.step(time.Now())
		if wait <= 0 {
			if ctx.Err() != nil {
				return nil
			}
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-timer.C:
		}
	}
}

// receiveLoop is the state of Run's goroutine.
type receiveLoop struct {
	*VideoReceiver
	dec        media.VideoDecoder
	pending    []frame
	keyAsked   time.Time
	keyWanted  bool
	brokenAt   time.Time // since when only a keyframe helps
	decodeTime time.Duration
	unseen     time.Time // when packets last came for a hidden view
}

// idleWait is how long the loop sleeps when only a packet can give it work.
const idleWait = time.Second

// flowing is the longest silence of a sender that is sending: three frames at 15 fps.
const flowing = 200 * time.Millisecond

// step does what is due now and returns how long nothing else will be; 0 is "call again".
func (l *receiveLoop) step(now time.Time) time.Duration {
	hidden := l.view.Size() == Size{}
	l.mu.Lock()
	if hidden {
		l.forget(now)
		l.mu.Unlock()
		return idleWait
	}
	if now.Sub(l.unseen) < flowing {
		l.keyWanted = true
		l.unseen = time.Time{}
	}
	limit := min(max(4*l.rtt+100*time.Millisecond, 300*time.Millisecond), time.Second)
	switch {
	case l.asm.giveUp(now.Add(-limit)):
		l.keyWanted = true
	case !l.asm.started || !l.asm.broken || l.asm.keyframeAhead():
		l.brokenAt = time.Time{}
	case l.brokenAt.IsZero():
		l.brokenAt = now // perhaps the keyframe is on its way
	case now.Sub(l.brokenAt) > max(l.rtt*3/2, 200*time.Millisecond):
		l.keyWanted = true
	}
	for len(l.pending) < pendingFrames {
		f, ok := l.asm.pop()
		if !ok {
			break
		}
		l.playout.add(f.timestamp, now, l.asm.stats.repaired)
		l.pending = append(l.pending, f)
		l.keyWanted = l.keyWanted && !f.key
	}
	nacks := l.asm.nacks(now, l.rtt)
	wait := idleWait
	if len(l.asm.missing) > 0 {
		wait = 10 * time.Millisecond
	}
	askKey := l.keyWanted && now.Sub(l.keyAsked) > max(l.rtt*3/2, 200*time.Millisecond)
	if askKey {
		l.stats.Requests++
	}
	l.mu.Unlock()

	if len(nacks) > 0 {
		l.feedback.Nack(nacks)
	}
	if askKey {
		l.keyAsked = now
		l.feedback.RequestKeyframe()
	}
	if l.keyWanted || !l.brokenAt.IsZero() {
		wait = min(wait, 50*time.Millisecond)
	}
	if len(l.pending) == 0 {
		return wait
	}
	if due := l.due(l.pending[0], now); due > 0 {
		return min(wait, due)
	}
	f := l.pending[0]
	l.pending = append(l.pending[:0], l.pending[1:]...)
	next := len(l.pending) > 0 && l.due(l.pending[0], now) <= 0
	l.decode(f, next)
	return 0
}

// forget drops what has come for a view that nobody sees: the sender stops, or soon will. What is
// shown next is a keyframe: the sender begins with one unless it was sending all the time. l.mu is
// held.
func (l *receiveLoop) forget(now time.Time) {
	if l.asm.flush() {
		l.unseen = now
	}
	l.pending = nil
	l.keyWanted, l.brokenAt = false, time.Time{}
}

// due is how long f still waits before it is decoded; a full queue waits no longer.
func (l *receiveLoop) due(f frame, now time.Time) time.Duration {
	if len(l.pending) >= pendingFrames {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.playout.due(f.timestamp, l.extra).Sub(now) - l.decodeTime
}

// decode decodes f and shows it unless a newer frame is due as well.
func (l *receiveLoop) decode(f frame, superseded bool) {
	begin := time.Now()
	var img *media.Frame
	err := l.maxSize.admits(f.data)
	if err == nil {
		img, err = l.dec.Decode(f.data)
	}
	now := time.Now()
	l.decodeTime += (now.Sub(begin) - l.decodeTime) / 8
	l.mu.Lock()
	if err != nil {
		l.stats.Corrupt++
		l.keyWanted = true
		first := l.stats.Corrupt == 1
		l.mu.Unlock()
		if first && !errors.Is(err, context.Canceled) {
			l.log.Warn("video receive", "step", "decode", "err", err)
		}
		return
	}
	l.stats.Frames++
	if f.key {
		l.stats.Keyframes++
	}
	if img == nil {
		l.mu.Unlock()
		return
	}
	l.stats.Width, l.stats.Height = img.Width, img.Height
	if superseded {
		l.stats.Dropped++
		l.stats.Late++
		l.mu.Unlock()
		return
	}
	l.shown = now
	l.shownOf, _ = l.clock.at(f.timestamp)
	l.mu.Unlock()

	var captured time.Time
	if age, ok := media.ReadStamp(img, now); ok && age < 30*time.Second {
		captured = now.Add(-age)
	}
	if err := l.view.show(img, captured); err != nil {
		l.log.Warn("video receive", "step", "show", "err", err)
	}
}

// senderClock maps RTP timestamps to the sender's wall clock by its last report.
type senderClock struct {
	ntp  time.Time
	rtp  uint32
	rate int64
}

func (c senderClock) at(timestamp uint32) (time.Time, bool) {
	if c.rate == 0 {
		return time.Time{}, false
	}
	d := int64(int32(timestamp - c.rtp))
	return c.ntp.Add(time.Duration(d * int64(time.Second) / c.rate)), true
}
