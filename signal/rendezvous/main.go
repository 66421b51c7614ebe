// Command parley-rendezvous is the hosted service that introduces the members of Parley meetings to each other.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	_ "golang.org/x/crypto/x509roots/fallback" // the certificate authorities, where a container has no file of them

	"parley/signal/server"
	"parley/signal/turn"
)

// version is set by the linker: -X main.version=1.2.3.
var version string

// gcPercent is below Go's 100: memory bounds how many connections the service can hold, most of them are
// silent, and collecting takes 2% of its CPU time.
const gcPercent = 75

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // wrong flags, or an address that cannot be listened on
)

const usage = `parley-rendezvous introduces the members of Parley meetings to each other.

Usage: parley-rendezvous [flags]
       parley-rendezvous doctor [--json] NAME
                  says from outside what is wrong with the service at https://NAME/; run it in another network, too

  --listen ADDR   where to serve (default :8443, with --domain :443)
  --downloads DIR packages of the app to offer to people who open a link without having it (default: none)
  --per-address N
                  connections of one IPv4 address or IPv6 /64 (default 200); its other budgets depend on it
  --trusted-proxy NET,...
                  proxies whose X-Forwarded-For names the client, as 10.0.0.0/8 or 127.0.0.1 (default: none)
  --metrics ADDR  where to serve figures for Prometheus, at /metrics (default: nowhere)
  --nats URL      share rooms with other nodes over this NATS (default: this node is alone)
  --cluster-key-file FILE
                  a secret that all nodes on that NATS share (or in $PARLEY_CLUSTER_KEY)
  --nats-creds FILE
                  NATS credentials
  --nats-ca FILE, --nats-cert FILE, --nats-key FILE
                  TLS to NATS: whom to trust, and this node's certificate and its key
  --nats-plain    allow NATS without TLS over a network
  --version       print the version
  --help          print this
` + siteUsage + turnUsage + `
It serves the meetings' socket at /ws, health at /healthz, and at / the page that a link opens in a browser.
`

type options struct {
	listen    string
	downloads string
	metrics   string
	nats      string

	cluster    server.Cluster
	keyFile    string
	perAddress int
	proxies    []netip.Prefix
	site       siteOptions
	turn       turnOptions
}

// readClusterKey takes the cluster's secret from its file, else from the environment.
func (o *options) readClusterKey() error {
	text := []byte(os.Getenv("PARLEY_CLUSTER_KEY"))
	if o.keyFile != "" {
		var err error
		if text, err = os.ReadFile(o.keyFile); err != nil {
			return fmt.Errorf("read --cluster-key-file: %w", err)
		}
	}
	o.cluster.Key = bytes.TrimSpace(text)
	return nil
}

