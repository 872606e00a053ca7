# weir: what there is to do. CI calls .ci/run, which calls only what stands here.
SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS  := -s -w -X main.version=$(VERSION)
PINNED   := $(GO) -C $(CURDIR)/tools/pinned tool
PACKAGES ?= ./...
LISTEN   ?= :8080
CONTROL  ?= 127.0.0.1:8081

# The real programs that tests drive.
PARTS := openssl h2spec h2load gtlsclient pebble pebble-challtestsrv grpc-interop-client grpc-interop-server \
	grpc-web-clients redis-server http-cache-tests

FUZZTIME ?= 20s
BENCH    ?= .
BENCHPKG ?= ./bench
COUNT    ?= 10
REF      ?= main

.PHONY: help build run test race lint alloc fuzz bench bench-compare profile pgo stream loadtest compare tune \
	h2spec interop cachesuite measure docs docs-check golden vuln cross check clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build bin/weir, with its version stamped and default.pgo used if there is one
	@tools/setup.sh go
	$(GO) build -trimpath -pgo=auto -ldflags '$(LDFLAGS)' -o bin/weir .

run: build ## Build, and serve the demo on LISTEN=:8080 until Ctrl-C; it prints what to try
	./bin/weir -listen $(LISTEN) -control $(CONTROL)

test: ## Run every test in random order, after installing what they need
	@tools/setup.sh go git curl $(PARTS)
	$(GO) test -shuffle=on $(PACKAGES)

race: ## Run every test under the race detector
	@tools/setup.sh go gcc $(PARTS)
	CGO_ENABLED=1 $(GO) test -race -short -shuffle=on $(PACKAGES)

lint: ## gofmt, go vet, staticcheck and the table of imports
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -d $$(git ls-files '*.go'); exit 1; }
	$(GO) vet $(PACKAGES)
	mkdir -p .cache/bin
	$(GO) -C tools/pinned build -o $(CURDIR)/.cache/bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	.cache/bin/staticcheck $(PACKAGES)
	$(GO) test -run 'Imports' ./tools/house

alloc: ## Run only the tests that hold hot paths to their allocations
	$(GO) test -count=1 -run 'Alloc' $(PACKAGES)

