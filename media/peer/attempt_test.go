package peer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/media/transport"
	"parley/signal"
)

// The members in these tables.
const (
	ada = signal.ID("-AAAAAAAAAAAAAAA") // less than ours
	me  = signal.ID("MMMMMMMMMMMMMMMM")
	bo  = signal.ID("zzzzzzzzzzzzzzzz") // greater
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// play feeds events and returns the model and the effects of the last event. A function in place of an
// event makes it from the current model.
func play(t *testing.T, m model, events ...any) (model, []effect) {
	t.Helper()
	var effects []effect
	for _, ev := range events {
		if f, ok := ev.(func(model) event); ok {
			ev = f(m)
		}
		old, before := m, fmt.Sprintf("%+v", m)
		m, effects = next(m, ev, noon)
		if after := fmt.Sprintf("%+v", old); before != after {
			t.Fatalf("%T changed the model it was given:\n%s\n%s", ev, before, after)
		}
	}
	return m, effects
}

func newcomer(id signal.ID) transport.Member { return transport.Member{ID: id} }

func earlier(id signal.ID) transport.Member { return transport.Member{ID: id, Earlier: true} }

// here says that these members are in the meeting.
func here(members ...transport.Member) func(model) event {
	return func(model) event { return followed{members, true} }
}

// outOfReach says that the rendezvous is unreachable, and the members are the same.
func outOfReach(m model) event {
	ev := followed{}
	for _, x := range m.members {
		ev.members = append(ev.members, transport.Member{ID: x.id})
	}
	return ev
}

// peerIs says that the present or last connection to a member changed.
func peerIs(id signal.ID, p transport.Phase) func(model) event {
	return func(m model) event { return changed{id, m.conns[id].attempt, p} }
}

func offers(from signal.ID, conn string) func(model) event {
	return func(model) event { return received{from, []byte(`{}`), conn} }
}

func says(from signal.ID) func(model) event { return offers(from, "") }

func late(id signal.ID) func(model) event {
	return func(m model) event { return attemptTimeout{id, m.conns[id].attempt} }
}

func who(id signal.ID) string {
	switch id {
	case ada:
		return "Ada"
	case bo:
		return "Bo"
	}
	return "somebody"
}

// brief writes effects as a short text.
func brief(effects []effect) string {
	var out []string
	for _, e := range effects {
		switch e := e.(type) {
		case makeOffer:
			out = append(out, "offer "+who(e.id))
		case makeAnswer:
			out = append(out, "answer "+who(e.id)+" "+e.conn)
		case passOn:
			out = append(out, "pass on "+who(e.id))
		case restart:
			out = append(out, "restart "+who(e.id))
		case closeConn:
			out = append(out, "close "+who(e.id))
		case later:
			out = append(out, fmt.Sprintf("%s in %s", strings.TrimPrefix(fmt.Sprintf("%T", e.ev), "peer."), e.wait))
		default:
			out = append(out, strings.TrimPrefix(fmt.Sprintf("%T", e), "peer."))
		}
	}
	return strings.Join(out, ", ")
}

// live is a mesh with these members.
func live(t *testing.T, members ...transport.Member) model {
	t.Helper()
	m, _ := play(t, model{me: me}, here(members...))
	return m
}

func TestConnections(t *testing.T) {
	const retry = "retryConn in 3s"
	offer := func(name string) string { return "offer " + name + ", attemptTimeout in 10s" }
	for name, c := range map[string]struct {
		members []transport.Member // when we come in
		events  []any
		phase   transport.Phase // of the first peer
		effects string
	}{
		"the later one offers":            {nil, []any{here(earlier(ada))}, transport.Connecting, offer("Ada")},
		"the earlier one waits":           {nil, []any{here(newcomer(ada))}, transport.Connecting, "retryConn in 5s"},
		"but not for ever":                {[]transport.Member{newcomer(ada)}, []any{retryConn{ada}}, transport.Connecting, offer("Ada")},
		"an offer comes":                  {[]transport.Member{newcomer(ada)}, []any{offers(ada, "x")}, transport.Connecting, "answer Ada x, attemptTimeout in 10s"},
		"no retry after it":               {[]transport.Member{newcomer(ada)}, []any{offers(ada, "x"), retryConn{ada}}, transport.Connecting, ""},
		"a retry while out of reach":      {[]transport.Member{newcomer(ada)}, []any{outOfReach, retryConn{ada}}, transport.Connecting, retry},
		"connected":                       {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Connected)}, transport.Connected, ""},
		"a message for it":                {[]transport.Member{earlier(ada)}, []any{says(ada)}, transport.Connecting, "pass on Ada"},
		"a message for none":              {[]transport.Member{newcomer(ada)}, []any{says(ada)}, transport.Connecting, ""},
		"of a stranger":                   {[]transport.Member{newcomer(ada)}, []any{offers(bo, "x")}, transport.Connecting, ""},
		"a new path is looked for":        {[]transport.Member{newcomer(ada)}, []any{offers(ada, "x"), peerIs(ada, transport.Connected), offers(ada, "x")}, transport.Connected, "pass on Ada"},
		"both offer, theirs is greater":   {[]transport.Member{earlier(bo)}, []any{offers(bo, "x")}, transport.Connecting, "answer Bo x, attemptTimeout in 10s"},
		"both offer, ours is greater":     {[]transport.Member{earlier(ada)}, []any{offers(ada, "x")}, transport.Connecting, ""},
		"theirs replaces a connected one": {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Connected), offers(ada, "y")}, transport.Reconnecting, "answer Ada y, attemptTimeout in 10s"},
		"news of the replaced one":        {[]transport.Member{earlier(bo)}, []any{offers(bo, "x"), changed{bo, 1, transport.Failed}}, transport.Connecting, ""},
		"the path breaks":                 {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Connected), peerIs(ada, transport.Reconnecting)}, transport.Reconnecting, "restart Ada"},
		"said twice, restarted once":      {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Reconnecting), peerIs(ada, transport.Reconnecting)}, transport.Reconnecting, ""},
		"and is mended":                   {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Reconnecting), peerIs(ada, transport.Connected)}, transport.Connected, ""},
		"breaks again":                    {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Reconnecting), peerIs(ada, transport.Connected), peerIs(ada, transport.Reconnecting)}, transport.Reconnecting, "restart Ada"},
		"fails":                           {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Failed)}, transport.Failed, "close Ada, " + retry},
		"fails twice at once":             {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Failed), changed{ada, 1, transport.Failed}}, transport.Failed, ""},
		"tried again":                     {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Failed), retryConn{ada}}, transport.Reconnecting, "offer Ada, attemptTimeout in 20s"},
		"fails again, so more slowly":     {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Failed), retryConn{ada}, peerIs(ada, transport.Failed)}, transport.Failed, "close Ada, retryConn in 6s"},
		"success forgives":                {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Failed), retryConn{ada}, peerIs(ada, transport.Connected), peerIs(ada, transport.Reconnecting), peerIs(ada, transport.Failed)}, transport.Failed, "close Ada, " + retry},
		"they close it":                   {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Connected), peerIs(ada, transport.Failed)}, transport.Reconnecting, "close Ada, " + retry},
		"closed, and offered anew":        {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Connected), peerIs(ada, transport.Failed), retryConn{ada}}, transport.Reconnecting, offer("Ada")},
		"closed, and they offer anew":     {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Connected), peerIs(ada, transport.Failed), offers(ada, "y")}, transport.Reconnecting, "answer Ada y, attemptTimeout in 10s"},
		"closed is no failure":            {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Connected), peerIs(ada, transport.Failed), retryConn{ada}, peerIs(ada, transport.Failed)}, transport.Failed, "close Ada, " + retry},
		"closed, and gone":                {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Connected), peerIs(ada, transport.Failed), here()}, 0, "close Ada"},
		"an error while connected":        {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Connected), broke{ada, 1}}, transport.Failed, "close Ada, " + retry},
		"an error of a replaced one":      {[]transport.Member{earlier(bo)}, []any{offers(bo, "x"), broke{bo, 1}}, transport.Connecting, ""},
		"an error after it failed":        {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Failed), broke{ada, 1}}, transport.Failed, ""},
		"broken, and then it fails":       {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Connected), peerIs(ada, transport.Reconnecting), peerIs(ada, transport.Failed)}, transport.Failed, "close Ada, " + retry},
		"they try first":                  {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Failed), offers(ada, "x")}, transport.Reconnecting, "answer Ada x, attemptTimeout in 20s"},
		"they hold on to what we gave up": {[]transport.Member{newcomer(ada)}, []any{offers(ada, "x"), peerIs(ada, transport.Failed), offers(ada, "x")}, transport.Failed, "offer Ada, attemptTimeout in 20s"},
		"the offer or answer was lost":    {[]transport.Member{earlier(ada)}, []any{late(ada)}, transport.Failed, "close Ada, " + retry},
		"theirs led nowhere":              {[]transport.Member{newcomer(ada)}, []any{offers(ada, "x"), late(ada)}, transport.Failed, "close Ada, " + retry},
		"it was not":                      {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Connected), late(ada)}, transport.Connected, ""},
		"late of an earlier attempt":      {[]transport.Member{earlier(bo)}, []any{offers(bo, "x"), attemptTimeout{bo, 1}}, transport.Connecting, ""},
		"late, but we are out of reach":   {[]transport.Member{earlier(ada)}, []any{outOfReach, late(ada)}, transport.Connecting, "attemptTimeout in 10s"},
		"everybody leaves":                {[]transport.Member{earlier(ada), newcomer(bo)}, []any{here()}, 0, "close Ada, close Bo"},
		"leaves":                          {[]transport.Member{earlier(ada)}, []any{here()}, 0, "close Ada"},
		"news of one that left":           {[]transport.Member{earlier(ada)}, []any{here(), changed{ada, 1, transport.Failed}}, 0, ""},
		"comes back: we offer":            {[]transport.Member{newcomer(ada)}, []any{here(), here(newcomer(ada))}, transport.Connecting, offer("Ada")},
		"unreachable: nothing is closed":  {[]transport.Member{earlier(ada)}, []any{peerIs(ada, transport.Connected), outOfReach}, transport.Connected, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, effects := play(t, live(t, c.members...), c.events...)
			if len(m.members) > 0 && m.members[0].phase != c.phase {
				t.Errorf("phase %s, want %s", m.members[0].phase, c.phase)
			}
			if got := brief(effects); got != c.effects {
				t.Errorf("effects %q, want %q", got, c.effects)
			}
			if c.phase == 0 && strings.HasPrefix(c.effects, "close Ada") && len(m.members) != 0 {
				t.Errorf("peers %+v, want none", m.members)
			}
		})
	}
}

