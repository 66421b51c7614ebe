package pulse

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// soundSystemPresent reports whether there is a sound card, or a socket of PulseAudio (or PipeWire) in one
// of the places where clients look for it.
func soundSystemPresent() bool {
	if haveALSA() {
		return true
	}
	if server := os.Getenv("PULSE_SERVER"); server != "" {
		path := strings.TrimPrefix(server, "unix:")
		if !filepath.IsAbs(path) {
			return true // another machine's, or a list
		}
		_, err := os.Stat(path)
		return err == nil
	}
	places := []string{
		filepath.Join("/run/user", strconv.Itoa(os.Getuid()), "pulse/native"),
		"/var/run/pulse/native",
	}
	if dir := os.Getenv("PULSE_RUNTIME_PATH"); dir != "" {
		places = append(places, filepath.Join(dir, "native"))
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		places = append(places, filepath.Join(dir, "pulse/native"))
	}
	if dir, err := os.UserConfigDir(); err == nil {
		places = append(places, filepath.Join(dir, "pulse/*-runtime/native"))
	}
	for _, place := range places {
		if found, err := filepath.Glob(place); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}
