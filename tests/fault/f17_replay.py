#!/usr/bin/env python3
"""F17: batches again, overlapping, out of order, of an old epoch, with numbers beyond reason."""
import time

from rig import either, main, scene


def replay():
    """store and counts unchanged; a jump raises an alert; an epoch rolled back is a cloned identity"""
    with scene("f17") as s:
        s.start()
        first = s.fleet(20, 2000, either(5, 30), epoch=1000)
        per = s.ledgers[0].read_text().splitlines()[1].split()
        end = min(int(line.split()[4]) for line in s.ledgers[0].read_text().splitlines()[1:])
        base = s.ledgers[0].read_text().split()[5]
        r = s.fleet(20, 2000, either(10, 60), "--replay", 30, "--old-epoch", 1000, "--old-end", end, "--base", base, epoch=2000)
        s.adds_up()
        c = s.check()
        jumps = [a for a in s.alerts() if a["rule"] == "Sequence jump"]
        assert r["replays"] > 100 and r["replays_wrong"] == 0, r
        assert jumps, "a sequence jump raised no alert"
        return (f"{r['replays']} bad batches beside {r['produced'] + first['produced']} good records ({r['replays_refused']} refused, the rest known), "
                f"answered wrong {r['replays_wrong']}, missing {c['missing']}, twice {c['twice']}, changed {c['changed']}, "
                f"alerts for jumps {len(jumps)}; host {per[1]} ok"), replay.__doc__, "15 s of 90 s"


def epoch_goes_back():
    """a run from before what is stored raises an alert"""
    with scene("f17") as s:
        s.start()
        s.fleet(3, 300, 2, epoch=5000)
        s.fleet(3, 300, 2, epoch=4000)
        c = s.check()
        time.sleep(1.5)
        found = [a for a in s.alerts() if a["rule"].startswith("Agent's numbers began again")]
        assert c["twice"] == 0
        assert found, "an agent whose epoch went back raised no alert"
        return f"{len(found)} alerts", epoch_goes_back.__doc__


if __name__ == "__main__":
    main(replay, epoch_goes_back)
