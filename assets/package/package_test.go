package packaging

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"go.yaml.in/yaml/v3"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestFiles holds the descriptions of the packages to the files that they name. What is in ${OUT} is made
// by scripts/package.
func TestFiles(t *testing.T) {
	for _, name := range []string{"parley", "parley-rendezvous"} {
		var config struct {
			Name     string
			Contents []struct{ Src, Dst string }
			Scripts  map[string]string
		}
		if err := yaml.Unmarshal([]byte(read(t, name+".yaml")), &config); err != nil {
			t.Fatal(err)
		}
		if config.Name != name || len(config.Contents) == 0 {
			t.Errorf("%s.yaml describes %q with %d contents", name, config.Name, len(config.Contents))
		}
		var files []string
		for _, c := range config.Contents {
			files = append(files, c.Src)
		}
		for _, script := range config.Scripts {
			files = append(files, script)
			if out, err := exec.Command("sh", "-n", filepath.Join("../..", script)).CombinedOutput(); err != nil {
				t.Errorf("%s: %s", script, out)
			}
		}
		for _, file := range files {
			if file == "${OUT}/"+name+"/usr" {
				continue
			}
			if _, err := os.Stat(filepath.Join("../..", file)); err != nil {
				t.Errorf("%s.yaml: %v", name, err)
			}
		}
	}
}

// TestMetainfo has the two files that software centres and desktops read checked by the tools of freedesktop.org.
func TestMetainfo(t *testing.T) {
	const file = "io.parley.app.metainfo.xml"
	for _, check := range [][]string{
		{"appstreamcli", "validate", "--no-net", "--pedantic", file},
		{"desktop-file-validate", "../io.parley.app.desktop"},
	} {
		if out, err := exec.Command(check[0], check[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%s: %v (scripts/setup --test installs it)\n%s", check[0], err, out)
		}
	}
	var info struct {
		ID       string `xml:"id"`
		Launch   string `xml:"launchable"`
		Releases []struct {
			Version string `xml:"version,attr"`
		} `xml:"releases>release"`
	}
	if err := xml.Unmarshal([]byte(read(t, file)), &info); err != nil {
		t.Fatal(err)
	}
	app := read(t, "../../FyneApp.toml")
	value := func(key string) string {
		m := regexp.MustCompile(`(?m)^ *` + key + ` = "(.*)"$`).FindStringSubmatch(app)
		if m == nil {
			t.Fatalf("FyneApp.toml has no %s", key)
		}
		return m[1]
	}
	if id := value("ID"); info.ID != id || info.Launch != id+".desktop" {
		t.Errorf("the metainfo is of %s and starts %s, FyneApp.toml says %s", info.ID, info.Launch, id)
	}
	if len(info.Releases) == 0 || info.Releases[0].Version != value("Version") {
		t.Errorf("the latest release is %v, FyneApp.toml says %s", info.Releases, value("Version"))
	}
}
