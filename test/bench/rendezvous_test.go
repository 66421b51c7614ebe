package bench

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"parley/test/bench/load"
	"parley/test/harness"
)

// rendezvousLoad is the load on both services: many meetings at a busy hour.
var rendezvousLoad = load.Plan{
	Members: 2000, RoomSize: 4, Rate: 2000, Size: 700, Warmup: 5 * time.Second, Time: 20 * time.Second,
}

// rendezvousScenario measures the service beside a relay on Socket.IO. Parley's members use the app's own client, which
// acknowledges messages. Socket.IO's members acknowledge nothing.
var rendezvousScenario = scenario{
	name:  "rendezvous",
	takes: 75 * time.Second,
	figures: []benchFigure{
		{"cpu", "rendezvous beside Socket.IO (in Chromium's column): CPU of a delivery", "us", atMost, 0.5, []string{"delivered"}},
		{"memory", "  memory of each of 2000 connections, under load", "KB", atMost, 0.6, []string{"delivered"}},
		{"idle", "  memory of each, while nothing is said", "KB", atMost, 0.6, nil},
		{"p99", "  delay, 99th percentile", "ms", below, 1, []string{"delivered"}},
		{"p50", "  delay, median", "ms", shown, 0, nil},
		{"delivered", "  delivered of what was sent", "%", shown, 0, nil},
	},
	ours: func(t testing.TB) sample {
		p, addr := harness.StartRendezvous(t, "127.0.0.1:0", "--per-address", strconv.Itoa(2*rendezvousLoad.Members))
		return loaded(t, p, load.Rendezvous("ws://"+addr+"/ws"))
	},
	theirs: func(t testing.TB) sample {
		p := harness.Launch(t, nil, "node", filepath.Join(socketIO(t), "server.mjs"))
		harness.AwaitTrue(t, "the Socket.IO server listens", func() bool { return strings.HasSuffix(p.Output(), "\n") }, p.Errors)
		port := strings.TrimSpace(p.Output())
		return loaded(t, p, load.SocketIO("ws://127.0.0.1:"+port+"/socket.io/?EIO=4&transport=websocket"))
	},
}

// socketIO installs the relay on Socket.IO into build/ if it is not there, and returns its folder.
func socketIO(t testing.TB) string {
	t.Helper()
	dir := filepath.Join("build", "socketio")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"server.mjs", "package.json"} {
		text, err := os.ReadFile(filepath.Join("test/bench/testdata/socketio", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "socket.io")); err == nil {
		return dir
	}
	cmd := exec.Command("npm", "install", "--no-audit", "--no-fund", "--ignore-scripts")
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm install socket.io: %v\n%s", err, text)
	}
	return dir
}

// loaded puts the load on a running service.
func loaded(t testing.TB, p *harness.Process, dial load.Dial) sample {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	service, members := tree{t, p.Cmd.Process.Pid}, float64(rendezvousLoad.Members)
	empty := service.pss()
	crowd, err := load.Gather(ctx, rendezvousLoad, dial)
	if err != nil {
		t.Fatal(err)
	}
	defer crowd.Close()
	time.Sleep(3 * time.Second) // until garbage of the joins has been collected
	s := sample{"idle": (service.pss() - empty) / members * 1000}
	var begin, end time.Duration
	r, err := crowd.Run(ctx, func(begins bool) {
		if begins {
			begin = service.cpu()
			return
		}
		end = service.cpu()
		s["memory"] = (service.pss() - empty) / members * 1000
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Delivered == 0 {
		t.Fatal("nothing was delivered")
	}
	s["cpu"] = (end - begin).Seconds() / float64(r.Delivered) * 1e6
	s["p50"], s["p99"] = r.P50.Seconds()*1000, r.P99.Seconds()*1000
	s["delivered"] = 100 * float64(r.Delivered) / float64(r.Expected)
	return s
}
