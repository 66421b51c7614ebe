package peer

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v5/vnet"
	"go.uber.org/goleak"

	"parley/media"
	"parley/media/codec"
	"parley/media/device"
	"parley/media/pipe"
	"parley/media/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// voiceFile is synthetic speech. A tone would not do: Opus protects speech in particular against loss.
var voiceFile string

// speak makes voiceFile. Call it outside of a synctest bubble.
func speak(t *testing.T) {
	t.Helper()
	voiceFile = filepath.Join(t.TempDir(), "voice.wav")
	say := exec.Command("espeak-ng", "-w", voiceFile, "-s", "160",
		"The quick brown fox jumps over the lazy dog, and the slow white snail looks on from under a leaf. "+
			"Nobody in the garden says a word about it, for everybody there has seen it many times before.")
	if out, err := say.CombinedOutput(); err != nil {
		t.Fatalf("espeak-ng, which scripts/setup --test installs: %v %s", err, out)
	}
}

var testLog = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))

// lab is a simulated network.
type lab struct {
	router *vnet.Router
	mu     sync.Mutex
	rng    *rand.Rand
	loss   float64                // of packets in either direction, 0 to 1
	burst  float64                // packets lost in a row, in the mean, if above 1 (Gilbert-Elliott)
	bad    map[string]bool        // whose packets are being lost
	narrow map[string]*bottleneck // ways out, by address
	camera string                 // "" for test:640x360@30
}

// newLab makes a network with a one-way delay and random loss.
func newLab(t *testing.T, delay time.Duration, loss float64) *lab {
	t.Helper()
	r, err := vnet.NewRouter(&vnet.RouterConfig{
		CIDR: "10.0.0.0/24", MinDelay: delay, QueueSize: 10000,
		LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{router: r, rng: rand.New(rand.NewPCG(7, 7)), loss: loss}
	r.AddChunkFilter(func(c vnet.Chunk) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		chance := l.rng.Float64()
		if l.burst <= 1 {
			return chance >= l.loss
		}
		from := c.SourceAddr().String()
		if l.bad[from] {
			l.bad[from] = chance >= 1/l.burst
		} else {
			l.bad[from] = chance < l.loss/(1-l.loss)/l.burst
		}
		return !l.bad[from]
	})
	return l
}

func (l *lab) setBursts(loss, burst float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loss, l.burst, l.bad = loss, burst, map[string]bool{}
}

func (l *lab) setLoss(p float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loss = p
}

// end is one side of a connection: senders, views and peer.
type end struct {
	peer   *Peer
	camera *pipe.VideoSender
	mic    *pipe.AudioSender
	view   *pipe.View
	mixer  *pipe.Mixer
	phases chan transport.Phase
	screen *pipe.VideoSender
	// screenAudio is for two channels.
	screenAudio *pipe.AudioSender
	screenView  *pipe.View
	// loudest is the greatest sample that the speaker played.
	loudest atomic.Int64
	// allowed is what our camera and our screen may take of the path, in bit/s.
	allowed atomic.Pointer[[2]int]
}

// newEnd builds one side in the network. conn names the offer to answer, or is empty. Without a lab it uses
// this machine's network.
func newEnd(t *testing.T, l *lab, ip, conn string, send func([]byte)) *end {
	t.Helper()
	var network Network
	if l != nil {
		n, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{ip}})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.router.AddNet(n); err != nil {
			t.Fatal(err)
		}
		network.Net = n
		if out := l.narrow[ip]; out != nil {
			network.Net = narrowNet{n, out}
		}
	}
	c := codec.New()
	enc, err := c.AudioEncoder(media.AudioConfig{Channels: 1, BitRate: 40_000, Loss: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { enc.Close() })
	e := &end{
		camera: pipe.NewVideoSender(c, nil, testLog), mic: pipe.NewAudioSender(enc, testLog),
		view: pipe.NewView(c, false), mixer: pipe.NewMixer(), phases: make(chan transport.Phase, 16),
	}
	e.view.Resize(320, 180, media.FitCover)
	stereo, err := c.AudioEncoder(media.AudioConfig{Channels: 2, BitRate: 96_000, Music: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stereo.Close() })
	e.screenAudio = pipe.NewStereoSender(stereo, testLog)
	e.screen, e.screenView = pipe.NewVideoSender(c, nil, testLog), pipe.NewView(c, false)
	e.allowed.Store(&[2]int{600_000, 0})
	cfg := Config{
		Media: transport.Media{
			Me: ada, Codecs: c,
			Sounds:   map[media.Kind]*pipe.AudioSender{media.Microphone: e.mic, media.SystemSound: e.screenAudio},
			Pictures: map[media.Kind]*pipe.VideoSender{media.Camera: e.camera, media.Screen: e.screen},
			View: func(k transport.Track) *pipe.View {
				return map[media.Kind]*pipe.View{media.Camera: e.view, media.Screen: e.screenView}[k.Kind]
			},
			Play: func(_ transport.Track, r *pipe.AudioReceiver) func() {
				e.mixer.Add(r)
				return func() { e.mixer.Remove(r) }
			},
		},
		Network: network, Member: bo, Conn: conn,
		SplitRate: func(int) (camera, screen int) { a := e.allowed.Load(); return a[0], a[1] },
		HalfRate:  func() bool { return false },
		Send:      send, Changed: func(p transport.Phase) { e.phases <- p }, Log: testLog,
	}
	if conn != "" {
		cfg.Me, cfg.Member = bo, ada
	}
	if l != nil && l.narrow != nil {
		cfg.SplitRate = func(rate int) (camera, screen int) { return splitRate(rate, false) }
	}
	e.peer = New(cfg)
	return e
}

