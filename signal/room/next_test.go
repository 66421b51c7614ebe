package room

import (
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/signal"
	"parley/signal/identity"
	"parley/signal/roster"
	"parley/signal/seal"
)

// The people of these tables.
var (
	pad = strings.Repeat("A", 15)
	me  = signal.ID("A" + pad)
	ada = signal.ID("B" + pad)
	bo  = signal.ID("C" + pad)
	cy  = signal.ID("D" + pad)
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// play feeds events to a new room, one second apart, and returns the model and the effects
// of the last event.
func play(t *testing.T, events ...event) (model, []effect) {
	t.Helper()
	m := newModel(Member{ID: me, Name: "Me"}, roster.Config{Me: identity.FromSeeds([32]byte{1}, [32]byte{2})}, [32]byte{})
	var effects []effect
	now := noon
	for _, ev := range events {
		old, before := m, snapshot(m)
		m, effects = step(m, ev, now)
		if after := snapshot(old); before != after {
			t.Fatalf("%T changed the model it was given:\n%s\n%s", ev, before, after)
		}
		now = now.Add(time.Second)
	}
	return m, effects
}

// snapshot is all of a model as text; of one too long to print, nothing.
func snapshot(m model) string {
	if len(m.chat.messages) > 20 {
		return ""
	}
	return fmt.Sprintf("%+v", m)
}

// step is next, and takes met apart.
func step(m model, ev event, now time.Time) (model, []effect) {
	if ev, ok := ev.(met); ok {
		m, first := next(m, ev.hello, now)
		m, second := next(m, ev.card, now)
		return m, slices.Concat(first, second)
	}
	return next(m, ev, now)
}

// met is the hello of somebody in the meeting, and its card.
type met struct {
	hello greeted
	card  received
}

func hello(from signal.ID, name string) met {
	return met{greeted{from: from, present: true}, cardOf(from, card{Name: name, Present: true})}
}

func cardOf(from signal.ID, c card) received {
	return received{from: from, env: envelope{T: kindCard, Card: &c}}
}

func says(from signal.ID, id, text string, n uint64) received {
	return received{from: from, env: envelope{T: kindChat, Chat: &chat{ID: id, Name: "a lie", Text: text, N: n, Sig: signature}}}
}

// history tells of chats at the time and in the place that they claim.
func history(from signal.ID, items ...chat) received {
	e := envelope{T: kindHistory}
	for _, x := range items {
		x.Sig = signature
		e.History = append(e.History, told{x, x.At, x.N})
	}
	return received{from: from, env: e}
}

// signature stands for one that Run has checked: next does not look at it.
var signature = make([]byte, identity.SignatureBytes)

func ask(from signal.ID) received { return received{from: from, env: envelope{T: kindAsk}} }

func names(m model) string {
	var out []string
	for _, x := range m.presence.members {
		out = append(out, x.Name)
	}
	return strings.Join(out, " ")
}

func chats(m model) string {
	var out []string
	for _, c := range m.chat.messages {
		out = append(out, fmt.Sprintf("%s:%s:%d", c.Name, c.Text, c.Status))
	}
	return strings.Join(out, " ")
}

// brief writes effects in a few letters, in order.
func brief(effects []effect) string {
	var out []string
	for _, e := range effects {
		switch e := e.(type) {
		case send:
			to := "all"
			if e.to != "" {
				to = string(e.to[:1])
			}
			out = append(out, e.env.T+">"+to)
		case after:
			out = append(out, fmt.Sprintf("%T in %s", e.ev, e.wait))
		case include:
			out = append(out, "include "+string(e.id[:1]))
		case forget:
			out = append(out, "forget "+string(e.id[:1]))
		case deliver:
			out = append(out, fmt.Sprintf("deliver %s from %s", e.payload, e.from[:1]))
		default:
			out = append(out, fmt.Sprintf("%T", e))
		}
	}
	return strings.Join(out, ", ")
}

func ids(list ...signal.ID) []signal.ID { return list }

func TestMembers(t *testing.T) {
	lost := errors.New("lost")
	crowd := make([]signal.ID, signal.MaxMembers)
	for i := range crowd {
		crowd[i] = signal.NewID()
	}
	for name, c := range map[string]struct {
		events  []event
		members string
		effects string
	}{
		"alone":                            {[]event{up{}}, "", ""},
		"greets who is here":               {[]event{up{ids(ada, bo), false}}, "", "room.tick in 2s, hello>B, hello>C"},
		"greets who comes":                 {[]event{up{}, joined{ada}}, "", "hello>B"},
		"greets once":                      {[]event{up{}, joined{ada}, joined{ada}}, "", ""},
		"hello makes a member":             {[]event{up{}, joined{ada}, hello(ada, "Ada")}, "Ada", "include B"},
		"hello of a stranger":              {[]event{up{}, hello(ada, "Ada")}, "", ""},
		"a card before the hello":          {[]event{up{}, joined{ada}, cardOf(ada, card{Name: "Ada"})}, "", ""},
		"a card after it":                  {[]event{up{}, joined{ada}, hello(ada, "Ada"), cardOf(ada, card{Name: "Eve"})}, "Eve", ""},
		"nobody beyond the limit":          {append([]event{up{ids(crowd...), false}}, joined{ada}, hello(ada, "Ada")), "", ""},
		"in order of arrival":              {[]event{up{ids(ada, bo), false}, hello(bo, "Bo"), hello(ada, "Ada")}, "Ada Bo", "include B"},
		"leaves":                           {[]event{up{}, joined{ada}, hello(ada, "Ada"), left{id: ada}}, "", "forget B"},
		"leaves before the hello comes":    {[]event{up{}, joined{ada}, left{id: ada}, hello(ada, "Ada")}, "", ""},
		"comes back under the same id":     {[]event{up{}, joined{ada}, hello(ada, "Ada"), left{id: ada}, joined{ada}}, "", "hello>B"},
		"is back in a new session":         {[]event{up{}, joined{ada}, hello(ada, "Ada"), left{ada, true}}, "Ada", "room.expired in 20s, room.repeat in 2s"},
		"is back and joins":                {[]event{up{}, joined{ada}, hello(ada, "Ada"), left{ada, true}, joined{ada}}, "Ada", "hello>B"},
		"is said to be back and is not":    {[]event{up{}, joined{ada}, hello(ada, "Ada"), left{ada, true}, expired{1}}, "", "forget B"},
		"is back before the hello comes":   {[]event{up{}, joined{ada}, left{ada, true}, hello(ada, "Ada")}, "", ""},
		"is here again after it":           {[]event{up{}, joined{ada}, hello(ada, "Ada"), left{id: ada}, joined{ada}, hello(ada, "Ada")}, "Ada", "include B"},
		"stays while we are disconnected":  {[]event{up{ids(ada), false}, hello(ada, "Ada"), down{lost}}, "Ada", ""},
		"resumed greets nobody again":      {[]event{up{ids(ada), false}, hello(ada, "Ada"), down{lost}, up{ids(ada), true}}, "Ada", "room.expired in 20s"},
		"a restart greets everybody":       {[]event{up{ids(ada), false}, hello(ada, "Ada"), down{lost}, up{ids(ada), false}}, "Ada", "hello>B, room.expired in 20s, room.repeat in 2s"},
		"a restart keeps who is not back":  {[]event{up{ids(ada), false}, hello(ada, "Ada"), down{lost}, up{}}, "Ada", "room.expired in 20s, room.repeat in 2s"},
		"but not for ever":                 {[]event{up{ids(ada), false}, hello(ada, "Ada"), down{lost}, up{}, expired{2}}, "", "forget B"},
		"who is back is no ghost":          {[]event{up{ids(ada), false}, hello(ada, "Ada"), up{}, joined{ada}, expired{2}}, "Ada", ""},
		"an earlier deadline is void":      {[]event{up{ids(ada), false}, hello(ada, "Ada"), up{}, down{lost}, up{}, expired{2}}, "Ada", ""},
		"no deadline while disconnected":   {[]event{up{ids(ada), false}, hello(ada, "Ada"), up{}, down{lost}, expired{2}}, "Ada", ""},
		"left ends who is not back either": {[]event{up{ids(ada), false}, hello(ada, "Ada"), up{}, left{id: ada}}, "", "forget B"},
	} {
		t.Run(name, func(t *testing.T) {
			m, effects := play(t, c.events...)
			if names(m) != c.members {
				t.Errorf("members %q, want %q", names(m), c.members)
			}
			// The history is another table's matter but in the rows that say so.
			if got := brief(effects); got != c.effects && !strings.HasPrefix(got, "history?") {
				t.Errorf("effects %q, want %q", got, c.effects)
			}
		})
	}
}

func TestEarlierAndSince(t *testing.T) {
	m, _ := play(t, up{ids(ada), false}, joined{bo}, hello(ada, "Ada"), hello(bo, "Bo"))
	if a, _ := m.state().Member(ada); !a.Earlier {
		t.Error("Ada was here first and is not Earlier")
	}
	if b, _ := m.state().Member(bo); b.Earlier || !b.Since.Equal(noon.Add(3*time.Second)) {
		t.Errorf("Bo is Earlier (%v) or since %v", b.Earlier, b.Since)
	}
	m, _ = play(t, up{ids(ada), false}, hello(ada, "Ada"), left{id: ada}, joined{ada}, hello(ada, "Ada"))
	if a, _ := m.state().Member(ada); a.Earlier {
		t.Error("Ada came back later than us and is Earlier")
	}
	m, _ = play(t, up{}, joined{ada}, hello(ada, "Ada"), hello(ada, "Ada"))
	if a, _ := m.state().Member(ada); !a.Since.Equal(noon.Add(2 * time.Second)) {
		t.Errorf("a second hello moved Since to %v", a.Since)
	}
}

// A call begins with the hello: its sender is known to be in the meeting, and the card may take another trip.
func TestTheHelloIsEnoughForACall(t *testing.T) {
	m, _ := play(t, up{ids(ada), false}, greeted{from: ada, keys: identity.Public{DH: [32]byte{1}}, present: true})
	s := m.state()
	if len(s.Present()) != 1 || s.Members[0].ID != ada || s.Members[0].Keys.DH[0] != 1 || s.Members[0].Name != "" {
		t.Errorf("%+v", s.Members)
	}
	if _, effects := next(m, sendCall{ada, []byte(`{}`)}, noon); brief(effects) != "call>B" {
		t.Errorf("an offer: %q", brief(effects))
	}
	m, _ = play(t, up{ids(ada), false}, hello(ada, "Ada"), greeted{from: ada, present: true})
	if s := m.state(); s.Members[0].Name != "Ada" {
		t.Errorf("greeted once more, the name is %q", s.Members[0].Name)
	}
}

func TestLink(t *testing.T) {
	why := errors.New("lost")
	for _, c := range []struct {
		events []event
		link   Link
		err    error
	}{
		{[]event{refused{}}, Connecting, nil},
		{[]event{down{why}}, Reconnecting, why},
		{[]event{down{why}, up{}}, Connected, nil},
		{[]event{up{}, down{why}}, Reconnecting, why},
		{[]event{up{}, over{ErrFull}}, Closed, ErrFull},
	} {
		if m, _ := play(t, c.events...); m.link != c.link || m.err != c.err {
			t.Errorf("%T: link %s, %v; want %s, %v", c.events[len(c.events)-1], m.link, m.err, c.link, c.err)
		}
	}
	if m, _ := play(t, refused{}, refused{}); m.refused != 2 {
		t.Errorf("%d refused, want 2", m.refused)
	}
}

func TestOurCard(t *testing.T) {
	for name, c := range map[string]struct {
		events  []event
		me      Member
		effects string
	}{
		"enter":           {[]event{Enter{}}, Member{ID: me, Name: "Me", Present: true, Since: noon}, "card>all"},
		"enter twice":     {[]event{Enter{}, Enter{}}, Member{ID: me, Name: "Me", Present: true, Since: noon}, ""},
		"marks":           {[]event{SetMarks{Mic: true, Screen: true}}, Member{ID: me, Name: "Me", Mic: true, Screen: true}, "card>all"},
		"the same marks":  {[]event{SetMarks{Camera: true}, SetMarks{Camera: true}}, Member{ID: me, Name: "Me", Camera: true}, ""},
		"name":            {[]event{SetName{" A\u202eda\n X "}}, Member{ID: me, Name: "Ada X"}, "card>all"},
		"the same name":   {[]event{SetName{"Me"}}, Member{ID: me, Name: "Me"}, ""},
		"leave":           {[]event{leave{}}, Member{ID: me, Name: "Me"}, "room.hangUp"},
		"a call message":  {here(sendCall{ada, []byte(`{}`)}), Member{ID: me, Name: "Me"}, "call>B"},
		"to nobody here":  {[]event{joined{ada}, sendCall{ada, []byte(`{}`)}}, Member{ID: me, Name: "Me"}, ""},
		"name, too long":  {[]event{SetName{strings.Repeat("é", 80)}}, Member{ID: me, Name: strings.Repeat("é", MaxName)}, "card>all"},
		"hello has it":    {[]event{SetName{"Zoe"}, joined{ada}}, Member{ID: me, Name: "Zoe"}, "hello>B"},
		"unknown command": {[]event{struct{}{}}, Member{ID: me, Name: "Me"}, ""},
	} {
		m, effects := play(t, c.events...)
		if m.presence.me != c.me || brief(effects) != c.effects {
			t.Errorf("%s: %+v, %q; want %+v, %q", name, m.presence.me, brief(effects), c.me, c.effects)
		}
	}
	// The hello has nothing of it: the card follows the other's hello, to it alone.
	_, effects := play(t, SetName{"Zoe"}, Enter{}, SetMarks{Mic: true}, joined{ada})
	if got := effects[0].(send).env; got.Card != nil || !got.Present || brief(effects) != "hello>B" {
		t.Errorf("%q: the hello says %s", brief(effects), got.encode())
	}
	_, effects = play(t, SetName{"Zoe"}, Enter{}, SetMarks{Mic: true}, joined{ada}, greeted{from: ada})
	if brief(effects) != "include B, card>B" {
		t.Fatalf("%q", brief(effects))
	}
	want := &card{Name: "Zoe", Present: true, Mic: true}
	if got := effects[1].(send).env.Card; !reflect.DeepEqual(got, want) {
		t.Errorf("the card says %+v, want %+v", got, want)
	}
}

// TestLobbySaysNothing checks that the lobby reveals neither our name nor our devices to the others.
func TestLobbySaysNothing(t *testing.T) {
	for name, events := range map[string][]event{
		"somebody comes":  {SetName{"Zoe"}, SetMarks{Mic: true, Camera: true}, joined{ada}},
		"we come":         {SetMarks{Camera: true}, up{ids(ada), false}},
		"a name changes":  {up{ids(ada), false}, SetName{"Zoe"}},
		"somebody greets": {SetName{"Zoe"}, joined{ada}, greeted{from: ada}},
		"a device starts": {up{ids(ada), false}, SetMarks{Mic: true}},
	} {
		_, effects := play(t, events...)
		for _, e := range effects {
			if s, ok := e.(send); ok && (s.env.Present || s.env.Card != nil && *s.env.Card != (card{})) {
				t.Errorf("%s: the others are told %s, want nothing", name, s.env.encode())
			}
		}
	}
}

// here is a room in which Ada and Bo are present and the history has come.
func here(more ...event) []event {
	return append([]event{up{ids(ada, bo), false}, hello(ada, "Ada"), hello(bo, "Bo"), history(ada)}, more...)
}

func TestChat(t *testing.T) {
	for name, c := range map[string]struct {
		events  []event
		chat    string
		effects string
	}{
		"ours":                    {here(Say{"1", "hi"}), "Me:hi:0", "chat>all"},
		"ours, cleaned":           {here(Say{"1", " \x00hi\n\x1b "}), "Me:hi:0", "chat>all"},
		"nothing":                 {here(Say{"1", " \n\t "}), "", ""},
		"taken by the service":    {here(Say{"1", "hi"}, sent{"1"}), "Me:hi:1", ""},
		"not sent":                {here(Say{"1", "hi"}, unsent{"1"}), "Me:hi:2", ""},
		"sent again":              {here(Say{"1", "hi"}, unsent{"1"}, Resend{"1"}), "Me:hi:0", "chat>all"},
		"not while on its way":    {here(Say{"1", "hi"}, Resend{"1"}), "Me:hi:0", ""},
		"not when delivered":      {here(Say{"1", "hi"}, sent{"1"}, Resend{"1"}), "Me:hi:1", ""},
		"not what nobody said":    {here(Resend{"9"}), "", ""},
		"undelivered at the end":  {here(Say{"1", "a"}, sent{"1"}, Say{"2", "b"}, over{}), "Me:a:1 Me:b:2", ""},
		"theirs, by their name":   {here(says(ada, "1", "hi", 1)), "Ada:hi:1", ""},
		"theirs, twice":           {here(says(ada, "1", "hi", 1), says(ada, "1", "hi", 1)), "Ada:hi:1", ""},
		"of somebody not greeted": {here(joined{cy}, says(cy, "1", "hi", 1)), "", ""},
		"of somebody gone":        {here(left{id: ada}, says(ada, "1", "hi", 1)), "", ""},
		"by Lamport's clock":      {here(says(ada, "1", "late", 7), says(bo, "2", "soon", 3)), "Bo:soon:1 Ada:late:1", ""},
		"ours after all we saw":   {here(says(ada, "1", "seven", 7), Say{"2", "eight"}, says(bo, "3", "five", 5)), "Bo:five:1 Ada:seven:1 Me:eight:0", ""},
		"ties by id":              {here(says(ada, "2", "b", 1), says(bo, "1", "a", 1)), "Bo:a:1 Ada:b:1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, effects := play(t, c.events...)
			if chats(m) != c.chat {
				t.Errorf("chat %q, want %q", chats(m), c.chat)
			}
			if got := brief(effects); got != c.effects {
				t.Errorf("effects %q, want %q", got, c.effects)
			}
		})
	}
}

