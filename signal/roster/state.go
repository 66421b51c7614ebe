package roster

import (
	"crypto/ed25519"
	"slices"

	"parley/signal"
	"parley/signal/identity"
)

// Config is what a State begins with.
type Config struct {
	Room string // that the signatures are for
	Me   *identity.Identity
	// Owner is the fingerprint in the link. If it is empty, the first owner seen is believed.
	Owner string
	// Key is our own owner's key: the meeting's, if we created it. For others it is a fresh one, which takes the
	// meeting over when somebody hands it to us.
	Key ed25519.PrivateKey
	// Saved is the roster of the last Keep of this key, if there is one.
	Saved []byte
}

// Event is something that happened.
//
//	source              events
//	another member      Hello, Left, Received, Knocked, Ordered
//	the user            Act
//	the clock           Tick
type Event any

type (
	// Hello: somebody has proved to hold these keys, and is in the room. It may come again, after a loss.
	Hello struct{ Keys identity.Public }
	// Left: somebody has gone.
	Left struct{ ID signal.ID }
	// Received: a member has sent a roster. Who sent it does not matter; who signed it does.
	Received struct {
		From   signal.ID
		Roster []byte
	}
	// Knocked: somebody who waits wants to come in.
	Knocked struct{ From signal.ID }
	// Ordered: a member tells us to do something.
	Ordered struct {
		From  signal.ID
		Order Kind // Mute, AskUnmute or StopPresenting
	}
	// Act: the user does something.
	Act struct{ Action Action }
	// Tick comes first a second or two after the connection, and every ten seconds or so from then on. Only the
	// repair of losses depends on it, and an owner who finds nobody who knows a roster.
	Tick struct{}
)

// Effect is something to do.
type Effect any

type (
	// Send a roster to each of these members.
	Send struct {
		To     []signal.ID
		Roster []byte
	}
	// Tell passes an order on to a member.
	Tell struct {
		To    signal.ID
		Order Kind
	}
	// Obey an order of a host.
	Obey struct {
		By    signal.ID
		Order Kind
	}
	// Meet somebody: both they and we are in now.
	Meet struct{ ID signal.ID }
	// Part from somebody: they or we are in no longer. Close every connection with them, and change the keys.
	Part struct{ ID signal.ID }
	// Notice something about ourselves.
	Notice struct {
		What What
		Err  error     // why an action of ours was refused or lost
		By   signal.ID // who changed it, if it was a host
	}
	// Keep the roster with our owner's key, so that we are still the owner after a restart. If it is nil, forget
	// both: somebody else owns the meeting.
	Keep struct{ Roster []byte }
)

// What is the subject of a Notice.
type What uint8

// The subjects.
const (
	StandingChanged What = iota + 1 // ours: see State.Standing
	RoleChanged                     // ours: see State.Role
	ActionRefused
	ActionLost  // another host's roster came first, and ours is no longer allowed
	OwnerForked // somebody has handed the meeting over twice: do not trust who owns it
)

// Limits of what a State remembers of others.
const (
	maxKnown   = signal.MaxMembers
	maxPending = 64 // own actions that may have to be done again; the oldest is dropped
	maxTries   = 32 // times that one is done again; only a host who fights needs more
	maxStrikes = 8  // rosters with wrong signatures that somebody may send between two ticks
)

// pending is an action of ours that a greater roster may not take into account.
type pending struct {
	n       uint64
	action  Action
	targets []signal.ID // of AdmitAll
	present []signal.ID // who was in
	tries   int
}

// State is what one member knows. It is a value: Next copies what it changes.
type State struct {
	cfg     Config
	me      signal.ID
	roster  *Roster
	here    []identity.Public // who has said hello, in order
	knocks  []signal.ID
	pending []pending
	number  uint64 // of our last action
	claimed bool   // we have been the owner, under our ID
	told    []signal.ID
	strikes map[signal.ID]int
	next    int // whom the next tick sends the roster

	// Refused counts what others sent and may not: rosters, knocks and orders.
	Refused uint64
}

