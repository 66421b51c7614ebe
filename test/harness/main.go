// Package harness runs the built programs for tests, on displays, sound servers and networks of their own.
package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Main runs the tests of a package in the module's root, where build/ and test/ are. TestMain calls it.
func Main(m *testing.M) {
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			err = os.Chdir(dir)
			break
		}
		if dir == filepath.Dir(dir) {
			err = fmt.Errorf("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "harness:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
