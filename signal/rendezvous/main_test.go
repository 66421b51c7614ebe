package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBadUsage(t *testing.T) {
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown flag":                  {[]string{"--nonsense"}, "--help"},
		"argument":                      {[]string{"serve"}, "--help"},
		"port taken":                    {[]string{"--listen", "127.0.0.1:" + port(taken)}, "taken"},
		"no address":                    {[]string{"--listen", "nowhere"}, "--listen"},
		"proxy":                         {[]string{"--trusted-proxy", "10.0.0.0/99"}, "10.0.0.0/8"},
		"two kinds of TURN":             {[]string{"--turn", "--turn-url", "turn:a.example", "--turn-secret", "x"}, "not both"},
		"TURN elsewhere without secret": {[]string{"--turn-url", "turn:a.example"}, "--turn-secret-file"},
		"TURN URL":                      {[]string{"--turn-url", "https://a.example"}, "turn:turn.example.org"},
		"TURN port":                     {[]string{"--turn", "--turn-port", "0"}, "--turn-port"},
		"TURN ports":                    {[]string{"--turn", "--turn-ports", "60000-50000"}, "49152-65535"},
		"TURN port taken":               {[]string{"--listen", "127.0.0.1:0", "--turn", "--turn-relay", "127.0.0.1", "--turn-port", port(taken)}, "--turn-port"},
		"relay address":                 {[]string{"--turn-relay", "a.example"}, "no IP address"},
		"two relay addresses":           {[]string{"--listen", "127.0.0.1:0", "--turn", "--turn-relay", "127.0.0.1,127.0.0.2"}, "--turn-relay"},
		"allowed networks":              {[]string{"--turn-allow", "10.0.0.0/99"}, "10.0.0.0/8"},
		"secret file":                   {[]string{"--turn-secret-file", "/nowhere"}, "--turn-secret-file"},
		"certificate":                   {[]string{"--listen", "127.0.0.1:0", "--tls-cert", "/nowhere", "--tls-key", "/nowhere"}, "--tls-cert"},
		"certificate without its key":   {[]string{"--tls-cert", "a"}, "belong together"},
		"two certificates":              {[]string{"--domain", "meet.example.org", "--tls-cert", "a"}, "not both"},
		"domain that is an address":     {[]string{"--domain", "192.0.2.1"}, "meet.example.org"},
		"domain without a dot":          {[]string{"--domain", "localhost"}, "meet.example.org"},
		"domain with a path":            {[]string{"--domain", "https://meet.example.org/x"}, "meet.example.org"},
		"redirect without domain":       {[]string{"--redirect", ":80"}, "--domain"},
		"public http":                   {[]string{"--listen", ":8443"}, "--insecure"},
		"public http by address":        {[]string{"--listen", "192.0.2.1:8443"}, "--trusted-proxy"},
		"public http by IPv6 address":   {[]string{"--listen", "[2001:db8::1]:8443"}, "--domain"},
		"downloads":                     {[]string{"--listen", "127.0.0.1:0", "--downloads", "/nowhere"}, "/nowhere"},
		"state folder that is read only": {
			[]string{"--domain", "meet.example.org", "--listen", "127.0.0.1:0", "--state", "/proc"}, "--state",
		},
		"redirect port taken": {
			[]string{"--domain", "meet.example.org", "--listen", "127.0.0.1:0", "--redirect", taken.Addr().String(), "--state", t.TempDir()}, "--redirect",
		},
		"state folder": {
			[]string{"--domain", "meet.example.org", "--listen", "127.0.0.1:0", "--state", "/dev/null/x"}, "--state",
		},
		"metrics port taken": {
			[]string{"--listen", "127.0.0.1:0", "--metrics", taken.Addr().String()}, "--metrics",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if got := run(t.Context(), c.args, &stdout, &stderr); got != exitUsage {
				t.Errorf("exit status %d, want %d", got, exitUsage)
			}
			text := stderr.String()
			if strings.Count(text, "\n") != 1 || !strings.Contains(text, c.want) || stdout.Len() > 0 {
				t.Errorf("said %q (and %q), want one line with %q", text, stdout.String(), c.want)
			}
		})
	}
}

func port(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }

func TestHelpAndVersion(t *testing.T) {
	for _, arg := range []string{"--help", "--version"} {
		var stdout, stderr bytes.Buffer
		if got := run(t.Context(), []string{arg}, &stdout, &stderr); got != exitOK || stdout.Len() == 0 || stderr.Len() > 0 {
			t.Errorf("%s: status %d, said %q and %q", arg, got, stdout.String(), stderr.String())
		}
	}
}

// NATS without a common secret, or without TLS over a network, is refused.
func TestNATSUnprotected(t *testing.T) {
	for name, c := range map[string]struct{ key, url, want string }{
		"no secret": {"", "nats://127.0.0.1:1", "--cluster-key-file"},
		"no TLS":    {"sixteen bytes or more", "nats://user:secret@192.0.2.1:4222", "--nats-plain"},
		"one of two without TLS": {
			"sixteen bytes or more", "nats://127.0.0.1:1,nats://192.0.2.1:4222", "--nats-plain",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PARLEY_CLUSTER_KEY", c.key)
			var stderr bytes.Buffer
			if got := run(t.Context(), []string{"--listen", "127.0.0.1:0", "--nats", c.url}, io.Discard, &stderr); got != exitFailed {
				t.Errorf("exit status %d, want %d", got, exitFailed)
			}
			if text := stderr.String(); !strings.Contains(text, c.want) || strings.Contains(text, "user:secret") {
				t.Errorf("said %q", text)
			}
		})
	}
}

func TestNATSUnreachable(t *testing.T) {
	t.Setenv("PARLEY_CLUSTER_KEY", "sixteen bytes or more")
	var stderr bytes.Buffer
	args := []string{"--listen", "127.0.0.1:0", "--nats", "nats://user:secret@127.0.0.1:1"}
	if got := run(t.Context(), args, io.Discard, &stderr); got != exitFailed {
		t.Errorf("exit status %d, want %d", got, exitFailed)
	}
	if text := stderr.String(); !strings.Contains(text, "127.0.0.1:1") || strings.Contains(text, "secret") {
		t.Errorf("said %q", text)
	}
}

// The binary as it is shipped: without cgo, healthy, with metrics on a listener of their own,
// logging JSON, and gone after SIGTERM with status 0.
func TestBinary(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	path := filepath.Join(t.TempDir(), "parley-rendezvous")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addrs := map[string]string{}
	lines := bufio.NewScanner(pipe)
	for ready := false; !ready && lines.Scan(); {
		var line struct{ Msg, Addr string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("a log line is not JSON: %q", lines.Text())
		}
		if line.Addr != "" {
			addrs[line.Msg] = line.Addr
		}
		ready = line.Msg == "rendezvous ready"
	}
	for _, c := range []struct {
		listener, path string
		status         int
		want           string
	}{
		{"listening", "/healthz", http.StatusOK, "ok"},
		{"listening", "/", http.StatusOK, "Parley"},
		{"listening", "/metrics", http.StatusNotFound, ""},
		{"metrics", "/metrics", http.StatusOK, "parley_connections 0"},
		{"metrics", "/ws", http.StatusNotFound, ""},
	} {
		resp, err := http.Get("http://" + addrs[c.listener] + c.path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.want) {
			t.Errorf("%s of %s: status %d, %.80q, want %d and %q", c.path, c.listener, resp.StatusCode, body, c.status, c.want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}
