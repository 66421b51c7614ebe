package main

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"parley/media"
	"parley/media/device/pulsetest"
)

// soundRate is what recordings are compared at: speech has its energy below 4 kHz.
const soundRate = 8000

// preEmphasis lifts what is above a voice's pitch, where speech is told apart; the high-pass of the
// sound processing shifts what is below.
const preEmphasis = 0.95

// mono8k turns 16-bit PCM into one channel at soundRate, averaging what is in between, with
// pre-emphasis.
func mono8k(pcm []byte, channels int) []float32 {
	const step = media.SampleRate / soundRate
	n := len(pcm) / 2 / channels / step
	out := make([]float32, n)
	var before float32
	for i := range out {
		var sum float32
		for j := range step * channels {
			sum += float32(int16(binary.LittleEndian.Uint16(pcm[2*(i*step*channels+j):])))
		}
		mean := sum / step / float32(channels)
		out[i], before = mean-preEmphasis*before, mean
	}
	return out
}

// readVoice reads a .wav of 48 kHz and 16 bit that scripts/material or Parley has written.
func readVoice(t testing.TB, path string, channels int) []float32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte("data"))
	if i < 0 {
		t.Fatalf("%s has no sound", path)
	}
	return mono8k(b[i+8:], channels)
}

func energy(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum
}

// peak slides part over the lags of whole that lie in from..to and finds where it fits best:
// the normalized cross-correlation there, from 0 to 1. It fits between two samples too: half a sample
// off, a voice is like itself by 0.8 only.
func peak(part, whole []float32, from, to int) (lag int, correlation float64) {
	from, to = max(from, 0), min(to, len(whole)-len(part))
	if from > to {
		return 0, 0
	}
	own, there := energy(part), energy(whole[from:from+len(part)])
	dots, best := make([]float64, to-from+1), 0.0
	for i := from; i <= to; i++ {
		var dot float32
		for j, w := range whole[i : i+len(part)] {
			dot += part[j] * w
		}
		dots[i-from] = float64(dot)
		// Below -70 dBFS there is nothing to compare.
		if floor := 10.0 * 10 * float64(len(part)); there > floor && own > floor {
			if c := math.Abs(float64(dot)) / math.Sqrt(own*there); c > correlation {
				lag, correlation, best = i, c, math.Abs(float64(dot))
			}
		}
		if i < to {
			there += float64(whole[i+len(part)])*float64(whole[i+len(part)]) - float64(whole[i])*float64(whole[i])
		}
	}
	if best == 0 {
		return lag, 0
	}
	finest := best
	for _, f := range []float64{-0.75, -0.5, -0.25, 0.25, 0.5, 0.75} {
		finest = max(finest, math.Abs(between(dots, float64(lag-from)+f)))
	}
	return lag, min(correlation*finest/best, 1)
}

// between is the value at x, which is no index, of what is sampled in v (Whittaker and Shannon,
// under a Hann window).
func between(v []float64, x float64) float64 {
	const reach = 16.0
	var sum float64
	for i := max(int(x-reach)+1, 0); i < min(int(x+reach), len(v)); i++ {
		d := math.Pi * (x - float64(i))
		sum += v[i] * math.Sin(d) / d * (1 + math.Cos(d/reach)) / 2
	}
	return sum
}

// heard looks for a voice in a recording, half a second at a time: the upper quartile of their best
// correlations, each within a quarter of a second of where the loudest one puts it. So a recording
// that a busy machine tears here and there, and sound that was stretched meanwhile, still tell.
func heard(voice, recording []float32) float64 {
	const window = soundRate / 2
	loudest := 0
	for i := 0; i+window <= len(voice); i += window / 2 {
		if energy(voice[i:i+window]) > energy(voice[loudest:loudest+window]) {
			loudest = i
		}
	}
	at, _ := peak(voice[loudest:loudest+window], recording, 0, len(recording))
	var all []float64
	for i := 0; i+window <= len(voice); i += window {
		part := voice[i : i+window]
		want := at + i - loudest
		// Pauses, and what the recording does not have, say nothing.
		if energy(part) < energy(voice)/float64(len(voice))*window/8 || want < 0 || want+window > len(recording) {
			continue
		}
		_, c := peak(part, recording, want-soundRate/4, want+soundRate/4)
		all = append(all, c)
	}
	if len(all) < 3 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)*3/4]
}

// whole is how like a recording is to all of a voice at once, wherever that begins: what is
// left of it where another voice covers it shows too.
func whole(voice, recording []float32) float64 {
	voice = voice[:6*soundRate]
	_, c := peak(voice, recording, 0, len(recording))
	return c
}

