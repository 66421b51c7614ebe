package server_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/server"
)

func TestMembersMeetAndTalk(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	name := room()
	a := startMember(t, n.url(), name, identity.New())
	if got := next[client.Connected](t, a); len(got.Members) != 0 || got.Resumed {
		t.Fatalf("first in the room got %+v", got)
	}
	b := startMember(t, n.url(), name, identity.New())
	if got := next[client.Connected](t, b); !slices.Equal(got.Members, []signal.ID{a.id}) {
		t.Fatalf("second in the room got %+v, want %s", got, a.id)
	}
	if got := next[client.Joined](t, a); got.ID != b.id {
		t.Fatalf("a was told of %s", got.ID)
	}
	c := startMember(t, n.url(), name, identity.New())
	if got := next[client.Connected](t, c); !slices.Equal(got.Members, []signal.ID{a.id, b.id}) {
		t.Fatalf("members not in order of arrival: %v", got.Members)
	}
	next[client.Joined](t, a)
	next[client.Joined](t, b)
	a.say(t, "", "to all")
	b.hears(t, a.id, "to all")
	c.hears(t, a.id, "to all")
	c.say(t, a.id, "to one")
	b.say(t, a.id, "after it")
	a.hears(t, c.id, "to one")
	a.hears(t, b.id, "after it")
	b.say(t, "", "b heard nothing between") // b has not got what was for a
	c.hears(t, b.id, "b heard nothing between")

	c.Close()
	if err := c.ends(t); err != nil {
		t.Fatalf("run after close: %v", err)
	}
	next[client.Message](t, a)
	if got := next[client.Left](t, a); got.ID != c.id {
		t.Fatalf("a was told that %s left", got.ID)
	}
	if err := c.Send("", 9, []byte("x"), nil); !errors.Is(err, client.ErrClosed) {
		t.Fatalf("send after close: %v", err)
	}
	b.stop() // the context's end leaves at once, too
	if got := next[client.Left](t, a); got.ID != b.id {
		t.Fatalf("a was told that %s left", got.ID)
	}
}

func TestRoomsAreApart(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	a := startJoined(t, n.url(), room())
	b := startMember(t, n.url(), room(), identity.New())
	if got := next[client.Connected](t, b); len(got.Members) != 0 {
		t.Fatalf("a stranger sees %v", got.Members)
	}
	b.say(t, "", "x")
	b.say(t, a.id, "y")
	startJoined(t, n.url(), room())
	select {
	case ev := <-a.events:
		t.Fatalf("a got %+v from another room", ev)
	default:
	}
}

func TestSecondWithOneIdentityIsRefused(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	name, id := room(), identity.New()
	a := startMember(t, n.url(), name, id)
	next[client.Connected](t, a)
	b := startMember(t, n.url(), name, id)
	if err := b.ends(t); !errors.Is(err, client.ErrReplaced) {
		t.Fatalf("second join: %v", err)
	}
	a.say(t, "", "still here")
}

func TestFullRoom(t *testing.T) {
	n := startNode(t, server.Config{})
	name := room()
	for range signal.MaxMembers {
		startJoined(t, n.url(), name)
	}
	late := startMember(t, n.url(), name, identity.New())
	if err := late.ends(t); !errors.Is(err, client.ErrFull) {
		t.Fatalf("member %d: %v", signal.MaxMembers+1, err)
	}
}

// A cut connection resumes: the others notice nothing, and what was said meanwhile arrives.
func TestResume(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	wire := startCutter(t, n.addr())
	name := room()
	a, b := startPair(t, name, n.url(), wire.url())
	wire.cut(true)
	next[client.Disconnected](t, b)
	a.say(t, b.id, "while away")
	c := startMember(t, n.url(), name, identity.New())
	if got := next[client.Connected](t, c); !slices.Equal(got.Members, []signal.ID{a.id, b.id}) {
		t.Fatalf("while b is away the members are %v", got.Members)
	}
	next[client.Joined](t, a)
	wire.cut(false)
	b.Kick()
	if got := next[client.Connected](t, b); !got.Resumed || !slices.Equal(got.Members, []signal.ID{a.id}) {
		t.Fatalf("after the cut b got %+v", got)
	}
	// What a says and that c comes have no common order.
	var heard, told bool
	for range 2 {
		switch ev := next[client.Event](t, b).(type) {
		case client.Message:
			heard = ev.From == a.id && string(ev.Body) == "while away"
		case client.Joined:
			told = ev.ID == c.id
		}
	}
	if !heard || !told {
		t.Fatalf("what a said meanwhile arrived: %v; that c came: %v", heard, told)
	}
	b.say(t, a.id, "back")
	a.hears(t, b.id, "back") // nothing between: a was not told that b had gone
}

// 2000 messages each way over a network that cuts every connection at a random point: no loss,
// no duplicate, in order.
func TestNothingIsLostOverCuts(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{Rate: 100_000, Burst: 100_000})
	name := room()
	var wires [2]*cutter
	var members [2]*member
	for i := range members {
		wires[i] = startCutter(t, n.addr(), func(c *cutter) {
			c.budget = func() int64 { return 20_000 + rand.Int64N(200_000) }
		})
		members[i] = startMember(t, wires[i].url(), name, identity.New())
	}
	next[client.Connected](t, members[0])
	next[client.Connected](t, members[1])
	exchange(t, members, 2000)
	cuts := 0
	for _, w := range wires {
		w.mu.Lock()
		cuts += w.cuts
		w.mu.Unlock()
	}
	t.Logf("%d cuts", cuts)
	if cuts < 4 {
		t.Errorf("only %d cuts: the test shows little", cuts)
	}
}

