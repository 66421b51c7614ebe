// Package desktop connects the app with the desktop: the display, the window's state, settings, and clicked links.
package desktop

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// CheckDisplay returns a one-line error if there is no display, where the toolkit would panic.
func CheckDisplay() error {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		return nil
	}
	name := os.Getenv("DISPLAY")
	if name == "" {
		return errors.New("no display: start it from a desktop, or set DISPLAY; parley bot needs none")
	}
	if !displayAnswers(name) {
		return fmt.Errorf("display %q does not answer: start it from a desktop, or set DISPLAY; parley bot needs none", name)
	}
	return nil
}

// displayAnswers reports whether a display answers at the address of its name, [host]:number[.screen] (X(7),
// "Display names").
func displayAnswers(name string) bool {
	colon := strings.LastIndexByte(name, ':')
	if colon < 0 {
		return false
	}
	host, number := name[:colon], name[colon+1:]
	number, _, _ = strings.Cut(number, ".")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return false
	}
	socket := "/tmp/.X11-unix/X" + number
	ways := [][2]string{{"unix", socket}, {"unix", "@" + socket}}
	switch {
	case strings.HasPrefix(host, "/"): // XQuartz has a socket's path for a host
		ways = [][2]string{{"unix", name}}
	case host != "" && host != "unix":
		ways = [][2]string{{"tcp", net.JoinHostPort(host, strconv.Itoa(6000+n))}}
	}
	for _, way := range ways {
		if c, err := net.DialTimeout(way[0], way[1], 3*time.Second); err == nil {
			c.Close()
			return true
		}
	}
	return false
}

// Open calls open, which makes the window. If the display refuses or cannot draw, the toolkit logs the reason and
// panics. Open turns both into one error. If the window opens, it passes on what was logged.
func Open(open func()) (err error) {
	var said bytes.Buffer
	to, flags := log.Writer(), log.Flags()
	log.SetOutput(&said)
	log.SetFlags(0)
	defer func() {
		log.SetOutput(to)
		log.SetFlags(flags)
		r := recover()
		if _, ours := r.(runtime.Error); ours {
			panic(r)
		}
		reason := strings.Join(strings.FieldsFunc(said.String(), func(r rune) bool { return r == '\n' }), "; ")
		switch {
		case r == nil && reason != "":
			log.Print(reason)
		case r != nil && reason == "":
			reason = fmt.Sprint(r)
		}
		if r != nil {
			err = fmt.Errorf("no window can be opened on display %q: %s", os.Getenv("DISPLAY"), reason)
		}
	}()
	open()
	return nil
}

// OwnAddress reports whether a host, a name or an address without a port, is this machine.
func OwnAddress(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.IsLoopback() {
		return ip != nil
	}
	addresses, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(addresses, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && n.IP.Equal(ip)
	})
}
