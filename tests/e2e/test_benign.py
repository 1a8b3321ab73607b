#!/usr/bin/env python3
"""A day's ordinary work, compressed: in containers a web server under load, a compile, a job that writes and reads,
health checks; on the host packages, a build, cron's work, logins with a terminal, log rotation, an image build.
None of our default-enabled rules may speak. What Falco's files would say to the same is printed, not judged."""
import concurrent.futures
import os
import pathlib
import pty
import shutil
import subprocess
import time

from lib import TOP, Skip, main
from stage import UPSTREAM, UPSTREAM_FILES, Stage, on_host

# What speaks because the work is what the rule is for; each with the reason.
JUSTIFIED = {
    # a build's RUN in the form of a shell is a shell in a container: on build hosts set known_shell_in_container
    "Shell in a container": ("/bin/sh -c", "sh -c "),
}
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def host(*argv, check=True, env=None, cwd=None, **more):
    r = subprocess.run(list(map(str, argv)), capture_output=True, text=True, preexec_fn=on_host, cwd=cwd,
                       env={**os.environ, "PATH": PATH, "DEBIAN_FRONTEND": "noninteractive", **(env or {})}, **more)
    if check and r.returncode:
        raise AssertionError(f"{argv[0]}: exit {r.returncode}: {r.stderr[-500:]}")
    return r


def containers(stage):
    """A web server under load, a batch job, a compile by the image's own tools, a database-like writer, health checks."""
    f = stage.fleet
    f.docker("run", "-d", "--name", "web", "--network", "none", "--health-cmd", "true", "test/busybox:1.0",
             "httpd", "-f", "-p", "8080", "-h", "/etc")
    f.docker("run", "-d", "--name", "app", "--network", "none", "test/debian:1.0", "sleep", "3600")
    f.docker("run", "-d", "--name", "server", "--network", "none", "test/debian:1.0", "/opt/act", "listen", "0.0.0.0", "8080")

    def load(_):
        pid = f.docker("inspect", "-f", "{{.State.Pid}}", "web").stdout.strip()
        script = ("import urllib.request\nfor i in range(400):\n"
                  " urllib.request.urlopen('http://127.0.0.1:8080/passwd').read()\n")
        host("nsenter", "-t", pid, "-n", "python3", "-c", script)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(load, range(4)))
    for argv in (["find", "/usr/lib", "-name", "*.so*"], ["ls", "-laR", "/etc"], ["tar", "-cf", "/tmp/usr.tar", "/usr/share"],
                 ["grep", "-r", "root", "/etc/passwd"], ["perl", "-e", 'open F,">/tmp/out"; print F $_ for 1..20000; close F; '
                  'unlink "/tmp/out"; mkdir "/tmp/x"; rename "/tmp/x","/tmp/y"'], ["cp", "-a", "/usr/share/perl", "/srv/"],
                 ["sed", "-i", "s/a/b/", "/etc/issue"], ["chmod", "644", "/etc/issue"], ["date"], ["ps", "aux"], ["df"],
                 ["id"], ["mv", "/tmp/usr.tar", "/srv/usr.tar"], ["gzip", "-f", "/srv/usr.tar"], ["cat", "/etc/hosts", "/etc/passwd"]):
        f.docker("exec", "app", *argv, check=False)
    f.docker("exec", "-u", "u", "app", "perl", "-e", 'getpwnam("u"); open F,">/tmp/u"; print F "x"', check=False)
    for i in range(10):
        f.docker("run", "--rm", "--network", "none", "test/debian:1.0", "perl", "-e", "print 1")
    f.docker("cp", "app:/etc/hosts", stage.fleet.dir / "copied")
    f.docker("restart", "-t", "0", "server")
    f.docker("rm", "-f", "web", "app", "server")


