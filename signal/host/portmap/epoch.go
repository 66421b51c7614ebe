package portmap

import "time"

// epoch is the time that a router's clock showed, and when. The clock starts anew when the router loses its mappings.
type epoch struct {
	seconds uint32
	at      time.Time
}

// follow takes the next time that the clock shows, or returns errLost if it went back, or has not gone at the speed of
// ours: the rules of RFC 6887, section 8.5, which are a little stricter than NAT-PMP's (RFC 6886, section 3.6).
func (e *epoch) follow(seconds uint32, at time.Time) error {
	before := *e
	*e = epoch{seconds, at}
	if before.at.IsZero() {
		return nil
	}
	ours, theirs := int64(at.Sub(before.at)/time.Second), int64(seconds)-int64(before.seconds)
	if theirs < -1 || ours+2 < theirs-theirs/16 || theirs+2 < ours-ours/16 {
		return errLost
	}
	return nil
}
