package congestion

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// errFull is for a packet that found the queue full.
var errFull = errors.New("pacer queue full")

// fill takes a copy of the header; the caller goes on using its own.
func (k *packet) fill(t *stream, h *rtp.Header, payload []byte) {
	k.header = *h
	k.extensions = append(k.extensions[:0], h.Extensions...)
	k.header.Extensions = k.extensions
	k.stream, k.again = t, false
	// Whatever the header has already, the number makes it 8 bytes longer at the most.
	k.size = h.MarshalSize() + 8 + len(payload) + int(h.PaddingSize)
	k.payload = payload
}

// keep takes a copy of the payload too.
func (k *packet) keep(payload []byte) {
	k.buffer = append(k.buffer[:0], payload...)
	k.payload = k.buffer
}

func (s *Sender) free(k *packet) {
	k.stream, k.payload = nil, nil
	s.packets.Put(k)
}

// stamp numbers a packet that leaves now.
func (s *Sender) stamp(k *packet, now time.Duration) {
	t, seq := k.stream, s.seq
	switch {
	case k.again:
		s.extend(k)
		s.pace.debt += float64(k.size) * 8
		s.control.Again(now, binary.BigEndian.Uint16(k.number[:]))
		return
	case k.header.SSRC != t.ssrc:
		k.header.SequenceNumber = t.repairs.next
		t.repairs.next++
	default:
		t.copies.add(k.header.SequenceNumber, seq)
	}
	s.seq++
	binary.BigEndian.PutUint16(k.number[:], seq)
	s.extend(k)
	probe, done := s.pace.spend(k.size)
	s.control.Sent(now, seq, k.size, probe)
	if done {
		s.control.EndProbe(now, s.pace.stop())
	}
	s.steer(now)
}

// steer hands the controller's decisions to the pacer.
func (s *Sender) steer(now time.Duration) {
	s.pace.steer(float64(s.control.Allowed()), s.control.Hold(now))
}

// extend puts a packet's transport-wide number into its header.
func (s *Sender) extend(k *packet) {
	if err := k.header.SetExtension(k.stream.extension, k.number[:]); err == nil {
		k.extensions = k.header.Extensions
	}
}

// check begins a probe if one is due.
func (s *Sender) check(now time.Duration) {
	if s.pace.probe.ID != 0 || s.checked != 0 && now-s.checked < probeCheck {
		return
	}
	s.checked = now
	if probe, ok := s.control.NextProbe(now); ok {
		s.pace.start(probe, now)
		s.nudge()
	}
}

// nudge tells the goroutine that there is news.
func (s *Sender) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// BindRTCPWriter implements interceptor.Interceptor; it is called once for a connection.
func (s *Sender) BindRTCPWriter(w interceptor.RTCPWriter) interceptor.RTCPWriter {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.running.Go(s.run)
	}
	return w
}

// BindRTCPReader implements interceptor.Interceptor.
func (s *Sender) BindRTCPReader(in interceptor.RTCPReader) interceptor.RTCPReader {
	return interceptor.RTCPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := in.Read(b, a)
		if err != nil {
			return n, a, err
		}
		if a == nil {
			a = make(interceptor.Attributes)
		}
		packets, err := a.GetRTCPPackets(b[:n])
		if err != nil {
			return n, a, err
		}
		for _, p := range packets {
			if report, ok := p.(*rtcp.TransportLayerCC); ok {
				s.take(report)
			}
		}
		return n, a, nil
	})
}

// take hands one report to the controller.
func (s *Sender) take(report *rtcp.TransportLayerCC) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.feedback++
	now := time.Since(s.start)
	s.control.Feedback(now, s.reader.read(report))
	s.steer(now)
}

// run sends what had to wait. It sleeps while nothing does.
func (s *Sender) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var batch []*packet
	for {
		var wait time.Duration
		var waiting bool
		batch, wait, waiting = s.flush(batch[:0])
		if waiting {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
		select {
		case <-s.done:
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// flush sends what may leave now, and says how long to wait for what may not.
func (s *Sender) flush(batch []*packet) ([]*packet, time.Duration, bool) {
	s.mu.Lock()
	now := time.Since(s.start)
	s.steer(now)
	for k := s.pace.pop(now); k != nil; k = s.pace.pop(now) {
		s.stamp(k, now)
		batch = append(batch, k)
	}
	pad := 0
	if s.pace.stale(now) || s.pace.probe.ID != 0 && s.control.Hindered() {
		s.control.EndProbe(now, s.pace.stop())
	}
	if s.pace.allowed(second, now) {
		pad = s.pace.lack()
	}
	s.mu.Unlock()
	for i, k := range batch {
		// A path that is gone is noticed by ICE, not here.
		_, _ = k.stream.out.Write(&k.header, k.payload, nil)
		s.free(k)
		batch[i] = nil
	}
	if pad > 0 && s.pad(pad) == 0 {
		s.mu.Lock()
		s.control.EndProbe(time.Since(s.start), s.pace.stop())
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	wait, waiting := s.pace.due(time.Since(s.start))
	return batch, wait, waiting
}

// Close implements interceptor.Interceptor. What waits is dropped.
func (s *Sender) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	s.mu.Unlock()
	s.running.Wait()
	return nil
}
