package room

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"parley/signal"
	"parley/signal/identity"
	"parley/signal/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rendezvous starts a real service and returns its WebSocket address.
func rendezvous(t *testing.T) string {
	t.Helper()
	srv, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	h := httptest.NewServer(srv)
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("server:", err)
		}
		h.Close()
	})
	return "ws" + strings.TrimPrefix(h.URL, "http") + signal.SocketPath
}

// person is a room and its newest state.
type person struct {
	*Room
	mu    sync.Mutex
	state State
	calls []string
	moved chan struct{}

	notices []Notice
}

func enter(t *testing.T, url string, keys signal.Keys, name string, present bool, options ...func(*Config)) *person {
	t.Helper()
	p := &person{moved: make(chan struct{}, 1)}
	poke := func() {
		select {
		case p.moved <- struct{}{}:
		default:
		}
	}
	cfg := Config{
		URLs: []string{url}, Keys: keys, Identity: identity.New(), Me: Member{Name: name, Present: present},
		Changed: func(s State) {
			p.mu.Lock()
			p.state = s
			p.mu.Unlock()
			poke()
		},
		Call: func(from signal.ID, payload []byte) {
			p.mu.Lock()
			p.calls = append(p.calls, string(payload))
			p.mu.Unlock()
			poke()
		},
		Noticed: func(n Notice) {
			p.mu.Lock()
			p.notices = append(p.notices, n)
			p.mu.Unlock()
			poke()
		},
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	for _, option := range options {
		option(&cfg)
	}
	p.Room = New(cfg)
	var g errgroup.Group
	ctx, cancel := context.WithCancel(context.Background())
	g.Go(func() error { return p.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(name, err)
		}
	})
	return p
}

// waitFor waits until the person's state satisfies ok.
func (p *person) waitFor(t *testing.T, what string, ok func(State) bool) State {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		p.mu.Lock()
		s := p.state
		p.mu.Unlock()
		if ok(s) {
			return s
		}
		select {
		case <-p.moved:
		case <-deadline:
			t.Fatalf("%s: never %s; sees %q, standing %d, chat %q", s.Me.Name, what, namesOf(s.Present()), s.Standing, texts(s))
		}
	}
}

func (p *person) called() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

func texts(s State) []string {
	var out []string
	for _, m := range s.Chat {
		out = append(out, m.Name+": "+m.Text)
	}
	return out
}

func TestMeetAndTalk(t *testing.T) {
	url, keys := rendezvous(t), signal.Derive(signal.NewCode())
	ada := enter(t, url, keys, "Ada", true)
	ada.waitFor(t, "connected", func(s State) bool { return s.Link == Connected })
	bo := enter(t, url, keys, "Bo", false)

	s := bo.waitFor(t, "saw Ada", func(s State) bool { return len(s.Present()) == 1 && s.Members[0].Name != "" })
	if m := s.Members[0]; m.Name != "Ada" || !m.Earlier {
		t.Errorf("Bo sees %+v, want Ada, here earlier", m)
	}
	s = ada.waitFor(t, "met Bo", func(s State) bool { return len(s.Members) == 1 })
	if len(s.Present()) != 0 {
		t.Error("Bo is still in the lobby, but Ada sees him in the meeting")
	}
	bo.Do(Enter{})
	s = ada.waitFor(t, "saw Bo come in", func(s State) bool { return len(s.Present()) == 1 })
	if s.Members[0].Earlier {
		t.Error("Bo came later, but Ada thinks he was here first")
	}

	ada.Do(Say{Text: "one"})
	bo.waitFor(t, "read one", func(s State) bool { return len(s.Chat) == 1 })
	bo.Do(Say{Text: "two"})
	ada.waitFor(t, "read two", func(s State) bool { return len(s.Chat) == 2 })
	ada.waitFor(t, "was told that one arrived", func(s State) bool { return s.Chat[0].Status == Delivered })

	// A newcomer reads the earlier messages in the same order.
	cy := enter(t, url, keys, "Cy", true)
	s = cy.waitFor(t, "read the history", func(s State) bool { return len(s.Chat) == 2 })
	if got, want := texts(s), []string{"Ada: one", "Bo: two"}; !slices.Equal(got, want) {
		t.Errorf("Cy reads %q, want %q", got, want)
	}

	ada.waitFor(t, "met Cy", func(s State) bool {
		return slices.ContainsFunc(s.Members, func(m Member) bool { return m.Name == "Cy" })
	})
	ada.Send(cy.cfg.Me.ID, []byte(`{"conn":"x"}`))
	cy.waitFor(t, "got the call message", func(State) bool { return cy.called() == 1 })
	if bo.called() != 0 {
		t.Error("a message to Cy reached Bo")
	}
	bo.Leave()
	ada.waitFor(t, "saw Bo go", func(s State) bool {
		return !slices.ContainsFunc(s.Members, func(m Member) bool { return m.Name == "Bo" })
	})
}

