package main

import (
	"regexp"
	"slices"
	"strings"
)

// help is what --help says.
type help struct {
	name  string
	parts []part
}

// part is a paragraph or heading, or one row of a table: a term, such as a flag, and what it means.
type part struct {
	text string // of a paragraph
	term string // of a row
	mean string
}

// flag is one flag with the placeholder of its value; arg is empty if it takes none.
type flag struct{ name, arg, mean string }

// oneFlag is a flag and the placeholder of its value, which starts with a capital letter.
const oneFlag = `--([a-z][a-z0-9-]*)(?: ([A-Z](?:[^\s,]|,\S)*))?`

var (
	row      = regexp.MustCompile(`^  (\S.*?)(?:  +(\S.*))?$`)
	flagRow  = regexp.MustCompile(`^  (` + oneFlag + `(?:, ` + oneFlag + `)*)(?: +(\S.*))?$`)
	flagTerm = regexp.MustCompile(oneFlag)
	aWord    = regexp.MustCompile(`^[a-z0-9]+$`)
	sentence = regexp.MustCompile(`; |\. [A-Z]`)
)

// parse reads the text of --help. Rows start two spaces in, what continues them stands further in, and everything else
// is a paragraph or heading.
func parse(name, text string) help {
	h := help{name: name}
	call := regexp.MustCompile(`^ +(` + regexp.QuoteMeta(name) + ` \S.*?)(?:  +(\S.*))?$`) // also below "Usage:"
	open := false                                                                          // whether the next line may continue the last part
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		last := len(h.parts) - 1
		flags, m := flagRow.FindStringSubmatch(line), row.FindStringSubmatch(line)
		if c := call.FindStringSubmatch(line); c != nil {
			m = c
		}
		switch {
		case line == "":
			open = false
			continue
		case flags != nil:
			h.parts = append(h.parts, part{term: flags[1], mean: flags[len(flags)-1]})
		case m != nil:
			h.parts = append(h.parts, part{term: m[1], mean: m[2]})
		case strings.HasPrefix(line, "   ") && last >= 0 && h.parts[last].term != "":
			h.parts[last].mean = strings.TrimSpace(h.parts[last].mean + " " + strings.TrimSpace(line))
		case open && h.parts[last].text != "":
			h.parts[last].text += " " + line
		default:
			h.parts = append(h.parts, part{text: line})
		}
		open = true
	}
	return h
}

// flags lists all flags. A row may have several, as in "--tls-cert FILE, --tls-key FILE".
func (h help) flags() []flag {
	var all []flag
	for _, p := range h.parts {
		if !strings.HasPrefix(p.term, "--") {
			continue
		}
		for _, m := range flagTerm.FindAllStringSubmatch(p.term, -1) {
			all = append(all, flag{"--" + m[1], m[2], p.mean})
		}
	}
	return all
}

// isSynopsis says whether a part shows how to call the program, and returns that.
func (h help) isSynopsis(p part) (string, bool) {
	s := p.term + strings.TrimPrefix(p.text, "Usage: ")
	return s, strings.HasPrefix(s, h.name+" ") && (p.term != "" || strings.HasPrefix(p.text, "Usage: "))
}

// commands are the words that may follow the program's name.
func (h help) commands() []string {
	var all []string
	for _, p := range h.parts {
		if s, ok := h.isSynopsis(p); ok {
			if word := strings.Fields(s)[1]; aWord.MatchString(word) {
				all = append(all, word)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// choices are the words that a flag's meaning offers: "default | off | a device's name" offers two.
func (f flag) choices() []string {
	var all []string
	alternatives := strings.Split(f.mean, " | ")
	for _, a := range alternatives {
		if len(alternatives) > 1 && aWord.MatchString(a) {
			all = append(all, a)
		}
	}
	return all
}

// takesFile says whether the value is a file, or may be one.
func (f flag) takesFile() bool {
	return f.arg == "FILE" || f.arg != "" && len(f.choices()) > 0 && strings.Contains(f.mean, " file")
}

func (f flag) takesFolder() bool { return f.arg == "DIR" }

// summary is the first clause of the meaning, short enough to stand beside the flag.
func (f flag) summary() string {
	if i := sentence.FindStringIndex(f.mean); i != nil {
		return f.mean[:i[0]]
	}
	return f.mean
}
