package signal

import (
	"encoding/base64"
	"html"
	"regexp"
	"strings"
	"unicode"
)

// plain drops invisible characters, such as zero-width ones and direction marks, and replaces fullwidth characters
// and all kinds of spaces by plain ones.
func plain(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= '\uFF01' && r <= '\uFF5E': // fullwidth forms of ASCII
			return r - 0xFEE0
		case r == '\uFE5F': // small number sign
			return '#'
		case r == '\n', r == '\r', r == '\u0085', r == '\u2028', r == '\u2029':
			return '\n'
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Cf, r), r >= '\uFE00' && r <= '\uFE0F', r == '\u034F': // variation selectors, grapheme joiner
			return -1
		}
		return r
	}, text)
	return escapes.ReplaceAllString(text, "$1")
}

// escapes are backslashes before punctuation, as Markdown and JSON have them.
var escapes = regexp.MustCompile("\\\\([!-/:-@_`~])")

// looksWhole matches a line that begins with an address of its own.
var looksWhole = regexp.MustCompile(`^[0-9A-Za-z-]+\.[0-9A-Za-z.-]+[/#:]`)

// joinLines removes line breaks inside long addresses.
func joinLines(text string) string {
	lines := strings.Split(text, "\n")
	var b strings.Builder
	for i, line := range lines {
		if i > 0 {
			line = strings.TrimLeft(line, "> ")
			before := b.String()
			if line == "" || strings.HasSuffix(before, "/") && looksWhole.MatchString(line) {
				b.WriteByte('\n')
			}
		}
		line = strings.TrimRight(line, " ")
		b.WriteString(strings.TrimSuffix(line, "="))
	}
	return b.String()
}

// unwrap takes one layer of wrapping off a text: HTML entities, percent-encoding, and the rewritten addresses of
// mail gateways.
func unwrap(text string) string {
	text = html.UnescapeString(text)
	text = gateway2.ReplaceAllStringFunc(text, func(s string) string {
		return " " + strings.NewReplacer("-", "%", "_", "/").Replace(gateway2.FindStringSubmatch(s)[1]) + " "
	})
	text = gateway3.ReplaceAllStringFunc(text, func(s string) string {
		m := gateway3.FindStringSubmatch(s)
		return " " + restore3(m[1], m[2]) + " "
	})
	text = encoded64.ReplaceAllStringFunc(text, decode64)
	return unpercent(text)
}

// Addresses as Proofpoint URL Defense writes them. Version 2 has "-" for "%" and "_" for "/".
// Version 3 has "*" for each special character, and those, in base64, behind the address.
var (
	gateway2 = regexp.MustCompile("(?i)https?://[a-z0-9.-]*urldefense[a-z0-9.-]*/v2/url\\?(?:[^\\s<>\"]*?&)?u=([^\\s<>\"&]*)[^\\s<>\"]*")
	gateway3 = regexp.MustCompile("(?i)https?://[a-z0-9.-]*urldefense[a-z0-9.-]*/v3/__([^\\s<>\"]*?)__;([a-z0-9_-]*)=*![^\\s<>\"$]*\\$?")
	// encoded64 is an address in base64: it begins with "http".
	encoded64 = regexp.MustCompile(`aHR0c[A-Za-z0-9+/_-]+={0,2}`)
)

// restore3 puts the special characters back into an address. "**" and a letter stand for several of them: A for 2,
// B for 3, and so on.
func restore3(address, special string) string {
	const lengths = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b, err := base64.RawURLEncoding.DecodeString(special)
	if err != nil {
		return address
	}
	left := []rune(string(b))
	take := func(n int) string {
		n = min(n, len(left))
		taken := left[:n]
		left = left[n:]
		return string(taken)
	}
	var out strings.Builder
	for i := 0; i < len(address); i++ {
		switch {
		case address[i] != '*':
			out.WriteByte(address[i])
		case i+2 < len(address) && address[i+1] == '*' && strings.IndexByte(lengths, address[i+2]) >= 0:
			out.WriteString(take(strings.IndexByte(lengths, address[i+2]) + 2))
			i += 2
		default:
			out.WriteString(take(1))
		}
	}
	return singleSlash.ReplaceAllString(out.String(), "$1//$2")
}

// singleSlash: version 3 sometimes drops one of the two.
var singleSlash = regexp.MustCompile(`^([a-z]+:)/([^/])`)

// decode64 decodes an address in either base64 alphabet, up to the first byte that is not printable.
func decode64(text string) string {
	text = strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(text)
	b, _ := base64.RawURLEncoding.DecodeString(text)
	for i, c := range b {
		if c <= ' ' || c > '~' {
			b = b[:i]
			break
		}
	}
	return string(b)
}

// unpercent decodes percent-encoding such as %23 and leaves everything else unchanged.
func unpercent(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			high, low := unhexDigit(text[i+1]), unhexDigit(text[i+2])
			if high >= 0 && low >= 0 {
				b = append(b, byte(high<<4|low))
				i += 2
				continue
			}
		}
		b = append(b, text[i])
	}
	return string(b)
}

// unhexDigit is the value of a hexadecimal digit, or -1.
func unhexDigit(c byte) int {
	return strings.IndexByte("0123456789abcdef", c|0x20*(c>>6&1))
}
