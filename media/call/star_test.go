package call

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/pipe"
	"parley/media/transport"
	"parley/signal"
)

// star is a tiny media server. Each member has one link to it and receives the tracks of all others on it.
type star struct {
	mu    sync.Mutex
	links map[signal.ID]*link
}

// link is the Transport of one member. Its only queue is the connection: everything arrives through it.
type link struct {
	star *star
	cfg  transport.Config
	down chan parcel // holds 1024; further packets are dropped, as on a network

	mu       sync.Mutex
	cameras  *pipe.Subscription // sends ours
	sounds   map[Track]*pipe.AudioReceiver
	pictures map[Track]*pipe.VideoReceiver
	arrived  map[Track]int // packets
}

// parcel is a packet on a link, with its track.
type parcel struct {
	track  Track
	packet *rtp.Packet
}

// Use and Obstacle: a media server is reached or not, and needs no servers to be found.
func (l *link) Use(transport.Route)                   {}
func (l *link) Obstacle(signal.ID) transport.Obstacle { return transport.NoObstacle }

func (s *star) connect(cfg transport.Config) Transport {
	return &link{
		star: s, cfg: cfg, down: make(chan parcel, 1024), arrived: make(map[Track]int),
		sounds: make(map[Track]*pipe.AudioReceiver), pictures: make(map[Track]*pipe.VideoReceiver),
	}
}

// linked returns the present links.
func (s *star) linked() map[signal.ID]*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.links)
}

func (s *star) join(l *link, in bool) {
	s.mu.Lock()
	if in {
		s.links[l.cfg.Me] = l
	} else {
		delete(s.links, l.cfg.Me)
	}
	s.mu.Unlock()
	for _, other := range s.linked() {
		other.cfg.Changed()
	}
}

// forward sends a member's packet to all others.
func (s *star) forward(p parcel) {
	for id, l := range s.linked() {
		if id == p.track.Member {
			continue
		}
		select {
		case l.down <- p:
		default:
		}
	}
}

func (l *link) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	camera := Track{Member: l.cfg.Me, Kind: media.Camera}
	header := rtp.Header{Version: 2, SSRC: rand.Uint32()}
	payloader := &codecs.VP8Payloader{EnablePictureID: true}
	sub := l.cfg.Pictures[media.Camera].Subscribe(pipe.VideoWant{BitRate: 500_000, Max: pipe.Size{W: 320, H: 180}}, func(p *media.Packet) {
		header.Timestamp = uint32(p.Captured.UnixMicro() * 9 / 100)
		parts := payloader.Payload(1100, p.Data)
		for i, part := range parts {
			header.SequenceNumber++
			header.Marker = i == len(parts)-1
			l.star.forward(parcel{camera, &rtp.Packet{Header: header, Payload: part}})
		}
	})
	defer sub.Cancel()
	voice := rtp.Header{Version: 2, SSRC: rand.Uint32()}
	defer l.cfg.Sounds[media.Microphone].Subscribe(func(p pipe.AudioPacket) {
		voice.SequenceNumber++
		voice.Timestamp, voice.Marker = p.Timestamp, p.Marker
		mic := Track{Member: l.cfg.Me, Kind: media.Microphone}
		l.star.forward(parcel{mic, &rtp.Packet{Header: voice, Payload: slices.Clone(p.Data)}})
	})()
	l.mu.Lock()
	l.cameras = sub
	l.mu.Unlock()
	l.star.join(l, true)
	defer l.star.join(l, false)
	for {
		select {
		case <-ctx.Done():
			return g.Wait()
		case p := <-l.down:
			if err := l.take(ctx, g, p); err != nil {
				return err
			}
		}
	}
}

