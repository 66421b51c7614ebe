package trust

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/signal/identity"
)

var noon = time.Date(2024, 5, 3, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, file string) (*Device, error) {
	t.Helper()
	d, warning, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	return d, warning
}

func TestDeviceStaysTheSame(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "device.key")
	first, warning := open(t, file)
	again, later := open(t, file)
	if first.Key() != again.Key() || warning != nil || later != nil {
		t.Errorf("%v, %v", warning, later)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Two windows that start at once have one key.
func TestTwoWindowsMakeOneKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "device.key")
	var wg sync.WaitGroup
	keys := make([]Key, 8)
	for i := range keys {
		wg.Go(func() {
			d, _, err := Open(file)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = d.Key()
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] {
			t.Fatal("two keys")
		}
	}
}

func TestUnusableKeysAreKeptAside(t *testing.T) {
	seed := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		says string
	}{
		"empty":               {"", 0o600, "damaged"},
		"rubbish":             {"\x00\xff\x00", 0o600, "damaged"},
		"without a header":    {seed + "\n", 0o600, "damaged"},
		"cut":                 {header + seed[:20], 0o600, "damaged"},
		"longer":              {header + seed + seed, 0o600, "damaged"},
		"far longer":          {header + strings.Repeat("A", 1<<20), 0o600, "damaged"},
		"of a later version":  {strings.Replace(header, "v1", "v2", 1) + seed + "\n", 0o600, "damaged"},
		"read by the group":   {header + seed + "\n", 0o640, "others could read it"},
		"written by everyone": {header + seed + "\n", 0o602, "others could read it"},
	} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS == "windows" && c.mode != 0o600 {
				t.Skip("no modes")
			}
			file := filepath.Join(t.TempDir(), "device.key")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(file, c.mode); err != nil {
				t.Fatal(err)
			}
			d, warning := open(t, file)
			if warning == nil || !strings.Contains(warning.Error(), c.says) || strings.ContainsAny(warning.Error(), "\n\x00") ||
				strings.Contains(warning.Error(), seed[:8]) {
				t.Errorf("warning %v", warning)
			}
			if old, err := os.ReadFile(file + asideSuffix); err != nil || string(old) != c.text {
				t.Errorf("put aside: %.40q, %v", old, err)
			}
			if again, warning := open(t, file); warning != nil || again.Key() != d.Key() {
				t.Errorf("the second time: %v", warning)
			}
		})
	}
}

