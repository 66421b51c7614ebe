package e2e

import (
	"slices"
	"strings"
	"testing"

	"parley/media/call"
	"parley/test/harness"
)

// TestE2EServerRestart restarts the rendezvous. The call continues meanwhile, and newcomers can join afterwards.
func TestE2EServerRestart(t *testing.T) {
	harness.EndToEnd(t)
	service, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--server", "http://"+addr)
	link := ada.Link()
	ben := harness.StartParley(t, "Ben", nil, "bot", link)
	both := []*harness.Process{ada, ben}
	for _, p := range both {
		p.Await("sees and hears the other", harness.Meets(1))
	}
	service.Stop()
	if service.Status() != 0 {
		t.Errorf("exit status %d of the rendezvous after SIGTERM", service.Status())
	}
	flows := func(when, phase string) {
		t.Helper()
		for _, p := range both {
			start := p.Await("is "+phase+" "+when, func(l call.Line) bool { return l.Phase == phase })
			p.Await("still sees and hears the other "+when, func(l call.Line) bool {
				return l.Phase == phase && harness.Meets(1)(l) && l.Peers[0].VideoIn.Frames > start.Peers[0].VideoIn.Frames+20
			})
		}
	}
	flows("without a server", "reconnecting")
	harness.StartRendezvous(t, addr)
	flows("with the new server", "live")
	// The members are unchanged, and a newcomer meets both.
	for _, p := range both {
		for _, l := range p.Lines() {
			if len(l.Peers) > 1 {
				t.Fatalf("%s once saw %d others", p.Name, len(l.Peers))
			}
		}
	}
	harness.StartParley(t, "Cleo", nil, "bot", link).Await("sees and hears two others", harness.Meets(2))
}

// TestE2EServerKilled does the same after a kill.
func TestE2EServerKilled(t *testing.T) {
	harness.EndToEnd(t)
	service, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--server", "http://"+addr)
	ben := harness.StartParley(t, "Ben", nil, "bot", ada.Link())
	for _, p := range []*harness.Process{ada, ben} {
		p.Await("sees and hears the other", harness.Meets(1))
	}
	_ = service.Cmd.Process.Kill() // by its own process ID
	<-service.Done
	for _, p := range []*harness.Process{ada, ben} {
		p.Await("notices", func(l call.Line) bool { return l.Phase == "reconnecting" })
	}
	harness.StartRendezvous(t, addr)
	for _, p := range []*harness.Process{ada, ben} {
		start := p.Await("is back", func(l call.Line) bool { return l.Phase == "live" })
		p.Await("still sees and hears the other", func(l call.Line) bool {
			return harness.Meets(1)(l) && l.Peers[0].VideoIn.Frames > start.Peers[0].VideoIn.Frames+20
		})
	}
}

