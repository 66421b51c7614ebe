package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"parley/test/harness"
)

// chromium is one browser with one page, testdata/call.html, and nothing else.
type chromium struct {
	t    testing.TB
	name string
	tree tree
	ctx  context.Context // chromedp's, of the page
}

// member describes a participant of a call, for both products.
type member struct {
	camera string   // a .y4m file; "" for none
	width  int      // of the camera
	height int      // of the camera
	mic    string   // a .wav file
	device string   // a microphone of a sound server, in the place of mic
	sink   string   // a speaker of a sound server; a page takes the default one unless it has device
	host   string   // network namespace; "" for the test's own
	env    []string // display and sound server; without a sound server nothing is played
	start  int      // kbit/s at which a page starts to send, so that a call settles sooner; 0: the browser decides
	shown  bool     // the window shows the others; otherwise nothing is painted
}

// chromiumFlags make a browser that runs only the page, with software GL as we have.
var chromiumFlags = []string{
	"--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check",
	"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
	"--disable-default-apps", "--disable-breakpad", "--disable-domain-reliability", "--metrics-recording-only",
	"--disable-client-side-phishing-detection", "--disable-search-engine-choice-screen", "--password-store=basic",
	"--use-mock-keychain", "--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,OptimizationHints,Translate",
	"--allow-loopback-in-peer-connection", "--autoplay-policy=no-user-gesture-required",
	// The window is never covered, but a browser without a window manager may think so.
	"--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding", "--disable-background-timer-throttling",
	"--use-fake-ui-for-media-stream", "--remote-debugging-pipe",
	"--window-position=0,0", "--window-size=1280,720",
}

// startChromium starts a browser. It ends with the test, and its child processes with it.
func startChromium(t testing.TB, name string, m member) *chromium {
	t.Helper()
	dir, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	page, err := filepath.Abs("test/bench/testdata/call.html")
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--user-data-dir=" + dir + "/data", "--app=file://" + page}, chromiumFlags...)
	if m.camera != "" || m.mic != "" {
		args = append(args, "--use-fake-device-for-media-stream")
	}
	if m.camera != "" {
		args = append(args, "--use-file-for-fake-video-capture="+m.camera)
	}
	if m.mic != "" {
		args = append(args, "--use-file-for-fake-audio-capture="+m.mic)
	}
	path := "chromium"
	if m.host != "" {
		args = append([]string{"netns", "exec", m.host, path}, args...)
		path = "ip"
	}
	env := append([]string{"HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "XDG_CACHE_HOME=" + dir, "PULSE_SERVER=unix:/nonexistent"}, m.env...)
	c := &chromium{t: t, name: name}
	t.Cleanup(func() { removeAll(t, dir) })
	pipe, theirs := newDebugPipe(t)
	p := harness.LaunchWith(t, env, theirs, path, args...)
	for _, f := range theirs {
		f.Close() // the browser has copies
	}
	p.Name = name + "'s chromium"
	c.tree = tree{t, p.Cmd.Process.Pid}
	t.Cleanup(func() { c.end(p) })
	c.attach(p, pipe)
	return c
}

// end ends the browser, and its remaining child processes by their IDs.
func (c *chromium) end(p *harness.Process) {
	left := c.tree.pids()
	p.Stop()
	deadline := time.Now().Add(5 * time.Second)
	for pid := range left {
		for syscall.Kill(pid, 0) == nil && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
		}
		_ = syscall.Kill(pid, syscall.SIGKILL) // most have ended
	}
}

// removeAll removes a browser's folder. Its last process may still be writing there.
func removeAll(t testing.TB, dir string) {
	var err error
	for range 20 {
		if err = os.RemoveAll(dir); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Log(err)
}

// debugPipe is the connection of the DevTools protocol: a pair of pipes, which reach into a network namespace and which
// nobody else can connect to. It is a chromedp.Allocator for a running browser.
type debugPipe struct{ r, w *os.File }

func (p debugPipe) Allocate(ctx context.Context, opts ...chromedp.BrowserOption) (*chromedp.Browser, error) {
	return chromedp.NewBrowserTransport(ctx, chromedp.NewPipeConn(p.r, p.w), opts...)
}

func (debugPipe) Wait()          {}
func (debugPipe) Attaches() bool { return true }

// newDebugPipe returns our end, and the browser's, which wants to read at descriptor 3 and to
// write at 4.
func newDebugPipe(t testing.TB) (ours debugPipe, browsers []*os.File) {
	t.Helper()
	var ends [4]*os.File
	for i := 0; i < 4; i += 2 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		ends[i], ends[i+1] = r, w
	}
	return debugPipe{r: ends[2], w: ends[1]}, []*os.File{ends[0], ends[3]}
}

// attach connects to the page.
func (c *chromium) attach(p *harness.Process, pipe debugPipe) {
	c.t.Helper()
	ctx, cancel := chromedp.NewAllocatorContext(context.Background(), pipe)
	c.t.Cleanup(cancel)
	// chromedp logs errors about events of a navigation that it has not seen.
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {}))
	c.t.Cleanup(cancel)
	var id target.ID
	harness.AwaitTrue(c.t, c.name+"'s page is there", func() bool {
		all, err := chromedp.Targets(ctx)
		if err != nil {
			c.t.Fatalf("chromium: %v\n%s", err, p.Errors())
		}
		for _, info := range all {
			if info.Type == "page" && strings.HasSuffix(info.URL, "call.html") {
				id = info.TargetID
			}
		}
		return id != ""
	}, p.Errors)
	c.ctx, cancel = chromedp.NewContext(ctx, chromedp.WithTargetID(id), chromedp.WithDetachOnCancel())
	c.t.Cleanup(cancel)
	// The context of the first run is that of the whole connection: it must not end with a call.
	if err := chromedp.Do(c.ctx); err != nil {
		c.t.Fatal(err)
	}
	harness.AwaitTrue(c.t, c.name+"'s page has loaded", func() bool {
		return eval[bool](c, `typeof stats === 'function' && document.readyState === 'complete'`)
	}, p.Errors)
}

// eval runs an expression in the page, with args in place of %s, and waits for its promise.
func eval[T any](c *chromium, format string, args ...any) T {
	c.t.Helper()
	quoted := make([]any, len(args))
	for i, a := range args {
		b, err := json.Marshal(a)
		if err != nil {
			c.t.Fatal(err)
		}
		quoted[i] = b
	}
	ctx, cancel := context.WithTimeout(c.ctx, harness.Patience)
	defer cancel()
	expr := fmt.Sprintf(format, quoted...)
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expr, chromedp.EvalAwaitPromise))
	if err != nil {
		name, _, _ := strings.Cut(expr, "(")
		c.t.Fatalf("%s's page: %s: %v", c.name, name, err)
	}
	return v
}

// do is eval without a result.
func (c *chromium) do(format string, args ...any) {
	c.t.Helper()
	eval[chromedp.Void](c, format, args...)
}
