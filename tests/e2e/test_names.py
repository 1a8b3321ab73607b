#!/usr/bin/env python3
"""Host names in the policy: resolved, refreshed as their answers say, held on to; with a name server that changes, lies
and falls silent. In namespaces of its own."""
import json
import signal
import socket
import struct
import threading
import time

from lib import main, wait_until
from test_network import GATE, OTHER, PORT, SERVER, Net, in_own_namespaces

POLICY = """mode: enforce
scopes:
  - name: databases
    match: {name: "db*"}
    access_control:
      network_access: {blacklist: [%s]}
"""
NAMES = ["moving.example.test", "many.example.test", "loop.example.test", "gone.example.test"]


class Dns:
    """On 127.0.0.1:53. records: name -> [TTL, addresses], a CNAME's target, or None: no such name."""

    def __init__(self):
        self.records, self.asked, self.is_silent = {}, {}, False
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 53))
        self.tcp = socket.create_server(("127.0.0.1", 53))
        for serve in (self.serve_udp, self.serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def answer(self, question, most):
        name, at = [], 12
        while question[at]:
            name.append(question[at + 1:at + 1 + question[at]].decode())
            at += question[at] + 1
        kind = struct.unpack(">H", question[at + 1:at + 3])[0]
        asked = question[12:at + 5]
        have = self.records.get(".".join(name).lower())
        self.asked[".".join(name)] = self.asked.get(".".join(name), 0) + 1
        code, rows = 0, b""
        count = 0
        if have is None:
            code = 3
        elif isinstance(have, str):
            target = b"".join(bytes([len(x)]) + x.encode() for x in have.split(".")) + b"\0"
            rows, count = b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 1, len(target)) + target, 1
        elif kind == 1:
            rows = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, have[0], 4) + socket.inet_aton(a) for a in have[1])
            count = len(have[1])
        is_cut = len(rows) > most
        return question[:2] + struct.pack(">HHHHH", 0x8180 | (0x200 if is_cut else 0) | code, 1, 0 if is_cut else count, 0, 0) + asked + (
            b"" if is_cut else rows)

    def serve_udp(self):
        while True:
            question, peer = self.udp.recvfrom(4096)
            if not self.is_silent:
                self.udp.sendto(self.answer(question, 450), peer)

    def serve_tcp(self):
        while True:
            s, _ = self.tcp.accept()
            threading.Thread(target=self.converse, args=(s,), daemon=True).start()

    def converse(self, s):
        """Questions for both kinds of addresses come by one connection."""
        with s, s.makefile("rb") as lines:
            s.settimeout(5)
            try:
                while size := lines.read(2):
                    text = self.answer(lines.read(struct.unpack(">H", size)[0]), 65000)
                    s.sendall(struct.pack(">H", len(text)) + text)
            except (OSError, struct.error):
                pass


def names_lead_where_the_name_server_says():
    dns = Dns()
    dns.records = {
        "moving.example.test": [1, [GATE]],
        "many.example.test": [1, [f"10.200.{i // 250}.{i % 250 + 1}" for i in range(4000)]],
        "loop.example.test": "loop2.example.test", "loop2.example.test": "loop.example.test",
        "gone.example.test": [1, [OTHER]],
    }
    n = Net()
    try:
        (n.f.dir / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        n.mount("--bind", n.f.dir / "resolv.conf", "/etc/resolv.conf")
        (n.f.dir / "bpf").mkdir()
        n.mount("-t", "bpf", "bpf", n.f.dir / "bpf")
        n.policy(POLICY % ", ".join(NAMES))
        n.container("db1")
        n.container("web")
        n.up(n.f.dir / "bpf" / "net")
        db, web = n.program("db1"), n.program("web")

        def are_refused(*addresses):
            return all(db("tcp", a, PORT, 10) == "EPERM" for a in addresses)
        wait_until("the names are refused", 30, lambda: are_refused(GATE, OTHER))
        assert db("tcp", SERVER, PORT, 10) == "ok" and web("tcp", GATE, PORT, 10) == "ok"
        # thousands of addresses, and a name that leads to itself, harm nobody: the first of them hold
        kept = n.f.dir / "agent/state/names.json"

        def known(name):
            return [x["address"] for x in json.loads(kept.read_text())["addresses"] if x["name"] == name] if kept.exists() else []
        many = wait_until("what is known is written", 20, lambda: known("many.example.test"))
        assert len(many) == 64 and db("udp", many[0], PORT, 1) == "EPERM" and not known("loop.example.test"), many
        assert n.f.status()["healthy"]

        # it moves, another is no more: asked again soon, however short the answer's time, and not without end
        dns.asked.clear()
        began = time.monotonic()
        dns.records["moving.example.test"] = [1, [SERVER]]
        dns.records["gone.example.test"] = None
        wait_until("the new address is refused", 30, lambda: are_refused(SERVER))
        took = time.monotonic() - began
        assert dns.asked["moving.example.test"] <= 4 * (took / 10 + 1), (dns.asked, took)
        assert are_refused(GATE, OTHER), "the earlier ones hold for a while"

        # the name server falls silent, the agent is killed: the next one knows what it knew
        wait_until("it is written", 20, lambda: set(known("moving.example.test")) == {GATE, SERVER})
        dns.is_silent = True
        n.f.stop("agent", signal.SIGKILL)
        n.f.start_agent(wait=False)

        def is_up():
            assert are_refused(GATE, SERVER), "while nobody answers"
            return n.f.status().get("world", {}).get("engine_connected")
        wait_until("the engine is connected", 30, is_up, 0)
        n.container("db2")
        late = n.program("db2")
        assert late("tcp", SERVER, PORT, 10) == "EPERM" and late("tcp", GATE, PORT, 10) == "EPERM"
        for _ in range(50):
            is_up()
        dns.is_silent = False
        return f"moved within {took:.0f} s"
    finally:
        n.close()


if __name__ == "__main__":
    in_own_namespaces()
    main(names_lead_where_the_name_server_says)
