"""stage.py - containers to play intruders in: a Debian root, a busybox, a privileged one, and who watches them.

The Debian root is made of this host's own packages, so nothing is fetched. Beside real programs it holds
copies of actions/act.c under the names that rules know. Addresses of the outside world lie on each
container's loopback: connections to them succeed and nothing leaves this host.
"""
import contextlib
import http.client
import io
import json
import os
import pathlib
import re
import ssl
import subprocess
import tarfile
import time

from lib import TOP, Fleet, Skip, wait_until

UPSTREAM = TOP.parent / "shared" / "falco"
UPSTREAM_FILES = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
PACKAGES = ("base-files bash dash coreutils perl-base libc-bin findutils grep sed tar gzip util-linux mount login passwd "
            "procps apt dpkg e2fsprogs mawk diffutils").split()
DISGUISES = ("act httpd mysqld lua java kubectl nmap scp ssh curl crontab pkexec sudoedit login child sha1sum nc debugfs "
             "apk vipw xmrig docker").split()
OUTSIDE, METADATA, KUBERNETES, UDP_SINK = "203.0.113.5", "169.254.169.254", "10.96.0.1", "10.2.3.4"
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
                  "www-data:x:33:33::/var/www:/usr/sbin/nologin\nu:x:1000:1000::/home/u:/bin/bash\n",
    "etc/group": "root:x:0:\ndaemon:x:1:\nshadow:x:42:\nwww-data:x:33:\nu:x:1000:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nu:*:19000:0:99999:7:::\n", "etc/gshadow": "root:*::\n",
    "var/lib/dpkg/status": "", "var/lib/dpkg/available": "",
}
FOLDERS = ("tmp root home/u/.ssh root/.aws dev proc sys run var/lib/dpkg/info var/lib/dpkg/updates var/log var/lib/rpm var/www "
           "var/tmp srv opt etc/cron.d").split()


def on_host():
    """For preexec_fn: out of a session's cgroup, which may look like a container's."""
    with open("/proc/mounts") as mounts:
        roots = [line.split()[1] for line in mounts if line.split()[2] in ("cgroup", "cgroup2")]
    for root in roots:
        with contextlib.suppress(OSError):
            pathlib.Path(root, "cgroup.procs").write_text("0")


def build_act(folder):
    """The helper, as a static program."""
    target = folder / "act"
    sources = [TOP / "tests/e2e/actions" / n for n in ("act.c", "evade.c")]
    subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-static", "-o", target, *sources], check=True)
    return target


def closure(names):
    """Packages and what they depend on, as installed here."""
    out = subprocess.run(["dpkg-query", "-W", "-f=${Package}\t${Pre-Depends}, ${Depends}\n"], capture_output=True, text=True)
    if out.returncode:
        raise Skip("this is no Debian: there are no packages to make a root of")
    needs = dict(line.split("\t") for line in out.stdout.splitlines())
    found, todo = set(), [n for n in names if n in needs]
    while todo:
        name = todo.pop()
        if name in found or name not in needs:
            continue
        found.add(name)
        todo += re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9.+-]+)", needs[name])
    return sorted(found - {"perl", "python3", "debconf", "systemd", "init-system-helpers"})


def debian_root(act):
    """A tar of it, as bytes."""
    listed = subprocess.run(["dpkg", "-L", *closure(PACKAGES)], capture_output=True, text=True).stdout.splitlines()
    skipped = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info", "/usr/share/perl5", "/usr/share/zoneinfo")
    paths = set()
    for p in listed:
        if p.startswith("/") and not p.startswith(skipped) and not os.path.isdir(p) and os.path.lexists(p):
            paths.add(os.path.realpath(os.path.dirname(p)) + "/" + os.path.basename(p))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        def put(name, kind, mode, **more):
            info = tarfile.TarInfo(name)
            info.type, info.mode = kind, mode
            data = more.pop("data", b"")
            info.size = len(data)
            for k, v in more.items():
                setattr(info, k, v)
            tar.addfile(info, io.BytesIO(data))
        for name in ("bin", "sbin", "lib", "lib64"):
            put(name, tarfile.SYMTYPE, 0o777, linkname=f"usr/{name}")
        for name in FOLDERS:
            put(name, tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755)
        for path in sorted(paths):
            if path.lstrip("/") not in ACCOUNTS:
                tar.add(path, path.lstrip("/"), recursive=False)
        for name, text in ACCOUNTS.items():
            put(name, tarfile.REGTYPE, 0o640 if "shadow" in name else 0o644, data=text.encode())
        put("home/u/.bashrc", tarfile.REGTYPE, 0o644, data=b"# nothing\n", uid=1000, gid=1000)
        put("root/.aws/credentials", tarfile.REGTYPE, 0o600, data=b"[default]\n")
        for i, name in enumerate(DISGUISES):
            put(f"opt/{name}", tarfile.LNKTYPE if i else tarfile.REGTYPE, 0o755,
                **({"linkname": f"opt/{DISGUISES[0]}"} if i else {"data": act.read_bytes()}))
    return buffer.getvalue()


