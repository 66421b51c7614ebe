package gdi

import (
	"image"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/windows"

	"parley/media"
)

var (
	getSystemMetrics    = user32.NewProc("GetSystemMetrics")
	enumDisplayMonitors = user32.NewProc("EnumDisplayMonitors")
	getMonitorInfo      = user32.NewProc("GetMonitorInfoW")
	enumWindows         = user32.NewProc("EnumWindows")
	isWindowVisible     = user32.NewProc("IsWindowVisible")
	isIconic            = user32.NewProc("IsIconic")
	getWindowRect       = user32.NewProc("GetWindowRect")
	getWindowText       = user32.NewProc("GetWindowTextW")
	getWindowLong       = user32.NewProc("GetWindowLongW")
	dwmGetAttribute     = windows.NewLazySystemDLL("dwmapi.dll").NewProc("DwmGetWindowAttribute")
)

// desktop is the smallest rectangle around all monitors.
func desktop() image.Rectangle {
	const left, top, width, height = 76, 77, 78, 79 // SM_XVIRTUALSCREEN and so on
	metric := func(i uintptr) int {
		v, _, _ := getSystemMetrics.Call(i)
		return int(int32(v))
	}
	at := image.Pt(metric(left), metric(top))
	return image.Rectangle{Min: at, Max: at.Add(image.Pt(metric(width), metric(height)))}
}

// handles collects what a function of Windows lists. Callbacks are never freed, so there is one.
var handles struct {
	sync.Mutex
	list     []uintptr
	callback func() uintptr
}

func init() {
	handles.callback = sync.OnceValue(func() uintptr {
		return windows.NewCallback(func(handle, _, _, _ uintptr) uintptr { // of EnumDisplayMonitors; EnumWindows passes two
			handles.list = append(handles.list, handle)
			return 1
		})
	})
}

// list calls a function that lists handles.
func list(call func(callback uintptr)) []uintptr {
	handles.Lock()
	defer handles.Unlock()
	handles.list = nil
	call(handles.callback())
	return handles.list
}

type rect struct{ left, top, right, bottom int32 }

func (r rect) area() image.Rectangle {
	return image.Rect(int(r.left), int(r.top), int(r.right), int(r.bottom))
}

type monitor struct {
	name string
	area image.Rectangle
}

// monitorInfo is MONITORINFOEXW (winuser.h).
type monitorInfo struct {
	size       uint32
	area, work rect
	flags      uint32
	device     [32]uint16
}

func monitors() []monitor {
	var out []monitor
	all := list(func(callback uintptr) { _, _, _ = enumDisplayMonitors.Call(0, 0, callback, 0) })
	for _, m := range all {
		var info monitorInfo
		info.size = uint32(unsafe.Sizeof(info))
		if ok, _, _ := getMonitorInfo.Call(m, uintptr(unsafe.Pointer(&info))); ok == 0 {
			continue
		}
		name := strings.TrimPrefix(windows.UTF16ToString(info.device[:]), `\\.\`)
		out = append(out, monitor{name, info.area.area()})
	}
	return out
}

type window struct {
	handle uintptr
	title  string
	area   image.Rectangle
}

// windowsOf lists the windows that a user would call so, from the topmost down.
func windowsOf() []window {
	var out []window
	for _, h := range list(func(callback uintptr) { _, _, _ = enumWindows.Call(callback, 0) }) {
		visible, _, _ := isWindowVisible.Call(h)
		area, ok := windowArea(h)
		name := title(h)
		if visible == 0 || !ok || name == "" || minimised(h) || tool(h) || cloaked(h) ||
			area.Dx() < media.MinScreen || area.Dy() < media.MinScreen {
			continue
		}
		out = append(out, window{h, name, area})
	}
	return out
}

func windowArea(h uintptr) (image.Rectangle, bool) {
	var r rect
	ok, _, _ := getWindowRect.Call(h, uintptr(unsafe.Pointer(&r)))
	return r.area(), ok != 0
}

func minimised(h uintptr) bool {
	v, _, _ := isIconic.Call(h)
	return v != 0
}

func title(h uintptr) string {
	var text [256]uint16
	n, _, _ := getWindowText.Call(h, uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)))
	return windows.UTF16ToString(text[:n])
}

// tool reports whether a window is a tool bar or the like.
func tool(h uintptr) bool {
	const extendedStyle, toolWindow = -20, 0x80 // GWL_EXSTYLE, WS_EX_TOOLWINDOW
	style, _, _ := getWindowLong.Call(h, signed(extendedStyle))
	return style&toolWindow != 0
}

// cloaked reports whether Windows keeps a visible window from the screen, as those of a suspended app.
func cloaked(h uintptr) bool {
	const attribute = 14 // DWMWA_CLOAKED
	var value uint32
	if dwmGetAttribute.Find() != nil {
		return false
	}
	failed, _, _ := dwmGetAttribute.Call(h, attribute, uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value))
	return failed == 0 && value != 0
}
