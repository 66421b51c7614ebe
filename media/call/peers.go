package call

import (
	"slices"

	"parley/media/transport"
	"parley/signal"
	"parley/signal/room"
)

// follow makes the peers match the members of the meeting, and tells the transport.
func (m model) follow() (model, []effect) {
	if !m.inside() {
		return m, nil
	}
	old := m.Peers
	e := carry{
		online: m.Room.Link == room.Connected,
		route:  transport.Route{Servers: m.Room.ICE, RelayOnly: m.AddressHidden},
	}
	m.Peers = nil
	for _, x := range m.Room.Present() {
		p := Peer{ID: x.ID}
		if i := slices.IndexFunc(old, func(p Peer) bool { return p.ID == x.ID }); i >= 0 {
			p = old[i]
		}
		p.Name, p.Mic, p.Camera, p.Screen = x.Name, x.Mic, x.Camera, x.Screen
		p.Speaking = p.Speaking && p.Mic
		m.Peers = append(m.Peers, p)
		e.members = append(e.members, transport.Member{ID: x.ID, Earlier: x.Earlier})
	}
	return m, []effect{e}
}

func (m *model) phaseChanged(ev phaseChanged) {
	m.updatePeer(ev.id, func(p *Peer) {
		switch p.Phase = ev.phase; p.Phase {
		case PeerFailed:
			p.Speaking, p.Quality = false, 0
			p.Problem = pathProblem(ev.obstacle)
		case PeerConnected:
			p.Problem = Problem{}
		}
	})
}

func (m *model) updatePeer(id signal.ID, change func(*Peer)) {
	i := slices.IndexFunc(m.Peers, func(p Peer) bool { return p.ID == id })
	if i < 0 {
		return
	}
	m.Peers = slices.Clone(m.Peers)
	change(&m.Peers[i])
}
