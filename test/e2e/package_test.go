package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"parley/test/harness"
)

// built is the absolute path of one of our programs.
func built(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("build", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// ask runs a command to its end in a folder. It returns the output and whether the command succeeded.
func ask(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DISPLAY=", "HOME="+t.TempDir(), "LC_ALL=C.UTF-8", "TERM=dumb")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// described writes a program's manual page and completions into a folder, under the names that its package uses.
func described(t *testing.T, program, dir string) {
	t.Helper()
	for kind, file := range map[string]string{"man": ".man", "bash": ".bash", "zsh": "", "fish": ".fish"} {
		out, err := exec.Command("go", "run", "parley/assets/package/helpdoc", kind, built(t, program)).Output()
		if err != nil {
			t.Fatalf("helpdoc %s: %v", kind, err)
		}
		name := program + file
		if kind == "zsh" {
			name = "_" + program
		}
		if err := os.WriteFile(filepath.Join(dir, name), out, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var helpFlag = regexp.MustCompile(`(?m)(?:^  |, )(--[a-z][a-z0-9-]*)`)

// TestE2EHelpFlags checks that the program accepts each flag in --help, with a value exactly if --help shows one, and that
// manual page and completions, which are made from --help, contain all flags.
func TestE2EHelpFlags(t *testing.T) {
	harness.EndToEnd(t)
	for _, program := range []string{"parley", "parley-rendezvous"} {
		dir := t.TempDir()
		described(t, program, dir)
		help, err := ask(t, dir, built(t, program), "--help")
		if err != nil {
			t.Fatal(err)
		}
		page, err := os.ReadFile(filepath.Join(dir, program+".man"))
		if err != nil {
			t.Fatal(err)
		}
		if said, err := ask(t, dir, "groff", "-man", "-ww", "-z", program+".man"); err != nil || said != "" {
			t.Errorf("the manual page of %s: %v %s", program, err, said)
		}
		fish, err := os.ReadFile(filepath.Join(dir, program+".fish"))
		if err != nil {
			t.Fatal(err)
		}
		flags := helpFlag.FindAllStringSubmatch(help, -1)
		if len(flags) < 10 {
			t.Errorf("%s --help shows %d flags", program, len(flags))
		}
		for _, f := range flags {
			name := f[1]
			if !strings.Contains(string(page), strings.ReplaceAll(name, "-", `\-`)) {
				t.Errorf("the manual page of %s lacks %s", program, name)
			}
			row := regexp.MustCompile(`(?m)^complete -c \S+ -l ` + name[2:] + ` -d '(?:[^'\\]|\\.)*'(.*)$`)
			m := row.FindStringSubmatch(string(fish))
			if m == nil {
				t.Errorf("the completion of %s lacks %s", program, name)
				continue
			}
			args, want := []string{built(t, program), name, "--version"}, program+" "
			if m[1] != "" { // it takes a value
				args, want = args[:2], "flag needs an argument: "+name[1:]
			}
			if said, _ := ask(t, dir, args...); !strings.Contains(said, want) {
				t.Errorf("%q says %q, want %q", args[1:], said, want)
			}
		}
	}
}

// zshCompletes types into a zsh with its own terminal, which completion requires.
const zshCompletes = `zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "fpath=($PWD \$fpath); autoload -Uz compinit; compinit -u -D; PS1=; echo rea''dy"
zpty -r z out '*ready*'
zpty -w -n z $'parley --rel\t'
zpty -r z out '*relay-only*'
zpty -w -n z $' --camera of\t'
zpty -r z out '*off *'
zpty -d z`

// TestE2ECompletion completes a flag and a value in each shell.
func TestE2ECompletion(t *testing.T) {
	harness.EndToEnd(t)
	dir := t.TempDir()
	described(t, "parley", dir)
	described(t, "parley-rendezvous", dir)
	const inBash = `for p in parley parley-rendezvous; do source ./$p.bash; done
complete -p parley parley-rendezvous >/dev/null || exit
COMP_WORDS=(parley --rel) COMP_CWORD=1; _parley; echo "${COMPREPLY[@]}"
COMP_WORDS=(parley --camera o) COMP_CWORD=2; _parley; echo "${COMPREPLY[@]}"`
	const inFish = `source ./parley.fish; source ./parley-rendezvous.fish
complete -C 'parley --rel'; complete -C 'parley --camera of'`
	for _, c := range []struct {
		shell []string
		want  []string
	}{
		{[]string{"bash", "--norc", "-c", inBash}, []string{"--relay-only", "off"}},
		{[]string{"fish", "--no-config", "-c", inFish}, []string{"--relay-only\treach", "off\t"}},
		{[]string{"zsh", "-f", "-c", zshCompletes}, nil}, // it has timeouts of its own
		{[]string{"zsh", "-f", "-n", "_parley-rendezvous"}, nil},
	} {
		said, err := ask(t, dir, c.shell...)
		if err != nil {
			t.Errorf("%s: %v (scripts/setup --test installs it)\n%s", c.shell[0], err, said)
		}
		for _, want := range c.want {
			if !strings.Contains(said, want) {
				t.Errorf("%s says %q, want %q", c.shell[0], said, want)
			}
		}
	}
}
