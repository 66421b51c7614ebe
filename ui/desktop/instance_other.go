//go:build !unix

package desktop

import (
	"errors"
	"io/fs"
	"os"
)

// ours cannot tell whose a file is here; the user's folder keeps others out.
func ours(fs.FileInfo) bool { return true }

// tryLock says that there is no lock here: each start is an app of its own.
func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }
