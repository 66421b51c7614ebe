//go:build static_vpx

package vpx

// #cgo LDFLAGS: -l:libvpx.a -lm -Wl,--wrap=vpx_calloc
import "C"
