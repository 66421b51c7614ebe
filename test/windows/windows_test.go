//go:build wine

package windows

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"parley/media"
	"parley/media/device/pulsetest"
	"parley/test/harness"
)

// TestE2EWindowsCheck: parley.exe check finds the microphone and the speaker that Windows has (WASAPI), and makes its call.
func TestE2EWindowsCheck(t *testing.T) {
	w := startWine(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	sound := pulsetest.Start(t)
	sound.Mic("headset")
	sound.NullSink("loud")
	command := append(w.parley(), "check", "--server", "http://"+addr)
	p := harness.Launch(t, append(w.env(), sound.Env()...), command[0], command[1:]...)
	// There is no camera: status 3. How fast this machine is does not matter here.
	if status := p.Status(); status != 3 && !strings.Contains(p.Errors(), "too busy for a call") {
		t.Errorf("exit status %d, want 3 for a missing device", status)
	}
	report := p.Output()
	t.Log(report)
	for _, want := range []string{`microphone +.*headset`, `speaker +.*loud`, `path +host`, `picture +\d+x\d+, \d+\.\d fps`, `sound +-\d+ dB`} {
		if !regexp.MustCompile(want).MatchString(report) {
			t.Errorf("the report has no %s", want)
		}
	}
	if !regexp.MustCompile(`(?m)^ *camera +none found\r?$`).MatchString(report) {
		t.Error("the report does not say in one line that there is no camera")
	}
	if strings.Contains(report, "you hear nobody") || strings.Contains(report, "nobody hears you") {
		t.Error("sound does not work")
	}
}

// TestE2EWindowsCall: a bot of parley.exe and a Linux bot are in one meeting, and each sees the pictures and hears the
// voice of the other.
func TestE2EWindowsCall(t *testing.T) {
	w := startWine(t)
	_, addr := harness.StartRendezvous(t, "127.0.0.1:0")
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }

	ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--server", "http://"+addr, "--leave-after", "45s",
		"--camera", harness.Material(t, "person1.y4m"), "--mic", harness.Material(t, "voice1.wav"), "--speaker", file("ada.wav"))
	ben := harness.StartProgram(t, w.parley(), "Ben", w.env(), "bot", "--leave-after", "30s",
		"--camera", w.path(harness.Material(t, "person2.y4m")), "--mic", w.path(harness.Material(t, "voice2.wav")),
		"--speaker", w.path(file("ben.wav")), ada.Link())
	both := []*harness.Process{ben, ada}

	for _, p := range both {
		l := p.Await("sees and hears the other", harness.Meets(1))
		if want := map[string]string{"Ada": "Ben", "Ben": "Ada"}[p.Name]; l.Peers[0].Name != want {
			t.Errorf("%s meets %q, want %q", p.Name, l.Peers[0].Name, want)
		}
	}
	for _, p := range both {
		if status := p.Status(); status != 0 {
			t.Errorf("%s: exit status %d", p.Name, status)
		}
		frames := uint64(0)
		for _, l := range p.Lines() {
			for _, q := range l.Peers {
				frames = max(frames, q.VideoIn.Frames)
			}
		}
		t.Logf("%s has seen %d pictures", p.Name, frames)
		if frames < 100 {
			t.Errorf("%s has seen %d pictures in half a minute", p.Name, frames)
		}
	}
	for recording, voice := range map[string]string{"ada.wav": "voice2.wav", "ben.wav": "voice1.wav"} {
		heard := harness.Heard(harness.Voice(t, harness.Material(t, voice)), harness.ReadVoice(t, file(recording), media.SpeakerChannels))
		t.Logf("%s has %s with correlation %.2f", recording, voice, heard)
		if heard < 0.5 {
			t.Errorf("%s has %s with correlation %.2f only", recording, voice, heard)
		}
	}
}

