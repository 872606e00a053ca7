#!/usr/bin/env bash
# Installs the programs that the measurements and load tests need, and skips what is present.
#
#   tools/setup.sh NAME…    nginx haproxy caddy varnish wrk h2load k6 taskset rsvg-convert strace git curl gcc go
#                           openssl h2spec gtlsclient chromium pebble pebble-challtestsrv redis-server
#                           grpc-interop-client grpc-interop-server grpc-web-clients http-cache-tests
#   tools/setup.sh          lists them
#
# Go programs are built once into .cache/bin at a pinned version; the others come from the system's packages.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/.cache/bin

caddy_version=v2.11.9
grpc_version=v1.85.0
k6_version=v1.8.1
pebble_version=v2.10.1
# Where tools/pinned says which.
h2spec_version=$(sed -n 's|^\tgithub.com/summerwind/h2spec \([^ ]*\).*|\1|p' "$root/tools/pinned/go.mod")

say() { printf 'setup: %s\n' "$*" >&2; }

from_packages() { # program, package, why
	if command -v "$1" >/dev/null; then
		return
	fi
	command -v apt-get >/dev/null || {
		say "cannot install $1: no apt-get here; install the package \"$2\" by hand ($3)"
		return 1
	}
	local as_root=()
	[ "$(id -u)" = 0 ] || as_root=(sudo)
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null || {
		say "cannot install $1: neither root nor sudo; install the package \"$2\" by hand ($3)"
		return 1
	}
	say "installing package $2: $3"
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$2" >&2 || {
		"${as_root[@]}" apt-get update -q >&2
		"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$2" >&2
	}
}

is_built() { # program, version
	[ -x "$bin/$1" ] && [ -e "$bin/.$1-$2" ]
}

# The name of a Go program is that of its package, which may be as general as "server": hence a folder of its own.
from_source() { # program, package, version, why
	is_built "$1" "$3" && return
	say "building $1 $3 into $bin, which takes some minutes the first time: $4"
	mkdir -p "$bin"
	local built
	built=$(mktemp -d "$bin/.build-XXXXXX")
	if GOBIN=$built GOFLAGS= CGO_ENABLED=0 go install -trimpath "$2@$3" && mv -f "$built/${2##*/}" "$bin/$1"; then
		rm -rf "$built" "$bin/.$1-v"*
		touch "$bin/.$1-$3"
		return
	fi
	rm -rf "$built"
	say "cannot build $1 $3"
	return 1
}

# For a module without a go.mod, whose own requirements only a module of ours can pin.
from_pinned() { # program, package, version, why
	is_built "$1" "$3" && return
	say "building $1 $3 into $bin: $4"
	mkdir -p "$bin"
	CGO_ENABLED=0 go -C "$root/tools/pinned" build -trimpath -o "$bin/$1" "$2" || {
		say "cannot build $1 $3"
		return 1
	}
	rm -f "$bin/.$1-v"*
	touch "$bin/.$1-$3"
}

# Pinned in package-lock.json; they need node to run.
from_npm() { # folder, what
	local folder=$root/$1
	from_packages node nodejs "runs $2" || return 1
	cmp -s "$folder/package-lock.json" "$folder/node_modules/.installed" && return
	from_packages npm npm "installs $2" || return 1
	say "installing $2 into $1"
	npm ci --prefix "$folder" --no-audit --no-fund --ignore-scripts >&2 && cp "$folder/package-lock.json" "$folder/node_modules/.installed"
}

c_library() { # comes with no program that could be looked for
	[ -e /usr/include/stdlib.h ] || from_packages "C headers" libc6-dev "the race detector links with the C library"
}

install_one() {
	case $1 in
	nginx) from_packages nginx nginx-light "a peer of the comparison" ;;
	haproxy) from_packages haproxy haproxy "a peer of the comparison" ;;
	varnish) from_packages varnishd varnish "a peer of the comparison, for its cache" ;;
	wrk) from_packages wrk wrk "closed-loop load at saturation" ;;
	h2load) from_packages h2load nghttp2-client "HTTP/2 load" ;;
	taskset) from_packages taskset util-linux "pins each program to its processor" ;;
	strace) from_packages strace strace "counts system calls" ;;
	git) from_packages git git "the tests ask it for the files of the checkout" ;;
	curl) from_packages curl curl "the tests run the commands of README.md" ;;
	openssl) from_packages openssl openssl "makes and reads certificates, and speaks TLS as a client" ;;
	gtlsclient) from_packages gtlsclient ngtcp2-client "an HTTP/3 client of another family" ;;
	redis-server) from_packages redis-server redis-server "what nodes share limits through; tests start their own" ;;
	chromium) from_packages chromium chromium "a browser, for HTTP/3" ;;
	gcc) from_packages gcc gcc "the race detector needs a C compiler" && c_library ;;
	go) command -v go >/dev/null || {
		say "cannot install go: take Go 1.26 or newer from https://go.dev/dl/ and put it on PATH"
		return 1
	} ;;
	rsvg-convert) from_packages rsvg-convert librsvg2-bin "turns the pictures into PNG, to look at them" ;;
	caddy) from_source caddy github.com/caddyserver/caddy/v2/cmd/caddy "$caddy_version" "a peer of the comparison" ;;
	h2spec) from_pinned h2spec github.com/summerwind/h2spec/cmd/h2spec "$h2spec_version" "the conformance suite of HTTP/2" ;;
	pebble) from_source pebble github.com/letsencrypt/pebble/v2/cmd/pebble "$pebble_version" "an ACME server to test against" ;;
	pebble-challtestsrv) from_source pebble-challtestsrv github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv "$pebble_version" "names and challenges for pebble" ;;
	grpc-interop-client) from_source grpc-interop-client google.golang.org/grpc/interop/client "$grpc_version" "the interoperability cases of gRPC" ;;
	grpc-interop-server) from_source grpc-interop-server google.golang.org/grpc/interop/server "$grpc_version" "what grpc-interop-client asks" ;;
	grpc-web-clients) from_npm tools/interop/web "the clients of gRPC-Web" ;;
	http-cache-tests) from_npm tools/cachesuite/suite "the public suite of HTTP caches" ;;
	k6) from_source k6 go.k6.io/k6 "$k6_version" "runs the scripts in loadtest/" ;;
	*)
		say "unknown program \"$1\""
		return 2
		;;
	esac
}

if [ $# = 0 ]; then
	sed -n '2,8s/^# \{0,1\}//p' "$0"
	exit 0
fi
status=0
for name in "$@"; do
	install_one "$name" || status=1
done
exit $status
