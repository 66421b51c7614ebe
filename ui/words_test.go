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
	"unicode"

	"parley/assets"
	"parley/media"
	"parley/media/call"
)

// saidOf is all that the window may say of the call's State, by its key.
func saidOf() map[string]string {
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

// english is the file that every other language is made from.
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

// speaks has the window speak another language for the length of a test.
func speaks(t *testing.T, files fs.FS, locale string) {
	t.Helper()
	before := catalogue.Load()
	t.Cleanup(func() { catalogue.Store(before) })
	if err := speak(files, "words", locale); err != nil {
		t.Fatal(err)
	}
}

// TestEveryStateHasWords: one sentence or two, each filled in, and none that nobody says.
func TestEveryStateHasWords(t *testing.T) {
	speaks(t, assets.Words, "en")
	said, texts := saidOf(), english(t)
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

// TestAnotherLanguageIsOneFile: beside the English one, with some of its keys missing.
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

	speaks(t, files, "eo-FR")
	for key, text := range saidOf() {
		if translated := strings.HasPrefix(text, "Esperante: "); translated == (key == missing) || text == key {
			t.Errorf("%s in Esperanto: %q", key, text)
		}
	}
	// A language that the toolkit knows and we do not.
	speaks(t, files, "de-DE")
	for key, text := range saidOf() {
		if strings.HasPrefix(text, "Esperante") || text == key {
			t.Errorf("%s in German: %q", key, text)
		}
	}
}

// uttering are the calls by which a text comes from the bundle.
var uttering = map[string]bool{"say": true, "sayWith": true}

// silentCalls take literals with words in them that no person reads in the window: errors, the
// log, dates (which are laid out, not said), names of files, and parts of icons.
var silentCalls = map[string]bool{
	"Errorf": true, "New": true, "LogError": true, "panic": true, "Format": true, "font": true, "Appendf": true, "byte": true,
}

// spoken finds what a file says: the keys it looks up, the beginnings of keys that it completes,
// and literals that are words.
type spoken struct{ keys, prefixes, words []string }

func (s *spoken) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec:
		return false
	case *ast.Field: // but not its tag, which is for encoding
		ast.Inspect(n.Type, s.visit)
		return false
	case *ast.CallExpr:
		name := called(n.Fun)
		if _, plain := n.Fun.(*ast.Ident); !plain || !uttering[name] {
			return !silentCalls[name]
		}
		s.key(n.Args[0])
		for _, a := range n.Args[1:] {
			ast.Inspect(a, s.visit)
		}
		return false
	case *ast.CompositeLit:
		if called(n.Type) != "fill" {
			return true
		}
		for _, e := range n.Elts { // its keys are names in a template
			ast.Inspect(e.(*ast.KeyValueExpr).Value, s.visit)
		}
		return false
	case *ast.BasicLit:
		if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil && worded(text) {
			s.words = append(s.words, text)
		}
	}
	return true
}

// key notes the key of a look-up: a literal, or a literal beginning.
func (s *spoken) key(e ast.Expr) {
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

// worded says whether a literal is for people: several words, or one that begins a line, but no mark in capitals.
func worded(text string) bool {
	switch {
	case text == "Parley": // a name is the same in every language
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

// TestEveryWordIsInTheBundle: no file of the window or its widgets has words of its own, each key
// that is looked up exists, and each that exists is looked up.
func TestEveryWordIsInTheBundle(t *testing.T) {
	texts, used := english(t), map[string]bool{}
	devices := []string{media.Microphone.String(), media.Camera.String(), media.Speaker.String()}
	for file, s := range spokenIn(t, ".", "widget") {
		for _, text := range s.words {
			t.Errorf("%s: %q is not in the bundle", file, text)
		}
		for _, key := range s.keys {
			used[key] = true
		}
		for _, prefix := range s.prefixes {
			for key := range texts {
				rest, ok := strings.CutPrefix(key, prefix)
				// TestEveryStateHasWords looks into the first two, TestBrokenDevices into the third.
				used[key] = used[key] || ok && (prefix == "problem." || prefix == "shed." || prefix == "broken." || slices.Contains(devices, rest))
			}
			used[prefix+devices[0]] = used[prefix+devices[0]] || prefix != "problem." && prefix != "shed." && prefix != "broken."
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

// spokenIn reads the files of some folders, without their tests.
func spokenIn(t *testing.T, folders ...string) map[string]*spoken {
	t.Helper()
	found := map[string]*spoken{}
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
			found[file] = &spoken{}
			ast.Inspect(f, found[file].visit)
		}
	}
	return found
}

// TestWordsAreFound holds the finder of words to a file that says some.
func TestWordsAreFound(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", `package x
import "some words/here"
type t struct{ a int `+"`json:\"Some words\"`"+` }
func f() {
	b.Set("mic", say("a.key"), sayWith("turn."+kind, fill{"Name": "Two words"}), "Chat", " and ", "%d / %d", "%d min", " · Ctrl+D")
	_ = fmt.Errorf("read the words: %w", err)
	_ = now.Format("Mon 2 Jan")
}`, 0)
	if err != nil {
		t.Fatal(err)
	}
	var s spoken
	ast.Inspect(f, s.visit)
	if want := []string{"Two words", "Chat", " and ", "%d min", " · Ctrl+D"}; !slices.Equal(s.words, want) {
		t.Errorf("found the words %q, want %q", s.words, want)
	}
	if !slices.Equal(s.keys, []string{"a.key"}) || !slices.Equal(s.prefixes, []string{"turn."}) {
		t.Errorf("found the keys %q and beginnings %q", s.keys, s.prefixes)
	}
}

// TestNamesAreIsolated: every text that is not ours is isolated wherever it becomes part of a sentence, so that
// the sentence reads on in its own direction; what is empty stays empty.
func TestNamesAreIsolated(t *testing.T) {
	speaks(t, assets.Words, "en")
	const nas = "\u0646\u0633"
	said := saidOf()
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
