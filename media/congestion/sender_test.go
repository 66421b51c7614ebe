package congestion

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wire takes what a Sender sends.
type wire struct {
	mu      sync.Mutex
	start   time.Time
	packets []sentTo
}

type sentTo struct {
	at      time.Duration
	ssrc    uint32
	seq     uint16
	number  uint16
	size    int
	first   byte // of the payload
	padding bool
}

func (w *wire) Write(h *rtp.Header, payload []byte, _ interceptor.Attributes) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := sentTo{at: time.Since(w.start), ssrc: h.SSRC, seq: h.SequenceNumber, size: len(payload) + int(h.PaddingSize), padding: h.Padding}
	var e rtp.TransportCCExtension
	if err := e.Unmarshal(h.GetExtension(3)); err != nil {
		return 0, err
	}
	p.number = e.TransportSequence
	if len(payload) > 0 {
		p.first = payload[0]
	}
	w.packets = append(w.packets, p)
	return len(payload), nil
}

func (w *wire) all() []sentTo {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.packets
}

// The streams of a test.
const (
	soundSSRC, cameraSSRC, repairSSRC, screenSSRC = 1, 2, 3, 4
)

// bind starts a Sender whose packets go to a wire.
func bind(s *Sender) (w *wire, sound, camera, screen interceptor.RTPWriter) {
	w = &wire{start: time.Now()}
	s.BindRTCPWriter(nil)
	info := func(ssrc uint32, mime string) *interceptor.StreamInfo {
		return &interceptor.StreamInfo{
			SSRC: ssrc, MimeType: mime,
			RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: transportCC, ID: 3}},
		}
	}
	return w, s.BindLocalStream(info(soundSSRC, "audio/opus"), w),
		s.BindLocalStream(info(cameraSSRC, "video/VP8"), w), s.BindLocalStream(info(screenSSRC, "video/VP8"), w)
}

var testBounds = Config{Start: 1_500_000, Min: 80_000, Max: 12_000_000}

// frame writes packets through one buffer, as a track does.
func frame(t *testing.T, out interceptor.RTPWriter, ssrc uint32, seq uint16, packets int) {
	t.Helper()
	buffer := make([]byte, 1160)
	h := rtp.Header{Version: 2, SSRC: ssrc}
	for i := range packets {
		h.SequenceNumber = seq + uint16(i)
		buffer[0] = byte(h.SequenceNumber)
		if _, err := out.Write(&h, buffer, nil); err != nil {
			t.Fatal(err)
		}
		if len(h.Extensions) != 0 {
			t.Fatal("the caller's header was changed")
		}
	}
}

func TestPacesAndKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSender(testBounds, nil)
		w, sound, camera, screen := bind(s)
		s.control.probes.begun = true // no probe
		frame(t, screen, screenSSRC, 100, 20)
		frame(t, camera, cameraSSRC, 65530, 40)
		time.Sleep(5 * time.Millisecond)
		frame(t, sound, soundSSRC, 7, 1)
		lost := rtp.Header{Version: 2, SSRC: repairSSRC, SequenceNumber: 1}
		if _, err := camera.Write(&lost, make([]byte, 1160), nil); err != nil {
			t.Fatal(err)
		}
		if n := len(w.all()); n < 3 || n > 12 || w.all()[n-2].ssrc != soundSSRC || w.all()[n-1].ssrc != repairSSRC {
			t.Errorf("%d packets after 5 ms, want a few, then sound and repair at once", n)
		}
		time.Sleep(time.Second)
		got := w.all()
		if len(got) != 62 {
			t.Fatalf("%d of 62 packets sent", len(got))
		}
		next := map[uint32]uint16{screenSSRC: 100, cameraSSRC: 65530, soundSSRC: 7}
		lastOf := map[uint32]int{}
		for i, p := range got {
			if p.number != uint16(i) {
				t.Errorf("packet %d has transport-wide number %d", i, p.number)
			}
			if p.seq != next[p.ssrc] && p.ssrc != repairSSRC {
				t.Errorf("packet %d of stream %d, want %d", p.seq, p.ssrc, next[p.ssrc])
			}
			if p.ssrc != repairSSRC && p.first != byte(p.seq) {
				t.Errorf("packet %d of stream %d carries the payload of another", p.seq, p.ssrc)
			}
			next[p.ssrc]++
			lastOf[p.ssrc] = i
		}
		if lastOf[cameraSSRC] > lastOf[screenSSRC] {
			t.Error("the screen went before the camera")
		}
		if took := got[len(got)-1].at; took < 100*time.Millisecond || took > paceMost+20*time.Millisecond {
			t.Errorf("72 kB took %v at 3 Mbit/s, want about 190 ms", took)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestPreferredGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSender(testBounds, nil)
		w, _, camera, screen := bind(s)
		s.control.probes.begun = true
		s.Prefer(screenSSRC)
		frame(t, camera, cameraSSRC, 1, 20)
		frame(t, screen, screenSSRC, 1, 20)
		time.Sleep(time.Second)
		if p := w.all(); p[len(p)-1].ssrc != cameraSSRC {
			t.Error("the camera went before the preferred screen")
		}
		_ = s.Close()
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSender(testBounds, nil)
		w, _, camera, _ := bind(s)
		s.control.probes.begun = true
		full := 0
		for i := range 2 * queueSize {
			h := rtp.Header{Version: 2, SSRC: cameraSSRC, SequenceNumber: uint16(i)}
			if _, err := camera.Write(&h, make([]byte, 1000), nil); errors.Is(err, errFull) {
				full++
			}
		}
		if st := s.Stats(); full == 0 || st.Dropped != uint64(full) {
			t.Errorf("%d writes failed, %d drops counted", full, st.Dropped)
		}
		time.Sleep(time.Second)
		if n := len(w.all()); n != 2*queueSize-full {
			t.Errorf("%d packets sent, want %d", n, 2*queueSize-full)
		}
		_ = s.Close()
		h := rtp.Header{Version: 2, SSRC: cameraSSRC}
		if _, err := camera.Write(&h, nil, nil); err == nil {
			t.Error("wrote after Close")
		}
	})
}

func TestProbePads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var camera interceptor.RTPWriter
		seq := uint16(10)
		s := NewSender(testBounds, func(bytes int) int {
			h := rtp.Header{Version: 2, SSRC: cameraSSRC, SequenceNumber: seq, Padding: true, PaddingSize: 255}
			seq++
			if _, err := camera.Write(&h, nil, nil); err != nil {
				return 0
			}
			return 275
		})
		w, _, camera2, _ := bind(s)
		camera = camera2
		frame(t, camera, cameraSSRC, 1, 3)
		time.Sleep(time.Second)
		got := w.all()
		total, padding := 0, 0
		for _, p := range got {
			total += p.size
			if p.padding {
				padding++
			}
		}
		span := got[len(got)-1].at - got[0].at
		rate := float64(total) * 8 / span.Seconds()
		if s.Stats().Probes != 1 || padding == 0 || rate < 3_000_000 || rate > 6_000_000 {
			t.Errorf("%d probes, %d packets of padding, %.0f bit/s; want one at 4.5 million", s.Stats().Probes, padding, rate)
		}
		_ = s.Close()
	})
}

func TestFeedbackReachesController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSender(testBounds, nil)
		_, _, camera, _ := bind(s)
		frame(t, camera, cameraSSRC, 1, 2)
		report := &rtcp.TransportLayerCC{
			Header:       rtcp.Header{Count: rtcp.FormatTCC, Type: rtcp.TypeTransportSpecificFeedback, Length: 5},
			PacketChunks: []rtcp.PacketStatusChunk{&rtcp.RunLengthChunk{PacketStatusSymbol: rtcp.TypeTCCPacketReceivedSmallDelta, RunLength: 1}},
			RecvDeltas:   []*rtcp.RecvDelta{{Type: rtcp.TypeTCCPacketReceivedSmallDelta, Delta: 250}}, PacketStatusCount: 1,
		}
		b, err := report.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		in := s.BindRTCPReader(interceptor.RTCPReaderFunc(func(to []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
			return copy(to, b), a, nil
		}))
		if _, _, err := in.Read(make([]byte, 1500), nil); err != nil {
			t.Fatal(err)
		}
		if s.Stats().Reports != 1 || s.control.history.find(0).state != acked {
			t.Error("the report did not arrive")
		}
		_ = s.Close()
	})
}

