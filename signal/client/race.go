package client

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"parley/signal"
)

const (
	// stagger is the time between the starts of two addresses (RFC 8305, section 5).
	stagger = 250 * time.Millisecond
	// joinPatience is how long one connection may wait for its welcome while another is ready to join.
	joinPatience = time.Second
)

// line is a connection that the service has welcomed.
type line struct {
	conn    *websocket.Conn
	welcome signal.Welcome
}

// arrival is what became of the address with number n.
type arrival struct {
	line
	n   int
	err error
}

// connect tries the addresses of the rendezvous, the last good one first. It starts one every
// 250 ms, or at once when one has failed, and returns the first that is welcomed. All that it
// started has ended by then.
func (c *Client) connect(ctx context.Context) (line, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	urls := c.order()
	r := race{client: c, turn: make(chan struct{}, 1)}
	arrivals := make(chan arrival, len(urls))
	failures := make([]error, len(urls))
	start := time.NewTimer(0)
	defer start.Stop()
	won := arrival{n: -1}
	for started, ended := 0, 0; ended < started || won.n < 0 && started < len(urls); {
		select {
		case <-start.C:
			if won.n < 0 && started < len(urls) {
				go func(n int) { arrivals <- r.run(ctx, n, urls[n]) }(started)
				started++
				start.Reset(stagger)
			}
		case a := <-arrivals:
			ended++
			if failures[a.n] = a.err; a.err == nil { // only one: the turn to join ends with it
				won = a
				cancel()
			}
			start.Reset(0)
		}
	}
	if won.n < 0 {
		return line{}, worst(failures)
	}
	c.good = urls[won.n]
	return won.line, nil
}

// order lists the addresses, the one that worked last first.
func (c *Client) order() []string {
	urls := make([]string, 0, len(c.cfg.URLs))
	if c.good != "" {
		urls = append(urls, c.good)
	}
	for _, u := range c.cfg.URLs {
		if u != c.good {
			urls = append(urls, u)
		}
	}
	return urls
}

// race lets several connections be made at once and one of them join at a time: the service
// gives a membership to whoever joins last, so a second join would take it from the first.
type race struct {
	client *Client
	turn   chan struct{} // holds 1: somebody is joining, or has joined

	mu     sync.Mutex
	giveUp context.CancelFunc // of whoever is joining
	since  time.Time          // when that began
}

// run connects to one address and joins.
func (r *race) run(ctx context.Context, n int, address string) arrival {
	conn, err := r.client.dial(ctx, address)
	if err != nil {
		return arrival{n: n, err: err}
	}
	if err := r.wait(ctx); err != nil {
		_ = conn.Close()
		return arrival{n: n, err: err}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.mu.Lock()
	r.giveUp, r.since = cancel, time.Now()
	r.mu.Unlock()
	interrupt := context.AfterFunc(ctx, func() { _ = conn.Close() })
	welcome, err := r.client.join(conn)
	if !interrupt() && err == nil {
		err = errNoAnswer
	}
	if err != nil {
		_ = conn.Close()
		<-r.turn
		return arrival{n: n, err: notJoined(err, address)}
	}
	return arrival{line: line{conn, welcome}, n: n}
}

// wait waits for the turn to join. Whoever has had it for joinPatience without a welcome loses it.
func (r *race) wait(ctx context.Context) error {
	patience := time.NewTimer(r.hurry())
	defer patience.Stop()
	for {
		select {
		case r.turn <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-patience.C:
			patience.Reset(r.hurry())
		}
	}
}

// hurry ends the join that has taken too long, and says when to look again.
func (r *race) hurry() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := joinPatience - time.Since(r.since)
	if left <= 0 && r.giveUp != nil {
		r.giveUp()
	}
	return max(left, joinPatience/10)
}

// notJoined says what it means that a connection was not welcomed.
func notJoined(err error, address string) error {
	f := &Failure{Kind: Unreachable}
	if u, err := url.Parse(address); err == nil {
		f.Host = u.Host
	}
	var refusal signal.Error
	switch {
	case errors.As(err, &refusal), errors.Is(err, ErrVersion), errors.Is(err, ErrOldServer), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, ErrNotRendezvous):
		f.Kind, f.certain = Foreign, true
	case errors.Is(err, errNoAnswer):
		f.Kind = Silent
	}
	return f
}

// worst picks the failure that says most to a person: a rendezvous that refuses, then what is
// in the way, then that there is no way. It is certain only if all are.
func worst(failures []error) error {
	said, best, certain := error(errNoAddress), -1, true
	for _, err := range failures {
		says := 4 // a refusal
		var f *Failure
		if errors.As(err, &f) {
			says = f.says()
			certain = certain && f.certain
		} else if errors.Is(err, context.Canceled) {
			says = 0
		}
		if err != nil && says > best {
			said, best = err, says
		}
	}
	var f *Failure
	if errors.As(said, &f) && f.certain && !certain {
		doubted := *f
		doubted.certain = false
		return &doubted
	}
	return said
}
