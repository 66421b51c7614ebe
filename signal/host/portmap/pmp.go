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

// pmp is a router that is asked by NAT-PMP. Routers that speak its successor PCP answer it on the same port
// (RFC 6887, appendix A).
type pmp struct{ client *natpmp.Client }

func newPMP(router, own netip.Addr) device {
	return pmp{natpmp.NewClientWithLocalAndTimeout(router.AsSlice(), own.AsSlice(), pmpPatience)}
}

func (pmp) String() string { return "NAT-PMP" }

func (d pmp) external(ctx context.Context) (netip.Addr, error) {
	if err := ctx.Err(); err != nil {
		return netip.Addr{}, err
	}
	r, err := d.client.GetExternalAddress()
	if err != nil {
		return netip.Addr{}, err
	}
	return netip.AddrFrom4(r.ExternalIPAddress), nil
}

func (d pmp) add(ctx context.Context, p Protocol, port, wanted uint16) (uint16, time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	r, err := d.client.AddPortMapping(strings.ToLower(string(p)), int(port), int(wanted), int(lease/time.Second))
	if err != nil {
		return 0, 0, err
	}
	if r.InternalPort != port {
		return 0, 0, errPort
	}
	return r.MappedExternalPort, time.Duration(r.PortMappingLifetimeInSeconds) * time.Second, nil
}

func (d pmp) remove(_ context.Context, p Protocol, port, _ uint16) error {
	_, err := d.client.AddPortMapping(strings.ToLower(string(p)), int(port), 0, 0)
	return err
}
