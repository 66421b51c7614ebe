package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/server"
)

// flood sends as fast as the service reads, until it is closed; it reports how many sends were
// acknowledged.
func flood(t *testing.T, n *node, name string, size int, stop <-chan struct{}) <-chan uint64 {
	r := joinRaw(t, n, name)
	acked := make(chan uint64, 1)
	go func() { // reads, and counts
		var last uint64
		defer func() { acked <- last }()
		for {
			_, text, err := r.ReadMessage()
			if err != nil {
				return
			}
			switch f, _ := signal.Decode(text); f := f.(type) {
			case signal.Ack:
				last = f.N
			case signal.Error:
				t.Errorf("the flooding sender got %+v", f)
				return
			}
		}
	}()
	go func() {
		body := make([]byte, size)
		for i := uint64(1); ; i++ {
			select {
			case <-stop:
				time.AfterFunc(time.Second, func() { _ = r.Close() })
				return
			default:
			}
			_ = r.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			if err := r.WriteMessage(websocket.TextMessage, signal.Encode(signal.Send{N: i, Seq: i, Body: body})); err != nil {
				_ = r.Close()
				return
			}
		}
	}()
	return acked
}

// Members that flood a room do not make the session of a receiver overflow that takes 200 KB a
// second: they are slowed, and it gets all that was acknowledged. Before, a second's burst of one
// of them ended the receiver's session.
func TestFloodIsTheSendersLoss(t *testing.T) {
	n := startNode(t, server.Config{})
	name := room()
	wire := startCutter(t, n.addr(), func(c *cutter) {
		c.tap = func(b []byte) { time.Sleep(time.Duration(len(b)) * time.Second / 200_000) }
	})
	victim := startMember(t, wire.url(), name, signal.NewID())
	if got := next[client.Connected](t, victim); len(got.Members) != 0 {
		t.Fatal(got)
	}
	stop := make(chan struct{})
	time.AfterFunc(8*time.Second, func() { close(stop) })
	const floods = 3
	var acked [floods]<-chan uint64
	for i := range acked {
		acked[i] = flood(t, n, name, 4000, stop)
	}
	got, last := 0, time.Now()
	for quiet := false; !quiet; {
		select {
		case ev := <-victim.events:
			switch ev.(type) {
			case client.Message:
				got++
				last = time.Now()
			case client.Connected, client.Disconnected:
				t.Fatalf("the victim's session ended: %+v", ev)
			}
		case <-time.After(time.Second):
			select {
			case <-stop:
				quiet = time.Since(last) > 5*time.Second
			default:
			}
		}
	}
	var want uint64
	for _, ch := range acked {
		want += <-ch
	}
	t.Logf("%d sends acknowledged, %d received", want, got)
	if uint64(got) < want || want == 0 {
		t.Errorf("the victim got %d of %d acknowledged messages", got, want)
	}
	text := metricsOf(t, n)
	if !strings.Contains(text, "parley_overflows_total 0\n") {
		t.Error("a session overflowed")
	}
}