// NewState is the state of a member who has heard of nobody.
func NewState(cfg Config) State {
	s := State{cfg: cfg, me: cfg.Me.ID()}
	if r, err := Parse(cfg.Saved); err == nil && s.ownKey() == r.Term.ownerKey() && r.check(cfg.Room, cfg.Owner, nil) == nil {
		s.roster = r
	}
	return s
}

// Roster is the one that holds, or nil while nobody hosts the meeting. It must not be changed.
func (s State) Roster() *Roster { return s.roster }

// FirstSeen says that nothing but coming first speaks for the owner, because the link named none.
func (s State) FirstSeen() bool { return s.roster != nil && s.cfg.Owner == "" }

// Knocks lists who knocks, the longest waiting first. It is empty for who is no host.
func (s State) Knocks() []signal.ID { return s.knocks }

// Hosts lists the other hosts who are here.
func (s State) Hosts() []signal.ID {
	var hosts []signal.ID
	for _, x := range s.here {
		if id := x.ID(); s.roster.Role(id) > Member {
			hosts = append(hosts, id)
		}
	}
	return hosts
}

// Role is what somebody may do.
func (s State) Role(id signal.ID) Role {
	if id == s.me && s.owns() {
		return Owner
	}
	return s.roster.Role(id)
}

// Standing is whether somebody is in.
func (s State) Standing(id signal.ID) Standing {
	if id == s.me && s.owns() && s.roster != nil && s.roster.Term.Owner != s.me {
		return In // as soon as we have claimed the meeting
	}
	return s.roster.Standing(id)
}

// Allows reports whether somebody has a right.
func (s State) Allows(id signal.ID, right Right) bool {
	return id == s.me && s.owns() || s.roster.Allows(id, right)
}

// Meets reports whether we and somebody else are both in.
func (s State) Meets(id signal.ID) bool { return s.Standing(s.me) == In && s.Standing(id) == In }

// May reports why we may not do something, or nil.
func (s State) May(a Action) error {
	r := s.roster
	if s.owns() {
		d := s.claim()
		r = &d.Roster
	}
	if err := r.May(s.me, a.Kind, a.Target); err != nil {
		return err
	}
	switch {
	case a.Kind.targeted() && a.Kind != UnmakeCoHost && !s.isHere(a.Target):
		return ErrAbsent
	case a.Kind == HandOver && len(r.Term.Handovers)+2 > MaxHandovers:
		return ErrHandovers
	case a.Kind == MakeCoHost && len(s.fadingCoHosts(r)) == 0 && len(r.Term.CoHosts) == MaxCoHosts:
		return ErrCoHosts
	case r.By != nil && r.Epoch >= signal.MaxNumber && r.Role(s.me) == CoHost:
		return ErrExhausted
	}
	return nil
}

// fadingCoHosts are the co-hosts who are not here.
func (s State) fadingCoHosts(r *Roster) []signal.ID {
	return slices.DeleteFunc(slices.Clone(r.Term.CoHosts), s.isHere)
}

func (s State) isHere(id signal.ID) bool {
	return id == s.me || slices.ContainsFunc(s.here, func(p identity.Public) bool { return p.ID() == id })
}

func (s State) ownKey() (k Key) {
	if len(s.cfg.Key) == ed25519.PrivateKeySize {
		copy(k[:], s.cfg.Key[identity.KeyBytes:]) // an Ed25519 private key ends with the public one
	}
	return k
}

// owns reports whether the meeting is ours under our present ID, or ours to claim: our key is the owner's, and the
// roster names another ID, of before a restart. Of two devices with the same key the one that came later is the owner
// for as long as it is here, so that they do not take the meeting from each other for ever.
func (s State) owns() bool {
	key := s.ownKey()
	switch {
	case key == Key{}:
		return false
	case s.roster == nil:
		return Fingerprint(key[:]) == s.cfg.Owner
	case s.roster.Term.ownerKey() != key:
		return false
	}
	return s.roster.Term.Owner == s.me || !s.claimed || !s.isHere(s.roster.Term.Owner)
}

// offered reports whether the owner offers us the meeting.
func (s State) offered() bool {
	return s.roster != nil && s.roster.Term.Offer != nil && s.roster.Term.Offer.To == s.cfg.Me.Public().Sign &&
		s.ownKey() != Key{} && len(s.roster.Term.Handovers)+2 <= MaxHandovers
}
