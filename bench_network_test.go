package main

import (
	"strings"
	"testing"
)

// startNetworkRendezvous starts the hosted service on a host of a network of startNetwork.
func startNetworkRendezvous(t testing.TB, host string) (server string) {
	t.Helper()
	const addr = "10.77.0.1:8443" // startNetwork's first host
	service := launch(t, nil, "ip", "netns", "exec", host, "build/parley-rendezvous", "--listen", addr)
	awaitTrue(t, "the rendezvous listens", func() bool { return strings.Contains(service.errors(), `"listening"`) }, service.errors)
	return "http://" + addr
}
