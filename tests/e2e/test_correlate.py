#!/usr/bin/env python3
"""Each of the shipped correlations, from what containers really do to an alert; beside each what is nearly the same and
must not fire. A kill -9 in the middle, explain, and a plain Sigma rule that somebody drops into the folder."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from lib import Skip, free_port, main, wait_until
from test_images import LOW, make_root, tracker
from test_network import GATE, IMAGE, PORT, Net, in_own_namespaces

SHOP, FLEET_PROGRAM = "test/shop:1", "/tmp/.cache-3f/dropper"
net = f = None
state = {}


# ---- helpers ----

def fired(name, **group):
    """Alerts of a correlation whose group has these values."""
    rule = next(c["id"] for c in f.items("correlation", "list") if c["name"] == name)
    return [a for a in f.alerts("source=correlation") if a["correlation"]["rule"] == rule and
            all(str(a["correlation"]["group"].get(k if k == "silent_host" else k.replace("_", "."), "")) == v for k, v in group.items())]


def fires(name, seconds=15, **group):
    try:
        alert = wait_until(name, seconds, lambda: fired(name, **group), 0.3)
    except AssertionError as e:
        raise AssertionError(f"{e}: {group}; fired: {[a['title'] for a in f.alerts('source=correlation')]}") from None
    assert len(alert) == 1 and alert[0]["count"] == 1, [(a["title"], a["count"]) for a in alert]
    return alert[0]


def is_silent(name, **group):
    """Call it when a later one has fired: what came before it was looked at."""
    assert not fired(name, **group), [a["title"] for a in fired(name, **group)]


def busybox_sha256():
    """Of what make_image puts into images."""
    return hashlib.sha256(pathlib.Path(shutil.which("busybox", path="/usr/bin:/bin:/usr/sbin:/sbin")).read_bytes()).hexdigest()


def sh(container, script, *options):
    return f.docker("exec", *options, container, "sh", "-c", script, check=False)


def run(name, *options, image=IMAGE, network="none", command=("sleep", "1000")):
    f.docker("run", "-d", "--name", name, "--network", network, *options, image, *command)


def make_image(name):
    root = f.dir / "root"
    shutil.rmtree(root, ignore_errors=True)
    make_root(root)
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(["docker", "-H", f"unix://{f.docker_dir}/d.sock", "import", "--change", "ENV PATH=/bin", "-", name],
                       stdin=tar.stdout, check=True, capture_output=True)


def feed(form, document, name):
    (f.dir / name).write_text(json.dumps(document))
    f.run("collector", "feed", "import", form, f.dir / name, "--config", f.dir / "c/collector.yaml")


class Relay:
    """Before the collector: connections to it come from an address of this host that containers can ask."""

    def __init__(self, to_port, source):
        self.to_port, self.source = to_port, source
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                a, _ = self.s.accept()
                b = socket.create_connection(("127.0.0.1", self.to_port), source_address=(self.source, 0))
                for x, y in ((a, b), (b, a)):
                    threading.Thread(target=self.pump, args=(x, y), daemon=True).start()

    @staticmethod
    def pump(a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
        for x in (a, b):
            with contextlib.suppress(OSError):
                x.shutdown(socket.SHUT_RDWR)


def configure():
    path = f.dir / "c/collector.yaml"
    path.write_text(path.read_text().replace("correlate:\n", "correlate:\n  unscanned_after: 10s\n"))
    state["rules"] = pathlib.Path(re.search(r'^ +rules: "?([^"\n]*)', path.read_text(), re.M)[1])


def the_fleet_is_up():
    """One host with containers, two that are simulated: the last of them to speak has the bridge's address."""
    global net, f
    if not shutil.which("sshd") or not shutil.which("ssh"):
        state["no_ssh"] = True
    net = Net("stats: {interval: 2s}\nimages:\n  update_check: 2s\n  all: 0s\n")
    f = net.f
    configure()
    net.policy("mode: enforce\nscopes:\n  - name: scanners\n    match: {name: \"scan*\"}\n"
               f"    access_control:\n      network_access: {{whitelist: [{GATE}/32]}}\n      port_access: {{restricted_ports: [1]}}\n")
    net.up()
    relay = state["relay"] = Relay(f.agent_port, GATE)
    f.start("fleet", f.bin["fleet"], "--dir", f.dir / "c", "--port", relay.port, "--agents", 2, "--rate", 2, "--seconds", 600,
            "--exec", "--findings", 0, "--program", FLEET_PROGRAM, "--sha256", busybox_sha256())
    wait_until("the simulated are online", 40,
               lambda: {h: x["state"] for h, x in f.hosts().items()}.get("sim-0001") == "online", 0.3)


