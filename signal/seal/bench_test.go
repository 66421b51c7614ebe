package seal

import (
	"fmt"
	"testing"

	"parley/signal"
	"parley/signal/identity"
)

// BenchmarkJoin is what a newcomer to a room of 50 signs, seals, opens and verifies. To meet takes a hello and a card to each of
// the others and from each of them; to talk, a key to each and from each, and a message to all of everybody.
func BenchmarkJoin(b *testing.B) {
	others := make([]*Keyring, signal.MaxMembers-1)
	for i := range others {
		others[i] = New(meeting, identity.New())
	}
	hello, card := []byte(`{"t":"hello","present":true}`), make([]byte, 120)
	for _, talk := range []bool{false, true} {
		b.Run(map[bool]string{false: "meet", true: "talk"}[talk], func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				me := identity.New()
				k := New(meeting, me)
				met, said := othersSay(b, others, me, hello, card)
				if !talk {
					b.StartTimer()
				}
				for _, o := range others {
					if _, err := k.Hello(o.id, hello); err != nil {
						b.Fatal(err)
					}
				}
				hear(b, k, met, card)
				b.StartTimer()
				if !talk {
					continue
				}
				if keys, _, err := k.All(card); err != nil || len(keys) != len(others) {
					b.Fatal(len(keys), err)
				}
				hear(b, k, said, card)
			}
		})
	}
}

// heard is a message of somebody.
type heard struct {
	from signal.ID
	Sealed
}

// othersSay has everybody meet a newcomer, and say something to all.
func othersSay(b *testing.B, others []*Keyring, newcomer *identity.Identity, hello, card []byte) (met, said []heard) {
	k := New(meeting, newcomer) // says hello without being timed
	for _, o := range others {
		greeting, _ := k.Hello(o.id, hello)
		if _, err := o.Open(k.id, o.id, greeting.Seq, greeting.Body); err != nil {
			b.Fatal(err)
		}
		o.Include(k.id)
		back, _ := o.Hello(k.id, hello)
		one, _ := o.One(k.id, card)
		keys, all, _ := o.All(card)
		met = append(met, heard{o.id, back}, heard{o.id, one})
		said = append(said, heard{o.id, keys[0]}, heard{o.id, all})
		o.Forget(k.id)
	}
	return met, said
}

// hear opens messages, and answers a hello with a card.
func hear(b *testing.B, k *Keyring, messages []heard, card []byte) {
	for _, m := range messages {
		opened, err := k.Open(m.from, m.To, m.Seq, m.Body)
		if err == nil && opened.Kind == Hello {
			k.Include(m.from)
			_, err = k.One(m.from, card)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMessage is a chat to all, its author's signature included, and a message of a call to one.
func BenchmarkMessage(b *testing.B) {
	ada, ben := New(meeting, identity.New()), New(meeting, identity.New())
	for _, pair := range [][2]*Keyring{{ada, ben}, {ben, ada}} {
		s, _ := pair[0].Hello(pair[1].id, nil)
		if _, err := pair[1].Open(pair[0].id, s.To, s.Seq, s.Body); err != nil {
			b.Fatal(err)
		}
		pair[1].Include(pair[0].id)
	}
	chat := Chat{Room: meeting.Room, Author: ada.id, ID: "1", Name: "Ada", Text: "attack at dawn", N: 1}
	text := make([]byte, 300)
	keys, all, _ := ada.All(text)
	for _, s := range append(keys, all) {
		if _, err := ben.Open(ada.id, s.To, s.Seq, s.Body); err != nil {
			b.Fatal(err)
		}
	}
	for name, seal := range map[string]func() Sealed{
		"chat": func() Sealed {
			chat.Sign(ada.me)
			_, s, _ := ada.All(text)
			return s
		},
		"call": func() Sealed {
			s, _ := ada.One(ben.id, make([]byte, 3000))
			return s
		},
	} {
		b.Run(fmt.Sprint(name, "/seal"), func(b *testing.B) {
			for b.Loop() {
				seal()
			}
		})
		signature := chat.Sign(ada.me)
		b.Run(fmt.Sprint(name, "/seal and open"), func(b *testing.B) {
			for b.Loop() {
				s := seal()
				_, err := ben.Open(ada.id, s.To, s.Seq, s.Body)
				if err != nil || name == "chat" && !chat.Verify(ada.me.Public(), signature) {
					b.Fatal(err)
				}
			}
		})
	}
}
