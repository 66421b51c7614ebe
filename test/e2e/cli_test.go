package e2e

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley/media/call"
	"parley/test/harness"
)

const someLink = "http://127.0.0.1:9/#7k3m-q9xt-2w8p"

// fault fails the test unless p has ended with this status and printed exactly one line, on standard error, that contains
// all of want.
func fault(t *testing.T, p *harness.Process, status int, want ...string) {
	t.Helper()
	if got := p.Status(); got != status {
		t.Errorf("exit status %d, want %d", got, status)
	}
	said := strings.TrimSuffix(p.Errors(), "\n")
	if !strings.HasPrefix(said, "parley") || strings.Contains(said, "\n") {
		t.Errorf("standard error is not one line of the program's:\n%s", said)
	}
	for _, w := range want {
		if !strings.Contains(said, w) {
			t.Errorf("standard error does not say %q:\n%s", w, said)
		}
	}
	noTrace(t, p)
	if out := p.Output(); out != "" {
		t.Errorf("standard output has %q", out)
	}
}

// noTrace fails the test if the output contains a stack trace.
func noTrace(t *testing.T, p *harness.Process) {
	t.Helper()
	for _, trace := range []string{"panic:", "goroutine ", "runtime error", "SIGSEGV"} {
		if strings.Contains(p.Errors(), trace) {
			t.Errorf("a stack on standard error:\n%s", p.Errors())
			return
		}
	}
}

// TestE2EBadArguments checks that a wrong command line gives one line that names the mistake, and exit status 2, and that
// nothing has started.
func TestE2EBadArguments(t *testing.T) {
	harness.EndToEnd(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	stats := filepath.Join(dir, "stats")
	camera := func(spec string) []string {
		return []string{"bot", "--stats", stats, "--mic", "off", "--camera", spec, someLink}
	}
	mic := func(spec string) []string { return []string{"bot", "--camera", "off", "--mic", spec, someLink} }
	speaker := func(spec string) []string {
		return []string{"bot", "--camera", "off", "--mic", "off", "--speaker", spec, someLink}
	}
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"unknown flag", []string{"--colour"}, []string{"-colour", "--help"}},
		{"unknown flag of a bot", []string{"bot", "--colour", someLink}, []string{"-colour", "--help"}},
		{"two links", []string{someLink, someLink}, []string{"one link"}},
		{"bot without link", []string{"bot"}, []string{"needs the link"}},
		{"link and new", []string{"--new", someLink}, []string{"--new or a link"}},
		{"short code of a link", []string{"bot", "--short-code", someLink}, []string{"for --new"}},
		{"code too short", []string{"bot", "http://127.0.0.1:9/#7k3m-q9xt-2w8"}, []string{"24 or 12 letters"}},
		{"code of other letters", []string{"bot", "http://127.0.0.1:9/#7k3m-q9xt-2w8!"}, []string{"not a meeting code"}},
		{"link without code", []string{"bot", "http://127.0.0.1:9/"}, []string{"not a meeting code"}},
		{"link of another kind", []string{"bot", "ftp://127.0.0.1:9/#7k3m-q9xt-2w8p"}, []string{"not a meeting link", "https://HOST/#"}},
		{"link to a bad port", []string{"bot", "http://127.0.0.1:99999/#7k3m-q9xt-2w8p"}, []string{"not a meeting link"}},
		{"link with control characters", []string{"bot", "http://127.0.0.1:9/#7k3m\x1b[31m"}, []string{"not a meeting"}},
		{"endless link", []string{"bot", "http://127.0.0.1:9/#" + strings.Repeat("7", 100_000)}, []string{"not a meeting link"}},
		{"code without server", []string{"bot", "7k3m-q9xt-2w8p"}, []string{"--server"}},
		{"server", []string{"--server", "meet", "7k3m-q9xt-2w8p"}, []string{"--server", "http://"}},
		{"negative time", []string{"--leave-after", "-1s", someLink}, []string{"--leave-after"}},
		{"no time", []string{"--leave-after", "soon", someLink}, []string{"leave-after"}},
		{"too many bots", []string{"bot", "--count", "101", someLink}, []string{"--count", "1 to 100"}},
		{"view", []string{"bot", "--view", "640", someLink}, []string{"--view", "640x360"}},
		{"view of a window", []string{"--view", "640x360", someLink}, []string{"for parley bot"}},
		{"check with link", []string{"check", someLink}, []string{"of its own"}},
		{"statistics nowhere", []string{"bot", "--stats", filepath.Join(dir, "no", "file"), "--camera", "off", "--mic", "off", someLink}, []string{"--stats", "no such file"}},

		{"no camera file", camera(filepath.Join(dir, "no.y4m")), []string{"--camera", "no such file"}},
		{"no camera of that name", camera("Eye of Sauron"), []string{"--camera", "Eye of Sauron", "parley check"}},
		{"camera is a folder", camera(dir), []string{"--camera"}},
		{"camera is a voice", camera(file("voice.wav", "RIFF....WAVEfmt ")), []string{"--camera", ".y4m"}},
		{"camera file is empty", camera(file("empty.y4m", "")), []string{"--camera", "YUV4MPEG2"}},
		{"camera file is rubbish", camera(file("rubbish.y4m", "\x7fELF\x00\x00")), []string{"--camera", "YUV4MPEG2"}},
		{"camera file lies", camera(file("huge.y4m", "YUV4MPEG2 W99999999 H99999999 F30:1\nFRAME\n")), []string{"--camera"}},
		{"camera file has no picture", camera(file("none.y4m", "YUV4MPEG2 W64 H64 F30:1\n")), []string{"--camera"}},
		{"camera file is cut short", camera(file("short.y4m", "YUV4MPEG2 W64 H64 F30:1\nFRAME\nabc")), []string{"--camera"}},
		{"camera file of an unknown kind", camera(file("xyz.y4m", "YUV4MPEG2 W64 H64 F30:1 Cxyz\nFRAME\n")), []string{"--camera", "xyz"}},
		{"no voice file", mic(filepath.Join(dir, "no.wav")), []string{"--mic", "no such file"}},
		{"voice file is rubbish", mic(file("rubbish.wav", "hello")), []string{"--mic", ".wav"}},
		{"voice file without sound", mic(file("cut.wav", "RIFF\x24\x00\x00\x00WAVE")), []string{"--mic"}},
		{"no microphone", mic("Headset"), []string{"--mic", "no such device"}},
		{"no speaker", speaker("Loudspeaker"), []string{"--speaker", "no such device"}},
		{"speaker file nowhere", speaker(filepath.Join(dir, "no", "out.wav")), []string{"--speaker", "no such file"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			// A sound system without a server, so that the test does not use the machine's own devices.
			fault(t, harness.Launch(t, []string{"PULSE_SERVER=unix:" + dir + "/none"}, "build/parley", c.args...), 2, c.want...)
		})
	}
	if text, err := os.ReadFile(stats); err == nil {
		t.Errorf("something started: statistics %q", text)
	}
}

