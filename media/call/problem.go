package call

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"parley/media"
	"parley/media/transport"
	"parley/signal"
	"parley/signal/room"
)

// Problem says what is wrong, in values that can be compared. The window has the words, in the user's
// language. The zero value means no problem. Fields that a kind does not use are zero.
type Problem struct {
	Kind   ProblemKind
	Device media.Kind // of the Device kinds
	Name   string     // the device's
	Host   string     // the server's, with its port if it has one; the rest of a link is secret
	Port   int
	By     string    // who answered instead of the server, or the proxy
	Status int       // of HTTP, or of a SOCKS proxy
	Names  string    // the names in a certificate
	Time   time.Time // when a certificate expired or becomes valid
	Now    time.Time // this machine's clock
}

// ProblemKind says what is wrong.
type ProblemKind uint8

// The kinds of Problem.
const (
	NoProblem ProblemKind = iota

	// The user's text names no meeting.
	BadLink
	BadCode
	BadServer
	NoServer // a code alone, and we know no server
	SeveralMeetings

	// The rendezvous. Host names it.
	ServerUnreachable // from here down to ProxySetting: retried; in the order of room.FailureKind
	NoSuchHost
	NobodyListens
	ServerSilent
	SignIn
	ServerMoved
	ServerStatus
	ServerForeign
	NoTLS
	CertExpired
	CertNotYet
	CertName
	CertIssuer
	CertRevoked
	CertBad
	ProxyUnreachable
	ProxyRefused
	ProxyPassword
	ProxySilent
	ProxyRubbish
	ProxySetting
	CannotHost    // this machine starts none
	PortInUse     // another program has the Port on which the meeting was hosted
	NotRendezvous // something else answers
	WrongVersion  // it is newer
	OldServer     // it is older
	ServerRefuses // it reports that we broke the protocol
	MeetingFull
	JoinedElsewhere

	// A device of ours. Device says which.
	DeviceMissing
	DeviceBusy
	DeviceUnplugged
	DeviceDenied // the user may not use it
	DeviceFormat
	DeviceUnsupported
	DeviceFailed
	DeviceReplaced // the chosen one cannot be used; Name is used instead

	// What is shared.
	ScreenUnsupported
	ScreenMissing
	ScreenFormat
	ScreenGone
	WindowClosed
	RegionSmall
	RegionGone
	SoundUnsupported // the screen is shared without sound
	SoundFailed      // the same

	// The path to a member.
	WithoutRelay // in the order of transport.Obstacle
	HiddenWithoutRelay
	WithoutUDPNorRelay
	WithoutUDP
	RelaySilent
	TheirNetwork

	problemKinds // their number
)

// ProblemKinds lists all kinds except NoProblem.
func ProblemKinds() []ProblemKind {
	var all []ProblemKind
	for k := NoProblem + 1; k < problemKinds; k++ {
		all = append(all, k)
	}
	return all
}

// String is a name for programs: it stays the same in every language.
func (k ProblemKind) String() string {
	return [problemKinds]string{
		"", "bad-link", "bad-code", "bad-server", "no-server", "several-meetings",
		"server-unreachable", "no-such-host", "nobody-listens", "server-silent", "sign-in", "server-moved",
		"server-status", "server-foreign", "no-tls", "cert-expired", "cert-not-yet", "cert-name",
		"cert-issuer", "cert-revoked", "cert-bad", "proxy-unreachable", "proxy-refused",
		"proxy-password", "proxy-silent", "proxy-rubbish", "proxy-setting", "cannot-host", "port-in-use", "not-rendezvous", "wrong-version", "old-server", "server-refuses",
		"meeting-full", "joined-elsewhere",
		"device-missing", "device-busy", "device-unplugged", "device-denied", "device-format", "device-unsupported",
		"device-failed", "device-replaced",
		"screen-unsupported", "screen-missing", "screen-format", "screen-gone", "window-closed",
		"region-small", "region-gone", "sound-unsupported", "sound-failed",
		"without-relay", "hidden-without-relay", "without-udp-nor-relay", "without-udp", "relay-silent", "their-network",
	}[k]
}

// OfDevice reports whether the kind uses Problem.Device.
func (k ProblemKind) OfDevice() bool { return k >= DeviceMissing && k <= DeviceReplaced }

