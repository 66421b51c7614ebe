package signal

import (
	"encoding/base64"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// The link of the tests below, however it is passed on.
const (
	pasted = "https://meet.example.org/#7k3m-q9xt-2w8p"
	owned  = "https://meet.example.org/#7k3m-q9xt-2w8p&owner=wra_aI-4vgA9zxLu&at=10.0.0.3:8443"
	within = "https://meet.example.org/meet/#7k3m-q9xt-2w8p&at=10.0.0.3:8443&at=[fd00::5]:8443"
)

// wrappers are what people and programs make of a link, with LINK for it.
var wrappers = []string{
	"LINK", " LINK\n", "LINK.", "LINK,", "LINK;", "LINK!", "LINK?", "LINK:", "LINK)", "(LINK)", "(LINK).", "[LINK]", "{LINK}", "<LINK>",
	"LINK…", "LINK。", "LINK、", "LINK」", "「LINK」", "（LINK）", "“LINK”", "„LINK“", "‘LINK’", "«LINK»", "\"LINK\"", "'LINK'", "`LINK`",
	"**LINK**", "*LINK*", "_LINK_", "~~LINK~~", "[Join](LINK)", "[LINK](LINK)", "[Join](<LINK> \"title\")", "![x](LINK)", "|LINK|", "> LINK",
	"<a href=\"LINK\">LINK</a>", "<a href='LINK'>Join</a>", "<a href=LINK>Join</a>", "LINK</a>", "LINK<br>", "<p>LINK</p>",
	"<LINK|Join the meeting>", "<LINK|LINK>", "Join: LINK", "Join:LINK", "Please join LINK at ten.", "请点LINK加入会议", "LINK加入", "Hier:LINK–bis dann",
	"\u200bLINK\u200b", "\ufeffLINK", "\u2060LINK\u2060", "\u200eLINK\u200f", "\u202aLINK\u202c", "\u00a0LINK\u00a0", "\u00adLINK", "\u3000LINK\u3000",
	"See https://example.com/agenda. Then LINK (or dial +49 30 1234 5678, PIN 123456789012).",
	"From: bob@example.org\nDate: 2026-11-27 10:00\n\nJoin:\nLINK\n\nThanks,\nBob\n-- \nid 550e8400-e29b-41d4-a716-446655440000",
	"{\"url\":\"LINK\"}", "url=LINK", "see,LINK,there", "LINK LINK", "LINK\nLINK", "LINK\r\n\r\nfoo", "\\nLINK\\n",
}

func TestPastedLinks(t *testing.T) {
	for _, link := range []string{pasted, within, "http://192.168.1.5:8443/#7k3m-q9xt-2w8p", "http://[fd00::5]:8443/#7k3m-q9xt-2w8p&at=localhost:1", lengthened(pasted), lengthened(within), owned, lengthened(owned)} {
		for _, w := range wrappers {
			text := strings.ReplaceAll(w, "LINK", link)
			if got, err := ParseLink(text, nil); err != nil || got.String() != link {
				t.Errorf("%q: %v, %v", text, got.maybe(), err)
			}
		}
	}
}

// TestOwnerOfAPastedLink: no way to break a link makes it one without an owner.
func TestOwnerOfAPastedLink(t *testing.T) {
	fallback := &url.URL{Scheme: "https", Host: "meet.example.org"}
	for pos := len(pasted); pos < len(owned); pos++ {
		for _, gap := range []string{"\n", "\r\n> ", "=\n"} {
			text := owned[:pos] + gap + owned[pos:]
			if got, err := ParseLink(text, nil); err != nil || got.Owner != "wra_aI-4vgA9zxLu" {
				t.Errorf("%q: %v, %v", text, got.maybe(), err)
			}
		}
	}
	for _, text := range []string{
		owned + " or " + pasted, pasted + " or " + owned, "code 7k3m-q9xt-2w8p, link " + owned,
		"https://gateway.example/?url=" + percent(owned), strings.ReplaceAll(owned, "&", "&amp;"), percent(owned),
	} {
		if got, err := ParseLink(text, fallback); err != nil || got.Owner != "wra_aI-4vgA9zxLu" {
			t.Errorf("%q: %v, %v", text, got.maybe(), err)
		}
	}
	for cut := range 16 {
		text := pasted + "&owner=" + "wra_aI-4vgA9zxLu"[:cut]
		if got, err := ParseLink(text, fallback); !errors.Is(err, ErrOwner) {
			t.Errorf("%q: %v, %v", text, got.maybe(), err)
		}
	}
}

// maybe is String for a link that may be none.
func (l Link) maybe() string {
	if l.Server == nil {
		return "none"
	}
	return l.String()
}

// each writes every byte but letters and digits as %XX.
func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if isASCIIWord(rune(s[i])) || strings.IndexByte(".-_~", s[i]) >= 0 {
			b.WriteByte(s[i])
		} else {
			b.WriteString("%" + strings.ToUpper(hexOf(s[i])))
		}
	}
	return b.String()
}

