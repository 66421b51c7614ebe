package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"parley/media/call"
)

// TestE2EServerRestart: a call goes on while its rendezvous is away, and everything is well
// again when that is back.
func TestE2EServerRestart(t *testing.T) {
	endToEnd(t)
	service, addr := startRendezvous(t, "127.0.0.1:0")
	ada := startParley(t, "Ada", nil, "bot", "--new", "--server", "http://"+addr)
	link := ada.link()
	ben := startParley(t, "Ben", nil, "bot", link)
	both := []*process{ada, ben}
	for _, p := range both {
		p.await("sees and hears the other", meets(1))
	}
	service.stop()
	if service.status() != 0 {
		t.Errorf("exit status %d of the rendezvous after SIGTERM", service.status())
	}
	flows := func(when, phase string) {
		t.Helper()
		for _, p := range both {
			start := p.await("is "+phase+" "+when, func(l call.Line) bool { return l.Phase == phase })
			p.await("still sees and hears the other "+when, func(l call.Line) bool {
				return l.Phase == phase && meets(1)(l) && l.Peers[0].VideoIn.Frames > start.Peers[0].VideoIn.Frames+20
			})
		}
	}
	flows("without a server", "reconnecting")
	startRendezvous(t, addr)
	flows("with the new server", "live")
	// Nobody was taken for another, and whoever comes now meets both.
	for _, p := range both {
		for _, l := range p.lines() {
			if len(l.Peers) > 1 {
				t.Fatalf("%s once saw %d others", p.name, len(l.Peers))
			}
		}
	}
	startParley(t, "Cleo", nil, "bot", link).await("sees and hears two others", meets(2))
}

// TestE2EServerKilled: the same when the rendezvous has no time to say goodbye.
func TestE2EServerKilled(t *testing.T) {
	endToEnd(t)
	service, addr := startRendezvous(t, "127.0.0.1:0")
	ada := startParley(t, "Ada", nil, "bot", "--new", "--server", "http://"+addr)
	ben := startParley(t, "Ben", nil, "bot", ada.link())
	for _, p := range []*process{ada, ben} {
		p.await("sees and hears the other", meets(1))
	}
	_ = service.cmd.Process.Kill() // by its own process ID
	<-service.done
	for _, p := range []*process{ada, ben} {
		p.await("notices", func(l call.Line) bool { return l.Phase == "reconnecting" })
	}
	startRendezvous(t, addr)
	for _, p := range []*process{ada, ben} {
		start := p.await("is back", func(l call.Line) bool { return l.Phase == "live" })
		p.await("still sees and hears the other", func(l call.Line) bool {
			return meets(1)(l) && l.Peers[0].VideoIn.Frames > start.Peers[0].VideoIn.Frames+20
		})
	}
}

// network is two hosts of their own, joined by a cable that loses packets.
type network struct {
	t     testing.TB
	hosts [2]string // namespaces
	addrs [2]string
}

// startNetwork makes the network; it goes with the test. That takes root's rights.
func startNetwork(t testing.TB, loss float64) network {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can make network namespaces")
	}
	sweepNetworks(t)
	n := network{t: t, addrs: [2]string{"10.77.0.1", "10.77.0.2"}}
	run := func(args ...string) {
		t.Helper()
		if text, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, text)
		}
	}
	for i := range n.hosts {
		n.hosts[i] = fmt.Sprintf("parley-%d-%d", os.Getpid(), i)
		run("ip", "netns", "add", n.hosts[i])
		t.Cleanup(func() { run("ip", "netns", "delete", n.hosts[i]) })
	}
	run("ip", "-n", n.hosts[0], "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", n.hosts[1])
	for i, h := range n.hosts {
		run("ip", "-n", h, "address", "add", n.addrs[i]+"/24", "dev", "cable")
		run("ip", "-n", h, "link", "set", "cable", "up")
		run("ip", "-n", h, "link", "set", "lo", "up")
		n.iptables(h, "-A", "OUTPUT", "-o", "cable", "-p", "udp") // counts
	}
	n.lose(loss, 1)
	return n
}

