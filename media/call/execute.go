package call

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/pipe"
	"parley/media/transport"
	"parley/signal"
	"parley/signal/identity"
	"parley/signal/room"
	"parley/signal/roster"
)

// executor carries out effects. Only the loop's goroutine uses it; what it starts runs in its group.
type executor struct {
	*Call
	ctx       context.Context
	group     *errgroup.Group
	room      *room.Room
	hosting   string // the room that this app hosts; empty: none
	devices   [4]opened
	paths     soundPaths
	loadMeter loadMeter
	shed      Shed
	policy    transport.Policy // what the transport was told
	chime     chime
	here      map[signal.ID]time.Time // when each member with a view was last present

	stopTransport context.CancelFunc // nil outside of a meeting

	prepareMu sync.Mutex // one meeting is prepared at a time
	keyed     signal.Code
	keys      signal.Keys // derived from keyed
}

// opened is one running source or sink.
type opened struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the hardware is released
}

func newExecutor(ctx context.Context, c *Call, g *errgroup.Group) *executor {
	x := &executor{Call: c, ctx: ctx, group: g, paths: unmeasured, here: make(map[signal.ID]time.Time)}
	x.chime.stop()
	return x
}

// apply feeds one event to next and carries out the effects.
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
			x.view(track(p.ID, media.Camera)).Pause()
		}
		if !p.Screen {
			x.view(track(p.ID, media.Screen)).Pause()
		}
	}
	x.publish(m.State)
	x.forget(m.Peers, now)
}

// viewStays is how long a view outlives its member. The window still holds it, and somebody who comes
// back at once is shown in it.
const viewStays = 10 * time.Second

// forget drops the views of members that left.
func (x *executor) forget(peers []Peer, now time.Time) {
	for _, p := range peers {
		x.here[p.ID] = now
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for k := range x.views {
		if _, known := x.here[k.Member]; !known && k.Member != Self {
			x.here[k.Member] = now // requested after its member left
		}
	}
	for id, at := range x.here {
		if now.Sub(at) < viewStays {
			continue
		}
		delete(x.here, id)
		delete(x.views, track(id, media.Camera))
		delete(x.views, track(id, media.Screen))
	}
}

func (x *executor) do(m *model, e effect) {
	switch e := e.(type) {
	case prepare:
		x.group.Go(func() error { x.prepare(e); return nil })
	case openRoom:
		x.openRoom(m.link, e)
	case closeRoom:
		x.closeTransport()
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
			if _, verify := e.command.(room.Verify); verify && m.Room.Safety.Known {
				r := x.room
				x.group.Go(func() error { x.show(r, true); return nil })
			}
		}
	case carry:
		if t := x.carrier(); t != nil {
			t.Use(e.route)
			t.Follow(e.members, e.online)
			x.lookAtPhases() // the transport may have connected to a new member already
		}
	case passOn:
		if t := x.carrier(); t != nil {
			t.Receive(e.from, e.payload)
		}
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
	case setShed:
		x.shedLoad(e.shed)
	case later:
		x.post(e.wait, e.ev)
	}
}

// post delivers an event after a delay.
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

// put waits for room in the queue. The loop itself must not call it.
func (x *executor) put(ev event) {
	select {
	case x.queue <- ev:
	case <-x.ctx.Done():
	}
}

