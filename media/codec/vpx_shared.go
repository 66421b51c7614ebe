//go:build !static_vpx

package codec

// #cgo pkg-config: vpx
import "C"
