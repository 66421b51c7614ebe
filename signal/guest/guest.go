// Package guest serves the page that a browser shows when someone opens a meeting's link in it.
package guest

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed page
var files embed.FS

// policy lets the page load what is its own, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// types are the media types of the page's files. The system's own table may know others.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

// asset is a file of the page.
type asset struct {
	text  []byte
	media string
	etag  string
}

var assets = func() map[string]asset {
	all := map[string]asset{}
	entries, _ := files.ReadDir("page")
	for _, e := range entries {
		text, _ := files.ReadFile("page/" + e.Name())
		sum := sha256.Sum256(text)
		all["/"+e.Name()] = asset{text, types[path.Ext(e.Name())], `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
	}
	all["/"] = all["/index.html"]
	return all
}()

// ServePage serves the page and its files. The meeting's code stays in the browser: it follows the # of the link.
func ServePage(w http.ResponseWriter, r *http.Request) {
	a, ok := assets[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.media)
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", a.etag)
	if r.Header.Get("If-None-Match") == a.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(a.text)
}

// downloadTimeout is for the slowest download: 100 MB at 0.5 Mbit/s.
const downloadTimeout = 30 * time.Minute

// Downloads serves the packages in a folder to people who open a link without having the app: at its root a list in
// JSON, and each file by its name. Hidden files and folders are left out.
func Downloads(dir fs.FS) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if name == "" {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-cache")
			_ = json.NewEncoder(w).Encode(list(dir))
			return
		}
		if !offered(dir, name) {
			http.NotFound(w, r)
			return
		}
		media := mime.TypeByExtension(path.Ext(name))
		if media == "" || strings.HasPrefix(media, "text/") {
			media = "application/octet-stream" // nothing here is shown as a page of this host
		}
		w.Header().Set("Content-Type", media)
		w.Header().Set("Content-Disposition", "attachment")
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(downloadTimeout))
		http.ServeFileFS(w, r, dir, name)
	})
}

// download is a line of the list.
type download struct {
	Name string `json:"name"`
	Size int64  `json:"size"` // bytes
}

func list(dir fs.FS) []download {
	all := []download{}
	if dir == nil {
		return all
	}
	entries, _ := fs.ReadDir(dir, ".")
	for _, e := range entries {
		if info, err := fs.Stat(dir, e.Name()); err == nil && offered(dir, e.Name()) {
			all = append(all, download{e.Name(), info.Size()})
		}
	}
	return all
}

func offered(dir fs.FS, name string) bool {
	if dir == nil || strings.HasPrefix(name, ".") || strings.Contains(name, "/") || !fs.ValidPath(name) {
		return false
	}
	info, err := fs.Stat(dir, name)
	return err == nil && info.Mode().IsRegular()
}
