#!/usr/bin/env python3
"""kill -9 of collector and of agent, 20 times each at random moments under load."""
import random
import signal
import subprocess
import threading
import time

from lib import Fleet, main, wait_until

KILLS = 20


class Load:
    """Numbered execs, some 60 a second, with the moments at which each was over."""

    def __init__(self):
        self.over, self.running = {}, True
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        i = 0
        while self.running:
            subprocess.run(["/bin/echo", f"kill-{i}"], stdout=subprocess.DEVNULL)
            self.over[i] = time.monotonic()
            i += 1
            time.sleep(0.012)

    def end(self):
        self.running = False
        self.thread.join()
        return self.over


def counts(f):
    seen, ids = {}, []
    for e in f.events("process=echo", "type=exec"):
        ids.append(e["id"])
        word = e["process"]["cmdline"].split()[-1]
        if word.startswith("kill-"):
            n = int(word[5:])
            seen[n] = seen.get(n, 0) + 1
    assert len(ids) == len(set(ids)), "an event id is there twice"
    return seen


def twenty_kills_of_the_collector_lose_nothing_and_double_nothing():
    random.seed(7)
    f = Fleet()
    try:
        f.up()
        load = Load()
        for _ in range(KILLS):
            time.sleep(random.uniform(0.2, 1.6))
            f.stop("collector", signal.SIGKILL)
            f.start_collector()
        over = load.end()
        wait_until("the agent is back", 60, lambda: f.status().get("healthy"))
        f.settle()
        seen = counts(f)
        missing = [i for i in over if i not in seen]
        twice = [i for i, n in seen.items() if n > 1]
        assert not missing and not twice, f"of {len(over)}: missing {missing[:5]}, twice {twice[:5]}"
        f.ledger()
        f.stop("collector")
        assert f.run("collector", "verify", "--config", f.dir / "c/collector.yaml", check=False).returncode == 0
        return f"{len(over)} execs, {KILLS} kills, none missing, none twice"
    finally:
        f.close()


def twenty_kills_of_the_agent_lose_nothing_that_was_acknowledged():
    """What happens while no agent runs can't be seen; what the agent had produced must all be there."""
    random.seed(8)
    f = Fleet()
    try:
        f.up()
        load = Load()
        alive = []  # spans in which an agent was attached
        for _ in range(KILLS):
            start = time.monotonic()
            time.sleep(random.uniform(0.2, 1.2))
            end = time.monotonic()
            f.stop("agent", signal.SIGKILL)
            alive.append((start, end))
            f.start_agent()
        start = time.monotonic()
        time.sleep(1)
        over = load.end()
        alive.append((start, time.monotonic()))
        f.settle()
        seen = counts(f)
        twice = [i for i, n in seen.items() if n > 1]
        assert not twice, f"twice: {twice[:5]}"
        # an exec that was over 150 ms before a kill was in the spool: the ring is read after 5 ms, or after 100 ms
        # where it had been quiet, and written out after 20 ms
        safe = [i for i, t in over.items() if any(a + 0.05 <= t <= b - 0.15 for a, b in alive)]
        missing = [i for i in safe if i not in seen]
        assert len(safe) > 200, f"only {len(safe)} execs were made while an agent ran"
        assert not missing, f"of {len(safe)}: missing {missing[:8]}"
        h = f.ledger()
        return f"{len(safe)} execs, {KILLS} kills, none missing, none twice; stored {h['stored']}, lost {h['lost']}"
    finally:
        f.close()


main(twenty_kills_of_the_collector_lose_nothing_and_double_nothing,
     twenty_kills_of_the_agent_lose_nothing_that_was_acknowledged)
