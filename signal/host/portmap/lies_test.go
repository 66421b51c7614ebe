package portmap

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/signal/host/pmptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	loopback = netip.MustParseAddr("127.0.0.1")
	web      = Port{Protocol: TCP, Number: 8443}
)

// router is a UPnP router of a test.
type router struct {
	*httptest.Server
	describe http.HandlerFunc // instead of an honest description
	outside  string           // what it says its address is
	refuse   int              // the UPnP error code of AddPortMapping; 0: none
	timeless bool             // mappings without end alone
	list     string           // what it lists as the mapping; empty: what it was asked for
	hang     bool             // it never answers a question

	mu   sync.Mutex
	said []string // what it was asked to add or delete
}

func newRouter(t *testing.T) *router {
	r := &router{outside: "5.0.0.10"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /root.xml", func(w http.ResponseWriter, req *http.Request) {
		if r.describe != nil {
			r.describe(w, req)
			return
		}
		fmt.Fprint(w, described("/control"))
	})
	mux.HandleFunc("POST /control", r.control)
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

// described is a router's description, with the URL by which it is asked.
func described(control string) string {
	return `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><device><deviceList><device><serviceList><service>
<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>` + control + `</controlURL>
</service></serviceList></device></deviceList></device></root>`
}

func (r *router) control(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body) // before anything else, or the server would not notice that the client has gone
	if r.hang {
		<-req.Context().Done()
		return
	}
	_, action, _ := strings.Cut(strings.Trim(req.Header.Get("SOAPACTION"), `"`), "#")
	r.mu.Lock()
	defer r.mu.Unlock()
	inner := ""
	switch action {
	case "GetExternalIPAddress":
		inner = "<NewExternalIPAddress>" + r.outside + "</NewExternalIPAddress>"
	case "GetSpecificPortMappingEntry":
		if inner = r.list; inner == "" {
			inner = listed("8443", "127.0.0.1", "1")
		}
	case "AddPortMapping", "DeletePortMapping":
		r.said = append(r.said, action+" "+field(string(body), "NewExternalPort"))
		refuse := r.refuse
		if r.timeless && field(string(body), "NewLeaseDuration") != "0" {
			refuse = onlyPermanent
		}
		if refuse != 0 && action == "AddPortMapping" {
			inner = strconv.Itoa(refuse)
		}
	}
	if code, err := strconv.Atoi(inner); err == nil {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><detail><UPnPError><errorCode>%d</errorCode></UPnPError></detail></s:Fault></s:Body></s:Envelope>`, code)
		return
	}
	fmt.Fprintf(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:%[1]sResponse xmlns:u="urn:schemas-upnp-org:service:WANIPConnection:1">%[2]s</u:%[1]sResponse></s:Body></s:Envelope>`, action, inner)
}

// listed is an entry of a router's list of mappings.
func listed(port, client, enabled string) string {
	return "<NewInternalPort>" + port + "</NewInternalPort><NewInternalClient>" + client + "</NewInternalClient><NewEnabled>" + enabled +
		"</NewEnabled><NewPortMappingDescription>Parley</NewPortMappingDescription><NewLeaseDuration>1200</NewLeaseDuration>"
}

// field is the text of an element of a request.
func field(body, name string) string {
	_, text, _ := strings.Cut(body, "<"+name+">")
	text, _, _ = strings.Cut(text, "<")
	return text
}

// mapper asks this router, and nobody else.
func (r *router) mapper() *Mapper {
	place, _ := url.Parse(r.URL + "/root.xml")
	return &Mapper{
		Log:     slog.New(slog.DiscardHandler),
		Gateway: func(bool) (netip.Addr, netip.Addr, error) { return loopback, loopback, nil }, // where nobody speaks NAT-PMP
		find: func(ctx context.Context, router, own netip.Addr) ([]device, error) {
			return describe(ctx, place, router, own)
		},
	}
}

func TestUPnP(t *testing.T) {
	r := newRouter(t)
	m := r.mapper()
	ctx, cancel := context.WithCancel(t.Context())
	var got netip.AddrPort
	m.Keep(ctx, web, func(a netip.AddrPort) { got = a; cancel() })
	if got.String() != "5.0.0.10:8443" {
		t.Errorf("mapped to %s", got)
	}
	if said := strings.Join(r.said, ", "); said != "AddPortMapping 8443, DeletePortMapping 8443" {
		t.Errorf("the router was asked to %s", said)
	}
}

// TestUPnPPortTaken: where another machine has the port, another one is asked for, and not for ever.
func TestUPnPPortTaken(t *testing.T) {
	r := newRouter(t)
	r.refuse = conflictInMapping
	if _, err := r.mapper().renew(t.Context(), web, nil); err == nil || len(r.said) != portTries || r.said[0] == r.said[1] {
		t.Errorf("asked %q: %v", r.said, err)
	}
}

