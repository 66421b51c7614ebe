package room

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/signal"
)

// at plays events that happen at once at the given time.
func at(m model, now time.Time, events ...event) model {
	for _, ev := range events {
		m, _ = step(m, ev, now)
	}
	return m
}

func textsOf(m model, who signal.ID) []string {
	var out []string
	for _, c := range m.chat.messages {
		if c.From == who {
			out = append(out, c.Text)
		}
	}
	return out
}

// Whatever times a member claims, later messages of others stand below its own.
func TestNobodyCapturesTheOrder(t *testing.T) {
	for _, n := range []uint64{0, 1, maxAhead, maxClock, signal.MaxNumber - 1} {
		m, _ := play(t, here()...)
		now := noon.Add(time.Minute)
		for i := range 20 {
			m = at(m, now, says(ada, fmt.Sprint("z", i), "flood", n))
		}
		now = now.Add(settleTime)
		m = at(m, now, says(bo, "a1", "after", 1))
		if last := m.chat.messages[len(m.chat.messages)-1]; last.Text != "after" {
			t.Errorf("n = %d: %q stands below what was said %s later", n, last.Text, settleTime)
		}
		m = at(m, now, Say{"a2", "ours"}, sent{"a2"})
		if last := m.chat.messages[len(m.chat.messages)-1]; last.Text != "ours" {
			t.Errorf("n = %d: %q stands below what we say", n, last.Text)
		}
	}
}

// Nor do they stand above messages from long before.
func TestNobodyRewritesThePast(t *testing.T) {
	m, _ := play(t, here(says(bo, "1", "one", 1), says(bo, "2", "two", 2))...)
	m = at(m, noon.Add(time.Hour), says(ada, "3", "never said", 0))
	if got := chats(m); !strings.HasSuffix(got, "Ada:never said:1") {
		t.Error(got)
	}
}

// An author's messages stay in the order of sending, whatever it claims.
func TestOrderOfSending(t *testing.T) {
	m, _ := play(t, here(says(ada, "9", "a", 7), says(ada, "1", "b", 7), says(ada, "0", "c", 2))...)
	if got := textsOf(m, ada); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Error(got)
	}
}

// After our session was lost, what is repeated goes between what we had and what we have heard since; later, not any more.
func TestOrderAfterALoss(t *testing.T) {
	m, _ := play(t, here(says(ada, "1", "a", 1), says(ada, "2", "b", 2))...)
	now := noon.Add(time.Minute)
	m = at(m, now, down{}, up{ids(ada), false}, hello(ada, "Ada"), says(ada, "4", "d", 4),
		history(ada, chat{ID: "5", From: ada, Name: "Ada", Text: "e", N: 5})) // who tells it lacks what is repeated
	m = at(m, now.Add(time.Second), down{}, up{ids(ada), false}, hello(ada, "Ada")) // lost twice
	m = at(m, now.Add(settleTime), says(ada, "0", "never before the loss", 1), says(ada, "2", "b", 2), says(ada, "3", "c", 3), says(ada, "4", "d", 4))
	if got := textsOf(m, ada); !slices.Equal(got, []string{"a", "b", "never before the loss", "c", "d", "e"}) {
		t.Error(got)
	}
	m = at(m, now.Add(mendTime), says(ada, "6", "too late", 3))
	if got := textsOf(m, ada); got[len(got)-1] != "too late" {
		t.Error(got)
	}
}

// The time shown is that of arrival.
func TestTimeIsOurs(t *testing.T) {
	for _, claimed := range []time.Time{{}, noon.AddDate(100, 0, 0), noon.AddDate(-100, 0, 0)} {
		msg := says(ada, "1", "x", 1)
		msg.env.Chat.At = claimed.UnixMilli()
		m, _ := play(t, here()...)
		now := noon.Add(time.Hour)
		m = at(m, now, msg)
		if got := m.chat.messages[0].At; !got.Equal(now) {
			t.Errorf("claimed %s, shown %s, came %s", claimed, got, now)
		}
	}
	told := chat{ID: "1", From: cy, Name: "Cy", Text: "x", At: noon.AddDate(1, 0, 0).UnixMilli()}
	m, _ := play(t, up{ids(ada), false}, hello(ada, "Ada"), history(ada, told))
	if got := m.chat.messages[0].At; got.After(noon.Add(2 * time.Second)) {
		t.Errorf("a history tells of %s, which is still to come", got)
	}
}

