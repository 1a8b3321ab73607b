#!/usr/bin/env python3
"""Ways out of a container, into the kernel, and at picket itself, played in real containers: each raises our rule."""
import os
import re
import shutil
import subprocess
import sys
import time

from lib import TOP, main, unix, wait_until
from stage import Stage, on_host
from test_generator import wait_for

HELPER = "Kernel's helper program changed in a container"
DISK = "Disk or memory of the host opened in a container"
MOUNT = "Mount in a container"
PICKET = "Picket's files changed"
# where (priv, gen, sock: containers; host), what, the rule
ACTS = [
    ("sock", ["/opt/act", "unix", "/srv/harmless"], "Container engine's socket used in a container"),
    ("sock", ["/opt/docker", "ps"], "Engine or cluster client in a container"),
    ("priv", ["/opt/act", "open", "/proc/sys/kernel/core_pattern", "w"], HELPER),
    ("priv", ["/opt/act", "open", "/proc/self/root/proc/sys/kernel/core_pattern", "w"], HELPER),
    ("priv", ["sh", "-c", "mkdir /tmp/c && touch /tmp/c/notify_on_release"], "Cgroup release agent written in a container"),
    ("priv", ["mount", "-t", "tmpfs", "none", "/mnt"], MOUNT),
    ("priv", ["mount", "--bind", "/etc", "/srv"], "Mount program in a privileged container"),
    ("gen", ["mount", "-t", "proc", "none", "/mnt"], MOUNT),
    ("priv", ["sh", "-c", "mkdir -p /mnt/etc/cron.d /mnt/data; > /mnt/data/x; > /mnt/etc/cron.d/x"], "Host's files changed in a container"),
    ("priv", ["mknod", "/tmp/sda", "b", "8", "0"], "Device node made in a container"),
    ("priv", ["sh", "-c", "for d in /dev/sd? /dev/vd? /dev/nvme?n? /dev/loop0; do [ -b $d ] && head -c 1 $d; done >/dev/null"], DISK),
    ("priv", ["/opt/act", "chroot", "/proc/1/root"], "Root folder changed to a folder of the host"),
    ("gen", ["/opt/act", "chroot", "/host"], "Root folder changed to a folder of the host"),
    ("gen", ["/opt/act", "setns"], "Namespace entered from a container"),
    ("priv", ["nsenter", "-t", "1", "-u", "true"], "Nsenter in a container"),
    ("priv", ["nsenter", "-t", "1", "-u", "true"], "Namespace entered from a container"),
    ("gen", ["/opt/act", "unshare"], "Namespace made in a container"),
    ("gen", ["/opt/act", "open", "/proc/self/exe", "w"], "Container engine's program overwritten"),
    ("gen", ["sh", "-c", "> /srv/runc"], "Container engine's program overwritten"),
    ("gen", ["/opt/act", "bpf"], "BPF program loaded from a container"),
    ("gen", ["/opt/act", "write-memory"], "Memory of another process written"),
    ("gen", ["/opt/act", "by-uring", "/etc/hosts"], "io_uring used in a container"),
    ("gen", ["/opt/act", "open", "/proc/1/mem", "r"], "Memory of another process opened in a container"),
    ("gen", ["sh", "-c", "cat /root/.aws/credentials"], "Credentials of a service read by hand"),
    ("gen", ["sh", "-c", "mkdir -p /run/secrets/kubernetes.io/serviceaccount; cd /run/secrets/kubernetes.io/serviceaccount; "
             "echo x > token; cat token"], "Service account token read by hand"),
    ("gen", ["sh", "-c", "mkdir -p /root/.ssh; touch /root/.ssh/id_rsa; cat /root/.ssh/id_rsa"], "SSH private key read"),
    ("gen", ["sh", "-c", "echo x > /etc/ld.so.preload; rm /etc/ld.so.preload"], "Library loaded into every program"),
    ("gen", ["sh", "-c", "mkdir -p /etc/systemd/system; echo > /etc/systemd/system/x.service"], "Service unit written"),
    ("gen", ["sh", "-c", "echo x:x:0:0::/:/bin/sh >> /etc/passwd"], "Account file written by an unusual program"),
    ("gen", ["sh", "-c", "echo > /etc/pam.d/x"], "Module of PAM written"),
    ("gen", ["perl", "-e", "use Socket; exec '/bin/true'"], "Remote shell on the command line"),
    ("gen", ["bash", "-c", "true > /dev/tcp/203.0.113.5/443"], "Shell or system tool opens a connection"),
    ("gen", ["/opt/httpd", "run", "id"], "Server started a tool to look around or to download"),
    ("gen", ["sh", "-c", "mkdir -p /etc/picket; echo > /etc/picket/agent.yaml"], PICKET),
    ("host", ["sh", "-c", "mkdir -p $0/lib; ln -s $0/lib $0/l; echo > $0/picket-agent.service"], PICKET),
    ("host", ["sh", "-c", "$0/picket-agent wait 5 & sleep 0.3; kill -TERM $!"], "Signal to picket's agent"),
    ("host", ["sh", "-c", "$0/picket-agent wait 5 & sleep 0.3; $0/pkill picket-agent; kill $!"], "Picket's agent stopped or looked into"),
]


def every_way_out_raises_our_rule():
    stage = Stage()
    bad, rows = [], 0
    try:
        f = stage.fleet
        for name in ("picket-agent", "pkill"):
            shutil.copy(stage.act, f.dir / name)
        stage.start_agent([TOP / "agent/packaging/rules.d"])
        stage.start_containers()
        since = time.time() - 0.5
        f.start("engine", stage.act, "unix", f.dir / "docker.sock", "serve")
        wait_until("the engine's socket is there", 5, (f.dir / "docker.sock").exists)
        # whatever it is called inside
        f.docker("run", "-d", "--name", "sock", "--network", "none", "-v", f"{f.dir}/docker.sock:/srv/harmless",
                 "test/debian:1.0", "sleep", "3600")
        f.docker("run", "-d", "--name", "rooted", "--network", "none", "-v", "/:/host", "test/debian:1.0", "sleep", "3600")
        plan = [("sock", ["(started with /)"], "Container started with a folder of the host that is the host")] + ACTS
        for where, argv, rule in plan:
            if not re.search(os.environ.get("PICKET_ACTS", ""), f"{rule} {' '.join(argv)}"):
                continue
            if argv[0][0] == "(":
                r = None
            else:
                since = time.time()
                r = (subprocess.run([*argv, str(f.dir)], capture_output=True, text=True, preexec_fn=on_host)
                     if where == "host" else stage.exec(where, *argv))
            found = wait_for(stage, rule, since)
            rows += 1
            late = f"{found[0] - unix(found[1]['last_seen']):.3f} s" if found else f"MISSING {r and r.stderr.strip()[-80:]}"
            print(f"{where:5}{' '.join(argv)[:56]:58}{rule[:56]:58}{late}")
            sys.stdout.flush()
            if not found:
                bad.append((" ".join(argv), rule))
        assert not bad, f"{len(bad)} of {rows} raise nothing: {bad}"
        return f"{rows} of {rows}"
    finally:
        stage.close()


if __name__ == "__main__":
    main(every_way_out_raises_our_rule)
