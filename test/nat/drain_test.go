package nat

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"parley/media/call"
	"parley/test/harness"
)

// TestE2ENatDrainedRelay stops a node that relays a call, as an upgrade does, while another node runs. The call moves to the
// relay of the other node, and the first one ends after it. Nobody notices.
func TestE2ENatDrainedRelay(t *testing.T) {
	harness.EndToEnd(t)
	l := newLab(t)
	for i, h := range both("symmetric") {
		l.settle(i, h)
	}
	const second = "5.0.0.3"
	l.add("srv2")
	l.join("srv2", second+"/24")
	broker := l.start("srv", nil, "nats-server", "-a", serverIP, "-p", "4222")
	harness.AwaitTrue(t, "NATS listens", func() bool { return strings.Contains(broker.Errors(), "Server is ready") }, broker.Errors)
	node := func(ns, ip string) *harness.Process {
		p := l.start(ns, []string{"PARLEY_CLUSTER_KEY=sixteen bytes or more"}, "build/parley-rendezvous", "--listen", ip+":8443", "--insecure", "--turn", "--turn-relay", ip,
			"--nats", "nats://"+serverIP+":4222", "--nats-plain")
		harness.AwaitTrue(t, "the node is ready", func() bool { return strings.Contains(p.Errors(), "rendezvous ready") }, p.Errors)
		return p
	}
	first, _ := node("srv", serverIP), node("srv2", second)
	link := fmt.Sprintf("http://%s:8443/#7k3m-q9xt-2w8p&at=%s:8443", serverIP, second)
	bots := []*harness.Process{l.bot(0, "Ada", nil, link), l.bot(1, "Ben", nil, link)}
	var met []call.Line
	for _, p := range bots {
		met = append(met, p.Await("is relayed", func(l call.Line) bool { return harness.Meets(1)(l) && takes(l, anyRelay) }))
	}
	for i, p := range bots { // the rates have risen
		p.Await("is well", func(l call.Line) bool { return l.TMillis > met[i].TMillis+4000 && harness.Meets(1)(l) })
	}
	before := []call.Line{bots[0].Last(), bots[1].Last()}
	if err := first.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := first.Status(); status != 0 || !strings.Contains(first.Errors(), `"msg":"TURN has drained","in time":true`) {
		t.Errorf("the node that relayed ends with status %d:\n%s", status, first.Errors())
	}
	for i, p := range bots {
		end := p.Last()
		p.Await("goes on", func(l call.Line) bool {
			return l.TMillis > end.TMillis+4000 && harness.Meets(1)(l) && takes(l, anyRelay)
		})
		least := 1e9
		for _, l := range p.Lines() {
			if l.TMillis <= before[i].TMillis {
				continue
			}
			if len(l.Peers) != 1 || l.Peers[0].State != "connected" {
				t.Fatalf("%s lost the other: %+v", p.Name, l)
			}
			least = min(least, l.Peers[0].VideoIn.FPS)
		}
		froze := p.Last().Peers[0].VideoIn.FreezeMs - before[i].Peers[0].VideoIn.FreezeMs
		t.Logf("%s: %.1f fps at least, frozen for %.0f ms", p.Name, least, froze)
		if least < 10 || froze > 1000 { // a busy machine sends fewer than 25
			t.Errorf("%s sees %.1f fps at times, and pictures froze for %.0f ms", p.Name, least, froze)
		}
	}
}
