package server

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"parley/signal"
	"parley/signal/identity"
)

// codeBye closes a connection without an error: its member has left.
const codeBye signal.ErrorCode = "bye"

// texts is what an error says to people.
var texts = map[signal.ErrorCode]string{
	signal.CodeVersion:     "this server speaks version 2 of the Parley protocol; update the app",
	signal.CodeBadMessage:  "a frame broke the protocol",
	signal.CodeRefused:     identity.ErrProof.Error(),
	signal.CodeFull:        "the meeting has all the members it can take",
	signal.CodeReplaced:    "the membership goes on over another socket",
	signal.CodeOverflow:    "too much was waiting for this member",
	signal.CodeGoingAway:   "this server stops; connect again",
	signal.CodeUnavailable: "the server cannot do this now; try again later",
}

func refusal(code signal.ErrorCode) signal.Error { return signal.Error{Code: code, Text: texts[code]} }

// conn is one WebSocket. It has one goroutine that reads, and another only while there is something
// to write: most connections are silent most of the time, and a stack for each would be most of
// what they cost.
type conn struct {
	ws      *websocket.Conn
	socket  syscall.RawConn // nil where a write cannot be tried without waiting
	visit   *visit
	writers sync.WaitGroup
	wrote   atomic.Int64 // when something was written last, Unix ns
	readBy  time.Time    // the read deadline; it belongs to the reader
	host    string       // as the request named us
	ice     *ice         // nil: none

	// What follows belongs to the session's lock.
	writing  bool      // a writer runs, or has run for the last time
	cursor   uint64    // the last number written
	acked    uint64    // the last send acknowledged
	owedAt   time.Time // when the one after it came
	pong     bool      // the client waits for one
	ping     bool      // the client is to be asked for a sign of life
	echo     *string   // what the last ping of WebSocket's own carried; nil when it is answered
	farewell signal.ErrorCode
}

// claim makes the caller the connection's writer, unless there is one. The session's lock is held.
func (c *conn) claim() bool {
	if c.writing {
		return false
	}
	c.writing = true
	c.writers.Add(1)
	return true
}

// nudge has a writer look for something to write. The session's lock is held.
func (c *conn) nudge(s *session) {
	if c.claim() {
		go c.write(s, newScratch(), false)
	}
}

// dismiss makes a writer say why it is over and close the connection. The session's lock is held.
func (c *conn) dismiss(s *session, code signal.ErrorCode) {
	if c.farewell == "" {
		c.farewell = code
	}
	c.nudge(s)
}

// serveSocket makes a WebSocket of a request.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	v, why := s.enter(r)
	if why != "" {
		s.metrics.refused.WithLabelValues(why).Inc()
		if why != stopped { // another node is there at once
			w.Header().Set("Retry-After", retryAfter)
		}
		http.Error(w, "try again later", http.StatusServiceUnavailable)
		return
	}
	ws, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil { // the upgrader has answered
		s.metrics.refused.WithLabelValues("handshake").Inc()
		s.exit(nil, v)
		return
	}
	c := &conn{ws: ws, socket: rawSocket(ws.NetConn()), visit: v, host: r.Host, writing: true} // the welcome comes first
	s.track(c, nil)
	ws.SetReadLimit(2 * signal.MaxFrame) // what is a little too long is refused in words
	sess, err := s.admit(c)
	if err != nil {
		s.refuse(c, err)
		_ = ws.Close()
		s.exit(c, v)
		return
	}
	s.track(c, sess)
	// In a goroutine of its own, so that the handler's returns: net/http would keep its buffers and
	// the request for as long as the handler runs, 10 KB a connection. And joining has needed more
	// stack than reading will. Run waits for it.
	go s.serve(c, sess)
}

// serve is the life of a WebSocket whose member has joined.
func (s *Server) serve(c *conn, sess *session) {
	defer s.exit(c, c.visit)
	defer c.ws.Close()
	s.node.part(sess, c, s.read(c, sess))
	if !sess.hasFarewell(c) {
		_ = c.ws.Close() // or a writer would wait for a socket that nobody reads
	}
	c.writers.Wait()
}

