// Package transport has the words that a call shares with whatever carries its tracks: which track
// is whose, what is sent, and how that goes.
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

// Phase is how things stand between us and another member.
type Phase uint8

// The phases.
const (
	Connecting Phase = iota
	Connected
	Reconnecting // the path broke and another is being looked for
	Failed       // no path; tried again from time to time
)

func (p Phase) String() string {
	return [...]string{"connecting", "connected", "reconnecting", "failed"}[p]
}

// Member is somebody to carry tracks to and from.
type Member struct {
	ID      signal.ID
	Earlier bool // was at the rendezvous before us
}

// Policy is what a transport takes into account when it shares out a path.
type Policy struct {
	Presenting bool // our screen is shared, and goes before our camera
	SpareTiles bool // this machine is busy: small pictures of others may come at half their rate
}

// Media is what a call sends, and where what comes from others ends up. The maps are not changed
// afterwards.
type Media struct {
	Me       signal.ID
	Codecs   media.Codecs
	Sounds   map[media.Kind]*pipe.AudioSender // our own, by kind of track
	Pictures map[media.Kind]*pipe.VideoSender

	// View shows a track's pictures; its size says how large the track is wanted.
	View func(Track) *pipe.View
	// Play has a track heard until stop is called.
	Play func(Track, *pipe.AudioReceiver) (stop func())
}

// Config is what a call gives to its transport.
type Config struct {
	Media
	// Send passes a call message to a member through the rendezvous. Changed says that some
	// member's Phase is another one now. Neither blocks, and any goroutine may call them.
	Send    func(to signal.ID, payload []byte)
	Changed func()
	Log     *slog.Logger
}

// Stats is how the tracks between us and one member do, counted since their connection began.
// In and Out have the tracks that there are.
type Stats struct {
	RTT      time.Duration // 0 while unknown
	Path     string        // host, srflx or relay; empty while there is none
	Estimate int           // what the path carries, bit/s
	Loss     float64       // of our voice, 0 to 1, as the other side sees it
	Repeats  bool          // the other side takes repetitions of our voice (RFC 2198)
	Unknown  uint64        // tracks that were offered to us and are of no kind or member we know
	Pace     Pace

	Pictures map[media.Kind]pipe.VideoStats // from the member
	Sounds   map[media.Kind]SoundStats      // from the member
	Out      map[media.Kind]Out             // to the member
}

// SoundStats counts what comes of one sound. Level is in dBFS.
type SoundStats struct {
	pipe.AudioStats
	Level float64
}

// Pace is how sending does on the path, all tracks together.
type Pace struct {
	Delivered int           // what arrived lately, bit/s
	Loss      float64       // share of all packets lost lately, 0 to 1
	Limited   bool          // the path carries less than we would send
	Wait      time.Duration // of packets before they leave
	Dropped   uint64        // packets that found the queue full
	Probes    uint64        // bursts sent to learn what the path carries
}

// Out counts what we send of one track. Level, in dBFS, and RedDepth, how many earlier packets its
// newest one repeats, are of sound; Limit is of a picture.
type Out struct {
	Width, Height int
	Frames, Bytes uint64
	Level         float64
	Limit         pipe.Limit
	RedDepth      int
}
