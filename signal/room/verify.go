package room

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"parley/signal"
	"parley/signal/identity"
	"parley/signal/phrase"
	"parley/signal/roster"
)

// kindPhrase is to all: a commitment for a round of the safety phrase, or its secret.
const kindPhrase = "phrase"

// part is one member's part of a round, of the members and the roster that session is the hash of.
type part struct {
	Session []byte `json:"session"`
	Round   []byte `json:"round"`
	Commit  []byte `json:"commit"`
	Secret  []byte `json:"secret,omitempty"` // with the commitment again, once everybody has committed
}

func validPart(e *envelope) bool {
	p := e.Phrase
	return p != nil && len(p.Session) == sha256.Size && len(p.Round) == len(phrase.Name{}) &&
		len(p.Commit) == len(phrase.Commitment{}) && (p.Secret == nil || len(p.Secret) == len(phrase.Secret{}))
}

// Others may begin so many rounds at once, and then one in each interval. Each costs everybody two messages to all.
const (
	phraseBurst    = 10
	phraseInterval = 2 * time.Second
)

// Safety is how far people have made sure whom they talk to.
type Safety struct {
	Phrase  phrase.Phrase
	Known   bool        // Phrase is complete, for the members and the roster of now
	Missing []signal.ID // while a round runs: whose part has not come
	// Changed: the user compared a phrase, and then these came, whom it did not cover.
	Changed []signal.ID
}

// safety is the round of now, and who was verified.
type safety struct {
	seed     [32]byte       // that our secrets come from
	drawn    uint64         // how many have
	members  []signal.ID    // whom the session is about, and
	roster   *roster.Roster // which roster
	subject  [sha256.Size]byte
	wanted   bool // the user looks at the phrase, so that it is made anew after a change
	running  bool
	round    phrase.Round
	told     bool                   // our secret in it
	heard    map[signal.ID]part     // the last of each member
	verified map[signal.ID]struct{} // by the user
	budget   float64                // of rounds that others begin
	counted  time.Time              // when it was
}

// next follows who is here, and exchanges parts with them.
func (s safety) next(ev event, p presence, h hosts, now time.Time) (safety, []effect) {
	var effects []effect
	asked, moved := false, false
	switch ev := ev.(type) {
	case Compare:
		s.wanted, asked = ev.On, ev.On
	case Verify:
		s = s.verify(ev, p)
	case greeted:
		if s.running && p.find(ev.from) >= 0 { // after a loss it may lack ours
			effects = append(effects, send{to: ev.from, env: s.part()})
		}
	case received:
		if ev.env.T == kindPhrase {
			s.heard = maps.Clone(s.heard)
			if s.heard == nil {
				s.heard = map[signal.ID]part{}
			}
			s.heard[ev.from] = *ev.env.Phrase
			moved = true
		}
	}
	if !s.sees(p, h) {
		s.members, s.roster = nil, h.roster.Roster()
		for _, m := range p.members {
			s.members = append(s.members, m.ID)
		}
		if hash := hashOf(subjectOf(p, h)); hash != s.subject {
			s.subject, s.running = hash, false
			asked, moved, effects = s.wanted, true, nil
			s.heard = maps.Clone(s.heard)
			maps.DeleteFunc(s.heard, func(id signal.ID, _ part) bool { return p.find(id) < 0 })
		}
	}
	if !asked && !moved {
		return s, effects
	}
	s, of := s.settle(p, h, asked, now)
	return s, append(effects, of...)
}

// sees reports whether members and roster are those of the session. It is asked at every event, and an ID is the hash of
// the member's keys.
func (s safety) sees(p presence, h hosts) bool {
	return s.subject != [sha256.Size]byte{} && s.roster == h.roster.Roster() &&
		slices.EqualFunc(s.members, p.members, func(id signal.ID, m Member) bool { return id == m.ID })
}

