// Package peer is the transport that connects each member of a meeting with each other one: when to
// connect, negotiation, tracks, bandwidth and statistics.
package peer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"parley/media"
	"parley/media/congestion"
	"parley/media/transport"
)

// Bounds of the bandwidth estimate, in bit/s. The start suits a first keyframe of 1280x720 and the frames
// after it. The maximum is the cost of camera, screen and sound together.
const (
	startRate = 1_500_000
	minRate   = 80_000
	maxRate   = 12_000_000
)

// ICE timing: a consent check each second (RFC 7675 allows up to 5 s). A silent path counts as
// disconnected after 3 s and as failed after 15 s.
const (
	iceKeepalive    = time.Second
	iceDisconnected = 3 * time.Second
	iceFailed       = 15 * time.Second
	// iceChecks lets Pion check every candidate pair each 200 ms until iceFailed. With its default of
	// seven checks, a path that is gone for 2 s would never be tried again.
	iceChecks = 75
)

// feedbackInterval is the time between two transport-wide feedback messages. With Pion's 100 ms the
// sender sees a drop in bandwidth later. 50 ms is libwebrtc's minimum (RemoteEstimatorProxy).
const feedbackInterval = 50 * time.Millisecond

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

// newConnection builds a PeerConnection that sends all its packets through out.
func newConnection(ctx context.Context, cfg Config, route transport.Route, out *congestion.Sender, loopback bool) (*webrtc.PeerConnection, error) {
	engine := &webrtc.MediaEngine{}
	if err := registerCodecs(engine); err != nil {
		return nil, fmt.Errorf("register codecs: %w", err)
	}
	logs := pionLog{cfg.Log}
	registry, err := interceptors(out, logs)
	if err != nil {
		return nil, fmt.Errorf("set up interceptors: %w", err)
	}
	settings, network := cfg.Settings, cfg.Net
	if network == nil {
		if network, err = newNet(ctx, cfg.opened); err != nil {
			return nil, fmt.Errorf("use this machine's network: %w", err)
		}
	}
	settings.SetNet(network)
	settings.SetICEBindingRequestHandler(cfg.takeDirect)
	if err := setRoute(&settings, route); err != nil {
		return nil, fmt.Errorf("set up ICE: %w", err)
	}
	settings.LoggerFactory = logs
	settings.SetIncludeLoopbackCandidate(loopback)
	settings.SetSCTPMaxMessageSize(maxWantSize)
	settings.SetICETimeouts(iceDisconnected, iceFailed, iceKeepalive)
	settings.SetICEMaxBindingRequests(iceChecks)
	settings.SetFireOnTrackBeforeFirstRTP(true)
	settings.SetSRTPReplayProtectionWindow(replayWindow)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(registry),
		webrtc.WithSettingEngine(settings))
	return api.NewPeerConnection(webrtc.Configuration{
		ICEServers: iceServers(route), ICETransportPolicy: policy(route), Certificates: cfg.Certificates,
		BundlePolicy: webrtc.BundlePolicyMaxBundle, RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	})
}

// interceptors process packets on their way to and from the network. Pion answers NACKs; package pipe
// decides what to request.
func interceptors(out *congestion.Sender, logs logging.LoggerFactory) (*interceptor.Registry, error) {
	registry := &interceptor.Registry{}
	// Keep a second of video at its highest rate, and of sound.
	responder, err := nack.NewResponderInterceptor(nack.ResponderSize(1024),
		nack.ResponderStreamsFilter(wantsRepair("video/")), nack.WithResponderLoggerFactory(logs))
	if err != nil {
		return nil, err
	}
	audioResponder, err := nack.NewResponderInterceptor(nack.ResponderSize(64),
		nack.ResponderStreamsFilter(wantsRepair("audio/")), nack.WithResponderLoggerFactory(logs))
	if err != nil {
		return nil, err
	}
	reports, err := report.NewReceiverInterceptor(report.ReceiverInterval(reportInterval), report.WithReceiverLoggerFactory(logs))
	if err != nil {
		return nil, err
	}
	feedback, err := twcc.NewSenderInterceptor(twcc.SendInterval(feedbackInterval), twcc.WithLoggerFactory(logs))
	if err != nil {
		return nil, err
	}
	registry.Add(out) // nearest to the network: retransmissions are numbered and paced too
	registry.Add(responder)
	registry.Add(audioResponder)
	registry.Add(new(busyReports))
	registry.Add(reports)
	registry.Add(feedback)
	return registry, nil
}

// replayWindow is how many packets late a packet may come without counting as a replay. A path that
// reorders exceeds the 64 of RFC 3711 section 3.3.2 within a frame or two of shared screen.
const replayWindow = 1024

// reportInterval is the time between two receiver reports. Redundancy of sound follows them, so two
// reports show a change within a second.
const reportInterval = 500 * time.Millisecond

// wantsRepair selects the streams of a kind whose lost packets are retransmitted.
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
	// RED (RFC 2198): later packets repeat earlier ones. A side without RED drops it from its answer
	// and gets plain Opus.
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
		for _, uri := range []string{sdp.SDESMidURI, sdp.TransportCCURI} {
			extension := webrtc.RTPHeaderExtensionCapability{URI: uri}
			if err := e.RegisterHeaderExtension(extension, kind); err != nil {
				return err
			}
		}
	}
	return nil
}