// String is a line for logs and scripts, such as "device-busy: camera"; it is empty when nothing
// is wrong.
func (p Problem) String() string {
	parts := []string{p.Kind.String()}
	if p.Kind.OfDevice() {
		parts = append(parts, p.Device.String())
	}
	for _, s := range []string{p.Name, p.Host, p.By} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// RelayMissing says that an address is hidden where nobody can be reached without it.
func (s State) RelayMissing() Problem {
	if !s.AddressHidden || s.Room.Link != room.Connected || slices.ContainsFunc(s.Room.ICE, func(i signal.ICEServer) bool {
		return slices.ContainsFunc(i.URLs, func(u string) bool { return strings.HasPrefix(u, "turn") })
	}) {
		return Problem{}
	}
	return Problem{Kind: HiddenWithoutRelay}
}

// pathProblem says why there is no connection to a member.
func pathProblem(o transport.Obstacle) Problem {
	if o == transport.NoObstacle {
		return Problem{}
	}
	return Problem{Kind: WithoutRelay + ProblemKind(o-transport.WithoutRelay)}
}

// linkProblem says what is wrong with the user's text.
func linkProblem(err error) Problem {
	switch {
	case len(candidates(err)) > 0:
		return Problem{Kind: SeveralMeetings}
	case errors.Is(err, signal.ErrCode):
		return Problem{Kind: BadCode}
	case errors.Is(err, signal.ErrNoServer):
		return Problem{Kind: NoServer}
	case errors.Is(err, signal.ErrServer):
		return Problem{Kind: BadServer}
	}
	return Problem{Kind: BadLink}
}

// serverProblem is a problem with the rendezvous of a link.
func serverProblem(l signal.Link, k ProblemKind) Problem {
	p := Problem{Kind: k}
	if l.Server != nil {
		p.Host = l.Server.Host
	}
	return p
}

// lossProblem says as exactly as possible why the rendezvous is unreachable.
func lossProblem(l signal.Link, err error) Problem {
	var f *room.Failure
	if !errors.As(err, &f) || f.Kind == room.Unreachable {
		return serverProblem(l, ServerUnreachable)
	}
	return Problem{
		Kind: ServerUnreachable + ProblemKind(f.Kind), Host: f.Host, By: f.By, Status: f.Status,
		Names: f.Names, Time: f.Time, Now: f.Now,
	}
}

// candidates are the meetings that a text names, if there are several.
func candidates(err error) []signal.Link {
	var several *signal.Ambiguous
	if errors.As(err, &several) {
		return several.Links
	}
	return nil
}

// hostProblem says that no rendezvous could be started here.
func hostProblem(err error) Problem {
	if taken := (PortTaken{}); errors.As(err, &taken) {
		return Problem{Kind: PortInUse, Port: taken.Port}
	}
	return Problem{Kind: CannotHost}
}

// roomProblem says why the rendezvous refuses us or ended our membership.
func roomProblem(l signal.Link, err error) Problem {
	switch {
	case errors.Is(err, room.ErrFull):
		return Problem{Kind: MeetingFull}
	case errors.Is(err, room.ErrReplaced):
		return Problem{Kind: JoinedElsewhere}
	case errors.Is(err, room.ErrVersion):
		return serverProblem(l, WrongVersion)
	case errors.Is(err, room.ErrOldServer):
		return serverProblem(l, OldServer)
	case errors.Is(err, room.ErrNotRendezvous):
		return serverProblem(l, NotRendezvous)
	}
	return serverProblem(l, ServerRefuses)
}

func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, room.ErrReplaced):
		return Replaced
	case errors.Is(err, room.ErrNotRendezvous):
		return Unreachable
	}
	return Refused
}

// replacedProblem says that another device is used instead of the chosen one.
func replacedProblem(k media.Kind, d media.Device) Problem {
	return Problem{Kind: DeviceReplaced, Device: k, Name: d.Name}
}

// soundProblem says why the screen is shared without the system's sound.
func soundProblem(err error) Problem {
	if errors.Is(err, media.ErrUnsupported) {
		return Problem{Kind: SoundUnsupported}
	}
	return Problem{Kind: SoundFailed}
}

// deviceProblem says what is wrong with a device.
func deviceProblem(k media.Kind, err error) Problem {
	p := Problem{Kind: DeviceFailed, Device: k}
	switch {
	case errors.Is(err, media.ErrNoDevice):
		p.Kind = DeviceMissing
	case errors.Is(err, media.ErrBusy):
		p.Kind = DeviceBusy
	case errors.Is(err, media.ErrLost):
		p.Kind = DeviceUnplugged
	case errors.Is(err, fs.ErrPermission):
		p.Kind = DeviceDenied
	case errors.Is(err, media.ErrFormat):
		p.Kind = DeviceFormat
	case errors.Is(err, media.ErrUnsupported):
		p.Kind = DeviceUnsupported
	}
	return p
}

// screenProblem says why sharing failed or ended. An empty id means no particular screen.
func screenProblem(id string, err error) Problem {
	window, region := strings.HasPrefix(id, "window:"), strings.HasPrefix(id, "region:")
	switch {
	case errors.Is(err, media.ErrUnsupported):
		return Problem{Kind: ScreenUnsupported}
	case errors.Is(err, media.ErrNoDevice) && id == "":
		return Problem{Kind: ScreenMissing}
	case errors.Is(err, media.ErrFormat) && region:
		return Problem{Kind: RegionSmall}
	case errors.Is(err, media.ErrFormat):
		return Problem{Kind: ScreenFormat}
	case window:
		return Problem{Kind: WindowClosed}
	case region:
		return Problem{Kind: RegionGone}
	}
	return Problem{Kind: ScreenGone}
}
