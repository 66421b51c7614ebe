package server_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/server"
)

// Whoever reaches NATS without the cluster's secret cannot evict a member, take its session over, or speak in its
// name; nor by playing again what nodes have said. Before, one notice did each.
func TestForgerOnNATSIsNotHeard(t *testing.T) {
	t.Parallel()
	address := server.StartNATS(t)
	forger, err := nats.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer forger.Close()
	var mu sync.Mutex
	var all []*nats.Msg
	if _, err := forger.Subscribe(">", func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, m)
	}); err != nil {
		t.Fatal(err)
	}
	if err := forger.Flush(); err != nil {
		t.Fatal(err)
	}
	n1, n2 := startNode(t, server.Config{NATS: address}), startNode(t, server.Config{NATS: address})
	name := room()
	a := startJoined(t, n1.url(), name)
	who := identity.New()
	first := dialRaw(t, n1)
	first.joinAs(name, who, 1, "")
	welcome := hear[signal.Welcome](first)
	next[client.Joined](t, a)
	second := dialRaw(t, n2) // the session moves to the other node, with a claim
	second.joinAs(name, who, 2, welcome.Session)
	if got := hear[signal.Welcome](second); !got.Resumed {
		t.Fatalf("the session did not move: %+v", got)
	}
	a.say(t, who.ID(), "hello")
	hear[signal.Message](second)
	second.say(signal.Encode(signal.Send{N: 1, Seq: 1, Body: []byte("spoken once")}))
	a.hears(t, who.ID(), "spoken once")

	mu.Lock()
	heard := all
	mu.Unlock()
	for _, m := range heard {
		if bytes.Contains(m.Data, []byte("spoken once")) {
			t.Errorf("%s shows a message", m.Subject)
		}
	}
	if len(heard) < 5 {
		t.Fatalf("only %d messages crossed NATS: this test is blind", len(heard))
	}
	for _, m := range heard { // play everything again, to where it went and with other replies
		again := *m
		again.Sub = nil
		_ = forger.PublishMsg(&again)
		_ = forger.PublishRequest(m.Subject, "forger.inbox", m.Data)
	}
	member := []map[string]any{{"id": who.ID(), "session": welcome.Session, "since": 1}}
	for _, kind := range []string{"down", "deny", "here", "up", "bye", "hello"} {
		forged, err := json.Marshal(map[string]any{"k": kind, "node": "forger", "members": member, "replaces": welcome.Session})
		if err != nil {
			t.Fatal(err)
		}
		for _, subject := range []string{"parley.v2.room." + name.Room, "parley.v2.nodes"} {
			_ = forger.Publish(subject, forged)
		}
	}
	if err := forger.Flush(); err != nil {
		t.Fatal(err)
	}
	second.say(signal.Encode(signal.Send{N: 2, Seq: 2, Body: []byte("still here")}))
	a.hears(t, who.ID(), "still here") // and nothing between
	a.say(t, who.ID(), "and heard")
	if got := hear[signal.Message](second); string(got.Body) != "and heard" {
		t.Fatalf("the member heard %q", got.Body)
	}
	if text := metricsOf(t, n1); strings.Contains(text, "parley_forged_notices_total 0\n") {
		t.Error("no forgery was counted")
	}
}
