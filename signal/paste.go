package signal

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strings"
)

// maxPaste is the longest text that ParseLink looks at, in bytes.
const maxPaste = 64 << 10

// Errors of ParseLink. They never carry the text, for it holds the code.
var (
	ErrLink     = errors.New("not a meeting link: it looks like https://HOST/#7k3m-q9xt-2w8p")
	ErrOwner    = errors.New("this meeting link is damaged: its end is missing")
	ErrNoServer = errors.New("a code alone does not say where the meeting is: open the whole link, or name the server with --server URL")
)

// Ambiguous is the error of ParseLink for a text that names several meetings.
type Ambiguous struct {
	Links []Link // in the order of the text, at most maxLinks
}

func (*Ambiguous) Error() string {
	return "this text names more than one meeting: choose one"
}

// maxLinks bounds what Ambiguous carries.
const maxLinks = 8

// ParseLink finds the one meeting that a text names. The link may be inside a sentence, a mail or a mail gateway's
// address, may lack its scheme, and may be wrapped over lines. A code alone is a meeting on the server fallback.
// The errors are ErrLink, ErrCode, ErrOwner, ErrNoServer, ErrServer (of fallback) and Ambiguous.
func ParseLink(text string, fallback *url.URL) (Link, error) {
	if len(text) > maxPaste {
		return Link{}, ErrLink
	}
	text = plain(text)
	code, err := ParseCode(strings.TrimFunc(text, func(r rune) bool { return !isASCIIWord(r) }))
	if err == nil && !twoCodes(text) {
		return Link{Code: code}.at(fallback)
	}
	s := scanner{damage: ErrCode}
	if strings.ContainsAny(text, ":/#") {
		s.damage = ErrLink
		if _, err := ParseServer(text); err == nil { // a link without a code
			s.damage = ErrCode
		}
	}
	for s.round = range maxRounds {
		s.text, s.spans, s.joined = text, nil, false
		s.scanLinks()
		s.scanCodes()
		if strings.Contains(text, "\n") {
			s.text, s.spans, s.joined = joinLines(text), nil, true
			s.scanLinks()
		}
		next := plain(unwrap(text))
		if next == text {
			break
		}
		text = next
	}
	return s.choose(fallback)
}

// twoCodes reports whether a text is two short codes, which read as one are as long as a long one.
func twoCodes(text string) bool {
	g := readCode(strings.TrimLeftFunc(text, func(r rune) bool { return !isASCIIWord(r) }), longCode)
	between := g.gaps[shortCode]
	g.gaps[shortCode] = g.gaps[4]
	return g.size > 0 && between != g.gaps[4] && (g.grouped('-') || g.grouped(' ') || g.grouped(0))
}

// maxRounds is how deep wrappers may be nested.
const maxRounds = 6

// at gives a code without a server the fallback.
func (l Link) at(fallback *url.URL) (Link, error) {
	if l.Server != nil {
		return l, nil
	}
	if fallback == nil {
		return Link{}, ErrNoServer
	}
	server, err := serverOf(fallback)
	l.Server = server
	return l, err
}

// rank says how certain it is that a place in the text names this meeting.
type rank uint8

const (
	guessed  rank = iota // characters that may be a code by chance
	bare                 // a code
	implied              // a link without http or https
	explicit             // a link with http or https
)

// mention is a place in the text that names a meeting.
type mention struct {
	link   Link // Server is nil for a code alone
	rank   rank
	joined bool // seen only when lines are joined
	round  int  // how many layers of wrapping were taken off before
}

// better orders mentions of one code. A link that was broken over lines can look like a link without a scheme, so
// one found by joining lines is preferred to one without a scheme.
func (m mention) better(than mention) bool {
	if m.rank != than.rank {
		return m.rank > than.rank
	}
	if m.joined != than.joined {
		return than.joined
	}
	return m.round < than.round
}

// scanner collects the mentions of a text.
type scanner struct {
	text   string
	joined bool
	round  int
	spans  [][2]int // of links, in bytes
	found  []mention
	damage error // returned if no meeting is found
}

