package media

import (
	"image"
	"math"
	"testing"
	"time"
)

func TestStamp(t *testing.T) {
	at := time.UnixMilli(1_700_000_123_456)
	for _, size := range []image.Point{{160, 90}, {320, 180}, {640, 360}, {1280, 720}, {1920, 1080}} {
		f := NewFrame(size.X, size.Y)
		for i := range f.Y {
			f.Y[i] = 100
		}
		if _, ok := ReadStamp(f, at); ok {
			t.Errorf("%v: a stamp in a picture without one", size)
		}
		DrawStamp(f, at)
		for _, age := range []time.Duration{0, time.Millisecond, 123 * time.Millisecond, time.Minute} {
			if got, ok := ReadStamp(f, at.Add(age)); !ok || got != age {
				t.Errorf("%v: age %v, %v; want %v", size, got, ok, age)
			}
		}
		f.Y[size.Y/18/2*f.YStride+size.X/64] ^= 0xff // one cell's middle
		f.Y[size.Y/18/2*f.YStride+size.X/64-1] ^= 0xff
		f.Y[size.Y/18/2*f.YStride+size.X/64+1] ^= 0xff
		if _, ok := ReadStamp(f, at); ok {
			t.Errorf("%v: a damaged stamp was believed", size)
		}
		f.Release()
	}
}

func TestFrameIsUsedAgainOnlyWhenNobodyHasIt(t *testing.T) {
	f := NewFrame(33, 17)
	if len(f.U) != 17*9 || f.UVStride != 17 {
		t.Errorf("chroma of 33x17: %d bytes, stride %d", len(f.U), f.UVStride)
	}
	f.Retain()
	f.Release()
	if g := NewFrame(33, 17); g == f {
		t.Error("a frame that is still held was handed out again")
	}
	f.Release()
	defer func() {
		if recover() == nil {
			t.Error("releasing once too often went unnoticed")
		}
	}()
	f.Release()
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		w, h, dw, dh int
		cover        image.Rectangle
		contain      image.Point
	}{
		{1280, 720, 640, 360, image.Rect(0, 0, 1280, 720), image.Pt(640, 360)},
		{1280, 720, 100, 100, image.Rect(280, 0, 1000, 720), image.Pt(100, 56)},
		{720, 1280, 160, 90, image.Rect(0, 436, 720, 841), image.Pt(50, 90)},
		{1280, 720, 1256, 624, image.Rect(12, 48, 1268, 672), image.Pt(1109, 624)}, // nearly as large
		{1280, 720, 1200, 640, image.Rect(0, 18, 1280, 700), image.Pt(1137, 640)},
		{1280, 720, 1300, 720, image.Rect(0, 6, 1280, 714), image.Pt(1280, 720)},
		{1, 1, 16, 9, image.Rect(0, 0, 1, 1), image.Pt(9, 9)},
	} {
		got := Cover(c.w, c.h, c.dw, c.dh)
		if !got.In(image.Rect(0, 0, c.w, max(c.h, 1))) && c.w > 1 {
			t.Errorf("%+v: cover %v lies outside", c, got)
		}
		if c.w > 1 && got != c.cover {
			t.Errorf("%dx%d covers %dx%d with %v, want %v", c.w, c.h, c.dw, c.dh, got, c.cover)
		}
		if got := Contain(c.w, c.h, c.dw, c.dh); got != c.contain {
			t.Errorf("%dx%d in %dx%d is %v, want %v", c.w, c.h, c.dw, c.dh, got, c.contain)
		}
	}
}

// TestFills: a picture fills a tile while an eighth of it is lost at the most.
func TestFills(t *testing.T) {
	for _, c := range []struct {
		w, h, dw, dh int
		want         bool
	}{
		{1280, 720, 640, 360, true},
		{1280, 720, 1256, 624, true},   // 2.01 : 1
		{1280, 720, 1280, 1024, false}, // 5 : 4
		{1280, 720, 2560, 1080, false},
		{640, 480, 1280, 720, false},
		{640, 480, 600, 480, true},
		{640, 360, 400, 300, false},
		{720, 1280, 1280, 720, false},
		{720, 1280, 360, 640, true},
		{1000, 1000, 1280, 720, false},
		{1000, 1000, 800, 700, true},  // an eighth
		{1000, 1000, 800, 699, false}, // and a little more
		{2560, 1080, 1280, 720, false},
		{1, 1, 16, 9, false},
	} {
		if got := Fills(c.w, c.h, c.dw, c.dh); got != c.want {
			t.Errorf("%dx%d fills %dx%d: %v", c.w, c.h, c.dw, c.dh, got)
		}
		if Fills(c.h, c.w, c.dh, c.dw) != c.want {
			t.Errorf("%+v lies on its side, and the answer is another", c)
		}
	}
}

func TestLevel(t *testing.T) {
	if got := Level(nil); got != LevelFloor {
		t.Errorf("no sound is %v dBFS", got)
	}
	if got := Level(make([]int16, 480)); got != LevelFloor {
		t.Errorf("silence is %v dBFS", got)
	}
	sine := make([]int16, SampleRate)
	for i := range sine {
		sine[i] = int16(3276.7 * math.Sin(2*math.Pi*440*float64(i)/SampleRate))
	}
	// A sine of a tenth of full scale: -20 dB, and 3 dB less as a root mean square.
	if got := Level(sine); math.Abs(got+23.01) > 0.05 {
		t.Errorf("a sine of a tenth is %v dBFS", got)
	}
}
