package peer

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"parley/media/congestion"
	"parley/media/transport"
)

// attacker has a real Pion connection and keeps to no rule.
type attacker struct {
	pc     *webrtc.PeerConnection
	sender *congestion.Sender
	victim *end
	ended  chan error
	stop   func() // ends the victim
}

// attack connects an attacker with a Peer. It offers the media sections of a Parley; prepare runs before
// the offer.
func attack(t *testing.T, prepare func(*webrtc.PeerConnection), sdp func(string) string) *attacker {
	t.Helper()
	return approach(t, func(pc *webrtc.PeerConnection) {
		for _, k := range kinds {
			if _, err := pc.AddTransceiverFromKind(codecType(k)); err != nil {
				t.Fatal(err)
			}
		}
		prepare(pc)
	}, sdp)
}

// approach connects any Pion connection with a Peer. prepare runs before the offer.
func approach(t *testing.T, prepare func(*webrtc.PeerConnection), sdp func(string) string) *attacker {
	t.Helper()
	return approachWith(t, func(*Config) {}, prepare, sdp)
}

// approachWith is approach with a Peer whose configuration is changed.
func approachWith(t *testing.T, change func(*Config), prepare func(*webrtc.PeerConnection), sdp func(string) string) *attacker {
	t.Helper()
	sender := congestion.NewSender(congestion.Config{Start: startRate, Min: minRate, Max: maxRate}, func(int) int { return 0 })
	pc, err := newConnection(t.Context(), Config{Log: testLog}, transport.Route{}, sender, offline())
	if err != nil {
		t.Fatal(err)
	}
	a := &attacker{pc: pc, sender: sender, ended: make(chan error, 1)}
	prepare(pc)
	a.victim = newEnd(t, nil, "", "attack", func(b []byte) {
		m, err := parseMessage(b)
		if err != nil {
			t.Error(err)
			return
		}
		switch m.Type {
		case typeAnswer:
			answer := strings.Replace(m.SDP, fmt.Sprintf("a=max-message-size:%d", maxWantSize), "a=max-message-size:1000000", 1)
			err = pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer})
		case typeCandidate:
			err = pc.AddICECandidate(*m.Candidate)
		}
		if err != nil {
			t.Log("attacker:", err)
		}
	})
	a.victim.phases = make(chan transport.Phase, 1024)
	change(&a.victim.peer.cfg)
	ctx, cancel := context.WithCancel(t.Context())
	a.stop = cancel
	var wg sync.WaitGroup
	wg.Go(func() { a.ended <- a.victim.peer.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
		if err := pc.GracefulClose(); err != nil {
			t.Error(err)
		}
	})
	gathered := webrtc.GatheringCompletePromise(pc)
	offer, err := pc.CreateOffer(nil)
	if err == nil {
		err = pc.SetLocalDescription(offer)
	}
	if err != nil {
		t.Fatal(err)
	}
	<-gathered
	a.say(t, message{Type: typeOffer, SDP: sdp(pc.LocalDescription().SDP)})
	return a
}

// delivered is how much of what the attacker sends is received, in bit/s.
func (a *attacker) delivered() int { return a.sender.Stats().Delivered }

func (a *attacker) say(t *testing.T, m message) {
	t.Helper()
	m.Conn = "attack"
	if err := a.victim.peer.Signal(m.encode()); err != nil {
		t.Error(err)
	}
}

func same(sdp string) string { return sdp }

// await waits for a phase of the victim's connection.
func (a *attacker) await(t *testing.T, want transport.Phase) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case p := <-a.victim.phases:
			if p == want {
				return
			}
		case <-limit:
			t.Fatalf("never %d", want)
		}
	}
}

