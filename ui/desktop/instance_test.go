package desktop

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
)

// place is a socket of a profile of its own.
func place(t *testing.T) string {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("LocalAppData", t.TempDir())
	socket, err := Socket()
	if err != nil {
		t.Fatal(err)
	}
	return socket
}

// first starts the one app and returns the links that it gets.
func first(t *testing.T, socket string) <-chan string {
	t.Helper()
	in, err := Start(t.Context(), socket, "")
	if err != nil || in == nil {
		t.Fatalf("the first start got %v, %v", in, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	got := make(chan string, 64)
	done := make(chan error, 1)
	go func() { done <- in.Receive(ctx, func(link string) { got <- link }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return got
}

// handsOver fails the test unless a start hands its link over.
func handsOver(t *testing.T, socket, link string) {
	t.Helper()
	if in, err := Start(t.Context(), socket, link); in != nil || err != nil {
		t.Errorf("a start with %q got %v, %v; want nothing: the app takes it", link, in, err)
	}
}

func TestLinksReachTheRunningApp(t *testing.T) {
	socket := place(t)
	got := first(t, socket)
	for _, link := range []string{"a link", ""} { // without a link, the window comes to the front
		handsOver(t, socket, link)
		if l := <-got; l != link {
			t.Errorf("the app got %q, want %q", l, link)
		}
	}

	// Rubbish on the socket neither ends nor blocks it.
	c, err := connect(socket)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte(strings.Repeat("x", 2*maxLink))); err != nil {
		t.Log(err) // the app hung up in the middle of it
	}
	c.Close()
	handsOver(t, socket, "after rubbish")

	// Whoever connects and says nothing holds up nobody.
	for range maxStarts - 1 {
		c, err := connect(socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	handsOver(t, socket, "beside the silent")
	<-got
	if l := <-got; l != "beside the silent" {
		t.Errorf("the app got %q", l)
	}
	if in, err := Start(t.Context(), socket, strings.Repeat("x", maxLink)); in != nil || err == nil {
		t.Error("a link that does not fit was passed on")
	}
}

// TestStartsAtOnce: however many starts there are at a time, one is the app, and it gets the links
// of all others.
func TestStartsAtOnce(t *testing.T) {
	socket := place(t)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		apps []*Instance
		got  = make(chan string, 64)
		ctx  = t.Context()
	)
	const starts = 12
	for range starts {
		wg.Go(func() {
			in, err := Start(ctx, socket, "a link")
			if err != nil {
				t.Error(err)
			}
			if in == nil {
				return
			}
			mu.Lock()
			apps = append(apps, in)
			mu.Unlock()
			go func() {
				if err := in.Receive(ctx, func(link string) { got <- link }); err != nil {
					t.Error(err)
				}
			}()
		})
	}
	wg.Wait()
	if len(apps) != 1 {
		t.Errorf("%d of %d starts are an app of their own, want 1", len(apps), starts)
	}
	for range starts - 1 {
		<-got
	}
}

// TestHungApp: an app that has the lock and does not answer does not keep others from starting.
func TestHungApp(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for two timeouts")
	}
	socket := place(t)
	in, err := Start(t.Context(), socket, "")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	other, err := Start(t.Context(), socket, "a link") // nobody accepts
	if other != nil || err == nil {
		t.Errorf("a hung app took the link: %v, %v", other, err)
	}
	if err := os.Remove(socket); err != nil { // or it does not even listen
		t.Fatal(err)
	}
	if other, err = Start(t.Context(), socket, "a link"); other != nil || err == nil {
		t.Errorf("an app without a socket took the link: %v, %v", other, err)
	}
}
