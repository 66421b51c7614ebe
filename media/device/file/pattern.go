package file

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"parley/media"
)

// pattern is camera `test`: a still background, a textured square that moves over it, and
// the capture time in the top rows (media.DrawStamp). Background and square are drawn once,
// so a frame costs two copies.
type pattern struct {
	w, h, fps  int
	background *media.Frame
	square     *media.Frame
}

const patternHint = "write test, or test:WxH@FPS, for example test:640x360@30"

// parsePattern reads `test`, `test:WxH` or `test:WxH@FPS`.
func parsePattern(spec string) (w, h, fps int, err error) {
	w, h, fps = 1280, 720, 30
	_, arg, ok := strings.Cut(spec, ":")
	if !ok {
		return w, h, fps, nil
	}
	size, rate, hasRate := strings.Cut(arg, "@")
	ws, hs, _ := strings.Cut(size, "x")
	w, errW := strconv.Atoi(ws)
	h, errH := strconv.Atoi(hs)
	if hasRate {
		fps, err = strconv.Atoi(rate)
	}
	if errW != nil || errH != nil || err != nil ||
		w < 16 || h < 16 || w > media.MaxDimension || h > media.MaxDimension || fps < 1 || fps > y4mMaxRate {
		return 0, 0, 0, fmt.Errorf("open camera %q: %s: %w", spec, patternHint, media.ErrFormat)
	}
	return w, h, fps, nil
}

func openPattern(spec string) (*pattern, error) {
	w, h, fps, err := parsePattern(spec)
	if err != nil {
		return nil, err
	}
	return &pattern{w: w, h: h, fps: fps}, nil
}

func (p *pattern) Info() media.VideoInfo {
	return media.VideoInfo{
		Device: media.Device{Kind: media.Camera, ID: media.SpecTest, Name: "Test pattern"},
		Width:  p.w, Height: p.h, FrameRate: float64(p.fps),
	}
}

// Run implements media.VideoSource.
func (p *pattern) Run(ctx context.Context, emit func(*media.Frame)) error {
	p.draw()
	pace := newPacer(int64(p.fps), 1)
	defer pace.stop()
	for {
		pace.late()
		if !pace.wait(ctx) {
			return nil
		}
		f := media.NewFrame(p.w, p.h)
		f.Captured = time.Now()
		p.paint(f, int(pace.n))
		media.DrawStamp(f, f.Captured)
		emit(f)
		f.Release()
	}
}

func (p *pattern) Close() error { return nil }

// draw prepares the pictures that paint copies.
func (p *pattern) draw() {
	p.background = media.NewFrame(p.w, p.h)
	b := p.background
	for y := range b.Height {
		for x := range b.Width {
			// A slow shade with a fine weave, neither flat nor noise.
			v := 70 + 90*x/b.Width + 40*y/b.Height
			b.Y[y*b.YStride+x] = byte(v + 6*((x>>3^y>>3)&1))
		}
	}
	cw, ch := (b.Width+1)/2, (b.Height+1)/2
	for y := range ch {
		for x := range cw {
			i := y*b.UVStride + x
			b.U[i] = byte(90 + 70*x/cw)
			b.V[i] = byte(160 - 70*y/ch)
		}
	}
	side := min(p.w, p.h) / 3 &^ 1
	p.square = media.NewFrame(side, side)
	s := p.square
	for y := range side {
		for x := range side {
			dx, dy := float64(2*x-side)/float64(side), float64(2*y-side)/float64(side)
			s.Y[y*s.YStride+x] = byte(128 + 80*math.Cos(18*math.Hypot(dx, dy)))
		}
	}
	fill(s.U, 100)
	fill(s.V, 190)
}

// paint draws picture n. The square bounces about a quarter of the picture's size a second,
// on even pixels so that its chroma needs no filter.
func (p *pattern) paint(f *media.Frame, n int) {
	copy(f.Y, p.background.Y)
	copy(f.U, p.background.U)
	copy(f.V, p.background.V)
	s := p.square
	x := bounce(n*max(f.Width/(4*p.fps)&^1, 2), (f.Width-s.Width)&^1)
	y := bounce(n*max(f.Height/(4*p.fps)&^1, 2), (f.Height-s.Height)&^1)
	for row := range s.Height {
		copy(f.Y[(y+row)*f.YStride+x:], s.Y[row*s.YStride:][:s.Width])
	}
	for row := range s.Height / 2 {
		at := (y/2+row)*f.UVStride + x/2
		copy(f.U[at:], s.U[row*s.UVStride:][:s.Width/2])
		copy(f.V[at:], s.V[row*s.UVStride:][:s.Width/2])
	}
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

// bounce is the position after a distance, reflected at 0 and at end.
func bounce(way, end int) int {
	at := way % (2 * end)
	return min(at, 2*end-at)
}
