package e2e

import (
	"testing"

	"parley/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
