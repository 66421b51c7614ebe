package nat

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"parley/media/call"
	"parley/test/harness"
)

// tables are the chains that miniupnpd fills. The rest of the router is iptables', whose rules come first. Over IPv6
// nobody comes in from the internet, except where miniupnpd has opened the firewall.
const tables = `table inet filter {
	chain miniupnpd {}
	chain forward { type filter hook forward priority 0; meta nfproto ipv6 iifname "wan" jump guard; }
	chain guard {
		ct state established,related accept
		jump miniupnpd
		drop
	}
	chain prerouting_miniupnpd {}
	chain postrouting_miniupnpd {}
	chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
	chain postrouting { type nat hook postrouting priority 110; jump postrouting_miniupnpd; }
}
`

// noPCP is a router that is older than PCP: it does not answer what it does not know.
const noPCP = `table inet old {
	chain input { type filter hook input priority -10; udp dport 5351 @th,64,8 2 drop; }
}
`

// upnp has the router of home 0 map ports on demand, by UPnP, by NAT-PMP alone, or by PCP. What it returns
// restarts the router: it has forgotten all mappings then.
func (l *lab) upnp(speaks string) (restart func()) {
	l.t.Helper()
	dir := l.t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			l.t.Fatal(err)
		}
		return file
	}
	yes := func(is bool) string { return map[bool]string{true: "yes", false: "no"}[is] }
	conf := write("conf", fmt.Sprintf("ext_ifname=wan\nlistening_ip=lan\nenable_upnp=%s\nenable_natpmp=%s\nsecure_mode=yes\nuuid=90fdb6e2-d2e7-4f89-aee1-08eea837b310\n",
		yes(speaks == "UPnP"), yes(speaks != "UPnP")))
	l.in("r0", "nft", "-f", write("tables", tables))
	if speaks == "NAT-PMP" {
		l.in("r0", "nft", "-f", write("old", noPCP))
	}
	l.rule("r0", "-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT")
	l.rule("r0", "-I INPUT -i lan -j ACCEPT")
	p := l.daemon(conf)
	return func() {
		l.t.Helper()
		if err := p.Cmd.Process.Kill(); err != nil {
			l.t.Fatal(err)
		}
		<-p.Done
		for _, chain := range []string{"miniupnpd", "prerouting_miniupnpd", "postrouting_miniupnpd"} {
			l.in("r0", "nft", "flush", "chain", "inet", "filter", chain)
		}
		p = l.daemon(conf)
	}
}

// daemon starts miniupnpd on the router of home 0.
func (l *lab) daemon(conf string) *harness.Process {
	l.t.Helper()
	p := l.start("r0", nil, "miniupnpd", "-d", "-f", conf, "-P", conf+".pid")
	harness.AwaitTrue(l.t, "miniupnpd listens", func() bool {
		select {
		case <-p.Done:
			l.t.Fatalf("miniupnpd ended: %v\n%s", p.Err, p.Output()+p.Errors())
		default:
		}
		text, err := exec.Command("ip", "netns", "exec", l.id+"r0", "ss", "-Hlun", "sport = :1900 or sport = :5351").Output()
		return err == nil && len(text) > 0
	}, func() string { return p.Output() + p.Errors() })
	return p
}

// mappings are the ports that the router of home 0 leads to its network.
func (l *lab) mappings() string { l.t.Helper(); return l.chain("prerouting_miniupnpd", "dnat") }

// pinholes are the ports for which it has opened its firewall.
func (l *lab) pinholes() string { l.t.Helper(); return l.chain("miniupnpd", "accept") }

// chain has the lines of a chain of home 0's router that contain a word.
func (l *lab) chain(name, word string) string {
	l.t.Helper()
	text, err := exec.Command("ip", "netns", "exec", l.id+"r0", "nft", "list", "chain", "inet", "filter", name).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%v: %s", err, text)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, word) {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return strings.Join(all, "\n")
}

// host has a bot at home 0 host a meeting, and returns the link with the router's address.
func (l *lab) host() (ada *harness.Process, link string) {
	l.t.Helper()
	return l.hostAt("5.0.0.10:")
}

// hostAt does the same, with another address that the link is to have.
func (l *lab) hostAt(at string) (ada *harness.Process, link string) {
	l.t.Helper()
	ada = l.bot(0, "Ada", []string{"PARLEY_LOG=info"}, "--new")
	harness.AwaitTrue(l.t, "the link has the router's address", func() bool {
		for line := range strings.Lines(ada.Output()) {
			if strings.Contains(line, "at="+at) {
				link = strings.TrimSpace(line)
			}
		}
		return link != ""
	}, func() string { return ada.Output() + ada.Errors() })
	return ada, link
}

