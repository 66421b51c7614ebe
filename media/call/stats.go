package call

import (
	"runtime"
	"time"

	"parley/media"
	"parley/media/pipe"
	"parley/media/transport"
	"parley/signal"
)

// Line is one line of --stats; docs/ARCHITECTURE.md has the schema. Rates cover the time
// since the previous line.
type Line struct {
	TMillis    int64      `json:"t_ms"`
	Phase      string     `json:"phase"`
	Me         LineMember `json:"me"`
	CPU        float64    `json:"cpu_s"`
	RSS        float64    `json:"rss_mb"`
	Goroutines int        `json:"goroutines"`
	Refused    uint64     `json:"refused_messages"`
	Shed       string     `json:"shed"` // what this machine gives up because it is too busy, see Shed
	Echo       LineEcho   `json:"echo"`
	Peers      []LinePeer `json:"peers"`
}

// LineMember names a member.
type LineMember struct {
	ID   signal.ID `json:"id"`
	Name string    `json:"name"`
}

// LineEcho is how the echo canceller does, see media.AudioProcessorStats.
type LineEcho struct {
	DelayMs float64 `json:"delay_ms"`       // from speaker to microphone; 0 while unknown
	Drift   float64 `json:"drift_ppm"`      // the speaker's clock against the microphone's
	Reduced float64 `json:"reduced_db"`     // how much quieter the echo is made; 0 without echo
	Late    uint64  `json:"late_blocks"`    // of 10 ms, which the speaker played too late to be compared
	Dropped uint64  `json:"dropped_blocks"` // of 10 ms, which the microphone never asked for
}

// LinePeer is another member.
type LinePeer struct {
	LineMember
	State     string       `json:"state"`
	Problem   string       `json:"problem"` // why there is no connection, see Problem; empty if there is one
	RTT       *float64     `json:"rtt_ms"`
	Path      string       `json:"path"`
	Relay     string       `json:"relay"`  // how we reach the relay of the path: udp, tcp, dtls or tls
	Detour    string       `json:"detour"` // why the path is relayed, see transport.Detour; empty if it is not
	Estimate  float64      `json:"estimate_kbps"`
	Unknown   uint64       `json:"unknown_tracks"` // tracks they offer that we cannot receive
	Pace      LinePace     `json:"pace"`
	VideoIn   LineVideoIn  `json:"video_in"`
	VideoOut  LineVideoOut `json:"video_out"`
	ScreenIn  LineVideoIn  `json:"screen_in"`
	ScreenOut LineVideoOut `json:"screen_out"`
	AudioIn   LineAudioIn  `json:"audio_in"`
	AudioOut  LineAudioOut `json:"audio_out"`
	SoundIn   LineAudioIn  `json:"screen_audio_in"`
	SoundOut  LineAudioOut `json:"screen_audio_out"`
}

// LinePace is how sending goes on the path, all tracks together.
type LinePace struct {
	Delivered float64 `json:"delivered_kbps"` // lately received by the other side
	Loss      float64 `json:"loss_pct"`
	WaitMs    float64 `json:"wait_ms"` // of packets in our queue
	Dropped   uint64  `json:"dropped"` // packets that found the queue full, or became out of date in it
	Probes    uint64  `json:"probes"`  // bursts sent to measure the path
}

// LineVideoIn is a picture that we receive. Frames counts painted pictures; fps is their rate.
type LineVideoIn struct {
	W          int      `json:"w"`
	H          int      `json:"h"`
	FPS        float64  `json:"fps"`
	Kbps       float64  `json:"kbps"`
	Frames     uint64   `json:"frames"`
	Decoded    uint64   `json:"decoded"`
	Keyframes  uint64   `json:"keyframes"`
	Freezes    uint64   `json:"freezes"`
	FreezeMs   float64  `json:"freeze_ms"`
	LatencyMs  *float64 `json:"latency_ms"`
	LatencyP95 *float64 `json:"latency_p95_ms"`
	DelayMs    float64  `json:"delay_ms"`
	Lost       uint64   `json:"lost"`
	Repaired   uint64   `json:"repaired"`
	Corrupt    uint64   `json:"corrupt"`
}

// LineVideoOut is a picture that we send to this member.
type LineVideoOut struct {
	W    int     `json:"w"`
	H    int     `json:"h"`
	FPS  float64 `json:"fps"`
	Kbps float64 `json:"kbps"`
	// Limit says what limits its quality: "none", "bandwidth" or "cpu". It is empty while
	// nothing is sent.
	Limit pipe.Limit `json:"limit"`
}

// LineAudioIn is a sound that we receive.
type LineAudioIn struct {
	Kbps      float64 `json:"kbps"`
	Level     float64 `json:"level_db"`
	Concealed float64 `json:"concealed_pct"`
	Jitter    float64 `json:"jitter_ms"`
	DelayMs   float64 `json:"delay_ms"`
	Underruns uint64  `json:"underruns"`
	Lost      uint64  `json:"lost"`
	Repaired  uint64  `json:"repaired"`
	// How the repaired packets were repaired: from a copy in a later packet, or by retransmission.
	RepairedRED  uint64 `json:"repaired_red"`
	RepairedNACK uint64 `json:"repaired_nack"`
	RedDepth     int    `json:"red_depth"`
}

// LineAudioOut is a sound that we send to this member.
type LineAudioOut struct {
	Kbps     float64 `json:"kbps"`
	Level    float64 `json:"level_db"`
	RedDepth int     `json:"red_depth"`
}

// Meter makes Lines. It remembers the previous counters to compute rates.
type Meter struct {
	call   *Call
	start  time.Time
	last   time.Time
	before map[signal.ID]transport.Stats
}

