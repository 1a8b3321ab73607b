#!/usr/bin/env python3
"""F3: the agent is killed under load: its spool and uplink (uplink_load), again and again."""
import random
import time

from rig import SEED, either, main, scene


def kill_agent():
    """loss <= the last unsynced 100 ms of low classes, none of the critical one; what is lost is told as a gap, to the record"""
    rnd, kills, rate = random.Random(SEED), either(20, 50), 4000
    with scene("f03") as s:
        s.start()
        d = s.enrol()
        appended = 0
        for _ in range(kills):
            p = s.uplink(d, "--rate", rate)
            s.uplink_ready(p, d)
            time.sleep(rnd.uniform(0.2, 0.7))
            p.kill()
            p.wait()
            appended += s.counter(d)["appended"]
        s.drain(d)
        appended += 1
        time.sleep(2)
        s.adds_up(15)
        h = s.host()
        code, out = s.verify()
        gone = appended - h["stored"]
        text = (f"{kills} kills at {rate}/s: {appended} made, {h['stored']} stored, {max(0, gone)} gone, {h['lost']} told as lost, "
                f"produced {h['produced']}; verify {code}")
        # the generator counts a record after it was taken: a kill in between stores one more than it knows of
        assert -kills <= gone - h["lost"] <= 0 and code == 0, text + out[-200:]
        assert not h["lost"], "nothing need be lost by a kill: " + text
        return text, kill_agent.__doc__, f"{kills} of 50 kills"


if __name__ == "__main__":
    main(kill_agent)
