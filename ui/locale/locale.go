// Package locale settles the language before the toolkit asks for it.
//
// Fyne reads the locale while its packages initialize, and complains on standard error, in three
// lines, when that is "C.UTF-8", as it is in containers and on servers. This package imports os
// alone, so it is ready, and comes, before Fyne's packages (Go specification, "Package
// initialization"), which need text/template.
package locale

import (
	"os"
	"strings"
)

func init() {
	if os.Getenv("LANGUAGE") != "" {
		return
	}
	// The first that is set counts (GNU gettext manual, "Locale Environment Variables").
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			if strings.HasPrefix(v, "C.") {
				// Only translations look at LANGUAGE: the character set stays as it is.
				os.Setenv("LANGUAGE", "en")
			}
			return
		}
	}
}
