package server_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/server"
)

// flood sends as fast as the service reads until stop is closed, and then reports how many sends were
// acknowledged. It acknowledges what it gets, between its own sends, as a client does.
func flood(t *testing.T, n *node, name signal.Keys, size int, stop <-chan struct{}) <-chan uint64 {
	r := joinRaw(t, n, name)
	acked := make(chan uint64, 1)
	var heard atomic.Uint64
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
			case signal.Joined:
				heard.Store(f.N)
			case signal.Left:
				heard.Store(f.N)
			case signal.Message:
				heard.Store(f.N)
			case signal.Error:
				t.Errorf("the flooding sender got %+v", f)
				return
			}
		}
	}()
	go func() {
		body := make([]byte, size)
		for i := uint64(1); ; i++ { // a write that the service does not read waits until the end
			if r.WriteMessage(websocket.TextMessage, signal.Encode(signal.Send{N: i, Seq: i, Body: body})) != nil {
				return
			}
			if n := heard.Swap(0); n > 0 && r.WriteMessage(websocket.TextMessage, signal.Encode(signal.Ack{N: n})) != nil {
				return
			}
		}
	}()
	go func() {
		<-stop
		_ = r.Close()
	}()
	return acked
}

// TestFloodIsTheSendersLoss floods a room of which one member takes only 200 KB a second. The floods are
// slowed down, and that member gets everything that was acknowledged. Before, one second's burst of one sender
// ended the receiver's session.
func TestFloodIsTheSendersLoss(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	floodOf(t, n, n)
}

// TestFloodFromAnotherNode is the same with the floods at another node, which learns late that they are
// too fast.
func TestFloodFromAnotherNode(t *testing.T) {
	if testing.Short() {
		t.Skip("TestFloodIsTheSendersLoss stands for it")
	}
	t.Parallel()
	n1, n2 := startTwoNodes(t)
	floodOf(t, n1, n2)
}

// floodOf has floods at one node, and at the other the member that is slow.
func floodOf(t *testing.T, n, from *node) {
	length := 8 * time.Second
	if testing.Short() {
		length = 2 * time.Second
	}
	name := room()
	var slow atomic.Bool
	slow.Store(true)
	wire := startCutter(t, n.addr(), func(c *cutter) {
		c.tap = func(b []byte) {
			if slow.Load() {
				time.Sleep(time.Duration(len(b)) * time.Second / 200_000)
			}
		}
	})
	victim := startMember(t, wire.url(), name, identity.New())
	if got := next[client.Connected](t, victim); len(got.Members) != 0 {
		t.Fatal(got)
	}
	stop := make(chan struct{})
	time.AfterFunc(length, func() { close(stop) })
	var acked [3]<-chan uint64
	for i := range acked {
		acked[i] = flood(t, from, name, 4000, stop)
	}
	total := make(chan uint64, 1)
	go func() {
		sum := uint64(0)
		for _, ch := range acked {
			sum += <-ch
		}
		slow.Store(false) // what waits for the victim need not take its time
		total <- sum
	}()
	got, want, known := uint64(0), uint64(0), false
	for limit := time.After(length + patience); !known || got < want; {
		select {
		case ev := <-victim.events:
			switch ev.(type) {
			case client.Joined, client.Left:
			case client.Message:
				got++
			case client.Connected, client.Disconnected:
				t.Fatalf("the victim's session ended: %+v", ev)
			}
		case want = <-total:
			known = true
		case <-limit:
			t.Fatalf("the victim got %d of %d acknowledged messages", got, want)
		}
	}
	t.Logf("%d sends acknowledged", want)
	if want == 0 {
		t.Error("nothing was acknowledged")
	}
	for _, n := range []*node{n, from} {
		if !strings.Contains(metricsOf(t, n), "parley_overflows_total 0\n") {
			t.Error("a session overflowed")
		}
	}
}
