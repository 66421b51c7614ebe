package server

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"parley/signal"
)

// far is a sender on one node and a receiver on another, over a real NATS.
type far struct {
	senderNode, receiverNode *node
	sender, receiver         *session
	conn                     *conn // of the sender
	sent                     uint64
}

func startFar(t *testing.T) *far {
	t.Helper()
	address := StartNATS(t)
	f := &far{senderNode: startTestNode(t, address), receiverNode: startTestNode(t, address)}
	name := testRoom(1)
	f.sender, f.conn = testJoin(t, f.senderNode, name)
	f.receiver, _ = testJoin(t, f.receiverNode, name)
	eventually(t, "both nodes know both members", func() bool {
		return members(f.senderNode, name) == 2 && members(f.receiverNode, name) == 2
	})
	return f
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}
	}
}

func members(n *node, name string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.rooms[name]; r != nil {
		return len(r.view)
	}
	return 0
}

func waiting(s *session) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}

// say relays one frame as the sender's reader does, without its pace.
func (f *far) say() error {
	_, err := f.senderNode.relay(f.sender, f.conn, signal.Send{N: f.sent + 1, Seq: f.sent + 1, Body: []byte("x")}, nil)
	if err == nil {
		f.sent++
	}
	return err
}

// burst relays up to 64 frames, of which the receiver takes one: it keeps up, but is slower.
func (f *far) burst() (err error) {
	for i := 0; i < 64 && err == nil; i++ {
		err = f.say()
	}
	f.receiver.mu.Lock()
	defer f.receiver.mu.Unlock()
	if len(f.receiver.waiting) > 0 {
		f.receiver.trim(f.receiver.base + 1)
	}
	return err
}

// fillUntilHeld sends until the receiver's node has the sender held.
func (f *far) fillUntilHeld(t *testing.T) {
	t.Helper()
	eventually(t, "the sender is held", func() bool { return errors.Is(f.burst(), errHeld) })
	if n := waiting(f.receiver); n < maxSent/2-64 {
		t.Fatalf("held with %d frames waiting", n)
	}
	f.senderNode.mu.Lock()
	defer f.senderNode.mu.Unlock()
	f.sender.slow[f.receiver.id] = time.Now().Add(time.Hour) // no timeout lets it go on
}

func (f *far) resumes(t *testing.T) {
	t.Helper()
	eventually(t, "the sender may go on", func() bool { return !errors.Is(f.say(), errHeld) })
}

// TestHoldAndGo has a receiver's node hold a sender of another node once half of the room is used, and let
// it go on when the receiver has taken what waited.
func TestHoldAndGo(t *testing.T) {
	t.Parallel()
	f := startFar(t)
	f.fillUntilHeld(t)
	if err := f.say(); !errors.Is(err, errHeld) {
		t.Fatalf("then: %v", err)
	}
	takeAll(f.receiver)
	f.receiverNode.resumeSenders(f.receiver)
	f.resumes(t)
}

// TestGoWhenTheReceiverEnds has the receiver end while it has a sender held. The sender does not wait for its return.
func TestGoWhenTheReceiverEnds(t *testing.T) {
	t.Parallel()
	f := startFar(t)
	f.fillUntilHeld(t)
	n, name := f.receiverNode, f.receiver.room
	n.mu.Lock()
	n.release(n.rooms[name], f.receiver) // as when it moves to another node: the room keeps its place
	n.mu.Unlock()
	f.resumes(t)
}

// TestFloodEndsTheSender has a sender at another node that does not wait. Its session ends, and the receiver has what
// came before, in order.
func TestFloodEndsTheSender(t *testing.T) {
	t.Parallel()
	f := startFar(t)
	eventually(t, "the flooding sender is put out", func() bool {
		f.senderNode.mu.Lock()
		clear(f.sender.slow) // it heeds no hold
		f.senderNode.mu.Unlock()
		_ = f.burst()
		f.sender.mu.Lock()
		defer f.sender.mu.Unlock()
		return f.sender.over
	})
	f.receiver.mu.Lock()
	defer f.receiver.mu.Unlock()
	if f.receiver.over {
		t.Fatal("the receiver's session ended")
	}
	if n := len(f.receiver.waiting); n > maxWaiting {
		t.Fatalf("%d frames wait", n)
	}
	count, last := 0, uint64(0)
	for _, e := range f.receiver.waiting {
		if e.kind != kindMessage {
			continue
		}
		frame, err := signal.Decode(fmt.Appendf(nil, "%s1%s", heads[e.kind], e.tail))
		m, ok := frame.(signal.Message)
		if err != nil || !ok || count > 0 && m.Seq != last+1 {
			t.Fatalf("after message %d comes %+v, %v", last, frame, err)
		}
		count, last = count+1, m.Seq
	}
	if count < maxSent/2 {
		t.Errorf("only %d messages wait", count)
	}
}
