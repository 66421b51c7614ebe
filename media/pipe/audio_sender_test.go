package pipe_test

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"parley/media"
	"parley/media/codec"
	"parley/media/pipe"
)

// countingEncoder counts what the encoder behind it is asked to do, and fails on demand.
type countingEncoder struct {
	media.AudioEncoder
	packets int
	config  media.AudioConfig
	err     error
}

func (c *countingEncoder) Encode(dst []byte, pcm []int16) ([]byte, error) {
	c.packets++
	if c.err != nil {
		return dst, c.err
	}
	return c.AudioEncoder.Encode(dst, pcm)
}

func (c *countingEncoder) Configure(cfg media.AudioConfig) error {
	c.config = cfg
	return c.AudioEncoder.Configure(cfg)
}

func newSender(t testing.TB, cfg media.AudioConfig) (*pipe.AudioSender, *countingEncoder) {
	t.Helper()
	cfg.Channels = 1
	enc, err := codec.New().AudioEncoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { enc.Close() })
	c := &countingEncoder{AudioEncoder: enc, config: cfg}
	return pipe.NewAudioSender(c, quietLog), c
}

// write feeds pcm in blocks of 10 ms from start on and returns when the next would be due.
func write(s *pipe.AudioSender, pcm []int16, start time.Time) time.Time {
	for ; len(pcm) >= media.BlockSamples; pcm = pcm[media.BlockSamples:] {
		s.Write(media.Audio{PCM: pcm[:media.BlockSamples], Channels: 1, Captured: start})
		start = start.Add(media.BlockDuration)
	}
	return start
}

func collect(s *pipe.AudioSender) *[]pipe.AudioPacket {
	var got []pipe.AudioPacket
	s.Subscribe(func(p pipe.AudioPacket) {
		p.Data = slices.Clone(p.Data)
		got = append(got, p)
	})
	return &got
}

func TestAudioSenderEncodesOnce(t *testing.T) {
	s, enc := newSender(t, media.AudioConfig{BitRate: 32000})
	at := write(s, voice(1), simStart)
	if enc.packets != 0 {
		t.Errorf("encoded %d packets for nobody", enc.packets)
	}
	a, b := collect(s), collect(s)
	n := 0
	cancel := s.Subscribe(func(pipe.AudioPacket) { n++ })
	at = write(s, voice(1), at)
	cancel()
	cancel()
	write(s, voice(1), at)
	if enc.packets != 100 || len(*a) != 100 || len(*b) != 100 || n != 50 {
		t.Errorf("encoded %d packets; subscribers got %d, %d and %d, want 100, 100, 100 and 50", enc.packets, len(*a), len(*b), n)
	}
	for i, p := range *a {
		if i > 0 && p.Timestamp-(*a)[i-1].Timestamp != media.PacketSamples {
			t.Fatalf("timestamp %d follows %d", p.Timestamp, (*a)[i-1].Timestamp)
		}
		if want := simStart.Add(time.Second + time.Duration(i)*media.PacketDuration); !p.Captured.Equal(want) {
			t.Fatalf("packet %d captured at %v, want %v", i, p.Captured, want)
		}
		if p.Marker != (i == 0) {
			t.Fatalf("marker of packet %d: %v", i, p.Marker)
		}
	}
	if p := (*a)[5]; p.Level < -40 || !p.Voice {
		t.Errorf("speech is sent as %.0f dBFS, voice %v", p.Level, p.Voice)
	}
}

