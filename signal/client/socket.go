package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gorilla/websocket"

	"parley/signal"
)

// attempt makes one connection and serves it until it is over. It tells whether the service
// took us in, and why it is over.
func (c *Client) attempt(ctx context.Context) (welcomed bool, err error) {
	actx, stop := c.abortable(ctx)
	defer stop()
	c.takeKick() // this attempt is what an earlier one asked for
	line, err := c.connect(actx)
	if err != nil {
		return false, c.orKicked(err)
	}
	conn, welcome := line.conn, line.welcome
	defer conn.Close()
	resumed, err := c.adopt(welcome)
	if err != nil {
		return false, err
	}
	c.log.Info("signalling connected", "resumed", resumed, "members", len(welcome.Members))
	c.serve(welcome.ICE)
	c.cfg.Events(Connected{Members: welcome.Members, Resumed: resumed})

	done, readerDone := make(chan struct{}), make(chan struct{})
	wctx, gone := context.WithCancel(actx)
	go func() { // the second goroutine of a WebSocket; this one reads
		defer close(done)
		c.write(ctx, wctx, conn, readerDone)
	}()
	err = c.read(conn)
	close(readerDone)
	gone()
	<-done
	return true, c.orKicked(err)
}

// orKicked replaces the error that Kick caused by its reason.
func (c *Client) orKicked(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kicked {
		return errKicked
	}
	return err
}

// join proves to the service who we are and that we know the code, and waits for the answer.
func (c *Client) join(conn *websocket.Conn) (signal.Welcome, error) {
	challenge, err := answer[signal.Challenge](conn)
	if err != nil {
		return signal.Welcome{}, err
	}
	if challenge.Version != signal.Version {
		return signal.Welcome{}, ErrVersion
	}
	c.mu.Lock()
	c.try++
	join := signal.Join{Try: c.try, Version: signal.Version, Session: c.session, Last: c.last}
	c.mu.Unlock()
	if err := writeFrame(conn, c.cfg.Identity.Join(c.cfg.Keys, challenge.Nonce, join), dialTimeout); err != nil {
		return signal.Welcome{}, err
	}
	welcome, err := answer[signal.Welcome](conn)
	if err == nil && welcome.Version != signal.Version {
		err = ErrVersion
	}
	return welcome, err
}

// answer reads the one frame that may come next, or the refusal in its place.
func answer[F signal.Frame](conn *websocket.Conn) (F, error) {
	var none F
	f, err := readFrame(conn, dialTimeout)
	switch f := f.(type) {
	case F:
		return f, nil
	case signal.Error:
		return none, f
	}
	if err != nil && !errors.Is(err, errRubbish) {
		if isTimeout(err) {
			err = errNoAnswer
		}
		return none, fmt.Errorf("join the meeting: %w", err)
	}
	return none, ErrNotRendezvous
}

// adopt takes over what the welcome says about the session.
func (c *Client) adopt(w signal.Welcome) (resumed bool, err error) {
	c.mu.Lock()
	resumed = w.Resumed && w.Session == c.session
	if !resumed {
		c.last = 0
	}
	c.session, c.acked, c.pong, c.hurried = w.Session, c.last, false, false
	acked, ok := c.out.restart(!resumed, w.Last)
	c.mu.Unlock()
	c.nudge()
	finish(acked, nil)
	if !ok {
		return false, errRubbish
	}
	return resumed, nil
}

// serve passes on which STUN and TURN servers there are.
func (c *Client) serve(ice []signal.ICEServer) {
	if len(ice) > 0 || c.served {
		c.cfg.Events(Servers{ice})
	}
	c.served = len(ice) > 0
}

// read serves what the service says until the connection is over.
func (c *Client) read(conn *websocket.Conn) error {
	for {
		f, err := readFrame(conn, signal.Silence)
		if err != nil {
			if isTimeout(err) {
				return errSilent
			}
			return err
		}
		if err := c.take(f); err != nil {
			return err
		}
	}
}

func (c *Client) take(f signal.Frame) error {
	switch f := f.(type) {
	case signal.Joined:
		return c.deliver(f.N, Joined{ID: f.ID})
	case signal.Left:
		return c.deliver(f.N, Left{ID: f.ID, Back: f.Back})
	case signal.Message:
		return c.deliver(f.N, Message{From: f.From, To: f.To, Seq: f.Seq, Body: f.Body})
	case signal.Ack:
		c.mu.Lock()
		acked, ok := c.out.ack(f.N)
		empty := c.state == closing && len(c.out.items) == 0
		c.mu.Unlock()
		finish(acked, nil)
		if empty {
			c.nudge()
		}
		if !ok {
			return errRubbish
		}
	case signal.Ping:
		if f.ICE != nil {
			c.serve(f.ICE)
		}
		c.mu.Lock()
		c.pong = true
		c.mu.Unlock()
		c.nudge()
	case signal.Pong:
	case signal.Error:
		return f
	default:
		return errRubbish
	}
	return nil
}

