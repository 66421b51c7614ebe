package desktop

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"github.com/jezek/xgb"
	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/xproto"
)

// The toolkit scales by the monitor's reported density over 120 dpi, times the user's factor. If a monitor reports
// a wrong size, a window at that scale is larger than the screen.

// monitor is a screen's size in pixels and its reported width.
type monitor struct {
	width, height int
	millimetres   int // of the width; 0 if unknown
}

const (
	scaleVariable  = "FYNE_SCALE"
	detectVariable = "FYNE_DISABLE_DPI_DETECTION"
)

// FitScale lowers the toolkit's scale if a window of size least would be larger than the screen. It returns the
// screen's size at that scale, or 0 if the size is not known, as anywhere but on X11. factor is the user's
// setting. Call it before there is a window.
func FitScale(factor float32, least fyne.Size) fyne.Size {
	m, err := firstMonitor()
	if err != nil || m.width == 0 || m.height == 0 {
		return fyne.Size{}
	}
	if s, err := strconv.ParseFloat(os.Getenv(scaleVariable), 32); err == nil && s > 0 {
		factor = float32(s)
	} else if factor <= 0 || os.Getenv(scaleVariable) == "auto" {
		factor = 1
	}
	detected := m.scale()
	if v := os.Getenv(detectVariable); v == "1" || strings.EqualFold(v, "t") || strings.EqualFold(v, "true") {
		detected = 1
	}
	scale := m.fit(tenths(detected*factor), least)
	if scale != tenths(detected*factor) {
		if err := os.Setenv(scaleVariable, fmt.Sprint(scale/detected)); err != nil {
			return fyne.Size{}
		}
	}
	return fyne.NewSize(float32(m.width)/scale, float32(m.height)/scale)
}

// scale is the toolkit's scale for a monitor (internal/driver/glfw/scale.go).
func (m monitor) scale() float32 {
	const normal, least, highest = 120, 10, 1000 // dpi
	dpi := float32(m.width) / (float32(m.millimetres) / 25.4)
	if m.millimetres == 0 || m.millimetres == 60 || dpi > highest || dpi < least { // 60: as a Steam Deck says
		return 1
	}
	return max(dpi/normal, 1)
}

// border is the fraction of the screen left free for the title bar and the desktop's panel when the scale is
// lowered.
const border = 0.05

// fit returns scale, or the largest scale in tenths at which a window of size least fits the monitor.
func (m monitor) fit(scale float32, least fyne.Size) float32 {
	w, h := float32(m.width), float32(m.height)
	if least.Width*scale <= w && least.Height*scale <= h {
		return scale
	}
	fit := (1 - border) * min(w/least.Width, h/least.Height)
	return max(float32(math.Floor(float64(fit*10)))/10, 0.1)
}

// tenths rounds as the toolkit does.
func tenths(scale float32) float32 { return float32(math.Round(float64(scale*10))) / 10 }

// firstMonitor is the monitor on which windows open, or the whole screen if the server has no list.
func firstMonitor() (monitor, error) {
	x, err := xgb.NewConn()
	if err != nil {
		return monitor{}, fmt.Errorf("ask for the screen's size: %w", err)
	}
	defer x.Close()
	screen := xproto.Setup(x).DefaultScreen(x)
	m := monitor{int(screen.WidthInPixels), int(screen.HeightInPixels), int(screen.WidthInMillimeters)}
	if randr.Init(x) != nil {
		return m, nil
	}
	if v, err := randr.QueryVersion(x, 1, 5).Reply(); err != nil || v.MajorVersion == 1 && v.MinorVersion < 5 {
		return m, nil
	}
	list, err := randr.GetMonitors(x, screen.Root, true).Reply()
	if err != nil {
		return m, nil
	}
	for i, r := range list.Monitors {
		if i == 0 || r.Primary {
			m = monitor{int(r.Width), int(r.Height), int(r.WidthInMillimeters)}
		}
	}
	return m, nil
}
