package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"parley/media/call"
)

// openStats opens the file of --stats. It returns nil without one.
func openStats(path string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--stats: %w", err)
	}
	return f, nil
}

// writeStats writes one line a second. Several bots share the file: each line is one write, and an
// os.File writes one at a time.
func (p *program) writeStats(ctx context.Context, c *call.Call) error {
	if p.stats == nil {
		return nil
	}
	m := call.NewMeter(c)
	enc := json.NewEncoder(p.stats)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if err := enc.Encode(m.Line(now)); err != nil {
				return failure{fmt.Errorf("write --stats: %w", err)}
			}
		}
	}
}
