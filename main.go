// Command parley is a native video-meeting app: click a link, see and hear each other.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	ossignal "os/signal"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"github.com/jezek/xgb"
	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/call"
	"parley/media/check"
	"parley/media/codec"
	"parley/media/device"
	"parley/media/peer"
	"parley/media/transport"
	"parley/signal"
	"parley/signal/host"
	"parley/signal/host/portmap"
	"parley/signal/owned"
	"parley/signal/trust"
	"parley/ui"
	"parley/ui/desktop"
)

// appID is the app's name to the desktop, as in FyneApp.toml.
const appID = "io.parley.app"

// gcPercent is the garbage collection target (runtime/debug, SetGCPercent). The media path allocates a few
// megabytes a second. At a fifth of the default the collector runs every other second, takes less than 1% of
// a core, and saves a quarter of the heap.
const gcPercent = 20

func main() {
	desktop.UseConsole()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "parley:", err)
		os.Exit(status(err))
	}
}

// status is the exit status for an error, as --help lists them.
func status(err error) int {
	switch {
	case errors.Is(err, check.ErrDevices):
		return 3
	case errors.As(err, new(failure)):
		return 1
	}
	return 2
}

// failure is an error after the start: exit status 1.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

func run(args []string) error {
	o, err := parseOptions(args)
	if help := (errHelp{}); errors.As(err, &help) {
		fmt.Print(help.text)
		return nil
	} else if err != nil {
		return err
	}
	log := newLog()
	xgb.Logger = slog.NewLogLogger(log.Handler(), slog.LevelDebug) // its errors are returned to us as well
	devices := device.New(device.Config{Convert: codec.New(), Log: log})
	defer devices.Close()
	if err := o.tryDevices(devices); err != nil {
		return err
	}
	stats, err := openStats(o.stats)
	if err != nil {
		return err
	}
	defer stats.Close()

	ctx, stop := ossignal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(ctx)
	// Hosted meetings outlive the call, so that the others hear that we have left. So do settings: the meeting that ends is
	// one of them.
	hostCtx, stopHost := context.WithCancel(context.WithoutCancel(ctx))
	var hosting errgroup.Group
	keep := func(run func(context.Context) error) { hosting.Go(func() error { return run(hostCtx) }) }
	p := program{options: o, log: log, devices: devices, stats: stats, group: group, ctx: ctx, keep: keep}
	var mapper *portmap.Mapper
	if !o.local {
		mapper = portmap.New(log)
	}
	p.host = host.New(hostCtx, &hosting, desktop.SettingsFile(appID, "hosted.json"), mapper, log)
	switch o.command {
	case "bot":
		err = p.bot()
	case "check":
		err = p.check()
	default:
		err = p.window()
	}
	cancel()
	err = errors.Join(err, group.Wait())
	stopHost()
	return errors.Join(err, hosting.Wait())
}

// program is what the command line set up: window, bot or check.
type program struct {
	options
	log     *slog.Logger
	devices media.Devices
	stats   *os.File
	host    *host.Host
	group   *errgroup.Group
	ctx     context.Context
	keep    func(run func(context.Context) error) // runs something until all else has ended
}

// window runs the app with its window until it is closed.
func (p *program) window() error {
	clicks, handed := p.instance()
	if handed {
		return nil
	}
	if err := desktop.CheckDisplay(); err != nil {
		return err
	}
	device := trust.NewHolder(desktop.SettingsFile(appID, "device.key"), p.log) // before the settings make the folder private
	settings := desktop.OpenSettings(appID, p.log)
	p.keep(settings.Run)
	prefs := ui.NewPreferences(settings)
	defer desktop.PlaceToolkit()()
	a := app.NewWithID("") // with an ID the toolkit would keep settings too
	cfg := p.callConfig()
	if !p.given["name"] {
		cfg.Name = prefs.Name()
	}
	remembered := func(flag string, kind media.Kind, spec *string) {
		if !p.given[flag] {
			*spec = prefs.Choice(kind)
		}
	}
	remembered("camera", media.Camera, &cfg.Camera)
	remembered("mic", media.Microphone, &cfg.Microphone)
	remembered("speaker", media.Speaker, &cfg.Speaker)
	cfg.CameraOn = p.given["camera"] || prefs.On(media.Camera)
	cfg.MicrophoneOn = p.given["mic"] || prefs.On(media.Microphone)
	cfg.Sound = prefs.Sound()
	cfg.AddressHidden = p.relayOnly || prefs.AddressHidden()
	cfg.Owned = owned.New(desktop.SettingsFile(appID, "owned.json"), p.log)
	cfg.Device = func(verified bool) *trust.Device {
		if prefs.ShowsDevice(verified) {
			return device.Device()
		}
		return nil
	}

	var w *ui.Window
	announce := p.announcer()
	awake := desktop.NewAwake(p.log)
	cfg.Changed = func(s call.State) {
		announce(s)
		awake.Set(s.Phase.Inside())
		w.Show(s)
	}
	c, err := call.New(cfg)
	if err != nil {
		return err
	}
	room := desktop.FitScale(a.Settings().Scale(), ui.Smallest())
	if err := desktop.Open(func() { w = ui.New(a, prefs, c) }); err != nil {
		return err
	}
	w.Limit(room)
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	p.group.Go(func() error { return c.Run(ctx) })
	p.group.Go(func() error { w.Run(ctx); return nil })
	p.group.Go(func() error { awake.Run(ctx); return nil })
	p.group.Go(func() error { return p.writeStats(ctx, c) })
	p.group.Go(func() error {
		// The end of the program closes the window, and closing the window ends the program.
		if p.leaveLater(ctx, c) {
			cancel()
		}
		<-ctx.Done()
		fyne.Do(a.Quit)
		return nil
	})
	p.group.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case link := <-clicks:
				w.Click(link)
			}
		}
	})
	a.Lifecycle().SetOnStarted(func() {
		id := desktop.NativeID(w.FyneWindow())
		if id == 0 {
			return // not X11: what is minimised is decoded all the same
		}
		p.group.Go(func() error {
			if err := desktop.WatchShown(ctx, id, w.SetShown); err != nil {
				p.log.Warn("a hidden window goes on decoding", "err", err)
			}
			return nil
		})
	})
	w.Trust(p.server, desktop.OwnAddress)
	if p.target != "" && !p.join {
		w.Click(p.target)
	} else {
		p.begin(c)
	}
	w.FyneWindow().ShowAndRun()
	return nil
}