func hexOf(c byte) string { return string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]) }

func TestDamagedAndWrappedLinks(t *testing.T) {
	gateway2 := strings.NewReplacer("-", "-2D", "_", "-5F", "%", "-", "/", "_").Replace(strings.NewReplacer("#", "%23", ":", "%3A").Replace(pasted))
	gateway2 = strings.ReplaceAll(gateway2, "-2D3A", "-3A")
	safelinks := "https://eur01.safelinks.protection.outlook.com/?url=" + percent(pasted) + "&data=05%7C01%7Cbob%40example.org%7C0a1b&sdata=abc%3D&reserved=0"
	texts := map[string]string{
		"percent": "https://meet.example.org/%237k3m-q9xt-2w8p", "percent twice": "https://meet.example.org/%25237k3m-q9xt-2w8p",
		"entity": "https://meet.example.org/&#35;7k3m-q9xt-2w8p", "hex entity": "https://meet.example.org/&#x23;7k3m-q9xt-2w8p", "named entity": "https:&sol;&sol;meet.example.org/&num;7k3m-q9xt-2w8p",
		"no scheme": "meet.example.org/#7k3m-q9xt-2w8p", "no scheme in a sentence": "Join: meet.example.org/#7k3m-q9xt-2w8p, please", "no slash": "meet.example.org#7k3m-q9xt-2w8p",
		"no scheme, relative": "//meet.example.org/#7k3m-q9xt-2w8p", "upper case": "HTTPS://MEET.EXAMPLE.ORG/#7K3M-Q9XT-2W8P", "www mark": "Join:meet.example.org/#7k3mq9xt2w8p.",
		"password": pasted + "&pwd=x", "password like a code": pasted + "&pwd=aaaa-bbbb-2222", "query behind": pasted + "?utm_source=mail&x=y", "query before": "https://meet.example.org/?utm_source=mail#7k3m-q9xt-2w8p",
		"deep": "parley://meet.example.org/#7k3m-q9xt-2w8p", "zero width inside": "https://meet.exa\u200bmple.org/\u2060#7k3m-\u200bq9xt-2w8p", "soft hyphen": "https://meet.example.org/#7k3m\u00ad-q9xt-2w8p",
		"fullwidth": "ｈｔｔｐｓ：／／ｍｅｅｔ．ｅｘａｍｐｌｅ．ｏｒｇ／＃７ｋ３ｍ－ｑ９ｘｔ－２ｗ８ｐ", "dashes": "https://meet.example.org/#7k3m–q9xt—2w8p", "backslash": `https:\/\/meet.example.org\/#7k3m\-q9xt\-2w8p`,
		"line before #": "https://meet.example.org/\n#7k3m-q9xt-2w8p", "line in the code": "https://meet.example.org/#7k3m-\nq9xt-2w8p\nThanks", "line in a group": "https://meet.example.org/#7k\n3m-q9xt-2w8p",
		"line in the host": "Join:\nhttps://meet.exa\nmple.org/#7k3m-q9xt-2w8p", "quoted line": "> https://meet.example.org/\n> #7k3m-q9xt-2w8p\n> bye", "quoted-printable": "https://meet.example.or=\ng/#7k3m-q9xt-2w8p",
		"CRLF": "https://meet.example.org/\r\n#7k3m-q9xt-2w8p", "safelinks": safelinks, "safelinks in HTML": "<a href=\"" + strings.ReplaceAll(safelinks, "&", "&amp;") + "\">Join</a>",
		"safelinks, fragment outside": "https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fmeet.example.org%2F&data=05%7C01#7k3m-q9xt-2w8p",
		"nested":                      "https://www.google.com/url?q=" + percent(safelinks) + "&sa=D&source=calendar", "google": "https://www.google.com/url?q=" + pasted + "&sa=D", "google encoded": "https://www.google.com/url?q=" + percent(pasted) + "&sa=D&ust=1",
		"proofpoint 1": "https://urldefense.proofpoint.com/v1/url?u=" + percent(pasted) + "&k=abc%3D", "proofpoint 2": "https://urldefense.proofpoint.com/v2/url?u=" + gateway2 + "&d=DwMFaQ&c=euG&r=x&m=y&s=z&e=",
		"proofpoint 3":         "https://urldefense.com/v3/__https://meet.example.org/*7k3m-q9xt-2w8p__;Iw!!ABC-123!xyz_abc$",
		"proofpoint 3, run":    "https://urldefense.com/v3/__https://meet.example.org**A7k3m-q9xt-2w8p__;LyM!!ABC!x$ and more",
		"proofpoint 3, single": "https://urldefense.us/v3/__https:/meet.example.org/*7k3m-q9xt-2w8p__;Iw!!ABC!x$",
		"sophos":               "https://eu-west-1.protection.sophos.com/?d=example.org&u=" + base64.StdEncoding.EncodeToString([]byte(pasted)) + "&i=1",
		"cisco":                "https://secure-web.cisco.com/1a2b3c/" + percent(pasted), "barracuda": "https://linkprotect.cudasvc.com/url?a=" + percent(pasted) + "&c=E,1",
		"mailto": "mailto:?subject=Meeting&body=Join%20" + percent(pasted) + "%0D%0ABye", "with the code": "Join: " + pasted + " (code 7k3m-q9xt-2w8p)", "code first": "Code 7K3M Q9XT 2W8P or " + pasted,
		"deep and plain": pasted + " parley://meet.example.org/#7k3m-q9xt-2w8p", "hyphened words": "We meet from-that-time at " + pasted + " as-seen-here",
		"code scheme": "parley:7k3m-q9xt-2w8p", "code scheme, slashes": "parley://7k3m-q9xt-2w8p", "code scheme, end": "Open parley:7k3mq9xt2w8p/ now",
		"code": "7k3m-q9xt-2w8p", "code typed": " 7K3M q9xt\t2w8p ", "code quoted": "“7k3m-q9xt-2w8p”.", "code in a sentence": "The code is 7k3m-q9xt-2w8p, see you", "code with #": "#7k3m-q9xt-2w8p",
		"code solid": "The code: 7k3mq9xt2w8p!", "code spaced": "Code: 7k3m q9xt 2w8p, please", "code in Chinese": "会议码7k3m-q9xt-2w8p。", "code bold": "**7k3m-q9xt-2w8p**",
	}
	server := &url.URL{Scheme: "https", Host: "meet.example.org"}
	long := 0
	for name, text := range texts {
		got, err := ParseLink(text, server)
		if err != nil || got.String() != pasted {
			t.Errorf("%s: %q: %v, %v", name, text, got.maybe(), err)
		}
		if text = lengthened(text); text == texts[name] {
			continue // the code is written in another way there
		}
		long++
		if got, err = ParseLink(text, server); err != nil || got.String() != lengthened(pasted) {
			t.Errorf("long: %s: %q: %v, %v", name, text, got.maybe(), err)
		}
	}
	if long < len(texts)*3/4 {
		t.Errorf("only %d of %d texts were tried with a long code", long, len(texts))
	}
}

