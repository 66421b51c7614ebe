// Package media is the vocabulary of the media path: frames, packets, and the small
// interfaces that devices and codecs fulfil. It is pure Go and starts nothing.
package media

import (
	"context"
	"errors"
	"fmt"
	"image"
)

// Errors a device or codec reports. Callers branch on these with errors.Is; the text
// around them says which device or file.
var (
	ErrNoDevice    = errors.New("no such device")
	ErrBusy        = errors.New("device is in use by another program")
	ErrLost        = errors.New("device was unplugged")
	ErrFormat      = errors.New("format is not supported")
	ErrCorrupt     = errors.New("corrupt data")
	ErrUnsupported = errors.New("not supported on this system")
)

// Kind is what a device does.
type Kind uint8

// The kinds of device.
const (
	Camera Kind = iota
	Microphone
	Speaker
	Screen
	SystemSound // what the machine plays; in no list
)

func (k Kind) String() string {
	switch k {
	case Camera:
		return "camera"
	case Microphone:
		return "microphone"
	case Speaker:
		return "speaker"
	case Screen:
		return "screen"
	case SystemSound:
		return "system-sound"
	}
	return "device"
}

// Specs that name no particular device.
const (
	SpecDefault = "default" // whatever the system prefers, followed when that changes
	SpecOff     = "off"     // no device
	SpecTest    = "test"    // camera: the generated picture that carries its capture time
	SpecTone    = "tone"    // microphone: a generated sine
)

// Device is one entry of a device list. ID is what Open takes and what is remembered;
// Name is for people.
type Device struct {
	Kind    Kind
	ID      string
	Name    string
	Default bool
	Muted   bool // of a microphone: the system has muted it, and it delivers silence
}

// Choose finds the device that spec means: the default one (or else the first), or one
// with this ID, or else this name.
func Choose(devices []Device, kind Kind, spec string) (Device, error) {
	if spec == SpecDefault || spec == "" {
		for _, d := range devices {
			if d.Default {
				return d, nil
			}
		}
		if len(devices) > 0 {
			return devices[0], nil
		}
		return Device{}, fmt.Errorf("open %s: %w", kind, ErrNoDevice)
	}
	for _, d := range devices {
		if d.ID == spec {
			return d, nil
		}
	}
	for _, d := range devices {
		if d.Name == spec {
			return d, nil
		}
	}
	return Device{}, fmt.Errorf("open %s %q: %w", kind, spec, ErrNoDevice)
}

// Devices lists and opens what the machine has. A spec is one of the Spec constants, a
// Device ID, a device's name, or a file's path, as on the command line.
//
// Opening reports ErrNoDevice, ErrBusy or ErrFormat at once where the device can tell;
// what happens later comes back from the source's Run.
type Devices interface {
	List(kind Kind) ([]Device, error)
	// Watch hands over, from one goroutine, the list of each kind: at once, and again when a device, a default or a
	// mute is another one than in the list before. It returns when ctx ends.
	Watch(ctx context.Context, list func(Kind, []Device)) error
	OpenCamera(spec string) (VideoSource, error)
	OpenScreen(id string, o ScreenOptions) (VideoSource, error)
	// Shareables lists screens and windows with pictures of at most the given size. Without
	// a display it is ErrNoDevice, where screens cannot be seen ErrUnsupported.
	Shareables(preview image.Point) ([]Shareable, error)
	OpenMicrophone(spec string) (AudioSource, error)
	OpenSpeaker(spec string) (AudioSink, error)
	// OpenSystemSound opens what the machine plays, in two channels, without what this
	// process plays. It is ErrUnsupported where that cannot be had.
	OpenSystemSound() (AudioSource, error)
}

// VideoSource is an opened camera or screen.
type VideoSource interface {
	// Info names the device behind the source and its picture format.
	Info() VideoInfo
	// Run captures until ctx ends, and then returns nil, or until the device fails.
	// The frame belongs to the source: emit calls Retain to keep it past its return.
	// Run closes the device before it returns and is called at most once; a source
	// that is never run must be closed with Close.
	Run(ctx context.Context, emit func(*Frame)) error
	Close() error
}

// Hideable is a VideoSource that can be out of sight for a while, and then has no new pictures: a window
// that is minimised.
type Hideable interface {
	// OnHidden has Run call tell, on its own goroutine, whenever that begins or ends. It is called
	// before Run.
	OnHidden(tell func(hidden bool))
}

// VideoInfo describes a VideoSource. Width and Height are in pixels.
type VideoInfo struct {
	Device        Device
	Width, Height int
	FrameRate     float64
}

