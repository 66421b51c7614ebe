package ui

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode"

	"parley/assets"
	"parley/media"
	"parley/media/call"
)

// stateTexts is every text that the window can show for the call's State, by key.
func stateTexts() map[string]string {
	said := map[string]string{}
	for _, k := range call.ProblemKinds() {
		p := call.Problem{Kind: k, Name: "USB camera", Host: "meet.example.org:8443", By: "proxy.example.org:3128", Port: 8443, Status: 407, Names: "example.net", Time: clock, Now: clock}
		if !k.OfDevice() {
			said["problem."+k.String()] = problemText(p)
			continue
		}
		for _, p.Device = range []media.Kind{media.Camera, media.Microphone, media.Speaker} {
			said["problem."+k.String()+"."+p.Device.String()] = problemText(p)
		}
	}
	for s := call.ShedTiles; s <= call.ShedRate; s++ {
		said["shed."+s.String()] = shedText(s)
	}
	return said
}

// english is the file from which other languages are translated.
func english(t *testing.T) map[string]string {
	t.Helper()
	b, err := assets.Words.ReadFile("words/en.json")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	if err := json.Unmarshal(b, &texts); err != nil {
		t.Fatal(err)
	}
	return texts
}

// useLanguage sets the window's language for one test.
func useLanguage(t *testing.T, files fs.FS, locale string) {
	t.Helper()
	before := catalogue.Load()
	t.Cleanup(func() { catalogue.Store(before) })
	if err := speak(files, "words", locale); err != nil {
		t.Fatal(err)
	}
}

// TestEveryStateHasWords: every state has one or two complete sentences, and no text is unused.
func TestEveryStateHasWords(t *testing.T) {
	useLanguage(t, assets.Words, "en")
	said, texts := stateTexts(), english(t)
	for key, text := range said {
		first := text[:1]
		if texts[key] == "" || first != strings.ToUpper(first) || !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "?") ||
			strings.ContainsAny(text, "{}<>\n") || len(text) > 150 {
			t.Errorf("%s: not a line for a person: %q", key, text)
		}
	}
	for key := range texts {
		if _, ok := said[key]; !ok && (strings.HasPrefix(key, "problem.") || strings.HasPrefix(key, "shed.")) {
			t.Errorf("nothing says %s", key)
		}
	}
	if problemText(call.Problem{}) != "" || shedText(call.ShedNothing) != "" || formatText(call.Format{}) != "" {
		t.Error("something is said where there is nothing to say")
	}
	if got := formatText(call.Format{Width: 1280, Height: 720, FrameRate: 29.97}); got != "1280×720 · 30 fps" {
		t.Errorf("a format reads %q", got)
	}
}

// TestAnotherLanguageIsOneFile: a language is one file beside the English one, and may lack some of its keys.
func TestAnotherLanguageIsOneFile(t *testing.T) {
	const missing = "problem.meeting-full"
	texts := map[string]string{}
	for key, text := range english(t) {
		if key != missing {
			texts[key] = "Esperante: " + text
		}
	}
	esperanto, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	en, err := assets.Words.ReadFile("words/en.json")
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"words/en.json": {Data: en}, "words/eo.json": {Data: esperanto}}

	useLanguage(t, files, "eo-FR")
	for key, text := range stateTexts() {
		if translated := strings.HasPrefix(text, "Esperante: "); translated == (key == missing) || text == key {
			t.Errorf("%s in Esperanto: %q", key, text)
		}
	}
	// A language that the toolkit has and we do not.
	useLanguage(t, files, "de-DE")
	for key, text := range stateTexts() {
		if strings.HasPrefix(text, "Esperante") || text == key {
			t.Errorf("%s in German: %q", key, text)
		}
	}
}

// lookups are the functions that look up a text in the bundle.
var lookups = map[string]bool{"say": true, "sayWith": true, "dated": true}

// notShown are functions whose literals are not shown in the window: errors, the log, file names and parts of
// icons.
var notShown = map[string]bool{
	"Errorf": true, "New": true, "LogError": true, "panic": true, "font": true, "Appendf": true, "byte": true,
}

// shownTexts finds the texts of a file: the keys it looks up, the prefixes of keys it completes, and literals that
// are words.
type shownTexts struct{ keys, prefixes, words []string }

