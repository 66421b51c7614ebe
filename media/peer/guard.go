package peer

import (
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"
)

// What one member may ask of a connection. Ours stay far below: a description has 5 KB and five
// media sections, a machine has a handful of addresses, and wants change at a person's pace.
const (
	maxSDP        = 32 << 10 // bytes
	maxSections   = 8
	maxCandidates = 32 // until ICE restarts

	maxDescriptions = 3 // in limitSpan: each is a negotiation
	maxWants        = 100
	maxWantSize     = 1024 // bytes
	limitSpan       = 10 * time.Second
)

// limit counts what happens within limitSpan.
type limit struct{ times []time.Time }

// allow says whether one more is within max; what is not allowed does not count.
func (l *limit) allow(max int, now time.Time) bool {
	kept := l.times[:0]
	for _, t := range l.times {
		if now.Sub(t) < limitSpan {
			kept = append(kept, t)
		}
	}
	l.times = kept
	if len(kept) >= max {
		return false
	}
	l.times = append(l.times, now)
	return true
}

// guard checks what the other side says before Pion acts on it. It belongs to negotiate.
type guard struct {
	loopback     bool // the other side may be reached over loopback
	candidates   int  // of this ICE session
	ufrag        string
	descriptions limit
}

// description returns the SDP without the candidates that we do not take, or errMessage.
func (g *guard) description(sdp string, now time.Time) (string, error) {
	if len(sdp) > maxSDP || !g.descriptions.allow(maxDescriptions, now) {
		return "", errMessage
	}
	lines := strings.SplitAfter(sdp, "\n")
	sections := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "m=") {
			sections++
		}
		if u, ok := strings.CutPrefix(line, "a=ice-ufrag:"); ok && strings.TrimSpace(u) != g.ufrag {
			g.ufrag, g.candidates = strings.TrimSpace(u), 0 // ICE begins anew and forgets the old ones
		}
	}
	if sections > maxSections {
		return "", errMessage
	}
	var out strings.Builder
	for _, line := range lines {
		if c, ok := strings.CutPrefix(line, "a="); ok && strings.HasPrefix(c, candidatePrefix) && !g.candidate(c) {
			continue
		}
		out.WriteString(line)
	}
	return out.String(), nil
}

const candidatePrefix = "candidate:"

// candidate says whether we take one more candidate (RFC 8839 section 5.1): a UDP address, not a
// name, that can be a member's. Checks sent to loopback would reach services of this machine.
func (g *guard) candidate(c string) bool {
	const protocol, address, least = 2, 4, 8
	if strings.TrimSpace(c) == "" {
		return true // the last one was the last
	}
	f := strings.Fields(strings.TrimPrefix(c, candidatePrefix))
	if len(f) < least || !strings.EqualFold(f[protocol], "udp") || g.candidates >= maxCandidates {
		return false
	}
	ip, err := netip.ParseAddr(f[address])
	if err != nil {
		return false
	}
	ip = ip.Unmap()
	if ip.IsUnspecified() || ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || ip.IsLoopback() && !g.loopback {
		return false
	}
	g.candidates++
	return true
}

// addCandidate adds a candidate that the guard lets through.
func (p *Peer) addCandidate(pc *webrtc.PeerConnection, c webrtc.ICECandidateInit) error {
	if !p.guard.candidate(c.Candidate) {
		return errMessage
	}
	return pc.AddICECandidate(c)
}

// offline says whether loopback is the only way on and off this machine. Then whoever we hear of is
// on this machine too, and nobody outside can name its loopback. Otherwise two Parleys of
// one machine meet at its address on the network.
func offline() bool {
	interfaces, err := net.Interfaces()
	if err != nil {
		return false
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return false
		}
		for _, a := range addrs {
			// Every interface has a link-local IPv6 address, and ICE does without them.
			if n, ok := a.(*net.IPNet); ok && (n.IP.To4() != nil || !n.IP.IsLinkLocalUnicast()) {
				return false
			}
		}
	}
	return true
}
