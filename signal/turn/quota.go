package turn

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Quotas. What goes beyond them is refused or dropped, and counted.
const (
	// maxAllocations is how many one member may have at once: one for each of 49 others by UDP, TCP and TLS, over
	// IPv4 and IPv6, is 294, and an ICE restart has two sets for a moment.
	maxAllocations = 320
	// maxAllAllocations bounds the service: each takes a port, a file and two goroutines.
	maxAllAllocations = 8000
	// maxRate is what one member may have relayed, in bytes a second, both directions together: 33 Mbit/s are a camera
	// at 2.5 Mbit/s to and from six others. Beyond it packets are dropped, and congestion control takes it for a narrow path.
	maxRate = 4 << 20
	// maxBurst is what may come at once: a keyframe of a shared screen to and from each of them.
	maxBurst = maxRate / 2
	// maxPermissions bounds the addresses that one allocation may send to: a member names 32 candidates for each
	// ICE session, and permissions of an earlier one last for five minutes.
	maxPermissions = 128
	// maxClients and maxClientsOfAddress bound the TCP connections: a large office behind one address has a member's
	// allocations for each of its people.
	maxClients          = 8000
	maxClientsOfAddress = 1000
	// rememberFor keeps a member's account after its last allocation, so that nobody gets a new burst by starting over.
	rememberFor = time.Minute
)

// account is what one member uses.
type account struct {
	allocations int
	idleSince   time.Time
	bytes       *rate.Limiter
}

// take reports whether n more bytes may be relayed now.
func (a *account) take(n int) bool { return a.bytes.AllowN(time.Now(), n) }

// ledger has the accounts of the members, by their names in the credentials.
type ledger struct {
	mu      sync.Mutex
	members map[string]*account
	total   int
}

// room reports whether a member may have one more allocation.
func (l *ledger) room(member string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fits(member)
}

func (l *ledger) fits(member string) bool {
	a := l.members[member]
	return l.total < maxAllAllocations && (a == nil || a.allocations < maxAllocations)
}

// open counts an allocation in; nil if there is no room for it.
func (l *ledger) open(member string) *account {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.fits(member) {
		return nil
	}
	a := l.members[member]
	if a == nil {
		l.forget(time.Now())
		a = &account{bytes: rate.NewLimiter(maxRate, maxBurst)}
		l.members[member] = a
	}
	a.allocations++
	l.total++
	return a
}

// forget drops the accounts that have not been used for a while.
func (l *ledger) forget(now time.Time) {
	for name, a := range l.members {
		if a.allocations == 0 && now.Sub(a.idleSince) > rememberFor {
			delete(l.members, name)
		}
	}
}

// close counts an allocation out.
func (l *ledger) close(a *account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.allocations--
	a.idleSince = time.Now()
	l.total--
}

// tally counts what is open, and waits for its end.
type tally struct {
	mu   sync.Mutex
	n    int
	done chan struct{} // closed when n is 0; nil until the end has begun
}

// add counts one in, unless the end has begun.
func (t *tally) add() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done != nil {
		return false
	}
	t.n++
	return true
}

func (t *tally) sub() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 && t.done != nil {
		close(t.done)
	}
}

// end lets nothing be opened any more. The channel is closed when everything is closed.
func (t *tally) end() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done == nil {
		t.done = make(chan struct{})
		if t.n == 0 {
			close(t.done)
		}
	}
	return t.done
}

// ended reports whether nothing may be opened any more.
func (t *tally) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.done != nil
}

// clients counts TCP connections by address.
type clients struct {
	mu    sync.Mutex
	of    map[netip.Addr]int
	total int
}

// network is what counts as one address: one of IPv4, a /64 of IPv6.
func network(ip netip.Addr) netip.Addr {
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}

func (c *clients) enter(ip netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ip = network(ip); c.total >= maxClients || c.of[ip] >= maxClientsOfAddress {
		return false
	}
	c.total++
	c.of[ip]++
	return true
}

func (c *clients) leave(ip netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total--
	if ip = network(ip); c.of[ip] > 1 {
		c.of[ip]--
	} else {
		delete(c.of, ip)
	}
}
