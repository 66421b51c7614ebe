package desktop

import (
	"os"

	"golang.org/x/sys/windows"
)

// UseConsole makes a program for the window system print into the console it was started from, if it was and its output
// is not redirected (AttachConsole).
func UseConsole() {
	const parent = ^uintptr(0) // ATTACH_PARENT_PROCESS
	if valid(os.Stdout) && valid(os.Stderr) {
		return
	}
	attach := windows.NewLazySystemDLL("kernel32.dll").NewProc("AttachConsole")
	if ok, _, _ := attach.Call(parent); ok == 0 {
		return
	}
	console, err := os.OpenFile("CONOUT$", os.O_RDWR, 0)
	if err != nil {
		return
	}
	if !valid(os.Stdout) {
		os.Stdout = console
	}
	if !valid(os.Stderr) {
		os.Stderr = console
	}
}

// valid reports whether a standard file leads anywhere.
func valid(f *os.File) bool {
	_, err := f.Stat()
	return err == nil
}
