//go:build ignore

// This program cuts OpenGL bindings that glow has generated to what one file uses:
//
//	go run cut.go UPSTREAM/v2.1/gl FYNE/internal/painter/gl/gl_core | gofumpt >v2.1/gl/package.go
package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

var (
	used     = regexp.MustCompile(`\bgl\.([A-Z]\w*)`)
	pointer  = regexp.MustCompile(`^// typedef .*\(APIENTRYP GP(\w+)\)`)
	glue     = regexp.MustCompile(`^// static \w.* glow(\w+)\(GP`)
	constant = regexp.MustCompile(`^\t([A-Z0-9_]\w*) += 0x`)
	variable = regexp.MustCompile(`^\tgp(\w+) +C\.GP`)
	function = regexp.MustCompile(`^func ([A-Z]\w*)\(`)
	load     = regexp.MustCompile(`^\tgp(\w+) = \(C\.GP`)
	callback = regexp.MustCompile(`glowDebugCallback|glowCDebugCallback`)
)

func main() {
	user, err := os.ReadFile(os.Args[2] + ".go")
	if err != nil {
		panic(err)
	}
	names, upper := map[string]bool{"Init": true, "InitWithProcAddrFunc": true}, map[string]bool{}
	for _, m := range used.FindAllStringSubmatch(string(user), -1) {
		name := strings.TrimSuffix(m[1], "WithOffset") // which has the pointer of the function without it
		names[m[1]], names[name], upper[strings.ToUpper(name)] = true, true, true
	}
	text, err := os.ReadFile(os.Args[1] + "/package.go")
	if err != nil {
		panic(err)
	}
	lines, out := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), []string(nil)
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		cut := func(kind *regexp.Regexp, names map[string]bool) bool {
			m := kind.FindStringSubmatch(line)
			return m != nil && !names[m[1]]
		}
		through := func(last string) {
			for lines[i] != last {
				i++
			}
		}
		switch {
		case strings.HasPrefix(line, "// extern void glowDebugCallback"):
		case callback.MatchString(line), cut(glue, names):
			through("// }")
		case cut(pointer, upper), cut(constant, names), cut(variable, names):
		case cut(load, names):
			if strings.HasPrefix(lines[i+1], "\tif ") { // it was required
				through("\t}")
			}
		case cut(function, names):
			for strings.HasPrefix(out[len(out)-1], "//") {
				out = out[:len(out)-1]
			}
			through("}")
		case line == "" && out != nil && out[len(out)-1] == "":
		default:
			out = append(out, line)
		}
	}
	fmt.Println(strings.Join(out, "\n"))
}