var shortForm = regexp.MustCompile(`(?i)7k3m([^a-z0-9]?)q9xt([^a-z0-9]?)2w8p`)

// lengthened gives every short code of a text another three groups, written as the ones before.
func lengthened(text string) string {
	return shortForm.ReplaceAllString(text, "${0}${1}c4fe${1}9k2m${1}x7p0")
}

// Words behind a short code that could be the second half of a long one, and two codes that could be one, are told
// apart from long codes; and a long code that is broken or spaced is still one.
func TestLongOrShort(t *testing.T) {
	server := &url.URL{Scheme: "https", Host: "meet.example.org"}
	const long = "https://meet.example.org/#7k3m-q9xt-2w8p-c4fe-9k2m-x7p0"
	for text, want := range map[string]string{
		pasted + " then that were":                                           pasted,
		pasted + " conversation":                                             pasted,
		pasted + " - conversation":                                           pasted,
		pasted + "\nconversation":                                            pasted,
		"https://meet.example.org/#7k3mq9xt2w8p\nconversation":               pasted,
		"Code 7k3m q9xt 2w8p c4fe 9k2m x7p0, bye":                            long,
		"Code 7k3m q9xt 2w8p that were then":                                 pasted,
		"7k3m-q9xt-2w8p that-were-then":                                      pasted,
		long + " then":                                                       long,
		"https://meet.example.org/#7k3m-q9xt-2w8p-\nc4fe-9k2m-x7p0\nBye":     long,
		"> https://meet.example.org/#7k3m-q9xt-2w8p-\n> c4fe-9k2m-x7p0\n> x": long,
		"https://meet.example.org/#7k3m-q9xt-2w8p-c4fe-9k\n2m-x7p0":          long,
		"https://meet.example.org/#7k3m-q9xt-2w8p-c4fe-9k2m-=\nx7p0":         long,
		"https://meet.example.org/#7k3mq9xt2w8pc4fe9k2mx7p0":                 long,
		"https://meet.example.org/#7k3m q9xt 2w8p c4fe 9k2m x7p0 and so on":  long,
		"The code is 7k3mq9xt2w8pc4fe9k2mx7p0.":                              long,
		"7K3M Q9XT 2W8P C4FE 9K2M X7PO":                                      long,
		"7k3mq9xt2w8p\tc4fe9k2mx7p0-":                                        "",
		"7k3m-q9xt-2w8p c4fe-9k2m-x7p0":                                      "",
		"7k3m-q9xt-2w8p\nc4fe-9k2m-x7p0":                                     "",
		"7k3mq9xt2w8p c4fe9k2mx7p0":                                          "",
		pasted + " or c4fe-9k2m-x7p0":                                        "",
		pasted + " https://meet.example.org/#7k3m-q9xt-2w8p-c4fe-9k2m-x7p0":  "",
	} {
		got, err := ParseLink(text, server)
		if several := new(Ambiguous); want == "" && errors.As(err, &several) && len(several.Links) == 2 {
			continue
		}
		if err != nil || got.String() != want {
			t.Errorf("%q: %v, %v; want %q", text, got.maybe(), err, want)
		}
	}
	for _, text := range []string{
		long + "0", long + "-0000", long[:len(long)-1], "https://meet.example.org/#7k3m-q9xt-2w8p-c4fe", "id 507f1f77bcf86cd799439011x",
		"Code 7k3m q9xt 2w8p cafe 9k2m x7p0, half of which is none",
	} {
		if got, err := ParseLink(text, server); err == nil {
			t.Errorf("%q: %v", text, got.maybe())
		}
	}
}

