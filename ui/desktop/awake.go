package desktop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"fyne.io/fyne/v2"
	"github.com/godbus/dbus/v5"
	"github.com/jezek/xgb"
	"github.com/jezek/xgb/screensaver"
)

// Awake keeps the screen from going blank. It asks the desktop's screen saver over D-Bus (the freedesktop.org
// idle inhibition service) and the X server by its extension. Both end the inhibition when our connection
// closes, so a crash leaves nothing behind.
type Awake struct {
	log  *slog.Logger
	want chan bool // holds 1: the newest wish
	last bool
}

// NewAwake returns an Awake, which does nothing until Run.
func NewAwake(log *slog.Logger) *Awake { return &Awake{log: log, want: make(chan bool, 1)} }

// Set sets whether the screen stays on. It does not block. Only one goroutine may call it.
func (a *Awake) Set(on bool) {
	if on == a.last {
		return
	}
	a.last = on
	select {
	case <-a.want:
	default:
	}
	a.want <- on
}

// Run follows Set until ctx ends, and then lets the screen go blank again.
func (a *Awake) Run(ctx context.Context) {
	var holds []func()
	let := func() {
		for _, release := range holds {
			release()
		}
		holds = nil
	}
	defer let()
	for {
		select {
		case <-ctx.Done():
			return
		case on := <-a.want:
			let()
			if on {
				holds = a.hold(ctx)
			}
		}
	}
}

// hold keeps the screen on in every available way, and returns a function that ends it.
func (a *Awake) hold(ctx context.Context) (release []func()) {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		blank := func(off bool) { fyne.Do(func() { fyne.CurrentApp().Driver().SetDisableScreenBlanking(off) }) }
		blank(true)
		return []func(){func() { blank(false) }}
	}
	for way, f := range map[string]func(context.Context) (func(), error){"desktop": inhibit, "X server": suspend} {
		r, err := f(ctx)
		if err != nil {
			a.log.Info("the screen may go blank", "way", way, "err", err)
			continue
		}
		release = append(release, r)
	}
	return release
}

const (
	inhibitTimeout = 3 * time.Second // for the desktop's answer
	saverName      = "org.freedesktop.ScreenSaver"
	saverPath      = "/org/freedesktop/ScreenSaver"
)

// inhibit asks the desktop's screen saver. No session bus is started for it.
func inhibit(ctx context.Context) (func(), error) {
	address := os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	if address == "" {
		socket := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "bus")
		if _, err := os.Stat(socket); err != nil {
			return nil, errors.New("there is no session bus")
		}
		address = "unix:path=" + socket
	}
	conn, err := dbus.Connect(address)
	if err != nil {
		return nil, fmt.Errorf("connect to the session bus: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, inhibitTimeout)
	defer cancel()
	err = conn.Object(saverName, saverPath).
		CallWithContext(ctx, saverName+".Inhibit", 0, "Parley", "In a meeting").Err
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("ask the screen saver: %w", err)
	}
	return func() { conn.Close() }, nil
}

// suspend asks the X server (X Screen Saver Extension 1.1, ScreenSaverSuspend).
func suspend(context.Context) (func(), error) {
	x, err := xgb.NewConn()
	if err != nil {
		return nil, fmt.Errorf("connect to the display: %w", err)
	}
	err = screensaver.Init(x)
	if err == nil {
		_, err = screensaver.QueryVersion(x, 1, 1).Reply()
	}
	if err == nil {
		err = screensaver.SuspendChecked(x, 1).Check()
	}
	if err != nil {
		x.Close()
		return nil, fmt.Errorf("suspend the screen saver: %w", err)
	}
	return x.Close, nil
}
