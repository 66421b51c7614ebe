package call

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/peer"
	"parley/media/pipe"
	"parley/signal"
	"parley/signal/loop"
	"parley/signal/room"
)

// executor carries out effects. It belongs to the loop's goroutine; what it starts runs in
// its group.
type executor struct {
	*Call
	ctx      context.Context
	group    *errgroup.Group
	room     *room.Room
	hosting  string // the room that is hosted here; empty: none
	devices  [4]opened
	loss     float64
	refusals loop.RateLimitedLog
	gauge    gauge
	shed     Shed
	chime    chime
	here     map[signal.ID]time.Time // when each member with a view was last there

	prepareMu sync.Mutex // one meeting is prepared at a time
	keyed     signal.Code
	keys      signal.Keys // of keyed
}

// opened is one running source or sink.
type opened struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it has let go of the hardware
}

// running is a peer and how to end it.
type running struct {
	peer   *peer.Peer
	cancel context.CancelFunc
}

func newExecutor(ctx context.Context, c *Call, g *errgroup.Group) *executor {
	x := &executor{Call: c, ctx: ctx, group: g, loss: voice.Loss, here: make(map[signal.ID]time.Time)}
	x.chime.stop()
	return x
}

// apply feeds one event to next and does what comes out.
func (x *executor) apply(m *model, ev event, now time.Time) {
	old := m.Phase
	next, effects := next(*m, ev, now)
	*m = next
	if m.Phase != old {
		x.cfg.Log.Info("phase", "from", old.String(), "to", m.Phase.String(), "cause", fmt.Sprintf("%T", ev))
	}
	for _, e := range effects {
		x.do(m, e)
	}
	for _, p := range m.Peers {
		if !p.Camera {
			x.view(p.ID, media.Camera).Pause()
		}
		if !p.Screen {
			x.view(p.ID, media.Screen).Pause()
		}
	}
	x.publish(m.State)
	x.forget(m.Peers, now)
}

// viewStays is how long a view outlives its member: whoever comes back at once is shown in the
// view that the window still holds.
const viewStays = 10 * time.Second

// forget lets go of the views of members that have left.
func (x *executor) forget(peers []Peer, now time.Time) {
	for _, p := range peers {
		x.here[p.ID] = now
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for k := range x.views {
		if _, known := x.here[k.id]; !known && k.id != Self {
			x.here[k.id] = now // asked for after its member had left
		}
	}
	for id, at := range x.here {
		if now.Sub(at) < viewStays {
			continue
		}
		delete(x.here, id)
		delete(x.views, viewKey{id, media.Camera})
		delete(x.views, viewKey{id, media.Screen})
	}
}

func (x *executor) do(m *model, e effect) {
	switch e := e.(type) {
	case prepare:
		x.group.Go(func() error { x.prepare(e); return nil })
	case openRoom:
		x.openRoom(m.link, e)
	case closeRoom:
		if x.room != nil {
			x.room.Leave()
			x.room = nil
		}
		if x.hosting != "" {
			x.cfg.Host.Close(x.hosting)
			x.hosting = ""
		}
	case unhost:
		x.cfg.Host.Close(e.room)
	case tell:
		if x.room != nil {
			x.room.Do(e.command)
		}
	case offerPeer:
		x.startPeer(e.id, e.attempt, "")
	case answerPeer:
		x.startPeer(e.id, e.attempt, e.conn)
		x.signal(e.id, e.payload)
	case passOn:
		x.signal(e.id, e.payload)
	case refuse:
		x.refusals.Warn(x.cfg.Log, "connection refused: too many attempts", "peer", short(e.id))
	case restartPeer:
		if p := x.running(e.id); p != nil {
			p.peer.Restart()
		}
	case closePeer:
		x.stopPeer(e.id)
	case openDevice:
		x.openDevice(e)
	case closeDevice:
		x.closeDevice(e.kind)
	case browse:
		x.group.Go(func() error { x.browse(e); return nil })
	case mute:
		x.audio.SetMuted(e.muted)
	case silence:
		x.silent.Store(e.silent)
	case playChime:
		x.chime.start()
	case setSound:
		x.setSound(e.sound)
	case spare:
		x.spare(e.shed)
	case later:
		x.post(e.wait, e.ev)
	}
}

// post brings an event back after a while.
func (x *executor) post(wait time.Duration, ev event) {
	x.group.Go(func() error {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
			x.put(ev)
		case <-x.ctx.Done():
		}
		return nil
	})
}