// TestUPnPWithoutEnd: a router that knows no leases gets a mapping without end, which is deleted like any other.
func TestUPnPWithoutEnd(t *testing.T) {
	r := newRouter(t)
	r.timeless = true
	ctx, cancel := context.WithCancel(t.Context())
	var got netip.AddrPort
	r.mapper().Keep(ctx, web, func(a netip.AddrPort) { got = a; cancel() })
	if said := strings.Join(r.said, ", "); got.String() != "5.0.0.10:8443" || said != "AddPortMapping 8443, AddPortMapping 8443, DeletePortMapping 8443" {
		t.Errorf("mapped to %s; the router was asked to %s", got, said)
	}
}

// TestUPnPKeepsItsWord: where the router's list of mappings can be read, what it says is checked there. What was not kept
// is deleted.
func TestUPnPKeepsItsWord(t *testing.T) {
	for name, c := range map[string]struct {
		list string
		kept bool
	}{
		"listed":          {"", true},
		"not readable":    {"606", true},
		"not listed":      {"714", false},
		"another port":    {listed("8444", "127.0.0.1", "1"), false},
		"another machine": {listed("8443", "192.168.0.9", "1"), false},
		"no machine":      {listed("8443", "", "1"), false},
		"switched off":    {listed("8443", "127.0.0.1", "0"), false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRouter(t)
			r.list = c.list
			found, err := r.mapper().renew(t.Context(), web, nil)
			if (err == nil) != c.kept || (found != nil) != c.kept {
				t.Errorf("%+v, %v", found, err)
			}
			if deleted := r.said[len(r.said)-1] == "DeletePortMapping 8443"; deleted == c.kept {
				t.Errorf("the router was asked to %q", r.said)
			}
		})
	}
}

