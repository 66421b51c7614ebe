package mediatest

import (
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"parley/media"
	"parley/media/codec/yuv"
)

// photos are from Debian's mate-backgrounds. Without them the tests use a generated texture with a photograph's
// spectrum.
const photos = "/usr/share/backgrounds/mate/nature/"

var loaded sync.Map // name -> *media.Frame

// photo returns the photograph called name, or texture.
func photo(t testing.TB, name string) *media.Frame {
	if f, ok := loaded.Load(name); ok {
		return f.(*media.Frame)
	}
	f := texture(2560, 1600)
	if file, err := os.Open(photos + name); err == nil {
		img, err := jpeg.Decode(file)
		file.Close()
		if err != nil {
			t.Fatal(err)
		}
		if ycc, ok := img.(*image.YCbCr); ok {
			f = Limited(ycc)
		}
	}
	loaded.Store(name, f)
	return f
}

// Limited converts a JPEG picture, which is full range, to a frame of limited range, pixel by pixel.
func Limited(img *image.YCbCr) *media.Frame {
	b := img.Bounds()
	f := media.NewFrame(b.Dx()&^1, b.Dy()&^1)
	for y := range f.Height {
		for x := range f.Width {
			f.Y[y*f.YStride+x] = byte(16.5 + float64(img.Y[img.YOffset(x, y)])*219/255)
		}
	}
	for y := range f.Height / 2 {
		for x := range f.Width / 2 {
			c := img.COffset(2*x, 2*y)
			f.U[y*f.UVStride+x] = byte(128.5 + (float64(img.Cb[c])-128)*224/255)
			f.V[y*f.UVStride+x] = byte(128.5 + (float64(img.Cr[c])-128)*224/255)
		}
	}
	return f
}

// texture sums octaves of noise, each three quarters as strong as the next coarser one.
func texture(w, h int) *media.Frame {
	rng := rand.New(rand.NewPCG(1, 2))
	sum := media.NewFrame(w, h)
	acc := make([]float64, w*h)
	octave := media.NewFrame(w, h)
	for cell, amplitude := 256, 60.0; cell >= 2; cell, amplitude = cell/2, amplitude*0.75 {
		coarse := media.NewFrame(w/cell+1, h/cell+1)
		for i := range coarse.Y {
			coarse.Y[i] = byte(rng.IntN(256))
		}
		if err := yuv.Scale(octave, coarse); err != nil {
			panic(err)
		}
		for i, v := range octave.Y {
			acc[i] += (float64(v)/128 - 1) * amplitude
		}
	}
	for i, v := range acc {
		sum.Y[i] = byte(min(max(126+v, 16), 235))
	}
	for i := range sum.U {
		sum.U[i], sum.V[i] = byte(100+sum.Y[i]/8), byte(140-sum.Y[i]/8)
	}
	return sum
}

// Camera pans over a photograph.
type Camera struct {
	photo *media.Frame
	w, h  int
	fps   float64
}

// NewCamera makes a camera whose pictures have w by h pixels.
func NewCamera(t testing.TB, w, h int, fps float64) Camera {
	return Camera{photo(t, "Dune.jpg"), w, h, fps}
}

// At returns frame number i.
func (c Camera) At(i int) *media.Frame {
	seconds := float64(i) / c.fps
	f := media.NewFrame(c.w, c.h)
	if err := yuv.Scale(f, Pan(c.photo, c.w, c.h, seconds)); err != nil {
		panic(err)
	}
	f.Captured = Epoch.Add(time.Duration(seconds * float64(time.Second)))
	return f
}

// Epoch is when a Camera takes its first picture.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
