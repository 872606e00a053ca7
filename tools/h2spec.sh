#!/usr/bin/env bash
# Runs h2spec, the conformance suite of HTTP/2, against weir: over TLS, and without it by prior knowledge. The exit
# status is 0 when no case failed.
#
#   tools/h2spec.sh [case…]                 generic http2 hpack; also a part, such as http2/5.1
#   AT=localhost:8443 tools/h2spec.sh       what listens there with TLS already, in place of weir
#
# STRICT=yes adds the cases of what is only recommended.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
cases=("$@")
[ $# -gt 0 ] || cases=(generic http2 hpack)
"$root/tools/setup.sh" h2spec curl openssl
. "$root/tools/scratch.sh"

status=0
# An answer that is over before h2spec has broken its request would leave nothing to complain of: hence the delay.
suite() { # name, host:port, h2spec's arguments
	local name=$1 address=$2
	shift 2
	"$root/.cache/bin/h2spec" -h "${address%:*}" -p "${address##*:}" -P /delay/20ms ${STRICT:+-S} "$@" "${cases[@]}" >"$folder/said.txt" 2>&1 || status=1
	printf 'h2spec %s: %s\n' "$name" "$(grep -aE '^[0-9]+ tests' "$folder/said.txt" || tail -n 3 "$folder/said.txt")"
	# What failed stands below this line once more.
	sed -n '/^Failures:/,$p' "$folder/said.txt"
}

if [ -n "${AT:-}" ]; then
	suite "$AT" "$AT" -t -k
	exit $status
fi

(cd "$root" && go build -o "$folder/upstream" ./tools/upstream && go build -pgo=auto -o "$folder/weir" .)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$folder/key.pem" -out "$folder/cert.pem" 2>"$folder/openssl.txt"
"$folder/upstream" -listen "127.0.0.1:$((port + 2))" >"$folder/upstream.log" 2>&1 &
pids+=($!)
await "http://127.0.0.1:$((port + 2))/"
cat >"$folder/weir.yaml" <<YAML
listeners:
  https: { address: "127.0.0.1:$port", tls: true, protocols: [h2, http/1.1] }
  h2c: { address: "127.0.0.1:$((port + 1))", protocols: [h2] }
tls: { certificates: [ { cert: "$folder/cert.pem", key: "$folder/key.pem" } ], default: localhost }
apis:
  site: { routes: [ { path: \$default, upstream: site } ] }
upstreams:
  site: { targets: [ "http://127.0.0.1:$((port + 2))" ] }
YAML
"$folder/weir" -config "$folder/weir.yaml" -control off -log.output off >"$folder/weir.log" 2>&1 &
pids+=($!)
await "https://localhost:$port/" -k
suite 'over TLS' "localhost:$port" -t -k
suite 'without TLS' "localhost:$((port + 1))"
exit $status