// exchange sends count messages each way and checks what arrives, one by one.
func exchange(t *testing.T, members [2]*member, count int) {
	t.Helper()
	var wg sync.WaitGroup
	for i, m := range members {
		other := members[1-i]
		wg.Go(func() { sendAll(t, m, other.id, count) })
		wg.Go(func() {
			for want := 1; want <= count; {
				switch ev := (<-m.events).(type) {
				case client.Message:
					if ev.Seq != uint64(want) || ev.From != other.id || string(ev.Body) != fmt.Sprintf("message %d", want) {
						t.Errorf("got message %d %q, want %d", ev.Seq, ev.Body, want)
						return
					}
					want++
				case client.Connected:
					if !ev.Resumed {
						t.Error("a cut was not resumed")
						return
					}
				case client.Left:
					t.Error("a cut was shown to the others")
					return
				}
			}
		})
	}
	wg.Wait()
}

// sendAll sends count messages, waiting whenever too much is on its way.
func sendAll(t *testing.T, m *member, to signal.ID, count int) {
	slots := make(chan struct{}, 256) // on their way
	for seq := 1; seq <= count; seq++ {
		slots <- struct{}{}
		err := m.Send(to, uint64(seq), fmt.Appendf(nil, "message %d", seq), func(err error) {
			if err != nil {
				t.Errorf("send: %v", err)
			}
			<-slots
		})
		if err != nil {
			t.Errorf("send: %v", err)
			return
		}
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
}

// A node that restarts knows nobody: members join afresh under their IDs, and what was not
// acknowledged is sent again.
func TestServerRestart(t *testing.T) {
	t.Parallel()
	first := startNode(t, server.Config{})
	wire, wireB := startCutter(t, first.addr()), startCutter(t, first.addr())
	a, b := startPair(t, room(), wire.url(), wireB.url())
	wire.cut(true)
	wireB.cut(true)
	next[client.Disconnected](t, a)
	next[client.Disconnected](t, b)
	acked := make(chan error, 1)
	if err := a.Send(b.id, 1, []byte("kept"), func(err error) { acked <- err }); err != nil {
		t.Fatal(err)
	}
	first.stop()
	second := startNode(t, server.Config{})
	wire.retarget(second.addr())
	wireB.retarget(second.addr())
	wireB.cut(false) // b first: who is back sees who comes back
	b.Kick()
	if got := next[client.Connected](t, b); got.Resumed || len(got.Members) != 0 {
		t.Fatalf("after a restart b got %+v", got)
	}
	wire.cut(false)
	a.Kick()
	if got := next[client.Connected](t, a); got.Resumed || !slices.Equal(got.Members, []signal.ID{b.id}) {
		t.Fatalf("after a restart a got %+v", got)
	}
	if err := <-acked; err != nil {
		t.Fatal(err)
	}
	next[client.Joined](t, b)
	b.hears(t, a.id, "kept")
}

func TestMemberThatStaysAwayLeaves(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the resume window")
	}
	t.Parallel()
	n := startNode(t, server.Config{})
	wire := startCutter(t, n.addr())
	a, b := startPair(t, room(), n.url(), wire.url())
	wire.cut(true)
	deadline := time.After(3 * signal.ResumeWindow)
	select {
	case ev := <-a.events:
		if _, ok := ev.(client.Left); !ok {
			t.Fatalf("a got %T", ev)
		}
	case <-deadline:
		t.Fatal("b never leaves")
	}
	wire.cut(false)
	b.Kick()
	if got := next[client.Connected](t, b); got.Resumed {
		t.Fatal("resumed after the window")
	}
	next[client.Joined](t, a)
}

// Kick replaces a connection that still works, as after a change of network, and loses nothing.
func TestKickResumesAtOnce(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	a, b := startPair(t, room(), n.url(), n.url())
	for round := range 5 {
		b.Kick()
		a.say(t, b.id, fmt.Sprint("round ", round))
		for resumed, heard := false, false; !resumed || !heard; {
			select {
			case ev := <-b.events:
				switch ev := ev.(type) {
				case client.Connected:
					resumed = true
					if !ev.Resumed {
						t.Fatal("not resumed")
					}
				case client.Message:
					heard = true
				case client.Disconnected:
					if ev.Retry != 0 {
						t.Errorf("waits %v after a kick", ev.Retry)
					}
				default:
					t.Fatalf("b got %T", ev)
				}
			case <-time.After(patience):
				t.Fatal("b does not come back")
			}
		}
	}
	b.say(t, a.id, "never away")
	a.hears(t, b.id, "never away")
}

func TestCloseFlushes(t *testing.T) {
	n := startNode(t, server.Config{})
	a, b := startPair(t, room(), n.url(), n.url())
	const count = 200
	acked := make(chan error, count)
	for seq := range uint64(count) {
		if err := b.Send(a.id, seq+1, []byte("x"), func(err error) { acked <- err }); err != nil {
			t.Fatal(err)
		}
	}
	b.Close()
	if err := b.ends(t); err != nil {
		t.Fatal(err)
	}
	for want := range uint64(count) {
		if err := <-acked; err != nil {
			t.Fatalf("send: %v", err)
		}
		if got := next[client.Message](t, a); got.Seq != want+1 {
			t.Fatalf("got %d, want %d", got.Seq, want+1)
		}
	}
	next[client.Left](t, a)
}
