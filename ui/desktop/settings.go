package desktop

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// settingsDir is where the toolkit keeps the settings of an app, and we ours (fyne.io/fyne/v2/app,
// storageRoot). It is empty where there is none.
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

// SecureSettings makes the folder of the settings and all that is in it the user's alone: links of
// meetings are in there. Whatever was wider is narrowed.
func SecureSettings(appID string) error {
	dir := settingsDir(appID)
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the settings private: %w", err)
	}
	// The toolkit makes its file for everybody to read, but keeps the rights of one that is there.
	f, err := os.OpenFile(filepath.Join(dir, "preferences.json"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, err = f.WriteString("{}\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep the settings private: %w", err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
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
