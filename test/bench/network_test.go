package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/media"
	"parley/test/harness"
)

// A path is two hosts in namespaces of their own, joined by a cable that loses or delays packets: the same for both
// products. Ada sends 1280x720 and speaks. Ben receives, speaks, and has no camera, so that two cores are enough for both.

const (
	pathSettle  = 3 * time.Second
	pathMeasure = 10 * time.Second
)

// point is what Ben had received at some moment. Counts and times are since the call began.
type point struct {
	at        time.Time // of Ben's statistics
	frames    float64
	frozen    float64 // seconds, as W3C webrtc-stats counts them
	width     float64
	concealed float64 // samples
	heard     float64 // samples
	received  float64 // video, kbit
}

// rate is what Ben receives between two points, in kbit/s; 0 between looks at the same statistics.
func rate(a, b point) float64 {
	if !b.at.After(a.at) {
		return 0
	}
	return (b.received - a.received) / b.at.Sub(a.at).Seconds()
}

// pathCall returns Ben's statistics in a call over a path.
type pathCall func() point

// onPath is a call over a path, which ends with the test.
type onPath struct {
	net      harness.Network
	look     pathCall
	film     func()                // starts to save pictures that Ben receives
	pictures func() []*media.Frame // returns the saved ones and stops saving
}

// pathMembers are Ada and Ben on the two hosts of the network.
func pathMembers(t testing.TB, n harness.Network) (ada, ben member) {
	ada = member{camera: harness.Material(t, "person1-720p.y4m"), width: 1280, height: 720, mic: harness.Material(t, "voice1.wav"), host: n.Hosts[0], start: startKbps}
	ben = member{width: 1280, height: 720, mic: harness.Material(t, "voice2.wav"), host: n.Hosts[1]}
	return ada, ben
}

// pathPart is a scenario's part of a call that it shares with others.
type pathPart struct {
	call    string // those of the same name share it
	full    bool   // it begins when the picture has its full resolution, or after fullLimit
	measure func(t testing.TB, p onPath) sample
}

// oneCall joins all scenarios that share a call into one, so that the call is set up only once.
func oneCall(all []scenario) []scenario {
	var joined []scenario
	parts := make(map[string][]*pathPart)
	for _, s := range all {
		if s.part == nil {
			joined = append(joined, s)
			continue
		}
		i := slices.IndexFunc(joined, func(j scenario) bool { return j.name == s.part.call })
		if i < 0 {
			joined, i = append(joined, scenario{name: s.part.call}), len(joined)
		}
		j := &joined[i]
		j.figures, j.takes = append(j.figures, s.figures...), j.takes+s.takes
		parts[j.name] = append(parts[j.name], s.part)
	}
	for i, j := range joined {
		if p := parts[j.name]; p != nil {
			joined[i].takes += callTakes
			joined[i].ours = func(t testing.TB) sample { return together(t, ourPath(t), p) }
			joined[i].theirs = func(t testing.TB) sample { return together(t, chromiumPath(t), p) }
		}
	}
	return joined
}

// callTakes is about how long two calls take, ours and theirs, before they can be measured.
const callTakes = 18 * time.Second

// together lets the parts measure one call, one after another.
func together(t testing.TB, p onPath, parts []*pathPart) sample {
	if parts[0].full {
		pollFor(callTakes/2, func() bool { return p.look().width == 1280 })
	}
	all := make(sample)
	for _, part := range parts {
		maps.Copy(all, part.measure(t, p))
	}
	return all
}

func ourPoint(ben *harness.Process) point {
	var p point
	// Rates are over the time since the line above.
	last := int64(0)
	for _, l := range ben.Lines() {
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
	// Statistics are up to a second old: this is their time.
	p.at = time.UnixMilli(last)
	return p
}

func chromiumPoint(ben *chromium) point {
	in := ben.stats()["ada"]
	return point{
		at: time.Now(), frames: in.VideoIn.FramesDecoded, frozen: in.VideoIn.TotalFreezesDuration, width: in.VideoIn.FrameWidth,
		concealed: in.AudioIn.ConcealedSamples, heard: in.AudioIn.TotalSamplesReceived,
		received: in.VideoIn.BytesReceived * 8 / 1000,
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

// lossTargets are what the ratios of one loss have to be.
type lossTargets struct {
	concealed, frozen float64
	more              want // of frame rate and width
}

// measured is how long a loss is measured: a small one shows little, and needs less time.
func (l loss) measured() time.Duration {
	if l.percent < 10 {
		return 6 * time.Second
	}
	return pathMeasure
}

// lossScenario is a call over a path that loses this share of the packets.
func lossScenario(l loss, quick bool, want lossTargets) scenario {
	name := l.String()
	return scenario{
		name: name, quick: quick, takes: 2 * (pathSettle + l.measured()),
		figures: []benchFigure{
			{name + " concealed", "audio concealed at " + name, "%", atMost, want.concealed, nil},
			{name + " frozen", fmt.Sprintf("frozen of %.0f s at %s", l.measured().Seconds(), name), "s", atMost, want.frozen, nil},
			{name + " fps", "frame rate kept at " + name, "fps", want.more, 1, nil},
			{name + " width", "resolution kept at " + name + ": width", "px", want.more, 1, nil},
		},
		part: &pathPart{"loss", true, func(_ testing.TB, p onPath) sample {
			p.net.Lose(l.percent/100, l.burst)
			time.Sleep(pathSettle)
			s := make(sample)
			for id, v := range kept(watchPath(p.look, l.measured())) {
				s[name+" "+id] = v
			}
			return s
		}},
	}
}

// From little loss to much, so that no product is measured while its rate still rises.
var losses = []scenario{
	lossScenario(loss{5, 1}, false, lossTargets{0.1, 1, shown}),
	lossScenario(loss{5, 5}, false, lossTargets{0.3, 1, shown}),
	lossScenario(loss{10, 1}, false, lossTargets{0.1, 1, shown}),
	lossScenario(loss{10, 5}, false, lossTargets{0.3, 1, shown}),
	lossScenario(loss{20, 1}, false, lossTargets{0.1, 1, above}),
	lossScenario(loss{30, 1}, true, lossTargets{0.3, 0.3, above}),
}

// watchPath samples a call every second.
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
	// A freeze counts when it has ended. One that has not shows as seconds without a frame.
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

// startNetworkRendezvous starts the hosted service on the first host of a network.
func startNetworkRendezvous(t testing.TB, host string) (server string) {
	t.Helper()
	const addr = "10.77.0.1:8443" // startNetwork's first host
	service := harness.Launch(t, nil, "ip", "netns", "exec", host, "build/parley-rendezvous", "--listen", addr)
	harness.AwaitTrue(t, "the rendezvous listens", func() bool { return strings.Contains(service.Errors(), `"listening"`) }, service.Errors)
	return "http://" + addr
}
