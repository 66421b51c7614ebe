//go:build race

package pipe_test

import "time"

// driftFor is shorter under the race detector, which makes the simulation 15 times slower.
const driftFor = 30 * time.Minute
