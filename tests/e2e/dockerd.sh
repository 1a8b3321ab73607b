# dockerd.sh - a Docker Engine of one's own for a test, beside whatever else runs here. Source it.
#
#   . tests/e2e/dockerd.sh
#   start_dockerd DIR [dockerd option...]   socket at DIR/d.sock, all state below DIR; sets DOCKER_HOST
#                                           and PRIVILEGED (what to give to `docker run` for
#                                           --privileged). Returns 77 with a reason where it can't.
#   make_image DIR NAME                     an image of static busybox, users root and app (1000)
#   stop_dockerd DIR                        ends it and its containers, removes its state
#   kill_dockerd DIR                        kill -9 of dockerd and its containerd, as a crash
#
# Containers need --network none: there is no bridge, and no packet rule is touched. DIR must be
# short (a unix socket's path has 107 bytes) and is left in place but for the engine's state.

# Why no engine can be started here, or nothing.
dockerd_missing() {
	[ "$(id -u)" = 0 ] || { echo "a dockerd of our own needs root"; return; }
	for tool in dockerd docker containerd runc tar; do
		PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null || { echo "$tool is not installed"; return; }
	done
	grep -q cgroup /proc/mounts || echo "no cgroup hierarchy is mounted"
}

# A runtime that leaves out CAP_SYS_RESOURCE: runc can't give what this root does not have.
write_limited_runc() { # FILE
	cat >"$1" <<-'EOF'
	#!/bin/bash
	filter='walk(if type=="array" then map(select(.!="CAP_SYS_RESOURCE")) else . end)'
	filter+=' | if .process?.oomScoreAdj? and .process.oomScoreAdj<0 then .process.oomScoreAdj=0 else . end'
	previous=
	for a in "$@"; do
		file=
		case $previous in --bundle|-b) file=$a/config.json ;; --process|-p) file=$a ;; esac
		case $a in --bundle=*) file=${a#*=}/config.json ;; --process=*) file=${a#*=} ;; esac
		previous=$a
		[ -f "$file" ] && jq -c "$filter" "$file" >"$file.new" && cat "$file.new" >"$file" && rm -f "$file.new"
	done
	PATH=$PATH:/usr/sbin:/sbin exec runc "$@"
	EOF
	chmod +x "$1"
}

has_sys_resource() {
	bounding=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
	[ $((0x$bounding >> 24 & 1)) = 1 ]
}

# A zombie, which waits for its parent only, is not alive.
is_alive() { # PID
	[ -n "$1" ] && grep -q '^State:[[:space:]]*[^ZX]' "/proc/$1/status" 2>/dev/null
}

launch_dockerd() { # DIR option...
	dir=$1; shift
	# containerd refuses a name with "_" at its end or twice in a row, as mkdtemp may make it.
	namespace=$(basename "$dir" | tr _ X)
	PATH=$PATH:/usr/sbin:/sbin setsid dockerd --data-root "$dir/data" --exec-root "$dir/exec" \
		--pidfile "$dir/pid" --host "unix://$dir/d.sock" --group root \
		--containerd-namespace "picket-$namespace" \
		--containerd-plugins-namespace "picket-plugins-$namespace" \
		--bridge none --iptables=false --ip6tables=false --config-file "$dir/daemon.json" \
		"$@" >>"$dir/log" 2>&1 </dev/null &
	echo $! >"$dir/launched"
	tries=0
	while [ $tries -lt 150 ]; do
		docker --host "unix://$dir/d.sock" version >/dev/null 2>&1 && return 0
		is_alive "$(cat "$dir/launched")" || return 1
		sleep 0.2
		tries=$((tries + 1))
	done
	return 1
}

