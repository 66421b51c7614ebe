// Package owned keeps the owner's keys of the meetings that were created here, so that their owner is the owner again
// after a restart.
package owned

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
)

// maxKept is how many meetings are kept, newest first. Older ones have no owner any more.
const maxKept = 50

// meeting is one that is owned here. A room's name does not reveal its code.
type meeting struct {
	Room   string `json:"room"`
	Seed   []byte `json:"seed"` // of the owner's Ed25519 key
	Roster []byte `json:"roster,omitempty"`
}

// Store is the file of the keys. Without a path it lasts as long as the process. Any goroutine may call its methods.
type Store struct {
	path string
	log  *slog.Logger

	mu   sync.Mutex
	list []meeting
}

// New returns the store in a file, which only its owner can read, or in memory.
func New(path string, log *slog.Logger) *Store { return &Store{path: path, log: log} }

// Find returns the owner's key of a room and the roster kept with it, or nil.
func (s *Store) Find(room string) (ed25519.PrivateKey, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load()
	for _, m := range s.list {
		if m.Room == room {
			return ed25519.NewKeyFromSeed(m.Seed), m.Roster
		}
	}
	return nil, nil
}

// Keep keeps the key and the roster of a room, in place of earlier ones; without a roster it forgets both.
func (s *Store) Keep(room string, key ed25519.PrivateKey, roster []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load()
	s.list = slices.DeleteFunc(slices.Clone(s.list), func(m meeting) bool { return m.Room == room })
	if roster != nil {
		s.list = slices.Insert(s.list, 0, meeting{room, key.Seed(), roster})
		s.list = s.list[:min(len(s.list), maxKept)]
	}
	if err := s.save(); err != nil {
		s.log.Warn("after a restart somebody else owns this meeting", "err", err)
	}
}

// load reads the file again, because another Parley of this user may have written it. A file that is damaged is put
// aside, and one that others can read is closed to them: whoever has read it can own the meetings.
func (s *Store) load() {
	if s.path == "" {
		return
	}
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var list []meeting
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	for _, m := range list {
		if err == nil && len(m.Seed) != ed25519.SeedSize {
			err = errors.New("a key has a wrong length")
		}
	}
	if err != nil {
		s.log.Warn("the keys of meetings that were created here cannot be read, and are put aside", "err", err)
		if err := os.Rename(s.path, s.path+".damaged"); err != nil {
			s.log.Warn("put damaged keys aside", "err", err)
		}
		return
	}
	s.list = list[:min(len(list), maxKept)]
	if info, err := os.Stat(s.path); runtime.GOOS != "windows" && err == nil && info.Mode().Perm()&0o077 != 0 {
		s.log.Warn("others could read the keys of meetings that were created here; now they cannot")
		if err := os.Chmod(s.path, 0o600); err != nil {
			s.log.Warn("close the file of keys to others", "err", err)
		}
	}
}

// save replaces the file atomically.
func (s *Store) save() error {
	if s.path == "" {
		return nil
	}
	data, err := json.Marshal(s.list)
	if err != nil {
		return fmt.Errorf("keep the owner's keys: %w", err)
	}
	dir := filepath.Dir(s.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep the owner's keys: %w", err)
	}
	f, err := os.CreateTemp(dir, ".owned") // 0600
	if err != nil {
		return fmt.Errorf("keep the owner's keys: %w", err)
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), s.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("keep the owner's keys: %w", err)
	}
	return nil
}
