#!/usr/bin/env python3
"""F1: the collector is killed under load, at random, again and again."""
import random
import time

from rig import SEED, Proxy, either, main, scene  # noqa: F401


def kill_collector():
    """0 acknowledged lost, 0 twice; serving again <= 2 s; backlog drained at >= 3x the rate of making"""
    rnd, kills, rate = random.Random(SEED), either(6, 50), 4000
    with scene("f01") as s:
        s.start()
        p = s.fleet_start(200, rate, kills * 2 + 4)
        time.sleep(2)
        slowest = 0.0
        for _ in range(kills):
            time.sleep(rnd.uniform(0.3, 1.7))
            s.kill()
            slowest = max(slowest, s.start())
        r = s.fleet_end(p)
        s.adds_up(30)
        c = s.check()
        # what waited during a longer outage, and how fast it goes in
        s.kill()
        seconds, down = 24, 6
        p = s.fleet_start(200, rate, seconds, epoch=r["produced"] + 7, settle=0)
        time.sleep(down)
        s.start()
        began, seen, best = time.monotonic(), [], 0.0
        while time.monotonic() - began < 20:
            done = sum(h["stored"] for h in s.hosts()) - r["produced"]
            now = time.monotonic()
            seen = [x for x in seen if now - x[0] < 1.1] + [(now, done)]
            if now - seen[0][0] > 0.8:
                best = max(best, (done - seen[0][1]) / (now - seen[0][0]))
            if done >= rate * (now - began + down) * 0.97:
                break
            time.sleep(0.2)
        caught = time.monotonic() - began
        s.fleet_end(p, whole=False)
        code, text = s.verify()
        assert code == 0, text
        assert slowest <= 2, f"serving after {slowest:.2f} s"
        text = (f"{kills} kills, {r['produced']} records, {r['closes']} connections cut, acknowledged and lost {r['acked_lost']}, "
                f"missing {c['missing']}, twice {c['twice']}; serving after {slowest:.2f} s at most; after {down} s away caught up in {caught:.1f} s (the "
                f"agents' back-off is most of it), at up to {best:.0f}/s of {rate}/s made")
        assert caught <= down / 2 + 6, text  # at three times the rate, after the agents' back-off of 6 s at most
        return text, kill_collector.__doc__, f"{kills} of 50 kills"


if __name__ == "__main__":
    main(kill_collector)
