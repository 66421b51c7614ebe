package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// dropCode forgets the pages of the shared libraries' code and returns how many kB they were. Code that
// runs again comes back as it is needed, from the system's cache, in pieces of 64 kB. Pages that are not
// as they are in the file any more are left alone.
func dropCode() (kB int, err error) {
	b, err := os.ReadFile("/proc/self/smaps") // proc_pid_smaps(5)
	if err != nil {
		return 0, err
	}
	var from, to uintptr
	var code bool // of a shared library, where nothing may be written
	var rss int
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if key, isField := strings.CutSuffix(f[0], ":"); !isField {
			code = f[1] == "r-xp" && strings.Contains(f[len(f)-1], ".so")
			if _, err := fmt.Sscanf(f[0], "%x-%x", &from, &to); err != nil {
				return kB, err
			}
		} else if code && key == "Rss" {
			if _, err := fmt.Sscan(f[1], &rss); err != nil {
				return kB, err
			}
		} else if code && key == "Anonymous" && f[1] == "0" && rss > 0 {
			if _, _, no := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED); no != 0 {
				return kB, no
			}
			kB += rss
		}
	}
	return kB, nil
}