// TestAudioSenderMutes: after a fade and the announcement of silence nothing is sent, the
// media clock goes on, and the receiver neither hears a click nor counts a loss.
func TestAudioSenderMutes(t *testing.T) {
	s, _ := newSender(t, media.AudioConfig{BitRate: 64000})
	got := collect(s)
	tone := sine(300, 1)
	at := write(s, tone, simStart)
	s.SetMuted(true)
	before := len(*got)
	at = write(s, tone, at)
	if sent := (*got)[before:]; len(sent) != 4 || len(sent[0].Data) <= 2 || len(sent[2].Data) != 1 || len(sent[3].Data) != 1 {
		t.Fatalf("%d packets sent while muted", len(sent))
	}
	if s.Level() < -15 {
		t.Errorf("level of the muted microphone %.0f dBFS", s.Level())
	}
	s.SetMuted(false)
	write(s, tone, at)
	packets := make([]sent, len(*got))
	marked := 0
	for i, p := range *got {
		packets[i].SequenceNumber, packets[i].Timestamp, packets[i].Payload = uint16(i), p.Timestamp, p.Data
		packets[i].at = p.Captured.Sub(simStart)
		if p.Timestamp-(*got)[0].Timestamp != uint32(packets[i].at/media.BlockDuration)*media.BlockSamples {
			t.Fatalf("timestamp of packet %d is off its capture time", i)
		}
		if p.Marker {
			marked++
		}
	}
	if marked != 2 {
		t.Errorf("%d packets marked, want the first and the one after the silence", marked)
	}
	h := simulate(opusReceiver(t), packets, perfect)
	if h.stats.Lost+h.stats.Concealed+h.stats.Underruns != 0 {
		t.Errorf("muting is heard as loss: %+v", h.stats)
	}
	if got := jump(h.pcm); got > 600 {
		t.Errorf("muting clicks: step of %d", got)
	}
	if l := media.Level(h.pcm[15*media.SampleRate/10 : 2*media.SampleRate]); l > -80 {
		t.Errorf("muted, but %.0f dBFS are heard", l)
	}
	if l := media.Level(h.pcm[25*media.SampleRate/10:]); l < -15 {
		t.Errorf("unmuted, but %.0f dBFS are heard", l)
	}
}

// TestAudioSenderFollowsMicrophone: blocks of any size and any number of channels, holes in
// the capture times, another microphone.
func TestAudioSenderFollowsMicrophone(t *testing.T) {
	s, _ := newSender(t, media.AudioConfig{BitRate: 32000})
	got := collect(s)
	pcm := voice(1)
	stereo := make([]int16, 2*len(pcm))
	for i, v := range pcm {
		stereo[2*i] = v
		stereo[2*i+1] = v
	}
	for i := 0; i < len(stereo); i += 14 * 100 {
		s.Write(media.Audio{
			PCM: stereo[i:min(i+14*100, len(stereo))], Channels: 2,
			Captured: simStart.Add(time.Duration(i/2) * time.Second / media.SampleRate),
		})
	}
	if len(*got) != 50 {
		t.Fatalf("%d packets from 1 s", len(*got))
	}
	last := (*got)[49]
	if want := simStart.Add(980 * ms); last.Captured.Sub(want).Abs() > ms {
		t.Errorf("captured at %v, want %v", last.Captured, want)
	}
	s.Stopped()
	if s.Level() > media.LevelFloor || s.Speaking() {
		t.Error("the meter stays up without a microphone")
	}
	*got = nil
	write(s, pcm, simStart.Add(5*time.Second))
	write(s, pcm, simStart.Add(15*time.Second)) // the same one paused
	if (*got)[0].Marker == false {
		t.Error("no marker after the silence")
	}
	for _, p := range *got {
		elapsed := p.Timestamp - (*got)[0].Timestamp
		if want := p.Captured.Sub((*got)[0].Captured); uint32(want.Milliseconds()*48) != elapsed {
			t.Fatalf("timestamp moved by %d samples, the microphone by %v", elapsed, want)
		}
	}
	s.Write(media.Audio{PCM: pcm[:480]})
	s.Write(media.Audio{PCM: pcm[:481], Channels: 2})
	s.Write(media.Audio{Channels: 1})
}

func TestAudioSenderConfigures(t *testing.T) {
	s, enc := newSender(t, media.AudioConfig{BitRate: 64000})
	got := collect(s)
	size := func() (n int) {
		for _, p := range *got {
			n += len(p.Data)
		}
		*got = nil
		return n
	}
	speech := voice(2)
	at := write(s, speech, simStart)
	large := size()
	s.Configure(media.AudioConfig{BitRate: 40000, Channels: 2})
	s.Configure(media.AudioConfig{BitRate: 12000, Channels: 2})
	at = write(s, speech, at)
	if small := size(); small > large/2 {
		t.Errorf("%d bytes with 64 kbit/s, %d with 12", large, small)
	}
	if enc.config.BitRate != 12000 || enc.config.Channels != 1 {
		t.Errorf("the encoder has %+v", enc.config)
	}
	enc.err = errors.New("broken")
	at = write(s, speech[:media.SampleRate], at)
	enc.err = nil
	if s.Failed() != 50 || len(*got) != 0 {
		t.Errorf("%d failures, %d packets", s.Failed(), len(*got))
	}
	called := 0
	s.Process = func(pcm []int16) media.Voice {
		called++
		clear(pcm)
		return media.VoiceAbsent
	}
	at = write(s, speech[:media.SampleRate], at)
	if called != 100 || (*got)[10].Level > media.LevelFloor {
		t.Errorf("processed %d blocks, then %.0f dBFS", called, (*got)[10].Level)
	}
	skipped := 0
	s.Skip = func() { skipped++ }
	s.SetMuted(true)
	write(s, speech[:media.SampleRate], at)
	if called != 101 || skipped != 99 || s.Level() < -40 { // one block fades
		t.Errorf("muted: processed %d blocks, skipped %d, level %.0f dBFS", called-100, skipped, s.Level())
	}
}

