#!/usr/bin/env python3
"""F2: killed at one system call after another: before each write, sync, rename, delete of spool and store.

The release programs as they are: strace kills them at the Nth call of a kind."""
import time

from rig import either, main, need, scene


def strace(call, n):
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}"]


SPOOL = [("openat", 60), ("pwrite64", 1), ("pwrite64", 2), ("pwrite64", 3), ("pwrite64", 9), ("pwrite64", 31), ("fdatasync", 1), ("fdatasync", 2),
         ("fdatasync", 7), ("unlinkat", 1), ("unlinkat", 2), ("unlinkat", 5), ("pread64", 2)]
STORE = [("pwrite64", 2), ("pwrite64", 5), ("pwrite64", 17), ("pwrite64", 60), ("pwrite64", 400), ("fdatasync", 1), ("fdatasync", 2), ("fdatasync", 3),
         ("fdatasync", 10), ("fdatasync", 11), ("ftruncate", 1), ("unlink", 1)]


def spool():
    """recovers by itself at every point"""
    need("strace")
    points = SPOOL * either(1, 6)
    with scene("f02") as s:
        s.start()
        d = s.enrol()
        hit, made, slowest = 0, 0, 0
        for i, (call, n) in enumerate(points):
            p = s.uplink(d, "--rate", 4000, "--seconds", 3, "--count", 6000, "--spool", 1 << 20, prefix=strace(call, n + i // len(SPOOL) * 13))
            p.communicate(timeout=30)
            hit += p.returncode == -9 or p.returncode == 137
            c = s.counter(d)
            made += c["appended"]
            slowest = max(slowest, c["open_ms"] if c["ready"] else 0)
        s.drain(d)
        time.sleep(2.5)
        h = s.host()
        code, out = s.verify()
        text = (f"{len(points)} points, {hit} reached and killed; {made + 1} made, {h['stored']} stored, {h['lost']} counted lost, produced {h['produced']}; "
                f"opened in {slowest} ms at most under strace; verify {code}")
        assert code == 0 and hit >= len(points) // 2, text + out[-200:]
        assert h["produced"] == h["stored"] + h["lost"], text
        return text, spool.__doc__, f"{len(points)} of 78 points"


def spool_start():
    """a start <= 500 ms with 1 GB of spool"""
    mb = either(256, 1024)
    with scene("f02") as s:
        s.start()
        d = s.enrol()
        s.kill(15)
        n = mb * 2300
        first = s.uplink_end(s.uplink(d, "--rate", 400000, "--count", n, "--offline", "--spool", 4 << 30, "--seconds", 200), 240)
        p = s.uplink(d, "--rate", 400000, "--count", 100000000, "--offline", "--spool", 4 << 30)  # leaves open segments behind
        s.uplink_ready(p, d)
        time.sleep(0.3)
        p.kill()
        p.wait()
        again = s.uplink_end(s.uplink(d, "--rate", 100, "--count", 1, "--offline", "--spool", 4 << 30), 60)
        text = f"{first['spool_bytes'] / 1e6:.0f} MB, {again['spool_records']} records: open after a kill in {again['open_ms']} ms"
        assert again["open_ms"] <= 500, text
        return text, spool_start.__doc__, f"{mb} of 1,024 MB"


def store():
    """recovers by itself at every point; nothing acknowledged is lost, nothing twice; serving <= 2 s"""
    need("strace")
    points = STORE * either(1, 3)
    with scene("f02") as s:
        s.start()
        p = s.fleet_start(40, 1500, len(points) * 2 + 4, settle=90)
        time.sleep(1.5)
        hit, slowest = 0, 0.0
        s.kill()
        for i, (call, n) in enumerate(points):
            s.start(wait=False, prefix=strace(call, n + i // len(STORE) * 7))
            try:
                s.collector.wait(2.0)
                hit += 1
            except Exception:  # not reached: the next point
                s.kill(9)
        slowest = max(slowest, s.start())
        r = s.fleet_end(p)
        s.adds_up(30)
        c = s.check()
        code, out = s.verify()
        text = (f"{len(points)} points, {hit} reached and killed; {r['produced']} records, acknowledged and lost {r['acked_lost']}, missing {c['missing']}, "
                f"twice {c['twice']}, serving after {slowest:.2f} s, verify {code}")
        assert code == 0 and hit >= len(points) // 2 and slowest <= 2, text + out[-200:]
        return text, store.__doc__, f"{len(points)} of 36 points"


if __name__ == "__main__":
    main(spool, spool_start, store)
