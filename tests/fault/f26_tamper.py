#!/usr/bin/env python3
"""F26: somebody with the files edits, drops, swaps, truncates. `verify` is to find all of it.

Each deed is done the way somebody would who knows the format: sums over the bytes are made right again."""
import hashlib
import shutil
import sqlite3
import subprocess
import time

from lib import either, main, need, scene


def columns(db, table):
    return [r[1] for r in db.execute(f"PRAGMA table_info({table})")]


def blocks(db):
    return [r[0] for r in db.execute("SELECT id FROM block ORDER BY id")]


def put(db, block, data):
    db.execute("UPDATE block_data SET data=? WHERE block=?", (data, block))
    db.execute("UPDATE block SET sha256=? WHERE id=?", (hashlib.sha256(data).digest(), block))


def repack(data, change):
    raw = subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout
    raw = change(raw)
    return subprocess.run(["zstd", "-3", "-c", "--no-progress", f"--stream-size={len(raw)}"], input=raw, capture_output=True, check=True).stdout


def edit_event(db):
    """a command line in a block, sums made right"""
    b = blocks(db)[1]
    data = db.execute("SELECT data FROM block_data WHERE block=?", (b,)).fetchone()[0]
    put(db, b, repack(data, lambda raw: raw.replace(b"manage.py", b"harmless!", 1) if b"manage.py" in raw else raw.replace(b"app", b"xpp", 1)))


def flip(db):
    """one bit of a block"""
    b = blocks(db)[1]
    data = bytearray(db.execute("SELECT data FROM block_data WHERE block=?", (b,)).fetchone()[0])
    data[len(data) // 2] ^= 4
    db.execute("UPDATE block_data SET data=? WHERE block=?", (bytes(data), b))


def drop_block(db):
    """a block in the middle"""
    b = blocks(db)[1]
    for t, c in (("block", "id"), ("block_data", "block"), ("posting", "block")):
        db.execute(f"DELETE FROM {t} WHERE {c}=?", (b,))


def swap_blocks(db):
    """two blocks change places"""
    a, b = blocks(db)[1:3]
    rows = {x: db.execute("SELECT b.raw_bytes, b.n, d.data FROM block b JOIN block_data d ON d.block=b.id WHERE b.id=?", (x,)).fetchone() for x in (a, b)}
    for x, y in ((a, b), (b, a)):
        put(db, x, rows[y][2])
        db.execute("UPDATE block SET raw_bytes=? WHERE id=?", (rows[y][0], x))


def truncate_tail(db):
    """the newest rows and block"""
    db.execute("DELETE FROM tail")
    b = blocks(db)[-1]
    for t, c in (("block", "id"), ("block_data", "block"), ("posting", "block")):
        db.execute(f"DELETE FROM {t} WHERE {c}=?", (b,))


def truncate_with_counts(db):
    """the newest block, and every count that tells of it lowered (state.db, too)"""
    truncate_tail(db)


def drop_tail_row(db):
    """one commit of the tail"""
    db.execute("DELETE FROM tail WHERE first=(SELECT first FROM tail ORDER BY first LIMIT 1 OFFSET 1)")


def edit_postings(db):
    """the index, so that a search does not find a block"""
    db.execute("DELETE FROM posting WHERE block=?", (blocks(db)[1],))


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


HISTORY = (edit_event, flip, drop_block, swap_blocks, truncate_tail, drop_tail_row, edit_postings)
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
        day = next(s.data_dir.glob("history/*.db"))
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
        t = time.monotonic()
        code, out = s.verify()
        took = time.monotonic() - t
        text = f"{n} events in {took:.1f} s ({n / took:.0f}/s)"
        assert code == 0 and n / took > 10000000 / 60, text + out[-200:]
        return text, speed.__doc__, f"{n} of 10,000,000 events"


if __name__ == "__main__":
    main(tamper, speed)
