package server_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/server"
)

// startTwoNodes runs two nodes that serve the same rooms.
func startTwoNodes(t testing.TB) (n1, n2 *node) {
	t.Helper()
	address := server.StartNATS(t)
	return startNode(t, server.Config{NATS: address}), startNode(t, server.Config{NATS: address})
}

func TestTwoNodes(t *testing.T) {
	t.Parallel()
	n1, n2 := startTwoNodes(t)
	name := room()
	a := startJoined(t, n1.url(), name)
	b := startMember(t, n2.url(), name, identity.New())
	if got := next[client.Connected](t, b); !slices.Equal(got.Members, []signal.ID{a.id}) {
		t.Fatalf("b on the second node sees %v", got.Members)
	}
	if got := next[client.Joined](t, a); got.ID != b.id {
		t.Fatalf("a was told of %s", got.ID)
	}
	a.say(t, "", "across")
	b.hears(t, a.id, "across")
	b.say(t, a.id, "and back")
	a.hears(t, b.id, "and back")

	twin := startMember(t, n2.url(), name, a.Identity)
	if err := twin.ends(t); !errors.Is(err, client.ErrReplaced) {
		t.Fatalf("a second connection with the count of the first ended with %v", err)
	}
	b.Close()
	if got := next[client.Left](t, a); got.ID != b.id {
		t.Fatalf("a was told that %s left", got.ID)
	}
}

// A member that comes back to another node brings its session along: whatever waited for it at
// the first node and whatever it had not got through yet.
func TestResumeAtAnotherNode(t *testing.T) {
	t.Parallel()
	n1, n2 := startTwoNodes(t)
	wire := startCutter(t, n1.addr())
	a, b := startPair(t, room(), n1.url(), wire.url())
	wire.cut(true)
	next[client.Disconnected](t, b)
	for _, text := range []string{"one", "two", "three"} {
		a.say(t, b.id, text)
	}
	wire.retarget(n2.addr())
	wire.cut(false)
	b.Kick()
	if got := next[client.Connected](t, b); !got.Resumed || !slices.Equal(got.Members, []signal.ID{a.id}) {
		t.Fatalf("at the second node b got %+v", got)
	}
	for _, text := range []string{"one", "two", "three"} {
		b.hears(t, a.id, text)
	}
	b.say(t, a.id, "from the second")
	a.hears(t, b.id, "from the second") // a was told of nothing between
	a.say(t, b.id, "to the second")
	b.hears(t, a.id, "to the second")
	wire.retarget(n1.addr())
	wire.cut(false)
	if got := next[client.Connected](t, b); !got.Resumed {
		t.Fatal("the way back was not resumed")
	}
	a.say(t, "", "home again")
	b.hears(t, a.id, "home again")
}

// While members hop between two nodes at every cut, nothing is lost, doubled or out of order.
func TestNothingIsLostBetweenNodes(t *testing.T) {
	t.Parallel()
	address := server.StartNATS(t)
	nodes := []*node{
		startNode(t, server.Config{NATS: address, Rate: 100_000, Burst: 100_000}),
		startNode(t, server.Config{NATS: address, Rate: 100_000, Burst: 100_000}),
	}
	name := room()
	var members [2]*member
	var wires [2]*cutter
	for i := range members {
		hop := i
		wires[i] = startCutter(t, nodes[i].addr(), func(c *cutter) {
			c.budget = func() int64 {
				hop++
				c.retarget(nodes[hop%2].addr())
				return 60_000
			}
		})
		members[i] = startMember(t, wires[i].url(), name, identity.New())
	}
	next[client.Connected](t, members[0])
	next[client.Connected](t, members[1])
	exchange(t, members, 1000)
	for i, w := range wires {
		w.mu.Lock()
		t.Logf("member %d: %d hops", i, w.cuts)
		if w.cuts < 2 {
			t.Errorf("only %d hops: the test shows little", w.cuts)
		}
		w.mu.Unlock()
	}
}

// A node that stops sends its members to the others, and their sessions follow.
func TestGracefulStopHandsMembersOver(t *testing.T) {
	t.Parallel()
	n1, n2 := startTwoNodes(t)
	wire := startCutter(t, n1.addr())
	a, b := startPair(t, room(), n2.url(), wire.url())
	wire.retarget(n2.addr()) // as a load balancer would
	n1.stop()
	if got := next[client.Connected](t, b); !got.Resumed {
		t.Fatalf("b got %+v", got)
	}
	a.say(t, b.id, "still there?")
	b.hears(t, a.id, "still there?")
	b.say(t, a.id, "yes")
	a.hears(t, b.id, "yes")
}

