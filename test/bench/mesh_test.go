package bench

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"parley/media"
	"parley/media/call"
	"parley/media/codec"
	"parley/media/device/pulsetest"
	"parley/test/harness"
)

const (
	// Others, between which the cost of each further one is taken. A browser encodes for each of
	// them anew: with more, two cores measure how it sheds work, not what the work costs.
	meshFew, meshMany = 1, 4
	sixWay            = 5 // others in a call of six
	encodeMany        = 8 // others for whom Ada encodes
)

func meshMember(t testing.TB) member {
	return member{camera: harness.Material(t, "person1.y4m"), width: 640, height: 360, mic: harness.Material(t, "voice1.wav"), start: startKbps}
}

// mesh is Ada in a meeting where everybody sends 640x360.
type mesh struct {
	tree tree
	grow func(n int) // lets others join until she sees n
	look func() seen
}

// seen is what Ada has received of all others. A product that shows less must not look cheaper.
type seen struct {
	seconds float64 // by the clock of the statistics
	frames  float64
	width   float64 // the mean of the others' pictures
}

func ourMesh(t testing.TB, a member) mesh {
	t.Helper()
	ada := startMember(t, "Ada", a, "--new", "--server", startMeetingPlace(t, ""))
	others := newOurCrowd(t, ada.Link(), true)
	return mesh{
		tree: tree{t, ada.Cmd.Process.Pid},
		grow: func(n int) { others.grow(n); ada.Await("sees all others", harness.Meets(n)) },
		look: func() seen {
			l := ada.Last()
			s := seen{seconds: float64(l.TMillis) / 1000}
			for _, p := range l.Peers {
				s.frames, s.width = s.frames+float64(p.VideoIn.Decoded), s.width+float64(p.VideoIn.W)/float64(len(l.Peers))
			}
			return s
		},
	}
}

func chromiumMesh(t testing.TB, a member) (mesh, *chromium) {
	t.Helper()
	ada := openPage(t, "ada", a)
	others := newPageCrowd(t, ada)
	look := func() (seen, int) {
		var s seen
		decoded := 0
		all := ada.stats()
		for _, p := range all {
			s.seconds = p.Time / 1000
			s.frames, s.width = s.frames+p.VideoIn.FramesDecoded, s.width+p.VideoIn.FrameWidth/float64(len(all))
			if p.VideoIn.FramesDecoded > 0 {
				decoded++
			}
		}
		return s, decoded
	}
	return mesh{
		tree: ada.tree,
		grow: func(n int) {
			others.grow(n)
			harness.AwaitTrue(t, "Ada's page sees all others", func() bool { _, decoded := look(); return decoded == n }, func() string { return fmt.Sprint(ada.stats()) })
		},
		look: func() seen { s, _ := look(); return s },
	}, ada
}

// meshScenario is what each additional member costs Ada's engine.
var meshScenario = scenario{
	name: "mesh 640x360", takes: 56 * time.Second,
	figures: slices.Concat(
		[]benchFigure{{"cpu1", "engine CPU, 1:1 at 640x360x30, share of a core", "%", atMost, 0.8, meshAlike(meshFew)}}, meshFigures(meshFew)[1:],
		[]benchFigure{{"slope", fmt.Sprintf("engine CPU of each further peer (%d to %d others), 640x360", meshFew, meshMany), "%", atMost, 0.5, meshAlike(meshFew, meshMany)}},
		meshFigures(meshMany),
	),
	ours: func(t testing.TB) sample { return grown(ourMesh(t, meshMember(t)), meshFew, meshMany) },
	theirs: func(t testing.TB) sample {
		m, _ := chromiumMesh(t, meshMember(t))
		return grown(m, meshFew, meshMany)
	},
}

// meshAlike is what both products show in meetings of these sizes.
func meshAlike(sizes ...int) []string {
	var ids []string
	for _, n := range sizes {
		ids = append(ids, fmt.Sprint("fps", n), fmt.Sprint("width", n))
	}
	return ids
}

