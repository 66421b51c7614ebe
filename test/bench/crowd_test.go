package bench

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	pionmedia "github.com/pion/webrtc/v4/pkg/media"

	"parley/media"
	"parley/media/bot"
	"parley/media/call"
	"parley/media/codec"
	"parley/media/mediatest"
	"parley/test/harness"
)

// In a mesh only Ada is measured, and the others must not take the cores from her. So they are in the test's process,
// send pictures that were coded in advance, the same for both products, and decode none. In our meeting they are calls
// that receive only Ada's picture. In Chromium's they are plain connections.

// ourCrowd is the other members of our meeting.
type ourCrowd struct {
	t      testing.TB
	link   string
	camera bool // they have one
	coded  canned
	size   int
}

func newOurCrowd(t testing.TB, link string, camera bool) *ourCrowd {
	t.Helper()
	f := media.NewFrame(640, 360)
	return &ourCrowd{t: t, link: link, camera: camera, coded: canned{Codecs: codec.New(), pictures: codedPictures(t), decoded: f}}
}

// grow lets others join until there are n.
func (o *ourCrowd) grow(n int) {
	o.t.Helper()
	for ; o.size < n; o.size++ {
		c := harness.CallInside(o.t, fmt.Sprint("Other ", o.size+1), "", func(c *call.Config) {
			c.Codecs, c.Microphone = o.coded, harness.Material(o.t, "voice2.wav")
			if o.camera {
				c.Camera = harness.Material(o.t, "person2.y4m")
			}
		})
		c.Do(call.Open{Text: o.link, Join: true})
		go lookAt(o.t, c, "Ada", 640, 360)
	}
}

// lookAt takes one other member's pictures at the display's pace until the test ends.
func lookAt(t testing.TB, c *call.Call, name string, w, h int) {
	tick := time.NewTicker(time.Second / 60)
	defer tick.Stop()
	for {
		select {
		case <-t.Context().Done():
			return
		case now := <-tick.C:
			for _, p := range c.State().Peers {
				if p.Name == name {
					bot.Look(c, p.ID, media.Camera, w, h, now)
				}
			}
		}
	}
}

// canned is a codec that neither codes nor decodes: its pictures were coded before.
type canned struct {
	media.Codecs
	pictures [][]byte
	decoded  *media.Frame
}

func (c canned) VideoEncoder(media.VideoConfig) (media.VideoEncoder, error) {
	return &cannedEncoder{canned: c}, nil
}

func (c canned) VideoDecoder(media.Codec) (media.VideoDecoder, error) { return cannedDecoder{c}, nil }

type cannedEncoder struct {
	canned
	next int
}

func (e *cannedEncoder) Encode(f *media.Frame, key bool) (*media.Packet, error) {
	if key {
		e.next = 0
	}
	p := &media.Packet{
		Codec: media.VP8, Data: e.pictures[e.next], Key: e.next == 0,
		Width: e.decoded.Width, Height: e.decoded.Height, Captured: f.Captured,
	}
	e.next = (e.next + 1) % len(e.pictures)
	return p, nil
}
func (e *cannedEncoder) Configure(media.VideoConfig) error { return nil }
func (e *cannedEncoder) Close() error                      { return nil }

type cannedDecoder struct{ canned }

func (d cannedDecoder) Decode([]byte) (*media.Frame, error) { return d.decoded, nil }
func (d cannedDecoder) Close() error                        { return nil }

// crowdKbps is what each of the others sends at 640x360.
const crowdKbps = 1000

// pageCrowd is the other members of a page's meeting.
type pageCrowd struct {
	t            testing.TB
	ada          *chromium
	size         int
	video, audio *webrtc.TrackLocalStaticSample
	again        atomic.Bool // a keyframe was requested: the first picture is one
}

