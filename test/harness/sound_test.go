package harness

import (
	"slices"
	"testing"
)

func TestHeardKnowsVoices(t *testing.T) {
	if testing.Short() {
		t.Skip("a second of arithmetic")
	}
	one, two := ReadVoice(t, Material(t, "voice1.wav"), 1), ReadVoice(t, Material(t, "voice2.wav"), 1)
	both := slices.Concat(make([]float32, 3*SoundRate), two)
	for i, v := range one {
		both[i+2*SoundRate] += v / 4
	}
	if c := Heard(two, both); c < 0.8 {
		t.Errorf("a voice over a quieter one: %.2f", c)
	}
	if c := Heard(one, slices.Concat(make([]float32, SoundRate), two)); c > 0.6 {
		t.Errorf("a voice in another: %.2f", c)
	}
	if c := Whole(one, slices.Concat(make([]float32, SoundRate), two)); c > 0.2 {
		t.Errorf("a whole voice in another: %.2f", c)
	}
	if c := Whole(one, both); c < 0.2 {
		t.Errorf("a whole voice under another: %.2f, the test of echo would not notice", c)
	}
}
