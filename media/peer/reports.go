package peer

import (
	"slices"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
)

// busyReports keeps back receiver reports about streams of which no packet has come yet. Pion sends each
// stream's report in a packet of its own, and most streams are often silent: a screen, its sound, repairs.
type busyReports struct{ interceptor.NoOp }

// NewInterceptor implements interceptor.Factory.
func (*busyReports) NewInterceptor(string) (interceptor.Interceptor, error) {
	return new(busyReports), nil
}

// BindRTCPWriter implements interceptor.Interceptor.
func (*busyReports) BindRTCPWriter(out interceptor.RTCPWriter) interceptor.RTCPWriter {
	return interceptor.RTCPWriterFunc(func(packets []rtcp.Packet, a interceptor.Attributes) (int, error) {
		busy := slices.DeleteFunc(packets, func(p rtcp.Packet) bool {
			r, ok := p.(*rtcp.ReceiverReport)
			return ok && !slices.ContainsFunc(r.Reports, begun)
		})
		if len(busy) == 0 {
			return 0, nil
		}
		return out.Write(busy, a)
	})
}

// begun says whether the stream of a report has sent anything.
func begun(r rtcp.ReceptionReport) bool {
	return r.LastSequenceNumber != 0 || r.LastSenderReport != 0 || r.TotalLost != 0
}
