package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"parley/media"
	"parley/media/call"
	"parley/media/codec"
	"parley/media/device/pulsetest"
)

// In a mesh only Ada is measured. All others share one process, of bots or of one page, so that
// two cores are enough for them.

const (
	meshFew, meshMany = 1, 4 // others, between which the cost of each further one is taken
	sixWay            = 5    // others in a call of six
	encodeMany        = 8    // others for whom Ada encodes
)

func meshMembers(t testing.TB) (ada, others member) {
	ada = member{camera: material(t, "person1.y4m"), width: 640, height: 360, mic: material(t, "voice1.wav")}
	others = member{camera: material(t, "person2.y4m"), width: 640, height: 360, mic: material(t, "voice2.wav")}
	return ada, others
}

// ourMesh puts Ada into a meeting with n others.
func ourMesh(t testing.TB, a, others member, n int) *process {
	t.Helper()
	ada := startMember(t, "Ada", a, "--new", "--server", startMeetingPlace(t, ""))
	startMember(t, "Other", others, "--count", fmt.Sprint(n), ada.link())
	ada.await("sees all others", meets(n))
	return ada
}

func chromiumMesh(t testing.TB, a, others member, n int) *chromium {
	t.Helper()
	ada, page := openPage(t, "ada", a), openPage(t, "others", others)
	for i := range n {
		there, here := fmt.Sprint("ada", i), fmt.Sprint("other", i)
		offer := eval[string](page, `offer(%s)`, there)
		answer := eval[string](ada, `answer(%s, %s)`, here, offer)
		page.do(`accept(%s, %s)`, there, answer)
	}
	awaitTrue(t, "Ada's page sees all others", func() bool {
		seen := 0
		for _, s := range ada.stats() {
			if s.VideoIn.FramesDecoded > 0 {
				seen++
			}
		}
		return seen == n
	}, func() string { return fmt.Sprint(ada.stats()) })
	return ada
}

// meshSlope is what each further member of a meeting costs Ada's engine.
var meshSlope = scenario{
	name: "mesh",
	figures: []benchFigure{
		{"slope", fmt.Sprintf("engine CPU of each further peer (from %d to %d), 640x360", meshFew, meshMany), "%", atMost, 0.5},
		{"many", fmt.Sprintf("  engine CPU with %d others", meshMany), "%", shown, 0},
		{"fps", "  frames decoded of each of them", "fps", shown, 0},
		{"width", "  at the width of", "px", shown, 0},
	},
	ours: slope(func(t testing.TB, n int) (tree, func() seen) {
		a, others := meshMembers(t)
		ada := ourMesh(t, a, others, n)
		return tree{t, ada.cmd.Process.Pid}, func() seen {
			l := ada.last()
			s := seen{seconds: float64(l.TMillis) / 1000}
			for _, p := range l.Peers {
				s.frames, s.width = s.frames+float64(p.VideoIn.Decoded), s.width+float64(p.VideoIn.W)/float64(n)
			}
			return s
		}
	}),
	theirs: slope(func(t testing.TB, n int) (tree, func() seen) {
		a, others := meshMembers(t)
		ada := chromiumMesh(t, a, others, n)
		return ada.tree, func() seen {
			var s seen
			for _, p := range ada.stats() {
				s.seconds = p.Time / 1000
				s.frames, s.width = s.frames+p.VideoIn.FramesDecoded, s.width+p.VideoIn.FrameWidth/float64(n)
			}
			return s
		}
	}),
}

// seen is what Ada has received of all others: a cost without it would flatter who shows less.
type seen struct {
	seconds float64 // by the clock of whoever counts
	frames  float64
	width   float64 // the mean of the others' pictures
}

func slope(meet func(t testing.TB, n int) (tree, func() seen)) func(testing.TB) sample {
	return func(t testing.TB) sample {
		var cost [2]float64
		var first, last seen
		for i, n := range []int{meshFew, meshMany} {
			inside(t, func(t testing.TB) {
				app, look := meet(t, n)
				time.Sleep(benchSettle)
				first = look()
				cost[i] = costOf(benchMeasure, app)
				last = look()
			})
		}
		return sample{
			"slope": (cost[1] - cost[0]) / (meshMany - meshFew), "many": cost[1], "width": last.width,
			"fps": (last.frames - first.frames) / (last.seconds - first.seconds) / meshMany,
		}
	}
}

