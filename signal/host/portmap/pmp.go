package portmap

import (
	"context"
	"net/netip"
	"strings"
	"time"

	natpmp "github.com/jackpal/go-nat-pmp"
)

// pmpPatience is how long a router may take to answer one question. It has four tries.
const pmpPatience = 2 * time.Second

// pmp is a router that is asked by NAT-PMP.
type pmp struct{ client *natpmp.Client }

func newPMP(router, own netip.Addr) device {
	return pmp{natpmp.NewClientWithLocalAndTimeout(router.AsSlice(), own.AsSlice(), pmpPatience)}
}

func (pmp) String() string { return "NAT-PMP" }

// outside is the router's address on the internet, as the router says, and its clock.
func (d pmp) outside(ctx context.Context) (netip.Addr, uint32, error) {
	if err := ctx.Err(); err != nil {
		return netip.Addr{}, 0, err
	}
	r, err := d.client.GetExternalAddress()
	if err != nil {
		return netip.Addr{}, 0, err
	}
	return netip.AddrFrom4(r.ExternalIPAddress), r.SecondsSinceStartOfEpoc, nil
}

func (d pmp) add(ctx context.Context, p Port, wanted netip.AddrPort) (grant, error) {
	addr, _, err := d.outside(ctx)
	if err != nil {
		return grant{}, err
	}
	if err := onInternet(addr); err != nil {
		return grant{}, err
	}
	if err := ctx.Err(); err != nil {
		return grant{}, err
	}
	r, err := d.client.AddPortMapping(strings.ToLower(string(p.Protocol)), int(p.Number), int(wanted.Port()), int(lease/time.Second))
	if err != nil {
		return grant{}, err
	}
	if r.InternalPort != p.Number {
		return grant{}, errPort
	}
	g := grant{
		external: netip.AddrPortFrom(addr, r.MappedExternalPort),
		lifetime: time.Duration(r.PortMappingLifetimeInSeconds) * time.Second,
		epoch:    epoch{r.SecondsSinceStartOfEpoc, time.Now()},
	}
	return g, usable(p, g, netip.AddrPort{})
}

// check asks for the router's address, which comes with the clock that starts anew when the router has lost its mappings.
func (d pmp) check(ctx context.Context, _ Port, g *grant) error {
	addr, seconds, err := d.outside(ctx)
	if err != nil {
		return err
	}
	if addr != g.external.Addr() {
		return errLost
	}
	return g.epoch.follow(seconds, time.Now())
}

func (d pmp) remove(_ context.Context, p Port, _ netip.AddrPort) error {
	_, err := d.client.AddPortMapping(strings.ToLower(string(p.Protocol)), int(p.Number), 0, 0)
	return err
}