// A member that claims the last moment of Lamport's clock must not silence the others.
func TestLastMomentOfTheClock(t *testing.T) {
	last := uint64(signal.MaxNumber - 1)
	for name, events := range map[string][]event{
		"in chat":    here(says(ada, "1", "the end", last), Say{"2", "not yet"}),
		"in history": {up{ids(ada), false}, hello(ada, "Ada"), history(ada, chat{ID: "1", From: cy, Text: "x", N: last}), Say{"2", "not yet"}},
	} {
		m, effects := play(t, events...)
		e := effects[0].(send).env
		e.Chat.Sig = signature // Run signs it
		if _, err := parseEnvelope(seal.All, e.encode()); err != nil || e.Chat.N > maxClock+maxAhead {
			t.Errorf("%s: what we say after it is refused by the others: %s", name, e.encode())
		}
		if n := len(m.chat.messages); n != 2 || m.chat.messages[1].ID != "2" {
			t.Errorf("%s: %s", name, chats(m))
		}
	}
	if _, err := parseEnvelope(seal.All, says(ada, "1", "x", last+1).env.encode()); err == nil {
		t.Error("a time after the last is taken")
	}
}

func TestChatLimit(t *testing.T) {
	events := here()
	for i := range maxChat + 20 {
		events = append(events, says(ada, fmt.Sprint(i), fmt.Sprint("m", i), uint64(i+1)))
	}
	m, _ := play(t, events...)
	if len(m.chat.messages) != maxChat || m.chat.messages[0].Text != "m20" {
		t.Errorf("%d kept from %q on, want the last %d", len(m.chat.messages), m.chat.messages[0].Text, maxChat)
	}
}

