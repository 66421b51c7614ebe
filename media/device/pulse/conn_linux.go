package pulse

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"

	"parley/media"
)

// pulseTimeout is how long the sound server may take to answer.
const pulseTimeout = 3 * time.Second

// pulseConn speaks the native protocol to a PulseAudio server, or to PipeWire's replacement for one. miniaudio, which
// does the other playing and recording, cannot record single programs.
type pulseConn struct {
	*proto.Client
	conn  net.Conn
	ended chan struct{} // closed when reading has ended
}

// dialPulse connects to the user's server. callback gets the server's events on one goroutine, and must not send
// requests. Without a server the error is ErrNoDevice.
func dialPulse(callback func(message any)) (*pulseConn, error) {
	path, err := pulseSocket()
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		return nil, fmt.Errorf("no sound server: %w: %w", media.ErrNoDevice, err)
	}
	p := &pulseConn{Client: &proto.Client{Callback: callback}, conn: conn, ended: make(chan struct{})}
	p.SetTimeout(pulseTimeout)
	p.Open(&endingConn{Conn: conn, ended: p.ended})
	if err := p.greet(); err != nil {
		p.close()
		return nil, fmt.Errorf("talk to the sound server: %w", err)
	}
	return p, nil
}

func (p *pulseConn) greet() error {
	cookie, err := os.ReadFile(pulseCookie())
	if errors.Is(err, fs.ErrNotExist) {
		cookie, err = make([]byte, 256), nil // servers without authentication take any
	}
	if err != nil {
		return err
	}
	var hello proto.AuthReply
	if err := p.Request(&proto.Auth{Version: p.Version(), Cookie: cookie}, &hello); err != nil {
		return err
	}
	p.SetVersion(hello.Version)
	return p.Request(&proto.SetClientName{Props: proto.PropList{
		"application.name":       proto.PropListString("Parley"),
		"application.process.id": proto.PropListString(strconv.Itoa(os.Getpid())),
	}}, &proto.SetClientNameReply{})
}

// close closes the connection and waits until reading has ended.
func (p *pulseConn) close() {
	p.conn.Close()
	<-p.ended
}

// hasEnded reports whether the server has gone.
func (p *pulseConn) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// endingConn closes a channel when reading has ended, which the library does not report.
type endingConn struct {
	net.Conn
	ended chan struct{}
	once  sync.Once
}

func (c *endingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.once.Do(func() { close(c.ended) })
	}
	return n, err
}

// pulseSocket is the server's socket. For a server on another machine the error is ErrUnsupported.
func pulseSocket() (string, error) {
	server := os.Getenv("PULSE_SERVER")
	if server == "" {
		return filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "pulse", "native"), nil
	}
	for _, s := range strings.Fields(server) {
		if _, rest, ok := strings.Cut(s, "}"); ok && s[0] == '{' {
			s = rest
		}
		if s = strings.TrimPrefix(s, "unix:"); strings.HasPrefix(s, "/") {
			return s, nil
		}
	}
	return "", fmt.Errorf("sound server on another machine: %w", media.ErrUnsupported)
}

func pulseCookie() string {
	if path := os.Getenv("PULSE_COOKIE"); path != "" {
		return path
	}
	return filepath.Join(os.Getenv("HOME"), ".config", "pulse", "cookie")
}
