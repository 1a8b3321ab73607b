#!/usr/bin/env python3
"""`picket-agent audit` (the command) over a real dockerd with containers that have a fault each, and two that have none."""
import atexit
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from lib import TOP, Skip, _die_with_parent, main, programs, wait_until

FIXTURE = TOP.parent / "shared" / "fixtures" / "audit"
CLONE_NEWNS, CLONE_NEWNET, MS_REC, MS_PRIVATE = 0x20000, 0x40000000, 0x4000, 0x40000

# container: what has to be found in it. A trailing ? allows a warning, too.
FAULTS = {
    "aud-privileged": ["PKT-C-005", "PKT-C-004", "PKT-C-022", "PKT-C-018", "PKT-C-102"],
    "aud-hostpid": ["PKT-C-016"],
    "aud-hostnet": ["PKT-C-010"],
    "aud-hostipc": ["PKT-C-017"],
    "aud-hostuts": ["PKT-C-021"],
    "aud-hostcgns": ["PKT-C-104?"],
    "aud-usernshost": ["PKT-C-031"],
    "aud-sock": ["PKT-C-032"],
    "aud-sockro": ["PKT-C-032"],
    "aud-etc-rw": ["PKT-C-006"],
    "aud-root-ro": ["PKT-C-006", "PKT-C-032"],
    "aud-vld": ["PKT-C-006"],
    "aud-procsys": ["PKT-C-006"],
    "aud-cap": ["PKT-C-004"],
    "aud-capall": ["PKT-C-004"],
    "aud-seccomp-unconf": ["PKT-C-022"],
    "aud-nnp-false": ["PKT-C-026"],
    "aud-device": ["PKT-C-018"],
    "aud-user0": ["PKT-C-001"],
    "aud-hcnone": ["PKT-C-027"],
    "aud-privport": ["PKT-C-008", "PKT-C-014"],
    "aud-portall": ["PKT-C-009", "PKT-C-014"],
    "aud-always": ["PKT-C-015"],
    "aud-onfail0": ["PKT-C-015"],
    "aud-pids-1": ["PKT-C-029"],
    "aud-oomoff": ["PKT-C-105"],
    "aud-secretenv": ["PKT-C-106"],
    "aud-img-add": ["PKT-C-106"],
    "aud-sshd": ["PKT-C-007"],
    "aud-paused": ["PKT-C-016"],
    # what looks right when only the options are read
    "x-joinpid": ["PKT-C-016", "PKT-C-119?"],
    "x-joinnet": ["PKT-C-010", "PKT-C-119?"],
    "x-dirsock": ["PKT-C-032"],
    "x-linksock": ["PKT-C-032"],
    "x-uid0name": ["PKT-C-001"],
    "x-allowall": ["PKT-C-112"],
    "x-ipv6": ["PKT-C-014"],
    "x-stopped": ["PKT-C-005", "PKT-C-110"],
    "x-exec": ["PKT-C-023", "PKT-C-109"],
    "x-volume": ["PKT-C-006", "PKT-C-107"],
    "x-unmasked": ["PKT-C-102"],
    "x-undeclared": ["PKT-C-113?"],
}
# A plain container has these; nothing else may be found where a fault says nothing of it.
DEFAULTS = {"PKT-C-001", "PKT-C-011", "PKT-C-012", "PKT-C-013", "PKT-C-026", "PKT-C-027", "PKT-C-029", "PKT-C-030", "PKT-C-117",
            "PKT-C-122", "PKT-C-019", "PKT-C-031", "PKT-C-104", "PKT-C-002"}