// put waits for a place in the queue. It must not be called by the loop.
func (x *executor) put(ev event) {
	select {
	case x.queue <- ev:
	case <-x.ctx.Done():
	}
}

// prepare turns a code into keys, which takes a while on purpose, and finds the server.
func (x *executor) prepare(e prepare) {
	x.prepareMu.Lock()
	defer x.prepareMu.Unlock()
	var link signal.Link
	if e.link != nil {
		link = *e.link
	} else {
		link = signal.Link{Server: x.cfg.Server, Code: signal.NewCode()}
	}
	if x.keyed != link.Code {
		x.keys, x.keyed = signal.Derive(link.Code), link.Code
	}
	done := prepared{meeting: e.meeting, link: link, keys: x.keys}
	if x.cfg.Host != nil {
		if done.hosted, done.err = x.cfg.Host.Open(link, x.keys.Room); done.hosted != nil {
			done.link = done.hosted.Link
		} else if done.err != nil {
			x.cfg.Log.Warn("host a meeting", "err", done.err)
		}
	}
	x.put(done)
}

func (x *executor) openRoom(link signal.Link, e openRoom) {
	urls := link.WebSocketURLs()
	if e.own != nil {
		x.hosting = e.keys.Room
		urls = signal.Link{Server: e.own, Code: link.Code}.WebSocketURLs()
	}
	r := room.New(room.Config{
		URLs: urls, Keys: e.keys, Me: e.me, Dial: x.cfg.Dial, Log: x.cfg.Log,
		Changed: func(s room.State) { x.rooms.put(roomChanged{e.meeting, s}) },
		Call: func(from signal.ID, payload []byte) {
			x.put(signalled{e.meeting, from, payload, peer.Offer(payload)})
		},
	})
	x.room = r
	x.group.Go(func() error {
		if err := r.Run(x.ctx); err != nil {
			x.cfg.Log.Warn("room", "err", err)
		}
		return nil
	})
}

func (x *executor) running(id signal.ID) *running {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.peers[id]
}

func (x *executor) signal(id signal.ID, payload []byte) {
	p := x.running(id)
	if p == nil {
		return
	}
	if err := p.peer.Signal(payload); err != nil {
		x.refusals.Warn(x.cfg.Log, "call message refused", "err", err)
	}
}

// startPeer begins a connection: an offer, or the answer to the offer named conn.
func (x *executor) startPeer(id signal.ID, attempt int, conn string) {
	x.stopPeer(id)
	r := x.room
	p, err := peer.New(peer.Config{
		Conn: conn, Settings: x.cfg.Settings, ICEServers: x.cfg.ICEServers,
		Certificates: x.cfg.Certificates, Codecs: x.cfg.Codecs,
		Mic: x.audio, Camera: x.camera, Screen: x.screen, ScreenAudio: x.sound,
		CameraView: x.view(id, media.Camera), ScreenView: x.view(id, media.Screen),
		// The connection before this one may still be letting go of its place in the mixer.
		Mixer: x.mixer, MixerID: fmt.Sprintf("%s/%d", id, attempt),
		Send:    func(payload []byte) { r.Send(id, payload) },
		Changed: func(ph peer.Phase) { x.put(peerChanged{id, attempt, phaseOf(ph)}) },
		Log:     x.cfg.Log.With("peer", short(id)),
	})
	if err != nil {
		x.cfg.Log.Error("peer", "err", err)
		x.own.Put(peerChanged{id, attempt, PeerFailed})
		return
	}
	ctx, cancel := context.WithCancel(x.ctx)
	x.mu.Lock()
	x.peers[id] = &running{p, cancel}
	x.mu.Unlock()
	x.group.Go(func() error {
		defer cancel()
		if err := p.Run(ctx); err != nil && ctx.Err() == nil {
			x.cfg.Log.Error("peer", "err", err)
			x.put(peerChanged{id, attempt, PeerFailed})
		}
		return nil
	})
}

