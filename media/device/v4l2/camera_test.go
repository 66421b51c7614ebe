//go:build linux

package v4l2_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/media"
	"parley/media/codec"
	"parley/media/device/v4l2"
)

// inChild marks the child process of runWithCamera.
const inChild = "PARLEY_TEST_CAMERA"

// runWithCamera runs the test again in a child process with the camera of testdata/fakev4l2.c, and reports whether this
// is that process. Not every machine has a kernel module for a virtual camera. The system calls are the real ones.
func runWithCamera(t *testing.T, fault string) bool {
	t.Helper()
	if os.Getenv(inChild) != "" {
		return true
	}
	dir := t.TempDir()
	lib := filepath.Join(dir, "fakev4l2.so")
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-O1", "-o", lib, "testdata/fakev4l2.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	node := filepath.Join(dir, "video0")
	img := image.NewYCbCr(image.Rect(0, 0, 1280, 720), image.YCbCrSubsampleRatio422)
	for i := range img.Y {
		img.Y[i] = 120
	}
	for i := range img.Cb {
		img.Cb[i], img.Cr[i] = 60, 70
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{node: nil, filepath.Join(dir, "picture.jpg"): b.Bytes()} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), inChild+"="+dir, "LD_PRELOAD="+lib, "FAKE_V4L2="+node,
		"FAKE_JPEG="+filepath.Join(dir, "picture.jpg"), "FAKE_FAULT="+fault)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

func cameraManager(t *testing.T) *v4l2.Driver {
	m := v4l2.New(codec.New())
	dir := os.Getenv(inChild)
	m.LookIn(dir, dir)
	t.Cleanup(func() { m.Close() })
	return m
}

func TestCameraConvertsMJPEG(t *testing.T) {
	if !runWithCamera(t, "damaged") {
		return
	}
	m := cameraManager(t)
	list, err := m.List(media.Camera)
	if err != nil || len(list) != 1 || list[0].Name != "Cheap Webcam" || !list[0].Default {
		t.Fatalf("cameras %+v, %v", list, err)
	}
	s, err := m.OpenCamera("Cheap Webcam")
	if err != nil {
		t.Fatal(err)
	}
	// Raw 720p has 10 frames a second, so it is MJPEG.
	if i := s.Info(); i.Width != 1280 || i.Height != 720 || i.FrameRate != 30 {
		t.Errorf("Info says %+v", i)
	}
	if _, err := m.OpenCamera(media.SpecDefault); !errors.Is(err, media.ErrBusy) {
		t.Errorf("opened twice: %v, want ErrBusy", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var n int
	if err := s.Run(ctx, func(f *media.Frame) {
		// JPEG is full range, a frame is limited: 16 + 120*219/255, 128 - 68*224/255.
		near := func(got byte, want int) bool { return max(int(got), want)-min(int(got), want) <= 2 }
		if y, u, v := f.Y[0], f.U[0], f.V[0]; f.Width != 1280 || !near(y, 119) || !near(u, 68) || !near(v, 77) {
			t.Errorf("frame %d of %dx%d: %d %d %d", n, f.Width, f.Height, y, u, v)
		}
		if age := time.Since(f.Captured); age < 0 || age > time.Second {
			t.Errorf("captured %v ago", age)
		}
		if n++; n == 5 {
			cancel()
		}
	}); err != nil || n != 5 {
		t.Fatalf("%d frames, %v", n, err)
	}
	if s, err = m.OpenCamera(media.SpecDefault); err != nil {
		t.Fatal("open again: ", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestCameraConvertsYUYV(t *testing.T) {
	if !runWithCamera(t, "raw") {
		return
	}
	s, err := cameraManager(t).OpenCamera(media.SpecDefault)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Run(ctx, func(f *media.Frame) {
		// 30 frames a second are preferred to 720 lines.
		if f.Width != 640 || f.Height != 480 || f.Y[640*479+639] != 0x51 || f.U[0] != 0x5A || f.V[320*239+319] != 0xF0 {
			t.Errorf("%dx%d: %d %d %d", f.Width, f.Height, f.Y[0], f.U[0], f.V[0])
		}
		cancel()
	}); err != nil {
		t.Fatal(err)
	}
}

func TestCameraUnplugged(t *testing.T) {
	if !runWithCamera(t, "unplug") {
		return
	}
	s, err := cameraManager(t).OpenCamera(media.SpecDefault)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := s.Run(t.Context(), func(*media.Frame) { n++ }); !errors.Is(err, media.ErrLost) || n != 10 {
		t.Errorf("Run returned %v after %d frames, want ErrLost after 10", err, n)
	}
}

func TestCameraBusy(t *testing.T)      { refused(t, "busy", media.ErrBusy) }
func TestCameraStreaming(t *testing.T) { refused(t, "streaming", media.ErrBusy) }
func TestCameraDenied(t *testing.T)    { refused(t, "denied", fs.ErrPermission) }

func refused(t *testing.T, fault string, want error) {
	if !runWithCamera(t, fault) {
		return
	}
	m := cameraManager(t)
	for range 2 { // the first failure must leave nothing behind
		if _, err := m.OpenCamera(media.SpecDefault); !errors.Is(err, want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("OpenCamera: %v, want %v", err, want)
		}
	}
}

// Converting a camera's picture must take less time than a frame lasts: that is why we use libyuv.
func BenchmarkMJPEG(b *testing.B) {
	img := image.NewRGBA(image.Rect(0, 0, 1280, 720))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{200, 80, 40, 255}), image.Point{}, draw.Src)
	for i := range img.Pix {
		img.Pix[i] ^= byte(i * i >> 9)
	}
	var data bytes.Buffer
	if err := jpeg.Encode(&data, img, nil); err != nil {
		b.Fatal(err)
	}
	f := media.NewFrame(1280, 720)
	for b.Loop() {
		if err := codec.New().Convert(f, media.FormatMJPEG, data.Bytes(), 0); err != nil {
			b.Fatal(err)
		}
	}
}
