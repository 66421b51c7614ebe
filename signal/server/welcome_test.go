package server_test

import (
	"testing"
	"time"

	"parley/signal"
	"parley/signal/server"
)

// TestWelcomeComesFirst joins a room again and again while a member talks without a pause. The first frame
// behind the challenge is the welcome, although there are messages for it from the moment it is a member.
func TestWelcomeComesFirst(t *testing.T) {
	n := startNode(t, server.Config{Rate: 1_000_000, Burst: 1_000_000})
	name, stop := room(), make(chan struct{})
	acked := flood(t, n, name, 1, stop)
	for i := range 300 {
		r := dialRaw(t, n)
		r.join(name)
		_ = r.SetReadDeadline(time.Now().Add(patience))
		_, text, err := r.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if f, _ := signal.Decode(text); !isWelcome(f) {
			t.Errorf("join %d: the first frame is %T", i+1, f)
			break
		}
		r.say(signal.Encode(signal.Leave{}))
		_ = r.Close()
	}
	close(stop)
	if <-acked == 0 {
		t.Error("nobody talked")
	}
}
