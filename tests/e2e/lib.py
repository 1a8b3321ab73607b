"""lib.py - a whole picket for a test: collector, agents, a Docker Engine, a mail server, a webhook.

Everything lives below one temporary folder and on loopback ports that were free; what was started is
ended by its pid. A suite prints `ok NAME`, `not ok NAME: why`, `skip NAME: why`.
"""
import calendar
import concurrent.futures
import contextlib
import ctypes
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

TOP = pathlib.Path(__file__).resolve().parents[2]
LONG = bool(os.environ.get("PICKET_LONG"))


class Skip(Exception):
    """This host lacks what the test needs."""


def programs(preset):
    """Where a preset's programs are; PICKET_BIN names another build tree."""
    other = os.environ.get("PICKET_BIN")
    root = pathlib.Path(other or TOP / "build" / preset).absolute()
    tests = (root if other else TOP / "build" / "asan-ubsan") / "tests"  # a release has none
    return {
        "agent": root / "agent" / "picket-agent",
        "collector": root / "collector" / "picket-collector",
        "ctl": root / "collector" / "ctl" / "picketctl",
        "load": tests / "bench" / "load_exec",
        "calls": tests / "bench" / "load_calls",
        "fleet": tests / "fleet" / "fleet",
    }


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, seconds, check, every=0.05):
    """Waits for check() to be true and returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(every)


def unix(stamp):
    """RFC 3339 in UTC, as the API writes it -> seconds since 1970."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float("0." + (fraction or "0"))


