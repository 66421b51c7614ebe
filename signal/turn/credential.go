// Package turn is the STUN and TURN service beside the rendezvous, and mints the credentials for it.
package turn

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // what the draft and coturn's use-auth-secret ask for
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"parley/signal"
)

// Lifetime is how long a credential allows new allocations: far longer than a connection takes, and short enough
// that a stolen one is of little use. The rendezvous renews them every Renewal, so a member that lost it for an hour
// can still connect.
const (
	Lifetime = 2 * time.Hour
	Renewal  = Lifetime / 2
)

// memberBytes is how much of the hash names a member: no two of a service have the same.
const memberBytes = 12

// NewSecret draws a secret for a service that mints and checks its own credentials.
func NewSecret() signal.Secret { return signal.Secret(rand.Text()) }

// Credentials mints credentials as draft-uberti-behave-turn-rest-00 describes: the user name has the time at which
// the credential ends, and the credential proves that who knows the secret has written it.
type Credentials struct{ Secret signal.Secret }

// Mint makes the user name and the credential of one member of one room.
func (c Credentials) Mint(room string, id signal.ID, expires time.Time) (username string, credential signal.Secret) {
	username = strconv.FormatInt(expires.Unix(), 10) + ":" + member(room, id)
	return username, c.sign(username)
}

// Server is what a member is given for these URLs.
func (c Credentials) Server(urls []string, room string, id signal.ID, now time.Time) signal.ICEServer {
	username, credential := c.Mint(room, id, now.Add(Lifetime))
	return signal.ICEServer{URLs: urls, Username: username, Credential: credential, TTL: int64(Lifetime / time.Second)}
}

// member names a member of a room to a TURN server, which learns neither.
func member(room string, id signal.ID) string {
	sum := sha256.Sum256([]byte("parley turn v1\x00" + room + "\x00" + string(id)))
	return base64.RawURLEncoding.EncodeToString(sum[:memberBytes])
}

func (c Credentials) sign(username string) signal.Secret {
	mac := hmac.New(sha1.New, []byte(c.Secret))
	mac.Write([]byte(username))
	return signal.Secret(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// parse takes a user name apart. It says nothing about who wrote it.
func parse(username string) (member string, expires time.Time, ok bool) {
	end, member, ok := strings.Cut(username, ":")
	seconds, err := strconv.ParseInt(end, 10, 64)
	if !ok || err != nil || seconds < 0 || len(member) != base64.RawURLEncoding.EncodedLen(memberBytes) {
		return "", time.Time{}, false
	}
	return member, time.Unix(seconds, 0), true
}