// deliver hands on what carries number n. What came before is dropped; a gap ends the
// connection, and resuming fills it.
func (c *Client) deliver(n uint64, ev Event) error {
	c.mu.Lock()
	last := c.last
	c.mu.Unlock()
	if n <= last {
		return nil
	}
	if n != last+1 {
		return errGap
	}
	c.cfg.Events(ev)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last = n; n-c.acked == 1 {
		c.ackAt = time.Now().Add(ackDelay)
		c.nudge() // the writer sets its timer
	} else if n-c.acked == ackEvery {
		c.nudge()
	}
	return nil
}

// write sends whatever is due until the connection is over. It closes the connection when it
// ends: when the reader has ended or Kick was called (wctx), after leaving when Run ends (ctx).
func (c *Client) write(ctx, wctx context.Context, conn *websocket.Conn, readerDone <-chan struct{}) {
	defer conn.Close()
	pingAt := time.Now().Add(signal.Heartbeat)
	timer := time.NewTimer(signal.Heartbeat)
	defer timer.Stop()
	for {
		wrote, err := c.flush(wctx, conn)
		if err != nil {
			return
		}
		now := time.Now()
		if wrote {
			pingAt = now.Add(signal.Heartbeat)
		}
		timer.Reset(c.nextAt(pingAt).Sub(now))
		select {
		case <-wctx.Done():
			if ctx.Err() != nil { // the others should not have to wait for us
				leave(conn, readerDone)
			}
			return
		case <-c.wake:
		case now := <-timer.C:
			if now.Before(pingAt) {
				continue // an acknowledgement is due
			}
			pingAt = now.Add(signal.Heartbeat)
			if err := writeFrame(conn, signal.Ping{}, writeTimeout); err != nil {
				return
			}
		}
	}
}

// leave says goodbye. The service closes the connection once it has told the others; a program that
// hosts the meeting itself ends the service after that.
func leave(conn *websocket.Conn, readerDone <-chan struct{}) {
	if writeFrame(conn, signal.Leave{}, leaveTimeout) != nil {
		return
	}
	limit := time.NewTimer(leaveTimeout)
	defer limit.Stop()
	select {
	case <-readerDone:
	case <-limit.C:
	}
}

// nextAt is when something is due although nothing happens: an acknowledgement, or the ping.
func (c *Client) nextAt(ping time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last > c.acked && c.ackAt.Before(ping) {
		return c.ackAt
	}
	return ping
}

// flush writes what is due: a pong, an acknowledgement, sends, and at the very end a leave.
func (c *Client) flush(ctx context.Context, conn *websocket.Conn) (wrote bool, err error) {
	for ctx.Err() == nil {
		f := c.due()
		if f == nil {
			break
		}
		if err := writeFrame(conn, f, writeTimeout); err != nil {
			return wrote, err
		}
		wrote = true
	}
	return wrote, nil
}

// ackEvery is after how many frames an acknowledgement is written at once, however little time has
// passed. The service keeps every frame until then.
const ackEvery = 32

// due is the next frame to write, nil when there is none yet. An acknowledgement waits for up to
// ackDelay, so that one serves for many frames; it goes along when something else is written.
func (c *Client) due() signal.Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pong {
		c.pong = false
		return signal.Pong{}
	}
	owed := c.last - c.acked
	switch {
	case owed == 0:
	case owed >= ackEvery, c.out.pending(), c.state == closing, !time.Now().Before(c.ackAt):
		c.acked = c.last
		return signal.Ack{N: c.last}
	}
	if send, ok := c.out.next(); ok {
		return send
	}
	if c.state == closing {
		if len(c.out.items) == 0 {
			c.state = leaving
			return signal.Leave{}
		}
		if !c.hurried { // whoever answers a ping acknowledges along with it
			c.hurried = true
			return signal.Ping{}
		}
	}
	return nil
}

func writeFrame(conn *websocket.Conn, f signal.Frame, timeout time.Duration) error {
	_ = conn.SetWriteDeadline(time.Now().Add(timeout))
	return conn.WriteMessage(websocket.TextMessage, signal.Encode(f))
}

// isTimeout tells a deadline that has passed; gorilla hides os.ErrDeadlineExceeded.
func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// readFrame reads one frame; what is no frame is errRubbish.
func readFrame(conn *websocket.Conn, silence time.Duration) (signal.Frame, error) {
	_ = conn.SetReadDeadline(time.Now().Add(silence))
	kind, text, err := conn.ReadMessage()
	if err != nil {
		if errors.Is(err, websocket.ErrReadLimit) {
			return nil, errRubbish
		}
		return nil, err
	}
	if kind != websocket.TextMessage {
		return nil, errRubbish
	}
	f, err := signal.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRubbish, err)
	}
	return f, nil
}
