package call

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"parley/media"
	"parley/media/codec"
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

func TestMeterTellsEcho(t *testing.T) {
	c := idle(t, echoing{codec.New(), media.AudioProcessorStats{Delay: 120, Drift: -40, Enhanced: 44, Late: 3, Dropped: 2}})
	got := NewMeter(c).Line(time.Now()).Echo
	if want := (LineEcho{DelayMs: 120, Drift: -40, Reduced: 44, Late: 3, Dropped: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
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
