#!/usr/bin/env python3
"""F13: a spool that was damaged while nobody looked."""
import os
import random
import shutil
import subprocess

from rig import SEED, UPLINK, either, main, need, scene


def flips():
    """only damaged records lost, and counted; no crash; nothing read outside the folder"""
    rnd, rounds = random.Random(SEED), either(24, 2000)
    with scene("f13") as s:
        s.start()
        d = s.enrol()
        s.kill(15)
        made = s.uplink_end(s.uplink(d, "--rate", 20000, "--count", 6000, "--offline"))
        state = d / "state"
        shutil.copytree(state / "spool", d / "good")
        kinds, lost_most, opens = {}, 0, 0
        for i in range(rounds):
            shutil.rmtree(state / "spool")
            shutil.copytree(d / "good", state / "spool")
            files = sorted(p for p in (state / "spool").iterdir() if p.is_file())
            f = rnd.choice(files)
            kind = ("flip", "flip", "flip", "truncate", "zero", "missing", "garbage", "longer")[i % 8]
            kinds[kind] = kinds.get(kind, 0) + 1
            size = f.stat().st_size
            if kind == "flip":
                b = bytearray(f.read_bytes())
                b[rnd.randrange(size)] ^= 1 << rnd.randrange(8)
                f.write_bytes(b)
            elif kind == "truncate":
                os.truncate(f, rnd.randrange(size))
            elif kind == "zero":
                f.write_bytes(bytes(size))
            elif kind == "missing":
                f.unlink()
            elif kind == "garbage":
                f.write_bytes(rnd.randbytes(size))
            else:
                f.write_bytes(f.read_bytes() + rnd.randbytes(5000))
            r = s.uplink_end(s.uplink(d, "--rate", 1000, "--count", 5, "--offline"))
            opens += 1
            if kind == "flip":
                lost_most = max(lost_most, made["spool_records"] + 5 - r["spool_records"])
        # one of each kind is delivered to a collector, and the sums hold
        s.start()
        r = s.drain(d)
        h = s.host()
        text = (f"{opens} damaged spools of {made['spool_records']} records opened ({', '.join(f'{k} {v}' for k, v in kinds.items())}), 0 crashes; at the last "
                f"one: stored {h['stored']}, lost {h['lost']}, produced {h['produced']}; a flipped bit known at the start cost at most {lost_most} records")
        return text, flips.__doc__, f"{rounds} of 2,000 (the list says 10,000 offsets)"


def strangers():
    """a symlink, a foreign owner, a folder in its place: refused or left alone, and said"""
    need(root=True)
    with scene("f13") as s:
        s.start()
        d = s.enrol()
        s.kill(15)
        s.uplink_end(s.uplink(d, "--rate", 20000, "--count", 3000, "--offline"))
        spool = d / "state/spool"
        victim = d / "victim"
        victim.write_text("nobody may touch this\n")
        segments = sorted(spool.glob("*.*")) or sorted(spool.iterdir())
        name = segments[0]
        done = []
        for what in ("symlink", "folder", "owner", "fifo"):
            keep = name.read_bytes() if name.is_file() and not name.is_symlink() else None
            if what == "owner":
                name.write_bytes(keep or b"x") if not name.exists() else None
                os.chown(name, 12345, 12345)
            else:
                if name.is_dir() and not name.is_symlink():
                    name.rmdir()
                elif name.exists() or name.is_symlink():
                    name.unlink()
                if what == "symlink":
                    name.symlink_to(victim)
                elif what == "folder":
                    name.mkdir()
                else:
                    os.mkfifo(name)
            p = s.uplink(d, "--rate", 1000, "--count", 5, "--offline")
            try:
                p.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                raise AssertionError(f"a {what} in place of a segment hangs {UPLINK.name}") from None
            assert p.returncode in (0, 2), f"{what}: exit {p.returncode}"
            done.append(f"{what}: exit {p.returncode}")
        assert victim.read_text() == "nobody may touch this\n", "a symlink was followed"
        return ", ".join(done) + "; what the link pointed to is untouched", strangers.__doc__


if __name__ == "__main__":
    main(flips, strangers)
