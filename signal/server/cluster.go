package server

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Cluster is how a node proves itself to an external NATS and to the other nodes there. Its files
// are PEM, but for Creds, which is NATS's own form.
type Cluster struct {
	Key     []byte // the secret that all nodes share, at least minClusterKey bytes
	Creds   string // file with the NATS user's credentials
	CA      string // file with the certificates that NATS's is checked against; empty: the system's
	Cert    string // file with this node's certificate
	CertKey string // file with its private key
	Plain   bool   // NATS may be reached over a network without TLS
}

const (
	minClusterKey = 16               // bytes
	clockSkew     = 30 * time.Second // by which the clocks of two nodes may differ
)

var errForged = errors.New("not from a node of this cluster, or said before")

// check says what is missing for this NATS. An empty address is none.
func (c Cluster) check(address string) error {
	if address == "" {
		return nil
	}
	if len(c.Key) < minClusterKey {
		return fmt.Errorf("share rooms over NATS: the nodes need a common secret of at least %d bytes (--cluster-key-file)", minClusterKey)
	}
	if (c.Cert == "") != (c.CertKey == "") {
		return errors.New("share rooms over NATS: a certificate needs its key (--nats-cert and --nats-key)")
	}
	for part := range strings.SplitSeq(address, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil {
			return errors.New("share rooms over NATS: its address is not a URL such as tls://nats.example.org:4222")
		}
		ip := net.ParseIP(u.Hostname())
		local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
		if !local && !c.secure(part) && !c.Plain {
			return fmt.Errorf("share rooms over NATS at %s: over a network it needs TLS (a tls:// address or --nats-ca); --nats-plain allows to do without", hostOf(part))
		}
	}
	return nil
}

func (c Cluster) secure(address string) bool {
	return c.CA != "" || c.Cert != "" || strings.Contains(address, "tls://") || strings.Contains(address, "wss://")
}

func (c Cluster) options(address string) []nats.Option {
	var o []nats.Option
	if c.Creds != "" {
		o = append(o, nats.UserCredentials(c.Creds))
	}
	if c.secure(address) {
		o = append(o, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12}))
	}
	if c.CA != "" {
		o = append(o, nats.RootCAs(c.CA))
	}
	if c.Cert != "" {
		o = append(o, nats.ClientCert(c.Cert, c.CertKey))
	}
	return o
}

// clusterSeal encrypts and authenticates what nodes tell each other over NATS with AES-256-GCM. Each node
// has a key of its own, made from the secret and its name, which is new at each start; its nonces
// are stamps that only rise, Unix nanoseconds. The subject and the reply subject are associated
// data, so that nothing can be moved to another room or answered elsewhere.
type clusterSeal struct {
	secret []byte
	name   string
	own    cipher.AEAD

	mu    sync.Mutex // held while publishing, so that stamps rise on the wire
	stamp uint64

	peerMu sync.Mutex
	peers  map[string]cipher.AEAD
}

// stamps are the highest of each node that one subscription has seen.
type stamps map[string]uint64

func newClusterSeal(secret []byte, name string) (*clusterSeal, error) {
	c := &clusterSeal{secret: secret, name: name, peers: map[string]cipher.AEAD{}}
	var err error
	c.own, err = c.aead(name)
	return c, err
}

func (c *clusterSeal) aead(name string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, c.secret, []byte(name), "parley cluster v1", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func associated(subject, reply string) []byte { return []byte(subject + "\x00" + reply) }

func nonce(stamp uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 4, 12), stamp) }

// seal makes of data what may be published. c.mu is held until it has been.
func (c *clusterSeal) seal(subject, reply string, data []byte) []byte {
	c.stamp = max(uint64(time.Now().UnixNano()), c.stamp+1)
	b := make([]byte, 0, 1+len(c.name)+8+len(data)+c.own.Overhead())
	b = append(append(b, byte(len(c.name))), c.name...)
	b = binary.BigEndian.AppendUint64(b, c.stamp)
	return c.own.Seal(b, nonce(c.stamp), data, associated(subject, reply))
}

// open returns what a node has sealed. What is older than something seen of that node, or than
// clockSkew, is refused: somebody plays it again.
func (c *clusterSeal) open(msg *nats.Msg, seen stamps) ([]byte, error) {
	name, b, ok := cutText(msg.Data)
	if !ok || len(b) < 8 || name == c.name {
		return nil, errForged
	}
	stamp := binary.BigEndian.Uint64(b)
	now := time.Now()
	age := now.Sub(time.Unix(0, int64(stamp)))
	if stamp <= seen[name] || age > clockSkew || age < -clockSkew {
		return nil, errForged
	}
	c.peerMu.Lock()
	aead := c.peers[name]
	c.peerMu.Unlock()
	known := aead != nil
	if !known {
		var err error
		if aead, err = c.aead(name); err != nil {
			return nil, err
		}
	}
	text, err := aead.Open(nil, nonce(stamp), b[8:], associated(msg.Subject, msg.Reply))
	if err != nil {
		return nil, errForged
	}
	seen[name] = stamp
	if !known {
		c.peerMu.Lock()
		c.peers[name] = aead
		c.peerMu.Unlock()
		for other, last := range seen { // nodes that are long gone cannot be played again
			if now.Sub(time.Unix(0, int64(last))) > 2*clockSkew {
				delete(seen, other)
				c.peerMu.Lock()
				delete(c.peers, other)
				c.peerMu.Unlock()
			}
		}
	}
	return text, nil
}

// send publishes to the other nodes, sealed.
func (b *bus) send(subject, reply string, data []byte) error {
	b.seal.mu.Lock()
	defer b.seal.mu.Unlock()
	data = b.seal.seal(subject, reply, data)
	if reply == "" {
		return b.nc.Publish(subject, data)
	}
	return b.nc.PublishRequest(subject, reply, data)
}
