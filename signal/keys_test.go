package signal

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretsStayOutOfLogsAndErrors(t *testing.T) {
	code := NewCode()
	keys := Derive(code)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "code", code, "keys", keys)
	fmt.Fprintf(&log, "%v %+v %#v %s", keys, keys, keys, keys)
	for _, text := range []string{"https://h/%zz#" + code.String(), "https://h/x(#" + code.String(), code.String() + "u", "https://h/#" + code.String() + "0"} {
		if _, err := ParseLink(text, nil); err != nil {
			log.WriteString(err.Error())
		} else {
			t.Errorf("a malformed link was taken")
		}
	}
	if _, err := ParseLink(code.String(), nil); !errors.Is(err, ErrNoServer) {
		t.Errorf("a code without a server: %v", err)
	} else {
		log.WriteString(err.Error())
	}
	for _, secret := range []string{code.String(), string(code), string(code)[:8], hex.EncodeToString(keys.seal[:4])} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("a secret got out: %s", log.String())
		}
	}
}

func TestNewIsRandomAndValid(t *testing.T) {
	codes, ids := map[Code]bool{}, map[ID]bool{}
	for range 1000 {
		code, id := NewCode(), NewID()
		if again, err := ParseCode(code.String()); err != nil || again != code || codes[code] {
			t.Fatalf("code %s: %v", code, err)
		}
		if !id.Valid() || ids[id] {
			t.Fatalf("ID %s", id)
		}
		codes[code], ids[id] = true, true
	}
	for _, id := range []ID{"", "short", "0123456789abcde", "0123456789abcdef0", "0123456789abcde+", "0123456789abcde\n"} {
		if id.Valid() {
			t.Errorf("%q counts as valid", id)
		}
	}
}

func BenchmarkDerive(b *testing.B) {
	for b.Loop() {
		Derive("7k3mq9xt2w8p")
	}
}
