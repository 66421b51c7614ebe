package peer

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/pion/webrtc/v4"
)

// Limits for what one member may send on a connection. A Parley stays far below: its descriptions have
// 5 KB and five media sections, machines have a handful of addresses, and wants change at a person's pace.
const (
	maxSDP        = 32 << 10 // bytes
	maxSections   = 8
	maxCandidates = 32 // for each ICE session

	maxDescriptions = 3 // within limitSpan: each starts a negotiation
	maxWants        = 100
	maxWantSize     = 1024 // bytes
	limitSpan       = 10 * time.Second
)

// limit is a rate limit over limitSpan.
type limit struct{ times []time.Time }

// allow reports whether one more is within max. What it refuses does not count.
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

// guard checks what the other side sends before Pion handles it. Only negotiate uses it.
type guard struct {
	loopback     bool // loopback candidates are allowed
	candidates   int  // taken in this ICE session
	ufrag        string
	descriptions limit
	punch        *puncher // learns the addresses; nil: none does
}

// description returns the SDP without candidates that we refuse, or errMessage.
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
			g.ufrag, g.candidates = strings.TrimSpace(u), 0 // an ICE restart forgets the old ones
			if g.punch != nil {
				g.punch.forget()
			}
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

// candidate reports whether to accept a candidate (RFC 8839 section 5.1). It must be a UDP address that
// can belong to a member, not a name. Checks sent to loopback would reach services of this machine.
func (g *guard) candidate(c string) bool {
	const protocol, address, port, kind, least = 2, 4, 5, 7, 8
	if strings.TrimSpace(c) == "" {
		return true // end of candidates
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
	if n, err := strconv.ParseUint(f[port], 10, 16); err == nil && g.punch != nil && f[kind] != "relay" {
		g.punch.add(netip.AddrPortFrom(ip, uint16(n)))
	}
	return true
}

// addCandidate adds a candidate if the guard accepts it.
func (p *Peer) addCandidate(pc *webrtc.PeerConnection, c webrtc.ICECandidateInit) error {
	if !p.guard.candidate(c.Candidate) {
		return errMessage
	}
	return pc.AddICECandidate(c)
}

// offline reports whether loopback is this machine's only address. Then every member is on this machine,
// and no outsider can make us send to its loopback. Otherwise two Parleys on one machine connect over its
// network address.
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
			// Every interface has a link-local IPv6 address. ICE does not use those.
			if n, ok := a.(*net.IPNet); ok && (n.IP.To4() != nil || !n.IP.IsLinkLocalUnicast()) {
				return false
			}
		}
	}
	return true
}
