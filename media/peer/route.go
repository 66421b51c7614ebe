package peer

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"parley/media/transport"
)

// How long ICE waits for a better kind of path before it takes one that works (pion's own are 0.5, 1 and 2 s). A
// direct path found later still replaces a relay, see takeDirect.
const (
	reflexiveWait = 500 * time.Millisecond
	relayWait     = time.Second
	// hiddenWait is relayWait where there is nothing but relays. When the first request over UDP is lost, Pion's TURN client
	// sends it again after 200 ms. A relay over TCP is there by then, and whatever is taken first is kept.
	hiddenWait = 500 * time.Millisecond
)

// noRenomination is how long Pion waits before it changes a path that works by its own judgement. With renomination
// (draft-thatcher-ice-renomination) it goes on checking other paths while connected. But it scores a pair of one relay
// above two reflexive addresses, so takeDirect decides.
const noRenomination = 365 * 24 * time.Hour

// maxICEURLs bounds what the rendezvous can make us contact: each URL of a TURN server costs an allocation on it for
// each connection and IP version.
const maxICEURLs = 8

// iceServers turns what the rendezvous named into what Pion takes, without what Pion would refuse.
func iceServers(r transport.Route) []webrtc.ICEServer {
	var all []webrtc.ICEServer
	for _, s := range r.Servers {
		for _, url := range s.URLs {
			u, err := stun.ParseURI(url)
			relays := err == nil && (u.Scheme == stun.SchemeTypeTURN || u.Scheme == stun.SchemeTypeTURNS)
			if err != nil || relays && (s.Username == "" || s.Credential == "") || len(all) == maxICEURLs {
				continue
			}
			server := webrtc.ICEServer{URLs: []string{url}}
			if relays {
				server.Username, server.Credential = s.Username, string(s.Credential)
			}
			all = append(all, server)
		}
	}
	return all
}

// setRoute says how the connection looks for its path.
func setRoute(settings *webrtc.SettingEngine, r transport.Route) error {
	settings.SetSrflxAcceptanceMinWait(reflexiveWait)
	settings.SetPrflxAcceptanceMinWait(reflexiveWait)
	settings.SetRelayAcceptanceMinWait(relayWait)
	if r.RelayOnly {
		settings.SetRelayAcceptanceMinWait(hiddenWait)
	}
	settings.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled) // never resolve a name that a member sends
	return settings.SetICERenomination(webrtc.WithRenominationInterval(noRenomination))
}

// policy is Pion's word for whether the other side may learn our address.
func policy(r transport.Route) webrtc.ICETransportPolicy {
	if r.RelayOnly {
		return webrtc.ICETransportPolicyRelay
	}
	return webrtc.ICETransportPolicyAll
}

// refresh makes the next ICE session use the newest servers and credentials.
func (p *Peer) refresh(pc *webrtc.PeerConnection) {
	r := p.cfg.Route()
	r.RelayOnly = p.hidden // as the connection began; a change of that opens another one
	if err := pc.SetConfiguration(webrtc.Configuration{ICEServers: iceServers(r), ICETransportPolicy: policy(r)}); err != nil {
		p.cfg.Log.Warn("ICE servers not renewed", "err", sanitize(err))
	}
	p.mu.Lock()
	p.tried = newTried(r, p.tried.answered)
	p.mu.Unlock()
}

// tried is what an ICE session has found out about our own network.
type tried struct {
	hidden    bool // only relays are used
	servers   bool // the rendezvous named a server
	relays    bool // one of them is a relay
	urls      []string
	answered  bool // the other side sent its description
	reflexive bool // our address came back over UDP
	relayed   bool // a relay gave us an address
}

func newTried(r transport.Route, answered bool) tried {
	t := tried{hidden: r.RelayOnly, answered: answered}
	for _, s := range iceServers(r) {
		t.servers = true
		t.relays = t.relays || strings.HasPrefix(s.URLs[0], "turn")
		t.urls = append(t.urls, s.URLs[0])
	}
	return t
}

func (t *tried) found(k webrtc.ICECandidateType) {
	switch k {
	case webrtc.ICECandidateTypeSrflx:
		t.reflexive = true
	case webrtc.ICECandidateTypeRelay:
		t.relayed = true
	}
}

// obstacle says what is in the way of a connection that does not come about, as far as it can be known here.
func (t tried) obstacle() transport.Obstacle {
	switch {
	case !t.answered:
		return transport.NoObstacle // the message may be lost
	case !t.relays && t.hidden:
		return transport.HiddenWithoutRelay
	case !t.relays && t.servers && !t.reflexive:
		return transport.WithoutUDPNorRelay
	case !t.relays:
		return transport.WithoutRelay
	case !t.relayed && !t.reflexive && !t.hidden:
		return transport.WithoutUDP
	case !t.relayed:
		return transport.RelaySilent
	}
	return transport.TheirNetwork
}

// detour says why a path leads through a relay that we reach by this protocol.
func (t tried) detour(protocol string, p *puncher) transport.Detour {
	theirs, shared := p.reach()
	switch {
	case t.hidden:
		return transport.DetourHidden
	case protocol != "udp" && !t.reflexive:
		return transport.DetourNoUDP
	case !theirs:
		return transport.DetourTheirs
	case !shared:
		return transport.DetourFamily
	}
	return transport.DetourRouters
}

// Obstacle says what is in the way of this connection.
func (p *Peer) Obstacle() transport.Obstacle {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.connected {
		return transport.NoObstacle
	}
	return p.tried.obstacle()
}

// moveDelay is how long we wait before we leave a relay that the rendezvous names no more. Its node is about to stop, and
// by then the other side, if it was on the same node, knows other relays too.
const moveDelay = 2 * time.Second

// leaveRelay restarts ICE when the path leads through a relay of ours and the rendezvous names other relays instead.
func (p *Peer) leaveRelay(now time.Time) {
	if !p.strayed() {
		p.strayedAt = time.Time{}
		return
	}
	if p.strayedAt.IsZero() {
		p.strayedAt = now
		p.cfg.Log.Info("connection", "relay", "no longer named")
	}
	if now.Sub(p.strayedAt) >= moveDelay {
		p.Restart() // again until the other side offers, where that is its part
	}
}

// strayed reports whether we use a relay, and the rendezvous names only others.
func (p *Peer) strayed() bool {
	named := newTried(p.cfg.Route(), false)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connected && p.ownRelay && named.relays &&
		!slices.ContainsFunc(p.tried.urls, func(url string) bool { return slices.Contains(named.urls, url) })
}

// related is the part of a candidate that tells which address of ours is behind it (RFC 8839, section 5.1).
var related = regexp.MustCompile(` raddr \S+ rport \d+`)

// mayBeDirect reports whether the path is relayed and need not be.
func (p *Peer) mayBeDirect() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connected && p.path == "relay" && !p.hidden
}

// hide takes our own address out of a candidate or a description. What remains is the relay's.
func (p *Peer) hide(text string) string {
	if !p.hidden {
		return text
	}
	return related.ReplaceAllString(text, " raddr 0.0.0.0 rport 9")
}