func TestAskForHistory(t *testing.T) {
	said := chat{ID: "1", From: cy, Name: "Cy", Text: "before", N: 1}
	three := []event{up{ids(ada, bo, cy), false}, hello(ada, "Ada"), hello(bo, "Bo")}
	with := func(more ...event) []event { return append(slices.Clone(three), more...) }
	lobby := greeted{from: ada}
	for name, c := range map[string]struct {
		events  []event
		chat    string
		effects string
	}{
		"of the first":               {three[:2], "", "include B, history?>B, room.overdue in 3s"},
		"not of the next too":        {three, "", "include C"},
		"it comes":                   {with(history(ada, said)), "Cy:before:1", ""},
		"in two parts":               {with(history(ada, said), history(ada, chat{ID: "2", From: ada, Name: "Ada", Text: "b", N: 2})), "Cy:before:1 Ada:b:1", ""},
		"it does not, so the next":   {with(overdue{ada}), "", "history?>C, room.overdue in 3s"},
		"a deadline that is past":    {with(overdue{ada}, overdue{ada}), "", ""},
		"it came late":               {with(overdue{ada}, history(ada, said)), "Cy:before:1", ""},
		"no deadline after it came":  {with(history(ada), overdue{ada}), "", ""},
		"who was asked leaves":       {with(left{id: ada}), "", "forget B, history?>C, room.overdue in 3s"},
		"nobody else to ask":         {with(overdue{ada}, overdue{bo}), "", ""},
		"unasked for":                {with(history(bo, said)), "", ""},
		"not of the lobby":           {[]event{up{ids(ada), false}, lobby}, "", "include B"},
		"nobody was here":            {[]event{up{}, joined{ada}, hello(ada, "Ada")}, "", "include B"},
		"again after a restart":      {with(history(ada, said), down{}, up{ids(ada), false}, hello(ada, "Ada")), "Cy:before:1", "include B, history?>B, room.overdue in 3s"},
		"not again after a resuming": {with(history(ada, said), down{}, up{ids(ada, bo, cy), true}, hello(ada, "Ada")), "Cy:before:1", "include B"},
	} {
		t.Run(name, func(t *testing.T) {
			m, effects := play(t, c.events...)
			if chats(m) != c.chat || brief(effects) != c.effects {
				t.Errorf("chat %q, effects %q; want %q, %q", chats(m), brief(effects), c.chat, c.effects)
			}
		})
	}
}

