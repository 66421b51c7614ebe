package peer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	ptransport "github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"
	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/congestion"
	"parley/media/pipe"
	"parley/media/transport"
	"parley/signal"
)

// Config is what a Peer needs.
type Config struct {
	transport.Media
	Network
	Member signal.ID // the other side
	Conn   string    // names the offer to answer; empty to make an offer

	// Route says how to look for a path; nil: without servers.
	Route func() transport.Route
	// SplitRate divides the path's rate, in bit/s, between our camera and our screen.
	SplitRate func(rate int) (camera, screen int)
	// HalfRate reports whether to ask for small pictures at half their frame rate.
	HalfRate func() bool
	// Send passes a call message to the other member; it must not block.
	Send func(payload []byte)
	// Changed gets every new phase.
	Changed func(transport.Phase)
	Log     *slog.Logger

	opened     func(ptransport.UDPConn) // see newNet
	takeDirect func(*stun.Message, ice.Candidate, ice.Candidate, *ice.CandidatePair) bool
}

// inboxSize bounds the call messages that wait: enough for several connections. More are dropped and
// logged; an ICE restart recovers from that.
const inboxSize = 128

// Peer is one connection. Its methods may be called from any goroutine.
type Peer struct {
	cfg      Config
	conn     string
	offers   bool
	inbox    chan message
	restart  chan struct{}
	violated chan struct{} // closed when the other side breaks the protocol
	// sdpMu is held from creating a description until it is sent. Otherwise candidates could
	// overtake it, and the other side would drop them.
	sdpMu sync.Mutex
	// restarted is when the last ICE restart started. Only negotiate uses it.
	restarted time.Time
	strayedAt time.Time // only watch uses it
	guard     guard     // only negotiate uses it
	punch     puncher
	out       map[media.Kind]*outgoing
	hidden    bool // the other side must not learn our address; set by Run

	relayed atomic.Bool   // and a direct path would be taken
	rtt     atomic.Int64  // time.Duration
	loss    atomic.Uint32 // of our voice, in 1/256 (RFC 3550 fraction lost)
	unknown atomic.Uint64 // tracks that the other side offers and we cannot receive

	mu        sync.Mutex
	pc        *webrtc.PeerConnection
	sender    *congestion.Sender // nil before Run
	channel   *webrtc.DataChannel
	want      Want // what the other side shows of ours
	in        map[media.Kind]*incoming
	connected bool
	closing   bool // start no more goroutines
	path      string
	relay     string // how we reach the relay of the path
	ownRelay  bool   // the relay of the path is, or one of two is, what a server gave us
	detour    transport.Detour
	tried     tried
}

// New returns a Peer that does nothing until Run.
func New(cfg Config) *Peer {
	p := &Peer{
		cfg: cfg, conn: cfg.Conn,
		inbox: make(chan message, inboxSize), restart: make(chan struct{}, 1), violated: make(chan struct{}),
		// Until the other side says otherwise, assume that it shows our pictures in full.
		want: Want{Camera: [2]int{1280, 720}, Screen: [2]int{1920, 1080}},
		out:  make(map[media.Kind]*outgoing), in: make(map[media.Kind]*incoming),
	}
	p.cfg.opened, p.cfg.takeDirect, p.guard.punch = p.punch.opened, p.takeDirect, &p.punch
	if cfg.Route == nil {
		p.cfg.Route = func() transport.Route { return transport.Route{} }
	}
	if p.conn == "" {
		p.conn, p.offers = newConn(), true
	}
	for _, k := range kinds {
		if sound, picture := cfg.Sounds[k], cfg.Pictures[k]; sound != nil || picture != nil {
			p.out[k] = &outgoing{track: newTrack(cfg.Me, k), sound: sound, picture: picture, allowed: startRate}
		}
	}
	return p
}

// Conn names this attempt to connect.
func (p *Peer) Conn() string { return p.conn }

// Signal takes a call message of the other member. It ignores messages of other connections.
func (p *Peer) Signal(payload []byte) error {
	m, err := parseMessage(payload)
	if err != nil {
		return err
	}
	if m.Conn != p.conn {
		return nil
	}
	select {
	case p.inbox <- m:
	default:
		p.cfg.Log.Warn("call message dropped", "queued", inboxSize)
	}
	return nil
}

// Restart restarts ICE: it looks for a new path and keeps everything else.
func (p *Peer) Restart() {
	select {
	case p.restart <- struct{}{}:
	default:
	}
}

