package server_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/server"
)

// answer is the next frame of the service, whatever it is.
func (r *raw) answer() signal.Frame {
	r.t.Helper()
	_ = r.SetReadDeadline(time.Now().Add(patience))
	_, text, err := r.ReadMessage()
	if err != nil {
		r.t.Fatal(err)
	}
	f, err := signal.Decode(text)
	if err != nil {
		r.t.Fatal(err)
	}
	return f
}

// Every connection gets a nonce of its own.
func TestChallengesDiffer(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	seen := map[string]bool{}
	for range 20 {
		r := dialRaw(t, n)
		if seen[string(r.nonce)] || len(r.nonce) != signal.NonceBytes {
			t.Fatalf("nonce %x", r.nonce)
		}
		seen[string(r.nonce)] = true
	}
}

// attack makes a join that should not be let in, out of what an attacker has: the keys of the meeting and an identity
// of their own, the nonce of their connection, and the join of a member, which they have seen on its way.
type attack func(keys signal.Keys, me *identity.Identity, nonce []byte, seen signal.Join) signal.Join

func someJoin() signal.Join { return signal.Join{Try: 1, Version: signal.Version} }

var attacks = map[string]attack{
	"a join played again": func(_ signal.Keys, _ *identity.Identity, _ []byte, seen signal.Join) signal.Join { return seen },
	"the nonce of another connection": func(keys signal.Keys, me *identity.Identity, nonce []byte, _ signal.Join) signal.Join {
		other := bytes.Clone(nonce)
		other[0]++
		return me.Join(keys, other, someJoin())
	},
	"no nonce": func(keys signal.Keys, me *identity.Identity, _ []byte, _ signal.Join) signal.Join {
		return me.Join(keys, nil, someJoin())
	},
	"the proofs swapped": func(keys signal.Keys, me *identity.Identity, nonce []byte, _ signal.Join) signal.Join {
		j := me.Join(keys, nonce, someJoin())
		j.Knows, j.Owns = j.Owns, j.Knows
		return j
	},
	"the keys swapped": func(keys signal.Keys, me *identity.Identity, nonce []byte, _ signal.Join) signal.Join {
		j := me.Join(keys, nonce, someJoin())
		j.Sign, j.DH = j.DH, j.Sign
		return j
	},
	"proof of another room": func(keys signal.Keys, me *identity.Identity, nonce []byte, _ signal.Join) signal.Join {
		j := me.Join(room(), nonce, someJoin())
		j.Room = keys.Room
		return j
	},
	"another code's key for this room": func(keys signal.Keys, me *identity.Identity, nonce []byte, _ signal.Join) signal.Join {
		other := room()
		j := me.Join(other, nonce, someJoin())
		j.Room = keys.Room
		message := identity.JoinMessage(nonce, j)
		j.Knows, j.Owns = other.Admit(message), me.Sign(message)
		return j
	},
	"proof of another room, the admit key of this one": func(keys signal.Keys, me *identity.Identity, nonce []byte, _ signal.Join) signal.Join {
		j := me.Join(room(), nonce, someJoin())
		j.Room, j.Admit = keys.Room, keys.AdmitKey()
		return j
	},
	"the room's name alone": func(keys signal.Keys, me *identity.Identity, nonce []byte, seen signal.Join) signal.Join {
		j := me.Join(room(), nonce, someJoin()) // as somebody who knows no code
		j.Room, j.Admit, j.Knows = seen.Room, seen.Admit, seen.Knows
		return j
	},
	"a member's ID with one's own keys": func(keys signal.Keys, me *identity.Identity, nonce []byte, seen signal.Join) signal.Join {
		j := me.Join(keys, nonce, someJoin())
		j.ID = seen.ID
		message := identity.JoinMessage(nonce, j)
		j.Knows, j.Owns = keys.Admit(message), me.Sign(message)
		return j
	},
	"a member's ID and keys, without their secret": func(keys signal.Keys, me *identity.Identity, nonce []byte, seen signal.Join) signal.Join {
		j := seen
		j.Try = 9 // to take the membership over
		message := identity.JoinMessage(nonce, j)
		j.Knows, j.Owns = keys.Admit(message), me.Sign(message)
		return j
	},
	"a member's ID and signing key, another key to agree with": func(keys signal.Keys, me *identity.Identity, nonce []byte, seen signal.Join) signal.Join {
		public := me.Public()
		j := seen
		j.Try, j.DH = 9, public.DH[:]
		message := identity.JoinMessage(nonce, j)
		j.Knows, j.Owns = keys.Admit(message), me.Sign(message)
		return j
	},
	"signed for another count": func(keys signal.Keys, me *identity.Identity, nonce []byte, _ signal.Join) signal.Join {
		j := me.Join(keys, nonce, someJoin())
		j.Try = 2
		return j
	},
	"signed for another session": func(keys signal.Keys, me *identity.Identity, nonce []byte, _ signal.Join) signal.Join {
		j := me.Join(keys, nonce, someJoin())
		j.Session = signal.NewSession()
		return j
	},
	"signed for another last number": func(keys signal.Keys, me *identity.Identity, nonce []byte, _ signal.Join) signal.Join {
		j := me.Join(keys, nonce, someJoin())
		j.Last = 1
		return j
	},
	"a bit of the code's proof": func(keys signal.Keys, me *identity.Identity, nonce []byte, _ signal.Join) signal.Join {
		j := me.Join(keys, nonce, someJoin())
		j.Knows[5] ^= 4
		return j
	},
	"a bit of the ID's proof": func(keys signal.Keys, me *identity.Identity, nonce []byte, _ signal.Join) signal.Join {
		j := me.Join(keys, nonce, someJoin())
		j.Owns[60] ^= 1
		return j
	},
	"zeros": func(keys signal.Keys, _ *identity.Identity, _ []byte, _ signal.Join) signal.Join {
		zeros := make([]byte, 64)
		j := someJoin()
		j.Room, j.ID = keys.Room, identity.Public{}.ID()
		j.Admit, j.Sign, j.DH, j.Knows, j.Owns = zeros[:32], zeros[:32], zeros[:32], zeros, zeros
		return j
	},
}

