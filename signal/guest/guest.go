// Package guest serves the page that a browser shows when someone opens a meeting's link in it.
package guest

import (
	_ "embed"
	"net/http"
)

//go:embed page.html
var page []byte

// ServePage serves the page. The meeting's code stays in the browser: it follows the # of the link.
func ServePage(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(page)
}
