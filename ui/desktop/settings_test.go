package desktop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
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
	file := SettingsFile("app", settingsName)
	dir := filepath.Dir(file)
	s := OpenSettings("app", log)
	s.SetString("name", "Ada")
	s.Flush()
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
		s.Flush()
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
	keep := func(i int) {
		a.SetString("a", fmt.Sprint(i))
		b.SetString("b", fmt.Sprint(i))
		a.Flush()
		b.Flush()
	}
	keep(0)
	file := SettingsFile("app", settingsName)
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
		keep(i)
	}
	close(done)
	readers.Wait()
	if s := OpenSettings("app", log); s.String("a") != "199" || s.String("b") != "199" {
		t.Errorf("kept %v", s.values)
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 2 || said.Len() > 0 {
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
		s.Flush()
		if s.String("name") != "Ada" || !s.Bool("on") {
			t.Errorf("%s: forgot %v", name, s.values)
		}
		if strings.Count(said.String(), "\n") != 1 || !strings.Contains(said.String(), "settings are not kept") {
			t.Errorf("%s: it says %s", name, said)
		}
	}
}

// TestSettingsOfAnotherShape: a file that holds no settings is kept aside, said in one line without what is in it, and
// replaced; when it comes while the app runs, too.
func TestSettingsOfAnotherShape(t *testing.T) {
	for name, content := range map[string]string{
		"null": "null", "array": `["Secret"]`, "number": "17", "string": `"Secret"`, "true": "true", "empty": "", "blank": " \n",
		"cut": `{"name":"Secret`, "two": `{"name":"Secret"}{}`, "binary": "\x00\xff\x7fELFSecret", "deep": strings.Repeat("[", 20_000),
		"huge": `{"name":"` + strings.Repeat("Secret", maxSettings/6) + `"}`,
	} {
		for _, late := range []bool{false, true} {
			t.Setenv("XDG_CONFIG_HOME", t.TempDir())
			file := SettingsFile("app", settingsName)
			log, said := logged()
			put := func() {
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(content), 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			if !late {
				put()
			}
			s := OpenSettings("app", log)
			if late {
				put()
			}
			s.SetBool("on", true)
			s.UpdateString("name", func(old string) string { return old + "Ada" })
			s.Flush()
			if aside, err := os.ReadFile(file + damagedSuffix); err != nil || string(aside) != content {
				t.Errorf("%s: %d bytes are kept aside, %v", name, len(aside), err)
			}
			if strings.Count(said.String(), "\n") != 1 || strings.Contains(said.String(), "Secret") {
				t.Errorf("%s: it says %.300s", name, said)
			}
			if s := OpenSettings("app", log); s.String("name") != "Ada" || !s.Bool("on") {
				t.Errorf("%s: afterwards %v", name, s.values)
			}
		}
	}
}

// TestSettingsWithForeignValues: a value of another type counts as none, and can be set.
func TestSettingsWithForeignValues(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	file := SettingsFile("app", settingsName)
	content := `{"name":{"a":[1]},"on":[true],"other":null,"kept":1.5}`
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
	log, said := logged()
	s := OpenSettings("app", log)
	if s.StringWithFallback("name", "x") != "x" || !s.BoolWithFallback("on", true) || s.StringWithFallback("other", "x") != "x" {
		t.Errorf("read %v", s.values)
	}
	s.SetString("name", "Ada")
	s.SetBool("on", false)
	s.Flush()
	data, err := os.ReadFile(file)
	if want := `{"kept":1.5,"name":"Ada","on":false,"other":null}` + "\n"; err != nil || string(data) != want || said.Len() > 0 {
		t.Errorf("wrote %s, %v; it says %s", data, err, said)
	}
}

// TestSettingsAFileCannotHold: a folder or a pipe in the file's place neither blocks the app nor is lost.
func TestSettingsAFileCannotHold(t *testing.T) {
	for name, put := range map[string]func(string) error{
		"folder": func(path string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o700) },
		"pipe":   func(path string) error { return exec.Command("mkfifo", path).Run() },
	} {
		t.Setenv("XDG_CONFIG_HOME", t.TempDir())
		file := SettingsFile("app", settingsName)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), put(file)); err != nil {
			t.Fatal(err)
		}
		log, _ := logged()
		s := OpenSettings("app", log)
		s.SetString("name", "Ada")
		s.Flush()
		if got := OpenSettings("app", log).String("name"); got != "Ada" {
			t.Errorf("%s: kept %q", name, got)
		}
		if _, err := os.Lstat(file + damagedSuffix); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSettingsThatOthersMayRead: settings whose permissions cannot be changed are kept all the same, and the log says
