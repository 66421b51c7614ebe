package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	"golang.org/x/sync/errgroup"

	"parley/media/bot"
	"parley/media/call"
	"parley/media/check"
	"parley/signal/host"
	"parley/signal/probe"
	"parley/signal/server"
)

// bot runs parley bot: --count members without a window.
func (p *program) bot() error {
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	cfg := p.callConfig()
	cfg.Changed = p.announcer()
	err := bot.Run(ctx, bot.Config{
		Call: cfg, Count: p.count, ViewW: p.viewW, ViewH: p.viewH, Begin: p.begin, Problems: os.Stderr,
		Beside: func(ctx context.Context, c *call.Call) error {
			g, ctx := errgroup.WithContext(ctx)
			g.Go(func() error { return p.writeStats(ctx, c) })
			g.Go(func() error {
				if p.leaveLater(ctx, c) {
					cancel()
				}
				return nil
			})
			return g.Wait()
		},
	})
	if errors.Is(err, bot.ErrEnded) {
		return failure{err}
	}
	return err
}

// errNoMeetings ends parley check when the report has said why nobody can meet.
var errNoMeetings = errors.New("no meetings over this server from here")

// probe reports what of a hosted rendezvous works from here.
func (p *program) probe() error {
	report := probe.Run(p.ctx, probe.Config{Server: p.server})
	if p.json {
		if err := report.PrintJSON(os.Stdout); err != nil {
			return failure{fmt.Errorf("print the report: %w", err)}
		}
	} else {
		report.Print(os.Stdout)
		fmt.Println()
	}
	if !report.OK {
		return failure{errNoMeetings}
	}
	return nil
}

// check runs parley check, with a rendezvous of its own unless there is a --server.
func (p *program) check() error {
	if p.server != nil {
		if err := p.probe(); err != nil || p.json {
			return err
		}
	}
	g, ctx := errgroup.WithContext(p.ctx)
	ctx, cancel := context.WithCancel(ctx)
	where := p.server
	if where == nil {
		u, err := loopbackServer(ctx, g, p)
		if err != nil {
			cancel()
			return failure{err}
		}
		where = u
	}
	err := check.Run(ctx, check.Config{Call: p.callConfig(), Server: where, Out: os.Stdout})
	cancel()
	if err = errors.Join(err, g.Wait()); err != nil {
		return failure{err}
	}
	return nil
}

// loopbackServer runs a rendezvous on an address that only this machine reaches.
func loopbackServer(ctx context.Context, g *errgroup.Group, p *program) (*url.URL, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen on loopback: %w", err)
	}
	srv, err := server.New(server.Config{Log: p.log})
	if err != nil {
		l.Close()
		return nil, err
	}
	g.Go(func() error { return srv.Run(ctx) })
	g.Go(func() error { return host.Serve(ctx, l, srv) })
	return &url.URL{Scheme: "http", Host: l.Addr().String()}, nil
}