// TestForeignChannelEndsThePeer: misuse of data channels ends the connection.
func TestForeignChannelEndsThePeer(t *testing.T) {
	negotiated, zero, other := true, uint16(0), uint16(7)
	ours := func(pc *webrtc.PeerConnection, send func(*webrtc.DataChannel)) error {
		ch, err := pc.CreateDataChannel("parley", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &zero})
		if err == nil {
			ch.OnOpen(func() { send(ch) })
		}
		return err
	}
	flood := func(ch *webrtc.DataChannel, n, size int) {
		for range n {
			if ch.Send([]byte(`{"camera":[1,1]}`+strings.Repeat(" ", size))) != nil {
				return
			}
		}
	}
	for name, act := range map[string]func(pc *webrtc.PeerConnection) error{
		"one more channel": func(pc *webrtc.PeerConnection) error {
			_, err := pc.CreateDataChannel("more", nil)
			return err
		},
		"a thousand channels": func(pc *webrtc.PeerConnection) error {
			for i := range 1000 {
				if _, err := pc.CreateDataChannel(fmt.Sprint(i), nil); err != nil {
					return err
				}
			}
			return nil
		},
		"data outside of any channel": func(pc *webrtc.PeerConnection) error {
			ch, err := pc.CreateDataChannel("hidden", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &other})
			if err == nil {
				ch.OnOpen(func() { _ = ch.SendText("boo") })
			}
			return err
		},
		"a long message": func(pc *webrtc.PeerConnection) error {
			return ours(pc, func(ch *webrtc.DataChannel) { flood(ch, 1, 60_000) })
		},
		"an endless message": func(pc *webrtc.PeerConnection) error {
			return ours(pc, func(ch *webrtc.DataChannel) { flood(ch, 1, 200_000) })
		},
		"a thousand messages": func(pc *webrtc.PeerConnection) error {
			return ours(pc, func(ch *webrtc.DataChannel) { flood(ch, 1000, 0) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := attack(t, func(pc *webrtc.PeerConnection) {
				if err := act(pc); err != nil {
					t.Fatal(err)
				}
			}, same)
			a.await(t, transport.Failed)
			select {
			case err := <-a.ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("the peer goes on")
			}
		})
	}
}