// What names no meeting, or the meeting of another program, is not taken for one.
func TestNoLinks(t *testing.T) {
	fallback := &url.URL{Scheme: "https", Host: "meet.example.org"}
	for text, want := range map[string]error{
		"": ErrCode, "hello": ErrCode, "conversation with my neighbours": ErrCode, "https://meet.example.org/": ErrCode, "https://meet.example.org/#7k3m": ErrCode,
		"https://meet.example.org/#7k3m-q9xt-2w8p0": ErrCode, "https://meet.example.org/#7k3m-q9xt-2w8p-0000": ErrCode, "https:///#7k3m-q9xt-2w8p": ErrLink,
		"ftp://meet.example.org/#7k3m-q9xt-2w8p": ErrLink, "https://user:pw@meet.example.org/#7k3m-q9xt-2w8p": ErrLink, "bob@example.org/#7k3m-q9xt-2w8p": ErrLink,
		"https://meet.example.org:99999/#7k3m-q9xt-2w8p": ErrLink, "https://meet.example.org:0/#7k3m-q9xt-2w8p": ErrLink, "https://meet.example.org/../#7k3m-q9xt-2w8p": ErrLink,
		"https://meet.example.org/%zz#7k3m-q9xt-2w8p": ErrLink, "https://zoom.us/j/98765432101?pwd=a1b2c3d4e5f6": ErrLink, "550e8400-e29b-41d4-a716-446655440000": ErrCode,
		"call +49 30 1234 5678 9012 or 441234567890 now": ErrCode, "https://site.example/#section-two of the book": ErrCode, "card 1234 5678 9012 3456": ErrCode,
		strings.Repeat(" ", maxPaste) + pasted: ErrLink,
	} {
		if got, err := ParseLink(text, fallback); !errors.Is(err, want) {
			t.Errorf("%.80q: %v, %v", text, got.maybe(), err)
		}
	}
	if _, err := ParseLink("The code is 7k3m-q9xt-2w8p", nil); !errors.Is(err, ErrNoServer) {
		t.Errorf("a code without a server: %v", err)
	}
}

