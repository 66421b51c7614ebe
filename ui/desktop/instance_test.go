package desktop

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLinksReachTheRunningApp(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	socket, err := Socket()
	if err != nil {
		t.Fatal(err)
	}
	if PassOn(socket, "a link") {
		t.Fatal("a link was taken, but no app runs")
	}
	if err := os.WriteFile(socket, nil, 0o600); err != nil { // left by an app that crashed
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan string, 8)
	busy := make(chan bool, 1)
	done := make(chan error, 1)
	go func() {
		done <- ReceiveLinks(ctx, socket, func(link string) bool {
			got <- link
			select {
			case <-busy:
				return false
			default:
				return true
			}
		})
	}()
	for i := 0; !PassOn(socket, "first"); i++ { // until it listens
		if i == 1000 {
			t.Fatal("the app never listened")
		}
	}
	if link := <-got; link != "first" {
		t.Errorf("the app got %q", link)
	}
	busy <- true
	if PassOn(socket, "second") {
		t.Error("a busy app took a link")
	}
	<-got

	// Rubbish on the socket neither ends nor blocks it.
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte(strings.Repeat("x", 2*maxLink))); err != nil {
		t.Log(err) // the app hung up in the middle of it
	}
	c.Close()
	if !PassOn(socket, "third") {
		t.Error("the app does not take links any more")
	}

	// A second app leaves the first its socket.
	if err := ReceiveLinks(ctx, socket, nil); err != nil {
		t.Error("second app:", err)
	}
	if !PassOn(socket, "fourth") {
		t.Error("the second app took the socket from the first")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSocketIsPrivate(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", dir)
	socket, err := Socket()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Socket(); err == nil {
		t.Error("a folder that others can read was accepted")
	}
}
