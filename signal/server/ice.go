package server

import (
	"sync/atomic"
	"time"

	"parley/signal"
)

// ice names the STUN and TURN servers for one connection's member, with fresh credentials now and then. A nil ice
// names none. After the welcome it belongs to the session's lock.
type ice struct {
	guest   Guest
	ask     func(Guest) []signal.ICEServer
	renewal time.Duration
	renewAt time.Time
	changes *atomic.Uint64 // counts RenewICE
	known   uint64         // changes when it last asked
}

// RenewICE asks Config.ICE again for every member that is here, because its answer has changed. An answer without
// servers changes nothing for members.
func (s *Server) RenewICE() { s.iceChanges.Add(1) }

func (s *Server) newICE(g Guest) *ice {
	if s.cfg.ICE == nil {
		return nil
	}
	return &ice{guest: g, ask: s.cfg.ICE, renewal: s.cfg.ICERenewal, changes: &s.iceChanges}
}

func (i *ice) servers() []signal.ICEServer {
	if i == nil {
		return nil
	}
	i.renewAt, i.known = time.Now().Add(i.renewal), i.changes.Load()
	return i.ask(i.guest)
}

// due reports whether the credentials are to be renewed.
func (i *ice) due(now time.Time) bool {
	return i != nil && (i.renewal > 0 && !now.Before(i.renewAt) || i.known != i.changes.Load())
}

// renewed is servers if they are due, else nil.
func (i *ice) renewed(now time.Time) []signal.ICEServer {
	if !i.due(now) {
		return nil
	}
	return i.servers()
}
