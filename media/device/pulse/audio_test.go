package pulse

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/media"
	"parley/media/device/pulsetest"
)

// wait polls until ok: the condition depends on another process.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
	}
}

func newDriver(t *testing.T) *Driver {
	t.Helper()
	m := New(slog.New(slog.NewTextHandler(t.Output(), nil)))
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// running is a device that runs until the test ends.
type running struct {
	cancel context.CancelFunc
	done   chan error
}

func start(t *testing.T, run func(ctx context.Context) error) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{cancel: cancel, done: make(chan error, 1)}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		err := run(ctx)
		t.Log("Run: ", err)
		r.done <- err
	}()
	t.Cleanup(func() {
		cancel()
		<-finished
	})
	return r
}

// recording keeps what a microphone hears.
type recording struct {
	mu    sync.Mutex
	pcm   []int16
	times []time.Time
}

func (r *recording) emit(a media.Audio) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pcm = append(r.pcm, a.PCM...)
	r.times = append(r.times, a.Captured)
}

func (r *recording) snapshot() []int16 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int16(nil), r.pcm...)
}

// signal plays a known mono signal once, then silence.
type signal struct {
	mu  sync.Mutex
	pcm []int16
}

func (s *signal) fill(pcm []int16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i < len(pcm); i += media.SpeakerChannels {
		var v int16
		if len(s.pcm) > 0 {
			v, s.pcm = s.pcm[0], s.pcm[1:]
		}
		pcm[i], pcm[i+1] = v, v
	}
}

func noise(n int) []int16 {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]int16, n)
	var low float64
	for i := range out {
		low += 0.1 * (r.Float64()*2 - 1 - low)
		out[i] = int16(20000 * low)
	}
	return out
}

// correlate returns the highest normalized cross-correlation of want with got, and its lag.
func correlate(want, got []int16) (best float64, at int) {
	var ww float64
	for _, v := range want {
		ww += float64(v) * float64(v)
	}
	for off := 0; off+len(want) <= len(got); off++ {
		var wg, gg float64
		for i, v := range want {
			g := float64(got[off+i])
			wg += float64(v) * g
			gg += g * g
		}
		if gg > 0 && wg/math.Sqrt(ww*gg) > best {
			best, at = wg/math.Sqrt(ww*gg), off
		}
	}
	return best, at
}

func TestSpeakerToMicrophone(t *testing.T) {
	pulse := pulsetest.Start(t)
	sink := pulse.Mic("desk")
	pulse.Use()
	m := newDriver(t)
	mic, err := m.OpenMicrophone("desk")
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.OpenSpeaker(sink)
	if err != nil {
		t.Fatal(err)
	}
	var heard recording
	start(t, func(ctx context.Context) error { return mic.Run(ctx, heard.emit) })
	played := &signal{}
	start(t, func(ctx context.Context) error { return out.Run(ctx, played.fill) })
	wait(t, "sound", func() bool { return len(heard.snapshot()) > media.SampleRate/2 })
	want := noise(media.SampleRate / 4)
	from := len(heard.snapshot())
	played.mu.Lock()
	played.pcm = append([]int16(nil), want...)
	played.mu.Unlock()
	wait(t, "the recording", func() bool { return len(heard.snapshot()) > from+media.SampleRate })
	// A part of it is enough, and quicker to look for.
	score, at := correlate(want[:2400], heard.snapshot()[from:])
	t.Logf("correlation %.4f, speaker to microphone %.1f ms", score, float64(at)/48)
	if score < 0.9 {
		t.Errorf("correlation %.3f, want above 0.9", score)
	}
}

