package peer

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"parley/media"
	"parley/media/codec"
	"parley/media/device"
	"parley/media/pipe"
	"parley/media/transport"
	"parley/signal"
)

// party is one member of a mesh on this machine's own network.
type party struct {
	id     signal.ID
	mesh   *Mesh
	camera *pipe.VideoSender
	screen *pipe.VideoSender
	mic    *pipe.AudioSender

	cut atomic.Bool // the rendezvous is unreachable: no call message arrives

	mu     sync.Mutex
	views  map[transport.Track]*pipe.View
	sounds map[transport.Track]*pipe.AudioReceiver
}

func (p *party) view(k transport.Track) *pipe.View {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.views[k] == nil {
		p.views[k] = pipe.NewView(codec.New(), false)
		p.views[k].Resize(320, 180, media.FitCover)
	}
	return p.views[k]
}

func (p *party) play(k transport.Track, r *pipe.AudioReceiver) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sounds[k] = r
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.sounds[k] == r {
			delete(p.sounds, k)
		}
	}
}

func (p *party) sound(k transport.Track) *pipe.AudioReceiver {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sounds[k]
}

// convene runs a mesh of members with these IDs, in order of arrival, each with a camera and a tone.
func convene(t *testing.T, ids ...signal.ID) map[signal.ID]*party {
	t.Helper()
	return conveneWith(t, func(signal.ID, media.Kind) bool { return true }, ids...)
}

// conveneWith does the same for members with only some tracks.
func conveneWith(t *testing.T, has func(signal.ID, media.Kind) bool, ids ...signal.ID) map[signal.ID]*party {
	t.Helper()
	all := make(map[signal.ID]*party)
	c := codec.New()
	devices := device.New(device.Config{Convert: c})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	t.Cleanup(func() { cancel(); wg.Wait(); devices.Close() })
	run := func(f func() error) {
		wg.Go(func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, id := range ids {
		enc, err := c.AudioEncoder(media.AudioConfig{Channels: 1, BitRate: 40_000})
		if err != nil {
			t.Fatal(err)
		}
		p := &party{
			id: id, camera: pipe.NewVideoSender(c, nil, testLog), screen: pipe.NewVideoSender(c, nil, testLog), mic: pipe.NewAudioSender(enc, testLog),
			views: make(map[transport.Track]*pipe.View), sounds: make(map[transport.Track]*pipe.AudioReceiver),
		}
		cfg := transport.Config{
			Media: transport.Media{
				Me: id, Codecs: c, View: p.view, Play: p.play,
				Sounds:   make(map[media.Kind]*pipe.AudioSender),
				Pictures: make(map[media.Kind]*pipe.VideoSender),
			},
			Send: func(to signal.ID, payload []byte) {
				if !p.cut.Load() {
					all[to].mesh.Receive(id, payload)
				}
			},
			Changed: func() {}, Log: testLog,
		}
		if has(id, media.Microphone) {
			cfg.Sounds[media.Microphone] = p.mic
		}
		if has(id, media.Camera) {
			cfg.Pictures[media.Camera] = p.camera
		}
		if has(id, media.Screen) {
			cfg.Pictures[media.Screen] = p.screen
		}
		p.mesh = NewMesh(cfg, Network{})
		all[id] = p
		cam, err := devices.OpenCamera("test:320x180@15")
		if err != nil {
			t.Fatal(err)
		}
		tone, err := devices.OpenMicrophone(media.SpecTone)
		if err != nil {
			t.Fatal(err)
		}
		run(func() error { return p.camera.Run(ctx, cam) })
		run(func() error { defer enc.Close(); return tone.Run(ctx, p.mic.Write) })
	}
	for i, id := range ids {
		p := all[id]
		run(func() error { return p.mesh.Run(ctx) })
		p.mesh.Follow(others(ids, i), true)
	}
	return all
}

// others lists all members but the i-th.
func others(ids []signal.ID, i int) (list []transport.Member) {
	for j, id := range ids {
		if j != i {
			list = append(list, transport.Member{ID: id, Earlier: j < i})
		}
	}
	return list
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("never %s", what)
		}
	}
}

// perceives waits until p sees and hears another.
func (p *party) perceives(t *testing.T, other signal.ID) {
	t.Helper()
	name := fmt.Sprintf("%s and %s: ", who(p.id), who(other))
	eventually(t, name+"connected", func() bool { return p.mesh.Phase(other) == transport.Connected })
	v := p.view(transport.Track{Member: other, Kind: media.Camera})
	v.Take() // what an earlier connection may have left
	eventually(t, name+"a picture", func() bool { return v.Take() != nil })
	// Nobody plays it, so the level is not known; that it comes is.
	heard := func() uint64 {
		if r := p.sound(transport.Track{Member: other, Kind: media.Microphone}); r != nil {
			return r.Stats().Packets
		}
		return 0
	}
	before := heard()
	eventually(t, name+"sound", func() bool { return heard() > before })
}

