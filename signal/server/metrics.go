package server

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics is what /metrics shows. Nothing in it names a room or a member.
type metrics struct {
	registry *prometheus.Registry
	open     atomic.Int64 // WebSocket connections
	members  atomic.Int64 // sessions of this node, with a connection or waiting for one
	rooms    atomic.Int64
	nodes    atomic.Int64 // other nodes

	relayed   prometheus.Counter
	bytes     prometheus.Counter
	delivered prometheus.Counter
	lost      prometheus.Counter
	busLost   prometheus.Counter
	overflows prometheus.Counter
	held      prometheus.Counter
	flooded   prometheus.Counter
	forged    prometheus.Counter
	refused   *prometheus.CounterVec
	resumes   *prometheus.CounterVec
	join      prometheus.Histogram
}

func newMetrics() *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	gauge := func(name, help string, v *atomic.Int64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(v.Load()) }))
	}
	gauge("parley_connections", "WebSocket connections open.", &m.open)
	gauge("parley_members", "Members whose session lives on this node.", &m.members)
	gauge("parley_rooms", "Rooms with a member on this node.", &m.rooms)
	gauge("parley_nodes", "Other nodes known.", &m.nodes)
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		m.registry.MustRegister(c)
		return c
	}
	m.relayed = counter("parley_relayed_messages_total", "Messages taken from members of this node.")
	m.bytes = counter("parley_relayed_bytes_total", "Bytes of their sealed bodies.")
	m.delivered = counter("parley_delivered_messages_total", "Messages put in line for members of this node.")
	m.lost = counter("parley_undeliverable_messages_total", "Messages for a member who is not in the room.")
	m.busLost = counter("parley_bus_dropped_total", "Messages that NATS dropped because this node was too slow.")
	m.overflows = counter("parley_overflows_total", "Sessions ended because too much was waiting for their member.")
	m.held = counter("parley_held_sends_total", "Sends that waited for a receiver to have room.")
	m.forged = counter("parley_forged_notices_total", "Messages on NATS that no node of this cluster has sent, or that were played again.")
	m.flooded = counter("parley_flooded_messages_total", "Messages of other nodes dropped because their sender had filled a receiver's room.")
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "parley_refused_total", Help: "Connections refused or ended for cause, by reason.",
	}, []string{"reason"})
	m.resumes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "parley_resumes_total", Help: "Sessions resumed, by where they were: here or another node.",
	}, []string{"from"})
	m.join = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "parley_join_seconds", Help: "From a join to its welcome.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8),
	})
	m.registry.MustRegister(m.refused, m.resumes, m.join,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}
