#!/usr/bin/env bash
# Renews default.pgo, the profile that weir is built with: real traffic of several kinds through a real weir, logged and
# counted as it comes, for SECONDS_EACH=4 each.
#
#   tools/pgo.sh
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${SECONDS_EACH:-4}
"$root/tools/setup.sh" wrk curl h2load
. "$root/tools/scratch.sh"

(cd "$root" && go build -o "$folder/upstream" ./tools/upstream && go build -o "$folder/load" ./tools/load &&
	go build -pgo=off -o "$folder/weir" .)

upstream=127.0.0.1:$port address=127.0.0.1:$((port + 1)) control=127.0.0.1:$((port + 2)) secure=localhost:$((port + 3))
cat >"$folder/weir.yaml" <<YAML
listeners:
  main: { address: "$address" }
  https: { address: "127.0.0.1:$((port + 3))", tls: true, protocols: [h3, h2, http/1.1] }
apis:
  all:
    routes:
      - { path: "/cached/{bytes}", upstream: upstream, cache: { ttl: 1h } }
      - { path: \$default, upstream: upstream }
upstreams: { upstream: { targets: [ "http://$upstream" ] } }
domains:
  "*": { mappings: { (none): all } }
  localhost: { mappings: { (none): all }, tls: dev }
YAML
GOMAXPROCS=1 "$folder/upstream" -listen "$upstream" >"$folder/upstream.log" 2>&1 &
pids+=($!)
"$folder/weir" -config "$folder/weir.yaml" -control "$control" -data "$folder/data" \
	-log.output "$folder/access.log" >"$folder/weir.log" 2>&1 &
pids+=($!)
await "http://$upstream/size/1024"
await "http://$address/size/1024"

# What browsers and services send, beside wrk's bare request.
headers=(-H 'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36' -H 'Accept: text/html,application/json;q=0.9'
	-H 'Accept-Encoding: gzip, br' -H 'Accept-Language: en' -H 'Cookie: session=0123456789abcdef; theme=dark'
	-H 'Connection: keep-alive')
cat >"$folder/post.lua" <<'LUA'
wrk.method = "POST"
wrk.body = string.rep("x", 512)
wrk.headers["Content-Type"] = "application/json"
LUA

load() { # URL, wrk's arguments
	local url=$1
	shift
	printf 'pgo: %s %s\n' "$url" "$*" >&2
	wrk -t1 -c64 -d"${seconds}s" "$@" "$url" >"$folder/wrk.txt"
	! grep -q 'Non-2xx' "$folder/wrk.txt" || {
		cat "$folder/wrk.txt" >&2
		exit 1
	}
}

curl -sSo "$folder/cpu.prof" "http://$control/debug/pprof/profile?seconds=$((seconds * 12))" &
profile=$!
load "http://$address/size/1024"
load "http://$address/size/1024" "${headers[@]}"
load "http://$address/size/128?a=1&b=2" "${headers[@]}"
load "http://$address/size/16384"
load "http://$address/chunked/2048" "${headers[@]}"
load "http://$address/cached/1024" "${headers[@]}"
load "http://$address/cached/16384"
load "http://$address/upload" -s "$folder/post.lua"
load "https://$secure/size/1024" "${headers[@]}"
printf 'pgo: handshakes, HTTP/2 and HTTP/3\n' >&2
"$folder/load" -mode handshake -tls -address "$secure" -host localhost -connections 8 -duration "${seconds}s" -path /size/1024 >"$folder/load.txt"
timeout "$seconds" h2load -c 64 -m 10 -n 100000000 "https://$secure/size/1024" >"$folder/h2load.txt" || true
"$folder/load" -mode saturate -protocol h3 -tls -address "$secure" -host localhost -connections 16 -streams 8 -duration "${seconds}s" \
	-path /size/1024 >"$folder/load.txt"
wait "$profile"
go tool pprof -proto "$folder/cpu.prof" >"$root/default.pgo" 2>/dev/null
echo "pgo: wrote default.pgo, $(stat -c %s "$root/default.pgo") bytes" >&2
