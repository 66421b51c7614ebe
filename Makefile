# Every command for developers is a target here. make help lists them.
export PATH := $(PATH):/usr/local/go/bin
SHELL := /bin/bash
tools := build/tools

# All Go files that git tracks or would add: none under build/.
gofiles = $(wildcard $(shell git ls-files -co --exclude-standard '*.go'))

.DEFAULT_GOAL := help
.PHONY: help setup run build install demo test check lint bench bench-quick bench-go figures nat compare soak fuzz package package-test windows windows-test vet-others container clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what building and running needs (scripts/setup --test: and testing)
	@scripts/setup

run: setup build/parley ## build Parley and open its window; ARGS="--new --camera test" passes flags
	build/parley $(ARGS)

build: setup build/parley build/parley-rendezvous ## build build/parley and build/parley-rendezvous

# Always run: go build decides what is out of date.
.PHONY: build/parley build/parley-rendezvous
# WebRTC's audio processing has another pkg-config name from version 1 on (Debian 13): docs/decisions/echo.md.
ifneq ($(shell ! pkg-config --exists webrtc-audio-processing && pkg-config --exists webrtc-audio-processing-1 && echo 1),)
tags := webrtc1
export GOFLAGS := $(GOFLAGS) -tags=webrtc1
endif
# The first build compiles about 650 packages, which takes minutes.
progress = 2>&1 | awk '/^[a-z][^ :]*$$/ { if (++n % 50 == 0) { print "  compiled " n " packages"; fflush() } next } { print; fflush() }'

build/parley:
	@echo "building $@"
	@set -o pipefail; go build -v -trimpath -tags '$(tags)' -o $@ . $(progress)

build/parley-rendezvous:
	@echo "building $@"
	@set -o pipefail; CGO_ENABLED=0 go build -v -trimpath -o $@ ./signal/rendezvous $(progress)

# Where make install installs; PREFIX=/usr/local is for all users.
PREFIX ?= $(HOME)/.local

install: build ## install the app for this user, so that parley:// links open in it
	install -D build/parley $(PREFIX)/bin/parley
	install -D -m 644 assets/icon.png $(PREFIX)/share/icons/hicolor/512x512/apps/io.parley.app.png
	install -D -m 644 assets/io.parley.app.desktop $(PREFIX)/share/applications/io.parley.app.desktop
	sed -i 's|^Exec=parley|Exec=$(PREFIX)/bin/parley|' $(PREFIX)/share/applications/io.parley.app.desktop
	-update-desktop-database $(PREFIX)/share/applications 2>/dev/null

demo: ## three windows in one meeting for 20 s, on a display and sound server of its own
	@scripts/setup --test
	@$(MAKE) --no-print-directory build
	@scripts/material
	@scripts/demo

test: ## everything: tests with the race detector, end to end, fuzzing; below 30 minutes
	@scripts/setup --test
	@$(MAKE) --no-print-directory build
	@scripts/material
	@TAGS='$(tags)' scripts/test

check: ## what to run before a commit: lint and the fast tests; below 2 minutes, less where packages are unchanged
	@scripts/setup --test
	@$(MAKE) --no-print-directory lint
	go test -short -vet=off ./... # lint runs vet