func (s *shownTexts) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.Field: // without its tag, which is for encoding
		ast.Inspect(n.Type, s.visit)
		return false
	case *ast.CallExpr:
		name := called(n.Fun)
		if name == "Format" { // a date in the English order, whatever its layout
			for _, a := range n.Args {
				if lit, ok := a.(*ast.BasicLit); ok {
					s.words = append(s.words, strings.Trim(lit.Value, `"`))
				}
			}
			return false
		}
		if _, plain := n.Fun.(*ast.Ident); !plain || !lookups[name] {
			return !notShown[name]
		}
		s.key(n.Args[0])
		if name == "dated" {
			s.keys[len(s.keys)-1] = "date." + s.keys[len(s.keys)-1]
		}
		for _, a := range n.Args[1:] {
			ast.Inspect(a, s.visit)
		}
		return false
	case *ast.CompositeLit:
		if called(n.Type) != "fill" {
			return true
		}
		for _, e := range n.Elts { // its keys are template fields
			ast.Inspect(e.(*ast.KeyValueExpr).Value, s.visit)
		}
		return false
	case *ast.BasicLit:
		if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil && isText(text) {
			s.words = append(s.words, text)
		}
	}
	return true
}

// key records the key of a look-up: a literal, or a literal prefix.
func (s *shownTexts) key(e ast.Expr) {
	if sum, ok := e.(*ast.BinaryExpr); ok {
		if lit, ok := sum.X.(*ast.BasicLit); ok {
			prefix, _ := strconv.Unquote(lit.Value)
			s.prefixes = append(s.prefixes, prefix)
		}
		return
	}
	if lit, ok := e.(*ast.BasicLit); ok {
		key, _ := strconv.Unquote(lit.Value)
		s.keys = append(s.keys, key)
	}
}

// called is the name of a function or method.
func called(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.ArrayType:
		return called(e.Elt)
	}
	return ""
}

// isText reports whether a literal is text for people: several words, or a capitalised one, but not all capitals.
func isText(text string) bool {
	switch {
	case text == "Parley": // the app's name is the same in every language
		return false
	case strings.Contains(text, " "), strings.Contains(text, "…"):
		return strings.ContainsFunc(verb.ReplaceAllString(text, ""), unicode.IsLower)
	}
	return capital.MatchString(text)
}

var (
	verb    = regexp.MustCompile(`%[0-9.+]*[a-z]`)
	capital = regexp.MustCompile(`^\PL*\p{Lu}\p{Ll}`)
)

// ofOtherTests are prefixes of keys that TestEveryStateHasWords, TestBrokenDevices, TestDetourTexts and
// TestDatesInAnotherLanguage check.
var ofOtherTests = map[string]bool{
	"problem.": true, "shed.": true, "broken.": true, "detour.": true, "date.": true, "date.weekday.": true, "date.month.": true, "date.long-month.": true,
}

// TestDatesInAnotherLanguage: every date and time in the window uses the words and the order of the language.
func TestDatesInAnotherLanguage(t *testing.T) {
	texts := map[string]string{
		"date.time":      `{{.Hour}}h{{printf "%02d" .Minute}}`,
		"date.day":       "la {{.Day}}-a de {{.Month}}",
		"date.day-year":  "{{.Year}}-{{.Number}}-{{.Day}}",
		"date.clock":     "{{.Weekday}}, {{.Hour}}h",
		"date.long":      "{{.Day}}-a de {{.LongMonth}}",
		"date.long-time": "{{.LongMonth}} {{.Hour}}h",
	}
	for key := range english(t) {
		for _, names := range []string{"date.weekday.", "date.month.", "date.long-month."} {
			if name, ok := strings.CutPrefix(key, names); ok {
				texts[key] = "eo-" + name
			}
		}
	}
	if n := len(texts); n != 6+7+12+12 {
		t.Errorf("%d texts make a date", n)
	}
	esperanto, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	en, err := assets.Words.ReadFile("words/en.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(en), ".Format") {
		t.Error("a text of the bundle formats a date by itself")
	}
	useLanguage(t, fstest.MapFS{"words/en.json": {Data: en}, "words/eo.json": {Data: esperanto}}, "eo")
	for i := range 12 {
		at := clock.AddDate(-1, i, 0)
		month := strings.ToLower(at.Month().String())
		if got, want := dated("day", at), "la 22-a de eo-"+month; got != want {
			t.Errorf("a day reads %q, want %q", got, want)
		}
		if got, want := dated("long", at), "22-a de eo-"+month; got != want {
			t.Errorf("a long date reads %q, want %q", got, want)
		}
	}
	for ago, want := range map[int]string{0: "16h02", 2: "eo-friday", 10: "la 12-a de eo-november", 400: "2025-10-18"} {
		if got := day(clock.AddDate(0, 0, -ago), clock); got != want {
			t.Errorf("%d days ago reads %q, want %q", ago, got, want)
		}
	}
	w, _ := open(t, start)
	show(w, base(call.Idle))
	if got := w.home.top.clock.Text(); got != "eo-sunday, 16h" {
		t.Errorf("the clock reads %q", got)
	}
	expired := problemText(call.Problem{Kind: call.CertExpired, Host: "x", Time: clock, Now: clock})
	if !strings.Contains(expired, "22-a de eo-november") || !strings.Contains(expired, "eo-november 16h") {
		t.Errorf("a certificate: %q", expired)
	}
}

