package pipe

import (
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// planned plans twice, because a plan must not move anybody without a reason.
func planned(t *testing.T, w, h int, limits VideoLimits, wants []VideoWant, from ...place) ([layerCount]layer, []place) {
	t.Helper()
	places := make([]place, len(wants))
	for i := range places {
		places[i].layer = -1
	}
	copy(places, from)
	layers := plan(w, h, limits, wants, places)
	again := slices.Clone(places)
	if l := plan(w, h, limits, wants, again); !reflect.DeepEqual(l, layers) || !reflect.DeepEqual(again, places) {
		t.Errorf("planned again, %v at %v became %v at %v", layers, places, l, again)
	}
	return layers, places
}

func TestPlan(t *testing.T) {
	at := func(l int, half bool, limit Limit) place { return place{l, half, limit} }
	big, small := Size{1280, 720}, Size{320, 180}
	for _, c := range []struct {
		name   string
		w, h   int
		limits VideoLimits
		wants  []VideoWant
		from   []place
		places []place
		rates  [layerCount]int
	}{
		{
			name: "nobody", w: 1280, h: 720,
		},
		{
			name: "one, rich", w: 1280, h: 720, wants: []VideoWant{{BitRate: 5_000_000, Max: big}},
			places: []place{at(2, false, Unlimited)}, rates: [3]int{0, 0, 2_500_000},
		},
		{
			name: "one, a small tile", w: 1280, h: 720, wants: []VideoWant{{BitRate: 5_000_000, Max: small}},
			places: []place{at(0, false, Unlimited)}, rates: [3]int{350_000, 0, 0},
		},
		{
			name: "one, poor", w: 1280, h: 720, wants: []VideoWant{{BitRate: 400_000, Max: big}},
			places: []place{at(1, false, BandwidthLimit)}, rates: [3]int{0, 400_000, 0},
		},
		{
			name: "spared every second of 30", w: 1280, h: 720, limits: VideoLimits{FrameRate: 30},
			wants:  []VideoWant{{BitRate: 5_000_000, Max: small, HalfRate: true}},
			places: []place{at(0, true, Unlimited)}, rates: [3]int{350_000, 0, 0},
		},
		{
			name: "spared none of 15", w: 1280, h: 720, limits: VideoLimits{FrameRate: 15},
			wants:  []VideoWant{{BitRate: 5_000_000, Max: small, HalfRate: true}},
			places: []place{at(0, false, Unlimited)}, rates: [3]int{350_000, 0, 0},
		},
		{
			name: "below everything", w: 1280, h: 720, wants: []VideoWant{{BitRate: -5, Max: big}},
			places: []place{at(0, false, BandwidthLimit)}, rates: [3]int{minBitRate, 0, 0},
		},
		{
			name: "between rungs it stays where it is", w: 1280, h: 720, wants: []VideoWant{{BitRate: 800_000, Max: big}},
			from: []place{at(1, false, Unlimited)}, places: []place{at(1, false, BandwidthLimit)}, rates: [3]int{0, 800_000, 0},
		},
		{
			name: "between rungs it stays above", w: 1280, h: 720, wants: []VideoWant{{BitRate: 800_000, Max: big}},
			from: []place{at(2, false, Unlimited)}, places: []place{at(2, false, Unlimited)}, rates: [3]int{0, 0, 800_000},
		},
		{
			name: "the same for eight", w: 1280, h: 720,
			wants: []VideoWant{
				{BitRate: 2_400_000, Max: big},
				{BitRate: 2_100_000, Max: big},
				{BitRate: 9_000_000, Max: big},
				{BitRate: 2_500_000, Max: big},
				{BitRate: 2_400_000, Max: small},
				{BitRate: 300_000, Max: small},
				{BitRate: 9_000_000, Max: small},
				{BitRate: 2_500_000, Max: small},
			},
			places: []place{
				at(2, false, Unlimited), at(2, false, Unlimited), at(2, false, Unlimited), at(2, false, Unlimited),
				at(0, false, Unlimited), at(0, false, Unlimited), at(0, false, Unlimited), at(0, false, Unlimited),
			},
			rates: [3]int{300_000, 0, 2_100_000},
		},
		{
			name: "a weaker one gets every second frame", w: 1280, h: 720,
			wants:  []VideoWant{{BitRate: 2_500_000, Max: big}, {BitRate: 1_700_000, Max: big}},
			places: []place{at(2, false, Unlimited), at(2, true, BandwidthLimit)}, rates: [3]int{0, 0, 2_500_000},
		},
		{
			name: "a much weaker one does not drag the others down", w: 1280, h: 720,
			wants:  []VideoWant{{BitRate: 2_500_000, Max: big}, {BitRate: 700_000, Max: big}},
			places: []place{at(2, false, Unlimited), at(1, false, BandwidthLimit)}, rates: [3]int{0, 700_000, 2_500_000},
		},
		{
			name: "a dip of a weaker one does not move it", w: 1280, h: 720,
			wants:  []VideoWant{{BitRate: 2_500_000, Max: big}, {BitRate: 700_000, lately: 1_700_000, Max: big}},
			from:   []place{at(2, false, Unlimited), at(2, true, BandwidthLimit)},
			places: []place{at(2, false, Unlimited), at(2, true, BandwidthLimit)}, rates: [3]int{0, 0, 2_500_000},
		},
		{
			name: "the weakest sets the lowest", w: 1280, h: 720,
			wants:  []VideoWant{{BitRate: 350_000, Max: small}, {BitRate: 90_000, Max: small}},
			places: []place{at(0, false, Unlimited), at(0, true, BandwidthLimit)}, rates: [3]int{150_000, 0, 0},
		},
		{
			name: "a busy machine", w: 1280, h: 720, limits: VideoLimits{MaxHeight: 360},
			wants:  []VideoWant{{BitRate: 2_500_000, Max: big}, {BitRate: 2_500_000, Max: small}},
			places: []place{at(1, false, CPULimit), at(0, false, Unlimited)}, rates: [3]int{350_000, 1_000_000, 0},
		},
		{
			name: "upright in a wide tile: 405 by 720 pixels show", w: 720, h: 1280, wants: []VideoWant{{BitRate: 5_000_000, Max: big}},
			places: []place{at(1, false, Unlimited)}, rates: [3]int{0, 1_000_000, 0},
		},
		{
			name: "upright in an upright tile", w: 720, h: 1280, wants: []VideoWant{{BitRate: 5_000_000, Max: Size{720, 1280}}},
			places: []place{at(2, false, Unlimited)}, rates: [3]int{0, 0, 2_500_000},
		},
		{
			name: "wide in an upright tile: 624 by 351 pixels show", w: 1280, h: 720, wants: []VideoWant{{BitRate: 5_000_000, Max: Size{624, 1280}}},
			places: []place{at(1, false, Unlimited)}, rates: [3]int{0, 1_000_000, 0},
		},
		{
			name: "nearly a tile's shape: it is filled", w: 1280, h: 720, wants: []VideoWant{{BitRate: 5_000_000, Max: Size{800, 500}}},
			places: []place{at(2, false, Unlimited)}, rates: [3]int{0, 0, 2_500_000},
		},
		{
			name: "a path of 300 kbit/s less its sound", w: 1280, h: 720, wants: []VideoWant{{BitRate: 180_000, Max: big}},
			places: []place{at(1, false, BandwidthLimit)}, rates: [3]int{0, 180_000, 0},
		},
		{
			name: "less than 640x360 looks better at", w: 1280, h: 720, wants: []VideoWant{{BitRate: 95_000, Max: big}},
			places: []place{at(0, false, BandwidthLimit)}, rates: [3]int{95_000, 0, 0},
		},
		{
			name: "a little less does not move it", w: 1280, h: 720, wants: []VideoWant{{BitRate: 105_000, Max: big}},
			from: []place{at(1, false, BandwidthLimit)}, places: []place{at(1, false, BandwidthLimit)}, rates: [3]int{0, 105_000, 0},
		},
		{
			name: "it comes back soon", w: 1280, h: 720, wants: []VideoWant{{BitRate: 145_000, Max: big}},
			from: []place{at(0, false, BandwidthLimit)}, places: []place{at(1, false, BandwidthLimit)}, rates: [3]int{0, 145_000, 0},
		},
		{
			name: "a small camera", w: 320, h: 240, wants: []VideoWant{{BitRate: 2_500_000, Max: big}},
			places: []place{at(1, false, Unlimited)}, rates: [3]int{0, 1_000_000, 0},
		},
		{
			name: "one pixel", w: 1, h: 1, wants: []VideoWant{{BitRate: 2_500_000}},
			places: []place{at(0, false, Unlimited)}, rates: [3]int{350_000, 0, 0},
		},
		{
			name: "a screen", w: 1920, h: 1080, limits: VideoLimits{Screen: true},
			wants:  []VideoWant{{BitRate: 4_000_000}, {BitRate: 3_500_000}, {BitRate: 600_000}},
			places: []place{at(0, false, Unlimited), at(0, false, Unlimited), at(0, true, BandwidthLimit)}, rates: [3]int{1_000_000, 0, 0},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			layers, places := planned(t, c.w, c.h, c.limits, c.wants, c.from...)
			if len(places) > 0 && !reflect.DeepEqual(places, c.places) {
				t.Errorf("places %v, want %v", places, c.places)
			}
			for l, layer := range layers {
				if layer.on != (c.rates[l] > 0) || layer.cfg.BitRate != c.rates[l] {
					t.Errorf("layer %d is %+v, want %d bit/s", l, layer, c.rates[l])
				}
				if layer.on && (layer.cfg.Width < 2 || layer.cfg.Height < 2 || layer.cfg.Width > c.w+1 || layer.cfg.Height > c.h+1) {
					t.Errorf("layer %d of a %dx%d source is %dx%d", l, c.w, c.h, layer.cfg.Width, layer.cfg.Height)
				}
			}
		})
	}
}