// maxClicks is how many links wait for the window. Further ones are dropped and logged.
const maxClicks = 16

// instance makes this process the user's one app and returns the links clicked from then on. handed is true if
// a running app took over instead. A start with flags of its own stays separate.
func (p *program) instance() (clicks <-chan string, handed bool) {
	if !p.shares() {
		return nil, false
	}
	alone := func(err error) (<-chan string, bool) {
		p.log.Warn("this window is on its own: links open in another", "err", err)
		return nil, false
	}
	socket, err := desktop.Socket()
	if err != nil {
		return alone(err)
	}
	link := p.target
	if l, err := signal.ParseLink(p.target, p.server); err == nil {
		link = l.String() // --server is ours, and need not be the other's
	}
	in, err := desktop.Start(p.ctx, socket, link)
	if err != nil {
		return alone(err)
	}
	if in == nil {
		return nil, true
	}
	links := make(chan string, maxClicks)
	p.group.Go(func() error {
		err := in.Receive(p.ctx, func(link string) {
			select {
			case links <- link:
			default:
				p.log.Warn("a link was clicked and dropped: too many wait")
			}
		})
		if err != nil {
			p.log.Warn("links open in another window", "err", err)
		}
		return nil
	})
	return links, false
}

// hosting adapts the app's own rendezvous to what a call needs.
type hosting struct{ *host.Host }

// Open hosts a meeting.
func (h hosting) Open(link signal.Link, room string, changed func(*call.Hosted)) (*call.Hosted, error) {
	var tell func(*host.Hosting)
	if changed != nil {
		tell = func(now *host.Hosting) { changed(hostedAs(now)) }
	}
	hosted, err := h.Host.Open(link, room, tell)
	if taken := (host.PortError{}); errors.As(err, &taken) {
		return nil, call.PortTaken{Port: taken.Port}
	}
	if err != nil || hosted == nil {
		return nil, err
	}
	return hostedAs(hosted), nil
}

func hostedAs(hosted *host.Hosting) *call.Hosted {
	out := &call.Hosted{Link: hosted.Link, Own: hosted.Own, Hosting: call.HostedHere}
	switch {
	case hosted.OnlyHere:
		out.Hosting = call.HostedAlone
	case hosted.Moved:
		out.Hosting = call.HostedAnew
	case hosted.Anywhere:
		out.Hosting = call.HostedAnywhere
	case hosted.IPv6:
		out.Hosting = call.HostedIPv6
	}
	return out
}

// callConfig is the configuration that window, bots and check share.
func (p *program) callConfig() call.Config {
	return call.Config{
		Name: p.name, Server: p.server, Host: hosting{p.host}, Devices: p.devices, Codecs: codec.New(),
		Camera: p.camera, Microphone: p.mic, Speaker: p.speaker, CameraOn: true, MicrophoneOn: true,
		Sound: call.Sound{Noise: true}, Transport: mesh, AddressHidden: p.relayOnly, Log: p.log,
	}
}

// mesh has every member connected to every other, on the network as it is.
func mesh(c transport.Config) call.Transport { return peer.NewMesh(c, peer.Network{}) }

// begin opens the meeting that the command line names.
func (p *program) begin(c *call.Call) {
	switch {
	case p.fresh:
		c.Do(call.NewMeeting{Join: p.join || p.command == "bot", Short: p.shortCode})
	case p.target != "":
		c.Do(call.Open{Text: p.target, Join: p.join || p.command == "bot"})
	}
}

// announcer prints the link of --new as the first line on standard output, and again when it changes.
func (p *program) announcer() func(call.State) {
	var mu sync.Mutex // several bots share it
	code, said := "", ""
	return func(s call.State) {
		mu.Lock()
		defer mu.Unlock()
		if !p.fresh || s.Link == "" || s.Link == said {
			return
		}
		if code == "" || code == s.Code {
			code, said = s.Code, s.Link
			fmt.Println(said)
		}
	}
}

// leaveLater leaves the meeting after the time of --leave-after, and returns once the others know. It reports
// whether it has left.
func (p *program) leaveLater(ctx context.Context, c *call.Call) bool {
	if p.leaveAfter == 0 {
		return false
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(p.leaveAfter):
	}
	c.Do(call.Leave{})
	for s := c.State(); s.Phase != call.Ended && s.Phase != call.Idle; s = c.State() {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	return true
}

// newLog logs warnings to standard error, and more if PARLEY_LOG is set.
func newLog() *slog.Logger {
	level := slog.LevelWarn
	if s := os.Getenv("PARLEY_LOG"); s != "" {
		if err := level.UnmarshalText([]byte(s)); err != nil {
			level = slog.LevelWarn
		}
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// version is set by the linker: -X main.version=1.2.3.
var version string

// appVersion is the version of the build, or the commit it was built from.
func appVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(unknown)"
}
