#!/bin/bash
# The transport with the next Debian's nng (1.10 in trixie): installs that Debian under $TMPDIR, from
# the mirror that apt uses here, builds common/ and the tests of it there, and runs them.
# Prints ok / not ok / skip lines. Needs root, debootstrap and the mirror; five minutes.
#   tests/fault/nng110.sh [SUITE]     SUITE: another Debian's code name
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 2
suite=${1:-trixie}
tests=(common_test_tls common_test_wire common_test_wire_lost common_test_wire_flat fault_hostile_peers)
failed=0

skip() { echo "skip nng110: $*"; exit 0; }
# In a mount and process namespace of its own: nothing stays mounted or running after it.
apart() { unshare --mount --pid --fork --kill-child --propagation private "$@"; }
inside() {
	apart --mount-proc="$root/proc" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 chroot "$root" "$@"
}

[ "$(id -u)" = 0 ] || skip "needs root"
command -v debootstrap >/dev/null || skip "debootstrap is not installed"
apart true 2>/dev/null || skip "no namespaces here"
# shellcheck disable=SC1091,SC2016
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
	awk -v name="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" '$1 == name { print $2; exit }')
[ -n "$mirror" ] || skip "no mirror of this Debian in apt's sources"

# What picket.cmake asks for; the BPF tool chain and the compilers of protobuf are not.
packages=$(awk '$1 == "build" && $2 !~ /^(clang|llvm|bpftool|.*-compiler)$/ { printf "%s,", $2 }' cmake/packages)

work=$(mktemp -d "${TMPDIR:-/tmp}/picket-$suite.XXXXXX") || exit 1
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root log=$work/log
if ! apart debootstrap --variant=minbase --include="${packages}libcmocka-dev,procps" \
	"$suite" "$root" "$mirror" >"$log" 2>&1; then
	tail -5 "$log" >&2
	skip "$suite can't be installed from this Debian's mirror: $(tail -1 "$log")"
fi
mkdir "$root/picket"
tar -c common cmake tests/common tests/fault | tar -x -C "$root/picket"
cat >"$root/picket/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(picket VERSION 0.1.0 LANGUAGES C)
set(CMAKE_C_STANDARD 17)
include(cmake/picket.cmake)
enable_testing()
add_subdirectory(common)
add_subdirectory(tests/common)
add_subdirectory(tests/fault)
CMAKE
# shellcheck disable=SC2016
name="nng $(inside dpkg-query -W -f='${Version}' libnng-dev) in $suite:"
if inside cmake -S /picket -B /build -G Ninja -DPICKET_SANITIZE=address,undefined -DPICKET_WERROR=ON \
	-DCMAKE_BUILD_TYPE=Debug >"$log" 2>&1 &&
	inside ninja -C /build -j2 "${tests[@]}" >>"$log" 2>&1; then
	echo "ok $name build"
else
	echo "not ok $name build"
	grep -E -A12 'error|FAILED|CMake Error' "$log" | head -60
	exit 1
fi
for t in "${tests[@]}"; do
	if inside ctest --test-dir /build -R "^$t\$" --no-tests=error --output-on-failure >"$log" 2>&1; then
		if grep -q '(Skipped)' "$log"; then echo "skip $name $t"; else echo "ok $name $t"; fi
	else
		echo "not ok $name $t"
		tail -60 "$log"
		failed=1
	fi
done
exit $failed
