package desktop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const (
	settingsName  = "preferences.json"
	lockSuffix    = ".lock"    // of the file whose lock a window has while it changes the settings
	damagedSuffix = ".damaged" // of a settings file that was put aside
	// maxSettings is the largest settings file that is read, in bytes. Ours have about 10 KB.
	maxSettings = 1 << 20
	// lockTimeout is how long to wait for another window that writes the settings. After that, the change is
	// written all the same: a window that hangs must not make others hang.
	lockTimeout = time.Second
)

// readSettings reads a settings file. Its errors do not quote the content.
func readSettings(file string) (map[string]any, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read settings %s: not a file", file)
	}
	var f *os.File
	if err := unlessBusy(func() (err error) { f, err = os.Open(file); return err }); err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSettings+1))
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	if len(data) > maxSettings {
		return nil, fmt.Errorf("read settings %s: too large", file)
	}
	var values map[string]any
	if err := json.Unmarshal(data, &values); err != nil || values == nil {
		return nil, fmt.Errorf("read settings %s: damaged", file)
	}
	return values, nil
}

// writeSettings replaces the file as a whole, so that nobody ever reads half of it, not even after a power cut.
func writeSettings(file string, values map[string]any) error {
	data, err := json.Marshal(values)
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".preferences-*") // 0600
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync() // or the new name may be on the disk before the content
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = unlessBusy(func() error { return os.Rename(f.Name(), file) })
	}
	if err != nil {
		return fmt.Errorf("write settings: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// lockFile takes the lock of a file, waiting for others up to lockTimeout. On systems without locks it takes none.
func lockFile(path string) (unlock func()) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return func() {} // the folder cannot be written, which the write will say
	}
	unlock = func() { f.Close() }
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	timeout := time.NewTimer(lockTimeout)
	defer timeout.Stop()
	for {
		if free, err := tryLock(f); free || err != nil {
			return unlock
		}
		select {
		case <-again.C:
		case <-timeout.C:
			return unlock
		}
	}
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

// SettingsFile is one of our files beside the settings; empty if there is no folder for it.
func SettingsFile(appID, name string) string {
	dir := settingsDir(appID)
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, name)
}

// secure makes a folder and all that is in it the user's alone.
func secure(dir string) error {
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
		if err := os.Chmod(path, mode); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("keep the settings private: %w", err)
	}
	return nil
}
