// Package nat makes calls between two homes through every kind of router.
package nat

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"parley/media/call"
	"parley/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// server says which TURN server there is, and how the homes reach it.
type server struct {
	port    string
	tls     bool
	coturn  string // the port of a coturn on an address of its own; empty: TURN is built in
	bare    bool   // no TURN at all
	down    bool   // the TURN server that members are told of does not run
	udpOnly bool   // TURN over UDP alone
}

var (
	plain = server{port: "8443"}
	web   = server{port: "443"} // TURN on the port of the rendezvous
	tls   = server{port: "443", tls: true}
)

// The paths that a call may take.
const (
	direct   = "direct"
	overUDP  = "relay over UDP"
	overTCP  = "relay over TCP"
	overTLS  = "relay over TLS"
	anyRelay = "relay"
)

// cases are pairs of homes. The path is that of the first home.
var cases = []struct {
	name   string
	homes  [2]home
	server server
	path   string
	why    string // why it is not direct, as the first home says
}{
	{"full cone", both("full cone"), plain, direct, ""},
	{"address-restricted", both("address-restricted"), plain, direct, ""},
	{"port-restricted", both("port-restricted"), plain, direct, ""},
	{"symmetric and address-restricted", [2]home{{firewall: "symmetric"}, {firewall: "address-restricted"}}, plain, direct, ""},
	{"symmetric and port-restricted", [2]home{{firewall: "symmetric"}, {firewall: "port-restricted"}}, plain, anyRelay, "routers"},
	{"symmetric on both sides", both("symmetric"), plain, anyRelay, "routers"},
	{"UDP blocked on one side", [2]home{{firewall: "UDP blocked"}, {firewall: "port-restricted"}}, plain, overTCP, "no-udp"},
	{"UDP blocked on both sides", both("UDP blocked"), plain, overTCP, "no-udp"},
	{"all blocked but TCP 443", both("TCP 443 only"), web, overTCP, "no-udp"},
	{"all blocked but TCP 443, TLS", both("TCP 443 only"), tls, overTLS, "no-udp"},
	{"IPv6 only at one end", [2]home{{ipv6: true}, {firewall: "port-restricted"}}, plain, anyRelay, "family"},
	{"double NAT", [2]home{{firewall: "port-restricted", double: true}, {firewall: "port-restricted"}}, plain, direct, ""},
	{"address hidden", hides("port-restricted"), plain, overUDP, "hidden"},
	{"coturn, symmetric on both sides", both("symmetric"), server{port: "8443", coturn: "3478"}, anyRelay, "routers"},
	{"coturn, all blocked but TCP 443", both("TCP 443 only"), server{port: "443", coturn: "443"}, overTCP, "no-udp"},
}

func both(firewall string) [2]home { return [2]home{{firewall: firewall}, {firewall: firewall}} }

// hides are two homes of which the first does not let the other side learn its address.
func hides(firewall string) [2]home {
	return [2]home{{firewall: firewall, hidden: true}, {firewall: firewall}}
}

// TestE2ENat makes a call through each pair of routers: pictures and sound flow both ways, over the expected path.
func TestE2ENat(t *testing.T) {
	harness.EndToEnd(t)
	row("routers", "path", "why", "first picture", "pictures a second")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			for i, h := range c.homes {
				l.settle(i, h)
			}
			ada, ben := l.call(c.server, c.homes)
			ada.Await("takes the path: "+c.path, func(l call.Line) bool { return harness.Meets(1)(l) && takes(l, c.path) })
			report(c.name, ada, ben)
			if why := ada.Last().Peers[0].Detour; why != c.why {
				t.Errorf("says that the path is relayed because of %q, want %q", why, c.why)
			}
		})
	}
}

func row(name, path, why, first, fps string) {
	fmt.Printf("%-36s  %-16s  %-8s  %-14s  %s\n", name, path, why, first, fps)
}

// report prints a row about a call that is going on.
func report(name string, ada, ben *harness.Process) {
	first, rate, last := firstPicture(ben), frameRates(ada, ben), ada.Last()
	row(name, path(last), last.Peers[0].Detour, fmt.Sprintf("%.1f s", first), fmt.Sprintf("%.0f and %.0f", rate[0], rate[1]))
}

