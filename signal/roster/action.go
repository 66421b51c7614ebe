package roster

import (
	"errors"
	"slices"

	"parley/signal"
)

// Kind is what a host can do.
type Kind uint8

// The kinds of action. The last three are orders: they change no roster and reach one person.
const (
	Admit          Kind = iota + 1
	AdmitAll            // everybody who knocks
	Deny                // who knocks
	Remove              // also turns the waiting room on, or who was removed would come back with new keys
	SetLocked           // On
	SetWaiting          // On
	ReservePresent      // On: only hosts may
	ReserveChat         // On: only hosts may
	ReserveUnmute       // On: only hosts may
	MakeCoHost          // the owner's
	UnmakeCoHost        // the owner's
	HandOver            // the owner's
	EndForAll           // the owner's
	Mute
	AskUnmute
	StopPresenting
	lastKind = StopPresenting
)

func (k Kind) order() bool { return k >= Mute }

// owners says that only the owner may.
func (k Kind) owners() bool { return k >= MakeCoHost && k <= EndForAll }

// targeted says that the action is about one person.
func (k Kind) targeted() bool {
	return k == Admit || k == Deny || k == Remove || k >= MakeCoHost && k != EndForAll
}

// Action is something that a host does.
type Action struct {
	Kind   Kind
	Target signal.ID // of an action about one person
	On     bool      // of those that set something
}

// Reasons why an action is not allowed: each is one clear line.
var (
	ErrNoHost    = errors.New("nobody hosts this meeting")
	ErrNotHost   = errors.New("only a host may do that")
	ErrNotOwner  = errors.New("only the owner of the meeting may do that")
	ErrOnOwner   = errors.New("nobody may do that to the owner of the meeting")
	ErrOnCoHost  = errors.New("a co-host may not do that to another host")
	ErrOnSelf    = errors.New("nobody can do that to themselves")
	ErrAbsent    = errors.New("they are not here")
	ErrEnded     = errors.New("the meeting has ended")
	ErrExhausted = errors.New("the roster's numbers are used up: only the owner of the meeting can go on")
	ErrHandovers = errors.New("this meeting has been handed over too often")
	ErrCoHosts   = errors.New("there are too many co-hosts")
	ErrUnknown   = errors.New("there is no such action")
)

// May reports why the actor may not do that to the target, or nil. Every receiver asks it, too.
func (r *Roster) May(actor signal.ID, kind Kind, target signal.ID) error {
	switch role := r.Role(actor); {
	case kind < Admit || kind > lastKind:
		return ErrUnknown
	case r == nil:
		return ErrNoHost
	case r.Ended:
		return ErrEnded
	case role == Member:
		return ErrNotHost
	case kind.owners() && role != Owner:
		return ErrNotOwner
	case !kind.targeted():
		return nil
	case actor == target:
		return ErrOnSelf
	case r.Role(target) == Owner && kind != Admit:
		return ErrOnOwner
	case r.Role(target) == CoHost && role == CoHost && (kind == Deny || kind == Remove):
		return ErrOnCoHost
	}
	return nil
}

// draft is a roster on its way: changed says that it has to be signed, and term that its Term has to be.
type draft struct {
	Roster
	changed, term bool
}

// newDraft copies a roster so that changing it leaves the old one as it is.
func newDraft(r *Roster) draft {
	d := draft{Roster: *r}
	d.Term.Handovers = slices.Clone(r.Term.Handovers)
	d.Term.CoHosts = slices.Clone(r.Term.CoHosts)
	d.Seen = slices.Clone(r.Seen)
	d.Admitted = slices.Clone(r.Admitted)
	d.Removed = slices.Clone(r.Removed)
	return d
}

// apply does what an action of a host that is allowed says. It reports whether that has changed anything. Present is
// who was in when the host acted: they stay in when the meeting becomes gated.
func (d *draft) apply(a Action, targets, present []signal.ID) bool {
	was := d.Policy
	changed, closes := false, a.On
	switch a.Kind {
	case Admit, AdmitAll:
		for _, id := range targets {
			changed = d.admit(id) || changed
		}
	case Deny:
		changed = d.remove(a.Target)
	case Remove:
		changed, closes = d.remove(a.Target), true
		d.Policy.Waiting = d.Policy.Waiting || !d.Policy.Locked
	case SetLocked:
		d.Policy.Locked = a.On
	case SetWaiting:
		d.Policy.Waiting = a.On
	case ReservePresent:
		d.Policy.Present, closes = a.On, false
	case ReserveChat:
		d.Policy.Chat, closes = a.On, false
	case ReserveUnmute:
		d.Policy.Unmute, closes = a.On, false
	case MakeCoHost:
		changed = d.makeCoHost(a.Target)
	case UnmakeCoHost:
		changed = d.unmakeCoHost(a.Target)
	case EndForAll:
		changed, d.Ended, d.term = !d.Ended, true, true // a new term, so that no co-host's roster comes after it
	}
	changed = d.gate(closes, present) || changed || d.Policy != was
	d.changed = d.changed || changed
	return changed
}

// gate keeps Admitted in step with the policy. Who was in when a host closed the door stays in, even if another host
// has closed it at the same moment without seeing them.
func (d *draft) gate(closes bool, present []signal.ID) bool {
	if !d.Policy.gated() {
		d.Admitted = nil
		return false
	}
	changed := false
	for _, id := range present {
		if closes && !slices.Contains(d.Removed, id) && d.Role(id) == Member {
			changed = d.admit(id) || changed
		}
	}
	return changed
}

func (d *draft) admit(id signal.ID) bool {
	out := slices.Contains(d.Removed, id)
	d.Removed = without(d.Removed, id)
	at, found := slices.BinarySearch(d.Admitted, id)
	if found || !d.Policy.gated() {
		return out
	}
	d.Admitted = slices.Insert(d.Admitted, at, id)
	return true
}

func (d *draft) remove(id signal.ID) bool {
	if slices.Contains(d.Removed, id) {
		return false
	}
	d.unmakeCoHost(id)
	d.Admitted = without(d.Admitted, id)
	d.Removed = append(d.Removed, id)
	d.Removed = d.Removed[max(0, len(d.Removed)-MaxRemoved):]
	return true
}

func (d *draft) makeCoHost(id signal.ID) bool {
	at, found := slices.BinarySearch(d.Term.CoHosts, id)
	if found || id == d.Term.Owner || len(d.Term.CoHosts) == MaxCoHosts {
		return false
	}
	d.Removed = without(d.Removed, id)
	d.Term.CoHosts = slices.Insert(d.Term.CoHosts, at, id)
	d.Seen = slices.Insert(d.Seen, at+1, 0)
	d.term = true
	return true
}

func (d *draft) unmakeCoHost(id signal.ID) bool {
	at, found := slices.BinarySearch(d.Term.CoHosts, id)
	if !found {
		return false
	}
	d.Term.CoHosts = slices.Delete(d.Term.CoHosts, at, at+1)
	d.Seen = slices.Delete(d.Seen, at+1, at+2)
	d.term = true
	d.admit(id)
	return true
}

// setOwner makes somebody the owner, whose actions are counted from the beginning.
func (d *draft) setOwner(id signal.ID) {
	d.unmakeCoHost(id)
	d.Admitted = without(d.Admitted, id)
	d.Removed = without(d.Removed, id)
	d.Term.Owner, d.Term.Offer, d.Seen[0] = id, nil, 0
	d.changed, d.term = true, true
}

func without(list []signal.ID, id signal.ID) []signal.ID {
	return slices.DeleteFunc(list, func(x signal.ID) bool { return x == id })
}
