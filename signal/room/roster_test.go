package room

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/roster"
	"parley/signal/seal"
)

// creator draws an owner's key, and returns what its holder's room and the others' know of it.
func creator(t *testing.T) (owner, other func(*Config)) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other = func(c *Config) { c.Owner = roster.Fingerprint(pub) }
	return func(c *Config) { other(c); c.OwnerKey = key }, other
}

func (p *person) id() signal.ID { return p.cfg.Me.ID }

func (p *person) host(kind roster.Kind, target signal.ID, on bool) {
	p.Do(Host{roster.Action{Kind: kind, Target: target, On: on}})
}

// noticed waits for a notice.
func (p *person) noticed(t *testing.T, what string, ok func(Notice) bool) Notice {
	t.Helper()
	var found Notice
	p.waitFor(t, what, func(State) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		i := slices.IndexFunc(p.notices, ok)
		if i >= 0 {
			found = p.notices[i]
		}
		return i >= 0
	})
	return found
}

func namesOf(members []Member) string {
	var names []string
	for _, m := range members {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func sees(names string) func(State) bool {
	return func(s State) bool { return namesOf(s.Present()) == names }
}

// TestWaitingRoom: who waits gets nothing until a host admits them, and after a removal nothing more.
func TestWaitingRoom(t *testing.T) {
	url, keys := rendezvous(t), signal.Derive(signal.NewCode())
	owner, other := creator(t)
	ada := enter(t, url, keys, "Ada", true, owner)
	ada.waitFor(t, "the owner", func(s State) bool { return s.Me.Role == roster.Owner })
	ben := enter(t, url, keys, "Ben", true, other)
	ben.waitFor(t, "meeting Ada", func(s State) bool { return sees("Ada")(s) && s.Members[0].Role == roster.Owner })
	ada.host(roster.SetWaiting, "", true)
	ben.waitFor(t, "behind the door", func(s State) bool { return s.Policy.Waiting && s.Standing == roster.In })

	cem := enter(t, url, keys, "Cem", false, other)
	cem.waitFor(t, "waiting", func(s State) bool { return s.Standing == roster.Waiting })
	if s := ada.waitFor(t, "calm", func(s State) bool { return sees("Ben")(s) }); len(s.Knocking) > 0 {
		t.Error("somebody in the lobby knocks")
	}
	ben.Do(Say{Text: "secret"})
	ada.waitFor(t, "told", func(s State) bool { return len(s.Chat) == 1 })
	cem.Do(Enter{})
	ada.waitFor(t, "hearing a knock", func(s State) bool { return namesOf(s.Knocking) == "Cem" })
	cem.Do(SetName{Name: "Cem Ak"})
	ada.waitFor(t, "hearing the new name", func(s State) bool { return namesOf(s.Knocking) == "Cem Ak" })
	cem.Send(ben.id(), []byte(`"offer"`))
	ben.Send(cem.id(), []byte(`"offer"`))
	ada.Do(Say{Text: "more"})
	s := ben.waitFor(t, "told more", func(s State) bool { return len(s.Chat) == 2 })
	if len(s.Knocking) > 0 || !sees("Ada")(s) {
		t.Errorf("Ben, who is no host, sees %q knock and %q", namesOf(s.Knocking), namesOf(s.Members))
	}
	s = cem.waitFor(t, "waiting still", func(State) bool { return true })
	if len(s.Members) > 0 || len(s.Chat) > 0 || cem.called() > 0 || ben.called() > 0 {
		t.Errorf("who waits sees %q, %q", namesOf(s.Members), texts(s))
	}

	ada.host(roster.Admit, cem.id(), false)
	cem.waitFor(t, "let in, and told what was said", func(s State) bool { return sees("Ada Ben")(s) && len(s.Chat) == 2 })
	ben.waitFor(t, "meeting Cem", sees("Ada Cem Ak"))
	cem.Do(Say{Text: "thanks"})
	for _, p := range []*person{ada, ben} {
		p.waitFor(t, "thanked", func(s State) bool { return len(s.Chat) == 3 })
	}

	ada.host(roster.Remove, cem.id(), false)
	cem.noticed(t, "told of the removal", func(n Notice) bool { return n.What == roster.StandingChanged && n.By == ada.id() })
	cem.waitFor(t, "out", func(s State) bool { return s.Standing == roster.Removed && len(s.Members) == 0 })
	ben.waitFor(t, "without Cem", sees("Ada"))
	ben.Do(Say{Text: "alone again"})
	ada.waitFor(t, "told", func(s State) bool { return len(s.Chat) == 4 })
	cem.Do(Say{Text: "let me in"})
	cem.noticed(t, "told to be quiet", func(n Notice) bool { return n.What == roster.ActionRefused })
	if s := cem.waitFor(t, "out still", func(State) bool { return true }); len(s.Chat) != 3 {
		t.Errorf("who was removed reads on: %q", texts(s))
	}
}

func TestHostsActInARoom(t *testing.T) {
	url, keys := rendezvous(t), signal.Derive(signal.NewCode())
	owner, other := creator(t)
	ada := enter(t, url, keys, "Ada", true, owner)
	ben := enter(t, url, keys, "Ben", true, other)
	cem := enter(t, url, keys, "Cem", true, other)
	ada.waitFor(t, "the owner of three", func(s State) bool { return s.Me.Role == roster.Owner && sees("Ben Cem")(s) })
	ada.host(roster.MakeCoHost, ben.id(), false)
	ben.noticed(t, "a co-host", func(n Notice) bool { return n.What == roster.RoleChanged })
	ben.host(roster.Mute, cem.id(), false)
	if n := cem.noticed(t, "told to be quiet", func(n Notice) bool { return n.Order == roster.Mute }); n.By != ben.id() {
		t.Errorf("muted by %s", n.By)
	}
	cem.host(roster.Mute, ben.id(), false)
	if n := cem.noticed(t, "refused", func(n Notice) bool { return n.What == roster.ActionRefused }); !errors.Is(n.Err, roster.ErrNotHost) {
		t.Error(n.Err)
	}
	ben.host(roster.ReserveChat, "", true)
	cem.waitFor(t, "silenced", func(s State) bool { return s.Policy.Chat })
	ben.Do(Say{Text: "listen"})
	cem.waitFor(t, "listening", func(s State) bool { return len(s.Chat) == 1 })
	ada.host(roster.HandOver, cem.id(), false)
	cem.waitFor(t, "the owner", func(s State) bool { return s.Me.Role == roster.Owner })
	ada.waitFor(t, "a co-host", func(s State) bool { return s.Me.Role == roster.CoHost })
	ben.waitFor(t, "told", func(s State) bool {
		return slices.ContainsFunc(s.Members, func(m Member) bool { return m.ID == cem.id() && m.Role == roster.Owner })
	})
	cem.host(roster.EndForAll, "", false)
	for _, p := range []*person{ada, ben, cem} {
		p.waitFor(t, "out of a meeting that ended", func(s State) bool { return s.Standing == roster.Ended && len(s.Members) == 0 })
	}
}

// listen reads what is sent to Mallory for as long as it comes, and lists the kinds of what can be opened.
func (m *mallory) listen(until func(kinds []string) bool) []string {
	m.t.Helper()
	var kinds []string
	deadline := time.After(time.Minute)
	for !until(kinds) {
		select {
		case ev := <-m.heard:
			msg, ok := ev.(client.Message)
			if !ok {
				continue
			}
			opened, err := m.keys.Open(msg.From, msg.To, msg.Seq, msg.Body)
			if err != nil {
				continue
			}
			if opened.Kind == seal.Key {
				kinds = append(kinds, "key")
			} else if env, err := parseEnvelope(opened.Kind, opened.Text); err == nil {
				kinds = append(kinds, env.T)
			}
		case <-deadline:
			m.t.Fatalf("Mallory heard %v, and nothing more", kinds)
		}
	}
	return kinds
}

// one says something to one member.
func (m *mallory) one(to signal.ID, e envelope) {
	m.t.Helper()
	m.put(m.keys.One(to, e.encode()))
}

// TestWhoIsNotAdmitted has the link, says everything that a member could say, and forges what only hosts may.
func TestWhoIsNotAdmitted(t *testing.T) {
	url, keys := rendezvous(t), signal.Derive(signal.NewCode())
	owner, other := creator(t)
	ada := enter(t, url, keys, "Ada", true, owner)
	ada.waitFor(t, "the owner", func(s State) bool { return s.Me.Role == roster.Owner })
	ben := enter(t, url, keys, "Ben", true, other)
	ben.waitFor(t, "meeting Ada", sees("Ada"))
	ada.host(roster.SetWaiting, "", true)
	ben.waitFor(t, "behind the door", func(s State) bool { return s.Policy.Waiting })

	mal := newMallory(t, url, keys, "Mallory")
	mal.meet(2)
	pub := mal.me.Public()
	forged := &roster.Roster{
		Term: roster.Term{Root: roster.Key(pub.Sign), N: 1000, Owner: mal.me.ID()}, Epoch: 1, Seen: []uint64{0}, By: &pub,
	}
	said := mal.sign(chat{ID: "1", Name: "Ada", Text: "send money", N: 1})
	for _, id := range []signal.ID{ada.id(), ben.id()} {
		for _, e := range []envelope{
			{T: kindCard, Card: &card{Name: "Ada", Present: true}},
			{T: kindHistory, History: []told{{chat: said}}, Authors: []identity.Public{pub}},
			{T: kindAsk},
			{T: kindCall, Call: []byte(`"offer"`)},
			{T: kindOrder, Order: "mute"},
			{T: kindRoster, Roster: forged.Encode()},
			{T: kindRoster, Roster: []byte("rubbish")},
			{T: kindKnock, Card: &card{Name: "Ada"}},
		} {
			mal.one(id, e)
		}
	}
	mal.toAll(envelope{T: kindChat, Chat: &said})
	ada.waitFor(t, "hearing a knock", func(s State) bool { return len(s.Knocking) == 1 })
	if s := ada.waitFor(t, "calm", func(State) bool { return true }); s.Knocking[0].Name != "Ada (2)" {
		t.Errorf("Mallory knocks under the name of the host: %q", s.Knocking[0].Name)
	}
	ben.waitFor(t, "refusing", func(s State) bool { return s.Refused >= 3 }) // two rosters and a knock; the rest is ignored
	ben.Do(Say{Text: "who is that?"})
	ada.waitFor(t, "told", func(s State) bool { return len(s.Chat) == 1 })
	for _, p := range []*person{ada, ben} {
		s := p.waitFor(t, "undisturbed", func(State) bool { return true })
		if len(s.Members) != 1 || len(s.Chat) != 1 || s.Policy != (roster.Policy{Waiting: true}) || p.called() > 0 {
			t.Errorf("%s sees %q, %q", s.Me.Name, namesOf(s.Members), texts(s))
		}
		p.mu.Lock()
		for _, n := range p.notices {
			if n.Order != 0 {
				t.Errorf("%s obeys", s.Me.Name)
			}
		}
		p.mu.Unlock()
	}
	ada.host(roster.Deny, mal.me.ID(), false)
	removed := func(kinds []string) bool {
		n := 0
		for _, k := range kinds {
			if k == kindRoster {
				n++
			}
		}
		return n >= 3 // two with the hellos, of which meet took none, and the one that denies
	}
	for _, kind := range mal.listen(removed) {
		if kind != kindRoster && kind != kindHello {
			t.Errorf("who was not let in has read a %s", kind)
		}
	}
}

// TestCardBeforeTheRoster: an admitted member's card may come before the roster that admits them.
func TestCardBeforeTheRoster(t *testing.T) {
	owner, key := identity.New(), ed25519.NewKeyFromSeed(make([]byte, 32))
	us, them := identity.New(), identity.New()
	cfg := roster.Config{Room: strings.Repeat("A", 22), Owner: roster.Fingerprint(key[32:])}
	host := cfg
	host.Me, host.Key = owner, key
	h := roster.NewState(host)
	var made [][]byte
	act := func(ev roster.Event) {
		var effects []roster.Effect
		h, effects = roster.Next(h, ev)
		for _, e := range effects {
			if e, ok := e.(roster.Send); ok {
				made = append(made, e.Roster)
			}
		}
	}
	act(roster.Tick{})
	act(roster.Hello{Keys: us.Public()})
	act(roster.Act{Action: roster.Action{Kind: roster.SetWaiting, On: true}})
	act(roster.Hello{Keys: them.Public()})
	closed := made[len(made)-1]
	act(roster.Act{Action: roster.Action{Kind: roster.Admit, Target: them.ID()}})
	admits := made[len(made)-1]

	cfg.Me = us
	m := newModel(Member{ID: us.ID(), Name: "Us", Present: true}, cfg, [32]byte{})
	var effects []effect
	for _, ev := range []event{
		up{ids(owner.ID(), them.ID()), false},
		greeted{owner.ID(), owner.Public(), true, closed},
		greeted{them.ID(), them.Public(), true, nil},
		cardOf(them.ID(), card{Name: "Them", Present: true, Mic: true}),
		says(them.ID(), "1", "too early", 1),
	} {
		m, effects = next(m, ev, noon)
	}
	if s := m.state(); len(s.Members) != 1 || len(s.Chat) > 0 {
		t.Fatalf("who waits is here: %q, %q", namesOf(s.Members), texts(s))
	}
	m, effects = next(m, received{from: owner.ID(), env: envelope{T: kindRoster, Roster: admits}}, noon)
	if s := m.state(); namesOf(s.Present()) != " Them" || !s.Members[1].Mic {
		t.Errorf("who was admitted is shown as %+v", m.state().Members)
	}
	var kinds []string
	for _, e := range effects {
		switch e := e.(type) {
		case send:
			if e.to == them.ID() {
				kinds = append(kinds, e.env.T)
			}
		case include:
			kinds = append(kinds, "key")
		}
	}
	if got := strings.Join(kinds, " "); got != "roster key card" {
		t.Errorf("who was admitted gets %q", got)
	}
}
