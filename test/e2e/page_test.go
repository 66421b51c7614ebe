package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"parley/test/harness"
)

// browser is a Chromium that records its requests and console errors.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	asked    []string
	complain []string
}

func startBrowser(t *testing.T) *browser {
	t.Helper()
	dir := t.TempDir()
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.UserDataDir(filepath.Join(dir, "data")),
		chromedp.Env("HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+dir))...)
	ctx, end := chromedp.NewContext(alloc)
	b := &browser{t: t, ctx: ctx}
	t.Cleanup(func() {
		end()
		cancel()
	})
	err := chromedp.Listen(ctx, func(ev any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			b.asked = append(b.asked, ev.Request.URL)
		case *log.EventEntryAdded:
			b.complain = append(b.complain, ev.Entry.Text)
		}
	})
	if err == nil {
		_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	}
	if err == nil {
		_, err = chromedp.Call(ctx, log.Enable, cdp.Empty{})
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// do runs a step and returns its result.
func do[T any](b *browser, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 60*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// open loads a URL and waits for an element.
func (b *browser) open(url, element string) {
	b.t.Helper()
	do(b, chromedp.Navigate("about:blank")) // changing only the fragment would not reload
	do(b, chromedp.Navigate(url))
	do(b, chromedp.WaitVisible(element))
}

// text is an element's text.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(do(b, chromedp.Text(selector)))
}

// TestE2EPage opens a meeting's link in a browser. The page offers the app, the code, a QR code for the same meeting, and
// the server's packages. It contacts no other host, and the server does not learn the code.
func TestE2EPage(t *testing.T) {
	harness.EndToEnd(t)
	packages := t.TempDir()
	for _, name := range []string{"parley_1.2.3_amd64.deb", "parley-rendezvous_1.2.3_amd64.deb"} { // the second is for hosts
		if err := os.WriteFile(filepath.Join(packages, name), make([]byte, 3_000_000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, addr := harness.StartRendezvous(t, "127.0.0.1:0", "--downloads", packages)
	home := "http://" + addr + "/"
	b := startBrowser(t)
	const code = "7k3m-q9xt-2w8p"

	b.open(home+"#7K3M Q9XT-2W8P&at=192.0.2.1:8443&pwd=x", "#files a")
	open := do(b, chromedp.Evaluate[string](`document.querySelector("#open").getAttribute("href")`))
	if want := "parley://" + addr + "/#" + code + "&at=192.0.2.1:8443"; open != want {
		t.Errorf("the button opens %q, want %q", open, want)
	}
	for selector, want := range map[string]string{
		"#title": "You are invited to a meeting.", "#code": code, "#files li": "parley_1.2.3_amd64.deb", "#command": "sudo apt install ./parley_1.2.3_amd64.deb",
	} {
		if got := b.text(selector); !strings.Contains(got, want) {
			t.Errorf("%s says %q, want %q in it", selector, got, want)
		}
	}
	reads := func(want string) {
		t.Helper()
		picture := do(b, chromedp.Screenshot("#qr"))
		file := filepath.Join(t.TempDir(), "qr.png")
		if err := os.WriteFile(file, picture, 0o600); err != nil {
			t.Fatal(err)
		}
		read, err := exec.Command("zbarimg", "--quiet", "--raw", file).Output()
		if got := strings.TrimSpace(string(read)); err != nil || got != want {
			t.Errorf("the QR code says %q (%v), want %q", got, err, want)
		}
	}
	reads(home + "#" + code + "&at=192.0.2.1:8443")

	for hash, title := range map[string]string{"": "Meet. Nobody in between.", "7k3m-q9xt": "This link is damaged.", "%zz": "This link is damaged."} {
		b.open(home+"#"+hash, "#enter")
		if got := b.text("#title"); got != title {
			t.Errorf("at #%s the page says %q", hash, got)
		}
	}
	const long = "7k3m-q9xt-2w8p-c4fe-9k2m-x7p0"
	b.open(home+"#"+strings.ReplaceAll(strings.ToUpper(long), "-", ""), "#files a")
	if got := b.text("#code"); got != long {
		t.Errorf("of a long code the page shows %q", got)
	}
	reads(home + "#" + long)
	b.open(home+"#"+long[:19], "#enter") // cut off behind the fourth group
	if got := b.text("#title"); got != "This link is damaged." {
		t.Errorf("at a part of a long code the page says %q", got)
	}
	do(b, chromedp.SendKeys("#text", "join us: "+home+"#7k3mq9xt2w8p\r"))
	do(b, chromedp.WaitVisible("#meeting"))
	if got := b.text("#code"); got != code {
		t.Errorf("after typing a link the code is %q", got)
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	for _, url := range b.asked {
		if !strings.HasPrefix(url, home) && !strings.HasPrefix(url, "about:") {
			t.Errorf("the page asks for %s", url)
		}
	}
	if len(b.complain) > 0 {
		t.Errorf("the browser complains: %q", b.complain)
	}
	if strings.Contains(strings.ToLower(p.Errors()), code[:9]) {
		t.Error("the server's log has the code")
	}
}

// TestE2EVectorsInChromium has a browser reproduce the golden vectors with its own WebCrypto.
func TestE2EVectorsInChromium(t *testing.T) {
	harness.EndToEnd(t)
	files := http.FileServer(http.Dir(filepath.Join("signal", "testdata")))
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			w.Header().Set("Content-Type", map[string]string{".mjs": "text/javascript", ".json": "application/json"}[filepath.Ext(r.URL.Path)])
			files.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><body><script type="module" src="verify.mjs"></script>`)
	}))
	defer site.Close()
	b := startBrowser(t)
	b.open(site.URL+"/", "body")
	got := ""
	harness.AwaitTrue(t, "the vectors are tried", func() bool {
		got = do(b, chromedp.Evaluate[string](`document.querySelector("#result")?.textContent ?? ""`))
		return got != ""
	}, func() string { return "" })
	if !strings.HasSuffix(got, " checks passed") {
		t.Error(got)
	} else {
		t.Log(got)
	}
}

// TestE2EPagePictures checks the page in common sizes and colour schemes: nothing is wider than the screen.
func TestE2EPagePictures(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	b := startBrowser(t)
	for _, screen := range []struct{ width, height int64 }{{1280, 720}, {800, 1000}, {360, 740}} {
		for _, scheme := range []string{"dark", "light"} {
			for _, hash := range []string{"#7k3m-q9xt-2w8p", "#7k3m-q9xt-2w8p-c4fe-9k2m-x7p0", ""} {
				do(b, chromedp.EmulateViewport(screen.width, screen.height))
				if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
				}); err != nil {
					t.Fatal(err)
				}
				b.open("http://"+addr+"/"+hash, "#app")
				wide := do(b, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`))
				picture := do(b, chromedp.FullScreenshot(100))
				if wide {
					t.Errorf("%dx%d %s: it is wider than the screen", screen.width, screen.height, hash)
				}
				if dir := os.Getenv("PARLEY_PICTURES"); dir != "" {
					name := fmt.Sprintf("page-%s-%d-%d.png", scheme, screen.width, len(hash))
					_ = os.WriteFile(filepath.Join(dir, name), picture, 0o600)
				}
			}
		}
	}
}
