package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"parley/signal"
)

// echoTimeout is how long a packet through the relay may take.
const echoTimeout = 3 * time.Second

// media tries one STUN or TURN server.
func (p *prober) media(ctx context.Context, s signal.ICEServer, text string) {
	u, err := stun.ParseURI(text)
	if err != nil {
		p.try(ctx, text, func(context.Context) (string, error) {
			return "", advice{errors.New("not the URL of a STUN or TURN server"), "see --turn-url"}
		})
		return
	}
	relays := u.Scheme == stun.SchemeTypeTURN || u.Scheme == stun.SchemeTypeTURNS
	secure := u.Scheme == stun.SchemeTypeSTUNS || u.Scheme == stun.SchemeTypeTURNS
	over := strings.ToUpper(u.Proto.String())
	if secure && u.Proto == stun.ProtoTypeTCP {
		over = "TLS"
	}
	name := "STUN over " + over
	if relays {
		name = "TURN over " + over
	}
	at := net.JoinHostPort(u.Host, fmt.Sprint(u.Port))
	ok := p.try(ctx, name, func(ctx context.Context) (string, error) {
		conn, err := p.open(ctx, u, at, secure)
		if err != nil {
			return "", advice{fmt.Errorf("%s: %w", at, err), "is this port open, on the server and in the network here?"}
		}
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		return p.ask(conn, at, s, relays, u.Proto == stun.ProtoTypeUDP)
	})
	switch {
	case !ok:
	case !relays:
		p.works.direct = true
	case over == "UDP":
		p.works.udp = true
	case over == "TCP":
		p.works.tcp = true
	default:
		p.works.tls = true
	}
}

// open makes the connection that the URL asks for.
func (p *prober) open(ctx context.Context, u *stun.URI, at string, secure bool) (net.PacketConn, error) {
	if u.Proto == stun.ProtoTypeUDP {
		return listenFor(at)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", at)
	if err != nil {
		return nil, err
	}
	if secure {
		encrypted := tls.Client(conn, &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Host})
		if err := encrypted.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		conn = encrypted
	}
	return turn.NewSTUNConn(conn), nil
}

// listenFor opens a socket of the same kind of IP as an address: by the socket's, a relay is asked for of that kind.
func listenFor(at string) (net.PacketConn, error) {
	to, err := net.ResolveUDPAddr("udp", at)
	if err != nil {
		return nil, err
	}
	if to.IP.To4() != nil {
		return net.ListenPacket("udp4", ":0")
	}
	return net.ListenPacket("udp6", ":0")
}

// ask makes the requests: our own address, and where the server relays, an allocation and a packet through it.
func (p *prober) ask(conn net.PacketConn, at string, s signal.ICEServer, relays, udp bool) (string, error) {
	c, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: at, TURNServerAddr: at, Conn: conn, Username: s.Username, Password: string(s.Credential),
	})
	if err != nil {
		return "", err
	}
	if err := c.Listen(); err != nil {
		return "", err
	}
	defer c.Close()
	mapped, err := c.SendBindingRequest()
	if err != nil {
		return "", advice{fmt.Errorf("%s does not answer", at), "is this port open, on the server and in the network here?"}
	}
	detail := "seen as " + mapped.String()
	if udp {
		p.mapped, p.works.direct = mapped.String(), true
	}
	if !relays {
		return detail, nil
	}
	relay, err := c.Allocate()
	if err != nil {
		return "", advice{fmt.Errorf("%s relays nothing: %w", at, err), "is the secret the same on both servers, and are their clocks right?"}
	}
	defer relay.Close()
	detail = "relays at " + relay.LocalAddr().String()
	if p.mapped == "" {
		return detail + "; not tried with a packet, as no UDP comes through", nil
	}
	if err := p.echo(c, relay, at); err != nil {
		var refused errRefused
		if errors.As(err, &refused) {
			return detail + "; not tried with a packet, as this network's address is private", nil
		}
		return "", advice{fmt.Errorf("%s: nothing comes through it: %w", detail, err), "open the UDP ports of --turn-ports to the server"}
	}
	return detail + ", a packet came through", nil
}

// errRefused is that the relay does not send to us, as to private addresses.
type errRefused struct{ error }

// echo sends a packet from a socket of ours to the relay's address, which only passes on what comes from an address
// that we name.
func (p *prober) echo(c *turn.Client, relay net.PacketConn, at string) error {
	socket, err := listenFor(p.mapped)
	if err != nil {
		return err
	}
	defer socket.Close()
	server, err := net.ResolveUDPAddr("udp", at)
	if err != nil {
		return err
	}
	if own, err := net.ResolveUDPAddr("udp", p.mapped); err != nil {
		return err
	} else if err := c.CreatePermission(own); err != nil {
		return errRefused{err}
	}
	to, err := net.ResolveUDPAddr("udp", relay.LocalAddr().String())
	if err != nil {
		return err
	}
	if to.IP.IsUnspecified() {
		to.IP = server.IP
	}
	done := make(chan error, 1)
	go func() {
		b := make([]byte, 64)
		_, _, err := relay.ReadFrom(b)
		done <- err
	}()
	limit := time.NewTimer(echoTimeout)
	defer limit.Stop()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for {
		if _, err := socket.WriteTo([]byte("parley"), to); err != nil {
			_ = relay.Close()
			<-done
			return err
		}
		select {
		case err := <-done:
			return err
		case <-again.C:
		case <-limit.C:
			_ = relay.Close()
			<-done
			return errors.New("no packet in time")
		}
	}
}
