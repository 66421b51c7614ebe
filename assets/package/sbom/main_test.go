package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// put writes files below a folder.
func put(t *testing.T, folder string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const (
	mit  = "Permission is hereby granted, free of charge, to any\nperson obtaining a copy\n... The above copyright notice and this permission notice"
	bsd2 = "Redistribution and use in source and\n    binary forms"
	bsd3 = bsd2 + " Neither  the name of Somebody"
)

// TestFill: each component gets what its files say.
func TestFill(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{
		"bom.json": `{"a":"<1>","components":[{"name":"example.org/m","version":"v1"},{"name":"example.org/two","version":"v2"},
			{"name":"std","version":"go1"},{"name":"libsome1","version":"3"},{"name":"github.com/go-text/render","version":"v0"}]}`,
		"l/example.org/m@v1/LICENSE": "Copyright (c) Somebody\n" + mit, "l/example.org/m@v1/sub/COPYING": bsd2, "l/example.org/m@v1/PATENTS": bsd2,
		"l/example.org/two@v2/COPYING.txt": bsd2,
		"l/go/LICENSE":                     bsd3,
		"l/libsome1/copyright": "Format: x\nLicense: none\n\nFiles: *\nCopyright: a\nLicense: BSD-3-clause\n\nFiles: b\n c\nLicense: Expat\n\n" +
			"Files: d\nLicense: BSD-3-Clause\n\nFiles: debian/*\nLicense: GPL-2+\n\nLicense: GPL-2+\n text\n",
	})
	file := filepath.Join(dir, "bom.json")
	if err := fill(file, filepath.Join(dir, "l")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	var bom struct {
		A          string
		Components []struct{ Licenses json.RawMessage }
	}
	if err != nil || json.Unmarshal(text, &bom) != nil || bom.A != "<1>" {
		t.Fatalf("%s, %v", text, err)
	}
	for i, want := range []string{
		`[{"license":{"id":"MIT"}}]`, `[{"license":{"id":"BSD-2-Clause"}}]`, `[{"license":{"id":"BSD-3-Clause"}}]`,
		`[{"license":{"name":"BSD-3-clause"}},{"license":{"name":"Expat"}}]`, `[{"expression":"Unlicense OR BSD-3-Clause"}]`,
	} {
		got := strings.Join(strings.Fields(string(bom.Components[i].Licenses)), "")
		if got != strings.ReplaceAll(want, " ", "") {
			t.Errorf("component %d: %s, want %s", i, got, want)
		}
	}
}

// TestUnknown: what cannot be told is said, and the file stays as it is.
func TestUnknown(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no folder":         {},
		"no file":           {"l/example.org/m@v1/README": mit},
		"other text":        {"l/example.org/m@v1/LICENSE": "All rights reserved."},
		"two of them":       {"l/example.org/m@v1/LICENSE": mit + bsd3},
		"not Debian's form": {"l/example.org/m/copyright": "It is free."},
	} {
		dir := t.TempDir()
		const bom = `{"components":[{"name":"example.org/m","version":"v1"}]}`
		put(t, dir, map[string]string{"bom.json": bom})
		put(t, dir, files)
		err := fill(filepath.Join(dir, "bom.json"), filepath.Join(dir, "l"))
		if text, _ := os.ReadFile(filepath.Join(dir, "bom.json")); err == nil || !strings.Contains(err.Error(), "example.org/m") || string(text) != bom {
			t.Errorf("%s: %v; the file is %s", name, err, text)
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": `{}`, "damaged": `{`} {
		put(t, dir, map[string]string{name: text})
		if err := fill(filepath.Join(dir, name), dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestEveryModule: the licence of every module that is linked into our programs is known, and none is said without need.
func TestEveryModule(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}",
		"parley", "parley/signal/rendezvous").Output()
	if err != nil {
		t.Fatal(err)
	}
	folder, seen := t.TempDir(), map[string]bool{}
	for line := range strings.Lines(string(out)) {
		var name, version, dir string
		if _, err := fmt.Sscan(line, &name, &version, &dir); err != nil || seen[name] {
			continue
		}
		seen[name] = true
		link := filepath.Join(folder, name+"@"+version)
		if err := os.MkdirAll(filepath.Dir(link), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(dir, link); err != nil {
			t.Fatal(err)
		}
		if _, err := licences(folder, name, version); err != nil {
			t.Errorf("%s %s: %v: read its licence, and add it", name, version, err)
		}
		if one, err := ofModule(link); read[name] != "" && err == nil {
			t.Errorf("%s is told to be of %s by its file alone", name, one)
		}
	}
	if len(seen) < 30 {
		t.Errorf("%d modules", len(seen))
	}
}
