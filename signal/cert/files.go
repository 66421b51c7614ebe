package cert

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// checkEvery is how long a certificate's files may have changed before they are read again.
const checkEvery = time.Minute

// Files is a certificate that another program renews.
type Files struct {
	cert, key string
	log       *slog.Logger
	now       func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	stamp   [2]time.Time // when the files were written
	checked time.Time
}

// NewFiles reads a certificate chain and its key, both in PEM. When the files change, they are read again; one that cannot
// be read then is logged, and the one before stays.
func NewFiles(cert, key string, log *slog.Logger) (*Files, error) {
	f := &Files{cert: cert, key: key, log: log, now: time.Now}
	current, err := f.read()
	if err != nil {
		return nil, err
	}
	f.current, f.stamp, f.checked = current, f.stamps(), f.now()
	if end := current.Leaf.NotAfter; end.Before(f.now()) {
		return nil, fmt.Errorf("the certificate in %s has expired on %s: renew it", cert, end.Format(time.DateOnly))
	}
	return f, nil
}

func (f *Files) read() (*tls.Certificate, error) {
	c, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, fmt.Errorf("read the certificate %s and its key %s: %w", f.cert, f.key, err)
	}
	if c.Leaf == nil {
		if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return nil, fmt.Errorf("read the certificate %s: %w", f.cert, err)
		}
	}
	return &c, nil
}

func (f *Files) stamps() (s [2]time.Time) {
	for i, name := range []string{f.cert, f.key} {
		if info, err := os.Stat(name); err == nil {
			s[i] = info.ModTime()
		}
	}
	return s
}

// TLS returns the settings of a listener that shows the certificate.
func (f *Files) TLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: protocols, GetCertificate: f.get}
}

func (f *Files) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if now.Sub(f.checked) < checkEvery {
		return f.current, nil
	}
	f.checked = now
	stamp := f.stamps()
	if stamp == f.stamp {
		return f.current, nil
	}
	next, err := f.read() // the other program may be between the two files: then the next check reads them
	if err != nil {
		f.log.Error("the certificate that was changed is not used", "err", err)
		return f.current, nil
	}
	f.current, f.stamp = next, stamp
	f.log.Info("certificate read again", "until", next.Leaf.NotAfter)
	return f.current, nil
}
