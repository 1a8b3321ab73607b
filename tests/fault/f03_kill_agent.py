#!/usr/bin/env python3
"""F3: the agent is killed under load: its spool and uplink (uplink_load), again and again."""
import random
import time

from lib import SEED, either, main, scene


def kill_agent():
    """a kill costs at most what 20 ms of buffering hold (100 ms promised); every other record is delivered once; the loss is counted"""
    rnd, kills, rate = random.Random(SEED), either(10, 50), 4000
    with scene("f03") as s:
        s.start()
        d = s.enrol()
        appended = process = 0
        for _ in range(kills):
            p = s.uplink(d, "--rate", rate)
            s.uplink_ready(p, d)
            time.sleep(rnd.uniform(0.3, 1.2))
            p.kill()
            p.wait()
            c = s.counter(d)
            appended, process = appended + c["appended"], process + c["process"]
        s.drain(d)
        appended += 1
        time.sleep(2)
        h = s.host()
        code, out = s.verify()
        short = appended - h["stored"]
        open_sum = h["produced"] - h["stored"] - h["lost"]
        text = (f"{kills} kills at {rate}/s: {appended} made, {h['stored']} stored, {short} gone = {short / kills / rate * 1000:.1f} ms a kill, of which "
                f"counted as lost {h['lost']}, given out and never told again {open_sum}; verify {code}")
        assert 0 <= short <= kills * rate * 0.1 and not open_sum and code == 0, text + out[-200:]
        return text, kill_agent.__doc__, f"{kills} of 50 kills"


if __name__ == "__main__":
    main(kill_agent)
