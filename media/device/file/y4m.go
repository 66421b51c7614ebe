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

const y4mHint = "give a YUV4MPEG2 file of 4:2:0 pictures: ffmpeg -i in.mp4 -pix_fmt yuv420p out.y4m"

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
	Width, Height    int
	RateNum, RateDen int64
	Mono             bool  // luma only
	Size             int64 // bytes of the line, with its end
}

// frameSize is the number of bytes of a picture after its FRAME line.
func (h y4mHeader) frameSize() int64 {
	n := int64(h.Width) * int64(h.Height)
	if !h.Mono {
		n += 2 * int64((h.Width+1)/2) * int64((h.Height+1)/2)
	}
	return n
}

// parseY4M reads the header at the start of r. What is no YUV4MPEG2, or of a kind that is
// not accepted, is ErrFormat; the text says which.
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
	h := y4mHeader{Size: int64(len(line)) + 1}
	for _, f := range fields[1:] {
		v := f[1:]
		switch f[0] {
		case 'W':
			h.Width, err = strconv.Atoi(v)
		case 'H':
			h.Height, err = strconv.Atoi(v)
		case 'F':
			num, den, ok := strings.Cut(v, ":")
			if !ok {
				return bad("frame rate %q", v)
			}
			if h.RateNum, err = strconv.ParseInt(num, 10, 64); err == nil {
				h.RateDen, err = strconv.ParseInt(den, 10, 64)
			}
		case 'I':
			if v != "p" && v != "?" {
				return bad("interlaced pictures (I%s); %s", v, y4mHint)
			}
		case 'C':
			switch v {
			case "420", "420jpeg", "420mpeg2", "420paldv":
			case "mono":
				h.Mono = true
			default:
				return bad("colour format C%s; %s", v, y4mHint)
			}
		case 'X':
			if v == "COLORRANGE=FULL" {
				return bad("full colour range; %s", y4mHint)
			}
		}
		if err != nil {
			return bad("header field %q", f)
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

// readY4M reads the picture at off into f and returns where the next one starts. At the
// end of the file it is io.EOF, and io.ErrUnexpectedEOF within a picture that is cut short.
func readY4M(r io.ReaderAt, h y4mHeader, off int64, f *media.Frame) (next int64, err error) {
	line, err := y4mLine(r, off)
	if err != nil {
		return 0, err
	}
	if line != "FRAME" && !strings.HasPrefix(line, "FRAME ") {
		return 0, fmt.Errorf("no FRAME at byte %d: %w", off, media.ErrCorrupt)
	}
	off += int64(len(line)) + 1
	planes := [][]byte{f.Y, f.U, f.V}
	if h.Mono {
		planes = planes[:1]
		fill(f.U, 128)
		fill(f.V, 128)
	}
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

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}
