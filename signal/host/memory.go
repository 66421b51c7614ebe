package host

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// maxRemembered is how many hosted meetings are remembered.
const maxRemembered = 50

// hosted is a meeting that was hosted here. A room's name does not reveal its code: see signal.Derive.
type hosted struct {
	Room string `json:"room"`
	Port int    `json:"port"`
}

// memory is the file of the meetings that were hosted here, newest first. Without a path it lasts as long as the
// process.
type memory struct {
	path string
	list []hosted
}

// load reads the file again, because another Parley of this user may have written it. A file that cannot be read
// counts as empty.
func (m *memory) load() {
	if m.path == "" {
		return
	}
	var list []hosted
	if data, err := os.ReadFile(m.path); err == nil && json.Unmarshal(data, &list) == nil {
		m.list = list[:min(len(list), maxRemembered)]
	}
}

// port is where a room was hosted, 0 if it never was.
func (m *memory) port(room string) int {
	m.load()
	for _, h := range m.list {
		if h.Room == room && h.Port > 0 && h.Port < 1<<16 {
			return h.Port
		}
	}
	return 0
}

// remember puts a room first. The file is replaced atomically, and only its owner can read it.
func (m *memory) remember(room string, port int) error {
	m.load()
	m.list = slices.DeleteFunc(slices.Clone(m.list), func(h hosted) bool { return h.Room == room })
	m.list = slices.Insert(m.list, 0, hosted{room, port})
	m.list = m.list[:min(len(m.list), maxRemembered)]
	if m.path == "" {
		return nil
	}
	data, err := json.Marshal(m.list)
	if err != nil {
		return fmt.Errorf("remember the meeting: %w", err)
	}
	dir := filepath.Dir(m.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("remember the meeting: %w", err)
	}
	f, err := os.CreateTemp(dir, ".hosted") // 0600
	if err != nil {
		return fmt.Errorf("remember the meeting: %w", err)
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), m.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("remember the meeting: %w", err)
	}
	return nil
}
