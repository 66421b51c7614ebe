package harness

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Network is two hosts in namespaces of their own, joined by a cable that loses packets.
type Network struct {
	T     testing.TB
	Hosts [2]string // namespaces
	Addrs [2]string
}

// StartNetwork creates a network that ends with the test. It needs root.
func StartNetwork(t testing.TB, loss float64) Network {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can make network namespaces")
	}
	sweepNetworks(t)
	n := Network{T: t, Addrs: [2]string{"10.77.0.1", "10.77.0.2"}}
	run := func(args ...string) {
		t.Helper()
		if text, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, text)
		}
	}
	for i := range n.Hosts {
		n.Hosts[i] = fmt.Sprintf("parley-%d-%d", os.Getpid(), i)
		run("ip", "netns", "add", n.Hosts[i])
		t.Cleanup(func() { run("ip", "netns", "delete", n.Hosts[i]) })
	}
	run("ip", "-n", n.Hosts[0], "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", n.Hosts[1])
	for i, h := range n.Hosts {
		run("ip", "-n", h, "address", "add", n.Addrs[i]+"/24", "dev", "cable")
		run("ip", "-n", h, "link", "set", "cable", "up")
		run("ip", "-n", h, "link", "set", "lo", "up")
		n.iptables(h, "-A", "OUTPUT", "-o", "cable", "-p", "udp") // only counts
	}
	n.Lose(loss, 1)
	return n
}

// Lose sets the loss rate in both directions. Losses are random, or come in bursts if burst, the mean length, is above 1.
// Bursts follow Gilbert's model (1960): of two states, one loses every packet; at every packet the state changes with
// some probability.
func (n Network) Lose(loss, burst float64) {
	n.T.Helper()
	chance := func(p float64) []string {
		return []string{"-m", "statistic", "--mode", "random", "--probability", fmt.Sprintf("%.6f", p)}
	}
	// Not every kernel has netem, so this uses iptables. The state is whether the sender's address is in a list.
	state := func(what string) []string { return []string{"-m", "recent", "--name", "burst", what} }
	rules := [][]string{slices.Concat(chance(loss), []string{"-j", "DROP"})}
	if burst > 1 {
		end := 1 / burst
		begin := end * loss / (1 - loss) // the lossy state's share of time equals the loss rate
		rules = [][]string{
			slices.Concat(chance(end), state("--remove"), []string{"-j", "ACCEPT"}),
			slices.Concat(state("--rcheck"), []string{"-j", "DROP"}),
			slices.Concat(chance(begin), state("--set"), []string{"-j", "DROP"}),
		}
	}
	for _, h := range n.Hosts {
		n.iptables(h, "-F", "INPUT")
		for _, r := range rules {
			n.iptables(h, append([]string{"-A", "INPUT", "-i", "cable", "-p", "udp"}, r...)...)
		}
	}
}

func (n Network) iptables(host string, args ...string) {
	n.T.Helper()
	if text, err := exec.Command("ip", append([]string{"netns", "exec", host, "iptables"}, args...)...).CombinedOutput(); err != nil {
		n.T.Fatalf("iptables %v: %v: %s", args, err, text)
	}
}

// sweepNetworks removes the namespaces of killed tests. Their names contain the test's process ID.
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

// Start starts a bot on one of the hosts.
func (n Network) Start(host int, name string, args ...string) *Process {
	n.T.Helper()
	stats := n.T.TempDir() + "/" + name + ".stats"
	p := Launch(n.T, nil, "ip", append([]string{
		"netns", "exec", n.Hosts[host], "build/parley", "bot",
		"--name", name, "--stats", stats, "--camera", "test", "--mic", Material(n.T, "voice1.wav"), "--speaker", "off",
	}, args...)...)
	p.Name, p.Stats = name, stats
	return p
}

// Cut starts or stops dropping everything on the cable.
func (n Network) Cut(on bool) {
	n.T.Helper()
	what := "-I"
	if !on {
		what = "-D"
	}
	for _, h := range n.Hosts {
		n.iptables(h, what, "INPUT", "-i", "cable", "-j", "DROP")
	}
}

// Throttle caps the send rate of Ada's host, with a queue of 300 ms like an access router's.
func (n Network) Throttle(kbps int) {
	n.T.Helper()
	args := []string{"-n", n.Hosts[0], "qdisc", "replace", "dev", "cable", "root", "tbf", "rate", fmt.Sprint(kbps, "kbit"), "burst", "8kb", "latency", "300ms"}
	if text, err := exec.Command("tc", args...).CombinedOutput(); err != nil {
		n.T.Fatalf("tc %v: %v: %s", args, err, text)
	}
}

// Offered is what programs on Ada's host have sent so far, in kbit.
func (n Network) Offered() float64 {
	n.T.Helper()
	text, err := exec.Command("ip", "netns", "exec", n.Hosts[0], "iptables", "-nvxL", "OUTPUT").Output()
	if err != nil {
		n.T.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 2 && slices.Contains(f, "cable") {
			bytes, _ := strconv.ParseFloat(f[1], 64)
			return bytes * 8 / 1000
		}
	}
	n.T.Fatalf("no counter among\n%s", text)
	return 0
}

// ListenOn opens a UDP socket in a host's namespace. A socket belongs to the namespace of the thread that opened it.
func (n Network) ListenOn(host int) *net.UDPConn {
	n.T.Helper()
	type result struct {
		conn *net.UDPConn
		err  error
	}
	opened := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread must end, not run other goroutines in that namespace
		ns, err := os.Open("/run/netns/" + n.Hosts[host])
		if err != nil {
			opened <- result{err: err}
			return
		}
		defer ns.Close()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			opened <- result{err: err}
			return
		}
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(n.Addrs[host]+":9")))
		opened <- result{conn, err}
	}()
	r := <-opened
	if r.err != nil {
		n.T.Fatal(r.err)
	}
	n.T.Cleanup(func() { r.conn.Close() })
	return r.conn
}
