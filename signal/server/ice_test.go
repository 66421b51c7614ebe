package server_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/server"
)

// credentials returns a Config whose credentials count their renewals, and who asked for the last.
func credentials(renewal time.Duration) (server.Config, *atomic.Pointer[server.Guest]) {
	var asked atomic.Int64
	last := new(atomic.Pointer[server.Guest])
	return server.Config{ICERenewal: renewal, ICE: func(g server.Guest) []signal.ICEServer {
		last.Store(&g)
		return []signal.ICEServer{{
			URLs: []string{"turn:turn.example"}, Username: fmt.Sprint(asked.Add(1)), Credential: "hush", TTL: 60,
		}}
	}}, last
}

// A member gets its servers before it learns who is there, and new credentials in good time, on the same
// connection.
func TestCredentialsAreRenewed(t *testing.T) {
	t.Parallel()
	cfg, last := credentials(time.Millisecond)
	n := startNode(t, cfg)
	name := room()
	m := startMember(t, n.url(), name, identity.New())
	if got := next[client.Servers](t, m); len(got.ICE) != 1 || got.ICE[0].Username != "1" || got.ICE[0].Credential != "hush" {
		t.Errorf("servers %+v", got)
	}
	if g := last.Load(); g.Room != name.Room || g.ID != m.id || g.Host != n.addr() {
		t.Errorf("asked for %+v, member %s of room %s at %s", g, m.id, name.Room, n.addr())
	}
	next[client.Connected](t, m)
	for _, want := range []string{"2", "3"} {
		if got := next[client.Servers](t, m); len(got.ICE) != 1 || got.ICE[0].Username != want {
			t.Errorf("renewed as %+v, want user %s", got, want)
		}
	}
}

// Who resumes gets new credentials too, and a service without servers takes those away that another one had.
func TestCredentialsWhenResuming(t *testing.T) {
	cfg, _ := credentials(0)
	url := server.StartNATS(t)
	cfg.NATS = url
	with, without := startNode(t, cfg), startNode(t, server.Config{NATS: url})
	front := startCutter(t, with.addr())
	m := startMember(t, front.url(), room(), identity.New())
	next[client.Servers](t, m)
	next[client.Connected](t, m)
	m.Kick()
	if got := next[client.Servers](t, m); got.ICE[0].Username != "2" {
		t.Errorf("resumed with %+v", got)
	}
	if got := next[client.Connected](t, m); !got.Resumed {
		t.Error("not resumed")
	}
	front.retarget(without.addr())
	m.Kick()
	if got := next[client.Servers](t, m); len(got.ICE) != 0 {
		t.Errorf("a service without servers gave %+v", got)
	}
	next[client.Connected](t, m)
}

// TestRenewICE: members who are here learn at once that the servers have changed.
func TestRenewICE(t *testing.T) {
	t.Parallel()
	cfg, _ := credentials(0)
	n := startNode(t, cfg)
	m := startMember(t, n.url(), room(), identity.New())
	next[client.Servers](t, m)
	next[client.Connected](t, m)
	n.RenewICE()
	if got := next[client.Servers](t, m); len(got.ICE) != 1 || got.ICE[0].Username != "2" {
		t.Errorf("renewed as %+v", got)
	}
}
