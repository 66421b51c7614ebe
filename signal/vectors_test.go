package signal

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// update rewrites what the vectors' outputs are. Do so only together with a new version of the
// protocol: everyone who has a link relies on them.
var update = flag.Bool("update", false, "rewrite the golden vectors in testdata")

type codeVector struct {
	Typed string `json:"typed"`
	Code  string `json:"code"`  // empty: refused
	Shown string `json:"shown"` // as people read it
}

type linkVector struct {
	Text   string `json:"text"`
	Link   string `json:"link"` // empty: refused
	Code   Code   `json:"code"`
	Deep   string `json:"deep"`
	Socket string `json:"socket"`
}

type keyVector struct {
	Code  string `json:"code"`
	Admit string `json:"admit"` // hex, the public key
	Room  string `json:"room"`
	Seal  string `json:"seal"` // hex
}

// load reads vectors; with -update, save writes them back.
func load[T any](t *testing.T, name, field string) (vectors []T, save func()) {
	t.Helper()
	path := filepath.Join("testdata", name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := map[string][]T{}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	vectors = file[field]
	if len(vectors) == 0 {
		t.Fatalf("%s has no %s", path, field)
	}
	return vectors, func() {
		if !*update {
			return
		}
		text, err := json.MarshalIndent(file, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// golden compares, or takes over the value with -update.
func golden[T comparable](t *testing.T, what string, got T, want *T) {
	t.Helper()
	if *update {
		*want = got
	} else if got != *want {
		t.Errorf("%s: got %v, want %v", what, got, *want)
	}
}

func TestCodeVectors(t *testing.T) {
	vectors, save := load[codeVector](t, "codes.json", "codes")
	for i := range vectors {
		v := &vectors[i]
		code, err := ParseCode(v.Typed)
		if (err != nil) != (code == "") || (err != nil && !errors.Is(err, ErrCode)) {
			t.Errorf("%q: %q, %v", v.Typed, string(code), err)
		}
		golden(t, v.Typed, string(code), &v.Code)
		golden(t, v.Typed, code.String(), &v.Shown)
	}
	save()
}

func TestLinkVectors(t *testing.T) {
	fallback := &url.URL{Scheme: "https", Host: "meet.example.org"}
	vectors, save := load[linkVector](t, "links.json", "links")
	for i := range vectors {
		v := &vectors[i]
		link, err := ParseLink(v.Text, fallback)
		if err != nil {
			golden(t, v.Text, "", &v.Link)
			continue
		}
		golden(t, v.Text, link.String(), &v.Link)
		golden(t, v.Text, link.Code, &v.Code)
		golden(t, v.Text, link.DeepLink(), &v.Deep)
		golden(t, v.Text, strings.Join(link.WebSocketURLs(), " "), &v.Socket)
	}
	save()
}

func TestKeyVectors(t *testing.T) {
	vectors, save := load[keyVector](t, "keys.json", "keys")
	for i := range vectors {
		v := &vectors[i]
		keys := Derive(Code(v.Code))
		golden(t, v.Code, hex.EncodeToString(keys.AdmitKey()), &v.Admit)
		golden(t, v.Code, keys.Room, &v.Room)
		golden(t, v.Code, hex.EncodeToString(keys.seal[:]), &v.Seal)
		if !ValidRoom(keys.Room) {
			t.Errorf("%s is not a valid room", keys.Room)
		}
	}
	save()
}

// The vectors again, by WebCrypto: what a browser will do.
func TestVectorsInWebCrypto(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("node is missing")
		}
		t.Skip("node is missing")
	}
	out, err := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "verify.mjs")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "checks passed") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}
