package signal

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// group is a code as it stands in a text: how its characters are separated tells whether it is
// meant as one.
type group struct {
	code   Code
	gaps   [codeLen]rune // before each character: '-', ' ', '\n', or 0 for none
	digit  [3]bool       // there is a digit among each four characters
	letter bool
	size   int  // bytes
	ends   bool // nothing that could belong to it follows
}

// readCode reads the 12 characters of a code, and what separates them, at the start of text.
// Its size is 0 when there are no 12.
func readCode(text string) group {
	var g group
	var code [codeLen]byte
	n, run, line := 0, 0, false
	for pos, r := range text {
		if n == codeLen {
			break
		}
		switch {
		case r == '-', r >= '\u2010' && r <= '\u2015', r == '\u2212':
			g.gaps[n], run = '-', run+1
		case r == ' ', r == '+', r == '>' && line: // what quotes a line in a mail
			if g.gaps[n] == 0 {
				g.gaps[n] = ' '
			}
			run++
		case r == '\n':
			if g.gaps[n] != '-' {
				g.gaps[n] = '\n'
			}
			run, line = run+1, true
		default:
			c, ok := codeChar(r)
			if !ok {
				return group{}
			}
			g.digit[n/4] = g.digit[n/4] || r <= '9'
			g.letter = g.letter || r > '9'
			code[n], n, run, line = c, n+1, 0, false
			g.size = pos + 1
		}
		if run > 4 {
			return group{}
		}
	}
	if n < codeLen {
		return group{}
	}
	g.code = Code(code[:])
	next, size := utf8.DecodeRuneInString(text[g.size:])
	after, _ := utf8.DecodeRuneInString(text[g.size+size:])
	g.ends = !isWord(next) && !(next == '-' && isWord(after))
	return g
}

// codeChar is the character of a code that a person means by r: see ParseCode.
func codeChar(r rune) (byte, bool) {
	if !isASCIIWord(r) {
		return 0, false
	}
	c := byte(unicode.ToLower(r))
	switch c {
	case 'o':
		c = '0'
	case 'i', 'l':
		c = '1'
	}
	return c, strings.IndexByte(crockford, c) >= 0
}

// grouped tells whether only these runes separate the characters, between fours.
func (g group) grouped(allowed string) bool {
	for i, r := range g.gaps {
		if r != 0 && (i == 0 || i%4 != 0 || !strings.ContainsRune(allowed, r)) {
			return false
		}
	}
	return true
}

// inLink tells whether this is a code behind "#": there, a line may end anywhere, and hyphens
// may be missing or in other places.
func (g group) inLink() bool {
	if g.size == 0 || !g.ends {
		return false
	}
	lines := 0
	for i, r := range g.gaps {
		if r == ' ' && i%4 != 0 {
			return false
		}
		if r == '\n' {
			lines++
		}
	}
	return lines == 0 || lines == 1 && g.digits()
}

// alone tells whether this is a code that stands by itself before rest.
func (g group) alone(rest string) bool {
	if g.size == 0 || !g.ends {
		return false
	}
	next, size := utf8.DecodeRuneInString(rest)
	after, _ := utf8.DecodeRuneInString(rest[size:])
	if strings.ContainsRune("/=@%#", next) && size > 0 || strings.ContainsRune(".:", next) && isWord(after) {
		return false
	}
	spaced := g.gaps[4] == ' ' && g.gaps[8] == ' '
	solid := g.gaps == [codeLen]rune{}
	switch {
	case g.gaps[4] == '-' && g.gaps[8] == '-':
		return g.grouped("-") && g.letter
	case spaced:
		return g.grouped(" ") && g.letter && g.digit == [3]bool{true, true, true}
	}
	return solid && g.letter && g.digits()
}

func (g group) digits() bool { return g.digit[0] || g.digit[1] || g.digit[2] }

// rank is how sure a code that stands alone is one: words can be of four letters, too.
func (g group) rank() rank {
	if g.gaps[4] == '-' && g.letter && g.digits() {
		return bare
	}
	return guessed
}

