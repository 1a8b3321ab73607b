#!/usr/bin/env python3
"""`picket-agent advise network` over a real dockerd: who can reach whom, who did, and policies out of that."""
import pathlib
import re
import subprocess

from lib import main, wait_until
from test_audit_command import Engine

SLEEP = ("/busybox", "sleep", "100000")


class Hosts(Engine):
    def __init__(self):
        super().__init__()
        try:
            self.run_containers()
        except BaseException:
            self.close()
            raise

    def run_containers(self):
        self.docker("network", "create", "front")
        self.docker("network", "create", "-o", "com.docker.network.bridge.enable_icc=false", "quiet")
        run = ("run", "-d", "--name")
        self.docker(*run, "db", "--network", "front", "--label", "app=db", "bb:latest", "/busybox", "nc", "-ll", "-p", "5432",
                    "-e", "/busybox", "sleep", "1000")
        self.docker(*run, "idle", "--network", "front", "--label", "app=idle", "bb:latest", *SLEEP)
        self.docker(*run, "mute", "--network", "quiet", "bb:latest", *SLEEP)
        self.address = self.docker("inspect", "-f", "{{.NetworkSettings.Networks.front.IPAddress}}", "db").stdout.strip()
        wait_until("db listens", 10, lambda: ":1538" in self.tables("db"))
        self.docker("run", "-di", "--name", "web", "--network", "front", "--label", "app=web", "bb:latest", "/busybox", "nc", self.address, "5432")
        self.docker("network", "connect", "quiet", "web")
        self.docker(*run, "side", "--network", "container:web", "bb:latest", *SLEEP)
        self.docker(*run, "old", "bb:latest", *SLEEP)
        wait_until("web talks to db", 10, lambda: ":1538" in self.tables("web"))

    def tables(self, name):
        pid = self.docker("inspect", "-f", "{{.State.Pid}}", name).stdout.strip()
        return "".join(pathlib.Path(f"/proc/{pid}/net/{table}").read_text() for table in ("tcp", "tcp6"))

    def advise(self, *args, code=0):
        r = subprocess.run([self.bin, "advise", "network", "--docker-socket", "/run/docker.sock", *map(str, args)], env=self.env,
                           capture_output=True, text=True, timeout=60)
        if r.returncode != code:
            raise AssertionError(f"advise {' '.join(map(str, args))}: exit {r.returncode}, not {code}: {r.stderr}{r.stdout}")
        return r.stdout


_hosts = []


def hosts():
    if not _hosts:
        _hosts.append(Hosts())
    return _hosts[0]


def memberships_icc_and_connections_are_told():
    h = hosts()
    out = h.advise("web")
    used, unused = out.split("can reach, never did")
    assert re.search(r"(db - web|web - db): network front; seen", used), out
    assert re.search(r"(idle - web|web - idle): network front\n", unused), out
    assert re.search(r"(side - web|web - side): one network namespace\n", unused), out
    assert "mute" not in out, out  # icc is off
    assert "old" not in out, out  # no network in common
    assert "side is in the network namespace of web" in out, out
    assert "old is on the default bridge" in h.advise("old")


def a_network_policy_comes_out_and_goes_in_again():
    h = hosts()
    out = h.advise("web", "--format", "kubernetes")
    assert 'podSelector: {matchLabels: {"app": "db"}}' in out and "{protocol: TCP, port: 5432}" in out, out
    assert "ingress: []" in out, out
    path = h.dir / "np.yaml"
    path.write_text(out)
    back = h.advise("--import", path)
    assert f'whitelist: ["{h.address}/32"]' in back and 'label: ["app=web"]' in back, back
    path.write_text(back)
    subprocess.run([h.bin, "policy", "check", path], check=True, capture_output=True)
    # who was connected to says it came in
    assert "podSelector: {matchLabels: {\"app\": \"web\"}}" in h.advise("db", "--format", "kubernetes").split("egress")[0]


def what_the_collector_kept_counts_too():
    h = hosts()
    traffic = h.dir / "traffic.ndjson"
    traffic.write_text('{"container":{"name":"web"},"traffic":{"peers":[{"address":"9.9.9.9","port":443,"protocol":"tcp",'
                       '"outgoing":true,"connections":3}]}}\nnonsense\n')
    out = h.advise("web", "--format", "policy", "--traffic", traffic)
    assert f'whitelist: ["9.9.9.9/32", "{h.address}/32"]' in out, out
    assert 'match: {name: "web"}' in out and "# 1 lines or peers" in out, out
    h.advise("nobody", code=5)
    h.advise("--import", traffic, code=3)


main(memberships_icc_and_connections_are_told, a_network_policy_comes_out_and_goes_in_again, what_the_collector_kept_counts_too)