// A load balancer may send members to the node that stops until it has seen that it does. Their sessions follow all the same.
func TestStoppingNodeIsTriedAgain(t *testing.T) {
	t.Parallel()
	n1, n2 := startTwoNodes(t)
	wire := startCutter(t, n1.addr())
	_, b := startPair(t, room(), n2.url(), wire.url())
	stopped := make(chan struct{})
	go func() { defer close(stopped); n1.stop() }()
	for { // until the stopping node itself has refused b
		gone, ok := (<-b.events).(client.Disconnected)
		var f *client.Failure
		if ok && errors.As(gone.Err, &f) && f.Status == http.StatusServiceUnavailable {
			break
		}
	}
	wire.retarget(n2.addr())
	if got := next[client.Connected](t, b); !got.Resumed {
		t.Errorf("b got %+v", got)
	}
	<-stopped
}

// When a node dies, its members come back at another one, and those there do not see them leave.
func TestMembersOfADeadNodeAreBack(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for heartbeats to be missed")
	}
	t.Parallel()
	for name, givenUp := range map[string]bool{"at once": false, "after the node has been given up": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := server.StartNATS(t)
			mortal := startNATSProxy(t, address)
			n1 := startNode(t, server.Config{NATS: address})
			n2 := startNode(t, server.Config{NATS: "nats://" + mortal.listener.Addr().String()})
			wire := startCutter(t, n2.addr())
			a, b := startPair(t, room(), n1.url(), wire.url())
			mortal.cut(true)
			wire.cut(true)
			if givenUp {
				for deadline := time.Now().Add(patience); !strings.Contains(metricsOf(t, n1), "parley_nodes 0"); {
					if time.Now().After(deadline) {
						t.Fatal("the node is not given up")
					}
					time.Sleep(20 * time.Millisecond)
				}
			}
			wire.retarget(n1.addr())
			wire.cut(false)
			b.Kick()
			if got := next[client.Connected](t, b); got.Resumed || !slices.Equal(got.Members, []signal.ID{a.id}) {
				t.Errorf("b got %+v", got)
			}
			if got := next[client.Left](t, a); got.ID != b.id || !got.Back {
				t.Errorf("a was told %+v", got)
			}
			if got := next[client.Joined](t, a); got.ID != b.id {
				t.Errorf("a was told of %s", got.ID)
			}
			a.say(t, b.id, "still there?")
			b.hears(t, a.id, "still there?")
		})
	}
}

// A node that dies takes with it the members who do not come back; the others are told within seconds.
func TestDeadNodeIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for heartbeats to be missed")
	}
	t.Parallel()
	address := server.StartNATS(t)
	mortal := startNATSProxy(t, address)
	n1 := startNode(t, server.Config{NATS: address})
	n2 := startNode(t, server.Config{NATS: "nats://" + mortal.listener.Addr().String()})
	a, b := startPair(t, room(), n1.url(), n2.url())
	mortal.cut(true)
	if got := next[client.Left](t, a); got.ID != b.id || got.Back {
		t.Fatalf("a was told %+v", got)
	}
	mortal.cut(false) // the partition heals: both are told of each other again
	if got := next[client.Joined](t, a); got.ID != b.id {
		t.Fatalf("a was told of %s", got.ID)
	}
	deadline := time.Now().Add(patience)
	for b.seq[a.id] == 0 || len(a.events) == 0 {
		b.say(t, a.id, "healed")
		if time.Now().After(deadline) {
			t.Fatal("nothing gets through after the partition")
		}
	}
	a.hears(t, b.id, "healed")
}

func startNATSProxy(t testing.TB, address string) *cutter {
	return startCutter(t, address[len("nats://"):])
}

// Two nodes that cannot hear each other both take a member in, who has proved to both who it is. When they hear each other
// again, the newer connection stays, wherever it is and whichever membership is older; before, the older membership stayed,
// and the member, whose newer connection was refused, gave up.
func TestNewerConnectionStays(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for heartbeats to be missed")
	}
	t.Parallel()
	for what, counts := range map[string][2]uint64{"the later one": {1, 2}, "the earlier one": {2, 1}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			address := server.StartNATS(t)
			mortal := startNATSProxy(t, address)
			n1 := startNode(t, server.Config{NATS: address})
			n2 := startNode(t, server.Config{NATS: "nats://" + mortal.listener.Addr().String()})
			name, who := room(), identity.New()
			mortal.cut(true)
			for _, n := range []*node{n1, n2} {
				awaitMetric(t, n, "parley_nodes 0\n")
			}
			var conns [2]*raw
			for i, n := range []*node{n1, n2} {
				conns[i] = dialRaw(t, n)
				conns[i].joinAs(name, who, counts[i], "")
				hear[signal.Welcome](conns[i])
			}
			mortal.cut(false)
			older, newer := conns[0], conns[1]
			if counts[0] > counts[1] {
				older, newer = newer, older
			}
			if got := hear[signal.Error](older); got.Code != signal.CodeReplaced {
				t.Errorf("the older connection got %+v", got)
			}
			for _, n := range []*node{n1, n2} { // both know where the member is
				startJoined(t, n.url(), name).say(t, who.ID(), "still there?")
				if got := hear[signal.Message](newer); string(got.Body) != "still there?" {
					t.Errorf("the newer connection heard %q", got.Body)
				}
			}
		})
	}
}
