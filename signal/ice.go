package signal

import (
	"log/slog"
	"strings"
	"time"
)

// Limits of the ICE servers in a frame.
const (
	maxICEServers = 8
	maxICEURLs    = 8
	maxICEText    = 512 // bytes of a URL, a user name or a credential
	maxICETTL     = 30 * 24 * time.Hour
)

// ICEServer is a STUN or TURN server and how to use it, in the form of WebRTC's RTCIceServer.
type ICEServer struct {
	URLs       []string `json:"urls"` // stun:, stuns:, turn: or turns: (RFC 7064, RFC 7065)
	Username   string   `json:"username,omitempty"`
	Credential Secret   `json:"credential,omitempty"`
	TTL        int64    `json:"ttl,omitempty"` // s for which the credential allows new allocations; 0: for ever
}

// Secret is a text that no log and no error shows.
type Secret string

const hidden = "(secret)"

// String implements fmt.Stringer.
func (Secret) String() string { return hidden }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return hidden }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// brokenICE reports whether servers break the limits. What a URL says is up to its user: later versions
// may know more schemes.
func brokenICE(servers []ICEServer) bool {
	if len(servers) > maxICEServers {
		return true
	}
	for _, s := range servers {
		if len(s.URLs) == 0 || len(s.URLs) > maxICEURLs || s.TTL < 0 || s.TTL > int64(maxICETTL/time.Second) {
			return true
		}
		for _, text := range append([]string{s.Username, string(s.Credential)}, s.URLs...) {
			if len(text) > maxICEText || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
				return true
			}
		}
	}
	return false
}
