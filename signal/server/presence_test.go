package server

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"parley/signal"
)

// manyRooms is twice what a node's inbox holds.
const manyRooms = 30_000

func testRoom(i int) string { return fmt.Sprintf("%021dA", i) }

func startTestNode(t testing.TB, address string) *node {
	t.Helper()
	m := newMetrics()
	n := newNode(slog.New(slog.DiscardHandler), m, newLedger(manyRooms, 2*manyRooms))
	if err := n.start(context.Background(), address, Cluster{Key: make([]byte, minClusterKey)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.stop)
	return n
}

func testJoin(t testing.TB, n *node, room string) (*session, *conn) {
	t.Helper()
	addr := netip.AddrFrom4([4]byte{10, 0, byte(rand.Uint32()), byte(rand.Uint32())})
	v, why := n.ledger.arrive(addr)
	if why != "" {
		t.Fatal(why)
	}
	v.joined()
	c := &conn{visit: v, writing: true} // there is no socket to write to
	s, _, err := n.join(c, signal.Join{
		Try: 1, Version: signal.Version, Room: room, ID: signal.NewID(),
	}, 1e9, 1e9)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// With 30 000 rooms, every acknowledged message is put in line for its receiver while presence is
// repeated, whether its receiver is on the sender's node or on the one with the rooms. Repeated all at
// once, they filled that node's own inbox, and NATS dropped messages: 21 of 4000 in one run.
func TestPresenceOf30000RoomsLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("presence is repeated twice meanwhile")
	}
	address := StartNATS(t)
	n := startTestNode(t, address)
	for i := range manyRooms {
		testJoin(t, n, testRoom(i))
	}
	other := startTestNode(t, address) // has all rooms repeated to it
	name := testRoom(manyRooms)        // without the members above, who take nothing
	sender, c := testJoin(t, other, name)
	near, _ := testJoin(t, other, name)
	far, _ := testJoin(t, n, name)
	const count = 4000
	got := map[*session]int{}
	var a ahead
	end := time.Now().Add(2*repeatEvery + time.Second)
	for i := range uint64(count) {
		if err := other.pace(t.Context(), sender, 1); err != nil {
			t.Fatal(err)
		}
		if _, err := other.relay(sender, c, signal.Send{N: i + 1, Seq: i + 1, Body: []byte("x")}, nil); err != nil {
			t.Fatal(err)
		}
		other.awaitOtherNodes(t.Context(), sender, &a, 1)
		got[near] += takeAll(near)
		got[far] += takeAll(far)
		time.Sleep(time.Until(end) / time.Duration(count-i)) // over two periods
	}
	deadline := time.Now().Add(20 * time.Second)
	for what, s := range map[string]*session{"same": near, "other": far} {
		for got[s] < count {
			if time.Now().After(deadline) {
				t.Fatalf("the receiver on the %s node got %d of %d acknowledged messages", what, got[s], count)
			}
			time.Sleep(10 * time.Millisecond)
			got[s] += takeAll(s)
		}
	}
}

// takeAll acknowledges what waits for a member, and counts the messages in it.
func takeAll(s *session) (messages int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.waiting {
		if e.kind == kindMessage {
			messages++
		}
	}
	s.trim(s.base + uint64(len(s.waiting)))
	return messages
}
