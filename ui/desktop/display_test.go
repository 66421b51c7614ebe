package desktop

import (
	"log"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

func TestOwnAddress(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true,
		"": false, "0.0.0.0": false, "192.0.2.1": false, "meet.example.org": false, "localhost.example.org": false,
	} {
		if got := OwnAddress(host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !OwnAddress(n.IP.String()) {
			t.Errorf("%v is an address of this machine", n.IP)
		}
	}
}

// TestOpenSaysOneLine: what the toolkit logs before it panics is the reason.
func TestOpenSaysOneLine(t *testing.T) {
	t.Setenv("DISPLAY", ":9")
	var stderr strings.Builder
	was := log.Writer()
	log.SetOutput(&stderr)
	defer log.SetOutput(was)
	err := Open(func() {
		log.Println("PlatformError: failed to open display")
		panic("not initialised")
	})
	if err == nil || err.Error() != `no window can be opened on display ":9": PlatformError: failed to open display` || stderr.Len() > 0 {
		t.Errorf("%v, and on standard error %q", err, stderr.String())
	}
	if err := Open(func() { panic("not initialised") }); err == nil || !strings.HasSuffix(err.Error(), ": not initialised") {
		t.Errorf("%v", err)
	}
	if err := Open(func() { log.Println("a remark") }); err != nil || !strings.HasSuffix(stderr.String(), "a remark\n") {
		t.Errorf("%v, and on standard error %q", err, stderr.String())
	}
}

// TestSocketWithoutAHome: links are handed over also where there is no home, or the runtime folder is not there.
func TestSocketWithoutAHome(t *testing.T) {
	tmp := t.TempDir()
	for name, value := range map[string]string{"HOME": "", "XDG_CONFIG_HOME": "", "TMPDIR": tmp} {
		t.Setenv(name, value)
	}
	for _, runtimeDir := range []string{"", filepath.Join(tmp, "missing")} {
		t.Setenv("XDG_RUNTIME_DIR", runtimeDir)
		socket, err := Socket()
		if err != nil || !strings.HasPrefix(socket, tmp) || strings.HasPrefix(socket, filepath.Join(tmp, "missing")) {
			t.Errorf("%q: %q, %v", runtimeDir, socket, err)
		}
	}
}
