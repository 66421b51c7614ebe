package desktop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"sync"
)

// Settings are what the app remembers between runs: one flat JSON file, which only the user may read,
// for links of meetings are in it. The file is replaced as a whole, so that nobody ever reads half of it.
// The toolkit's own store truncates the file first and then trips over the empty one.
type Settings struct {
	file string // empty: there is no place for it
	log  *slog.Logger

	mu     sync.Mutex
	values map[string]any
	lost   bool // the user was warned that nothing is kept
}

// OpenSettings reads the settings of an app. Where they cannot be read, or there is no place for them, it
// says so once in the log and starts with none.
func OpenSettings(appID string, log *slog.Logger) *Settings {
	s := &Settings{file: SettingsFile(appID, "preferences.json"), log: log, values: map[string]any{}}
	if s.file == "" {
		s.complain(errors.New("there is no home folder"))
		return s
	}
	if err := secure(filepath.Dir(s.file)); err != nil {
		s.complain(err)
	}
	values, err := s.read()
	switch {
	case err == nil:
		s.values = values
	case !s.lost && !errors.Is(err, fs.ErrNotExist):
		log.Warn("the settings cannot be read; they begin anew", "err", err)
	}
	return s
}

// complain warns once that settings are lost at the end.
func (s *Settings) complain(err error) {
	if !s.lost {
		s.lost = true
		s.log.Warn("settings are not kept", "err", err)
	}
}

func (s *Settings) read() (map[string]any, error) {
	data, err := os.ReadFile(s.file)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	values := map[string]any{}
	if err := json.Unmarshal(data, &values); err != nil {
		return nil, fmt.Errorf("read settings %s: damaged", s.file) // what is in it is nobody's business
	}
	return values, nil
}

// set stores a value. It changes only this one in the file, which another process of the user may have written.
func (s *Settings) set(key string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.values[key]; ok && old == value {
		return
	}
	s.values[key] = value
	if s.file == "" {
		return
	}
	values, err := s.read()
	if err != nil {
		values = maps.Clone(s.values)
	}
	values[key] = value
	if err := s.write(values); err != nil {
		s.complain(err)
	}
}

func (s *Settings) write(values map[string]any) error {
	data, err := json.Marshal(values)
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(s.file), ".preferences-*") // 0600
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), s.file)
	}
	if err != nil {
		return fmt.Errorf("write settings: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
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

// settingsDir is the folder of an app's settings, empty if there is none. It is the toolkit's folder
// (fyne.io/fyne/v2/app, storageRoot), where earlier versions kept them.
func settingsDir(appID string) string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	if runtime.GOOS == "darwin" {
		dir = filepath.Join(filepath.Dir(dir), "Preferences")
	}
	return filepath.Join(dir, "fyne", appID)
}

// SettingsFile is a file of ours beside the settings; empty where there is no place for any.
func SettingsFile(appID, name string) string {
	dir := settingsDir(appID)
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

// secure makes a folder and all that is in it the user's alone. Whatever was wider is narrowed.
func secure(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of the settings: %w", err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it has just gone
		}
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		mode := fs.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		return os.Chmod(path, mode)
	})
	if err != nil {
		return fmt.Errorf("keep the settings private: %w", err)
	}
	return nil
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
