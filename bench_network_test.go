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
	pathSettle  = 8 * time.Second
	pathMeasure = 20 * time.Second
)

// point is what Ben had received at some moment; counts and times are since the call began.
type point struct {
	at        time.Time
	frames    float64
	frozen    float64 // seconds, as W3C webrtc-stats counts them
	width     float64
	concealed float64 // samples
	heard     float64 // samples
	received  float64 // video, kbit
	sent      float64 // by Ada: video, kbit
}

// pathCall is a call over a path: it ends with the test.
type pathCall func() point

// pathMembers are Ada and Ben on the two hosts of the network.
func pathMembers(t testing.TB, n network) (ada, ben member) {
	ada = member{camera: material(t, "person1-720p.y4m"), width: 1280, height: 720, mic: material(t, "voice1.wav"), host: n.hosts[0]}
	ben = member{width: 1280, height: 720, mic: material(t, "voice2.wav"), host: n.hosts[1]}
	return ada, ben
}

func ourPath(t testing.TB, n network) pathCall {
	a, b := pathMembers(t, n)
	ada, ben := ourCall(t, a, b)
	return func() point {
		p := point{at: time.Now()}
		// Rates are over the time since the line before.
		last := int64(0)
		for _, l := range ada.lines() {
			if len(l.Peers) == 1 {
				p.sent += l.Peers[0].VideoOut.Kbps * float64(l.TMillis-last) / 1000
			}
			last = l.TMillis
		}
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
		return p
	}
}

func chromiumPath(t testing.TB, n network) pathCall {
	a, b := pathMembers(t, n)
	ada, ben := chromiumCall(t, a, b)
	return func() point {
		in, out := ben.stats()["ada"], ada.stats()["ben"]
		return point{
			at: time.Now(), frames: in.VideoIn.FramesDecoded, frozen: in.VideoIn.TotalFreezesDuration, width: in.VideoIn.FrameWidth,
			concealed: in.AudioIn.ConcealedSamples, heard: in.AudioIn.TotalSamplesReceived,
			received: in.VideoIn.BytesReceived * 8 / 1000, sent: out.VideoOut.BytesSent * 8 / 1000,
		}
	}
}

// lossScenario is a call over a path that loses this share of the packets, at random.
func lossScenario(percent int, quick bool, figures ...benchFigure) scenario {
	side := func(call func(testing.TB, network) pathCall) func(testing.TB) sample {
		return func(t testing.TB) sample {
			look := call(t, startNetwork(t, float64(percent)/100))
			time.Sleep(pathSettle)
			points := []point{look()}
			for range int(pathMeasure / time.Second) {
				time.Sleep(time.Second) // the measurement itself
				points = append(points, look())
			}
			return kept(points)
		}
	}
	return scenario{name: fmt.Sprintf("loss %d%%", percent), quick: quick, figures: figures, ours: side(ourPath), theirs: side(chromiumPath)}
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

func concealedRow(percent int, target float64) benchFigure {
	return benchFigure{"concealed", fmt.Sprintf("audio concealed at %d%% random loss", percent), "%", atMost, target}
}

func frozenRow(percent int, target float64) benchFigure {
	return benchFigure{"frozen", fmt.Sprintf("frozen time of 20 s at %d%% loss", percent), "s", atMost, target}
}

func fpsRow(percent int, w want) benchFigure {
	return benchFigure{"fps", fmt.Sprintf("frame rate kept at %d%% loss", percent), "fps", w, 1}
}

func widthRow(percent int, w want) benchFigure {
	return benchFigure{"width", fmt.Sprintf("resolution kept at %d%% loss: width", percent), "px", w, 1}
}

var (
	loss5  = lossScenario(5, false, concealedRow(5, 0.1), fpsRow(5, shown))
	loss10 = lossScenario(10, false, concealedRow(10, 0.1), frozenRow(10, 1), fpsRow(10, shown), widthRow(10, shown))
	loss20 = lossScenario(20, false, concealedRow(20, 0.1), frozenRow(20, 1), fpsRow(20, above), widthRow(20, above))
	loss30 = lossScenario(30, true, concealedRow(30, 0.3), frozenRow(30, 0.3), fpsRow(30, above), widthRow(30, above))
)

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
	fallLimit            = 20 * time.Second
	riseLimit            = 30 * time.Second
)

// fallScenario is a path that narrows and widens again.
var fallScenario = scenario{
	name: "fall and recovery",
	figures: []benchFigure{
		{"fall", "2.5 -> 0.4 Mbit/s: until no more is sent (20 s: never)", "s", below, 1},
		{"frozen", "  frozen in the first 20 s of it", "s", shown, 0},
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
	time.Sleep(20 * time.Second) // both have found the rate that they will find
	rate := func(a, b point) float64 { return (b.received - a.received) / b.at.Sub(a.at).Seconds() }
	first := look()
	time.Sleep(5 * time.Second)
	before := look()
	s := sample{"before": rate(first, before), "fall": fallLimit.Seconds(), "rise": riseLimit.Seconds()}

	n.throttle(narrowKbps)
	begin := time.Now()
	for a := before; time.Since(begin) < fallLimit; {
		time.Sleep(time.Second) // the measurement itself
		b := look()
		if sent := (b.sent - a.sent) / b.at.Sub(a.at).Seconds(); sent <= narrowKbps && s["fall"] == fallLimit.Seconds() {
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
