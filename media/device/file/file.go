// Package file has the stand-ins for devices: .y4m files and the test pattern for a camera, .wav files
// and a tone for a microphone, and .wav files to write for a speaker.
package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"parley/media"
)

// Driver opens files and patterns. Without Convert, it plays only .y4m files whose pictures are 4:2:0 of
// 8 bits and limited range already.
type Driver struct{ Convert media.PixelConverter }

// List is empty: a user names the file to open.
func (Driver) List(media.Kind) ([]media.Device, error) { return nil, nil }

// Close has nothing to do.
func (Driver) Close() error { return nil }

// Takes reports whether spec names a pattern, or a file of a type that stands in for this kind of device.
func (Driver) Takes(kind media.Kind, spec string) bool {
	switch kind {
	case media.Camera:
		return isPattern(spec, media.SpecTest) || isFile(spec, ".y4m")
	case media.Microphone:
		return isPattern(spec, media.SpecTone) || isFile(spec, ".wav")
	case media.Speaker:
		return isFile(spec, ".wav")
	}
	return false
}

// OpenCamera opens the test pattern or a .y4m file.
func (d Driver) OpenCamera(spec string) (media.VideoSource, error) {
	if isPattern(spec, media.SpecTest) {
		return openPattern(spec)
	}
	return openY4M(spec, d.Convert)
}

// OpenMicrophone opens the tone or a .wav file.
func (Driver) OpenMicrophone(spec string) (media.AudioSource, error) {
	if isPattern(spec, media.SpecTone) {
		return openTone(spec)
	}
	return openWAVSource(spec)
}

// OpenSpeaker opens a .wav file to write.
func (Driver) OpenSpeaker(spec string) (media.AudioSink, error) { return createWAVSink(spec) }

func isPattern(spec, name string) bool { return spec == name || strings.HasPrefix(spec, name+":") }

func isFile(spec, ext string) bool { return strings.EqualFold(filepath.Ext(spec), ext) }

// Explain adds to the error for an unknown device that the spec is a file of another type.
func Explain(err error, kind media.Kind, spec string) error {
	if err == nil || !errors.Is(err, media.ErrNoDevice) {
		return err
	}
	ext, hint := ".wav", wavHint
	switch kind {
	case media.Camera:
		ext, hint = ".y4m", y4mHint
	case media.Speaker:
		hint = "only .wav can be written"
	}
	if st, statErr := os.Stat(spec); statErr == nil && st.Mode().IsRegular() {
		return fmt.Errorf("open %q: not a %s file; %s: %w", spec, ext, hint, media.ErrFormat)
	}
	return err
}