// run drives the devices, the window's tick and the speaker of one side until ctx ends.
func (e *end) run(ctx context.Context, t *testing.T, wg *sync.WaitGroup, devices media.Devices, camera string) {
	cam, err := devices.OpenCamera(camera)
	if err != nil {
		t.Fatal(err)
	}
	voice, err := devices.OpenMicrophone(voiceFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []func() error{
		func() error { return e.camera.Run(ctx, cam) },
		func() error { return voice.Run(ctx, e.mic.Write) },
		func() error { return e.peer.Run(ctx) },
	} {
		wg.Go(func() {
			if err := f(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Go(func() { // the speaker
		tick := time.NewTicker(media.BlockDuration)
		defer tick.Stop()
		pcm := make([]int16, media.BlockSamples*media.SpeakerChannels)
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				e.mixer.Fill(pcm)
				if p := int64(slices.Max(pcm)); p > e.loudest.Load() {
					e.loudest.Store(p)
				}
			}
		}
	})
	wg.Go(func() { // the window
		tick := time.NewTicker(time.Second / 60)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				for _, v := range []*pipe.View{e.view, e.screenView} {
					if p := v.Take(); p != nil {
						v.Painted(p.Captured, now)
					}
				}
			}
		}
	})
}

const smallCamera = "test:640x360@30"

// connect runs two sides against each other; check is called once both are connected.
func connect(t *testing.T, l *lab, check func(a, b *end)) {
	t.Helper()
	var a, b *end
	a = newEnd(t, l, "10.0.0.1", "", func(m []byte) {
		if err := b.peer.Signal(m); err != nil {
			t.Error(err)
		}
	})
	b = newEnd(t, l, "10.0.0.2", a.peer.Conn(), func(m []byte) {
		if err := a.peer.Signal(m); err != nil {
			t.Error(err)
		}
	})
	if err := l.router.Start(); err != nil {
		t.Fatal(err)
	}
	devices := device.New(device.Config{Convert: codec.New()})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	a.run(ctx, t, &wg, devices, cmp.Or(l.camera, smallCamera))
	b.run(ctx, t, &wg, devices, smallCamera)
	for _, e := range []*end{a, b} {
		select {
		case p := <-e.phases:
			if p != transport.Connected {
				t.Errorf("phase %d, want connected", p)
			}
		case <-time.After(30 * time.Second):
			t.Error("not connected after 30 s")
		}
	}
	check(a, b)
	cancel()
	wg.Wait()
	if err := l.router.Stop(); err != nil {
		t.Error(err)
	}
	devices.Close()
}

// lips measures how far sound lags behind the picture. It returns the 10th and 90th percentiles, because a
// frozen picture distorts single samples.
func lips(span time.Duration, p *Peer, heard, seen media.Kind) (least, most time.Duration) {
	sound, picture := p.received(heard).sound, p.received(seen).picture
	var lags []time.Duration
	for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		heard, ok := sound.Playing()
		at, seen, shown := picture.Shown()
		if ok && shown {
			lags = append(lags, time.Since(heard)-at.Sub(seen))
		}
	}
	if len(lags) == 0 {
		return -time.Hour, time.Hour
	}
	slices.Sort(lags)
	return lags[len(lags)/10], lags[len(lags)-1-len(lags)/10]
}