// TestPlanSteady wanders around a threshold: nobody is moved back and forth.
func TestPlanSteady(t *testing.T) {
	wants := []VideoWant{{BitRate: 2_500_000, Max: Size{1280, 720}}, {Max: Size{1280, 720}}}
	places := []place{{layer: -1}, {layer: -1}}
	moves := 0
	for i := range 100 {
		wants[1].BitRate = 1_450_000 + 150_000*(i%2) // 0.58 and 0.64 of what the first one has
		was := places[1].layer
		plan(1280, 720, VideoLimits{}, wants, places)
		if was >= 0 && places[1].layer != was {
			moves++
		}
	}
	if moves > 1 {
		t.Errorf("moved %d times", moves)
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		w, h, rung int
		want       Size
	}{
		{1280, 720, 2, Size{1280, 720}},
		{1280, 720, 1, Size{640, 360}},
		{1280, 720, 0, Size{320, 180}},
		{1920, 1080, 2, Size{1280, 720}},
		{720, 1280, 1, Size{360, 640}},
		{641, 481, 2, Size{640, 480}},
		{1, 1, 0, Size{2, 2}},
		{8192, 8192, 0, Size{180, 180}},
		{8192, 2, 2, Size{1920, 2}},
		{3440, 1440, 2, Size{1720, 720}},
	} {
		if got := rungSize(c.w, c.h, c.rung); got != c.want {
			t.Errorf("%dx%d on rung %d is %v, want %v", c.w, c.h, c.rung, got, c.want)
		}
	}
	for in, want := range map[Size]Size{{1920, 1080}: {1920, 1080}, {3840, 2160}: {2560, 1440}, {1000, 3000}: {480, 1440}, {1, 1}: {2, 2}} {
		if got := screenSize(in.W, in.H); got != want {
			t.Errorf("a screen of %v is coded at %v, want %v", in, got, want)
		}
	}
}