// TestOurChannelIsLeftAlone: normal use of the data channel does not end the connection.
func TestOurChannelIsLeftAlone(t *testing.T) {
	negotiated, zero := true, uint16(0)
	a := attack(t, func(pc *webrtc.PeerConnection) {
		ch, err := pc.CreateDataChannel("parley", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &zero})
		if err != nil {
			t.Fatal(err)
		}
		ch.OnOpen(func() {
			for i := range maxWants {
				if err := ch.SendText(fmt.Sprintf(`{"camera":[%d,90]}`, 1+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}, same)
	a.await(t, transport.Connected)
	for limit := time.After(30 * time.Second); a.victim.peer.Want().Camera[0] != maxWants; {
		select {
		case err := <-a.ended:
			t.Fatalf("the peer ended: %v", err)
		case <-limit:
			t.Fatalf("wants %+v", a.victim.peer.Want())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestCandidatesAreFew: out of a thousand candidates only a few are accepted, and none that names this
// machine's loopback gets a packet.
func TestCandidatesAreFew(t *testing.T) {
	if offline() {
		t.Log("this machine has loopback alone: all members are on it")
		return
	}
	trap, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer trap.Close()
	port := trap.LocalAddr().(*net.UDPAddr).Port
	candidate := func(i int, address string, port int) string {
		return fmt.Sprintf("candidate:%d 1 udp 2130706431 %s %d typ host", i, address, port)
	}
	inside := "a=" + candidate(9000, "127.0.0.1", port) + "\r\n" + "a=" + candidate(9001, "0.0.0.0", port) + "\r\n" +
		"a=" + candidate(9002, "::ffff:127.0.0.1", port) + "\r\n" + "a=" + candidate(9003, "localhost", port) + "\r\n"
	a := attack(t, func(*webrtc.PeerConnection) {}, func(sdp string) string {
		return strings.Replace(sdp, "a=candidate:", inside+"a=candidate:", 1)
	})
	a.await(t, transport.Connected)
	for i := range 100 {
		for _, address := range []string{"127.0.0.1", "0.0.0.0", "::1", "secret.local", "198.51.100.7"} {
			a.say(t, message{Type: typeCandidate, Candidate: &webrtc.ICECandidateInit{Candidate: candidate(i, address, port+i)}})
		}
		for len(a.victim.peer.inbox) > inboxSize/2 { // none is to be dropped for want of room
			time.Sleep(time.Millisecond)
		}
	}
	for len(a.victim.peer.inbox) > 0 {
		time.Sleep(time.Millisecond)
	}
	a.victim.peer.mu.Lock()
	stats := a.victim.peer.pc.GetStats()
	a.victim.peer.mu.Unlock()
	n := 0
	for _, s := range stats {
		c, ok := s.(webrtc.ICECandidateStats)
		if !ok || c.Type != webrtc.StatsTypeRemoteCandidate {
			continue
		}
		n++
		if ip, err := netip.ParseAddr(c.IP); err != nil || ip.IsLoopback() || ip.IsUnspecified() {
			t.Errorf("took the candidate %q", c.IP)
		}
	}
	if n == 0 || n > maxCandidates+2 { // checks that come from elsewhere make one more each (RFC 8445 section 7.3.1.3)
		t.Errorf("%d remote candidates, want at most %d", n, maxCandidates)
	}
	if err := trap.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if n, from, err := trap.ReadFrom(make([]byte, 1500)); err == nil {
		t.Errorf("%d bytes to loopback, from %s", n, from)
	}
}

// TestGuard: what the guard refuses before Pion sees it.
func TestGuard(t *testing.T) {
	const udp = "candidate:1 1 udp 1 %s 9 typ host"
	for address, want := range map[string]bool{
		"192.0.2.7": true, "fd00::1": true, "10.0.0.1": true, "127.0.0.1": false, "127.8.8.8": false, "::1": false,
		"0.0.0.0": false, "::": false, "::ffff:127.0.0.1": false, "224.0.0.1": false, "255.255.255.255": false,
		"x.local": false, "example.org": false, "": false,
	} {
		var g guard
		if got := g.candidate(fmt.Sprintf(udp, address)); got != want {
			t.Errorf("%q taken: %v", address, got)
		}
	}
	if local := (guard{loopback: true}); !local.candidate(fmt.Sprintf(udp, "127.0.0.1")) || local.candidate(fmt.Sprintf(udp, "0.0.0.0")) {
		t.Error("a machine without a network reaches itself over loopback, and only there")
	}
	if new(guard).candidate("candidate:1 1 tcp 1 192.0.2.7 9 typ host tcptype passive") {
		t.Error("TCP is taken")
	}
	session := "v=0\r\na=ice-ufrag:one\r\n"
	for name, sdp := range map[string]string{
		"too long":          session + strings.Repeat("a=x\r\n", maxSDP/5),
		"too many sections": session + strings.Repeat("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", maxSections+1),
	} {
		if _, err := new(guard).description(sdp, noon); err == nil {
			t.Errorf("%s, and taken", name)
		}
	}
	var g guard
	for i := range 2 * maxDescriptions {
		if _, err := g.description(session, noon); (err == nil) != (i < maxDescriptions) {
			t.Errorf("description %d: %v", i+1, err)
		}
	}
	if _, err := g.description(session, noon.Add(limitSpan)); err != nil {
		t.Error("ten seconds later:", err)
	}
	for range 2 * maxCandidates {
		g.candidate(fmt.Sprintf(udp, "192.0.2.7"))
	}
	if g.candidates != maxCandidates || g.candidate(fmt.Sprintf(udp, "192.0.2.8")) {
		t.Errorf("%d candidates taken", g.candidates)
	}
	if _, err := g.description("v=0\r\na=ice-ufrag:two\r\n", noon.Add(2*limitSpan)); err != nil || !g.candidate(fmt.Sprintf(udp, "192.0.2.8")) {
		t.Error("a new path cannot be looked for:", err)
	}
}
