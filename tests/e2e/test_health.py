#!/usr/bin/env python3
"""The collector's own health: what goes wrong is an alert within the time it promises, and closes by itself."""
import os
import re
import signal
import subprocess
import time

from lib import TOP, Fleet, Skip, _unmount, main, wait_until

KEYS = "health:\n  silent: 20s\n  delivery: 10s\n  spool: 10s\n"


def configured(f, text):
    path = f.dir / "c/collector.yaml"
    path.write_text(path.read_text() + text)


def alerts(f, rule):
    return f.alerts(f'rule="{rule}"', "source=system")


def is_open(f, rule):
    return [a for a in alerts(f, rule) if a["status"] != "resolved"]


def is_closed(f, rule):
    found = alerts(f, rule)
    return found if found and all(a["status"] == "resolved" for a in found) else []


def an_agent_that_is_killed_is_told_within_a_minute_and_closes():
    f = Fleet()  # with the thresholds that users get
    try:
        f.up()
        f.stop("agent", signal.SIGKILL)
        t = time.monotonic()
        told = wait_until("silence is told", 60, lambda: is_open(f, "Agent silent"), 0.5)[0]
        after = time.monotonic() - t
        assert told["host"] == "agent-host" and told["severity"] == "high", told
        sent = wait_until("people are told", 5, lambda: [a for _, a in f.webhook.alerts() if a["rule"] == "Agent silent"])
        assert len(sent) == 1, sent
        status = f.ctl("status", "-o", "json").stdout
        assert '"what":"silent"' in status.replace(" ", ""), status
        f.start_agent()
        wait_until("it closes", 60, lambda: is_closed(f, "Agent silent"), 0.5)
        return f"told {after:.0f} s after the kill"
    finally:
        f.close()


def a_collector_that_comes_back_blames_nobody():
    f = Fleet()
    try:
        configured(f, KEYS)
        f.up()
        f.stop("collector", signal.SIGKILL)
        time.sleep(25)
        f.start_collector()
        time.sleep(12)
        assert not alerts(f, "Agent silent"), alerts(f, "Agent silent")
    finally:
        f.close()


def a_receiver_that_is_down_is_told():
    f = Fleet()
    try:
        configured(f, KEYS)
        f.webhook.fail_next = 10**6
        f.up()
        f.run("agent", "selftest", "--config", f.agent_config(), check=False)
        told = wait_until("it is told", 60, lambda: is_open(f, "Notifications not delivered"), 0.5)[0]
        assert "hook" in told["title"], told
        f.webhook.fail_next = 0
        wait_until("it closes", 150, lambda: is_closed(f, "Notifications not delivered"), 0.5)
        assert any(a["rule"] == "Notifications not delivered" for _, a in f.webhook.alerts()), "told when it could be"
    finally:
        f.close()


def a_disk_that_fills_up_is_told_before_it_is_full():
    f = Fleet()
    mounted = None
    try:
        conf = (f.dir / "c/collector.yaml").read_text()
        data = re.search(r"^data_dir: *(\S+)", conf, re.M)
        if not data:
            raise Skip("no data_dir in what init wrote")
        data = data.group(1).strip(chr(34))
        keep = f"{data}.kept"
        subprocess.run(["cp", "-a", data, keep], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m", "none", data], check=True)
        mounted = data
        subprocess.run(["cp", "-a", f"{keep}/.", data], check=True)
        configured(f, KEYS)
        f.start_collector()
        time.sleep(6)
        assert not alerts(f, "Storage nearly full")
        with open(f"{data}/filler", "wb") as w:
            w.write(os.urandom(1 << 20) * 150)
        told = wait_until("it is told", 15, lambda: is_open(f, "Storage nearly full"), 0.5)[0]
        assert told["severity"] == "medium", told
        os.truncate(f"{data}/filler", 0)
        wait_until("it closes", 90, lambda: is_closed(f, "Storage nearly full"), 0.5)
        return told["title"]
    finally:
        for name in list(f.procs):
            f.stop(name)
        if mounted:
            _unmount(mounted)
        f.close()


def metrics_are_what_their_page_says():
    f = Fleet()
    try:
        f.up()
        text = f.ctl("metrics").stdout
        served = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        page = (TOP / "collector/api/METRICS.md").read_text()
        written = {name: kind for name, kind in re.findall(r"^\| `([a-z_]+)(?:\{[^`]*\})?` \| (\w+) \|", page, re.M)}
        assert served == written, {"only served": sorted(set(served.items()) - set(written.items())),
                                   "only written": sorted(set(written.items()) - set(served.items()))}
        for line in text.splitlines():
            assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+', line), line
        return f"{len(served)} families"
    finally:
        f.close()


if __name__ == "__main__":
    main(an_agent_that_is_killed_is_told_within_a_minute_and_closes, a_collector_that_comes_back_blames_nobody,
         a_receiver_that_is_down_is_told, a_disk_that_fills_up_is_told_before_it_is_full, metrics_are_what_their_page_says, at_once=True)
