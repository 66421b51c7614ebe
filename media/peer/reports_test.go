package peer

import (
	"slices"
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
)

// TestSilentStreamsAreNotReported: what has sent nothing gets no receiver report, all else leaves.
func TestSilentStreamsAreNotReported(t *testing.T) {
	var sent []rtcp.Packet
	w := new(busyReports).BindRTCPWriter(interceptor.RTCPWriterFunc(func(packets []rtcp.Packet, _ interceptor.Attributes) (int, error) {
		sent = append(sent, packets...)
		return len(packets), nil
	}))
	about := func(r rtcp.ReceptionReport) *rtcp.ReceiverReport {
		return &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{r}}
	}
	busy := []rtcp.Packet{
		about(rtcp.ReceptionReport{SSRC: 2, LastSequenceNumber: 1}), about(rtcp.ReceptionReport{SSRC: 3, LastSenderReport: 1}),
		&rtcp.PictureLossIndication{}, &rtcp.TransportLayerCC{},
	}
	for _, p := range append([]rtcp.Packet{about(rtcp.ReceptionReport{SSRC: 1}), &rtcp.ReceiverReport{}}, busy...) {
		if _, err := w.Write([]rtcp.Packet{p}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(sent, busy) {
		t.Errorf("sent %v", sent)
	}
}
