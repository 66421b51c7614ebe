package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"parley/media/call"
)

// settleAfter is how long a meeting lasts before what only its beginning needed is given up: by then
// everything that it shows was drawn once.
const settleAfter = 3 * time.Second

// settle gives up idle code once in every meeting. A renderer in software compiles what it draws with
// with LLVM, of which 30 MB have been used then and are not again.
func settle(ctx context.Context, c *call.Call) error {
	tick := time.NewTicker(settleAfter / 6)
	defer tick.Stop()
	var since time.Time
	settled := false
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return nil
		case now = <-tick.C:
		}
		switch live := c.State().Phase == call.Live; {
		case !live:
			since, settled = time.Time{}, false
		case since.IsZero():
			since = now
		case !settled && now.Sub(since) >= settleAfter:
			settled = true
			if _, err := dropCode(); err != nil {
				return fmt.Errorf("give up idle code: %w", err)
			}
		}
	}
}

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
	rss := 0
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		switch value := func() int { n, _ := strconv.Atoi(f[1]); return n }; {
		case len(f) >= 5 && !strings.HasSuffix(f[0], ":"):
			code = f[1] == "r-xp" && strings.Contains(f[len(f)-1], ".so")
			if _, err := fmt.Sscanf(f[0], "%x-%x", &from, &to); err != nil {
				return kB, err
			}
		case f[0] == "Rss:":
			rss = value()
		case f[0] == "Anonymous:" && code && rss > 0 && value() == 0:
			if _, _, no := unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED); no != 0 {
				return kB, no
			}
			kB += rss
		}
	}
	return kB, nil
}