// what is wrong with them. When later they can no longer be written, it says so.
func TestSettingsThatOthersMayRead(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	file := SettingsFile("app", settingsName)
	log, said := logged()
	s := openSettings(file, log, func(string) error { return fs.ErrPermission })
	s.SetString("name", "Ada")
	s.Flush()
	if got := OpenSettings("app", log).String("name"); got != "Ada" {
		t.Errorf("kept %q", got)
	}
	if text := said.String(); strings.Count(text, "\n") != 1 || strings.Contains(text, "not kept") || !strings.Contains(text, "others may be able to read") {
		t.Errorf("it says %s", text)
	}
	if err := errors.Join(os.RemoveAll(filepath.Dir(file)), os.WriteFile(filepath.Dir(file), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	s.SetString("name", "Bea")
	s.Flush()
	s.SetString("name", "Cleo")
	s.Flush()
	if text := said.String(); strings.Count(text, "\n") != 2 || strings.Count(text, "not kept") != 1 || s.String("name") != "Cleo" {
		t.Errorf("it says %s", text)
	}
}

// TestSettingsOfManyWindows: windows that change one text at the same time lose nothing of each other.
func TestSettingsOfManyWindows(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	const windows, changes = 6, 10
	log, said := logged()
	var wg sync.WaitGroup
	for i := range windows {
		s := OpenSettings("app", log) // before the others write
		wg.Go(func() {
			for n := range changes {
				s.UpdateString("list", func(old string) string { return old + fmt.Sprint(i) })
				if n%3 == 0 { // some changes are written together
					s.Flush()
				}
			}
			s.Flush()
		})
	}
	wg.Wait()
	list := OpenSettings("app", log).String("list")
	for i := range windows {
		if n := strings.Count(list, fmt.Sprint(i)); n != changes {
			t.Errorf("%d of %d changes of window %d are kept", n, changes, i)
		}
	}
	if said.Len() > 0 {
		t.Errorf("it says %s", said)
	}
}

// TestHungWindow: a window that stopped while it had the lock does not stop the others.
func TestHungWindow(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the timeout")
	}
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	log, _ := logged()
	s := OpenSettings("app", log)
	defer lockFile(s.file + lockSuffix)()
	s.SetString("name", "Ada")
	s.Flush()
	data, err := os.ReadFile(s.file)
	if err != nil || !strings.Contains(string(data), "Ada") {
		t.Errorf("kept %s, %v", data, err)
	}
}

// TestChangesDoNotWaitForTheDisk: while another program has the file's lock, changes hold at once, and nothing is written.
// When the lock is free, the last value of each is written, also after the end of the app was asked for.
func TestChangesDoNotWaitForTheDisk(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	log, said := logged()
	s := OpenSettings("app", log)
	s.UpdateString("list", func(string) string { return "a" })
	s.Flush()
	before, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	other := exec.Command("flock", s.file+lockSuffix, "sh", "-c", "echo locked; cat") // util-linux
	input, err1 := other.StdinPipe()
	output, err2 := other.StdoutPipe()
	if err := errors.Join(err1, err2, other.Start()); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscan(output, new(string)); err != nil {
		t.Fatal(err)
	}
	for i := range 100 { // a minute and a half, if each waited for the lock
		s.SetString("name", fmt.Sprint(i))
	}
	s.UpdateString("list", func(old string) string { return old + "b" })
	if now, err := os.ReadFile(s.file); err != nil || string(now) != string(before) {
		t.Errorf("a change was written by who made it: %s, %v", now, err)
	}
	if s.String("name") != "99" || s.String("list") != "ab" {
		t.Errorf("the changes do not hold: %v", s.values)
	}
	if err := errors.Join(input.Close(), other.Wait()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if kept := OpenSettings("app", log); kept.String("name") != "99" || kept.String("list") != "ab" || said.Len() > 0 {
		t.Errorf("kept %v; it says %s", kept.values, said)
	}
}

// TestRunWrites: what is changed while the app runs is in the file soon.
func TestRunWrites(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	log, _ := logged()
	s := OpenSettings("app", log)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) })
	for _, name := range []string{"Ada", "Bea"} {
		s.SetString("name", name)
		for limit := time.Now().Add(20 * time.Second); OpenSettings("app", log).String("name") != name; time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("%s is not written", name)
			}
		}
	}
	cancel()
	running.Wait()
}

// TestManyUpdatesWait: updates of one text that wait for the disk build on what another window has written, up to a number.
func TestManyUpdatesWait(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	log, _ := logged()
	for n, want := range map[int]string{maxSteps: "other" + strings.Repeat("x", maxSteps), maxSteps + 1: strings.Repeat("x", maxSteps+1)} {
		s, other := OpenSettings("app", log), OpenSettings("app", log)
		s.SetString("list", "")
		s.Flush()
		for range n {
			s.UpdateString("list", func(old string) string { return old + "x" })
		}
		other.SetString("list", "other")
		other.Flush()
		s.Flush()
		if got := OpenSettings("app", log).String("list"); got != want || s.String("list") != want {
			t.Errorf("%d updates: kept %q, the window has %q, want %q", n, got, s.String("list"), want)
		}
	}
}

// TestPlaceToolkit: the toolkit always finds a folder, and never makes one where the program was started.
func TestPlaceToolkit(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
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
