package call

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/media"
	"parley/media/codec"
	"parley/media/transport"
	"parley/signal"
)

// echoing has an echo canceller with given statistics.
type echoing struct {
	media.Codecs
	stats media.AudioProcessorStats
}

type echoProcessor struct {
	media.AudioProcessor
	stats media.AudioProcessorStats
}

func (e echoing) AudioProcessor(p media.AudioProcessing) (media.AudioProcessor, error) {
	a, err := e.Codecs.AudioProcessor(p)
	return echoProcessor{a, e.stats}, err
}

func (p echoProcessor) Stats() media.AudioProcessorStats { return p.stats }

// idle is a call that does not run.
func idle(t *testing.T, codecs media.Codecs) *Call {
	t.Helper()
	c, err := New(Config{Codecs: codecs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.closeCodecs)
	return c
}

// noiseless is a build without WebRTC's audio processing.
type noiseless struct{ media.Codecs }

type noiselessProcessor struct{ media.AudioProcessor }

func (n noiseless) AudioProcessor(p media.AudioProcessing) (media.AudioProcessor, error) {
	a, err := n.Codecs.AudioProcessor(p)
	return noiselessProcessor{a}, err
}

func (p noiselessProcessor) Configure(cfg media.AudioProcessing) error {
	noise := cfg.Noise
	cfg.Noise = false
	if err := p.AudioProcessor.Configure(cfg); err != nil || !noise {
		return err
	}
	return media.ErrUnsupported
}

// TestNoiseStays: the state tells whether this build removes noise, whatever the user has chosen.
func TestNoiseStays(t *testing.T) {
	real := errors.Is(open(t).Configure(media.AudioProcessing{Noise: true}), media.ErrUnsupported) // with the tag noapm
	if got := idle(t, codec.New()).State().NoiseStays; got != real {
		t.Errorf("noise stays: %v, want %v", got, real)
	}
	if !idle(t, noiseless{codec.New()}).State().NoiseStays {
		t.Error("a build that cannot remove noise says that it can")
	}
}

func open(t *testing.T) media.AudioProcessor {
	t.Helper()
	p, err := codec.New().AudioProcessor(media.AudioProcessing{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestMeterTellsEcho(t *testing.T) {
	c := idle(t, echoing{codec.New(), media.AudioProcessorStats{Delay: 120, Drift: -40, Enhanced: 44, Late: 3, Dropped: 2}})
	got := NewMeter(c).Line(time.Now()).Echo
	if want := (LineEcho{DelayMs: 120, Drift: -40, Reduced: 44, Late: 3, Dropped: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// measured is a transport that only has statistics.
type measured struct {
	Transport
	stats transport.Stats
	ok    bool
}

func (m measured) Stats(signal.ID) (transport.Stats, bool) { return m.stats, m.ok }

// TestMeterOfMissingSound: a sound that does not exist is silent. A level of 0 dBFS would be the loudest.
func TestMeterOfMissingSound(t *testing.T) {
	const loud = -20
	both := transport.Stats{
		Sounds: map[media.Kind]transport.SoundStats{media.Microphone: {Level: loud}, media.SystemSound: {Level: loud}},
		Out:    map[media.Kind]transport.Out{media.Microphone: {Level: loud}, media.SystemSound: {Level: loud}},
	}
	for name, c := range map[string]struct {
		measured
		want float64
	}{
		"no statistics yet": {measured{}, media.LevelFloor},
		"no track":          {measured{ok: true}, media.LevelFloor},
		"empty maps": {measured{ok: true, stats: transport.Stats{
			Sounds: map[media.Kind]transport.SoundStats{}, Out: map[media.Kind]transport.Out{media.Camera: {}},
		}}, media.LevelFloor},
		"both sounds": {measured{ok: true, stats: both}, loud},
	} {
		t.Run(name, func(t *testing.T) {
			call := idle(t, codec.New())
			call.setTransport(c.measured)
			call.state.Peers = []Peer{{ID: "ada"}}
			p := NewMeter(call).Line(time.Now()).Peers[0]
			for what, got := range map[string]float64{
				"microphone heard": p.AudioIn.Level, "microphone sent": p.AudioOut.Level,
				"system sound heard": p.SoundIn.Level, "system sound sent": p.SoundOut.Level,
			} {
				if got != c.want {
					t.Errorf("%s: level %.0f, want %.0f", what, got, c.want)
				}
			}
		})
	}
}

// TestStatsAreDocumented: docs/ARCHITECTURE.md names exactly the fields of a line.
func TestStatsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, schema, _ := strings.Cut(string(text), "\n## `--stats`\n")
	schema = strings.Split(schema, "```")[1]
	schema = regexp.MustCompile(`: "[^"]*"`).ReplaceAllString(schema, "") // what a field may say
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile(`"(\w+)"`).FindAllStringSubmatch(schema, -1) {
		documented[m[1]] = true
	}

	l := NewMeter(idle(t, codec.New())).Line(time.Now())
	l.Peers = []LinePeer{{}}
	b, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(string(b), -1) {
		if name := m[1]; !strings.Contains(schema, `"`+name+`"`) {
			t.Errorf("docs/ARCHITECTURE.md does not name %s", name)
		} else {
			delete(documented, name)
		}
	}
	for name := range documented {
		t.Errorf("docs/ARCHITECTURE.md names %s, which no line has", name)
	}
}
