// Command helpdoc writes a program's manual page or shell completion from its --help, so that neither can go stale.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

const usage = `usage: helpdoc man|bash|zsh|fish PROGRAM`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "helpdoc:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New(usage)
	}
	text, err := exec.Command(args[1], "--help").Output()
	if err != nil {
		return fmt.Errorf("ask %s for help: %w", args[1], err)
	}
	version, err := exec.Command(args[1], "--version").Output()
	if err != nil {
		return fmt.Errorf("ask %s for its version: %w", args[1], err)
	}
	name := args[1][strings.LastIndexByte(args[1], '/')+1:]
	h := parse(name, string(text))
	switch args[0] {
	case "man":
		fmt.Print(h.man(strings.TrimSpace(string(version)), date()))
	case "bash":
		fmt.Print(h.bash())
	case "zsh":
		fmt.Print(h.zsh())
	case "fish":
		fmt.Print(h.fish())
	default:
		return errors.New(usage)
	}
	return nil
}

// date is the day of the build as reproducible builds have it (reproducible-builds.org, SOURCE_DATE_EPOCH), else today.
func date() string {
	at := time.Now()
	var seconds int64
	if n, _ := fmt.Sscan(os.Getenv("SOURCE_DATE_EPOCH"), &seconds); n == 1 {
		at = time.Unix(seconds, 0)
	}
	return at.UTC().Format(time.DateOnly)
}
