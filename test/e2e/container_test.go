package e2e

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"parley/signal/cert/acmetest"
	"parley/test/harness"
)

// TestE2EContainer builds the image of docs/hosting/Containerfile and runs it as docs/HOSTING.md says: not root, without
// capabilities, and with nothing to write to but its volume.
func TestE2EContainer(t *testing.T) {
	harness.EndToEnd(t)
	if os.Getuid() != 0 {
		t.Skip("the test's own storage needs root")
	}
	dir := t.TempDir()
	podman := []string{
		"podman", "--root", dir + "/root", "--runroot", dir + "/run", "--storage-driver", "vfs", "--runtime", "runc",
		"--cgroup-manager", "cgroupfs",
	}
	build := exec.Command("make", "container", "CONTAINER="+strings.Join(podman, " "))
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	// The host's limits may be below podman's own.
	run := append(podman, "run", "--rm", "--read-only", "--cap-drop", "all", "--network", "host",
		"--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "-v", "state:/state", "localhost/parley-rendezvous")
	if text, err := exec.Command(run[0], append(slices.Clone(run[1:]), "--version")...).CombinedOutput(); err != nil {
		t.Skipf("this system runs no containers: %v: %s", err, text)
	}

	// The program writes the certificate authority's account into its volume before it asks for a certificate.
	port := func() string { return acmetest.FreeAddr(t) }
	site := harness.Launch(t, nil, run[0], append(slices.Clone(run[1:]), "--listen", port(), "--redirect", port(), "--turn=false",
		"--domain", "meet.example.org", "--acme-ca", "https://127.0.0.1:1/", "--state", "/state")...)
	harness.AwaitTrue(t, "it asks for a certificate", func() bool { return strings.Contains(site.Errors(), "no certificate") }, site.Errors)

	addr := port()
	p := harness.Launch(t, nil, run[0], append(slices.Clone(run[1:]), "--listen", addr)...)
	harness.AwaitTrue(t, "it serves", func() bool { return strings.Contains(p.Errors(), "rendezvous ready") }, p.Errors)
	ada := harness.StartParley(t, "Ada", nil, "bot", "--new", "--server", "http://"+addr)
	ben := harness.StartParley(t, "Ben", nil, "bot", ada.Link())
	for _, p := range []*harness.Process{ada, ben} {
		p.Await("meets the other", harness.Meets(1))
	}
}

// TestComposeNetwork: the nodes of docs/hosting/compose.yaml trust Caddy by its address. So they are in a network that somebody
// creates with the subnet that they trust: podman-compose 1.0.3 heeds no subnet in the file.
func TestComposeNetwork(t *testing.T) {
	text, err := os.ReadFile("docs/hosting/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct{ Command string }
		Networks map[string]struct {
			External bool
			Name     string
			IPAM     any `yaml:"ipam"`
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	subnet := regexp.MustCompile(`network create --subnet (\S+) (\S+)`).FindSubmatch(text)
	if n := file.Networks["default"]; subnet == nil || !n.External || n.Name != string(subnet[2]) || n.IPAM != nil {
		t.Fatalf("the network is %+v, and the file says %q", n, subnet)
	}
	for _, node := range []string{"node1", "node2"} {
		if !strings.Contains(file.Services[node].Command, "--trusted-proxy "+string(subnet[1])+" ") {
			t.Errorf("%s does not trust %s", node, subnet[1])
		}
	}
}
