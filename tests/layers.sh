#!/bin/sh
# layers.sh - who may include whom. A line here is a rule of the design; grep is the judge.
set -u
cd "$(dirname "$0")/.." || exit 2
bad=0

forbid() { # room, folders it must not name
	if grep -rnE "#[[:space:]]*include[[:space:]]*[<\"]($2)/" "$1" --include='*.[ch]' --include='*.def'; then
		echo "  ^ $1 must not include $2" >&2
		bad=1
	fi
}

forbid common 'agent|collector|proto|tests'
forbid proto 'agent|collector|tests'
forbid agent 'collector|tests'
forbid collector 'agent|tests'

# inside the agent: sensing rooms are siblings; each may use world (and the agent's event.h)
for room in probe rules audit image guard learn; do
	others=$(echo probe rules audit image guard learn uplink scan | tr ' ' '\n' | grep -vx "$room" | paste -sd'|')
	[ -d "agent/$room" ] && forbid "agent/$room" "agent/($others)"
done
forbid agent/world 'agent/(probe|rules|audit|image|guard|learn|uplink|scan)'
forbid agent/uplink 'agent/(probe|rules|audit|image|guard|learn|world|scan|hash)'
forbid agent/hash 'agent/(probe|rules|audit|image|guard|learn|world|scan|uplink)|proto'
# the gate: takes stock of an image and asks the database; knows nothing of what runs
forbid agent/scan 'agent/(probe|rules|audit|guard|learn|uplink|world)'
forbid agent/bpf 'agent/(probe|rules|audit|image|guard|learn|world|uplink)|common|proto'

# inside the collector: rooms meet in store and in collector.c
for room in intake correlate alert notify vuln audit health fleet api; do
	others=$(echo intake correlate notify vuln audit health fleet api | tr ' ' '\n' | grep -vx "$room" | paste -sd'|')
	# alert's JSON form is what people and receivers get, so notify and api may name alert
	case $room in alert | notify | api) ;; *) others="$others|alert" ;; esac
	[ -d "collector/$room" ] && forbid "collector/$room" "collector/($others)"
done
forbid collector/store 'collector/(intake|correlate|alert|notify|vuln|audit|health|fleet|api|ctl)'
# picketctl lints and tries rules without a server: of correlate what is pure, nothing that needs the store
forbid collector/ctl 'collector/(intake|alert|notify|vuln|audit|health|fleet|store)'

# a local that cleans up after itself has a value from its first line on: an early return runs the cleanup
if git ls-files 2>/dev/null 'common/*.c' 'proto/*.c' 'agent/*.c' 'collector/*.c' |
	xargs -r grep -nE 'CLEANUP\([a-z_]+\)[^=]*;'; then
	echo "  ^ CLEANUP() without an initial value" >&2
	bad=1
fi

# one README a room, with the same five headings
for d in common proto agent/bpf agent/hash agent/probe agent/world agent/rules agent/uplink agent/audit agent/image \
	agent/guard agent/learn agent/scan agent/packaging collector/intake collector/store collector/correlate \
	collector/alert collector/notify collector/vuln collector/fleet collector/api collector/web \
	collector/ctl collector/packaging common/version common/vulndb common/policy; do
	for h in Owns 'May include' 'Included by' 'Flow in -> out' Decisions; do
		if ! grep -qsF "**$h**" "$d/README.md"; then
			echo "$d/README.md: no **$h**" >&2
			bad=1
		fi
	done
	[ ! -f "$d/README.md" ] || [ "$(wc -l <"$d/README.md")" -le 40 ] || {
		echo "$d/README.md: over 40 lines" >&2
		bad=1
	}
done
exit $bad
