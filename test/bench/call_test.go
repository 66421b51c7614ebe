package bench

import (
	"fmt"
	"image"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/media"
	"parley/media/bot"
	"parley/media/call"
	"parley/media/device/pulsetest"
	"parley/test/harness"
)

// How long a call settles before it is measured, once it has its full resolution, and how long it is measured. The
// costs of a call are taken after congestion control has found its rate. A page starts at startKbps, unless its
// start is what we measure.
const (
	benchSettle  = 3 * time.Second
	benchMeasure = 8 * time.Second
	startKbps    = 2500
	// fullLimit is how long a call may take to reach the camera's full resolution.
	fullLimit = 30 * time.Second
)

// engine720 is measured at both ends. meshScenario starts with the cost of 640x360.
var engine720 = engineScenario(1280, 720, "person1-720p.y4m")

// engineScenario is a call of two without a window: both products capture, encode, send, receive and decode, and
// render nothing.
func engineScenario(w, h int, file string) scenario {
	size := fmt.Sprintf("%dx%d", w, h)
	pair := func(t testing.TB) (a, b member) {
		return member{camera: harness.Material(t, file), width: w, height: h, mic: harness.Material(t, "voice1.wav"), start: startKbps},
			member{camera: harness.Material(t, file), width: w, height: h, mic: harness.Material(t, "voice2.wav"), start: startKbps}
	}
	return scenario{
		name: "engine 1:1 " + size, quick: true, takes: 40 * time.Second,
		figures: []benchFigure{
			{"cpu" + size, "engine CPU, 1:1 at " + size + "x30, share of a core", "%", atMost, 0.8, []string{"fps" + size, "width" + size}},
			{"fps" + size, "  frames decoded there", "fps", shown, 0, nil},
			{"width" + size, "  at the width of", "px", shown, 0, nil},
		},
		ours: func(t testing.TB) sample {
			a, b := pair(t)
			ada, ben := ourCall(t, a, b)
			return ourEngine(t, ada, ben, size, w)
		},
		theirs: func(t testing.TB) sample {
			a, b := pair(t)
			ada, ben := chromiumCall(t, a, b)
			return chromiumEngine(ada, ben, size, w)
		},
	}
}

// ourEngine measures both ends of a call, which do the same, and takes the mean.
func ourEngine(t testing.TB, ada, ben *harness.Process, size string, width int) sample {
	full := func() bool {
		l := ben.Last()
		return len(l.Peers) == 1 && l.Peers[0].VideoIn.W >= width
	}
	pollFor(fullLimit, full)
	time.Sleep(benchSettle)
	first := ben.Last()
	c := costOf(benchMeasure, tree{t, ada.Cmd.Process.Pid}, tree{t, ben.Cmd.Process.Pid})
	last := ben.Last()
	if len(first.Peers) != 1 || len(last.Peers) != 1 {
		t.Fatal("the call has broken")
	}
	x, y := first.Peers[0].VideoIn, last.Peers[0].VideoIn
	return sample{
		"cpu" + size: c, "fps" + size: float64(y.Decoded-x.Decoded) / (float64(last.TMillis-first.TMillis) / 1000),
		"width" + size: float64(y.W),
	}
}

func chromiumEngine(ada, ben *chromium, size string, width int) sample {
	pollFor(fullLimit, func() bool { return ben.stats()["ada"].VideoIn.FrameWidth >= float64(width) })
	time.Sleep(benchSettle)
	first := ben.stats()["ada"]
	c := costOf(benchMeasure, ada.tree, ben.tree)
	last := ben.stats()["ada"]
	return sample{
		"cpu" + size: c, "width" + size: last.VideoIn.FrameWidth,
		"fps" + size: (last.VideoIn.FramesDecoded - first.VideoIn.FramesDecoded) / ((last.Time - first.Time) / 1000),
	}
}

// costOf is the mean share of a core that these processes take, in %.
func costOf(d time.Duration, trees ...tree) float64 {
	begin := time.Now()
	var before, after time.Duration
	for _, p := range trees {
		before += p.cpu()
	}
	time.Sleep(d) // the measurement itself
	for _, p := range trees {
		after += p.cpu()
	}
	return 100 * (after - before).Seconds() / time.Since(begin).Seconds() / float64(len(trees))
}

