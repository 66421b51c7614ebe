package roster

import (
	"crypto/ed25519"
	"slices"

	"parley/signal"
	"parley/signal/identity"
)

// begin is a draft on top of the roster that holds. It fails for who has no authority.
func (s State) begin() (draft, bool) {
	switch {
	case s.owns():
		return s.claim(), true
	case s.offered():
		return s.accept(), true
	case s.roster.Role(s.me) == CoHost:
		return newDraft(s.roster), true
	}
	return draft{}, false
}

// claim makes us the owner under our present ID. Nothing is left of a meeting that was ended.
func (s State) claim() draft {
	if s.roster == nil {
		return draft{
			Roster:  Roster{Term: Term{Root: s.ownKey(), Owner: s.me}, Seen: []uint64{0}},
			changed: true, term: true,
		}
	}
	d := newDraft(s.roster)
	if d.Term.Owner == s.me {
		return d
	}
	if d.Ended {
		d.Ended, d.Policy, d.Admitted, d.Removed, d.Term.CoHosts, d.Seen = false, Policy{}, nil, nil, nil, []uint64{0}
	}
	d.setOwner(s.me)
	return d
}

// accept takes the meeting that the owner offers us, first for our member's key, which the offer names, and with that
// for our owner's key, which outlives a restart. The owner before becomes a co-host.
func (s State) accept() draft {
	d := newDraft(s.roster)
	offer := *d.Term.Offer
	own := Handover{To: s.ownKey()}
	copy(own.Sig[:], s.cfg.Me.Sign(handoverText(s.cfg.Room, len(d.Term.Handovers)+1, offer.To, own.To)))
	d.Term.Handovers = append(d.Term.Handovers, offer, own)
	before := d.Term.Owner
	d.setOwner(s.me)
	if s.isHere(before) && !d.makeCoHost(before) {
		d.admit(before)
	}
	return d
}

// do applies one of our actions. It reports whether that has changed anything.
func (s State) do(d *draft, p pending) bool {
	switch p.action.Kind {
	case HandOver:
		return s.offer(d, p.action.Target)
	case MakeCoHost:
		if !s.isHere(p.action.Target) {
			return false
		}
		if len(d.Term.CoHosts) == MaxCoHosts {
			for _, id := range s.fadingCoHosts(&d.Roster) {
				d.unmakeCoHost(id)
			}
		}
	}
	return d.apply(p.action, p.targets, p.present)
}

func (s State) offer(d *draft, to signal.ID) bool {
	at := slices.IndexFunc(s.here, func(p identity.Public) bool { return p.ID() == to })
	if at < 0 || len(d.Term.Handovers)+2 > MaxHandovers {
		return false
	}
	offer := Handover{To: s.here[at].Sign}
	if d.Term.Offer != nil && d.Term.Offer.To == offer.To {
		return false
	}
	text := handoverText(s.cfg.Room, len(d.Term.Handovers), s.ownKey(), offer.To)
	copy(offer.Sig[:], ed25519.Sign(s.cfg.Key, text))
	d.Term.Offer, d.changed, d.term = &offer, true, true
	return true
}

// sign numbers and signs a draft. It fails when there is no greater number.
func (s State) sign(d *draft) (*Roster, error) {
	owner := d.Term.ownerKey() == s.ownKey()
	if len(d.Admitted) > MaxAdmitted {
		d.Admitted = slices.DeleteFunc(d.Admitted, func(id signal.ID) bool { return !s.isHere(id) })
	}
	switch full := d.Epoch >= signal.MaxNumber; {
	case owner && (d.term || full):
		if d.Term.N >= signal.MaxNumber {
			return nil, ErrExhausted
		}
		d.Term.N++
		d.Epoch = 1
		copy(d.Term.Sig[:], ed25519.Sign(s.cfg.Key, d.Term.signed(s.cfg.Room)))
	case full:
		return nil, ErrExhausted
	default:
		d.Epoch++
	}
	r := d.Roster
	if owner {
		r.By = nil
		copy(r.Sig[:], ed25519.Sign(s.cfg.Key, r.signed(s.cfg.Room)))
	} else {
		by := s.cfg.Me.Public()
		r.By = &by
		copy(r.Sig[:], s.cfg.Me.Sign(r.signed(s.cfg.Room)))
	}
	return &r, nil
}

// publish takes over a roster of our own and sends it to everybody, also to who waits, and to who has just been
// removed, once.
func (s State) publish(r *Roster) (State, []Effect) {
	old := s
	s.roster = r
	s.claimed = s.claimed || r.Term.Owner == s.me
	var to []signal.ID
	for _, x := range s.here {
		if id := x.ID(); old.roster.Standing(id) != Removed || r.Standing(id) != Removed {
			to = append(to, id)
		}
	}
	s, effects := s.changed(old)
	if len(to) > 0 {
		effects = append([]Effect{Send{to, r.Encode()}}, effects...)
	}
	return s, effects
}

// changed says what another roster means for us and for those who are here.
func (s State) changed(old State) (State, []Effect) {
	var effects []Effect
	for _, x := range s.here {
		id := x.ID()
		switch was, is := old.Meets(id), s.Meets(id); {
		case was && !is:
			effects = append(effects, Part{id})
		case is && !was:
			effects = append(effects, Meet{id})
		}
	}
	s.knocks = slices.DeleteFunc(slices.Clone(s.knocks), func(id signal.ID) bool {
		return s.Role(s.me) == Member || s.Standing(id) != Waiting
	})
	_, by := s.roster.signer()
	if s.Standing(s.me) != old.Standing(s.me) {
		effects = append(effects, Notice{What: StandingChanged, By: by})
	}
	if s.Role(s.me) != old.Role(s.me) {
		effects = append(effects, Notice{What: RoleChanged, By: by})
	}
	switch key := s.ownKey(); {
	case key == s.roster.Term.ownerKey():
		effects = append(effects, Keep{s.roster.Encode()})
	case old.roster != nil && key == old.roster.Term.ownerKey():
		effects = append(effects, Keep{})
	}
	return s, effects
}
