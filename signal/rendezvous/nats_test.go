package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"parley/signal"
	"parley/signal/client"
	"parley/signal/identity"
)

const patience = 20 * time.Second

// TestNATSOverTLS runs two nodes on a NATS server that asks for a certificate and for credentials, as
// docs/decisions/nats.md says how to. Members at both meet and talk. A node that lacks one of the four is refused.
func TestNATSOverTLS(t *testing.T) {
	n := startNATS(t)
	t.Setenv("PARLEY_CLUSTER_KEY", "sixteen bytes or more")
	stranger := newOperator(t)
	for name, c := range map[string]struct{ creds, ca, cert, want string }{
		"no credentials":        {"", n.ca.file, n.node, "uthorization"},
		"a stranger's":          {stranger.user(t), n.ca.file, n.node, "uthorization"},
		"no certificate":        {n.creds, n.ca.file, "", "tls"},
		"a stranger's as node":  {n.creds, n.ca.file, newCA(t).issue(t), "tls"},
		"NATS is not certified": {n.creds, newCA(t).file, n.node, "certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if got := run(ctx, n.flags(c.creds, c.ca, c.cert), io.Discard, &stderr); got != exitFailed {
				t.Errorf("exit status %d, want %d", got, exitFailed)
			}
			if text := stderr.String(); !strings.Contains(text, c.want) || !strings.Contains(text, n.addr) {
				t.Errorf("said %q, want %q and where", text, c.want)
			}
		})
	}
	nodes := []string{startNode(t, n.flags(n.creds, n.ca.file, n.node)), startNode(t, n.flags(n.creds, n.ca.file, n.node))}
	keys := signal.Derive(signal.NewCode())
	var members [2]*client.Client
	var events [2]chan client.Event
	for i, addr := range nodes {
		events[i] = make(chan client.Event, 100)
		members[i] = client.New(client.Config{
			URLs: []string{"ws://" + addr + signal.SocketPath}, Keys: keys, Identity: identity.New(),
			Events: func(ev client.Event) { events[i] <- ev },
		})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); _ = members[i].Run(ctx) }()
		defer func() { cancel(); <-ended }()
		await[client.Connected](t, events[i])
	}
	await[client.Joined](t, events[0])
	if err := members[1].Send("", 1, []byte("hello"), nil); err != nil {
		t.Fatal(err)
	}
	if got := await[client.Message](t, events[0]); string(got.Body) != "hello" {
		t.Errorf("heard %q", got.Body)
	}
}

func await[E client.Event](t *testing.T, events <-chan client.Event) E {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case ev := <-events:
			if want, ok := ev.(E); ok {
				return want
			}
		case <-limit:
			t.Fatalf("no %T", *new(E))
		}
	}
}

// startNode runs the service until the test ends, and returns where it listens.
func startNode(t *testing.T, args []string) (addr string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	status := make(chan int, 1)
	go func() { status <- run(ctx, args, io.Discard, in); in.Close() }()
	lines := bufio.NewScanner(out)
	for ready := false; !ready; {
		if !lines.Scan() {
			t.Fatalf("the node does not come up: status %d", <-status)
		}
		var line struct{ Msg, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			t.Fatalf("the node says %s", lines.Text())
		}
		if line.Msg == "listening" {
			addr = line.Addr
		}
		ready = line.Msg == "rendezvous ready"
	}
	drained := make(chan struct{})
	go func() { defer close(drained); _, _ = io.Copy(io.Discard, out) }()
	t.Cleanup(func() {
		cancel()
		if got := <-status; got != exitOK {
			t.Errorf("the node ends with status %d", got)
		}
		<-drained
	})
	return addr
}

// natsServer is a real one that asks for certificates and credentials.
type natsServer struct {
	addr  string // HOST:PORT
	ca    authority
	node  string // a certificate for a node, and its key in the same file
	creds string // credentials with the rights that the documentation names
}

func (n natsServer) flags(creds, ca, cert string) []string {
	args := []string{"--listen", "127.0.0.1:0", "--nats", "tls://" + n.addr, "--nats-ca", ca}
	if creds != "" {
		args = append(args, "--nats-creds", creds)
	}
	if cert != "" {
		args = append(args, "--nats-cert", cert, "--nats-key", cert)
	}
	return args
}

func startNATS(t *testing.T) natsServer {
	t.Helper()
	dir := t.TempDir()
	operator, ca := newOperator(t), newCA(t)
	own := ca.issue(t)
	config := filepath.Join(dir, "nats.conf")
	text := fmt.Sprintf(`
host: 127.0.0.1
port: -1
ports_file_dir: %q
operator: %s
resolver: MEMORY
resolver_preload: { %s: %s }
tls: { cert_file: %q, key_file: %q, ca_file: %q, verify: true }
`, dir, operator.token, operator.account, operator.accountToken, own, own, ca.file)
	write(t, config, text)
	var said bytes.Buffer
	cmd := exec.Command("nats-server", "--config", config)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; scripts/setup --test installs it", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nats-server: %s", said.String())
		}
	})
	n := natsServer{ca: ca, node: ca.issue(t), creds: operator.user(t)}
	for deadline := time.Now().Add(patience); n.addr == ""; time.Sleep(10 * time.Millisecond) {
		var ports struct{ NATS []string }
		files, _ := filepath.Glob(filepath.Join(dir, "*.ports"))
		for _, file := range files {
			text, _ := os.ReadFile(file)
			if json.Unmarshal(text, &ports) == nil && len(ports.NATS) > 0 {
				_, n.addr, _ = strings.Cut(ports.NATS[0], "://")
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("nats-server does not come up")
		}
	}
	return n
}

// operator signs the accounts of a NATS server, of which it has one.
type operator struct {
	token        string // JWT
	account      string // its public key
	accountToken string
	accountKey   nkeys.KeyPair
}

func newOperator(t *testing.T) operator {
	t.Helper()
	key, public := pair(t, nkeys.CreateOperator)
	o := operator{token: encode(t, jwt.NewOperatorClaims(public), key)}
	o.accountKey, o.account = pair(t, nkeys.CreateAccount)
	o.accountToken = encode(t, jwt.NewAccountClaims(o.account), key)
	return o
}

// user makes a file of credentials with the rights that docs/decisions/nats.md names.
func (o operator) user(t *testing.T) string {
	t.Helper()
	key, public := pair(t, nkeys.CreateUser)
	claims := jwt.NewUserClaims(public)
	for _, p := range []*jwt.Permission{&claims.Pub, &claims.Sub} {
		p.Allow = jwt.StringList{"parley.v2.>", "_INBOX.>"}
	}
	seed, err := key.Seed()
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.FormatUserConfig(encode(t, claims, o.accountKey), seed)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "user.creds")
	write(t, path, string(text))
	return path
}

func pair(t *testing.T, create func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
	t.Helper()
	key, err := create()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return key, public
}

func encode(t *testing.T, c jwt.Claims, key nkeys.KeyPair) string {
	t.Helper()
	text, err := c.Encode(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newCA(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{key: key, file: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	write(t, a.file, a.sign(t, a.cert, key))
	return a
}

// issue makes a certificate for 127.0.0.1, for servers and clients, and returns the file with it and its key.
func (a authority) issue(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "node"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "node.pem")
	write(t, path, cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	return path
}

func (a authority) sign(t *testing.T, cert *x509.Certificate, key *ecdsa.PrivateKey) string {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func write(t *testing.T, path string, parts ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(parts, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}
