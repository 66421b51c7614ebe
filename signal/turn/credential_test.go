package turn

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"parley/signal"
)

// The golden vectors, which verify.mjs reproduces, too.
func TestCredentialVectors(t *testing.T) {
	text, err := os.ReadFile("../testdata/turn.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Secret     string    `json:"secret"`
		Room       string    `json:"room"`
		ID         signal.ID `json:"id"`
		Expires    int64     `json:"expires"`
		Username   string    `json:"username"`
		Credential string    `json:"credential"`
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range vectors {
		username, credential := Credentials{signal.Secret(v.Secret)}.Mint(v.Room, v.ID, time.Unix(v.Expires, 0))
		if username != v.Username || string(credential) != v.Credential {
			t.Errorf("%s %s: %q %q, want %q %q", v.Room, v.ID, username, string(credential), v.Username, v.Credential)
		}
	}
}

func TestCredentialNamesMemberAndRoom(t *testing.T) {
	c, now := Credentials{NewSecret()}, time.Now()
	seen := map[string]bool{}
	for _, room := range []string{"room one", "room two"} {
		for _, id := range []signal.ID{"member one", "member two"} {
			s := c.Server(nil, room, id, now)
			name, expires, ok := parse(s.Username)
			if !ok || seen[name] {
				t.Errorf("user name %q of %s in %s: parsed %v, known %v", s.Username, id, room, ok, seen[name])
			}
			seen[name] = true
			if left := expires.Sub(now); left > Lifetime || left < Lifetime-time.Second {
				t.Errorf("expires after %v", left)
			}
		}
	}
	for _, bad := range []string{"", ":", "1", "1:", "x:AAAAAAAAAAAAAAAA", "-1:AAAAAAAAAAAAAAAA", "1:AAAA", "99999999999999999999:AAAAAAAAAAAAAAAA"} {
		if name, _, ok := parse(bad); ok {
			t.Errorf("%q names %q", bad, name)
		}
	}
}