// AudioSource is an opened microphone, or what the machine plays.
type AudioSource interface {
	Info() AudioInfo
	// Run captures until ctx ends (nil) or the device fails. Blocks are 10 ms, and
	// belong to the source: emit copies what it keeps.
	Run(ctx context.Context, emit func(Audio)) error
	Close() error
}

// AudioSink is an opened speaker.
type AudioSink interface {
	Info() AudioInfo
	// Run plays until ctx ends (nil) or the device fails. fill writes the next block
	// of BlockSamples*SpeakerChannels interleaved samples and never blocks.
	Run(ctx context.Context, fill func(pcm []int16)) error
	Close() error
}

// AudioInfo describes an AudioSource or AudioSink.
type AudioInfo struct {
	Device Device
}

// Codec names a video coding format as RTP does (RFC 7741, RFC 9628).
type Codec string

// The video codecs.
const (
	VP8 Codec = "VP8"
	VP9 Codec = "VP9"
)

// VideoConfig is everything about a VideoEncoder that can be set, before or while it runs.
type VideoConfig struct {
	Codec         Codec // fixed for an encoder's life
	Width, Height int   // pixels of the encoded picture; frames of another size are scaled
	BitRate       int   // bit/s
	FrameRate     float64
	Speed         int  // libvpx cpu-used: higher is lighter and less exact; 0 is the codec's realtime default
	Threads       int  // 0 chooses by picture size
	Screen        bool // screen content: sharp edges before motion
	MaxQuantizer  int  // how coarse a picture may get, in libvpx's 1 to 63; 0 is the default
	Temporal      bool // two temporal layers: no frame leans on every second one, see Packet.Droppable
}

// VideoEncoder turns frames into packets. It is used by one goroutine.
type VideoEncoder interface {
	// Configure changes the running encoder; a new size starts with a keyframe.
	Configure(VideoConfig) error
	// Encode codes one frame, as a keyframe if key. It returns nil without an error
	// when rate control dropped the frame. The packet's data is not written to again.
	Encode(f *Frame, key bool) (*Packet, error)
	Close() error
}

// VideoDecoder turns the payload of packets into frames. It is used by one goroutine.
type VideoDecoder interface {
	// Decode returns the frame, or nil if the data shows none. The frame is the
	// decoder's own and valid until the next call. Bad data is ErrCorrupt; the decoder
	// goes on with the next keyframe.
	Decode(data []byte) (*Frame, error)
	Close() error
}

// AudioConfig is what an AudioEncoder can be told while it runs.
type AudioConfig struct {
	Channels int     // 1 or 2; fixed for an encoder's life
	BitRate  int     // bit/s
	Loss     float64 // expected packet loss, 0 to 1, which in-band FEC prepares for
	DTX      bool    // send almost nothing while nobody speaks
	Music    bool    // code for music rather than for speech
}

// AudioEncoder codes PacketSamples samples a channel at a time. It is used by one goroutine.
type AudioEncoder interface {
	Configure(AudioConfig) error
	// Encode appends the packet for pcm to dst. A packet of at most 2 bytes need not be
	// sent (DTX, RFC 6716 section 2.1.9).
	Encode(dst []byte, pcm []int16) ([]byte, error)
	Close() error
}

// AudioDecoder undoes AudioEncoder. It is used by one goroutine. All three calls write
// PacketSamples samples a channel to pcm, interleaved.
type AudioDecoder interface {
	Decode(pcm []int16, data []byte) error
	// Recover rebuilds the packet lost before data from data's in-band FEC.
	Recover(pcm []int16, data []byte) error
	// Conceal makes up a packet that is lost for good.
	Conceal(pcm []int16) error
	Close() error
}

// Codecs makes encoders and decoders and does the pixel work that needs SIMD.
type Codecs interface {
	VideoEncoder(VideoConfig) (VideoEncoder, error)
	VideoDecoder(Codec) (VideoDecoder, error)
	AudioEncoder(AudioConfig) (AudioEncoder, error)
	AudioDecoder(channels int) (AudioDecoder, error)
	AudioProcessor(AudioProcessing) (AudioProcessor, error)
	// Paint converts the part crop of f to RGBA and scales it to fill dst; mirror flips
	// it left to right. crop lies within f.
	Paint(dst *image.RGBA, f *Frame, crop image.Rectangle, mirror bool) error
	// Scale resizes src into dst, which has the wanted size already.
	Scale(dst, src *Frame) error
}
