#!/usr/bin/env python3
"""F26: somebody with the files edits, drops, swaps, truncates. `verify` is to find all of it.

Each deed is done the way somebody would who knows the format: sums over the bytes are made right again."""
import hashlib
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import time

from rig import either, main, need, scene


def columns(db, table):
    return [r[1] for r in db.execute(f"PRAGMA table_info({table})")]


def blocks(db):
    """Of one class: they are a chain."""
    return [r[0] for r in db.execute("SELECT id FROM block WHERE class = (SELECT class FROM block GROUP BY class"
                                     " ORDER BY count(*) DESC LIMIT 1) ORDER BY id")]


def part(db, block):
    """The file that has the block's bytes, and where in it."""
    day = pathlib.Path(db.execute("PRAGMA database_list").fetchone()[2])
    no, at, n = db.execute("SELECT part, at, bytes FROM block WHERE id=?", (block,)).fetchone()
    cls = ["", "process", "rare", "volume", "finding"][db.execute("SELECT class FROM block WHERE id=?", (block,)).fetchone()[0]]
    return day.with_name(f"{day.stem}.{cls}.{no}"), at, n


def bytes_of(db, block):
    path, at, n = part(db, block)
    return path.read_bytes()[at:at + n]


def put(db, block, data):
    """Other bytes for a block, behind the others in its file; every sum over them is made right."""
    path = part(db, block)[0]
    with open(path, "ab") as f:
        at = f.seek(0, 2)
        f.write(data)
    db.execute("UPDATE block SET at=?, bytes=?, sha256=? WHERE id=?", (at, len(data), hashlib.sha256(data).digest(), block))


def repack(data, change):
    raw = subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
    raw = change(raw)
    return subprocess.run(["zstd", "-3", "-c", "--no-progress", f"--stream-size={len(raw)}"], input=raw, capture_output=True, check=True).stdout


def edit_event(db):
    """a command line in a block, sums made right"""
    b = blocks(db)[1]
    put(db, b, repack(bytes_of(db, b), lambda raw: raw.replace(b"manage.py", b"harmless!", 1) if b"manage.py" in raw else raw.replace(b"app", b"xpp", 1)))


def flip(db):
    """one bit of a block"""
    b = blocks(db)[1]
    path, at, n = part(db, b)
    data = bytearray(path.read_bytes())
    data[at + n // 2] ^= 4
    path.write_bytes(data)
    db.execute("UPDATE block SET raw_bytes=raw_bytes WHERE id=?", (b,))


def drop(db, block):
    for t, c in (("block", "id"), ("block_filter", "block")):
        db.execute(f"DELETE FROM {t} WHERE {c}=?", (block,))


def drop_block(db):
    """a block in the middle"""
    drop(db, blocks(db)[1])


def swap_blocks(db):
    """two blocks change places"""
    a, b = blocks(db)[1:3]
    rows = {x: db.execute("SELECT raw_bytes, part, at, bytes, sha256 FROM block WHERE id=?", (x,)).fetchone() for x in (a, b)}
    for x, y in ((a, b), (b, a)):
        db.execute("UPDATE block SET raw_bytes=?, part=?, at=?, bytes=?, sha256=? WHERE id=?", (*rows[y], x))


def truncate_tail(db):
    """the newest rows and block"""
    db.execute("DELETE FROM tail")
    drop(db, blocks(db)[-1])


def drop_tail_row(db):
    """one commit of the tail"""
    db.execute("DELETE FROM tail WHERE first=(SELECT first FROM tail ORDER BY first LIMIT 1 OFFSET 1)")


def edit_filter(db):
    """the index, so that a search does not find a block"""
    db.execute("UPDATE block_filter SET filter=zeroblob(length(filter)) WHERE block=?", (blocks(db)[1],))


def edit_audit(db):
    """a row of the audit log"""
    db.execute("UPDATE audit_log SET subject='nobody' WHERE id=(SELECT min(id) FROM audit_log)")


def drop_audit(db):
    """a row of the audit log goes"""
    db.execute("DELETE FROM audit_log WHERE id=(SELECT max(id) FROM audit_log)")


def lower_counts(db):
    """how much an agent produced and stored"""
    db.execute("UPDATE agent_epoch SET stored=stored-10, seq=seq-10")
    db.execute("UPDATE agent SET stored=stored-10")


HISTORY = (edit_event, flip, drop_block, swap_blocks, truncate_tail, drop_tail_row, edit_filter)
STATE = (edit_audit, drop_audit, lower_counts)


def tamper():
    """verify finds 100 %"""
    need("zstd")
    with scene("f26") as s:
        s.start()
        s.fleet(30, 0, 60, "--backlog", either(1200, 20000))
        s.fleet(30, 300, 3, epoch=7777)  # so that the tail has rows
        s.collect("token", "create")
        s.collect("token", "create")
        s.kill(15)
        code, out = s.verify()
        assert code == 0, out
        day = next(s.data_dir.glob("history/2*.db"))
        shutil.copytree(s.data_dir, s.dir / "good")
        found, missed = [], []
        for deed in HISTORY + STATE:
            shutil.rmtree(s.data_dir)
            shutil.copytree(s.dir / "good", s.data_dir)
            db = sqlite3.connect(day if deed in HISTORY else s.data_dir / "state.db")
            try:
                changes = db.total_changes
                deed(db)
                db.commit()
                assert db.total_changes > changes, f"{deed.__name__} changed nothing"
            finally:
                db.close()
            code, out = s.verify()
            (found if code else missed).append(deed.__name__)
        shutil.rmtree(s.data_dir)
        shutil.copytree(s.dir / "good", s.data_dir)
        day.unlink()
        code, out = s.verify()
        (found if code else missed).append("drop_day")
        text = f"{len(found)} of {len(found) + len(missed)} found ({', '.join(found)})"
        assert not missed, f"{text}; NOT found: {', '.join(missed)}"
        return text, tamper.__doc__


def speed():
    """10,000,000 events verified in < 60 s"""
    n = either(1000000, 10000000)
    with scene("f26") as s:
        s.start()
        s.fleet(100, 0, 600, "--backlog", n // 100)
        s.kill(15)
        before, t = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        code, out = s.verify()
        took, after = time.monotonic() - t, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        text = f"{n} events in {took:.1f} s ({n / took:.0f}/s), {cpu:.1f} s of them on a CPU ({n / cpu:.0f}/s)"
        assert code == 0 and n / took > 10000000 / 60, text + out[-200:]
        return text, speed.__doc__, f"{n} of 10,000,000 events"


if __name__ == "__main__":
    main(tamper, speed)
