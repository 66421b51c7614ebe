package main

import (
	"fmt"
	"strings"
)

// services are programs for administrators: section 8 of the manual, and what their package adds to them.
var services = map[string]string{
	"parley-rendezvous": `.SH FILES
.TP
.I /etc/default/parley\-rendezvous
The flags that the service of this name is started with, as PARLEY_OPTIONS="\-\-domain meet.example.org".
.TP
.I /var/lib/parley\-rendezvous
Certificates and their keys.
`,
}

// man is the manual page, in the macros of man(7).
func (h help) man(version, date string) string {
	section := 1
	files, service := services[h.name]
	if service {
		section = 8
	}
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %s %d %s %q\n", strings.ToUpper(h.name), section, date, version)
	b.WriteString(".SH NAME\n" + escape(h.name) + ` \- ` + escape(h.purpose()) + "\n.SH SYNOPSIS\n")
	for i, p := range h.parts {
		s, ok := h.isSynopsis(p)
		if !ok {
			continue
		}
		if i > 1 {
			b.WriteString(".br\n")
		}
		command, rest, _ := strings.Cut(s, " [")
		b.WriteString(".B " + escape(command) + "\n")
		if rest != "" {
			b.WriteString(escape("["+rest) + "\n")
		}
	}
	b.WriteString(".SH DESCRIPTION\n")
	for i, p := range h.parts {
		s, synopsis := h.isSynopsis(p)
		switch {
		case i == 0:
			b.WriteString(".PP\n" + escape(p.text) + "\n")
		case synopsis && p.mean == "":
		case synopsis:
			b.WriteString(".TP\n.B " + escape(s) + "\n" + escape(p.mean) + "\n")
		case p.term != "":
			b.WriteString(".TP\n.B " + escape(p.term) + "\n" + escape(p.mean) + "\n")
		case h.isHeading(i):
			b.WriteString(".SH " + escape(strings.ToUpper(p.text)) + "\n")
		default:
			b.WriteString(".PP\n" + escape(p.text) + "\n")
		}
	}
	b.WriteString(files)
	return b.String()
}

// isHeading says whether a paragraph is a heading: it ends without a full stop or colon, and rows follow.
func (h help) isHeading(i int) bool {
	text := h.parts[i].text
	return text != "" && !strings.ContainsAny(text[len(text)-1:], ".:") && i+1 < len(h.parts) && h.parts[i+1].term != ""
}

// purpose is the first sentence without the program's name.
func (h help) purpose() string {
	if len(h.parts) == 0 {
		return ""
	}
	text := h.parts[0].text
	if len(text) > len(h.name) && strings.EqualFold(text[:len(h.name)], h.name) {
		text = text[len(h.name):]
	}
	return strings.TrimSuffix(strings.TrimLeft(text, ": "), ".")
}

// escape writes text so that troff prints it as it is: a hyphen in a flag is to be copied as a minus, and a line must
// not start with a control character.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
