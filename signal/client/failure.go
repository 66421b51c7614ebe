package client

import (
	"fmt"
	"strings"
	"time"
)

// Kind is what stands between us and the rendezvous.
type Kind uint8

// The kinds of Failure. By is who answered in the place of Host, where there is somebody.
const (
	Unreachable      Kind = iota // no connection: the network, or the server is off
	NoSuchHost                   // nobody knows Host's name
	NobodyListens                // Host is there, but nothing listens at its port
	Silent                       // connected, but there was no answer in time
	SignIn                       // a captive portal answered; By is where it leads, if it says so
	Moved                        // a redirect to another host, By, or one that cannot be followed
	Status                       // an answer with an HTTP status that is none of a rendezvous'
	Foreign                      // an answer that is certainly none of a rendezvous
	NoTLS                        // https is asked for, but Host does not speak it
	CertExpired                  // the certificate ended at Time
	CertNotYet                   // the certificate begins at Time: is the clock, Now, wrong?
	CertName                     // the certificate is for Names
	CertIssuer                   // nobody we trust has issued the certificate
	CertRevoked                  // the issuer has taken the certificate back
	CertBad                      // the certificate cannot be used for another reason
	ProxyUnreachable             // the proxy By cannot be reached
	ProxyRefused                 // the proxy By refused, with Status if it speaks HTTP
	ProxyPassword                // the proxy By wants a user name and password, or others
	ProxySilent                  // the proxy By did not answer in time
	ProxyRubbish                 // the proxy By answered in another language
	ProxySetting                 // what the environment names as proxy is none that we can use
)

// Failure is why the rendezvous could not be joined at one address. It carries nothing secret:
// hosts, but no path, user name, password or anything that a server said.
type Failure struct {
	Kind   Kind
	Host   string // that was meant, HOST or HOST:PORT
	By     string
	Status int // of HTTP; of a SOCKS proxy, its reply (RFC 1928, section 6)
	Time   time.Time
	Now    time.Time // of CertExpired and CertNotYet: this machine's clock
	Names  string

	certain bool          // trying again would not help
	wait    time.Duration // the server asks for, before the next attempt
}

func (f *Failure) Error() string {
	switch f.Kind {
	case NoSuchHost:
		return fmt.Sprintf("nobody knows a server named %s", f.Host)
	case NobodyListens:
		return fmt.Sprintf("no connection to the server at %s: nothing listens there; trying again", f.Host)
	case Silent:
		return fmt.Sprintf("the server at %s did not answer", f.Host)
	case SignIn:
		return fmt.Sprintf("the network here wants you to sign in first (it answered in the place of %s%s)", f.Host, f.leads())
	case Moved:
		return fmt.Sprintf("the server at %s sends us somewhere else%s (HTTP status %d)", f.Host, f.leads(), f.Status)
	case Status:
		return fmt.Sprintf("the server at %s answered with HTTP status %d", f.Host, f.Status)
	case Foreign:
		if f.Status != 0 {
			return fmt.Sprintf("%v: %s answered with HTTP status %d", ErrNotRendezvous, f.Host, f.Status)
		}
		return fmt.Sprintf("%v: %s answered in another language", ErrNotRendezvous, f.Host)
	case NoTLS:
		return fmt.Sprintf("the server at %s does not speak https", f.Host)
	case CertExpired, CertNotYet, CertName, CertIssuer, CertRevoked, CertBad:
		return fmt.Sprintf("the certificate of %s %s", f.Host, f.certificate())
	case ProxyUnreachable, ProxyRefused, ProxyPassword, ProxySilent, ProxyRubbish, ProxySetting:
		return f.proxy()
	}
	return fmt.Sprintf("connect to %s: no way there", f.Host)
}

func (f *Failure) leads() string {
	if f.By == "" {
		return ""
	}
	return ", and leads to " + f.By
}

func (f *Failure) certificate() string {
	const day = "2 January 2006"
	switch f.Kind {
	case CertExpired:
		return fmt.Sprintf("expired on %s (this computer's clock says %s)", f.Time.Format(day), f.Now.Format(day+" 15:04"))
	case CertNotYet:
		return fmt.Sprintf("is valid from %s, but this computer's clock says %s: is the clock wrong?", f.Time.Format(day), f.Now.Format(day+" 15:04"))
	case CertName:
		return "is for " + f.Names
	case CertIssuer:
		return "comes from an issuer that this computer does not trust"
	case CertRevoked:
		return "was revoked by its issuer"
	}
	return "cannot be used"
}

func (f *Failure) proxy() string {
	switch {
	case f.Kind == ProxyUnreachable:
		return fmt.Sprintf("the proxy at %s cannot be reached", f.By)
	case f.Kind == ProxySilent:
		return fmt.Sprintf("the proxy at %s did not answer", f.By)
	case f.Kind == ProxyRubbish:
		return fmt.Sprintf("the proxy at %s answered something that is not a proxy's answer", f.By)
	case f.Kind == ProxySetting:
		return "the proxy named in the environment is none that can be used"
	case f.Kind == ProxyPassword:
		return fmt.Sprintf("the proxy at %s refused (%d): it wants a user name and password", f.By, f.Status)
	}
	return fmt.Sprintf("the proxy at %s refused (%d): it does not connect us to %s", f.By, f.Status, f.Host)
}

// Is makes a failure that is certain one that ends Run.
func (f *Failure) Is(target error) bool { return f.certain && target == ErrNotRendezvous }

// says ranks failures by how much they tell a person.
func (f *Failure) says() int {
	switch f.Kind {
	case Unreachable, NoSuchHost, NobodyListens, Silent:
		return 1
	case Foreign:
		return 2
	}
	return 3
}

// shown keeps what others wrote fit for a line: printable ASCII, not too long.
func shown(text string) string {
	text = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, text)
	return text[:min(len(text), 100)]
}
