package server

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"parley/signal"
)

// Budgets of one address, for each connection that it may have: 200 by default, so that a school
// or an office fits behind one address.
const (
	defaultPerAddress = 200
	wideShare         = 4         // an IPv6 /48 may use as much as four addresses
	heldPerConn       = 320 << 10 // bytes that may wait for the members of an address: 64 MiB
	volumePerConn     = 20 << 10  // bytes a second that they may send: 4 MiB
	volumeBurst       = 8         // seconds of it at once
	accountIdle       = 2 * time.Minute
	maxAccounts       = 100_000
)

// Budgets of the whole node.
const (
	defaultHeld = 512 << 20 // bytes that may wait for all members
	eventCost   = 64        // bytes of a waiting event besides its frame
)

// account is what one address uses: an IPv4 address or an IPv6 /64, for a household has a whole
// one. The /64s of one /48 share another, wider account.
type account struct {
	wide   *account // nil for IPv4 and for a /48
	share  int      // how many addresses' worth it may use
	joins  *rate.Limiter
	rooms  *rate.Limiter
	volume *rate.Limiter // bytes of sends
	held   atomic.Int64  // bytes that wait for its members

	// What follows belongs to the ledger's lock.
	sockets  int // TCP connections that have not become WebSockets
	conns    int
	pending  int // of conns: have not joined yet
	sessions int // with a connection or waiting for one
	used     time.Time
}

// ledger counts what each address uses of this node.
type ledger struct {
	perAddress  int
	maxConns    int
	maxSessions int
	maxHeld     int64
	held        atomic.Int64

	mu       sync.Mutex
	conns    int
	pending  int
	sessions int
	accounts map[netip.Prefix]*account
	sweepAt  int
}

func newLedger(perAddress, maxConns int) *ledger {
	return &ledger{
		perAddress: perAddress, maxConns: maxConns, maxSessions: maxConns + maxConns/2, maxHeld: defaultHeld,
		accounts: map[netip.Prefix]*account{}, sweepAt: 1024,
	}
}

// account finds the account of an address; nil when there are too many. l.mu is held.
func (l *ledger) account(addr netip.Addr) *account {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() || !addr.IsValid() {
		return l.entry(netip.PrefixFrom(addr, 32), 1)
	}
	wide, _ := addr.Prefix(48)
	narrow, _ := addr.Prefix(64)
	w, a := l.entry(wide, wideShare), l.entry(narrow, 1)
	if w == nil || a == nil {
		return nil
	}
	if a.wide == nil {
		a.wide = w
	}
	return a
}

func (l *ledger) entry(key netip.Prefix, share int) *account {
	now := time.Now()
	if len(l.accounts) >= l.sweepAt {
		for k, a := range l.accounts {
			if a.sockets+a.conns+a.sessions == 0 && now.Sub(a.used) > accountIdle {
				delete(l.accounts, k)
			}
		}
		l.sweepAt = max(1024, 2*len(l.accounts))
	}
	a := l.accounts[key]
	if a == nil {
		if len(l.accounts) >= maxAccounts {
			return nil
		}
		n := l.perAddress * share
		a = &account{
			share:  share,
			joins:  rate.NewLimiter(rate.Limit(n)/20, 2*n),
			rooms:  rate.NewLimiter(rate.Limit(n)/120, max(1, n/2)),
			volume: rate.NewLimiter(rate.Limit(n*volumePerConn), max(n*volumePerConn*volumeBurst, signal.MaxBody)),
		}
		l.accounts[key] = a
	}
	a.used = now
	return a
}

// all lists an account and the wider one above it.
func (a *account) all() []*account {
	if a.wide == nil {
		return []*account{a}
	}
	return []*account{a, a.wide}
}

// visit is one connection as its address's account has it.
type visit struct {
	ledger  *ledger
	account *account
	pending bool
}

// arrive counts a connection in, or says which budget is used up.
func (l *ledger) arrive(addr netip.Addr) (v *visit, refusal string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(addr)
	if a == nil || l.conns >= l.maxConns || l.pending >= max(1, l.maxConns/4) {
		return nil, "connections"
	}
	for _, a := range a.all() {
		limit := a.share * l.perAddress
		if a.conns >= limit || a.pending >= max(1, limit/4) {
			return nil, "address-connections"
		}
	}
	for _, a := range a.all() {
		if !a.joins.Allow() {
			return nil, "address-joins"
		}
	}
	v = &visit{l, a, true}
	v.add(1, 1)
	return v, ""
}

