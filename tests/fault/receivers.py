"""receivers.py - a collector with alert_feed for an agent, and receivers that misbehave as they are told."""
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from lib import Shell, _die_with_parent  # noqa: E402
from rig import BIN, Skip, free_port, wait_until  # noqa: E402


class Fleet:
    """One collector; alerts come from alert_feed over the real door."""

    def __init__(self, notify, mail=False):
        self.bin = {"collector": BIN / "collector" / "picket-collector", "ctl": BIN / "collector" / "ctl" / "picketctl",
                    "feed": BIN / "tests" / "fault" / "alert_feed"}
        for p in self.bin.values():
            if not p.exists():
                raise Skip(f"{p.name} is not built")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pn", dir="/tmp"))
        self.dir.chmod(0o711)
        self.process, self.smtpd = None, Shell("smtpd.sh")
        self.ports = [free_port() for _ in range(3)]
        self.mail_port = free_port() if mail else None
        c = self.dir / "c"
        self.run("collector", "init", "--dir", c, "--name", "localhost", "--listen", f"tls+tcp://127.0.0.1:{self.ports[0]}",
                 "--enrol-listen", f"tls+tcp://127.0.0.1:{self.ports[1]}", "--http", f"127.0.0.1:{self.ports[2]}")
        conf = (c / "collector.yaml").read_text()
        (c / "collector.yaml").write_text(conf[:conf.index("notify:")] + notify)
        self.feeds = 0

    def run(self, program, *args, check=True):
        r = subprocess.run([str(self.bin[program]), *map(str, args)], capture_output=True, text=True, timeout=120)
        if check and r.returncode:
            raise AssertionError(f"{program} {args[0]}: exit {r.returncode}: {r.stderr[-1000:]}")
        return r

    def start(self):
        log = open(self.dir / "collector.log", "ab")
        self.process = subprocess.Popen([str(self.bin["collector"]), "run", "--config", str(self.dir / "c/collector.yaml")],
                                        stdout=log, stderr=log, stdin=subprocess.DEVNULL, preexec_fn=_die_with_parent)
        def answers():
            assert self.process.poll() is None, f"the collector ended: {self.log()[-600:]}"
            return self.ctl("status", check=False).returncode == 0
        wait_until("the collector answers", 30, answers, 0.2)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def log(self):
        p = self.dir / "collector.log"
        return p.read_text(errors="replace") if p.exists() else ""

    def ctl(self, *args, check=True):
        return self.run("ctl", *args, "--server", f"https://localhost:{self.ports[2]}", "--token-file",
                        self.dir / "c/admin.token", "--ca", self.dir / "c/ca.pem", check=check)

    def items(self, *args):
        return [json.loads(line) for line in self.ctl(*args, "-o", "ndjson").stdout.splitlines()]

    def feed(self, count, rate, rules=3, priority="Error"):
        """Begins to feed; returns the process."""
        token = self.run("collector", "token", "create", "--config", self.dir / "c/collector.yaml").stdout.strip()
        self.feeds += 1
        return subprocess.Popen([str(self.bin["feed"]), token, str(self.dir / f"feed{self.feeds}"), str(count), str(rate),
                                 str(rules), priority], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=_die_with_parent)

    def mails(self):
        d = self.dir / "m" / "mail" / "new"
        return [p.read_text(errors="replace") for p in sorted(d.glob("*"), key=lambda p: p.stat().st_mtime_ns)] if d.exists() else []

    def start_mail(self):
        self.smtpd("start_smtpd", self.dir / "m", self.mail_port)

    def stop_mail(self):
        self.smtpd("stop_smtpd", self.dir / "m")

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if any(word in self.log() for word in ("AddressSanitizer", "LeakSanitizer", "runtime error")):
            print(self.log()[-3000:])
        if self.mail_port:
            try:
                self.stop_mail()
            except (AssertionError, Skip):
                pass
        if os.environ.get("PICKET_KEEP"):
            print("kept:", self.dir)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)


class Receiver:
    """An HTTP server that keeps what it took. how: ok, slow, 429, 500, cut (closes in the middle)."""

    def __init__(self, how="ok", cert=None, port=None):
        self.how, self.took, self.tried, self.lock = how, [], 0, threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with outer.lock:
                    outer.tried += 1
                    how = outer.how
                    if how in ("ok", "slow", "cut"):
                        # cut: it was taken, but the sender can't know
                        outer.took.append({"time": time.time(), "key": self.headers.get("Idempotency-Key"),
                                           "json": json.loads(body), "headers": dict(self.headers)})
                if how == "cut":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                if how == "slow":
                    time.sleep(1)
                self.send_response({"429": 429, "500": 500}.get(how, 200))
                if how == "429":
                    self.send_header("Retry-After", "2")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, allow_reuse_address, request_queue_size = True, True, 64

            def handle_error(self, request, address):
                pass

        self.server = Server(("127.0.0.1", port or 0), Handler)
        if cert:
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ctx.load_cert_chain(*cert)
            self.server.socket = ctx.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Syslog:
    """RFC 6587 frames over TCP or TLS."""

    def __init__(self, cert=None, port=None):
        self.lines, self.lock = [], threading.Lock()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while True:
                    digits = b""
                    while True:
                        c = self.rfile.read(1)
                        if not c:
                            return
                        if c == b" ":
                            break
                        digits += c
                    line = self.rfile.read(int(digits))
                    with outer.lock:
                        outer.lines.append(line.decode())

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, allow_reuse_address = True, True

            def handle_error(self, request, address):
                pass

        self.server = Server(("127.0.0.1", port or 0), Handler)
        if cert:
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ctx.load_cert_chain(*cert)
            self.server.socket = ctx.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def certificates(folder):
    """ca.pem, and certificates of it: good, expired, of another name. Returns {name: (cert, key)}."""
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)

    def openssl(*args):
        r = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, cwd=folder)
        if r.returncode:
            raise AssertionError(f"openssl {args[0]}: {r.stderr}")

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=receivers CA", "-keyout", "ca.key", "-out", "ca.pem")
    (folder / "index.txt").write_text("")
    (folder / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\n"
                                   "certificate=ca.pem\nprivate_key=ca.key\ndefault_md=sha256\npolicy=p\nunique_subject=no\n"
                                   "copy_extensions=copy\n[p]\ncommonName=supplied\n")
    (folder / "serial").write_text("1000\n")
    made = {}
    for name, alt, dates in (("good", "DNS:localhost,IP:127.0.0.1", ("20260101000000Z", "20991231000000Z")),
                             ("expired", "DNS:localhost,IP:127.0.0.1", ("20200101000000Z", "20210101000000Z")),
                             ("other", "DNS:other.example", ("20260101000000Z", "20991231000000Z"))):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-addext", f"subjectAltName={alt}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("ca", "-batch", "-config", "ca.cnf", "-in", f"{name}.csr", "-out", f"{name}.pem", "-notext",
                "-startdate", dates[0], "-enddate", dates[1])
        made[name] = (folder / f"{name}.pem", folder / f"{name}.key")
    return made
