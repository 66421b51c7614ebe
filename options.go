package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"parley/media"
	"parley/signal"
)

const usage = `Parley: click a link, see and hear each other.

  parley [flags] [link|code]     open the window
  parley bot [flags] link        take part without a window
  parley check [--server URL]    try devices, a call and that server, print a report

Flags
  --server URL      rendezvous for new meetings; without one this machine hosts them
  --local           host for this network alone: do not ask the router to let others in
  --name TEXT       shown to others
  --new             start a meeting at once; its link is the first line on standard output
  --short-code      with --new: a code of 12 letters and digits, to be said aloud, instead of 24
  --join            go straight in, past the lobby
  --camera SPEC     default | off | test | a device's name | a .y4m file (looped)
  --mic SPEC        default | off | tone | a device's name | a .wav file (looped)
  --speaker SPEC    default | off | a device's name | a .wav file to write what would be heard
  --relay-only      reach others through the server's relay alone: they do not learn this address
  --stats FILE      one JSON object a line, every second
  --leave-after D   leave after e.g. 20s and exit
  --count N         bot: so many of them
  --view WxH        bot: the size at which it looks at the others (640x360)
  --json            check: the report about --server alone, as JSON
  --version         print the version
  --help            print this

There is one window: a second start hands its link to the app that runs, whose window comes to the
front. Any flag but --server makes a program of its own, with its own window.

PARLEY_LOG=info or debug prints more to standard error.

Exit status
  0   all went well
  1   something went wrong after the start
  2   the command line, or the display, is wrong: nothing was started
  3   parley check: calls work, but camera, microphone or speaker do not; the report says which
`

// options is the command line.
type options struct {
	command    string // "", "bot" or "check"
	server     *url.URL
	name       string
	fresh      bool // --new
	shortCode  bool
	join       bool
	camera     string
	mic        string
	speaker    string
	stats      string
	relayOnly  bool
	local      bool
	json       bool
	leaveAfter time.Duration
	count      int
	viewW      int
	viewH      int
	target     string // link or code
	given      map[string]bool
}

// errUsage marks errors of the command line: exit status 2, nothing started.
var errUsage = errors.New("see parley --help")

// errHelp is the text to print on standard output instead of starting.
type errHelp struct{ text string }

func (errHelp) Error() string { return "help" }

func parseOptions(args []string) (options, error) {
	o := options{given: make(map[string]bool)}
	if len(args) > 0 && (args[0] == "bot" || args[0] == "check") {
		o.command, args = args[0], args[1:]
	}
	f := flag.NewFlagSet("parley", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	server := f.String("server", "", "")
	f.StringVar(&o.name, "name", "", "")
	f.BoolVar(&o.fresh, "new", false, "")
	f.BoolVar(&o.shortCode, "short-code", false, "")
	f.BoolVar(&o.join, "join", false, "")
	f.StringVar(&o.camera, "camera", media.SpecDefault, "")
	f.StringVar(&o.mic, "mic", media.SpecDefault, "")
	f.StringVar(&o.speaker, "speaker", media.SpecDefault, "")
	f.StringVar(&o.stats, "stats", "", "")
	f.BoolVar(&o.relayOnly, "relay-only", false, "")
	f.BoolVar(&o.local, "local", false, "")
	f.BoolVar(&o.json, "json", false, "")
	f.DurationVar(&o.leaveAfter, "leave-after", 0, "")
	f.IntVar(&o.count, "count", 1, "")
	view := f.String("view", "640x360", "")
	version := f.Bool("version", false, "")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return o, errHelp{usage}
	case err != nil:
		return o, fmt.Errorf("%w; %w", err, errUsage)
	case *version:
		return o, errHelp{"parley " + appVersion() + "\n"}
	}
	f.Visit(func(f *flag.Flag) { o.given[f.Name] = true })
	if *server != "" {
		u, err := signal.ParseServer(*server)
		if err != nil {
			return o, fmt.Errorf("--server: %w", err)
		}
		o.server = u
	}
	switch f.NArg() {
	case 0:
	case 1:
		o.target = f.Arg(0)
	default:
		return o, fmt.Errorf("one link or code at a time, and flags before it; %w", errUsage)
	}
	var err error
	if o.viewW, o.viewH, err = parseSize(*view); err != nil {
		return o, fmt.Errorf("--view: %w", err)
	}
	return o, o.check()
}

// check reports flags that do not fit together.
func (o options) check() error {
	switch {
	case o.leaveAfter < 0:
		return fmt.Errorf("--leave-after: a time like 20s, not below zero; %w", errUsage)
	case o.count < 1 || o.count > 100:
		return fmt.Errorf("--count: from 1 to 100; %w", errUsage)
	case o.command != "bot" && (o.given["count"] || o.given["view"]):
		return fmt.Errorf("--count and --view are for parley bot; %w", errUsage)
	case o.json && (o.command != "check" || o.server == nil):
		return fmt.Errorf("--json is for parley check --server URL; %w", errUsage)
	case o.shortCode && !o.fresh:
		return fmt.Errorf("--short-code is for --new: other meetings have a code; %w", errUsage)
	case o.fresh && o.target != "":
		return fmt.Errorf("either --new or a link, not both; %w", errUsage)
	case o.command == "bot" && !o.fresh && o.target == "":
		return fmt.Errorf("parley bot needs the link of a meeting, or --new; %w", errUsage)
	case o.command == "check" && o.target != "":
		return fmt.Errorf("parley check makes a meeting of its own; %w", errUsage)
	}
	if o.command != "bot" || o.target == "" {
		return nil // the window says what is wrong with a link: who clicked it sees no standard error
	}
	_, err := signal.ParseLink(o.target, o.server)
	return err
}

// shares reports whether a running app may take over this start: no flag except --server was given.
func (o options) shares() bool {
	for flag := range o.given {
		if flag != "server" {
			return false
		}
	}
	return o.command == ""
}

func parseSize(s string) (w, h int, err error) {
	a, b, ok := strings.Cut(s, "x")
	if ok {
		w, err = strconv.Atoi(a)
		if err == nil {
			h, err = strconv.Atoi(b)
		}
	}
	if !ok || err != nil || w < 16 || h < 16 || w > media.MaxDimension || h > media.MaxDimension {
		return 0, 0, fmt.Errorf("a size like 640x360; %w", errUsage)
	}
	return w, h, nil
}

// tryDevices opens and closes the devices named on the command line, so that a wrong name or file is reported
// before anything has started.
func (o options) tryDevices(d media.Devices) error {
	named := func(spec string) bool { return spec != media.SpecDefault && spec != media.SpecOff }
	wrong := func(flag string, err error) error {
		if errors.Is(err, media.ErrNoDevice) {
			return fmt.Errorf("%s: %w; parley check lists what there is", flag, err)
		}
		return fmt.Errorf("%s: %w", flag, err)
	}
	if named(o.camera) {
		src, err := d.OpenCamera(o.camera)
		if err != nil {
			return wrong("--camera", err)
		}
		src.Close()
	}
	if named(o.mic) {
		src, err := d.OpenMicrophone(o.mic)
		if err != nil {
			return wrong("--mic", err)
		}
		src.Close()
	}
	if named(o.speaker) {
		sink, err := d.OpenSpeaker(o.speaker)
		if err != nil {
			return wrong("--speaker", err)
		}
		sink.Close()
	}
	return nil
}