// trust takes the value of --trusted-proxy.
func (o *options) trust(list string) error {
	all, err := networks(list)
	o.proxies = append(o.proxies, all...)
	return err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with everything given; it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "doctor" {
		return doctor(ctx, args[1:], stdout, stderr)
	}
	var opt options
	var showVersion bool
	flags := flag.NewFlagSet("parley-rendezvous", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&opt.listen, "listen", ":8443", "")
	flags.StringVar(&opt.metrics, "metrics", "", "")
	flags.StringVar(&opt.downloads, "downloads", "", "")
	flags.StringVar(&opt.nats, "nats", "", "")
	flags.StringVar(&opt.keyFile, "cluster-key-file", "", "")
	flags.StringVar(&opt.cluster.Creds, "nats-creds", "", "")
	flags.StringVar(&opt.cluster.CA, "nats-ca", "", "")
	flags.StringVar(&opt.cluster.Cert, "nats-cert", "", "")
	flags.StringVar(&opt.cluster.CertKey, "nats-key", "", "")
	flags.BoolVar(&opt.cluster.Plain, "nats-plain", false, "")
	flags.IntVar(&opt.perAddress, "per-address", 200, "")
	flags.Func("trusted-proxy", "", opt.trust)
	opt.site.flags(flags)
	opt.turn.flags(flags)
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
	if err := opt.readClusterKey(); err != nil {
		return fail(stderr, exitUsage, err.Error())
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if err := cmp.Or(opt.turn.check(), opt.settle(given)); err != nil {
		return fail(stderr, exitUsage, err.Error())
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	listeners, err := listen(opt, log)
	if err != nil {
		return fail(stderr, exitUsage, err.Error())
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if err := serve(ctx, listeners, opt, log); err != nil {
		return fail(stderr, exitFailed, err.Error())
	}
	return exitOK
}

// listeners is where the service is reached. metrics may be nil.
type listeners struct {
	service, metrics net.Listener
	site             site
	relay            relay
}

func listen(opt options, log *slog.Logger) (l listeners, err error) {
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	if l.service, err = net.Listen("tcp", opt.listen); err != nil {
		return l, errors.New(listenText("--listen", opt.listen, err))
	}
	l.service = server.Listener(l.service)
	if l.site, l.service, err = openSite(opt.site, l.service, log); err != nil {
		return l, err
	}
	secure := opt.site.domain != "" || opt.site.cert != ""
	if l.relay, l.service, err = openTURN(opt.turn, l.service, secure, len(opt.proxies) > 0); err != nil {
		return l, err
	}
	if opt.metrics == "" {
		return l, nil
	}
	if l.metrics, err = net.Listen("tcp", opt.metrics); err != nil {
		return l, errors.New(listenText("--metrics", opt.metrics, err))
	}
	return l, nil
}

func (l listeners) close() {
	for _, one := range []net.Listener{l.service, l.metrics, l.site.redirect} {
		if one != nil {
			_ = one.Close()
		}
	}
	if l.relay.service != nil {
		l.relay.service.Close()
	}
	l.site.close()
}

// serve runs the service until ctx ends. The node stops first, so that it can tell members where
// to go while the listener still answers health checks; the listeners stop last.
func serve(ctx context.Context, l listeners, opt options, log *slog.Logger) error {
	cfg := server.Config{
		NATS: opt.nats, Cluster: opt.cluster, Log: log, PerAddress: opt.perAddress, TrustedProxies: opt.proxies,
		ICE: l.relay.ask, ICERenewal: turn.Renewal,
	}
	if opt.downloads != "" {
		cfg.Downloads = os.DirFS(opt.downloads)
	}
	if l.relay.service != nil {
		cfg.Collectors = l.relay.service.Collectors()
	}
	node, err := server.New(cfg)
	if err != nil {
		l.close()
		return err
	}
	webs := map[*http.Server]net.Listener{server.NewHTTP(node, log): l.service}
	if l.metrics != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", node.Metrics())
		webs[server.NewHTTP(mux, log)] = l.metrics
		log.Info("metrics", "addr", l.metrics.Addr().String())
	}
	if web := l.site.web(log); web != nil {
		webs[web] = l.site.redirect
		log.Info("redirecting", "addr", l.site.redirect.Addr().String())
	}
	served := make(chan error, len(webs))
	nodeCtx, stopNode := context.WithCancel(ctx)
	defer stopNode()
	for web, listener := range webs {
		go func() {
			served <- web.Serve(listener)
			stopNode()
		}()
	}
	log.Info("listening", "addr", l.service.Addr().String(), "version", versionText())
	siteErr := l.site.start(nodeCtx)
	if siteErr != nil {
		stopNode()
	}
	defer l.site.close()
	l.relay.log(log)
	relayed := make(chan error, 1)
	go func() {
		err := l.relay.run(nodeCtx, node.Alone, log)
		if err != nil {
			stopNode()
		}
		relayed <- err
	}()
	adjusted := make(chan struct{})
	go func() { defer close(adjusted); adjustProcessors(nodeCtx, cpuTime) }()
	nodeErr := node.Run(nodeCtx)
	stopNode()
	<-adjusted
	nodeErr = errors.Join(siteErr, nodeErr, <-relayed)
	down, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	for web := range webs {
		if err := web.Shutdown(down); err != nil {
			_ = web.Close()
		}
	}
	for range webs {
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			nodeErr = errors.Join(fmt.Errorf("serve HTTP: %w", err), nodeErr)
		}
	}
	log.Info("stopped")
	return nodeErr
}

// listenText says why an address cannot be listened on and what to do about it.
func listenText(flag, addr string, err error) string {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Sprintf("%s is taken by another program: stop that one, or choose another address with %s", addr, flag)
	case errors.Is(err, syscall.EACCES):
		return fmt.Sprintf("%s may not be listened on by this user: choose a port above 1023 with %s, or allow it with setcap cap_net_bind_service=+ep", addr, flag)
	}
	return fmt.Sprintf("cannot listen on %s: choose another address with %s HOST:PORT", addr, flag)
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
