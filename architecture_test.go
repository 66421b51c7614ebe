package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "parley"

// row says which folders of this module a folder may import, and why no more than these.
type row struct {
	may []string
	why string
}

// folders is the whole layout. A folder below one that is listed here follows that one's row;
// a new folder in media/ or signal/, or at the top, needs a row of its own.
var folders = map[string]row{
	".": {
		[]string{
			"ui", "media", "media/bot", "media/call", "media/check", "media/peer", "media/pipe", "media/device",
			"media/codec", "media/transport", "signal", "signal/client", "signal/host", "signal/host/portmap", "signal/owned", "signal/probe", "signal/room", "signal/server", "signal/trust", "assets",
			"ui/desktop",
		},
		"main wires the parts together",
	},
	"ui": {
		[]string{"ui/widget", "media", "media/call", "signal", "signal/room", "signal/roster", "signal/trust", "assets"},
		"the window turns State into pictures and taps into Commands, and knows no network, device or codec",
	},
	"ui/desktop": {nil, "what the desktop is asked for knows no meeting"},
	"ui/widget": {
		[]string{"media", "assets"},
		"a widget takes values and calls back; what a meeting is, it does not know",
	},
	"assets": {nil, "pictures, sounds and words depend on nothing"},

	"media": {nil, "the vocabulary that all of the media path shares depends on nothing"},
	"media/call": {
		[]string{"media", "media/pipe", "media/transport", "signal", "signal/identity", "signal/loop", "signal/room", "signal/roster", "signal/trust"},
		"a call follows the room and owns pipes; what carries its tracks, and over how many connections, it does not know",
	},
	"media/peer": {
		[]string{"media", "media/pipe", "media/congestion", "media/transport", "signal", "signal/loop"},
		"a mesh is told who is there, and knows no room",
	},
	"media/transport": {
		[]string{"media", "media/pipe", "signal"},
		"what a call and its transport share knows neither of them",
	},
	"media/bot":   {[]string{"media", "media/call", "signal"}, "a bot is a call that nobody looks at"},
	"media/check": {[]string{"media", "media/bot", "media/call"}, "the check is a call between two bots"},

	"media/congestion": {nil, "how fast packets leave depends on packets, and on no picture or sound"},
	"media/sframe":     {nil, "a frame is encrypted whatever is in it"},
	"media/pipe":       {[]string{"media"}, "pipes carry frames from any source to any sink, behind the interfaces of media"},
	"media/device": {
		[]string{"media", "media/device/file", "media/device/gdi", "media/device/mf", "media/device/pulse", "media/device/v4l2", "media/device/x11"},
		"devices deliver and take frames and know nothing of calls",
	},
	"media/device/file":  {[]string{"media"}, "a driver knows nothing of the others"},
	"media/device/gdi":   {[]string{"media"}, "a driver knows nothing of the others"},
	"media/device/mf":    {[]string{"media"}, "a driver knows nothing of the others"},
	"media/device/pulse": {[]string{"media"}, "a driver knows nothing of the others"},
	"media/device/v4l2":  {[]string{"media"}, "a driver knows nothing of the others"},
	"media/device/x11":   {[]string{"media"}, "a driver knows nothing of the others"},
	"media/codec": {
		[]string{"media", "media/codec/apm", "media/codec/opus", "media/codec/vpx", "media/codec/yuv"},
		"codecs code frames and know nothing of calls",
	},
	"media/codec/apm":  {[]string{"media"}, "a library knows nothing of the others"},
	"media/codec/opus": {[]string{"media"}, "a library knows nothing of the others"},
	"media/codec/vpx":  {[]string{"media", "media/codec/yuv"}, "an encoder scales what it codes, and knows no other library"},
	"media/codec/yuv":  {[]string{"media"}, "a library knows nothing of the others"},
	"media/mediatest":  {[]string{"media", "media/codec/yuv"}, "pictures are measured apart from what made them"},
	"media/device/pulsetest": {
		[]string{"media"},
		"a sound server for tests needs nothing of the program",
	},

	"test": {
		[]string{
			"media", "media/bot", "media/call", "media/codec", "media/device", "media/device/pulsetest", "media/mediatest",
			"media/peer", "media/transport", "signal", "signal/client", "signal/identity",
		},
		"the harness starts the programs, and makes calls inside a test",
	},

	"signal":               {nil, "a guest page, a bot or another program can rebuild the protocol from this folder alone"},
	"signal/identity":      {[]string{"signal"}, "a member's keys know no meeting"},
	"signal/phrase":        {[]string{"signal", "signal/identity"}, "a phrase is about keys, whoever carries its messages"},
	"signal/client":        {[]string{"signal", "signal/identity"}, "the socket carries frames and does not know what they say"},
	"signal/roster":        {[]string{"signal", "signal/identity"}, "who belongs to a meeting follows from signatures, and from no network, clock or window"},
	"signal/trust":         {[]string{"signal/identity"}, "who somebody is from one meeting to the next is apart from each meeting"},
	"signal/seal":          {[]string{"signal", "signal/identity"}, "sealing knows members by their keys, and not what they say"},
	"signal/room":          {[]string{"signal", "signal/client", "signal/identity", "signal/loop", "signal/phrase", "signal/roster", "signal/seal", "signal/trust"}, "the room says and hears everything through one socket"},
	"signal/owned":         {nil, "a file of keys knows no meeting that is going on"},
	"signal/loop":          {nil, "what three loops share knows none of them"},
	"signal/server":        {[]string{"signal", "signal/guest", "signal/identity"}, "the service relays opaque bytes"},
	"signal/guest":         {nil, "the guest page is embedded files"},
	"signal/host":          {[]string{"signal", "signal/host/portmap", "signal/server", "signal/turn"}, "an app that hosts a meeting runs the service for it"},
	"signal/host/portmap":  {[]string{"signal/turn"}, "what a router is asked for knows no meeting"},
	"signal/host/pmptest":  {nil, "a router for tests needs nothing of the program"},
	"signal/probe":         {[]string{"signal", "signal/client", "signal/identity"}, "a probe is a member that leaves at once"},
	"signal/cert":          {nil, "a certificate knows no meeting"},
	"signal/cert/acmetest": {nil, "an authority for tests needs nothing of the program"},
	"signal/turn":          {[]string{"signal"}, "relaying packets knows members by their credentials, and no rendezvous"},
	"signal/rendezvous":    {[]string{"signal", "signal/cert", "signal/probe", "signal/server", "signal/turn"}, "the hosted service is the servers with flags"},
}

