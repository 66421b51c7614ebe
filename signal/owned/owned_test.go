package owned

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func key(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func TestKeysOutliveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "owned.json")
	log := slog.New(slog.DiscardHandler)
	s := New(path, log)
	if k, _ := s.Find("a"); k != nil {
		t.Error("a key of nothing")
	}
	s.Keep("a", key(1), []byte("first"))
	s.Keep("b", key(2), []byte("other"))
	s.Keep("a", key(1), []byte("second"))
	again := New(path, log)
	if k, roster := again.Find("a"); !k.Equal(key(1)) || string(roster) != "second" {
		t.Errorf("the key is lost, or the roster is %q", roster)
	}
	again.Keep("a", key(1), nil)
	if k, _ := s.Find("a"); k != nil {
		t.Error("a meeting that was handed over is still owned")
	}
	for i := range maxKept {
		s.Keep(fmt.Sprint(i), key(3), []byte("x"))
	}
	if k, _ := s.Find("b"); k != nil || len(s.list) != maxKept {
		t.Errorf("%d meetings are kept", len(s.list))
	}
	memory := New("", log)
	memory.Keep("a", key(1), []byte("x"))
	if k, _ := memory.Find("a"); k == nil {
		t.Error("without a file, nothing is kept")
	}
}

func TestFilesThatAreDamagedOrOpen(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "rubbish": "\xff", "half": `[{"room":"a","se`, "not a list": "7", "short key": `[{"room":"a","seed":"AAAA"}]`,
	} {
		path := filepath.Join(t.TempDir(), "owned.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		s := New(path, slog.New(slog.NewTextHandler(&log, nil)))
		if k, _ := s.Find("a"); k != nil || strings.Count(log.String(), "\n") != 1 {
			t.Errorf("%s: %v, %q", name, k != nil, log.String())
		}
		s.Keep("a", key(1), []byte("x"))
		if k, _ := New(path, slog.New(slog.DiscardHandler)).Find("a"); k == nil {
			t.Errorf("%s: nothing can be kept from then on", name)
		}
		if kept, err := os.ReadFile(path + ".damaged"); err != nil || string(kept) != text {
			t.Errorf("%s: what was damaged is gone: %v", name, err)
		}
	}
	if runtime.GOOS == "windows" {
		return // its files have no such bits
	}
	path := filepath.Join(t.TempDir(), "owned.json")
	New(path, slog.New(slog.DiscardHandler)).Keep("a", key(1), []byte("x"))
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	s := New(path, slog.New(slog.NewTextHandler(&log, nil)))
	k, _ := s.Find("a")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || k == nil || !strings.Contains(log.String(), "others could read") {
		t.Errorf("a file that others can read: %v, %q", err, log.String())
	}
}