// TestE2ENatFindsDirectPath opens a direct path while a call is relayed. The call moves to it, and nobody notices.
func TestE2ENatFindsDirectPath(t *testing.T) {
	harness.EndToEnd(t)
	l := newLab(t)
	homes := both("port-restricted")
	for i, h := range homes {
		l.settle(i, h)
	}
	shut := "FORWARD -p udp -d 5.0.0.11 -j DROP" // to the other home; the relay is elsewhere
	l.rule("r0", "-I "+shut)
	ada, ben := l.call(plain, homes)
	both := []*harness.Process{ada, ben}
	for _, p := range both {
		p.Await("is relayed", func(l call.Line) bool { return harness.Meets(1)(l) && takes(l, anyRelay) })
	}
	l.rule("r0", "-D "+shut)
	for _, p := range both {
		from := p.Last()
		to := p.Await("moves to the direct path", func(l call.Line) bool { return takes(l, direct) })
		p.Await("goes on", func(l call.Line) bool { return l.TMillis >= to.TMillis+3000 && harness.Meets(1)(l) })
		for _, l := range p.Lines() {
			if l.TMillis > from.TMillis && (len(l.Peers) != 1 || l.Peers[0].State != "connected" || l.Peers[0].VideoIn.FPS == 0) {
				t.Errorf("%s: a second without pictures: %+v", p.Name, l)
			}
		}
		if n := p.Last().Peers[0].VideoIn.FreezeMs - from.Peers[0].VideoIn.FreezeMs; n > 1000 {
			t.Errorf("%s: pictures froze for %.0f ms", p.Name, n)
		}
	}
}

// TestE2ENatLosesTheFirst loses the first request over UDP. A relay over TCP is there sooner, and is not taken.
func TestE2ENatLosesTheFirst(t *testing.T) {
	harness.EndToEnd(t)
	l := newLab(t)
	homes := [2]home{{firewall: "symmetric", hidden: true}, {firewall: "symmetric", hidden: true}}
	for i, h := range homes {
		l.settle(i, h)
		l.rule(fmt.Sprint("r", i), "-t raw -A PREROUTING -i lan -p udp -m quota --quota 90 -j DROP") // bytes
	}
	ada, ben := l.call(plain, homes)
	for _, p := range []*harness.Process{ada, ben} {
		p.Await("is relayed over UDP", func(l call.Line) bool { return harness.Meets(1)(l) && takes(l, overUDP) })
	}
}

// TestE2ENatHidesAddress counts packets at the other home's router: none comes from the address that is hidden.
func TestE2ENatHidesAddress(t *testing.T) {
	harness.EndToEnd(t)
	l := newLab(t)
	homes := hides("full cone") // a direct path would work at once
	for i, h := range homes {
		l.settle(i, h)
	}
	for _, from := range []string{"5.0.0.10", "192.168.0.0/24"} {
		l.rule("r1", "-t raw -A PREROUTING -s "+from) // counts
	}
	ada, ben := l.call(plain, homes)
	for _, p := range []*harness.Process{ada, ben} {
		p.Await("is relayed", func(l call.Line) bool { return harness.Meets(1)(l) && takes(l, overUDP) })
	}
	frameRates(ada, ben) // and stays so
	text, err := exec.Command("ip", "netns", "exec", l.id+"r1", "iptables", "-t", "raw", "-nvxL", "PREROUTING").Output()
	if err != nil {
		t.Fatal(err)
	}
	rules := 0
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 2 && (strings.Contains(line, "5.0.0.10") || strings.Contains(line, "192.168.0.0/24")) {
			if rules++; f[0] != "0" {
				t.Errorf("the other side's router saw %s packets: %s", f[0], line)
			}
		}
	}
	if rules != 2 {
		t.Errorf("no counters in\n%s", text)
	}
}

// TestE2ENatForgets has a router forget its mappings in mid-call, and give other ports from then on. The call comes back
// by itself, over a direct path as over a relay.
func TestE2ENatForgets(t *testing.T) {
	harness.EndToEnd(t)
	for _, firewall := range []string{"port-restricted", "symmetric"} {
		t.Run(firewall, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			homes := both(firewall)
			for i, h := range homes {
				l.settle(i, h)
			}
			ada, ben := l.call(plain, homes)
			l.rule("r0", "-t nat -I POSTROUTING -o wan -p udp -j SNAT --to-source 5.0.0.10:20000-30000 --random-fully")
			l.in("r0", "conntrack", "-F")
			for _, p := range []*harness.Process{ada, ben} {
				before := p.Last()
				p.Await("sees and hears the other again", func(l call.Line) bool { // a silent path is given up after 3 s
					return l.TMillis > before.TMillis+5000 && harness.Meets(1)(l) && l.Peers[0].State == "connected" && l.Peers[0].VideoIn.FPS > 5
				})
			}
			text, err := exec.Command("ip", "netns", "exec", l.id+"r0", "iptables", "-t", "nat", "-nvxL", "POSTROUTING", "1").Output()
			if f := strings.Fields(string(text)); err != nil || len(f) == 0 || f[0] == "0" {
				t.Errorf("nothing took a new port: %s, %v", text, err)
			}
		})
	}
}