// reserve keeps an import, and all below it, to some folders, and all below these.
type reserve struct {
	path   string
	only   []string
	tested bool // tests anywhere may import it
	why    string
}

var reserves = []reserve{
	{
		path: "C", only: []string{"media/device", "media/codec"},
		why: "everything else builds and tests without a C compiler, the hosted service above all",
	},
	{
		path: "github.com/huin/goupnp", only: []string{"signal/host/portmap"},
		why: "what answers a search of the network is believed nowhere but behind checks",
	},
	{
		path: "github.com/jackpal/go-nat-pmp", only: []string{"signal/host/portmap"},
		why: "what answers a search of the network is believed nowhere but behind checks",
	},
	{
		path: "github.com/libp2p/go-netroute", only: []string{"signal/host/portmap"},
		why: "nothing else needs to know the router",
	},
	{
		path: "fyne.io/fyne/v2/app", only: []string{"."},
		why: "it brings OpenGL and a display; without it the window tests run headless and without cgo",
	},
	{
		path: "fyne.io", only: []string{".", "ui"},
		why: "calls and rooms run without a window, in the bot and in tests",
	},
	{
		path: "github.com/pion/webrtc", only: []string{"media/peer"}, tested: true,
		why: "how tracks travel is the transport's own matter: a call would be the same with a media server",
	},
	{
		path: "github.com/pion/mediadevices", only: []string{"media/device/v4l2"},
		why: "it brings cgo; the rest knows cameras by the interfaces in media",
	},
	{
		path: "github.com/gen2brain/malgo", only: []string{"media/device/pulse"},
		why: "it brings cgo; the rest knows sound devices by the interfaces in media",
	},
	{
		path: "github.com/pion/turn", only: []string{"signal/probe", "signal/turn"}, tested: true,
		why: "relaying is the TURN service's own matter",
	},
	{
		path: "github.com/nats-io", only: []string{"signal/server", "signal/rendezvous"}, tested: true,
		why: "where rooms are kept is the server's own matter",
	},
	{
		path: module + "/media", only: []string{".", "ui", "media", "test"},
		why: "nothing under signal/ handles media: the service builds without it and never sees it",
	},
	{
		path: module + "/media/device", only: []string{".", "media/device", "test"}, tested: true,
		why: "only main chooses devices; the rest takes them as media.Devices",
	},
	{
		path: module + "/media/codec", only: []string{".", "media/codec", "media/mediatest", "test"}, tested: true,
		why: "only main chooses codecs; the rest takes them as media.Codecs",
	},
	{
		path: module + "/media/device/pulsetest", only: []string{"test"}, tested: true,
		why: "it is a sound server for tests, no part of the program",
	},
	{
		path: module + "/media/mediatest", only: []string{"test"}, tested: true,
		why: "it measures pictures for tests, no part of the program",
	},
	{
		path: module + "/test", only: []string{"test"},
		why: "it is for tests, no part of the program",
	},
	{
		path: module + "/ui", only: []string{".", "ui"},
		why: "the window is the outermost layer: only main opens it",
	},
}