// A flood displaces its author's own messages, not those of others, both in the chat and in the history for a
// newcomer.
func TestFloodEvictsItself(t *testing.T) {
	m, _ := play(t, here()...)
	now := noon.Add(time.Minute)
	for i := range 100 {
		m = at(m, now, says(bo, fmt.Sprint("b", i), fmt.Sprint("b", i), uint64(i+1)))
		now = now.Add(chatInterval)
	}
	long := strings.Repeat("\U0001f600", MaxText)
	for i := range 2 * maxChat {
		m = at(m, now, says(ada, fmt.Sprint("a", i), long, signal.MaxNumber-1))
		now = now.Add(chatInterval)
	}
	if got := textsOf(m, bo); len(got) != 100 {
		t.Errorf("%d of Bo's 100 messages are kept", len(got))
	}
	kept := 0
	for _, x := range m.chat.messages {
		kept += len(x.Text)
	}
	if kept > maxKept || len(m.chat.messages) > maxChat {
		t.Errorf("%d messages of %d bytes kept", len(m.chat.messages), kept)
	}
	_, effects := next(m, ask(bo), now)
	told := 0
	for _, e := range effects {
		for _, x := range e.(send).env.History {
			if x.From == bo {
				told++
			}
		}
	}
	if told != 100 {
		t.Errorf("a newcomer is told %d of Bo's 100 messages", told)
	}
}

// The sender of a history is charged for it: forged messages of many authors do not evict the live ones.
func TestHistoryEvictsItself(t *testing.T) {
	events := []event{up{ids(ada, bo), false}, hello(ada, "Ada"), hello(bo, "Bo")}
	for i := range 30 {
		events = append(events, says(bo, fmt.Sprint("b", i), "heard", uint64(i)))
	}
	for part := range 4 {
		var lies []chat
		for i := range maxChat {
			lies = append(lies, chat{ID: fmt.Sprint(part, "-", i), From: signal.NewID(), Name: "x", Text: "lie", N: signal.MaxNumber - 1})
		}
		events = append(events, history(ada, lies...))
	}
	m, _ := play(t, events...)
	if got := textsOf(m, bo); len(got) != 30 {
		t.Errorf("%d of 30 messages are left", len(got))
	}
	if len(m.chat.messages) != maxChat {
		t.Errorf("%d messages kept", len(m.chat.messages))
	}
	m = at(m, noon.Add(time.Hour), says(bo, "last", "below the lies", 31))
	if m.chat.messages[maxChat-1].ID != "last" {
		t.Error("lies stand below what was said after them")
	}
}

func TestPace(t *testing.T) {
	m, _ := play(t, here()...)
	now := noon.Add(time.Minute)
	for i := range 3 * chatBurst {
		m = at(m, now, says(ada, fmt.Sprint("a", i), "x", 1))
	}
	if n := len(textsOf(m, ada)); n != chatBurst || m.state().Refused != 2*chatBurst {
		t.Errorf("%d taken at once and %d refused, want %d and %d", n, m.state().Refused, chatBurst, 2*chatBurst)
	}
	m = at(m, now, says(bo, "b", "y", 1))
	if len(textsOf(m, bo)) != 1 {
		t.Error("Bo has to wait for Ada")
	}
	m = at(m, now.Add(3*chatInterval), says(ada, "p", "x", 1), says(ada, "q", "x", 1), says(ada, "r", "x", 1), says(ada, "s", "x", 1))
	if n := len(textsOf(m, ada)); n != chatBurst+3 {
		t.Errorf("%d taken after three intervals, want %d", n, chatBurst+3)
	}
	// What others would refuse of us is not sent but told.
	m, _ = play(t, here()...)
	for i := range chatBurst {
		m = at(m, now, Say{fmt.Sprint(i), "x"}, sent{fmt.Sprint(i)})
	}
	m, effects := next(m, Say{"more", "x"}, now)
	if s := m.chat.messages[chatBurst].Status; s != Failed || len(effects) != 0 {
		t.Errorf("one too many: status %d, %q", s, brief(effects))
	}
	if _, effects = next(m, Resend{"more"}, now.Add(chatInterval)); brief(effects) != "chat>all" {
		t.Errorf("not sent again: %q", brief(effects))
	}
}

// Members that saw the same messages at nearly the same time have them in one order.
func TestSameOrderForEveryone(t *testing.T) {
	var said []received
	for i := range uint64(12) {
		said = append(said, says([]signal.ID{ada, bo}[i%2], fmt.Sprint(rand.Uint32()), fmt.Sprint(i), i))
	}
	var first string
	for range 20 {
		m, _ := play(t, here()...)
		from := map[signal.ID][]received{}
		for _, r := range said {
			from[r.from] = append(from[r.from], r)
		}
		for len(from[ada])+len(from[bo]) > 0 { // any order but each author's own
			who := []signal.ID{ada, bo}[rand.IntN(2)]
			if len(from[who]) > 0 {
				m = at(m, noon.Add(time.Minute), from[who][0])
				from[who] = from[who][1:]
			}
		}
		if first == "" {
			first = chats(m)
		}
		if chats(m) != first {
			t.Fatalf("%s\n%s", first, chats(m))
		}
	}
}