// pollFor polls until ok, for at most d. A condition that never holds is a result too.
func pollFor(d time.Duration, ok func() bool) bool { return pollEvery(50*time.Millisecond, d, ok) }

func pollEvery(pause, d time.Duration, ok func() bool) bool {
	for deadline := time.Now().Add(d); time.Now().Before(deadline); time.Sleep(pause) {
		if ok() {
			return true
		}
	}
	return ok()
}

// ourCall makes a call of two bots, or of windows; Ben joins Ada.
func ourCall(t testing.TB, a, b member) (ada, ben *harness.Process) {
	t.Helper()
	server := startMeetingPlace(t, a.host)
	ada = startMember(t, "Ada", a, "--new", "--server", server)
	ben = startMember(t, "Ben", b, ada.Link())
	for _, p := range []*harness.Process{ada, ben} {
		p.Await("is connected", func(l call.Line) bool { return len(l.Peers) == 1 && l.Peers[0].State == "connected" })
	}
	return ada, ben
}

// startMeetingPlace starts a rendezvous where this member is.
func startMeetingPlace(t testing.TB, host string) (server string) {
	t.Helper()
	if host == "" {
		_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
		return "http://" + addr
	}
	return startNetworkRendezvous(t, host)
}

// startMember starts one of our members. All bots receive the others at their camera's full size, because Chromium
// decodes a track without a view at that size.
func startMember(t testing.TB, name string, m member, args ...string) *harness.Process {
	t.Helper()
	stats := t.TempDir() + "/" + name + ".stats"
	flags := []string{"--name", name, "--stats", stats, "--camera", "off", "--mic", "off"}
	if m.camera != "" {
		flags = append(flags, "--camera", m.camera)
	}
	if m.mic != "" {
		flags = append(flags, "--mic", m.mic)
	}
	if m.device != "" {
		flags = append(flags, "--mic", m.device)
	}
	if m.sink != "" {
		flags = append(flags, "--speaker", m.sink)
	} else {
		flags = append(flags, "--speaker", "off")
	}
	if m.shown {
		flags = append(flags, "--join")
	} else {
		flags = append([]string{"bot"}, flags...)
	}
	if !m.shown && m.width > 0 {
		flags = append(flags, "--view", fmt.Sprintf("%dx%d", m.width, m.height))
	}
	flags = append(flags, args...)
	path := "build/parley"
	if m.host != "" {
		flags = append([]string{"netns", "exec", m.host, path}, flags...)
		path = "ip"
	}
	p := harness.Launch(t, m.env, path, flags...)
	p.Name, p.Stats = name, stats
	return p
}

// chromiumCall makes the same call in two browsers; Ben joins Ada.
func chromiumCall(t testing.TB, a, b member) (ada, ben *chromium) {
	t.Helper()
	ada, ben = openPage(t, "ada", a), openPage(t, "ben", b)
	joinPages(ben, ada)
	return ada, ben
}

// openPage starts a browser whose page has opened camera and microphone. A browser needs a display even if its page
// shows nothing.
func openPage(t testing.TB, name string, m member) *chromium {
	t.Helper()
	if !slices.ContainsFunc(m.env, func(e string) bool { return strings.HasPrefix(e, "DISPLAY=") }) {
		m.env = append(harness.StartDisplay(t).Env(), m.env...)
	}
	c := startChromium(t, name, m)
	if m.start > 0 {
		c.do(`startAt(%s)`, m.start)
	}
	if m.shown {
		c.do(`show(1)`)
	}
	want := map[string]any{"audio": m.mic != "" || m.device != ""}
	if m.camera != "" {
		want["video"] = map[string]any{"width": m.width, "height": m.height, "frameRate": 30}
	}
	if m.device != "" {
		want["mic"], want["speaker"] = m.device, m.sink
	}
	if m.camera != "" || m.mic != "" || m.device != "" {
		c.do(`camera(%s)`, want)
	}
	return c
}

