package call

import (
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"parley/media"
)

// TestCallIsQuiet: a normal call writes nothing to standard error. By default Pion would, and our own log
// writes warnings there.
func TestCallIsQuiet(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	was := os.Stderr
	os.Stderr = f
	log.SetOutput(f) // slog's default writes there too
	defer func() {
		os.Stderr = was
		log.SetOutput(was)
	}()
	ours := func(cfg *Config) {
		cfg.Log = slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}

	t.Run("call", func(t *testing.T) {
		server := rendezvous(t)
		ada := caller(t, server, "Ada", ours)
		ada.Do(NewMeeting{Join: true})
		eventually(t, "live", func() bool { return ada.State().Phase == Live })
		bo := caller(t, server, "Bo", ours)
		bo.Do(Open{Text: ada.State().Link, Join: true})
		for _, c := range []*Call{ada, bo} {
			eventually(t, "a picture", func() bool {
				s := c.State()
				if len(s.Peers) == 0 {
					return false
				}
				v := c.View(s.Peers[0].ID, media.Camera)
				v.Resize(640, 360, media.FitCover)
				return v.Take() != nil
			})
		}
		bo.Do(Leave{})
		eventually(t, "alone", func() bool { return len(ada.State().Peers) == 0 })
	})

	said, err := os.ReadFile(f.Name())
	if err != nil || len(said) > 0 {
		t.Errorf("on standard error: %v\n%s", err, said)
	}
}