func phaseOf(p peer.Phase) PeerPhase {
	return [...]PeerPhase{PeerConnecting, PeerConnected, PeerReconnecting, PeerFailed}[p]
}

// short is enough of an id to tell members apart in a log.
func short(id signal.ID) string { return string(id[:min(4, len(id))]) }

func (x *executor) stopPeer(id signal.ID) {
	x.mu.Lock()
	p := x.peers[id]
	delete(x.peers, id)
	x.mu.Unlock()
	if p != nil {
		p.cancel()
	}
}

// stopAll ends what the loop leaves behind; the group waits for it.
func (x *executor) stopAll() {
	if x.room != nil {
		x.room.Leave()
	}
	for k := range x.devices {
		x.closeDevice(media.Kind(k))
	}
}

// openDevice opens a device when the one before it has let go, and runs it.
func (x *executor) openDevice(e openDevice) {
	before := x.devices[e.kind].done
	ctx, cancel := context.WithCancel(x.ctx)
	done := make(chan struct{})
	x.devices[e.kind] = opened{cancel, done}
	x.group.Go(func() error {
		defer close(done)
		defer cancel()
		if before != nil {
			<-before
		}
		if ctx.Err() != nil {
			return nil
		}
		err := x.runDevice(ctx, e)
		if ctx.Err() == nil {
			if err == nil {
				err = errors.New("device stopped by itself")
			}
			x.cfg.Log.Warn("device", "kind", e.kind.String(), "err", err)
			x.put(deviceFailed{e.kind, e.generation, err})
		}
		return nil
	})
}

func (x *executor) closeDevice(k media.Kind) {
	if cancel := x.devices[k].cancel; cancel != nil {
		cancel()
	}
}

// observe asks the peers how they do, and shares out what their paths carry.
func (x *executor) observe(m *model) []event {
	var events []event
	x.mu.Lock()
	peers := maps.Clone(x.peers)
	x.mu.Unlock()
	loss := 0.0 // that in-band FEC is for: of those who take no repetitions
	cameras := make(map[signal.ID]pipe.VideoStats, len(peers))
	second := x.gauge.tick(time.Now())
	for _, p := range m.Peers {
		r := peers[p.ID]
		if r == nil {
			continue
		}
		r.peer.Allow(allot(r.peer.Estimate()-r.peer.Overhead(), m.Screen.Live))
		r.peer.SpareTiles(x.shed >= ShedTiles)
		if !r.peer.Repeats() {
			loss = max(loss, r.peer.Loss(), voice.Loss)
		}
		o := observed{p.ID, r.peer.Audio().Speaking(), p.Quality, p.Report}
		if second {
			st := r.peer.Stats()
			cameras[p.ID] = st.Camera
			o.quality, o.report = quality(st), report(st, p.Camera)
		}
		if o.speaking != p.Speaking || o.quality != p.Quality || o.report != p.Report {
			events = append(events, o)
		}
	}
	if loss != x.loss {
		x.loss = loss
		x.audio.Configure(m.Sound.coding(loss))
	}
	if second {
		events = append(events, x.gauge.measure(x.camera.Load(), cameras))
	}
	return events
}

// The bounds that spare sets: of the camera's shorter side in pixels, and frames a second.
const (
	cameraFrameRate = 30
	sparedHeight    = 360
)

// spare tells our own camera what it may cost.
func (x *executor) spare(s Shed) {
	x.cfg.Log.Info("processor", "shed", s.String())
	x.shed = s
	l := pipe.VideoLimits{FrameRate: cameraFrameRate}
	if s >= ShedLayer {
		l.MaxHeight = sparedHeight
	}
	if s >= ShedRate {
		l.FrameRate = cameraFrameRate / 2
	}
	x.camera.SetLimits(l)
}
