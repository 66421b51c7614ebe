package e2e

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"parley/media"
	"parley/media/bot"
	"parley/media/call"
	"parley/media/device/pulsetest"
	"parley/test/harness"
)

// A meeting in which Ada's devices change: she has two microphones of a sound server with a steady tone, and two cameras.
// The test measures what Ben sees and hears.
type deviceChanges struct {
	t     testing.TB
	pulse *pulsetest.Server
	ada   *call.Call
	sound string // the file of Ben's speaker

	mu      sync.Mutex
	painted time.Time
	gap     time.Duration // the longest time between two of Ada's pictures since the last take
}

func startDeviceChanges(t testing.TB) *deviceChanges {
	d := &deviceChanges{t: t, pulse: pulsetest.Start(t), sound: filepath.Join(t.TempDir(), "ben.wav")}
	d.pulse.Use()
	d.pulse.NullSink("speaker")
	for _, mic := range []string{"desk", "headset"} {
		d.hum(d.pulse.Mic(mic))
	}
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	d.ada = harness.CallInside(t, "Ada", "http://"+addr, func(c *call.Config) {
		c.Camera, c.Microphone = media.SpecTest, "desk"
	})
	d.ada.Do(call.SetSound{Sound: call.Sound{Original: true}}) // noise suppression would remove the tone
	d.ada.Do(call.NewMeeting{Join: true})
	harness.AwaitTrue(t, "live", func() bool { return d.ada.State().Phase == call.Live }, func() string { return d.ada.State().Problem.String() })
	ben := harness.CallInside(t, "Ben", "http://"+addr, func(c *call.Config) { c.Speaker = d.sound })
	ben.Do(call.Open{Text: d.ada.State().Link, Join: true})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); d.watch(ben, stop) }()
	t.Cleanup(func() { close(stop); <-done })
	harness.AwaitTrue(t, "Ben sees and hears Ada", func() bool {
		return d.seen() && len(ben.State().Peers) == 1 && ben.Level(ben.State().Peers[0].ID) > -40
	}, func() string { return fmt.Sprintf("%+v", ben.State().Peers) })
	return d
}

// hum plays a tone into a microphone until the test ends.
func (d *deviceChanges) hum(sink string) {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), "hum.wav")
	out, err := exec.Command("ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=300", "-af", "volume=4", file).CombinedOutput()
	if err != nil {
		d.t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	cmd := exec.Command("paplay", "--device="+sink, file)
	cmd.Env = append(os.Environ(), d.pulse.Env()...)
	if err := harness.StartChild(cmd); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		_ = cmd.Process.Kill() // by its own process ID
		_ = cmd.Wait()
	})
}

// watch takes Ada's pictures as a window does, and measures how long they freeze.
func (d *deviceChanges) watch(ben *call.Call, stop chan struct{}) {
	tick := time.NewTicker(time.Second / 60)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-tick.C:
			for _, p := range ben.State().Peers {
				if bot.Look(ben, p.ID, media.Camera, 640, 360, now) != nil {
					d.mu.Lock()
					if !d.painted.IsZero() {
						d.gap = max(d.gap, now.Sub(d.painted))
					}
					d.painted = now
					d.mu.Unlock()
				}
			}
		}
	}
}

func (d *deviceChanges) seen() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.painted.IsZero()
}

// stillFor is the longest freeze of the picture during change and in the 2 s after it.
func (d *deviceChanges) stillFor(change func()) time.Duration {
	d.mu.Lock()
	d.gap = 0
	d.mu.Unlock()
	change()
	time.Sleep(2 * time.Second) // the measurement itself
	d.mu.Lock()
	defer d.mu.Unlock()
	return max(d.gap, time.Since(d.painted))
}

// silentFor is the longest silence that Ben heard during change and in the 2 s after it.
func (d *deviceChanges) silentFor(change func()) time.Duration {
	from := d.heardBytes()
	change()
	time.Sleep(2 * time.Second)
	b, err := os.ReadFile(d.sound)
	if err != nil {
		d.t.Fatal(err)
	}
	const block = media.BlockSamples
	pcm := mono48k(b[min(from, int64(len(b))):])
	longest, run := 0, 0
	for ; len(pcm) >= block; pcm = pcm[block:] {
		if media.Level(pcm[:block]) > -50 {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return time.Duration(longest) * media.BlockDuration
}

func (d *deviceChanges) heardBytes() int64 {
	s, err := os.Stat(d.sound)
	if err != nil {
		d.t.Fatal(err)
	}
	return s.Size() &^ 3
}

// mono48k is the left channel of 16-bit stereo.
func mono48k(b []byte) []int16 {
	out := make([]int16, 0, len(b)/4)
	for ; len(b) >= 4; b = b[4:] {
		out = append(out, int16(b[0])|int16(b[1])<<8)
	}
	return out
}

func (d *deviceChanges) awaitMic(name string) {
	d.t.Helper()
	harness.AwaitTrue(d.t, "the microphone is "+name, func() bool {
		m := d.ada.State().Mic
		return m.Live && m.Device.Name == name
	}, func() string { return fmt.Sprintf("%+v", d.ada.State().Mic) })
}

// changes are the device changes during the call, in this order.
func (d *deviceChanges) changes() (names []string, gaps []time.Duration) {
	add := func(name string, gap time.Duration) {
		names, gaps = append(names, name), append(gaps, gap)
	}
	add("microphone switched", d.silentFor(func() {
		d.ada.Do(call.Choose{Kind: media.Microphone, ID: "headset"})
		d.awaitMic("headset")
	}))
	add("microphone unplugged", d.silentFor(func() {
		d.pulse.Unplug("headset")
		d.awaitMic("desk")
	}))
	add("camera switched", d.stillFor(func() {
		d.ada.Do(call.Choose{Kind: media.Camera, ID: harness.Material(d.t, "person1.y4m")})
	}))
	add("and back", d.stillFor(func() {
		d.ada.Do(call.Choose{Kind: media.Camera, ID: media.SpecTest})
	}))
	return names, gaps
}

// TestE2EDevicesChange checks that sound and picture continue after a device is switched or unplugged. It only checks that
// the gaps end; make figures shows their length.
func TestE2EDevicesChange(t *testing.T) {
	harness.EndToEnd(t)
	d := startDeviceChanges(t)
	names, gaps := d.changes()
	for i, gap := range gaps {
		t.Logf("%s: a gap of %v", names[i], gap.Round(time.Millisecond))
		if gap >= 2*time.Second {
			t.Errorf("%s: nothing came any more", names[i])
		}
	}
	// After it is plugged in again, the chosen device is used again.
	d.hum(d.pulse.Mic("headset"))
	d.awaitMic("headset")
	if quiet := d.silentFor(func() {}); quiet > time.Second {
		t.Errorf("the microphone that came back is silent for %v", quiet)
	}
}

// figureDevices shows how long others hear or see nothing when a device changes.
func figureDevices(b *testing.B) {
	d := startDeviceChanges(b)
	names, gaps := d.changes()
	for i, gap := range gaps {
		figure(b, names[i]+", gap at the other side", "ms", math.Round(gap.Seconds()*1000), 500, false)
	}
}