def need():
    if not f or "relay" not in state:
        raise Skip("there is no fleet")


# ---- the eight ----

def the_same_new_program_on_three_hosts():
    need()
    run("spread")
    # nearly: another content under that name, on this host only
    sh("spread", f"mkdir -p /tmp/.cache-3f; (cat /bin/busybox; echo more) > {FLEET_PROGRAM}; chmod +x {FLEET_PROGRAM}; {FLEET_PROGRAM} true")
    time.sleep(2)
    assert not fired("picket_program_spreads"), "two hosts are not three"
    # and that of the others under another
    sh("spread", "cp /bin/busybox /tmp/update; /tmp/update true")
    a = fires("picket_program_spreads", sha256=busybox_sha256())
    assert a["severity"] == "high" and a["correlation"]["value"] == 3, a
    assert len(fired("picket_program_spreads")) == 1, a
    if os.environ.get("PICKET_SHOW"):
        print(f.ctl("alert", "show", a["id"], "-o", "table").stdout)
    # two agents fall silent; what comes of it is looked at last
    state["silent_since"] = time.monotonic()
    f.stop("fleet", signal.SIGKILL)
    run("asker", network="pkt", command=("sh", "-c", f"while :; do echo x | nc -w 1 {GATE} {PORT} >/dev/null; sleep 1; done"))
    return a["title"]


def an_image_that_nobody_took_stock_of():
    need()
    a = fires("picket_runs_unscanned", 40, container_image=IMAGE)
    assert a["severity"] == "low", a
    return a["title"]


def an_exploited_image_and_a_shell():
    need()
    make_image(SHOP)
    data = tracker()
    data["busybox"][LOW]["releases"]["bookworm"]["urgency"] = "high"
    feed("debian", data, "feed.json")
    feed("kev", {"vulnerabilities": [{"cveID": LOW, "dateAdded": "2030-01-02", "dueDate": "2030-02-02",
                                      "knownRansomwareCampaignUse": "Known", "vulnerabilityName": "x"}]}, "kev.json")
    run("shop", image=SHOP)
    # published, but to find out what is in an image takes a while: the container runs before it is known
    run("front", "-p", "8080:80", image=SHOP, network="pkt")
    wait_until("its vulnerability is told", 40, lambda: [a for a in f.alerts("source=scan") if LOW in a["title"] and a["severity"] == "critical"], 0.3)
    sh("spread", "true")  # nearly: a shell, in an image without it
    f.docker("exec", "shop", "cat", "/etc/os-release")  # nearly: the image, but no shell
    time.sleep(3)
    is_silent("picket_exploitable_then_shell")
    sh("shop", "echo hello")
    a = fires("picket_exploitable_then_shell", container_name="shop")
    assert a["severity"] == "high" and a["container"]["image"] == SHOP, a
    is_silent("picket_exploitable_then_shell", container_name="spread")
    return a["title"]


def a_vulnerability_in_use_and_somebody_with_a_shell():
    need()
    sh("front", "echo hello")  # used, but this is nobody's terminal
    wait_until("it is in use", 60, lambda: [v for v in f.items("vuln", "list", "used:yes") if v["id"] == LOW], 0.5)
    time.sleep(2)
    is_silent("picket_found_then_shell")
    sh("front", "echo hello", "-t")
    a = fires("picket_found_then_shell", 20, container_name="front")
    return a["title"]


