package main

import (
	"bytes"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/signal/cert/acmetest"
)

func portOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestDoctor looks at services of several kinds.
func TestDoctor(t *testing.T) {
	turnPort := portOf(t, acmetest.FreeAddr(t))
	relaying := []string{
		"--turn", "--turn-port", turnPort, "--turn-relay", "127.0.0.1", "--turn-allow", "127.0.0.0/8", "--turn-secret", "north wind",
	}
	whole, _ := startService(t, relaying...)
	for name, c := range map[string]struct {
		args []string // of another service
		at   string   // or the address of one
		ok   bool
		want []string
	}{
		"whole":        {nil, whole, true, []string{"All is well", "TURN over UDP", "a packet came through", "TURN over TCP", "joined a meeting"}},
		"without TURN": {[]string{}, "", true, []string{"in one network only"}},
		"wrong secret": {
			[]string{"--turn-url", "turn:127.0.0.1:" + turnPort, "--turn-secret", "south wind"},
			"", true,
			[]string{"relays nothing", "secret the same", "STUN works, the relay does not"},
		},
		"TURN is down": {
			[]string{"--turn-url", "turn:" + acmetest.FreeAddr(t) + "?transport=tcp", "--turn-secret", "north wind"},
			"", false,
			[]string{"connection refused", "port open", "neither STUN nor TURN"},
		},
		"nobody there": {nil, acmetest.FreeAddr(t), false, []string{"cannot be reached", "cannot be used from here"}},
	} {
		t.Run(name, func(t *testing.T) {
			addr := c.at
			if addr == "" {
				addr, _ = startService(t, c.args...)
			}
			var out, errs bytes.Buffer
			if got := run(t.Context(), []string{"doctor", "http://" + addr}, &out, &errs) == exitOK; got != c.ok || errs.Len() > 0 {
				t.Errorf("ok is %v; said %s", got, errs.String())
			}
			for _, want := range c.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, out.String())
				}
			}
			if strings.Contains(out.String(), "wind") {
				t.Error("the report has a secret")
			}
		})
	}
}

// TestDoctorOverTLS has the program look at itself over HTTPS, TURN over TLS on the same port included.
func TestDoctorOverTLS(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	acmetest.WritePair(t, certFile, keyFile, "localhost", time.Now().Add(20*24*time.Hour))
	addr, _ := startService(t, "--tls-cert", certFile, "--tls-key", keyFile, "--turn", "--turn-port", portOf(t, acmetest.FreeAddr(t)),
		"--turn-relay", "127.0.0.1", "--turn-allow", "127.0.0.0/8")
	binary := filepath.Join(dir, "parley-rendezvous")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	look := func(env string) string {
		cmd := exec.Command(binary, "doctor", "localhost:"+portOf(t, addr))
		cmd.Env = append(cmd.Environ(), env)
		text, _ := cmd.Output()
		return string(text)
	}
	got := look("SSL_CERT_FILE=" + certFile)
	for _, want := range []string{"ok  web", "certificate for another 19 days", "--  port 80", "ok  TURN over TLS", "One thing should be mended: port 80"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := look("SSL_CERT_FILE=/dev/null"); !strings.Contains(got, "cannot be used from here") || !strings.Contains(got, "unknown authority") {
		t.Errorf("with an issuer that nobody knows:\n%s", got)
	}
}

func TestDoctorUsage(t *testing.T) {
	for _, args := range [][]string{{"doctor"}, {"doctor", "a", "b"}, {"doctor", "--nonsense", "a"}, {"doctor", "http://"}} {
		var out, errs bytes.Buffer
		if got := run(t.Context(), args, &out, &errs); got != exitUsage || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%v: status %d, said %q", args, got, errs.String())
		}
	}
}
