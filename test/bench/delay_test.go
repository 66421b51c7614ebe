package bench

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"parley/media/device/pulsetest"
	"parley/test/harness"
)

const delayMeasure = 10 * time.Second

// captureToPaint is the age of a picture of 1280x720 when a window of that size shows it. Our test picture contains the
// time. A page draws it over a moving photograph, because a file cannot contain it.
var captureToPaint = scenario{
	name: "capture to paint", takes: 43 * time.Second,
	figures: []benchFigure{
		{"median", "capture to paint, median", "ms", atMost, 1, []string{"width"}},
		{"p95", "capture to paint, p95 of 2 s", "ms", atMost, 1, []string{"width"}},
		{"width", "  at the width of", "px", shown, 0, nil},
	},
	ours: func(t testing.TB) sample {
		_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
		ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--view", "320x180", "--server", "http://"+addr)
		ben := harness.StartParley(t, "Ben", harness.StartDisplay(t).Env(), "--join", "--camera", "off", "--mic", "tone", "--speaker", "off", ada.Link())
		ben.Await("sees Ada", harness.Meets(1))
		pollFor(fullLimit, func() bool { l := ben.Last(); return len(l.Peers) == 1 && l.Peers[0].VideoIn.W == 1280 })
		time.Sleep(benchSettle)
		first := ben.Last().TMillis
		time.Sleep(delayMeasure) // the measurement itself
		if len(ben.Last().Peers) != 1 {
			t.Fatal("the call has broken")
		}
		var median, p95 []float64
		for _, l := range ben.Lines() {
			if l.TMillis > first && len(l.Peers) == 1 && l.Peers[0].VideoIn.LatencyMs != nil {
				median, p95 = append(median, *l.Peers[0].VideoIn.LatencyMs), append(p95, *l.Peers[0].VideoIn.LatencyP95)
			}
		}
		return delaySample(median, p95, float64(ben.Last().Peers[0].VideoIn.W))
	},
	theirs: func(t testing.TB) sample {
		photo, err := os.ReadFile("/usr/share/backgrounds/mate/nature/LadyBird.jpg")
		if err != nil {
			t.Fatalf("%v: run scripts/setup --test", err)
		}
		ada := openPage(t, "ada", member{mic: harness.Material(t, "voice1.wav"), start: startKbps})
		ada.do(`stampCamera(%s, 1280, 720)`, "data:image/jpeg;base64,"+base64.StdEncoding.EncodeToString(photo))
		ben := openPage(t, "ben", member{mic: harness.Material(t, "voice2.wav"), shown: true, env: harness.StartDisplay(t).Env()})
		ben.do(`measureAges()`)
		joinPages(ben, ada)
		pollFor(fullLimit, func() bool { _, ok := ben.stats()["ada"].Widths["1280"]; return ok })
		time.Sleep(benchSettle)
		ben.do(`ages.length = 0`)
		time.Sleep(delayMeasure) // the measurement itself
		// As ours: median and p95 of every two seconds, and the median of those.
		var median, p95, window []float64
		begin := -1.0
		for _, a := range eval[[][2]float64](ben, `ages`) {
			if begin < 0 {
				begin = a[0]
			}
			if a[0] > begin+2000 {
				median, p95 = append(median, harness.Quantile(window, 0.5)), append(p95, harness.Quantile(window, 0.95))
				window, begin = nil, a[0]
			}
			window = append(window, a[1])
		}
		return delaySample(median, p95, ben.stats()["ada"].VideoIn.FrameWidth)
	},
}

// delaySample has no figures when nothing was seen.
func delaySample(median, p95 []float64, width float64) sample {
	if len(median) == 0 {
		return nil
	}
	return sample{"median": harness.Quantile(median, 0.5), "p95": harness.Quantile(p95, 0.5), "width": width}
}

