// Package transport has the types that a call shares with whatever carries its tracks: whose track is
// which, what is sent, and statistics.
package transport

import (
	"log/slog"
	"time"

	"parley/media"
	"parley/media/pipe"
	"parley/signal"
)

// Track names what one member sends of one kind: media.Microphone, media.Camera, media.Screen or
// media.SystemSound. It does not say over which connection.
type Track struct {
	Member signal.ID
	Kind   media.Kind
}

// Phase is the state of the connection between us and another member.
type Phase uint8

// The phases.
const (
	Connecting Phase = iota
	Connected
	Reconnecting // the path broke; looking for another
	Failed       // no path; retried from time to time
)

func (p Phase) String() string {
	return [...]string{"connecting", "connected", "reconnecting", "failed"}[p]
}

// Route is how connections find their paths.
type Route struct {
	Servers   []signal.ICEServer
	RelayOnly bool // others must not learn our address
}

// Obstacle says why there is no connection to a member, as far as it can be known here.
type Obstacle uint8

// The obstacles.
const (
	NoObstacle         Obstacle = iota // none, or nothing is known of it
	WithoutRelay                       // no direct path, and the rendezvous names no relay
	HiddenWithoutRelay                 // our address is hidden, and the rendezvous names no relay
	WithoutUDPNorRelay                 // nothing came back over UDP, and the rendezvous names no relay
	WithoutUDP                         // nothing came back over UDP, nor from the relay
	RelaySilent                        // the relay gives no address
	TheirNetwork                       // ours has a way out, and theirs lets nothing in
)

// Detour says why a path leads through a relay, as far as it can be known here.
type Detour uint8

// The detours.
const (
	NoDetour      Detour = iota // the path is direct, or there is none
	DetourHidden                // our address is hidden
	DetourNoUDP                 // nothing came back to us over UDP
	DetourTheirs                // the other side named relays alone: it hides its address, or has no UDP
	DetourFamily                // one side has IPv4 alone, and the other IPv6
	DetourRouters               // checks of the direct paths were not answered
)

func (d Detour) String() string {
	return [...]string{"", "hidden", "no-udp", "theirs", "family", "routers"}[d]
}

// Member is another member of the meeting.
type Member struct {
	ID      signal.ID
	Earlier bool // came to the rendezvous before us
}

// Policy is what a transport considers when it divides a path.
type Policy struct {
	Presenting    bool // our screen is shared and has priority over our camera
	HalfRateTiles bool // this machine is busy: ask for small pictures at half their frame rate
}

// Media is what a call sends, and where it wants what it receives. The maps do not change.
type Media struct {
	Me       signal.ID
	Codecs   media.Codecs
	Sounds   map[media.Kind]*pipe.AudioSender // what we send, by kind of track
	Pictures map[media.Kind]*pipe.VideoSender

	// View shows a track's pictures. Its size is the size in which to request them.
	View func(Track) *pipe.View
	// Play plays a track until stop is called.
	Play func(Track, *pipe.AudioReceiver) (stop func())
}

// Config is what a call gives to its transport.
type Config struct {
	Media
	// Send sends a call message to a member through the rendezvous. Changed reports that the Phase
	// of some member changed. Neither blocks, and any goroutine may call them.
	Send    func(to signal.ID, payload []byte)
	Changed func()
	Log     *slog.Logger
}

// Stats measures the tracks between us and one member since their connection started. The maps hold the
// tracks that exist.
type Stats struct {
	RTT      time.Duration // 0 while unknown
	Path     string        // host, srflx or relay; empty while there is none
	Relay    string        // of a relay: how we reach it, udp, tcp, dtls or tls
	Detour   Detour        // of a relay: why
	Estimate int           // bandwidth estimate of the path, bit/s
	Loss     float64       // of our voice, 0 to 1, as the other side sees it
	Repeats  bool          // the other side takes our voice with redundancy (RFC 2198)
	Unknown  uint64        // tracks they offer that we cannot receive
	Pace     Pace

	Pictures map[media.Kind]pipe.VideoStats // from the member
	Sounds   map[media.Kind]SoundStats      // from the member
	Out      map[media.Kind]Out             // to the member
}

// SoundStats measures a sound that we receive. Level is in dBFS.
type SoundStats struct {
	pipe.AudioStats
	Level float64
}

// Pace is how sending goes on the path, all tracks together.
type Pace struct {
	Delivered int           // lately received by the other side, bit/s
	Loss      float64       // share of packets lost lately, 0 to 1
	Limited   bool          // the path limits what we send
	Wait      time.Duration // of packets in our queue
	Dropped   uint64        // packets that found the queue full, or became out of date in it
	Probes    uint64        // bursts sent to measure the path
}

// Out measures a track that we send. Level, in dBFS, and RedDepth, the number of earlier packets that the
// newest one repeats, are for sound. Limit is for pictures.
type Out struct {
	Width, Height int
	Frames, Bytes uint64
	Level         float64
	Limit         pipe.Limit
	RedDepth      int
}
