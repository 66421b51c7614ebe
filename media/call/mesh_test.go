package call

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/media"
	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/room"
	"parley/signal/seal"
	"parley/signal/trust"
)

// small uses small pictures: two cores must run four encoders and twelve decoders.
func small(cfg *Config) { cfg.Camera = "test:320x180@15" }

// meet starts a meeting of people with these names. The first one opens it.
func meet(t testing.TB, server *url.URL, change func(*Config), names ...string) []*Call {
	t.Helper()
	var calls []*Call
	for i, name := range names {
		c := caller(t, server, name, change)
		if i == 0 {
			c.Do(NewMeeting{Join: true})
		} else {
			c.Do(Open{Text: calls[0].State().Link, Join: true})
		}
		eventually(t, "live", func() bool { return c.State().Phase == Live })
		calls = append(calls, c)
	}
	return calls
}

// peerNamed is another member as c sees them.
func peerNamed(c *Call, name string) (Peer, bool) {
	s := c.State()
	i := slices.IndexFunc(s.Peers, func(p Peer) bool { return p.Name == name })
	if i < 0 {
		return Peer{}, false
	}
	return s.Peers[i], true
}

// perceives waits until c sees and hears the member of this name.
func perceives(t testing.TB, c *Call, name string) {
	t.Helper()
	me := c.State().Name
	var p Peer
	eventually(t, me+" connected to "+name, func() bool {
		var ok bool
		p, ok = peerNamed(c, name)
		return ok && p.Phase == PeerConnected
	})
	v := c.View(p.ID, media.Camera)
	v.Resize(320, 180, media.FitCover)
	v.Take() // what an earlier connection may have left
	eventually(t, me+" sees "+name, func() bool { return v.Take() != nil })
	eventually(t, me+" hears "+name, func() bool { return c.Level(p.ID) > -40 })
}

func TestFourSeeAndHearEachOther(t *testing.T) {
	if testing.Short() {
		t.Skip("four encoders and twelve decoders")
	}
	names := []string{"Ada", "Bo", "Cy", "Di"}
	calls := meet(t, rendezvous(t), small, names...)
	for i, c := range calls {
		for j, name := range names {
			if i != j {
				perceives(t, c, name)
			}
		}
		if _, self := peerNamed(c, names[i]); self || len(c.State().Peers) != 3 {
			t.Errorf("%s has the peers %+v", names[i], c.State().Peers)
		}
	}
	encodedOnce(t, calls[0])

	// One leaves and comes back: gone for the others at once, and there again.
	calls[3].Do(Leave{})
	for _, c := range calls[:3] {
		eventually(t, "Di gone", func() bool { _, there := peerNamed(c, "Di"); return !there })
	}
	eventually(t, "ended", func() bool { return calls[3].State().Phase == Ended })
	calls[3].Do(Join{})
	for i, name := range names[:3] {
		perceives(t, calls[3], name)
		perceives(t, calls[i], "Di")
	}
}

// encodedOnce compares what c encoded with what it sent to each of its peers.
func encodedOnce(t *testing.T, c *Call) {
	t.Helper()
	sent := func() (each []uint64) {
		for _, p := range c.State().Peers {
			if s, ok := c.stats(p.ID); ok {
				each = append(each, s.Out[media.Camera].Frames)
			}
		}
		return each
	}
	sum := func(list []uint64) (n uint64) {
		for _, v := range list {
			n += v
		}
		return n
	}
	encoded, before := c.camera.Stats().Frames, sent()
	eventually(t, "30 frames encoded", func() bool { return c.camera.Stats().Frames >= encoded+30 })
	after := sent()
	n := c.camera.Stats().Frames - encoded
	total := sum(after) - sum(before)
	// A machine that cannot keep up has itself sent every second one only.
	if len(after) != 3 || total > 3*n || total < 3*(n/2-3) {
		t.Errorf("%d frames encoded, %d sent to %d peers; want each encoded once and sent to all", n, total, len(after))
	}
}

func TestMeter(t *testing.T) {
	calls := meet(t, rendezvous(t), small, "Ada", "Bo")
	m := NewMeter(calls[0])
	perceives(t, calls[0], "Bo")
	p, _ := peerNamed(calls[0], "Bo")
	var l Line
	eventually(t, "measured", func() bool {
		v := calls[0].View(p.ID, media.Camera)
		if pic := v.Take(); pic != nil {
			v.Painted(pic.Captured, time.Now())
		}
		l = m.Line(time.Now())
		return len(l.Peers) == 1 && l.Peers[0].RTT != nil && l.Peers[0].VideoIn.LatencyMs != nil && l.Peers[0].Path != "" && l.Peers[0].AudioIn.Level > -40
	})
	x := l.Peers[0]
	if l.Phase != "live" || l.Me.Name != "Ada" || l.RSS <= 0 || l.CPU <= 0 || x.Name != "Bo" || x.State != "connected" ||
		x.Path == "relay" || x.VideoIn.W != 320 || x.VideoIn.H != 180 || x.VideoIn.Frames == 0 || l.Shed == "" || x.Pace.Delivered <= 0 {
		t.Errorf("%+v", l)
	}
}