// add keeps the best mentions of each code, one for each server.
func (s *scanner) add(l Link, r rank) {
	m := mention{l, r, s.joined, s.round}
	same := func(old mention) bool { return old.link.Code == l.Code }
	for i, old := range s.found { // a link that was broken over lines before its owner is the whole link
		if same(old) && sameServer(old.link, l) {
			m.link.Owner = cmp.Or(old.link.Owner, l.Owner)
			s.found[i].link.Owner = m.link.Owner
		}
	}
	for _, old := range s.found {
		if same(old) && (old.better(m) || !m.better(old) && sameServer(old.link, l) && len(old.link.At) >= len(l.At)) {
			return
		}
	}
	s.found = slices.DeleteFunc(s.found, func(old mention) bool {
		return same(old) && (m.better(old) || sameServer(old.link, l))
	})
	if len(s.found) < maxMentions {
		s.found = append(s.found, m)
	}
}

// maxMentions bounds the work for a text full of codes.
const maxMentions = 64

func sameServer(a, b Link) bool {
	if a.Server == nil || b.Server == nil {
		return a.Server == b.Server
	}
	return a.Server.String() == b.Server.String()
}

// scanLinks finds every code that follows a "#" or "parley:".
func (s *scanner) scanLinks() {
	done := 0
	for pos := range len(s.text) {
		switch {
		case pos < done:
		case s.text[pos] == '#':
			start, end := s.linkAt(done, pos)
			if end > 0 {
				s.spans = append(s.spans, [2]int{start, end})
				done = end
			}
		case s.text[pos] == ':' && !s.joined:
			s.schemeAt(pos)
		}
	}
}

// linkAt reads the link whose "#" is at pos and that begins after from. It returns the link's beginning and end;
// the end is 0 if there is no link.
func (s *scanner) linkAt(from, pos int) (start, end int) {
	start = from + runStart(s.text[from:pos])
	server, r, ok := serverBefore(s.text[start:pos])
	g := readLinked(s.text[pos+1:])
	if g.size == 0 {
		if ok && server != nil {
			s.damage = ErrCode
		}
		return 0, 0
	}
	end = pos + 1 + g.size
	p := readParameters(s.text[end:])
	end += p.size
	if !ok {
		return start, end // a link of another program: what follows its # is not a code
	}
	if p.damaged { // without the owner it would be another link, of a meeting in which anybody may be the owner
		s.damage = ErrOwner
		return start, end
	}
	l := Link{Server: server, Code: g.code, Owner: p.owner}
	if server != nil {
		for _, host := range p.at {
			l.addAt(host)
		}
	}
	s.add(l, r)
	return start, end
}

// schemeAt reads parley:CODE and parley://CODE, whose colon is at pos.
func (s *scanner) schemeAt(pos int) {
	if !hasSuffixFold(s.text[:pos], DeepScheme) {
		return
	}
	start := pos + 1
	if strings.HasPrefix(s.text[start:], "//") {
		start += 2
	}
	g := readLinked(s.text[start:])
	end := start + g.size
	if g.size > 0 && !strings.HasPrefix(strings.TrimPrefix(s.text[end:], "/"), "#") && !strings.HasPrefix(s.text[end:], ":") {
		s.add(Link{Code: g.code}, bare)
	}
}

// scanCodes finds codes that stand alone, outside links and other addresses.
func (s *scanner) scanCodes() {
	before := ' '
	next := 0
	for pos, r := range s.text {
		if len(s.spans) > 0 && pos >= s.spans[0][1] {
			s.spans = s.spans[1:]
		}
		inside := len(s.spans) > 0 && pos >= s.spans[0][0]
		if pos >= next && !inside && isASCIIWord(r) && !isWord(before) && !strings.ContainsRune(`-/=&?@%.+$`, before) {
			if g := readAlone(s.text[pos:]); g.size > 0 {
				s.add(Link{Code: g.code}, g.rank())
				next = pos + g.size
			}
		}
		before = r
	}
}

// choose returns the one meeting among the mentions.
func (s *scanner) choose(fallback *url.URL) (Link, error) {
	best := guessed
	for _, m := range s.found {
		best = max(best, m.rank)
	}
	var links []Link
	var failed error
	for _, m := range s.found {
		if m.rank == guessed && best > guessed || m.link.Server == nil && fallback == nil && best > bare {
			continue
		}
		l, err := m.link.at(fallback)
		if err != nil {
			failed = err
		} else if len(links) < maxLinks {
			links = append(links, l)
		}
	}
	switch {
	case len(links) == 1:
		return links[0], nil
	case len(links) > 1:
		return Link{}, &Ambiguous{links}
	case failed != nil:
		return Link{}, failed
	}
	return Link{}, s.damage
}
