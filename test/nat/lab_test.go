package nat

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"parley/test/harness"
)

// The internet of the tests. Its addresses are public ones, or the relay would refuse them; they exist in the tests'
// namespaces only, which have no way out.
const (
	serverIP   = "5.0.0.1"
	serverIPv6 = "2a0a::1"
	coturnIP   = "5.0.0.2"
	// nowhere drops packets to other networks without an answer, as the internet does. Without a route, the system would
	// report an error to the sender at once.
	nowhere = "5.0.0.254"
)

// lab is an internet with a server, and two homes behind routers, in network namespaces.
type lab struct {
	t       testing.TB
	id      string
	service *harness.Process // started last
}

// labs counts labs: several exist at the same time.
var labs atomic.Int32

func newLab(t testing.TB) *lab {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can make network namespaces")
	}
	sweep(t)
	l := &lab{t: t, id: fmt.Sprintf("parnat-%d-%d-", os.Getpid(), labs.Add(1))}
	if text, err := exec.Command("ip", "netns", "add", l.id+"try").CombinedOutput(); err != nil {
		t.Skipf("this system makes no network namespaces: %v: %s", err, text)
	}
	l.run("ip", "netns", "delete", l.id+"try")
	l.add("net")
	l.in("net", "ip", "link", "add", "name", "switch", "type", "bridge")
	l.in("net", "ip", "link", "set", "switch", "up")
	l.address("net", "switch", nowhere+"/24")
	l.add("srv")
	l.join("srv", serverIP+"/24", serverIPv6+"/64", coturnIP+"/24")
	return l
}

// sweep removes what a killed test has left.
func sweep(t testing.TB) {
	all, _ := filepath.Glob("/run/netns/parnat-*")
	for _, path := range all {
		var pid int
		if _, err := fmt.Sscanf(filepath.Base(path), "parnat-%d-", &pid); err == nil && syscall.Kill(pid, 0) != nil {
			if text, err := exec.Command("ip", "netns", "delete", filepath.Base(path)).CombinedOutput(); err != nil {
				t.Logf("sweep %s: %v: %s", path, err, text)
			}
		}
	}
}

func (l *lab) run(args ...string) {
	l.t.Helper()
	if text, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		l.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, text)
	}
}

// in runs a command in a namespace.
func (l *lab) in(ns string, args ...string) {
	l.t.Helper()
	l.run(append([]string{"ip", "netns", "exec", l.id + ns}, args...)...)
}

// add makes a namespace.
func (l *lab) add(ns string) {
	l.t.Helper()
	l.run("ip", "netns", "add", l.id+ns)
	l.t.Cleanup(func() { l.run("ip", "netns", "delete", l.id+ns) })
	l.in(ns, "sysctl", "-q", "-w", "net.ipv6.conf.default.accept_dad=0") // addresses are usable at once
	l.in(ns, "ip", "link", "set", "lo", "up")
}

// cable joins two namespaces. Each gets a device with the given name.
func (l *lab) cable(a, devA, b, devB string) {
	l.t.Helper()
	l.run("ip", "-n", l.id+a, "link", "add", devA, "type", "veth", "peer", "name", devB, "netns", l.id+b)
	l.in(a, "ip", "link", "set", devA, "up")
	l.in(b, "ip", "link", "set", devB, "up")
}

func (l *lab) address(ns, dev string, all ...string) {
	l.t.Helper()
	for _, a := range all {
		args := []string{"ip", "address", "add", a, "dev", dev}
		if strings.Contains(a, ":") {
			args = append(args, "nodad") // usable at once
		}
		l.in(ns, args...)
	}
}

// join connects a namespace to the internet, by its device wan.
func (l *lab) join(ns string, addresses ...string) {
	l.t.Helper()
	l.cable(ns, "wan", "net", ns)
	l.in("net", "ip", "link", "set", ns, "master", "switch")
	l.address(ns, "wan", addresses...)
	if len(addresses) > 0 && !strings.Contains(addresses[0], ":") {
		l.in(ns, "ip", "route", "add", "default", "via", nowhere)
	}
}

// rule adds an iptables rule to a router.
func (l *lab) rule(ns, rule string) {
	l.t.Helper()
	l.in(ns, append([]string{"iptables", "-w"}, strings.Fields(rule)...)...)
}

