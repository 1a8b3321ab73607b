#!/usr/bin/env python3
"""An exec storm and a fork bomb: what is produced is stored or counted, and memory stays flat."""
import re
import subprocess
import time

from lib import Fleet, Skip, main, status_kib, wait_until

RATE, SECONDS = 5000, 60


def an_idle_agent_needs_at_most_15_mb():
    f = Fleet(docker=True)
    try:
        f.up()
        time.sleep(12)  # a heartbeat, a timer of everything
        rss = status_kib(f.pid("agent"), "VmRSS")
        assert rss <= 15 * 1024, f"{rss} KiB resident, {status_kib(f.pid('agent'), 'RssAnon')} of it anonymous"
        return f"{rss} KiB resident"
    finally:
        f.close()


def a_storm_of_5000_execs_a_second_loses_no_exec():
    f = Fleet()
    try:
        f.up()
        load = f.bin["load"]
        r = subprocess.run([load, "-r", str(RATE), "-t", str(SECONDS), "-j", "2"], capture_output=True, text=True)
        m = re.search(r"ops=(\d+) failed=(\d+) secs=([\d.]+) rate=(\d+)", r.stdout)
        assert m, r.stdout + r.stderr
        made, rate = int(m[1]), int(m[4])
        peak = status_kib(f.pid("agent"), "VmHWM")
        cpu = int(open(f"/proc/{f.pid('agent')}/stat").read().rsplit(")", 1)[1].split()[11]) + \
            int(open(f"/proc/{f.pid('agent')}/stat").read().rsplit(")", 1)[1].split()[12])
        f.settle(seconds=120)
        h = f.ledger()
        lost = f.status()["events"]["lost"]
        assert lost == 0 and h["lost"] == 0, f"{lost} lost in the kernel, {h['lost']} in all"
        stored = f.count_events("process=load_tiny", "type=exec")
        assert stored == made, f"{made} execs made, {stored} stored"
        assert peak <= 40 * 1024, f"agent's peak {peak} KiB"
        if rate < RATE * 0.95:
            raise Skip(f"this machine made only {rate} exec/s; of {made} execs none was lost")
        return (f"{made} execs at {rate}/s, all stored; agent peak {peak} KiB, {cpu / 100 / SECONDS * 100:.0f} % of a "
                f"core; produced {h['produced']} = stored {h['stored']} + lost {h['lost']}")
    finally:
        f.close()


FLOOD_RULES = """
- rule: Flood
  desc: every open of the flood
  condition: evt.type in (open, openat) and fd.name startswith /tmp/load.
  output: open | file=%fd.name
  priority: DEBUG
- rule: Never
  desc: execs are judged too
  condition: evt.type = execve and proc.name = nobody-has-this
  output: never
  priority: DEBUG
"""


def an_open_flood_in_a_container_pushes_out_no_exec():
    f = Fleet(docker=True)
    try:
        rules = f.dir / "rules"
        rules.mkdir()
        (rules / "flood.yaml").write_text(FLOOD_RULES)
        f.start_collector()
        f.enrol(rules=rules)
        f.start_agent()
        wait_until("the engine is connected", 15, lambda: f.status()["world"]["engine_connected"])
        seconds = 20
        f.docker("run", "-d", "--name", "flood", "--network", "none", "-v", f"{f.bin['calls']}:/calls:ro", "test/busybox:1.0",
                 "sh", "-c", "mkdir -p /tmp; exec /calls open -n 2000000000 -t 60 -j 1")
        time.sleep(1)
        r = subprocess.run([f.bin["load"], "-r", str(RATE), "-t", str(seconds), "-j", "1"], capture_output=True, text=True)
        m = re.search(r"ops=(\d+) failed=(\d+) secs=([\d.]+) rate=(\d+)", r.stdout)
        made, rate = int(m[1]), int(m[4])
        f.docker("rm", "-f", "flood")
        f.settle(seconds=120)
        f.ledger()
        classes = f.status()["events"]["class"]
        opens = classes["volume"]["seen"]
        assert opens > 100000, f"only {opens} opens came: no flood"
        assert classes["process"]["lost"] == 0, f"{classes['process']['lost']} of the process class lost"
        stored = f.count_events("process=load_tiny", "type=exec")
        assert stored == made, f"{made} execs made, {stored} stored"
        if rate < RATE * 0.5:
            raise Skip(f"this machine made only {rate} exec/s beside the flood; of {made} execs none was lost")
        return (f"{made} execs at {rate}/s beside {opens} opens that a rule names: 0 execs lost, "
                f"{classes['volume']['lost']} opens lost and counted")
    finally:
        f.close()


def a_fork_bomb_in_a_container_leaves_the_agents_memory_flat():
    f = Fleet(docker=True)
    try:
        f.up()
        def bomb():
            # bounded: each level forks two more until the pids limit, all over in 10 s
            f.docker("run", "--rm", "--network", "none", "--pids-limit", "500", "test/busybox:1.0", "timeout", "-s", "KILL",
                     "10", "sh", "-c", "b() { b | b & }; b; while :; do b 2>/dev/null; done", check=False)
            f.docker("run", "--rm", "--network", "none", "--pids-limit", "500", "test/busybox:1.0", "sh", "-c",
                     "i=0; while [ $i -lt 4000 ]; do (true) & (true) & (true) & (true) & wait; i=$((i+4)); done")
            time.sleep(1)
            return status_kib(f.pid("agent"), "RssAnon"), f.status()["events"]["seen"]

        bomb()
        first, seen_first = bomb()  # tables and heap have their size now
        for _ in range(3):
            last, seen = bomb()
        assert seen_first > 10000, f"only {seen_first} events: no bomb"
        assert last - first <= 2048, f"{first} -> {last} KiB anonymous from {seen_first} to {seen} events"
        assert status_kib(f.pid("agent"), "VmRSS") <= 40 * 1024
        f.settle(seconds=60)
        assert f.procs["agent"].poll() is None
        return f"{first} KiB anonymous after two, {last} after five; {seen} events"
    finally:
        f.close()


main(an_idle_agent_needs_at_most_15_mb, a_storm_of_5000_execs_a_second_loses_no_exec,
     an_open_flood_in_a_container_pushes_out_no_exec, a_fork_bomb_in_a_container_leaves_the_agents_memory_flat)
