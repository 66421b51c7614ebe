package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"parley/signal"
	"parley/signal/server"
	"parley/signal/turn"
)

const turnUsage = `
STUN and TURN, without which people behind two routers usually do not meet:
  --turn          serve both, over UDP and TCP on port 3478, and over TCP on the port of --listen
  --turn-port N   another port than 3478
  --turn-host NAME
                  the name or address that members find it by (default: as they reach this service)
  --turn-relay IP[,IP]
                  this machine's public address, of IPv4 and of IPv6 (default: what it has towards the internet)
  --turn-ports A-B
                  UDP ports to relay on (default 49152-65535); a firewall has to let them in
  --turn-allow NET,...
                  networks to relay to although they are private (default: none)
  --turn-url URL,...
                  use this TURN server instead, such as coturn with use-auth-secret
  --turn-secret TEXT, --turn-secret-file FILE
                  the secret shared with it, or by several nodes (or in $PARLEY_TURN_SECRET, which ps does not show)
`

// turnOptions are the flags about STUN and TURN.
type turnOptions struct {
	serve      bool
	place      turn.Place
	public     []netip.Addr
	min, max   uint16
	allow      []netip.Prefix
	urls       []string
	secret     string
	secretFile string
}

func (o *turnOptions) flags(f *flag.FlagSet) {
	o.min, o.max = 49152, 65535 // RFC 8656, section 7.2
	f.BoolVar(&o.serve, "turn", false, "")
	f.IntVar(&o.place.Port, "turn-port", 3478, "")
	f.StringVar(&o.place.Host, "turn-host", "", "")
	f.Func("turn-relay", "", func(list string) error {
		for text := range strings.SplitSeq(list, ",") {
			ip, err := netip.ParseAddr(strings.TrimSpace(text))
			if err != nil {
				return fmt.Errorf("%q is no IP address", text)
			}
			o.public = append(o.public, ip)
		}
		return nil
	})
	f.Func("turn-ports", "", func(text string) error {
		low, high, _ := strings.Cut(text, "-")
		a, errA := strconv.ParseUint(low, 10, 16)
		b, errB := strconv.ParseUint(high, 10, 16)
		if errA != nil || errB != nil || a < 1024 || b < a {
			return errors.New("two ports from 1024 on, such as 49152-65535")
		}
		o.min, o.max = uint16(a), uint16(b)
		return nil
	})
	f.Func("turn-allow", "", func(list string) (err error) {
		o.allow, err = networks(list)
		return err
	})
	f.Func("turn-url", "", func(list string) (err error) {
		o.urls, err = turn.ParseURLs(list)
		return err
	})
	f.StringVar(&o.secret, "turn-secret", "", "")
	f.StringVar(&o.secretFile, "turn-secret-file", "", "")
}

// check reports flags that do not fit together, and reads the secret.
func (o *turnOptions) check() error {
	if o.secret == "" {
		o.secret = os.Getenv("PARLEY_TURN_SECRET")
	}
	if o.secretFile != "" {
		text, err := os.ReadFile(o.secretFile)
		if err != nil {
			return fmt.Errorf("read --turn-secret-file: %w", err)
		}
		o.secret = strings.TrimSpace(string(text))
	}
	switch {
	case o.serve && len(o.urls) > 0:
		return errors.New("either --turn, or --turn-url for another server, not both")
	case len(o.urls) > 0 && o.secret == "":
		return errors.New("--turn-url needs the secret of that server: --turn-secret-file FILE")
	case o.place.Port < 1 || o.place.Port > 65535:
		return errors.New("--turn-port: from 1 to 65535")
	}
	return nil
}

// networks reads a list of addresses and networks.
func networks(list string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for text := range strings.SplitSeq(list, ",") {
		if addr, err := netip.ParseAddr(text); err == nil {
			all = append(all, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network such as 10.0.0.0/8", text)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}

// relay is what members are told about STUN and TURN, and the service itself; nil without --turn.
type relay struct {
	service *turn.Server
	ask     func(server.Guest) []signal.ICEServer
}

// openTURN listens for STUN and TURN. web is the listener of the rendezvous, and what it returns takes its place.
func openTURN(o turnOptions, web net.Listener, secure, proxied bool) (relay, net.Listener, error) {
	var r relay
	credentials := turn.Credentials{Secret: signal.Secret(o.secret)}
	switch {
	case len(o.urls) > 0:
		r.ask = func(g server.Guest) []signal.ICEServer {
			return []signal.ICEServer{credentials.Server(o.urls, g.Room, g.ID, time.Now())}
		}
		return r, web, nil
	case !o.serve:
		return r, web, nil
	}
	if o.secret == "" {
		credentials.Secret = turn.NewSecret()
	}
	relays, err := turn.FindRelays(o.public)
	if err != nil {
		return r, web, fmt.Errorf("%w: name this machine's public address with --turn-relay", err)
	}
	r.service, err = turn.New(turn.Config{
		Secret: credentials.Secret, Relays: relays, MinPort: o.min, MaxPort: o.max, Allow: o.allow,
	})
	if err != nil {
		return r, web, err
	}
	if err := r.service.Listen(o.place.Port); err != nil {
		return r, web, errors.New(listenText("--turn-port", fmt.Sprintf("port %d", o.place.Port), err))
	}
	if at, ok := web.Addr().(*net.TCPAddr); ok && !proxied {
		o.place.Web, o.place.TLS = at.Port, secure
		web = r.service.Share(web)
	}
	r.ask = func(g server.Guest) []signal.ICEServer { return o.place.Servers(credentials, g.Host, g.Room, g.ID) }
	return r, web, nil
}

// drainTime is how long what is being relayed may go on after the node has stopped. Members look for other relays as soon
// as another node has welcomed them, within seconds. systemd waits for 90 s before it kills.
const drainTime = time.Minute

// run serves TURN until ctx ends. Where members have another node to go to, it then waits until the last of them has
// found another relay.
func (r relay) run(ctx context.Context, alone func() bool, log *slog.Logger) error {
	if r.service == nil {
		return nil
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		defer stop()
		select {
		case <-ctx.Done():
		case <-serving.Done():
			return
		}
		if alone() {
			return
		}
		log.Info("TURN drains")
		limit, cancel := context.WithTimeout(serving, drainTime)
		defer cancel()
		r.service.Drain(limit)
		log.Info("TURN has drained", "in time", limit.Err() == nil)
	}()
	err := r.service.Run(serving)
	stop()
	<-stopped
	return err
}

// logRelays says where packets are relayed, and warns of addresses that nobody reaches.
func (r relay) log(log *slog.Logger) {
	if r.service == nil {
		return
	}
	for _, a := range r.service.Relays() {
		log.Info("relaying", "addr", a.Public.String())
		if a.Public.IsPrivate() || a.Public.IsLoopback() {
			log.Warn("the address of relays is a private one: name the public one with --turn-relay", "addr", a.Public.String())
		}
	}
}