// route has a router pass packets on, from its device lan to its device wan.
func (l *lab) route(ns string) {
	l.t.Helper()
	l.in(ns, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	l.rule(ns, "-P FORWARD DROP")
	l.rule(ns, "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
	// Dropped, not refused: a packet that comes before our own leaves no trace. Otherwise the router would think that
	// the port is taken, and give our packet another.
	l.rule(ns, "-A INPUT -i wan -j DROP")
}

// home is the network of one of the two people: a host behind a router.
type home struct {
	firewall string // of a kind in kinds
	double   bool   // behind a second router, the provider's
	ipv6     bool   // without IPv4
	hidden   bool   // the other side must not learn its address
}

// kinds configure Linux to behave like the routers of RFC 3489. Unless it says otherwise, a router keeps the source port
// of a packet where that port is free. So the mapping is the same for every destination, as with most home routers.
var kinds = map[string]func(l *lab, ns, wan, host string){
	// Any sender reaches the host: all ports are forwarded to it.
	"full cone": func(l *lab, ns, wan, host string) {
		l.snat(ns, wan)
		l.rule(ns, "-t nat -A PREROUTING -i wan -p udp -j DNAT --to-destination "+host)
		l.rule(ns, "-A FORWARD -i wan -p udp -j ACCEPT")
	},
	// The same for senders to whose address the host has sent something; the list "sent" has these.
	"address-restricted": func(l *lab, ns, wan, host string) {
		l.snat(ns, wan)
		l.rule(ns, "-t nat -A PREROUTING -i wan -p udp -j DNAT --to-destination "+host)
		l.rule(ns, "-I FORWARD -i lan -p udp -m recent --name sent --rdest --set")
		l.rule(ns, "-A FORWARD -i wan -p udp -m recent --name sent --rsource --rcheck -j ACCEPT")
	},
	// What Linux does by itself: only the address and port to which the host has sent something gets in.
	"port-restricted": func(l *lab, ns, wan, _ string) { l.snat(ns, wan) },
	// Each destination sees another port, drawn at random.
	"symmetric": func(l *lab, ns, wan, _ string) {
		l.rule(ns, "-t nat -A POSTROUTING -o wan -j MASQUERADE --random-fully")
		l.rule(ns, "-A FORWARD -i lan -j ACCEPT")
	},
	"UDP blocked": func(l *lab, ns, wan, _ string) {
		l.rule(ns, "-A FORWARD -p udp -j DROP")
		l.snat(ns, wan)
	},
	"TCP 443 only": func(l *lab, ns, wan, _ string) {
		l.rule(ns, "-t nat -A POSTROUTING -o wan -j SNAT --to-source "+wan)
		l.rule(ns, "-A FORWARD -i lan -p tcp --dport 443 -j ACCEPT")
	},
}

func (l *lab) snat(ns, wan string) {
	l.t.Helper()
	l.rule(ns, "-t nat -A POSTROUTING -o wan -j SNAT --to-source "+wan)
	l.rule(ns, "-A FORWARD -i lan -j ACCEPT")
}

// settle builds a home, number 0 or 1.
func (l *lab) settle(i int, h home) {
	l.t.Helper()
	host, router, wan, lan := fmt.Sprint("h", i), fmt.Sprint("r", i), fmt.Sprint("5.0.0.1", i), fmt.Sprintf("192.168.%d.", i)
	l.add(router)
	l.add(host)
	l.cable(host, "eth", router, "lan")
	if h.ipv6 {
		l.join(router)
		l.route(router)
		l.addIPv6(i, h)
		return
	}
	if h.double {
		outer := fmt.Sprint("p", i)
		l.add(outer)
		l.join(outer, wan+"/24")
		l.route(outer)
		l.cable(router, "wan", outer, "lan")
		l.address(outer, "lan", "100.64.0.1/24")
		l.address(router, "wan", "100.64.0.2/24")
		l.in(router, "ip", "route", "add", "default", "via", "100.64.0.1")
		kinds[h.firewall](l, outer, wan, "100.64.0.2")
		wan = "100.64.0.2"
	} else {
		l.join(router, wan+"/24")
	}
	l.route(router)
	l.address(router, "lan", lan+"1/24")
	l.address(host, "eth", lan+"2/24")
	l.in(host, "ip", "route", "add", "default", "via", lan+"1")
	kinds[h.firewall](l, router, wan, lan+"2")
}

// addIPv6 gives a home IPv6 addresses, to which the server and the other home know the way. Behind two routers it has them
// too: providers' own NAT is for IPv4.
func (l *lab) addIPv6(i int, h home) {
	l.t.Helper()
	prefix := func(i int) string { return fmt.Sprintf("2a0a:0:%d:", i+1) }
	out := func(i int) string { return fmt.Sprint("2a0a::1", i) }
	host, router, outer, other := fmt.Sprint("h", i), fmt.Sprint("r", i), fmt.Sprint("r", i), 1-i
	if h.double {
		outer = fmt.Sprint("p", i)
		l.address(outer, "lan", "2a0a:0:9::1/64")
		l.address(router, "wan", "2a0a:0:9::2/64")
		l.in(router, "ip", "-6", "route", "add", "default", "via", "2a0a:0:9::1")
		l.in(outer, "ip", "-6", "route", "add", prefix(i)+":/64", "via", "2a0a:0:9::2")
	}
	l.address(outer, "wan", out(i)+"/64")
	l.address(router, "lan", prefix(i)+":1/64", "fe80::1/64")
	l.address(host, "eth", prefix(i)+":2/64")
	l.in(host, "ip", "-6", "route", "add", "default", "via", "fe80::1", "dev", "eth") // as routers announce themselves
	l.in(outer, "ip", "-6", "route", "add", prefix(other)+":/64", "via", out(other))
	l.in("srv", "ip", "-6", "route", "add", prefix(i)+":/64", "via", out(i))
}

// start starts a program in a namespace.
func (l *lab) start(ns string, env []string, args ...string) *harness.Process {
	l.t.Helper()
	return harness.Launch(l.t, env, "ip", append([]string{"netns", "exec", l.id + ns}, args...)...)
}

// bot starts a bot at one of the homes.
func (l *lab) bot(i int, name string, env []string, args ...string) *harness.Process {
	l.t.Helper()
	stats := l.t.TempDir() + "/" + name + ".stats"
	p := l.start(fmt.Sprint("h", i), env, append([]string{
		"build/parley", "bot", "--name", name, "--stats", stats, "--camera", "test",
		"--mic", harness.Material(l.t, "voice1.wav"), "--speaker", "off",
	}, args...)...)
	p.Name, p.Stats = name, stats
	return p
}
