package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"parley/signal"
)

// codeBye closes a connection without an error: its member has left.
const codeBye signal.ErrorCode = "bye"

// texts is what an error says to people.
var texts = map[signal.ErrorCode]string{
	signal.CodeVersion:     "this server speaks version 1 of the Parley protocol",
	signal.CodeBadMessage:  "a frame broke the protocol",
	signal.CodeTaken:       "another member has this ID",
	signal.CodeFull:        "the meeting has all the members it can take",
	signal.CodeReplaced:    "the membership goes on over another socket",
	signal.CodeOverflow:    "too much was waiting for this member",
	signal.CodeGoingAway:   "this server stops; connect again",
	signal.CodeUnavailable: "the server cannot do this now; try again later",
}

func refusal(code signal.ErrorCode) signal.Error { return signal.Error{Code: code, Text: texts[code]} }

// conn is one WebSocket. Its goroutines are one that reads and one that writes.
type conn struct {
	ws    *websocket.Conn
	visit *visit
	wake  chan struct{} // holds 1: there may be something to write

	// What follows belongs to the session's lock.
	cursor   uint64 // the last number written
	acked    uint64 // the last send acknowledged
	pong     bool   // the client waits for one
	farewell signal.ErrorCode
}

func (c *conn) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// dismiss makes the writer say why it is over and end. The session's lock is held.
func (c *conn) dismiss(code signal.ErrorCode) {
	if c.farewell == "" {
		c.farewell = code
	}
	c.nudge()
}

// serveSocket makes a WebSocket of a request.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	v, why := s.enter(r)
	if why != "" {
		s.metrics.refused.WithLabelValues(why).Inc()
		w.Header().Set("Retry-After", retryAfter)
		http.Error(w, "try again later", http.StatusServiceUnavailable)
		return
	}
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil { // the upgrader has answered
		s.metrics.refused.WithLabelValues("handshake").Inc()
		s.exit(nil, v)
		return
	}
	// In a goroutine of its own, so that the handler's returns: net/http would keep its buffers and
	// the request for as long as the handler runs, 10 KB a connection. Run waits for it.
	go s.serve(ws, v)
}

// serve is the life of one WebSocket.
func (s *Server) serve(ws *websocket.Conn, v *visit) {
	defer s.exit(ws, v)
	defer ws.Close()
	s.mu.Lock()
	s.conns[ws] = struct{}{}
	s.mu.Unlock()
	ws.SetReadLimit(2 * signal.MaxFrame) // what is a little too long is refused in words
	c := &conn{ws: ws, visit: v, wake: make(chan struct{}, 1)}
	sess, err := s.admit(c)
	if err != nil {
		s.refuse(c, err)
		return
	}
	ctx, over := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer over()
		c.write(ctx, sess)
	}()
	err = s.read(ctx, c, sess)
	s.node.part(sess, c, err)
	over()
	<-done
}

// admit reads the join and answers it.
func (s *Server) admit(c *conn) (*session, error) {
	if c.ws.Subprotocol() != signal.Subprotocol {
		return nil, refusal(signal.CodeBadMessage)
	}
	f, err := c.readFrame(joinTimeout)
	if err != nil {
		return nil, err
	}
	join, ok := f.(signal.Join)
	if !ok {
		return nil, refusal(signal.CodeBadMessage)
	}
	if join.Version != signal.Version {
		return nil, refusal(signal.CodeVersion)
	}
	began := time.Now()
	sess, welcome, err := s.node.join(c, join, rate.Limit(s.cfg.Rate), s.cfg.Burst)
	if err != nil {
		return nil, err
	}
	c.visit.joined()
	s.metrics.join.Observe(time.Since(began).Seconds())
	if err := c.writeText(signal.Encode(welcome)); err != nil {
		s.node.part(sess, c, err)
		return nil, err
	}
	return sess, nil
}

// refuse says why a connection does not become a membership.
func (s *Server) refuse(c *conn, err error) {
	var why signal.Error
	switch {
	case errors.As(err, &why):
	case errors.Is(err, signal.ErrInvalid), errors.Is(err, signal.ErrType), errors.Is(err, signal.ErrTooLarge):
		why = refusal(signal.CodeBadMessage)
	default: // the connection is gone, or nothing came
		s.metrics.refused.WithLabelValues("silent").Inc()
		return
	}
	s.metrics.refused.WithLabelValues(string(why.Code)).Inc()
	_ = c.writeText(signal.Encode(why))
	c.closeSoftly()
}

// read serves what the member says until the connection is over, and returns why.
func (s *Server) read(ctx context.Context, c *conn, sess *session) error {
	frames := rate.NewLimiter(frameRate, 2*frameRate)
	for {
		f, err := c.readFrame(signal.Silence)
		if err != nil {
			return err
		}
		if send, ok := f.(signal.Send); ok {
			// Too fast a sender is not answered with an error: it is read more slowly, down to TCP.
			if err := s.node.pace(ctx, sess, len(send.Body)); err != nil {
				return err
			}
			if err := s.node.relay(sess, c, send); err != nil {
				return err
			}
			continue
		}
		if err := frames.Wait(ctx); err != nil {
			return err
		}
		switch f := f.(type) {
		case signal.Ack:
			err = sess.acknowledge(c, f.N)
		case signal.Ping:
			sess.mu.Lock()
			c.pong = true
			c.nudge()
			sess.mu.Unlock()
		case signal.Pong:
		case signal.Leave:
			return errLeft
		default:
			err = signal.ErrInvalid
		}
		if err != nil {
			return err
		}
	}
}

var errLeft = errors.New("the member has left")

// write sends what is due until the connection is over, and closes it.
func (c *conn) write(ctx context.Context, sess *session) {
	defer c.ws.Close()
	ping := time.NewTicker(signal.Heartbeat)
	defer ping.Stop()
	for {
		frames, last := sess.due(c)
		for _, text := range frames {
			if err := c.writeText(text); err != nil {
				return
			}
		}
		if last {
			c.closeSoftly()
			return
		}
		if len(frames) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			// The reader is done, but a last word may have been left for the writer meanwhile.
			if frames, last := sess.due(c); last {
				for _, text := range frames {
					_ = c.writeText(text)
				}
				c.closeSoftly()
			}
			return
		case <-c.wake:
		case <-ping.C:
			if err := c.writeText(signal.Encode(signal.Ping{})); err != nil {
				return
			}
		}
	}
}

func (c *conn) writeText(text []byte) error {
	_ = c.ws.SetWriteDeadline(time.Now().Add(writeTimeout))
	return c.ws.WriteMessage(websocket.TextMessage, text)
}

// closeSoftly says goodbye in WebSocket's own words before the socket is closed.
func (c *conn) closeSoftly() {
	_ = c.ws.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
}

func (c *conn) readFrame(silence time.Duration) (signal.Frame, error) {
	_ = c.ws.SetReadDeadline(time.Now().Add(silence))
	kind, text, err := c.ws.ReadMessage()
	if err != nil {
		if errors.Is(err, websocket.ErrReadLimit) {
			return nil, signal.ErrTooLarge
		}
		return nil, err
	}
	if kind != websocket.TextMessage {
		return nil, signal.ErrInvalid
	}
	return signal.Decode(text)
}
