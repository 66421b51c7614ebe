package call

import (
	"testing"
	"time"

	"parley/signal/room"
)

// seconds feeds the same load for n seconds.
func (b budget) seconds(n int, s load) budget {
	for range n {
		b = b.next(s)
	}
	return b
}

func TestBudget(t *testing.T) {
	easy := load{encode: 0.2, late: time.Millisecond}
	middling := load{encode: 0.6}
	for name, hard := range map[string]load{
		"coding":   {encode: 0.9},
		"waking":   {late: 60 * time.Millisecond},
		"decoding": {behind: 0.2},
	} {
		t.Run(name, func(t *testing.T) {
			b := budget{}.next(hard)
			if b.shed != ShedNothing {
				t.Error("one busy second is nothing to act on")
			}
			if b = b.next(middling).next(hard); b.shed != ShedNothing {
				t.Error("two busy seconds with another in between are none in a row")
			}
			for i, want := range []Shed{ShedTiles, ShedLayer, ShedRate, ShedRate} {
				if b = b.seconds(shedAfter, hard); b.shed != want && i > 0 {
					t.Errorf("after step %d it sheds %v, want %v", i, b.shed, want)
				}
			}
			if b = b.seconds(100, middling); b.shed != ShedRate {
				t.Error("half an effort gave something back")
			}
			if b = b.seconds(easeAfter, easy); b.shed != ShedLayer {
				t.Errorf("after %d calm seconds it sheds %v", easeAfter, b.shed)
			}
			if b = b.seconds(2*easeAfter, easy); b.shed != ShedNothing {
				t.Errorf("after %d calm seconds it sheds %v", 3*easeAfter, b.shed)
			}
		})
	}
}

// TestBudgetDoesNotPump: a machine that is calm only while it sheds gets steps back less and less often.
func TestBudgetDoesNotPump(t *testing.T) {
	var b budget
	changes := 0
	for range 3600 {
		s := load{encode: 0.3}
		if b.shed < ShedLayer {
			s.encode = 0.9
		}
		was := b.shed
		if b = b.next(s); b.shed != was {
			changes++
		}
	}
	if changes > 60 {
		t.Errorf("%d changes within an hour", changes)
	}
	if b = b.seconds(2*easeMost, load{}); b.shed != ShedNothing {
		t.Error("a machine that has become calm is not believed")
	}
}

// TestShed: a step shows in State, has its effect, and ends with the meeting.
func TestShed(t *testing.T) {
	hard := load{encode: 0.9}
	m, effects := play(t, live(t, member(ada, "Ada")), hard, hard)
	if len(effects) != 1 || effects[0] != (setShed{ShedTiles}) || m.Shed != ShedTiles {
		t.Errorf("a busy machine leads to %v and %v", effects, m.Shed)
	}
	m, effects = play(t, m, hard)
	if len(effects) != 0 || m.budget.shed != ShedTiles {
		t.Errorf("one more second leads to %v", effects)
	}
	m, effects = play(t, m, Leave{}, hard)
	if len(effects) != 1 || effects[0] != (setShed{ShedNothing}) || m.Shed != ShedNothing {
		t.Errorf("after the meeting, %v and %v", effects, m.Shed)
	}
}

// TestBusyForNobody: while we are alone, nothing is shed however busy the machine is. When the last other
// member leaves, everything is given back.
func TestBusyForNobody(t *testing.T) {
	hard := load{encode: 0.9}
	m, effects := play(t, live(t), hard, hard, hard)
	if len(effects) != 0 || m.Shed != ShedNothing {
		t.Errorf("alone: %v, %v", effects, m.Shed)
	}
	m, _ = play(t, live(t, member(ada, "Ada")), hard, hard)
	if m.Shed == ShedNothing {
		t.Fatal("with Ada there, nothing is shed")
	}
	m, effects = play(t, m, roomIs(room.Connected), hard)
	if len(effects) != 1 || effects[0] != (setShed{ShedNothing}) || m.Shed != ShedNothing {
		t.Errorf("after Ada left: %v, %v", effects, m.Shed)
	}
}
