#!/usr/bin/env python3
"""F14: files of the collector's store that were damaged, or are of another version."""
import random
import shutil
import sqlite3

from rig import COLLECTOR, SEED, either, main, scene, wait_until


def filled(s, records=60000):
    s.start()
    s.fleet(30, 0, 60, "--backlog", records // 30)
    s.kill(15)
    return next(p for p in s.data_dir.glob("history/2*.db"))


def pages():
    """verify names the day, or the page is one nothing needs; the collector starts, takes new events, tells no wrong record"""
    rnd, rounds = random.Random(SEED), either(10, 300)
    with scene("f14") as s:
        day = filled(s)
        shutil.copytree(s.data_dir, s.dir / "good")
        found = refused = wrong = 0
        for i in range(rounds):
            shutil.rmtree(s.data_dir)
            shutil.copytree(s.dir / "good", s.data_dir)
            page = 16384
            # the day's database (many of its pages are free) and the files with its blocks, in turn
            file = rnd.choice(sorted(s.data_dir.glob("history/2*.*.1"))) if i % 2 else day
            with open(file, "r+b") as f:
                n = file.stat().st_size // page
                at = rnd.randrange(1 if i else 0, n) * page + rnd.randrange(page - 64)
                f.seek(at)
                f.write(rnd.randbytes(64))
            code, out = s.verify()
            assert code in (0, 1, 3), f"verify: exit {code}: {out[-300:]}"
            found += code != 0
            c = s.check(may_fail=True) if code else s.check()
            wrong += c["changed"] + c["twice"]
            try:
                s.start()
                s.kill(15)
            except AssertionError:
                refused += 1
        text = (f"{rounds} pages of a day overwritten: verify named {found}, the others hold nothing that is read (every record still there byte for byte); wrong "
                f"records told {wrong}, starts refused {refused}")
        assert not wrong and found, text
        return text, pages.__doc__, f"{rounds} of 300 pages"


def lost_wal():
    """the -wal of a killed collector is gone: it starts, verify says what was acknowledged and is missing"""
    with scene("f14") as s:
        s.start()
        s.fleet(30, 0, 60, "--backlog", 3000)
        s.kill(9)
        for p in s.data_dir.glob("history/*-wal"):
            p.unlink()
        for p in s.data_dir.glob("history/*-shm"):
            p.unlink()
        code, out = s.verify()
        c = s.check(may_fail=True)
        s.start()
        text = f"{c['missing']} of {c['acked']} records gone with it; verify {code}: {out.splitlines()[0][:120] if out else ''}"
        assert (code != 0) == (c["missing"] > 0), text
        return text, lost_wal.__doc__


def versions():
    """a newer schema is refused in one line; ours is untouched by the attempt (older ones: tests/collector/store/test_migrate)"""
    with scene("f14") as s:
        day = filled(s, 3000)
        for path in (s.data_dir / "state.db", day):
            with sqlite3.connect(path) as db:
                old = db.execute("PRAGMA user_version").fetchone()[0]
                db.execute("PRAGMA user_version=999")
            db.close()
            s.starts = 0
            p = s.spawn("timeout", 5, COLLECTOR, "run", "--config", s.c / "collector.yaml", log="newer.log")
            p.wait(20)
            code, out = s.verify()
            with sqlite3.connect(path) as db:
                assert db.execute("PRAGMA user_version").fetchone()[0] == 999
                db.execute(f"PRAGMA user_version={old}")
            db.close()
            assert code != 0, f"{path.name}: verify finds nothing wrong with a newer schema"
            if path.name == "state.db":
                assert p.returncode not in (0, 124), f"a newer {path.name} did not stop the collector: exit {p.returncode}"
        assert "version" in s.log("newer.log") or "newer" in s.log("newer.log"), s.log("newer.log")[-300:]
        s.check()
        return f"refused: {s.log('newer.log').strip().splitlines()[0].rsplit('/', 1)[-1]}", versions.__doc__


if __name__ == "__main__":
    main(pages, lost_wal, versions)
