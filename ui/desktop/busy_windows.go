package desktop

import (
	"errors"
	"time"

	"golang.org/x/sys/windows"
)

// unlessBusy calls f, and again up to lockTimeout while it fails because another process is just reading or replacing
// the file: Windows lets nobody replace a file that is open, nor open one that is being replaced.
func unlessBusy(f func() error) error {
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	timeout := time.NewTimer(lockTimeout)
	defer timeout.Stop()
	for {
		err := f()
		if !errors.Is(err, windows.ERROR_SHARING_VIOLATION) && !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
			return err
		}
		select {
		case <-again.C:
		case <-timeout.C:
			return err
		}
	}
}