// bare lists folders whose code, tests aside, imports the standard library alone.
var bare = map[string]string{
	"media":  "everything imports the vocabulary, so it must cost nothing",
	"signal": "the protocol must be plain enough to rebuild anywhere",
}

// longFiles may have more than maxLines lines.
var longFiles = map[string]string{}

// maxLines is generous: past about 400 a file is asking to be two.
const maxLines = 450

// sleeps lists files that may call time.Sleep: a sleep is a guess, and blocks what wants to stop.
var sleeps = map[string]string{}

// testHelpers are folders of ordinary code that exists for tests.
var testHelpers = []string{"media/device/pulsetest", "media/mediatest", "test", "signal/cert/acmetest", "signal/host/pmptest"}

// source is one Go file of the module.
type source struct {
	path  string // from the module's root, with slashes
	dir   string
	test  bool
	file  *ast.File
	lines int
}

func (s source) imports() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser has accepted it
		}
		paths = append(paths, p)
	}
	return paths
}

// sources parses every Go file of the tree, whatever system it is for.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if p != "." && (name == "build" || name == "testdata" || name == "node_modules" || name == "third_party" || name[0] == '.' || name[0] == '_') {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		s, err := parse(filepath.ToSlash(p), string(text))
		if err == nil {
			all = append(all, s)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func parse(name, text string) (source, error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments|parser.SkipObjectResolution)
	return source{
		path: name, dir: path.Dir(name), test: strings.HasSuffix(name, "_test.go"),
		file: file, lines: strings.Count(text, "\n"),
	}, err
}

func byFolder(all []source) map[string][]source {
	m := map[string][]source{}
	for _, s := range all {
		m[s.dir] = append(m[s.dir], s)
	}
	return m
}

// within says whether a path is base or lies below it. Everything lies in ".", but only main is it.
func within(p, base string) bool {
	return p == base || base != "." && strings.HasPrefix(p, base+"/")
}

func withinAny(p string, bases []string) bool {
	return slices.ContainsFunc(bases, func(b string) bool { return within(p, b) })
}

// listed finds the row that a folder follows.
func listed(dir string) (string, error) {
	for d := dir; ; d = path.Dir(d) {
		if _, ok := folders[d]; ok && d != "." && (d != "media" && d != "signal" || d == dir) {
			return d, nil
		}
		if d == "." {
			break
		}
	}
	if dir == "." {
		return dir, nil
	}
	return "", fmt.Errorf("folder %s has no row in folders: say what it may import and why", dir)
}

// importFaults says what is wrong with the imports of one file.
func importFaults(s source) []string {
	var faults []string
	fault := func(imported, why string) {
		faults = append(faults, fmt.Sprintf("%s imports %s: %s", s.path, imported, why))
	}
	from, err := listed(s.dir)
	if err != nil {
		return []string{err.Error()}
	}
	for _, imported := range s.imports() {
		for _, r := range reserves {
			hit := within(imported, r.path)
			if hit && !withinAny(s.dir, r.only) && !(s.test && r.tested) {
				fault(imported, r.why)
			}
		}
		first, _, _ := strings.Cut(imported, "/")
		inner := first == module
		if why, ok := bare[s.dir]; ok && !s.test && (inner || strings.Contains(first, ".")) {
			fault(imported, why)
		}
		if !inner || s.test {
			continue // tests put together what they need; the reserves hold for them too
		}
		to, err := listed(strings.TrimPrefix(imported, module+"/"))
		switch {
		case err != nil:
			fault(imported, err.Error())
		case to != from && !slices.Contains(folders[from].may, to):
			fault(imported, folders[from].why)
		}
	}
	return faults
}

func TestArchitectureImports(t *testing.T) {
	for _, s := range sources(t) {
		for _, f := range importFaults(s) {
			t.Error(f)
		}
	}
}

