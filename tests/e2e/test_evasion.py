#!/usr/bin/env python3
"""Ways around a watcher of system calls: each still raises the alert of what it does, in a container and on the host."""
import os
import re
import subprocess
import time

from lib import TOP, main, unix, wait_until
from stage import OUTSIDE, Stage, on_host
from test_generator import wait_for

READ, LINK, CONNECT, MEMORY = ("Sensitive file read", "Link to a sensitive file or folder", "Test the outside is contacted",
                               "Fileless execution")
SHADOW = "/etc/shadow"
# act, arguments, the rule that tells, where: c(ontainer), h(ost)
WAYS = [
    ("plainly", "by-text", [SHADOW], READ, "ch"),
    ("by a symbolic link", "by-symlink", [SHADOW], READ, "ch"),
    ("by /proc/self/root", "by-text", ["/proc/self/root/etc/shadow"], READ, "ch"),
    ("by /proc/self/cwd and parents", "by-text", ["/proc/self/root/proc/self/root/etc/../etc/./shadow"], READ, "ch"),
    ("by parent folders", "by-text", ["/usr/../etc/../etc//shadow"], READ, "ch"),
    ("relative to a folder's descriptor", "by-folder", ["/etc", "shadow"], READ, "ch"),
    ("relative to the working folder", "by-cwd", ["/etc", "shadow"], READ, "ch"),
    ("by openat2", "by-openat2", [SHADOW], READ, "ch"),
    ("under a trusted name", "by-name", ["sshd", SHADOW], READ, "ch"),
    ("in a thread with a trusted name", "by-thread", ["systemd", SHADOW], READ, "ch"),
    ("with its arguments overwritten", "by-argv", [SHADOW], READ, "ch"),
    ("by a system call of 32 bits", "by-32-bits", [SHADOW], READ, "ch"),
    ("by io_uring", "by-uring", [SHADOW], READ, "ch"),
    ("by a handle", "by-handle", [SHADOW], READ, "h"),
    ("after chroot", "by-chroot", [SHADOW], READ, "ch"),
    ("by a hard link", "by-hard-link", [SHADOW], LINK, "c"),
    ("by a mount over another name", "by-mount", [SHADOW], "Mount in a container", "p"),
    ("connect plainly", "connect", [OUTSIDE, "443"], CONNECT, "c"),
    ("connect by a system call of 32 bits", "connect-by-32-bits", [OUTSIDE, "443"], CONNECT, "c"),
    ("connect by io_uring", "connect-by-uring", [OUTSIDE, "443"], CONNECT, "c"),
    ("execute from memory by execveat", "memfd", ["/bin/true", "at"], MEMORY, "ch"),
    ("execute from memory by /proc/self/fd", "memfd", ["/bin/true"], MEMORY, "ch"),
]
OWN = f"""- rule: {CONNECT}
  desc: For this test.
  condition: evt.type = connect and container and fd.sip = "{OUTSIDE}" and fd.sport = 443 and proc.exepath startswith /opt/
  output: contacted | connection=%fd.name
  priority: NOTICE
  tags: [container]
"""


def no_way_around_the_rules():
    stage = Stage()
    bad, rows = [], 0
    try:
        own = stage.fleet.dir / "own.yaml"
        own.write_text(OWN)
        stage.start_agent([TOP / "agent/packaging/rules.d", own])
        stage.start_containers()
        time.sleep(0.5)
        for name, act, arguments, rule, places in WAYS:
            for place in places:
                label = f"{name} ({dict(c='container', h='host', p='privileged container')[place]})"
                if not re.search(os.environ.get("PICKET_ACTS", ""), label):
                    continue
                since = time.time()
                if place == "h":
                    r = subprocess.run([str(stage.act), act, *arguments], capture_output=True, text=True, preexec_fn=on_host)
                else:
                    r = stage.exec("priv" if place == "p" else "gen", "/opt/act", act, *arguments)
                if r.returncode and "32 bits" in name and "not implemented" in r.stderr:
                    print(f"{label}: this kernel has none")
                    continue
                found = wait_for(stage, rule, since)
                rows += 1
                late = f"{found[0] - unix(found[1]['last_seen']):.3f} s" if found else "MISSING"
                print(f"{label:58}{rule:42}{late}" + (f" exit {r.returncode}: {r.stderr.strip()}" if r.returncode else ""))
                if not found or r.returncode:
                    bad.append(label)
        assert not bad, f"{len(bad)} of {rows} get around: {bad}"
        return f"{rows} of {rows} raise their alert"
    finally:
        stage.close()


def the_alert_says_which_file_it_was_whatever_it_was_called():
    stage = Stage()
    try:
        stage.start_agent([TOP / "agent/packaging/rules.d"])
        for act, argument in (("by-symlink", SHADOW), ("by-text", "/proc/self/root/etc/shadow")):
            since = time.time()
            subprocess.run([str(stage.act), act, argument], check=True, preexec_fn=on_host)
            found = wait_for(stage, READ, since)
            assert found, act
            output = found[1]["output"]
            assert f"file={SHADOW} " in output, output
            assert "raw=/tmp/link." in output or "raw=/proc/self/root/etc/shadow" in output, output
        wait_until("the event of the file is kept", 5, lambda: [e for e in stage.fleet.events("type=file") if SHADOW in str(e)])
    finally:
        stage.close()


if __name__ == "__main__":
    main(no_way_around_the_rules, the_alert_says_which_file_it_was_whatever_it_was_called)
