package file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"parley/media"
)

const wavHint = "give a .wav of PCM, float, A-law or mu-law samples: ffmpeg -i in.mp3 -c:a pcm_s16le out.wav"

// Limits of what is accepted, and format tags (Microsoft mmreg.h).
const (
	wavMaxChannels = 8
	wavMinRate     = 4000
	wavMaxRate     = 384000
	wavMaxChunks   = 1000 // before the sound

	wavPCM        = 1
	wavFloat      = 3
	wavALaw       = 6
	wavMuLaw      = 7
	wavExtensible = 0xFFFE
)

// wavHeader is where the sound of a RIFF WAVE file lies, and how.
type wavHeader struct {
	Channels, Rate, Bits int
	Start, Size          int64                // bytes
	sample               func([]byte) float32 // reads a sample; 1 is full scale
}

// frame is the number of bytes of one sample of every channel.
func (h wavHeader) frame() int { return h.Channels * h.Bits / 8 }

// parseWAV finds the sound in a file of size bytes (Multimedia Programming Interface and Data Specifications 1.0,
// RIFF WAVE). For another kind of file, or a codec that is not accepted, it returns ErrFormat with the reason.
func parseWAV(r io.ReaderAt, size int64) (wavHeader, error) {
	bad := func(format string, a ...any) (wavHeader, error) {
		return wavHeader{}, fmt.Errorf("%s: %w", fmt.Sprintf(format, a...), media.ErrFormat)
	}
	var head [12]byte
	_, err := r.ReadAt(head[:], 0)
	// RF64 is for more than 4 GiB (EBU Tech 3306): its 32-bit lengths are all ones, as if unknown.
	if magic := string(head[:4]); err != nil || magic != "RIFF" && magic != "RF64" || string(head[8:]) != "WAVE" {
		return bad("no RIFF WAVE header; %s", wavHint)
	}
	var h wavHeader
	at := int64(len(head))
	for range wavMaxChunks {
		var chunk [8]byte
		if _, err := r.ReadAt(chunk[:], at); err != nil {
			return bad("no sound in it")
		}
		at += int64(len(chunk))
		length := int64(binary.LittleEndian.Uint32(chunk[4:]))
		switch string(chunk[:4]) {
		case "fmt ":
			if err := h.parseFormat(r, at, length); err != nil {
				return wavHeader{}, err
			}
		case "data":
			if h.Channels == 0 {
				return bad("sound before its format")
			}
			// A writer that was killed or wrote to a pipe leaves 0 or all ones; and a
			// file may be cut. Then the sound is what is there.
			if length == 0 || length > size-at {
				length = size - at
			}
			h.Start, h.Size = at, length/int64(h.frame())*int64(h.frame())
			if h.Size == 0 {
				return bad("no sound in it")
			}
			return h, nil
		}
		at += length + length&1
	}
	return bad("no sound in it")
}

func (h *wavHeader) parseFormat(r io.ReaderAt, at, length int64) error {
	var b [40]byte
	n := min(length, int64(len(b)))
	if _, err := r.ReadAt(b[:n], at); n < 16 || err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("format chunk of %d bytes: %w", length, media.ErrFormat)
	}
	tag := binary.LittleEndian.Uint16(b[0:])
	if tag == wavExtensible && n == int64(len(b)) {
		tag = binary.LittleEndian.Uint16(b[24:]) // the start of its GUID
	}
	h.Channels = int(binary.LittleEndian.Uint16(b[2:]))
	h.Rate = int(binary.LittleEndian.Uint32(b[4:]))
	align := int(binary.LittleEndian.Uint16(b[12:]))
	h.Bits = int(binary.LittleEndian.Uint16(b[14:]))
	if h.sample = wavSamples[wavKind{tag, h.Bits}]; h.sample == nil {
		return fmt.Errorf("sample format %#x of %d bits; %s: %w", tag, h.Bits, wavHint, media.ErrFormat)
	}
	if h.Channels < 1 || h.Channels > wavMaxChannels || h.Rate < wavMinRate || h.Rate > wavMaxRate || align != h.frame() {
		return fmt.Errorf("%d channels at %d Hz in blocks of %d bytes; %s: %w", h.Channels, h.Rate, align, wavHint, media.ErrFormat)
	}
	return nil
}

// wavKind is a format tag and the bits of a sample.
type wavKind struct {
	tag  uint16
	bits int
}

// wavSamples reads a sample of each kind that is accepted.
var wavSamples = map[wavKind]func([]byte) float32{
	{wavPCM, 8}:  func(b []byte) float32 { return float32(int(b[0])-128) / (1 << 7) }, // the only one without a sign
	{wavPCM, 16}: func(b []byte) float32 { return float32(int16(binary.LittleEndian.Uint16(b))) / (1 << 15) },
	{wavPCM, 24}: func(b []byte) float32 {
		return float32(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)>>8) / (1 << 23)
	},
	{wavPCM, 32}: func(b []byte) float32 { return float32(int32(binary.LittleEndian.Uint32(b))) / (1 << 31) },
	{wavFloat, 32}: func(b []byte) float32 {
		return finite(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	},
	{wavFloat, 64}: func(b []byte) float32 {
		return finite(float32(math.Float64frombits(binary.LittleEndian.Uint64(b))))
	},
	{wavALaw, 8}:  func(b []byte) float32 { return float32(aLaw(b[0])) / (1 << 15) },
	{wavMuLaw, 8}: func(b []byte) float32 { return float32(muLaw(b[0])) / (1 << 15) },
}

// finite bounds a sample. A NaN, which would stay in the filter for good, becomes silence.
func finite(v float32) float32 {
	if v != v {
		return 0
	}
	return min(max(v, -4), 4)
}

// aLaw and muLaw expand a sample to 16 bits (ITU-T G.711): a sign, three bits that say how far the other
// four are shifted, and every second or each of them inverted.
func aLaw(b byte) int {
	b ^= 0x55
	v := int(b&0x0F)<<4 + 8
	if shift := b >> 4 & 7; shift > 0 {
		v = (v + 0x100) << (shift - 1)
	}
	if b&0x80 == 0 {
		return -v
	}
	return v
}

func muLaw(b byte) int {
	const bias = 0x84
	b = ^b
	v := (int(b&0x0F)<<3+bias)<<(b>>4&7) - bias
	if b&0x80 != 0 {
		return -v
	}
	return v
}

// mono appends the samples in b to dst, all channels mixed to one, 1 being full scale.
func (h wavHeader) mono(dst []float32, b []byte) []float32 {
	size := h.frame()
	for ; len(b) >= size; b = b[size:] {
		var sum float32
		for c := range h.Channels {
			sum += h.sample(b[c*h.Bits/8:])
		}
		dst = append(dst, sum/float32(h.Channels))
	}
	return dst
}

// toInt16 rounds a sample whose full scale is 1, and clips it.
func toInt16(v float32) int16 {
	return int16(min(max(math.Round(float64(v)*(1<<15)), math.MinInt16), math.MaxInt16))
}
