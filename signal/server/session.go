package server

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"parley/signal"
)

// Limits of what a session keeps for its member: what is on its way and not acknowledged, and
// everything that comes while there is no connection. One more ends the session.
const (
	maxWaiting      = 2048
	maxWaitingBytes = 4 << 20
)

// kind says what an event is.
type kind byte

const (
	kindMessage kind = 'm'
	kindJoined  kind = 'j'
	kindLeft    kind = 'l'
)

// event is what a session has to tell its member. Its number is given by its place.
type event struct {
	kind kind
	id   signal.ID // who joined, left or sent
	tail []byte    // the frame after its number, shared by all receivers

	source *source // of a message, in the line of a session
}

// heads is what comes before the number, by kind.
var heads = map[kind]string{
	kindMessage: `{"t":"message","n":`,
	kindJoined:  `{"t":"joined","n":`,
	kindLeft:    `{"t":"left","n":`,
}

// newEvent encodes a frame once for any number of receivers. The frame must have number 1.
func newEvent(k kind, id signal.ID, f signal.Frame) event {
	return makeEvent(k, id, signal.Encode(f))
}

// newMessage is newEvent of what a member has sent.
func newMessage(m relayed) event {
	f := signal.Message{N: 1, From: m.from, To: m.to, Seq: m.seq, Body: m.body}
	return makeEvent(kindMessage, m.from, signal.Append(make([]byte, 0, frameSize(len(m.body))), f))
}

func makeEvent(k kind, id signal.ID, text []byte) event {
	return event{kind: k, id: id, tail: text[len(heads[k])+1:]}
}

// frame appends the event's frame with its number, as a WebSocket frame.
func (e event) frame(b []byte, n uint64) []byte {
	var space [20]byte // of any uint64
	number := strconv.AppendUint(space[:0], n, 10)
	head := heads[e.kind]
	b = textHeader(b, len(head)+len(number)+len(e.tail))
	b = append(append(b, head...), number...)
	return append(b, e.tail...)
}

// stream is one direction of speech in a room.
type stream struct{ From, To signal.ID }

// session is one membership. It lives on one node; its member comes and goes on sockets.
type session struct {
	room  string
	id    signal.ID
	name  string // as in signal.Welcome
	since int64  // ns, the joining node's clock

	sends  *rate.Limiter
	volume *rate.Limiter // bytes
	ledger *ledger

	mu      sync.Mutex
	conn    *conn       // nil: waiting for one
	expire  *time.Timer // set while waiting
	over    bool        // moved or ended
	try     uint64      // the client's count of the connection attached last
	lastIn  uint64      // the last send taken
	base    uint64      // the number before waiting[0]
	waiting []event     // numbered from base+1
	bytes   int
	pulse   pulse
	account *account    // what waits here is counted against its address
	members []signal.ID // the others, as they were after number base
	sources map[signal.ID]*source
	held    int // sources whose nodes were told to hold them

	slow map[signal.ID]time.Time // receivers elsewhere who have no room, until when; the node's lock guards it
}

var (
	errOverflow = errors.New("too much is waiting for the member")
	errReplaced = errors.New("the membership goes on over another socket")
	errOrder    = errors.New("sends are not numbered one by one")
	errOther    = errors.New("not the session that the client knows")
	errAck      = errors.New("acknowledges what was not sent")
)

// push puts an event in line and has it written.
func (s *session) push(e event, st stream, seq uint64) error {
	c, err := s.put(e, st, seq)
	if c != nil {
		go c.write(s, newScratch(), false)
	}
	return err
}

// put puts an event in line. It returns the connection if the caller has become its writer.
func (s *session) put(e event, st stream, seq uint64) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil, nil
	}
	if len(s.waiting) >= maxWaiting || s.bytes+len(e.tail) > maxWaitingBytes {
		return nil, errOverflow
	}
	if o := s.sources[e.id]; o != nil && e.kind == kindLeft {
		o.floodAt = time.Time{}
	}
	if e.kind == kindMessage {
		e.source = s.source(e.id)
		*e.source.mark(st) = seq
	}
	s.waiting = append(s.waiting, e)
	s.bill(1, len(e.tail))
	s.noteWaiting(e)
	if s.conn == nil || !s.conn.claim() {
		return nil, nil
	}
	return s.conn, nil
}

