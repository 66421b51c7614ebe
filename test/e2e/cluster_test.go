package e2e

import (
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"parley/media/call"
	"parley/signal/cert/acmetest"
	"parley/test/harness"
)

// TestE2ETwoNodes runs a call over two nodes behind Caddy that share NATS. One node is drained, and a new one replaces it. A
// third member joins there, while the first two are on the old node. Then the old node is killed. Nobody sees anybody
// leave, pictures and sound go on, and of what is said meanwhile, in another meeting on the same nodes, nothing is lost.
func TestE2ETwoNodes(t *testing.T) {
	harness.EndToEnd(t)
	nats := acmetest.FreeAddr(t)
	_, port, _ := net.SplitHostPort(nats)
	broker := harness.Launch(t, nil, "nats-server", "-a", "127.0.0.1", "-p", port)
	harness.AwaitTrue(t, "NATS listens", func() bool {
		c, err := net.Dial("tcp", nats)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, broker.Errors)
	b := &behind{t: t, dir: t.TempDir()}
	key := b.write("key", "sixteen bytes or more")
	addrs := [2]string{acmetest.FreeAddr(t), acmetest.FreeAddr(t)}
	start := func(i int) *harness.Process {
		p, _ := harness.StartRendezvous(t, addrs[i], "--trusted-proxy", "127.0.0.1", "--nats", "nats://"+nats, "--cluster-key-file", key)
		harness.AwaitTrue(t, "the node is ready", func() bool { return strings.Contains(p.Errors(), "rendezvous ready") }, p.Errors)
		return p
	}
	first, second := start(0), start(1)
	front := acmetest.FreeAddr(t)
	config := b.config("Caddyfile.nodes", "meet.example.org {", "{\n\tadmin off\n\tauto_https off\n}\nhttp://"+front+" {",
		"node1:8443 node2:8443 {", addrs[0]+" "+addrs[1]+" {\n\t\theader_down X-Node {http.reverse_proxy.upstream.hostport}")
	proxy := harness.Launch(t, []string{"HOME=" + b.dir}, program(t, "caddy"), "run", "--adapter", "caddyfile", "--config", config)
	harness.AwaitTrue(t, "Caddy listens", func() bool {
		c, err := net.Dial("tcp", front)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, proxy.Errors)

	ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--server", "http://"+front)
	ben := harness.StartParley(t, "Ben", nil, "bot", ada.Link())
	bots := []*harness.Process{ada, ben}
	var met []call.Line
	meet := func() {
		t.Helper()
		met = nil
		for _, p := range bots {
			met = append(met, p.Await("sees and hears the others", harness.Meets(len(bots)-1)))
		}
	}
	// goesOn checks that everybody has seen everybody since they met, and still does for 5 s.
	goesOn := func(what string) {
		t.Helper()
		for i, p := range bots {
			then := p.Last()
			p.Await(what, func(l call.Line) bool {
				return l.Phase == "live" && l.TMillis > then.TMillis+5000 && harness.Meets(len(bots)-1)(l)
			})
			stays(t, p, met[i])
		}
	}
	meet()
	talk := startTalk(t, "http://"+front)
	talk.during(func() {
		if err := first.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	})
	if status := first.Status(); status != 0 {
		t.Errorf("the drained node ends with status %d\n%s", status, first.Errors())
	}
	goesOn("lives on the other node")
	talk.isWhole("drained")
	start(0)
	harness.AwaitTrue(t, "Caddy knows the new node", func() bool {
		resp, err := http.Get("http://" + front + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.Header.Get("X-Node") == addrs[0]
	}, proxy.Errors)
	bots = append(bots, harness.StartParley(t, "Cas", nil, "bot", ada.Link()))
	meet()
	talk.during(func() {
		if err := second.Cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
	})
	<-second.Done
	goesOn("lives on the new node")
	talk.isWhole("killed")
}

// stays checks that a member has seen all others, with pictures, in every line from 3 s after the given one on.
func stays(t *testing.T, p *harness.Process, met call.Line) {
	t.Helper()
	least := 1e9
	for _, l := range p.Lines() {
		if l.TMillis <= met.TMillis+3000 {
			continue
		}
		if len(l.Peers) != len(met.Peers) {
			t.Fatalf("%s lost sight of somebody: %+v", p.Name, l.Peers)
		}
		for _, peer := range l.Peers {
			if peer.State != "connected" {
				t.Fatalf("%s lost the connection to somebody: %+v", p.Name, peer)
			}
			least = min(least, peer.VideoIn.FPS)
		}
	}
	t.Logf("%s: %.1f fps at least", p.Name, least)
	if least < 5 { // a busy machine sends fewer than 25
		t.Errorf("%s sees %.1f fps at times", p.Name, least)
	}
}