// inside runs a part of a benchmark that ends what it has started before the next part begins.
func inside(t testing.TB, part func(testing.TB)) {
	t.Helper()
	b, ok := t.(*testing.B)
	if !ok || !b.Run("part", func(b *testing.B) { part(b) }) {
		t.FailNow()
	}
}

// memorySix is what the whole app takes in a meeting of six, all on screen.
var memorySix = scenario{
	name: "memory of six",
	figures: []benchFigure{
		{"pss", "memory (PSS) of a 6-way call", "MB", atMost, 0.35},
	},
	ours: func(t testing.TB) sample {
		a, others := meshMembers(t)
		ada := ourMesh(t, onScreen(t, a), others, sixWay)
		time.Sleep(benchSettle)
		return sample{"pss": tree{t, ada.cmd.Process.Pid}.pss()}
	},
	theirs: func(t testing.TB) sample {
		a, others := meshMembers(t)
		ada := chromiumMesh(t, onScreen(t, a), others, sixWay)
		ada.do(`show(3)`)
		time.Sleep(benchSettle)
		return sample{"pss": ada.tree.pss()}
	},
}

// onScreen gives a member a window of 1280x720 and a speaker.
func onScreen(t testing.TB, m member) member {
	pulse := pulsetest.Start(t)
	pulse.NullSink("speaker")
	m.shown, m.sink, m.env = true, "speaker", append(startDisplay(t).env(), pulse.Env()...)
	return m
}

// encodeOnce is how much more it costs to encode for eight than for one.
var encodeOnce = scenario{
	name: "encode once",
	figures: []benchFigure{
		{"ratio", "encoding CPU at 8 peers / at 1 peer (ours)", "", atMost, 1.15},
		{"one", "  encoding CPU at 1 peer", "%", shown, 0},
	},
	ours: func(t testing.TB) sample {
		var cost [2]float64
		for i, n := range []int{1, encodeMany} {
			inside(t, func(t testing.TB) { cost[i] = encodeCost(t, n) })
		}
		if cost[0] == 0 {
			t.Fatal("nothing was encoded")
		}
		return sample{"ratio": cost[1] / cost[0], "one": cost[0]}
	},
}

// encodeCost is the share of a core, in %, that Ada's video encoders take while n others look.
func encodeCost(t testing.TB, n int) float64 {
	t.Helper()
	_, others := meshMembers(t)
	others.camera, others.mic = "", ""
	codecs := &timed{Codecs: codec.New()}
	ada := callInside(t, "Ada", startMeetingPlace(t, ""), func(c *call.Config) {
		c.Camera, c.Codecs = material(t, "person1.y4m"), codecs
	})
	ada.Do(call.NewMeeting{Join: true})
	awaitTrue(t, "live", func() bool { return ada.State().Phase == call.Live }, func() string { return ada.State().Problem })
	startMember(t, "Other", others, "--count", fmt.Sprint(n), ada.State().Link)
	awaitTrue(t, "all others are here", func() bool { return len(ada.State().Peers) == n }, func() string { return fmt.Sprint(len(ada.State().Peers)) })
	time.Sleep(benchSettle)
	begin, before := time.Now(), codecs.spent.Load()
	time.Sleep(benchMeasure) // the measurement itself
	return 100 * float64(codecs.spent.Load()-before) / float64(time.Since(begin))
}

// timed counts the CPU time that video encoders take, of the thread that calls them: those of
// 640x360 and less have no other.
type timed struct {
	media.Codecs
	spent atomic.Int64 // ns
}

func (c *timed) VideoEncoder(cfg media.VideoConfig) (media.VideoEncoder, error) {
	cfg.Threads = 1
	enc, err := c.Codecs.VideoEncoder(cfg)
	return &timedEncoder{enc, c}, err
}

type timedEncoder struct {
	media.VideoEncoder
	codecs *timed
}

func (e *timedEncoder) Configure(cfg media.VideoConfig) error {
	cfg.Threads = 1
	return e.VideoEncoder.Configure(cfg)
}

func (e *timedEncoder) Encode(f *media.Frame, key bool) (*media.Packet, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := threadTime()
	defer func() { e.codecs.spent.Add(threadTime() - before) }()
	return e.VideoEncoder.Encode(f, key)
}

// threadTime is the CPU time of this thread, in ns.
func threadTime() int64 {
	const rusageThread = 1 // RUSAGE_THREAD, getrusage(2); package syscall has no name for it
	var u syscall.Rusage
	if syscall.Getrusage(rusageThread, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