def a_privileged_container_and_the_way_out():
    need()
    from stage import Stage
    host = f.dir / "host"
    for d in ("bin", "etc/cron.d"):
        (host / d).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "/bin/busybox", host / "bin/busybox")
    mount = ("-v", f"{host}:/host")
    privileged = Stage.privileged(None)
    run("plain", *mount)
    run("stays", *privileged, *mount)
    run("leaves", *privileged, *mount, "--pid", "host")
    write, leave = "echo '* * * * * root x' >/host/etc/cron.d/x", "chroot /host /bin/busybox true"
    sh("plain", f"{write}; {leave}")  # not privileged
    sh("stays", write)  # stays inside
    sh("leaves", write)
    time.sleep(2)
    is_silent("picket_container_escape")
    sh("leaves", leave)
    a = fires("picket_container_escape", container_name="leaves")
    assert a["severity"] == "critical", a
    for name in ("plain", "stays"):
        is_silent("picket_container_escape", container_name=name)
    return a["title"]


def many_denied_connections():
    need()
    run("scanner", network="pkt")
    run("scanfew", network="pkt")
    wait_until("the policy is in force", 15, lambda: sh("scanfew", "nc -w 1 10.77.5.10 7000 </dev/null").returncode, 0.3)
    ports = " ".join(str(p) for p in range(8000, 8024))
    sh("scanfew", f"for p in {ports}; do nc -w 1 10.77.5.10 7000 </dev/null; done 2>/dev/null")  # as often, one door
    sh("scanner", f"for p in {ports}; do nc -w 1 10.77.5.10 $p </dev/null; done 2>/dev/null")
    a = fires("picket_container_scans", 25, container_name="scanner")
    assert a["severity"] == "high", a
    is_silent("picket_container_scans", container_name="scanfew")
    return a["title"]


def a_download_and_what_it_brought_across_a_kill():
    """The collector is killed between the two; it fires once."""
    need()
    for name in ("dropper", "getter", "runner"):
        run(name)
    get = "wget -q -T 1 http://127.0.0.1/x; cp /bin/busybox /tmp/x"
    sh("getter", f"{get}; ls / >/dev/null")  # fetches, runs what was there
    sh("runner", "cp /bin/busybox /tmp/x; /tmp/x true")  # runs, fetched nothing
    sh("dropper", get)
    wait_until("it is stored", 10, lambda: f.events("container=dropper", "process=wget"), 0.2)
    time.sleep(1.2)  # and counted, in the same transaction; a tick of the clock besides
    f.stop("collector", signal.SIGKILL)
    sh("dropper", "/tmp/x true")
    f.start_collector()
    a = fires("picket_download_then_execute", 40, container_name="dropper")
    f.stop("collector", signal.SIGKILL)
    f.start_collector()
    f.settle()
    time.sleep(1.5)
    a = fires("picket_download_then_execute", container_name="dropper")
    for name in ("getter", "runner"):
        is_silent("picket_download_then_execute", container_name=name)
    return f"{a['title']}; {len(a['evidence'])} events as evidence"


