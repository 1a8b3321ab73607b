#!/usr/bin/env python3
"""F8: a disk that syncs slowly, and one that takes a megabyte a second."""
import os
import pathlib
import statistics
import time

from rig import Skip, descendants, either, main, memory_mb, need, scene


def ask(s, times):
    """How long picketctl status takes, s, in order."""
    took = []
    for _ in range(times):
        t = time.monotonic()
        s.ctl("status")
        took.append(time.monotonic() - t)
        time.sleep(0.4)
    return sorted(took)


def under_load(s, seconds, rate, what):
    p = s.fleet_start(50, rate, seconds)
    time.sleep(6)
    took = ask(s, either(9, 40))
    mb = memory_mb((descendants(s.pid) or [s.pid])[0])
    r = s.fleet_end(p)
    s.adds_up(30)
    c = s.check()
    text = (f"{what}: acknowledged after p50 {r['ack_ms']['p50']:.0f} p99 {r['ack_ms']['p99']:.0f} ms, {r['produced']} records, {mb:.0f} MB, "
            f"picketctl status p50 {statistics.median(took):.2f} s, at most {took[-1]:.2f} s, missing {c['missing']}, twice {c['twice']}")
    assert r["ack_ms"]["p99"] <= 5000 and mb < 256, text
    # a commit syncs two files: who asks at its begin waits for both
    assert statistics.median(took) < 1 and took[-1] < 3, text
    return text


def slow_sync():
    """p99 acknowledgement <= 5 s where each sync takes 500 ms; <= 256 MB; status < 1 s (half of them; two syncs stand before the others)"""
    need("strace")
    seconds = either(16, 60)
    with scene("f08") as s:
        s.start(prefix=["strace", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e",
                        "inject=fdatasync,fsync:delay_enter=500000"])
        return under_load(s, seconds, 1000, "each sync 500 ms longer"), slow_sync.__doc__, f"{seconds} of 60 s"


def throttled(folder, bytes_s):
    """A cgroup (v1) whose writes to the folder's disk take their time."""
    dev = os.stat(folder).st_dev
    disk = pathlib.Path(f"/sys/dev/block/{os.major(dev)}:{os.minor(dev)}")
    group = pathlib.Path(f"/sys/fs/cgroup/blkio/picket-f08-{os.getpid()}")
    if not disk.exists():
        raise Skip("the folder is on no block device")
    whole = (disk.resolve().parent if (disk / "partition").exists() else disk) / "dev"
    try:
        group.mkdir()
        (group / "blkio.throttle.write_bps_device").write_text(f"{whole.read_text().strip()} {bytes_s}")
    except OSError as e:
        if group.exists():
            group.rmdir()
        raise Skip(f"no blkio cgroup (v1) to slow a disk by: {e}") from None
    return group


def slow_writes():
    """the same where the disk takes 1 MB/s"""
    seconds = either(16, 60)
    with scene("f08") as s:
        group = throttled(s.dir, 1 << 20)
        s.undo.append(group.rmdir)
        s.start(prefix=["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh"])
        return under_load(s, seconds, 1000, "1 MB/s"), slow_writes.__doc__, f"{seconds} of 60 s"


if __name__ == "__main__":
    main(slow_sync, slow_writes)
