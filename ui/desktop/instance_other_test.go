//go:build !unix

package desktop

import (
	"net"
	"os"
	"strings"
)

// connect reaches the app of a socket as any program can.
func connect(socket string) (net.Conn, error) {
	text, err := os.ReadFile(socket)
	if err != nil {
		return nil, err
	}
	address, _, _ := strings.Cut(string(text), " ")
	return net.Dial("tcp4", address)
}
