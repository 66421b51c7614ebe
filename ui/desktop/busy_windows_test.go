package desktop

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestSettingsAreKeptWhileTheyAreRead: a program that reads the settings does not keep a window from writing them.
func TestSettingsAreKeptWhileTheyAreRead(t *testing.T) {
	dir, err := os.MkdirTemp("", "settings")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "preferences.json")
	if err := writeSettings(file, map[string]any{"name": "Ada"}); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	err = unlessBusy(func() error {
		if tries++; tries == 3 {
			reader.Close()
		}
		return os.Rename(file, file+".new")
	})
	if err != nil || tries < 3 {
		t.Errorf("after %d tries: %v; want 3 and no error", tries, err)
	}
	if err := unlessBusy(func() error { return os.ErrNotExist }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("another error became %v", err)
	}
}
