package guest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w
}

// TestPage has each file served with headers that keep it to itself, and nothing else served.
func TestPage(t *testing.T) {
	page, total := http.HandlerFunc(ServePage), 0
	for path, media := range map[string]string{
		"/": "text/html", "/index.html": "text/html", "/style.css": "text/css", "/page.js": "text/javascript",
		"/qrcode.js": "text/javascript", "/icon.svg": "image/svg+xml",
	} {
		w := get(page, path)
		if w.Code != 200 || w.Body.Len() == 0 {
			t.Fatalf("%s: %d, %d bytes", path, w.Code, w.Body.Len())
		}
		total += w.Body.Len()
		for header, want := range map[string]string{
			"Content-Type":            media,
			"Content-Security-Policy": "default-src 'none'",
			"Referrer-Policy":         "no-referrer", // the address bar holds the meeting's code
			"X-Content-Type-Options":  "nosniff",
		} {
			if got := w.Header().Get(header); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s is %q, want %q", path, header, got, want)
			}
		}
		if text := w.Body.String(); media == "text/html" && (strings.Contains(text, "<style") || strings.Contains(text, " style=") || strings.Contains(text, "<script>")) {
			t.Errorf("%s has what the policy forbids", path)
		}
		again := httptest.NewRequest("GET", path, nil)
		again.Header.Set("If-None-Match", w.Header().Get("ETag"))
		known := httptest.NewRecorder()
		if page.ServeHTTP(known, again); known.Code != http.StatusNotModified || known.Body.Len() > 0 {
			t.Errorf("%s, known already: %d, %d bytes", path, known.Code, known.Body.Len())
		}
	}
	if total > 150_000 {
		t.Errorf("the page has %d bytes", total)
	}
	for _, path := range []string{"/nothing", "/page/", "/../guest.go", "/page/index.html"} {
		if w := get(page, path); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestIcon holds the page's icon to the app's.
func TestIcon(t *testing.T) {
	app, err := os.ReadFile("../../assets/icon.svg")
	if err != nil || !bytes.Equal(app, assets["/icon.svg"].text) {
		t.Errorf("the page's icon is not the app's (%v)", err)
	}
}

// TestDownloads lists and serves the packages in a folder, and nothing that was not put there for that.
func TestDownloads(t *testing.T) {
	dir := fstest.MapFS{
		"parley_1.0_amd64.deb": {Data: []byte("package"), Mode: 0o644},
		"page.html":            {Data: []byte("<script>"), Mode: 0o644},
		".secret":              {Data: []byte("key"), Mode: 0o644},
		"more/inside":          {Data: []byte("x"), Mode: 0o644},
	}
	h := Downloads(dir)
	if got, want := get(h, "/").Body.String(), `[{"name":"page.html","size":8},{"name":"parley_1.0_amd64.deb","size":7}]`+"\n"; got != want {
		t.Errorf("the list is %s", got)
	}
	for path, want := range map[string]int{
		"/parley_1.0_amd64.deb": 200, "/page.html": 200, "/.secret": 404, "/more": 404, "/more/inside": 404, "/nothing": 404,
		"/../page.html": 404,
	} {
		w := get(h, path)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
		if w.Code == 200 && (strings.HasPrefix(w.Header().Get("Content-Type"), "text/") || w.Header().Get("Content-Disposition") != "attachment") {
			t.Errorf("%s would be shown as a page: %v", path, w.Header())
		}
	}
	if got := get(Downloads(nil), "/").Body.String(); got != "[]\n" {
		t.Errorf("without a folder: %q", got)
	}
}