// TestE2ENatHosted hosts a meeting at home 0, without a server, and has a guest come from home 1. When the meeting is over,
// the router leads nothing in any more.
func TestE2ENatHosted(t *testing.T) {
	harness.EndToEnd(t)
	row("routers", "path", "why", "first picture", "pictures a second")
	for _, c := range []struct {
		name, speaks string
		homes        [2]home
		path         string
	}{
		{"UPnP", "UPnP", both("port-restricted"), direct},
		{"NAT-PMP", "NAT-PMP", both("port-restricted"), direct},
		{"PCP", "PCP", both("port-restricted"), direct},
		{"symmetric guest", "UPnP", [2]home{{firewall: "port-restricted"}, {firewall: "symmetric"}}, overUDP},
		{"symmetric host", "UPnP", [2]home{{firewall: "symmetric"}, {firewall: "port-restricted"}}, overUDP},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			for i, h := range c.homes {
				l.settle(i, h)
			}
			l.upnp(c.speaks)
			ada, link := l.host()
			ben := l.bot(1, "Ben", nil, link)
			for _, p := range []*harness.Process{ada, ben} {
				p.Await("takes the path: "+c.path, func(l call.Line) bool { return harness.Meets(1)(l) && takes(l, c.path) })
			}
			report("hosted at home: "+c.name, ada, ben)
			if n := strings.Count(l.mappings(), "dnat"); n != 2 {
				t.Errorf("in mid-call the router has\n%s", l.mappings())
			}
			if !strings.Contains(ada.Errors(), "by="+c.speaks) {
				t.Errorf("the router was asked by another protocol:\n%s", ada.Errors())
			}
			for _, p := range []*harness.Process{ben, ada} {
				if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				<-p.Done
			}
			if left := l.mappings(); left != "" {
				t.Errorf("after the meeting, the router still has\n%s", left)
			}
		})
	}
}

// TestE2ENatHostedRestart: a router that restarts in mid-meeting has forgotten the ports. They are mapped again within two
// minutes, by each protocol, and the link works as before.
func TestE2ENatHostedRestart(t *testing.T) {
	harness.EndToEnd(t)
	for _, speaks := range []string{"PCP", "NAT-PMP", "UPnP"} {
		t.Run(speaks, func(t *testing.T) {
			t.Parallel() // nearly all of it is waiting
			l := newLab(t)
			for i, h := range both("port-restricted") {
				l.settle(i, h)
			}
			restart := l.upnp(speaks)
			ada, link := l.host()
			// Just after its start, a router's clock does not tell one start from the next.
			ada.Await("has hosted for 15 s", func(l call.Line) bool { return l.TMillis > 15_000 })
			restart()
			if left := l.mappings(); left != "" {
				t.Fatalf("the router has restarted with\n%s", left)
			}
			harness.AwaitTrue(t, "the ports are mapped again", func() bool { return strings.Count(l.mappings(), "dnat") == 2 }, ada.Errors)
			ben := l.bot(1, "Ben", nil, link)
			for _, p := range []*harness.Process{ada, ben} {
				p.Await("sees and hears the other", harness.Meets(1))
			}
		})
	}
}

// TestE2ENatHostedIPv6 hosts a meeting at a home behind two NATs, where no port can be mapped. Its router has a firewall for
// IPv6, and opens it for the service. So a guest with IPv6 alone gets in, and their packets meet at the two firewalls.
func TestE2ENatHostedIPv6(t *testing.T) {
	harness.EndToEnd(t)
	l := newLab(t)
	behindTwo := home{firewall: "port-restricted", double: true}
	l.settle(0, behindTwo)
	l.settle(1, home{ipv6: true})
	l.addIPv6(0, behindTwo)
	l.upnp("PCP")
	ada, link := l.hostAt("[2a0a:0:1::2]:")
	harness.AwaitTrue(t, "the firewall is open", func() bool { return l.pinholes() != "" }, ada.Errors)
	ben := l.bot(1, "Ben", nil, link)
	for _, p := range []*harness.Process{ada, ben} {
		p.Await("sees and hears the other", func(l call.Line) bool { return harness.Meets(1)(l) && takes(l, direct) })
	}
	report("hosted at home: IPv6", ada, ben)
	for _, p := range []*harness.Process{ben, ada} {
		if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-p.Done
	}
	if left := l.pinholes(); left != "" {
		t.Errorf("after the meeting, the router still has\n%s", left)
	}
}

