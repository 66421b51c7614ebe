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

	"github.com/pion/webrtc/v4"
	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/congestion"
	"parley/media/pipe"
)

// Phase is how the connection stands.
type Phase uint8

// The phases of a connection.
const (
	Connecting Phase = iota
	Connected
	Disconnected // the path is silent; an ICE restart may find another
	Failed       // no path was found
)

// Config is everything a Peer works with. All fields but Conn, ICEServers and Certificates
// are required.
type Config struct {
	Conn         string // of the offer to be answered; empty to make an offer
	Settings     webrtc.SettingEngine
	ICEServers   []webrtc.ICEServer
	Certificates []webrtc.Certificate
	Codecs       media.Codecs

	Mic            *pipe.AudioSender
	Camera, Screen *pipe.VideoSender
	ScreenAudio    *pipe.AudioSender // two channels

	CameraView, ScreenView *pipe.View
	Mixer                  *pipe.Mixer
	MixerID                string // of the microphone; the screen's sound has it with /screen

	// Send passes a call message to the other member; it must not block.
	Send func(payload []byte)
	// Changed is told every new phase; it must not block.
	Changed func(Phase)
	Log     *slog.Logger
}

// The tracks of a connection, in the order of their transceivers, the same at both ends.
const (
	mic = iota
	camera
	screen
	sound // of the screen
	trackCount
)

// inboxSize is how many call messages wait to be handled: several connections' worth. More
// are dropped and logged; a restart mends what that breaks.
const inboxSize = 128

// Peer is one connection. Its methods may be called from any goroutine.
type Peer struct {
	cfg     Config
	conn    string
	offers  bool
	inbox   chan message
	restart chan struct{}
	abused  chan struct{} // closed when the other side has done what no Parley does
	// describing is held from making a description until it is sent: candidates that
	// overtook it would not fit the description the other side has, and be dropped.
	describing sync.Mutex
	// restarted is when the last ICE restart began; it belongs to negotiate.
	restarted time.Time
	guard     guard // the same
	tracks    [trackCount]*track
	video     [trackCount]*pipe.VideoReceiver // nil for sound
	audio     *pipe.AudioReceiver
	sound     *pipe.AudioReceiver

	rtt   atomic.Int64  // time.Duration
	loss  atomic.Uint32 // of our sound, in 1/256 (RFC 3550 fraction lost)
	spare atomic.Bool   // small pictures may move less smoothly

	mu                               sync.Mutex
	pc                               *webrtc.PeerConnection
	out                              *congestion.Sender // nil before Run
	channel                          *webrtc.DataChannel
	want                             Want            // what the other side shows
	allowed                          [trackCount]int // bit/s for each picture
	unsubscribeMic, unsubscribeSound func()          // end sending sound; nil while none is sent
	subs                             [trackCount]*pipe.Subscription
	connected                        bool
	closing                          bool // no goroutine is started any more
	path                             string
}

// New returns a Peer that does nothing until Run.
func New(cfg Config) (*Peer, error) {
	p := &Peer{
		cfg: cfg, conn: cfg.Conn,
		inbox: make(chan message, inboxSize), restart: make(chan struct{}, 1), abused: make(chan struct{}),
		// Until the other side says otherwise it shows the camera in full.
		want:    Want{Camera: [2]int{1280, 720}, Screen: [2]int{1920, 1080}},
		allowed: [trackCount]int{camera: startRate, screen: startRate},
	}
	if p.conn == "" {
		p.conn, p.offers = newConn(), true
	}
	p.tracks[mic] = newTrack("mic", webrtc.RTPCodecTypeAudio, media.SampleRate)
	p.tracks[camera] = newTrack("camera", webrtc.RTPCodecTypeVideo, 90000)
	p.tracks[screen] = newTrack("screen", webrtc.RTPCodecTypeVideo, 90000)
	p.tracks[sound] = newTrack("sound", webrtc.RTPCodecTypeAudio, media.SampleRate)
	dec, err := cfg.Codecs.AudioDecoder(1)
	if err != nil {
		return nil, fmt.Errorf("set up audio decoder: %w", err)
	}
	p.audio = pipe.NewAudioReceiver(dec)
	if dec, err = cfg.Codecs.AudioDecoder(media.SpeakerChannels); err != nil {
		p.audio.Close()
		return nil, fmt.Errorf("set up audio decoder: %w", err)
	}
	p.sound = pipe.NewStereoReceiver(dec)
	for i, r := range map[int]*pipe.AudioReceiver{mic: p.audio, sound: p.sound} {
		r.RedType, r.Nack = payloadRED, feedback{p, i}.Nack
	}
	p.video[camera] = pipe.NewVideoReceiver(cfg.Codecs, cfg.CameraView, pipe.MaxCamera, feedback{p, camera}, cfg.Log)
	p.video[screen] = pipe.NewVideoReceiver(cfg.Codecs, cfg.ScreenView, pipe.MaxScreen, feedback{p, screen}, cfg.Log)
	return p, nil
}