class Engine:
    """A dockerd with a bridge, in a network and a /run of its own."""

    def __init__(self):
        self.bin = programs("release")["agent"]
        if not self.bin.exists():
            raise Skip("picket-agent is not built")
        if not FIXTURE.exists():
            raise Skip(f"{FIXTURE} is not there")
        for tool in ("dockerd", "docker", "runc", "ip", "iptables", "jq", "busybox"):
            if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
                raise Skip(f"{tool} is not installed")
        self.unshare()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pk", dir="/tmp"))
        self.env = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "W": str(self.dir / "w"),
                    "DOCKER_HOST": "unix:///run/docker.sock"}
        self.proc = None
        atexit.register(self.close)
        try:
            self.start()
            self.image()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def unshare():
        if os.geteuid() != 0:
            raise Skip("a dockerd of our own needs root")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) \
                or libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, None):
            raise Skip(f"no namespaces can be made here: {os.strerror(ctypes.get_errno())}")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    def start(self):
        d = self.dir
        # mkdtemp's names may hold "_", next to each other or at the end, which containerd refuses there.
        namespace = d.name.replace("_", "X")
        (d / "daemon.json").write_text(json.dumps({
            "runtimes": {"nosysres": {"path": str(FIXTURE / "runc-nosysres.sh")}}, "default-runtime": "nosysres"}))
        self.log = open(d / "log", "w")
        self.proc = subprocess.Popen(
            ["dockerd", "--data-root", d / "data", "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid",
             "--host", "unix:///run/docker.sock", "--config-file", d / "daemon.json",
             "--containerd-namespace", namespace, "--containerd-plugins-namespace", namespace + "-plugins"],
            env=self.env, stdout=self.log, stderr=self.log, preexec_fn=_die_with_parent)
        wait_until("the engine answers", 30, self.answers, 0.2)

    def answers(self):
        if self.proc.poll() is not None:
            tail = [line for line in (self.dir / "log").read_text().splitlines() if "failed" in line or "error" in line]
            raise Skip(f"dockerd does not start: {tail[-1] if tail else ''}")
        return self.docker("version", check=False).returncode == 0

    def image(self):
        root = self.dir / "image"
        root.mkdir()
        shutil.copy(shutil.which("busybox", path=self.env["PATH"]), root / "busybox")
        self.load(root, "bb:latest")
        (root / "busybox").chmod(0o4755)
        self.load(root, "setuid:1.0")

    def load(self, root, name):
        tar = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
        subprocess.run(["docker", "import", "-", name], stdin=tar.stdout, env=self.env, check=True, capture_output=True)

    def docker(self, *args, check=True):
        r = subprocess.run(["docker", *map(str, args)], env=self.env, capture_output=True, text=True, timeout=120)
        if check and r.returncode:
            raise AssertionError(f"docker {' '.join(map(str, args))}: {r.stderr}")
        return r

    def make(self):
        out = subprocess.run(["bash", FIXTURE / "make-bad-containers.sh", "up"], env=self.env, capture_output=True, text=True,
                             timeout=300)
        bad = [line for line in out.stdout.splitlines() if line.startswith("FAILED")]
        if bad:
            raise AssertionError("\n".join(bad))
        sleep = ("bb:latest", "/busybox", "sleep", "100000")
        run = ("run", "-d", "--name")
        (self.dir / "link.sock").symlink_to("/run/docker.sock")
        self.docker(*run, "x-joinpid", "--pid", "container:aud-hostpid", *sleep)
        self.docker(*run, "x-joinnet", "--network", "container:aud-hostnet", *sleep)
        self.docker(*run, "x-dirsock", "-v", "/run:/r", *sleep)
        self.docker(*run, "x-linksock", "-v", f"{self.dir}/link.sock:/l.sock", *sleep)
        self.docker(*run, "x-uid0name", "aud-img-uid0name", "/busybox", "sleep", "100000")
        self.docker(*run, "x-allowall", "--security-opt", f"seccomp={self.dir}/w/allow-all.json", *sleep)
        self.docker(*run, "x-ipv6", "-p", "[::1]:8082:80", "-p", "[::]:8083:80", *sleep)
        self.docker("create", "--name", "x-stopped", "--restart", "always", "--privileged", *sleep)
        self.docker(*run, "x-exec", *sleep)
        self.docker("exec", "-d", "--privileged", "x-exec", "/busybox", "sleep", "99999")
        self.docker("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/etc", "x-etc")
        self.docker(*run, "x-volume", "-v", "x-etc:/data", *sleep)
        self.docker(*run, "x-unmasked", "--security-opt", "systempaths=unconfined", *sleep)
        self.docker(*run, "x-undeclared", "bb:latest", "/busybox", "nc", "-l", "-p", "4444")

    def audit(self, *args, code=0):
        r = subprocess.run([self.bin, "audit", "--docker-socket", "/run/docker.sock", *args], env=self.env, capture_output=True,
                           text=True, timeout=60)
        if r.returncode != code:
            raise AssertionError(f"audit {' '.join(args)}: exit {r.returncode}, not {code}: {r.stderr}{r.stdout[-2000:]}")
        return r.stdout

    def close(self):
        if self.proc and self.proc.poll() is None:
            ids = self.docker("ps", "-aq", check=False).stdout.split()
            if ids:
                self.docker("rm", "-f", "-v", *ids, check=False)
            self.proc.terminate()
            self.proc.wait(30)
        if not self.unmount():
            print(f"left behind, something is mounted there: {self.dir}")
            return
        shutil.rmtree(self.dir, ignore_errors=True)

    def unmount(self):
        """Nothing may be mounted below what is removed: a volume of an engine that crashed is the host's /etc."""
        def mounted():
            points = [line.split()[4] for line in open("/proc/self/mountinfo")]
            return sorted((p for p in points if p.startswith(f"{self.dir}/")), reverse=True)
        for path in mounted():
            subprocess.run(["umount", "-l", path], capture_output=True)
        return not mounted()


