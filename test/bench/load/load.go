// Package load puts the same open-loop load on a rendezvous and on a Socket.IO server, and measures how long messages take.
package load

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Plan is a load: members in rooms of equal size. Together they send Rate messages a second, each to everybody else in
// the room.
type Plan struct {
	Members  int
	RoomSize int
	Rate     int           // messages a second, all members together
	Size     int           // bytes of a message
	Warmup   time.Duration // before the measurement
	Time     time.Duration
}

// Member is one connected client.
type Member interface {
	// Say sends to everybody else in the room and does not wait for them.
	Say(body []byte) error
	Close()
}

// Dial connects a member to a room, by the room's number. It calls received with every body that arrives, from one
// goroutine for each member.
type Dial func(ctx context.Context, room int, received func(body []byte)) (Member, error)

// Result is what a load has shown. Delays count from when a message was due, not from when it was sent. So a server that
// holds up its senders does not look faster (no coordinated omission).
type Result struct {
	Sent      int
	Delivered int
	Expected  int
	P50, P99  time.Duration
}

// Crowd is members who are connected.
type Crowd struct {
	plan    Plan
	began   time.Time
	members []Member

	mu     sync.Mutex
	counts bool
	delays []time.Duration
}

// dialling is how many members connect at the same time.
const dialling = 16

// Gather connects everybody.
func Gather(ctx context.Context, p Plan, dial Dial) (*Crowd, error) {
	c := &Crowd{plan: p, began: time.Now(), members: make([]Member, p.Members)}
	var g errgroup.Group
	g.SetLimit(dialling)
	for i := range c.members {
		g.Go(func() error {
			m, err := dial(ctx, i/p.RoomSize, c.received)
			if err != nil {
				return fmt.Errorf("connect member %d: %w", i, err)
			}
			c.members[i] = m
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close disconnects everybody.
func (c *Crowd) Close() {
	for _, m := range c.members {
		if m != nil {
			m.Close()
		}
	}
}

// stampBytes is the length of a body's stamp: when it was due, and whether it counts.
const stampBytes = 9

func (c *Crowd) received(body []byte) {
	now := time.Since(c.began)
	if len(body) < stampBytes || body[8] == 0 {
		return
	}
	due := time.Duration(binary.BigEndian.Uint64(body))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts {
		c.delays = append(c.delays, now-due)
	}
}

// settle is how long the last messages may take.
const settle = 2 * time.Second

// Run sends the plan's messages. It calls during when the measurement begins and when it ends.
func (c *Crowd) Run(ctx context.Context, during func(begins bool)) (Result, error) {
	p := c.plan
	total := int(float64(p.Rate) * p.Time.Seconds())
	warm := int(float64(p.Rate) * p.Warmup.Seconds())
	c.delays = make([]time.Duration, 0, total*(p.RoomSize-1))
	c.counts = true
	begin := time.Since(c.began)
	for i := range warm + total {
		if i == warm {
			during(true)
		}
		due := begin + time.Duration(i)*time.Second/time.Duration(p.Rate)
		if wait := due - time.Since(c.began); wait > 0 {
			select {
			case <-ctx.Done():
				return Result{}, ctx.Err()
			case <-time.After(wait):
			}
		}
		body := make([]byte, p.Size)
		binary.BigEndian.PutUint64(body, uint64(due))
		if i >= warm {
			body[8] = 1
		}
		// A step that is coprime to the number of members visits them all.
		if err := c.members[i*7919%p.Members].Say(body); err != nil {
			return Result{}, fmt.Errorf("say: %w", err)
		}
	}
	during(false)
	select {
	case <-ctx.Done():
		return Result{}, ctx.Err()
	case <-time.After(settle):
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts = false
	r := Result{Sent: total, Delivered: len(c.delays), Expected: total * (p.RoomSize - 1)}
	if slices.Sort(c.delays); len(c.delays) > 0 {
		r.P50, r.P99 = c.delays[len(c.delays)/2], c.delays[len(c.delays)*99/100]
	}
	return r, nil
}