func TestNoPlaceForAKey(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if d, _, err := Open(filepath.Join(file, "device.key")); err == nil || d != nil {
		t.Errorf("a key below a file: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "device.key"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, warning := open(t, filepath.Join(dir, "device.key")); warning == nil { // a folder in its place is put aside too
		t.Error("no warning")
	}
}

func TestVoucher(t *testing.T) {
	d, _ := open(t, filepath.Join(t.TempDir(), "device.key"))
	other, _ := open(t, filepath.Join(t.TempDir(), "device.key"))
	ada, ben := identity.New().Public(), identity.New().Public()
	v := d.Vouch("room", ada)
	if !v.Verify("room", ada) {
		t.Fatal("it does not verify")
	}
	text, err := v.MarshalText()
	var again Voucher
	if err != nil || again.UnmarshalText(text) != nil || again != v {
		t.Errorf("%s is read as something else", text)
	}
	small := Voucher{Key: Key{1}}
	small.Sig[0] = 1 // fits every message
	for name, ok := range map[string]bool{
		"another room":         v.Verify("roon", ada),
		"another's keys":       v.Verify("room", ben),
		"halves":               v.Verify("room", identity.Public{Sign: ada.Sign, DH: ben.DH}),
		"another device":       Voucher{other.Key(), v.Sig}.Verify("room", ada),
		"none":                 Voucher{}.Verify("room", ada),
		"a key of small order": small.Verify("room", ada),
	} {
		if ok {
			t.Errorf("%s: verified", name)
		}
	}
	for _, bad := range []string{"", "x", string(text[1:]), string(text) + "A", strings.Repeat("!", len(text))} {
		if err := new(Voucher).UnmarshalText([]byte(bad)); err == nil {
			t.Errorf("%q is a voucher", bad)
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %s", d, d, d, d); got != "[keys] [keys] [keys] [keys]" {
		t.Error(got)
	}
}

var update = flag.Bool("update", false, "rewrite the golden vectors in ../testdata")

// TestVectors reads device.json, whose members are those of seal.json. testdata/verify.mjs reproduces it.
func TestVectors(t *testing.T) {
	file := filepath.Join("..", "testdata", "device.json")
	text, err := os.ReadFile(file)
	var v struct {
		Devices []struct {
			Seed    string  `json:"seed"` // hex
			Room    string  `json:"room"`
			Of      string  `json:"of"` // ada or ben
			Voucher Voucher `json:"voucher"`
		} `json:"devices"`
	}
	if err != nil || json.Unmarshal(text, &v) != nil || len(v.Devices) == 0 {
		t.Fatal(file, err)
	}
	fill := func(b byte) (a [32]byte) { return [32]byte(bytes.Repeat([]byte{b}, 32)) }
	people := map[string]*identity.Identity{"ada": identity.FromSeeds(fill(1), fill(2)), "ben": identity.FromSeeds(fill(3), fill(4))}
	for i := range v.Devices {
		d := &v.Devices[i]
		seed, _ := hex.DecodeString(d.Seed)
		got := (&Device{ed25519.NewKeyFromSeed(seed)}).Vouch(d.Room, people[d.Of].Public())
		if *update {
			d.Voucher = got
		} else if got != d.Voucher || !d.Voucher.Verify(d.Room, people[d.Of].Public()) {
			t.Errorf("device %d: %v", i, got)
		}
	}
	if *update {
		if text, err = json.MarshalIndent(v, "", "  "); err == nil {
			err = os.WriteFile(file, append(text, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestBook(t *testing.T) {
	ada, ben, eve := Key{1}, Key{2}, Key{3}
	var b Book
	b = b.Meet(ada, "Ada", noon).Meet(ben, "Ben", noon)
	if v, k := b.Judge(ada, "Ada"); v != Met || k.First != noon {
		t.Errorf("met: %d, %+v", v, k)
	}
	b = b.Verify(ada, "Ada", noon.Add(time.Hour)).Meet(ada, "Ada L.", noon.Add(48*time.Hour))
	if v, k := b.Judge(ada, "somebody else"); v != Verified || k.First != noon || k.Verified != noon.Add(time.Hour) || k.Name != "Ada" {
		t.Errorf("verified: %d, %+v", v, k)
	}
	for name, want := range map[string]Verdict{"aDA": Changed, "Ada L.": New, "": New} {
		if v, _ := b.Judge(eve, name); v != want {
			t.Errorf("a new device under the name %q: %d, want %d", name, v, want)
		}
	}
	if v, _ := b.Judge(Key{}, "Ada"); v != Changed {
		t.Errorf("no device under a verified name: %d", v)
	}
	again, err := Parse(b.String())
	if err != nil || again.String() != b.String() {
		t.Errorf("read again: %v\n%s\n%s", err, again, b)
	}
	if v, _ := b.Doubt(ada).Judge(ada, "Ada"); v != Met {
		t.Errorf("doubted: %d", v)
	}
	if v, _ := b.Doubt(eve).Forget(ada).Judge(ada, "Ada"); v != New {
		t.Errorf("forgotten: %d", v)
	}
	if v, _ := b.Judge(ada, "Ada"); v != Verified {
		t.Error("a book is changed by its methods")
	}
}

func TestBookIsBounded(t *testing.T) {
	var b Book
	b = b.Verify(Key{0xff}, strings.Repeat("x", maxName+9), noon)
	for i := range 2 * maxKnown {
		b = b.Meet(Key{byte(i), byte(i >> 8), 1}, "x", noon.Add(time.Duration(i)*time.Minute))
	}
	if v, _ := b.Judge(Key{0xff}, ""); len(b.people) != maxKnown || v != Verified {
		t.Errorf("%d known; who was verified is %d", len(b.people), v)
	}
	if _, ok := b.Find(Key{100, 0, 1}); ok {
		t.Error("the one who was seen longest ago is there")
	}
	// A clock that is far off neither breaks the file nor the order.
	for _, at := range []time.Time{{}, time.Unix(1<<60, 0), noon} {
		b = b.Verify(Key{9}, "x", at)
		if _, err := Parse(b.String()); err != nil {
			t.Errorf("at %v: %v", at, err)
		}
	}
}

func TestDamagedBooks(t *testing.T) {
	key, _ := Key{1}.MarshalText()
	one := fmt.Sprintf(`{"key":%q,"name":"x","first":"2024-05-03T12:00:00Z","last":"2024-05-03T12:00:00Z"}`, key)
	if b, err := Parse("[" + one + "]"); err != nil || len(b.people) != 1 {
		t.Fatal(err)
	}
	for _, text := range []string{
		"7", "{", "[7]", `[{"key":"x"}]`, "[" + one + "," + one + "]", strings.Replace("["+one+"]", "2024", "soon", 1),
		`[{"name":"` + strings.Repeat("x", maxName+1) + `"}]`, "[" + strings.Repeat(" ", maxBook) + "]",
	} {
		if b, err := Parse(text); !errors.Is(err, ErrBook) || len(b.people) != 0 {
			t.Errorf("%.60q: %v", text, err)
		}
	}
}

// A holder looks at a key that is there before anything makes the folder private, and makes none before it is needed.
func TestHolder(t *testing.T) {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	file := filepath.Join(t.TempDir(), "device.key")
	h := NewHolder(file, logger)
	if _, err := os.Stat(file); err == nil {
		t.Error("a key is made that nobody needs")
	}
	first := h.Device()
	if first == nil || h.Device() != first || log.Len() > 0 {
		t.Fatalf("%v, %s", first, log.String())
	}
	if NewHolder(file, logger).Device().Key() != first.Key() {
		t.Error("another window has another key")
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		h = NewHolder(file, logger)
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
		if h.Device().Key() == first.Key() || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "others could read it") {
			t.Errorf("a key that others could read is used: %s", log.String())
		}
	}
	log.Reset()
	if d := NewHolder("", logger).Device(); d != nil {
		t.Error("a key without a place")
	}
	h = NewHolder(filepath.Join(file, "below", "a file"), logger)
	if log.Len() > 0 {
		t.Errorf("said before anybody needs a key: %s", log.String())
	}
	if d := h.Device(); d != nil || strings.Count(log.String(), "\n") == 0 {
		t.Errorf("a key below a file: %s", log.String())
	}
}