// TestLies: whatever a router says, it is over within seconds, and nobody is told that the link works from anywhere.
func TestLies(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("another address than the router's was asked")
	}))
	defer elsewhere.Close()
	foreign := strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1)
	text := func(s string) func(*router) {
		return func(r *router) {
			r.describe = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) }
		}
	}
	address := func(a string) func(*router) { return func(r *router) { r.outside = a } }
	for name, lie := range map[string]func(*router){
		"a private address":       address("192.168.7.7"),
		"a provider's NAT":        address("100.64.3.4"),
		"loopback":                address("127.0.0.1"),
		"link-local":              address("169.254.169.254"),
		"documentation":           address("203.0.113.7"),
		"multicast":               address("224.0.0.1"),
		"no address":              address("0.0.0.0"),
		"IPv6":                    address("2a0a::1"),
		"words for an address":    address("your router"),
		"nothing for an address":  address(""),
		"an address without end":  address(strings.Repeat("5", 10<<20)),
		"refuses":                 func(r *router) { r.refuse = 606 },
		"refuses without an end":  func(r *router) { r.refuse = onlyPermanent },
		"a mapping of another":    func(r *router) { r.list = listed("8443", "192.168.7.7", "1") },
		"a list without end":      func(r *router) { r.list = listed(strings.Repeat("8", 10<<20), "127.0.0.1", "1") },
		"never answers":           func(r *router) { r.hang = true },
		"no XML":                  text("hello"),
		"an empty description":    text(""),
		"no service":              text(`<root xmlns="urn:schemas-upnp-org:device-1-0"><device/></root>`),
		"deep XML":                text(strings.Repeat("<device>", 1_000_000)),
		"entities":                text(`<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>` + described("&b;")),
		"a foreign control URL":   text(described(foreign + "/control")),
		"another scheme":          text(described("https://127.0.0.1/control")),
		"a foreign base":          text(strings.Replace(described("/control"), "<device>", "<URLBase>"+foreign+"</URLBase><device>", 1)),
		"a base that is none":     text(strings.Replace(described("/control"), "<device>", "<URLBase>:%</URLBase><device>", 1)),
		"a password in the URL":   text(described("http://a:b@127.0.0.1/control")),
		"a description too large": text(strings.Replace(described("/control"), "<device>", strings.Repeat("<x></x>", 1_000_000)+"<device>", 1)),
		"a redirect": func(r *router) {
			r.describe = func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, foreign, http.StatusFound) }
		},
		"a redirect to itself": func(r *router) {
			r.describe = func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, "/root.xml", http.StatusFound) }
		},
		"endless headers": func(r *router) {
			r.describe = func(w http.ResponseWriter, _ *http.Request) {
				for i := range 10_000 {
					w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 100))
				}
				fmt.Fprint(w, described("/control"))
			}
		},
		"a byte now and then": func(r *router) {
			r.describe = func(w http.ResponseWriter, req *http.Request) {
				for req.Context().Err() == nil {
					fmt.Fprint(w, " ")
					w.(http.Flusher).Flush()
					sleep(req.Context(), 100*time.Millisecond)
				}
			}
		},
		"nothing at all": func(r *router) {
			r.describe = func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRouter(t)
			lie(r)
			ctx, cancel := context.WithTimeout(t.Context(), 2*roundLimit)
			defer cancel()
			found, err := r.mapper().renew(ctx, web, nil)
			if err == nil || ctx.Err() != nil {
				t.Errorf("believed: %+v, %v", found, ctx.Err())
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

// TestNATPMPLies: the same over NAT-PMP.
func TestNATPMPLies(t *testing.T) {
	for i, c := range []struct {
		name   string
		answer func(q []byte) []byte
	}{
		{"a private address", pmpAnswers(netip.MustParseAddr("10.0.0.1"), 8443, 60)},
		{"port 0", pmpAnswers(netip.MustParseAddr("5.0.0.10"), 0, 60)},
		{"no time", pmpAnswers(netip.MustParseAddr("5.0.0.10"), 8443, 0)},
		{"silence", func([]byte) []byte { return nil }},
		{"a short answer", func([]byte) []byte { return []byte{0, 128, 0} }},
		{"PCP", func([]byte) []byte { return []byte{2, 128, 0, 1, 0, 0, 0, 0} }},
		{"rubbish", func([]byte) []byte { return []byte(strings.Repeat("x", 2000)) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := netip.AddrFrom4([4]byte{127, 77, 0, byte(i + 1)})
			pmptest.Serve(t, at, c.answer)
			if found, err := pmpMapper(at).renew(t.Context(), web, nil); err == nil {
				t.Errorf("believed: %+v", found)
			}
		})
	}
}

// TestNATPMP maps, renews before the lease ends, notices that the router has gone, and gives back.
func TestNATPMP(t *testing.T) {
	at := netip.MustParseAddr("127.77.1.1")
	var mu sync.Mutex
	var lifetimes []uint32
	silent := false
	honest := pmpAnswers(netip.MustParseAddr("5.0.0.10"), 4711, 1)
	pmptest.Serve(t, at, func(q []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		if silent {
			return []byte{0, q[1] | 128, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0} // network failure
		}
		if len(q) == 12 {
			lifetimes = append(lifetimes, binary.BigEndian.Uint32(q[8:]))
			silent = len(lifetimes) == 2
		}
		return honest(q)
	})
	m := pmpMapper(at)
	m.margin, m.retry = 900*time.Millisecond, 10*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	m.Keep(ctx, web, func(a netip.AddrPort) {
		got = append(got, a.String())
		mu.Lock()
		silent = false
		mu.Unlock()
		if len(got) == 3 {
			cancel()
		}
	})
	if s := strings.Join(got, ", "); s != "5.0.0.10:4711, invalid AddrPort, 5.0.0.10:4711" {
		t.Errorf("the address was %s", s)
	}
	mu.Lock()
	defer mu.Unlock()
	want := uint32(lease / time.Second)
	if len(lifetimes) != 4 || lifetimes[0] != want || lifetimes[1] != want || lifetimes[2] != want || lifetimes[3] != 0 {
		t.Errorf("asked for %d s", lifetimes)
	}
}

// TestNoRouter: a machine that is on the internet itself asks nobody.
func TestNoRouter(t *testing.T) {
	m := pmpMapper(netip.MustParseAddr("5.0.0.1"))
	if _, err := m.renew(t.Context(), web, nil); !errors.Is(err, errNoRouter) {
		t.Error(err)
	}
}

func pmpMapper(at netip.Addr) *Mapper {
	return &Mapper{
		Log:     slog.New(slog.DiscardHandler),
		Gateway: func(bool) (netip.Addr, netip.Addr, error) { return at, loopback, nil },
		find:    func(context.Context, netip.Addr, netip.Addr) ([]device, error) { return nil, nil },
	}
}

func pmpAnswers(outside netip.Addr, port uint16, seconds uint32) func(q []byte) []byte {
	return func(q []byte) []byte {
		a := []byte{0, q[1] | 128, 0, 0, 0, 0, 0, 0}
		if len(q) < 12 {
			return append(a, outside.AsSlice()...)
		}
		a = append(a, q[4], q[5])
		a = binary.BigEndian.AppendUint16(a, port)
		return binary.BigEndian.AppendUint32(a, seconds)
	}
}