// lose drops this share of the packets from now on, on either side: at random, or with a burst
// above 1 so many in a row in the mean, by the model of Gilbert (1960): of two states, one of
// which loses everything, and a chance to change between them at every packet.
func (n network) lose(loss, burst float64) {
	n.t.Helper()
	chance := func(p float64) []string {
		return []string{"-m", "statistic", "--mode", "random", "--probability", fmt.Sprintf("%.6f", p)}
	}
	// The kernels at hand have no netem. The state is whether the sender is in a list.
	state := func(what string) []string { return []string{"-m", "recent", "--name", "burst", what} }
	rules := [][]string{slices.Concat(chance(loss), []string{"-j", "DROP"})}
	if burst > 1 {
		end := 1 / burst
		begin := end * loss / (1 - loss) // so that the share of the lossy state is that of the loss
		rules = [][]string{
			slices.Concat(chance(end), state("--remove"), []string{"-j", "ACCEPT"}),
			slices.Concat(state("--rcheck"), []string{"-j", "DROP"}),
			slices.Concat(chance(begin), state("--set"), []string{"-j", "DROP"}),
		}
	}
	for _, h := range n.hosts {
		n.iptables(h, "-F", "INPUT")
		for _, r := range rules {
			n.iptables(h, append([]string{"-A", "INPUT", "-i", "cable", "-p", "udp"}, r...)...)
		}
	}
}

func (n network) iptables(host string, args ...string) {
	n.t.Helper()
	if text, err := exec.Command("ip", append([]string{"netns", "exec", host, "iptables"}, args...)...).CombinedOutput(); err != nil {
		n.t.Fatalf("iptables %v: %v: %s", args, err, text)
	}
}

// sweepNetworks removes what a test has left that was killed: its namespaces have its process id
// in their names.
func sweepNetworks(t testing.TB) {
	t.Helper()
	all, err := filepath.Glob("/run/netns/parley-*-[01]")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		var pid, i int
		name := filepath.Base(path)
		if _, err := fmt.Sscanf(name, "parley-%d-%d", &pid, &i); err != nil || syscall.Kill(pid, 0) == nil {
			continue
		}
		if text, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil {
			t.Logf("ip netns delete %s: %v: %s", name, err, text)
		}
	}
}

// start starts a bot on one of the hosts.
func (n network) start(host int, name string, args ...string) *process {
	n.t.Helper()
	stats := n.t.TempDir() + "/" + name + ".stats"
	p := launch(n.t, nil, "ip", append([]string{
		"netns", "exec", n.hosts[host], "build/parley", "bot",
		"--name", name, "--stats", stats, "--camera", "test", "--mic", material(n.t, "voice1.wav"), "--speaker", "off",
	}, args...)...)
	p.name, p.stats = name, stats
	return p
}

