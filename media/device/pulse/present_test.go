package pulse

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSoundSystemPresent(t *testing.T) {
	if haveALSA() {
		t.Skip("this machine has a sound card")
	}
	dir := t.TempDir()
	for _, env := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH"} {
		t.Setenv(env, filepath.Join(dir, env))
	}
	t.Setenv("PULSE_SERVER", "")
	if _, err := os.Stat("/var/run/pulse/native"); err != nil && soundSystemPresent() {
		t.Error("sound in sight of an empty machine")
	}
	touch := func(parts ...string) string {
		path := filepath.Join(append([]string{dir}, parts...)...)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, place := range [][]string{
		{"XDG_RUNTIME_DIR", "pulse", "native"},
		{"PULSE_RUNTIME_PATH", "native"},
		{"XDG_CONFIG_HOME", "pulse", "0123-runtime", "native"},
	} {
		path := touch(place...)
		if !soundSystemPresent() {
			t.Errorf("%v is not seen", place)
		}
		os.Remove(path)
	}
	t.Setenv("PULSE_SERVER", "unix:"+filepath.Join(dir, "gone"))
	if soundSystemPresent() {
		t.Error("a socket that is not there is seen")
	}
	t.Setenv("PULSE_SERVER", "unix:"+touch("there"))
	if !soundSystemPresent() {
		t.Error("the socket that PULSE_SERVER names is not seen")
	}
	t.Setenv("PULSE_SERVER", "tcp:192.0.2.1")
	if !soundSystemPresent() {
		t.Error("another machine's server cannot be ruled out")
	}
}