// TestE2ENatHostedBothSides has one guest come from the network at home and one from the internet. All three see each other:
// the two guests meet on the relay of the app that hosts the meeting.
func TestE2ENatHostedBothSides(t *testing.T) {
	harness.EndToEnd(t)
	l := newLab(t)
	for i, h := range both("port-restricted") {
		l.settle(i, h)
	}
	l.add("h2") // another machine behind the same router
	l.cable("h2", "eth", "r0", "lan2")
	l.address("r0", "lan2", "192.168.2.1/24")
	l.address("h2", "eth", "192.168.2.2/24")
	l.in("h2", "ip", "route", "add", "default", "via", "192.168.2.1")
	l.rule("r0", "-A FORWARD -i lan2 -j ACCEPT")
	l.upnp("UPnP")
	ada, link := l.host()
	ben, cleo := l.bot(1, "Ben", nil, link), l.bot(2, "Cleo", nil, link)
	for _, p := range []*harness.Process{ada, ben, cleo} {
		p.Await("sees and hears both others", harness.Meets(2))
	}
	paths := map[string]string{}
	for _, p := range cleo.Last().Peers {
		paths[p.Name] = p.Path
	}
	if paths["Ada"] == "relay" || paths["Ben"] != "relay" {
		t.Errorf("the guest at home takes the paths %v", paths)
	}
}

// TestE2ENatHostedWithoutUDP: a guest whose network lets no UDP out gets as far as the meeting, and learns what is wrong.
func TestE2ENatHostedWithoutUDP(t *testing.T) {
	harness.EndToEnd(t)
	t.Parallel() // nearly all of it is waiting
	l := newLab(t)
	l.settle(0, home{firewall: "port-restricted"})
	l.settle(1, home{firewall: "UDP blocked"})
	l.upnp("UPnP")
	_, link := l.host()
	ben := l.bot(1, "Ben", nil, link)
	ben.Await("says without-udp", func(l call.Line) bool { return len(l.Peers) == 1 && l.Peers[0].Problem == "without-udp" })
}

// TestE2ENatHostedAtHome hosts a meeting where no link can work from the internet. It says so in the log, and its link names
// this network alone.
func TestE2ENatHostedAtHome(t *testing.T) {
	harness.EndToEnd(t)
	for _, c := range []struct {
		name   string
		home   home
		upnp   string
		reason string
	}{
		{"the router maps nothing", home{firewall: "port-restricted"}, "", "the router does not answer"},
		{"double NAT, UPnP", home{firewall: "port-restricted", double: true}, "UPnP", "not on the internet"},
		{"double NAT, NAT-PMP", home{firewall: "port-restricted", double: true}, "NAT-PMP", "no DHCP lease or external IP"},
		{"switched off", home{firewall: "port-restricted"}, "UPnP", ""},
		{"address hidden", home{firewall: "port-restricted", hidden: true}, "UPnP", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // nearly all of it is waiting
			l := newLab(t)
			l.settle(0, c.home)
			if c.upnp != "" {
				l.upnp(c.upnp)
			}
			flags := []string{"--new"}
			if c.home.hidden {
				flags = append(flags, "--relay-only")
			} else if c.reason == "" {
				flags = append(flags, "--local")
			}
			ada := l.bot(0, "Ada", []string{"PARLEY_LOG=info"}, flags...)
			link := ada.Link()
			if c.reason != "" {
				harness.AwaitTrue(t, "says that the router lets nobody in", func() bool {
					return strings.Contains(ada.Errors(), "the router lets nobody in") && strings.Contains(ada.Errors(), c.reason)
				}, ada.Errors)
			} else {
				ada.Await("has hosted for 5 s", func(l call.Line) bool { return l.Phase == "live" && l.TMillis > 5000 })
			}
			if link != strings.TrimSpace(ada.Output()) || strings.Contains(link, "5.0.0.10") || strings.Contains(link, "100.64.") {
				t.Errorf("the links are\n%s", ada.Output())
			}
			if c.upnp != "" && l.mappings() != "" {
				t.Errorf("the router has\n%s", l.mappings())
			}
		})
	}
}
