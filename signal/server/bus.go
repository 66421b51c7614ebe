package server

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"

	"parley/signal"
)

// Subjects. Everything about one room goes over one subject, so that NATS keeps the order of
// what one node says about it: a member's arrival before its first message. The number is the protocol's version: nodes
// of version 1 let people in who prove nothing, and share no rooms with others.
const (
	subjectNodes = "parley.v2.nodes"
	subjectNode  = "parley.v2.node."
	subjectRoom  = "parley.v2.room."
)

// inboxSize is how many messages of NATS may wait for the node's one dispatcher. It is large
// because NATS drops one more, and counts it; members are slowed down long before.
const inboxSize = 16384

// noticeKind says what a notice is about.
type noticeKind string

const (
	noticeUp    noticeKind = "up"    // a member has come to this node, or moved to it
	noticeDown  noticeKind = "down"  // a member of this node has gone
	noticeHere  noticeKind = "here"  // all members of this node in the room
	noticeDeny  noticeKind = "deny"  // a member that came up elsewhere is here by a newer connection
	noticeAsk   noticeKind = "ask"   // who is in the room? Every node answers with here
	noticeHello noticeKind = "hello" // a new node; answer with alive
	noticeAlive noticeKind = "alive" // the heartbeat of nodes
	noticeBye   noticeKind = "bye"   // a node stops
	noticeHold  noticeKind = "hold"  // a receiver here has no room now for what a member of yours sends
	noticeGo    noticeKind = "go"    // it has again
	noticeSync  noticeKind = "sync"  // answer when everything before has been dealt with
	noticeFlood noticeKind = "flood" // more came than it could hold: put that member out
	noticeClaim noticeKind = "claim" // a member of yours has come here: hand over its session
)

// notice is what nodes tell each other, as JSON.
type notice struct {
	Kind     noticeKind `json:"k"`
	Node     string     `json:"node"`
	Room     string     `json:"room,omitempty"`
	Members  []entry    `json:"members,omitempty"`  // of hold, go and flood: sender, receiver
	Replaces string     `json:"replaces,omitempty"` // of up: the session that is known to be lost
	Try      uint64     `json:"try,omitempty"`      // of claim, as in the join, which the claiming node has checked; of deny, of the newer connection
}

// entry is one member as nodes know it.
type entry struct {
	ID      signal.ID `json:"id"`
	Session string    `json:"session"`
	Since   int64     `json:"since"`
	Try     uint64    `json:"try"` // the client's count of its last connection there

	node string
	seen time.Time
	lost bool // its node has gone: what it sent may be lost, too
}

// relayed is a sealed body between nodes.
type relayed struct {
	from, to signal.ID
	seq      uint64
	body     []byte
}

// relayTag tells a relayed body from a notice, which starts with a brace.
const relayTag = 'm'

func (m relayed) encode() []byte {
	b := make([]byte, 0, 2+len(m.from)+1+len(m.to)+8+len(m.body))
	b = append(b, relayTag, byte(len(m.from)))
	b = append(b, m.from...)
	b = append(b, byte(len(m.to)))
	b = append(b, m.to...)
	b = binary.BigEndian.AppendUint64(b, m.seq)
	return append(b, m.body...)
}

var errRelay = errors.New("not a relayed message")

func decodeRelayed(b []byte) (relayed, error) {
	if len(b) == 0 || b[0] != relayTag {
		return relayed{}, errRelay
	}
	from, b, ok := cutText(b[1:])
	if !ok {
		return relayed{}, errRelay
	}
	to, b, ok := cutText(b)
	if !ok || len(b) < 8 {
		return relayed{}, errRelay
	}
	return relayed{signal.ID(from), signal.ID(to), binary.BigEndian.Uint64(b), b[8:]}, nil
}

func cutText(b []byte) (text string, rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return "", nil, false
	}
	n := 1 + int(b[0])
	return string(b[1:n]), b[n:], true
}

