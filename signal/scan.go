package signal

import (
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// group is a code as written in a text. How its characters are separated shows whether it is meant as a code.
type group struct {
	code   Code
	gaps   [longCode]rune     // before each character: '-', ' ', '\n', or 0 for none
	digit  [longCode / 4]bool // there is a digit among each four characters
	letter bool
	size   int  // bytes
	ends   bool // no letter or digit follows
	loose  bool // there is a space beside a hyphen, as beside a dash between words
}

// readLinked reads the code at the start of a text behind "#". Its size is 0 when there is none.
func readLinked(text string) group {
	if g := readCode(text, longCode); g.inLink() && g.whole() {
		return g
	}
	if g := readCode(text, shortCode); g.inLink() {
		return g
	}
	return group{}
}

// readAlone reads a code that stands by itself at the start of text. Its size is 0 when there is none.
func readAlone(text string) group {
	g := readCode(text, longCode)
	if g.alone(text[g.size:]) {
		return g
	}
	if g.grouped(' ') && g.halves() { // half of a long code is not a short one
		return group{}
	}
	if g = readCode(text, shortCode); g.alone(text[g.size:]) {
		return g
	}
	return group{}
}

// readCode reads so many characters of a code and their separators at the start of text. Its size is 0 when there
// are fewer.
func readCode(text string, length int) group {
	var g group
	var code [longCode]byte
	n, run, line := 0, 0, false
	for pos, r := range text {
		if n == length {
			break
		}
		switch {
		case r == '-', r >= '\u2010' && r <= '\u2015', r == '\u2212':
			g.loose = g.loose || g.gaps[n] == ' '
			g.gaps[n], run = '-', run+1
		case r == ' ', r == '+', r == '>' && line: // '>' quotes a line in a mail
			g.loose = g.loose || g.gaps[n] == '-' && !line
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
	if n < length {
		return group{}
	}
	g.code = Code(code[:n])
	next, size := utf8.DecodeRuneInString(text[g.size:])
	after, _ := utf8.DecodeRuneInString(text[g.size+size:])
	g.ends = !isWord(next) && !(next == '-' && isWord(after))
	return g
}

// codeChar is the code character that a person means by r: see ParseCode.
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

// grouped reports whether the characters come in groups of four, with this separator alone between them.
func (g group) grouped(separator rune) bool {
	for i, r := range g.gaps[:len(g.code)] {
		if want := i > 0 && i%4 == 0; want && r != separator || !want && r != 0 {
			return false
		}
	}
	return true
}

// solid reports whether nothing separates the characters.
func (g group) solid() bool { return g.gaps == [longCode]rune{} }

// inLink reports whether this is a code behind "#". There, a line may break anywhere, and hyphens may be missing or
// misplaced.
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

// whole reports whether a long code behind "#" is one code, and not a short one with words behind it.
func (g group) whole() bool {
	const middle = shortCode
	return g.gaps[middle] == '-' && !g.loose || (g.gaps[middle] == 0 || g.grouped(' ')) && g.halves()
}

// alone reports whether this is a code that stands by itself before rest.
func (g group) alone(rest string) bool {
	if g.size == 0 || !g.ends {
		return false
	}
	next, size := utf8.DecodeRuneInString(rest)
	after, _ := utf8.DecodeRuneInString(rest[size:])
	if strings.ContainsRune("/=@%#", next) && size > 0 || strings.ContainsRune(".:", next) && isWord(after) {
		return false
	}
	switch {
	case !g.letter:
		return false
	case g.grouped('-'):
		return true
	case g.grouped(' '): // words of four letters have no digits
		return !slices.Contains(g.digit[:len(g.code)/4], false)
	case len(g.code) == longCode && !g.halves():
		return false
	}
	return g.solid() && g.digits()
}

func (g group) digits() bool { return slices.Contains(g.digit[:], true) }

// halves reports whether both halves of a long code have digits.
func (g group) halves() bool {
	const half = len(g.digit) / 2
	return slices.Contains(g.digit[:half], true) && slices.Contains(g.digit[half:], true)
}

// rank says how certain it is that this is a code and not words of four letters.
func (g group) rank() rank {
	if g.gaps[4] == '-' && g.letter && g.digits() {
		return bare
	}
	return guessed
}

// isWord reports whether r is a letter or digit of a Latin script. Other scripts may have no spaces between words:
// their letters may stand next to a link without being part of it.
func isWord(r rune) bool {
	return r < 0x250 && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// runStart is the beginning of the possible address at the end of text.
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

// serverBefore reads a link's server from the text before its "#". It is nil when there is none. ok is false when
// the link belongs to another program.
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

// wraps reports whether a query contains another address.
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

// dotted reports whether a name is a domain name or an IPv4 address, not a number or word with a dot.
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

// ownerForm is the fingerprint of an owner's key at the start of a text. Marks around a link, as in _LINK_, may follow.
var ownerForm = regexp.MustCompile(`^[0-9A-Za-z_-]{16}(?:[^0-9A-Za-z]|$)`)

// parameters are those of a link that mean something.
type parameters struct {
	at      []string
	owner   string
	damaged bool // there is an owner, and it is not whole
	size    int  // in bytes, of all of them
}

// readParameters reads the parameters behind a code.
func readParameters(text string) (p parameters) {
	for {
		m := parameter.FindStringSubmatch(text[p.size:])
		if m == nil || m[1] == "" && m[2] == "" {
			return p
		}
		p.size += len(m[0])
		name, value := m[1], strings.TrimPrefix(m[2], "=")
		if after, found := strings.CutPrefix(name, "owner"); found && m[2] == "" { // a mail took "=" for the end of its line
			name, value = "owner", after
		}
		switch {
		case name == "at" && value != "":
			p.at = append(p.at, hostForm.FindString(value))
		case name == "owner" && p.owner == "":
			if p.damaged = !ownerForm.MatchString(value); !p.damaged {
				p.owner = value[:base64.RawURLEncoding.EncodedLen(idBytes)]
			}
		}
	}
}

func hasSuffixFold(text, suffix string) bool {
	return len(text) >= len(suffix) && strings.EqualFold(text[len(text)-len(suffix):], suffix)
}
