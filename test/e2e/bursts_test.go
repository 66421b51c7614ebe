package e2e

import (
	"fmt"
	"net"
	"testing"
	"time"

	"parley/test/harness"
)

// TestE2EBursts checks the test network: its loss rate and mean burst length are those that the test sets.
func TestE2EBursts(t *testing.T) {
	if testing.Short() {
		t.Skip("end to end: not in a short run")
	}
	n := harness.StartNetwork(t, 0)
	from, to := n.ListenOn(0), n.ListenOn(1)
	for _, c := range []struct{ loss, burst float64 }{{0, 1}, {0.1, 1}, {0.05, 5}, {0.1, 5}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			n.Lose(c.loss, c.burst)
			loss, burst := lossOf(t, from, to)
			t.Logf("lost %.1f%%, %.1f in a row", 100*loss, burst)
			wantBurst := c.burst
			if c.burst == 1 && c.loss > 0 {
				wantBurst = 1 / (1 - c.loss) // random losses are sometimes adjacent
			}
			// Six standard deviations.
			if diff := loss - c.loss; diff < -0.025 || diff > 0.025 {
				t.Errorf("lost %.3f of the packets, want %.3f", loss, c.loss)
			}
			if c.loss > 0 && (burst < 0.75*wantBurst || burst > 1.25*wantBurst) {
				t.Errorf("lost %.2f in a row, want %.2f", burst, wantBurst)
			}
		})
	}
}

// lossOf sends packets. It returns the loss rate and the mean burst length.
func lossOf(t *testing.T, from, to *net.UDPConn) (loss, burst float64) {
	t.Helper()
	const packets = 40_000
	arrived := make([]bool, packets)
	b := make([]byte, 4)
	for i := range packets {
		b[0], b[1], b[2] = byte(i>>16), byte(i>>8), byte(i)
		if _, err := from.WriteTo(b[:3], to.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		// Within one kernel, a packet has arrived once it is sent. Regular reads keep the socket's buffer from
		// overflowing.
		if i%64 != 63 && i != packets-1 {
			continue
		}
		for {
			_ = to.SetReadDeadline(time.Now().Add(time.Millisecond))
			n, err := to.Read(b)
			if err != nil {
				break // no more packets
			}
			if n == 3 {
				arrived[int(b[0])<<16|int(b[1])<<8|int(b[2])] = true
			}
		}
	}
	var lost, bursts float64
	for i, ok := range arrived {
		if !ok {
			lost++
			if i == 0 || arrived[i-1] {
				bursts++
			}
		}
	}
	if bursts == 0 {
		return lost / packets, 0
	}
	return lost / packets, lost / bursts
}
