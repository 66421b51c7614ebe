package ui

import (
	"fmt"
	"hash/fnv"
	"image"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"parley/media"
	"parley/media/call"
	"parley/signal"
	"parley/signal/room"
)

// clock is the time in all tests: a Sunday afternoon.
var clock = time.Date(2026, 11, 22, 16, 2, 0, 0, time.UTC)

// fakeCall replaces the call: it records commands and generates pictures.
type fakeCall struct {
	mu       sync.Mutex
	commands []call.Command
	views    map[string]*fakeView
	levels   map[signal.ID]float64
}

func newFakeCall() *fakeCall {
	return &fakeCall{views: map[string]*fakeView{}, levels: map[signal.ID]float64{}}
}

func (c *fakeCall) Do(cmd call.Command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commands = append(c.commands, cmd)
}

func (c *fakeCall) View(id signal.ID, kind media.Kind) media.View {
	key := string(id) + kind.String()
	if c.views[key] == nil {
		v := &fakeView{seed: key, screen: kind == media.Screen, shape: image.Pt(1280, 720)}
		_, _ = fmt.Sscanf(string(id), "%dx%d", &v.shape.X, &v.shape.Y)
		c.views[key] = v
	}
	return c.views[key]
}

func (c *fakeCall) Level(id signal.ID) float64 {
	if l, ok := c.levels[id]; ok {
		return l
	}
	return media.LevelFloor
}

// take returns the commands since the last take.
func (c *fakeCall) take() []call.Command {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.commands
	c.commands = nil
	return out
}

// fakeView returns one picture for each size it is set to.
type fakeView struct {
	seed    string
	screen  bool
	shape   image.Point // the camera's size
	frozen  bool        // no new pictures
	w, h    int
	fit     media.Fit
	resized int
	taken   bool
	painted int
}

func (v *fakeView) Resize(w, h int, fit media.Fit) {
	v.w, v.h, v.fit, v.taken = w, h, fit, false
	v.resized++
}

func (v *fakeView) Waiting() bool { return !v.taken && v.w != 0 && !v.frozen }

func (v *fakeView) Take() *media.Picture {
	if !v.Waiting() {
		return nil
	}
	v.taken = true
	if v.screen {
		size := media.Contain(1920, 1080, v.w, v.h)
		return &media.Picture{Image: slide(size.X, size.Y), Source: image.Pt(1920, 1080)}
	}
	size := image.Pt(v.w, v.h)
	if !media.Fills(v.shape.X, v.shape.Y, v.w, v.h) {
		size = media.Contain(v.shape.X, v.shape.Y, v.w, v.h)
	}
	return &media.Picture{Image: photo(v.seed, size.X, size.Y), Source: v.shape}
}

func (v *fakeView) Painted(_, _ time.Time) { v.painted++ }

// photos caches the last pictures of photo, at most 64.
var photos = map[string]*image.RGBA{}

// photo is a smooth picture in colours that depend on the seed. It is shared: do not write to it.
func photo(seed string, w, h int) *image.RGBA {
	key := fmt.Sprint(seed, w, h)
	if photos[key] == nil {
		if len(photos) == 64 {
			clear(photos)
		}
		photos[key] = drawPhoto(seed, w, h)
	}
	img := *photos[key] // a new pointer: a new picture
	return &img
}

func drawPhoto(seed string, w, h int) *image.RGBA {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(seed))
	n := sum.Sum64()
	next := func() float64 {
		n ^= n << 13
		n ^= n >> 7
		n ^= n << 17
		return float64(n%1000) / 1000
	}
	type blob struct{ x, y, r, red, green, blue float64 }
	blobs := make([]blob, 7)
	for i := range blobs {
		blobs[i] = blob{next(), next(), 0.12 + next()*0.3, next() * 190, next() * 150, next() * 150}
	}
	const step = 4 // coarse is smooth enough, and fast
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := 0; y < h; y += step {
		for x := 0; x < w; x += step {
			u, v := float64(x)/float64(w), float64(y)/float64(h)
			total, red, green, blue := 0.15, 4.0, 5.0, 6.0
			for _, b := range blobs {
				d := (u-b.x)*(u-b.x)*3 + (v-b.y)*(v-b.y)
				k := math.Exp(-d / (b.r * b.r))
				total, red, green, blue = total+k, red+k*b.red, green+k*b.green, blue+k*b.blue
			}
			for yy := y; yy < min(y+step, h); yy++ {
				for xx := x; xx < min(x+step, w); xx++ {
					i := img.PixOffset(xx, yy)
					img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = uint8(red/total), uint8(green/total), uint8(blue/total), 255
				}
			}
		}
	}
	return img
}

