//go:build !windows

package desktop

// UseConsole does nothing: where a program prints does not depend on whether it has a window.
func UseConsole() {}
