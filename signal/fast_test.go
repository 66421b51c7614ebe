package signal

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

// slowDecode is Decode without the short cut.
func slowDecode(text []byte) (Frame, error) {
	var w wire
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, err
	}
	f, err := w.frame()
	if err != nil {
		return nil, err
	}
	return checked(f, w)
}

// What is written by hand is what encoding/json writes.
func TestFramesAreWrittenAsJSON(t *testing.T) {
	for _, f := range append(someFrames(), Send{}, Message{}, Message{From: someID}, Message{From: `"`}, Send{To: "\n"}, Ack{}) {
		want, err := json.Marshal(f.wire())
		if err != nil {
			t.Fatal(err)
		}
		if got := Append([]byte("x"), f); !bytes.Equal(got, append([]byte("x"), want...)) {
			t.Errorf("%T: %.200s, want x%.200s", f, got, want)
		}
	}
}

// What members say all the time takes the short cut, or it would be of no use.
func TestUsualFramesAreReadByHand(t *testing.T) {
	for _, f := range someFrames() {
		_, fast := decodeFast(Encode(f))
		if ping, ok := f.(Ping); ok && ping.ICE != nil {
			continue // once an hour
		}
		switch f.(type) {
		case Send, Message, Ack, Ping, Pong:
			if !fast {
				t.Errorf("%T is not read by hand", f)
			}
		default:
			if fast {
				t.Errorf("%T is read by hand", f)
			}
		}
	}
}

// Whatever is read by hand is what encoding/json reads.
func FuzzFastIsJSON(f *testing.F) {
	for _, frame := range someFrames() {
		if text := Encode(frame); len(text) < 1000 {
			f.Add(text)
		}
	}
	for _, text := range []string{
		`{"t":"send","n":01,"seq":4,"body":"AAH/"}`, `{"t":"send","n":1,"seq":4,"body":"AA\nH/"}`,
		`{"t":"send","n":1,"seq":4,"body":"AAH/"}}`, `{"t":"message","n":1,"from":"AAAAAAAAAAAAAAA\u0041","seq":4,"body":"AA=="}`,
		`{"t":"ack","n":99999999999999999999}`, `{"t":"send","n":1,"seq":4,"body":"AB=="}`, `{"t":"ack","n":5,"n":6}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		fast, ok := decodeFast(text)
		if !ok {
			return
		}
		got, err := checked(fast, fast.wire())
		want, slowErr := slowDecode(text)
		if (err == nil) != (slowErr == nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v by hand; %+v, %v by encoding/json", text, got, err, want, slowErr)
		}
	})
}

func BenchmarkDecodeSend(b *testing.B) {
	text := Encode(Send{N: 12, Seq: 34, Body: make([]byte, 700)})
	for b.Loop() {
		if _, err := Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeMessage(b *testing.B) {
	f := Message{N: 12, From: someID, Seq: 34, Body: make([]byte, 700)}
	var buf []byte
	for b.Loop() {
		buf = Append(buf[:0], f)
	}
}
