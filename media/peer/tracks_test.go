package peer

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"parley/media"
	"parley/media/transport"
)

// foreign adds a Pion track of any name.
func foreign(t *testing.T, pc *webrtc.PeerConnection, stream, id, mime string) *webrtc.TrackLocalStaticRTP {
	t.Helper()
	c := webrtc.RTPCodecCapability{MimeType: mime}
	tr, err := webrtc.NewTrackLocalStaticRTP(c, id, stream)
	if err != nil {
		t.Fatal(err)
	}
	way, err := pc.AddTransceiverFromTrack(tr)
	if err != nil {
		t.Fatal(err)
	}
	go func() { // feedback is taken where it is read; ends with the connection
		for b := make([]byte, 1500); ; {
			if _, _, err := way.Sender().Read(b); err != nil {
				return
			}
		}
	}()
	return tr
}

// say sends packets of silence, which a receiver counts, until the test ends.
func say(t *testing.T, tracks ...*webrtc.TrackLocalStaticRTP) {
	t.Helper()
	tick := time.NewTicker(media.PacketDuration)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p := rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(rand.N(1 << 15))}, Payload: []byte{0xfc, 0xff, 0xfe}}
		for {
			select {
			case <-t.Context().Done():
				return
			case <-tick.C:
			}
			p.SequenceNumber++
			p.Timestamp += media.PacketSamples
			for _, tr := range tracks {
				if tr.WriteRTP(&p) != nil {
					return
				}
			}
		}
	}()
	t.Cleanup(func() { <-done; tick.Stop() })
}

// brokenSound makes no sound decoder, or one that cannot be closed.
type brokenSound struct {
	media.Codecs
	none bool
}

var errBroken = errors.New("broken")

func (b brokenSound) AudioDecoder(channels int) (media.AudioDecoder, error) {
	if b.none {
		return nil, errBroken
	}
	d, err := b.Codecs.AudioDecoder(channels)
	return unclosable{d}, err
}

type unclosable struct{ media.AudioDecoder }

func (u unclosable) Close() error { return errors.Join(u.AudioDecoder.Close(), errBroken) }

// TestBrokenDecoder: a sound decoder that fails costs that sound. The connection lives on, its end is no error,
// and the track is not one of an unknown kind.
func TestBrokenDecoder(t *testing.T) {
	for name, none := range map[string]bool{"cannot be made": true, "cannot be closed": false} {
		t.Run(name, func(t *testing.T) {
			var voice *webrtc.TrackLocalStaticRTP
			a := approachWith(t, func(c *Config) { c.Codecs = brokenSound{c.Codecs, none} }, func(pc *webrtc.PeerConnection) {
				voice = foreign(t, pc, string(ada), "microphone", webrtc.MimeTypeOpus)
			}, same)
			a.await(t, transport.Connected)
			say(t, voice)
			want := "its sound"
			if none {
				want = "its packets"
			}
			eventually(t, want, func() bool {
				s := a.victim.peer.Stats()
				if none { // the feedback says that they are read
					return a.delivered() > 0
				}
				return s.Sounds[media.Microphone].Packets > 5
			})
			if s := a.victim.peer.Stats(); s.Unknown != 0 || none && len(s.Sounds) != 0 {
				t.Errorf("%d tracks of unknown kinds, %d sounds", s.Unknown, len(s.Sounds))
			}
			if err := a.pc.GracefulClose(); err != nil {
				t.Fatal(err)
			}
			a.await(t, transport.Failed)
			a.stop()
			if err := <-a.ended; err != nil {
				t.Errorf("the connection ended with %v", err)
			}
		})
	}
}

// TestTracksAreKnownByName: the other side may send any tracks in any order. Those of known names are
// received as what their names say; the rest are ignored and counted.
func TestTracksAreKnownByName(t *testing.T) {
	const opus, vp8 = webrtc.MimeTypeOpus, webrtc.MimeTypeVP8
	type sent struct{ stream, id, mime string }
	member := string(ada)
	for name, c := range map[string]struct {
		sent    []sent
		sounds  []media.Kind
		views   []media.Kind
		unknown uint64
	}{
		"sound only": {[]sent{{member, "microphone", opus}}, []media.Kind{media.Microphone}, nil, 0},
		"the other way round": {
			[]sent{{member, "system-sound", opus}, {member, "screen", vp8}, {member, "microphone", opus}, {member, "camera", vp8}},
			[]media.Kind{media.SystemSound, media.Microphone},
			[]media.Kind{media.Screen, media.Camera},
			0,
		},
		"kinds of a later version": {
			[]sent{{member, "whiteboard", vp8}, {member, "translation", opus}, {member, "microphone", opus}},
			[]media.Kind{media.Microphone},
			nil, 2,
		},
		"two of a kind":            {[]sent{{member, "microphone", opus}, {member, "microphone", opus}}, []media.Kind{media.Microphone}, nil, 1},
		"in the name of another":   {[]sent{{string(bo), "microphone", opus}, {member, "camera", vp8}}, nil, []media.Kind{media.Camera}, 1},
		"a picture called a sound": {[]sent{{member, "microphone", vp8}, {member, "camera", opus}}, nil, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var voices []*webrtc.TrackLocalStaticRTP
			a := approach(t, func(pc *webrtc.PeerConnection) {
				for _, s := range c.sent {
					if tr := foreign(t, pc, s.stream, s.id, s.mime); s.mime == opus {
						voices = append(voices, tr)
					}
				}
			}, same)
			a.await(t, transport.Connected)
			say(t, voices...)
			var s transport.Stats
			eventually(t, fmt.Sprintf("%v and %v", c.sounds, c.views), func() bool {
				s = a.victim.peer.Stats()
				for _, k := range c.sounds {
					if s.Sounds[k].Packets < 5 {
						return false
					}
				}
				return len(s.Sounds) == len(c.sounds) && len(s.Pictures) == len(c.views) && s.Unknown == c.unknown
			})
			for _, k := range c.views {
				if _, ok := s.Pictures[k]; !ok {
					t.Errorf("no %s", k)
				}
			}
		})
	}
}
