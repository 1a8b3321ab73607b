#!/usr/bin/env python3
"""The thresholds: high_privilege, unusual_processes by number and by name, network_anomaly by container and by image; as they
are, and as somebody sets them. In namespaces of its own."""
import json
import shutil
import time

from lib import TOP, main, wait_until
from test_network import PORT, SERVER, Net, in_own_namespaces

OWN = """
- macro: high_privilege
  condition: (thread.cap_effective contains CAP_NET_ADMIN)
  override: {condition: replace}
- macro: unusual_process_count
  condition: (container.process.count > 5)
  override: {condition: replace}
- list: unusual_process_names
  items: [dial]
  override: {items: append}
- macro: network_anomaly
  condition: (container.net.above > 20000000)
  override: {condition: replace}
"""
LOUD = 10**12


def learned(n, **levels):
    """What two hours before were usual, bytes a minute."""
    now = int(time.time())
    (n.f.dir / "agent" / "state").mkdir(parents=True, exist_ok=True)
    (n.f.dir / "agent" / "state" / "levels.json").write_text(json.dumps({"version": 1, "levels": [
        {"key": key.replace("__", ":"), "level": level, "first": now - 7200, "last": now} for key, level in levels.items()]}))


def told(n, rule, container):
    return wait_until(f"'{rule}' is told of {container}", 30, lambda: [
        a for a in n.f.alerts() if a["rule"] == rule and container in json.dumps(a)], 0.3)


def rules_told(n, container):
    return {a["rule"] for a in n.f.alerts() if container in json.dumps(a)}


def start(n, own=""):
    rules = n.f.dir / "rules"
    shutil.copytree(TOP / "agent/packaging/rules.d", rules)
    (rules / "zz-own.yaml").write_text(own or "[]")
    f = n.f
    f.start_collector()
    f.enrol(rules=rules)
    n.start_agent()


def as_they_are():
    n = Net("stats: {interval: 2s}\n")
    try:
        learned(n, **{"image__test/busybox": 1000, "all__test/busybox": 1000, "container__server": LOUD, "container__known": LOUD})
        n.container("known")
        start(n)
        n.container("plain")
        n.container("admin", "--cap-add", "SYS_PTRACE")
        told(n, "Container with high privileges", "admin")
        # of an image that is known a new container is judged at once, above a megabyte a minute
        plain = n.program("plain")
        assert plain("tcp", SERVER, PORT, 3_000_000) == "ok"
        a = told(n, "Unusual traffic of a container", "plain")[0]
        assert not any(r in rules_told(n, "known") for r in ("Unusual traffic of a container", "Unusual traffic of an image"))
        # one that always does as much is not, but all of its image together are
        assert n.program("known")("tcp", SERVER, PORT, 3_000_000) == "ok"
        wait_until("the image is told of", 30, lambda: [x for x in n.f.alerts() if x["rule"] == "Unusual traffic of an image"], 0.3)
        assert "Unusual traffic of a container" not in rules_told(n, "known")
        assert not rules_told(n, "plain") & {"Container with high privileges", "Unusual number of processes in a container",
                                             "Unusual process in a container"}, rules_told(n, "plain")
        return a["title"]
    finally:
        n.close()


def as_somebody_sets_them():
    n = Net("stats: {interval: 2s}\n")
    try:
        learned(n, **{"image__test/busybox": 1000, "all__test/busybox": LOUD, "container__server": LOUD})
        n.container("few")
        start(n, OWN)
        n.container("admin", "--cap-add", "NET_ADMIN")
        n.container("tracer", "--cap-add", "SYS_PTRACE")
        n.container("many", command=("sh", "-c", "for i in 1 2 3 4 5 6 7; do sleep 1000 & done; wait"))
        told(n, "Container with high privileges", "admin")
        told(n, "Unusual number of processes in a container", "many")
        p = n.program("few")
        told(n, "Unusual process in a container", "few")
        # 3 MB there and back in two seconds are 180 MB a minute; 200 kB are 12
        assert n.program("tracer")("tcp", SERVER, PORT, 200_000) == "ok"
        time.sleep(5)
        assert p("tcp", SERVER, PORT, 3_000_000) == "ok"
        told(n, "Unusual traffic of a container", "few")
        assert not rules_told(n, "tracer") & {"Container with high privileges", "Unusual traffic of a container",
                                              "Unusual number of processes in a container"}, rules_told(n, "tracer")
    finally:
        n.close()


if __name__ == "__main__":
    in_own_namespaces()
    main(as_they_are, as_somebody_sets_them)
