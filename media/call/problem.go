package call

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"

	"parley/media"
	"parley/signal"
	"parley/signal/room"
)

// sentence makes an error fit to show: a capital letter and a full stop.
func sentence(err error) string {
	s := upper(err.Error())
	if last, _ := utf8.DecodeLastRuneInString(s); unicode.IsLetter(last) || unicode.IsDigit(last) || last == ')' || last == '"' {
		s += "."
	}
	return s
}

// upper begins a text with a capital letter.
func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// serverProblem says that the rendezvous is out of reach. Only its host is named: the rest
// of a link is secret.
func serverProblem(l signal.Link) string {
	return fmt.Sprintf("No connection to %s. Trying again; check your network.", serverName(l))
}

func serverName(l signal.Link) string {
	if l.Server == nil || l.Server.Host == "" {
		return "the server"
	}
	return "the server at " + l.Server.Host
}

// lossProblem says why the rendezvous cannot be reached now, as exactly as is known.
func lossProblem(l signal.Link, err error) string {
	var f *room.Failure
	if !errors.As(err, &f) || f.Kind == room.Unreachable {
		return serverProblem(l)
	}
	return sentence(f)
}

// candidates are the meetings that a text names, when there are several.
func candidates(err error) []signal.Link {
	var several *signal.Ambiguous
	if errors.As(err, &several) {
		return several.Links
	}
	return nil
}

// hostProblem says that no rendezvous could be started here.
func hostProblem(err error) string {
	if taken := (PortTaken{}); errors.As(err, &taken) {
		return fmt.Sprintf("Another program uses port %d, which this meeting's link names. Quit that program and try again, or start a new meeting.", taken.Port)
	}
	return sentence(fmt.Errorf("this machine cannot host the meeting (%w). Try again, or name a server with --server URL", err))
}

// roomProblem says why the rendezvous does not let us in, or any longer.
func roomProblem(l signal.Link, err error) string {
	server := serverName(l)
	switch {
	case errors.Is(err, room.ErrFull):
		return "The meeting is full. Try again when somebody has left."
	case errors.Is(err, room.ErrTaken), errors.Is(err, room.ErrReplaced):
		return "This meeting goes on in another window or on another device of yours."
	case errors.Is(err, room.ErrVersion):
		return fmt.Sprintf("This Parley and %s speak different versions. Update the older of the two.", server)
	case errors.Is(err, room.ErrNotRendezvous):
		var f *room.Failure
		if errors.As(err, &f) && f.Status != 0 {
			server = fmt.Sprintf("%s answers with HTTP status %d: it", server, f.Status)
		}
		return fmt.Sprintf("%s is not one of Parley's. Check the link, or ask for a new one.", upper(server))
	}
	return fmt.Sprintf("This Parley and %s do not understand each other. Update both, then try again.", server)
}

func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, room.ErrTaken), errors.Is(err, room.ErrReplaced):
		return Replaced
	case errors.Is(err, room.ErrNotRendezvous):
		return Unreachable
	}
	return Refused
}

// standIn says that another device is used than the chosen one.
func standIn(k media.Kind, d media.Device) string {
	return fmt.Sprintf("The %s you chose cannot be used. %s stands in until it can.", k, d.Name)
}

// soundProblem says why the screen is shared without what the machine plays.
func soundProblem(err error) string {
	if errors.Is(err, media.ErrUnsupported) {
		return "This system does not let Parley share its sound. The screen is shared without it."
	}
	return "The sound of this machine cannot be shared any more. The screen is shared without it."
}

// deviceProblem says in one line what is wrong with a device and what to do.
func deviceProblem(k media.Kind, err error) string {
	switch {
	case errors.Is(err, media.ErrNoDevice):
		return fmt.Sprintf("No %s found. Plug one in and it will be used.", k)
	case errors.Is(err, media.ErrBusy):
		return fmt.Sprintf("Another program uses the %s. Close it there, or choose another one.", k)
	case errors.Is(err, media.ErrLost):
		return fmt.Sprintf("The %s was unplugged. Plug it in again, or choose another one.", k)
	case errors.Is(err, media.ErrFormat):
		return fmt.Sprintf("The %s delivers a format that Parley cannot use. Choose another one.", k)
	case errors.Is(err, media.ErrUnsupported):
		return fmt.Sprintf("This system gives no access to a %s.", k)
	}
	return fmt.Sprintf("The %s stopped working. Choose another one, or plug it in again.", k)
}
