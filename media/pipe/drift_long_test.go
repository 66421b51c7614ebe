//go:build !race

package pipe_test

import "time"

// driftFor is how long two clocks drift apart in TestAudioDrift.
const driftFor = 4 * time.Hour
