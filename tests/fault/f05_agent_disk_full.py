#!/usr/bin/env python3
"""F5: the agent's disk is full, and its spool is."""
import pathlib
import time

from rig import cli, either, main, memory_mb, need, scene


def losses_are_told(h, r, appended):
    assert h["produced"] == h["stored"] + h["lost"], f"produced {h['produced']} != stored {h['stored']} + lost {h['lost']}"


def full(name, size, spool, ballast):
    need("mount", root=True)
    with scene("f05") as s:
        s.start()
        d = s.enrol()
        spool_dir = d / "state/spool"
        spool_dir.mkdir(exist_ok=True)
        spool_dir.chmod(0o700)
        cli("mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", spool_dir)
        s.undo.append(lambda: cli("umount", "-l", spool_dir))
        s.kill(15)  # nobody takes anything: the spool fills
        rate = 5000
        p = s.uplink(d, "--rate", rate, "--count", rate * either(8, 40), "--spool", spool)
        s.uplink_ready(p, d)
        time.sleep(1)
        before = memory_mb(p.pid)
        if ballast:
            with open(spool_dir / "ballast", "wb", buffering=0) as f:
                try:
                    while True:
                        f.write(b"x" * 4096)
                except OSError:
                    pass
        time.sleep(either(7, 39))
        after, c = memory_mb(p.pid), s.counter(d)
        if ballast:
            pathlib.Path(spool_dir / "ballast").unlink()
        s.start()
        r = s.uplink_end(p)
        s.drain(d)
        time.sleep(2.5)
        h = s.host()
        text = (f"{name}: {r['appended']} made ({c['failed']} refused by the spool), {h['stored']} stored, {h['lost']} counted lost, produced "
                f"{h['produced']}; RSS {before:.1f} -> {after:.1f} MB")
        assert h["produced"] == h["stored"] + h["lost"], text
        assert h["lost"] > 0, text + ": nothing was lost, so nothing was tested"
        assert after < before + 8, text
        return text


def spool_full():
    """the agent stays up, RSS flat, losses right to the event, goes on alone"""
    return full("spool of 4 MiB", "64m", 4 << 20, False), spool_full.__doc__


def disk_full():
    """the same where the disk is full before the spool is"""
    return full("tmpfs of 8 MiB, filled by somebody else", "8m", 64 << 20, True), disk_full.__doc__


if __name__ == "__main__":
    main(spool_full, disk_full)
