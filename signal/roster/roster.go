// Package roster decides who belongs to a meeting and what each may do there: a signed, versioned list, in one pure
// function.
package roster

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"

	"parley/signal"
	"parley/signal/identity"
)

// Limits of a roster. PROTOCOL.md, "Roster", gives them too.
const (
	MaxHandovers = 16  // two for each time that a meeting is handed over
	MaxCoHosts   = 16  // absent ones make room for new ones
	MaxAdmitted  = 128 // absent ones make room for new ones
	MaxRemoved   = 128 // the oldest is dropped: while the waiting room is on, they have to knock anyway
	MaxBytes     = 6 << 10
)

// Key is an Ed25519 public key.
type Key [identity.KeyBytes]byte

// Signature is one of Ed25519.
type Signature [identity.SignatureBytes]byte

// fingerprintBytes is how much of the hash of an owner's key a link carries. It has to withstand a second preimage,
// not a collision: whoever draws the key is the one to be believed.
const fingerprintBytes = 12

// Fingerprint is what a link carries of the public key of the meeting's owner: 16 characters of base64url.
func Fingerprint(key []byte) string {
	sum := sha256.Sum256(key)
	return base64.RawURLEncoding.EncodeToString(sum[:fingerprintBytes])
}

// Term says who has authority. Only the owner's key signs one.
type Term struct {
	Root      Key        // the key of the meeting's creator, whose fingerprint is in the link
	Handovers []Handover // from the creator to whoever owns the meeting now
	N         uint64     // counts the terms
	Owner     signal.ID  // as whom the owner is here; another ID after a restart
	CoHosts   []signal.ID
	Offer     *Handover // the owner offers the meeting to whoever holds this key
	Sig       Signature // by the owner's key
}

// Handover passes a meeting to another key.
type Handover struct {
	To  Key
	Sig Signature // by the key before
}

// ownerKey is the key that owns the meeting in this term.
func (t Term) ownerKey() Key {
	if n := len(t.Handovers); n > 0 {
		return t.Handovers[n-1].To
	}
	return t.Root
}

// hosts lists those with authority, the owner first. The counters in Roster.Seen follow this order.
func (t Term) hosts() []signal.ID { return append([]signal.ID{t.Owner}, t.CoHosts...) }

// Policy says how open a meeting is. The zero Policy is open: whoever has the code is in, and may do everything
// that is not for hosts alone.
type Policy struct {
	Waiting bool // only who is admitted is in; the others may knock
	Locked  bool // only who is admitted is in; the others may not even knock
	Present bool // only hosts may share a screen
	Chat    bool // only hosts may write
	Unmute  bool // only hosts may switch on a microphone; others when a host asks them to
}

// gated says that only those in Admitted are in.
func (p Policy) gated() bool { return p.Waiting || p.Locked }

// Roster is what hosts have decided. It is a value: whoever changes it makes another one with a greater place in
// the order and signs it.
type Roster struct {
	Term     Term
	Epoch    uint64 // counts the rosters of a term
	Policy   Policy
	Ended    bool        // by the owner, for all
	Seen     []uint64    // of the owner and each co-host: how many of their actions this roster takes into account
	Admitted []signal.ID // while gated; sorted
	Removed  []signal.ID // the latest last
	By       *identity.Public
	Sig      Signature // by the owner's key, or by the co-host's whose keys By holds
}

// Role is what somebody may do.
type Role uint8

// The roles, each with more authority than the one before.
const (
	Member Role = iota
	CoHost
	Owner
)

// Role is what the roster says somebody may do. With no roster, everybody is a Member.
func (r *Roster) Role(id signal.ID) Role {
	switch {
	case r == nil:
		return Member
	case id == r.Term.Owner:
		return Owner
	case slices.Contains(r.Term.CoHosts, id):
		return CoHost
	}
	return Member
}

// Standing is whether somebody is in the meeting.
type Standing uint8

// The kinds of Standing.
const (
	In        Standing = iota
	Waiting            // may knock
	LockedOut          // may not
	Removed
	Ended // the meeting is over, for everybody
)

// Standing is whether the roster counts somebody in. With no roster, everybody is In.
func (r *Roster) Standing(id signal.ID) Standing {
	switch {
	case r == nil:
		return In
	case r.Ended:
		return Ended
	case r.Role(id) > Member:
		return In
	case slices.Contains(r.Removed, id):
		return Removed
	case !r.Policy.gated() || slices.Contains(r.Admitted, id):
		return In
	case r.Policy.Locked:
		return LockedOut
	}
	return Waiting
}

// Right is something that a policy may keep to the hosts.
type Right uint8

// The rights.
const (
	ToPresent Right = iota
	ToChat
	ToUnmute
)