// admit reads the join and answers it.
func (s *Server) admit(c *conn) (*session, error) {
	join, nonce, err := c.readJoin()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if s.cfg.Admit != nil && !s.cfg.Admit(join.Room) {
		return nil, refusal(signal.CodeUnavailable)
	}
	if err := identity.CheckJoin(nonce, join); err != nil {
		return nil, refusal(signal.CodeRefused)
	}
	sess, welcome, err := s.node.join(c, join, rate.Limit(s.cfg.Rate), s.cfg.Burst)
	if err != nil {
		return nil, err
	}
	c.visit.joined()
	c.ice = s.newICE(Guest{join.Room, join.ID, c.host})
	welcome.ICE = c.ice.servers()
	s.metrics.join.Observe(time.Since(began).Seconds())
	if err := c.writeText(welcome); err != nil {
		s.node.part(sess, c, err)
		return nil, err
	}
	sess.welcomed(c)
	return sess, nil
}

// readJoin challenges the client and waits for its join, whose proofs the caller checks. Each connection gets a nonce
// of its own, which is kept nowhere else. An address joins no more often than its budget allows connections, so that
// it cannot keep the node busy with signatures.
func (c *conn) readJoin() (join signal.Join, nonce []byte, err error) {
	current := c.ws.Subprotocol() == signal.Subprotocol
	switch {
	case current:
		nonce = make([]byte, signal.NonceBytes)
		_, _ = rand.Read(nonce) // never fails: crypto/rand ends the program instead
		if err := c.writeText(signal.Challenge{Version: signal.Version, Nonce: nonce}); err != nil {
			return signal.Join{}, nil, err
		}
	case c.ws.Subprotocol() != signal.Subprotocol1:
		return signal.Join{}, nil, refusal(signal.CodeBadMessage)
	}
	f, err := c.readFrame(joinTimeout)
	if err != nil {
		return signal.Join{}, nil, err
	}
	join, ok := f.(signal.Join)
	switch {
	case !ok:
		return signal.Join{}, nil, refusal(signal.CodeBadMessage)
	case !current, join.Version != signal.Version:
		return signal.Join{}, nil, refusal(signal.CodeVersion)
	}
	return join, nonce, nil
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
	_ = c.writeText(why)
	c.closeSoftly()
}

