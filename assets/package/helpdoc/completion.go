package main

import (
	"fmt"
	"strings"
)

// bash completes flags, subcommands and the values that are known.
func (h help) bash() string {
	var values strings.Builder
	words := h.commands()
	for _, f := range h.flags() {
		words = append(words, f.name)
		switch {
		case f.arg == "":
			continue
		case f.takesFolder():
			fmt.Fprintf(&values, "\t%s) mapfile -t COMPREPLY < <(compgen -d -- \"$cur\"); return ;;\n", f.name)
		case f.takesFile():
			fmt.Fprintf(&values, "\t%s) mapfile -t COMPREPLY < <(compgen -f -W '%s' -- \"$cur\"); return ;;\n",
				f.name, strings.Join(f.choices(), " "))
		default:
			fmt.Fprintf(&values, "\t%s) mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\"); return ;;\n",
				f.name, strings.Join(f.choices(), " "))
		}
	}
	function := "_" + strings.ReplaceAll(h.name, "-", "_")
	return fmt.Sprintf(`# Completion of %[1]s for bash, made from its --help.
%[2]s() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	case $prev in
%[3]s	esac
	mapfile -t COMPREPLY < <(compgen -W '%[4]s' -- "$cur")
}
complete -o filenames -F %[2]s %[1]s
`, h.name, function, values.String(), strings.Join(words, " "))
}

// zsh is the same for _arguments (zshcompsys(1)).
func (h help) zsh() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %s\n# Made from its --help.\n_arguments", h.name)
	quote := strings.NewReplacer(`'`, `'\''`, `[`, `\[`, `]`, `\]`, `:`, `\:`)
	for _, f := range h.flags() {
		spec := f.name + "[" + quote.Replace(f.summary()) + "]"
		switch words := strings.Join(f.choices(), " "); {
		case f.arg == "":
		case f.takesFolder():
			spec += ":" + quote.Replace(f.arg) + ":_files -/"
		case words != "" && f.takesFile():
			spec += fmt.Sprintf(`:%s:{_values word %s; _files}`, quote.Replace(f.arg), words)
		case words != "":
			spec += fmt.Sprintf(":%s:(%s)", quote.Replace(f.arg), words)
		case f.takesFile():
			spec += ":" + f.arg + ":_files"
		default:
			spec += ":" + quote.Replace(f.arg) + ": "
		}
		fmt.Fprintf(&b, " \\\n\t'%s'", spec)
	}
	if words := h.commands(); len(words) > 0 {
		fmt.Fprintf(&b, " \\\n\t'1:command:(%s)'", strings.Join(words, " "))
	}
	return b.String() + "\n"
}

// fish is the same for complete(1) of fish.
func (h help) fish() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Completion of %[1]s for fish, made from its --help.\ncomplete -c %[1]s -f\n", h.name)
	if words := h.commands(); len(words) > 0 {
		fmt.Fprintf(&b, "complete -c %s -n __fish_use_subcommand -a '%s'\n", h.name, strings.Join(words, " "))
	}
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, f := range h.flags() {
		fmt.Fprintf(&b, "complete -c %s -l %s -d '%s'", h.name, strings.TrimPrefix(f.name, "--"), quote.Replace(f.summary()))
		words := strings.Join(f.choices(), " ")
		switch {
		case f.takesFolder():
			b.WriteString(" -x -a '(__fish_complete_directories)'")
		case f.takesFile():
			b.WriteString(" -r -F")
		case f.arg != "":
			b.WriteString(" -x")
		}
		if words != "" {
			fmt.Fprintf(&b, " -a '%s'", words)
		}
		b.WriteString("\n")
	}
	return b.String()
}
