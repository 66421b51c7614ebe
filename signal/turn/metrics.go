package turn

import "github.com/prometheus/client_golang/prometheus"

// metrics counts what the service does. Nothing in it names a member or an address.
type metrics struct {
	allocations prometheus.Gauge
	relayed     *prometheus.CounterVec
	dropped     *prometheus.CounterVec
	refused     *prometheus.CounterVec
}

func newMetrics() *metrics {
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	return &metrics{
		allocations: prometheus.NewGauge(prometheus.GaugeOpts{Name: "parley_turn_allocations", Help: "Relay addresses in use."}),
		relayed:     vec("parley_turn_relayed_bytes_total", "Bytes relayed, out to peers and in from them.", "direction"),
		dropped:     vec("parley_turn_dropped_packets_total", "Packets not relayed, by reason.", "reason"),
		refused:     vec("parley_turn_refused_total", "Requests and connections refused, by reason.", "reason"),
	}
}

// Collectors are the service's figures for Prometheus.
func (s *Server) Collectors() []prometheus.Collector {
	m := s.metrics
	return []prometheus.Collector{m.allocations, m.relayed, m.dropped, m.refused}
}