// slide is a white page with grey lines, like a shared screen.
func slide(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for line := 2; line < 14; line++ {
		long := (line*37%50 + 30) * w / 100
		for y := h * line / 18; y < h*line/18+h/40; y++ {
			for x := w / 20; x < long; x++ {
				i := img.PixOffset(x, y)
				img.Pix[i], img.Pix[i+1], img.Pix[i+2] = 60, 70, 84
			}
		}
	}
	return img
}

// memory is a Store for one window.
type memory struct{ fyne.Preferences }

func (m memory) UpdateString(key string, update func(old string) string) {
	m.SetString(key, update(m.String(key)))
}

// open makes a window of the given size, in the dark palette unless the test chose another.
func open(t *testing.T, size fyne.Size) (*Window, *fakeCall) {
	t.Helper()
	return openScaled(t, size, nil)
}

func openScaled(t *testing.T, size fyne.Size, prepare func(Preferences)) (*Window, *fakeCall) {
	t.Helper()
	app := test.NewTempApp(t)
	prefs := NewPreferences(memory{app.Preferences()})
	if prepare != nil {
		prepare(prefs)
	}
	c := newFakeCall()
	w := New(app, prefs, c)
	w.now = func() time.Time { return clock }
	w.win.Resize(size)
	t.Cleanup(w.win.Close)
	return w, c
}

// show draws a state in which all commands have been carried out, with its pictures.
func show(w *Window, s call.State) {
	for kind, d := range []*call.Local{media.Camera: &s.Camera, media.Microphone: &s.Mic, media.Speaker: &s.Speaker, media.Screen: &s.Screen} {
		d.Switched = w.switched[kind].count
	}
	s.Handled = w.sent
	w.Show(s)
	for range 2 {
		w.display.pulsed = time.Time{}
		w.tick(time.Now())
		w.reportPainted()
	}
}

// withoutIsolates is a text without the isolation marks around names.
func withoutIsolates(text string) string {
	return strings.NewReplacer("\u2068", "", "\u2069", "").Replace(text)
}

var names = []string{
	"Amara Okafor", "Jonas Lindqvist", "Mei Tanaka", "Rafael Costa", "Priya Raman", "Tomasz Nowak",
	"Leila Haddad", "Ingrid Solberg", "Kwame Mensah", "Sofia Rossi", "Daniel Kim", "Hana Suzuki",
	"Omar Farouk", "Eva Novak", "Lucas Martin", "Nadia Petrova", "Chloé Dubois", "Samuel Adeyemi",
	"Yuki Mori", "Ahmed Saleh", "Freya Olsen",
}

func base(phase call.Phase) call.State {
	return call.State{
		Phase: phase, Link: "https://meet.example.org/#7k3m-q9xt-2w8p", Code: "7k3m-q9xt-2w8p",
		Name: "Nia Koroma", Sound: call.Sound{Noise: true},
		Room: room.State{Link: room.Connected},
		Mic: call.Local{
			On: true, Live: true, Choice: "builtin",
			Device: media.Device{Kind: media.Microphone, ID: "builtin", Name: "Built-in microphone"},
		},
		Camera: call.Local{
			On: true, Live: true, Choice: "facetime", Format: call.Format{Width: 1280, Height: 720, FrameRate: 30},
			Device: media.Device{Kind: media.Camera, ID: "facetime", Name: "FaceTime HD"},
		},
		Speaker: call.Local{
			On: true, Live: true, Choice: media.SpecDefault,
			Device: media.Device{Kind: media.Speaker, ID: "phones", Name: "Headphones"},
		},
		Devices: map[media.Kind][]media.Device{
			media.Microphone: {{ID: "builtin", Name: "Built-in microphone"}, {ID: "usb", Name: "USB audio"}},
			media.Camera:     {{ID: "facetime", Name: "FaceTime HD"}, {ID: "desk", Name: "Desk view"}},
			media.Speaker:    {{ID: "phones", Name: "Headphones"}},
			media.Screen:     {{ID: "screen:0", Name: "Display 1"}},
		},
	}
}

// with adds n others to the meeting, some muted, some without a camera.
func with(s call.State, n int) call.State {
	s.Started = clock.Add(-24*time.Minute - 16*time.Second)
	for i := range n {
		id := signal.ID(names[i])
		dark := i%4 == 1 || i == 8 || i == 11
		s.Peers = append(s.Peers, call.Peer{
			ID: id, Name: names[i], Phase: call.PeerConnected,
			Mic: i%3 != 1, Camera: !dark || n == 1, Speaking: i == 0,
		})
		s.Room.Members = append(s.Room.Members, room.Member{ID: id, Name: names[i], Present: true})
	}
	return s
}
