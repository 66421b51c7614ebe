package call

import (
	"context"

	"parley/media"
	"parley/media/pipe"
	"parley/media/transport"
	"parley/signal"
)

// Track names what one member sends of one kind.
type Track = transport.Track

func track(id signal.ID, k media.Kind) Track { return Track{Member: id, Kind: k} }

// Transport carries the tracks of one meeting: ours to the other members, theirs to us. How many
// connections it uses is its own business. Any goroutine may call its methods; none of them waits for the
// network.
type Transport interface {
	// Run does the work until ctx ends. It returns when everything it started has ended.
	Run(ctx context.Context) error
	// Follow tells who is in the meeting now, and whether the rendezvous is reachable, without which
	// no call message arrives.
	Follow(members []transport.Member, online bool)
	// Use tells how to look for paths from now on. Where RelayOnly changes, connections begin anew.
	Use(transport.Route)
	// Receive takes a call message of a member.
	Receive(from signal.ID, payload []byte)
	// SetPolicy changes how paths are divided.
	SetPolicy(transport.Policy)
	// Phase is the state of the connection with a member; Connecting for an unknown one.
	Phase(id signal.ID) transport.Phase
	// Obstacle says what was in the way when the connection with a member last failed.
	Obstacle(id signal.ID) transport.Obstacle
	// Stats measures the tracks to and from a member; false while there are none.
	Stats(id signal.ID) (transport.Stats, bool)
}

// openTransport runs a transport for a meeting until closeTransport.
func (x *executor) openTransport(me signal.ID, send func(to signal.ID, payload []byte)) {
	t := x.cfg.Transport(transport.Config{
		Media: transport.Media{
			Me: me, Codecs: x.cfg.Codecs,
			Sounds:   map[media.Kind]*pipe.AudioSender{media.Microphone: x.audio, media.SystemSound: x.sound},
			Pictures: map[media.Kind]*pipe.VideoSender{media.Camera: x.camera, media.Screen: x.screen},
			View:     x.view, Play: x.play,
		},
		Send:    send,
		Changed: x.lookAtPhases, Log: x.cfg.Log,
	})
	ctx, cancel := context.WithCancel(x.ctx)
	x.setTransport(t)
	x.policy = transport.Policy{}
	x.stopTransport = cancel
	x.group.Go(func() error {
		if err := t.Run(ctx); err != nil {
			x.cfg.Log.Error("transport", "err", err)
		}
		return nil
	})
}

func (x *executor) closeTransport() {
	if x.stopTransport != nil {
		x.stopTransport()
		x.stopTransport = nil
	}
	x.setTransport(nil)
}

func (c *Call) setTransport(t Transport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.transport = t
}

// carrier is the transport of the present meeting; nil outside of a meeting.
func (c *Call) carrier() Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.transport
}

// stats measures the tracks to and from a member; false while there are none.
func (c *Call) stats(id signal.ID) (transport.Stats, bool) {
	if t := c.carrier(); t != nil {
		return t.Stats(id)
	}
	return transport.Stats{}, false
}

// lookAtPhases makes the loop call phases soon.
func (c *Call) lookAtPhases() {
	select {
	case c.moved <- struct{}{}:
	default: // it will look anyway
	}
}

// phases finds the members whose phase changed.
func (x *executor) phases(m *model) []event {
	t := x.carrier()
	if t == nil {
		return nil
	}
	var events []event
	for _, p := range m.Peers {
		if now := t.Phase(p.ID); now != p.Phase {
			events = append(events, phaseChanged{p.ID, now, t.Obstacle(p.ID)})
		}
	}
	return events
}

// play plays a track and makes its level known, until stop is called.
func (c *Call) play(t Track, r *pipe.AudioReceiver) (stop func()) {
	c.mixer.Add(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sounds[t] = r
	return func() {
		c.mixer.Remove(r)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.sounds[t] == r { // and not a later connection's
			delete(c.sounds, t)
		}
	}
}

// voiceOf is the receiver of a member's microphone; nil if there is none.
func (c *Call) voiceOf(id signal.ID) *pipe.AudioReceiver {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sounds[track(id, media.Microphone)]
}
