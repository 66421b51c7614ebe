package turn

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	pion "github.com/pion/turn/v5"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"parley/signal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

const (
	testRoom   = "AAECAwQFBgcICQoLDA0ODw"
	alice, bob = signal.ID("AAAAAAAAAAAAAAAA"), signal.ID("BBBBBBBBBBBBBBBB")
)

// The service relays on an address of its own, so that a test's peers on the other are no part of it.
var (
	loopback = netip.MustParseAddr("127.0.0.1")
	relayIP  = netip.MustParseAddr("127.0.0.9")
)

// service is a running Server on loopback.
type service struct {
	*Server
	udp, tcp string
	stop     func()
}

// start runs a service that relays to other programs of this machine, unless asPublic.
func start(t *testing.T, asPublic bool, prepare ...func(*Server)) *service {
	t.Helper()
	s, err := New(Config{
		Secret: "hush", MinPort: 20000, MaxPort: 60000, Allow: prefixes("127.0.0.0/8", "::1/128"),
		Relays: []Relay{{relayIP, relayIP}, {netip.IPv6Loopback(), netip.IPv6Loopback()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if asPublic {
		s.peers.allow = nil
	} else {
		s.peers.own = func() []netip.Addr { return nil }
	}
	p, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.packets, s.listeners = append(s.packets, p), append(s.listeners, l)
	for _, f := range prepare {
		f(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	svc := &service{Server: s, udp: p.LocalAddr().String(), tcp: l.Addr().String()}
	stopped := false
	svc.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the service does not stop")
		}
	}
	t.Cleanup(svc.stop)
	return svc
}

// count is a figure of the service.
func count(t *testing.T, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

// attacker is a UDP socket that says whatever a test wants.
type attacker struct {
	t    *testing.T
	conn net.PacketConn
	to   net.Addr

	username, password string
	brief              bool // some requests are not answered
	realm              stun.Realm
	nonce              stun.Nonce
}

func attack(t *testing.T, s *service, username string, password signal.Secret) *attacker {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	to, _ := net.ResolveUDPAddr("udp4", s.udp)
	return &attacker{t: t, conn: conn, to: to, username: username, password: string(password)}
}

// as is an attacker with a member's own credential.
func as(t *testing.T, s *service, id signal.ID) *attacker {
	t.Helper()
	username, password := s.check.Mint(testRoom, id, time.Now().Add(time.Hour))
	return attack(t, s, username, password)
}

// attribute is an attribute as bytes.
func attribute(kind stun.AttrType, value ...byte) stun.Setter {
	return stun.RawAttribute{Type: kind, Value: value}
}

func peerAddress(to string) stun.Setter { return peerSetter(netip.MustParseAddrPort(to)) }

type peerSetter netip.AddrPort

func (p peerSetter) AddTo(m *stun.Message) error {
	a := netip.AddrPort(p)
	return stun.XORMappedAddress{IP: a.Addr().AsSlice(), Port: int(a.Port())}.AddToAs(m, stun.AttrXORPeerAddress)
}

var errSilence = errors.New("no answer")

// ask makes a request as the member, and returns the error code of the answer, 0 for success.
func (a *attacker) ask(method stun.Method, with ...stun.Setter) (answer *stun.Message, code stun.ErrorCode, err error) {
	a.t.Helper()
	for range 3 {
		setters := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)}, with...)
		if a.nonce != nil {
			setters = append(setters, stun.NewUsername(a.username), a.realm, a.nonce,
				stun.NewLongTermIntegrity(a.username, a.realm.String(), a.password))
		}
		m, err := stun.Build(setters...)
		if err != nil {
			a.t.Fatal(err)
		}
		if answer, err = a.exchange(m); err != nil {
			return nil, 0, err
		}
		var code stun.ErrorCodeAttribute
		if answer.Type.Class == stun.ClassSuccessResponse {
			return answer, 0, nil
		}
		if err := code.GetFrom(answer); err != nil {
			a.t.Fatal(err)
		}
		first := a.nonce == nil
		if !first && code.Code != stun.CodeStaleNonce {
			return answer, code.Code, nil
		}
		if err := errors.Join(a.realm.GetFrom(answer), a.nonce.GetFrom(answer)); err != nil {
			a.t.Fatal(err)
		}
	}
	return answer, stun.CodeStaleNonce, nil
}

// exchange sends a message until it is answered.
func (a *attacker) exchange(m *stun.Message) (*stun.Message, error) {
	a.t.Helper()
	buf := make([]byte, 2000)
	tries, wait := 3, 2*time.Second
	if a.brief {
		tries, wait = 1, 100*time.Millisecond
	}
	for range tries {
		if _, err := a.conn.WriteTo(m.Raw, a.to); err != nil {
			a.t.Fatal(err)
		}
		_ = a.conn.SetReadDeadline(time.Now().Add(wait))
		for {
			n, _, err := a.conn.ReadFrom(buf)
			if err != nil {
				break
			}
			answer := &stun.Message{Raw: append([]byte(nil), buf[:n]...)}
			if answer.Decode() == nil && answer.TransactionID == m.TransactionID {
				return answer, nil
			}
		}
	}
	return nil, errSilence
}

var (
	udpTransport = attribute(stun.AttrRequestedTransport, 17, 0, 0, 0)
	ipv6         = attribute(stun.AttrRequestedAddressFamily, 2, 0, 0, 0)
)

// allocate opens an allocation and returns its relay address.
func (a *attacker) allocate(with ...stun.Setter) netip.AddrPort {
	a.t.Helper()
	answer, code, err := a.ask(stun.MethodAllocate, append([]stun.Setter{udpTransport}, with...)...)
	if err != nil || code != 0 {
		a.t.Fatalf("allocate: %d, %v", code, err)
	}
	var relayed stun.XORMappedAddress
	if err := relayed.GetFromAs(answer, stun.AttrXORRelayedAddress); err != nil {
		a.t.Fatal(err)
	}
	ip, _ := netip.AddrFromSlice(relayed.IP)
	return netip.AddrPortFrom(ip.Unmap(), uint16(relayed.Port))
}

// permit asks for a permission, and returns the error code.
func (a *attacker) permit(peer string) stun.ErrorCode {
	a.t.Helper()
	_, code, err := a.ask(stun.MethodCreatePermission, peerAddress(peer))
	if err != nil {
		a.t.Fatal(err)
	}
	return code
}

// send has the service relay data to a peer.
func (a *attacker) send(peer string, data []byte) {
	a.t.Helper()
	m, err := stun.Build(stun.TransactionID, stun.NewType(stun.MethodSend, stun.ClassIndication), peerAddress(peer), attribute(stun.AttrData, data...))
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.conn.WriteTo(m.Raw, a.to); err != nil {
		a.t.Fatal(err)
	}
}

// settle waits until the service has handled what was sent before: it reads one socket in order.
func (a *attacker) settle() {
	a.t.Helper()
	m := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	if _, err := a.exchange(m); err != nil {
		a.t.Fatal(err)
	}
}

// connect makes a client as members have it: pion's.
func connect(t *testing.T, s *service, conn net.PacketConn, server string, id signal.ID) *pion.Client {
	t.Helper()
	username, password := s.check.Mint(testRoom, id, time.Now().Add(time.Hour))
	c, err := pion.NewClient(&pion.ClientConfig{
		TURNServerAddr: server, Conn: conn, Username: username, Password: string(password),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func channelNumber(n uint16) stun.Setter {
	return attribute(stun.AttrChannelNumber, binary.BigEndian.AppendUint32(nil, uint32(n)<<16)...)
}