// TestE2EHelp checks that --help prints to standard output and exits with status 0.
func TestE2EHelp(t *testing.T) {
	harness.EndToEnd(t)
	for _, c := range []struct{ path, flag, want string }{
		{"build/parley", "--help", "--camera SPEC"},
		{"build/parley", "--version", "parley "},
		{"build/parley-rendezvous", "--help", "--listen ADDR"},
	} {
		p := harness.Launch(t, nil, c.path, c.flag)
		if p.Status() != 0 || !strings.Contains(p.Output(), c.want) || p.Errors() != "" {
			t.Errorf("%s %s: status %d, %q, %q", c.path, c.flag, p.Status(), p.Output(), p.Errors())
		}
	}
}

// TestE2ECheck checks that the report of a machine without devices names the problem. It has an exit status of its own,
// which --help lists.
func TestE2ECheck(t *testing.T) {
	harness.EndToEnd(t)
	p := harness.Launch(t, []string{"PULSE_SERVER=unix:" + t.TempDir() + "/none"}, "build/parley", "check", "--camera", "test")
	status, out := p.Status(), p.Output()
	want, call := 3, "The call works."
	if strings.Contains(out, "The call is poor.") { // depends on how busy the machine is
		want, call = 1, "The call is poor."
	}
	if status != want || !strings.Contains(out, call+" You can watch and show yourself, but you hear nobody and nobody hears you.") {
		t.Errorf("status %d, want %d\n%s%s", status, want, out, p.Errors())
	}
	if strings.Contains(out, "All is well") {
		t.Errorf("all is well:\n%s", out)
	}
	help := harness.Launch(t, nil, "build/parley", "--help")
	if help.Status() != 0 || !strings.Contains(help.Output(), "\n  3   parley check:") {
		t.Errorf("--help does not list the status:\n%s", help.Output())
	}
}