// A newcomer cannot read what a member says before it has the newcomer's hello. It asks that member for it, once.
func TestAskForWhatWasUnread(t *testing.T) {
	said := chat{ID: "1", From: bo, Name: "Bo", Text: "early", N: 1}
	two := func(more ...event) []event {
		return append([]event{up{ids(ada, bo), false}, hello(ada, "Ada"), history(ada)}, more...)
	}
	for name, c := range map[string]struct {
		events  []event
		chat    string
		effects string
	}{
		"waits for the hello":      {two(unread{bo}), "", "room.missed in 2s"},
		"once":                     {two(unread{bo}, unread{bo}), "", ""},
		"asks":                     {two(unread{bo}, hello(bo, "Bo"), missed{bo}), "", "history?>C"},
		"is told":                  {two(unread{bo}, hello(bo, "Bo"), missed{bo}, history(bo, said)), "Bo:early:1", ""},
		"not of the lobby":         {two(unread{bo}, greeted{from: bo}, missed{bo}), "", ""},
		"no hello came":            {two(unread{bo}, missed{bo}), "", ""},
		"asked already":            {two(unread{ada}), "", ""},
		"asked, and not again":     {two(unread{bo}, hello(bo, "Bo"), missed{bo}, unread{bo}), "", ""},
		"told before it was asked": {two(unread{bo}, hello(bo, "Bo"), history(bo, said)), "", ""},
	} {
		m, effects := play(t, c.events...)
		if chats(m) != c.chat || brief(effects) != c.effects {
			t.Errorf("%s: chat %q, effects %q; want %q, %q", name, chats(m), brief(effects), c.chat, c.effects)
		}
	}
}