func TestLeaveBeforeRun(t *testing.T) {
	keys := signal.Derive(signal.NewCode())
	for range 20 { // the loop and the connection start in any order
		var last State
		r := New(Config{
			URLs: []string{"ws://127.0.0.1:1/ws"}, Keys: keys, Identity: identity.New(),
			Changed: func(s State) { last = s }, Call: func(signal.ID, []byte) {}, Log: slog.New(slog.DiscardHandler),
		})
		r.Do(Say{Text: "too late"})
		r.Leave()
		if err := r.Run(context.Background()); err != nil || last.Link != Closed || last.Err != nil {
			t.Fatalf("%v; link %s, %v", err, last.Link, last.Err)
		}
		if len(last.Chat) != 1 || last.Chat[0].Status != Failed {
			t.Fatalf("a message that nobody received is not marked as failed: %+v", last.Chat)
		}
	}
}

// A member that floods everybody cannot keep our messages from being sent.
func TestSpeakThroughAFlood(t *testing.T) {
	url, keys := rendezvous(t), signal.Derive(signal.NewCode())
	ada := enter(t, url, keys, "Ada", true)
	bo := enter(t, url, keys, "Bo", true)
	noisy := enter(t, url, keys, "Mallory", true)
	for _, p := range []*person{ada, bo, noisy} {
		p.waitFor(t, "met", func(s State) bool { return len(s.Present()) == 2 })
	}
	for range 900 {
		noisy.Send(ada.cfg.Me.ID, []byte(`{"noise":"noise"}`))
	}
	for range 20 {
		ada.Do(Say{Text: "x"})
	}
	bo.waitFor(t, "read all", func(s State) bool { return len(s.Chat) == 20 })
	ada.waitFor(t, "delivered all", func(s State) bool {
		return !slices.ContainsFunc(s.Chat, func(m Message) bool { return m.Status != Delivered })
	})
}

func TestFloodThroughTheService(t *testing.T) {
	url, keys := rendezvous(t), signal.Derive(signal.NewCode())
	ada := enter(t, url, keys, "Ada", true)
	bo := enter(t, url, keys, "Bo", true)
	for _, p := range []*person{ada, bo} {
		p.waitFor(t, "met", func(s State) bool { return len(s.Present()) == 1 })
	}
	for i := range 10 {
		bo.Do(Say{Text: fmt.Sprint(i)})
	}
	ada.waitFor(t, "read Bo", func(s State) bool { return len(s.Chat) == 10 })
	var flood []chat
	for i := range maxChat + 100 {
		flood = append(flood, chat{
			ID: fmt.Sprint("z", i), Name: "Bo", Text: "flood \u202ereversed", N: signal.MaxNumber - 1,
			At: time.Now().AddDate(10, 0, 0).UnixMilli(),
		})
	}
	start := time.Now()
	m := newMallory(t, url, keys, "Mallory")
	m.meet(2)
	for _, x := range flood {
		x = m.sign(x)
		m.toAll(envelope{T: kindChat, Chat: &x})
	}
	s := ada.waitFor(t, "refused most of it", func(s State) bool { return s.Refused > maxChat/2 })
	for i := range 10 {
		if s.Chat[i].Name != "Bo" || s.Chat[i].Text != fmt.Sprint(i) {
			t.Errorf("in place %d stands %q of %s", i, s.Chat[i].Text, s.Chat[i].Name)
		}
	}
	for _, m := range s.Chat[10:] {
		if m.Name != "Mallory" || strings.Contains(m.Text, "\u202e") || m.At.Before(start) || m.At.After(time.Now()) {
			t.Errorf("%q of %s at %s", m.Text, m.Name, m.At)
		}
	}
	bo.Do(Say{Text: "still here"})
	ada.waitFor(t, "read Bo again", func(s State) bool {
		return slices.ContainsFunc(s.Chat, func(m Message) bool { return m.Text == "still here" })
	})
}