// TestE2ECheckServer checks the report about a server: as JSON alone, and before the devices.
func TestE2ECheckServer(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	p := harness.Launch(t, nil, "build/parley", "check", "--server", "http://"+addr, "--json")
	var report struct {
		OK      bool
		Verdict string
		Checks  []struct{ Name string }
	}
	if p.Status() != 0 || json.Unmarshal([]byte(p.Output()), &report) != nil || !report.OK || len(report.Checks) != 2 {
		t.Errorf("status %d, said %s%s", p.Status(), p.Output(), p.Errors())
	}
	p = harness.Launch(t, nil, "build/parley", "check", "--server", "http://127.0.0.1:1")
	if p.Status() != 1 || !strings.Contains(p.Output(), "nothing listens") && !strings.Contains(p.Output(), "connection refused") || strings.Contains(p.Output(), "Devices") {
		t.Errorf("status %d, said %s%s", p.Status(), p.Output(), p.Errors())
	}
}

// TestE2EFirstStart starts the program without any settings. It prints at most one line and leaves no file in its
// working directory.
func TestE2EFirstStart(t *testing.T) {
	harness.EndToEnd(t)
	d := harness.StartDisplay(t)
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	parley, err := filepath.Abs("build/parley")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  []string
		want string // part of the one line; empty for no line
	}{
		"a usual start":                 {nil, ""},
		"no home":                       {[]string{"HOME=", "XDG_CONFIG_HOME="}, "settings are not kept"},
		"a home that cannot be written": {[]string{"HOME=" + blocked, "XDG_CONFIG_HOME="}, "settings are not kept"},
		"no bus, no runtime folder":     {[]string{"DBUS_SESSION_BUS_ADDRESS=unix:path=/nonexistent", "XDG_RUNTIME_DIR=/nonexistent"}, ""},
		"no key to the display":         {[]string{"XAUTHORITY=/nonexistent"}, ""},
		"a locale of no language":       {[]string{"LANG=C.UTF-8", "LC_ALL=xx_YY@foo"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // nearly all of it is waiting
			at := t.TempDir()
			env := append(append(d.Env(), "TMPDIR="+t.TempDir()), c.env...)
			p := harness.Launch(t, env, "/bin/sh", "-c", "cd '"+at+"' && exec '"+parley+"' --leave-after 3s --name Ada")
			<-p.Done
			if said := p.Errors(); c.want == "" && said != "" || c.want != "" && (strings.Count(said, "\n") != 1 || !strings.Contains(said, c.want)) {
				t.Errorf("it says:\n%s", said)
			}
			if p.Status() != 0 {
				t.Errorf("status %d", p.Status())
			}
			if left, err := os.ReadDir(at); err != nil || len(left) > 0 {
				t.Errorf("%v lie where it was started, %v", left, err)
			}
		})
	}
}

// TestE2ENoDisplay checks that the program ends with one line when there is no display.
func TestE2ENoDisplay(t *testing.T) {
	harness.EndToEnd(t)
	for _, env := range [][]string{nil, {"DISPLAY="}, {"DISPLAY=:4711"}, {"DISPLAY=nonsense"}, {"DISPLAY=127.0.0.1:4711.0"}} {
		fault(t, harness.Launch(t, env, "build/parley"), 2, "display", "parley bot")
	}
	// A server that is not an X server listens.
	dir := "/tmp/.X11-unix"
	if err := os.MkdirAll(dir, 0o1777); err != nil {
		t.Skip("no place for a display: ", err)
	}
	path := filepath.Join(dir, "X4712")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(strings.Repeat("rubbish", 100)))
			c.Close()
		}
	}()
	fault(t, harness.Launch(t, []string{"DISPLAY=:4712"}, "build/parley"), 2, "no window can be opened")
}