// TestE2ENatServiceRestarts kills the service that relays a call, and starts it again with another secret. The call comes
// back with the credentials that the new one gives.
func TestE2ENatServiceRestarts(t *testing.T) {
	harness.EndToEnd(t)
	t.Parallel() // with the other that mostly waits
	l := newLab(t)
	homes := both("symmetric")
	for i, h := range homes {
		l.settle(i, h)
	}
	ada, ben := l.call(plain, homes)
	_ = l.service.Cmd.Process.Kill() // by its own process ID
	<-l.service.Done
	for _, p := range []*harness.Process{ada, ben} {
		p.Await("notices", func(l call.Line) bool { return len(l.Peers) == 1 && l.Peers[0].State != "connected" })
	}
	l.serve(plain)
	for _, p := range []*harness.Process{ada, ben} {
		p.Await("sees and hears the other again", func(l call.Line) bool {
			return harness.Meets(1)(l) && l.Peers[0].State == "connected" && l.Peers[0].VideoIn.FPS > 5
		})
	}
}

// TestE2ENatNothing has two homes that cannot reach each other. Each says why, from what it has tried.
func TestE2ENatNothing(t *testing.T) {
	harness.EndToEnd(t)
	none, down := server{port: "8443", bare: true}, server{port: "8443", down: true}
	for _, c := range []struct {
		name   string
		homes  [2]home
		server server
		want   string
	}{
		{"no relay", both("symmetric"), none, "without-relay"},
		{"no relay, address hidden", hides("full cone"), none, "hidden-without-relay"},
		{"UDP blocked, relay down", both("UDP blocked"), down, "without-udp"},
		{"address hidden, relay down", hides("full cone"), down, "relay-silent"},
		{"UDP blocked at theirs, relay over UDP alone", [2]home{{firewall: "symmetric"}, {firewall: "UDP blocked"}}, server{port: "8443", udpOnly: true}, "their-network"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // nearly all of it is waiting
			l := newLab(t)
			for i, h := range c.homes {
				l.settle(i, h)
			}
			ada, _ := l.bots(c.server, c.homes)
			ada.Await("says "+c.want, func(l call.Line) bool { return len(l.Peers) == 1 && l.Peers[0].Problem == c.want })
		})
	}
}

// TestE2ENatLoss relays a call over TLS on a path that loses one packet in a hundred: TCP sends them again, and speech
// stays whole.
func TestE2ENatLoss(t *testing.T) {
	harness.EndToEnd(t)
	t.Parallel() // with the other that mostly waits
	l := newLab(t)
	homes := both("TCP 443 only")
	for i, h := range homes {
		l.settle(i, h)
		l.rule(fmt.Sprint("h", i), "-A INPUT -i eth -m statistic --mode random --probability 0.01 -j DROP")
	}
	ada, ben := l.call(tls, homes)
	for _, p := range []*harness.Process{ada, ben} {
		from := p.Last().TMillis
		p.Await("has heard the other for 10 s", func(l call.Line) bool { return l.TMillis >= from+10_000 && harness.Meets(1)(l) })
		var lost, n float64
		for _, l := range p.Lines() {
			if l.TMillis > from && len(l.Peers) == 1 {
				lost += l.Peers[0].AudioIn.Concealed
				n++
			}
		}
		t.Logf("%s: %.2f %% of the speech is concealed, %.0f pictures a second", p.Name, lost/n, frameRates(p)[0])
		if lost/n > 10 {
			t.Errorf("%s: %.2f %% of the speech is concealed", p.Name, lost/n)
		}
	}
}

// path is the path to the only other member in a line of the statistics.
func path(l call.Line) string {
	if len(l.Peers) != 1 || l.Peers[0].Path == "" {
		return ""
	}
	if p := l.Peers[0]; p.Path == "relay" {
		return "relay over " + strings.ToUpper(p.Relay)
	}
	return direct
}

func takes(l call.Line, want string) bool {
	return path(l) == want || want == anyRelay && strings.HasPrefix(path(l), want)
}

// firstPicture estimates how long after its start a bot received the first picture, in seconds. Statistics have one line a
// second, with the number of pictures so far.
func firstPicture(p *harness.Process) float64 {
	for _, l := range p.Lines() {
		if len(l.Peers) == 1 && l.Peers[0].VideoIn.Frames > 0 {
			return max(float64(l.TMillis)-float64(l.Peers[0].VideoIn.Frames)*1000/30, 0) / 1000
		}
	}
	return 0
}

