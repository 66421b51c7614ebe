package desktop

import (
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
type Settings struct {
	file string // empty: there is no place for it
	log  *slog.Logger

	mu     sync.Mutex
	values map[string]any
	warned bool // the user was told that nothing is kept
}

// OpenSettings reads the settings of an app. If they cannot be read, or there is no place for them, it
// says so once in the log and starts with none.
func OpenSettings(appID string, log *slog.Logger) *Settings {
	return openSettings(SettingsFile(appID, settingsName), log, secure)
}

func openSettings(file string, log *slog.Logger, secure func(dir string) error) *Settings {
	s := &Settings{file: file, log: log, values: map[string]any{}}
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
// not overwrite what can be repaired by hand. The caller has the lock.
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

// change updates one value, and leaves the others in the file alone: another window may have changed them.
func (s *Settings) change(key string, update func(old any) any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == "" {
		s.values[key] = update(s.values[key])
		return
	}
	defer lockFile(s.file + lockSuffix)()
	values := s.read()
	if values == nil { // there is no file, or no more
		values = maps.Clone(s.values)
	}
	old, known := values[key]
	s.values[key] = update(old)
	if known && reflect.DeepEqual(old, s.values[key]) {
		return
	}
	values[key] = s.values[key]
	if err := writeSettings(s.file, values); err != nil {
		s.warn(err)
	}
}

func (s *Settings) set(key string, value any) { s.change(key, func(any) any { return value }) }

// UpdateString changes a text, starting from the one that is kept now, which may be another window's.
func (s *Settings) UpdateString(key string, update func(old string) string) {
	s.change(key, func(old any) any {
		text, _ := old.(string)
		return update(text)
	})
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