// acknowledge forgets everything up to number n.
func (s *session) acknowledge(c *conn, n uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return errReplaced
	}
	if n > c.cursor {
		return errAck
	}
	s.trim(n)
	return nil
}

func (s *session) trim(n uint64) {
	if n <= s.base {
		return
	}
	count := int(n - s.base)
	for i, e := range s.waiting[:count] {
		switch e.kind {
		case kindJoined:
			s.members = append(s.members, e.id)
		case kindLeft:
			s.members = slices.DeleteFunc(s.members, func(id signal.ID) bool { return id == e.id })
			s.forget(e.id)
		}
		s.bill(-1, -len(e.tail))
		s.noteGone(e)
		s.waiting[i] = event{} // the array lives on; what it refers to need not
	}
	s.waiting = s.waiting[count:]
	if len(s.waiting) == 0 {
		s.waiting = nil
	}
	s.base = n
	s.noteProgress()
}

// attach gives the session a new connection and returns the welcome. When the client asks for
// this very session, it goes on after what the client has received.
func (s *session) attach(c *conn, join signal.Join) (signal.Welcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || join.Try <= s.try { // held up on its way, and overtaken
		return signal.Welcome{}, errReplaced
	}
	resumed := join.Session == s.name
	if !resumed && (s.base > 0 || s.lastIn > 0) {
		return signal.Welcome{}, errOther // with lost welcomes alone, nothing has been counted yet
	}
	if resumed {
		if join.Last < s.base || join.Last > s.base+uint64(len(s.waiting)) {
			return signal.Welcome{}, errAck
		}
		s.trim(join.Last)
	}
	s.dropConn(signal.CodeReplaced)
	if s.expire != nil {
		s.expire.Stop()
		s.expire = nil
	}
	s.conn, s.try = c, join.Try
	s.restartTurn()
	c.visit.ledger.charge(s, c.visit.account)
	c.cursor = s.base
	c.acked = s.lastIn
	return signal.Welcome{
		Version: signal.Version, Session: s.name, Resumed: resumed, Last: s.lastIn, Members: slices.Clone(s.members),
	}, nil
}

// dropConn takes leave of the connection, if there is one. s.mu is held.
func (s *session) dropConn(code signal.ErrorCode) {
	if s.conn != nil {
		s.conn.dismiss(s, code)
		s.conn = nil
	}
}

// detach tells that a connection is over. If it was the session's own, expired is called once
// signal.ResumeWindow has passed without another.
func (s *session) detach(c *conn, expired func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return
	}
	s.conn = nil
	if !s.over {
		s.expire = time.AfterFunc(signal.ResumeWindow, expired)
	}
}

// limit sets how fast the member may send.
func (s *session) limit(sends rate.Limit, burst int) {
	s.sends = rate.NewLimiter(sends, burst)
	s.volume = rate.NewLimiter(sends*meanBody, max(burst*meanBody, signal.MaxBody))
}

// waitAddress waits until the member's address may send so many bytes.
func (s *session) waitAddress(ctx context.Context, now time.Time, size int) error {
	a := s.owner()
	for ; a != nil; a = a.wide { // nil: it has ended or moved; the relay will say so
		if err := spend(ctx, a.volume, now, size); err != nil {
			return err
		}
	}
	return nil
}

// holds tells whether c is the session's connection.
func (s *session) holds(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn == c
}

// stale tells whether the session still waits for a connection.
func (s *session) stale() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.over && s.conn == nil
}