// settle begins the round that stands, takes in what was heard of it, and tells our secret when it is time.
func (s safety) settle(p presence, h hosts, asked bool, now time.Time) (safety, []effect) {
	var effects []effect
	name, theirs := s.greatest()
	switch {
	case theirs && (!s.running || name.Compare(s.round.Name()) > 0):
		var allowed bool
		if s, allowed = s.afford(now); allowed {
			s = s.begin(subjectOf(p, h), name, p.me.ID)
			effects = append(effects, send{env: s.part()})
		}
	case asked && !s.running:
		name := s.draw('n')
		s = s.begin(subjectOf(p, h), phrase.Name(name[:len(phrase.Name{})]), p.me.ID)
		effects = append(effects, send{env: s.part()})
	case asked && len(s.round.Missing()) > 0:
		effects = append(effects, send{env: s.part()})
	}
	if !s.running {
		return s, effects
	}
	for id, part := range s.heard {
		if !bytes.Equal(part.Session, s.subject[:]) || phrase.Name(part.Round) != s.round.Name() {
			continue
		}
		r, err := s.round.Commit(id, phrase.Commitment(part.Commit))
		if err == nil && part.Secret != nil {
			r, err = r.Reveal(id, phrase.Secret(part.Secret))
		}
		if err == nil { // otherwise the round waits for what fits, and says for whom
			s.round = r
		}
	}
	if s.round.Ready() && !s.told {
		s.told = true
		effects = append(effects, send{env: s.part()})
	}
	return s, effects
}

// greatest is the greatest round that others have begun about what we see.
func (s safety) greatest() (greatest phrase.Name, some bool) {
	for _, p := range s.heard {
		if bytes.Equal(p.Session, s.subject[:]) {
			if n := phrase.Name(p.Round); !some || n.Compare(greatest) > 0 {
				greatest, some = n, true
			}
		}
	}
	return greatest, some
}

// afford reports whether others may begin one more round.
func (s safety) afford(now time.Time) (safety, bool) {
	if s.counted.IsZero() {
		s.budget = phraseBurst
	} else {
		s.budget = min(phraseBurst, s.budget+now.Sub(s.counted).Seconds()/phraseInterval.Seconds())
	}
	s.counted = now
	if s.budget < 1 {
		return s, false
	}
	s.budget--
	return s, true
}

// begin begins a round with a secret that no round has had.
func (s safety) begin(session phrase.Session, name phrase.Name, me signal.ID) safety {
	s.drawn++
	s.round, s.running, s.told = phrase.New(session, name, me, s.draw('s')), true, false
	return s
}

// draw is a value that nobody can guess, a new one for each purpose and number. It comes from the seed, because next is
// pure.
func (s safety) draw(purpose byte) [sha256.Size]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64(append([]byte{purpose}, s.seed[:]...), s.drawn))
}

// part is ours: the commitment, and the secret once it may be told.
func (s safety) part() envelope {
	name := s.round.Name()
	commit, secret := s.round.Own()
	p := part{Session: s.subject[:], Round: name[:], Commit: commit[:]}
	if s.told {
		p.Secret = secret[:]
	}
	return envelope{T: kindPhrase, Phrase: &p}
}

// verify marks members as verified, whom the phrase of now covers.
func (s safety) verify(ev Verify, p presence) safety {
	if _, known := s.phrase(); !known {
		return s
	}
	s.verified = maps.Clone(s.verified)
	if s.verified == nil {
		s.verified = map[signal.ID]struct{}{}
	}
	for _, m := range p.members {
		if len(ev.IDs) == 0 || slices.Contains(ev.IDs, m.ID) {
			s.verified[m.ID] = struct{}{}
		}
	}
	return s
}

func (s safety) phrase() (phrase.Phrase, bool) {
	if !s.running {
		return phrase.Phrase{}, false
	}
	return s.round.Phrase()
}

// show fills in what the window shows.
func (s safety) show(to *State) {
	to.Safety.Phrase, to.Safety.Known = s.phrase()
	if s.running {
		to.Safety.Missing = s.round.Missing()
	}
	if len(s.verified) == 0 {
		return
	}
	to.Members = slices.Clone(to.Members)
	for i := range to.Members {
		m := &to.Members[i]
		if _, m.Verified = s.verified[m.ID]; !m.Verified && m.Present {
			to.Safety.Changed = append(to.Safety.Changed, m.ID)
		}
	}
}

// subjectOf is what a phrase of now is about.
func subjectOf(p presence, h hosts) phrase.Session {
	s := phrase.Session{Members: []identity.Public{p.me.Keys}}
	for _, m := range p.members {
		s.Members = append(s.Members, m.Keys)
	}
	if r := h.roster.Roster(); r != nil {
		s.Roster = sha256.Sum256(r.Encode())
	}
	return s
}

// hashOf tells apart what members see. It is no secret and no proof: the phrase itself is about the keys.
func hashOf(s phrase.Session) [sha256.Size]byte {
	keys := map[signal.ID]identity.Public{}
	for _, k := range s.Members {
		keys[k.ID()] = k
	}
	h := sha256.New()
	h.Write(s.Roster[:])
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		k := keys[id]
		h.Write(k.Sign[:])
		h.Write(k.DH[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}
