// Package pulse opens microphones and speakers through miniaudio, on PulseAudio (or PipeWire in its place) and other
// sound systems, and the machine's own sound through PulseAudio's protocol.
package pulse

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/gen2brain/malgo"

	"parley/media"
)

// Sound systems in order of preference. miniaudio's null backend is left out because it pretends to be a
// device, and JACK because it would start a server.
var audioBackends = []malgo.Backend{
	malgo.BackendPulseaudio, malgo.BackendAlsa, malgo.BackendCoreaudio, malgo.BackendWasapi,
}

const (
	// audioListAge is how long a device list is cached. Open devices and Watch all poll it.
	audioListAge = 250 * time.Millisecond
	// audioRetry is the pause after a failed connection, and audioRareRetry the pause where nothing hints
	// at a sound system: miniaudio leaks 24 KB with every failed attempt.
	audioRetry     = 2 * time.Second
	audioRareRetry = time.Minute
	// monitorSuffix marks the PulseAudio sources that record what a speaker plays.
	monitorSuffix = ".monitor"
)

// audioContext is a connection to a sound system. It is counted: devices of a server that has died keep
// their context until they are closed.
type audioContext struct {
	*malgo.AllocatedContext
	refs int // guarded by Driver.mu
}

// Driver owns the connection to the sound system and its device lists. One mutex
// guards all: miniaudio's PulseAudio main loop of a context takes one caller at a time.
type Driver struct {
	log   *slog.Logger
	mutes mutes

	mu      sync.Mutex
	current *audioContext // nil before the first use and after the server has gone
	failed  time.Time     // of the last try that found nothing
	listed  time.Time     // when devices were listed
	devices map[media.Kind][]audioDevice
}

// audioDevice is a device with the ID that miniaudio opens it by.
type audioDevice struct {
	media.Device
	id      malgo.DeviceID
	monitor bool
}

// New returns a driver, which connects to the sound system at its first use.
func New(log *slog.Logger) *Driver { return &Driver{log: log, mutes: mutes{log: log}} }

// Takes accepts every microphone and speaker.
func (a *Driver) Takes(kind media.Kind, _ string) bool {
	return kind == media.Microphone || kind == media.Speaker
}

// Close releases the connection.
func (a *Driver) Close() error {
	a.mutes.close()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.retire()
	return nil
}

// retire releases the current connection.
func (a *Driver) retire() {
	if a.current != nil {
		a.release(a.current)
	}
	a.current, a.devices, a.listed = nil, nil, time.Time{}
}

// release drops a reference to c and disconnects with the last one.
func (a *Driver) release(c *audioContext) {
	if c.refs--; c.refs == 0 {
		if err := c.Uninit(); err != nil {
			a.log.Debug("disconnect from sound system", "err", err)
		}
		c.Free()
	}
}

// List leaves out the monitors. Without a sound system there are no devices.
func (a *Driver) List(kind media.Kind) ([]media.Device, error) {
	if !a.Takes(kind, "") {
		return nil, nil
	}
	var muted map[string]bool
	if kind == media.Microphone {
		muted = a.mutes.now()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	all, err := a.refresh(kind)
	if errors.Is(err, media.ErrNoDevice) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []media.Device
	for _, d := range all {
		if !d.monitor {
			d.Muted = muted[d.ID]
			out = append(out, d.Device)
		}
	}
	return out, nil
}

// refresh returns the devices of a kind, from a list that is at most audioListAge old. It connects if necessary.
// Without a sound system the error is ErrNoDevice. a.mu is held.
func (a *Driver) refresh(kind media.Kind) ([]audioDevice, error) {
	if a.current != nil && time.Since(a.listed) < audioListAge {
		return a.devices[kind], nil
	}
	if a.current != nil {
		if err := a.ask(); err == nil {
			return a.devices[kind], nil
		}
		a.retire() // the server has gone; perhaps it is back already
	}
	none := fmt.Errorf("list %ss: no sound system: %w", kind, media.ErrNoDevice)
	if since := time.Since(a.failed); since < audioRetry || since < audioRareRetry && !soundSystemPresent() {
		return nil, none
	}
	for _, b := range audioBackends {
		if b == malgo.BackendAlsa && !haveALSA() {
			continue // libasound would complain on standard error
		}
		ctx, err := malgo.InitContext([]malgo.Backend{b}, malgo.ContextConfig{}, func(text string) {
			a.log.Debug("miniaudio", "text", strings.TrimSpace(text))
		})
		if err != nil {
			continue
		}
		a.current = &audioContext{AllocatedContext: ctx, refs: 1}
		if err := a.ask(); err == nil && len(a.devices[media.Microphone])+len(a.devices[media.Speaker]) > 0 {
			return a.devices[kind], nil
		}
		a.retire()
	}
	a.failed = time.Now()
	return nil, none
}

func haveALSA() bool {
	found, _ := filepath.Glob("/dev/snd/pcm*")
	return len(found) > 0
}

// ask lists the devices of the current connection. An empty list is an error: a live server has at least a null
// device, so the server must have gone.
func (a *Driver) ask() error {
	devices := make(map[media.Kind][]audioDevice)
	for kind, as := range map[media.Kind]malgo.DeviceType{media.Microphone: malgo.Capture, media.Speaker: malgo.Playback} {
		infos, err := a.current.Devices(as)
		if err != nil {
			return err
		}
		for i := range infos {
			d := audioDevice{Device: media.Device{
				Kind: kind, ID: audioID(infos[i].ID), Name: infos[i].Name(), Default: infos[i].IsDefault != 0,
			}, id: infos[i].ID}
			d.monitor = kind == media.Microphone && strings.HasSuffix(d.ID, monitorSuffix)
			if d.ID != "" {
				devices[kind] = append(devices[kind], d)
			}
		}
	}
	if len(devices) == 0 {
		return media.ErrNoDevice
	}
	a.devices, a.listed = devices, time.Now()
	return nil
}

// audioID is the sound system's own name for the device, which is stable between runs.
func audioID(id malgo.DeviceID) string {
	if runtime.GOOS == "windows" { // UTF-16
		return id.String()
	}
	text, _, _ := strings.Cut(string(id[:]), "\x00")
	return text
}

// choose returns the device that spec means now. Monitors are found only by ID, so that nobody sends their own
// speaker's sound by accident.
func (a *Driver) choose(kind media.Kind, spec string) (audioDevice, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.chooseLocked(kind, spec)
}

func (a *Driver) chooseLocked(kind media.Kind, spec string) (audioDevice, error) {
	all, err := a.refresh(kind)
	if err != nil {
		return audioDevice{}, fmt.Errorf("open %s: %w", kind, err)
	}
	var shown []media.Device
	for _, d := range all {
		if d.ID == spec {
			return d, nil
		}
		if !d.monitor {
			shown = append(shown, d.Device)
		}
	}
	found, err := media.Choose(shown, kind, spec)
	if err != nil {
		return audioDevice{}, err
	}
	for _, d := range all {
		if d.ID == found.ID {
			return d, nil
		}
	}
	return audioDevice{}, err
}

// audioOpen is a miniaudio device with the context it holds.
type audioOpen struct {
	device *malgo.Device
	held   *audioContext
	about  media.Device
}

// audioPeriod is how much sound a device hands over at a time.
const audioPeriod = media.BlockSamples

// audioPeriods is the size of a device's buffer in periods. It does not add delay: miniaudio asks
// PulseAudio for one period of it to be filled, and the rest is room for bursts.
const audioPeriods = 20

// open opens the device that spec means now. Its callback runs on a thread of miniaudio's.
func (a *Driver) open(kind media.Kind, spec string, data malgo.DataProc) (*audioOpen, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.listed = time.Time{} // opening needs a fresh list
	d, err := a.chooseLocked(kind, spec)
	if err != nil {
		return nil, err
	}
	// miniaudio copies the ID; it has to stay in place until then.
	var pin runtime.Pinner
	defer pin.Unpin()
	id := d.id
	pin.Pin(&id)
	cfg := malgo.DefaultDeviceConfig(malgo.Capture)
	sub := &cfg.Capture
	sub.Channels = 1
	if kind == media.Speaker {
		cfg = malgo.DefaultDeviceConfig(malgo.Playback)
		sub = &cfg.Playback
		sub.Channels = media.SpeakerChannels
	}
	sub.Format, sub.DeviceID = malgo.FormatS16, unsafe.Pointer(&id)
	cfg.SampleRate, cfg.PeriodSizeInFrames, cfg.Periods = media.SampleRate, audioPeriod, audioPeriods
	cfg.NoFixedSizedCallback = 1 // blocks are made without another buffer in between
	cfg.Pulse.StreamNameCapture, cfg.Pulse.StreamNamePlayback = "Microphone", "Meeting"
	dev, err := malgo.InitDevice(a.current.Context, cfg, malgo.DeviceCallbacks{Data: data})
	if err != nil {
		return nil, fmt.Errorf("open %s %q: %w", kind, d.Name, audioError(err))
	}
	a.current.refs++
	return &audioOpen{device: dev, held: a.current, about: d.Device}, nil
}

// stale reports whether the server that o was opened at has gone.
func (a *Driver) stale(o *audioOpen) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return o.held != a.current
}

// closeDevice stops o; its callback does not run any more when it returns.
func (a *Driver) closeDevice(o *audioOpen) {
	// Uninit alone waits for the next block, which never comes if the device has gone. Stop wakes its thread, and fails
	// if the stream has gone too.
	if err := o.device.Stop(); err != nil {
		a.log.Debug("stop sound device", "kind", o.about.Kind.String(), "err", err)
	}
	o.device.Uninit()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.release(o.held)
}

// audioError maps miniaudio's errors to those of package media.
func audioError(err error) error {
	for from, to := range map[error]error{
		malgo.ErrNoDevice: media.ErrNoDevice, malgo.ErrUnavailable: media.ErrNoDevice, malgo.ErrDoesNotExist: media.ErrNoDevice,
		malgo.ErrBusy: media.ErrBusy, malgo.ErrAlreadyInUse: media.ErrBusy,
		malgo.ErrFormatNotSupported: media.ErrFormat, malgo.ErrAccessDenied: fs.ErrPermission,
	} {
		if errors.Is(err, from) {
			return fmt.Errorf("%v: %w", err, to)
		}
	}
	return err
}
