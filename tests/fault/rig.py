"""rig.py - one collector, simulated agents (tests/fleet), faults; figures for the report.

A script is one test of the list F1..F30. It prints `ok NAME: measured; target: ...` or `not ok ...` or `skip ...`,
and after a line that was shortened `; shortened: ...`. PICKET_LONG=1 (--long) takes the whole length.
Programs come from build/bench, or from PICKET_BIN.
"""
import contextlib
import ctypes
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

TOP = pathlib.Path(__file__).resolve().parents[2]
if "--long" in sys.argv:
    sys.argv.remove("--long")
    os.environ["PICKET_LONG"] = "1"
LONG = bool(os.environ.get("PICKET_LONG"))
SEED = int(os.environ.get("PICKET_SEED") or 20261201)
BIN = pathlib.Path(os.environ.get("PICKET_BIN") or TOP / "build/bench")
FLEET, CHECK = BIN / "tests/fleet/fleet", BIN / "tests/fleet/fleet_check"
UPLINK, COLLECTOR = BIN / "tests/fault/uplink_load", BIN / "collector/picket-collector"
AGENT, CTL = BIN / "agent/picket-agent", BIN / "collector/ctl/picketctl"
os.environ["PATH"] += ":/usr/sbin:/sbin"


class Skip(Exception):
    """This host lacks what the test needs."""


def either(short, long):
    return long if LONG else short


def need(*tools, root=False):
    for t in tools:
        if not shutil.which(t):
            raise Skip(f"{t} is not installed")
    if root and os.geteuid() != 0:
        raise Skip("needs root")


def free_port():
    """Not one that the kernel gives to outgoing connections: a fleet has thousands, and other tests run beside this one."""
    while True:
        port = random.SystemRandom().randrange(10000, 32000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def wait_until(what, seconds, check, every=0.05):
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(every)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def cpu_s(pid):
    f = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid, key="VmRSS"):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(key + ":"):
            return int(line.split()[1]) / 1024
    return 0.0


def descendants(pid):
    found = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for kid in open(f"/proc/{pid}/task/{task}/children").read().split():
                found += [*descendants(int(kid)), int(kid)]
    return found


