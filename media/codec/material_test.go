package codec

import (
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"parley/media"
)

// photos are from Debian's mate-backgrounds; without them the tests use made-up texture
// with a photograph's spectrum.
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
			f = limited(ycc)
		}
	}
	loaded.Store(name, f)
	return f
}

// limited brings a JPEG picture into a frame of limited range, slowly.
func limited(img *image.YCbCr) *media.Frame {
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
		if err := (Codecs{}).Scale(octave, coarse); err != nil {
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

// camera pans over a photograph like a hand: always moving, 300 pixels a second of the
// shown picture, back and forth, with a slower sway up and down.
type camera struct {
	photo *media.Frame
	w, h  int
	fps   float64
}

// at is the frame number i.
func (c camera) at(i int) *media.Frame {
	const speed = 300.0
	t := float64(i) / c.fps
	zoom := min(float64(c.photo.Width)/float64(2*c.w), float64(c.photo.Height)/(1.3*float64(c.h)))
	cw, ch := int(zoom*float64(c.w)), int(zoom*float64(c.h))
	spanX, spanY := float64(c.photo.Width-cw), float64(c.photo.Height-ch)
	x := math.Mod(t*speed*zoom, 2*spanX)
	if x > spanX {
		x = 2*spanX - x
	}
	y := spanY / 2 * (1 + math.Sin(t))
	corner := image.Pt(int(x)&^1, int(y)&^1)
	f := media.NewFrame(c.w, c.h)
	if err := scale(whole(f), cut(c.photo, image.Rectangle{Min: corner, Max: corner.Add(image.Pt(cw, ch))})); err != nil {
		panic(err)
	}
	f.Captured = epoch.Add(time.Duration(t * float64(time.Second)))
	return f
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// psnr of the luma planes, in dB.
func psnr(a, b *media.Frame) float64 {
	var sum float64
	for y := range a.Height {
		ra, rb := a.Y[y*a.YStride:][:a.Width], b.Y[y*b.YStride:][:a.Width]
		for x, v := range ra {
			d := float64(int(v) - int(rb[x]))
			sum += d * d
		}
	}
	if sum == 0 {
		return 99
	}
	return 10 * math.Log10(255*255*float64(a.Width*a.Height)/sum)
}
