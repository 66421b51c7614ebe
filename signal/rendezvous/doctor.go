package main

import (
	"context"
	"flag"
	"io"
	"strings"

	"parley/signal"
	"parley/signal/probe"
)

// doctor runs parley-rendezvous doctor: it looks at a service as members and their browsers do.
func doctor(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	asJSON := flags.Bool("json", false, "")
	if flags.Parse(args) != nil || flags.NArg() != 1 {
		return fail(stderr, exitUsage, "parley-rendezvous doctor [--json] NAME, such as meet.example.org")
	}
	where := flags.Arg(0)
	if !strings.Contains(where, "://") {
		where = "https://" + where
	}
	server, err := signal.ParseServer(where)
	if err != nil {
		return fail(stderr, exitUsage, err.Error())
	}
	report := probe.Run(ctx, probe.Config{Server: server, Host: true})
	if *asJSON {
		err = report.PrintJSON(stdout)
	} else {
		report.Print(stdout)
	}
	if err != nil || !report.OK {
		return exitFailed
	}
	return exitOK
}
