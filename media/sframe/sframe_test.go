package sframe

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vector is one frame, numbers as text because those of JSON end at 2^53.
type vector struct {
	Source    string `json:"source"`
	BaseKey   string `json:"base_key"`
	KID       uint64 `json:"kid,string"`
	Counter   uint64 `json:"counter,string"`
	Clear     int    `json:"clear"`
	Frame     string `json:"frame"`
	Encrypted string `json:"encrypted"`
}

func TestVectors(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) == 0 {
		t.Fatal(len(vectors), "vectors: ", err)
	}
	for _, v := range vectors {
		k, err := derive(v.KID, unhex(t, v.BaseKey)) // the RFC's key is shorter than ours may be
		if err != nil {
			t.Fatal(err)
		}
		s := &Sender{kid: v.KID, key: k, counter: v.Counter}
		got, err := s.Seal(nil, unhex(t, v.Frame), v.Clear)
		if err != nil || hex.EncodeToString(got) != v.Encrypted {
			t.Errorf("%s: encrypted, err %v\n%x, want\n%s", v.Source, err, got, v.Encrypted)
		}
		r := &Receiver{keys: map[uint64]*received{v.KID: {key: k}}}
		if back, _, err := r.Open(nil, unhex(t, v.Encrypted), v.Clear); err != nil || hex.EncodeToString(back) != v.Frame {
			t.Errorf("%s: %x, %v", v.Source, back, err)
		}
	}
}

// TestVectorsInWebCrypto has a browser's cryptography write and read the same frames.
func TestVectorsInWebCrypto(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("node is missing")
		}
		t.Skip("node is missing")
	}
	out, err := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "verify.mjs")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestHeader takes vectors of RFC 9605, appendix C.1.
func TestHeader(t *testing.T) {
	for _, c := range []struct {
		kid, counter uint64
		want         string
	}{
		{0, 0, "00"},
		{0, 1, "01"},
		{0, 255, "08ff"},
		{0, 256, "090100"},
		{0, math.MaxUint64, "0fffffffffffffffff"},
		{1, 0, "10"},
		{1, 65536, "1a010000"},
		{255, 255, "88ffff"},
		{256, 72057594037927935, "9e0100ffffffffffffff"},
		{65535, 4294967296, "9cffff0100000000"},
		{16777216, 16777215, "ba01000000ffffff"},
		{4294967296, 1099511627776, "cd0100000000010000000000"},
		{math.MaxUint64, math.MaxUint64, "ffffffffffffffffffffffffffffffffff"},
	} {
		got := appendHeader(nil, c.kid, c.counter)
		if !bytes.Equal(got, unhex(t, c.want)) {
			t.Errorf("KID %d, counter %d: %x, want %s", c.kid, c.counter, got, c.want)
		}
		if kid, counter, n := parseHeader(append(got, 1, 2, 3)); kid != c.kid || counter != c.counter || n != len(got) {
			t.Errorf("%s reads as KID %d, counter %d, %d bytes", c.want, kid, counter, n)
		}
		for cut := range got {
			if _, _, n := parseHeader(got[:cut]); n != 0 {
				t.Errorf("%x is taken for a header", got[:cut])
			}
		}
	}
	for _, long := range []string{"0807", "090001", "0f0000000000000001", "8007", "900001"} {
		if _, _, n := parseHeader(unhex(t, long)); n != 0 {
			t.Errorf("%s, longer than it has to be, is taken for a header", long)
		}
	}
}

func pair(t testing.TB, kid uint64) (*Sender, *Receiver) {
	t.Helper()
	base := bytes.Repeat([]byte{7}, BaseKeyBytes)
	s, err := NewSender(kid, base)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReceiver()
	if err := r.Add(kid, base); err != nil {
		t.Fatal(err)
	}
	return s, r
}

