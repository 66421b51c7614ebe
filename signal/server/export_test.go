package server

import (
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// SetMaxHeld bounds the bytes that may wait for all members of the node.
func (s *Server) SetMaxHeld(bytes int64) { s.node.ledger.maxHeld = bytes }

// StartNATS runs a real NATS server that listens on a port of its own.
func StartNATS(t testing.TB) string {
	t.Helper()
	ns, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(20 * time.Second) {
		t.Fatal("NATS does not come up")
	}
	t.Cleanup(func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	return ns.ClientURL()
}