// TestSystemNamesAreClean: any name from the system, a server or a file is drawn as one line of visible
// characters.
func TestSystemNamesAreClean(t *testing.T) {
	const bad = "Cam\xff\n\u202eera \u05d0\xd7\u2067"
	w, _ := open(t, start)
	s := with(base(call.Live), 2)
	for _, l := range []*call.Local{&s.Mic, &s.Camera, &s.Speaker, &s.Screen} {
		l.On, l.Live, l.Device.Name = true, true, bad
		l.Problem = call.Problem{Kind: call.DeviceReplaced, Name: bad}
	}
	s.Problem = call.Problem{Kind: call.CertName, Host: bad, Names: bad, By: bad, Name: bad}
	s.Devices[media.Camera] = []media.Device{{ID: "a", Name: bad}, {ID: "b", Name: "\u200b\xff"}}
	s.Shareables = call.Shareables{Known: true, List: []media.Shareable{{Device: media.Device{ID: "0x1", Name: bad}, Window: true}}}
	given := s.Devices[media.Camera]
	for _, phase := range []call.Phase{call.Idle, call.Lobby, call.Joining, call.Live, call.Ended} {
		s.Phase = phase
		show(w, s)
	}
	s.Phase = call.Live
	show(w, s)
	w.openShare()
	w.openMenu(w.stage.bar.more, true, w.settingItems)
	got := []string{w.state.Problem.Host, w.state.Problem.Names, w.state.Problem.By, w.state.Shareables.List[0].Name, w.state.Screen.Problem.Name}
	for _, l := range []call.Local{w.state.Mic, w.state.Camera, w.state.Speaker, w.state.Screen} {
		got = append(got, l.Device.Name, l.Problem.Name)
	}
	for _, name := range append(got, w.state.Devices[media.Camera][0].Name) {
		if name != "Cam era \u05d0" {
			t.Errorf("%+q is drawn", name)
		}
	}
	if name := w.state.Devices[media.Camera][1].Name; name != say("unnamed") {
		t.Errorf("a name of nothing is drawn as %q", name)
	}
	if given[0].Name != bad {
		t.Error("the call's own list was changed")
	}
}

// TestDetourTexts: each reason for a relay is said, and is short enough for the list of people.
func TestDetourTexts(t *testing.T) {
	said := map[string]bool{}
	for d := call.NoDetour + 1; d <= call.DetourRouters; d++ {
		p := call.Peer{Phase: call.PeerConnected, Report: call.Report{Path: "relay", RTT: time.Millisecond, Why: d}}
		text := peerDetour(p)
		if said[text] || strings.HasPrefix(text, "detour.") || len(text) > 32 {
			t.Errorf("%v is said as %q", d, text)
		}
		said[text] = true
	}
	for name, p := range map[string]call.Peer{
		"direct":       {Phase: call.PeerConnected, Report: call.Report{Path: "host", RTT: time.Millisecond}},
		"reconnecting": {Phase: call.PeerReconnecting, Report: call.Report{Path: "relay", RTT: time.Millisecond, Why: call.DetourHidden}},
	} {
		if text := peerDetour(p); text != "" {
			t.Errorf("%s: %q", name, text)
		}
	}
}

