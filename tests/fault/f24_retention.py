#!/usr/bin/env python3
"""F24: retention while events come and people ask."""
import json
import pathlib
import subprocess
import threading
import time

from rig import BIN, Skip, either, load, main, scene

MONTH = BIN / "tests/fault/month_load"
MIB = 1 << 20


def month_load(folder, *args):
    if not MONTH.exists():
        raise Skip(f"{MONTH} is not built")
    pathlib.Path(folder).mkdir(exist_ok=True, mode=0o700)
    r = subprocess.run([MONTH, folder, *map(str, args)], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr[-300:]
    return json.loads(r.stdout)


def in_time(r):
    # a search's own first slice may take 200 ms by design (store-010): it is told, not judged here
    return r["drop_ms"] < 100 and r["look_ms"] <= 200


def told(r):
    return (f"{r['events']} events in {r['days']} virtual days, {r['drops']} looks deleted a day of a class: {r['drop_mean_ms']:.1f} ms on average, "
            f"longest {r['drop_ms']:.0f} ms, longest look {r['look_ms']:.0f} ms; longest pause between two batches {r['pause_ms']:.0f} ms (a batch of 500 {r['commit_ms']:.0f}, "
            f"a slice of a query {r['slice_ms']:.0f}), {r['questions']} questions answered meanwhile")


def by(name, *args):
    """A month; once more where a time was missed and others use the machine, as the disk's longest wait may be theirs."""
    for again in range(1 if float(load()) < 1.5 else 2):
        with scene("f24") as s:
            r = month_load(s.dir / name, *args)
        if in_time(r):
            break
    return r, told(r) + (f"; run {again + 1}" if again else "")


def by_age():
    """days of 30 kept, of 40 made, go by age: deleting one < 100 ms, no pause for retention > 200 ms"""
    events = either(200_000, 8_000_000)
    r, text = by("age", events, 40, 30, 0)
    assert r["drops"] >= 8 and in_time(r), text
    return text, by_age.__doc__, f"{events} of 8,000,000 events"


def most_of(bound):
    """2 %; of the small bounds of short runs a journal's worth."""
    return bound + max(bound // 50, MIB)


def by_size():
    """bound on bytes: never exceeded by > 2 % (or 1 MiB); deleting < 100 ms, no pause for retention > 200 ms"""
    events = either(200_000, 8_000_000)
    bound = events * 25  # half of what comes
    r, text = by("size", events, 30, 30, bound)
    text = f"bound {bound / MIB:.1f} MiB, {r['bytes'] / MIB:.1f} in the end, at most {r['most_bytes'] / MIB:.1f} MiB ({r['most_bytes'] * 100 / bound:.1f} %): {text}"
    assert r["drops"] and r["bytes"] > bound / 3 and r["most_bytes"] <= most_of(bound) and in_time(r), text
    return text, by_size.__doc__, f"{events} of 8,000,000 events"


def ask(s, stop, asked):
    while not stop.is_set():
        for words in (["address", "203.0.113.9"], ["binary", "/usr/bin/curl"], ["runs", "web"]):
            s.ctl("history", *words, "within=2s")
            asked.append(1)


def history_bytes(data_dir):
    total = 0
    for p in (pathlib.Path(data_dir) / "history").iterdir():
        try:
            total += 0 if p.name.endswith("-shm") else p.stat().st_size
        except FileNotFoundError:
            pass
    return total


def served():
    """a real collector with a month of history at its bound: never exceeded by > 2 % (or 1 MiB) while agents send and people ask; nothing new lost"""
    events, rate, seconds = either(1_000_000, 10_000_000), either(800, 4000), either(20, 120)
    with scene("f24") as s:
        began = int(time.time()) // 86400 * 86400 - 29 * 86400
        pathlib.Path(s.data_dir).mkdir(exist_ok=True, mode=0o700)
        month_load(s.data_dir, events, 28, 30, 0, began)
        # what agents send, its journal and room for blocks being made come on top: old days must go for it
        bound = history_bytes(s.data_dir) + 64 * 1024
        conf = s.c / "collector.yaml"
        text = conf.read_text()
        assert "history:\n" in text, text
        conf.write_text(text.replace("history:\n", f"history:\n  max_bytes: {bound}\n"))
        before = sorted(p.name for p in (pathlib.Path(s.data_dir) / "history").iterdir())
        s.start()
        p = s.fleet_start(50, rate, seconds)
        stop, asked, most = threading.Event(), [], 0
        people = [threading.Thread(target=ask, args=(s, stop, asked)) for _ in range(2)]
        for t in people:
            t.start()
        while p.poll() is None:
            most = max(most, history_bytes(s.data_dir))
            time.sleep(0.05)
        stop.set()
        for t in people:
            t.join()
        r = s.fleet_end(p)
        s.adds_up(30)
        c = s.check()
        gone = set(before) - {p.name for p in (pathlib.Path(s.data_dir) / "history").iterdir()}
        text = (f"bound {bound / MIB:.1f} MiB, at most {most / MIB:.1f} MiB ({most * 100 / bound:.1f} %), {len(gone)} files of old days went, "
                f"{len(asked)} questions, {r['produced']} records, acknowledged after p50 {r['ack_ms']['p50']:.0f} p99 {r['ack_ms']['p99']:.0f} "
                f"max {r['ack_ms']['max']:.0f} ms, missing {c['missing']}, twice {c['twice']}, verify {s.verify()[0]}")
        assert gone and most <= most_of(bound) and asked, text
        return text, served.__doc__, f"{events} of 10,000,000 events, {seconds} of 120 s"


if __name__ == "__main__":
    main(by_age, by_size, served)
