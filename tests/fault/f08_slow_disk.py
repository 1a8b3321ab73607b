#!/usr/bin/env python3
"""F8: a disk that syncs slowly."""
import time

from rig import descendants, either, main, memory_mb, need, scene


def slow_sync():
    """p99 acknowledgement <= 5 s where a sync takes 500 ms; no growth; API < 3 s"""
    need("strace")
    seconds = either(14, 60)
    with scene("f08") as s:
        s.start(prefix=["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e",
                        "inject=fdatasync,fsync:delay_enter=500000"])
        p = s.fleet_start(50, 1000, seconds)
        time.sleep(5)
        slowest = 0.0
        for _ in range(5):
            t = time.monotonic()
            s.ctl("status")
            slowest = max(slowest, time.monotonic() - t)
            time.sleep(0.5)
        mb = memory_mb(descendants(s.pid)[0])
        r = s.fleet_end(p)
        s.adds_up(30)
        c = s.check()
        text = (f"each sync 500 ms longer: acknowledged after p50 {r['ack_ms']['p50']:.0f} p99 {r['ack_ms']['p99']:.0f} ms, {r['produced']} records, "
                f"{mb:.0f} MB, picketctl status <= {slowest:.2f} s, missing {c['missing']}, twice {c['twice']}")
        assert r["ack_ms"]["p99"] <= 5000 and mb < 256 and slowest < 3, text
        return text, slow_sync.__doc__, f"{seconds} of 60 s"


if __name__ == "__main__":
    main(slow_sync)