// TestE2EPortTaken checks that the hosted service names the taken port and says what to do. The app takes another port.
func TestE2EPortTaken(t *testing.T) {
	harness.EndToEnd(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fault(t, harness.Launch(t, nil, "build/parley-rendezvous", "--listen", l.Addr().String()), 2, l.Addr().String(), "taken", "--listen")
	fault(t, harness.Launch(t, nil, "build/parley-rendezvous", "--listen", "nowhere"), 2, "nowhere")
	fault(t, harness.Launch(t, nil, "build/parley-rendezvous", "--colour"), 2, "-colour")

	if taken, err := net.Listen("tcp", ":8443"); err == nil {
		defer taken.Close() // otherwise another program has the port, which is fine too
	}
	ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--local")
	link := ada.Link()
	if strings.Contains(link, ":8443/") {
		t.Fatalf("link %s names a port that is taken", link)
	}
	if strings.Contains(link, "//127.") || strings.Contains(link, "//localhost") {
		t.Logf("link %s: this machine has no address on a network", link)
	}
	ben := harness.StartParley(t, "Ben", nil, "bot", link)
	ben.Await("sees and hears Ada over the meeting that she hosts", harness.Meets(1))
}

// TestE2EServerUnreachable checks that one line reports it, and that the program retries and joins once the server runs.
func TestE2EServerUnreachable(t *testing.T) {
	harness.EndToEnd(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	p := harness.StartParley(t, "Ada", nil, "bot", "http://"+addr+"/#7k3m-q9xt-2w8p")
	said := func() bool { return strings.Contains(p.Errors(), "nobody-listens: ") }
	harness.AwaitTrue(t, "it says that there is no connection", said, p.Errors)
	if s := p.Errors(); strings.Count(s, "\n") != 1 || !strings.Contains(s, addr) || strings.Contains(s, "7k3m") {
		t.Errorf("standard error is not one line that names the server but not the code:\n%s", s)
	}
	harness.StartRendezvous(t, addr)
	p.Await("is in the meeting", func(l call.Line) bool { return l.Phase == "live" })
	p.Stop()
	if p.Status() != 0 {
		t.Errorf("exit status %d", p.Status())
	}
}

// TestE2EServerOfAnotherKind checks that the program says in one line that a server is not a rendezvous, and that it
// neither hangs nor floods that server with requests.
func TestE2EServerOfAnotherKind(t *testing.T) {
	harness.EndToEnd(t)
	portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<html>welcome</html>"))
	}))
	defer portal.Close()
	p := harness.StartParley(t, "Eve", nil, "bot", "--leave-after", "3s", portal.URL+"/#7k3m-q9xt-2w8p")
	if s, status := p.Errors, p.Status(); status != 0 || !strings.Contains(s(), "sign-in: ") {
		t.Errorf("a captive portal: exit status %d, standard error %q", status, s())
	}
	site := httptest.NewServer(http.NotFoundHandler())
	defer site.Close()
	p = harness.StartParley(t, "Ada", nil, "bot", site.URL+"/#7k3m-q9xt-2w8p")
	if p.Status() != 1 {
		t.Errorf("exit status %d, want 1", p.Status())
	}
	if s := p.Errors(); !strings.Contains(s, "parley: ") || !strings.Contains(s, strings.TrimPrefix(site.URL, "http://")) || strings.Contains(s, "7k3m") {
		t.Errorf("standard error %q", s)
	}
	noTrace(t, p)

	rubbish, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer rubbish.Close()
	asked := make(chan bool, 1000)
	go func() {
		for {
			c, err := rubbish.Accept()
			if err != nil {
				return
			}
			asked <- true
			_, _ = bufio.NewReader(c).ReadString('\n')
			_, _ = c.Write([]byte("220 mail.example.org ESMTP\r\n\x00\x01\x02"))
			c.Close()
		}
	}()
	p = harness.StartParley(t, "Ben", nil, "bot", "--leave-after", "5s", "http://"+rubbish.Addr().String()+"/#7k3m-q9xt-2w8p")
	status := p.Status()
	if s := p.Errors(); status > 1 || !strings.Contains(s, "parley: ") || strings.Contains(s, "7k3m") {
		t.Errorf("status %d, standard error %q", status, s)
	}
	noTrace(t, p)
	if n := len(asked); n == 0 || n > 100 {
		t.Errorf("asked %d times within 5 s", n)
	}
}

// TestE2ENoDevices checks that a window without camera, microphone and speaker can join a meeting. Each missing device is
// reported once.
func TestE2ENoDevices(t *testing.T) {
	harness.EndToEnd(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--server", "http://"+addr)
	d := harness.StartDisplay(t)
	none := []string{"PULSE_SERVER=unix:" + t.TempDir() + "/none"}
	ben := harness.StartParley(t, "Ben", append(none, d.Env()...), "--join", ada.Link())
	ben.Await("sees Ada", func(l call.Line) bool { return harness.Meets(1)(l) && l.Peers[0].VideoIn.Frames > 20 })
	ada.Await("knows of Ben", func(l call.Line) bool { return len(l.Peers) == 1 && l.Peers[0].State == "connected" })
	for _, kind := range []string{"microphone", "speaker"} {
		if n := strings.Count(ben.Errors(), "kind="+kind); n == 0 || n > 3 {
			t.Errorf("%s is named %d times:\n%s", kind, n, ben.Errors())
		}
	}
	noTrace(t, ben)
	ben.Stop()
	if ben.Status() != 0 {
		t.Errorf("exit status %d", ben.Status())
	}
}
