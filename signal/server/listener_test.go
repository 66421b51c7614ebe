package server_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"parley/signal/server"
)

// tcpPair is a connection as the service accepts it, and its other end.
func tcpPair(t *testing.T) (served net.Conn, client *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	served, err = server.Listener(l).Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = served.Close()
		_ = c.Close()
	})
	return served, c.(*net.TCPConn)
}

// TestListenerReads has a served connection read as any other does: all bytes, deadlines, the end, resets and its own
// closing.
func TestListenerReads(t *testing.T) {
	t.Run("bytes and the end", func(t *testing.T) {
		served, c := tcpPair(t)
		want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // more than the socket's buffers
		go func() {
			_, _ = c.Write(want)
			_ = c.CloseWrite()
		}()
		if n, err := served.Read(nil); n != 0 || err != nil {
			t.Errorf("a read of nothing: %d, %v", n, err)
		}
		got, err := io.ReadAll(served)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d of %d bytes, %v", len(got), len(want), err)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		served, c := tcpPair(t)
		if err := served.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		_, err := served.Read(make([]byte, 1))
		var network net.Error
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &network) || !network.Timeout() {
			t.Fatalf("after the deadline: %v", err)
		}
		_ = served.SetReadDeadline(time.Time{})
		_, _ = c.Write([]byte("x"))
		b := make([]byte, 8)
		if n, err := served.Read(b); n != 1 || err != nil {
			t.Fatalf("then: %d, %v", n, err)
		}
	})
	t.Run("reset", func(t *testing.T) {
		served, c := tcpPair(t)
		_ = c.SetLinger(0)
		_ = c.Close()
		if _, err := served.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) {
			t.Fatalf("after a reset: %v", err)
		}
	})
	t.Run("closed while it waits", func(t *testing.T) {
		served, _ := tcpPair(t)
		ended := make(chan error, 1)
		go func() {
			_, err := served.Read(make([]byte, 1))
			ended <- err
		}()
		time.Sleep(10 * time.Millisecond) // either order has to end
		_ = served.Close()
		select {
		case err := <-ended:
			if !errors.Is(err, net.ErrClosed) {
				t.Fatalf("ended with %v", err)
			}
		case <-time.After(patience):
			t.Fatal("it still waits")
		}
	})
}