// add changes the counts of connections. l.mu is held.
func (v *visit) add(conns, pending int) {
	v.ledger.conns += conns
	v.ledger.pending += pending
	for _, a := range v.account.all() {
		a.conns += conns
		a.pending += pending
		a.used = time.Now()
	}
}

// joined tells that the connection has become a member's.
func (v *visit) joined() {
	v.ledger.mu.Lock()
	defer v.ledger.mu.Unlock()
	if v.pending {
		v.pending = false
		v.add(0, -1)
	}
}

// gone counts the connection out.
func (v *visit) gone() {
	v.ledger.mu.Lock()
	defer v.ledger.mu.Unlock()
	pending := 0
	if v.pending {
		pending = -1
	}
	v.add(-1, pending)
}

// owner is the account that the session is counted against; nil when it has ended or moved.
func (s *session) owner() *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.account
}

// mayOpen tells whether the connection's address may have one session more.
func (v *visit) mayOpen() bool {
	l := v.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range v.account.all() {
		if a.sessions >= a.share*(l.perAddress+l.perAddress/2) {
			return false
		}
	}
	return l.sessions < l.maxSessions
}

// mayFound tells whether the connection's address may open one room more.
func (v *visit) mayFound() bool {
	for _, a := range v.account.all() {
		if !a.rooms.Allow() {
			return false
		}
	}
	return true
}

// charge has a session counted against an address, and no longer against the one before. With
// nil it is counted no more. s.mu is held.
func (l *ledger) charge(s *session, to *account) {
	if s.account == to {
		return
	}
	cost := int64(s.bytes + eventCost*len(s.waiting))
	l.mu.Lock()
	defer l.mu.Unlock()
	for sign, a := range map[int]*account{-1: s.account, 1: to} {
		if a == nil {
			continue
		}
		l.sessions += sign
		l.held.Add(int64(sign) * cost)
		for _, a := range a.all() {
			a.sessions += sign
			a.held.Add(int64(sign) * cost)
			a.used = time.Now()
		}
	}
	s.account, s.ledger = to, l
}

// bill adds to what waits for a session. s.mu is held.
func (s *session) bill(events, bytes int) {
	s.bytes += bytes
	if s.account == nil {
		return
	}
	cost := int64(bytes + eventCost*events)
	s.ledger.held.Add(cost)
	s.account.held.Add(cost)
	if s.account.wide != nil {
		s.account.wide.held.Add(cost)
	}
}

// excess returns the account that has too much waiting: s's own, or when everything together is
// too much, the one with the most. nil: none.
func (l *ledger) excess(s *session) (a *account, limit int64) {
	own := s.owner()
	if own == nil {
		return nil, 0
	}
	for _, a := range own.all() {
		if limit := int64(a.share) * int64(l.perAddress) * heldPerConn; a.held.Load() > limit {
			return a, limit
		}
	}
	if l.held.Load() <= l.maxHeld {
		return nil, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, other := range l.accounts {
		if other.wide == nil && (a == nil || other.held.Load() > a.held.Load()) {
			a = other
		}
	}
	return a, a.held.Load() - (l.held.Load() - l.maxHeld)
}

// relieve ends sessions of an account, the one with the most waiting first, until an eighth
// below limit is used. n.mu is held.
func (n *node) relieve(a *account, limit int64) {
	type held struct {
		r     *room
		s     *session
		bytes int
	}
	var all []held
	for _, r := range n.rooms {
		for _, s := range r.sessions {
			s.mu.Lock()
			if s.account == a || s.account != nil && s.account.wide == a {
				all = append(all, held{r, s, s.bytes})
			}
			s.mu.Unlock()
		}
	}
	slices.SortFunc(all, func(x, y held) int { return cmp.Compare(y.bytes, x.bytes) })
	for _, h := range all {
		if a.held.Load() <= limit-limit/8 {
			return
		}
		n.metrics.overflows.Inc()
		n.end(h.r, h.s, signal.CodeOverflow)
	}
}
