// Package mf finds and opens the cameras of Windows (Media Foundation).
package mf

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"parley/media"
)

// listFor is how long a list stands: Windows takes tens of milliseconds for one.
const listFor = 3 * time.Second

// The attributes that we read and set (mfidl.h, mfapi.h, mfreadwrite.h).
var (
	sourceType        = windows.GUID{Data1: 0xc60ac5fe, Data2: 0x252a, Data3: 0x478f, Data4: [8]byte{0xa0, 0xef, 0xbc, 0x8f, 0xa5, 0xf7, 0xca, 0xd3}}
	videoCapture      = windows.GUID{Data1: 0x8ac3587a, Data2: 0x4ae7, Data3: 0x42d8, Data4: [8]byte{0x99, 0xe0, 0x0a, 0x60, 0x13, 0xee, 0xf9, 0x0f}}
	friendlyName      = windows.GUID{Data1: 0x60d0e559, Data2: 0x52f8, Data3: 0x4fa2, Data4: [8]byte{0xbb, 0xce, 0xac, 0xdb, 0x34, 0xa8, 0xec, 0x01}}
	symbolicLink      = windows.GUID{Data1: 0x58f0aad8, Data2: 0x22bf, Data3: 0x4f8a, Data4: [8]byte{0xbb, 0x3d, 0xd2, 0xc4, 0x97, 0x8c, 0x6e, 0x2f}}
	mediaSource       = windows.GUID{Data1: 0x279a808d, Data2: 0xaec7, Data3: 0x40c8, Data4: [8]byte{0x9c, 0x6b, 0xa6, 0xb4, 0x92, 0xc7, 0x8a, 0x66}}
	disableConverters = windows.GUID{Data1: 0x98d5b065, Data2: 0x1374, Data3: 0x4847, Data4: [8]byte{0x8d, 0x5d, 0x31, 0x52, 0x0f, 0xee, 0x71, 0x56}}
	subtype           = windows.GUID{Data1: 0xf7e34c9a, Data2: 0x42e8, Data3: 0x4714, Data4: [8]byte{0xb7, 0x4b, 0xcb, 0x29, 0xd7, 0x2c, 0x35, 0xe5}}
	frameSize         = windows.GUID{Data1: 0x1652c33d, Data2: 0xd6b2, Data3: 0x4012, Data4: [8]byte{0xb8, 0x34, 0x72, 0x03, 0x08, 0x49, 0xa3, 0x7d}}
	frameRate         = windows.GUID{Data1: 0xc459a2e8, Data2: 0x3d2c, Data3: 0x4e44, Data4: [8]byte{0xb1, 0x32, 0xfe, 0xe5, 0x15, 0x6c, 0x7b, 0xb0}}
)

// Driver lists and opens cameras.
type Driver struct {
	convert media.PixelConverter
	library library
	load    func() error // once

	mu     sync.Mutex
	known  []media.Device
	listed time.Time
}

// New returns a driver that has not looked for cameras yet.
func New(convert media.PixelConverter) *Driver {
	d := &Driver{convert: convert, library: newLibrary()}
	d.load = sync.OnceValue(func() error { return d.library.load() })
	return d
}

// Takes accepts every camera.
func (*Driver) Takes(kind media.Kind, _ string) bool { return kind == media.Camera }

// Close has nothing to do.
func (*Driver) Close() error { return nil }

// List names the cameras. A Windows without Media Foundation has none.
func (d *Driver) List(kind media.Kind) ([]media.Device, error) {
	if kind != media.Camera {
		return nil, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); now.Sub(d.listed) > listFor {
		found, err := d.find(nil)
		if err != nil {
			return nil, fmt.Errorf("list cameras: %w", err)
		}
		d.known, d.listed = found, now
	}
	return slices.Clone(d.known), nil
}

// find lists the cameras, and passes each to use unless that is nil. What it passes is released afterwards.
func (d *Driver) find(use func(media.Device, *object)) ([]media.Device, error) {
	if err := d.load(); errors.Is(err, media.ErrUnsupported) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	wanted, err := d.library.attributes()
	if err != nil {
		return nil, err
	}
	defer wanted.release()
	if err := wanted.call(setGUID, uintptr(unsafe.Pointer(&sourceType)), uintptr(unsafe.Pointer(&videoCapture))).err(); err != nil {
		return nil, err
	}
	var list **object
	var count uint32
	r, _, _ := d.library.enumerate.Call(uintptr(unsafe.Pointer(wanted)), uintptr(unsafe.Pointer(&list)), uintptr(unsafe.Pointer(&count)))
	if uint32(r) == notImplemented || uint32(r) == badArgument {
		return nil, nil // Wine knows microphones alone
	}
	if err := hresult(r).err(); err != nil {
		return nil, err
	}
	defer windows.CoTaskMemFree(unsafe.Pointer(list))
	var out []media.Device
	for i, a := range unsafe.Slice(list, count) {
		found := media.Device{Kind: media.Camera, ID: a.text(&symbolicLink), Name: a.text(&friendlyName), Default: i == 0}
		if use != nil {
			use(found, a)
		}
		a.release()
		out = append(out, found)
	}
	return out, nil
}

// OpenCamera starts the camera that spec means.
func (d *Driver) OpenCamera(spec string) (media.VideoSource, error) {
	all, err := d.find(nil)
	if err != nil {
		return nil, fmt.Errorf("open camera: %w", err)
	}
	chosen, err := media.Choose(all, media.Camera, spec)
	if err != nil {
		return nil, err
	}
	s := &source{convert: d.convert, info: media.VideoInfo{Device: chosen}}
	s.ended, s.end = context.WithCancel(context.Background())
	err = media.ErrNoDevice // unless it is still there
	_, findErr := d.find(func(found media.Device, a *object) {
		if found.ID == chosen.ID && s.reader == nil {
			err = s.open(d.library, a)
		}
	})
	if err = errors.Join(findErr, err); err != nil {
		s.end()
		return nil, fmt.Errorf("open camera %q: %w", chosen.Name, err)
	}
	return s, nil
}
