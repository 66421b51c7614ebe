package desktop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync"
)

// Settings are what the app remembers between runs: one flat JSON file, which only the user may read, because
// meeting links are in it. Several windows of a profile share the file: a change reads it again, and changes one value.
// The toolkit's own store truncates the file first and then trips over the empty one.
//
// A change holds at once and does not wait for the disk: Run writes it.
type Settings struct {
	file    string // empty: there is no place for it
	log     *slog.Logger
	changed chan struct{} // something is pending

	disk   sync.Mutex // held while the file is read and written
	warned bool       // the user was told that nothing is kept

	mu      sync.Mutex // never held while waiting for the disk
	values  map[string]any
	pending map[string]pending
}

// pending is what has to be done to a value in the file.
type pending struct {
	update func(old any) any
	steps  int
}

// maxSteps is how many updates of one value wait for the disk. With one more, the value is written as this window knows it,
// and what other windows made of it meanwhile is lost.
const maxSteps = 16

// OpenSettings reads the settings of an app. If they cannot be read, or there is no place for them, it
// says so once in the log and starts with none.
func OpenSettings(appID string, log *slog.Logger) *Settings {
	return openSettings(SettingsFile(appID, settingsName), log, secure)
}

func openSettings(file string, log *slog.Logger, secure func(dir string) error) *Settings {
	s := &Settings{file: file, log: log, changed: make(chan struct{}, 1), values: map[string]any{}, pending: map[string]pending{}}
	if s.file == "" {
		s.warn(errors.New("there is no home folder"))
		return s
	}
	dir := filepath.Dir(s.file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.warn(fmt.Errorf("make the folder of the settings: %w", err))
		return s
	}
	if err := secure(dir); err != nil {
		log.Warn("others may be able to read the settings", "err", err)
	}
	defer lockFile(s.file + lockSuffix)()
	if values := s.read(); values != nil {
		s.values = values
	}
	return s
}

// warn says once that settings are not kept.
func (s *Settings) warn(err error) {
	if !s.warned {
		s.warned = true
		s.log.Warn("settings are not kept", "err", err)
	}
}

// read returns the settings in the file, or nil. It renames a file that it cannot read, so that the next change does
// not overwrite what can be repaired by hand. The caller has the file's lock.
func (s *Settings) read() map[string]any {
	values, err := readSettings(s.file)
	switch {
	case err == nil:
		return values
	case errors.Is(err, fs.ErrNotExist):
	default:
		aside := s.file + damagedSuffix
		if moved := os.Rename(s.file, aside); moved != nil {
			s.warn(errors.Join(err, moved))
			break
		}
		s.log.Warn("the settings cannot be read; they begin anew, and the old file is kept", "file", aside, "err", err)
	}
	return nil
}

// Run writes what is changed, until ctx ends; then it writes what is left.
func (s *Settings) Run(ctx context.Context) error {
	for {
		select {
		case <-s.changed:
			s.Flush()
		case <-ctx.Done():
			s.Flush()
			return nil
		}
	}
}

// Flush writes what is pending. It leaves the other values in the file alone: another window may have changed them.
func (s *Settings) Flush() {
	s.disk.Lock()
	defer s.disk.Unlock()
	s.mu.Lock()
	changes := s.pending
	s.pending = map[string]pending{}
	s.mu.Unlock()
	if s.file == "" || len(changes) == 0 {
		return
	}
	defer lockFile(s.file + lockSuffix)()
	values, dirty := s.read(), false
	if values == nil { // there is no file, or no more
		values, dirty = s.all(), true
	} else {
		for key, p := range changes {
			old, known := values[key]
			values[key] = p.update(old)
			dirty = dirty || !known || !reflect.DeepEqual(old, values[key])
			s.learn(key, values[key])
		}
	}
	if !dirty {
		return
	}
	if err := writeSettings(s.file, values); err != nil {
		s.warn(err)
	}
}

// all is a copy of the values.
func (s *Settings) all() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.values)
}

// learn takes over a value from the file, on which our later changes build.
func (s *Settings) learn(key string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, later := s.pending[key]; later {
		value = p.update(value)
	}
	s.values[key] = value
}

// set replaces a value, and whatever was to become of the old one.
func (s *Settings) set(key string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key] = value
	s.put(key, pending{func(any) any { return value }, 0})
}

// put makes something pending. s.mu is held.
func (s *Settings) put(key string, p pending) {
	s.pending[key] = p
	select {
	case s.changed <- struct{}{}:
	default: // Run knows already
	}
}

// UpdateString changes a text, starting from the one that is kept now, which may be another window's.
func (s *Settings) UpdateString(key string, update func(old string) string) {
	change := func(old any) any {
		text, _ := old.(string)
		return update(text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values[key] = change(s.values[key])
	earlier, waits := s.pending[key]
	switch value := s.values[key]; {
	case !waits:
		s.put(key, pending{change, 1})
	case earlier.steps < maxSteps:
		s.put(key, pending{func(old any) any { return change(earlier.update(old)) }, earlier.steps + 1})
	default:
		s.put(key, pending{func(any) any { return value }, 0})
	}
}

// String is a text, empty where none was set.
func (s *Settings) String(key string) string { return s.StringWithFallback(key, "") }

// StringWithFallback is a text, or fallback where none was set.
func (s *Settings) StringWithFallback(key, fallback string) string { return value(s, key, fallback) }

// SetString keeps a text.
func (s *Settings) SetString(key, value string) { s.set(key, value) }

// Bool is a choice, false where none was made.
func (s *Settings) Bool(key string) bool { return s.BoolWithFallback(key, false) }

// BoolWithFallback is a choice, or fallback where none was made.
func (s *Settings) BoolWithFallback(key string, fallback bool) bool { return value(s, key, fallback) }

// SetBool keeps a choice.
func (s *Settings) SetBool(key string, value bool) { s.set(key, value) }

func value[T any](s *Settings, key string, fallback T) T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.values[key].(T); ok {
		return v
	}
	return fallback
}

// PlaceToolkit makes sure that the toolkit has a folder for its settings, of which Parley uses none but
// the scale, and the graphics library one for its cache. Without, they would complain, or make one where
// the program was started. Where the user's own cannot be made they get a temporary one, and clean removes
// that.
func PlaceToolkit() (clean func()) {
	none := func() {}
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		return none
	}
	dir, err := os.UserConfigDir()
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "fyne"), 0o700)
	}
	if err == nil {
		return none
	}
	dir, err = os.MkdirTemp("", "parley-*")
	if err != nil {
		return none
	}
	places := []string{"XDG_CONFIG_HOME", "XDG_CACHE_HOME"}
	if !filepath.IsAbs(os.Getenv("HOME")) {
		places = append(places, "HOME")
	}
	err = os.Mkdir(filepath.Join(dir, "fyne"), 0o700)
	for _, name := range places {
		err = errors.Join(err, os.Setenv(name, dir))
	}
	if err != nil {
		return none
	}
	return func() { _ = os.RemoveAll(dir) } // at the end of the program; what is left is an empty folder
}
