package portmap

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// The sizes and numbers of PCP (RFC 6887, sections 7, 11, 14 and 19).
const (
	pcpPort       = 5351
	pcpVersion    = 2
	pcpAnnounce   = 0
	pcpMap        = 1
	pcpResponse   = 0x80 // is set in the opcode of an answer
	pcpHeader     = 24   // bytes
	pcpMapSize    = 60   // bytes, header and MAP
	pcpMaxSize    = 1100 // bytes
	pcpNonceSize  = 12   // bytes
	pcpFirstRetry = 250 * time.Millisecond
	pcpPatience   = 2 * time.Second // for one question with its repetitions
)

// protocolNumbers are IANA's.
var protocolNumbers = map[Protocol]byte{TCP: 6, UDP: 17}

var errNoPCP = errors.New("the router speaks no PCP")

// pcpRefusal is the result code of an answer that is not a success.
type pcpRefusal byte

// refusals are the names of RFC 6887, section 7.4.
var refusals = [...]string{
	1: "UNSUPP_VERSION", 2: "NOT_AUTHORIZED", 3: "MALFORMED_REQUEST", 4: "UNSUPP_OPCODE", 5: "UNSUPP_OPTION",
	6: "MALFORMED_OPTION", 7: "NETWORK_FAILURE", 8: "NO_RESOURCES", 9: "UNSUPP_PROTOCOL", 10: "USER_EX_QUOTA",
	11: "CANNOT_PROVIDE_EXTERNAL", 12: "ADDRESS_MISMATCH", 13: "EXCESSIVE_REMOTE_PEERS",
}

func (r pcpRefusal) Error() string {
	if int(r) < len(refusals) {
		return "the router refuses: " + refusals[r]
	}
	return fmt.Sprintf("the router refuses with code %d", byte(r))
}

// nonce proves to the router that a renewal comes from who asked first, and to us that an answer is to our question.
type nonce [pcpNonceSize]byte

func newNonce() (n nonce) {
	_, _ = rand.Read(n[:]) // it never fails
	return n
}

// pcp is a router that is asked by PCP: for a port of its own address, or to let others in to ours.
type pcp struct {
	router, own netip.Addr
	nonce       nonce
}

func (pcp) String() string { return "PCP" }

func (d pcp) add(ctx context.Context, p Port, wanted netip.AddrPort) (grant, error) {
	g, err := d.mapPort(ctx, p, wanted, lease)
	if err != nil {
		return grant{}, err
	}
	if err := usable(p, g, netip.AddrPortFrom(d.own, p.Number)); err != nil {
		_ = d.remove(ctx, p, g.external)
		return grant{}, err
	}
	return g, nil
}

func (d pcp) remove(ctx context.Context, p Port, external netip.AddrPort) error {
	_, err := d.mapPort(ctx, p, external, 0)
	return err
}

// check asks for the router's clock, which starts anew when the router has lost its mappings. Whatever else it answers,
// each of its answers tells the time.
func (d pcp) check(ctx context.Context, _ Port, g *grant) error {
	a, err := d.exchange(ctx, d.header(pcpAnnounce, 0), func(a []byte) bool { return a[1] == pcpResponse|pcpAnnounce })
	if err != nil {
		return err
	}
	return g.epoch.follow(binary.BigEndian.Uint32(a[8:]), time.Now())
}

// mapPort asks for a mapping, or for its end if the lifetime is 0.
func (d pcp) mapPort(ctx context.Context, p Port, wanted netip.AddrPort, lifetime time.Duration) (grant, error) {
	q := append(d.header(pcpMap, lifetime), d.nonce[:]...)
	q = append(q, protocolNumbers[p.Protocol], 0, 0, 0)
	q = binary.BigEndian.AppendUint16(q, p.Number)
	q = binary.BigEndian.AppendUint16(q, wanted.Port())
	suggested := wanted.Addr()
	if !suggested.IsValid() && d.own.Is4() {
		suggested = netip.IPv4Unspecified() // the family in which the router is to choose
	} else if !suggested.IsValid() {
		suggested = netip.IPv6Unspecified()
	}
	as16 := suggested.As16()
	q = append(q, as16[:]...)
	a, err := d.exchange(ctx, q, func(a []byte) bool {
		// Nonce, protocol and internal port are those of the question (section 11.4).
		return a[1] == pcpResponse|pcpMap && len(a) >= pcpMapSize && [pcpHeader - 6]byte(a[pcpHeader:]) == [pcpHeader - 6]byte(q[pcpHeader:])
	})
	if err != nil {
		return grant{}, err
	}
	if a[3] != 0 {
		return grant{}, pcpRefusal(a[3])
	}
	return grant{
		external: netip.AddrPortFrom(netip.AddrFrom16([16]byte(a[44:60])).Unmap(), binary.BigEndian.Uint16(a[42:])),
		lifetime: time.Duration(binary.BigEndian.Uint32(a[4:])) * time.Second,
		epoch:    epoch{binary.BigEndian.Uint32(a[8:]), time.Now()},
	}, nil
}

// header starts a question.
func (d pcp) header(opcode byte, lifetime time.Duration) []byte {
	q := binary.BigEndian.AppendUint32([]byte{pcpVersion, opcode, 0, 0}, uint32(lifetime/time.Second))
	own := d.own.As16() // an IPv4 address is mapped into IPv6 (section 5)
	return append(q, own[:]...)
}

// exchange sends a question until there is an answer that fits it. Answers that do not fit, or come from another
// address, are as if they had not come.
func (d pcp) exchange(ctx context.Context, question []byte, fits func([]byte) bool) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, pcpPatience)
	defer cancel()
	dialer := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(d.own, 0))}
	conn, err := dialer.DialContext(ctx, "udp", netip.AddrPortFrom(d.router, pcpPort).String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	for again := pcpFirstRetry; ctx.Err() == nil; again *= 2 {
		if _, err := conn.Write(question); err != nil {
			return nil, err
		}
		_ = conn.SetReadDeadline(time.Now().Add(again))
		a, err := receive(ctx, conn, fits)
		if !errors.Is(err, errSilent) {
			return a, err
		}
	}
	return nil, errSilent
}

// receive reads until the deadline of the connection.
func receive(ctx context.Context, conn net.Conn, fits func([]byte) bool) ([]byte, error) {
	buffer := make([]byte, pcpMaxSize+1)
	for ctx.Err() == nil {
		n, err := conn.Read(buffer)
		if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
			break
		}
		if err != nil {
			return nil, err // the router's system says that nobody listens at this port
		}
		switch a := buffer[:n]; {
		case n >= 4 && a[0] != pcpVersion && a[1]&pcpResponse != 0:
			return nil, errNoPCP // NAT-PMP alone answers with 8 bytes (RFC 6887, appendix A)
		case n < pcpHeader || n > pcpMaxSize || n%4 != 0 || a[0] != pcpVersion:
		case n < pcpMapSize && a[1]&pcpResponse != 0 && a[3] != 0 && a[1]&^pcpResponse == pcpMap:
			return nil, pcpRefusal(a[3]) // it could not read that far
		case fits(a):
			return a, nil
		}
	}
	return nil, errSilent
}