// take passes a packet to the receiver of its track.
func (l *link) take(ctx context.Context, g *errgroup.Group, p parcel) error {
	l.mu.Lock()
	l.arrived[p.track]++
	sound, picture := l.sounds[p.track], l.pictures[p.track]
	l.mu.Unlock()
	switch {
	case p.track.Kind == media.Camera && picture == nil:
		picture = pipe.NewVideoReceiver(l.cfg.Codecs, l.cfg.View(p.track), pipe.MaxCamera, starFeedback{l.star, p.track.Member}, l.cfg.Log)
		g.Go(func() error { return picture.Run(ctx) })
	case p.track.Kind == media.Microphone && sound == nil:
		dec, err := l.cfg.Codecs.AudioDecoder(1)
		if err != nil {
			return err
		}
		sound = pipe.NewAudioReceiver(dec)
		stop := l.cfg.Play(p.track, sound)
		g.Go(func() error {
			<-ctx.Done()
			stop()
			return sound.Close()
		})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.track.Kind == media.Camera {
		l.pictures[p.track] = picture
		picture.Push(p.packet, time.Now())
	} else {
		l.sounds[p.track] = sound
		sound.Push(p.packet, time.Now())
	}
	return nil
}

// starFeedback requests keyframes from the sending member. No packet is ever lost, so there are no NACKs.
type starFeedback struct {
	star   *star
	member signal.ID
}

func (f starFeedback) Nack([]uint16) {}

func (f starFeedback) RequestKeyframe() {
	if l := f.star.linked()[f.member]; l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.cameras.RequestKeyframe()
	}
}

func (l *link) Follow([]transport.Member, bool) {} // the server knows who is there
func (l *link) Receive(signal.ID, []byte)       {} // members say nothing to each other
func (l *link) SetPolicy(transport.Policy)      {}
func (l *link) Phase(id signal.ID) transport.Phase {
	if l.star.linked()[id] != nil {
		return transport.Connected
	}
	return transport.Connecting
}

func (l *link) Stats(id signal.ID) (transport.Stats, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := transport.Stats{RTT: time.Millisecond, Path: "relay", Pictures: make(map[media.Kind]pipe.VideoStats)}
	for t, r := range l.pictures {
		if t.Member == id {
			s.Pictures[t.Kind] = r.Stats()
		}
	}
	return s, true
}

// TestManyMembersOverOneConnection: a call works with a transport that has one connection for all members.
// Each of three members sees and hears both others over its only link. One that leaves is gone.
func TestManyMembersOverOneConnection(t *testing.T) {
	if testing.Short() {
		t.Skip("three encoders and six decoders")
	}
	hub := &star{links: make(map[signal.ID]*link)}
	names := []string{"Ada", "Bo", "Cy"}
	calls := meet(t, rendezvous(t), func(cfg *Config) { small(cfg); cfg.Transport = hub.connect }, names...)
	for i, c := range calls {
		for j, name := range names {
			if i != j {
				perceives(t, c, name)
			}
		}
	}
	if n := len(hub.linked()); n != len(calls) {
		t.Fatalf("%d links for %d members", n, len(calls))
	}
	for _, c := range calls {
		l := hub.linked()[c.State().Room.Me.ID]
		l.mu.Lock()
		for _, p := range c.State().Peers {
			for _, k := range []media.Kind{media.Camera, media.Microphone} {
				if l.arrived[track(p.ID, k)] == 0 {
					t.Errorf("%s: nothing of %s's %s came over the link", c.State().Name, p.Name, k)
				}
			}
		}
		if len(l.pictures) != 2 || len(l.sounds) != 2 {
			t.Errorf("%s receives %d pictures and %d sounds, want both others'", c.State().Name, len(l.pictures), len(l.sounds))
		}
		l.mu.Unlock()
	}
	m := NewMeter(calls[2])
	eventually(t, "both measured", func() bool {
		line := m.Line(time.Now())
		return len(line.Peers) == 2 && line.Peers[0].VideoIn.Decoded > 0 && line.Peers[1].VideoIn.Decoded > 0
	})
	calls[0].Do(Leave{})
	eventually(t, "Ada gone", func() bool { _, there := peerNamed(calls[2], "Ada"); return !there && len(hub.linked()) == 2 })
	perceives(t, calls[2], "Bo")
}
