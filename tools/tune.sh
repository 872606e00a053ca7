#!/usr/bin/env bash
# Measures what flags cost: weir with one flag changed beside weir as it is, in turns, 1 KiB answers over 64
# connections. weir has processor 0 and one worker, load and upstream have processor 1. Prints a table in Markdown:
# processor time a request (median and best of ROUNDS=5, each SECONDS_EACH=2), memory (PSS) after it.
#
#   tools/tune.sh
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
rounds=${ROUNDS:-5}
seconds=${SECONDS_EACH:-2}
"$root/tools/setup.sh" wrk taskset curl
. "$root/tools/scratch.sh"

(cd "$root" && go build -o "$folder/upstream" ./tools/upstream && go build -pgo=auto -o "$folder/weir" .)

upstream=127.0.0.1:$port
GOMAXPROCS=1 taskset -c 1 "$folder/upstream" -listen "$upstream" >"$folder/upstream.log" 2>&1 &
pids+=($!)
await "http://$upstream/size/1024"

names=() addresses=() weirs=()
processors=0
variant() { # name, environment, flag…
	local name=$1 environment=$2 n=${#names[@]}
	shift 2
	local address=127.0.0.1:$((port + 1 + n))
	# shellcheck disable=SC2086 # the environment is words
	env GOMAXPROCS=1 $environment taskset -c "$processors" "$folder/weir" -listen "$address" -control off \
		-upstream "http://$upstream" -log.output "$folder/access-$n.log" "$@" >"$folder/weir-$n.log" 2>&1 &
	pids+=($!)
	weirs+=($!)
	names+=("$name")
	addresses+=("$address")
	await "http://$address/size/1024"
}

ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }

variant 'as it is, log to a file' ''
variant '`-log.output off`' '' -log.output off
variant '`-log.format combined`' '' -log.format combined
variant '`-log.keepOneIn 100`' '' -log.keepOneIn 100
variant '`-metrics=false`' '' -metrics=false
variant 'every `-forward.*` off' '' -forward.xForwarded=false -forward.forwarded=false -forward.requestID=false -forward.trace=false
variant '`-upstream.maxIdle 8`' '' -upstream.maxIdle 8
variant '`-upstream.maxIdle 0`' '' -upstream.maxIdle 0
variant '`-listen.maxHead 65536`' '' -listen.maxHead 65536
variant '`GOGC=400`' GOGC=400
# Here weir shares processor 1 with the load, so these two compare with each other only.
processors=0,1
variant 'two workers, `-shards 2`' GOMAXPROCS=2 -shards 2
variant 'two workers, `-shards 1`' GOMAXPROCS=2 -shards 1

hertz=$(getconf CLK_TCK)
for round in $(seq "$rounds"); do
	for i in "${!names[@]}"; do
		i=$(((i + round) % ${#names[@]}))
		before=$(ticks "${weirs[i]}")
		requests=$(taskset -c 1 wrk -t1 -c64 -d"${seconds}s" "http://${addresses[i]}/size/1024" |
			awk '/requests in/ { print $1 }')
		after=$(ticks "${weirs[i]}")
		awk -v t=$((after - before)) -v r="$requests" -v h="$hertz" 'BEGIN { printf "%.1f\n", t / h * 1e6 / r }' >>"$folder/$i"
	done
done

base=$(sort -n "$folder/0" | sed -n "$((rounds / 2 + 1))p")
echo '| Change | CPU µs/request, median | best | ÷ as it is | MiB |'
echo '| --- | ---: | ---: | ---: | ---: |'
for i in "${!names[@]}"; do
	memory=$(awk '/^Pss:/ { printf "%.0f", $2 / 1024 }' "/proc/${weirs[i]}/smaps_rollup")
	sort -n "$folder/$i" | awk -v name="${names[i]}" -v base="$base" -v memory="$memory" \
		'{ v[NR] = $1 } END { m = v[int(NR / 2) + 1]; printf "| %s | %.1f | %.1f | %.2f | %s |\n", name, m, v[1], m / base, memory }'
done
