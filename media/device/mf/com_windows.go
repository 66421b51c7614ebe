package mf

import (
	"fmt"
	"io/fs"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"parley/media"
)

// hresult is what functions of Windows return; negative is a failure.
type hresult int32

// The failures that mean something to us (winerror.h, mferror.h).
const (
	notImplemented = 0x80004001 // E_NOTIMPL
	badArgument    = 0x80070057 // E_INVALIDARG
	accessDenied   = 0x80070005 // E_ACCESSDENIED
	unplugged      = 0xC00D3EA2 // MF_E_VIDEO_RECORDING_DEVICE_INVALIDATED
	preempted      = 0xC00D3EA3 // MF_E_VIDEO_RECORDING_DEVICE_PREEMPTED
	cannotStart    = 0xC00D3704 // MF_E_HW_MFT_FAILED_START_STREAMING: another program has the camera
)

// err maps a failure to the errors of package media.
func (r hresult) err() error {
	code := fmt.Sprintf("0x%08X", uint32(r))
	switch uint32(r) {
	case accessDenied:
		return fmt.Errorf("%w (%s); allow desktop apps to use the camera in the settings of Windows", fs.ErrPermission, code)
	case preempted, cannotStart:
		return fmt.Errorf("%w (%s)", media.ErrBusy, code)
	case unplugged:
		return fmt.Errorf("%w (%s)", media.ErrLost, code)
	}
	if r < 0 {
		return fmt.Errorf("error %s of Media Foundation", code)
	}
	return nil
}

// object is a COM object. Objects of Media Foundation may be used from any thread of the multithreaded apartment.
type object struct{ methods *[64]uintptr }

// The methods that we call, by their place in the tables of mfobjects.h, mfidl.h and mfreadwrite.h.
const (
	release = 2

	getUINT64, getGUID, getAllocatedString = 8, 10, 13 // IMFAttributes
	setUINT32, setGUID                     = 21, 24

	activateObject = 33 // IMFActivate
	shutdownSource = 12 // IMFMediaSource

	setStreamSelection, getNativeMediaType, setCurrentMediaType, readSample = 4, 5, 7, 9 // IMFSourceReader

	convertToContiguousBuffer = 41   // IMFSample
	lock, unlock              = 3, 4 // IMFMediaBuffer
)

// call calls a method. Pointers among the arguments stay valid while it runs.
//
//go:uintptrescapes
func (o *object) call(method int, args ...uintptr) hresult {
	r, _, _ := syscall.SyscallN(o.methods[method], append([]uintptr{uintptr(unsafe.Pointer(o))}, args...)...)
	return hresult(r)
}

func (o *object) release() {
	if o != nil {
		o.call(release)
	}
}

// text reads a string of an object's attributes; empty if there is none.
func (o *object) text(key *windows.GUID) string {
	var text *uint16
	var length uint32
	if o.call(getAllocatedString, uintptr(unsafe.Pointer(key)), uintptr(unsafe.Pointer(&text)), uintptr(unsafe.Pointer(&length))) < 0 {
		return ""
	}
	defer windows.CoTaskMemFree(unsafe.Pointer(text))
	return windows.UTF16ToString(unsafe.Slice(text, length))
}

// pair reads two numbers that an attribute has in its halves, such as width and height.
func (o *object) pair(key *windows.GUID) (high, low uint32) {
	var v uint64
	if o.call(getUINT64, uintptr(unsafe.Pointer(key)), uintptr(unsafe.Pointer(&v))) < 0 {
		return 0, 0
	}
	return uint32(v >> 32), uint32(v)
}

// library has the functions of Media Foundation. Some editions of Windows lack it, so it is loaded when it is needed.
type library struct {
	incrementMTAUsage, startup, createAttributes, enumerate, createReader *windows.LazyProc
}

func newLibrary() library {
	platform := windows.NewLazySystemDLL("mfplat.dll")
	return library{
		incrementMTAUsage: windows.NewLazySystemDLL("ole32.dll").NewProc("CoIncrementMTAUsage"),

		startup:          platform.NewProc("MFStartup"),
		createAttributes: platform.NewProc("MFCreateAttributes"),
		enumerate:        windows.NewLazySystemDLL("mf.dll").NewProc("MFEnumDeviceSources"),
		createReader:     windows.NewLazySystemDLL("mfreadwrite.dll").NewProc("MFCreateSourceReaderFromMediaSource"),
	}
}

// load reports whether this Windows has Media Foundation, and starts it. It stays for as long as the process, and so does
// COM's multithreaded apartment. Every thread that has entered no other is in that.
func (l library) load() error {
	for _, p := range []*windows.LazyProc{l.incrementMTAUsage, l.startup, l.createAttributes, l.enumerate, l.createReader} {
		if err := p.Find(); err != nil {
			return fmt.Errorf("%w: %w", media.ErrUnsupported, err)
		}
	}
	var cookie uintptr
	if r, _, _ := l.incrementMTAUsage.Call(uintptr(unsafe.Pointer(&cookie))); hresult(r) < 0 {
		return fmt.Errorf("enter COM: %w", hresult(r).err())
	}
	const version, full = 0x20070, 0 // MF_VERSION, MFSTARTUP_FULL
	r, _, _ := l.startup.Call(version, full)
	return hresult(r).err()
}

// attributes makes a set of attributes.
func (l library) attributes() (*object, error) {
	var a *object
	r, _, _ := l.createAttributes.Call(uintptr(unsafe.Pointer(&a)), 1)
	return a, hresult(r).err()
}