// Conn names this attempt at a connection.
func (p *Peer) Conn() string { return p.conn }

// Signal takes a call message from the other member. What belongs to another connection is
// ignored.
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

// Restart looks for a new path, keeping everything else as it is.
func (p *Peer) Restart() {
	select {
	case p.restart <- struct{}{}:
	default:
	}
}

// Audio is the remote microphone.
func (p *Peer) Audio() *pipe.AudioReceiver { return p.audio }

// Run connects, and stays until ctx ends or the connection cannot be set up.
func (p *Peer) Run(ctx context.Context) error {
	defer p.audio.Close()
	defer p.sound.Close()
	out := p.newSender()
	p.guard.loopback = offline()
	pc, err := newConnection(p.cfg, out, p.guard.loopback)
	if err != nil {
		return fmt.Errorf("set up connection: %w", err)
	}
	p.mu.Lock()
	p.pc, p.out = pc, out
	p.mu.Unlock()
	for _, i := range []int{camera, screen} {
		p.tracks[i].renewed(out.Renew)
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	p.cfg.Mixer.Add(p.cfg.MixerID, p.audio)
	defer p.cfg.Mixer.Remove(p.cfg.MixerID)
	p.cfg.Mixer.Add(p.cfg.MixerID+"/screen", p.sound)
	defer p.cfg.Mixer.Remove(p.cfg.MixerID + "/screen")
	if err := p.prepare(ctx, g, pc); err != nil {
		p.close()
		return errors.Join(err, pc.GracefulClose(), g.Wait())
	}
	g.Go(func() error { return p.negotiate(ctx, pc) })
	g.Go(func() error { return p.watch(ctx, pc) })
	g.Go(func() error { return p.video[camera].Run(ctx) })
	g.Go(func() error { return p.video[screen].Run(ctx) })
	select {
	case <-ctx.Done():
	case <-p.abused:
		cancel()
	}
	p.close()
	if err := pc.GracefulClose(); err != nil {
		p.cfg.Log.Debug("close connection", "err", err)
	}
	return g.Wait()
}

// prepare sets up transceivers, data channel and callbacks, and the goroutines that read.
func (p *Peer) prepare(ctx context.Context, g *errgroup.Group, pc *webrtc.PeerConnection) error {
	for i, t := range p.tracks {
		tr, err := pc.AddTransceiverFromTrack(t, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendrecv})
		if err != nil {
			return fmt.Errorf("add %s: %w", t.id, err)
		}
		g.Go(func() error { p.readSenderRTCP(i, tr.Sender()); return nil })
	}
	if err := p.openChannel(ctx, pc); err != nil {
		return err
	}
	pc.OnTrack(func(remote *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		i := transceiverIndex(pc, receiver)
		p.mu.Lock()
		defer p.mu.Unlock()
		if i < 0 || p.closing {
			return // Pion calls from a goroutine of its own, perhaps late
		}
		g.Go(func() error { p.readRTP(i, remote); return nil })
		g.Go(func() error { p.readReceiverRTCP(i, receiver); return nil })
	})
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c == nil {
			return
		}
		init := c.ToJSON()
		p.describing.Lock()
		defer p.describing.Unlock()
		p.cfg.Send(message{Conn: p.conn, Type: typeCandidate, Candidate: &init}.encode())
	})
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if ctx.Err() == nil {
			p.onState(s)
		}
	})
	return nil
}

func transceiverIndex(pc *webrtc.PeerConnection, r *webrtc.RTPReceiver) int {
	for i, t := range pc.GetTransceivers() {
		if i < trackCount && t.Receiver() == r {
			return i
		}
	}
	return -1
}

