// Command sbom writes the licence of each component into a bill of materials.
//
//	sbom FILE FOLDER
//
// FILE is in CycloneDX's JSON, and is changed in place. FOLDER has the licence files of each component in a folder of its
// own: MODULE@VERSION for a Go module, go for the standard library, and the package's name for a Debian package. It fails
// if a licence cannot be told, so that somebody looks at it.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// known are the licences that we tell, by their SPDX names. A text that has all of a licence's sentences and none of the
// others is of that licence.
var known = []struct {
	id      string
	has     []string
	without string
}{
	{"Apache-2.0", []string{"apache license version 2.0, january 2004", "grant of patent license"}, ""},
	{"MIT", []string{"permission is hereby granted, free of charge, to any person obtaining a copy", "the above copyright notice and this permission notice"}, ""},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "neither the name"}, ""},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms"}, "neither the name"},
	{"ISC", []string{"for any purpose with or without fee is hereby granted, provided that the above copyright notice"}, ""},
	{"Unlicense", []string{"this is free and unencumbered software released into the public domain"}, ""},
	{"WTFPL", []string{"do what the fuck you want to public license"}, ""},
	{"CC0-1.0", []string{"creative commons legal code cc0 1.0 universal"}, ""},
}

// read says of what licence a module is whose files say several things. Somebody has read them.
var read = map[string]string{
	"github.com/go-text/render":      "Unlicense OR BSD-3-Clause",           // LICENSE: either
	"github.com/go-text/typesetting": "Unlicense OR BSD-3-Clause",           // LICENSE: either
	"github.com/jackpal/go-nat-pmp":  "Apache-2.0",                          // LICENSE: refers to the text only
	"github.com/klauspost/compress":  "BSD-3-Clause AND Apache-2.0 AND MIT", // LICENSE: each for some files
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom FILE FOLDER")
		os.Exit(2)
	}
	if err := fill(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// fill changes the file.
func fill(file, folder string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the bill of materials: %w", err)
	}
	var bom map[string]any
	if err := json.Unmarshal(text, &bom); err != nil {
		return fmt.Errorf("read the bill of materials %s: %w", file, err)
	}
	components, _ := bom["components"].([]any)
	if len(components) == 0 {
		return fmt.Errorf("%s names no components", file)
	}
	var all error
	for _, c := range components {
		c, _ := c.(map[string]any)
		name, _ := c["name"].(string)
		version, _ := c["version"].(string)
		licences, err := licences(folder, name, version)
		if err != nil {
			all = errors.Join(all, fmt.Errorf("%s %s: %w", name, version, err))
			continue
		}
		c["licenses"] = licences
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if all = errors.Join(all, enc.Encode(bom)); all != nil {
		return all
	}
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil { //nolint:gosec // everybody may read it
		return fmt.Errorf("write the bill of materials: %w", err)
	}
	return nil
}

// licences are the licences of a component, in CycloneDX's form.
func licences(folder, name, version string) (any, error) {
	if stanzas, err := os.ReadFile(filepath.Join(folder, name, "copyright")); err == nil {
		return ofDebian(string(stanzas))
	}
	dir := filepath.Join(folder, name+"@"+version)
	if name == "std" {
		dir = filepath.Join(folder, "go")
	}
	id, known := read[name]
	if !known {
		var err error
		if id, err = ofModule(dir); err != nil {
			return nil, err
		}
	}
	if strings.Contains(id, " ") {
		return []any{map[string]any{"expression": id}}, nil
	}
	return []any{map[string]any{"license": map[string]any{"id": id}}}, nil
}

// ofModule names the one licence of the files in a module's root.
func ofModule(dir string) (string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("find its licence: %w", err)
	}
	var found []string
	for _, f := range files {
		if f.IsDir() || !licenceFile.MatchString(f.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return "", fmt.Errorf("read its licence: %w", err)
		}
		found = append(found, told(string(text))...)
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if len(found) != 1 {
		return "", fmt.Errorf("its files are of the licences %q", found)
	}
	return found[0], nil
}

// told lists the licences in a text.
func told(text string) (ids []string) {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, l := range known {
		lacks := func(sentence string) bool { return !strings.Contains(text, sentence) }
		if !slices.ContainsFunc(l.has, lacks) && (l.without == "" || lacks(l.without)) {
			ids = append(ids, l.id)
		}
	}
	return ids
}

// licenceFile matches the names of licence files, without notices and patent grants beside them.
var licenceFile = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying)`)

// ofDebian lists the licences in a copyright file of Debian's form (DEP-5), by the names that Debian gives them, without
// those of the packaging.
func ofDebian(text string) (any, error) {
	var names []string
	for stanza := range strings.SplitSeq(text, "\n\n") {
		if !strings.HasPrefix(strings.TrimSpace(stanza), "Files:") || strings.HasPrefix(strings.TrimSpace(stanza), "Files: debian/") {
			continue
		}
		for line := range strings.Lines(stanza) {
			if name, ok := strings.CutPrefix(line, "License:"); ok {
				names = append(names, strings.TrimSpace(name))
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	names = slices.CompactFunc(names, strings.EqualFold)
	if len(names) == 0 {
		return nil, errors.New("its copyright file names no licence")
	}
	var all []any
	for _, n := range names {
		all = append(all, map[string]any{"license": map[string]any{"name": n}})
	}
	return all, nil
}