// isWord tells letters and digits of Latin scripts: others are written without spaces between
// words, and stand next to a link that is not part of them.
func isWord(r rune) bool {
	return r < 0x250 && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// runStart is where the text that may be an address, and ends where text ends, begins.
func runStart(text string) int {
	const quotes = "<>\"`|{}\\^#“”„‟‘’«»‹›「」『』《》【】、。\uFFFD"
	i := strings.LastIndexFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(quotes, r)
	})
	if i < 0 {
		return 0
	}
	_, size := utf8.DecodeRuneInString(text[i:])
	return i + size
}

// serverBefore reads the server of a link from what precedes its "#". It is nil when there is
// none, and not ok when the link is of something else.
func serverBefore(run string) (server *url.URL, r rank, ok bool) {
	mark := strings.LastIndex(run, "://")
	if mark < 0 {
		return impliedServer(run)
	}
	scheme := ""
	for _, s := range []string{"https", "http", DeepScheme} {
		if hasSuffixFold(run[:mark], s) {
			scheme = s
			break
		}
	}
	if scheme == "" {
		return nil, 0, false
	}
	address := run[mark:]
	if strings.Contains(run[:mark], "://") { // in a parameter of another address
		address, _, _ = strings.Cut(address, "&")
	}
	u, err := url.Parse(scheme + address)
	if err != nil || wraps(u.RawQuery) {
		return nil, 0, false
	}
	server, err = serverOf(u)
	if scheme == DeepScheme {
		return server, implied, err == nil
	}
	return server, explicit, err == nil
}

// wraps tells whether a query holds another address.
func wraps(query string) bool {
	return strings.Contains(query, "://") || strings.Contains(strings.ToLower(query), "%3a%2f%2f")
}

// nameOfServer is a host at the end of a text, and the path behind it.
var nameOfServer = regexp.MustCompile(`(^|[^@%\p{Latin}0-9.-])(\[[0-9A-Fa-f:.]+\]|[\p{Latin}0-9][\p{Latin}0-9.-]*)(:[0-9]{1,5})?(/[^?]*)?(\?.*)?$`)

// impliedServer reads a server without a scheme.
func impliedServer(run string) (server *url.URL, r rank, ok bool) {
	head, path, _ := strings.Cut(run, "/")
	if head == "" && strings.HasPrefix(path, "/") { // a link relative to the page's scheme
		head, path, _ = strings.Cut(path[1:], "/")
	}
	head, _, _ = strings.Cut(head, "?")
	if strings.Contains(head, "@") {
		return nil, 0, false
	}
	m := nameOfServer.FindStringSubmatch(head)
	if m == nil {
		return nil, bare, true
	}
	host, port := m[2], m[3]
	if !strings.HasPrefix(host, "[") && !strings.EqualFold(host, "localhost") && !dotted(host) {
		return nil, bare, path == ""
	}
	path, _, _ = strings.Cut(path, "?")
	u, err := url.Parse(impliedScheme(host) + "://" + host + port + "/" + path)
	if err != nil {
		return nil, 0, false
	}
	server, err = serverOf(u)
	return server, implied, err == nil
}

// dotted tells a domain name or IPv4 address from a number or word with a dot.
func dotted(host string) bool {
	i := strings.LastIndexByte(host, '.')
	if i < 0 {
		return false
	}
	last := host[i+1:]
	return strings.Count(host, ".") == 3 || strings.ContainsFunc(last, unicode.IsLetter) && len(last) > 1
}

// parameter is one that follows a code: "&at=10.0.0.3:8443", "?x=y", "&amp;pwd=z".
var parameter = regexp.MustCompile("^[&?;]([A-Za-z0-9_.-]*)(=[^\\s&?;<>\"`|{}\\\\^#“”‘’«»「」]*)?")

// hostForm is an address at the start of a text.
var hostForm = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z]([0-9A-Za-z.-]*[0-9A-Za-z])?)(:[0-9]{1,5})?`)

// readParameters reads what follows a code, as far as it belongs to the link: the values of
// "at", and how long all of it is.
func readParameters(text string) (at []string, size int) {
	for {
		m := parameter.FindStringSubmatch(text[size:])
		if m == nil || m[1] == "" && m[2] == "" {
			return at, size
		}
		size += len(m[0])
		if m[1] == "at" && m[2] != "" {
			at = append(at, hostForm.FindString(m[2][1:]))
		}
	}
}

func hasSuffixFold(text, suffix string) bool {
	return len(text) >= len(suffix) && strings.EqualFold(text[len(text)-len(suffix):], suffix)
}
