package main

import (
	"time"

	"parley/media/call"
)

// settleAfter is how long a meeting lasts before what only its beginning needed is given up: by then
// everything that it shows was drawn once.
const settleAfter = 3 * time.Second

// settler gives up idle code in every meeting. A renderer in software compiles what it draws with with
// LLVM, of which 30 MB have been used then and are not again.
func (p *program) settler() func(call.State) {
	var timer *time.Timer // nil outside a meeting
	return func(s call.State) {
		switch live := s.Phase == call.Live; {
		case live && timer == nil:
			timer = time.AfterFunc(settleAfter, func() {
				if _, err := dropCode(); err != nil {
					p.log.Warn("code that is idle stays in memory", "err", err)
				}
			})
		case !live && timer != nil:
			timer.Stop()
			timer = nil
		}
	}
}
