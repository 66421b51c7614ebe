package turn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	pion "github.com/pion/turn/v5"

	"parley/signal"
)

// realm is a part of how a client proves that it has the credential (RFC 8489, section 9.2).
const realm = "parley"

// maxAge is how long an allocation may be refreshed after its credential ended: a meeting outlives the credential
// that opened its connections, and lasts for less than a day.
const maxAge = 24 * time.Hour

// Config is what the service needs.
type Config struct {
	Secret           signal.Secret
	Relays           []Relay // at most one of IPv4 and one of IPv6
	MinPort, MaxPort uint16  // of allocations
	// Allow are networks that packets are relayed to although they are not public.
	Allow []netip.Prefix
}

// Server is a STUN and TURN service.
type Server struct {
	cfg       Config
	check     Credentials
	peers     peers
	ledger    ledger
	clients   clients
	relays    *relays
	metrics   *metrics
	packets   []net.PacketConn
	listeners []net.Listener
}

// New makes a service that listens nowhere yet.
func New(cfg Config) (*Server, error) {
	switch {
	case cfg.Secret == "":
		return nil, errors.New("configure TURN: no secret")
	case len(cfg.Relays) == 0:
		return nil, errors.New("configure TURN: no address for relays")
	case cfg.MinPort < lowestPort || cfg.MaxPort < cfg.MinPort:
		return nil, fmt.Errorf("configure TURN: relay ports %d to %d are no range above %d", cfg.MinPort, cfg.MaxPort, lowestPort-1)
	}
	s := &Server{
		cfg: cfg, check: Credentials{cfg.Secret}, peers: peers{allow: cfg.Allow, own: (&cache{}).addresses},
		ledger: ledger{members: map[string]*account{}}, clients: clients{of: map[netip.Addr]int{}}, metrics: newMetrics(),
	}
	for _, r := range cfg.Relays {
		s.peers.relay = append(s.peers.relay, r.Public)
	}
	s.relays = &relays{server: s, conns: map[uint16]*relayConn{}, of: map[client]*relayConn{}}
	return s, nil
}

// Relays are the addresses that packets are relayed on.
func (s *Server) Relays() []Relay { return s.cfg.Relays }

// relayFor is the address of relays of pion's network, udp4 or udp6.
func (s *Server) relayFor(network string) (Relay, bool) {
	for _, r := range s.cfg.Relays {
		if r.Local.Is4() == (network == "udp4") {
			return r, true
		}
	}
	return Relay{}, false
}

// Listen listens for clients on a port of this machine, over UDP and TCP. Call it before Run.
func (s *Server) Listen(port int) error {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return fmt.Errorf("listen for TURN over TCP: %w", err)
	}
	s.listeners = append(s.listeners, l)
	// One socket for each IP version, so that every answer leaves as what it answers came.
	var last error
	for _, network := range []string{"udp4", "udp6"} {
		p, err := net.ListenPacket(network, fmt.Sprintf(":%d", port))
		if err != nil {
			last = err // a machine without IPv6 has none of it
			continue
		}
		s.packets = append(s.packets, p)
	}
	if len(s.packets) == 0 {
		s.Close()
		return fmt.Errorf("listen for TURN over UDP: %w", last)
	}
	return nil
}

// Close frees what Listen has taken, when Run is not called.
func (s *Server) Close() {
	for _, l := range s.listeners {
		_ = l.Close()
	}
	for _, p := range s.packets {
		_ = p.Close()
	}
}

// Drain refuses new allocations. It returns when the last of the others has ended, or with ctx.
func (s *Server) Drain(ctx context.Context) {
	select {
	case <-s.relays.open.end():
	case <-ctx.Done():
	}
}

// Run serves until ctx ends, and returns when every allocation and connection has ended.
func (s *Server) Run(ctx context.Context) error {
	logs := logging.NewDefaultLoggerFactory() // its lines name members and addresses
	logs.DefaultLogLevel, logs.Writer = logging.LogLevelDisabled, io.Discard
	cfg := pion.ServerConfig{
		Realm: realm, LoggerFactory: logs, AuthHandler: s.authenticate,
		QuotaHandler: func(member, _ string, _ net.Addr) bool {
			if s.relays.open.ended() {
				return s.refuse("draining")
			}
			return s.ledger.room(member) || s.refuse("quota")
		},
		EventHandler: pion.EventHandler{
			OnAllocationCreated: s.relays.created,
			OnPermissionCreated: s.relays.permission(true), OnPermissionDeleted: s.relays.permission(false),
		},
	}
	// A client that reaches us over IPv6 needs an IPv4 relay to meet those who have no IPv6, and pion's clients ask
	// for none. RFC 8656 gives IPv4 to whoever does not ask.
	_, cfg.StrictAddressFamily = s.relayFor("udp4")
	for _, p := range s.packets {
		cfg.PacketConnConfigs = append(cfg.PacketConnConfigs, pion.PacketConnConfig{
			PacketConn: p, RelayAddressGenerator: s.relays, PermissionHandler: s.permit(p.LocalAddr()),
		})
	}
	for _, l := range s.listeners {
		cfg.ListenerConfigs = append(cfg.ListenerConfigs, pion.ListenerConfig{
			Listener: s.newListener(l), RelayAddressGenerator: s.relays, PermissionHandler: s.permit(l.Addr()),
		})
	}
	server, err := pion.NewServer(cfg)
	if err != nil {
		s.Close()
		return fmt.Errorf("start TURN: %w", err)
	}
	<-ctx.Done()
	err = server.Close()
	<-s.relays.open.end()
	if err != nil {
		return fmt.Errorf("stop TURN: %w", err)
	}
	return nil
}

// refuse counts a refusal, and is false.
func (s *Server) refuse(why string) bool {
	s.metrics.refused.WithLabelValues(why).Inc()
	return false
}

// authenticate finds the key of a user name. Pion checks what it signs.
func (s *Server) authenticate(ra *pion.RequestAttributes) (member string, key []byte, ok bool) {
	member, expires, ok := parse(ra.Username)
	if !ok {
		return "", nil, s.refuse("credential")
	}
	if ra.Method != stun.MethodAllocate {
		expires = expires.Add(maxAge)
	}
	if !time.Now().Before(expires) {
		return "", nil, s.refuse("expired")
	}
	return member, pion.GenerateAuthKey(ra.Username, ra.Realm, string(s.check.sign(ra.Username))), true
}

// permit decides whether an allocation may send to an address. service is where the client has it from.
func (s *Server) permit(service net.Addr) pion.PermissionHandler {
	return func(from net.Addr, peer net.IP) bool {
		ip, _ := netip.AddrFromSlice(peer)
		if len(peer) == net.IPv6len && ip.Is4In6() {
			ip = ip.Unmap() // how net.IP holds every IPv4 address
		}
		return s.peers.permits(ip) && s.relays.mayPermit(clientAt(from, service), ip) || s.refuse("peer")
	}
}