def status_kib(pid, key):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    return 0


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Webhook:
    """Keeps what it is sent, checks the signature."""

    def __init__(self, secret):
        self.calls, self.lock, self.fail_next = [], threading.Lock(), 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                want = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
                with outer.lock:
                    if outer.fail_next > 0:
                        outer.fail_next -= 1
                        self.send_response(503)
                        self.end_headers()
                        return
                    outer.calls.append({
                        "time": time.time(), "json": json.loads(body),
                        "signed": hmac.compare_digest(want, self.headers.get("X-Picket-Signature", "")),
                        "key": self.headers.get("Idempotency-Key"),
                    })
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def alerts(self):
        with self.lock:
            return [(c, a) for c in self.calls for a in c["json"]["alerts"]]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Shell:
    """Functions of one of the shell helpers beside this file."""

    def __init__(self, script):
        self.script = TOP / "tests" / "e2e" / script

    def __call__(self, function, *args):
        source = 'script=$1; shift; call=("$@"); set --; . "$script"; "${call[@]}"'
        r = subprocess.run(["bash", "-c", source, "lib", str(self.script), function, *map(str, args)],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if r.returncode == 77:
            raise Skip(r.stdout.strip().splitlines()[-1] if r.stdout.strip() else function)
        if r.returncode:
            raise AssertionError(f"{function}: {r.stdout}")
        return r.stdout


class Fleet:
    """One collector, one agent by default."""

    def __init__(self, preset="release", mail=False, docker=False, agent_extra=""):
        self.bin = programs(preset)
        for p in self.bin.values():
            if not p.exists():
                raise Skip(f"{p.name} is not built")
        if os.geteuid() != 0:
            raise Skip("the agent needs root")
        if not os.path.exists("/sys/kernel/btf/vmlinux"):
            raise Skip("this kernel has no BTF: the agent can't see anything here")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pk", dir="/tmp"))
        self.dir.chmod(0o711)  # the mail server gives up its privileges and must get through
        self.procs = {}
        self.webhook = Webhook("geheim")
        self.agent_port, self.enrol_port, self.http_port = free_port(), free_port(), free_port()
        self.dockerd, self.smtpd, self.mail_port = Shell("dockerd.sh"), Shell("smtpd.sh"), None
        self.docker_dir = self.dir / "d" if docker else None
        self.agent_extra = agent_extra
        try:
            if mail:
                self.mail_port = free_port()
                self.smtpd("start_smtpd", self.dir / "m", self.mail_port)
            if docker:
                self.dockerd("start_dockerd", self.docker_dir)
                self.dockerd("make_image", self.docker_dir, "test/busybox:1.0")
            self._init_collector()
        except BaseException:
            self.close()
            raise

    def _init_collector(self):
        c = self.dir / "c"
        self.run("collector", "init", "--dir", c, "--name", "localhost",
                 "--listen", f"tls+tcp://127.0.0.1:{self.agent_port}",
                 "--enrol-listen", f"tls+tcp://127.0.0.1:{self.enrol_port}",
                 "--http", f"127.0.0.1:{self.http_port}")
        (c / "secret").write_text("geheim")
        conf = (c / "collector.yaml").read_text()
        conf = conf[:conf.index("notify:")]
        conf += (f"notify:\n  webhooks:\n    - name: hook\n      url: http://127.0.0.1:{self.webhook.port}/\n"
                 f"      secret_file: {c}/secret\n")
        if self.mail_port:
            conf += (f"  mails:\n    - name: mail\n      url: smtp://localhost:{self.mail_port}\n"
                     f"      from: picket@example.net\n      to: [ops@example.net]\n"
                     f"      starttls: required\n      ca_file: {self.dir}/m/ca.pem\n")
        (c / "collector.yaml").write_text(conf)

    # ---- processes ----

    def run(self, program, *args, check=True, env=None):
        r = subprocess.run([str(self.bin[program]), *map(str, args)], capture_output=True, text=True, timeout=60,
                           env={**os.environ, **(env or {})})
        if check and r.returncode:
            raise AssertionError(f"{program} {args[0]}: exit {r.returncode}: {r.stderr[-1000:]}")
        return r

    def start(self, name, *argv):
        log = open(self.dir / f"{name}.log", "ab")
        env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1"}
        self.procs[name] = subprocess.Popen(list(map(str, argv)), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            preexec_fn=_die_with_parent, env=env)
        return self.procs[name]

    def stop(self, name, sig=signal.SIGTERM, seconds=20):
        p = self.procs.pop(name, None)
        if p is None:
            return None
        if p.poll() is None:
            p.send_signal(sig)
        try:
            p.wait(seconds)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise AssertionError(f"{name} did not end on signal {sig}; log: {self.log(name)[-600:]}")
        return p.returncode

    def log(self, name):
        path = self.dir / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def pid(self, name):
        return self.procs[name].pid

    def start_collector(self):
        self.start("collector", self.bin["collector"], "run", "--config", self.dir / "c/collector.yaml")

        def answers():
            if self.procs["collector"].poll() is not None:
                raise AssertionError(f"the collector ended: {self.log('collector')[-600:]}")
            return self.ctl("status", check=False).returncode == 0
        wait_until("collector answers", 20, answers)

    def agent_config(self, name="agent"):
        return self.dir / name / "agent.yaml"

    def enrol(self, name="agent", rules=None, token=None):
        d = self.dir / name
        d.mkdir(exist_ok=True)
        sock = f"{self.docker_dir}/d.sock" if self.docker_dir else ""
        self.agent_config(name).write_text(
            f"name: {name}-host\nstate_dir: {d}/state\nrun_dir: {d}/run\nrules:\n  - {rules or TOP / 'agent/packaging/rules.d'}\n"
            # nothing of a test's agent may outlive it, nor meet another's
            f'engine:\n  docker_socket: "{sock}"\npolicy:\n  file: "{d}/policy.yaml"\nnetwork:\n  pin_dir: ""\n{self.agent_extra}')
        token = token or self.token()
        return self.run("agent", "enroll", "--token", token, "--config", self.agent_config(name))

    def token(self, *args):
        return self.run("collector", "token", "create", "--config", self.dir / "c/collector.yaml", *args).stdout.strip()

    def start_agent(self, name="agent", wait=True):
        self.start(name, self.bin["agent"], "run", "--config", self.agent_config(name))
        if wait:
            wait_until(f"{name} is healthy; log: {self.dir}/{name}.log", 60,
                       lambda: self.status(name).get("healthy"))

    def status(self, name="agent"):
        r = self.run("agent", "status", "--json", "--config", self.agent_config(name), check=False)
        return json.loads(r.stdout) if r.stdout else {}

    def up(self):
        self.start_collector()
        self.enrol()
        self.start_agent()
        if self.docker_dir:
            wait_until("the engine is connected", 15, lambda: self.status()["world"]["engine_connected"])
        return self

    def ctl(self, *args, check=True):
        return self.run("ctl", *args, "--server", f"https://localhost:{self.http_port}",
                        "--token-file", self.dir / "c/admin.token", "--ca", self.dir / "c/ca.pem", check=check)

    def items(self, *args):
        return [json.loads(line) for line in self.ctl(*args, "-o", "ndjson").stdout.splitlines()]

    def alerts(self, *filters):
        return self.items("alert", "list", "--limit", "100000", *filters)

    def count_events(self, *filters):
        """How many, without holding them."""
        cmd = [self.bin["ctl"], "event", "search", "--limit", "1000000", "-o", "ndjson", *filters,
               "--server", f"https://localhost:{self.http_port}", "--token-file", self.dir / "c/admin.token",
               "--ca", self.dir / "c/ca.pem"]
        with subprocess.Popen(list(map(str, cmd)), stdout=subprocess.PIPE) as p:
            n = sum(1 for _ in p.stdout)
        assert p.returncode == 0, f"event search: exit {p.returncode}"
        return n

    def events(self, *filters):
        return self.items("event", "search", "--limit", "100000", *filters)

    def audit_log(self, *filters):
        return self.items("audit-log", "list", "--limit", "100000", *filters)

    def alert(self, alert_id):
        return json.loads(self.ctl("alert", "show", alert_id, "-o", "json").stdout)

    def hosts(self):
        return {h["name"]: h for h in self.items("host", "list")}

    def settle(self, name="agent", seconds=60):
        """Waits until the agent's spool is acknowledged."""
        def done():
            u = self.status(name).get("uplink", {})
            return u.get("produced") is not None and u["produced"] == u["acked"]
        wait_until(f"{name}'s spool is acknowledged", seconds, done)

    def ledger(self, name="agent", seconds=25):
        """produced = stored + lost, once a heartbeat has told the collector. Returns the host."""
        def adds_up():
            h = self.hosts()[f"{name}-host"]
            return h if h["produced"] == h["stored"] + h["lost"] else None
        try:
            return wait_until("the ledger adds up", seconds, adds_up, 0.5)
        except AssertionError:
            h = self.hosts()[f"{name}-host"]
            raise AssertionError(f"produced {h['produced']} != stored {h['stored']} + lost {h['lost']}")

    # ---- containers ----

    def docker(self, *args, check=True):
        r = subprocess.run(["docker", "-H", f"unix://{self.docker_dir}/d.sock", *map(str, args)],
                           capture_output=True, text=True, timeout=120)
        if check and r.returncode:
            raise AssertionError(f"docker {args[0]}: {r.stderr}")
        return r

    def mails(self):
        d = self.dir / "m" / "mail" / "new"
        return [p.read_text(errors="replace") for p in sorted(d.glob("*"))] if d.exists() else []

    def close_after_unmount(self, path):
        """For tests that put a small file system below our folder."""
        for name in list(self.procs):
            with contextlib.suppress(AssertionError):
                self.stop(name)
        if path:
            _unmount(path)
        self.close()

    def close(self):
        for name in list(self.procs):
            with contextlib.suppress(AssertionError):
                self.stop(name)
        self.webhook.close()
        with contextlib.suppress(AssertionError, Skip):
            if self.mail_port:
                self.smtpd("stop_smtpd", self.dir / "m")
        with contextlib.suppress(AssertionError, Skip):
            if self.docker_dir:
                self.dockerd("stop_dockerd", self.docker_dir)
        if os.environ.get("PICKET_KEEP"):
            print("kept:", self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


def _unmount(path):
    subprocess.run(["umount", str(path)], capture_output=True)


def _verdict(test):
    """The lines that a test's run comes to; is it good?"""
    t = time.monotonic()
    try:
        note = test()
        return True, f"ok {test.__name__} ({time.monotonic() - t:.1f} s)" + (f": {note}" if note else "")
    except Skip as e:
        return True, f"skip {test.__name__}: {e}"
    except BaseException as e:
        return False, f"not ok {test.__name__}: {e!r}\n{traceback.format_exc()}"


def main(*tests, at_once=False):
    """Runs the functions; each may raise. Prints their verdicts. at_once: they mostly wait, each for its own."""
    wanted = [t for t in tests if len(sys.argv) < 2 or t.__name__ in sys.argv[1:]]
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(max(1, len(wanted))) as pool:
        # one after the other they stay in this thread: some leave its namespaces, and processes die with who started them
        for good, line in pool.map(_verdict, wanted) if at_once else map(_verdict, wanted):
            bad |= not good
            print(line)
            sys.stdout.flush()
    sys.exit(bad)
