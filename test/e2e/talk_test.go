package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/signal"
	"parley/signal/identity"
	"parley/signal/room"
	"parley/test/harness"
)

// talk is a meeting whose members say numbers, one after the other.
type talk struct {
	t       *testing.T
	members []*talker
	tick    *time.Ticker
	pause   sync.Mutex // held while nobody may speak
}

type talker struct {
	*room.Room
	name string

	mu    sync.Mutex
	said  int
	state room.State
}

// startTalk has three members meet at a rendezvous. Each says a number every 600 ms: a member may say two a second.
func startTalk(t *testing.T, server string) *talk {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	k := &talk{t: t, tick: time.NewTicker(600 * time.Millisecond)}
	keys := signal.Derive(signal.NewCode())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	for _, name := range []string{"Dora", "Eli", "Finn"} {
		m := &talker{name: name}
		m.Room = room.New(room.Config{
			URLs: []string{strings.Replace(server, "http", "ws", 1) + signal.SocketPath}, Keys: keys,
			Identity: identity.New(), Me: room.Member{Name: name, Present: true}, Call: func(signal.ID, []byte) {},
			Changed: func(s room.State) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.state = s
			},
			Log: slog.New(slog.DiscardHandler),
		})
		running.Go(func() {
			if err := m.Run(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		k.members = append(k.members, m)
		harness.AwaitTrue(t, name+" meets the others", func() bool { return len(m.now().Present()) == len(k.members)-1 }, func() string { return "" })
	}
	running.Go(func() {
		defer k.tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-k.tick.C:
				k.say()
			}
		}
	})
	return k
}

func (m *talker) now() room.State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state
}

// say has each member say its next number.
func (k *talk) say() {
	k.pause.Lock()
	defer k.pause.Unlock()
	for _, m := range k.members {
		m.mu.Lock()
		m.said++
		m.Do(room.Say{Text: fmt.Sprint(m.said)})
		m.mu.Unlock()
	}
}

// during has the members say 15 numbers quickly, and calls f in the midst of them.
func (k *talk) during(f func()) {
	for i := range 15 {
		if i == 7 {
			f()
		}
		k.say()
		time.Sleep(10 * time.Millisecond) // the pace of what is said
	}
}

// isWhole waits until each member has what everybody has said so far, and checks that it is there once and in order. Nobody
// says anything meanwhile, or what was said first would be forgotten.
func (k *talk) isWhole(what string) {
	k.t.Helper()
	k.pause.Lock()
	defer k.pause.Unlock()
	var said []int
	for _, m := range k.members {
		m.mu.Lock()
		said = append(said, m.said)
		m.mu.Unlock()
	}
	heard := func(m *talker, from string) (texts []string) {
		for _, c := range m.now().Chat {
			if c.Name == from && c.Status == room.Delivered {
				texts = append(texts, c.Text)
			}
		}
		return texts
	}
	all := 0
	for _, m := range k.members {
		for i, from := range k.members {
			want := make([]string, said[i])
			for n := range want {
				want[n] = fmt.Sprint(n + 1)
			}
			harness.AwaitTrue(k.t, fmt.Sprintf("%s: %s has heard %d of %s", what, m.name, said[i], from.name), func() bool {
				got := heard(m, from.name)
				return len(got) >= len(want) && slices.Equal(got[:len(want)], want)
			}, func() string { return differs(want, heard(m, from.name)) })
			all += len(want)
		}
	}
	k.t.Logf("%s: %d messages, none lost", what, all)
}

// differs says what is missing, comes twice or is out of order.
func differs(want, got []string) string {
	var missing []string
	for _, w := range want {
		if !slices.Contains(got, w) {
			missing = append(missing, w)
		}
	}
	for i, g := range got {
		if i < len(want) && len(missing) == 0 && g != want[i] {
			return fmt.Sprintf("%q where %q belongs", g, want[i])
		}
	}
	return fmt.Sprintf("missing: %q", missing)
}
