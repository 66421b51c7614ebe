package room

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCleanName(t *testing.T) {
	family := "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
	scotland := "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"
	for in, want := range map[string]string{
		"Ada":                                  "Ada",
		"  Ada \n\t Bo ":                       "Ada Bo",
		"A\x00d\x1ba":                          "A d a",
		"A\xffda":                              "Ada",
		"José\u0301":                           "José\u0301",
		"علی\u200cرضا":                         "علی\u200cرضا", // Persian: the joiner keeps the words apart
		"\u200cعلی\u200c":                      "علی",
		"علی\u200c\u200cرضا":                   "علی\u200cرضا",
		"क्\u200dष":                            "क्\u200dष",
		"ad\u200cmin":                          "admin",
		"ad\u200dmin":                          "admin",
		family:                                 family,
		"Kit " + family + " X":                 "Kit " + family + " X",
		"\U0001f469\U0001f3fd\u200d\U0001f4bb": "\U0001f469\U0001f3fd\u200d\U0001f4bb",
		"\U0001f3f3\ufe0f\u200d\U0001f308":     "\U0001f3f3\ufe0f\u200d\U0001f308",
		"1\ufe0f\u20e3":                        "1\ufe0f\u20e3",
		"\u2764\ufe0f\u200d\U0001f525":         "\u2764\ufe0f\u200d\U0001f525",
		scotland:                               scotland,
		"\U0001f3f4\U000e0067\U000e0062":       "\U0001f3f4", // a tag without its end
		"a\U000e0067\U000e007f":                "a",
		"\U0001f1e9\U0001f1ea":                 "\U0001f1e9\U0001f1ea",
		"\u3164":                               "", "\u115f\u1160": "", "\uffa0": "", "\u2800\u2800": "", "\u200d": "", "\u200c\u200d\ufe0f": "",
		"\u0301\u0302": "", "\u20e3": "", "\u034f": "", "\u00ad": "", "\u2060\ufeff": "", "\U0001d159": "", "\ufffc": "", "\ue000": "",
		"\u0301Ada":                              "Ada",
		"Ada\u202e\u2066\u200f\u061cBo":          "AdaBo",
		"ad\u3164min":                            "ad min",
		"Z" + strings.Repeat("\u0336\u0301", 40): "Z\u0336\u0301\u0336\u0301",
		"葛\U000e0100城":                           "葛\U000e0100城", // a Japanese name's variant of a letter
		"שָׁלוֹם":                                "שָׁלוֹם",
		"สมชาย ใจดี":                             "สมชาย ใจดี",
		"王小明":                                    "王小明",
		strings.Repeat("é", 80):                  strings.Repeat("é", MaxName),
		strings.Repeat(family, 80):               strings.Repeat(family, MaxName),
		strings.Repeat("ab ", 40):                strings.TrimSpace(strings.Repeat("ab ", 21)) + " a",
		"A" + strings.Repeat("\U0001f468\u200d", 40) + "\U0001f468": "A",
	} {
		if got := CleanName(in); got != want {
			t.Errorf("CleanName(%+q) = %+q, want %+q", in, got, want)
		}
	}
}

func TestCleanText(t *testing.T) {
	for in, want := range map[string]string{
		"a\r\nb\rc\u2028d":                    "a\nb\nc\nd",
		" \x00hi\n\x1b ":                      "hi",
		"a\tb":                                "a\tb",
		"pay\u202efdp.exe\u202c":              "payfdp.exe",
		"\u2067a\u2069":                       "a",
		"שלום\u200f!":                         "שלום\u200f!",
		" \n\t ":                              "",
		"\u200b\u2800\u3164":                  "",
		"می\u200cخواهم":                       "می\u200cخواهم",
		"e" + strings.Repeat("\u0301", 50):    "e" + strings.Repeat("\u0301", maxMarks),
		strings.Repeat("x", 4001):             strings.Repeat("x", MaxText),
		strings.Repeat("x", 3999) + "e\u0301": strings.Repeat("x", 3999),
	} {
		if got := cleanText(in); got != want {
			t.Errorf("cleanText(%+q) = %+q, want %+q", in, got, want)
		}
	}
}

// Of names that people mistake for each other, the later one gets a number.
func TestDistinctNames(t *testing.T) {
	for _, c := range []struct{ second, want string }{
		{"Bo", "Bo"},
		{"Ada", "Ada (2)"},
		{"ada", "ada (2)"},
		{"\uff21da", "\uff21da (2)"},
		{"Аda", "Аda (2)"}, // a Cyrillic A
		{"A da", "A da (2)"},
		{"Me", "Me (2)"}, // we
		{"", ""},
	} {
		m, _ := play(t, up{ids(ada, bo), false}, hello(ada, "Ada"), hello(bo, c.second))
		if got := m.presence.members[1].Name; got != c.want {
			t.Errorf("%q beside Ada is %q, want %q", c.second, got, c.want)
		}
	}
	m, _ := play(t, up{ids(ada, bo, cy), false}, hello(ada, "Ada"), hello(bo, "Ada (2)"), hello(cy, "Ada"), hello(cy, "Ada"))
	if got := names(m); got != "Ada Ada (2) Ada (3)" {
		t.Errorf("%q", got)
	}
	// A member keeps its number.
	m, _ = play(t, up{ids(ada, bo), false}, hello(ada, "Ada"), hello(bo, "Ada"), left{id: ada}, hello(bo, "Ada"))
	if got := names(m); got != "Ada (2)" {
		t.Errorf("%q", got)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"Ada", "علی\u200cرضا", "\U0001f468\u200d\U0001f469", "a\u0301\u0301", "\u200d", "\U0001f3f4\U000e0067\U000e007f", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, clean := range map[string]func(string) string{"name": CleanName, "text": cleanText} {
			once := clean(s)
			if !utf8.ValidString(once) || clean(once) != once {
				t.Errorf("%s %+q: %+q, then %+q", name, s, once, clean(once))
			}
			if strings.ContainsAny(once, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\x00\r") {
				t.Errorf("%s %+q: %+q", name, s, once)
			}
			if once != "" && strings.IndexFunc(once, visible) < 0 {
				t.Errorf("%s %+q: nothing can be seen of %+q", name, s, once)
			}
		}
		if n := CleanName(s); strings.ContainsAny(n, "\n\t\u200e\u200f\u061c") || n != "" && skeleton(n) == "" {
			t.Errorf("name %+q: %+q", s, n)
		}
	})
}
