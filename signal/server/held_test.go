package server_test

import (
	"strings"
	"testing"

	"parley/signal"
	"parley/signal/server"
)

// TestBytesThatWaitAreBounded keeps messages waiting for members that do not read. When one address has too much
// waiting, or all addresses together have, a session of the address with the most ends. Nobody else loses a word.
func TestBytesThatWaitAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		perAddress int
		maxHeld    int64 // bytes of the whole node
		sends      int
	}{
		// 8 * 320 KiB for an address. Two sessions reach that after 60 sends of 22 KB.
		"one address": {8, 512 << 20, 75},
		// Three sessions reach 3 MiB after 48 sends; two of them would after 72.
		"whole node": {1000, 3 << 20, 60},
	} {
		t.Run(name, func(t *testing.T) {
			n := behindProxy(t, server.Config{PerAddress: c.perAddress}, func(s *server.Server) { s.SetMaxHeld(c.maxHeld) })
			name := room()
			heavy := map[signal.ID]bool{}
			for range 2 {
				heavy[joinAt(t, n, "192.0.2.1", name).id] = true
			}
			light := joinAt(t, n, "192.0.2.2", name)
			talker := joinAt(t, n, "192.0.2.3", name)
			body := make([]byte, 16<<10)
			for i := range uint64(c.sends) {
				talker.say(signal.Encode(signal.Send{N: i + 1, Seq: i + 1, Body: body}))
			}
			if left := hear[signal.Left](talker.raw); !heavy[left.ID] {
				t.Error("the session that ended is not one of the address with the most")
			}
			for i := range uint64(c.sends) {
				if got := hear[signal.Message](light.raw); got.Seq != i+1 {
					t.Fatalf("the other member got message %d, want %d", got.Seq, i+1)
				}
			}
			if !strings.Contains(metricsOf(t, n), "parley_overflows_total 1\n") {
				t.Error("want one session ended and counted")
			}
		})
	}
}

// joined is a member that reads only when the test says so.
type joined struct {
	*raw
	id signal.ID
}

func joinAt(t *testing.T, n *node, addr string, room signal.Keys) joined {
	t.Helper()
	r, resp := dialFrom(t, n, addr)
	if r == nil {
		t.Fatalf("%s is refused with %s", addr, resp.Status)
	}
	id := r.join(room)
	hear[signal.Welcome](r)
	return joined{r, id}
}
