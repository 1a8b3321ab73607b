#!/bin/bash
# The sensors in other kernels than this machine's: each in a small virtual machine (software
# emulation, no root, no network), where probe_test_probe runs, once with version 2 of the cgroups and
# once with version 1 beside it (both ways the tests of the network's hooks, too), probe_test_probe_calls by each way
# to hook calls, and then probe_run.
# Prints ok / not ok / skip lines. Builds the programs unless PICKET_KERNELS_BUILD names a build tree.
#   tests/e2e/kernels.sh            Debian's kernels of the suites below, from the mirror apt uses here
#   tests/e2e/kernels.sh DEB...     these linux-image packages instead
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
suites=(bullseye bookworm trixie) # 5.10, 6.1, 6.12
net_tests=(net load veth traffic)
failed=0
# Of the emulated machine; a run takes under a minute.
timeout_s=1200 mem_mib=768

skip() { echo "skip kernels: $*"; exit 0; }
not_ok() { echo "not ok $*"; failed=1; }

# --- kernels ---

# From a suite of this Debian's mirror, by an apt that keeps everything in $work.
fetch() { # suite; prints the package's file
	local dir=$work/$1 name
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	local key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
	echo "deb $key $mirror $1 main" >"$dir/sources.list"
	[ -z "$security" ] || echo "deb $key $security $1-security main" >>"$dir/sources.list"
	local own=(-q -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null
		-o Dir::State::Lists="$dir/lists" -o Dir::State::status=/dev/null -o Dir::Cache="$dir/cache"
		-o APT::Sandbox::User=root -o Acquire::Languages=none)
	apt-get "${own[@]}" update >"$dir/log" 2>&1 || return 1
	name=$(apt-cache "${own[@]}" depends linux-image-cloud-amd64 2>>"$dir/log" |
		awk '$1 == "Depends:" && $2 ~ /^linux-image-[0-9]/ { print $2; exit }')
	[ -n "$name" ] || return 1
	(cd "$dir" && apt-get "${own[@]}" download "$name") >>"$dir/log" 2>&1
	ls "$dir"/*.deb 2>/dev/null
}

# --- the machine ---

put() { # file, place in the machine: with the libraries it needs
	mkdir -p "$root$(dirname "$2")"
	cp "$1" "$root$2"
	ldd "$1" 2>/dev/null | grep -o '/[^ )]*' | while read -r lib; do
		mkdir -p "$root$(dirname "$lib")"
		cp -Lu "$lib" "$root$lib"
	done
}

make_root() {
	mkdir -p "$root"/{bin,dev,proc,sys,run,tmp,etc,lib}
	put "$(command -v busybox)" /bin/busybox
	put "$build/tests/agent/probe/probe_test_probe" /bin/probe_test_probe
	put "$build/tests/agent/probe/probe_test_probe_calls" /bin/probe_test_probe_calls
	for t in "${net_tests[@]}"; do
		put "$build/tests/agent/guard/net/guard_net_test_$t" "/bin/guard_net_test_$t"
	done
	put "$(command -v dash)" /bin/sh # busybox's takes its own ip, which knows no veth
	put "$(command -v ip)" /bin/ip
	put "$(command -v tc)" /bin/tc
	put "$(command -v nsenter)" /bin/nsenter
	put "$build/tests/bench/probe_run" /bin/probe_run
	put "$build/tests/bench/load_tiny" /bin/load_tiny
	put "$build/tests/bench/load_tiny" "$build/tests/bench/load_tiny" # where the test looks for it
	cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts pts /dev/pts
mount -t bpf bpf /sys/fs/bpf
for m in /lib/*.ko; do insmod "$m"; done 2>/dev/null
ip link set lo up
network() { # of the tests of the network's hooks the worst result
	r=77
	for t in net load veth traffic; do
		guard_net_test_$t 2>&1; c=$?
		[ $c = 77 ] || { [ $r != 77 ] && [ $r != 0 ]; } || r=$c
	done
	return $r
}
echo "@@kernel $(uname -r)"
mount -t cgroup2 cg /sys/fs/cgroup
probe_test_probe; echo "@@v2 $?"
network; echo "@@net2 $?"
umount /sys/fs/cgroup
mount -t tmpfs cg /sys/fs/cgroup
mkdir /sys/fs/cgroup/pids /sys/fs/cgroup/unified
mount -t cgroup -o pids cg /sys/fs/cgroup/pids
mount -t cgroup2 cg /sys/fs/cgroup/unified
probe_test_probe; echo "@@v1 $?"
network; echo "@@net1 $?"
probe_test_probe_calls; echo "@@calls $?"
probe_test_probe_calls dispatch; echo "@@dispatch $?"
probe_run -f >/tmp/run & pid=$!
until grep -q ready /tmp/run || ! kill -0 $pid; do sleep 1; done
i=0; while [ $i -lt 200 ]; do load_tiny; i=$((i + 1)); done
kill $pid; wait $pid; cat /tmp/run
echo "@@end"
poweroff -f
INIT
	chmod +x "$root/init"
}

boot() { # package; leaves the console's text in $work/console
	local k=$work/kernel m
	rm -rf "$k" "$root"/lib/*.ko "$work/console"
	dpkg-deb -x "$1" "$k" || return 1
	for m in overlay veth sch_ingress cls_bpf; do
		m=$(find "$k" -name "$m.ko*")
		case $m in
		*.xz) xz -dc "$m" >"$root/lib/$(basename "$m" .xz)" ;;
		*.ko) cp "$m" "$root/lib/" ;;
		esac
	done
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd" || return 1
	timeout $timeout_s qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m $mem_mib -nodefaults \
		-no-reboot -display none -serial "file:$work/serial" -kernel "$k"/boot/vmlinuz-* \
		-initrd "$work/initrd" -append "console=ttyS0 quiet panic=-1" </dev/null >"$work/qemu" 2>&1
	tr -d '\r' <"$work/serial" >"$work/console"
}

judge() { # what: how it went in the last machine
	local kernel line run name
	kernel=$(sed -n 's/^@@kernel //p' "$work/console")
	if ! grep -q '^@@end' "$work/console"; then
		not_ok "Linux ${kernel:-of $1}: the machine did not come to its end"
		tail -n 30 "$work/console" "$work/qemu"
		return
	fi
	local before=kernel
	for run in v2 net2 v1 net1 calls dispatch; do
		case $run in
		net?) name="Linux $kernel, cgroup v${run#net}, the network's hooks" ;;
		v?) name="Linux $kernel, cgroup $run" ;;
		calls) name="Linux $kernel, system calls by the better hooks" ;;
		*) name="Linux $kernel, system calls by $run" ;;
		esac
		sed -n "/^@@$before /,/^@@$run /p" "$work/console" >"$work/part"
		before=$run
		case $(sed -n "s/^@@$run //p" "$work/part") in
		0) echo "ok $name: $(grep -c '\[       OK \]' "$work/part") tests" ;;
		77)
			case $run in
			v?) not_ok "$name: $(grep '^skipped' "$work/part")" ;;
			*) echo "skip $name: $(grep '^skipped' "$work/part")" ;; # before 5.17
			esac
			;;
		*) not_ok "$name"; grep -vE '\[ RUN|\[       OK' "$work/part" ;;
		esac
		sed -n "s/^\[  SKIPPED \] \([a-z0-9_]*\)\$/skip $name: \1/p" "$work/part" | sort -u
		grep -E 'processes seeded|sensor |^hook |^mode ' "$work/part"
	done
	line=$(grep '^probe seen=' "$work/console")
	case $line in
	*" lost=0 malformed=0 "*) echo "ok Linux $kernel, probe_run: $line" ;;
	*) not_ok "Linux $kernel, probe_run: $line" ;;
	esac
}

# --- main ---

[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || skip "written for amd64 and Debian's packages"
for tool in qemu-system-x86_64 busybox cpio xz dash ip tc nsenter; do
	command -v $tool >/dev/null || skip "$tool is not installed"
done
work=$(mktemp -d "${TMPDIR:-/tmp}/picket-kernels.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
root=$work/root
build=${PICKET_KERNELS_BUILD:-$PWD/build/bench}
if [ -z "${PICKET_KERNELS_BUILD:-}" ]; then
	# Without sanitizers: their shadow memory and the emulation don't get along.
	if ! { cmake --preset bench && ninja -C "$build" probe_test_probe probe_test_probe_calls "${net_tests[@]/#/guard_net_test_}" probe_run load_tiny; } >"$work/build" 2>&1; then
		not_ok "kernels: build"
		tail -n 30 "$work/build"
		exit 1
	fi
fi
make_root
if [ $# != 0 ]; then
	for deb; do boot "$deb" && judge "$deb"; done
	exit $failed
fi
uri_of() { # release: where apt takes it from here
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' | awk -v name="$1" '$1 == name { print $2; exit }'
}
# shellcheck disable=SC1091
here=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirror=$(uri_of "$here") security=$(uri_of "$here-security")
[ -n "$mirror" ] || skip "no mirror of this Debian in apt's sources"
for suite in "${suites[@]}"; do
	deb=$(fetch "$suite") || { echo "skip kernel of $suite: not to be had from this Debian's mirror"; continue; }
	boot "$deb" && judge "$suite"
done
exit $failed
