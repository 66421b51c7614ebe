package x11

import (
	"github.com/jezek/xgb/composite"
	"github.com/jezek/xgb/damage"
	"github.com/jezek/xgb/randr"
	"github.com/jezek/xgb/xfixes"
)

// useExtensions finds out what the server can do. Each extension's version has to be negotiated before any other
// request to it.
func (d *display) useExtensions() {
	d.shm = d.use("MIT-SHM")
	if d.use("RANDR") {
		// Monitors came with RandR 1.5. An older server counts as one big screen.
		v, err := randr.QueryVersion(d.Conn, 1, 5).Reply()
		d.randr = err == nil && (v.MajorVersion > 1 || v.MinorVersion >= 5)
	}
	if d.use("XFIXES") {
		_, err := xfixes.QueryVersion(d.Conn, 4, 0).Reply()
		d.xfixes = err == nil
	}
	if d.use("DAMAGE") {
		_, err := damage.QueryVersion(d.Conn, 1, 1).Reply()
		d.damage = err == nil && d.xfixes // damage is reported as a region of XFIXES
	}
	if d.use("Composite") {
		// Windows have had pixmaps with names since 0.2.
		v, err := composite.QueryVersion(d.Conn, 0, 4).Reply()
		d.composite = err == nil && (v.MajorVersion > 0 || v.MinorVersion >= 2)
	}
}
