package roster

import (
	"encoding/base64"
	"encoding/binary"
	"slices"

	"parley/signal"
	"parley/signal/identity"
)

// What each signature begins with, so that none serves another purpose.
const (
	handoverPurpose = "parley handover v1\x00"
	termPurpose     = "parley term v1\x00"
	rosterPurpose   = "parley roster v1\x00"
)

// format is the first byte of an encoded roster.
const format = 1

// Bits of the flags.
const (
	flagWaiting = 1 << iota
	flagLocked
	flagPresent
	flagChat
	flagUnmute
	flagEnded
	flagsKnown = 1<<iota - 1
)

const idBytes = 12

// purposeText is the beginning of what is signed: the purpose, and the room with its length before it.
func purposeText(purpose, room string) []byte {
	b := append(make([]byte, 0, 1024), purpose...)
	b = append(b, byte(min(len(room), 255)))
	return append(b, room...)
}

// handoverText is what the key before signs to pass a meeting on for the time with this index.
func handoverText(room string, index int, from, to Key) []byte {
	b := append(purposeText(handoverPurpose, room), byte(index))
	b = append(b, from[:]...)
	return append(b, to[:]...)
}

func (t Term) signed(room string) []byte { return t.encodeUnsigned(purposeText(termPurpose, room)) }

func (r *Roster) signed(room string) []byte {
	return r.encodeUnsigned(purposeText(rosterPurpose, room))
}

func (t Term) encodeUnsigned(b []byte) []byte {
	b = append(b, t.Root[:]...)
	b = append(b, byte(len(t.Handovers)))
	for _, h := range t.Handovers {
		b = append(b, h.To[:]...)
		b = append(b, h.Sig[:]...)
	}
	b = binary.BigEndian.AppendUint64(b, t.N)
	b = appendID(b, t.Owner)
	b = appendIDs(b, t.CoHosts)
	if t.Offer == nil {
		return append(b, 0)
	}
	b = append(b, 1)
	b = append(b, t.Offer.To[:]...)
	return append(b, t.Offer.Sig[:]...)
}

func (t Term) encode(b []byte) []byte { return append(t.encodeUnsigned(b), t.Sig[:]...) }

func (r *Roster) encodeUnsigned(b []byte) []byte {
	b = append(b, format)
	b = r.Term.encode(b)
	b = binary.BigEndian.AppendUint64(b, r.Epoch)
	flags := btoi(r.Policy.Waiting)*flagWaiting | btoi(r.Policy.Locked)*flagLocked | btoi(r.Policy.Present)*flagPresent |
		btoi(r.Policy.Chat)*flagChat | btoi(r.Policy.Unmute)*flagUnmute | btoi(r.Ended)*flagEnded
	b = append(b, byte(flags))
	for _, n := range r.Seen { // as many as there are hosts
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = appendIDs(b, r.Admitted)
	b = appendIDs(b, r.Removed)
	if r.By == nil {
		return append(b, byte(Owner))
	}
	b = append(b, byte(CoHost))
	b = append(b, r.By.Sign[:]...)
	return append(b, r.By.DH[:]...)
}

// Encode is the one way to write this roster.
func (r *Roster) Encode() []byte { return append(r.encodeUnsigned(nil), r.Sig[:]...) }

func appendID(b []byte, id signal.ID) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(string(id))
	if err != nil || len(raw) != idBytes {
		panic("roster: encode an ID that is not valid")
	}
	return append(b, raw...)
}

func appendIDs(b []byte, ids []signal.ID) []byte {
	b = append(b, byte(len(ids)))
	for _, id := range ids {
		b = appendID(b, id)
	}
	return b
}

// reader takes apart what Encode has written. After the first fault it returns zeros.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.bad, r.b = true, nil
		return make([]byte, n)
	}
	part := r.b[:n]
	r.b = r.b[n:]
	return part
}

func (r *reader) byte() byte { return r.take(1)[0] }

// number reads one from least to MaxNumber, so that programs whose numbers are float64 can count along.
func (r *reader) number(least uint64) uint64 {
	n := binary.BigEndian.Uint64(r.take(8))
	r.bad = r.bad || n < least || n > signal.MaxNumber
	return n
}

func (r *reader) id() signal.ID {
	return signal.ID(base64.RawURLEncoding.EncodeToString(r.take(idBytes)))
}

// ids reads a list without anybody twice. It is nil if it is empty, as there is one way to write each roster.
func (r *reader) ids(most int) []signal.ID {
	n := int(r.byte())
	if r.bad = r.bad || n > most; r.bad || n == 0 {
		return nil
	}
	list := make([]signal.ID, 0, n)
	known := make(map[signal.ID]bool, n)
	for range n {
		id := r.id()
		r.bad = r.bad || known[id]
		known[id] = true
		list = append(list, id)
	}
	return list
}

func (r *reader) sorted(most int) []signal.ID {
	list := r.ids(most)
	r.bad = r.bad || !slices.IsSorted(list)
	return list
}

func (r *reader) handover() (h Handover) {
	copy(h.To[:], r.take(len(h.To)))
	copy(h.Sig[:], r.take(len(h.Sig)))
	return h
}

func (r *reader) term() Term {
	var t Term
	copy(t.Root[:], r.take(len(t.Root)))
	n := int(r.byte())
	if r.bad = r.bad || n > MaxHandovers; r.bad {
		return t
	}
	for range n {
		t.Handovers = append(t.Handovers, r.handover())
	}
	t.N = r.number(1)
	t.Owner = r.id()
	t.CoHosts = r.sorted(MaxCoHosts)
	switch r.byte() {
	case 0:
	case 1:
		offer := r.handover()
		t.Offer = &offer
	default:
		r.bad = true
	}
	copy(t.Sig[:], r.take(len(t.Sig)))
	return t
}

// Parse reads an encoded roster. It returns ErrTooLarge or ErrForm, and checks neither rules nor signatures.
func Parse(b []byte) (*Roster, error) {
	if len(b) > MaxBytes {
		return nil, ErrTooLarge
	}
	in := reader{b: b}
	in.bad = in.byte() != format
	r := &Roster{Term: in.term(), Epoch: in.number(1)}
	flags := in.byte()
	in.bad = in.bad || flags > flagsKnown
	r.Policy = Policy{
		Waiting: flags&flagWaiting != 0, Locked: flags&flagLocked != 0, Present: flags&flagPresent != 0,
		Chat: flags&flagChat != 0, Unmute: flags&flagUnmute != 0,
	}
	r.Ended = flags&flagEnded != 0
	for range 1 + len(r.Term.CoHosts) {
		r.Seen = append(r.Seen, in.number(0))
	}
	r.Admitted = in.sorted(MaxAdmitted)
	r.Removed = in.ids(MaxRemoved)
	switch Role(in.byte()) {
	case Owner:
	case CoHost:
		r.By = new(identity.Public)
		copy(r.By.Sign[:], in.take(len(r.By.Sign)))
		copy(r.By.DH[:], in.take(len(r.By.DH)))
	default:
		in.bad = true
	}
	copy(r.Sig[:], in.take(len(r.Sig)))
	if in.bad || len(in.b) > 0 {
		return nil, ErrForm
	}
	return r, nil
}