// TestE2ELoss: between two hosts whose network loses 5 % of the packets each way, pictures and
// sound keep flowing.
func TestE2ELoss(t *testing.T) {
	endToEnd(t)
	n := startNetwork(t, 0.05)
	service := launch(t, nil, "ip", "netns", "exec", n.hosts[0], "build/parley-rendezvous", "--listen", n.addrs[0]+":8443")
	awaitTrue(t, "the rendezvous listens", func() bool { return strings.Contains(service.errors(), `"listening"`) }, service.errors)
	ada := n.start(0, "Ada", "--new", "--server", "http://"+n.addrs[0]+":8443")
	ben := n.start(1, "Ben", ada.link())
	var start, end [2]call.Line
	both := []*process{ada, ben}
	for i, p := range both {
		start[i] = p.await("sees and hears the other", meets(1))
	}
	for i, p := range both {
		end[i] = p.await("has met the other for 15 s", func(l call.Line) bool { return l.TMillis > start[i].TMillis+15_000 && meets(1)(l) })
	}
	for i, p := range both {
		var in, out []float64
		for _, l := range p.lines() {
			if l.TMillis > start[i].TMillis+3000 && len(l.Peers) == 1 {
				in = append(in, l.Peers[0].VideoIn.FPS)
				out = append(out, l.Peers[0].VideoOut.FPS)
			}
		}
		slices.Sort(in)
		slices.Sort(out)
		q := end[i].Peers[0]
		t.Logf("%s: picture %.1f fps (median; sends %.1f), %dx%d, %d lost, %d repaired, %d freezes; sound %.1f dB, %.1f %% concealed, %d lost, %d repaired",
			p.name, in[len(in)/2], out[len(out)/2], q.VideoIn.W, q.VideoIn.H, q.VideoIn.Lost, q.VideoIn.Repaired, q.VideoIn.Freezes,
			q.AudioIn.Level, q.AudioIn.Concealed, q.AudioIn.Lost, q.AudioIn.Repaired)
		if q.Path != "host" {
			t.Errorf("%s: path %q", p.name, q.Path)
		}
		if q.VideoIn.Lost+q.VideoIn.Repaired == 0 || q.AudioIn.Lost+q.AudioIn.Repaired == 0 {
			t.Errorf("%s lost nothing: this test proves nothing", p.name)
		}
		// What the sender's machine manages in this moment is what can arrive.
		if f := in[len(in)/2]; f < 0.8*out[len(out)/2] || f < 5 {
			t.Errorf("%s paints %.1f fps", p.name, f)
		}
		// Without FEC as much would be made up as is lost.
		if q.AudioIn.Concealed > 4 || q.AudioIn.Repaired == 0 {
			t.Errorf("%s: %.1f %% of the sound is made up, %d packets rebuilt", p.name, q.AudioIn.Concealed, q.AudioIn.Repaired)
		}
	}
}

// cut drops everything that crosses the cable, or no longer.
func (n network) cut(on bool) {
	n.t.Helper()
	what := "-I"
	if !on {
		what = "-D"
	}
	for _, h := range n.hosts {
		n.iptables(h, what, "INPUT", "-i", "cable", "-j", "DROP")
	}
}

// TestE2EBlackout: for half a minute nothing gets through, neither to each other nor to the
// service. Both come back by themselves, and have not grown.
func TestE2EBlackout(t *testing.T) {
	endToEnd(t)
	n := startNetwork(t, 0)
	service := launch(t, nil, "ip", "netns", "exec", n.hosts[0], "build/parley-rendezvous", "--listen", n.addrs[0]+":8443")
	awaitTrue(t, "the rendezvous listens", func() bool { return strings.Contains(service.errors(), `"listening"`) }, service.errors)
	ada := n.start(0, "Ada", "--new", "--server", "http://"+n.addrs[0]+":8443")
	ben := n.start(1, "Ben", ada.link())
	both := []*process{ada, ben}
	var before [2]call.Line
	for i, p := range both {
		met := p.await("sees and hears the other", meets(1))
		before[i] = p.await("for 3 s", func(l call.Line) bool { return l.TMillis > met.TMillis+3000 && meets(1)(l) })
	}
	n.cut(true)
	ben.await("notices", func(l call.Line) bool { return l.Phase == "reconnecting" })
	// How long a blackout lasts is what this test is about.
	dark := ben.last().TMillis
	ben.await("is in the dark for 30 s", func(l call.Line) bool { return l.TMillis > dark+20_000 })
	n.cut(false)
	for i, p := range both {
		back := p.await("is back", func(l call.Line) bool {
			return l.Phase == "live" && meets(1)(l) && l.Peers[0].VideoIn.FPS > 0 && l.TMillis > dark+20_000
		})
		later := p.await("for 5 s", func(l call.Line) bool { return l.TMillis > back.TMillis+5000 && meets(1)(l) })
		t.Logf("%s: %d goroutines before, %d after; %.0f MB before, %.0f after", p.name, before[i].Goroutines, later.Goroutines, before[i].RSS, later.RSS)
		if later.Goroutines > before[i].Goroutines+10 {
			t.Errorf("%s has %d goroutines after the blackout, %d before", p.name, later.Goroutines, before[i].Goroutines)
		}
	}
}