func TestRetriesSlowDownToALimit(t *testing.T) {
	m := live(t, earlier(ada))
	var effects []effect
	now := noon
	for range 20 {
		m, effects = next(m, peerIs(ada, transport.Failed)(m), now)
		wait := effects[1].(later).wait
		if wait > maxRetryDelay {
			t.Fatalf("waits %s", wait)
		}
		now = now.Add(wait)
		m, _ = next(m, retryConn{ada}, now)
	}
	if wait := effects[1].(later).wait; wait != maxRetryDelay {
		t.Errorf("after 20 failures it waits %s", wait)
	}
}

// TestAttemptsAreFew: one member can make us start only three connections in ten seconds. Other members are
// not affected, and later it works again.
func TestAttemptsAreFew(t *testing.T) {
	begun := func(effects []effect) (n int) {
		for _, e := range effects {
			switch e.(type) {
			case makeOffer, makeAnswer:
				n++
			}
		}
		return n
	}
	there, gone := here(newcomer(ada), newcomer(bo)), here(newcomer(bo))
	for name, round := range map[string]func(i int) []func(model) event{
		"new offers":       func(i int) []func(model) event { return []func(model) event{offers(ada, fmt.Sprint("x", i))} },
		"coming and going": func(int) []func(model) event { return []func(model) event{gone, there} },
		"what was given up": func(int) []func(model) event {
			return []func(model) event{offers(ada, "x"), peerIs(ada, transport.Failed)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := live(t, newcomer(ada), newcomer(bo))
			now, n := noon, 0
			play := func(ev func(model) event) int {
				var effects []effect
				m, effects = next(m, ev(m), now)
				return begun(effects)
			}
			for i := range 2000 { // 200 a second
				for _, ev := range round(i) {
					n += play(ev)
				}
				now = now.Add(attemptSpan / 2001)
			}
			if n != maxAttempts {
				t.Errorf("%d connections begun in ten seconds, want %d", n, maxAttempts)
			}
			if play(offers(bo, "y")) != 1 {
				t.Error("another member is refused")
			}
			now = now.Add(attemptSpan)
			play(there)
			if play(offers(ada, "fresh")) != 1 {
				t.Error("ten seconds later, still refused")
			}
		})
	}
}