// NewMeter returns a meter whose clock starts now.
func NewMeter(c *Call) *Meter {
	now := time.Now()
	return &Meter{call: c, start: now, last: now, before: make(map[signal.ID]transport.Stats)}
}

// Line measures now.
func (m *Meter) Line(now time.Time) Line {
	s := m.call.State()
	l := Line{
		TMillis: now.Sub(m.start).Milliseconds(), Phase: s.Phase.String(),
		Me:  LineMember{s.Room.Me.ID, s.Name},
		CPU: cpuSeconds(), RSS: residentMB(), Goroutines: runtime.NumGoroutine(),
		Refused: s.Room.Refused, Shed: s.Shed.String(), Peers: []LinePeer{},
	}
	e := m.call.processor.Stats()
	l.Echo = LineEcho{DelayMs: e.Delay, Drift: e.Drift, Reduced: e.Enhanced, Late: e.Late, Dropped: e.Dropped}
	dt := now.Sub(m.last).Seconds()
	m.last = now
	before := make(map[signal.ID]transport.Stats)
	for _, p := range s.Peers {
		lp := LinePeer{LineMember: LineMember{p.ID, p.Name}, State: p.Phase.String(), Problem: p.Problem.String()}
		st, ok := m.call.stats(p.ID)
		if ok {
			before[p.ID] = st
		}
		lp.fill(st, m.before[p.ID], dt)
		l.Peers = append(l.Peers, lp)
	}
	m.before = before
	return l
}

func (l *LinePeer) fill(s, b transport.Stats, dt float64) {
	if s.RTT > 0 {
		l.RTT = millis(s.RTT)
	}
	l.Path, l.Relay, l.Detour, l.Estimate, l.Unknown = s.Path, s.Relay, s.Detour.String(), float64(s.Estimate)/1000, s.Unknown
	l.Pace = LinePace{
		Delivered: float64(s.Pace.Delivered) / 1000, Loss: 100 * s.Pace.Loss, WaitMs: *millis(s.Pace.Wait),
		Dropped: s.Pace.Dropped, Probes: s.Pace.Probes,
	}
	in := func(k media.Kind) LineVideoIn { return lineVideoIn(s.Pictures[k], b.Pictures[k], dt) }
	out := func(k media.Kind) LineVideoOut { return lineVideoOut(s.Out[k], b.Out[k], dt) }
	hear := func(k media.Kind) LineAudioIn { return lineAudioIn(heard(s, k), b.Sounds[k], dt) }
	speak := func(k media.Kind) LineAudioOut { return lineAudioOut(spoken(s, k), b.Out[k], dt) }
	l.VideoIn, l.VideoOut = in(media.Camera), out(media.Camera)
	l.ScreenIn, l.ScreenOut = in(media.Screen), out(media.Screen)
	l.AudioIn, l.AudioOut = hear(media.Microphone), speak(media.Microphone)
	l.SoundIn, l.SoundOut = hear(media.SystemSound), speak(media.SystemSound)
}

// heard is the sound of a kind that we receive. If there is none, it is silence: a level of 0 would be the
// loudest.
func heard(s transport.Stats, k media.Kind) transport.SoundStats {
	if sound, ok := s.Sounds[k]; ok {
		return sound
	}
	return transport.SoundStats{Level: media.LevelFloor}
}

// spoken is the sound of a kind that we send. If there is none, it is silence.
func spoken(s transport.Stats, k media.Kind) transport.Out {
	if out, ok := s.Out[k]; ok {
		return out
	}
	return transport.Out{Level: media.LevelFloor}
}

func lineAudioIn(s, b transport.SoundStats, dt float64) LineAudioIn {
	return LineAudioIn{
		Kbps: kbps(s.Bytes, b.Bytes, dt), Level: s.Level,
		Concealed: s.ConcealedPercent(), Jitter: *millis(s.Jitter), DelayMs: *millis(s.Delay),
		Underruns: s.Underruns, Lost: s.Lost, Repaired: s.Repaired,
		RepairedRED: s.RepairedRED, RepairedNACK: s.RepairedNACK, RedDepth: s.RedDepth,
	}
}

func lineAudioOut(s, b transport.Out, dt float64) LineAudioOut {
	return LineAudioOut{Kbps: kbps(s.Bytes, b.Bytes, dt), Level: s.Level, RedDepth: s.RedDepth}
}

func lineVideoIn(s, b pipe.VideoStats, dt float64) LineVideoIn {
	l := LineVideoIn{
		W: s.Width, H: s.Height, FPS: rate(s.Painted, b.Painted, dt), Kbps: kbps(s.Bytes, b.Bytes, dt),
		Frames: s.Painted, Decoded: s.Frames, Keyframes: s.Keyframes,
		Freezes: s.Freezes, FreezeMs: *millis(s.FreezeTime), DelayMs: *millis(s.Delay),
		Lost: s.Lost, Repaired: s.Repaired, Corrupt: s.Corrupt,
	}
	if s.Latency > 0 {
		l.LatencyMs, l.LatencyP95 = millis(s.Latency), millis(s.LatencyP95)
	}
	return l
}

func lineVideoOut(s, b transport.Out, dt float64) LineVideoOut {
	return LineVideoOut{W: s.Width, H: s.Height, FPS: rate(s.Frames, b.Frames, dt), Kbps: kbps(s.Bytes, b.Bytes, dt), Limit: s.Limit}
}

// rate is in events a second. A counter that has restarted counts from zero.
func rate(now, before uint64, dt float64) float64 {
	if dt <= 0 {
		return 0
	}
	if now < before {
		before = 0
	}
	return float64(now-before) / dt
}

func kbps(now, before uint64, dt float64) float64 { return rate(now, before, dt) * 8 / 1000 }

func millis(d time.Duration) *float64 {
	ms := float64(d.Microseconds()) / 1000
	return &ms
}
