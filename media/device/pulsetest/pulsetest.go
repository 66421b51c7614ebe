// Package pulsetest gives a test its own PulseAudio server, whose speakers and microphones every program can use.
package pulsetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a private PulseAudio server. It has no devices but those that the test adds.
type Server struct {
	t       testing.TB
	dir     string
	cmd     *exec.Cmd
	done    chan struct{} // closed when the server has ended
	log     bytes.Buffer  // its standard error; read after done
	modules map[string][]string
}

// startLimit is how long a server may take to answer on a loaded machine.
const startLimit = 20 * time.Second

// Start starts a server, which ends with the test. It does not change the test's own process; see Use and Env.
func Start(t testing.TB) *Server {
	t.Helper()
	// The path of a Unix socket has 107 bytes at most, which a test's own folder can exceed.
	dir, err := os.MkdirTemp("", "pulse")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{t: t, dir: dir, modules: make(map[string][]string)}
	t.Cleanup(s.Stop)
	s.Restart()
	return s
}

// Restart starts the server again after Stop, without any device.
func (s *Server) Restart() {
	s.t.Helper()
	s.log.Reset()
	clear(s.modules)
	os.Remove(s.socket())
	s.cmd = exec.Command("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1",
		"--system=false", "--disallow-exit", "--log-target=stderr",
		"-L", "module-native-protocol-unix auth-anonymous=1 socket="+s.socket())
	s.cmd.Env = append(os.Environ(), s.private()...)
	s.cmd.Stderr = &s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test may end without its cleanup
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal("start pulseaudio: ", err)
	}
	s.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // killed, as it should be
		close(done)
	}(s.cmd, s.done)
	deadline := time.Now().Add(startLimit)
	for {
		_, err := s.pactl("info")
		if err == nil {
			return
		}
		select {
		case <-s.done:
			s.t.Fatal("pulseaudio ended: ", s.log.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.t.Fatal("pulseaudio does not answer: ", err)
		}
	}
}

// Stop ends the server, as a crash would.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill() // by its own process ID; it may have ended already
	<-s.done
}

func (s *Server) socket() string { return filepath.Join(s.dir, "native") }

func (s *Server) private() []string {
	return []string{"HOME=" + s.dir, "XDG_RUNTIME_DIR=" + s.dir, "XDG_CONFIG_HOME=" + s.dir, "PULSE_COOKIE=" + filepath.Join(s.dir, "cookie")}
}

// Env is what a child process needs in its environment to use the server.
func (s *Server) Env() []string {
	return []string{"PULSE_SERVER=unix:" + s.socket(), "PULSE_COOKIE=" + filepath.Join(s.dir, "cookie")}
}

// Use makes the test's own process use the server, until the test ends.
func (s *Server) Use() {
	for _, e := range s.Env() {
		k, v, _ := strings.Cut(e, "=")
		if t, ok := s.t.(*testing.T); ok {
			t.Setenv(k, v)
		} else {
			os.Setenv(k, v)
		}
	}
}

// NullSink adds a speaker whose sound goes only to its monitor, name.monitor. Both have name as their ID.
func (s *Server) NullSink(name string) {
	s.t.Helper()
	s.load(name, "module-null-sink", "sink_name="+name, "rate=48000", "channels=2", "format=s16le",
		"norewinds=1", // with rewinds it may have played up to 2 s ahead, and is mute for as long at first
		fmt.Sprintf("sink_properties=device.description=%s", name))
}

// Mic adds a microphone with the ID name, and returns the ID of the sink that feeds it.
func (s *Server) Mic(name string) (sink string) {
	s.t.Helper()
	sink = name + "_in"
	s.NullSink(sink)
	s.load(name, "module-remap-source", "source_name="+name, "master="+sink+".monitor",
		fmt.Sprintf("source_properties=device.description=%s", name))
	return sink
}

// Desk adds a microphone and a speaker with these IDs, on one clock. It returns the ID of the sink that feeds the
// microphone, and that of a source that records both in four channels: two of the microphone, two of the speaker.
func (s *Server) Desk(mic, speaker string) (sink, both string) {
	s.t.Helper()
	const channels = "front-left,front-right,rear-left,rear-right"
	desk := mic + "_" + speaker
	s.load(desk, "module-null-sink", "sink_name="+desk, "rate=48000", "channels=4", "channel_map="+channels, "format=s16le", "norewinds=1")
	sink = mic + "_in"
	part := func(name, master string) {
		s.load(name, "module-remap-sink", "sink_name="+name, "master="+desk, "channels=2", "channel_map=front-left,front-right",
			"master_channel_map="+master, "remix=no", "sink_properties=device.description="+name)
	}
	part(sink, "front-left,front-right")
	part(speaker, "rear-left,rear-right")
	s.load(mic, "module-remap-source", "source_name="+mic, "master="+desk+".monitor", "channels=2", "channel_map=front-left,front-right",
		"master_channel_map=front-left,front-right", "remix=no", "source_properties=device.description="+mic)
	return sink, desk + ".monitor"
}

// load loads a module and remembers it under name.
func (s *Server) load(name, module string, args ...string) {
	s.t.Helper()
	s.modules[name] = append(s.modules[name], s.must(append([]string{"load-module", module}, args...)...))
}

// Unplug takes away the speaker or microphone with this ID.
func (s *Server) Unplug(name string) {
	s.t.Helper()
	for _, index := range s.modules[name] {
		s.must("unload-module", index)
	}
	delete(s.modules, name)
}

// SetDefault makes name the default microphone or speaker.
func (s *Server) SetDefault(name string, microphone bool) {
	s.t.Helper()
	if microphone {
		s.must("set-default-source", name)
		return
	}
	s.must("set-default-sink", name)
}

// Mute mutes a microphone in the server, as its settings do, or ends that.
func (s *Server) Mute(name string, muted bool) {
	s.t.Helper()
	s.must("set-source-mute", name, map[bool]string{true: "1", false: "0"}[muted])
}

// Volume turns a microphone up or down, in percent.
func (s *Server) Volume(name string, percent int) {
	s.t.Helper()
	s.must("set-source-volume", name, fmt.Sprintf("%d%%", percent))
}

func (s *Server) must(args ...string) string {
	s.t.Helper()
	out, err := s.pactl(args...)
	if err != nil {
		s.t.Fatalf("pactl %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func (s *Server) pactl(args ...string) (string, error) {
	cmd := exec.Command("pactl", args...)
	cmd.Env = append(append(os.Environ(), s.private()...), s.Env()...)
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return text, nil
}
