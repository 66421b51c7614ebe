// Package client keeps one membership of one meeting alive over a WebSocket that reconnects.
package client

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"parley/signal"
	"parley/signal/identity"
)

// Times of the client; those that both sides share are in package signal.
const (
	backoffBase  = 200 * time.Millisecond
	backoffCap   = 5 * time.Second
	dialTimeout  = 5 * time.Second        // for the connection, and again for the service's welcome
	writeTimeout = 10 * time.Second       // for one frame
	leaveTimeout = 200 * time.Millisecond // for the last frame when we have to go at once
	ackDelay     = time.Second            // how long an acknowledgement waits for others
	closeTimeout = time.Second            // for everything that Close has to flush
)

// Config is what a client needs. All of it stays as it is while Run runs.
type Config struct {
	// URLs say where the rendezvous can be reached, ws:// or wss://, best first, as
	// signal.Link.WebSocketURLs gives them. All of them are tried.
	URLs []string
	// Keys name the room and prove that we know its code; Identity names us and proves that the name is ours.
	Keys     signal.Keys
	Identity *identity.Identity
	Log      *slog.Logger // nil: no log
	Events   func(Event)  // called from the goroutine of Run, in order; must not block
	// Dial makes network connections; nil: net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client is one member's line to the rendezvous. Make it with New, start it with Run.
//
// What Send accepts is delivered to the service once, in order, as long as it comes back within
// signal.ResumeWindow. After a longer loss, or when the service has restarted, the client joins anew
// under its ID and sends again whatever was not acknowledged; the service may have relayed some of
// that before, so a receiver may see a sequence twice, which seal.Keyring refuses.
type Client struct {
	cfg    Config
	log    *slog.Logger
	wake   chan struct{}  // holds 1: there is something to write
	good   string         // the address that worked last; Run's own
	served bool           // the service named STUN or TURN servers; Run's own
	roots  *x509.CertPool // whom certificates are checked against; nil: the system's

	mu      sync.Mutex
	out     outbox
	try     uint64    // the connections made so far
	session string    // of the last welcome
	last    uint64    // the last number received in it
	acked   uint64    // the last number acknowledged over the current socket
	ackAt   time.Time // when what came after it is acknowledged at the latest
	pong    bool      // the service waits for one
	hurried bool      // the service was asked to acknowledge now
	state   state
	kicked  bool
	waiting bool               // for the next attempt
	abort   context.CancelFunc // ends the attempt or the wait that is under way
	cancel  context.CancelFunc // ends Run
}

// state is how far a client's life has come.
type state uint8

const (
	idle    state = iota // Run was not called
	running              // Run runs
	closing              // Close was called; the rest is flushed
	leaving              // the last frame was written
	ended                // Run has returned or is about to
)

// New makes a client. It starts nothing.
func New(cfg Config) *Client {
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if cfg.Events == nil {
		cfg.Events = func(Event) {}
	}
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return &Client{cfg: cfg, log: log, wake: make(chan struct{}, 1)}
}

// Run keeps the membership until ctx ends or Close is called, and then returns nil. A refusal
// that would come again is an error that wraps ErrFull, ErrReplaced, ErrVersion, ErrOldServer,
// ErrNotRendezvous or ErrRefused. A server that cannot be reached is none: Run tries again, after up to
// 5 s, and says so in Disconnected. A client runs once.
func (c *Client) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.mu.Lock()
	if c.cancel != nil {
		c.mu.Unlock()
		return fmt.Errorf("run the signalling client: %w", ErrClosed)
	}
	c.cancel = cancel
	closed := c.state != idle // before it began
	if !closed {
		c.state = running
	}
	c.mu.Unlock()

	var err error
	if !closed {
		err = c.loop(ctx)
	}

	c.mu.Lock()
	c.state = ended
	rest := c.out.drain()
	c.mu.Unlock()
	why := err
	if why == nil {
		why = ErrClosed
	}
	finish(rest, why)
	return err
}