// Allows reports whether somebody has a right. Who is not in has none.
func (r *Roster) Allows(id signal.ID, right Right) bool {
	if r == nil {
		return true
	}
	reserved := [...]bool{ToPresent: r.Policy.Present, ToChat: r.Policy.Chat, ToUnmute: r.Policy.Unmute}[right]
	return r.Standing(id) == In && (!reserved || r.Role(id) > Member)
}

// signer is the role and the ID of who signed.
func (r *Roster) signer() (Role, signal.ID) {
	if r.By == nil {
		return Owner, r.Term.Owner
	}
	return CoHost, r.By.ID()
}

// compareTerms orders terms. More hand-overs come first in weight, so that an owner who has handed the meeting over
// cannot take it back with a higher number.
func compareTerms(a, b Term) int {
	if c := cmp.Compare(len(a.Handovers), len(b.Handovers)); c != 0 {
		return c
	}
	for i := range a.Handovers {
		if c := bytes.Compare(a.Handovers[i].To[:], b.Handovers[i].To[:]); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(a.N, b.N), bytes.Compare(a.encode(nil), b.encode(nil)))
}

// Compare orders all rosters of a meeting, and is 0 only for the same bytes: the greater one holds everywhere. No
// rule of it depends on when or from whom a roster came. A missing roster comes before all others.
func Compare(a, b *Roster) int {
	if a == nil || b == nil {
		return cmp.Compare(btoi(a != nil), btoi(b != nil))
	}
	roleA, idA := a.signer()
	roleB, idB := b.signer()
	return cmp.Or(
		compareTerms(a.Term, b.Term),
		cmp.Compare(a.Epoch, b.Epoch),
		cmp.Compare(roleA, roleB),
		cmp.Compare(idA, idB),
		bytes.Compare(a.Encode(), b.Encode()),
	)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Reasons to refuse a roster. Each is one clear line, and none quotes what was refused.
var (
	ErrForm      = errors.New("roster refused: its form is wrong")
	ErrTooLarge  = errors.New("roster refused: it is too large")
	ErrRules     = errors.New("roster refused: it says what no host may say")
	ErrRoot      = errors.New("roster refused: it is not of the owner that the link names")
	ErrKey       = errors.New("roster refused: an owner's key is not one")
	ErrTermSig   = errors.New("roster refused: the owner did not sign who has authority")
	ErrRosterSig = errors.New("roster refused: no host signed it")
)

// check verifies everything about a roster: that it keeps the rules, is of this room and of the owner with the
// fingerprint (empty: of any), and that those signed it who may. Whoever passes authority on signs for the room, so
// that no signature serves in another one. The term of known, if it is the same, has been verified before.
func (r *Roster) check(room, fingerprint string, known *Roster) error {
	if err := r.rules(); err != nil {
		return err
	}
	if fingerprint != "" && Fingerprint(r.Term.Root[:]) != fingerprint {
		return ErrRoot
	}
	if known == nil || compareTerms(r.Term, known.Term) != 0 {
		if err := r.Term.check(room); err != nil {
			return err
		}
	}
	text := r.signed(room)
	switch key := r.Term.ownerKey(); {
	case r.By == nil && !ed25519.Verify(key[:], text, r.Sig[:]):
		return ErrRosterSig
	case r.By != nil && (r.Term.role(r.By.ID()) != CoHost || !r.By.Verify(text, r.Sig[:])):
		return ErrRosterSig
	}
	return nil
}

func (t Term) role(id signal.ID) Role { return (&Roster{Term: t}).Role(id) }

// check verifies the signatures from the creator's key on.
func (t Term) check(room string) error {
	key := t.Root
	for i, h := range t.Handovers {
		if identity.SmallOrder(key) {
			return ErrKey
		}
		if !ed25519.Verify(key[:], handoverText(room, i, key, h.To), h.Sig[:]) {
			return ErrTermSig
		}
		key = h.To
	}
	if identity.SmallOrder(key) {
		return ErrKey
	}
	if o := t.Offer; o != nil && !ed25519.Verify(key[:], handoverText(room, len(t.Handovers), key, o.To), o.Sig[:]) {
		return ErrTermSig
	}
	if !ed25519.Verify(key[:], t.signed(room), t.Sig[:]) {
		return ErrTermSig
	}
	return nil
}

// rules are those that need no key. Authority is the owner's alone to give: a roster can remove neither the owner nor
// a co-host, whoever signed it, and only the owner ends a meeting.
func (r *Roster) rules() error {
	hosts := r.Term.hosts()
	among := func(list []signal.ID) func(signal.ID) bool {
		return func(id signal.ID) bool { return slices.Contains(list, id) }
	}
	switch {
	case slices.ContainsFunc(r.Removed, among(hosts)),
		slices.ContainsFunc(r.Removed, among(r.Admitted)),
		slices.Contains(r.Term.CoHosts, r.Term.Owner),
		len(r.Seen) != len(hosts),
		!r.Policy.gated() && len(r.Admitted) > 0,
		r.Ended && r.By != nil:
		return ErrRules
	}
	return nil
}
