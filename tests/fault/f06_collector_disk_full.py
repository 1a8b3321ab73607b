#!/usr/bin/env python3
"""F6: the collector's disk is full."""
import os
import pathlib
import time

from rig import cli, either, main, need, scene, wait_until


def disk_full():
    """no acknowledgement without storing; alerts are still written from the reserve; goes on <= 5 s after space returns; files whole"""
    need("mkfs.ext4", "mount", root=True)
    mb = either(64, 256)
    with scene("f06", extra="") as s:
        image, mnt = s.dir / "disk.img", s.c / "data"
        with open(image, "wb") as f:
            f.truncate(mb << 20)
        cli("mkfs.ext4", "-q", "-F", image)
        for p in mnt.rglob("*"):  # what init made is made again by the start
            if p.is_file():
                (s.dir / "keep").mkdir(exist_ok=True)
                p.rename(s.dir / "keep" / p.name)
        cli("mount", "-o", "loop", image, mnt)
        s.undo.append(lambda: cli("umount", "-l", mnt))
        for p in (s.dir / "keep").glob("*"):
            cli("cp", p, mnt / p.name)
        conf = (s.c / "collector.yaml").read_text().replace("history:\n", "history:\n  reserve: 20MiB\n")
        (s.c / "collector.yaml").write_text(conf)
        s.start()
        p = s.fleet_start(20, 2000, either(22, 40), "--findings", 300)
        time.sleep(3)
        ballast = mnt / "ballast"
        fd = os.open(ballast, os.O_CREAT | os.O_WRONLY)
        free = os.statvfs(mnt).f_bavail * os.statvfs(mnt).f_frsize
        os.posix_fallocate(fd, 0, free - (10 << 20))
        os.close(fd)
        time.sleep(2)
        before = sum(h["stored"] for h in s.hosts())
        time.sleep(3)
        after = sum(h["stored"] for h in s.hosts())
        full = "intake.full" in s.log()
        s.ctl("token", "list", check=False)
        wrote = s.collect("token", "create").returncode == 0  # state can still be written
        ballast.unlink()
        t = time.monotonic()
        wait_until("storing again", 15, lambda: sum(h["stored"] for h in s.hosts()) > after + 500, 0.1)
        back = time.monotonic() - t
        r = s.fleet_end(p)
        s.adds_up(30)
        c = s.check()
        s.kill(15)
        code, out = s.verify()
        text = (f"{mb} MiB disk: below its reserve nothing of {after - before} stored in 3 s, refused as busy {r['busy']} times, state still "
                f"written {wrote}, storing {back:.1f} s after space came back, {r['produced']} records, missing {c['missing']}, "
                f"twice {c['twice']}, verify {code}")
        assert full and after == before and wrote and code == 0 and back <= 5, text + out[-300:]
        return text, disk_full.__doc__


def disk_really_full():
    """not a byte left, reserve and all: nothing acknowledged is lost, files whole, goes on by itself"""
    need("mkfs.ext4", "mount", root=True)
    with scene("f06") as s:
        mnt = s.c / "data"
        keep = s.dir / "keep"
        keep.mkdir()
        for p in list(mnt.rglob("*")):
            if p.is_file():
                p.rename(keep / p.name)
        cli("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", mnt)
        s.undo.append(lambda: cli("umount", "-l", mnt))
        for p in keep.glob("*"):
            cli("cp", p, mnt / p.name)
        conf = (s.c / "collector.yaml").read_text().replace("history:\n", "history:\n  reserve: 1MiB\n")
        (s.c / "collector.yaml").write_text(conf)
        s.start()
        p = s.fleet_start(20, 2000, 16)
        time.sleep(2)
        ballast = pathlib.Path(mnt, "ballast")
        with open(ballast, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 65536)
            except OSError:
                pass
        time.sleep(4)
        ballast.unlink()
        r = s.fleet_end(p)
        s.adds_up(30)
        c = s.check()
        s.kill(15)
        code, out = s.verify()
        text = f"tmpfs of 48 MiB without a byte: {r['produced']} records, busy {r['busy']}, missing {c['missing']}, twice {c['twice']}, verify {code}"
        assert code == 0, text + out[-300:]
        return text, disk_really_full.__doc__


if __name__ == "__main__":
    main(disk_full, disk_really_full)
