# What the measuring scripts share; sourced, with $root set. It gives a scratch $folder that goes at exit together with the
# processes in $pids, await, and a free range of ports from $port on.
# shellcheck shell=bash

folder=$(mktemp -d)
pids=()
finish() {
	[ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
	wait
	rm -rf "$folder"
}
trap finish EXIT

port=$((21000 + RANDOM % 8000))

await() { # URL, curl's arguments
	for _ in $(seq 100); do
		curl -so /dev/null "$@" && return
		sleep 0.05
	done
	echo "$(basename "$0" .sh): nothing answers at $1" >&2
	tail -n 5 "$folder"/*.log >&2
	exit 1
}
