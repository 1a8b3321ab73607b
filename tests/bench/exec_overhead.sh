#!/bin/bash
# exec_overhead.sh - what the probe costs an exec storm: CPU per exec with and without, and losses.
#
# usage: exec_overhead.sh BIN_DIR [ROUNDS [EXECS [PROBE_OPTION...]]]
#
# BIN_DIR holds load_exec, load_tiny and probe_run of a build without sanitizers. Each round runs the
# storm first without and then with the probe, so that a change in the machine's speed falls on
# both; the ratio is taken pair by pair and the median is printed.
set -eu
[ $# -ge 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
bin=$1 rounds=${2:-5} execs=${3:-20000}
shift $(($# < 3 ? $# : 3))
[ "$(id -u)" = 0 ] || { echo "skipped: needs root"; exit 77; }
out=$(mktemp -d)
probe=
trap '[ -z "$probe" ] || kill "$probe" 2>/dev/null || true; rm -rf "$out"' EXIT

field() { sed -n "s/.* $2=\([0-9.]*\).*/\1/p" <<<"$1"; }
storm() { "$bin/load_exec" -n "$execs" -t 60; }
median() { sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for _ in $(seq "$rounds"); do
	without=$(storm)
	"$bin/probe_run" "$@" >"$out/probe" 2>&1 &
	probe=$!
	for _ in $(seq 50); do grep -q ready "$out/probe" && break; sleep 0.1; done
	with=$(storm)
	kill -TERM "$probe"
	wait "$probe" || { cat "$out/probe" >&2; exit 1; }
	probe=
	a=$(field "$without" cpu_ns) b=$(field "$with" cpu_ns)
	echo "$a $b" >>"$out/pairs"
	echo "without: $without"
	echo "with:    $with"
	tail -1 "$out/probe"
done
echo "cpu_ratio=$(awk '{ printf "%.3f\n", $2 / $1 }' "$out/pairs" | median)" \
	"added_ns=$(awk '{ print $2 - $1 }' "$out/pairs" | median)"
