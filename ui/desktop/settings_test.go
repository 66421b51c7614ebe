package desktop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// logged is a log to look at.
func logged() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}

// Settings are the user's alone, also where they were wider before, and outlast the app.
func TestSettingsArePrivate(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	log, said := logged()
	file := SettingsFile("app", "preferences.json")
	dir := filepath.Dir(file)
	s := OpenSettings("app", log)
	s.SetString("name", "Ada")
	for path, mode := range map[string]os.FileMode{dir: 0o755, file: 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	s = OpenSettings("app", log)
	for range 2 {
		for path, want := range map[string]os.FileMode{dir: 0o700, file: 0o600} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v, want %o", filepath.Base(path), info, err, want)
			}
		}
		if s.String("name") != "Ada" || s.Bool("on") || !s.BoolWithFallback("other", true) || s.StringWithFallback("on", "x") != "x" {
			t.Errorf("%v", s.values)
		}
		s.SetBool("on", false)
	}
	if said.Len() > 0 {
		t.Errorf("it says %s", said)
	}
}

// TestSettingsAreNeverHalf: whoever reads while another writes finds all of it, and nobody's value is lost.
func TestSettingsAreNeverHalf(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	log, said := logged()
	a, b := OpenSettings("app", log), OpenSettings("app", log)
	a.SetString("a", "0")
	b.SetString("b", "0")
	file := SettingsFile("app", "preferences.json")
	done := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			data, err := os.ReadFile(file)
			if err != nil || !json.Valid(data) {
				t.Errorf("read %q, %v", data, err)
				return
			}
		}
	})
	for i := range 200 {
		a.SetString("a", fmt.Sprint(i))
		b.SetString("b", fmt.Sprint(i))
	}
	close(done)
	readers.Wait()
	if s := OpenSettings("app", log); s.String("a") != "199" || s.String("b") != "199" {
		t.Errorf("kept %v", s.values)
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 || said.Len() > 0 {
		t.Errorf("left %v, %v; it says %s", left, err, said)
	}
}

// TestSettingsWithoutAPlace: what cannot be kept is said in one line, and holds until the end.
func TestSettingsWithoutAPlace(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, home := range map[string]string{"no home": "", "no folder can be made": blocked} {
		t.Setenv("XDG_CONFIG_HOME", home)
		t.Setenv("HOME", home)
		log, said := logged()
		s := OpenSettings("app", log)
		s.SetString("name", "Ada")
		s.SetBool("on", true)
		if s.String("name") != "Ada" || !s.Bool("on") {
			t.Errorf("%s: forgot %v", name, s.values)
		}
		if strings.Count(said.String(), "\n") != 1 || !strings.Contains(said.String(), "settings are not kept") {
			t.Errorf("%s: it says %s", name, said)
		}
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	file := SettingsFile("app", "preferences.json")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(`{"name":"Secret`), 0o600); err != nil {
		t.Fatal(err)
	}
	log, said := logged()
	s := OpenSettings("app", log)
	s.SetString("name", "Ada")
	if strings.Count(said.String(), "\n") != 1 || strings.Contains(said.String(), "Secret") || OpenSettings("app", log).String("name") != "Ada" {
		t.Errorf("a damaged file: %s", said)
	}
}

// TestPlaceToolkit: the toolkit always finds a folder, and never makes one where the program was started.
func TestPlaceToolkit(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	clean := PlaceToolkit()
	dir := os.Getenv("XDG_CONFIG_HOME")
	if info, err := os.Stat(filepath.Join(dir, "fyne")); dir == "" || err != nil || !info.IsDir() {
		t.Fatalf("%q: %v", dir, err)
	}
	clean()
	if _, err := os.Stat(dir); err == nil {
		t.Error("the temporary folder stays")
	}
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	PlaceToolkit()()
	if os.Getenv("XDG_CONFIG_HOME") != home {
		t.Error("a good folder is not used")
	}
}