# The end of the time is now and then told as a failure by go test itself, without a failing input: that is none.
fuzz: ## Run every fuzz target for FUZZTIME=20s
	@mkdir -p .cache
	@for dir in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n1 dirname | sort -u); do \
		for name in $$(grep -ho '^func Fuzz[A-Za-z0-9_]*' $$dir/*_test.go | cut -d' ' -f2); do \
			echo "fuzz: $$dir $$name for $(FUZZTIME)"; \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) ./$$dir | tee .cache/fuzz.txt || \
				grep -q '^ *context deadline exceeded$$' .cache/fuzz.txt || exit 1; \
		done; \
	done

bench: ## Run the benchmarks BENCH=. of BENCHPKG=./bench, COUNT=10 times, into .cache/bench.txt
	@mkdir -p .cache
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(BENCHPKG) | tee .cache/bench.txt

bench-compare: ## Compare the benchmarks with those of REF=main by benchstat
	@mkdir -p .cache
	@git worktree remove --force .cache/ref 2>/dev/null || true
	git worktree add --detach .cache/ref $(REF)
	$(GO) -C .cache/ref test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(BENCHPKG) >.cache/bench-ref.txt
	git worktree remove --force .cache/ref
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(BENCHPKG) >.cache/bench.txt
	$(PINNED) benchstat $(CURDIR)/.cache/bench-ref.txt $(CURDIR)/.cache/bench.txt

profile: BENCH = ^BenchmarkServe$$/^proxied-1k$$
profile: ## Where the time of BENCH=… goes: processor and heap profile, and system calls if strace is here
	@mkdir -p .cache
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime 3s -o .cache/profiled.test \
		-cpuprofile .cache/cpu.prof -memprofile .cache/heap.prof $(BENCHPKG) | tee .cache/profiled.txt
	@grep -q '^Benchmark' .cache/profiled.txt || { echo "profile: no benchmark of $(BENCHPKG) matches $(BENCH)"; exit 1; }
	$(GO) tool pprof -top -nodecount 30 .cache/profiled.test .cache/cpu.prof 2>/dev/null
	$(GO) tool pprof -top -nodecount 15 -sample_index alloc_space .cache/profiled.test .cache/heap.prof 2>/dev/null
	@if command -v strace >/dev/null; then \
		(cd $(BENCHPKG) && strace -c -f -o $(CURDIR)/.cache/calls.txt $(CURDIR)/.cache/profiled.test \
			-test.run '^$$' -test.bench '$(BENCH)' -test.benchtime 2000x >/dev/null) && head -20 .cache/calls.txt; \
	else echo "profile: strace is not here, so system calls are not counted"; fi

pgo: ## Renew default.pgo, which weir is built with, from real traffic through it (half a minute)
	tools/pgo.sh

loadtest: ## Run the k6 scenarios SCENARIO="smoke steady spike limit cached websocket tls grpc" (k6 is built the first time)
	loadtest/run.sh $(SCENARIO)

h2spec: ## Run the conformance suite of HTTP/2, h2spec, against weir with and without TLS
	tools/h2spec.sh

cachesuite: ## Run the public suite of HTTP caches against weir; ALL=1 tells every test
	@tools/setup.sh go http-cache-tests
	$(GO) run ./tools/cachesuite $(if $(ALL),-all)

interop: ## Run grpc-go's own client against its own server with weir between them (Linux)
	@tools/setup.sh go grpc-interop-client grpc-interop-server grpc-web-clients
	$(GO) run ./tools/interop
	$(GO) run ./tools/interop -ways web -- node tools/interop/web/run.mjs

measure: ## Measure SCENARIO=h2,tls (all without) beside the others for SECONDS_EACH=2 of ROUNDS=3, and write no document
	@tools/setup.sh wrk h2load nginx haproxy caddy varnish taskset
	$(GO) run ./tools/compare -check -rounds $(or $(ROUNDS),3) -seconds $(or $(SECONDS_EACH),2) -scenario '$(SCENARIO)'

compare: ## Measure weir beside nginx, haproxy, caddy and varnish, and write the result into the documents (20 minutes)
	@tools/setup.sh wrk h2load nginx haproxy caddy varnish taskset
	@mkdir -p .cache
	$(GO) run ./tools/compare -out .cache/compare.md -json .cache/compare.json -picture docs/benchmarks.svg
	$(GO) run ./tools/docs -benchmarks .cache/compare.md

tune: ## Measure what flags cost, for docs/tuning.md (2 minutes)
	tools/tune.sh

docs: ## Generate docs/reference and the generated parts of the other documents
	$(GO) run ./tools/docs

docs-check: ## Fail when a generated document is stale, or a document cites what is not there
	$(GO) run ./tools/docs -check
	$(GO) test -count=1 -run 'Documents|Modules|Readme|Examples' ./tools/house

golden: ## Rewrite the golden files of all tests, to be looked at in the diff
	WEIR_GOLDEN=1 $(GO) test -count=1 $(PACKAGES)

vuln: ## Look for known vulnerabilities in what weir is built of
	mkdir -p .cache/bin
	$(GO) -C tools/pinned build -o $(CURDIR)/.cache/bin/govulncheck golang.org/x/vuln/cmd/govulncheck
	.cache/bin/govulncheck $(PACKAGES)

cross: ## Build for other systems and processors
	GOOS=darwin GOARCH=arm64 $(GO) vet $(PACKAGES)
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 $(GO) build -o /dev/null .
	GOOS=darwin GOARCH=amd64 CGO_ENABLED=0 $(GO) build -o /dev/null .

check: ## What CI runs
	.ci/run

clean: ## Remove what was built
	rm -rf bin .cache/bench*.txt .cache/*.prof .cache/profiled.* .cache/calls.txt .cache/compare.*