// TestE2ELoss runs a call over a network that loses 5 % of the packets in each direction. Pictures and sound keep flowing.
func TestE2ELoss(t *testing.T) {
	harness.EndToEnd(t)
	n := harness.StartNetwork(t, 0.05)
	service := harness.Launch(t, nil, "ip", "netns", "exec", n.Hosts[0], "build/parley-rendezvous", "--listen", n.Addrs[0]+":8443")
	harness.AwaitTrue(t, "the rendezvous listens", func() bool { return strings.Contains(service.Errors(), `"listening"`) }, service.Errors)
	ada := n.Start(0, "Ada", "--new", "--server", "http://"+n.Addrs[0]+":8443")
	ben := n.Start(1, "Ben", ada.Link())
	var start, end [2]call.Line
	both := []*harness.Process{ada, ben}
	for i, p := range both {
		start[i] = p.Await("sees and hears the other", harness.Meets(1))
	}
	for i, p := range both {
		end[i] = p.Await("has met the other for 15 s", func(l call.Line) bool { return l.TMillis > start[i].TMillis+15_000 && harness.Meets(1)(l) })
	}
	for i, p := range both {
		var in, out []float64
		for _, l := range p.Lines() {
			if l.TMillis > start[i].TMillis+3000 && len(l.Peers) == 1 {
				in = append(in, l.Peers[0].VideoIn.FPS)
				out = append(out, l.Peers[0].VideoOut.FPS)
			}
		}
		slices.Sort(in)
		slices.Sort(out)
		q := end[i].Peers[0]
		t.Logf("%s: picture %.1f fps (median; sends %.1f), %dx%d, %d lost, %d repaired, %d freezes; sound %.1f dB, %.1f %% concealed, %d lost, %d repaired",
			p.Name, in[len(in)/2], out[len(out)/2], q.VideoIn.W, q.VideoIn.H, q.VideoIn.Lost, q.VideoIn.Repaired, q.VideoIn.Freezes,
			q.AudioIn.Level, q.AudioIn.Concealed, q.AudioIn.Lost, q.AudioIn.Repaired)
		if q.Path != "host" {
			t.Errorf("%s: path %q", p.Name, q.Path)
		}
		if q.VideoIn.Lost+q.VideoIn.Repaired == 0 || q.AudioIn.Lost+q.AudioIn.Repaired == 0 {
			t.Errorf("%s lost nothing: this test proves nothing", p.Name)
		}
		// A busy machine sends fewer frames, so compare with those sent.
		if f := in[len(in)/2]; f < 0.8*out[len(out)/2] || f < 5 {
			t.Errorf("%s paints %.1f fps", p.Name, f)
		}
		// Without repair, the share of concealed sound would be the loss rate.
		if q.AudioIn.Concealed > 4 || q.AudioIn.Repaired == 0 {
			t.Errorf("%s: %.1f %% of the sound is made up, %d packets rebuilt", p.Name, q.AudioIn.Concealed, q.AudioIn.Repaired)
		}
	}
}

// TestE2EBlackout cuts both members off for half a minute, from each other and from the service. Both reconnect by
// themselves, and their memory has not grown.
func TestE2EBlackout(t *testing.T) {
	harness.EndToEnd(t)
	n := harness.StartNetwork(t, 0)
	service := harness.Launch(t, nil, "ip", "netns", "exec", n.Hosts[0], "build/parley-rendezvous", "--listen", n.Addrs[0]+":8443")
	harness.AwaitTrue(t, "the rendezvous listens", func() bool { return strings.Contains(service.Errors(), `"listening"`) }, service.Errors)
	ada := n.Start(0, "Ada", "--new", "--server", "http://"+n.Addrs[0]+":8443")
	ben := n.Start(1, "Ben", ada.Link())
	both := []*harness.Process{ada, ben}
	var before [2]call.Line
	for i, p := range both {
		met := p.Await("sees and hears the other", harness.Meets(1))
		before[i] = p.Await("for 3 s", func(l call.Line) bool { return l.TMillis > met.TMillis+3000 && harness.Meets(1)(l) })
	}
	n.Cut(true)
	ben.Await("notices", func(l call.Line) bool { return l.Phase == "reconnecting" })
	// The blackout itself.
	dark := ben.Last().TMillis
	ben.Await("is in the dark for 30 s", func(l call.Line) bool { return l.TMillis > dark+20_000 })
	n.Cut(false)
	for i, p := range both {
		back := p.Await("is back", func(l call.Line) bool {
			return l.Phase == "live" && harness.Meets(1)(l) && l.Peers[0].VideoIn.FPS > 0 && l.TMillis > dark+20_000
		})
		later := p.Await("for 5 s", func(l call.Line) bool { return l.TMillis > back.TMillis+5000 && harness.Meets(1)(l) })
		t.Logf("%s: %d goroutines before, %d after; %.0f MB before, %.0f after", p.Name, before[i].Goroutines, later.Goroutines, before[i].RSS, later.RSS)
		if later.Goroutines > before[i].Goroutines+10 {
			t.Errorf("%s has %d goroutines after the blackout, %d before", p.Name, later.Goroutines, before[i].Goroutines)
		}
	}
}
