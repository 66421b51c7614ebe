// Package peer is one connection to one other member: negotiation, what we send them, what
// we receive from them, bandwidth and statistics.
package peer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/cc"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"parley/media"
)

// Bandwidth estimation bounds, in bit/s. The start is what a first keyframe of 1280x720
// and the frames after it need; the end is what camera, screen and sound cost together.
const (
	startRate = 1_500_000
	minRate   = 80_000
	maxRate   = 8_000_000
)

// ICE timing: a consent check every second (RFC 7675 asks for at most 5 s), a silent path
// is doubted after 3 s and given up after 15.
const (
	iceKeepalive    = time.Second
	iceDisconnected = 3 * time.Second
	iceFailed       = 15 * time.Second
	// iceChecks lets every pair of candidates be tried, each 200 ms, until iceFailed; with
	// Pion's seven a path that is gone for 2 s would never be tried again.
	iceChecks = 75
)

// RTP payload types; both ends offer the same.
const (
	payloadVP8  = 96
	payloadRTX  = 97
	payloadOpus = 111
	payloadRED  = 63
)

const mimeTypeRED = "audio/red"

// opusFmtp asks for in-band FEC and allows discontinuous transmission (RFC 7587 section 6.1).
const opusFmtp = "minptime=10;useinbandfec=1;usedtx=1"

// newConnection builds the PeerConnection and the bandwidth estimator that watches it.
// Retransmission is answered by Pion; what to ask for is decided in package pipe.
func newConnection(cfg Config) (*webrtc.PeerConnection, cc.BandwidthEstimator, error) {
	engine := &webrtc.MediaEngine{}
	if err := registerCodecs(engine); err != nil {
		return nil, nil, fmt.Errorf("register codecs: %w", err)
	}
	var estimator cc.BandwidthEstimator
	registry := &interceptor.Registry{}
	// A second of video at its fastest, and of sound.
	responder, err := nack.NewResponderInterceptor(nack.ResponderSize(2048), nack.ResponderStreamsFilter(wantsRepair("video/")))
	if err != nil {
		return nil, nil, err
	}
	audioResponder, err := nack.NewResponderInterceptor(nack.ResponderSize(64), nack.ResponderStreamsFilter(wantsRepair("audio/")))
	if err != nil {
		return nil, nil, err
	}
	reports, err := report.NewReceiverInterceptor(report.ReceiverInterval(reportInterval))
	if err != nil {
		return nil, nil, err
	}
	congestion, err := cc.NewInterceptor(func() (cc.BandwidthEstimator, error) {
		return gcc.NewSendSideBWE(
			gcc.SendSideBWEInitialBitrate(startRate),
			gcc.SendSideBWEMinBitrate(minRate), gcc.SendSideBWEMaxBitrate(maxRate),
			gcc.SendSideBWEPacer(gcc.NewNoOpPacer()))
	})
	if err != nil {
		return nil, nil, err
	}
	congestion.OnNewPeerConnection(func(_ string, e cc.BandwidthEstimator) { estimator = e })
	registry.Add(responder)
	registry.Add(audioResponder)
	registry.Add(reports)
	registry.Add(congestion)
	if err := webrtc.ConfigureTWCCHeaderExtensionSender(engine, registry); err != nil {
		return nil, nil, err
	}
	feedback, err := twcc.NewSenderInterceptor()
	if err != nil {
		return nil, nil, err
	}
	registry.Add(feedback)

	settings := cfg.Settings
	settings.SetICETimeouts(iceDisconnected, iceFailed, iceKeepalive)
	settings.SetICEMaxBindingRequests(iceChecks)
	settings.SetFireOnTrackBeforeFirstRTP(true)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(registry),
		webrtc.WithSettingEngine(settings))
	pc, err := api.NewPeerConnection(webrtc.Configuration{
		ICEServers: cfg.ICEServers, Certificates: cfg.Certificates,
		BundlePolicy: webrtc.BundlePolicyMaxBundle, RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	})
	return pc, estimator, err
}

// reportInterval is how often we tell what was lost of what we are sent: the redundancy of
// sound follows it, so within a second of a change two reports tell of it.
const reportInterval = 500 * time.Millisecond

// wantsRepair picks the streams of a kind whose lost packets are sent again.
func wantsRepair(kind string) func(*interceptor.StreamInfo) bool {
	return func(s *interceptor.StreamInfo) bool {
		return strings.HasPrefix(s.MimeType, kind) && slices.ContainsFunc(s.RTCPFeedback, func(f interceptor.RTCPFeedback) bool {
			return f.Type == webrtc.TypeRTCPFBNACK && f.Parameter == ""
		})
	}
}

func registerCodecs(e *webrtc.MediaEngine) error {
	opus := webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: media.SampleRate, Channels: 2, SDPFmtpLine: opusFmtp,
			RTCPFeedback: []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBNACK}, {Type: webrtc.TypeRTCPFBTransportCC}},
		},
		PayloadType: payloadOpus,
	}
	if err := e.RegisterCodec(opus, webrtc.RTPCodecTypeAudio); err != nil {
		return err
	}
	// RFC 2198: what is lost comes again with the packets after it. Whoever does not know it
	// strikes it from the answer, and gets plain Opus.
	red := opus
	red.PayloadType, red.MimeType = payloadRED, mimeTypeRED
	red.SDPFmtpLine = fmt.Sprintf("%d/%d", payloadOpus, payloadOpus)
	if err := e.RegisterCodec(red, webrtc.RTPCodecTypeAudio); err != nil {
		return err
	}
	video := []webrtc.RTPCodecParameters{
		{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeVP8, ClockRate: 90000,
				RTCPFeedback: []webrtc.RTCPFeedback{
					{Type: webrtc.TypeRTCPFBNACK},
					{Type: webrtc.TypeRTCPFBNACK, Parameter: "pli"},
					{Type: webrtc.TypeRTCPFBCCM, Parameter: "fir"},
					{Type: webrtc.TypeRTCPFBTransportCC},
				},
			},
			PayloadType: payloadVP8,
		},
		{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", payloadVP8),
			},
			PayloadType: payloadRTX,
		},
	}
	for _, c := range video {
		if err := e.RegisterCodec(c, webrtc.RTPCodecTypeVideo); err != nil {
			return err
		}
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		mid := webrtc.RTPHeaderExtensionCapability{URI: sdp.SDESMidURI}
		if err := e.RegisterHeaderExtension(mid, kind); err != nil {
			return err
		}
	}
	return nil
}