// Nobody gets into a room, or into another's place, without the code and the keys. The member who is there notices
// nothing, and each attempt is counted.
func TestForgedJoinsAreRefused(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	keys, who := room(), identity.New()
	victim := dialRaw(t, n)
	seen := who.Join(keys, victim.nonce, someJoin())
	victim.say(signal.Encode(seen))
	hear[signal.Welcome](victim)
	for what, forge := range attacks {
		r := dialRaw(t, n)
		r.say(signal.Encode(forge(keys, identity.New(), r.nonce, seen)))
		got, ok := r.answer().(signal.Error)
		if !ok || got.Code != signal.CodeRefused || !strings.Contains(got.Text, "does not prove") {
			t.Errorf("%s: got %+v", what, got)
		}
		r.closes()
	}
	victim.say(signal.Encode(signal.Ping{}))
	if got, ok := victim.answer().(signal.Pong); !ok {
		t.Errorf("the member heard %+v", got)
	}
	if text, want := metricsOf(t, n), fmt.Sprintf("parley_refused_total{reason=\"refused\"} %d\n", len(attacks)); !strings.Contains(text, want) {
		t.Errorf("the metrics lack %q", want)
	}
	if text := metricsOf(t, n); !strings.Contains(text, "parley_rooms 1\n") || !strings.Contains(text, "parley_members 1\n") {
		t.Error("somebody was let in")
	}
}

// The same between nodes: a session does not move to whoever only knows its member's ID and keys.
func TestForgedJoinsMoveNoSession(t *testing.T) {
	t.Parallel()
	n1, n2 := startTwoNodes(t)
	keys, who := room(), identity.New()
	a := startJoined(t, n2.url(), keys)
	victim := dialRaw(t, n1)
	seen := who.Join(keys, victim.nonce, someJoin())
	victim.say(signal.Encode(seen))
	hear[signal.Welcome](victim)
	next[client.Joined](t, a)
	for what, forge := range attacks {
		r := dialRaw(t, n2)
		r.say(signal.Encode(forge(keys, identity.New(), r.nonce, seen)))
		if got, ok := r.answer().(signal.Error); !ok || got.Code != signal.CodeRefused {
			t.Errorf("%s: got %+v", what, got)
		}
	}
	a.say(t, who.ID(), "still there?")
	if got := hear[signal.Message](victim); string(got.Body) != "still there?" {
		t.Errorf("the member heard %q", got.Body)
	}
}

// smallOrder are the points of small order of Ed25519, with both signs, as keys: one signature by such a key fits many
// messages, and nobody needs to know a secret for it.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
}

// fitting finds a signature that fits a message under a key of small order: R is the point 1 or another of the
// subgroup, S is 0.
func fitting(key, message []byte) []byte {
	for _, text := range smallOrder {
		r, _ := hex.DecodeString(text)
		if sig := append(r, make([]byte, 32)...); ed25519.Verify(key, message, sig) {
			return sig
		}
	}
	return nil
}

