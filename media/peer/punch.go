package peer

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	ptransport "github.com/pion/transport/v5"
	"github.com/pion/webrtc/v4"
)

// While a call is relayed, the controlling side goes on checking the direct paths. Its checks reach a side behind a
// router only if that side sends to the same addresses, and Pion's controlled side stops as soon as it has any path
// (RFC 8445 has it so). So we send checks of our own there. The controlling side answers them, and learns by them that
// the path works both ways.
const (
	punchInterval = 3 * time.Second // a router's mapping lasts for half a minute at least (RFC 4787, section 4.3)
	maxPunched    = 8               // addresses of the other side
	// checkPriority is that of a peer-reflexive candidate (RFC 8445, section 5.1.2.1), if the other side does not know ours.
	checkPriority = 110<<24 + 65535<<8 + 255
)

// puncher opens our router to the other side's addresses.
type puncher struct {
	mu      sync.Mutex
	sockets []ptransport.UDPConn // of our candidates, but relays
	theirs  []netip.AddrPort
	last    time.Time
}

// opened notes a socket of ours.
func (p *puncher) opened(c ptransport.UDPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sockets = append(p.sockets, c)
}

// add notes an address of the other side, and forget drops all.
func (p *puncher) add(a netip.AddrPort) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.theirs) < maxPunched && !slices.Contains(p.theirs, a) {
		p.theirs = append(p.theirs, a)
	}
}

func (p *puncher) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.theirs = nil
}

// reach tells whether the other side named addresses of its own, and whether one is of an IP version that we have.
func (p *puncher) reach() (theirs, shared bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.theirs {
		for _, c := range p.sockets {
			shared = shared || sameFamily(c, a)
		}
	}
	return len(p.theirs) > 0, shared
}

func sameFamily(c ptransport.UDPConn, a netip.AddrPort) bool {
	local, ok := c.LocalAddr().(*net.UDPAddr)
	return ok && a.Addr().Is4() == (local.IP.To4() != nil)
}

// check is a connectivity check of the controlled side (RFC 8445, section 7.2.2) between these descriptions.
func check(local, remote string) (*stun.Message, error) {
	user := iceAttribute(remote, "ice-ufrag") + ":" + iceAttribute(local, "ice-ufrag")
	return stun.Build(stun.TransactionID, stun.BindingRequest, stun.NewUsername(user), ice.AttrControlled(0), ice.PriorityAttr(checkPriority),
		stun.NewShortTermIntegrity(iceAttribute(remote, "ice-pwd")), stun.Fingerprint)
}

// iceAttribute is the first attribute of that name in a description; all of its sections have the same.
func iceAttribute(sdp, name string) string {
	_, rest, _ := strings.Cut(sdp, "a="+name+":")
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(value)
}

// punch sends a check from each socket to each address, if the last is long enough ago.
func (p *puncher) punch(now time.Time, local, remote string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.last) < punchInterval {
		return
	}
	p.last = now
	m, err := check(local, remote)
	if err != nil {
		return
	}
	p.sockets = slices.DeleteFunc(p.sockets, func(c ptransport.UDPConn) bool {
		for _, a := range p.theirs {
			if !sameFamily(c, a) {
				continue
			}
			if _, err := c.WriteTo(m.Raw, net.UDPAddrFromAddrPort(a)); errors.Is(err, net.ErrClosed) {
				return true // of an earlier ICE session
			}
		}
		return false
	})
}

// takeDirect makes Pion move to a direct pair that has just been checked, in place of a relay. Both sides decide so for
// what they send: no packet waits for the other's decision.
func (p *Peer) takeDirect(_ *stun.Message, local, remote ice.Candidate, pair *ice.CandidatePair) bool {
	if local.Type() == ice.CandidateTypeRelay || remote.Type() == ice.CandidateTypeRelay || pair.ResponsesReceived() == 0 {
		return false
	}
	if !p.relayed.CompareAndSwap(true, false) {
		return false
	}
	p.cfg.Log.Info("connection", "path", "direct")
	return true
}

// seekDirect looks for a direct path while the connection is relayed.
func (p *Peer) seekDirect(pc *webrtc.PeerConnection, now time.Time) {
	local, remote := pc.CurrentLocalDescription(), pc.CurrentRemoteDescription()
	if !p.offers && p.mayBeDirect() && local != nil && remote != nil { // who offers is controlling
		p.punch.punch(now, local.SDP, remote.SDP)
	}
}