// TestRepairsAreNumbered: each repair that leaves has a number of its own, one after the other, though Pion
// gives all copies of a packet the same.
func TestRepairsAreNumbered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSender(testBounds, nil)
		w, _, camera, _ := bind(s)
		frame(t, camera, cameraSSRC, 100, 4)
		for _, lost := range []uint16{103, 100, 103, 101} {
			payload := append([]byte{byte(lost >> 8), byte(lost)}, make([]byte, 100)...)
			if _, err := camera.Write(&rtp.Header{Version: 2, SSRC: repairSSRC, SequenceNumber: 7000 + lost}, payload, nil); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		var seqs []uint16
		for _, p := range w.all() {
			if p.ssrc == repairSSRC {
				seqs = append(seqs, p.seq)
			}
		}
		if len(seqs) != 4 {
			t.Fatalf("%d repairs left, want 4", len(seqs))
		}
		for i, seq := range seqs {
			if seq != seqs[0]+uint16(i) {
				t.Errorf("repairs have the numbers %v, want one after the other", seqs)
				break
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestCopiesAreTheSame: what is sent again in its own stream is the same packet, with the number that it
// left with; what was never sent does not leave as something that was. So it is where the other side has
// refused a stream of repairs that we had a number for.
func TestCopiesAreTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSender(testBounds, nil)
		w := &wire{start: time.Now()}
		s.BindRTCPWriter(nil)
		sound := s.BindLocalStream(&interceptor.StreamInfo{
			SSRC: soundSSRC, SSRCRetransmission: repairSSRC, MimeType: "audio/opus",
			RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: transportCC, ID: 3}},
		}, w)
		frame(t, sound, soundSSRC, 10, 3)
		frame(t, sound, soundSSRC, 11, 1)
		frame(t, sound, soundSSRC, 12, 1)
		frame(t, sound, soundSSRC, 9, 1)
		frame(t, sound, soundSSRC, 13, 1)
		var got [][2]uint16
		for _, p := range w.all() {
			got = append(got, [2]uint16{p.seq, p.number})
		}
		if want := [][2]uint16{{10, 0}, {11, 1}, {12, 2}, {11, 1}, {12, 2}, {13, 3}}; !slices.Equal(got, want) {
			t.Errorf("packets and their transport-wide numbers %v, want %v", got, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// nowhere is the camera's way through s to a network that takes everything and does nothing.
func nowhere(s *Sender) interceptor.RTPWriter {
	return s.BindLocalStream(&interceptor.StreamInfo{
		SSRC: cameraSSRC, MimeType: "video/VP8",
		RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: transportCC, ID: 3}},
	}, interceptor.RTPWriterFunc(func(*rtp.Header, []byte, interceptor.Attributes) (int, error) { return 0, nil }))
}

// BenchmarkWrite is what a packet costs that leaves at once, with its share of feedback.
func BenchmarkWrite(b *testing.B) {
	s := NewSender(testBounds, nil)
	out := nowhere(s)
	h := rtp.Header{Version: 2, SSRC: cameraSSRC}
	payload := make([]byte, 1160)
	report := make([]Status, 20)
	b.ReportAllocs()
	s.control.probes.begun = true
	s.control.Want(0)
	for i := range b.N {
		h.SequenceNumber++
		s.pace.debt = 0
		if _, err := out.Write(&h, payload, nil); err != nil {
			b.Fatal(err)
		}
		if i%20 == 19 {
			for j := range report {
				report[j] = Status{Seq: uint16(i - 19 + j), Received: true, At: time.Duration(i) * time.Millisecond}
			}
			s.mu.Lock()
			s.control.Feedback(time.Since(s.start), report)
			s.mu.Unlock()
		}
	}
}

// BenchmarkQueued is what a packet costs that has to wait.
func BenchmarkQueued(b *testing.B) {
	s := NewSender(testBounds, nil)
	out := nowhere(s)
	h := rtp.Header{Version: 2, SSRC: cameraSSRC}
	payload := make([]byte, 1160)
	var batch []*packet
	b.ReportAllocs()
	for i := range b.N {
		h.SequenceNumber++
		s.pace.debt = 1e9
		if _, err := out.Write(&h, payload, nil); err != nil {
			b.Fatal(err)
		}
		if i%10 == 9 {
			s.pace.debt = -1e9
			batch, _, _ = s.flush(batch[:0])
		}
	}
}

// TestRepairsOnceARoundTrip: however often a packet is asked for, it is sent again twice in a round
// trip, and once while a queue stands, when nothing before the last keyframe is.
func TestRepairsOnceARoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSender(testBounds, nil)
		w, _, camera, _ := bind(s)
		s.mu.Lock()
		s.control.probes.begun = true // no probe
		s.mu.Unlock()
		frame(t, camera, cameraSSRC, 100, 4)
		time.Sleep(100 * time.Millisecond)
		path := func(rtt, queue time.Duration) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.control.rtt, s.control.base.now = rtt, s.control.base.least[0]+queue
		}
		path(100*time.Millisecond, 0)
		again := func(seq uint16) {
			t.Helper()
			payload := append([]byte{byte(seq >> 8), byte(seq)}, make([]byte, 100)...)
			if _, err := camera.Write(&rtp.Header{Version: 2, SSRC: repairSSRC}, payload, nil); err != nil {
				t.Fatal(err)
			}
		}
		askFor := func(seq uint16, span time.Duration) (copies int) {
			t.Helper()
			before := len(w.all())
			for range span / (20 * time.Millisecond) {
				again(seq)
				time.Sleep(20 * time.Millisecond)
			}
			return len(w.all()) - before
		}
		if n := askFor(101, 300*time.Millisecond); n != 6 {
			t.Errorf("asked for every 20 ms: %d copies in three round trips, want 6", n)
		}
		if bits := s.Repairs(); bits < 15_000 || bits > 25_000 {
			t.Errorf("6 copies of 122 octets in 300 ms: %d bit/s of repairs, want 19520", bits)
		}
		if n := askFor(102, 20*time.Millisecond); n != 1 {
			t.Errorf("another packet: %d copies, want 1", n)
		}
		path(100*time.Millisecond, 300*time.Millisecond)
		if n := askFor(103, 300*time.Millisecond); n != 1 {
			t.Errorf("in a queue of 300 ms: %d copies in 300 ms, want 1", n)
		}
		s.Renew(cameraSSRC, 103)
		if n := askFor(102, time.Second); n != 0 {
			t.Errorf("in a queue, before the last keyframe: %d copies, want none", n)
		}
		if n := askFor(103, time.Second); n == 0 {
			t.Error("in a queue, of the last keyframe: no copy")
		}
		frame(t, camera, cameraSSRC, 104+1<<14, 1)
		frame(t, camera, cameraSSRC, 103+1<<15, 1)
		time.Sleep(time.Second)
		if n := askFor(103+1<<15, time.Second); n == 0 {
			t.Error("in a queue, half of all numbers after the last keyframe: no copy")
		}
		path(100*time.Millisecond, 0)
		if n := askFor(102, 20*time.Millisecond); n != 1 {
			t.Errorf("without a queue, before the last keyframe: %d copies, want 1", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestKeyframeReplacesWhatWaits: what a keyframe makes out of date in the queue counts as dropped.
func TestKeyframeReplacesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSender(testBounds, nil)
		_, _, camera, screen := bind(s)
		s.control.probes.begun = true // no probe
		s.control.hold.begin(time.Since(s.start))
		s.steer(time.Since(s.start))
		frame(t, camera, cameraSSRC, 1, 3)
		frame(t, screen, screenSSRC, 1, 2)
		s.Renew(cameraSSRC, 4)
		if n := s.Stats().Dropped; n != 3 {
			t.Errorf("%d packets dropped, want the camera's 3", n)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