// still waits until a counter has not moved for a while.
func still(t testing.TB, what string, count func() uint64) {
	t.Helper()
	last, same := count(), 0
	eventually(t, what, func() bool {
		now := count()
		if same++; now != last {
			last, same = now, 0
		}
		return same >= 30
	})
}

func TestSwitchingOffReachesTheOther(t *testing.T) {
	calls := meet(t, rendezvous(t), small, "Ada", "Bo")
	a, b := calls[0], calls[1]
	perceives(t, a, "Bo")
	perceives(t, b, "Ada")
	frames := func() uint64 { return b.camera.Stats().Frames }

	b.Do(Turn{media.Camera, false})
	eventually(t, "camera off at Ada's", func() bool { p, _ := peerNamed(a, "Bo"); return !p.Camera })
	still(t, "the encoder at rest", frames)
	b.Do(Turn{media.Microphone, false})
	p, _ := peerNamed(a, "Bo")
	eventually(t, "muted at Ada's", func() bool { q, _ := peerNamed(a, "Bo"); return !q.Mic && !q.Speaking })
	eventually(t, "silent at Ada's", func() bool { return a.Level(p.ID) < -60 })

	// Off and on and off as fast as can be: the last word counts, and nothing is stuck.
	for i := range 21 {
		b.Do(Turn{media.Camera, i%2 == 0})
	}
	b.Do(Turn{media.Microphone, true})
	perceives(t, a, "Bo")
	if p, _ := peerNamed(a, "Bo"); !p.Camera || !p.Mic {
		t.Errorf("Ada sees %+v", p)
	}
	b.Do(SetName{"Bob"})
	eventually(t, "the new name at Ada's", func() bool { _, ok := peerNamed(a, "Bob"); return ok })
}

func TestLateJoinerReadsTheChat(t *testing.T) {
	server := rendezvous(t)
	quiet := func(cfg *Config) { cfg.Camera, cfg.Microphone = media.SpecOff, media.SpecOff }
	calls := meet(t, server, quiet, "Ada", "Bo")
	texts := func(c *Call) string {
		var out []string
		for _, m := range c.State().Room.Chat {
			out = append(out, m.Name+": "+m.Text)
		}
		return strings.Join(out, ", ")
	}
	eventually(t, "met", func() bool { _, ok := peerNamed(calls[1], "Ada"); return ok })
	calls[0].Do(Room{room.Say{Text: "one"}})
	eventually(t, "read", func() bool { return texts(calls[1]) == "Ada: one" })
	calls[1].Do(Room{room.Say{Text: "two"}})
	// What is said with the last breath is said.
	calls[1].Do(Leave{})
	eventually(t, "read", func() bool { return texts(calls[0]) == "Ada: one, Bo: two" })
	c := caller(t, server, "Cy", quiet)
	c.Do(Open{Text: calls[0].State().Link, Join: true})
	eventually(t, "the history", func() bool { return texts(c) == "Ada: one, Bo: two" })
}

// logs keeps everything that is logged.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tellNothing fails if the log contains a secret.
func (l *logs) tellNothing(t *testing.T, secrets ...string) {
	t.Helper()
	text := l.String()
	if !strings.Contains(text, "level=DEBUG") {
		t.Fatal("nothing was logged: this test sees nothing")
	}
	for _, s := range append(secrets, "ice-ufrag", "ice-pwd", "fingerprint", "candidate:", "a=setup", "m=audio") {
		if i := strings.Index(strings.ToLower(text), strings.ToLower(s)); i >= 0 {
			t.Errorf("the log holds %q: …%.160s…", s, text[max(0, i-80):])
		}
	}
}

