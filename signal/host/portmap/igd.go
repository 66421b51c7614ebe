package portmap

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/huin/goupnp"
	"github.com/huin/goupnp/dcps/internetgateway2"
	"github.com/huin/goupnp/httpu"
	"github.com/huin/goupnp/soap"
	"github.com/huin/goupnp/ssdp"
)

const (
	searchTime  = 2 * time.Second
	webPatience = 3 * time.Second // for one request
	maxAnswer   = 256 << 10       // bytes
	maxDevices  = 4               // descriptions that are read, and services that are asked
	portTries   = 3
	description = "Parley" // as the router's own pages list the mapping
)

// Error codes of UPnP-IGD (WANIPConnection, section 2.5).
const (
	noSuchEntry       = 714
	conflictInMapping = 718
	samePortRequired  = 724
	onlyPermanent     = 725
)

var (
	errForeign = errors.New("the router's description leads to another machine")
	errBroken  = errors.New("the router says that it mapped the port, and does not list the mapping")
)

// connection is what the services WANIPConnection 1 and 2 and WANPPPConnection have in common.
type connection interface {
	AddPortMappingCtx(ctx context.Context, remote string, external uint16, protocol string, internal uint16, client string, enabled bool, description string, seconds uint32) error
	GetSpecificPortMappingEntryCtx(ctx context.Context, remote string, external uint16, protocol string) (internal uint16, client string, enabled bool, description string, seconds uint32, err error)
	DeletePortMappingCtx(ctx context.Context, remote string, external uint16, protocol string) error
	GetExternalIPAddressCtx(ctx context.Context) (string, error)
	GetServiceClient() *goupnp.ServiceClient
}

// igd is a router that is asked by UPnP.
type igd struct {
	connection
	own netip.Addr
}

func (igd) String() string { return "UPnP" }

// outside is the router's address on the internet, as the router says.
func (d igd) outside(ctx context.Context) (netip.Addr, error) {
	text, err := d.GetExternalIPAddressCtx(ctx)
	if err != nil {
		return netip.Addr{}, err
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, errOutside
	}
	return addr, onInternet(addr)
}

func (d igd) add(ctx context.Context, p Port, wanted netip.AddrPort) (grant, error) {
	addr, err := d.outside(ctx)
	if err != nil {
		return grant{}, err
	}
	external := wanted.Port()
	seconds := uint32(lease / time.Second)
	for range portTries {
		err = d.AddPortMappingCtx(ctx, "", external, string(p.Protocol), p.Number, d.own.String(), true, description, seconds)
		if err == nil {
			g := grant{external: netip.AddrPortFrom(addr, external), lifetime: lease}
			if err = d.verify(ctx, p, external); err != nil {
				_ = d.remove(ctx, p, g.external) // it may have mapped something all the same
			}
			return g, err
		}
		switch fault(err) {
		case onlyPermanent:
			seconds = 0 // it ends when we delete it
		case conflictInMapping, samePortRequired:
			external = uint16(20_000 + rand.IntN(40_000)) // another machine has that one
		default:
			return grant{}, err
		}
	}
	return grant{}, err
}

// check reads whether the router still has the mapping, and its address.
func (d igd) check(ctx context.Context, p Port, g *grant) error {
	addr, err := d.outside(ctx)
	if err == nil {
		err = d.verify(ctx, p, g.external.Port())
	}
	if errors.Is(err, errBroken) || err == nil && addr != g.external.Addr() {
		return errLost
	}
	return err
}

// verify reads in the router's list whether it has kept its word. A router that refuses to show it is believed.
func (d igd) verify(ctx context.Context, p Port, external uint16) error {
	internal, client, enabled, _, _, err := d.GetSpecificPortMappingEntryCtx(ctx, "", external, string(p.Protocol))
	switch code := fault(err); {
	case code == noSuchEntry:
		return errBroken
	case code != 0:
		return nil
	case err != nil:
		return err
	}
	if to, err := netip.ParseAddr(client); err != nil || to.Unmap() != d.own || internal != p.Number || !enabled {
		return errBroken
	}
	return nil
}

// fault is the error code by which a router refused, 0 if there is none.
func fault(err error) int {
	if f := (*soap.SOAPFaultError)(nil); errors.As(err, &f) {
		return f.Detail.UPnPError.Errorcode
	}
	return 0
}

