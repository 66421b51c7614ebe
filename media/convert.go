package media

import (
	"encoding/binary"
	"fmt"
)

// PixelFormat names how a camera or screen lays out its pixels, by the four characters of
// V4L2 and AVFoundation (linux/videodev2.h) where they have them.
type PixelFormat uint32

// The pixel formats that a PixelConverter takes. Rows of a packed format are stride bytes
// apart. The chroma planes of NV12 (one, interleaved, as far apart as luma rows) and of
// I420 (two, with half the luma stride, rounded up) follow the luma plane without a gap.
const (
	FormatMJPEG PixelFormat = 'M' | 'J'<<8 | 'P'<<16 | 'G'<<24
	FormatYUY2  PixelFormat = 'Y' | 'U'<<8 | 'Y'<<16 | 'V'<<24
	FormatUYVY  PixelFormat = 'U' | 'Y'<<8 | 'V'<<16 | 'Y'<<24
	FormatNV12  PixelFormat = 'N' | 'V'<<8 | '1'<<16 | '2'<<24
	FormatI420  PixelFormat = 'Y' | 'U'<<8 | '1'<<16 | '2'<<24
	FormatBGRA  PixelFormat = 'A' | 'R'<<8 | '2'<<16 | '4'<<24 // bytes B, G, R, A
	FormatRGBA  PixelFormat = 'A' | 'B'<<8 | '2'<<16 | '4'<<24 // bytes R, G, B, A
)

func (p PixelFormat) String() string {
	return string([]byte{byte(p), byte(p >> 8), byte(p >> 16), byte(p >> 24)})
}

// PixelConverter turns what a device delivers into frames. It is safe for concurrent use.
type PixelConverter interface {
	// Convert fills dst, which has the picture's size already, from data in format,
	// whose rows are stride bytes apart; 0 means that they follow each other without a
	// gap. For FormatMJPEG stride is ignored and the size comes from JPEGSize. Data
	// that is too short, of another size than dst, or no JPEG is ErrCorrupt, and then
	// dst's content is undefined; an unknown format is ErrFormat.
	Convert(dst *Frame, format PixelFormat, data []byte, stride int) error
	// ConvertPlanar fills dst from data, and scales where dst has another size than p. Data
	// that is too short is ErrCorrupt; a layout that is none is ErrFormat.
	ConvertPlanar(dst *Frame, p Planar, data []byte) error
}

// Planar describes a picture whose planes, Y and then U and V, follow each other without gaps, as
// files have it.
type Planar struct {
	Width, Height    int
	ChromaX, ChromaY int   // how many luma samples share a chroma sample, across and down; 0: no chroma
	Bits             int   // of a sample: 8 in a byte, or 9 to 16 in two, the low byte first
	Full             bool  // full range, as JPEG has it, rather than BT.601's limited range
	Field            Field // of an interlaced picture, the rows that are used
}

// Field is what rows of an interlaced picture belong together.
type Field uint8

// The fields. A picture that is not interlaced has all its rows.
const (
	AllRows Field = iota
	EvenRows
	OddRows
)

// Chroma is the size of each of the planes U and V, in samples.
func (p Planar) Chroma() (w, h int) {
	if p.ChromaX == 0 {
		return 0, 0
	}
	return (p.Width + p.ChromaX - 1) / p.ChromaX, (p.Height + p.ChromaY - 1) / p.ChromaY
}

// SampleBytes is the number of bytes of a sample.
func (p Planar) SampleBytes() int { return (p.Bits + 7) / 8 }

// Size is the number of bytes of the picture.
func (p Planar) Size() int64 {
	cw, ch := p.Chroma()
	return (int64(p.Width)*int64(p.Height) + 2*int64(cw)*int64(ch)) * int64(p.SampleBytes())
}

// Check reports a layout that is none, or of a size that is not allowed, as ErrFormat.
func (p Planar) Check() error {
	chroma := p.ChromaX == 0 && p.ChromaY == 0 || p.ChromaX >= 1 && p.ChromaX <= 4 && p.ChromaY >= 1 && p.ChromaY <= 4
	if p.Width < 1 || p.Height < 2 || p.Width > MaxDimension || p.Height > MaxDimension || !chroma ||
		p.Bits < 8 || p.Bits > 16 || p.Field > OddRows {
		return fmt.Errorf("planes %+v: %w", p, ErrFormat)
	}
	return nil
}

// JPEGSize reads the size of a JPEG picture from its frame header (ITU T.81, B.2.2)
// without decoding it. What is no JPEG, or larger than MaxDimension, is ErrCorrupt.
func JPEGSize(data []byte) (w, h int, err error) {
	const (
		soi, tem, rst0, eoi, sos = 0xD8, 0x01, 0xD0, 0xD9, 0xDA
		sof0, dht, jpg, dac      = 0xC0, 0xC4, 0xC8, 0xCC
	)
	if len(data) < 4 || data[0] != 0xFF || data[1] != soi {
		return 0, 0, fmt.Errorf("read JPEG header: no start of image: %w", ErrCorrupt)
	}
	for i := 2; i+4 <= len(data); {
		if data[i] != 0xFF {
			break
		}
		marker := data[i+1]
		switch {
		case marker == 0xFF: // fill byte
			i++
			continue
		case marker == tem || marker >= rst0 && marker <= soi: // without a length
			i += 2
			continue
		case marker == eoi || marker == sos:
			return 0, 0, fmt.Errorf("read JPEG header: no frame header: %w", ErrCorrupt)
		}
		segment := int(binary.BigEndian.Uint16(data[i+2:]))
		if marker >= sof0 && marker < sof0+16 && marker != dht && marker != jpg && marker != dac {
			// Precision, then height and width, both 16 bits.
			if segment < 8 || i+9 > len(data) {
				break
			}
			h = int(binary.BigEndian.Uint16(data[i+5:]))
			w = int(binary.BigEndian.Uint16(data[i+7:]))
			if w < 1 || h < 1 || w > MaxDimension || h > MaxDimension {
				return 0, 0, fmt.Errorf("read JPEG header: size %dx%d: %w", w, h, ErrCorrupt)
			}
			return w, h, nil
		}
		i += 2 + segment
	}
	return 0, 0, fmt.Errorf("read JPEG header: cut short: %w", ErrCorrupt)
}