func TestUnpluggedMicrophoneIsLost(t *testing.T) {
	pulse := pulsetest.Start(t)
	pulse.Mic("desk")
	pulse.Use()
	m := newDriver(t)
	mic, err := m.OpenMicrophone("desk")
	if err != nil {
		t.Fatal(err)
	}
	var heard recording
	run := start(t, func(ctx context.Context) error { return mic.Run(ctx, heard.emit) })
	wait(t, "sound", func() bool { return len(heard.snapshot()) > 0 })
	pulse.Unplug("desk")
	select {
	case err := <-run.done:
		if !errors.Is(err, media.ErrLost) {
			t.Errorf("Run returned %v, want ErrLost", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("Run goes on without a microphone")
	}
}

func TestDefaultIsFollowed(t *testing.T) {
	pulse := pulsetest.Start(t)
	pulse.Mic("one")
	pulse.Mic("two")
	pulse.SetDefault("one", true)
	pulse.Use()
	m := newDriver(t)
	mic, err := m.OpenMicrophone(media.SpecDefault)
	if err != nil {
		t.Fatal(err)
	}
	if id := mic.Info().Device.ID; id != "one" {
		t.Fatalf("the default microphone is %q, want one", id)
	}
	var heard recording
	start(t, func(ctx context.Context) error { return mic.Run(ctx, heard.emit) })
	wait(t, "sound", func() bool { return len(heard.snapshot()) > 0 })
	pulse.SetDefault("two", true)
	wait(t, "the new default", func() bool { return mic.Info().Device.ID == "two" })
	n := len(heard.snapshot())
	wait(t, "sound of the new default", func() bool { return len(heard.snapshot()) > n })
	pulse.Unplug("two")
	wait(t, "the old default", func() bool { return mic.Info().Device.ID == "one" })
	n = len(heard.snapshot())
	wait(t, "sound of the old default", func() bool { return len(heard.snapshot()) > n })
}

func TestServerRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the sound server twice")
	}
	pulse := pulsetest.Start(t)
	pulse.NullSink("room")
	pulse.Use()
	m := newDriver(t)
	out, err := m.OpenSpeaker(media.SpecDefault)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var blocks int
	count := func() int { mu.Lock(); defer mu.Unlock(); return blocks }
	run := start(t, func(ctx context.Context) error {
		return out.Run(ctx, func(pcm []int16) {
			mu.Lock()
			defer mu.Unlock()
			blocks++
			clear(pcm)
		})
	})
	wait(t, "playing", func() bool { return count() > 10 })
	pulse.Stop()
	pulse.Restart()
	pulse.NullSink("room")
	n := count()
	wait(t, "playing again", func() bool { return count() > n+10 })
	pulse.Stop()
	if err := <-run.done; !errors.Is(err, media.ErrLost) {
		t.Errorf("Run returned %v after the sound server went, want ErrLost", err)
	}
	if devices, err := m.List(media.Speaker); err != nil || len(devices) != 0 {
		t.Errorf("without a server: devices %v, error %v", devices, err)
	}
}

func TestNoSoundSystem(t *testing.T) {
	if haveALSA() {
		t.Skip("this machine has a sound card")
	}
	t.Setenv("PULSE_SERVER", "unix:"+t.TempDir()+"/none")
	m := newDriver(t)
	for _, spec := range []string{media.SpecDefault, "desk"} {
		if _, err := m.OpenMicrophone(spec); !errors.Is(err, media.ErrNoDevice) {
			t.Errorf("OpenMicrophone(%q): %v, want ErrNoDevice", spec, err)
		}
		if _, err := m.OpenSpeaker(spec); !errors.Is(err, media.ErrNoDevice) {
			t.Errorf("OpenSpeaker(%q): %v, want ErrNoDevice", spec, err)
		}
	}
	if devices, err := m.List(media.Microphone); err != nil || len(devices) != 0 {
		t.Errorf("List: %v, %v, want none", devices, err)
	}
}

// TestMutedBySystem mutes a microphone in the sound server, or turns its volume to 0. It is listed as muted until that
// ends, also after a restart of the server.
func TestMutedBySystem(t *testing.T) {
	pulse := pulsetest.Start(t)
	pulse.Mic("desk")
	pulse.Mic("headset")
	pulse.Use()
	m := newDriver(t)
	muted := func() string {
		list, err := m.List(media.Microphone)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, d := range list {
			if d.Muted {
				names = append(names, d.ID)
			}
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	expect := func(want string) {
		t.Helper()
		wait(t, "muted: "+want, func() bool { return muted() == want })
	}
	expect("")
	pulse.Mute("desk", true)
	expect("desk")
	pulse.Volume("headset", 0)
	expect("desk headset")
	pulse.Mute("desk", false)
	expect("headset")
	pulse.Volume("headset", 80)
	expect("")
	if testing.Short() {
		return
	}
	pulse.Stop()
	wait(t, "the server's end", func() bool {
		list, err := m.List(media.Microphone)
		return err == nil && len(list) == 0
	})
	pulse.Restart()
	pulse.Mic("desk")
	pulse.Mute("desk", true)
	expect("desk")
}