// simulated returns how long a test looks on: full, or brief under -short. Every simulated second of a call
// costs about 0.2 s of CPU time, for its pictures are coded.
func simulated(full, brief time.Duration) time.Duration {
	if testing.Short() {
		return brief
	}
	return full
}

// TestBurstsAreRepaired: on a short path, losses in bursts are repaired before a picture is given up. Once,
// a retransmission was not always read if it was one of many or if no new packet followed.
func TestBurstsAreRepaired(t *testing.T) {
	speak(t)
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, time.Millisecond, 0)
		connect(t, l, func(a, b *end) {
			time.Sleep(4 * time.Second) // simulated, as what follows
			l.setBursts(0.1, 5)
			before := [2]transport.Stats{a.peer.Stats(), b.peer.Stats()}
			time.Sleep(simulated(90*time.Second, 8*time.Second))
			l.setBursts(0, 0)
			for i, e := range []*end{a, b} {
				s, was := e.peer.Stats().Pictures[media.Camera], before[i].Pictures[media.Camera]
				t.Logf("%d repaired, %d lost, %d keyframes asked for, %d freezes", s.Repaired-was.Repaired, s.Lost-was.Lost, s.Requests-was.Requests, s.Freezes-was.Freezes)
				if s.Repaired == was.Repaired || s.Lost > was.Lost || s.Requests > was.Requests {
					t.Errorf("%d packets repaired, %d lost, %d keyframes asked for; want some, none and none", s.Repaired-was.Repaired, s.Lost-was.Lost, s.Requests-was.Requests)
				}
			}
		})
	})
}

// TestLossAndDelay: a call stays good at 5 % loss each way and 80 ms of delay.
func TestLossAndDelay(t *testing.T) {
	speak(t)
	for _, c := range []struct {
		name      string
		delay     time.Duration
		loss      float64
		fps       float64 // at least
		concealed float64 // percent, at most
	}{
		{"clean", time.Millisecond, 0, 29.5, 0.1},
		{"5% loss, 80 ms", 80 * time.Millisecond, 0.05, 28.5, 2},
		{"10% loss, 30 ms", 30 * time.Millisecond, 0.1, 28, 3},
	} {
		if testing.Short() && c.loss != 0.05 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				connect(t, newLab(t, c.delay, c.loss), func(a, b *end) {
					settle, span := 8*time.Second, simulated(40*time.Second, 12*time.Second)
					time.Sleep(settle) // simulated
					before := [2]transport.Stats{a.peer.Stats(), b.peer.Stats()}
					least, most := lips(span, a.peer, media.Microphone, media.Camera)
					t.Logf("sound lags the picture by %v to %v", least, most)
					// What people do not notice, ITU-R BT.1359-1.
					if least < -45*time.Millisecond || most > 125*time.Millisecond {
						t.Errorf("sound lags the picture by %v to %v, want -45 to 125 ms", least, most)
					}
					for i, e := range []*end{a, b} {
						s := e.peer.Stats()
						picture, sound := s.Pictures[media.Camera], s.Sounds[media.Microphone]
						shown, was := before[i].Pictures[media.Camera], before[i].Sounds[media.Microphone]
						fps := float64(picture.Painted-shown.Painted) / span.Seconds()
						concealed := 100 * float64(sound.Concealed-was.Concealed) / float64(sound.Total-was.Total)
						t.Logf("%.2f fps, %.2f %% concealed, latency %v/%v, video delay %v, audio delay %v, rtt %v, nacks %d, keyframe requests %d, freezes %d",
							fps, concealed, picture.Latency, picture.LatencyP95, picture.Delay, sound.Delay, s.RTT,
							picture.Nacks, picture.Requests, picture.Freezes-shown.Freezes)
						if fps < c.fps {
							t.Errorf("%.2f fps, want at least %.1f", fps, c.fps)
						}
						if concealed > c.concealed {
							t.Errorf("%.2f %% of the sound concealed, want at most %.1f", concealed, c.concealed)
						}
						if e.loudest.Load() < 3000 {
							t.Errorf("the other side's voice peaks at %d of 32767", e.loudest.Load())
						}
						if s.RTT < 2*c.delay-time.Millisecond || s.RTT > 2*c.delay+50*time.Millisecond {
							t.Errorf("round trip %v over a delay of %v each way", s.RTT, c.delay)
						}
						if s.Path != "host" {
							t.Errorf("path %q", s.Path)
						}
					}
				})
			})
		})
	}
}

