package desktop

import (
	"os"
	"path/filepath"
	"testing"
)

// Settings are the user's alone, also where they were wider before.
func TestSecureSettings(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	file := SettingsFile("app", "preferences.json")
	dir := filepath.Dir(file)
	check := func() {
		t.Helper()
		if err := SecureSettings("app"); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]os.FileMode{dir: 0o700, file: 0o600} {
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v, want %o", filepath.Base(path), info, err, want)
			}
		}
	}
	check()
	if err := os.WriteFile(file, []byte(`{"name":"Ada"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{dir: 0o755, file: 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	check()
	if data, err := os.ReadFile(file); err != nil || string(data) != `{"name":"Ada"}` {
		t.Errorf("the settings are now %q, %v", data, err)
	}
}
