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
type pionLog struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (q pionLog) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{q.log.With("scope", scope)}
}

func (q pionLog) Trace(string)          {}
func (q pionLog) Tracef(string, ...any) {}
func (q pionLog) Debug(string)          {}
func (q pionLog) Debugf(string, ...any) {}
func (q pionLog) Info(string)           {}
func (q pionLog) Infof(string, ...any)  {}
func (q pionLog) Warn(string)           { q.log.Debug("pion warns") }
func (q pionLog) Error(string)          { q.log.Debug("pion fails") }

func (q pionLog) Warnf(format string, _ ...any)  { q.log.Debug("pion warns", "format", format) }
func (q pionLog) Errorf(format string, _ ...any) { q.log.Debug("pion fails", "format", format) }