// TestScreenLips: the system's sound is in sync with the screen.
func TestScreenLips(t *testing.T) {
	if testing.Short() {
		t.Skip("48 s of a call with two pictures")
	}
	speak(t)
	synctest.Test(t, func(t *testing.T) {
		connect(t, newLab(t, 60*time.Millisecond, 0.05), func(a, b *end) {
			devices := device.New(device.Config{Convert: codec.New()})
			defer devices.Close()
			film, err := devices.OpenCamera("test:640x360@30")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer cancel()
			b.screenView.Resize(640, 360, media.FitContain)
			a.allowed.Store(&[2]int{600_000, 600_000})
			wg.Go(func() {
				if err := a.screen.Run(ctx, film); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				block := media.Audio{PCM: make([]int16, media.BlockSamples*2), Channels: 2}
				for n := 0; ctx.Err() == nil; n++ {
					for i := range block.PCM {
						block.PCM[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(n*media.BlockSamples+i/2)/media.SampleRate))
					}
					block.Captured = time.Now()
					a.screenAudio.Write(block)
					time.Sleep(media.BlockDuration)
				}
			})
			time.Sleep(8 * time.Second) // simulated
			least, most := lips(40*time.Second, b.peer, media.SystemSound, media.Screen)
			t.Logf("sound lags the screen by %v to %v", least, most)
			if least < -45*time.Millisecond || most > 125*time.Millisecond {
				t.Errorf("sound lags the screen by %v to %v, want -45 to 125 ms", least, most)
			}
		})
	})
}

// TestOutage: after a network outage the connection restarts ICE and recovers.
func TestOutage(t *testing.T) {
	speak(t)
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 10*time.Millisecond, 0)
		connect(t, l, func(a, b *end) {
			time.Sleep(3 * time.Second)
			l.setLoss(1)
			if p := <-a.phases; p != transport.Reconnecting {
				t.Errorf("phase %d during an outage, want disconnected", p)
				return
			}
			a.peer.Restart()
			b.peer.Restart()
			time.Sleep(3 * time.Second)
			l.setLoss(0)
			if p := <-a.phases; p != transport.Connected {
				t.Errorf("phase %d after the outage, want connected", p)
				return
			}
			time.Sleep(2 * time.Second)
			before := a.peer.Stats().Pictures[media.Camera].Frames
			time.Sleep(3 * time.Second)
			if got := a.peer.Stats().Pictures[media.Camera].Frames - before; got < 80 {
				t.Errorf("%d frames in 3 s after the outage, want about 90", got)
			}
		})
	})
}

func TestSignalRefusesRubbish(t *testing.T) {
	l := newLab(t, 0, 0)
	e := newEnd(t, l, "10.0.0.1", "", func([]byte) {})
	for _, m := range []string{
		"", "{", "[]", `{"type":"offer"}`, `{"conn":"a","type":"dance"}`, `{"conn":"a","type":"offer"}`,
		`{"conn":"a","type":"candidate"}`, `{"conn":"0123456789012345678901234567890123","type":"restart"}`,
	} {
		if err := e.peer.Signal([]byte(m)); err == nil {
			t.Errorf("took %q", m)
		}
	}
	if err := e.peer.Signal([]byte(`{"conn":"other","type":"restart"}`)); err != nil || len(e.peer.inbox) != 0 {
		t.Error("a message of another connection was not ignored")
	}
}

func TestNTPRoundTrip(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 890123456, time.UTC)
	if got := fromNTP(toNTP(now)); got.Sub(now).Abs() > time.Microsecond {
		t.Errorf("%v became %v", now, got)
	}
}
