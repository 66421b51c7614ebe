// Command parley-rendezvous is the hosted service that introduces the members of Parley meetings to each other.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"parley/signal/server"
)

// version is set by the linker: -X main.version=1.2.3.
var version string

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // wrong flags, or an address that cannot be listened on
)

const usage = `parley-rendezvous introduces the members of Parley meetings to each other.

Usage: parley-rendezvous [--listen ADDR] [--nats URL]

  --listen ADDR  where to serve HTTP (default :8443); a proxy in front of it speaks TLS
  --nats URL     share rooms with other nodes over this NATS (default: NATS inside this process)
  --version      print the version
  --help         print this

It serves the meeting's socket at /ws, health at /healthz, Prometheus metrics at /metrics.
`

type options struct {
	listen string
	nats   string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with everything given; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var opt options
	var showVersion bool
	flags := flag.NewFlagSet("parley-rendezvous", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&opt.listen, "listen", ":8443", "")
	flags.StringVar(&opt.nats, "nats", "", "")
	flags.BoolVar(&showVersion, "version", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return exitOK
	case err != nil:
		return fail(stderr, exitUsage, fmt.Sprintf("%v; see parley-rendezvous --help", err))
	case flags.NArg() > 0:
		return fail(stderr, exitUsage, "takes flags only; see parley-rendezvous --help")
	case showVersion:
		fmt.Fprintln(stdout, "parley-rendezvous", versionText())
		return exitOK
	}
	listener, err := net.Listen("tcp", opt.listen)
	if err != nil {
		return fail(stderr, exitUsage, listenText(opt.listen, err))
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	if err := serve(ctx, listener, opt, log); err != nil {
		return fail(stderr, exitFailed, err.Error())
	}
	return exitOK
}

// serve runs the service until ctx ends. The node goes first, so that members are told where
// to go while the listener still answers health checks; then the listener.
func serve(ctx context.Context, listener net.Listener, opt options, log *slog.Logger) error {
	node, err := server.New(server.Config{NATS: opt.nats, Log: log})
	if err != nil {
		_ = listener.Close()
		return err
	}
	web := &http.Server{
		Handler:           node,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	nodeCtx, stopNode := context.WithCancel(ctx)
	defer stopNode()
	go func() {
		served <- web.Serve(listener)
		stopNode()
	}()
	log.Info("listening", "addr", listener.Addr().String(), "version", versionText())
	nodeErr := node.Run(nodeCtx)
	down, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := web.Shutdown(down); err != nil {
		_ = web.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(fmt.Errorf("serve HTTP: %w", err), nodeErr)
	}
	log.Info("stopped")
	return nodeErr
}

// listenText says why an address cannot be listened on and what to do about it.
func listenText(addr string, err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("%s is taken by another program: stop that one, or choose another address with --listen", addr)
	case errors.Is(err, syscall.EACCES):
		return fmt.Sprintf("%s may not be listened on by this user: choose a port above 1023 with --listen", addr)
	}
	return fmt.Sprintf("cannot listen on %s: choose another address with --listen HOST:PORT", addr)
}

func fail(stderr io.Writer, status int, text string) int {
	fmt.Fprintln(stderr, "parley-rendezvous:", text)
	return status
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
