package room

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/seal"
	"parley/signal/trust"
)

// mallory is a member that knows the code and the protocol's form, and says what it likes.
type mallory struct {
	t     *testing.T
	name  string
	keys  *seal.Keyring
	me    *identity.Identity
	room  string
	conn  *client.Client
	heard chan client.Event
}

func newMallory(t *testing.T, url string, keys signal.Keys, name string) *mallory {
	t.Helper()
	me := identity.New()
	m := &mallory{t: t, name: name, keys: seal.New(keys, me), me: me, room: keys.Room, heard: make(chan client.Event, 1000)}
	m.conn = client.New(client.Config{
		URLs: []string{url}, Keys: keys, Identity: me, Log: slog.New(slog.DiscardHandler),
		Events: func(ev client.Event) {
			select {
			case m.heard <- ev:
			default: // it does not listen
			}
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var g errgroup.Group
	g.Go(func() error { return m.conn.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Error("mallory:", err)
		}
	})
	return m
}

// meet greets everybody who is here and comes, and waits for n of them to greet in turn.
func (m *mallory) meet(n int) {
	m.t.Helper()
	for n > 0 {
		switch ev := m.next().(type) {
		case client.Connected:
			for _, id := range ev.Members {
				m.hello(id)
			}
		case client.Joined:
			m.hello(ev.ID)
		case client.Message:
			if opened, err := m.keys.Open(ev.From, ev.To, ev.Seq, ev.Body); err == nil && opened.Kind == seal.Hello {
				m.keys.Include(ev.From)
				m.toOne(ev.From, envelope{T: kindCard, Card: &card{Name: m.name, Present: true}})
				n--
			}
		}
	}
}

func (m *mallory) next() client.Event {
	m.t.Helper()
	select {
	case ev := <-m.heard:
		return ev
	case <-time.After(time.Minute):
		m.t.Fatalf("%s: nothing happens", m.name)
		return nil
	}
}

// asked waits until somebody asks for the history.
func (m *mallory) asked() signal.ID {
	m.t.Helper()
	for {
		if ev, ok := m.next().(client.Message); ok {
			opened, err := m.keys.Open(ev.From, ev.To, ev.Seq, ev.Body)
			if err != nil || opened.Kind != seal.One {
				continue
			}
			if e, err := parseEnvelope(opened.Kind, opened.Text); err == nil && e.T == kindAsk {
				return ev.From
			}
		}
	}
}

func (m *mallory) hello(to signal.ID) seal.Sealed {
	m.t.Helper()
	s, err := m.keys.Hello(to, envelope{T: kindHello, Present: true}.encode())
	m.put(s, err)
	return s
}

func (m *mallory) toOne(to signal.ID, e envelope) seal.Sealed {
	m.t.Helper()
	s, err := m.keys.One(to, e.encode())
	m.put(s, err)
	return s
}

func (m *mallory) put(s seal.Sealed, err error) {
	m.t.Helper()
	if err == nil {
		err = m.conn.Send(s.To, s.Seq, s.Body, func(error) {})
	}
	if err != nil {
		m.t.Error("mallory:", err)
	}
}

// toAll returns all that it sends: keys for those who lack them, and then the message.
func (m *mallory) toAll(e envelope) []seal.Sealed {
	m.t.Helper()
	keys, all, err := m.keys.All(e.encode())
	for _, key := range keys {
		m.put(key, nil)
	}
	m.put(all, err)
	return append(keys, all)
}

// sign signs a chat as its author.
func (m *mallory) sign(x chat) chat {
	x.From = m.me.ID()
	x.Sig = x.statement(m.room).Sign(m.me)
	return x
}

// theService makes a member believe that the service has said something. What it sends has to be sealed; the rest is its own.
func (p *person) theService(events ...client.Event) {
	for _, ev := range events {
		p.onEvent(ev)
	}
}

func from(id signal.ID, s seal.Sealed) client.Message {
	return client.Message{From: id, To: s.To, Seq: s.Seq, Body: s.Body}
}

// TestHostileService lets the service replay what Ada said, and bring in people of its own.
func TestHostileService(t *testing.T) {
	url, keys := rendezvous(t), signal.Derive(signal.NewCode())
	bo := enter(t, url, keys, "Bo", true)
	bo.waitFor(t, "connected", func(s State) bool { return s.Link == Connected })
	ada := newMallory(t, url, keys, "Ada")
	ada.meet(1)
	id, boID := ada.me.ID(), bo.cfg.Me.ID
	said := ada.sign(chat{ID: "1", Text: "attack at dawn", At: 1, N: 1})
	sent := ada.toAll(envelope{T: kindChat, Chat: &said})
	call := ada.toOne(boID, envelope{T: kindCall, Call: []byte(`{"conn":"x"}`)})
	hello := ada.hello(boID)
	bo.waitFor(t, "heard Ada", func(s State) bool { return len(s.Chat) == 1 && bo.called() == 1 && s.Members[0].Name == "Ada" })

	// With the code, but as somebody of its own.
	relay := identity.New()
	ring := seal.New(keys, relay)
	stranger := identity.New()
	// Without the code.
	outside := seal.New(signal.Derive(signal.NewCode()), relay)
	must := func(s seal.Sealed, err error) seal.Sealed {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	helloOf := func(k *seal.Keyring, e envelope) seal.Sealed { return must(k.Hello(boID, e.encode())) }
	present := envelope{T: kindHello, Present: true}
	forgedChat := envelope{T: kindChat, Chat: &chat{ID: "f", From: id, Text: "forged", N: 9, Sig: said.Sig}}
	for _, c := range []struct {
		name    string
		events  []client.Event
		refused uint64
	}{
		{"replays a key", []client.Event{from(id, sent[0])}, 1},
		{"replays a chat", []client.Event{from(id, sent[1])}, 1},
		{"replays an offer", []client.Event{from(id, call)}, 1},
		{"replays a hello", []client.Event{from(id, hello)}, 1},
		{"replays a hello after it said that Ada left", []client.Event{client.Left{ID: id, Back: true}, client.Joined{ID: id}, from(id, hello)}, 1},
		{"gives Ada's message as another's", []client.Event{client.Joined{ID: relay.ID()}, from(relay.ID(), call)}, 1},
		{"lets somebody in without the code", []client.Event{from(relay.ID(), helloOf(outside, present))}, 1},
		{"gives its own hello as Ada's", []client.Event{from(id, helloOf(ring, present))}, 1},
		{"gives its own hello as a stranger's", []client.Event{client.Joined{ID: stranger.ID()}, from(stranger.ID(), helloOf(ring, present))}, 1},
		{"somebody it has not named", []client.Event{from(identity.New().ID(), helloOf(ring, present))}, 1},
		{"chats under the code's seal", []client.Event{from(relay.ID(), helloOf(ring, forgedChat))}, 1},
		{"calls under the code's seal", []client.Event{from(relay.ID(), helloOf(ring, envelope{T: kindCall, Call: []byte(`{}`)}))}, 1},
		{"names itself under the code's seal", []client.Event{from(relay.ID(), helloOf(ring, envelope{T: kindCard, Card: &card{Name: "Ada"}}))}, 1},
	} {
		bo.mu.Lock()
		before := bo.state.Refused
		bo.mu.Unlock()
		bo.theService(c.events...)
		s := bo.waitFor(t, c.name+" and is refused", func(s State) bool { return s.Refused >= before+c.refused })
		if len(s.Members) != 1 || s.Members[0].Name != "Ada" || s.Members[0].ID != id || len(s.Chat) != 1 || bo.called() != 1 {
			t.Errorf("%s: members %+v, %q, %d calls", c.name, s.Members, texts(s), bo.called())
		}
	}

	// With the code and a hello of its own it becomes visible, and does not pass as Ada.
	bo.theService(from(relay.ID(), helloOf(ring, present)))
	s := bo.waitFor(t, "saw the relay", func(s State) bool { return len(s.Members) == 2 })
	if m, ok := s.Member(relay.ID()); !ok || m.Keys != relay.Public() || m.Name != "" {
		t.Errorf("the relay is %+v", m)
	}
}

// TestRelayWithTheCode lets a member take Ada's name. It gets a number.
func TestRelayWithTheCode(t *testing.T) {
	url, keys := rendezvous(t), signal.Derive(signal.NewCode())
	ada, bo := enter(t, url, keys, "Ada", true), enter(t, url, keys, "Bo", true)
	for _, p := range []*person{ada, bo} {
		p.waitFor(t, "met", func(s State) bool { return len(s.Present()) == 1 && s.Members[0].Name != "" })
	}
	relay := newMallory(t, url, keys, "Ada")
	relay.meet(2)
	s := bo.waitFor(t, "saw both", func(s State) bool {
		m, ok := s.Member(relay.me.ID())
		return ok && m.Name != ""
	})
	if m, _ := s.Member(relay.me.ID()); m.Name != "Ada (2)" {
		t.Errorf("the relay is called %q", m.Name)
	}
}

// TestForgedHistory lets the member whom a newcomer asks tell lies about one who has left.
func TestForgedHistory(t *testing.T) {
	url, keys := rendezvous(t), signal.Derive(signal.NewCode())
	mal := newMallory(t, url, keys, "Mallory")
	ada := identity.New()
	sign := func(by *identity.Identity, room string, x chat) told {
		x.From = by.ID()
		x.Sig = x.statement(room).Sign(by)
		return told{x, time.Now().UnixMilli(), x.N}
	}
	said := chat{ID: "1", Name: "Ada", Text: "attack at dawn", At: 7, N: 1}
	genuine := sign(ada, keys.Room, said)
	changed := func(change func(x *told)) told {
		x := genuine
		x.ID = "2"
		x = sign(ada, keys.Room, x.chat)
		change(&x)
		return x
	}
	asAda := func(x told) told { x.From = ada.ID(); return x }
	own := sign(mal.me, keys.Room, chat{ID: "9", Name: "Ada", Text: "I am Ada", At: 7, N: 9})
	list := []told{
		genuine,
		changed(func(x *told) { x.Text = "attack at noon" }),
		changed(func(x *told) { x.Name = "Bo" }),
		changed(func(x *told) { x.At++ }),
		changed(func(x *told) { x.N++ }),
		changed(func(x *told) { x.ID = "3" }),
		changed(func(x *told) { x.From = mal.me.ID() }),
		changed(func(x *told) { x.Sig = make([]byte, identity.SignatureBytes) }),
		sign(ada, "another room", chat{ID: "4", Name: "Ada", Text: "elsewhere", N: 2}),
		asAda(sign(mal.me, keys.Room, chat{ID: "5", Name: "Ada", Text: "forged", N: 2})),
		sign(identity.New(), keys.Room, chat{ID: "6", Name: "Nobody", Text: "without keys", N: 2}),
		own,
	}
	if _, ok := mal.next().(client.Connected); !ok {
		t.Fatal("Mallory is not connected") // Cy, who comes to an empty room, asks for no history
	}
	cy := enter(t, url, keys, "Cy", true)
	mal.meet(1)
	asked := mal.asked()
	mal.toOne(asked, envelope{T: kindHistory, History: list, Authors: []identity.Public{ada.Public(), mal.me.Public(), {}}})
	s := cy.waitFor(t, "refused the lies", func(s State) bool { return s.Refused == uint64(len(list)-2) })
	if got, want := texts(s), []string{"Ada: attack at dawn", "Ada (2): I am Ada"}; !slices.Equal(got, want) {
		t.Errorf("Cy reads %q, want %q", got, want)
	}
	// What is genuine is handed on as it was signed.
	dora := enter(t, url, keys, "Dora", true)
	mal.meet(1)
	s = dora.waitFor(t, "asked Cy after Mallory kept silent", func(s State) bool { return len(s.Chat) == 2 })
	if got := texts(s); !slices.Equal(got, texts(cy.now())) || s.Refused != 0 {
		t.Errorf("Dora reads %q and refuses %d", got, s.Refused)
	}
}

func (p *person) now() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// TestEarlyWordsAreAskedFor has Ada speak before she has Cy's hello. Cy cannot read it, and asks her for it.
func TestEarlyWordsAreAskedFor(t *testing.T) {
	url, keys := rendezvous(t), signal.Derive(signal.NewCode())
	bo := enter(t, url, keys, "Bo", true)
	bo.waitFor(t, "connected", func(s State) bool { return s.Link == Connected })
	ada := newMallory(t, url, keys, "Ada")
	ada.meet(1)
	cy := enter(t, url, keys, "Cy", true)
	cy.waitFor(t, "met Bo", func(s State) bool { return len(s.Present()) == 1 })
	early := ada.sign(chat{ID: "1", Name: "Ada", Text: "early", N: 1})
	ada.toAll(envelope{T: kindChat, Chat: &early})
	ada.meet(1)
	if asked := ada.asked(); asked != cy.cfg.Me.ID {
		t.Fatal("somebody else asks")
	}
	ada.toOne(cy.cfg.Me.ID, envelope{T: kindHistory, History: []told{{early, 0, 1}}, Authors: []identity.Public{ada.me.Public()}})
	s := cy.waitFor(t, "read it", func(s State) bool { return len(s.Chat) == 1 })
	if got := texts(s); !slices.Equal(got, []string{"Ada: early"}) {
		t.Errorf("%q", got)
	}
}

// TestDevices has people show the devices that vouch for them: to each member alone, and nobody with another's.
func TestDevices(t *testing.T) {
	device := func() *trust.Device {
		d, _, err := trust.Open(filepath.Join(t.TempDir(), "device.key"))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	url, keys := rendezvous(t), signal.Derive(signal.NewCode())
	adas := device()
	ada, bo := enter(t, url, keys, "Ada", true), enter(t, url, keys, "Bo", true)
	knows := func(p *person, id signal.ID, key trust.Key) {
		t.Helper()
		p.waitFor(t, "saw the device", func(s State) bool {
			m, ok := s.Member(id)
			return ok && m.Name != "" && m.Device == key
		})
	}
	knows(bo, ada.cfg.Me.ID, trust.Key{}) // by default it shows none
	ada.Show(adas)
	knows(bo, ada.cfg.Me.ID, adas.Key())
	ada.Do(SetName{"Ada L."})
	bo.waitFor(t, "heard the new name", func(s State) bool { return s.Members[0].Name == "Ada L." })
	knows(bo, ada.cfg.Me.ID, adas.Key()) // a card to all does not take it back
	cy := enter(t, url, keys, "Cy", true)
	knows(cy, ada.cfg.Me.ID, adas.Key())

	// Somebody else shows Ada's device, which vouched for Ada's keys, or in another room.
	mal := newMallory(t, url, keys, "Mallory")
	mal.meet(3)
	before := bo.now().Refused
	for _, v := range []trust.Voucher{
		adas.Vouch(keys.Room, ada.cfg.Identity.Public()),
		device().Vouch("another room", mal.me.Public()),
		{Key: adas.Key()},
	} {
		mal.toOne(bo.cfg.Me.ID, envelope{T: kindCard, Card: &card{Name: "Ada", Present: true, Device: &v}})
	}
	bo.waitFor(t, "refused the devices of others", func(s State) bool { return s.Refused == before+3 })
	knows(bo, mal.me.ID(), trust.Key{})
	// To all it is ignored, even if it is its own: then everybody in a room, and whoever is added to it, could collect it.
	own := device().Vouch(keys.Room, mal.me.Public())
	mal.toAll(envelope{T: kindCard, Card: &card{Name: "Mal", Present: true, Device: &own}})
	bo.waitFor(t, "heard the new name", func(s State) bool { m, _ := s.Member(mal.me.ID()); return m.Name == "Mal" })
	knows(bo, mal.me.ID(), trust.Key{})
}