// TestEveryWordIsInTheBundle: the window and its widgets have no texts outside the bundle, every key they look up
// exists, and every key that exists is looked up.
func TestEveryWordIsInTheBundle(t *testing.T) {
	texts, used := english(t), map[string]bool{}
	devices := []string{media.Microphone.String(), media.Camera.String(), media.Speaker.String()}
	for file, s := range textsIn(t, ".", "widget") {
		for _, text := range s.words {
			t.Errorf("%s: %q is not in the bundle", file, text)
		}
		for _, key := range s.keys {
			used[key] = true
		}
		for _, prefix := range s.prefixes {
			for key := range texts {
				rest, ok := strings.CutPrefix(key, prefix)
				used[key] = used[key] || ok && (ofOtherTests[prefix] || slices.Contains(devices, rest))
			}
			used[prefix+devices[0]] = used[prefix+devices[0]] || !ofOtherTests[prefix]
		}
	}
	for key := range used {
		if used[key] && texts[key] == "" {
			t.Errorf("the bundle lacks %s", key)
		}
	}
	for key := range texts {
		if !used[key] {
			t.Errorf("nothing says %s", key)
		}
	}
}

// textsIn reads the files of some folders, except tests.
func textsIn(t *testing.T, folders ...string) map[string]*shownTexts {
	t.Helper()
	found := map[string]*shownTexts{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s: %v", folder, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range f.Imports {
				if i.Path.Value == `"fyne.io/fyne/v2/lang"` && filepath.Base(file) != "words.go" {
					t.Errorf("%s looks up words in the toolkit's bundle", file)
				}
			}
			found[file] = &shownTexts{}
			ast.Inspect(f, found[file].visit)
		}
	}
	return found
}

// TestWordsAreFound checks the finder of texts on a sample file.
func TestWordsAreFound(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", `package x
import "some words/here"
type t struct{ a int `+"`json:\"Some words\"`"+` }
func f() {
	b.Set("mic", say("a.key"), sayWith("turn."+kind, fill{"Name": "Two words"}), "Chat", " and ", "%d / %d", "%d min", " · Ctrl+D")
	_ = fmt.Errorf("read the words: %w", err)
	_ = now.Format("Mon 2 Jan") + now.Format("15:04") + dated("time", now)
}`, 0)
	if err != nil {
		t.Fatal(err)
	}
	var s shownTexts
	ast.Inspect(f, s.visit)
	if want := []string{"Two words", "Chat", " and ", "%d min", " · Ctrl+D", "Mon 2 Jan", "15:04"}; !slices.Equal(s.words, want) {
		t.Errorf("found the words %q, want %q", s.words, want)
	}
	if !slices.Equal(s.keys, []string{"a.key", "date.time"}) || !slices.Equal(s.prefixes, []string{"turn."}) {
		t.Errorf("found the keys %q and beginnings %q", s.keys, s.prefixes)
	}
}

// TestNamesAreIsolated: every text that is not ours is isolated within a sentence, so that the sentence keeps its
// own direction. An empty text stays empty.
func TestNamesAreIsolated(t *testing.T) {
	useLanguage(t, assets.Words, "en")
	const nas = "\u0646\u0633"
	said := stateTexts()
	for name, text := range map[string]string{
		"who.two": who([]string{nas, "Bot"}), "who.more": who([]string{nas, "Bot", "x"}),
		"lobby.are-in": sayWith("lobby.are-in", fill{"People": who([]string{nas, "Bot"})}),
		"name":         problemText(call.Problem{Kind: call.DeviceReplaced, Device: media.Camera, Name: nas}),
		"host":         problemText(call.Problem{Kind: call.ServerUnreachable, Host: nas}),
		"by":           problemText(call.Problem{Kind: call.ProxyRefused, Host: "x", By: nas}),
	} {
		if !strings.Contains(text, "\u2068"+nas+"\u2069") {
			t.Errorf("%s: %+q", name, text)
		}
	}
	for key, text := range said {
		for _, part := range []string{"USB camera", "meet.example.org:8443", "proxy.example.org:3128", "example.net"} {
			if strings.Contains(text, part) && !strings.Contains(text, "\u2068"+part+"\u2069") {
				t.Errorf("%s: %q is not isolated in %+q", key, part, text)
			}
		}
	}
	if text := problemText(call.Problem{Kind: call.SignIn}); strings.ContainsAny(text, "\u2068\u2069") {
		t.Errorf("nothing is isolated: %+q", text)
	}
}
