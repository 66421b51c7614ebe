package pipe

import (
	"encoding/binary"

	"parley/media"
)

// Redundant audio data, RFC 2198: a packet that carries, beside its own 20 ms, those of
// packets before it. Each earlier block has a header of 4 bytes,
//
//	1 | payload type (7) | timestamp offset (14) | length (10)
//
// the packet's own has one of 1 byte, 0 | payload type (7), and takes what is left.
const (
	redHeader    = 4
	redMore      = 0x80
	maxRedOffset = 1<<14 - 1
	maxRedLength = 1<<10 - 1
	// MaxRedDepth is how many earlier packets one repeats at the most: at 30% random loss,
	// of 1000 packets 8 are then lost four times.
	MaxRedDepth = 3
	// redBlocks is how many earlier blocks of a packet are read; more are ignored. The
	// offset's 14 bits end at 17 packets of 20 ms.
	redBlocks = maxRedOffset / media.PacketSamples
)

// RedEncoder makes RED payloads of one stream. It keeps the newest packets, at most
// MaxRedDepth; older ones fall out. It is used by one goroutine.
type RedEncoder struct {
	kept [MaxRedDepth]struct { // a ring
		timestamp uint32
		data      []byte
	}
	count int // kept, of which the newest is at (next-1)
	next  int
	last  uint32 // timestamp of the packet before
	buf   []byte
}

// Encode returns data, the packet of that timestamp, together with up to depth packets
// before it, and keeps a copy for those to come. The payload is at most limit bytes long,
// if data is, and is valid until the next call. With blocks 0, it is data itself and not
// RED. payloadType is that of the blocks.
//
// The packets of a payload follow each other without a gap, so that the receiver can tell
// their sequence numbers from their timestamps: a silence is where redundancy begins anew.
func (e *RedEncoder) Encode(payloadType uint8, timestamp uint32, data []byte, depth, limit int) (payload []byte, blocks int) {
	if timestamp-e.last != media.PacketSamples {
		e.count = 0
	}
	e.last = timestamp
	size := 1 + len(data)
	for blocks < min(depth, e.count) {
		n := len(e.before(blocks))
		if size += redHeader + n; size > limit || n > maxRedLength {
			break
		}
		blocks++
	}
	if blocks == 0 {
		e.keep(timestamp, data)
		return data, 0
	}
	e.buf = e.buf[:0]
	for i := blocks - 1; i >= 0; i-- {
		offset := uint32(i+1) * media.PacketSamples
		e.buf = binary.BigEndian.AppendUint32(e.buf,
			uint32(redMore|payloadType)<<24|offset<<10|uint32(len(e.before(i))))
	}
	e.buf = append(e.buf, payloadType)
	for i := blocks - 1; i >= 0; i-- {
		e.buf = append(e.buf, e.before(i)...)
	}
	e.buf = append(e.buf, data...)
	e.keep(timestamp, data)
	return e.buf, blocks
}

// before is the data of the packet i before the last, which is 0.
func (e *RedEncoder) before(i int) []byte {
	return e.kept[(e.next+2*MaxRedDepth-1-i)%MaxRedDepth].data
}

func (e *RedEncoder) keep(timestamp uint32, data []byte) {
	k := &e.kept[e.next]
	k.timestamp, k.data = timestamp, append(k.data[:0], data...)
	e.next = (e.next + 1) % MaxRedDepth
	e.count = min(e.count+1, MaxRedDepth)
}

// redPacket is a RED payload taken apart. Its slices lie within the payload.
type redPacket struct {
	earlier [redBlocks]redBlock
	count   int
	primary []byte
}

// redBlock is the packet of offset samples before.
type redBlock struct {
	offset uint32
	data   []byte
}

// parse takes a payload apart; false means that it makes no sense. Earlier blocks that are
// empty, or of another payload type than the last, are left out.
func (r *redPacket) parse(payload []byte) bool {
	r.count, r.primary = 0, nil
	headers, blocks := 0, 0
	for headers+redHeader <= len(payload) && payload[headers]&redMore != 0 {
		headers += redHeader
	}
	if headers >= len(payload) || payload[headers]&redMore != 0 {
		return false
	}
	kind := payload[headers]
	data := payload[headers+1:]
	for ; blocks*redHeader < headers; blocks++ {
		h := binary.BigEndian.Uint32(payload[blocks*redHeader:])
		n := int(h & maxRedLength)
		if n > len(data) {
			return false
		}
		offset := h >> 10 & maxRedOffset
		if n > 0 && offset > 0 && uint8(h>>24)&^redMore == kind && r.count < redBlocks {
			r.earlier[r.count] = redBlock{offset, data[:n]}
			r.count++
		}
		data = data[n:]
	}
	r.primary = data
	return len(data) > 0
}