// bus is the node's line to the other nodes, over NATS. A node that is alone has none, and says everything to nobody.
type bus struct {
	nc    *nats.Conn // nil: this node is alone
	inbox chan *nats.Msg
	seal  *clusterSeal
}

func (b *bus) alone() bool { return b.nc == nil }

// dialBus connects to NATS. Without an address, the node is alone.
func dialBus(address, name string, cluster Cluster, onDrop, onChange func(error)) (*bus, error) {
	if address == "" {
		return &bus{}, nil
	}
	b := &bus{inbox: make(chan *nats.Msg, inboxSize)}
	options := []nats.Option{
		nats.Name("parley-rendezvous"),
		nats.NoEcho(), // what this node says took effect when it said it
		nats.MaxReconnects(-1),
		nats.ReconnectWait(500 * time.Millisecond),
		nats.Timeout(5 * time.Second),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { onDrop(err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { onChange(err) }),
		nats.ReconnectHandler(func(*nats.Conn) { onChange(nil) }),
	}
	var err error
	if b.seal, err = newClusterSeal(cluster.Key, name); err != nil {
		return nil, fmt.Errorf("prepare the cluster's keys: %w", err)
	}
	options = append(options, cluster.options(address)...)
	nc, err := nats.Connect(address, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", hostOf(address), err)
	}
	b.nc = nc
	return b, nil
}

// hostOf is the part of a NATS address that may be shown: it can hold a password.
func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return "the given address"
}

func (b *bus) close() {
	if !b.alone() {
		b.nc.Close()
	}
}

// subscribe has what is said about subject come to the inbox, until the function it returns is called.
func (b *bus) subscribe(subject string) (stop func(), err error) {
	if b.alone() {
		return func() {}, nil
	}
	sub, err := b.nc.ChanSubscribe(subject, b.inbox)
	if err != nil {
		return nil, err
	}
	return func() { _ = sub.Unsubscribe() }, nil
}

// flush waits until NATS has everything that was said.
func (b *bus) flush(limit time.Duration) error {
	if b.alone() {
		return nil
	}
	return b.nc.FlushTimeout(limit)
}

func (b *bus) connected() bool { return b.alone() || b.nc.IsConnected() }

func (b *bus) publish(subject string, nt notice) {
	if b.alone() {
		return
	}
	text, err := json.Marshal(nt)
	if err != nil {
		panic(fmt.Sprintf("encode a notice: %v", err)) // it has no value that JSON cannot write
	}
	_ = b.send(subject, "", text) // fails when NATS is gone for long; heartbeats heal what it misses
}

// relay publishes a sealed body to the other nodes.
func (b *bus) relay(room string, m relayed) error {
	if b.alone() {
		return nil
	}
	if err := b.send(subjectRoom+room, "", m.encode()); err != nil {
		return refusal(signal.CodeUnavailable)
	}
	return nil
}

// ask publishes with an inbox and hands every answer to take until it returns true, nobody is
// there to answer, or the time is up.
func (b *bus) ask(ctx context.Context, subject string, nt notice, limit time.Duration, take func([]byte) bool) error {
	if b.alone() {
		return nats.ErrNoResponders
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	text, err := json.Marshal(nt)
	if err != nil {
		return err
	}
	reply := b.nc.NewRespInbox()
	sub, err := b.nc.SubscribeSync(reply)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	_ = sub.SetPendingLimits(-1, -1) // a session that moves comes in many messages
	if err := b.send(subject, reply, text); err != nil {
		return err
	}
	seen := stamps{}
	for {
		msg, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return err
		}
		if len(msg.Data) == 0 && msg.Header.Get("Status") == "503" { // NATS: no responders
			return nats.ErrNoResponders
		}
		data, err := b.seal.open(msg, seen)
		if err != nil {
			continue
		}
		if take(data) {
			return nil
		}
	}
}
