package client

import "parley/signal"

// Limits of the outbox.
const (
	// MaxQueue is how many sends may wait for the service's acknowledgement.
	MaxQueue = 1024
	// MaxQueueBytes is how many bytes of bodies those may hold.
	MaxQueueBytes = 8 << 20
)

// outbox holds what was sent and is not yet acknowledged: at most MaxQueue sends and
// MaxQueueBytes; one more is refused, none is dropped. It is not safe for concurrent use.
type outbox struct {
	items []item // items[i] carries number base+1+i
	bytes int
	base  uint64 // the last number acknowledged in this session
	sent  int    // how many of items went out over the current socket
}

type item struct {
	to   signal.ID
	seq  uint64
	body []byte
	done func(error)
}

func (o *outbox) push(it item) bool {
	if len(o.items) >= MaxQueue || o.bytes+len(it.body) > MaxQueueBytes {
		return false
	}
	o.items = append(o.items, it)
	o.bytes += len(it.body)
	return true
}

// restart prepares for a new socket. The service has everything up to number last; in a new
// session that is 0, and what is left is numbered anew.
func (o *outbox) restart(fresh bool, last uint64) (acked []item, ok bool) {
	o.sent = 0
	if fresh {
		o.base = 0
	}
	return o.ack(last)
}

// ack removes everything up to number n. It is not ok to acknowledge what was never numbered.
func (o *outbox) ack(n uint64) (acked []item, ok bool) {
	if n <= o.base {
		return nil, true
	}
	count := n - o.base
	if count > uint64(len(o.items)) {
		return nil, false
	}
	acked = o.items[:count:count]
	o.items = o.items[count:]
	for _, it := range acked {
		o.bytes -= len(it.body)
	}
	o.base = n
	o.sent = max(0, o.sent-int(count))
	return acked, true
}

// pending tells whether something has not gone out over the current socket.
func (o *outbox) pending() bool { return o.sent < len(o.items) }

// next returns the next frame for the current socket.
func (o *outbox) next() (signal.Send, bool) {
	if o.sent == len(o.items) {
		return signal.Send{}, false
	}
	it := o.items[o.sent]
	o.sent++
	return signal.Send{N: o.base + uint64(o.sent), To: it.to, Seq: it.seq, Body: it.body}, true
}

// drain empties the outbox for good.
func (o *outbox) drain() []item {
	rest := o.items
	*o = outbox{}
	return rest
}