// The rules above must bite.
func TestArchitectureImportsBite(t *testing.T) {
	for _, c := range []struct {
		file, imports string
		faults        int
	}{
		{"main.go", "fyne.io/fyne/v2/app", 0},
		{"ui/stage.go", "fyne.io/fyne/v2", 0},
		{"ui/stage.go", "fyne.io/fyne/v2/app", 1},
		{"ui/stage_test.go", "fyne.io/fyne/v2/app", 1},
		{"ui/theme/theme.go", "parley/media/call", 0},
		{"ui/stage.go", "parley/media/peer", 1},
		{"ui/stage.go", "parley/media/codec", 2},
		{"ui/widget/tile.go", "parley/media/call", 1},
		{"media/frame.go", "C", 1},
		{"media/frame.go", "golang.org/x/image/draw", 1},
		{"media/frame.go", "image", 0},
		{"media/pipe/send.go", "parley/media/codec", 2},
		{"media/pipe/send_test.go", "parley/media/codec", 0},
		{"media/pipe/send_test.go", "parley/ui", 1},
		{"media/codec/vpx.go", "C", 0},
		{"media/codec/vpx/encoder.go", "parley/media/codec/yuv", 0},
		{"media/codec/vpx/encoder.go", "parley/media/codec/opus", 1},
		{"media/device/x11/grab.go", "parley/media/device/pulse", 1},
		{"media/pipe/send.go", "parley/media/codec/yuv", 2},
		{"media/device/linux/v4l.go", "C", 0},
		{"media/device/sound.go", "parley/media/device/pulsetest", 2},
		{"media/device/sound_test.go", "parley/media/device/pulsetest", 0},
		{"media/codec/encoder.go", "parley/media/mediatest", 2},
		{"media/codec/encoder_test.go", "parley/media/mediatest", 0},
		{"media/call/loop.go", "parley/signal/client", 1},
		{"media/call/loop.go", "parley/media/peer", 1},
		{"media/call/loop.go", "github.com/pion/webrtc/v4", 1},
		{"media/new/new.go", "image", 1},
		{"signal/code.go", "github.com/gorilla/websocket", 1},
		{"signal/client/client.go", "github.com/gorilla/websocket", 0},
		{"signal/room/loop.go", "parley/signal/server", 1},
		{"signal/room/loop.go", "parley/media", 2},
		{"signal/room/loop_test.go", "parley/media", 1},
		{"signal/client/client_test.go", "github.com/nats-io/nats.go", 0},
		{"signal/client/client.go", "github.com/nats-io/nats.go", 1},
		{"signal/rendezvous/main.go", "parley/signal/server", 0},
		{"tools/x.go", "os", 1},
		{"test/harness/process.go", "parley/media/call", 0},
		{"test/e2e/bots_test.go", "parley/test/harness", 0},
		{"media/bot/bot.go", "parley/test/harness", 2},
		{"test/e2e/bots_test.go", "parley/ui", 1},
		{"test/e2e/bots_test.go", "fyne.io/fyne/v2/app", 2},
	} {
		s, err := parse(c.file, fmt.Sprintf("package x\n\nimport _ %q\n", c.imports))
		if err != nil {
			t.Fatal(err)
		}
		if got := importFaults(s); len(got) != c.faults {
			t.Errorf("%s importing %s: %d faults, want %d: %q", c.file, c.imports, len(got), c.faults, got)
		}
	}
}

// A package says in one place, in one sentence, what it is for.
func TestArchitecturePackageComments(t *testing.T) {
	for dir, files := range byFolder(sources(t)) {
		var docs, code []string
		for _, s := range files {
			if s.test {
				continue
			}
			code = append(code, s.path)
			doc := s.file.Doc.Text()
			if doc == "" {
				continue
			}
			docs = append(docs, s.path)
			want := "Package " + s.file.Name.Name + " "
			if s.file.Name.Name == "main" {
				want = "Command "
			}
			if !strings.HasPrefix(doc, want) {
				t.Errorf("%s: the package comment starts %.30q, want %q", s.path, doc, want)
			}
		}
		if len(code) > 0 && len(docs) != 1 {
			t.Errorf("%s has %d package comments, want one: %q", dir, len(docs), docs)
		}
	}
}