// TestE2EWindowsPackages runs tests of packages on Windows, with a display: of the driver for screens and windows, and of
// what is shared with other windows.
func TestE2EWindowsPackages(t *testing.T) {
	w := startWine(t)
	w.display = harness.StartDisplay(t).Name
	for folder, tests := range map[string][]string{
		"media/device/gdi": {"TestCapture", "TestOpenRefuses"},
		"ui/desktop":       {"TestSettingsAreKeptWhileTheyAreRead"},
	} {
		program := filepath.Join(t.TempDir(), filepath.Base(folder)+".test.exe")
		build := exec.Command("go", "test", "-c", "-o", program, "./"+folder)
		build.Env = append(os.Environ(), "GOOS=windows", "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
		out := w.must("wine", program, "-test.v", "-test.run", "^("+strings.Join(tests, "|")+")$")
		for _, test := range tests {
			if !strings.Contains(out, "--- PASS: "+test) {
				t.Errorf("%s did not run:\n%s", test, out)
			}
		}
	}
}

// TestE2EWindowsCamera runs the tests of the driver for cameras on Windows, with a camera of our own behind Wine's Media
// Foundation.
func TestE2EWindowsCamera(t *testing.T) {
	w := startWine(t)
	dir := t.TempDir()
	program, camera := filepath.Join(dir, "mf.test.exe"), filepath.Join(dir, "camera.dll")
	w.must("x86_64-w64-mingw32-gcc-posix", "-O2", "-shared", "-static", "-o", camera, "test/windows/testdata/camera.c", "-lmfplat", "-lmfuuid", "-lole32")
	build := exec.Command("go", "test", "-c", "-o", program, "./media/device/mf")
	build.Env = append(os.Environ(), "GOOS=windows", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	t.Setenv("PARLEY_TEST_CAMERA", w.path(camera))
	t.Log(w.must("wine", program, "-test.v"))
}

// TestE2EWindowsInstaller: the installer registers parley:// for this user. A clicked link opens the window, a second one
// goes to the window that is open, and the uninstaller leaves neither the program nor the registration.
func TestE2EWindowsInstaller(t *testing.T) {
	w := startWine(t)
	d := harness.StartDisplay(t)
	w.display = d.Name
	w.must("wine", filepath.Join(built, "parley-setup.exe"), "/S")
	found, err := filepath.Glob(filepath.Join(w.prefix, "drive_c/users/*/AppData/Local/Programs/Parley/parley.exe"))
	if err != nil || len(found) != 1 {
		t.Fatalf("installed programs: %q, %v; want one", found, err)
	}
	const key = `HKCU\Software\Classes\parley\shell\open\command`
	if out := w.must("wine", "reg", "query", key, "/ve"); !strings.Contains(out, `\Programs\Parley\parley.exe" "%1"`) {
		t.Errorf("parley:// opens with %s", out)
	}

	windows := func() int {
		out, _ := exec.Command("env", "DISPLAY="+d.Name, "xdotool", "search", "--onlyvisible", "--name", "Parley").Output()
		return len(strings.Fields(string(out)))
	}
	// Wine before 9 does not look for classes in the user's part of the registry, as Windows does.
	const classes = `\Software\Classes\parley`
	w.must("wine", "reg", "copy", "HKCU"+classes, "HKLM"+classes, "/s", "/f")
	const link = "parley://meet.example/#zzcf-wyn3-57d3"
	w.must("wine", "start", link)
	harness.AwaitTrue(t, "the link opens a window", func() bool { return windows() == 1 }, func() string { return "no window" })
	w.must("wine", found[0], link) // ends once it has handed its link over; a window of its own would stay
	if n := windows(); n != 1 {
		t.Errorf("%d windows after the second link, want 1", n)
	}

	w.must("wine", "taskkill", "/F", "/IM", "parley.exe")
	w.must("wine", filepath.Join(filepath.Dir(found[0]), "uninstall.exe"), "/S")
	harness.AwaitTrue(t, "the program is gone", func() bool {
		_, err := os.Stat(found[0])
		return os.IsNotExist(err)
	}, func() string { return "it is there" })
	harness.AwaitTrue(t, "the registration is gone", func() bool {
		return w.command("wine", "reg", "query", key, "/ve").Run() != nil
	}, func() string { return "it is there" })
}
