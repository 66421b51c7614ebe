package main

import (
	"slices"
	"strings"
	"testing"
)

const sample = `Meet: see each other. It has
two lines.

  meet [flags] [link]       open the window
  meet bot [flags] link     without a window

Flags
  --new             start at once; the link is printed. More
  --camera SPEC     default | off | a device's name | a .y4m file
  --redirect ADDR where to send people
  --cert FILE, --key FILE
                  PEM files: read again
                  when they change
  --relay IP[,IP]   the address (e.g. 192.0.2.1)
  --state DIR       where things are kept
  --nets NET,...  networks

.hidden: a line that troff must not take for a request, with a \ in it.

Exit status
  0   all went well
`

func TestParse(t *testing.T) {
	h := parse("meet", sample)
	want := []flag{
		{"--new", "", "start at once; the link is printed. More"},
		{"--camera", "SPEC", "default | off | a device's name | a .y4m file"},
		{"--redirect", "ADDR", "where to send people"},
		{"--cert", "FILE", "PEM files: read again when they change"},
		{"--key", "FILE", "PEM files: read again when they change"},
		{"--relay", "IP[,IP]", "the address (e.g. 192.0.2.1)"},
		{"--state", "DIR", "where things are kept"},
		{"--nets", "NET,...", "networks"},
	}
	if got := h.flags(); !slices.Equal(got, want) {
		t.Errorf("flags\n%q\nwant\n%q", got, want)
	}
	if got := h.commands(); !slices.Equal(got, []string{"bot"}) {
		t.Errorf("commands %q", got)
	}
	usage := "x serves.\n\nUsage: x [flags]\n       x doctor NAME\n                 says what is wrong\n\n  --a   it\n"
	h = parse("x", usage)
	if got := h.commands(); !slices.Equal(got, []string{"doctor"}) || len(h.flags()) != 1 {
		t.Errorf("%q: commands %q, flags %q", usage, got, h.flags())
	}
	if page := h.man("x 1", "2026-11-27"); !strings.Contains(page, ".B x doctor NAME\nsays what is wrong\n") {
		t.Errorf("%q: the page is\n%s", usage, page)
	}
	if got := want[1].choices(); !slices.Equal(got, []string{"default", "off"}) {
		t.Errorf("choices of --camera %q", got)
	}
}

func TestMan(t *testing.T) {
	page := parse("meet", sample).man("meet 1", "2026-11-27")
	for _, want := range []string{
		".TH MEET 1 2026-11-27 \"meet 1\"\n", "meet \\- see each other. It has two lines\n", ".SH FLAGS\n",
		".B \\-\\-redirect ADDR\nwhere to send people\n", ".SH EXIT STATUS\n.TP\n.B 0\nall went well\n",
		`\&.hidden`, `a \e in it`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}