func (d igd) remove(ctx context.Context, p Port, external netip.AddrPort) error {
	return d.DeletePortMappingCtx(ctx, "", external.Port(), string(p.Protocol))
}

// findIGD searches the network for a router's UPnP. Whatever answers, only the router itself is asked.
func findIGD(ctx context.Context, router, own netip.Addr) ([]device, error) {
	client, err := httpu.NewHTTPUClientAddr(own.String())
	if err != nil {
		return nil, fmt.Errorf("search for UPnP: %w", err)
	}
	defer client.Close()
	var all []error
	for _, version := range []string{"1", "2"} {
		places, err := search(ctx, client, "urn:schemas-upnp-org:device:InternetGatewayDevice:"+version, router)
		if err != nil {
			return nil, fmt.Errorf("search for UPnP: %w", err)
		}
		for _, place := range places {
			devices, err := describe(ctx, place, router, own)
			if err == nil {
				return devices, nil
			}
			all = append(all, err)
		}
	}
	if len(all) == 0 {
		all = append(all, errors.New("UPnP: the router does not answer"))
	}
	return nil, errors.Join(all...)
}

func search(ctx context.Context, client *httpu.HTTPUClient, target string, router netip.Addr) ([]*url.URL, error) {
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	answers, err := ssdp.SSDPRawSearchCtx(ctx, client, target, int(searchTime/time.Second), 2)
	if err != nil {
		return nil, err
	}
	var places []*url.URL
	for _, a := range answers {
		if place, err := a.Location(); err == nil && isAt(place, router) && len(places) < maxDevices {
			places = append(places, place)
		}
	}
	return places, nil
}

// isAt reports whether a URL leads to the router by plain HTTP, as all of UPnP-IGD does.
func isAt(u *url.URL, router netip.Addr) bool {
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.Unmap() == router && u.Scheme == "http" && u.User == nil
}

// describe reads a router's description, and returns the services by which it maps ports.
func describe(ctx context.Context, place *url.URL, router, own netip.Addr) ([]device, error) {
	client := newWeb(router)
	root, err := fetch(ctx, client, place)
	if err != nil {
		return nil, fmt.Errorf("UPnP: read the router's description: %w", err)
	}
	var found []connection
	if list, err := internetgateway2.NewWANIPConnection2ClientsFromRootDevice(root, place); err == nil {
		found = appendAll(found, list)
	}
	if list, err := internetgateway2.NewWANIPConnection1ClientsFromRootDevice(root, place); err == nil {
		found = appendAll(found, list)
	}
	if list, err := internetgateway2.NewWANPPPConnection1ClientsFromRootDevice(root, place); err == nil {
		found = appendAll(found, list)
	}
	if len(found) == 0 {
		return nil, errors.New("UPnP: the router maps no ports")
	}
	var devices []device
	for _, c := range found[:min(len(found), maxDevices)] {
		service := c.GetServiceClient().SOAPClient
		if !isAt(&service.EndpointURL, router) {
			return nil, errForeign
		}
		service.HTTPClient = *client
		devices = append(devices, igd{c, own})
	}
	return devices, nil
}

func appendAll[C connection](all []connection, list []C) []connection {
	for _, c := range list {
		all = append(all, c)
	}
	return all
}

func fetch(ctx context.Context, client *http.Client, place *url.URL) (*goupnp.RootDevice, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, place.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %d", resp.StatusCode)
	}
	d := xml.NewDecoder(resp.Body)
	d.DefaultSpace = goupnp.DeviceXMLNamespace
	root := new(goupnp.RootDevice)
	if err := d.Decode(root); err != nil {
		return nil, err
	}
	base := place
	if root.URLBaseStr != "" {
		if base, err = url.Parse(root.URLBaseStr); err != nil {
			return nil, errForeign
		}
	}
	root.SetURLBase(base)
	return root, nil
}

// newWeb makes a client that connects to the router alone, follows no redirect, and reads answers only so long and so
// far.
func newWeb(router netip.Addr) *http.Client {
	return &http.Client{
		Timeout:       webPatience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errForeign },
		Transport: bounded{&http.Transport{
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
			DialContext: func(ctx context.Context, network, where string) (net.Conn, error) {
				if to, err := netip.ParseAddrPort(where); err != nil || to.Addr().Unmap() != router {
					return nil, errForeign
				}
				var d net.Dialer
				return d.DialContext(ctx, network, where)
			},
		}},
	}
}

// bounded ends answers that are too long.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}
