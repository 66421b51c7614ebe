package desktop

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// loopbackApp listens as an app without Unix sockets does and returns the lines of those whom it admits.
func loopbackApp(t *testing.T, file string) (lines <-chan string, refused <-chan struct{}) {
	t.Helper()
	l, admits, err := listenLoopback(file)
	if err != nil {
		t.Fatal(err)
	}
	got, no, done := make(chan string, 8), make(chan struct{}, 8), make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(time.Minute))
			if !admits(c) {
				no <- struct{}{}
			} else if line, err := bufio.NewReader(c).ReadString('\n'); err == nil {
				got <- line
			}
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return got, no
}

func TestLoopback(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app")
	lines, _ := loopbackApp(t, file)
	c, err := dialLoopback(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "a link\n"); err != nil {
		t.Fatal(err)
	}
	if line := <-lines; line != "a link\n" {
		t.Errorf("the app got %q", line)
	}
}

// TestLoopbackOfAnotherUser: every user of the machine reaches the port. Without the secret none of them is listened to,
// also not one who sends the app's own proof back; and a program that has taken the port over gets no link.
func TestLoopbackOfAnotherUser(t *testing.T) {
	file := filepath.Join(t.TempDir(), "app")
	lines, refused := loopbackApp(t, file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ := strings.Cut(string(text), " ")

	first, err := net.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	answer := make([]byte, 2*proofSize)
	if _, err := first.Write(make([]byte, proofSize)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(first, answer); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Write(append(answer[:proofSize:proofSize], "a link of another user\n"...)); err != nil {
		t.Fatal(err)
	}
	<-refused
	select {
	case line := <-lines:
		t.Errorf("the app took %q", line)
	default:
	}

	stranger := filepath.Join(t.TempDir(), "stranger")
	if _, refused = loopbackApp(t, stranger); t.Failed() {
		return
	}
	its, err := os.ReadFile(stranger)
	if err != nil {
		t.Fatal(err)
	}
	address, _, _ = strings.Cut(string(its), " ")
	_, secret, _ := strings.Cut(string(text), " ")
	if err := os.WriteFile(file, []byte(address+" "+secret), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dialLoopback(t.Context(), file); !errors.Is(err, errStranger) {
		t.Errorf("dialling a port that another program has taken over: %v, want errStranger", err)
	}
	<-refused

	for _, bad := range []string{"", "127.0.0.1:1", "127.0.0.1:1 zz", "127.0.0.1:1 00"} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := dialLoopback(t.Context(), file); err == nil || strings.Contains(err.Error(), "refused") {
			t.Errorf("a file with %q: %v, want damaged", bad, err)
		}
	}
}
