//go:build wine

package windows

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// built is where make windows puts what it builds.
const built = "build/windows"

// wine is a Windows of a test's own.
type wine struct {
	t       *testing.T
	prefix  string
	display string // of X; empty for none
}

// startWine makes a new Windows, which takes about 10 s.
func startWine(t *testing.T) wine {
	t.Helper()
	harness.EndToEnd(t)
	prefix, err := os.MkdirTemp("", "wine") // the server's socket has a short path
	if err != nil {
		t.Fatal(err)
	}
	w := wine{t: t, prefix: prefix}
	t.Cleanup(func() {
		_ = w.command("wineserver", "--kill").Run() // of this prefix alone; it may have ended already
		os.RemoveAll(prefix)
	})
	w.must("wineboot", "--init")
	w.must("wineserver", "--wait")
	dll, source := filepath.Join(prefix, "drive_c/windows/system32/bcryptprimitives.dll"), "test/windows/testdata/bcryptprimitives.c"
	if _, err := os.Stat(dll); err != nil {
		w.must("x86_64-w64-mingw32-gcc-posix", "-O2", "-shared", "-static", "-o", dll, source, "-ladvapi32")
	}
	return w
}

func (w wine) env() []string {
	return []string{"WINEPREFIX=" + w.prefix, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml=", "DISPLAY=" + w.display}
}

func (w wine) command(name string, args ...string) *exec.Cmd {
	if name == "wineserver" {
		if _, err := exec.LookPath(name); err != nil {
			name = "/usr/lib/wine/wineserver" // Debian's place
		}
	}
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), w.env()...)
	return cmd
}

// must runs a command that must work within a while and returns what it prints.
func (w wine) must(name string, args ...string) string {
	w.t.Helper()
	cmd := w.command(name, args...)
	// A file, because what the command leaves running keeps a pipe open.
	file, err := os.CreateTemp(w.t.TempDir(), "said")
	if err != nil {
		w.t.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	if err := harness.StartChild(cmd); err != nil {
		w.t.Fatal(err)
	}
	limit := time.AfterFunc(harness.Patience, func() { _ = cmd.Process.Kill() })
	defer limit.Stop()
	err = cmd.Wait()
	said, _ := os.ReadFile(file.Name())
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, said)
	}
	return string(said)
}

// sioNetReset and sioConnReset are the instructions in which Go's package net loads SIO_UDP_NETRESET and
// SIO_UDP_CONNRESET (mstcpip.h).
var sioNetReset, sioConnReset = []byte{0xBB, 0x0F, 0, 0, 0x98}, []byte{0xBB, 0x0C, 0, 0, 0x98}

// adapted is a copy of a program that Go made, changed in one number so that it can open UDP sockets under Wine: Wine
// refuses SIO_UDP_NETRESET, and Go takes that for an error. The copy sets the option before it once more instead.
var adapted = sync.OnceValues(func() (string, error) {
	program, err := os.ReadFile(filepath.Join(built, "parley.exe"))
	if err != nil {
		return "", fmt.Errorf("%w: run make windows", err)
	}
	if n := bytes.Count(program, sioNetReset); n != 1 {
		return "", fmt.Errorf("SIO_UDP_NETRESET is in parley.exe %d times, want once", n)
	}
	path := filepath.Join(built, "parley-wine.exe")
	return path, os.WriteFile(path, bytes.Replace(program, sioNetReset, sioConnReset, 1), 0o755)
})

// parley is the program under Wine.
func (w wine) parley() []string {
	w.t.Helper()
	path, err := adapted()
	if err != nil {
		w.t.Fatal(err)
	}
	return []string{"wine", path}
}

// path is what Windows calls a file of ours.
func (w wine) path(file string) string { return `Z:` + strings.ReplaceAll(file, "/", `\`) }