// TestDipKeepsTheLayer: the bit rate that chooses the layer follows a higher rate at once, a lower one after
// layerPatience, and a deep fall at once.
func TestDipKeepsTheLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := NewVideoSender(nil, nil, nil).Subscribe(VideoWant{BitRate: 200_000}, nil)
		for i, c := range []struct {
			after    time.Duration
			rate     int
			deciding int
		}{
			{0, 200_000, 200_000},
			{100 * time.Millisecond, 100_000, 200_000},
			{500 * time.Millisecond, 110_000, 200_000},
			{100 * time.Millisecond, 210_000, 210_000}, // the dip is over
			{600 * time.Millisecond, 100_000, 210_000},
			{layerPatience, 100_000, 100_000},         // it is no dip
			{100 * time.Millisecond, 10_000, 100_000}, // minBitRate is sent nevertheless
			{0, 300_000, 300_000},
			{100 * time.Millisecond, 70_000, 70_000}, // less than layerFall of it
		} {
			time.Sleep(c.after)
			u.Set(VideoWant{BitRate: c.rate})
			if u.want.BitRate != c.rate || u.want.deciding() != c.deciding {
				t.Errorf("step %d: %d bit/s, and %d chooses the layer; want %d and %d", i, u.want.BitRate, u.want.deciding(), c.rate, c.deciding)
			}
		}
	})
}