def logins_that_fail_and_one_that_does_not():
    need()
    if "no_ssh" in state:
        raise Skip("openssh-server and openssh-client are not installed")
    d, port = f.dir / "ssh", free_port()
    d.mkdir(mode=0o755)
    for key in ("host", "good", "bad"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", d / key], check=True)
    shutil.copy(d / "good.pub", d / "authorized")
    (d / "conf").write_text(f"Port {port}\nListenAddress 127.0.0.1\nHostKey {d}/host\nAuthorizedKeysFile {d}/authorized\n"
                            f"PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nMaxStartups 100\n")
    os.makedirs("/run/sshd", exist_ok=True)
    f.start("sshd", shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-f", d / "conf")

    def login(key):
        return subprocess.run(["ssh", "-q", "-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
                               "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5", "-i", d / key, "-p", str(port),
                               "root@127.0.0.1", "true"], capture_output=True, timeout=20).returncode

    wait_until("sshd lets in", 10, lambda: login("good") == 0, 0.3)
    for i in range(9):
        assert login("bad") == 255
        assert i % 4 or login("good") == 0  # sshd of root ends with 255 then, too
    time.sleep(3)
    is_silent("picket_ssh_brute_force")  # nine are not ten
    is_silent("picket_ssh_brute_force_success")
    assert login("bad") == 255
    fires("picket_ssh_brute_force", host="agent-host")
    is_silent("picket_ssh_brute_force_success")
    assert login("good") == 0
    a = fires("picket_ssh_brute_force_success", host="agent-host")
    assert a["severity"] == "high", a
    return a["title"]


def an_agent_is_silent_and_its_host_answers():
    need()
    left = max(20, 100 - (time.monotonic() - state["silent_since"]))
    a = fires("picket_silent_but_up", left)  # one of the two: which of them spoke last has the bridge's address
    states = {h: x["state"] for h, x in f.hosts().items()}
    assert states["sim-0000"] == states["sim-0001"] == "offline", states
    time.sleep(2)  # the other is silent, too, and nothing comes from it
    assert len(fired("picket_silent_but_up")) == 1
    return f"{a['title']}, {time.monotonic() - state['silent_since']:.0f} s after it fell silent"


# ---- for people ----

def explain_says_why():
    need()
    told = []
    for container in ("dropper", "getter"):
        ids = {c["name"]: c["id"] for c in f.items("container", "list")}
        group = [f"host=agent-host", f"container.id={ids[container]}", f"container.name={container}", f"container.image={IMAGE}"]
        told.append(f.ctl("correlation", "explain", "picket_download_then_execute", *(x for g in group for x in ("--group", g)), "-o", "table").stdout)
    if os.environ.get("PICKET_SHOW"):
        print(*told, sep="\n----\n")
    assert "Download in a container" in told[0] and "last fired" in told[0], told[0]
    assert "missing" in told[1] and "Container runs what its image did not bring" in told[1], told[1]


SIGMA = """title: System Owner or User Discovery - Linux
id: 9a0d8ca0-2385-4020-b6c6-cb6153ca56f3
status: test
description: Detects the execution of host or user discovery utilities such as "whoami", "hostname", "id"
logsource:
    product: linux
    category: process_creation
detection:
    selection:
        Image|endswith:
            - '/busybox'
        CommandLine|startswith: 'whoami'
    condition: selection
level: low
"""


def a_public_sigma_rule_fires_and_backtest_finds_the_same():
    need()
    f.docker("exec", "spread", "whoami")  # before the rule is there: for the backtest alone
    state["rules"].mkdir(exist_ok=True)
    (state["rules"] / "discovery.yml").write_text(SIGMA)
    wait_until("the rule is in force", 15, lambda: [r for r in f.items("rule", "list") if "Discovery" in r["title"]], 0.3)
    f.docker("exec", "getter", "hostname")
    f.docker("exec", "runner", "whoami")
    alert = wait_until("its alert", 10, lambda: f.alerts("rule~Discovery"), 0.3)
    assert len(alert) == 1 and alert[0]["container"]["name"] == "runner" and alert[0]["process"]["name"] == "whoami", alert
    out = json.loads(f.ctl("rule", "backtest", state["rules"] / "discovery.yml", "--since", "1h", "-o", "json").stdout)
    found = {tuple(sorted(x["evidence"])) if "evidence" in x else x["time"] for x in out["items"]}
    assert out["fired"] == 2, out
    assert any(alert[0]["evidence"][0] in json.dumps(x) or x["time"] == alert[0]["first_seen"] for x in out["items"]), (alert[0], out)
    return f"{out['events']} events looked at, {len(found)} found"


def everything_is_cleaned_up():
    if "relay" in state:
        state["relay"].s.close()
    if net:
        net.close()


if __name__ == "__main__":
    in_own_namespaces()
    main(the_fleet_is_up, the_same_new_program_on_three_hosts, an_image_that_nobody_took_stock_of, an_exploited_image_and_a_shell,
         a_vulnerability_in_use_and_somebody_with_a_shell, a_privileged_container_and_the_way_out, many_denied_connections,
         logins_that_fail_and_one_that_does_not, an_agent_is_silent_and_its_host_answers,
         a_download_and_what_it_brought_across_a_kill, explain_says_why, a_public_sigma_rule_fires_and_backtest_finds_the_same,
         everything_is_cleaned_up)
