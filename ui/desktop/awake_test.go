package desktop

import (
	"bufio"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/jezek/xgb"
	"github.com/jezek/xgb/screensaver"
	"github.com/jezek/xgb/xproto"
)

// child starts a program that ends with the test, and returns the first line that it prints to the
// file of that number.
func child(t *testing.T, name string, args ...string) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.ExtraFiles = []*os.File{w} // 3
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	w.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // by its own process ID
		_ = cmd.Wait()
		r.Close()
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return strings.TrimSpace(line)
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
	}
}

// startAwake runs one until the test ends or stop is called.
func startAwake(t *testing.T) (a *Awake, stop func()) {
	t.Helper()
	a = NewAwake(slog.New(slog.NewTextHandler(t.Output(), nil)))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { a.Run(ctx) })
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return a, stop
}

// TestAwakeHoldsTheScreen: an X server that blanks the screen after a second does not while it is asked
// not to, and does again afterwards.
func TestAwakeHoldsTheScreen(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a display")
	}
	t.Setenv("DISPLAY", ":"+child(t, "Xvfb", "-displayfd", "3", "-nolisten", "tcp"))
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	x, err := xgb.NewConn()
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := screensaver.Init(x); err != nil {
		t.Fatal(err)
	}
	root := xproto.Drawable(xproto.Setup(x).DefaultScreen(x).Root)
	xproto.SetScreenSaver(x, 1, 0, xproto.BlankingPreferred, xproto.ExposuresAllowed)
	blank := func() bool {
		info, err := screensaver.QueryInfo(x, root).Reply()
		if err != nil {
			t.Fatal(err)
		}
		return info.State == screensaver.StateOn
	}
	await(t, "the screen to go blank", blank)
	a, stop := startAwake(t)
	for _, end := range []func(){func() { a.Set(false) }, stop} {
		a.Set(true)
		await(t, "the screen to be held", func() bool {
			xproto.ForceScreenSaver(x, xproto.ScreenSaverReset)
			time.Sleep(1500 * time.Millisecond) // it would be blank by then
			return !blank()
		})
		for range 20 { // that is how long is looked at
			if time.Sleep(100 * time.Millisecond); blank() {
				t.Fatal("the screen went blank in a meeting")
			}
		}
		end()
		await(t, "the screen to go blank after the meeting", blank)
	}
}

// saver stands for the desktop's screen saver and counts who holds it.
type saver struct {
	mu    sync.Mutex
	holds map[dbus.Sender]string
	next  uint32
}

// Inhibit is called by D-Bus.
func (s *saver) Inhibit(from dbus.Sender, app, why string) (uint32, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	s.holds[from] = app + ": " + why
	return s.next, nil
}

func (s *saver) held() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, by := range s.holds {
		return by
	}
	return ""
}

// TestAwakeAsksTheDesktop: a desktop's screen saver is held by a connection that ends with the meeting.
func TestAwakeAsksTheDesktop(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a message bus")
	}
	t.Setenv("DISPLAY", "")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", child(t, "dbus-daemon", "--session", "--nofork", "--print-address=3"))
	bus, err := dbus.Connect(os.Getenv("DBUS_SESSION_BUS_ADDRESS"))
	if err != nil {
		t.Fatal(err)
	}
	s := &saver{holds: map[dbus.Sender]string{}}
	if err := bus.Export(s, saverPath, saverName); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.RequestName(saverName, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	// As the real ones do, it forgets who hangs up.
	gone := make(chan *dbus.Signal, 16)
	bus.Signal(gone)
	if err := bus.AddMatchSignal(dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged")); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sig := range gone {
			if len(sig.Body) == 3 && sig.Body[2] == "" {
				s.mu.Lock()
				delete(s.holds, dbus.Sender(sig.Body[0].(string)))
				s.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { bus.Close(); <-done }) // which closes gone

	a, stop := startAwake(t)
	a.Set(true)
	a.Set(true)
	await(t, "the screen saver to be held", func() bool { return s.held() == "Parley: In a meeting" })
	a.Set(false)
	await(t, "it to be let go", func() bool { return s.held() == "" })
	a.Set(true)
	await(t, "it to be held again", func() bool { return s.held() != "" })
	stop()
	await(t, "it to be let go at the end", func() bool { return s.held() == "" })
}