func TestArchitectureFileLength(t *testing.T) {
	long := map[string]bool{}
	for _, s := range sources(t) {
		if s.test || ast.IsGenerated(s.file) || s.lines <= maxLines {
			continue
		}
		long[s.path] = true
		if why, ok := longFiles[s.path]; ok {
			t.Logf("%s has %d lines: %s", s.path, s.lines, why)
			continue
		}
		t.Errorf("%s has %d lines, %d at most: split it, or say in longFiles why it is one", s.path, s.lines, maxLines)
	}
	for p := range maps.Keys(longFiles) {
		if !long[p] {
			t.Errorf("longFiles excuses %s, which is not long", p)
		}
	}
}

func TestArchitectureNoSleep(t *testing.T) {
	asleep := map[string]bool{}
	for _, s := range sources(t) {
		if s.test || withinAny(s.dir, testHelpers) {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if isCall(n, "time", "Sleep") {
				asleep[s.path] = true
			}
			return true
		})
		if _, ok := sleeps[s.path]; asleep[s.path] && !ok {
			t.Errorf("%s calls time.Sleep: wait for what you wait for, with a timer and ctx in a select", s.path)
		}
	}
	for p := range maps.Keys(sleeps) {
		if !asleep[p] {
			t.Errorf("sleeps excuses %s, which does not sleep", p)
		}
	}
}

// isCall says whether n calls pkg.name, with name "" any function of pkg.
func isCall(n ast.Node, pkg, name string) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg && (name == "" || sel.Sel.Name == name)
}

// wordless are folders whose State the window puts into words. Text for people is in the window
// alone: there it can be in any language, and no logic hangs on how a sentence reads.
var wordless = []string{"media/call", "signal/room"}

// isProse says whether a text has two words and a space, apart from what fmt fills in.
func isProse(text string) bool {
	return strings.Contains(text, " ") && len(words.FindAllString(verbs.ReplaceAllString(text, ""), 2)) == 2
}

var (
	words = regexp.MustCompile(`\pL\pL+`)
	verbs = regexp.MustCompile(`%[^a-zA-Z%]*[a-zA-Z]`)
)

// textFaults lists string literals that read like text for people, outside errors and logs.
func textFaults(s source) []string {
	var faults []string
	allowed := map[ast.Node]bool{}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.FuncDecl:
			return n.Recv == nil || n.Name.Name != "Error" // the text of an error
		case *ast.Field: // a tag
			if n.Tag != nil {
				allowed[n.Tag] = true
			}
		case *ast.CallExpr:
			if forPrograms(n) {
				for _, arg := range n.Args {
					ast.Inspect(arg, func(n ast.Node) bool { allowed[n] = true; return true })
				}
			}
		case *ast.BasicLit:
			if n.Kind != token.STRING || allowed[n] {
				return true
			}
			if text, err := strconv.Unquote(n.Value); err == nil && isProse(text) {
				faults = append(faults, fmt.Sprintf("%s has the text %.40q: State has values, and ui the words", s.path, text))
			}
		}
		return true
	})
	return faults
}

// forPrograms says whether a call makes an error, writes to a log, or panics.
func forPrograms(call *ast.CallExpr) bool {
	if id, ok := call.Fun.(*ast.Ident); ok {
		return id.Name == "panic"
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	switch sel.Sel.Name {
	case "Debug", "Info", "Warn", "Error":
		return true
	}
	return isCall(call, "errors", "New") || isCall(call, "fmt", "Errorf")
}

func TestArchitectureStateWithoutWords(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !withinAny(s.dir, wordless) {
			continue
		}
		for _, f := range textFaults(s) {
			t.Error(f)
		}
	}
	for text, want := range map[string]int{
		`State{Problem: "No camera. Plug one in."}`:              1,
		`fmt.Sprintf("No %s found.", k)`:                         1,
		`f("x", "No connection")`:                                1,
		`fmt.Errorf("open camera: %w", err)`:                     0,
		`log.Warn("call message refused", "err", err)`:           0,
		`errors.Join(errors.New("no such device"), f("device"))`: 0,
		`strings.Join(parts, ": ")`:                              0,
		`fmt.Sprintf("%s (%d)", name, n)`:                        0,
	} {
		s, err := parse("media/call/x.go", "package call\n\nvar x = "+text+"\n")
		if err != nil {
			t.Fatal(err)
		}
		if got := textFaults(s); len(got) != want {
			t.Errorf("%s: %d faults, want %d: %q", text, len(got), want, got)
		}
	}
}