// prepare derives keys from the code, which is slow by design where the code is short, and finds or hosts the rendezvous.
func (x *executor) prepare(e prepare) {
	x.prepareMu.Lock()
	defer x.prepareMu.Unlock()
	var link signal.Link
	var key ed25519.PrivateKey
	if e.link != nil {
		link = *e.link
	} else {
		link = signal.Link{Server: x.cfg.Server, Code: signal.NewCode()}
		if e.short {
			link.Code = signal.NewShortCode()
		}
		_, key, _ = ed25519.GenerateKey(nil) // never fails: crypto/rand ends the program instead
	}
	if x.keyed != link.Code {
		x.keys, x.keyed = signal.Derive(link.Code), link.Code
	}
	done := prepared{meeting: e.meeting, link: link, keys: x.keys, identity: identity.New(), key: key}
	if e.link != nil && x.cfg.Owned != nil {
		done.key, done.saved = x.cfg.Owned.Find(x.keys.Room)
	}
	if done.key != nil { // also where a code alone was typed
		link.Owner = roster.Fingerprint(done.key[ed25519.PrivateKeySize-ed25519.PublicKeySize:])
		done.link = link
	}
	if x.cfg.Host != nil {
		known := make(chan struct{})
		defer close(known)
		changed := func(h *Hosted) {
			<-known // prepared comes first
			x.put(hostingChanged{e.meeting, h})
		}
		if e.hidden {
			changed = nil
		}
		if done.hosted, done.err = x.cfg.Host.Open(link, x.keys.Room, changed); done.hosted != nil {
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
		URLs: urls, Keys: e.keys, Identity: e.identity, Me: e.me, Dial: x.cfg.Dial, Log: x.cfg.Log,
		Owner: link.Owner, OwnerKey: e.key, Saved: e.saved,
		Changed: func(s room.State) { x.rooms.put(roomChanged{e.meeting, s}) },
		Call: func(from signal.ID, payload []byte) {
			x.put(signalled{e.meeting, from, payload})
		},
		Noticed: func(n room.Notice) { x.put(noticed{e.meeting, n}) },
		Keep: func(key ed25519.PrivateKey, saved []byte) {
			if x.cfg.Owned != nil {
				x.cfg.Owned.Keep(e.keys.Room, key, saved)
			}
		},
	})
	x.room = r
	x.openTransport(e.me.ID, r.Send)
	x.group.Go(func() error {
		x.show(r, false)
		if err := r.Run(x.ctx); err != nil {
			x.cfg.Log.Warn("room", "err", err)
		}
		return nil
	})
}

// show has our device vouch for us in a meeting, if it is to be shown.
func (x *executor) show(r *room.Room, verified bool) {
	if x.cfg.Device == nil {
		return
	}
	if d := x.cfg.Device(verified); d != nil {
		r.Show(d)
	}
}

// stopAll ends what the loop has started; the group waits for it.
func (x *executor) stopAll() {
	if x.room != nil {
		x.room.Leave()
	}
	for k := range x.devices {
		x.closeDevice(media.Kind(k))
	}
}

// openDevice opens and runs a device as soon as the one before it has released the hardware.
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
			x.cfg.Log.Warn("a device cannot be used", "kind", e.kind.String(), "err", err)
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

// observe finds out who speaks and, once a second, reads the statistics.
func (x *executor) observe(m *model) []event {
	if t := x.carrier(); t != nil {
		if p := (transport.Policy{Presenting: m.Screen.Live, HalfRateTiles: x.shed >= ShedTiles}); p != x.policy {
			x.policy = p
			t.SetPolicy(p)
		}
	}
	var events []event
	second := x.loadMeter.tick(time.Now())
	var measured map[signal.ID]transport.Stats
	if second {
		measured = make(map[signal.ID]transport.Stats, len(m.Peers))
	}
	for _, p := range m.Peers {
		voice := x.voiceOf(p.ID)
		o := observed{p.ID, voice != nil && voice.Speaking(), p.Quality, p.Report}
		if second {
			if s, ok := x.stats(p.ID); ok {
				measured[p.ID] = s
				o.quality, o.report = quality(s), report(s, p.Camera)
			}
		}
		if o.speaking != p.Speaking || o.quality != p.Quality || o.report != p.Report {
			events = append(events, o)
		}
	}
	if !second {
		return events
	}
	if paths := x.paths.next(measured); paths != x.paths {
		x.paths = paths
		x.audio.Configure(m.Sound.coding(paths))
	}
	return append(events, x.loadMeter.measure(x.camera.Load(), measured))
}

// What shedLoad limits: frames a second, and the camera's shorter side in pixels.
const (
	cameraFrameRate = 30
	busyHeight      = 360
)

// shedLoad limits our camera to what the step allows.
func (x *executor) shedLoad(s Shed) {
	x.cfg.Log.Info("processor", "shed", s.String())
	x.shed = s
	l := pipe.VideoLimits{FrameRate: cameraFrameRate}
	if s >= ShedLayer {
		l.MaxHeight = busyHeight
	}
	if s >= ShedRate {
		l.FrameRate = cameraFrameRate / 2
	}
	x.camera.SetLimits(l)
}