// finish ends the session for good, with a last word for its connection; it tells whether this
// call did it.
func (s *session) finish(code signal.ErrorCode) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return false
	}
	s.over = true
	s.dropConn(code)
	if s.expire != nil {
		s.expire.Stop()
	}
	s.bill(-len(s.waiting), -s.bytes)
	s.waiting = nil
	return true
}

// ackEvery is after how many sends an acknowledgement is written at once. Fewer are acknowledged
// along with whatever else is written, or when connections are looked through next.
const ackEvery = 32

// accept takes a send if it is the next one, and publishes it while the session cannot move.
// What was taken before is acknowledged again, and is not fresh.
func (s *session) accept(c *conn, f signal.Send, publish func() error) (fresh bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.conn != c:
		return false, errReplaced
	case f.N <= s.lastIn:
		c.acked = min(c.acked, f.N-1)
	case f.N != s.lastIn+1:
		return false, errOrder
	default:
		if err := publish(); err != nil {
			return false, err
		}
		s.lastIn, fresh = f.N, true
		if s.lastIn-c.acked == 1 {
			c.owedAt = time.Now()
		}
	}
	if !fresh || s.lastIn-c.acked >= ackEvery {
		c.nudge(s)
	}
	return fresh, nil
}

// answer has a pong written.
func (s *session) answer(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.pong = true
	c.nudge(s)
}

// echo has a ping of WebSocket's own answered. Of several that wait, the last is (RFC 6455, section 5.5.3).
func (s *session) echo(c *conn, data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.echo = &data
	c.nudge(s)
}

// remind tells whether the caller has to flush the connection: an acknowledgement is still owed, or
// the connection has been silent and a ping is due. An acknowledgement costs as much as a message,
// so where messages keep coming, it goes along with the next.
func (s *session) remind(c *conn, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	quiet := now.UnixNano() - c.wrote.Load()
	if s.conn != c {
		return false // it is over, and nobody waits for a writer any more
	}
	c.ping = c.ping || quiet >= int64(signal.Heartbeat) || c.ice.due(now)
	owed := s.lastIn > c.acked && (quiet >= int64(busyAckDelay) || now.Sub(c.owedAt) >= busyAckDelay)
	return (c.ping || owed) && c.claim()
}

// welcomed lets writers begin.
func (s *session) welcomed(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.writing = false
	c.nudge(s)
}

// hasFarewell tells whether a writer will close the connection after a last word.
func (s *session) hasFarewell(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.farewell != ""
}

// batch is how many bytes due hands out at a time, and one frame more.
const batch = 16 << 10

// due appends what the connection has to write now; last says that it is the last. When there is
// nothing, the writer has to end: the next nudge starts another one.
func (s *session) due(c *conn, b []byte) (frames []byte, last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case c.farewell == codeBye:
		return b, true
	case c.farewell != "":
		if c.farewell == signal.CodeGoingAway && !s.over { // what a member does not hear now, it may never hear
			b = s.appendWaiting(c, b, batch)
		}
		return appendText(b, signal.Error{Code: c.farewell, Text: texts[c.farewell]}), true
	case s.conn != c:
		return b, true
	}
	if c.echo != nil {
		b = appendPong(b, *c.echo)
		c.echo = nil
	}
	if c.pong {
		c.pong = false
		b = appendText(b, signal.Pong{})
	}
	if c.ping {
		c.ping = false
		b = appendText(b, signal.Ping{ICE: c.ice.renewed(time.Now())})
	}
	if s.lastIn > c.acked {
		c.acked = s.lastIn
		b = appendText(b, signal.Ack{N: s.lastIn})
	}
	b = s.appendWaiting(c, b, batch)
	c.writing = len(b) > 0
	return b, false
}

// appendWaiting appends what waits for the connection until b has limit bytes. s.mu is held.
func (s *session) appendWaiting(c *conn, b []byte, limit int) []byte {
	for c.cursor >= s.base && c.cursor < s.base+uint64(len(s.waiting)) && len(b) < limit {
		e := s.waiting[c.cursor-s.base]
		c.cursor++
		b = e.frame(b, c.cursor)
	}
	return b
}