// TestReplacedConnection: when one side gives up a connection, both replace it, and sound and picture go on.
func TestReplacedConnection(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the second attempt")
	}
	all := convene(t, ada, bo)
	a, b := all[ada], all[bo]
	a.perceives(t, bo)
	b.perceives(t, ada)
	first := b.sound(transport.Track{Member: ada, Kind: media.Microphone})
	b.mesh.put(changed{ada, 1, transport.Failed})
	eventually(t, "given up", func() bool { _, ok := b.mesh.Stats(ada); return !ok })
	eventually(t, "a second attempt", func() bool { _, ok := b.mesh.Stats(ada); return ok })
	a.perceives(t, bo)
	b.perceives(t, ada)
	if b.sound(transport.Track{Member: ada, Kind: media.Microphone}) == first {
		t.Error("the first connection is still heard")
	}
}

// TestMembersComeAndGo: in a mesh of three, one leaves and comes back.
func TestMembersComeAndGo(t *testing.T) {
	if testing.Short() {
		t.Skip("three encoders and six decoders")
	}
	ids := []signal.ID{ada, me, bo}
	all := convene(t, ids...)
	for i, id := range ids {
		for j, other := range ids {
			if i != j {
				all[id].perceives(t, other)
			}
		}
	}
	all[ada].mesh.Follow([]transport.Member{{ID: me}}, true)
	eventually(t, "Bo gone", func() bool { _, ok := all[ada].mesh.Stats(bo); return !ok })
	if all[ada].mesh.Phase(bo) != transport.Connecting {
		t.Error("a phase of one that is gone")
	}
	all[ada].perceives(t, me)
	all[ada].mesh.Follow([]transport.Member{{ID: me}, {ID: bo}}, true)
	all[ada].perceives(t, bo)
	all[bo].perceives(t, ada)
}

// TestSoundOnly: a member that sends only sound, or nothing, still sees and hears the others, whichever side
// makes the offer.
func TestSoundOnly(t *testing.T) {
	for name, c := range map[string]struct {
		ids   []signal.ID
		sound bool // Ada has it
	}{
		"sound only, answering":     {[]signal.ID{ada, bo}, true},
		"sound only, offering":      {[]signal.ID{bo, ada}, true},
		"nothing at all, answering": {[]signal.ID{ada, bo}, false},
		"nothing at all, offering":  {[]signal.ID{bo, ada}, false},
	} {
		t.Run(name, func(t *testing.T) {
			all := conveneWith(t, func(id signal.ID, k media.Kind) bool {
				return id == bo || c.sound && k == media.Microphone
			}, c.ids...)
			all[ada].perceives(t, bo)
			eventually(t, "Bo connected", func() bool { return all[bo].mesh.Phase(ada) == transport.Connected })
			var s transport.Stats
			eventually(t, "Ada heard", func() bool {
				s, _ = all[bo].mesh.Stats(ada)
				return !c.sound || s.Sounds[media.Microphone].Packets > 5
			})
			// What Ada sends would have come by the time that as much of Bo's sound has.
			of, _ := all[ada].mesh.Stats(bo)
			if want := map[bool]int{true: 1}[c.sound]; len(of.Out) != want {
				t.Errorf("Ada sends %d tracks, want %d", len(of.Out), want)
			}
			begin := of.Sounds[media.Microphone].Packets
			eventually(t, "50 packets of Bo's sound", func() bool {
				of, _ = all[ada].mesh.Stats(bo)
				return of.Sounds[media.Microphone].Packets >= begin+50
			})
			s, _ = all[bo].mesh.Stats(ada)
			if _, seen := s.Pictures[media.Camera]; seen || s.Unknown != 0 || len(s.Sounds) != 1 && c.sound || len(s.Sounds) != 0 && !c.sound {
				t.Errorf("of Ada comes %+v", s)
			}
		})
	}
}

// TestShareWithoutRendezvous: a screen appears although the rendezvous is unreachable, for nothing has to
// be negotiated.
func TestShareWithoutRendezvous(t *testing.T) {
	all := convene(t, ada, bo)
	all[ada].perceives(t, bo)
	all[bo].perceives(t, ada)
	for _, p := range all {
		p.cut.Store(true)
		p.mesh.SetPolicy(transport.Policy{Presenting: p.id == ada})
	}
	all[ada].mesh.Follow([]transport.Member{{ID: bo}}, false)
	all[bo].mesh.Follow([]transport.Member{{ID: ada}}, false)
	devices := device.New(device.Config{Convert: codec.New()})
	defer devices.Close()
	film, err := devices.OpenCamera("test:320x180@15")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer func() { cancel(); wg.Wait() }()
	wg.Go(func() {
		if err := all[ada].screen.Run(ctx, film); err != nil {
			t.Error(err)
		}
	})
	v := all[bo].view(transport.Track{Member: ada, Kind: media.Screen})
	eventually(t, "Ada's screen", func() bool { return v.Take() != nil })
}

// TestReceiveDoesNotParse: a call message is parsed in the loop of the mesh, not in that of its caller.
func TestReceiveDoesNotParse(t *testing.T) {
	offer := message{Conn: "first", Type: typeOffer, SDP: "v=0"}.encode()
	m := NewMesh(transport.Config{Log: testLog}, Network{})
	m.Receive(bo, offer)
	if ev, ok := (<-m.queue).(received); !ok || ev.offer != "" {
		t.Errorf("%+v is parsed before the loop has it", ev)
	}
}