// A history has at most as many chats as a member keeps, true or not: checking them costs.
func TestHistoryEnds(t *testing.T) {
	events := []event{up{ids(ada), false}, hello(ada, "Ada")}
	part := history(ada, chat{ID: "1", From: ada, Text: "x", N: 1})
	part.forged = maxChat - 2
	events = append(events, part, history(ada, chat{ID: "2", From: ada, Text: "y", N: 2}), history(ada, chat{ID: "3", From: ada, Text: "z", N: 3}))
	m, _ := play(t, events...)
	if got := chats(m); got != ":x:1 :y:1" || m.state().Refused != maxChat-2 {
		t.Errorf("%q, %d refused", got, m.state().Refused)
	}
}

// Somebody who has gone and somebody who is here may have had one name; the one whom it was told of second gets a number.
func TestNamesInAHistory(t *testing.T) {
	m, _ := play(t, up{ids(ada), false}, hello(ada, "Ada"), history(ada,
		chat{ID: "1", From: ada, Name: "Ada", Text: "a", N: 1}, chat{ID: "2", From: cy, Name: "Аda", Text: "b", N: 2},
		chat{ID: "3", From: cy, Name: "Аda", Text: "c", N: 3}, chat{ID: "4", From: bo, Name: "Me", Text: "d", N: 4}))
	if got, want := chats(m), "Ada:a:1 Аda (2):b:1 Аda (2):c:1 Me (2):d:1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What we said within the last minute is sent again, to everyone, when the service or a member may have lost it.
func TestRepeatAfterALoss(t *testing.T) {
	said := func(more ...event) []event {
		return here(append([]event{says(ada, "0", "theirs", 1), Say{"1", "a"}, sent{"1"}, Say{"2", "b"}, sent{"2"}, Say{"3", "on its way"}}, more...)...)
	}
	for name, events := range map[string][]event{
		"our session is lost":            said(down{}, up{ids(ada, bo), false}),
		"a member's session is lost":     said(left{id: ada, back: true}),
		"a member comes back afterwards": said(down{}, up{ids(bo), false}, repeat{}, joined{ada}),
	} {
		_, effects := play(t, events...)
		if !strings.Contains(brief(effects), "room.repeat in 2s") {
			t.Errorf("%s: %q", name, brief(effects))
		}
		if _, effects = play(t, append(events, joined{cy}, left{id: bo, back: true})...); strings.Contains(brief(effects), "room.repeat") {
			t.Errorf("%s: twice, %q", name, brief(effects))
		}
		m, effects := play(t, append(events, repeat{})...)
		if brief(effects) != "chat>all, chat>all" || effects[0].(send).env.Chat.Text != "a" || effects[1].(send).env.Chat.N != 3 {
			t.Errorf("%s: repeats %q", name, brief(effects))
		}
		if got := chats(m); got != "Ada:theirs:1 Me:a:1 Me:b:1 Me:on its way:0" {
			t.Errorf("%s: changes our own to %q", name, got)
		}
	}
	for name, events := range map[string][]event{
		"a newcomer":   said(joined{cy}),
		"who has left": said(left{id: ada}),
		"resumed":      said(down{}, up{ids(ada, bo), true}),
	} {
		if _, effects := play(t, events...); strings.Contains(brief(effects), "room.repeat") {
			t.Errorf("%s: %q", name, brief(effects))
		}
	}
	later := said()
	for range int(repeatSpan / time.Second) {
		later = append(later, refused{})
	}
	if _, effects := play(t, append(later, repeat{})...); len(effects) != 0 {
		t.Errorf("repeats what is long past: %q", brief(effects))
	}
}

func TestHandOn(t *testing.T) {
	_, effects := play(t, here(ask(bo))...)
	if brief(effects) != "history>C" || len(effects[0].(send).env.History) != 0 {
		t.Errorf("nothing said: %q; an empty history is an answer", brief(effects))
	}
	events := here(says(ada, "1", "one", 1), Say{"2", "two"}, sent{"2"}, Say{"3", "lost"}, unsent{"3"}, Say{"4", "on its way"}, ask(bo))
	_, effects = play(t, events...)
	h := effects[0].(send).env.History
	if len(h) != 3 || h[0].Text != "one" || h[0].From != ada || h[1].From != me || h[2].Text != "on its way" {
		t.Errorf("handed on %+v", h)
	}
	if _, effects = play(t, append(events, ask(bo))...); len(effects) != 0 {
		t.Error("handed on twice in a row")
	}
	if _, effects = play(t, append(events, ask(ada))...); len(effects) != 1 {
		t.Error("another member has to wait for Bo")
	}
	for range int(historyInterval / time.Second) {
		events = append(events, refused{})
	}
	if _, effects = play(t, append(events, ask(bo))...); len(effects) != 1 {
		t.Error("not handed on again after a while")
	}
}

// The longest history there can be fits bodies and leaves room in the line.
func TestLongestHistory(t *testing.T) {
	events := here()
	for i := range maxChat {
		events = append(events, says(ada, fmt.Sprint(i), strings.Repeat("\u2028", MaxText-1)+"x", uint64(i+1)))
	}
	_, effects := play(t, append(events, ask(bo))...)
	total := 0
	for _, e := range effects {
		n := len(e.(send).env.encode())
		if total += n; n > maxPayload {
			t.Fatalf("a part of %d bytes", n)
		}
	}
	if total > historyMax || total == 0 {
		t.Errorf("%d bytes in %d parts", total, len(effects))
	}
	h := effects[len(effects)-1].(send).env.History
	if h[len(h)-1].ID != fmt.Sprint(maxChat-1) {
		t.Error("the newest is missing")
	}
}

func TestCallMessages(t *testing.T) {
	msg := received{from: ada, env: envelope{T: kindCall, Call: []byte(`7`)}}
	if _, effects := play(t, here(msg)...); brief(effects) != "deliver 7 from B" {
		t.Errorf("%q", brief(effects))
	}
	if _, effects := play(t, here(left{id: ada}, msg)...); len(effects) != 0 {
		t.Error("a call message of somebody gone was delivered")
	}
}

func TestParseEnvelope(t *testing.T) {
	id, sig := signal.NewID(), base64.StdEncoding.EncodeToString(signature)
	chat := func(id string, from signal.ID, name, text string, n int, sig string) string {
		return fmt.Sprintf(`{"id":%q,"from":%q,"name":%q,"text":%q,"n":%d,"sig":%q}`, id, from, name, text, n, sig)
	}
	good := chat("1", id, "Ada", "x", 1, sig)
	for plain, want := range map[string][]seal.Kind{ // the seals under which it is taken
		strings.Repeat(" ", maxPayload) + `{"t":"history?"}`: nil,
		``: nil, `7`: nil, `{}`: nil, `[]`: nil, "\xff": nil, `{"t":"what"}`: nil,
		`{"t":"hello"}`: {seal.Hello}, `{"t":"hello","present":true}`: {seal.Hello}, `{"t":"hello","present":7}`: nil,
		`{"t":"card"}`: nil, `{"t":"card","card":7}`: nil, `{"t":"card","card":{"name":"x"}}`: {seal.One, seal.All},
		`{"t":"history?"}`: {seal.One}, `{"t":"history"}`: {seal.One},
		`{"t":"call"}`: nil, `{"t":"call","call":{"a":1}}`: {seal.One},
		`{"t":"chat"}`:                     nil,
		`{"t":"chat","chat":` + good + `}`: {seal.All},
		`{"t":"chat","chat":` + chat("1", id, "", " \x00 ", 1, sig) + `}`:                             nil,
		`{"t":"chat","chat":` + chat("1", id, "", strings.Repeat("x", MaxText+1), 1, sig) + `}`:       nil,
		`{"t":"chat","chat":` + chat("1", id, strings.Repeat("x", maxNameBytes+1), "x", 1, sig) + `}`: nil,
		`{"t":"chat","chat":` + chat("", id, "", "x", 1, sig) + `}`:                                   nil,
		`{"t":"chat","chat":` + chat("1", "x", "", "x", 1, sig) + `}`:                                 nil,
		`{"t":"chat","chat":` + chat("1", id, "", "x", -1, sig) + `}`:                                 nil,
		`{"t":"chat","chat":` + chat("1", id, "", "x", 1, "") + `}`:                                   nil,
		`{"t":"chat","chat":` + chat("1", id, "", "x", 1, sig[4:]) + `}`:                              nil,
		`{"t":"history","history":[` + good + `]}`:                                                    {seal.One},
		`{"t":"history","history":[` + good + `],"authors":["x"]}`:                                    nil,
		`{"t":"history","history":[` + good + `],"authors":["` + strings.Repeat("A", 86) + `"]}`:      {seal.One},
		`{"t":"history","history":[` + chat("1", id, "", "", 1, sig) + `]}`:                           nil,
	} {
		for kind := range seal.Key + 2 {
			if _, err := parseEnvelope(kind, []byte(plain)); (err == nil) != slices.Contains(want, kind) {
				t.Errorf("%.60q under seal %d: %v", plain, kind, err)
			}
		}
	}
}

func FuzzParseEnvelope(f *testing.F) {
	for _, e := range []envelope{
		{T: kindHello, Present: true},
		hello(ada, "Ada").card.env, says(ada, "1", "hi", 1).env, ask(ada).env,
		history(ada, chat{ID: "1", From: ada, Text: "x", N: 2}).env,
		{T: kindCall, Call: []byte(`{}`)},
	} {
		for kind := seal.Hello; kind < seal.Key; kind++ {
			f.Add(byte(kind), e.encode())
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, plain []byte) {
		e, err := parseEnvelope(seal.Kind(kind), plain)
		if err != nil {
			return
		}
		// What was accepted may be handed on, and is accepted again.
		if _, err := parseEnvelope(seal.Kind(kind), e.encode()); err != nil {
			t.Errorf("accepted, but not a second time: %q", plain)
		}
	})
}