// Whoever starts goroutines proves that they end.
func TestArchitectureLeakChecks(t *testing.T) {
	for dir, files := range byFolder(sources(t)) {
		starts, checked := "", false
		for _, s := range files {
			uses := s.imports()
			if s.test {
				checked = checked || slices.Contains(uses, "go.uber.org/goleak")
				continue
			}
			ast.Inspect(s.file, func(n ast.Node) bool {
				if _, ok := n.(*ast.GoStmt); ok {
					starts = s.path
				}
				return true
			})
			if slices.Contains(uses, "golang.org/x/sync/errgroup") {
				starts = s.path
			}
		}
		if starts != "" && !checked && dir != "." && !withinAny(dir, testHelpers) {
			t.Errorf("%s starts goroutines, and no test of %s uses goleak", starts, dir)
		}
	}
}

// maxRoot bounds the product's files at the root: main only wires parts together.
const maxRoot = 6

func TestArchitectureRoot(t *testing.T) {
	var product []string
	for _, s := range sources(t) {
		switch {
		case s.dir != ".":
		case !s.test:
			product = append(product, s.path)
		case s.path != "architecture_test.go":
			t.Errorf("%s: a test lives in the folder of what it tests, and one of whole programs in test/", s.path)
		}
	}
	if len(product) > maxRoot {
		t.Errorf("%d files of the product at the root, %d at most: %q", len(product), maxRoot, product)
	}
}

// CONTRIBUTING.md is the map: one line for each folder with Go code.
func TestArchitectureContributing(t *testing.T) {
	text, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	for dir := range byFolder(sources(t)) {
		line := "- `" + dir + "/` "
		if dir == "." {
			line = "- `main.go` "
		}
		if n := strings.Count("\n"+string(text), "\n"+line); n != 1 {
			t.Errorf("CONTRIBUTING.md has %d lines that start %q, want one that says in a sentence what is there", n, line)
		}
	}
}

// maxArchitecture keeps ARCHITECTURE.md a page that one reads: what is measured and why something was
// decided have documents of their own.
const maxArchitecture = 200

// documents are the Markdown files of the tree, with their text.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() {
			if p != "." && (name == "build" || name == "testdata" || name == "node_modules" || name[0] == '.') {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".md") {
			return nil
		}
		text, err := os.ReadFile(p)
		all[filepath.ToSlash(p)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestArchitectureDocument(t *testing.T) {
	text := documents(t)["docs/ARCHITECTURE.md"]
	if n := strings.Count(text, "\n"); n == 0 || n > maxArchitecture {
		t.Errorf("docs/ARCHITECTURE.md has %d lines, %d at most", n, maxArchitecture)
	}
}

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	markdownHead = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	notInAnchor  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// deadLinks lists the relative links of a document that lead nowhere.
func deadLinks(all map[string]string, name string, exists func(string) bool) []string {
	var dead []string
	for _, m := range markdownLink.FindAllStringSubmatch(all[name], -1) {
		if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
			continue
		}
		target, anchor, _ := strings.Cut(m[1], "#")
		if target = path.Join(path.Dir(name), target); m[1][0] == '#' {
			target = name
		}
		if !exists(target) || anchor != "" && !slices.Contains(anchors(all[target]), anchor) {
			dead = append(dead, m[1])
		}
	}
	return dead
}

// anchors are what code hosts make of the headings of a document.
func anchors(text string) []string {
	var all []string
	for _, m := range markdownHead.FindAllStringSubmatch(text, -1) {
		plain := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

func TestArchitectureLinks(t *testing.T) {
	exists := func(p string) bool { _, err := os.Stat(p); return err == nil }
	all := documents(t)
	for name := range all {
		for _, link := range deadLinks(all, name, exists) {
			t.Errorf("%s links to %s, which is not there", name, link)
		}
	}
}

// The rule above must bite.
func TestArchitectureLinksBite(t *testing.T) {
	all := map[string]string{
		"README.md":   "[a](docs/A.md) [b](docs/B.md) [c](docs/A.md#two-words) [d](docs/A.md#three) [e](https://example.org/x) [f](#here)\n## Here\n",
		"docs/A.md":   "# Two, words\n[up](../README.md#here) [gone](README.md)\n",
		"docs/C/D.md": "",
	}
	exists := func(p string) bool { _, ok := all[p]; return ok }
	for name, want := range map[string][]string{
		"README.md": {"docs/B.md", "docs/A.md#three"},
		"docs/A.md": {"README.md"},
	} {
		if got := deadLinks(all, name, exists); !slices.Equal(got, want) {
			t.Errorf("%s: dead links %q, want %q", name, got, want)
		}
	}
}