engine = None


def every_fault_is_found_in_its_container_and_none_elsewhere():
    global engine
    engine = Engine()
    engine.make()
    report = json.loads(engine.audit("--format", "json"))
    found = {}
    for r in report["results"]:
        if r["subject"] == "container" and r["status"] in ("fail", "warn"):
            found.setdefault(r["target"], {})[r["id"]] = r
    problems = []
    for name, wanted in FAULTS.items():
        have = found.get(name, {})
        for check in wanted:
            r = have.get(check.rstrip("?"))
            if not r or (r["status"] == "warn" and not check.endswith("?")):
                problems.append(f"{name}: {check} is {r and r['status']}")
    for check, r in found.get("aud-good", {}).items():
        if r["status"] == "fail":
            problems.append(f"aud-good: {check}: {r['evidence']}")
    for check, r in found.get("aud-plain", {}).items():
        if check not in DEFAULTS or r["severity"] in ("high", "critical"):
            problems.append(f"aud-plain: {check} {r['severity']}: {r['evidence']}")
    for name in ("aud-hostuts", "aud-user0", "aud-always", "aud-nnp-false", "aud-pids-1"):
        odd = set(found[name]) - DEFAULTS - {c.rstrip("?") for c in FAULTS[name]}
        if odd:
            problems.append(f"{name}: {sorted(odd)} besides")
    differs = [(r["target"], r["id"]) for r in report["results"] if r.get("differs") and r["id"] == "PKT-C-115"]
    if [d for d in differs if d[0] != "x-exec"]:
        problems.append(f"not as asked for: {differs}")
    if problems:
        raise AssertionError("\n".join(problems))
    return f"{len(FAULTS)} containers with faults"


def the_whole_host_is_audited_quickly():
    started = time.monotonic()
    report = json.loads(engine.audit("--format", "json"))
    took = time.monotonic() - started
    targets = {r["target"] for r in report["results"] if r["subject"] == "container"}
    assert len(targets) == len(FAULTS) + 3, len(targets)
    return f"{len(targets)} containers in {took:.2f} s"


def gates_close_and_what_is_not_there_is_told():
    engine.audit("--container", "aud-good", "--fail-on", "low")
    engine.audit("--container", "aud-hostpid", "--fail-on", "high", code=1)
    engine.audit("--container", "aud-hostpid", "--check", "5.16", "--fail-on", "critical")
    engine.audit("--container", "no-such", code=5)
    engine.audit("--image", "no-such", code=5)
    engine.audit("--docker-socket", "/run/nobody.sock", code=6)
    assert "docker update --memory 512m --memory-swap 512m aud-plain" in engine.audit("--container", "aud-plain", "--check", "5.11")


def the_engine_and_its_image_are_judged():
    report = json.loads(engine.audit("--format", "json"))
    by = {(r["subject"], r["target"], r["id"]): r["status"] for r in report["results"]}
    status = {r["id"]: r["status"] for r in report["results"] if r["subject"] == "daemon"}
    assert status["PKT-D-002"] == "fail" and status["PKT-D-014"] == "fail" and status["PKT-D-012"] == "fail", status
    assert status["PKT-D-007"] == "na" and status["PKT-D-022"] == "pass" and status["PKT-D-006"] == "pass", status
    for image, check, want in (("aud-img-hcnone", "PKT-I-005", "fail"), ("aud-img-add", "PKT-I-008", "fail"),
                               ("aud-img-add", "PKT-I-009", "fail"), ("aud-img-good", "PKT-I-001", "pass"),
                               ("aud-img-good", "PKT-I-005", "pass"), ("bb", "PKT-I-001", "fail")):
        assert by["image", f"{image}:latest", check] == want, (image, check)
    engine.docker("run", "-d", "--name", "x-setuid", "setuid:1.0", "/busybox", "sleep", "100000")
    files = json.loads(engine.audit("--files", "--format", "json", "--image", "setuid:1.0", "--container", "x-setuid",
                                    "--container", "aud-plain"))
    seen = {(r["target"], r["id"]): r["status"] for r in files["results"]}
    assert seen["setuid:1.0", "PKT-I-007"] == "fail" and seen["x-setuid", "PKT-C-111"] == "fail", seen
    assert seen["aud-plain", "PKT-C-111"] == "pass", seen["aud-plain", "PKT-C-111"]
    sarif = json.loads(engine.audit("--format", "sarif"))
    assert sarif["version"] == "2.1.0" and len(sarif["runs"][0]["results"]) > 100


if __name__ == "__main__":
    main(every_fault_is_found_in_its_container_and_none_elsewhere, the_whole_host_is_audited_quickly,
         gates_close_and_what_is_not_there_is_told, the_engine_and_its_image_are_judged)
