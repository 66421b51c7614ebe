package identity

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"

	"parley/signal"
)

// ErrProof refuses a join that does not prove what it has to: see Check.
var ErrProof = errors.New("the join does not prove that it knows the code and owns its ID")

// joinPurpose begins the message that a join signs.
const joinPurpose = "parley join v2\x00"

// JoinMessage is what the two signatures of a join are over: what it is for, then the service's nonce, room, ID,
// session, count of connections and last number, each after its length in one byte. The keys need no place in it,
// because room and ID are their hashes.
func JoinMessage(nonce []byte, j signal.Join) []byte {
	b := []byte(joinPurpose)
	for _, part := range [][]byte{
		nonce, []byte(j.Room), []byte(j.ID), []byte(j.Session),
		binary.BigEndian.AppendUint64(nil, j.Try), binary.BigEndian.AppendUint64(nil, j.Last),
	} {
		b = append(append(b, byte(len(part))), part...) // the protocol bounds each far below 256 bytes
	}
	return b
}

// Join completes a join with who we are, where the code leads, and the proofs of both for the service's nonce.
func (i *Identity) Join(keys signal.Keys, nonce []byte, j signal.Join) signal.Join {
	public := i.Public()
	j.Room, j.ID = keys.Room, public.ID()
	j.Admit, j.Sign, j.DH = keys.AdmitKey(), public.Sign[:], public.DH[:]
	message := JoinMessage(nonce, j)
	j.Knows, j.Owns = keys.Admit(message), i.Sign(message)
	return j
}

// CheckJoin returns ErrProof unless the join's room and ID are the hashes of its keys, and both keys have signed it for
// this nonce. Hashes are compared first, because signatures take a hundred times as long.
func CheckJoin(nonce []byte, j signal.Join) error {
	if len(nonce) != signal.NonceBytes || len(j.Admit) != KeyBytes || len(j.Sign) != KeyBytes || len(j.DH) != KeyBytes {
		return ErrProof
	}
	public := Public{Sign: [KeyBytes]byte(j.Sign), DH: [KeyBytes]byte(j.DH)}
	if j.Room != signal.RoomOf(j.Admit) || j.ID != public.ID() || !public.Usable() {
		return ErrProof
	}
	message := JoinMessage(nonce, j)
	if !verify(j.Admit, message, j.Knows) || !public.Verify(message, j.Owns) {
		return ErrProof
	}
	return nil
}

// verify refuses keys of small order beside wrong signatures: under such a key one signature fits every message.
func verify(key, message, signature []byte) bool {
	return len(signature) == SignatureBytes && !smallOrder(key, edwardsSmall) && ed25519.Verify(key, message, signature)
}