// frameRates measures the pictures a second of each bot over two seconds.
func frameRates(bots ...*harness.Process) (rates []float64) {
	var began []call.Line
	for _, p := range bots {
		began = append(began, p.Last())
	}
	for i, p := range bots {
		from := began[i]
		to := p.Await("goes on", func(l call.Line) bool {
			return harness.Meets(1)(l) && l.TMillis >= from.TMillis+1900 && l.Peers[0].VideoIn.Frames > from.Peers[0].VideoIn.Frames
		})
		rates = append(rates, float64(to.Peers[0].VideoIn.Frames-from.Peers[0].VideoIn.Frames)*1000/float64(to.TMillis-from.TMillis))
	}
	return rates
}

// call starts the server and a bot at each home, and waits until both see and hear each other.
func (l *lab) call(s server, homes [2]home) (ada, ben *harness.Process) {
	l.t.Helper()
	ada, ben = l.bots(s, homes)
	for _, p := range []*harness.Process{ada, ben} {
		p.Await("sees and hears the other", harness.Meets(1))
	}
	return ada, ben
}

func (l *lab) bots(s server, homes [2]home) (ada, ben *harness.Process) {
	l.t.Helper()
	url, env := l.serve(s)
	at := func(i int, text string) string {
		if homes[i].ipv6 {
			return strings.Replace(text, serverIP, "["+serverIPv6+"]", 1)
		}
		return strings.Replace(text, "["+serverIPv6+"]", serverIP, 1)
	}
	flags := func(i int, more ...string) []string {
		if homes[i].hidden {
			more = append(more, "--relay-only")
		}
		return more
	}
	ada = l.bot(0, "Ada", env, flags(0, "--new", "--server", at(0, url))...)
	return ada, l.bot(1, "Ben", env, append(flags(1), at(1, ada.Link()))...)
}

// serve starts the service, and returns its URL and what a program needs to trust it.
func (l *lab) serve(s server) (url string, env []string) {
	l.t.Helper()
	url = "http://" + serverIP + ":" + s.port
	args := []string{"build/parley-rendezvous", "--listen", ":" + s.port, "--insecure"}
	switch {
	case s.coturn != "":
		args[2] = serverIP + ":" + s.port // coturn may have the port of the other address
		args = append(args, "--turn-url", l.coturn(s.coturn), "--turn-secret", "north wind")
	case s.down:
		args = append(args, "--turn-url", "turn:"+coturnIP+",turn:"+coturnIP+"?transport=tcp", "--turn-secret", "north wind")
	case s.udpOnly:
		l.coturn("3478")
		args = append(args, "--turn-url", "turn:"+coturnIP+":3478?transport=udp", "--turn-secret", "north wind")
	case !s.bare:
		args = append(args, "--turn", "--turn-relay", serverIP)
	}
	if s.tls {
		cert, key := certificate(l.t)
		args = append(args, "--tls-cert", cert, "--tls-key", key)
		url, env = "https://"+serverIP, []string{"SSL_CERT_FILE=" + cert}
	}
	l.service = l.start("srv", nil, args...)
	harness.AwaitTrue(l.t, "the rendezvous listens", func() bool { return strings.Contains(l.service.Errors(), `"listening"`) }, l.service.Errors)
	return url, env
}

// coturn starts a coturn at a port, and returns the URLs for it.
func (l *lab) coturn(port string) string {
	l.t.Helper()
	dir := l.t.TempDir()
	p := l.start("srv", nil, "turnserver", "-n", "--no-cli", "--use-auth-secret", "--static-auth-secret=north wind", "--realm=parley",
		"--listening-ip="+coturnIP, "--relay-ip="+coturnIP, "--listening-port="+port, "--no-tls", "--no-dtls", "--log-file=stdout",
		"--pidfile="+dir+"/pid", "--userdb="+dir+"/db", "--relay-threads=1")
	harness.AwaitTrue(l.t, "coturn listens", func() bool {
		text, err := exec.Command("ip", "netns", "exec", l.id+"srv", "ss", "-Hltn", "sport = :"+port).Output()
		return err == nil && len(text) > 0
	}, p.Output)
	at := net.JoinHostPort(coturnIP, port)
	return "turn:" + at + "?transport=udp,turn:" + at + "?transport=tcp"
}

// certificate makes a certificate for the server and its key, and returns their files.
func certificate(t testing.TB) (cert, key string) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(serverIP)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	return write("cert.pem", "CERTIFICATE", der), write("key.pem", "PRIVATE KEY", pkcs8)
}