def image_build(stage):
    folder = stage.fleet.dir / "build"
    folder.mkdir()
    (folder / "app").write_text("hello\n")
    (folder / "Dockerfile").write_text("FROM test/debian:1.0\nCOPY app /app\nRUN [\"mkdir\", \"/data\"]\nRUN [\"chmod\", \"640\", \"/app\"]\n"
                                       "RUN cat /app > /data/app\nUSER u\nCMD [\"sleep\", \"1\"]\n")
    r = subprocess.run(["docker", "-H", f"unix://{stage.fleet.docker_dir}/d.sock", "build", "--network", "none", "-q", "-t", "test/built:1",
                        str(folder)], capture_output=True, text=True, preexec_fn=on_host, env={**os.environ, "DOCKER_BUILDKIT": "0"})
    if r.returncode:
        raise AssertionError(f"docker build: {r.stderr[-300:]}")
    stage.fleet.docker("run", "--rm", "--network", "none", "test/built:1")
    stage.fleet.docker("rmi", "test/built:1")


def deb(folder, name, account):
    """A package as a service has: a program with setuid, a unit, a cron job, an account made in its script."""
    root = folder / name
    for d in ("DEBIAN", "usr/bin", "lib/systemd/system", "etc/cron.d", "etc/pam.d", "etc/logrotate.d", "var/log/" + name):
        (root / d).mkdir(parents=True)
    (root / "DEBIAN/control").write_text(f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.net>\nDescription: test\n")
    (root / "DEBIAN/conffiles").write_text(f"/etc/cron.d/{name}\n/etc/pam.d/{name}\n")
    (root / "DEBIAN/postinst").write_text(
        f"#!/bin/sh\nset -e\ngetent passwd {account} >/dev/null || useradd --system --no-create-home {account}\n"
        f"mkdir -p /var/log/{name}\nchown {account} /var/log/{name}\nchmod 4755 /usr/bin/{name}\necho root:x >/dev/null\n")
    (root / "DEBIAN/postrm").write_text(f"#!/bin/sh\nset -e\nuserdel {account} 2>/dev/null || true\nrm -rf /var/log/{name}\n")
    shutil.copy("/bin/true", root / "usr/bin" / name)
    (root / "lib/systemd/system" / f"{name}.service").write_text("[Service]\nExecStart=/bin/true\n")
    (root / "etc/cron.d" / name).write_text("# nothing\n")
    (root / "etc/pam.d" / name).write_text("# nothing\n")
    (root / "etc/logrotate.d" / name).write_text("")
    for script in ("postinst", "postrm"):
        (root / "DEBIAN" / script).chmod(0o755)
    host("dpkg-deb", "-b", root, folder / f"{name}.deb")
    return folder / f"{name}.deb"


def packages(stage):
    """Installed, upgraded, purged on the host, with an account made and removed by its scripts; and a root made of packages."""
    name = "picket-e2e-package"
    path = deb(stage.fleet.dir, name, "picket-e2e")
    try:
        host("dpkg", "-i", path)
        host("dpkg", "-i", path)
        host("apt-get", "-qq", "-s", "install", "bash", check=False)
        host("apt-cache", "policy", check=False)
    finally:
        host("dpkg", "--purge", name)
    host("ldconfig")
    host("dpkg", "--verify", "bash", check=False)


def build(stage):
    """A compile, as a developer's: configure-like probes, many files, an archive, a test run."""
    folder = stage.fleet.dir / "src"
    folder.mkdir()
    for i in range(30):
        (folder / f"m{i}.c").write_text(f"#include <stdio.h>\nint f{i}(void) {{ return printf(\"%d\", {i}); }}\n")
    (folder / "main.c").write_text("int main(void) { return 0; }\n")
    (folder / "Makefile").write_text("O=$(patsubst %.c,%.o,$(wildcard *.c))\nprog: $(O)\n\tcc -o $@ $(O)\n\t./prog\n\ttar czf prog.tar.gz prog\n"
                                     "clean:\n\trm -f *.o prog\n")
    host("make", "-j2", "-C", folder)
    host("make", "-C", folder, "clean")
    host("git", "init", "-q", folder, check=False)
    host("git", "-C", folder, "add", "-A", check=False)
    host("python3", "-c", "import socket, subprocess; subprocess.run(['true'])")


def system_work(stage):
    """What cron and systemd do at night, and log rotation."""
    log = pathlib.Path("/var/log/picket-e2e.log")
    log.write_text("x\n" * 1000)
    conf = stage.fleet.dir / "rotate.conf"
    conf.write_text(f"{log} {{\n rotate 2\n create 0640 root adm\n missingok\n compress\n}}\n")
    try:
        if shutil.which("logrotate", path=PATH):
            host("logrotate", "-f", "-s", stage.fleet.dir / "rotate.state", conf, check=False)
        else:
            host("sh", "-c", f"mv {log} {log}.1; : > {log}; gzip -f {log}.1")
    finally:
        for p in log.parent.glob("picket-e2e.log*"):
            p.unlink()
    if os.path.isdir("/etc/cron.daily") and shutil.which("run-parts", path=PATH):
        host("run-parts", "--test", "/etc/cron.daily", check=False)
    for argv in (["updatedb"], ["fc-cache"], ["systemd-tmpfiles", "--help"], ["find", "/etc", "-newer", "/etc/hostname"],
                 ["df", "-h"], ["ps", "auxww"], ["ss", "-tlnp"], ["free"], ["mount"], ["crontab", "-l"]):
        if shutil.which(argv[0], path=PATH):
            host(*argv, check=False, timeout=60)


def sessions(stage):
    """Logins with a terminal, as root and as another user, and what people type."""
    typed = ("ls -la; id; whoami; cd /tmp; mkdir -p w && touch w/a; mv w/a w/b; rm -r w; ps aux | head; df -h; uname -a; cat /etc/passwd | wc -l; "
             "grep root /etc/group; env | sort >/dev/null; history | tail; vi --version >/dev/null; find . -maxdepth 1 -name x; exit\n")
    for argv in (["bash", "-il"], ["su", "-", "nobody", "-s", "/bin/bash"], ["sh", "-i"]):
        pid, fd = pty.fork()
        if pid == 0:
            on_host()
            os.environ.update(HISTFILE=str(stage.fleet.dir / "typed"), PATH=PATH)
            os.execvp(argv[0], argv)
        time.sleep(0.3)
        os.write(fd, typed.encode())
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                if not os.read(fd, 65536):
                    break
            except OSError:
                break
        os.close(fd)
        os.waitpid(pid, 0)


WORK = [containers, image_build, packages, build, system_work, sessions]


def work(stage, rules):
    """Does it all; returns what spoke: rule -> example command lines."""
    f = stage.fleet
    stage.start_agent(rules)
    spoke, known = {}, set()
    for part in WORK:
        since = time.time()
        part(stage)
        f.settle()
        time.sleep(0.5)
        for a in stage.alerts():
            if a["id"] in known or not a["process"]:
                continue
            known.add(a["id"])
            place = (a.get("container") or {}).get("name") or "host"
            if len((a.get("container") or {}).get("id") or "") == 32:
                continue  # a session of this machine's own, not ours
            spoke.setdefault(a["rule"], []).append(f"{part.__name__}/{place}: {a['process']['cmdline'][:90]} | {a['output'][:140]}")
        print(f"{part.__name__}: {time.time() - since:.1f} s")
    return spoke


def an_ordinary_day_raises_none_of_our_default_rules():
    stage = Stage()
    try:
        spoke = work(stage, [TOP / "agent/packaging/rules.d"])
        bad = {}
        for rule, examples in spoke.items():
            reasons = JUSTIFIED.get(rule, ())
            left = [e for e in examples if not any(r in e for r in reasons)]
            print(f"{'justified' if not left else 'NOISE'}: {rule}: {len(examples)}: {(left or examples)[0]}")
            if left:
                bad[rule] = left
        h = stage.fleet.ledger()
        assert not bad, f"{len(bad)} rules speak: {list(bad)}"
        return f"{h['stored']} events of ordinary work, none but the justified: {list(spoke)}"
    finally:
        stage.close()


def what_upstreams_rules_say_to_the_same():
    if not (UPSTREAM / UPSTREAM_FILES[0]).exists():
        raise Skip("Falco's files are not beside the checkout")
    stage = Stage()
    try:
        spoke = work(stage, [UPSTREAM / n for n in UPSTREAM_FILES])
        for rule, examples in sorted(spoke.items()):
            print(f"upstream: {rule}: {len(examples)}: {examples[0]}")
        return f"{len(spoke)} of Falco's rules speak, {sum(map(len, spoke.values()))} alerts"
    finally:
        stage.close()


if __name__ == "__main__":
    main(an_ordinary_day_raises_none_of_our_default_rules, what_upstreams_rules_say_to_the_same)