start_dockerd() { # DIR option...
	start_dir=$1; shift
	why=$(dockerd_missing)
	[ -z "$why" ] || { echo "skipped: $why"; return 77; }
	mkdir -p "$start_dir" && rm -f "$start_dir/pid" "$start_dir/d.sock"
	export DOCKER_HOST="unix://$start_dir/d.sock"
	PRIVILEGED=--privileged
	echo '{}' >"$start_dir/daemon.json"
	if ! has_sys_resource && command -v jq >/dev/null; then
		write_limited_runc "$start_dir/runc"
		echo "{\"runtimes\":{\"limited\":{\"path\":\"$start_dir/runc\"}}}" >"$start_dir/daemon.json"
		PRIVILEGED="--privileged --runtime limited"
	fi
	driver=$(cat "$start_dir/driver" 2>/dev/null || echo overlay2)
	launch_dockerd "$start_dir" --storage-driver "$driver" "$@" && { echo "$driver" >"$start_dir/driver"; return 0; }
	if [ "$driver" = overlay2 ] && grep -q "overlay" "$start_dir/log"; then
		end_processes "$start_dir" # on top of another overlay
		launch_dockerd "$start_dir" --storage-driver vfs "$@" && { echo vfs >"$start_dir/driver"; return 0; }
	fi
	echo "skipped: dockerd does not start: $(grep -E 'level=(fatal|error)|^failed' "$start_dir/log" | tail -n 1)"
	stop_dockerd "$start_dir"
	return 77
}

make_image() { # DIR NAME
	busybox=$(PATH=$PATH:/usr/sbin:/sbin command -v busybox) || { echo "busybox is not installed"; return 77; }
	root=$1/image
	rm -rf "$root" && mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/dev" "$root/proc" "$root/sys"
	cp -L "$busybox" "$root/bin/busybox"
	for applet in $("$root/bin/busybox" --list); do
		[ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
	done
	printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\napp:x:1000:\n' >"$root/etc/group"
	chmod 1777 "$root/tmp"
	tar -C "$root" -c . | docker --host "unix://$1/d.sock" import --change 'ENV PATH=/bin' - "$2" >/dev/null
	status=$?
	rm -rf "$root"
	return $status
}

kill_dockerd() { # DIR
	for file in "$1/pid" "$1/exec/containerd/containerd.pid"; do
		pid=$(cat "$file") || continue
		kill -9 "$pid" 2>/dev/null # containerd follows dockerd by itself, but not at once
		while is_alive "$pid"; do sleep 0.05; done
		rm -f "$file" # a new dockerd waits 15 s for the containerd of an old pid file
	done
}

# Pids of what serves this engine: whose command line names its exec-root.
engine_pids() { # DIR
	for p in /proc/[0-9]*; do
		tr '\0' ' ' 2>/dev/null <"$p/cmdline" | grep -qF -e "$1/exec" && echo "${p#/proc/}"
	done 2>/dev/null
}

end_processes() { # DIR
	pid=$(cat "$1/launched" 2>/dev/null)
	[ -n "$pid" ] && kill "$pid" 2>/dev/null
	tries=0
	while is_alive "$pid" && [ $tries -lt 75 ]; do
		sleep 0.2
		tries=$((tries + 1))
	done
	for signal in TERM KILL; do # after a crash: containerd, its shims
		for pid in $(engine_pids "$1"); do
			[ "$pid" = $$ ] || kill -$signal "$pid" 2>/dev/null
		done
		[ -z "$(engine_pids "$1")" ] || sleep 0.5
	done
}

stop_dockerd() { # DIR
	# Containers first: without a dockerd nobody would end them.
	docker --host "unix://$1/d.sock" ps -q 2>/dev/null | while read -r id; do
		docker --host "unix://$1/d.sock" rm -f "$id" >/dev/null 2>&1
	done
	end_processes "$1"
	# An engine that ends leaves the bridges of its networks, and its API may be behind a guard that is gone.
	grep -aoE 'br-[0-9a-f]{12}' "$1/data/network/files/local-kv.db" 2>/dev/null | sort -u | while read -r bridge; do
		[ ! -e "/sys/class/net/$bridge" ] || PATH=$PATH:/usr/sbin:/sbin ip link del "$bridge"
	done
	sed -n "s|^[^ ]* \($1/[^ ]*\) .*|\1|p" /proc/mounts | sort -r | while read -r m; do
		umount "$m" 2>/dev/null || umount -l "$m"
	done
	rm -rf "$1/data" "$1/exec" "$1/d.sock" "$1/pid" "$1/launched" "$1/driver" "$1/daemon.json" "$1/runc"
}