// TestAudioSenderKeepsAHeldNote: Opus would take a steady tone for noise and replace it.
func TestAudioSenderKeepsAHeldNote(t *testing.T) {
	s, _ := newSender(t, media.AudioConfig{BitRate: 40000})
	s.Configure(media.AudioConfig{BitRate: 40000, DTX: true, Loss: 0.1})
	got := collect(s)
	note := make([]int16, 5*media.SampleRate)
	for i := range note {
		note[i] = int16(3000 * math.Sin(2*math.Pi*440*float64(i)/media.SampleRate))
	}
	at := write(s, note, simStart)
	if n := len(*got); n < 245 {
		t.Errorf("%d packets for 5 s of a held note, want 250", n)
	}
	*got = nil
	write(s, make([]int16, 5*media.SampleRate), at)
	if n := len(*got); n > 60 {
		t.Errorf("%d packets for 5 s of silence", n)
	}
}

// TestAudioSenderSendsNothingOfNothing: of a machine that plays nothing, nothing is sent; the
// first sound after it is as loud as it was.
func TestAudioSenderSendsNothingOfNothing(t *testing.T) {
	s, _ := newSender(t, media.AudioConfig{BitRate: 64000})
	got := collect(s)
	at := write(s, make([]int16, 10*media.SampleRate), simStart)
	if n := len(*got); n > 30 {
		t.Errorf("%d packets for 10 s of nothing", n)
	}
	*got = nil
	write(s, sine(440, 0.02), at)
	if len(*got) != 1 || !(*got)[0].Marker || (*got)[0].Level < media.Level(sine(440, 0.02))-0.1 {
		t.Errorf("after it: %+v", *got)
	}
}

// TestStereoSender: left stays left, whatever the source has.
func TestStereoSender(t *testing.T) {
	enc, err := codec.New().AudioEncoder(media.AudioConfig{Channels: 2, BitRate: 96000, Music: true})
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	dec, err := codec.New().AudioDecoder(2)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	s := pipe.NewStereoSender(enc, quietLog)
	s.Configure(media.AudioConfig{BitRate: 96000, Music: true})
	got := collect(s)
	tone := sine(440, 1)
	hear := func(channels int, fill func(block []int16, i int)) (l, r float64) {
		*got = nil
		block := make([]int16, media.BlockSamples*channels)
		for o := 0; o < len(tone); o += media.BlockSamples {
			for i := range media.BlockSamples {
				fill(block[i*channels:], o+i)
			}
			s.Write(media.Audio{PCM: block, Channels: channels})
		}
		pcm := make([]int16, 2*media.PacketSamples)
		for _, p := range *got {
			if err := dec.Decode(pcm, p.Data); err != nil {
				t.Fatal(err)
			}
		}
		return media.Level(left(pcm)), media.Level(left(pcm[1:]))
	}
	if l, r := hear(2, func(b []int16, i int) { b[0], b[1] = tone[i], 0 }); l < -15 || r > l-20 {
		t.Errorf("left %.0f, right %.0f dBFS of a tone on the left", l, r)
	}
	if l, r := hear(2, func(b []int16, i int) { b[0], b[1] = 0, tone[i] }); r < -15 || l > r-20 {
		t.Errorf("left %.0f, right %.0f dBFS of a tone on the right", l, r)
	}
	if l, r := hear(1, func(b []int16, i int) { b[0] = tone[i] }); l < -15 || math.Abs(l-r) > 1 {
		t.Errorf("left %.0f, right %.0f dBFS of one channel", l, r)
	}
}