// Run connects and serves the connection until ctx ends. It fails if the connection cannot be set up.
func (p *Peer) Run(ctx context.Context) error {
	sender := p.newSender()
	p.guard.loopback = offline()
	route := p.cfg.Route()
	p.hidden = route.RelayOnly
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pc, err := newConnection(ctx, p.cfg, route, sender, p.guard.loopback)
	if err != nil {
		return fmt.Errorf("set up connection: %w", err)
	}
	p.mu.Lock()
	p.pc, p.sender = pc, sender
	p.tried = newTried(route, false)
	p.mu.Unlock()
	for _, o := range p.out {
		if o.picture != nil {
			o.renewed(sender.Renew)
		}
	}

	g, ctx := errgroup.WithContext(ctx)
	if err := p.prepare(ctx, g, pc); err != nil {
		p.close()
		return errors.Join(err, pc.GracefulClose(), g.Wait())
	}
	g.Go(func() error { return p.negotiate(ctx, pc) })
	g.Go(func() error { return p.watch(ctx, pc) })
	select {
	case <-ctx.Done():
	case <-p.violated:
		cancel()
	}
	p.close()
	closed := pc.GracefulClose() // first, because negotiate may wait for ICE
	err = g.Wait()
	// If the connection had no ICE agent yet, Pion may have made one since, for a call message that negotiate took.
	if closed = errors.Join(closed, pc.SCTP().Transport().ICETransport().GracefulStop()); closed != nil {
		p.cfg.Log.Debug("close connection", "err", closed)
	}
	return err
}

// prepare sets up transceivers, data channel, callbacks and readers.
func (p *Peer) prepare(ctx context.Context, g *errgroup.Group, pc *webrtc.PeerConnection) error {
	if err := p.addTracks(g, pc); err != nil {
		return err
	}
	if err := p.openChannel(ctx, pc); err != nil {
		return err
	}
	pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.closing { // Pion may call late, from its own goroutine
			p.onTrack(ctx, g, remote, receiver)
		}
	})
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c == nil {
			return
		}
		p.mu.Lock()
		p.tried.found(c.Typ)
		p.mu.Unlock()
		init := c.ToJSON()
		init.Candidate = p.hide(init.Candidate)
		p.sdpMu.Lock()
		defer p.sdpMu.Unlock()
		p.cfg.Send(message{Conn: p.conn, Type: typeCandidate, Candidate: &init}.encode())
	})
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if ctx.Err() == nil {
			p.onState(s)
		}
	})
	return nil
}

func (p *Peer) onState(s webrtc.PeerConnectionState) {
	p.cfg.Log.Info("connection", "state", s.String())
	switch s {
	case webrtc.PeerConnectionStateConnected:
		p.mu.Lock()
		p.connected = true
		p.mu.Unlock()
		p.subscribe()
		p.cfg.Changed(transport.Connected)
	case webrtc.PeerConnectionStateDisconnected:
		p.cfg.Changed(transport.Reconnecting)
	case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed: // closed by the other side
		p.cfg.Changed(transport.Failed)
	}
}

// onWant takes the sizes at which the other side shows our pictures.
func (p *Peer) onWant(data []byte) {
	var w Want
	if json.Unmarshal(data, &w) != nil {
		p.cfg.Log.Warn("data channel message makes no sense", "bytes", len(data))
		return
	}
	for _, d := range []*int{&w.Camera[0], &w.Camera[1], &w.Screen[0], &w.Screen[1]} {
		*d = min(max(*d, 0), media.MaxDimension)
	}
	p.mu.Lock()
	p.want = w
	p.mu.Unlock()
	p.subscribe()
}

// Want is what the other side shows of our pictures.
func (p *Peer) Want() Want {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.want
}

// close stops sending.
func (p *Peer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connected, p.closing = false, true
	for _, o := range p.out {
		o.unsubscribe()
	}
}

// Each shareInterval the path is divided between our pictures. Each pipe.SyncInterval, wants and lip sync
// are updated.
const (
	shareInterval   = 100 * time.Millisecond
	sharesPerUpdate = int(pipe.SyncInterval / shareInterval)
)

// watch divides the path, sends sender reports and wants, and synchronises sound and pictures.
func (p *Peer) watch(ctx context.Context, pc *webrtc.PeerConnection) error {
	tick := time.NewTicker(shareInterval)
	defer tick.Stop()
	var wants wantSender
	var face, shared pipe.LipSync
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		p.share()
		if n%sharesPerUpdate != 0 {
			continue
		}
		now := time.Now()
		p.syncLips(&face, media.Microphone, media.Camera, now)
		p.syncLips(&shared, media.SystemSound, media.Screen, now)
		if n := n / sharesPerUpdate; n < 5 || n%5 == 0 {
			p.sendReports(pc, now)
			p.setPath(pc)
			p.seekDirect(pc, now)
			p.leaveRelay(now)
		}
		wants.send(p)
	}
}

// wantSender tells the other side at which size we show its pictures, whenever that changes.
type wantSender struct {
	sent Want
	told bool
}

func (s *wantSender) send(p *Peer) {
	size := func(k media.Kind) [2]int {
		at := p.cfg.View(transport.Track{Member: p.cfg.Member, Kind: k}).Size()
		return [2]int{at.W, at.H}
	}
	w := Want{Camera: size(media.Camera), Screen: size(media.Screen)}
	w.HalfRate = p.cfg.HalfRate() && w.Camera[1] <= media.SmallTile
	if s.told && w == s.sent {
		return
	}
	p.mu.Lock()
	ch := p.channel
	p.mu.Unlock()
	if ch == nil {
		return
	}
	b, err := json.Marshal(w)
	if err == nil {
		err = ch.Send(b)
	}
	if err != nil {
		p.cfg.Log.Debug("send wants", "err", err)
		return
	}
	s.sent, s.told = w, true
}
