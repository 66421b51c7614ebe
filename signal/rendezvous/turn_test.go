package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	pion "github.com/pion/turn/v5"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
)

// buffer may be written and read at the same time.
type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// startService runs the service with these flags, and returns its address and its log.
func startService(t *testing.T, args ...string) (addr string, log *buffer) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log, done := new(buffer), make(chan int, 1)
	go func() { done <- run(ctx, append([]string{"--listen", "127.0.0.1:0"}, args...), log, log) }()
	t.Cleanup(func() {
		cancel()
		if status := <-done; status != exitOK {
			t.Errorf("status %d\n%s", status, log)
		}
	})
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		for line := range strings.Lines(log.String()) {
			var l struct{ Msg, Addr string }
			if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "listening" {
				return l.Addr, log
			}
		}
	}
	t.Fatalf("the service does not come up:\n%s", log)
	return "", nil
}

// given is what a member of the service is told about STUN and TURN.
func given(t *testing.T, addr string) []signal.ICEServer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var ice []signal.ICEServer
	c := client.New(client.Config{
		URLs: []string{"ws://" + addr + signal.SocketPath}, Keys: signal.Derive(signal.NewCode()), Identity: identity.New(),
		Events: func(ev client.Event) {
			switch ev := ev.(type) {
			case client.Servers:
				ice = ev.ICE
			case client.Connected:
				cancel()
			}
		},
	})
	if err := c.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return ice
}

// freePort is a port that is free for UDP and TCP. It lies below those that the system gives to other programs meanwhile.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		udp, err := net.ListenPacket("udp4", at)
		if err != nil {
			continue
		}
		tcp, err := net.Listen("tcp4", at)
		udp.Close()
		if err == nil {
			tcp.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// With one flag, members are given a TURN server that takes their credential, at the port of the rendezvous too.
// Nothing of it is in the log.
func TestTurn(t *testing.T) {
	number := strconv.Itoa(freePort(t))
	addr, log := startService(t, "--turn", "--turn-port", number, "--turn-relay", "127.0.0.1")
	ice := given(t, addr)
	if len(ice) != 1 || len(ice[0].URLs) != 3 || ice[0].URLs[2] != "turn:"+addr+"?transport=tcp" {
		t.Fatalf("servers %+v", ice)
	}
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	for server, conn := range map[string]net.PacketConn{"127.0.0.1:" + number: udp, addr: pion.NewSTUNConn(tcp)} {
		c, err := pion.NewClient(&pion.ClientConfig{
			TURNServerAddr: server, Conn: conn, Username: ice[0].Username, Password: string(ice[0].Credential),
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Listen(); err != nil {
			t.Fatal(err)
		}
		relay, err := c.Allocate()
		if err != nil {
			t.Errorf("allocate at %s: %v", server, err)
		} else {
			relay.Close()
		}
		c.Close()
		conn.Close()
	}
	for _, secret := range []string{ice[0].Username, string(ice[0].Credential)} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, log)
		}
	}
	if !strings.Contains(log.String(), "--turn-relay") {
		t.Errorf("no warning that nobody reaches the relays:\n%s", log)
	}
}

// Another TURN server is named as it was given, and its secret is in no log.
func TestTurnElsewhere(t *testing.T) {
	addr, log := startService(t, "--turn-url", "turn:a.example,turns:a.example:443?transport=tcp", "--turn-secret", "north wind")
	ice := given(t, addr)
	if len(ice) != 1 || len(ice[0].URLs) != 2 || ice[0].URLs[0] != "turn:a.example" || ice[0].Credential == "" {
		t.Errorf("servers %+v", ice)
	}
	if strings.Contains(log.String(), "north wind") {
		t.Errorf("the secret is in the log:\n%s", log)
	}
}

// Without a flag there are none.
func TestNoTurn(t *testing.T) {
	addr, _ := startService(t)
	if ice := given(t, addr); len(ice) != 0 {
		t.Errorf("servers %+v", ice)
	}
}
