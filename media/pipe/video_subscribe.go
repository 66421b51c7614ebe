package pipe

import (
	"slices"
	"time"

	"parley/media"
)

// Subscription is one receiver of a VideoSender: a peer's track. Its methods may be called from
// any goroutine.
type Subscription struct {
	s *VideoSender
	f func(*media.Packet)

	// Guarded by s.mu.
	want  VideoWant
	place place // where it is to be
	from  int   // the layer it gets, -1 before its first keyframe

	lately   int       // bit rate that chooses the layer
	latelyAt time.Time // when it was last wanted
}

// A bit rate that is lower for less than layerPatience does not change the layer, unless it is lower
// than layerFall of what it was: a probe of the path makes room for itself, and each change of the layer
// costs two keyframes.
const (
	layerPatience = time.Second
	layerFall     = 0.25
)

// Subscribe has f called with the packets of the best layer that want allows, from a keyframe on,
// on the encoder's goroutine; f must not block. The keyframe is on its way when Subscribe returns.
func (s *VideoSender) Subscribe(want VideoWant, f func(*media.Packet)) *Subscription {
	u := &Subscription{s: s, f: f, want: want, place: place{layer: -1, limit: Unlimited}, from: -1}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs = append(s.subs, u)
	s.poke()
	return u
}

// Set changes what the subscriber can take, from the next frame on.
func (u *Subscription) Set(want VideoWant) {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	bits, now := max(want.BitRate, minBitRate), time.Now() // never less is sent
	if bits >= u.lately || float64(bits) < layerFall*float64(u.lately) || now.Sub(u.latelyAt) > layerPatience {
		u.lately, u.latelyAt = bits, now
	}
	want.lately = u.lately
	u.want = want
}

// RequestKeyframe makes the next frame of the subscriber's layer a keyframe, at most one every
// keyInterval.
func (u *Subscription) RequestKeyframe() {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	if u.from >= 0 {
		u.s.keys[u.from].wanted = true
		u.s.poke()
	}
}

// Limit says what keeps the picture from being better.
func (u *Subscription) Limit() Limit {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	return u.place.limit
}

// Cancel ends the subscription. A call of f that is under way may still finish.
func (u *Subscription) Cancel() {
	u.s.mu.Lock()
	defer u.s.mu.Unlock()
	for i, o := range u.s.subs {
		if o == u {
			u.s.subs = slices.Delete(u.s.subs, i, i+1)
			return
		}
	}
}

// takes says whether the subscriber gets a packet of layer l. It moves to the layer where it is to
// be when that has a keyframe; until then it keeps the one it has.
func (u *Subscription) takes(l int, p *media.Packet) bool {
	if l == u.place.layer && p.Key {
		u.from = l
	}
	return u.from == l && !(u.place.half && p.Droppable)
}
