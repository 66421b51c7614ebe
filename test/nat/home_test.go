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

// tables are the chains that miniupnpd fills. The rest of the router is iptables', whose rules come first.
const tables = `table inet filter {
	chain miniupnpd {}
	chain prerouting_miniupnpd {}
	chain postrouting_miniupnpd {}
	chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
	chain postrouting { type nat hook postrouting priority 110; jump postrouting_miniupnpd; }
}
`

// upnp has the router of home 0 map ports on demand, by UPnP or by NAT-PMP.
func (l *lab) upnp(speaks string) {
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
		yes(speaks == "UPnP"), yes(speaks == "NAT-PMP")))
	l.in("r0", "nft", "-f", write("tables", tables))
	l.rule("r0", "-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT")
	l.rule("r0", "-I INPUT -i lan -j ACCEPT")
	p := l.start("r0", nil, "miniupnpd", "-d", "-f", conf, "-P", filepath.Join(dir, "pid"))
	harness.AwaitTrue(l.t, "miniupnpd listens", func() bool {
		select {
		case <-p.Done:
			l.t.Fatalf("miniupnpd ended: %v\n%s", p.Err, p.Output()+p.Errors())
		default:
		}
		text, err := exec.Command("ip", "netns", "exec", l.id+"r0", "ss", "-Hlun", "sport = :1900 or sport = :5351").Output()
		return err == nil && len(text) > 0
	}, func() string { return p.Output() + p.Errors() })
}

// mappings are the ports that the router of home 0 leads to its network.
func (l *lab) mappings() string {
	l.t.Helper()
	text, err := exec.Command("ip", "netns", "exec", l.id+"r0", "nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd").CombinedOutput()
	if err != nil {
		l.t.Fatalf("%v: %s", err, text)
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "dnat") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return strings.Join(all, "\n")
}

// host has a bot at home 0 host a meeting, and returns the link with the router's address.
func (l *lab) host() (ada *harness.Process, link string) {
	l.t.Helper()
	ada = l.bot(0, "Ada", nil, "--new")
	harness.AwaitTrue(l.t, "the link has the router's address", func() bool {
		for line := range strings.Lines(ada.Output()) {
			if strings.Contains(line, "at=5.0.0.10:") {
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
