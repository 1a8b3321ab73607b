#!/usr/bin/env python3
"""F4: the power goes: of what was written after the last sync some is there, some not, some sectors are torn.

iotrace.c notes each write and sync of the real programs; a cut is a place in that list. What was synced before it stays;
of the rest each 512-byte sector is there or not by chance, and the file's end, too."""
import os
import pathlib
import random
import shutil
import sqlite3

from rig import BIN, SEED, Skip, either, main, scene

SECTOR = 512


def read_trace(path):
    ops = []
    with open(path, "rb") as f:
        while line := f.readline():
            parts = line.decode().split()
            if parts[0] == "W":
                ops.append(("W", parts[1], int(parts[2]), f.read(int(parts[3]))))
            elif parts[0] == "T":
                ops.append(("T", parts[1], int(parts[2])))
            else:
                ops.append(tuple(parts))
    return ops


def put(data, at, piece):
    if len(data) < at + len(piece):
        data.extend(bytes(at + len(piece) - len(data)))
    data[at:at + len(piece)] = piece


def after_cut(before, ops, cut, rnd):
    """The files as the disk may hold them."""
    files, loose = {k: bytearray(v) for k, v in before.items()}, {}

    def settle(name):
        for op in loose.pop(name, []):
            if op[0] == "W":
                put(files.setdefault(name, bytearray()), op[2], op[3])
            else:
                del files.setdefault(name, bytearray())[op[2]:]

    for op in ops[:cut]:
        if op[0] in "WT":
            loose.setdefault(op[1], []).append(op)
        elif op[0] == "S":
            settle(op[1])
        elif op[0] == "U":
            files.pop(op[1], None)
            loose.pop(op[1], None)
        elif op[0] == "R":
            settle(op[1])
            files[op[2]] = files.pop(op[1], bytearray())
    keep = rnd.random()
    for name, waiting in loose.items():
        data = files.setdefault(name, bytearray())
        for op in waiting:
            if op[0] == "T":
                if rnd.random() < keep:
                    del data[op[2]:]
                continue
            for i in range(0, len(op[3]), SECTOR):
                if rnd.random() < keep:
                    put(data, op[2] + i, op[3][i:i + SECTOR])
    return files


def write(folder, files):
    for p in folder.rglob("*"):
        if p.is_file():
            p.unlink()
    for name, data in files.items():
        p = folder / name
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_bytes(data)
        p.chmod(0o600)


def snapshot(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and not p.name.endswith("-shm")}


def shim():
    path = BIN / "tests/fault/libiotrace.so"
    if not path.exists():
        raise Skip(f"{path} is not built")
    return path


def store():
    """PRAGMA integrity_check ok and verify without a fault at every cut; 0 acknowledged lost"""
    rnd, cuts = random.Random(SEED), either(40, 1000)
    so = shim()
    with scene("f04") as s:
        s.start()
        s.fleet(10, 500, 1, epoch=1)
        s.kill(15)
        before = snapshot(s.data_dir)
        s.start(env={"LD_PRELOAD": str(so), "IOTRACE_DIR": str(s.data_dir), "IOTRACE_FILE": str(s.dir / "trace")})
        s.fleet(10, 4000, either(5, 8), epoch=2)
        s.kill(9)
        ops = read_trace(s.dir / "trace")
        syncs = sum(op[0] == "S" for op in ops)
        assert syncs > 20, f"the trace has {syncs} syncs only"
        for i in range(cuts):
            cut = rnd.randrange(1, len(ops))
            write(s.data_dir, after_cut(before, ops, cut, rnd))
            for p in s.data_dir.rglob("*-shm"):
                p.unlink()
            code, out = s.verify()
            assert code == 0, f"cut {i} at operation {cut} of {len(ops)}: {out[-300:]}"
            if i % 8 == 0:
                for p in s.data_dir.rglob("*.db"):
                    db = sqlite3.connect(p)
                    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok", f"{p.name} at cut {cut}"
                    db.close()
        # the whole of it is what the agents were told
        write(s.data_dir, after_cut(before, ops, len(ops), random.Random(1)))
        c = s.check()
        return (f"{cuts} cuts among {len(ops)} writes and {syncs} syncs: 0 faults (verify compares what was acknowledged with what is there), SQLite's own check "
                f"ok; at the end with loose writes dropped at random missing {c['missing']}, twice {c['twice']}"), store.__doc__, f"{cuts} of 1,000 cuts"


def spool():
    """opens at every cut, damaged records are passed by, nothing hangs"""
    rnd, cuts = random.Random(SEED + 1), either(30, 1000)
    so = shim()
    with scene("f04") as s:
        s.start()
        d = s.enrol()
        s.kill(15)
        spool_dir = d / "state/spool"
        env = {"LD_PRELOAD": str(so), "IOTRACE_DIR": str(spool_dir), "IOTRACE_FILE": str(s.dir / "trace")}
        made = s.uplink_end(s.uplink(d, "--rate", 4000, "--count", 12000, "--offline", "--spool", 3 << 20, env=env))
        ops = read_trace(s.dir / "trace")
        syncs = sum(op[0] == "S" for op in ops)
        assert syncs > 5, f"the trace has {syncs} syncs only"
        whole = []
        for _ in range(cuts):
            cut = rnd.randrange(1, len(ops))
            write(spool_dir, after_cut({}, ops, cut, rnd))
            r = s.uplink_end(s.uplink(d, "--rate", 1000, "--count", 3, "--offline", "--spool", 3 << 20), 30)
            whole.append(r["spool_records"])
        return (f"{cuts} cuts among {len(ops)} operations and {syncs} syncs of a spool that took {made['appended']} records: all open, "
                f"{min(whole)} to {max(whole)} records"), spool.__doc__, f"{cuts} of 1,000 cuts"


if __name__ == "__main__":
    main(store, spool)
