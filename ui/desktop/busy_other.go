//go:build !windows

package desktop

// unlessBusy calls f: here a file can be replaced while others read it.
func unlessBusy(f func() error) error { return f() }
