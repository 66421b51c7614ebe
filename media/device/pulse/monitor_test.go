package pulse

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"parley/media"
	"parley/media/device/pulsetest"
)

// stereoTone is a tone of a quarter of full scale, in two channels.
func stereoTone(hz float64, seconds int) []int16 {
	out := make([]int16, 2*seconds*media.SampleRate)
	for i := range out {
		out[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i/2)/media.SampleRate))
	}
	return out
}

// strength is the level of a tone in a channel of pcm, in dBFS (Goertzel).
func strength(pcm []int16, channel int, hz float64) float64 {
	var re, im float64
	n := 0
	for i := channel; i < len(pcm); i += 2 {
		a := 2 * math.Pi * hz * float64(n) / media.SampleRate
		// A Hann window: the other tone must not leak into this one.
		w := 0.5 - 0.5*math.Cos(4*math.Pi*float64(n)/float64(len(pcm)))
		re, im, n = re+w*float64(pcm[i])*math.Cos(a), im+w*float64(pcm[i])*math.Sin(a), n+1
	}
	return 20 * math.Log10(max(4*math.Hypot(re, im)/float64(n)/32768, 1e-6))
}

// play has another program play a tone until the test ends.
func play(t *testing.T, pulse *pulsetest.Server, hz float64) (stop func()) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tone.raw")
	pcm := stereoTone(hz, 60)
	data := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		data = append(data, byte(v), byte(uint16(v)>>8))
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("pacat", "--playback", "--raw", "--rate=48000", "--channels=2", "--format=s16le", "--latency-msec=200", file)
	cmd.Env = append(os.Environ(), pulse.Env()...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	stop = func() { _ = cmd.Process.Kill(); <-done }
	t.Cleanup(stop)
	return stop
}

// TestSystemSoundWithoutOurs plays one tone in this process and a second one in another program. Only the second is
// recorded: the first is at least 40 dB lower.
func TestSystemSoundWithoutOurs(t *testing.T) {
	if testing.Short() {
		t.Skip("listens for seconds")
	}
	const ours, theirs = 440, 1000
	pulse := pulsetest.Start(t)
	pulse.NullSink("desk")
	pulse.SetDefault("desk", false)
	pulse.Use()
	m := newDriver(t)
	speaker, err := m.OpenSpeaker(media.SpecDefault)
	if err != nil {
		t.Fatal(err)
	}
	tone, phase := stereoTone(ours, 1), 0 // a whole number of waves, so it can loop
	start(t, func(ctx context.Context) error {
		return speaker.Run(ctx, func(pcm []int16) {
			phase += copy(pcm, tone[phase:])
			phase %= len(tone)
		})
	})
	sound, err := m.OpenSystemSound()
	if err != nil {
		t.Fatal(err)
	}
	var heard recording
	r := start(t, func(ctx context.Context) error { return sound.Run(ctx, heard.emit) })
	// The tone has -12.2 dB. A gap of a tenth of a second would take it below the limit.
	lastSecond := func() []int16 {
		pcm := heard.snapshot()
		return pcm[max(len(pcm)-2*media.SampleRate, 0):]
	}
	loud := func(hz float64) bool {
		pcm := lastSecond()
		return len(pcm) == 2*media.SampleRate && strength(pcm, 0, hz) > -13.5 && strength(pcm, 1, hz) > -13.5
	}
	stop := play(t, pulse, theirs)
	wait(t, "the other program's tone", func() bool { return loud(theirs) })
	pcm := lastSecond()
	if their, our := strength(pcm, 0, theirs), strength(pcm, 0, ours); their-our < 40 {
		t.Errorf("theirs at %.1f dB, ours at %.1f dB: not 40 apart", their, our)
	} else {
		t.Logf("theirs at %.1f dB, ours at %.1f dB", their, our)
	}
	// A second program is recorded too. The first one is gone when it ends.
	play(t, pulse, 3000)
	wait(t, "both tones", func() bool { return loud(theirs) && loud(3000) })
	stop()
	wait(t, "one tone", func() bool {
		pcm := lastSecond()
		return loud(3000) && strength(pcm, 0, theirs) < -60 && strength(pcm, 0, ours) < -60
	})
	pulse.Stop()
	if err := <-r.done; !errors.Is(err, media.ErrLost) {
		t.Errorf("the server went: %v, want ErrLost", err)
	}
	if _, err := m.OpenSystemSound(); !errors.Is(err, media.ErrUnsupported) {
		t.Errorf("without a server: %v, want ErrUnsupported", err)
	}
}
