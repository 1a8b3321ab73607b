#!/usr/bin/env python3
"""What containers may reach, in the kernel: refused to whom the policy names and to nobody else, told, counted; with
and without the agent. All of it in namespaces of its own: no bridge, mount or name is left on this host."""
import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import sys

from lib import TOP, Fleet, Skip, main, wait_until

IMAGE = "test/busybox:1.0"
PORT = 7000
V4, V6 = "10.77.5.", "fd77:5::"
GATE, GATE6 = V4 + "1", V6 + "1"  # the bridge: this host, as containers see it
SERVER, SERVER6 = V4 + "10", V6 + "10"
OTHER = V4 + "11"
LATER = "10.77.6.1"  # a bridge that a container comes to later
MAPPED = "::ffff:"
NAME = "denied.example.test"  # of OTHER, by /etc/hosts

DENIED = """mode: enforce
scopes:
  - name: databases
    match: {name: "db*"}
    access_control:
      network_access: {blacklist: [%s, %s, %s]}
      port_access: {restricted_ports: [2222]}
  - name: strict
    match: {label: tier=strict}
    access_control:
      network_access: {whitelist: [%s]}
""" % (GATE, GATE6, NAME, SERVER)


class Program:
    """actions/dial.c in a container, told what to do line by line."""

    def __init__(self, f, container):
        self.p = subprocess.Popen(["docker", "-H", f"unix://{f.docker_dir}/d.sock", "exec", "-i", container, "dial"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, *words):
        self.p.stdin.write(" ".join(map(str, words)) + "\n")
        self.p.stdin.flush()
        assert select.select([self.p.stdout], [], [], 60)[0], f"{words}: no answer"
        return self.p.stdout.readline().strip()

    def close(self):
        self.p.stdin.close()
        self.p.wait(20)
        self.p.stdout.close()


def all_say(wanted, p, ways, note=""):
    wrong = [f"{how} {a}: {said}" for how, a in ways for said in [p(how, a, PORT, 10)] if said != wanted]
    assert not wrong, f"{note} not {wanted}: {wrong}"


class Net:
    """A fleet with an engine and a network; servers in two containers and on the bridge."""

    def __init__(self, extra=""):
        self.programs, self.mounts = [], []
        self.f = f = Fleet(docker=True, agent_extra=extra)
        try:
            self.build()
        except BaseException:
            self.close()
            raise

    def build(self):
        f = self.f
        self.dial = f.dir / "dial"
        subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-static", "-o", self.dial, TOP / "tests/e2e/actions/dial.c"], check=True)
        (f.dir / "hosts").write_text(f"127.0.0.1 localhost\n{OTHER} {NAME}\n")
        self.mount("--bind", f.dir / "hosts", "/etc/hosts")
        f.docker("network", "create", "--ipv6", "--subnet", V4 + "0/24", "--gateway", GATE, "--subnet", V6 + "/64", "--gateway", GATE6,
                 "-o", "com.docker.network.bridge.name=pkt0", "pkt")
        self.container("server", "--ip", SERVER, "--ip6", SERVER6, command=("dial", "echo", str(PORT)))
        self.container("other", "--ip", OTHER, command=("dial", "echo", str(PORT)))
        f.start("echo", self.dial, "echo", PORT)

    def mount(self, *args):
        subprocess.run(["mount", *map(str, args)], check=True)
        self.mounts.append(str(args[-1]))

    def mac(self, device):
        # not from /sys, which shows the network it was mounted in
        out = subprocess.run(["ip", "-j", "link", "show", "dev", device], check=True, capture_output=True, text=True).stdout
        return json.loads(out)[0]["address"]

    def container(self, name, *options, command=("sleep", "1000"), network="pkt"):
        self.f.docker("run", "-d", "--name", name, "--network", network, "-v", f"{self.dial}:/bin/dial:ro", *options, IMAGE, *command)

    def program(self, container):
        p = Program(self.f, container)
        self.programs.append(p)
        return p

    def policy(self, text):
        (self.f.dir / "agent").mkdir(exist_ok=True)
        (self.f.dir / "agent" / "policy.yaml").write_text(text)

    def up(self, pin_dir=""):
        f = self.f
        f.start_collector()
        f.enrol()
        conf = f.agent_config()
        conf.write_text(conf.read_text().replace('pin_dir: ""', f'pin_dir: "{pin_dir}"'))
        self.start_agent()

    def start_agent(self):
        f = self.f
        f.start_agent()
        wait_until("the engine is connected", 20, lambda: f.status()["world"]["engine_connected"])
        state = f.status()["policy"]
        if state["network_why_not"]:
            raise Skip(f"the network is not judged here: {state['network_why_not']}")

    def refusals(self, *filters):
        return [x for x in self.f.events("type=admission", *filters) if x["admission"]["kind"] == "network"]

    def close(self):
        for p in self.programs:
            with contextlib.suppress(Exception):
                p.close()
        with contextlib.suppress(Exception):  # the bridge outlives its engine
            self.f.docker("rm", "-f", *self.f.docker("ps", "-aq").stdout.split(), check=False)
            self.f.docker("network", "rm", "pkt", check=False)
        for m in reversed(self.mounts):
            subprocess.run(["umount", m], capture_output=True)
        self.f.close()


def told(n, container, rule, address, seconds=20):
    """The event of a refusal, as the collector has it."""
    return wait_until(f"{container} {rule} {address} is told", seconds, lambda: [
        x for x in n.refusals(f"container={container}")
        if x["admission"]["rule"] == rule and x["network"].get("remote_address") == address], 0.3)


def who_is_named_is_refused_and_its_neighbour_is_not():
    n = Net()
    try:
        n.container("db1")
        n.container("web")
        n.container("db3", "--ip", V4 + "30", command=("dial", "echo", "2222"))
        n.container("cache", "--label", "tier=strict")
        n.up()
        db, web, cache = n.program("db1"), n.program("web"), n.program("cache")
        ways = [(how, a) for how in ("tcp", "udp", "udpc") for a in (GATE, GATE6, OTHER, SERVER, SERVER6)]
        ways += [(how, MAPPED + a) for how in ("tcp", "udp", "udpc") for a in (GATE, SERVER)]
        by_hand = [(how, GATE) for how in ("raw", "frame")]
        for p in (db, web, cache):
            all_say("ok", p, ways + by_hand)
        assert db("open", GATE, PORT) == "ok" and db("again", 10) == "ok"
        assert db("listen", 2222) == "ok"
        assert web("tcp", V4 + "30", 2222, 10) == "ok"
        assert not n.refusals()

        n.policy(DENIED)  # these programs run already
        wait_until("the running program is refused", 15, lambda: db("tcp", GATE, PORT, 10) == "EPERM")
        wait_until("by the name, too", 15, lambda: db("tcp", OTHER, PORT, 10) == "EPERM")
        wrong = []
        for how, a in ways:
            for name, p, denied in (("db1", db, {GATE, GATE6, OTHER}), ("web", web, set()), ("cache", cache, {GATE, GATE6, OTHER, SERVER6})):
                said = p(how, a, PORT, 10)
                if said != ("EPERM" if a.removeprefix(MAPPED) in denied else "ok"):
                    wrong.append(f"{name} {how} {a}: {said}")
        assert not wrong, wrong
        assert db("raw", GATE, PORT, 10) == "EPERM" and db("frame", GATE, PORT, 10) == "timeout"
        all_say("ok", web, by_hand)
        assert db("raw", SERVER, PORT, 10) == "ok" and db("frame", SERVER, PORT, 10) == "ok"
        layers = {x["name"]: x for x in n.f.status()["policy"]["layers"]}
        assert all(layers[x]["attached"] >= 6 for x in ("egress", "ingress", "veth")) and layers["connect4"]["attached"] == 1, layers
        assert db("again", 10) == "timeout", "a connection that was open goes on"
        assert db("listen", 2222) == "EPERM" and db("listen", 2223) == "ok" and web("listen", 2222) == "ok"
        assert db("tcp", "127.0.0.1", PORT, 1) == "ECONNREFUSED", "its own loopback"
        assert web("tcp", V4 + "30", 2222, 10) == "timeout", "who listened before is not reached"
        # one that starts after it
        n.container("db2")
        assert n.program("db2")("tcp", GATE, PORT, 10) == "EPERM"

        for container, rule, address in (("db1", "AC-201", GATE), ("db1", "AC-201", GATE6), ("db1", "AC-201", OTHER), ("db2", "AC-201", GATE),
                                         ("cache", "AC-202", GATE)):
            for x in told(n, container, rule, address):
                assert not x["admission"]["allowed"] and not x["admission"]["monitored"] and x["admission"]["policy"], x
                assert x["container"]["name"] == container and x["network"]["remote_port"] == PORT, x
        assert {x["network"]["protocol"] for x in told(n, "db1", "AC-201", GATE)} == {"tcp", "udp"}
        assert any((x["process"] or {}).get("name") == "dial" for x in told(n, "db1", "AC-201", GATE))
        own = wait_until("the port is told", 20, lambda: n.refusals("container=db3"), 0.3)[0]
        assert own["admission"]["method"] == "ingress" and own["network"]["local_port"] == 2222 and own["network"]["remote_address"], own
        found = {x["container"]["name"] for x in n.refusals(f"address={GATE}")}
        assert {"db1", "db2", "cache"} <= found and "web" not in found, found
        assert not n.refusals("container=web"), n.refusals("container=web")
        alert = wait_until("an alert of the policy", 20, lambda: [
            x for x in n.f.alerts() if x["source"] == "policy" and x["rule"] == "AC-201" and "db1" in x["title"]])
        shown = n.f.alert(alert[0]["id"])
        assert shown["network"]["remote_port"] == PORT and shown["admission"]["kind"] == "network", shown
        state = n.f.status()["policy"]
        assert state["network_denied"] and not state["network_would_deny"], state

        n.policy(DENIED.replace("db*", "nobody"))  # and back
        wait_until("it is let again", 15, lambda: db("tcp", GATE, PORT, 10) == "ok")
        return alert[0]["title"]
    finally:
        n.close()


def monitored_is_let_pass_and_told():
    n = Net()
    try:
        n.policy(DENIED.replace("enforce", "monitor"))
        n.container("db1")
        n.up()
        db = n.program("db1")
        wait_until("the policy is in force", 10, lambda: "network=monitor" in n.f.status()["policy"]["mode"])
        all_say("ok", db, [(how, a) for how in ("tcp", "udp") for a in (GATE, GATE6, SERVER)])
        for address in (GATE, GATE6):
            for x in told(n, "db1", "AC-201", address):
                assert x["admission"]["allowed"] and x["admission"]["monitored"], x
        assert not [x for x in n.refusals() if x["network"].get("remote_address") == SERVER]
        wait_until("an alert of the policy", 20, lambda: [x for x in n.f.alerts() if x["source"] == "policy" and x["rule"] == "AC-201"])
        state = n.f.status()["policy"]
        assert state["network_would_deny"] and not state["network_denied"], state

        n.policy(DENIED)
        wait_until("now it is refused", 15, lambda: db("tcp", GATE, PORT, 10) == "EPERM")
    finally:
        n.close()


def traffic_is_counted_with_its_peer():
    sent = 3_000_000
    n = Net("stats: {interval: 2s}\n")
    try:
        n.container("web")
        n.container("idle")
        n.up()
        web = n.program("web")
        said = [web("tcp", SERVER, PORT, sent), web("tcp", GATE6, PORT, sent // 10)]
        assert said == ["ok", "ok"], said

        def rows(name):
            return [x["traffic"] for x in n.f.events("type=traffic", f"container={name}")]

        def peer(name, address, way):
            have = [p for t in rows(name) for p in t["peers"] if p["address"] == address and p["outgoing"] == way]
            return {k: sum(p[k] for p in have) for k in ("rx_bytes", "tx_bytes", "connections")} | {
                "port": {p["port"] for p in have}, "protocol": {p["protocol"] for p in have}}

        wait_until("it is counted", 20, lambda: sum(t["tx_bytes"] for t in rows("web")) >= sent * 1.1, 0.3)
        near = {"rx": sum(t["rx_bytes"] for t in rows("web")), "tx": sum(t["tx_bytes"] for t in rows("web"))}
        for what, have in near.items():
            assert sent * 1.1 <= have <= sent * 1.1 * 1.2, (what, have)
        to = peer("web", SERVER, True)
        assert to["port"] == {PORT} and to["protocol"] == {"tcp"} and to["connections"] == 1, to
        assert sent <= to["tx_bytes"] <= sent * 1.2 and sent <= to["rx_bytes"] <= sent * 1.2, to
        to = peer("web", GATE6, True)
        assert sent / 10 <= to["tx_bytes"] <= sent / 10 * 1.2, to
        # the other end has the same, the other way
        address = n.f.docker("inspect", "-f", "{{.NetworkSettings.Networks.pkt.IPAddress}}", "web").stdout.strip()
        wait_until("the server's part", 10, lambda: peer("server", address, False)["rx_bytes"] >= sent, 0.3)
        assert sum(t["tx_bytes"] for t in rows("idle")) < 100_000
        return f"{sent * 1.1:.0f} bytes there and back, counted {near['tx']} and {near['rx']}"
    finally:
        n.close()


def what_is_enforced_outlives_the_agent():
    n = Net()
    try:
        (n.f.dir / "bpf").mkdir()
        n.mount("-t", "bpf", "bpf", n.f.dir / "bpf")
        n.policy(DENIED)
        n.container("db1")
        n.container("web")
        n.up(n.f.dir / "bpf" / "net")
        db, web = n.program("db1"), n.program("web")

        def holds(when):
            denied = [(how, a) for how in ("tcp", "udp") for a in (GATE, GATE6)]
            all_say("EPERM", db, denied, when)
            all_say("ok", web, denied, when)
            all_say("ok", db, [("tcp", SERVER), ("udp", SERVER)], when)
            assert n.program("db1")("tcp", GATE, PORT, 10) == "EPERM", (when, "a new program")

        wait_until("it is refused", 15, lambda: db("tcp", GATE, PORT, 10) == "EPERM")
        holds("with the agent")
        n.f.stop("agent", signal.SIGKILL)
        holds("the agent is killed")
        n.start_agent()
        holds("it is back")
        before = len(told(n, "db1", "AC-201", GATE))
        assert db("tcp", GATE, PORT, 10) == "EPERM"
        wait_until("it tells again", 20, lambda: len(told(n, "db1", "AC-201", GATE)) > before, 0.3)
        # while it starts there is no moment without, by address or by name, and until the engine has told who is who
        n.f.stop("agent")
        n.f.start_agent(wait=False)

        def is_up():
            assert [db("tcp", a, PORT, 10) for a in (GATE, OTHER)] == ["EPERM", "EPERM"], "as it starts"
            return n.f.status().get("world", {}).get("engine_connected")
        wait_until("the engine is connected", 30, is_up, 0)
        wait_until("its containers are inspected", 1, is_up, 0)
        for _ in range(100):
            is_up()
        # what it took over it also lets go
        n.policy(DENIED.replace("db*", "nobody"))
        wait_until("it is let again", 15, lambda: db("tcp", GATE, PORT, 10) == "ok")
        n.policy(DENIED)
        wait_until("and refused", 15, lambda: db("tcp", GATE, PORT, 10) == "EPERM")
        # who removes the agent for good lifts it, but not under the feet of one that runs
        release = ("network", "release", "--config", n.f.agent_config())
        assert "stop it first" in n.f.run("agent", *release, check=False).stderr and db("tcp", GATE, PORT, 10) == "EPERM"
        n.f.stop("agent")
        assert db("tcp", GATE, PORT, 10) == "EPERM"
        assert "released" in n.f.run("agent", *release).stdout
        all_say("ok", db, [(how, a) for how in ("tcp", "udp") for a in (GATE, GATE6)], "released")
        left = [str(x) for x in (n.f.dir / "bpf").rglob("*") if not x.name.endswith(".debug")]  # the kernel's own
        assert not left, left
        # and so does one that is not to look at networks at all
        n.start_agent()
        wait_until("it is refused once more", 15, lambda: db("tcp", GATE, PORT, 10) == "EPERM")
        n.f.stop("agent", signal.SIGKILL)
        conf = n.f.agent_config()
        conf.write_text(conf.read_text().replace("network:\n", "network:\n  enabled: false\n"))
        n.f.start_agent()
        all_say("ok", db, [(how, a) for how in ("tcp", "udp") for a in (GATE, GATE6)], "not enabled")
    finally:
        n.close()


def other_surroundings_are_held_too():
    """The host's network, another container's, the host's processes in sight, networks that come later, a restart."""
    n = Net()
    try:
        n.policy(DENIED.replace('blacklist: [', 'blacklist: [%s, ' % LATER))
        n.f.docker("network", "create", "--subnet", LATER.rsplit(".", 1)[0] + ".0/24", "--gateway", LATER,
                   "-o", "com.docker.network.bridge.name=pkt1", "pkt2")
        n.container("web")
        n.container("dbside", network="container:web")
        n.container("dbhost", network="host")
        n.container("db1")
        n.up()
        n.container("dbpid", "--pid", "host")
        web, side, host, db, pid = (n.program(x) for x in ("web", "dbside", "dbhost", "db1", "dbpid"))
        denied = [("tcp", GATE), ("udp", GATE), ("tcp", MAPPED + GATE), ("raw", GATE)]
        for who, p in (("dbhost", host), ("dbside", side), ("dbpid", pid), ("db1", db)):
            wait_until(f"{who} is refused", 15, lambda: p("tcp", GATE, PORT, 10) == "EPERM")
            all_say("EPERM", p, denied, who)
            all_say("ok", p, [("tcp", SERVER), ("udp", SERVER)], who)
        all_say("ok", web, denied + [("frame", GATE)], "whose network is shared")
        assert pid("frame", GATE, PORT, 10) != "ok" and db("frame", GATE, PORT, 10) != "ok"

        def later_is_held(when):
            p = n.program("db1")
            wait_until(f"{when}: refused", 15, lambda: p("tcp", LATER, PORT, 10) == "EPERM")
            all_say("EPERM", p, [("tcp", LATER), ("udp", LATER), ("raw", LATER), ("tcp", GATE), ("raw", GATE)], when)
            n.f.docker("exec", "db1", "arp", "-s", LATER, n.mac("pkt1"), check=False)  # nothing else finds it out
            assert p("frame", LATER, PORT, 10) != "ok", when
        n.f.docker("network", "connect", "pkt2", "db1")
        later_is_held("connected later")
        n.f.docker("network", "connect", "pkt2", "web")
        all_say("ok", web, [("tcp", LATER), ("udp", LATER), ("raw", LATER), ("frame", LATER)], "later")
        n.f.docker("restart", "-t", "0", "db1")
        later_is_held("started again")
        layers = {x["name"]: x for x in n.f.status()["policy"]["layers"]}
        assert layers["veth"]["attached"] >= 8, layers
    finally:
        n.f.docker("rm", "-f", "db1", "web", check=False)
        n.f.docker("network", "rm", "pkt2", check=False)
        n.close()


def in_own_namespaces():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    if os.environ.get("PICKET_OWN_NET") or os.geteuid():
        return
    os.environ["PICKET_OWN_NET"] = "1"
    os.execvp("unshare", ["unshare", "-n", "-m", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, *sys.argv])


if __name__ == "__main__":
    in_own_namespaces()
    main(who_is_named_is_refused_and_its_neighbour_is_not, monitored_is_let_pass_and_told, traffic_is_counted_with_its_peer,
         what_is_enforced_outlives_the_agent, other_surroundings_are_held_too)
