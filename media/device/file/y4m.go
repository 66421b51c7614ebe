package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"parley/media"
)

const y4mHint = "give a YUV4MPEG2 file: ffmpeg -i in.mp4 -pix_fmt yuv420p out.y4m"

// Limits of a YUV4MPEG2 file (mjpegtools, yuv4mpeg(5)). The format sets none for lines;
// real ones are under 100 bytes.
const (
	y4mMagic    = "YUV4MPEG2"
	y4mMaxLine  = 256
	y4mMaxRate  = 240.0 // frames a second
	y4mMinRate  = 0.1
	maxRateTerm = 1_000_000 // numerator or denominator of a rate
)

// y4mHeader is the first line of a YUV4MPEG2 file.
type y4mHeader struct {
	media.Planar
	RateNum, RateDen     int64
	AspectNum, AspectDen int64 // of a pixel
	Alpha                bool  // a plane of transparency follows the others
	Size                 int64 // bytes of the line, with its end
}

// plain says whether a picture can be read as it is.
func (h y4mHeader) plain() bool {
	return h.Bits == 8 && !h.Full && !h.Alpha && h.Field == media.AllRows && h.ChromaX == 2 && h.ChromaY == 2 &&
		h.AspectNum == h.AspectDen
}

// frameSize is the number of bytes of a picture after its FRAME line.
func (h y4mHeader) frameSize() int64 {
	n := h.Planar.Size()
	if h.Alpha {
		n += int64(h.Width) * int64(h.Height) * int64(h.SampleBytes())
	}
	return n
}

// Below minStretch a pixel counts as square: odd sizes leave such ratios, and scaling would only blur. Above
// maxStretch the ratio is taken for an error: 64:11, for CIF of a wide picture, is the largest in use.
const (
	minStretch = 1.02
	maxStretch = 6.0
)

// shown is the size of the picture with square pixels: the same in one direction, and larger in the other.
func (h y4mHeader) shown() (w, height int) {
	w, height = h.Width, h.Height
	if h.AspectNum > h.AspectDen {
		w = int(int64(w)*h.AspectNum/h.AspectDen) &^ 1
	} else if h.AspectNum < h.AspectDen {
		height = int(int64(height)*h.AspectDen/h.AspectNum) &^ 1
	}
	if w > media.MaxDimension || height > media.MaxDimension {
		return h.Width, h.Height
	}
	return w, height
}

// parseY4M reads the header at the start of r. For a file that is not YUV4MPEG2, or of a kind that is not accepted, it
// returns ErrFormat with the reason.
func parseY4M(r io.ReaderAt) (y4mHeader, error) {
	bad := func(format string, a ...any) (y4mHeader, error) {
		return y4mHeader{}, fmt.Errorf("%s: %w", fmt.Sprintf(format, a...), media.ErrFormat)
	}
	line, err := y4mLine(r, 0)
	if err != nil || !strings.HasPrefix(line, y4mMagic) {
		return bad("no %s header; %s", y4mMagic, y4mHint)
	}
	fields := strings.Fields(line)
	if fields[0] != y4mMagic {
		return bad("no %s header; %s", y4mMagic, y4mHint)
	}
	h := y4mHeader{
		Size: int64(len(line)) + 1, AspectNum: 1, AspectDen: 1,
		Planar: media.Planar{ChromaX: 2, ChromaY: 2, Bits: 8},
	}
	for _, f := range fields[1:] {
		if err := h.field(f[0], f[1:]); err != nil {
			return bad("%v; %s", err, y4mHint)
		}
	}
	if h.Width < 2 || h.Height < 2 || h.Width > media.MaxDimension || h.Height > media.MaxDimension {
		return bad("picture size %dx%d", h.Width, h.Height)
	}
	if h.RateNum < 1 || h.RateDen < 1 || h.RateNum > maxRateTerm || h.RateDen > maxRateTerm {
		return bad("frame rate %d:%d", h.RateNum, h.RateDen)
	}
	if rate := float64(h.RateNum) / float64(h.RateDen); rate < y4mMinRate || rate > y4mMaxRate {
		return bad("frame rate %d:%d", h.RateNum, h.RateDen)
	}
	return h, nil
}

