#!/usr/bin/env bash
# Runs k6 scenarios against weir in front of the fake upstream, on free loopback ports.
#
#   loadtest/run.sh [scenario…]     smoke steady spike limit cached websocket tls grpc soak; without any: all but soak
#
# DURATION, RATE, CLIENTS and PAUSE_MS reach the scripts. WEIR names a binary to test in place of the checkout's;
# WEIR_FLAGS adds flags to it; WEIR_URL names a gateway that runs already, in front of tools/upstream, and
# WEIR_TLS_URL where it serves TLS. The exit status is 0 when every threshold held.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
bin=$root/.cache/bin
scenarios=("$@")
[ $# -gt 0 ] || scenarios=(smoke steady spike limit cached websocket tls grpc)

say() { printf 'loadtest: %s\n' "$*" >&2; }

for scenario in "${scenarios[@]}"; do
	[ -f "$here/$scenario.js" ] && [ "$scenario" != settings ] || {
		say "unknown scenario \"$scenario\": there are smoke steady spike limit cached websocket tls grpc soak"
		exit 2
	}
done

"$root/tools/setup.sh" k6
folder=$(mktemp -d)
upstream_pid=
weir_pid=

finish() {
	for pid in $weir_pid $upstream_pid; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT TERM

is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
	local port
	while port=$((20000 + RANDOM % 12000)); do
		is_open "$port" || break
	done
	echo "$port"
}

await() { # what, pid, port, log
	for _ in $(seq 200); do
		is_open "$3" && return
		kill -0 "$2" 2>/dev/null || break
		sleep 0.05
	done
	say "$1 does not listen on port $3:"
	tail -n 20 "$4" >&2
	exit 1
}

start_weir() {
	local upstream_port weir_port tls_port control_port weir=${WEIR:-$bin/weir}
	mkdir -p "$bin"
	(cd "$root" && go build -o "$bin/upstream" ./tools/upstream)
	[ -n "${WEIR:-}" ] || (cd "$root" && go build -pgo=auto -o "$weir" .)

	upstream_port=$(free_port)
	"$bin/upstream" -listen "127.0.0.1:$upstream_port" >"$folder/upstream.log" 2>&1 &
	upstream_pid=$!
	await upstream "$upstream_pid" "$upstream_port" "$folder/upstream.log"

	weir_port=$(free_port)
	tls_port=$(free_port)
	control_port=$(free_port)
	cat >"$folder/weir.yaml" <<YAML
listeners:
  http: { address: "127.0.0.1:$weir_port" }
  https: { address: "127.0.0.1:$tls_port", tls: true }
apis:
  site:
    routes:
      - { path: \$default, upstream: site }
      - { path: "/cached/{proxy+}", upstream: site, cache: { ttl: 1h, purgeFrom: [127.0.0.1] } }
      - { path: "/limited/{proxy+}", upstream: site, rewrite: { stripPrefix: /limited }, limits: [tenant] }
limits:
  tenant: { by: ["header:X-Tenant"], rate: 50, burst: 50 }
domains:
  localhost: { tls: dev, mappings: { (none): site } }
  "*": { mappings: { (none): site } }
upstreams:
  site: { targets: [ "http://127.0.0.1:$upstream_port" ] }
YAML
	# shellcheck disable=SC2086 # flags are words
	"$weir" -config "$folder/weir.yaml" -data "$folder/data" -control "127.0.0.1:$control_port" \
		-log.output "$folder/access.log" ${WEIR_FLAGS:-} >"$folder/weir.log" 2>&1 &
	weir_pid=$!
	await weir "$weir_pid" "$weir_port" "$folder/weir.log"
	export WEIR_URL=http://127.0.0.1:$weir_port WEIR_TLS_URL=https://localhost:$tls_port
	say "weir (process $weir_pid) at $WEIR_URL and $WEIR_TLS_URL in front of port $upstream_port"
}

memory() { # in KiB; nothing where there is no /proc
	[ -n "$weir_pid" ] && [ "$scenario" != grpc ] && awk '/^VmRSS:/ { print $2 }' "/proc/$weir_pid/status" 2>/dev/null || true
}

# gRPC has an upstream and a weir of its own, in a network of their own, because that upstream listens everywhere.
run_k6() { # scenario
	local command=("$bin/k6" run --no-usage-report "$here/$1.js")
	if [ "$1" = grpc ]; then
		"$root/tools/setup.sh" grpc-interop-client grpc-interop-server
		(cd "$root" && go run ./tools/interop -weir "${WEIR:-}" -ways tls -- "${command[@]}")
		return
	fi
	"${command[@]}"
}

[ "${scenarios[*]}" = grpc ] || [ -n "${WEIR_URL:-}" ] || start_weir

status=0
for scenario in "${scenarios[@]}"; do
	say "scenario $scenario"
	before=$(memory)
	if run_k6 "$scenario"; then
		say "$scenario: every threshold held"
	else
		status=1
		say "$scenario: MISSED a threshold"
	fi
	after=$(memory)
	[ -z "$after" ] || say "$scenario: weir's memory was $before KiB before and is $after KiB"
	if [ -n "$weir_pid" ] && ! kill -0 "$weir_pid" 2>/dev/null; then
		say "weir ended during $scenario:"
		tail -n 20 "$folder/weir.log" >&2
		exit 1
	fi
done
exit $status