// TestRestartsAreNotAttempts: ICE restarts of one connection do not count as attempts.
func TestRestartsAreNotAttempts(t *testing.T) {
	m, _ := play(t, live(t, newcomer(ada)), offers(ada, "x"), peerIs(ada, transport.Connected))
	for range 10 {
		var effects []effect
		if m, effects = play(t, m, offers(ada, "x")); brief(effects) != "pass on Ada" {
			t.Fatalf("effects %q", brief(effects))
		}
	}
}

// TestWhoLeftIsForgotten: a thousand members come and go and leave nothing behind. One that is back within a
// minute is recognised.
func TestWhoLeftIsForgotten(t *testing.T) {
	m, now := live(t), noon
	step := func(ev func(model) event) (effects []effect) {
		m, effects = next(m, ev(m), now)
		return effects
	}
	for i := range 1000 {
		step(here(newcomer(signal.ID(fmt.Sprintf("member%010d", i)))))
		now = now.Add(time.Second)
	}
	if most := int(forgetAfter/time.Second) + 1; len(m.conns) > most {
		t.Errorf("%d members are remembered, want at most %d", len(m.conns), most)
	}
	step(here(newcomer(ada)))
	step(offers(ada, "x"))
	step(here())
	now = now.Add(forgetAfter - time.Second)
	if got := brief(step(here(newcomer(ada)))); got != "offer Ada, attemptTimeout in 10s" {
		t.Errorf("back within a minute: %q", got)
	}
	now = now.Add(2 * forgetAfter)
	if step(here(newcomer(ada))); m.conns[ada].attempt == 0 {
		t.Error("who is here is forgotten")
	}
	step(here())
	now = now.Add(forgetAfter)
	step(here())
	if len(m.conns) != 0 {
		t.Errorf("%d members are remembered for ever", len(m.conns))
	}
}
