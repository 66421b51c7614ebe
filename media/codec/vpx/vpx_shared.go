//go:build !static_vpx

package vpx

// #cgo pkg-config: vpx
import "C"