// joinPages connects two pages: the one that joins offers.
func joinPages(joins, there *chromium) {
	offer := eval[string](joins, `offer(%s)`, there.name)
	answer := eval[string](there, `answer(%s, %s)`, joins.name, offer)
	joins.do(`accept(%s, %s)`, there.name, answer)
	harness.AwaitTrue(joins.t, "the pages are connected", func() bool {
		return joins.stats()[there.name].State == "connected" && there.stats()[joins.name].State == "connected"
	}, func() string { return fmt.Sprint(joins.stats()) })
}

// pageStats is what a page says of one other member. Times are milliseconds, of the page's own
// clock; the rest is as W3C webrtc-stats defines it.
type pageStats struct {
	State    string
	Time     float64
	Widths   map[string]float64 // when each width of the picture was first shown, since joining
	VideoIn  streamStats
	VideoOut streamStats
	AudioIn  streamStats
}

type streamStats struct {
	FrameWidth           float64
	FrameHeight          float64
	FramesDecoded        float64
	FramesEncoded        float64
	TotalFreezesDuration float64 // seconds
	ConcealedSamples     float64
	TotalSamplesReceived float64
	BytesReceived        float64
	BytesSent            float64
}

func (c *chromium) stats() map[string]pageStats {
	c.t.Helper()
	return eval[map[string]pageStats](c, `stats()`)
}

// memoryTarget is the share of Chromium's memory that Parley may take; 0.45 is the aim.
const memoryTarget = 0.5

// wholeApp and wholeApp360 are measured where the other's picture fills a window. A machine that draws in software has
// little time for 1280x720, and the products then give up different things: one its width, the other frames.
var (
	wholeApp    = wholeAppScenario(1280, 720, "person1-720p.y4m")
	wholeApp360 = wholeAppScenario(640, 360, "person1.y4m")
)

// wholeAppScenario is a call of two as people make it: a window of 1280x720 filled by the other's picture, and a sound
// server that plays.
func wholeAppScenario(w, h int, file string) scenario {
	size := fmt.Sprintf("%dx%d", w, h)
	pair := func(t testing.TB) (a, b member) { return windowPair(t, w, h, file) }
	return scenario{
		name: "whole app 1:1 " + size, quick: true, takes: 54 * time.Second,
		figures: []benchFigure{
			{"full" + size, "joining to the camera's full resolution of " + size + " (30 s: never)", "s", atMost, 0.3, nil},
			{"app" + size, "whole-app CPU, one remote video of " + size + " on screen", "%", atMost, 1, []string{"shownfps" + size, "shown" + size}},
			{"shownfps" + size, "  frames painted there", "fps", shown, 0, nil},
			{"shown" + size, "  at the width of", "px", shown, 0, nil},
			{"pss" + size, "memory (PSS) of a 1:1 call at " + size, "MB", atMost, memoryTarget, []string{"shown" + size}},
		},
		ours: func(t testing.TB) sample {
			a, b := pair(t)
			return ourWindow(t, a, b).of(size)
		},
		theirs: func(t testing.TB) sample {
			a, b := pair(t)
			return chromiumWindow(t, a, b).of(size)
		},
	}
}

// of gives the figures the names that they have at this size.
func (s sample) of(size string) sample {
	named := sample{}
	for name, v := range s {
		named[name+size] = v
	}
	return named
}

// windowPair is Ada, who has no window, and Ben, who has one. Both have cameras that play this file.
func windowPair(t testing.TB, w, h int, file string) (ada, ben member) {
	pulse := pulsetest.Start(t)
	pulse.NullSink("speaker")
	ada = member{camera: harness.Material(t, file), width: w, height: h, mic: harness.Material(t, "voice1.wav")}
	ben = ada
	ben.mic, ben.sink, ben.shown, ben.env = harness.Material(t, "voice2.wav"), "speaker", true, append(harness.StartDisplay(t).Env(), pulse.Env()...)
	return ada, ben
}

