package ui

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestNoLocaleComplains: started in any kind of locale, this program prints nothing about it. The toolkit reads
// the locale before any code of ours runs.
func TestNoLocaleComplains(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, vars := range [][]string{
		{},
		{"LANG=C"},
		{"LANG=POSIX"},
		{"LANG="},
		{"LANG=C.UTF-8"},
		{"LANG=C.utf8"},
		{"LC_ALL=C.UTF-8", "LANG=de_DE.UTF-8"},
		{"LANG=xx_YY@foo"},
		{"LANG=xx_YY"},
		{"LANG=de_DE@euro"},
		{"LANG=de_DE.UTF-8@euro"},
		{"LANG=ca_ES.UTF-8@valencia"},
		{"LANG=??"},
		{"LANG=_"},
		{"LANG=."},
		{"LANG=@"},
		{"LANG=a"},
		{"LANG=en_"},
		{"LANG=\xff\xfe"},
		{"LANG=" + strings.Repeat("x", 4000)},
		{"LANG=en_US.UTF-8", "LANGUAGE=C:xx:de"},
		{"LANG=en_US.UTF-8", "LANGUAGE=:::"},
		{"LANGUAGE=junk junk"},
		{"LC_MESSAGES=C.UTF-8"},
		{"LANG=sr_RS@latin"},
		{"LANG=en-US"},
		{"LANG=tlh"},
	} {
		cmd := exec.Command(self, "-test.list=^$")
		// With the race detector, a program sleeps for a second before it ends, unless told otherwise.
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}, vars...)
		var out strings.Builder
		cmd.Stderr = &out
		if err := cmd.Run(); err != nil {
			t.Errorf("%q: %v", vars, err)
		}
		if out.Len() > 0 {
			t.Errorf("%q: %s", vars, out.String())
		}
	}
}