func newPageCrowd(t testing.TB, ada *chromium) *pageCrowd {
	t.Helper()
	track := func(mime string, channels uint16) *webrtc.TrackLocalStaticSample {
		clock := uint32(90_000)
		if channels > 0 {
			clock = media.SampleRate
		}
		tr, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: mime, ClockRate: clock, Channels: channels}, mime, "crowd")
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	o := &pageCrowd{t: t, ada: ada, video: track(webrtc.MimeTypeVP8, 0), audio: track(webrtc.MimeTypeOpus, 2)}
	go o.play(o.video, codedPictures(t), time.Second/30)
	go o.play(o.audio, codedVoice(t), 20*time.Millisecond)
	return o
}

// play sends the samples in a loop until the test ends.
func (o *pageCrowd) play(track *webrtc.TrackLocalStaticSample, samples [][]byte, each time.Duration) {
	tick := time.NewTicker(each)
	defer tick.Stop()
	for i := 0; ; i = (i + 1) % len(samples) {
		if track == o.video && o.again.Swap(false) {
			i = 0
		}
		select {
		case <-o.t.Context().Done():
			return
		case <-tick.C:
		}
		// An error of a connection that is closing does not matter.
		_ = track.WriteSample(pionmedia.Sample{Data: samples[i], Duration: each})
	}
}

// grow lets others join until there are n.
func (o *pageCrowd) grow(n int) {
	o.t.Helper()
	for ; o.size < n; o.size++ {
		o.join(fmt.Sprint("other", o.size+1))
	}
}

func (o *pageCrowd) join(name string) {
	o.t.Helper()
	check := func(err error) {
		o.t.Helper()
		if err != nil {
			o.t.Fatal(err)
		}
	}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	check(err)
	o.t.Cleanup(func() { pc.Close() })
	pc.OnTrack(func(tr *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		b := make([]byte, 1500)
		for {
			if _, _, err := tr.Read(b); err != nil {
				return
			}
		}
	})
	for _, tr := range []*webrtc.TrackLocalStaticSample{o.video, o.audio} {
		sender, err := pc.AddTrack(tr)
		check(err)
		go o.listen(sender)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	offer, err := pc.CreateOffer(nil)
	check(err)
	check(pc.SetLocalDescription(offer))
	<-gathered
	answer := eval[string](o.ada, `answer(%s, %s)`, name, pc.LocalDescription().SDP)
	check(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}))
}

// listen reads a track's RTCP: without it nothing is retransmitted.
func (o *pageCrowd) listen(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			switch p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				o.again.Store(true)
			}
		}
	}
}

// codedPictures is a camera of 640x360, coded; the first picture is the only keyframe.
func codedPictures(t testing.TB) [][]byte {
	t.Helper()
	enc, err := codec.New().VideoEncoder(media.VideoConfig{Codec: media.VP8, Width: 640, Height: 360, BitRate: crowdKbps * 1000, FrameRate: 30})
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	var all [][]byte
	for i, f := range mediatest.ReadY4M(t, harness.Material(t, "person2.y4m")) {
		f.Captured = time.Unix(0, int64(i)*int64(time.Second/30))
		p, err := enc.Encode(f, i == 0)
		if err != nil {
			t.Fatal(err)
		}
		if p != nil {
			all = append(all, p.Data)
		}
		f.Release()
	}
	return all
}

// codedVoice is a voice, coded.
func codedVoice(t testing.TB) [][]byte {
	t.Helper()
	wav, err := os.ReadFile(harness.Material(t, "voice2.wav"))
	if err != nil {
		t.Fatal(err)
	}
	enc, err := codec.New().AudioEncoder(media.AudioConfig{Channels: 1, BitRate: 32_000})
	if err != nil {
		t.Fatal(err)
	}
	defer enc.Close()
	pcm := make([]int16, media.PacketSamples)
	var all [][]byte
	for wav = wav[44:]; len(wav) >= 2*len(pcm); wav = wav[2*len(pcm):] { // after the header
		for i := range pcm {
			pcm[i] = int16(wav[2*i]) | int16(wav[2*i+1])<<8
		}
		b, err := enc.Encode(nil, pcm)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}
