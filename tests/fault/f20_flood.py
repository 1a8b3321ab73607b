#!/usr/bin/env python3
"""F20: one agent floods, the others work."""
import time

from rig import either, main, scene


def flood():
    """the others' p99 acknowledgement changes by < 20 % (or stays under the fleet's 250 ms); the loudest host named in <= 10 s"""
    agents, rate, seconds = either(200, 1000), either(3000, 12000), either(15, 60)
    with scene("f20") as s:
        s.start()
        calm = s.fleet(agents, rate, seconds, epoch=1)
        p = s.fleet_start(agents, rate, seconds, "--flood", 100000, "--flood-at", 1, "--spool", 200000, epoch=2)
        time.sleep(11)
        told = s.ctl("host", "list", "-o", "ndjson", "--limit", "2000").stdout
        busiest = max((__import__("json").loads(x) for x in told.splitlines()), key=lambda h: h["produced"])["name"]
        loud = s.fleet_end(p, whole=False)
        c = s.check()
        a, b = calm["others_p99_ms"], loud["others_p99_ms"]
        text = (f"others' p99 {a:.0f} ms calm, {b:.0f} ms beside a host making 100,000/s "
                f"({loud['acked'] / loud['seconds']:.0f}/s stored in all, {loud['lost']} dropped and counted by its spool of 200,000), "
                f"most produced by {busiest}, missing {c['missing']}, twice {c['twice']}")
        assert busiest == "sim-0000", text
        assert b <= max(a * 1.2, 250), text
        return text, flood.__doc__, f"{agents} of 1,000 agents, {seconds} of 60 s"


if __name__ == "__main__":
    main(flood)