// read serves what the member says until the connection is over, and returns why.
func (s *Server) read(c *conn, sess *session) error {
	frames := rate.NewLimiter(frameRate, 2*frameRate)
	var outputs []output
	var ahead ahead
	// gorilla/websocket would answer itself, perhaps between two halves of a frame.
	c.ws.SetPingHandler(func(data string) error {
		sess.echo(c, data)
		return nil
	})
	for {
		f, err := c.readFrame(signal.Silence)
		if err != nil {
			return err
		}
		if send, ok := f.(signal.Send); ok {
			// Too fast a sender is not answered with an error: it is read more slowly, down to TCP.
			if err := s.node.pace(s.closing, sess, len(send.Body)); err != nil {
				return err
			}
			outputs, err = s.node.relayPaced(s.closing, sess, c, send, outputs[:0])
			for _, o := range outputs {
				o.conn.flush(o.session)
			}
			if err != nil {
				return err
			}
			s.node.awaitOtherNodes(s.closing, sess, &ahead, len(send.Body))
			continue
		}
		if err := frames.Wait(s.closing); err != nil {
			return err
		}
		switch f := f.(type) {
		case signal.Ack:
			err = sess.acknowledge(c, f.N)
			s.node.resumeSenders(sess)
		case signal.Ping:
			sess.answer(c)
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

// scratch is what a connection works with while a frame is on its way out or in; one that is silent
// holds none.
type scratch struct {
	frames []byte
	sent   int // of frames
	try    func(fd uintptr) bool
}

var scratches = sync.Pool{New: func() any {
	b := new(scratch)
	b.try = b.trySend
	return b
}}

func newScratch() *scratch { return scratches.Get().(*scratch) }

// maxPooled keeps buffers of rare, long frames out of the pool, in bytes.
const maxPooled = 16 << 10

func (b *scratch) release() {
	if cap(b.frames) <= maxPooled {
		b.frames, b.sent = b.frames[:0], 0
		scratches.Put(b)
	}
}

// output is a connection that a caller has claimed and has to flush.
type output struct {
	conn    *conn
	session *session
}

// flush writes what is due while the socket takes it at once: a goroutine for each frame would cost
// more than the frame. Where the socket is full, or the connection ends, one does the rest. The
// caller has claimed the connection, and holds no lock.
func (c *conn) flush(s *session) {
	b := newScratch()
	for c.socket != nil {
		var last bool
		b.frames, last = s.due(c, b.frames[:0])
		if len(b.frames) == 0 && !last {
			b.release()
			c.writers.Done()
			return
		}
		if !c.trySend(b) || last {
			go c.write(s, b, last)
			return
		}
	}
	go c.write(s, b, false)
}

// trySend writes frames as far as the socket takes them without waiting, and leaves the rest in b.
// It tells whether none is left.
func (c *conn) trySend(b *scratch) bool {
	c.wrote.Store(time.Now().UnixNano())
	b.sent = 0
	_ = c.socket.Write(b.try) // what fails here fails again where there is time for it
	b.frames = b.frames[:copy(b.frames, b.frames[b.sent:])]
	return len(b.frames) == 0
}

// write sends what is left in b, which it releases, and then what is due until nothing is. After
// the last, a farewell, it closes the connection, and also when the client takes nothing. The caller
// has claimed the connection.
func (c *conn) write(s *session, b *scratch, last bool) {
	defer c.writers.Done()
	defer b.release()
	for {
		if len(b.frames) > 0 {
			if err := c.send(b.frames); err != nil {
				_ = c.ws.Close() // the reader learns of it, and no writer follows: writing stays set
				return
			}
		}
		if last {
			c.closeSoftly()
			_ = c.ws.Close()
			return
		}
		b.frames, last = s.due(c, b.frames[:0])
		if len(b.frames) == 0 && !last {
			return
		}
	}
}

// send writes whole WebSocket frames. They go to the socket directly, several in one system call,
// where gorilla/websocket makes one for each; it writes its own frames whole, too, so that none is
// torn.
func (c *conn) send(frames []byte) error {
	now := time.Now()
	c.wrote.Store(now.UnixNano())
	socket := c.ws.NetConn()
	if err := socket.SetWriteDeadline(now.Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := socket.Write(frames); err != nil {
		return err
	}
	return socket.SetWriteDeadline(time.Time{}) // trySend sets none
}

// textHeader appends the header of a text frame, final and not masked (RFC 6455, section 5.2).
func textHeader(b []byte, size int) []byte {
	const finalText = 0x80 | websocket.TextMessage
	switch {
	case size < 126:
		return append(b, finalText, byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, finalText, 126), uint16(size))
	}
	return binary.BigEndian.AppendUint64(append(b, finalText, 127), uint64(size))
}

// appendPong appends the answer to a ping of WebSocket's own (RFC 6455, section 5.5.3), whose data is at
// most 125 bytes.
func appendPong(b []byte, data string) []byte {
	return append(append(b, 0x80|websocket.PongMessage, byte(len(data))), data...)
}

// appendText appends a frame of the protocol as a WebSocket frame.
func appendText(b []byte, f signal.Frame) []byte {
	var space [128]byte // of acknowledgements and signs of life
	text := signal.Append(space[:0], f)
	return append(textHeader(b, len(text)), text...)
}

func (c *conn) writeText(f signal.Frame) error { return c.send(appendText(nil, f)) }

// closeSoftly says goodbye in WebSocket's own words before the socket is closed.
func (c *conn) closeSoftly() {
	_ = c.ws.WriteControl(websocket.CloseMessage,
		websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
}

// readFrame waits for a frame. Only what has begun to arrive holds a buffer.
func (c *conn) readFrame(silence time.Duration) (signal.Frame, error) {
	if until := time.Now().Add(silence); until.After(c.readBy) { // moved now and then, not for every frame
		c.readBy = until.Add(silence / 8)
		_ = c.ws.SetReadDeadline(c.readBy)
	}
	kind, r, err := c.ws.NextReader()
	if err == nil && kind != websocket.TextMessage {
		return nil, signal.ErrInvalid
	}
	b := newScratch()
	defer b.release()
	if err == nil {
		b.frames, err = appendAll(b.frames, r)
	}
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		return nil, signal.ErrTooLarge
	case err != nil:
		return nil, err
	}
	return signal.Decode(b.frames)
}

// appendAll is io.ReadAll into a buffer that is there.
func appendAll(b []byte, r io.Reader) ([]byte, error) {
	for {
		b = slices.Grow(b, bytes.MinRead)
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if errors.Is(err, io.EOF) {
			return b, nil
		} else if err != nil {
			return b, err
		}
	}
}