func seal(t testing.TB, s *Sender, frame string, clear int) []byte {
	t.Helper()
	out, err := s.Seal(nil, []byte(frame), clear)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestThereAndBack(t *testing.T) {
	s, r := pair(t, KID(3, 9))
	for _, frame := range []string{"", "a", "abc", "a whole frame of a camera"} {
		for _, clear := range []int{0, 1, 3, 10} {
			encrypted := seal(t, s, frame, clear)
			clear = min(clear, len(frame))
			if !bytes.HasPrefix(encrypted, []byte(frame[:clear])) || len(encrypted) > len(frame)+Overhead {
				t.Errorf("%q with %d bytes in clear: %x", frame, clear, encrypted)
			}
			got, kid, err := r.Open([]byte("before "), encrypted, clear)
			if err != nil || string(got) != "before "+frame || kid != KID(3, 9) {
				t.Errorf("%q: %q under %d, %v", frame, got, kid, err)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	s, r := pair(t, 1)
	stranger, _ := pair(t, 2)
	const clear = 3
	good := seal(t, s, "123frame", clear)
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			if out, _, err := r.Open([]byte("x"), bad, clear); err == nil || string(out) != "x" {
				t.Fatalf("byte %d, bit %d changed: %q, %v", i, bit, out, err)
			}
		}
		if _, _, err := r.Open(nil, good[:i], clear); err == nil {
			t.Fatalf("cut to %d bytes: accepted", i)
		}
	}
	if _, _, err := r.Open(nil, good, clear-1); err == nil {
		t.Error("a byte in clear taken for one of the header")
	}
	if _, _, err := r.Open(nil, good, len(good)+1); !errors.Is(err, ErrShort) {
		t.Error(err)
	}
	if _, _, err := r.Open(nil, seal(t, stranger, "x", 0), 0); !errors.Is(err, ErrKey) {
		t.Error("the key of a stranger:", err)
	}
	if _, _, err := r.Open(nil, good, clear); err != nil {
		t.Error("what was refused before spoils the right one:", err)
	}
	if _, _, err := r.Open(nil, good, clear); !errors.Is(err, ErrReplayed) {
		t.Error("a second time:", err)
	}
	if err := r.Add(1, bytes.Repeat([]byte{7}, BaseKeyBytes)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Open(nil, good, clear); !errors.Is(err, ErrReplayed) {
		t.Error("a key that is told again forgets what has come:", err)
	}
	r.Remove(1)
	if _, _, err := r.Open(nil, seal(t, s, "x", 0), 0); !errors.Is(err, ErrKey) {
		t.Error("a key that was removed:", err)
	}
	if _, err := NewSender(1, make([]byte, BaseKeyBytes-1)); err == nil {
		t.Error("a short key")
	}
}

func TestWindow(t *testing.T) {
	const far = 5 * windowBits
	for name, c := range map[string]struct {
		come  []uint64
		fresh map[uint64]bool
	}{
		"nothing":       {nil, map[uint64]bool{0: true, far: true}},
		"in order":      {[]uint64{0, 1, 2}, map[uint64]bool{0: false, 1: false, 2: false, 3: true}},
		"late":          {[]uint64{0, 3}, map[uint64]bool{0: false, 1: true, 2: true, 3: false}},
		"edge":          {[]uint64{0, windowBits - 1}, map[uint64]bool{0: false, 1: true}},
		"beyond":        {[]uint64{1, windowBits + 1}, map[uint64]bool{1: false, 2: true, 0: false}},
		"a jump":        {[]uint64{7, far}, map[uint64]bool{far: false, far - 1: true, far - windowBits + 1: true, far - windowBits: false, 7: false}},
		"a jump of one": {[]uint64{far, far + windowBits}, map[uint64]bool{far: false, far + 1: true}},
		"late after":    {[]uint64{far, far - 5, far + 64}, map[uint64]bool{far - 5: false, far - 4: true, far: false, far + 63: true}},
		"the last":      {[]uint64{math.MaxUint64 - 1, math.MaxUint64}, map[uint64]bool{math.MaxUint64: false, math.MaxUint64 - 2: true, 0: false}},
	} {
		t.Run(name, func(t *testing.T) {
			var w window
			for _, n := range c.come {
				w.accept(n)
			}
			for n, want := range c.fresh {
				if got := w.fresh(n); got != want {
					t.Errorf("%d is fresh: %v", n, got)
				}
			}
		})
	}
}

func TestSpent(t *testing.T) {
	s, r := pair(t, 1)
	s.counter = math.MaxUint64
	if _, _, err := r.Open(nil, seal(t, s, "the last", 0), 0); err != nil {
		t.Error(err)
	}
	if _, err := s.Seal(nil, []byte("one more"), 0); !errors.Is(err, ErrSpent) {
		t.Error(err)
	}
}

// TestManyTracks has all tracks of a sender share one key: no counter is used twice.
func TestManyTracks(t *testing.T) {
	s, r := pair(t, 1)
	var g sync.WaitGroup
	frames := make(chan []byte, 800)
	for range 8 {
		g.Go(func() {
			for range 100 {
				frames <- seal(t, s, "frame", 1)
			}
		})
	}
	g.Wait()
	close(frames)
	for f := range frames {
		if _, _, err := r.Open(nil, f, 1); err != nil {
			t.Fatal(err)
		}
	}
}

func TestClear(t *testing.T) {
	for name, c := range map[string]struct {
		frame []byte
		want  int
	}{
		"keyframe":       {append([]byte{0x10}, make([]byte, 50)...), 10},
		"other":          {append([]byte{0x11}, make([]byte, 50)...), 3},
		"short keyframe": {make([]byte, 4), 4},
		"short other":    {[]byte{1}, 1},
		"empty":          {nil, 0},
	} {
		if got := ClearVP8(c.frame); got != c.want {
			t.Errorf("%s: %d bytes", name, got)
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	s, _ := pair(f, KID(1, 1))
	f.Add(seal(f, s, "a frame", 3), 3)
	f.Add([]byte{0xff}, 0)
	f.Fuzz(func(t *testing.T, encrypted []byte, clear int) {
		_, r := pair(t, KID(1, 1))
		frame, _, err := r.Open(nil, encrypted, clear)
		if err != nil {
			return
		}
		if _, _, again := r.Open(nil, encrypted, clear); !errors.Is(again, ErrReplayed) {
			t.Errorf("accepted twice: %v", again)
		}
		if len(encrypted)-len(frame) > Overhead {
			t.Errorf("%d bytes of %d", len(frame), len(encrypted))
		}
	})
}

// BenchmarkEightLayers encrypts a thirtieth of a second of everything that a member may send: eight layers of pictures
// with 4 Mbit/s in all, and sound. The share of a core is what frame encryption costs.
func BenchmarkEightLayers(b *testing.B) {
	s, _ := pair(b, KID(1, 1))
	var frames [][]byte
	for _, kbps := range []int{1700, 1000, 600, 300, 200, 100, 60, 40, 40} {
		frames = append(frames, make([]byte, kbps*1000/8/30))
	}
	dst := make([]byte, 0, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		for _, f := range frames {
			if _, err := s.Seal(dst, f, ClearVP8(f)); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)*30/1e7, "%core")
}
