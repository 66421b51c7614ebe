//go:build !linux

package turn

import "net"

func keepQueueShort(net.Conn) {}