// mouthToEar is how long a voice takes from Ada's microphone to Ben's speaker. Both are devices of one sound server, on
// one clock and recorded together, so nothing has to be aligned.
var mouthToEar = scenario{
	name: "mouth to ear", quick: true, takes: 40 * time.Second,
	figures: []benchFigure{
		{"delay", "mouth to ear, median", "ms", atMost, 1, nil},
		{"like", "  correlation of what is heard with what was said", "", shown, 0, nil},
	},
	ours: func(t testing.TB) sample {
		return listen(t, func(a, b member) { ourCall(t, a, b) })
	},
	theirs: func(t testing.TB) sample {
		return listen(t, func(a, b member) { chromiumCall(t, a, b) })
	},
}

// listen makes a call between a microphone and a speaker of one desk, speaks and compares.
func listen(t testing.TB, begin func(a, b member)) sample {
	pulse := pulsetest.Start(t)
	sink, both := pulse.Desk("mouth", "ear")
	pulse.NullSink("elsewhere")
	pulse.Mic("nothing")
	pulse.SetDefault("elsewhere", false) // a product that opens the wrong device is not heard
	pulse.SetDefault("nothing", true)
	env := pulse.Env()
	begin(member{device: "mouth", sink: "elsewhere", env: env}, member{device: "nothing", sink: "ear", env: env})
	run := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Env = append(os.Environ(), pulse.Env()...)
		if err := harness.StartChild(cmd); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	voice := harness.Material(t, "voice1.wav")
	// The first time, jitter buffers and echo cancellers converge.
	_ = run(exec.Command("timeout", "4", "paplay", "--device="+sink, voice)).Wait()
	var sound bytes.Buffer
	recorder := exec.Command("parec", "--device="+both, "--rate=48000", "--channels=4",
		"--channel-map=front-left,front-right,rear-left,rear-right", "--format=s16le", "--latency-msec=50")
	recorder.Stdout = &sound
	run(recorder)
	_ = run(exec.Command("paplay", "--device="+sink, voice)).Wait()
	time.Sleep(time.Second)     // the longest delay of sound that is still on its way
	_ = recorder.Process.Kill() // by its own process ID; it records until then
	_ = recorder.Wait()
	said, heard := deskChannel(sound.Bytes(), 0), deskChannel(sound.Bytes(), 2)
	return voiceDelay(said, heard)
}

// deskChannel is one of the four channels of a recording of a desk, at soundRate.
func deskChannel(pcm []byte, channel int) []float32 {
	var one []byte
	for i := 2 * channel; i+2 <= len(pcm); i += 8 {
		one = append(one, pcm[i], pcm[i+1])
	}
	return harness.Mono8k(one, 1)
}

// voiceDelay compares half seconds of speech and takes the median of the delays, in ms.
func voiceDelay(said, heard []float32) sample {
	const window = harness.SoundRate / 2
	var delays, like []float64
	for i := 0; i+window <= len(said); i += window {
		part := said[i : i+window]
		if harness.Energy(part) < harness.Energy(said)/float64(len(said))*window/4 {
			continue // a pause
		}
		at, c := harness.Peak(part, heard, i, i+harness.SoundRate)
		if like = append(like, c); c > 0.3 {
			delays = append(delays, float64(at-i)*1000/harness.SoundRate)
		}
	}
	if len(delays) < 3 {
		return nil
	}
	return sample{"delay": harness.Quantile(delays, 0.5), "like": harness.Quantile(like, 0.5)}
}

// TestVoiceDelay checks that the delay of a delayed voice is found.
func TestVoiceDelay(t *testing.T) {
	if testing.Short() {
		t.Skip("a second of arithmetic")
	}
	said := harness.ReadVoice(t, harness.Material(t, "voice1.wav"), 1)
	const late = 123 * harness.SoundRate / 1000
	s := voiceDelay(said, slices.Concat(make([]float32, late), said))
	if s == nil || s["delay"] != 123 || s["like"] < 0.99 {
		t.Errorf("found %v, want a delay of 123 ms", s)
	}
	if s := voiceDelay(said, make([]float32, len(said))); s != nil {
		t.Errorf("found %v in silence", s)
	}
}