// Two meetings in one text are a question, not a guess, and the question keeps the codes out.
func TestTwoLinks(t *testing.T) {
	fallback := &url.URL{Scheme: "https", Host: "meet.example.org"}
	other := "https://other.example/#aaaa-bbbb-2222"
	for _, text := range []string{
		pasted + " " + other, "Today " + pasted + "\n\nTomorrow: " + other, pasted + " or code aaaa-bbbb-2222", "7k3m-q9xt-2w8p or aaaa-bbbb-2222",
		"https://www.google.com/url?q=" + percent(pasted) + " " + other, "https://one.example/#7k3m-q9xt-2w8p https://two.example/#7k3m-q9xt-2w8p",
	} {
		_, err := ParseLink(text, fallback)
		var several *Ambiguous
		if !errors.As(err, &several) || len(several.Links) != 2 {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if strings.Contains(err.Error(), "7k3m") || strings.Contains(err.Error(), "aaaa") {
			t.Errorf("said %q", err)
		}
		for _, l := range several.Links {
			if again, err := ParseLink(l.String(), nil); err != nil || again.String() != l.String() {
				t.Errorf("candidate %q: %v", l, err)
			}
		}
	}
	if l, err := ParseLink(pasted+" or code aaaa-bbbb-2222", nil); err != nil || l.String() != pasted {
		t.Errorf("a code that nothing can be done with: %v", err)
	}
	var several *Ambiguous
	if _, err := ParseLink(strings.Repeat(pasted+" "+other+" ", 700), nil); !errors.As(err, &several) || len(several.Links) != 2 {
		t.Errorf("many times two: %v", err)
	}
}

func TestServers(t *testing.T) {
	for text, want := range map[string]string{
		"https://meet.example.org": "https://meet.example.org", " https://host/meet ": "https://host/meet", "https://host/meet/": "https://host/meet", "HTTP://Host:8443/A/b": "http://host:8443/A/b",
		"https://host/a%20b": "https://host/a%20b", "https://host.": "https://host", "http://[FD00::5]:1/": "http://[fd00::5]:1", "https://bücher.example": "https://b%C3%BCcher.example",
		"https://host/../x": "", "https://host/a b": "https://host/a%20b", "https://host/x#y": "", "https://host/?q": "", "parley://host": "", "host": "", "https://": "", "https://a..b": "", "https://[::1": "", "https://h:0": "",
		"https://host/" + strings.Repeat("x", 300): "", "https://host/a(b)": "",
	} {
		got, err := ParseServer(text)
		if (want == "") != errors.Is(err, ErrServer) || err == nil && got.String() != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// A text full of what looks like links costs no more than its length.
func TestJunkIsFast(t *testing.T) {
	for _, unit := range []string{
		"#", "#7k3m-q9xt-2w8p", "https://", "https://a/#", "%25", "&amp;", "a\n", "\n", "=\n> ", "parley:", "7k3m-", "aHR0cAAA", "https://urldefense.com/v3/__", "https://urldefense.com/v2/url?a&",
		"https://a/?url=", "\\#", "x.", "[", "&at=[::1]:1", "\u200b", "https://a.example/#7k3m-q9xt-2w8p ", "**", "&#35;", "%2525252523",
	} {
		text := strings.Repeat(unit, maxPaste/len(unit))
		if n := testing.AllocsPerRun(1, func() { _, _ = ParseLink(text, nil) }); n > 20*maxPaste {
			t.Errorf("%q: %v allocations", unit, n)
		}
	}
}