// intruder runs a room without a call: a member who has the code and can send anything.
func intruder(t *testing.T, link string) (*room.Room, func() room.State) {
	t.Helper()
	l, err := signal.ParseLink(link, nil)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var state room.State
	r := room.New(room.Config{
		URLs: l.WebSocketURLs(), Keys: signal.Derive(l.Code), Identity: identity.New(), Me: room.Member{Name: "Mallory", Present: true},
		Changed: func(s room.State) { mu.Lock(); state = s; mu.Unlock() },
		Call:    func(signal.ID, []byte) {},
		Log:     slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return r, func() room.State { mu.Lock(); defer mu.Unlock(); return state }
}

func TestHostileMember(t *testing.T) {
	var log logs
	calls := meet(t, rendezvous(t), func(cfg *Config) {
		small(cfg)
		cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}, "Adalovelace", "Bohr")
	a, b := calls[0], calls[1]
	a.Do(Room{room.Say{Text: "attack at dawn"}})
	perceives(t, a, "Bohr")
	perceives(t, b, "Adalovelace")

	m, state := intruder(t, a.State().Link)
	eventually(t, "Mallory in", func() bool { _, ok := peerNamed(a, "Mallory"); return ok && len(state().Members) == 2 })
	target := a.State().Room.Me.ID
	sdp := "v=0 a=ice-ufrag:zzzz fingerprint candidate:1"
	for range 30 {
		m.Send(target, []byte(`7`))
		m.Send(target, []byte(`{"conn":"`+strings.Repeat("x", 99)+`","type":"offer","sdp":"x"}`))
		m.Send(target, []byte(`{"conn":"x","type":"attack"}`))
	}
	m.Send(target, []byte(`{"conn":"q","type":"offer","sdp":"`+sdp+`"}`))
	m.Send(target, []byte(`{"conn":"q","type":"candidate","candidate":{"candidate":"candidate:nonsense"}}`))
	m.Send(target, []byte(`{"conn":"q","type":"answer","sdp":"`+sdp+`"}`))
	eventually(t, "Mallory given up", func() bool { p, _ := peerNamed(a, "Mallory"); return p.Phase == PeerFailed })
	rubbish(t, a.State().Link, target)
	eventually(t, "rubbish counted", func() bool { return a.State().Room.Refused >= 20 })

	// The rest goes on.
	perceives(t, a, "Bohr")
	perceives(t, b, "Adalovelace")
	a.Do(Room{room.Say{Text: "hold the line"}})
	eventually(t, "chat", func() bool { return len(b.State().Room.Chat) == 2 })
	if n := strings.Count(log.String(), "level=WARN"); n > 12 {
		t.Errorf("%d warnings for what one member sent at once", n)
	}
	code := a.State().Code
	for _, c := range calls {
		c.Do(Leave{})
		eventually(t, "ended", func() bool { return c.State().Phase == Ended })
	}
	log.tellNothing(t, "lovelace", "bohr", "mallory", "dawn", "hold the line", code, strings.ReplaceAll(code, "-", ""))
}

// rubbish joins and sends 20 properly sealed bodies that contain no envelope.
func rubbish(t *testing.T, link string, to signal.ID) {
	t.Helper()
	l, err := signal.ParseLink(link, nil)
	if err != nil {
		t.Fatal(err)
	}
	keys, me := signal.Derive(l.Code), identity.New()
	ring := seal.New(keys, me)
	c := client.New(client.Config{URLs: l.WebSocketURLs(), Keys: keys, Identity: me})
	for range 20 {
		sealed, err := ring.Hello(to, []byte("\x00rubbish"))
		if err == nil {
			err = c.Send(to, sealed.Seq, sealed.Body, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
}

func TestBrokenDevices(t *testing.T) {
	calls := meet(t, rendezvous(t), func(cfg *Config) {
		cfg.Camera, cfg.Microphone, cfg.Speaker = "no such camera", "no such microphone", "no such speaker"
	}, "Ada", "Bo")
	a := calls[0]
	eventually(t, "told what is wrong", func() bool {
		s := a.State()
		return s.Camera.Problem.Kind != NoProblem && s.Mic.Problem.Kind != NoProblem && s.Speaker.Problem.Kind != NoProblem
	})
	eventually(t, "connected all the same", func() bool { p, _ := peerNamed(a, "Bo"); return p.Phase == PeerConnected })
	if p, _ := peerNamed(a, "Bo"); p.Camera || p.Mic {
		t.Errorf("Bo has neither camera nor microphone, but Ada sees %+v", p)
	}
	a.Do(Choose{Kind: media.Camera, ID: media.SpecTest})
	a.Do(Choose{Kind: media.Screen, ID: "no such screen"})
	eventually(t, "a camera that works", func() bool { s := a.State(); return s.Camera.Live && s.Camera.Problem == (Problem{}) })
	eventually(t, "no screen", func() bool { s := a.State(); return !s.Screen.On && s.Problem != (Problem{}) })
	eventually(t, "seen by Bo", func() bool { p, _ := peerNamed(calls[1], "Ada"); return p.Camera && !p.Screen })
}

func TestMeetingToMeeting(t *testing.T) {
	server := rendezvous(t)
	first := meet(t, server, small, "Ada", "Bo")
	second := meet(t, server, small, "Cy")
	perceives(t, first[1], "Ada")
	first[1].Do(Open{Text: second[0].State().Link, Join: true})
	perceives(t, first[1], "Cy")
	perceives(t, second[0], "Bo")
	eventually(t, "Bo gone", func() bool { return len(first[0].State().Peers) == 0 })
	// Two links opened at once: the second counts, keys and all.
	first[1].Do(Open{Text: second[0].State().Link, Join: true})
	first[1].Do(Open{Text: first[0].State().Link, Join: true})
	perceives(t, first[1], "Ada")
	perceives(t, first[0], "Bo")
}

// The user can leave although others fill the queue.
func TestLeaveThroughAFlood(t *testing.T) {
	c := meet(t, rendezvous(t), small, "Ada")[0]
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				select {
				case c.queue <- signalled{from: "nobody"}:
				case <-ctx.Done():
				}
			}
		})
	}
	eventually(t, "flooded", func() bool { return len(c.queue) > queueSize/2 })
	for range 2 * queueSize {
		c.Do(Dismiss{})
	}
	c.Do(Leave{})
	eventually(t, "ended", func() bool { return c.State().Phase == Ended })
	cancel()
	wg.Wait()
}

func TestServerOfAnotherKind(t *testing.T) {
	h := httptest.NewServer(http.NotFoundHandler())
	defer h.Close()
	u, err := url.Parse(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	c := caller(t, u, "Ada", small)
	c.Do(NewMeeting{Join: true})
	eventually(t, "ended", func() bool { return c.State().Phase == Ended })
	if s := c.State(); s.Reason != Unreachable || s.Problem != (Problem{Kind: NotRendezvous, Host: u.Host}) {
		t.Errorf("reason %d, problem %q", s.Reason, s.Problem)
	}
}

func TestServerOutOfReach(t *testing.T) {
	u, err := url.Parse("http://127.0.0.1:1") // nobody listens there
	if err != nil {
		t.Fatal(err)
	}
	c := caller(t, u, "Ada", small)
	c.Do(NewMeeting{Join: true})
	eventually(t, "told", func() bool { return c.State().Problem.Kind == NobodyListens })
	if p := c.State().Phase; p != Joining {
		t.Errorf("phase %s, want joining: it goes on trying", p)
	}
	c.Do(Leave{})
	eventually(t, "ended", func() bool { s := c.State(); return s.Phase == Ended && s.Problem == (Problem{}) })
}

// TestDevice: who has verified somebody shows the device that vouches for them, from then on and in later meetings. Before,
// nobody is shown one.
func TestDevice(t *testing.T) {
	holders, shown := map[string]*trust.Holder{}, map[string]*atomic.Bool{}
	calls := meet(t, rendezvous(t), func(cfg *Config) {
		small(cfg)
		h, on := trust.NewHolder(filepath.Join(t.TempDir(), "device.key"), cfg.Log), new(atomic.Bool)
		holders[cfg.Name], shown[cfg.Name] = h, on
		cfg.Device = func(verified bool) *trust.Device {
			if verified {
				on.Store(true)
			}
			if !on.Load() {
				return nil
			}
			return h.Device()
		}
	}, "Ada", "Bo")
	a, b := calls[0], calls[1]
	deviceOf := func(c *Call, name string) trust.Key {
		for _, m := range c.State().Room.Members {
			if m.Name == name {
				return m.Device
			}
		}
		return trust.Key{}
	}
	perceives(t, a, "Bo")
	a.Do(Room{room.Verify{}}) // without a phrase this says nothing
	a.Do(Room{room.Compare{On: true}})
	eventually(t, "a phrase", func() bool { return a.State().Room.Safety.Known && b.State().Room.Safety.Known })
	if shown["Ada"].Load() || deviceOf(b, "Ada") != (trust.Key{}) {
		t.Error("a device is shown before anybody was verified")
	}
	a.Do(Room{room.Verify{}})
	eventually(t, "Ada's device", func() bool { return deviceOf(b, "Ada") == holders["Ada"].Device().Key() })
	if shown["Bo"].Load() || deviceOf(a, "Bo") != (trust.Key{}) {
		t.Error("Bo has verified nobody, and his device is shown")
	}
	link := a.State().Link
	a.Do(Leave{})
	eventually(t, "Ada gone", func() bool { return len(b.State().Room.Members) == 0 && a.State().Phase == Ended })
	a.Do(Open{Text: link, Join: true})
	eventually(t, "Ada's device again", func() bool { return deviceOf(b, "Ada") == holders["Ada"].Device().Key() })
}
