package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/media"
	"parley/media/bot"
	"parley/media/call"
	"parley/signal"
	"parley/signal/room"
	"parley/test/harness"
)

// TestE2ECapture records every packet of a real call on the loopback, over a rendezvous without TLS, and looks in them for
// what only members may know.
func TestE2ECapture(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "call.pcapng")
	stop := capture(t, file)

	const name, other, text = "Augusta Byron", "Charlemagne", "the lighthouse at seven"
	ada := harness.CallInside(t, name, "http://"+addr, func(c *call.Config) { c.Camera, c.Microphone = media.SpecTest, media.SpecTone })
	ada.Do(call.NewMeeting{Join: true})
	harness.AwaitTrue(t, "live", func() bool { return ada.State().Phase == call.Live }, func() string { return ada.State().Problem.String() })
	ben := harness.CallInside(t, other, "", func(c *call.Config) { c.Camera, c.Microphone = media.SpecTest, media.SpecTone })
	link := ada.State().Link
	ben.Do(call.Open{Text: link, Join: true})
	seen := 0
	harness.AwaitTrue(t, "Ben sees 10 pictures", func() bool {
		for _, p := range ben.State().Peers {
			if bot.Look(ben, p.ID, media.Camera, 320, 180, time.Now()) != nil {
				seen++
			}
		}
		return seen >= 10
	}, func() string { return ben.State().Problem.String() })
	ada.Do(call.Room{Command: room.Say{Text: text}})
	harness.AwaitTrue(t, "Ben reads", func() bool { return reads(ben, text) > 0 }, func() string { return "nothing said" })
	stop()

	frames, packets := dissect(t, file, port)
	_, code, _ := strings.Cut(link, "#")
	code, _, _ = strings.Cut(code, "&") // before the owner
	if _, err := signal.ParseCode(code); err != nil {
		t.Fatal(err)
	}
	secrets := []string{
		name, "Byron", other, text, "lighthouse", code, strings.ReplaceAll(code, "-", ""),
		"ice-ufrag", "ice-pwd", "fingerprint", "candidate:", "v=0\r\n", "m=audio", "typ host", `"sdp"`, `"chat"`, `"card"`, `"hello"`,
	}
	for where, all := range map[string][]byte{"a frame of the rendezvous": frames, "a packet": packets} {
		for _, s := range secrets {
			if bytes.Contains(bytes.ToLower(all), []byte(strings.ToLower(s))) {
				t.Errorf("%s holds %q", where, s)
			}
		}
	}
	// Neither may be empty: the frames name the room's members, and the packets carry DTLS, whose certificates are in clear.
	if !bytes.Contains(frames, []byte(`"t":"welcome"`)) || !bytes.Contains(frames, []byte(ada.State().Room.Me.ID)) {
		t.Errorf("no welcome, or not Ada's ID, among %d bytes of frames: this test is blind", len(frames))
	}
	if len(packets) < 20_000 {
		t.Errorf("only %d bytes of packets: this test is blind", len(packets))
	}
	t.Logf("%d bytes of frames, %d bytes of packets", len(frames), len(packets))
}

// capture records the loopback into file until stop is called.
func capture(t *testing.T, file string) (stop func()) {
	t.Helper()
	cmd := exec.Command("tshark", "-i", "lo", "-q", "-w", file)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() {
		_ = cmd.Process.Signal(os.Interrupt) // ended already when it comes again
		_ = cmd.Wait()
	}
	t.Cleanup(stop)
	harness.AwaitTrue(t, "packets are recorded", func() bool {
		probe, err := net.Dial("udp", "127.0.0.1:9")
		if err != nil {
			return false
		}
		defer probe.Close()
		_, _ = probe.Write([]byte("is anybody listening?"))
		info, err := os.Stat(file)
		return err == nil && info.Size() > 0
	}, log.String)
	return stop
}

// dissect returns the text of all WebSocket messages to and from port, with sealed bodies also out of their base64, and the
// payload of all UDP packets.
func dissect(t *testing.T, file, port string) (frames, packets []byte) {
	t.Helper()
	read := func(filter, field string) []byte {
		out, err := exec.Command("tshark", "-n", "-r", file, "-d", "tcp.port=="+port+",http", "-Y", filter, "-T", "fields", "-e", field).Output()
		if err != nil {
			t.Fatalf("tshark: %v", err)
		}
		return out
	}
	frames = read("websocket", "websocket.payload.text")
	for _, part := range bytes.Split(frames, []byte{'"'}) {
		if raw, err := base64.StdEncoding.DecodeString(string(part)); err == nil && len(raw) > 40 {
			frames = append(append(frames, raw...), '\n')
		}
	}
	for line := range strings.FieldsSeq(strings.ReplaceAll(string(read("udp", "udp.payload")), ",", " ")) {
		b, err := hex.DecodeString(line)
		if err != nil {
			t.Fatalf("a packet of %d characters: %v", len(line), err)
		}
		packets = append(append(packets, b...), '\n')
	}
	return frames, packets
}
