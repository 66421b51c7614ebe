package server_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
	"parley/signal/server"
)

// BenchmarkRelay sends 700-byte bodies from one member to the others, client to client, all in
// this process; ns/op is for one send, delivered to every receiver.
func BenchmarkRelay(b *testing.B) {
	for _, receivers := range []int{1, 8} {
		b.Run(fmt.Sprintf("receivers=%d", receivers), func(b *testing.B) {
			n := startNode(b, server.Config{Rate: 1e9, Burst: 1e9})
			name := room()
			got := make([]chan struct{}, receivers)
			for i := range got {
				got[i] = make(chan struct{}, 1024)
				runQuietly(b, n, name, func(ev client.Event) {
					if _, ok := ev.(client.Message); ok {
						got[i] <- struct{}{}
					}
				})
			}
			sender := startMember(b, n.url(), name, identity.New())
			next[client.Connected](b, sender)
			body := make([]byte, 700)
			b.ResetTimer()
			const ahead = 256
			for i := range b.N {
				if err := sender.Send("", uint64(i)+1, body, nil); err != nil {
					b.Fatal(err)
				}
				if i >= ahead {
					for _, ch := range got {
						<-ch
					}
				}
			}
			for range min(ahead, b.N) {
				for _, ch := range got {
					<-ch
				}
			}
			b.ReportMetric(float64(b.N*receivers)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// BenchmarkConnections measures what an idle member costs, client and server together, in rooms
// of four.
func BenchmarkConnections(b *testing.B) {
	const members = 400
	for b.Loop() {
		n := startNode(b, server.Config{})
		heap, stacks := memory()
		name := room()
		for i := range members {
			if i%4 == 0 {
				name = room()
			}
			runQuietly(b, n, name, nil)
		}
		heap2, stacks2 := memory()
		b.ReportMetric((heap2-heap)/members, "heap-B/member")
		b.ReportMetric((stacks2-stacks)/members, "stack-B/member")
		n.stop()
	}
}

// BenchmarkJoin is what a join takes from a code to the welcome, client and service together: keys are derived and drawn,
// the connection is made, and proofs are signed and checked. With -cpu 1, the time is all of it processor time.
func BenchmarkJoin(b *testing.B) {
	for name, draw := range map[string]func() signal.Code{"long": signal.NewCode, "short": signal.NewShortCode} {
		b.Run("code="+name, func(b *testing.B) {
			n := startNode(b, server.Config{})
			code := draw()
			for b.Loop() {
				m := startMember(b, n.url(), signal.Derive(code), identity.New())
				next[client.Connected](b, m)
				m.stop()
			}
		})
	}
}

// BenchmarkCheckJoin is what the service does before it believes a join.
func BenchmarkCheckJoin(b *testing.B) {
	nonce := make([]byte, signal.NonceBytes)
	join := identity.New().Join(room(), nonce, signal.Join{Try: 1, Version: signal.Version})
	for b.Loop() {
		if err := identity.CheckJoin(nonce, join); err != nil {
			b.Fatal(err)
		}
	}
}

// runQuietly runs a member that nobody watches, and returns when it is connected.
func runQuietly(b *testing.B, n *node, name signal.Keys, events func(client.Event)) {
	connected := make(chan struct{}, 1)
	c := client.New(client.Config{URLs: []string{n.url()}, Keys: name, Identity: identity.New(), Events: func(ev client.Event) {
		if _, ok := ev.(client.Connected); ok {
			select {
			case connected <- struct{}{}:
			default:
			}
		}
		if events != nil {
			events(ev)
		}
	}})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx)
	}()
	b.Cleanup(func() { cancel(); <-ended })
	<-connected
}

func memory() (heap, stacks float64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc), float64(m.StackInuse)
}