func TestHeardKnowsVoices(t *testing.T) {
	if testing.Short() {
		t.Skip("a second of arithmetic")
	}
	one, two := readVoice(t, material(t, "voice1.wav"), 1), readVoice(t, material(t, "voice2.wav"), 1)
	both := slices.Concat(make([]float32, 3*soundRate), two)
	for i, v := range one {
		both[i+2*soundRate] += v / 4
	}
	if c := heard(two, both); c < 0.8 {
		t.Errorf("a voice over a quieter one: %.2f", c)
	}
	if c := heard(one, slices.Concat(make([]float32, soundRate), two)); c > 0.6 {
		t.Errorf("a voice in another: %.2f", c)
	}
	if c := whole(one, slices.Concat(make([]float32, soundRate), two)); c > 0.2 {
		t.Errorf("a whole voice in another: %.2f", c)
	}
	if c := whole(one, both); c < 0.2 {
		t.Errorf("a whole voice under another: %.2f, the test of echo would not notice", c)
	}
}

// TestE2ESound: what is said into one microphone comes out of the other's speaker, and of
// nobody's own. Microphones and speakers are those of a sound server.
func TestE2ESound(t *testing.T) {
	endToEnd(t)
	pulse := pulsetest.Start(t)
	var into, out [2]string
	for i, n := range []string{"1", "2"} {
		into[i], out[i] = pulse.Mic("mic"+n), "speaker"+n
		pulse.NullSink(out[i])
	}
	_, addr := startRendezvous(t, "127.0.0.1:0")
	ada := startParley(t, "Ada", pulse.Env(), "bot", "--camera", "off", "--mic", "mic1", "--speaker", "speaker1", "--new", "--server", "http://"+addr)
	ben := startParley(t, "Ben", pulse.Env(), "bot", "--camera", "off", "--mic", "mic2", "--speaker", "speaker2", ada.link())

	files := []string{material(t, "voice1.wav"), material(t, "voice2.wav")}
	voices := [2][]float32{readVoice(t, files[0], 1), readVoice(t, files[1], 1)}
	for _, p := range []*process{ada, ben} {
		awaitTrue(t, p.name+" is connected", func() bool {
			l := p.last()
			return len(l.Peers) == 1 && l.Peers[0].State == "connected"
		}, p.errors)
	}
	for i, record := range speak(t, pulse, into[:], out[:], files) {
		other, self := heard(voices[1-i], record), whole(voices[i], record)
		t.Logf("%s: the other's voice %.3f, the own voice %.3f", []string{"Ada", "Ben"}[i], other, self)
		if other < 0.8 || self > 0.2 {
			t.Error("want the other's voice above 0.8 and the own below 0.2")
		}
	}
}

// speak plays a file into every microphone at once, and records every speaker meanwhile.
func speak(t *testing.T, pulse *pulsetest.Server, into, out, files []string) [2][]float32 {
	t.Helper()
	var recorders, players []*exec.Cmd
	var sound [2]bytes.Buffer
	run := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Env = append(os.Environ(), pulse.Env()...)
		if err := startChild(cmd); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	for i, o := range out {
		cmd := exec.Command("parec", "--device="+o+".monitor", "--rate=48000", "--channels=1", "--format=s16le", "--latency-msec=50")
		cmd.Stdout = &sound[i]
		recorders = append(recorders, run(cmd))
	}
	for i, f := range files {
		players = append(players, run(exec.Command("paplay", "--device="+into[i], f)))
	}
	for _, p := range players {
		if err := p.Wait(); err != nil {
			t.Error("paplay: ", err)
		}
	}
	time.Sleep(time.Second) // what is on its way is at most this late
	var records [2][]float32
	for i, r := range recorders {
		_ = r.Process.Kill() // by its own process ID; it records until then
		_ = r.Wait()
		records[i] = mono8k(sound[i].Bytes(), 1)
	}
	return records
}

// TestE2ESoundFiles: the same through files, without any sound system.
func TestE2ESoundFiles(t *testing.T) {
	endToEnd(t)
	dir := t.TempDir()
	_, addr := startRendezvous(t, "127.0.0.1:0")
	none := []string{"PULSE_SERVER=unix:" + dir + "/none"}
	files := []string{material(t, "voice1.wav"), material(t, "voice2.wav")}
	outs := []string{filepath.Join(dir, "ada.wav"), filepath.Join(dir, "ben.wav")}
	ada := startParley(t, "Ada", none, "bot", "--camera", "off", "--mic", files[0], "--speaker", outs[0], "--new", "--server", "http://"+addr)
	ben := startParley(t, "Ben", none, "bot", "--camera", "off", "--mic", files[1], "--speaker", outs[1], ada.link())
	for _, out := range outs {
		awaitTrue(t, "13 s of sound in "+out, func() bool {
			s, err := os.Stat(out)
			return err == nil && s.Size() > 13*media.SampleRate*2*media.SpeakerChannels
		}, ben.errors)
	}
	ada.stop()
	ben.stop()
	for i, out := range outs {
		record := readVoice(t, out, media.SpeakerChannels)
		other, self := heard(voice(t, files[1-i]), record), whole(voice(t, files[i]), record)
		t.Logf("the other's voice %.3f, the own %.3f", other, self)
		if other < 0.8 || self > 0.2 {
			t.Errorf("the other's voice %.3f, the own %.3f; want above 0.8 and below 0.2", other, self)
		}
	}
}

func voice(t testing.TB, path string) []float32 { return readVoice(t, path, 1) }
