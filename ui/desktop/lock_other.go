//go:build !unix && !windows

package desktop

import (
	"errors"
	"os"
)

// tryLock says that there is no lock here: each start is an app of its own.
func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
