package peer

import (
	"log/slog"

	"github.com/pion/logging"
)

// quiet is the log of everything that Pion runs for one connection. Pion's messages carry
// addresses, names and pieces of SDP, which belong in no log, and its errors are no failures of a
// call: it goes on sending reports for a moment after either side has closed the connection, for
// example. So what it warns of is seen only by who asks for debug messages, and without the
// values: the scope, and the format where there is one. Anything below a warning comes with every
// packet, and is dropped.
type quiet struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (q quiet) NewLogger(scope string) logging.LeveledLogger {
	return quiet{q.log.With("scope", scope)}
}

func (q quiet) Trace(string)          {}
func (q quiet) Tracef(string, ...any) {}
func (q quiet) Debug(string)          {}
func (q quiet) Debugf(string, ...any) {}
func (q quiet) Info(string)           {}
func (q quiet) Infof(string, ...any)  {}
func (q quiet) Warn(string)           { q.log.Debug("pion warns") }
func (q quiet) Error(string)          { q.log.Debug("pion fails") }

func (q quiet) Warnf(format string, _ ...any)  { q.log.Debug("pion warns", "format", format) }
func (q quiet) Errorf(format string, _ ...any) { q.log.Debug("pion fails", "format", format) }
