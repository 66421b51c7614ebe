package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"parley/media"
)

// Paths are two hosts in namespaces of their own, joined by a cable that loses or holds up
// packets: the very same for both products. Ada shows 1280x720 and speaks; Ben looks, listens
// and speaks, and has no camera, so that the machine's two cores are enough for both.

const (
	pathSettle  = 4 * time.Second
	pathMeasure = 12 * time.Second
)

// point is what Ben had received at some moment; counts and times are since the call began.
type point struct {
	at        time.Time // of the look at Ben
	frames    float64
	frozen    float64 // seconds, as W3C webrtc-stats counts them
	width     float64
	concealed float64 // samples
	heard     float64 // samples
	received  float64 // video, kbit
	sent      float64 // by Ada: video, kbit
	sentAt    time.Time
}

// rate is what Ben receives between two points, in kbit/s.
func rate(a, b point) float64 { return (b.received - a.received) / b.at.Sub(a.at).Seconds() }

// sendRate is what Ada sends.
func sendRate(a, b point) float64 { return (b.sent - a.sent) / b.sentAt.Sub(a.sentAt).Seconds() }

// pathCall is a call over a path: it ends with the test.
type pathCall func() point

// pathMembers are Ada and Ben on the two hosts of the network.
func pathMembers(t testing.TB, n network) (ada, ben member) {
	ada = member{camera: material(t, "person1-720p.y4m"), width: 1280, height: 720, mic: material(t, "voice1.wav"), host: n.hosts[0], start: wideKbps}
	ben = member{width: 1280, height: 720, mic: material(t, "voice2.wav"), host: n.hosts[1]}
	return ada, ben
}

func ourPath(t testing.TB, n network) pathCall {
	a, b := pathMembers(t, n)
	ada, ben := ourCall(t, a, b)
	return func() point { return ourPoint(ada, ben) }
}

func ourPoint(ada, ben *process) point {
	var p point
	// Rates are over the time since the line before.
	last := int64(0)
	for _, l := range ada.lines() {
		if len(l.Peers) == 1 {
			p.sent += l.Peers[0].VideoOut.Kbps * float64(l.TMillis-last) / 1000
		}
		last = l.TMillis
	}
	lastSent := last
	last = 0
	for _, l := range ben.lines() {
		if len(l.Peers) == 1 {
			q := l.Peers[0]
			p.received += q.VideoIn.Kbps * float64(l.TMillis-last) / 1000
			p.frames, p.frozen, p.width = float64(q.VideoIn.Frames), q.VideoIn.FreezeMs/1000, float64(q.VideoIn.W)
			// The speaker takes sound at a steady pace from the first packet on.
			if q.AudioIn.Kbps > 0 || p.heard > 0 {
				p.heard += float64(l.TMillis-last) / 1000 * media.SampleRate
			}
			p.concealed = q.AudioIn.Concealed / 100 * p.heard
		}
		last = l.TMillis
	}
	// Statistics are a second old at most: the time is theirs.
	p.at, p.sentAt = time.UnixMilli(last), time.UnixMilli(lastSent)
	return p
}

func chromiumPath(t testing.TB, n network) pathCall {
	a, b := pathMembers(t, n)
	ada, ben := chromiumCall(t, a, b)
	return func() point { return chromiumPoint(ada, ben) }
}

func chromiumPoint(ada, ben *chromium) point {
	in, out := ben.stats()["ada"], ada.stats()["ben"]
	now := time.Now()
	return point{
		at: now, sentAt: now, frames: in.VideoIn.FramesDecoded, frozen: in.VideoIn.TotalFreezesDuration, width: in.VideoIn.FrameWidth,
		concealed: in.AudioIn.ConcealedSamples, heard: in.AudioIn.TotalSamplesReceived,
		received: in.VideoIn.BytesReceived * 8 / 1000, sent: out.VideoOut.BytesSent * 8 / 1000,
	}
}