// A key of small order proves nothing, although Ed25519 by itself takes its signatures.
func TestKeysOfSmallOrderAreRefused(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	forged := 0
	for _, text := range smallOrder {
		small, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		for what, forge := range map[string]func(me *identity.Identity, nonce []byte) signal.Join{
			"admit": func(me *identity.Identity, nonce []byte) signal.Join {
				j := me.Join(room(), nonce, someJoin())
				j.Admit, j.Room = small, signal.RoomOf(small)
				message := identity.JoinMessage(nonce, j)
				j.Owns = me.Sign(message)
				if sig := fitting(small, message); sig != nil {
					j.Knows, forged = sig, forged+1
				}
				return j
			},
			"sign": func(me *identity.Identity, nonce []byte) signal.Join {
				keys := room()
				j := me.Join(keys, nonce, someJoin())
				j.Sign = small
				j.ID = identity.Public{Sign: [32]byte(small), DH: me.Public().DH}.ID()
				message := identity.JoinMessage(nonce, j)
				j.Knows = keys.Admit(message)
				if sig := fitting(small, message); sig != nil {
					j.Owns, forged = sig, forged+1
				}
				return j
			},
		} {
			r := dialRaw(t, n)
			r.say(signal.Encode(forge(identity.New(), r.nonce)))
			if got, ok := r.answer().(signal.Error); !ok || got.Code != signal.CodeRefused {
				t.Errorf("%s %s: got %+v", what, text, got)
			}
		}
	}
	if forged < len(smallOrder)/2 {
		t.Errorf("only %d signatures fitted: this test shows little", forged)
	}
	for _, text := range []string{
		strings.Repeat("00", 32), "01" + strings.Repeat("00", 31), strings.Repeat("00", 31) + "80",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	} {
		small, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		r, keys, me := dialRaw(t, n), room(), identity.New()
		j := me.Join(keys, r.nonce, someJoin())
		j.DH = small
		j.ID = identity.Public{Sign: me.Public().Sign, DH: [32]byte(small)}.ID()
		message := identity.JoinMessage(r.nonce, j)
		j.Knows, j.Owns = keys.Admit(message), me.Sign(message)
		r.say(signal.Encode(j))
		if got, ok := r.answer().(signal.Error); !ok || got.Code != signal.CodeRefused {
			t.Errorf("dh %s: got %+v", text, got)
		}
	}
}

// A join of every length, and a join that does not wait for the challenge, end the connection with one clear error.
func TestRubbishInsteadOfAJoin(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	whole := signal.Encode(identity.New().Join(room(), make([]byte, signal.NonceBytes), someJoin()))
	step := 1
	if testing.Short() {
		step = 37
	}
	for size := 0; size <= len(whole); size += step {
		r := dialRaw(t, n)
		r.say(whole[:size])
		got, ok := r.answer().(signal.Error)
		if want := map[bool]signal.ErrorCode{true: signal.CodeRefused, false: signal.CodeBadMessage}[size == len(whole)]; !ok || got.Code != want {
			t.Fatalf("%d bytes of a join: got %+v, want %s", size, got, want)
		}
		_ = r.Close()
	}
	d := websocket.Dialer{Subprotocols: []string{signal.Subprotocol}}
	conn, _, err := d.Dial(n.url(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hasty := &raw{Conn: conn, t: t}
	hasty.say(whole)
	hear[signal.Challenge](hasty)
	if got := hear[signal.Error](hasty); got.Code != signal.CodeRefused {
		t.Errorf("a join before the challenge got %+v", got)
	}
}

// A client of version 1 gets no challenge, and is told which version is spoken here, whatever it says in its join.
func TestVersion1IsToldSo(t *testing.T) {
	t.Parallel()
	n := startNode(t, server.Config{})
	for what, join := range map[string]string{
		"version 1": `{"t":"join","n":1,"v":1,"room":"hY74aIdToFMjsrBPYePiRQ","id":"AAAAAAAAAAAAAAAA","token":"` + strings.Repeat("t", 32) + `"}`,
		"version 2": string(signal.Encode(identity.New().Join(room(), make([]byte, signal.NonceBytes), someJoin()))),
	} {
		d := websocket.Dialer{Subprotocols: []string{"parley"}}
		conn, _, err := d.Dial(n.url(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.Subprotocol(); got != "parley" {
			t.Fatalf("the service names %q", got)
		}
		r := &raw{Conn: conn, t: t}
		r.say([]byte(join))
		if got, ok := r.answer().(signal.Error); !ok || got.Code != signal.CodeVersion || !strings.Contains(got.Text, "version 2") {
			t.Errorf("%s over the subprotocol of version 1 got %+v", what, got)
		}
		r.closes()
	}
}

// A flood of joins with wrong proofs from one address costs no more signatures than its budget of connections allows,
// and others join meanwhile.
func TestFloodOfForgedJoinsIsBounded(t *testing.T) {
	n := behindProxy(t, server.Config{PerAddress: 20})
	keys, began := room(), time.Now()
	tried, refused := 400, 0
	for range tried {
		r, resp := dialFrom(t, n, "192.0.2.1")
		if r == nil {
			if resp.StatusCode != http.StatusServiceUnavailable {
				t.Fatal(resp.Status)
			}
			refused++
			continue
		}
		r.say(signal.Encode(identity.New().Join(keys, make([]byte, signal.NonceBytes), someJoin())))
		hear[signal.Error](r)
		r.closes()
		_ = r.Close()
	}
	// 40 at once and one a second: see newLedger.
	if checked, most := tried-refused, 40+int(time.Since(began).Seconds())+1; checked > most || checked < 20 {
		t.Errorf("%d joins of one address were checked, want at most %d", checked, most)
	}
	if !isWelcome(joinFrom(t, n, "192.0.2.2", keys)) {
		t.Error("another address is shut out")
	}
	if text := metricsOf(t, n); !strings.Contains(text, `parley_refused_total{reason="address-joins"}`) {
		t.Error("the refusals were not counted")
	}
}