lint: ## formatting, go vet, staticcheck, shellcheck, import rules, licences, known vulnerabilities
	@test -x $(tools)/govulncheck || scripts/setup --test
	@bad=$$($(tools)/gofumpt -l $(gofiles)); test -z "$$bad" || { echo "not formatted, run $(tools)/gofumpt -w on:"; echo "$$bad"; exit 1; }
	go vet ./...
	$(tools)/staticcheck ./...
	shellcheck .ci/run $(shell grep -lE '^#!.*\<bash' scripts/*)
	go test -run '^TestArchitecture' .
	go test -run '^TestEveryModule$$' ./assets/package/sbom
	scripts/vulnerabilities

bench-go: ## every benchmark of the code, with allocations
	@scripts/setup --test
	@scripts/material
	go test -run '^$$' -bench . -skip '^Benchmark(Figures|Against)' -benchmem ./...

# The following targets measure the programs from outside. They need an idle machine.
whole := go test -trimpath -count 1 -timeout 0

figures: ## frame rate, delay, first picture and cold start beside what they should be; 1 minute
	@scripts/setup --test
	@$(MAKE) --no-print-directory build
	@set -o pipefail; $(whole) -run '^$$' -bench '^BenchmarkFigures' -benchtime 1x ./test/e2e | grep -vE '^(goos|goarch|pkg|cpu|BenchmarkFigures)'

# Pion's sender logs errors about connections that close.
against = set -o pipefail; PION_LOG_DISABLE=twcc_sender_interceptor ROWS='$(ROWS)' PARLEY_BENCH=$(1) $(whole) -run '^$$' -bench '^BenchmarkAgainst' -benchtime 1x ./test/bench | \
	grep --line-buffered -vE '^(goos|goarch|pkg|cpu|PASS|ok|Benchmark)|^ +[0-9]+\t'

bench: ## calls of ours beside the same calls in Chromium, 3 runs; below 30 minutes; ROWS=regexp for some
	@scripts/setup --test
	@$(MAKE) --no-print-directory build
	@scripts/material
	@$(call against,full)

bench-quick: ## its main rows, 1 run; below 5 minutes
	@scripts/setup --test
	@$(MAKE) --no-print-directory build
	@scripts/material
	@$(call against,quick)

nat: ## calls through every kind of router: path, first picture, frame rate; 2 minutes; needs root
	@scripts/setup --test
	@$(MAKE) --no-print-directory build
	@scripts/material
	@set -o pipefail; $(whole) -v -run '^TestE2ENat(Hosted)?$$' ./test/nat | grep -vE '^ *(=== |--- PASS|PASS)'

compare: ## VP8 against VP9, layers, libvpx's settings: CPU, rate, PSNR, SSIM; 5 minutes
	@scripts/setup --test
	go test -trimpath -count 1 -timeout 0 -run '^$$' -bench '^BenchmarkFigures' -benchtime 1x ./media/codec/compare

TIME ?= 10m
soak: ## three bots together for 10 minutes: no growth, no gap in the sound; TIME=1h for longer
	@scripts/setup --test
	@$(MAKE) --no-print-directory build
	@scripts/material
	PARLEY_SOAK=$(TIME) $(whole) -v -run '^TestE2ESoak$$' ./test/e2e

fuzz: ## every fuzz target for 20 s; FUZZTIME=5m for longer
	@scripts/test fuzz

package: ## Debian packages of app and service, and a tarball of the app, in build/package
	@scripts/setup --package
	@TAGS='$(tags)' scripts/package

package-test: ## install, start, upgrade and remove them in clean systems, and build twice; as root
	@scripts/setup --package-test
	@TAGS='$(tags)' scripts/package-test

windows: vet-others ## parley.exe, parley-rendezvous.exe and the installer in build/windows; 15 minutes the first time
	@scripts/setup --windows
	@scripts/windows

windows-test: ## run them under Wine: check, a call with a Linux bot, installer and links; 3 minutes after make windows
	@scripts/setup --windows-test
	@$(MAKE) --no-print-directory build/parley build/parley-rendezvous windows
	@scripts/material
	$(whole) -v -tags wine -run '^TestE2EWindows' ./test/windows

# Packages without C code. Tests of those in the second list import packages with C code.
vet-others: ## compile and vet for Windows and macOS what has no C code
	for os in windows darwin; do export GOOS=$$os CGO_ENABLED=0; \
		go vet ./assets/... ./signal/... ./media ./media/congestion ./media/transport ./ui/desktop && \
		go build ./media/bot ./media/call ./media/device/file ./media/peer ./media/pipe || exit; done
	GOOS=windows CGO_ENABLED=0 go vet ./media/device/gdi ./media/device/mf

# podman or docker, whichever is there; CONTAINER="podman --root DIR" passes flags.
CONTAINER ?= $(shell command -v podman || echo docker)

container: setup build/parley-rendezvous ## build the image localhost/parley-rendezvous with podman or docker
	@mkdir -p build/container/state
	@install build/parley-rendezvous build/container
	$(CONTAINER) build -t localhost/parley-rendezvous -f docs/hosting/Containerfile build/container

clean: ## remove everything that was built
	rm -rf build
