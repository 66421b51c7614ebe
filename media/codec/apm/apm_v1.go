//go:build !noapm && webrtc1

package apm

// #cgo pkg-config: webrtc-audio-processing-1
// #cgo CXXFLAGS: -std=c++17 -O2
import "C"

// hasAEC3 says whether the library has WebRTC's third echo canceller.
const hasAEC3 = true