func ourWindow(t testing.TB, a, b member) sample {
	server := startMeetingPlace(t, "")
	ada := startMember(t, "Ada", a, "--new", "--server", server)
	link := ada.Link()
	full := ourFullResolution(t, ada, link, a.width, a.height)
	ben := startMember(t, "Ben", b, link)
	ben.Await("sees Ada", func(l call.Line) bool { return len(l.Peers) == 1 && l.Peers[0].VideoIn.Frames > 0 })
	pollFor(fullLimit, func() bool { l := ben.Last(); return len(l.Peers) == 1 && l.Peers[0].VideoIn.W == a.width })
	time.Sleep(benchSettle)
	first, app := ben.Last(), tree{t, ben.Cmd.Process.Pid}
	cpu := costOf(benchMeasure, app)
	pss, last := app.pss(), ben.Last()
	if len(first.Peers) != 1 || len(last.Peers) != 1 {
		t.Fatal("the call has broken")
	}
	frames := last.Peers[0].VideoIn.Frames - first.Peers[0].VideoIn.Frames
	return sample{
		"full": full, "app": cpu, "pss": pss, "shown": float64(last.Peers[0].VideoIn.W),
		"shownfps": float64(frames) / (float64(last.TMillis-first.TMillis) / 1000),
	}
}

// ourFullResolution is how long a member who opens the link waits for a picture of the camera's size, in seconds.
// The member leaves again.
func ourFullResolution(t testing.TB, ada *harness.Process, link string, w, h int) float64 {
	t.Helper()
	ada.Await("is alone", func(l call.Line) bool { return l.Phase == "live" && len(l.Peers) == 0 })
	c := harness.CallInside(t, "Cleo", "", nil)
	begin := time.Now()
	c.Do(call.Open{Text: link, Join: true})
	pollEvery(time.Second/120, fullLimit, func() bool {
		for _, p := range c.State().Peers {
			if pic := bot.Look(c, p.ID, media.Camera, w, h, time.Now()); pic != nil && pic.Source == image.Pt(w, h) {
				return true
			}
		}
		return false
	})
	full := min(time.Since(begin), fullLimit).Seconds()
	c.Do(call.Leave{})
	ada.Await("is alone again", func(l call.Line) bool { return len(l.Peers) == 0 })
	return full
}

func chromiumWindow(t testing.TB, a, b member) sample {
	_, ben := chromiumCall(t, a, b)
	arrived := func() (float64, bool) {
		at, ok := ben.stats()["ada"].Widths[strconv.Itoa(a.width)]
		return at / 1000, ok
	}
	full := fullLimit.Seconds()
	if pollFor(fullLimit, func() bool { _, ok := arrived(); return ok }) {
		full, _ = arrived()
	}
	time.Sleep(benchSettle)
	first := ben.stats()["ada"]
	cpu := costOf(benchMeasure, ben.tree)
	pss, last := ben.tree.pss(), ben.stats()["ada"]
	return sample{
		"full": full, "app": cpu, "pss": pss, "shown": last.VideoIn.FrameWidth,
		"shownfps": (last.VideoIn.FramesDecoded - first.VideoIn.FramesDecoded) / ((last.Time - first.Time) / 1000),
	}
}

// TestE2EBench checks that both sides of make bench work: each delivers pictures and sound, and its processes use CPU
// time and memory.
func TestE2EBench(t *testing.T) {
	harness.EndToEnd(t)
	a := member{camera: harness.Material(t, "person1.y4m"), width: 640, height: 360, mic: harness.Material(t, "voice1.wav")}
	b := a
	b.camera, b.mic = harness.Material(t, "person2.y4m"), harness.Material(t, "voice2.wav")
	t.Run("ours", func(t *testing.T) {
		_, ben := ourCall(t, a, b)
		ben.Await("sees and hears Ada", func(l call.Line) bool { return harness.Meets(1)(l) && l.Peers[0].VideoIn.Frames > 20 })
	})
	t.Run("chromium", func(t *testing.T) {
		_, ben := chromiumCall(t, a, b)
		var s pageStats
		harness.AwaitTrue(t, "Ben's page sees and hears Ada", func() bool {
			s = ben.stats()["ada"]
			return s.VideoIn.FramesDecoded > 20 && s.AudioIn.TotalSamplesReceived > media.SampleRate
		}, func() string { return fmt.Sprintf("%+v", s) })
		if cpu, mb := ben.tree.cpu(), ben.tree.pss(); cpu <= 0 || mb < 50 {
			t.Errorf("a browser took %v of CPU and %.0f MB", cpu, mb)
		}
	})
}
