package server

import "time"

// Presence is soft state: a node says once a second that it lives, and every few seconds who is
// with it in each room.
const (
	nodeBeat    = time.Second
	nodeDead    = 3500 * time.Millisecond // three beats missed
	repeatEvery = 5 * time.Second         // for one room
	repeatSlice = 50 * time.Millisecond   // a part of the rooms has its turn in each
	memberDead  = 16 * time.Second        // three repetitions missed
	returnTime  = 10 * time.Second        // for the members of a node that has gone
	maxBacklog  = inboxSize / 8           // repetitions wait while more than this waits for the dispatcher
)

// keepPresence runs apart from the dispatcher, which takes in what it publishes, and spreads the
// rooms over the whole period: repeated at once, the rooms of a large node would fill its own
// inbox, and NATS would drop messages that have been acknowledged.
func (n *node) keepPresence() {
	beat := time.NewTicker(nodeBeat)
	defer beat.Stop()
	slice := time.NewTicker(repeatSlice)
	defer slice.Stop()
	var due []string // rooms whose turn is still to come in this period
	share := 0
	began := time.Now()
	for {
		select {
		case <-n.stopped:
			return
		case <-beat.C:
			n.beat()
		case now := <-slice.C:
			if len(due) == 0 && (now.Sub(began) >= repeatEvery || n.hurried()) {
				began = now
				due = n.roomNames()
				share = len(due)/int(repeatEvery/repeatSlice) + 1
			}
			if len(n.bus.inbox) <= maxBacklog {
				turn := due[:min(share, len(due))]
				due = due[len(turn):]
				for _, name := range turn {
					n.repeat(name, now)
				}
			}
		}
	}
}

// hurried tells whether a new node waits to hear of our rooms.
func (n *node) hurried() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	was := n.repeatSoon
	n.repeatSoon = false
	return was
}

func (n *node) roomNames() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	names := make([]string, 0, len(n.rooms))
	for name := range n.rooms {
		names = append(names, name)
	}
	return names
}

// beat says that this node lives, and forgets the nodes that have not said so for long.
func (n *node) beat() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bus.publish(subjectNodes, notice{Kind: noticeAlive, Node: n.name})
	now := time.Now()
	for name, heard := range n.nodes {
		if now.Sub(heard) > nodeDead {
			n.forget(name)
		}
	}
}

// repeat tells the other nodes who is here in a room, and drops members of theirs that they have
// stopped repeating. The lock is held for one room at a time.
func (n *node) repeat(name string, now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.rooms[name]
	if r == nil {
		return
	}
	if len(n.nodes) > 0 {
		n.announce(name, r)
	}
	for _, e := range r.view {
		if r.sessions[e.ID] == nil && now.Sub(e.seen) > memberDead {
			n.remove(r, e.ID)
		}
	}
	n.tidy(r)
}