class Stage:
    """A fleet of one agent with the given rule files, and the containers `gen`, `priv` and `bb`."""

    def __init__(self, preset="release"):
        # each act is to be told by itself, however many of its rule came before
        self.fleet = f = Fleet(preset, docker=True, agent_extra="fold:\n  burst: 1000000\n")
        try:
            for tool in ("cc", "ip", "nsenter"):
                if subprocess.run(["sh", "-c", f"command -v {tool}"], capture_output=True,
                                  env={**os.environ, "PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"}).returncode:
                    raise Skip(f"{tool} is not installed")
            self.act = build_act(f.dir)
            f.start_collector()
            self.connection = None
            self.import_image("test/debian:1.0", debian_root(self.act))
        except BaseException:
            f.close()
            raise

    def import_image(self, name, data):
        subprocess.run(["docker", "-H", f"unix://{self.fleet.docker_dir}/d.sock", "import", "--change",
                        "ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin", "-", name], input=data, stdout=subprocess.DEVNULL, check=True)

    def privileged(self):
        """As dockerd.sh's PRIVILEGED: a root without CAP_SYS_RESOURCE can't give it."""
        bounding = int(re.search(r"CapBnd:\s*(\w+)", pathlib.Path("/proc/self/status").read_text())[1], 16)
        return ["--privileged"] + ([] if bounding >> 24 & 1 else ["--runtime", "limited"])

    def start_containers(self):
        f = self.fleet
        rights = ["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"]
        for c in ("NET_RAW", "SYS_PTRACE", "DAC_READ_SEARCH", "MKNOD"):
            rights += ["--cap-add", c]
        for name, more in (("gen", rights), ("priv", self.privileged())):
            f.docker("run", "-d", "--name", name, "--network", "none", *more, "test/debian:1.0", "sleep", "3600")
        f.docker("run", "-d", "--name", "bb", "--network", "none", "test/busybox:1.0", "sleep", "3600")
        for name in ("gen", "bb"):
            pid = f.docker("inspect", "-f", "{{.State.Pid}}", name).stdout.strip()
            for address in (OUTSIDE, METADATA, KUBERNETES, UDP_SINK):
                subprocess.run(["nsenter", "-t", pid, "-n", "ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True,
                               env={**os.environ, "PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"})
        f.docker("exec", "-d", "gen", "/opt/act", "listen", "0.0.0.0", "22", "80", "443", "3333")
        f.docker("exec", "-d", "gen", "/opt/httpd", "sleep-open", "5.5", "/etc/shadow", "r")

    def start_agent(self, rules, name="agent", hosts=""):
        """rules: files and folders in order. hosts: lines that the agent alone finds in /etc/hosts."""
        f = self.fleet
        f.enrol(name)
        conf = f.agent_config(name)
        text = re.sub(r"rules:\n(  - .*\n)+", "rules:\n" + "".join(f"  - {r}\n" for r in rules), conf.read_text())
        conf.write_text(text)
        (f.dir / "hosts").write_text(pathlib.Path("/etc/hosts").read_text() + hosts)
        f.start(name, "unshare", "-m", "sh", "-c", 'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh", f.dir / "hosts",
                f.bin["agent"], "run", "--config", conf)
        wait_until(f"{name} is healthy; log: {f.dir}/{name}.log", 30, lambda: f.status(name).get("healthy"))
        wait_until("the engine is connected", 15, lambda: f.status(name)["world"]["engine_connected"])

    # ---- what the collector has ----

    def alerts(self):
        """Straight from the API on one connection: what is measured is the alert, not the asking."""
        f = self.fleet
        if self.connection is None:
            context = ssl.create_default_context(cafile=str(f.dir / "c/ca.pem"))
            self.connection = http.client.HTTPSConnection("localhost", f.http_port, context=context, timeout=10)
        token = (f.dir / "c/admin.token").read_text().strip()
        try:
            self.connection.request("GET", "/api/v1/alerts?limit=1000", headers={"Authorization": f"Bearer {token}"})
            return json.loads(self.connection.getresponse().read())["items"]
        except (OSError, http.client.HTTPException):
            self.connection = None
            return []

    def exec(self, container, *argv, user=None, env=(), tty=False):
        options = (["-t"] if tty else []) + (["-u", user] if user else [])
        for e in env:
            options += ["-e", e]
        return self.fleet.docker("exec", *options, container, *argv, check=False)

    def close(self):
        self.fleet.close()
