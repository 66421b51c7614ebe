package call

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"parley/media"
	"parley/media/pipe"
	"parley/media/transport"
	"parley/signal"
	"parley/signal/loop"
	"parley/signal/room"
	"parley/signal/trust"
)

// Config is what a Call works with.
type Config struct {
	Name    string
	Server  *url.URL // for new meetings and bare codes; nil: Host hosts them
	Host    Host     // hosts meetings without a server, and those it hosted before
	Owned   Owned    // nil: whoever created a meeting is its owner for as long as they stay in it
	Devices media.Devices
	Codecs  media.Codecs
	// Camera, Microphone and Speaker are specs as on the command line. CameraOn and
	// MicrophoneOn say whether these two start switched on.
	Camera, Microphone, Speaker string
	CameraOn, MicrophoneOn      bool
	Sound                       Sound // how the microphone is processed

	// AddressHidden says whether others are reached by relays alone.
	AddressHidden bool

	// Device is the device that vouches for us, so that others recognise us in other meetings; nil to be recognised by
	// nobody. verified says that the user has just verified somebody. It may read and write files.
	Device func(verified bool) *trust.Device

	// Transport makes the transport of one meeting.
	Transport func(transport.Config) Transport
	// Dial connects to the rendezvous; nil means the default.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)

	// Changed gets every new state, from the loop's goroutine. It must not block.
	Changed func(State)
	Log     *slog.Logger
}

// queueSize bounds the events of rooms and devices that wait for the loop. None is dropped: when the
// queue is full, the producer waits.
const queueSize = 1024

// Call is one user's part in meetings, one at a time.
type Call struct {
	cfg   Config
	queue chan event
	own   *loop.Mailbox[event]

	rooms     latestRoom
	moved     chan struct{} // holds 1: the phase of some member changed
	audio     *pipe.AudioSender
	camera    *pipe.VideoSender
	screen    *pipe.VideoSender
	sound     *pipe.AudioSender // the system's, shared with the screen
	mixer     *pipe.Mixer
	closers   []io.Closer // of the encoders and the processor
	processor media.AudioProcessor
	refused   loop.RateLimitedLog // of sound that could not be processed
	generated atomic.Bool         // the microphone is a generated tone, which noise suppression would remove
	silent    atomic.Bool         // the speaker is switched off

	mu        sync.Mutex
	state     State
	views     map[Track]*pipe.View
	sounds    map[Track]*pipe.AudioReceiver // of others
	transport Transport                     // nil outside of a meeting
}

// voice is the encoding of microphones: transparent speech with room for in-band FEC (RFC 6716 section
// 2.1.1 recommends 28 to 40 kbit/s for fullband speech). At this rate Opus adds FEC only for an expected
// loss of 10 % or more. It is switched off once everybody accepts RED (RFC 2198), which repairs more.
var voice = media.AudioConfig{Channels: 1, BitRate: 40_000, Loss: 0.1, DTX: true}

// A voice takes leanVoice, in bit/s, from when somebody's path is below leanBelow until all are above leanUntil.
// That is the least that the same section recommends. It leaves a narrow path more for the picture, and a very
// narrow one enough for the sound.
const (
	leanVoice = 28_000
	leanBelow = 400_000
	leanUntil = 600_000
)

// screenFrameRate is enough for reading and scrolling, in frames a second.
const screenFrameRate = 15

// music is the encoding of the system's sound: transparent stereo (RFC 6716 section 2.1.1 recommends 64
// to 128 kbit/s) without DTX, which would cut quiet passages.
var music = media.AudioConfig{Channels: 2, BitRate: 96_000, Music: true}

