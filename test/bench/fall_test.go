package bench

import (
	"testing"
	"time"

	"parley/test/harness"
)

// The path of fallScenario, in kbit/s, and how long each side has for either way.
const (
	wideKbps, narrowKbps = 2500, 400
	fallLimit            = 10 * time.Second
	riseLimit            = 15 * time.Second
	steadyLimit          = 6 * time.Second
)

// steady waits until a call has found its rate, at most steadyLimit: until two seconds are like the two before. It
// returns their rate.
func steady(look pathCall) float64 {
	const half = 2
	points := watchPath(look, 2*half*time.Second)
	for begin := time.Now(); ; {
		n := len(points) - 1
		before, now := rate(points[n-2*half], points[n-half]), rate(points[n-half], points[n])
		if (now > 0.9*before && now < 1.1*before) || time.Since(begin) > steadyLimit {
			return rate(points[n-2*half], points[n])
		}
		time.Sleep(time.Second)
		points = append(points, look())
	}
}

// fallScenario is a path that narrows and widens again.
var fallScenario = scenario{
	name: "fall and recovery",
	figures: []benchFigure{
		{"fall", "2.5 -> 0.4 Mbit/s: until no more is sent (10 s: never)", "s", below, 1, nil},
		{"frozen", "  frozen in the first 10 s of it", "s", shown, 0, nil},
		{"rise", "0.4 -> 2.5 Mbit/s: back at 90% of the rate (15 s: never)", "s", below, 1, nil},
		{"before", "  rate before", "kbit/s", shown, 0, nil},
	},
	takes: 46 * time.Second,
	part:  &pathPart{"narrow path", false, fallAndRise},
}

func fallAndRise(_ testing.TB, p onPath) sample {
	p.net.Throttle(wideKbps)
	s := sample{"before": steady(p.look), "rise": riseLimit.Seconds()}
	before := p.look()
	p.net.Throttle(narrowKbps)
	s["fall"] = untilSends(p.net, narrowKbps, fallLimit)
	s["frozen"] = p.look().frozen - before.frozen
	p.net.Throttle(wideKbps)
	begin := time.Now()
	for a := p.look(); time.Since(begin) < riseLimit; {
		time.Sleep(time.Second) // the measurement itself
		b := p.look()
		if rate(a, b) >= 0.9*s["before"] {
			s["rise"] = time.Since(begin).Seconds()
			break
		}
		a = b
	}
	return s
}

// untilSends watches for at most d what Ada's host sends, before it is throttled. It returns when half a second first had
// at most this rate, or d. It counts packets itself, since the products report their rates only once a second.
func untilSends(n harness.Network, kbps float64, d time.Duration) float64 {
	const pause, window = 100 * time.Millisecond, 5
	began, fell := time.Now(), d.Seconds()
	times, sent := []time.Time{began}, []float64{n.Offered()}
	for time.Since(began) < d {
		time.Sleep(pause) // the measurement itself
		times, sent = append(times, time.Now()), append(sent, n.Offered())
		i := len(sent) - 1
		if i < window || fell < d.Seconds() {
			continue
		}
		if r := (sent[i] - sent[i-window]) / times[i].Sub(times[i-window]).Seconds(); r <= kbps {
			fell = time.Since(began).Seconds()
		}
	}
	return fell
}