class Scene:
    """A folder, a collector in it, what was started: all ended and removed at the end."""

    def __init__(self, name, data=None, extra=""):
        for p in (COLLECTOR, FLEET, CHECK, UPLINK, CTL, AGENT):
            if not p.exists():
                raise Skip(f"{p} is not built")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"picket-{name}-", dir=os.environ.get("TMPDIR") or "/var/tmp"))
        self.procs, self.undo, self.ledgers, self.prefix, self.env = [], [], [], [], {}
        self.port, self.enrol_port, self.http_port = free_port(), free_port(), free_port()
        self.connect_port = self.port
        self.c = self.dir / "c"
        self.starts, self.collector, self.data_dir = 0, None, data or self.c / "data"
        self.init(extra)

    def init(self, extra):
        r = subprocess.run([COLLECTOR, "init", "--dir", self.c, "--name", "localhost", "--listen", f"tls+tcp://127.0.0.1:{self.port}",
                            "--enrol-listen", f"tls+tcp://127.0.0.1:{self.enrol_port}", "--http", f"127.0.0.1:{self.http_port}"],
                           capture_output=True, text=True)
        assert r.returncode == 0, r.stderr
        conf = (self.c / "collector.yaml").read_text()
        (self.c / "collector.yaml").write_text(conf + extra)

    # ---- processes ----

    def spawn(self, *argv, log="log", env=None, **more):
        out = open(self.dir / log, "ab")
        p = subprocess.Popen(list(map(str, argv)), stdout=more.pop("stdout", out), stderr=out, stdin=subprocess.DEVNULL,
                             preexec_fn=die_with_parent, env={**os.environ, **self.env, **(env or {})}, **more)
        self.procs.append(p)
        return p

    def start(self, wait=True, prefix=None, env=None):
        self.starts += 1
        began = time.monotonic()
        self.collector = self.spawn(*(prefix or self.prefix), COLLECTOR, "run", "--config", self.c / "collector.yaml",
                                    log="collector.log", env=env)
        if wait:
            wait_until(f"the collector listens; log: {self.log()[-500:]}", 30, self.is_listening, 0.01)
        return time.monotonic() - began

    def is_listening(self):
        if self.collector.poll() is not None:
            raise AssertionError(f"the collector ended: {self.log()[-500:]}")
        with socket.socket() as s:
            s.settimeout(1)
            return s.connect_ex(("127.0.0.1", self.http_port)) == 0

    def kill(self, sig=signal.SIGKILL):
        for pid in descendants(self.collector.pid) or [self.collector.pid]:  # not strace around it, which ends with it
            with contextlib.suppress(OSError):
                os.kill(pid, sig)
        self.collector.wait(30)

    @property
    def pid(self):
        return self.collector.pid

    def log(self, name="collector.log"):
        p = self.dir / name
        return p.read_text(errors="replace") if p.exists() else ""

    # ---- agents ----

    def fleet_start(self, agents, rate, seconds, *more, epoch=None, settle=60, seed=None, name=None):
        name = name or f"ledger{len(self.ledgers)}"
        ledger = self.dir / name
        self.ledgers.append(ledger)
        argv = [FLEET, "--dir", self.c, "--port", self.connect_port, "--agents", agents, "--rate", rate, "--seconds", seconds,
                "--ledger", ledger, "--settle", settle, "--seed", seed or SEED, *more]
        if epoch:
            argv += ["--epoch", epoch]
        return self.spawn(*argv, log="fleet.log", stdout=subprocess.PIPE)

    def fleet_end(self, p, seconds=900, whole=True):
        out, _ = p.communicate(timeout=seconds)
        if not out:
            raise AssertionError(f"fleet: {self.log('fleet.log')[-400:]}")
        r = json.loads(out)
        if whole and p.returncode:
            raise AssertionError(f"not settled, or what was acknowledged is gone: {r}")
        return r

    def fleet(self, *args, **kw):
        return self.fleet_end(self.fleet_start(*args, **kw))

    def check(self, *ledgers, may_fail=False):
        """Every record of the ledgers once, byte for byte; and produced = stored + lost in the API."""
        r = subprocess.run([CHECK, self.data_dir, *(ledgers or self.ledgers)], capture_output=True, text=True, timeout=900)
        if r.returncode and not may_fail:
            raise AssertionError(f"fleet_check: {r.stdout}{r.stderr}")
        return json.loads(r.stdout)

    def hosts(self):
        r = self.ctl("host", "list", "-o", "ndjson", "--limit", "100000", check=False)
        if r.returncode:
            r = self.ctl("host", "list", "-o", "ndjson")
        return [json.loads(line) for line in r.stdout.splitlines()]

    def adds_up(self, seconds=15):
        """produced = stored + lost for every host, by the API."""
        def wrong():
            return [h for h in self.hosts() if h["produced"] != h["stored"] + h["lost"]]
        try:
            wait_until("the sums", seconds, lambda: not wrong(), 0.3)
        except AssertionError:
            h = wrong()[0]
            raise AssertionError(f"{h['name']}: produced {h['produced']} != stored {h['stored']} + lost {h['lost']}") from None

    # ---- asking ----

    def ctl(self, *args, check=True, timeout=60):
        r = subprocess.run([str(CTL), *map(str, args), "--server", f"https://localhost:{self.http_port}", "--token-file",
                            str(self.c / "admin.token"), "--ca", str(self.c / "ca.pem")], capture_output=True, text=True, timeout=timeout)
        if check and r.returncode:
            raise AssertionError(f"picketctl {args}: {r.stderr[-300:]}")
        return r

    def alerts(self):
        return [json.loads(x) for x in self.ctl("alert", "list", "--limit", "1000", "-o", "ndjson").stdout.splitlines()]

    def collect(self, *args, timeout=120):
        return subprocess.run([str(COLLECTOR), *map(str, args), "--config", str(self.c / "collector.yaml")], capture_output=True,
                              text=True, timeout=timeout)

    def verify(self):
        r = self.collect("verify")
        return r.returncode, r.stdout + r.stderr

    def bytes_stored(self):
        return sum(p.stat().st_size for p in pathlib.Path(self.data_dir).rglob("*")
                   if p.is_file() and not p.name.endswith("-shm"))

    # ---- a real spool without sensors ----

    def enrol(self, name="a"):
        d = self.dir / name
        d.mkdir(exist_ok=True)
        (d / "agent.yaml").write_text(f"name: {name}-host\nstate_dir: {d}/state\nrun_dir: {d}/run\n")
        token = self.collect("token", "create").stdout.strip()
        r = subprocess.run([AGENT, "enroll", "--token", token, "--config", d / "agent.yaml"], capture_output=True, text=True)
        assert r.returncode == 0, r.stderr
        return d

    def uplink(self, d, *more, prefix=(), env=None, log="uplink.log"):
        return self.spawn(*prefix, UPLINK, "--state", d / "state", "--url", f"tls+tcp://127.0.0.1:{self.connect_port}",
                          "--counter", d / "counter", *more, log=log, stdout=subprocess.PIPE, env=env)

    @staticmethod
    def counter(d):
        names = ("epoch", "appended", "last_seq", "process", "failed", "lost", "ready", "open_ms")
        return dict(zip(names, struct.unpack("<8Q", (d / "counter").read_bytes())))

    def uplink_ready(self, p, d, seconds=20):
        def ready():
            assert p.poll() is None, f"uplink_load ended: {self.log('uplink.log')[-400:]}"
            return (d / "counter").exists() and (d / "counter").stat().st_size == 64 and self.counter(d)["ready"]
        wait_until(f"the spool is open; log: {self.log('uplink.log')[-300:]}", seconds, ready, 0.01)

    def uplink_end(self, p, seconds=120):
        out, _ = p.communicate(timeout=seconds)
        assert p.returncode == 0 and out, f"uplink_load: exit {p.returncode}: {self.log('uplink.log')[-500:]}"
        return json.loads(out)

    def drain(self, d, seconds=60, *more):
        """Delivers what a spool holds."""
        return self.uplink_end(self.uplink(d, "--count", 1, "--rate", 100, "--seconds", seconds, *more), seconds + 20)

    def host(self, name="load-host"):
        return {h["name"]: h for h in self.hosts()}[name]

    def close(self):
        for p in self.procs:
            if p.poll() is None:
                for pid in [*descendants(p.pid), p.pid]:
                    with contextlib.suppress(OSError):
                        os.kill(pid, signal.SIGCONT)
                        os.kill(pid, signal.SIGKILL)
                p.wait()
        for fn in reversed(self.undo):
            with contextlib.suppress(Exception):
                fn()
        if os.environ.get("PICKET_KEEP"):
            print("kept:", self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


def cli(*argv, check=True):
    r = subprocess.run(list(map(str, argv)), capture_output=True, text=True)
    if check and r.returncode:
        raise AssertionError(f"{argv}: {r.stderr[-300:]}")
    return r


class Proxy:
    """TCP through here: delay +- jitter each way, cut on demand, one way deaf, bytes/s."""

    def __init__(self, target, delay=0.0, jitter=0.0, rate=0):
        self.target, self.delay, self.jitter, self.rate = target, delay, jitter, rate
        self.deaf, self.random = {"up": False, "down": False}, random.Random(SEED)
        self.pairs, self.sock = [], socket.socket()
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(512)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                a, _ = self.sock.accept()
            except OSError:
                return
            try:
                b = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                a.close()
                continue
            self.pairs.append((a, b))
            threading.Thread(target=self.pump, args=(a, b, "up"), daemon=True).start()
            threading.Thread(target=self.pump, args=(b, a, "down"), daemon=True).start()

    def pump(self, a, b, way):
        with contextlib.suppress(OSError):
            while data := a.recv(65536 if not self.rate else max(512, self.rate // 20)):
                if self.delay:
                    time.sleep(max(0, self.delay + self.random.uniform(-self.jitter, self.jitter)))
                if self.rate:
                    time.sleep(len(data) / self.rate)
                while self.deaf[way]:
                    time.sleep(0.05)
                b.sendall(data)
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def cut(self):
        for pair in self.pairs:
            for s in pair:
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)
        self.pairs = []

    def close(self):
        self.sock.close()
        self.cut()


def load():
    return open("/proc/loadavg").read().split()[0]


def main(*tests):
    """Each test returns (measured, target[, shortened]), or what was measured alone: then its first line is the target. Or it raises."""
    bad = 0
    wanted = sys.argv[1:]
    file = pathlib.Path(sys.argv[0]).stem
    for test in tests:
        if wanted and test.__name__ not in wanted:
            continue
        name, t = f"{file}.{test.__name__}", time.monotonic()
        try:
            result = test()
            measured, target, *short = (result, test.__doc__ or "") if isinstance(result, str) else result
            note = f"; shortened: {short[0]}" if short and short[0] and not LONG else ""
            print(f"ok {name}: {measured}; target: {target}{note}; took {time.monotonic() - t:.0f} s, load {load()}, seed {SEED}")
        except BaseException as e:
            if type(e).__name__ == "Skip":  # also that of tests/e2e/lib.py
                print(f"skip {name}: {e}")
                continue
            bad = 1
            print(f"not ok {name}: {' '.join(str(e).split()) or repr(e)}; target: {test.__doc__ or ''}; load {load()}, seed {SEED}")
            traceback.print_exc()
        sys.stdout.flush()
    sys.exit(bad)


@contextlib.contextmanager
def scene(name, **kw):
    s = Scene(name, **kw)
    try:
        yield s
    finally:
        s.close()
