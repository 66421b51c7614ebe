package pulse

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

// mutes knows which microphones the user has muted in the sound server, which makes their samples all zeros.
// miniaudio does not report it. The connection is made at the first query, and kept: the server sends an event when
// one of its sources has changed.
type mutes struct {
	log *slog.Logger

	mu     sync.Mutex
	conn   *pulseConn      // nil before the first use and after the server has gone
	failed time.Time       // of the last try that found no server
	muted  map[string]bool // by the names of sources
	stale  atomic.Bool     // muted may be wrong
}

// now returns the muted sources; nil without a server. Nobody writes to the returned map.
func (m *mutes) now() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil && m.conn.hasEnded() {
		m.hangUp()
	}
	if m.conn == nil && (time.Since(m.failed) < audioRetry || !m.dial()) {
		return nil
	}
	if m.stale.CompareAndSwap(true, false) {
		if err := m.ask(); err != nil {
			m.log.Debug("ask which microphones are muted", "err", err)
			m.hangUp()
			m.failed = time.Now()
			return nil
		}
	}
	return m.muted
}

func (m *mutes) dial() bool {
	conn, err := dialPulse(func(message any) {
		if _, ok := message.(*proto.SubscribeEvent); ok {
			m.stale.Store(true)
		}
	})
	if err == nil {
		if err = conn.Request(&proto.Subscribe{Mask: proto.SubscriptionMaskSource}, nil); err != nil {
			conn.close()
		}
	}
	if err != nil {
		m.failed = time.Now()
		return false
	}
	m.conn = conn
	m.stale.Store(true)
	return true
}

func (m *mutes) ask() error {
	var sources proto.GetSourceInfoListReply
	if err := m.conn.Request(&proto.GetSourceInfoList{}, &sources); err != nil {
		return err
	}
	m.muted = make(map[string]bool)
	for _, s := range sources {
		if s.Mute || silent(s.ChannelVolumes) {
			m.muted[s.SourceName] = true
		}
	}
	return nil
}

// silent reports whether a source's volume is 0, which is the same as muted.
func silent(volumes proto.ChannelVolumes) bool {
	for _, v := range volumes {
		if v > 0 {
			return false
		}
	}
	return len(volumes) > 0
}

func (m *mutes) hangUp() {
	if m.conn != nil {
		m.conn.close()
	}
	m.conn, m.muted = nil, nil
}

func (m *mutes) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hangUp()
}
