package congestion

// copies remembers what transport-wide numbers the packets of a stream left with whose repairs have no
// stream of their own. Such a repair has to be the same packet, bit for bit: SRTP must not encrypt two
// that differ, be it in the header, by the same sequence number (RFC 3711 section 9.1, RFC 7714 section 8.3).
type copies struct{ left []numbered }

type numbered struct {
	seq, number uint16
	ok          bool
}

// As many as the responders in package peer keep, and more.
const copiesOfVideo, copiesOfSound = 1024, 128

// remember makes room.
func (c *copies) remember(sound bool) {
	size := copiesOfVideo
	if sound {
		size = copiesOfSound
	}
	c.left = make([]numbered, size)
}

func (c *copies) add(seq, number uint16) {
	if n := len(c.left); n > 0 {
		c.left[int(seq)%n] = numbered{seq, number, true}
	}
}

// of is the number that a packet left with.
func (c *copies) of(seq uint16) (number uint16, ok bool) {
	n := len(c.left)
	if n == 0 {
		return 0, false
	}
	p := c.left[int(seq)%n]
	return p.number, p.ok && p.seq == seq
}