// New returns a call that does nothing until Run.
func New(cfg Config) (*Call, error) {
	enc, err := cfg.Codecs.AudioEncoder(cfg.Sound.coding(unmeasured))
	if err != nil {
		return nil, fmt.Errorf("set up audio encoder: %w", err)
	}
	stereo, err := cfg.Codecs.AudioEncoder(music)
	if err != nil {
		enc.Close()
		return nil, fmt.Errorf("set up audio encoder: %w", err)
	}
	c := &Call{
		cfg: cfg, queue: make(chan event, queueSize), own: loop.NewMailbox[event](),
		closers: []io.Closer{enc, stereo},
		rooms:   latestRoom{ready: make(chan struct{}, 1)},
		moved:   make(chan struct{}, 1),
		mixer:   pipe.NewMixer(),
		views:   make(map[Track]*pipe.View),
		sounds:  make(map[Track]*pipe.AudioReceiver),
	}
	c.audio = pipe.NewAudioSender(enc, cfg.Log)
	c.audio.Configure(cfg.Sound.coding(unmeasured))
	c.sound = pipe.NewStereoSender(stereo, cfg.Log)
	c.sound.Configure(music)
	c.camera = pipe.NewVideoSender(cfg.Codecs, c.view(track(Self, media.Camera)), cfg.Log)
	c.screen = pipe.NewVideoSender(cfg.Codecs, c.view(track(Self, media.Screen)), cfg.Log)
	c.screen.SetLimits(pipe.VideoLimits{FrameRate: screenFrameRate, Screen: true})
	c.state = State{
		Name:          room.CleanName(cfg.Name),
		Mic:           Local{On: cfg.MicrophoneOn && cfg.Microphone != media.SpecOff, Choice: cfg.Microphone},
		Camera:        Local{On: cfg.CameraOn && cfg.Camera != media.SpecOff, Choice: cfg.Camera},
		Speaker:       Local{On: true, Choice: cfg.Speaker},
		Sound:         cfg.Sound,
		AddressHidden: cfg.AddressHidden,
	}
	if err := c.openProcessor(); err != nil {
		c.closeCodecs()
		return nil, err
	}
	return c, nil
}

// Do queues a command. It never blocks and never drops one.
func (c *Call) Do(cmd Command) { c.own.Put(cmd) }

// State returns the newest snapshot.
func (c *Call) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// View shows a member's camera or screen; Self stands for our own.
func (c *Call) View(id signal.ID, kind media.Kind) media.View { return c.view(track(id, kind)) }

func (c *Call) view(t Track) *pipe.View {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.views[t] == nil {
		c.views[t] = pipe.NewView(c.cfg.Codecs, t == track(Self, media.Camera))
	}
	return c.views[t]
}

// Level is how loud a member is now, in dBFS; Self stands for our own microphone.
func (c *Call) Level(id signal.ID) float64 {
	if id == Self {
		return c.audio.Level()
	}
	if r := c.voiceOf(id); r != nil {
		return r.Level()
	}
	return media.LevelFloor
}

// tickInterval is how often the loop takes measurements.
const tickInterval = 100 * time.Millisecond

// Run is the loop of the call: it feeds events to next and carries out the effects, until ctx ends. It
// returns when everything it started has ended.
func (c *Call) Run(ctx context.Context) error {
	defer c.closeCodecs()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	x := newExecutor(ctx, c, g)
	g.Go(func() error { return c.watchDevices(ctx) })
	g.Go(func() error {
		defer cancel()
		c.loop(ctx, x)
		x.stopAll()
		return nil
	})
	return g.Wait()
}

func (c *Call) closeCodecs() {
	for _, e := range c.closers {
		e.Close()
	}
}

func (c *Call) loop(ctx context.Context, x *executor) {
	m := model{State: c.State(), server: c.parse}
	c.publish(m.State)
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	for {
		var events []event
		select {
		case <-ctx.Done():
			return
		case <-c.own.Ready():
			events = c.own.Take()
		case ev := <-c.queue:
			// The room announces a member before it delivers their messages. Take the
			// announcement first, or an offer from a new member would be lost.
			events = append(c.rooms.take(), ev)
		case <-c.rooms.ready:
			events = c.rooms.take()
		case <-c.moved:
			events = x.phases(&m)
		case <-tick.C:
			events = x.observe(&m)
		}
		now := time.Now()
		for _, ev := range events {
			x.apply(&m, ev, now)
		}
	}
}

func (c *Call) publish(s State) {
	c.mu.Lock()
	c.state = s
	c.mu.Unlock()
	c.cfg.Changed(s)
}

func (c *Call) parse(text string) (signal.Link, error) {
	return signal.ParseLink(text, c.cfg.Server)
}

// watchDevices keeps the device lists up to date.
func (c *Call) watchDevices(ctx context.Context) error {
	err := c.cfg.Devices.Watch(ctx, func(k media.Kind, devices []media.Device) {
		select {
		case c.queue <- devicesListed{k, devices}:
		case <-ctx.Done():
		}
	})
	if err != nil && ctx.Err() == nil {
		c.cfg.Log.Warn("watch devices", "err", err) // the lists stay as they are
	}
	return nil
}