// loss is how a path loses packets.
type loss struct {
	percent float64
	burst   float64 // packets in a row, in the mean; 1 for loss at random
}

func (l loss) String() string {
	if l.burst > 1 {
		return fmt.Sprintf("%g%% loss in bursts of %g", l.percent, l.burst)
	}
	return fmt.Sprintf("%g%% random loss", l.percent)
}

// lossTargets are what the ratios of one loss have to be; nil for a row that explains another.
type lossTargets struct {
	concealed, frozen float64
	more              want // of frame rate and width
}

// lossScenario is a call over a path that loses this share of the packets. All that are wanted
// are one call, see oneCall.
func lossScenario(l loss, quick bool, want lossTargets) scenario {
	name := l.String()
	return scenario{name: name, quick: quick, loss: l, figures: []benchFigure{
		{name + " concealed", "audio concealed at " + name, "%", atMost, want.concealed},
		{name + " frozen", fmt.Sprintf("frozen of %.0f s at %s", pathMeasure.Seconds(), name), "s", atMost, want.frozen},
		{name + " fps", "frame rate kept at " + name, "fps", want.more, 1},
		{name + " width", "resolution kept at " + name + ": width", "px", want.more, 1},
	}}
}

var losses = []scenario{
	lossScenario(loss{5, 1}, false, lossTargets{0.1, 1, shown}),
	lossScenario(loss{5, 5}, false, lossTargets{0.3, 1, shown}),
	lossScenario(loss{10, 1}, false, lossTargets{0.1, 1, shown}),
	lossScenario(loss{10, 5}, false, lossTargets{0.3, 1, shown}),
	lossScenario(loss{20, 1}, false, lossTargets{0.1, 1, above}),
	lossScenario(loss{30, 1}, true, lossTargets{0.3, 0.3, above}),
}

// oneCall makes one scenario of all those that differ in the loss alone: a call whose path gets
// worse, which spares beginning it anew for each.
func oneCall(all []scenario) []scenario {
	var others, lossy []scenario
	joined := scenario{name: "loss"}
	for _, s := range all {
		if s.loss == (loss{}) {
			others = append(others, s)
			continue
		}
		lossy, joined.figures = append(lossy, s), append(joined.figures, s.figures...)
	}
	if len(lossy) == 0 {
		return others
	}
	joined.ours = func(t testing.TB) sample { return worsening(t, ourPath, lossy) }
	joined.theirs = func(t testing.TB) sample { return worsening(t, chromiumPath, lossy) }
	return append(others, joined)
}

func worsening(t testing.TB, call func(testing.TB, network) pathCall, lossy []scenario) sample {
	n := startNetwork(t, 0)
	look := call(t, n)
	pollFor(fullLimit, func() bool { return look().width == 1280 })
	all := make(sample)
	for _, s := range lossy {
		n.lose(s.loss.percent/100, s.loss.burst)
		time.Sleep(pathSettle)
		for id, v := range kept(watchPath(look, pathMeasure)) {
			all[s.name+" "+id] = v
		}
	}
	return all
}

// watchPath looks at a call every second for so long.
func watchPath(look pathCall, d time.Duration) []point {
	points := []point{look()}
	for range int(d / time.Second) {
		time.Sleep(time.Second) // the measurement itself
		points = append(points, look())
	}
	return points
}

// kept is what was left of picture and sound between the first point and the last.
func kept(points []point) sample {
	a, b := points[0], points[len(points)-1]
	seconds := b.at.Sub(a.at).Seconds()
	s := sample{"fps": (b.frames - a.frames) / seconds, "frozen": b.frozen - a.frozen}
	if heard := b.heard - a.heard; heard > 0 {
		s["concealed"] = max(0, 100*(b.concealed-a.concealed)/heard)
	}
	// A freeze counts when it is over: one that is not shows as seconds without a frame.
	var still, width float64
	for i, p := range points[1:] {
		if p.frames == points[i].frames {
			still += p.at.Sub(points[i].at).Seconds()
		}
		width += p.width / float64(len(points)-1)
	}
	s["frozen"], s["width"] = max(s["frozen"], still), width
	return s
}

