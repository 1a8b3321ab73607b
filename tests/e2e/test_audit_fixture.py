#!/usr/bin/env python3
"""Containers that look right to who reads their options, and right ones that look wrong, on a real dockerd: what
test_audit_command.py's table leaves out. Each has what it should have, and nothing else."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess

from lib import main, wait_until
from test_audit_command import DEFAULTS, FAULTS, Engine

SLEEP = ("/busybox", "sleep", "100000")
PLAIN = ("bb:latest", *SLEEP)

# container: what must be found besides what every container with the engine's defaults has. A trailing ? allows a warning.
HARD = {
    # namespaces of others
    "h-joinipc": ["PKT-C-017", "PKT-C-119?"],
    "h-joinplain": ["PKT-C-119?"],  # of one that has its own: two programs that are one
    "h-joinstopped": ["PKT-C-016?", "PKT-C-110", "PKT-C-015", "PKT-C-119?"],
    # the socket: another name, another mount, another engine's, behind a volume
    "h-hardlink": ["PKT-C-032", "PKT-C-006"],
    "h-bindsock": ["PKT-C-032"],
    "h-containerd": ["PKT-C-032"],
    "h-volumesock": ["PKT-C-032", "PKT-C-006", "PKT-C-107"],
    # folders: through a link, another mount of the host's root and of its proc
    "h-linketc": ["PKT-C-006"],
    "h-otherroot": ["PKT-C-006"],
    "h-otherproc": ["PKT-C-006"],
    "h-cronfile": ["PKT-C-006"],
    "h-shared": ["PKT-C-020"],
    # who it is, what it may
    "h-user00": ["PKT-C-001"],
    "h-groupname": ["PKT-C-001"],
    "h-logprofile": ["PKT-C-112"],
    "h-devicerule": ["PKT-C-018"],
    "h-pids4m": ["PKT-C-029"],
    "h-exec": ["PKT-C-109", "PKT-C-023", "PKT-C-115"],
    "h-execroot": ["PKT-C-024"],
    # liars
    "h-ownps": ["PKT-C-007"],
    "h-hiddenssh": ["PKT-C-007", "PKT-C-113?"],
    "nil": ["PKT-C-005", "PKT-C-004", "PKT-C-022", "PKT-C-018", "PKT-C-102"],
    "h-dockerd": [],
}

# What is true of every mount that its container, which is root, may write to.
WRITABLE = {"PKT-C-108", "PKT-C-118"}
MOUNTED = {"h-hardlink", "h-bindsock", "h-containerd", "h-volumesock", "h-linketc", "h-otherproc", "h-cronfile", "h-shared"}

# container: what must not be found in it, though a reader of texts would.
RIGHT = {
    "h-localports": ["PKT-C-008", "PKT-C-014"],
    "h-quota": ["PKT-C-012"],
    "h-etcvolume": ["PKT-C-006", "PKT-C-107"],
    "h-slave": ["PKT-C-020"],
    "h-stopped": ["PKT-C-110"],
    "h-sockname": ["PKT-C-032"],
    "h-cert": ["PKT-C-032", "PKT-C-006"],
    "h-joinplain": ["PKT-C-016"],
}

engine = None


def run(name, *options, argv=PLAIN):
    engine.docker("run", "-d", "--name", name, *options, *argv)


def host_mounts(d):
    """Other names of what is the host's: on the /run that only this test sees, never below a folder that is removed."""
    for name in ("root", "proc", "app"):
        os.makedirs(f"/run/h/{name}")
    subprocess.run(["mount", "--bind", "/", "/run/h/root"], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", "/run/h/proc"], check=True)
    pathlib.Path("/run/h/bound.sock").touch()
    subprocess.run(["mount", "--bind", "/run/docker.sock", "/run/h/bound.sock"], check=True)
    os.link("/run/docker.sock", "/run/h/app/app.sock")
    (d / "link").symlink_to("/etc")
    (d / "docker.sock").write_text("a file")
    (d / "tls").mkdir()
    (d / "tls" / "docker.sock.pem").write_text("a certificate")


def make_images(d):
    ctx = d / "ctx"
    ctx.mkdir()
    (ctx / "passwd").write_text("root:x:0:0::/:/busybox\ntoor:x:0:0::/:/busybox\n")
    (ctx / "dockerd").write_text("#!/busybox sh\nwhile :; do /busybox sleep 1000; done\n")
    (ctx / "web").write_text("#!/busybox sh\nwhile :; do /busybox nc -l -p 22; done\n")
    for name in ("dockerd", "web"):
        (ctx / name).chmod(0o755)
    (ctx / "Dockerfile").write_text("FROM bb:latest\nCOPY passwd /etc/passwd\nCOPY dockerd /dockerd\nCOPY web /web\n")
    subprocess.run(["docker", "build", "-q", "-t", "h-img:1.0", str(ctx)], env={**engine.env, "DOCKER_BUILDKIT": "0"}, check=True,
                   capture_output=True)


def make_hard(d):
    run("h-joinipc", "--ipc", "container:aud-hostipc")
    run("h-joinplain", "--pid", "container:aud-plain")
    engine.docker("create", "--name", "h-joinstopped", "--pid", "container:aud-hostpid", "--restart", "always", *PLAIN)
    run("h-hardlink", "-v", "/run/h/app:/app")
    run("h-bindsock", "-v", "/run/h/bound.sock:/s")
    run("h-containerd", "-v", "/run/docker/containerd/containerd.sock:/c.sock")
    engine.docker("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/run/h/app", "h-app")
    run("h-volumesock", "-v", "h-app:/data")
    run("h-linketc", "-v", f"{d}/link:/data")
    run("h-otherroot", "-v", "/run/h/root:/data:ro")
    run("h-otherproc", "-v", "/run/h/proc:/data")
    run("h-cronfile", "-v", "/etc/crontab:/data")
    run("h-shared", "-v", f"{engine.env['W']}/shared:/data:rshared")
    run("h-user00", "--user", "00")
    run("h-groupname", "--user", "toor:1000", argv=("h-img:1.0", *SLEEP))
    (d / "log.json").write_text('{"defaultAction":"SCMP_ACT_LOG"}')
    run("h-logprofile", "--security-opt", f"seccomp={d}/log.json")
    run("h-devicerule", "--device-cgroup-rule", "b *:* rwm")
    run("h-pids4m", "--pids-limit", "4000000")
    run("h-exec")
    engine.docker("exec", "-d", "--privileged", "h-exec", "/busybox", "sleep", "99998")
    run("h-execroot", "--user", "1000")
    engine.docker("exec", "-d", "--user", "0", "h-execroot", "/busybox", "sleep", "99997")


def make_liars():
    run("h-ownps", argv=("aud-img-sshd-ps",))
    run("h-hiddenssh", argv=("h-img:1.0", "/web"))
    # docker-bench-security leaves out whose name has "nil" in it, and whose label says that it is itself
    run("nil", "--privileged", "--label", "docker.bench.security=1", "--label", "com.docker.compose.service=picket-agent")
    run("h-dockerd", argv=("h-img:1.0", "/dockerd", "--no-new-privileges", "--icc=false", "--userns-remap=default",
                           "--live-restore"))


def make_right(d):
    run("h-localports", "-p", "127.0.0.1:1024:80", "-p", "[::1]:8084:80")
    run("h-quota", "--cpu-quota", "20000")
    run("h-etcvolume", "-v", "h-etc:/etc")
    run("h-slave", "-v", f"{engine.env['W']}/shared:/data:rslave")
    engine.docker("create", "--name", "h-stopped", "--privileged", *PLAIN)
    run("h-sockname", "-v", f"{d}/docker.sock:/var/run/docker.sock:ro")
    run("h-cert", "-v", f"{d}/tls:/tls:ro")


def findings(report):
    found = {}
    for r in report["results"]:
        if r["subject"] == "container" and r["status"] in ("fail", "warn"):
            found.setdefault(r["target"], {})[r["id"]] = r
    return found


def start():
    global engine
    engine = Engine()
    engine.make()
    d = engine.dir / "h"
    d.mkdir()
    host_mounts(d)
    make_images(d)
    make_hard(d)
    make_liars()
    make_right(d)


def what_only_looks_right_is_found():
    start()
    report = json.loads(engine.audit("--format", "json"))
    found, problems = findings(report), []
    for name, wanted in HARD.items():
        have = found.get(name, {})
        for check in wanted:
            r = have.get(check.rstrip("?"))
            if not r or (r["status"] == "warn" and not check.endswith("?")):
                problems.append(f"{name}: {check} is {r and r['status']}")
        fine = DEFAULTS | {c.rstrip("?") for c in wanted} | (WRITABLE if name in MOUNTED else set())
        for check in sorted(set(have) - fine):
            problems.append(f"{name}: {check} besides: {have[check]['evidence']}")
    if problems:
        raise AssertionError("\n".join(problems))
    return f"{len(HARD)} containers"


def what_only_looks_wrong_is_not():
    report = json.loads(engine.audit("--format", "json"))
    found, judged = findings(report), {r["target"] for r in report["results"]}
    assert set(RIGHT) <= judged, set(RIGHT) - judged
    problems = [f"{name}: {check}: {found[name][check]['evidence']}" for name, checks in RIGHT.items() for check in checks
                if check in found.get(name, {})]
    assert not problems, "\n".join(problems)
    return f"{len(RIGHT)} containers"


def every_container_of_the_fixture_is_in_a_table():
    names = set(engine.docker("ps", "-a", "--filter", "label=aud.case", "--format", "{{.Names}}").stdout.split())
    good = {"aud-good", "aud-plain", "aud-apparmor-unconf"}
    assert names - good <= set(FAULTS), names - good - set(FAULTS)
    # and this one is wrong only where there is AppArmor
    report = json.loads(engine.audit("--format", "json", "--container", "aud-apparmor-unconf"))
    status = {r["id"]: r["status"] for r in report["results"]}["PKT-C-002"]
    has = pathlib.Path("/sys/kernel/security/apparmor").exists()
    assert status == ("fail" if has else "na"), status


def a_process_that_says_it_is_the_engine_is_not():
    report = json.loads(engine.audit("--format", "json"))
    daemon = {r["id"]: r["status"] for r in report["results"] if r["subject"] == "daemon"}
    # what the argv of h-dockerd claims
    wrong = {c: daemon[c] for c in ("PKT-D-014", "PKT-D-002", "PKT-D-009", "PKT-D-015") if daemon[c] != "fail"}
    assert not wrong, wrong


def an_exec_that_has_ended_is_forgotten():
    def has():
        found = findings(json.loads(engine.audit("--format", "json", "--container", "h-exec")))["h-exec"]
        return {"PKT-C-109", "PKT-C-023"} & set(found)
    assert has()
    for p in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if p.read_bytes() == b"/busybox\0sleep\x0099998\0":
                os.kill(int(p.parent.name), signal.SIGKILL)
    wait_until("nothing is left of it", 20, lambda: not has(), 0.5)


if __name__ == "__main__":
    main(what_only_looks_right_is_found, what_only_looks_wrong_is_not, every_container_of_the_fixture_is_in_a_table,
         a_process_that_says_it_is_the_engine_is_not, an_exec_that_has_ended_is_forgotten)
