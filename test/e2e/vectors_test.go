package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"parley/test/harness"
)

// TestE2EVectors reproduces the golden vectors in a browser, as a guest's page has to.
func TestE2EVectors(t *testing.T) {
	harness.EndToEnd(t)
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("signal/testdata")))
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><link rel=icon href=data:,><body>
			<script>onunhandledrejection = onerror = (e) => { document.body.innerHTML = "<p id=result>" + (e.reason ?? e) }</script>
			<script type=module src=verify.mjs onerror="onerror(Error(this.src))"></script>`))
	})
	h := httptest.NewServer(mux)
	t.Cleanup(h.Close)
	b := startBrowser(t)
	b.open(h.URL+"/page", "#result")
	if got := b.text("#result"); !strings.HasSuffix(got, " checks passed") {
		t.Errorf("%s %q", got, b.complain)
	}
}
