package load

import (
	"context"
	"fmt"
	"sync/atomic"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
)

// Rendezvous connects members to a Parley rendezvous with the app's own client.
func Rendezvous(url string) Dial {
	return func(ctx context.Context, room int, received func([]byte)) (Member, error) {
		connected := make(chan struct{})
		m := &parleyMember{ended: make(chan error, 1)}
		m.client = client.New(client.Config{
			URLs: []string{url}, Keys: signal.Derive(signal.Code(fmt.Sprintf("%024d", room))), Identity: identity.New(),
			Events: func(ev client.Event) {
				switch ev := ev.(type) {
				case client.Connected:
					if m.connected.CompareAndSwap(false, true) {
						close(connected)
					}
				case client.Message:
					received(ev.Body)
				}
			},
		})
		go func() { m.ended <- m.client.Run(context.WithoutCancel(ctx)) }()
		select {
		case <-connected:
			return m, nil
		case err := <-m.ended:
			return nil, err
		case <-ctx.Done():
			m.client.Close()
			return nil, ctx.Err()
		}
	}
}

type parleyMember struct {
	client    *client.Client
	connected atomic.Bool
	seq       uint64
	ended     chan error
}

func (m *parleyMember) Say(body []byte) error {
	m.seq++
	return m.client.Send("", m.seq, body, nil)
}

func (m *parleyMember) Close() {
	m.client.Close()
	<-m.ended
}
