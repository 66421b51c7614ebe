package peer

import (
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
	if _, err := pc.AddTransceiverFromTrack(tr); err != nil {
		t.Fatal(err)
	}
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
			if s.Unknown != c.unknown {
				t.Errorf("%d tracks unknown, want %d", s.Unknown, c.unknown)
			}
		})
	}
}
