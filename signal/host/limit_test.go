package host

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestConnectionsAreBounded fills the app's rendezvous with connections that say nothing. One more is closed
// without an answer. When they have gone, the next one is served.
func TestConnectionsAreBounded(t *testing.T) {
	own := startApp(t, "").open(newLink(), roomA).Own
	dial := func() net.Conn {
		c, err := net.Dial("tcp", own.Host)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	answers := func() bool {
		c := dial()
		defer c.Close()
		_, _ = io.WriteString(c, "GET /healthz HTTP/1.0\r\n\r\n")
		n, _ := c.Read(make([]byte, 1))
		return n > 0
	}
	refused := func() bool {
		for range maxConnections {
			defer dial().Close()
		}
		return !answers()
	}
	for try := 1; !refused(); try++ { // silent connections are closed after 5 s: a slow machine needs another try
		if try == 5 {
			t.Fatalf("connection %d is served", maxConnections+1)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); !answers(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody is served after the others have gone")
		}
	}
}
