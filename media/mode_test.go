package media

import (
	"slices"
	"testing"
)

func TestBestMode(t *testing.T) {
	mjpeg720, raw720slow := CameraMode{1280, 720, 30, FormatMJPEG}, CameraMode{1280, 720, 10, FormatYUY2}
	raw720, raw480 := CameraMode{1280, 720, 30, FormatYUY2}, CameraMode{640, 480, 30, FormatYUY2}
	hd, hd60 := CameraMode{1920, 1080, 30, FormatMJPEG}, CameraMode{1280, 720, 60, FormatMJPEG}
	small := CameraMode{320, 240, 30, FormatYUY2}
	for name, c := range map[string]struct {
		modes []CameraMode
		want  CameraMode
	}{
		"MJPEG for the rate":          {[]CameraMode{raw720slow, raw480, small, mjpeg720, hd}, mjpeg720},
		"raw at the same rate":        {[]CameraMode{mjpeg720, raw720}, raw720},
		"30 before 60":                {[]CameraMode{hd60, mjpeg720}, mjpeg720},
		"rate before size":            {[]CameraMode{raw720slow, raw480, small}, raw480},
		"1080p if that is all":        {[]CameraMode{hd}, hd},
		"too large before far lower":  {[]CameraMode{small, hd}, hd},
		"a size that is out of range": {[]CameraMode{{100000, 2, 30, FormatYUY2}, small}, small},
	} {
		for _, order := range []string{"as listed", "reversed"} {
			if i := BestMode(c.modes); i < 0 || c.modes[i] != c.want {
				t.Errorf("%s, %s: %d, want %+v", name, order, i, c.want)
			}
			slices.Reverse(c.modes)
		}
	}
	if i := BestMode(nil); i != -1 {
		t.Errorf("chose %d from nothing", i)
	}
}