func (c *Client) loop(ctx context.Context) error {
	for attempt := 0; ; {
		welcomed, err := c.attempt(ctx)
		if ctx.Err() != nil || c.is(leaving) {
			return nil
		}
		if permanent := c.permanent(err, welcomed); permanent != nil {
			return fmt.Errorf("join the meeting: %w", permanent)
		}
		if welcomed {
			attempt = 0
		}
		retry := rand.N(min(backoffCap, backoffBase<<min(attempt, 10))) // full jitter
		attempt++
		var failure *Failure
		if errors.As(err, &failure) && failure.wait > 0 {
			// Many clients may have been refused at the same moment: they come back apart.
			retry = failure.wait + rand.N(max(failure.wait/2, backoffBase))
		}
		if c.takeKick() {
			retry, attempt = 0, 0
		}
		c.log.Info("signalling lost", "cause", err, "retry", retry)
		c.cfg.Events(Disconnected{Err: err, Retry: retry})
		if c.wait(ctx, retry) {
			attempt = 0
		}
	}
}

// wait waits until it is time to try again, and tells whether Kick or Close cut it short.
func (c *Client) wait(ctx context.Context, d time.Duration) bool {
	ctx, stop := c.abortable(ctx)
	defer stop()
	kicked, hurried := c.startWait()
	if kicked {
		return c.takeKick()
	}
	if hurried {
		d = min(d, closeTimeout/10)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return c.takeKick()
}

// startWait opens the time in which Close may cut the wait short, and tells whether Kick or
// Close came before.
func (c *Client) startWait() (kicked, hurried bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hurried = c.state == closing
	c.waiting = !hurried
	return c.kicked, hurried
}

// abortable is a context that Kick ends.
func (c *Client) abortable(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abort = cancel
	return ctx, cancel
}

func (c *Client) takeKick() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.kicked
	c.kicked, c.waiting = false, false
	return was
}

// Send hands a sealed body to the service. When the service has it, done is called with nil; when
// Run ends first, with the reason; either way once, from the goroutine of Run. The client keeps
// the body until then. Send itself never waits: it returns ErrQueueFull when more than MaxQueue sends or
// MaxQueueBytes wait, ErrClosed after the end, and signal.ErrTooLarge or signal.ErrInvalid for what the
// protocol does not allow; then done is not called.
func (c *Client) Send(to signal.ID, seq uint64, body []byte, done func(error)) error {
	switch {
	case len(body) > signal.MaxBody:
		return fmt.Errorf("send to the meeting: %w: %d bytes", signal.ErrTooLarge, len(body))
	case len(body) == 0, to != "" && !to.Valid(), seq < 1, seq > signal.MaxNumber:
		return fmt.Errorf("send to the meeting: %w", signal.ErrInvalid)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= closing {
		return fmt.Errorf("send to the meeting: %w", ErrClosed)
	}
	if !c.out.push(item{to: to, seq: seq, body: body, done: done}) {
		return fmt.Errorf("send to the meeting: %w", ErrQueueFull)
	}
	c.nudge()
	return nil
}

// Kick says that the network has changed: the connection, the attempt or the wait under way is
// given up and a new connection is made at once.
func (c *Client) Kick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kicked = true
	if c.abort != nil {
		c.abort()
	}
}

// Close leaves the meeting: what was sent is flushed, the service is told, and Run returns, all
// within about a second. Close does not wait for it, so that it may be called from Events.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case idle:
		c.state = leaving
	case running:
		c.state = closing
		if c.session == "" { // nobody knows us yet
			c.cancel()
			return
		}
		time.AfterFunc(closeTimeout, c.cancel)
		if c.waiting {
			c.abort()
		}
		c.nudge()
	}
}

func (c *Client) is(s state) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == s
}

// nudge wakes the writer; c.mu may be held.
func (c *Client) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// permanent returns the sentinel for an error that would come again, or nil.
func (c *Client) permanent(err error, welcomed bool) error {
	var refusal signal.Error
	if errors.As(err, &refusal) {
		switch refusal.Code {
		case signal.CodeVersion:
			return ErrVersion
		case signal.CodeFull:
			return ErrFull
		case signal.CodeReplaced:
			return ErrReplaced
		case signal.CodeBadMessage, signal.CodeRefused:
			return fmt.Errorf("%w: %s", ErrRefused, refusal.Text)
		}
		return nil
	}
	if errors.Is(err, ErrVersion) {
		return ErrVersion
	}
	c.mu.Lock()
	known := c.session != ""
	c.mu.Unlock()
	if (errors.Is(err, ErrNotRendezvous) || errors.Is(err, ErrOldServer)) && !known && !welcomed {
		return err // later on it is a server that is being replaced
	}
	return nil
}

func finish(items []item, err error) {
	for _, it := range items {
		if it.done != nil {
			it.done(err)
		}
	}
}