func meshFigures(n int) []benchFigure {
	id := fmt.Sprint(n)
	return []benchFigure{
		{"cpu" + id, fmt.Sprintf("  engine CPU with %d others", n), "%", shown, 0, nil},
		{"fps" + id, "  frames decoded of each other", "fps", shown, 0, nil},
		{"width" + id, "  at the width of", "px", shown, 0, nil},
	}
}

// grown measures a meeting with each of these numbers of others.
func grown(m mesh, sizes ...int) sample {
	s := make(sample)
	for _, n := range sizes {
		m.grow(n)
		time.Sleep(benchSettle)
		first := m.look()
		cost := costOf(benchMeasure, m.tree)
		last := m.look()
		id := fmt.Sprint(n)
		s["cpu"+id], s["width"+id] = cost, last.width
		s["fps"+id] = (last.frames - first.frames) / (last.seconds - first.seconds) / float64(n)
	}
	s["slope"] = (s[fmt.Sprint("cpu", meshMany)] - s[fmt.Sprint("cpu", meshFew)]) / (meshMany - meshFew)
	return s
}

// memorySix is the memory of the whole app in a meeting of six, all on screen.
var memorySix = scenario{
	name: "memory of six", takes: 26 * time.Second,
	figures: []benchFigure{
		{"pss", "memory (PSS) of a 6-way call", "MB", atMost, memoryTarget, []string{"width"}},
		{"width", "  at the width of", "px", shown, 0, nil},
	},
	ours: func(t testing.TB) sample {
		m := ourMesh(t, onScreen(t, meshMember(t)))
		m.grow(sixWay)
		time.Sleep(benchSettle)
		return sample{"pss": m.tree.pss(), "width": m.look().width}
	},
	theirs: func(t testing.TB) sample {
		m, ada := chromiumMesh(t, onScreen(t, meshMember(t)))
		ada.do(`show(3)`)
		m.grow(sixWay)
		time.Sleep(benchSettle)
		return sample{"pss": m.tree.pss(), "width": m.look().width}
	},
}

// onScreen gives a member a window of 1280x720 and a speaker.
func onScreen(t testing.TB, m member) member {
	pulse := pulsetest.Start(t)
	pulse.NullSink("speaker")
	m.shown, m.sink, m.env = true, "speaker", append(harness.StartDisplay(t).Env(), pulse.Env()...)
	return m
}

// encodeOnce is the cost of encoding for eight as a multiple of that for one.
var encodeOnce = scenario{
	name: "encode once", takes: 20 * time.Second,
	figures: []benchFigure{
		{"ratio", "encoding CPU at 8 peers / at 1 peer (ours)", "", atMost, 1.15, nil},
		{"one", "  encoding CPU at 1 peer", "%", shown, 0, nil},
	},
	ours: func(t testing.TB) sample {
		cost := encodeCost(t, 1, encodeMany)
		if cost[0] == 0 {
			t.Fatal("nothing was encoded")
		}
		return sample{"ratio": cost[1] / cost[0], "one": cost[0]}
	},
}

// encodeCost is the share of a core, in %, that Ada's video encoders take while so many others
// look.
func encodeCost(t testing.TB, sizes ...int) (cost []float64) {
	t.Helper()
	codecs := &timed{Codecs: codec.New()}
	ada := harness.CallInside(t, "Ada", startMeetingPlace(t, ""), func(c *call.Config) {
		c.Camera, c.Codecs = harness.Material(t, "person1.y4m"), codecs
	})
	ada.Do(call.NewMeeting{Join: true})
	harness.AwaitTrue(t, "live", func() bool { return ada.State().Phase == call.Live }, func() string { return ada.State().Problem.String() })
	others := newOurCrowd(t, ada.State().Link, false)
	for _, n := range sizes {
		others.grow(n)
		harness.AwaitTrue(t, "all others are here", func() bool { return len(ada.State().Peers) == n }, func() string { return fmt.Sprint(len(ada.State().Peers)) })
		time.Sleep(benchSettle)
		begin, before := time.Now(), codecs.spent.Load()
		time.Sleep(benchMeasure) // the measurement itself
		cost = append(cost, 100*float64(codecs.spent.Load()-before)/float64(time.Since(begin)))
	}
	return cost
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
