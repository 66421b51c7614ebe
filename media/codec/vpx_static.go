//go:build static_vpx

package codec

// #cgo LDFLAGS: -l:libvpx.a -lm -Wl,--wrap=vpx_calloc
import "C"