// throttle caps what Ada's host can send, with a queue of 300 ms, as an access router has.
func (n network) throttle(kbps int) {
	n.t.Helper()
	args := []string{"-n", n.hosts[0], "qdisc", "replace", "dev", "cable", "root", "tbf", "rate", fmt.Sprint(kbps, "kbit"), "burst", "8kb", "latency", "300ms"}
	if text, err := exec.Command("tc", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("tc %v: %v: %s", args, err, text)
	}
}

// The path of fallScenario, in kbit/s, and how long each side has for either way.
const (
	wideKbps, narrowKbps = 2500, 400
	fallLimit            = 12 * time.Second
	riseLimit            = 30 * time.Second
	steadyLimit          = 15 * time.Second
)

// steady waits until a call has found its rate, for at most steadyLimit: until three seconds are
// like the three before. It tells the rate of these.
func steady(look pathCall) float64 {
	const half = 3
	points := watchPath(look, 2*half*time.Second)
	for begin := time.Now(); ; {
		n := len(points) - 1
		before, now := rate(points[n-2*half], points[n-half]), rate(points[n-half], points[n])
		if (now > 0.9*before && now < 1.1*before) || time.Since(begin) > steadyLimit {
			return rate(points[n-2*half], points[n])
		}
		time.Sleep(time.Second)
		points = append(points, look())
	}
}

// fallScenario is a path that narrows and widens again.
var fallScenario = scenario{
	name: "fall and recovery",
	figures: []benchFigure{
		{"fall", "2.5 -> 0.4 Mbit/s: until no more is sent (12 s: never)", "s", below, 1},
		{"frozen", "  frozen in the first 12 s of it", "s", shown, 0},
		{"rise", "0.4 -> 2.5 Mbit/s: back at 90% of the rate (30 s: never)", "s", below, 1},
		{"before", "  rate before", "kbit/s", shown, 0},
	},
	ours:   func(t testing.TB) sample { return fallAndRise(t, ourPath) },
	theirs: func(t testing.TB) sample { return fallAndRise(t, chromiumPath) },
}

func fallAndRise(t testing.TB, call func(testing.TB, network) pathCall) sample {
	n := startNetwork(t, 0)
	n.throttle(wideKbps)
	look := call(t, n)
	s := sample{"before": steady(look), "fall": fallLimit.Seconds(), "rise": riseLimit.Seconds()}

	n.throttle(narrowKbps)
	begin, before := time.Now(), look()
	for a := before; time.Since(begin) < fallLimit; {
		time.Sleep(time.Second) // the measurement itself
		b := look()
		if sendRate(a, b) <= narrowKbps && s["fall"] == fallLimit.Seconds() {
			s["fall"] = time.Since(begin).Seconds()
		}
		a = b
		s["frozen"] = b.frozen - before.frozen
	}
	n.throttle(wideKbps)
	begin = time.Now()
	for a := look(); time.Since(begin) < riseLimit; {
		time.Sleep(time.Second) // the measurement itself
		b := look()
		if rate(a, b) >= 0.9*s["before"] {
			s["rise"] = time.Since(begin).Seconds()
			break
		}
		a = b
	}
	return s
}

// startNetworkRendezvous starts the hosted service on the first host of a network.
func startNetworkRendezvous(t testing.TB, host string) (server string) {
	t.Helper()
	const addr = "10.77.0.1:8443" // startNetwork's first host
	service := launch(t, nil, "ip", "netns", "exec", host, "build/parley-rendezvous", "--listen", addr)
	awaitTrue(t, "the rendezvous listens", func() bool { return strings.Contains(service.errors(), `"listening"`) }, service.errors)
	return "http://" + addr
}
