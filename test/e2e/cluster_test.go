package e2e

import (
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"parley/media/call"
	"parley/signal/cert/acmetest"
	"parley/test/harness"
)

// TestE2ETwoNodes has a call over two nodes behind Caddy that share NATS. One node is drained, then, after another has
// come in its place, the one left is killed. Nobody sees anybody leave, pictures and sound go on, and a third comes in after all that.
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
	config := b.write("Caddyfile", "{\n\tadmin off\n\tauto_https off\n}\nhttp://"+front+" {\n\treverse_proxy "+addrs[0]+" "+addrs[1]+
		" {\n\t\thealth_uri /healthz\n\t\thealth_interval 200ms\n\t\tfail_duration 1s\n\t\tlb_try_duration 5s\n\t}\n}\n")
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
	both := []*harness.Process{ada, ben}
	var met [2]call.Line
	for i, p := range both {
		met[i] = p.Await("sees and hears the other", harness.Meets(1))
	}
	goesOn := func(what string) {
		t.Helper()
		for _, p := range both {
			then := p.Last()
			p.Await(what+", and sees the other for 5 s more", func(l call.Line) bool {
				return l.Phase == "live" && l.TMillis > then.TMillis+5000 && harness.Meets(1)(l) && l.Peers[0].VideoIn.Frames > then.Peers[0].VideoIn.Frames+25
			})
		}
	}
	if err := first.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := first.Status(); status != 0 {
		t.Errorf("the drained node ends with status %d\n%s", status, first.Errors())
	}
	goesOn("lives on the other node")
	start(0)
	if err := second.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-second.Done
	goesOn("lives on the new node")
	for i, p := range both {
		least, last := 1e9, met[i]
		for _, l := range p.Lines() {
			if l.TMillis <= met[i].TMillis+3000 {
				continue
			}
			if len(l.Peers) != 1 || l.Peers[0].State != "connected" {
				t.Fatalf("%s lost sight of the other: %+v", p.Name, l.Peers)
			}
			least, last = min(least, l.Peers[0].VideoIn.FPS), l
		}
		t.Logf("%s: %s fps at least, %d freezes", p.Name, strconv.FormatFloat(least, 'f', 1, 64), last.Peers[0].VideoIn.Freezes-met[i].Peers[0].VideoIn.Freezes)
		if least < 5 { // a busy machine sends fewer than 25
			t.Errorf("%s sees %.1f fps at times", p.Name, least)
		}
	}
	third := harness.StartParley(t, "Cas", nil, "bot", ada.Link())
	third.Await("meets both", harness.Meets(2))
}