// field takes in one field of the header.
func (h *y4mHeader) field(tag byte, v string) (err error) {
	switch tag {
	case 'W':
		h.Width, err = strconv.Atoi(v)
	case 'H':
		h.Height, err = strconv.Atoi(v)
	case 'F':
		h.RateNum, h.RateDen, err = y4mRatio(v)
	case 'A':
		num, den, err := y4mRatio(v)
		if err != nil || num < 1 || den < 1 || num > maxRateTerm || den > maxRateTerm { // 0:0 is unknown
			return nil
		}
		if off := float64(num) / float64(den); max(off, 1/off) > minStretch && max(off, 1/off) <= maxStretch {
			h.AspectNum, h.AspectDen = num, den
		}
	case 'I':
		switch v {
		case "p", "?":
		case "t":
			h.Field = media.EvenRows
		case "b":
			h.Field = media.OddRows
		default:
			return fmt.Errorf("pictures of changing interlacing (I%s)", v)
		}
	case 'C':
		return h.colour(v)
	case 'X':
		switch v {
		case "COLORRANGE=FULL":
			h.Full = true
		case "COLORRANGE=LIMITED":
			h.Full = false
		}
	}
	if err != nil {
		return fmt.Errorf("header field %q", string(tag)+v)
	}
	return nil
}

// y4mChroma is how many luma samples share a chroma sample, by the names of colour formats.
var y4mChroma = map[string][2]int{
	"420": {2, 2}, "420jpeg": {2, 2}, "420mpeg2": {2, 2}, "420paldv": {2, 2},
	"411": {4, 1}, "422": {2, 1}, "440": {1, 2}, "444": {1, 1}, "444alpha": {1, 1}, "mono": {0, 0},
}

// colour takes in a colour format: a name of y4mChroma, and for more than 8 bits their number behind a
// p, or behind mono as ffmpeg writes it.
func (h *y4mHeader) colour(v string) error {
	name := v
	if base, bits, ok := strings.Cut(v, "p"); ok {
		if n, err := strconv.Atoi(bits); err == nil && n >= 9 && n <= 16 {
			name, h.Bits = base, n
		}
	} else if bits, ok := strings.CutPrefix(v, "mono"); ok && bits != "" {
		if n, err := strconv.Atoi(bits); err == nil && n >= 9 && n <= 16 {
			name, h.Bits = "mono", n
		}
	}
	chroma, ok := y4mChroma[name]
	if !ok {
		return fmt.Errorf("colour format C%s", v)
	}
	h.ChromaX, h.ChromaY, h.Alpha = chroma[0], chroma[1], name == "444alpha"
	return nil
}

// y4mRatio reads NUM:DEN.
func y4mRatio(v string) (num, den int64, err error) {
	n, d, _ := strings.Cut(v, ":")
	if num, err = strconv.ParseInt(n, 10, 64); err == nil {
		den, err = strconv.ParseInt(d, 10, 64)
	}
	return num, den, err
}

// y4mLine reads the line at off, without its end. At the end of the file it is io.EOF.
func y4mLine(r io.ReaderAt, off int64) (string, error) {
	buf := make([]byte, y4mMaxLine)
	n, err := r.ReadAt(buf, off)
	if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
		return string(buf[:i]), nil
	}
	if n == 0 && err != nil {
		return "", err
	}
	if errors.Is(err, io.EOF) {
		return "", io.ErrUnexpectedEOF
	}
	return "", fmt.Errorf("line of more than %d bytes: %w", y4mMaxLine, media.ErrCorrupt)
}

// readY4M reads the picture at off into planes, which together hold frameSize bytes, and returns where
// the next one starts. At the end of the file it is io.EOF, and io.ErrUnexpectedEOF within a picture that
// is cut short.
func readY4M(r io.ReaderAt, off int64, planes ...[]byte) (next int64, err error) {
	line, err := y4mLine(r, off)
	if err != nil {
		return 0, err
	}
	if line != "FRAME" && !strings.HasPrefix(line, "FRAME ") {
		return 0, fmt.Errorf("no FRAME at byte %d: %w", off, media.ErrCorrupt)
	}
	off += int64(len(line)) + 1
	for _, p := range planes {
		if _, err := io.ReadFull(io.NewSectionReader(r, off, int64(len(p))), p); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		off += int64(len(p))
	}
	return off, nil
}