func (p *Peer) onState(s webrtc.PeerConnectionState) {
	p.cfg.Log.Info("connection", "state", s.String())
	switch s {
	case webrtc.PeerConnectionStateConnected:
		p.mu.Lock()
		p.connected = true
		p.mu.Unlock()
		p.subscribe()
		p.cfg.Changed(Connected)
	case webrtc.PeerConnectionStateDisconnected:
		p.cfg.Changed(Disconnected)
	case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed: // the other side has closed it
		p.cfg.Changed(Failed)
	}
}

// onWant takes what the other side shows.
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

// Want is what the other side shows of ours.
func (p *Peer) Want() Want {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.want
}

// Allow shares out what the path carries: so many bit/s for our camera and our screen.
func (p *Peer) Allow(cameraRate, screenRate int) {
	p.mu.Lock()
	p.allowed[camera], p.allowed[screen] = cameraRate, screenRate
	p.mu.Unlock()
	p.subscribe()
}

// subscribe connects our senders with the tracks that the other side wants, and tells them how
// much it can take.
func (p *Peer) subscribe() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.connected {
		return
	}
	p.steer()
	if p.unsubscribeMic == nil {
		p.unsubscribeMic = p.cfg.Mic.Subscribe(p.tracks[mic].writeAudio)
		p.unsubscribeSound = p.cfg.ScreenAudio.Subscribe(p.tracks[sound].writeAudio)
	}
	for i, shown := range [trackCount][2]int{camera: p.want.Camera, screen: p.want.Screen} {
		if isSound(i) {
			continue
		}
		want := pipe.VideoWant{
			BitRate: p.allowed[i], Max: pipe.Size{W: shown[0], H: shown[1]}, HalfRate: p.want.HalfRate && i == camera,
		}
		switch {
		case shown[0] == 0:
			p.unsubscribe(i)
		case p.subs[i] == nil:
			p.subs[i] = p.sender(i).Subscribe(want, p.tracks[i].writeVideo)
		default:
			p.subs[i].Set(want)
		}
	}
}

func (p *Peer) unsubscribe(i int) {
	if p.subs[i] != nil {
		p.subs[i].Cancel()
		p.subs[i] = nil
	}
}

// requestKeyframe has one of our pictures begin anew for the other side.
func (p *Peer) requestKeyframe(i int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.subs[i] != nil {
		p.subs[i].RequestKeyframe()
	}
}

// close stops sending.
func (p *Peer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.connected, p.closing = false, true
	if p.unsubscribeMic != nil {
		p.unsubscribeMic()
		p.unsubscribeSound()
		p.unsubscribeMic, p.unsubscribeSound = nil, nil
	}
	p.unsubscribe(camera)
	p.unsubscribe(screen)
}

func (p *Peer) sender(i int) *pipe.VideoSender {
	if i == screen {
		return p.cfg.Screen
	}
	return p.cfg.Camera
}

// watchInterval is how often the one goroutine per peer looks at statistics and wants.
const watchInterval = pipe.SyncInterval

// SpareTiles says whether the other side's picture may move at half its rate where it is no
// higher than media.SmallTile.
func (p *Peer) SpareTiles(on bool) { p.spare.Store(on) }

// watch sends sender reports and wants and keeps sound and pictures together.
func (p *Peer) watch(ctx context.Context, pc *webrtc.PeerConnection) error {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	var sent Want
	var told bool
	var face, shared pipe.LipSync
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := time.Now()
		syncLips(&face, p.audio, p.video[camera], now)
		syncLips(&shared, p.sound, p.video[screen], now)
		if n < 5 || n%5 == 0 {
			p.sendReports(pc, now)
			p.setPath(pc)
		}
		w := Want{Camera: dims(p.cfg.CameraView.Size()), Screen: dims(p.cfg.ScreenView.Size())}
		w.HalfRate = p.spare.Load() && w.Camera[1] <= media.SmallTile
		if told && w == sent {
			continue
		}
		p.mu.Lock()
		ch := p.channel
		p.mu.Unlock()
		if ch == nil {
			continue
		}
		b, err := json.Marshal(w)
		if err == nil {
			err = ch.Send(b)
		}
		if err != nil {
			p.cfg.Log.Debug("send wants", "err", err)
			continue
		}
		sent, told = w, true
	}
}

func dims(s pipe.Size) [2]int { return [2]int{s.W, s.H} }
