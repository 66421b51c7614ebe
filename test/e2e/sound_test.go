package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"parley/media"
	"parley/media/device/pulsetest"
	"parley/test/harness"
)

// TestE2ESound plays a voice into one member's microphone. It comes out of the other's speaker, not the member's own.
// Microphones and speakers are devices of a sound server.
func TestE2ESound(t *testing.T) {
	harness.EndToEnd(t)
	pulse := pulsetest.Start(t)
	var into, out [2]string
	for i, n := range []string{"1", "2"} {
		into[i], out[i] = pulse.Mic("mic"+n), "speaker"+n
		pulse.NullSink(out[i])
	}
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	ada := harness.StartParley(t, "Ada", pulse.Env(), "bot", "--camera", "off", "--mic", "mic1", "--speaker", "speaker1", "--new", "--server", "http://"+addr)
	ben := harness.StartParley(t, "Ben", pulse.Env(), "bot", "--camera", "off", "--mic", "mic2", "--speaker", "speaker2", ada.Link())

	files := []string{harness.Material(t, "voice1.wav"), harness.Material(t, "voice2.wav")}
	voices := [2][]float32{harness.ReadVoice(t, files[0], 1), harness.ReadVoice(t, files[1], 1)}
	for _, p := range []*harness.Process{ada, ben} {
		harness.AwaitTrue(t, p.Name+" is connected", func() bool {
			l := p.Last()
			return len(l.Peers) == 1 && l.Peers[0].State == "connected"
		}, p.Errors)
	}
	for i, record := range speak(t, pulse, into[:], out[:], files) {
		other, self := harness.Heard(voices[1-i], record), harness.Whole(voices[i], record)
		t.Logf("%s: the other's voice %.3f, the own voice %.3f", []string{"Ada", "Ben"}[i], other, self)
		if other < 0.8 || self > 0.2 {
			t.Error("want the other's voice above 0.8 and the own below 0.2")
		}
	}
}

// speak plays a file into every microphone at once and records every speaker.
func speak(t *testing.T, pulse *pulsetest.Server, into, out, files []string) [2][]float32 {
	t.Helper()
	var recorders, players []*exec.Cmd
	var sound [2]bytes.Buffer
	run := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Env = append(os.Environ(), pulse.Env()...)
		if err := harness.StartChild(cmd); err != nil {
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
	time.Sleep(time.Second) // the maximum delay of sound still in transit
	var records [2][]float32
	for i, r := range recorders {
		_ = r.Process.Kill() // by its own process ID; it records until then
		_ = r.Wait()
		records[i] = harness.Mono8k(sound[i].Bytes(), 1)
	}
	return records
}

// TestE2ESoundFiles does the same with files instead of a sound system.
func TestE2ESoundFiles(t *testing.T) {
	harness.EndToEnd(t)
	dir := t.TempDir()
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	none := []string{"PULSE_SERVER=unix:" + dir + "/none"}
	files := []string{harness.Material(t, "voice1.wav"), harness.Material(t, "voice2.wav")}
	outs := []string{filepath.Join(dir, "ada.wav"), filepath.Join(dir, "ben.wav")}
	ada := harness.StartParley(t, "Ada", none, "bot", "--camera", "off", "--mic", files[0], "--speaker", outs[0], "--new", "--server", "http://"+addr)
	ben := harness.StartParley(t, "Ben", none, "bot", "--camera", "off", "--mic", files[1], "--speaker", outs[1], ada.Link())
	for _, out := range outs {
		harness.AwaitTrue(t, "13 s of sound in "+out, func() bool {
			s, err := os.Stat(out)
			return err == nil && s.Size() > 13*media.SampleRate*2*media.SpeakerChannels
		}, ben.Errors)
	}
	ada.Stop()
	ben.Stop()
	for i, out := range outs {
		record := harness.ReadVoice(t, out, media.SpeakerChannels)
		other, self := harness.Heard(harness.Voice(t, files[1-i]), record), harness.Whole(harness.Voice(t, files[i]), record)
		t.Logf("the other's voice %.3f, the own %.3f", other, self)
		if other < 0.8 || self > 0.2 {
			t.Errorf("the other's voice %.3f, the own %.3f; want above 0.8 and below 0.2", other, self)
		}
	}
}
