#!/usr/bin/env python3
"""SHA-256 of what is run: which containers ever ran it, under whatever name; none lost, none told twice."""
import collections
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

from lib import Fleet, main, status_kib, wait_until

IMAGE = "test/busybox:1.0"


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def binary(f, *args):
    return f.items("history", "binary", *args)


def told(f):
    """Nobody waits for a hash, and all is at the collector."""
    wait_until("hashes are told", 60, lambda: f.status()["hash"]["waiting"] == 0, 0.1)
    f.settle()
    return f.status()["hash"]


def of_container(f, name, script):
    return f.docker("exec", name, "sh", "-c", script, check=False).stdout.strip()


def one_content_under_two_names_in_two_containers_is_found_by_its_hash():
    f = Fleet(docker=True)
    try:
        f.up()
        for name in ("one", "two"):
            f.docker("run", "-d", "--name", name, IMAGE, "sleep", "600")
            of_container(f, name, f"cp /bin/busybox /tmp/{name}.bin; echo of-both >> /tmp/{name}.bin")
            for _ in range(3):
                of_container(f, name, f"/tmp/{name}.bin true")
        want = of_container(f, "one", "sha256sum /tmp/one.bin").split()[0]
        assert want == of_container(f, "two", "sha256sum /tmp/two.bin").split()[0]
        told(f)
        rows = binary(f, f"hash={want}")
        seen = {(r["container"]["name"], r["container"]["image"], r["exe"], r["count"], r["sha256"]) for r in rows}
        assert seen == {(n, IMAGE, f"/tmp/{n}.bin", 3, want) for n in ("one", "two")}, rows
        assert all(r["host"] == "agent-host" and r["first"] < r["last"] and r["added_at_run_time"] for r in rows), rows
        assert binary(f, f"hash=SHA256:{want.upper()}") == rows
        assert not binary(f, f"hash={'0' * 64}")
        by_path = binary(f, "exe=/tmp/one.bin")
        assert [(r["count"], r["sha256"]) for r in by_path] == [(3, want)], by_path
        found = [e for e in f.events(f"hash={want}") if e["type"] in ("exec", "hash")]
        assert len({e["process"]["pid"] for e in found}) == len(found) == 6, len(found)
        assert "hash" in {e["type"] for e in found}, "the first of each was told afterwards"
        table = f.ctl("history", "binary", f"hash={want}", "-o", "table").stdout
        assert "one" in table and "/tmp/two.bin" in table, table
        # what the image brought was read for an earlier container: it is in the exec of a new one already
        for i in range(3):
            f.docker("run", "--rm", "--name", f"brief{i}", IMAGE, "true")
        told(f)
        brief = [e for e in f.events("type=exec", "image=" + IMAGE, "cmdline~true") if e["process"]["exe"] == "/bin/busybox"]
        assert any(e["process"].get("sha256") for e in brief), brief
        f.ledger()
    finally:
        f.close()


def what_has_no_file_and_what_changes_have_hashes():
    f = Fleet()
    try:
        f.up()
        # a program that only exists in memory
        content = pathlib.Path("/bin/sleep").read_bytes() + b"in memory"
        code = ("import os,sys\nfd=os.memfd_create('x')\nos.write(fd,sys.stdin.buffer.read())\n"
                "ro=os.open(f'/proc/self/fd/{fd}',os.O_RDONLY)\nos.close(fd)\nos.set_inheritable(ro,True)\n"
                "os.execve(ro,['hidden','2'],{})\n")
        subprocess.run([sys.executable, "-c", code], input=content, check=True)
        want = hashlib.sha256(content).hexdigest()
        told(f)
        rows = binary(f, f"hash={want}")
        assert len(rows) == 1 and "memfd:x" in rows[0]["exe"] and rows[0]["container"] is None, rows
        # one path, two contents
        path = f.dir / "changing"
        sums = []
        for part in (b"before", b"after"):
            path.write_bytes(pathlib.Path("/bin/true").read_bytes() + part)
            path.chmod(0o755)
            subprocess.run([path], check=True)
            time.sleep(0.5)
            sums.append(sha256(path))
        told(f)
        rows = {r["sha256"]: r for r in binary(f, f"exe={path}")}
        assert set(rows) == set(sums) and all(r["count"] == 1 for r in rows.values()), rows
        # too large: no hash, and counted
        large = f.dir / "large"
        shutil.copy("/bin/true", large)
        os.truncate(large, 1 << 36)
        subprocess.run([large], check=True)
        assert told(f)["too_large"] == 1, f.status()["hash"]
    finally:
        f.close()


def in_a_storm_every_exec_has_one_hash():
    files, runs = 150, 3000
    f = Fleet()
    try:
        f.up()
        for i in range(files):
            path = f.dir / f"file{i}"
            path.write_bytes(pathlib.Path("/bin/true").read_bytes() + str(i).encode())
            path.chmod(0o755)
        subprocess.run(["sh", "-c", f"for i in $(seq 0 {files - 1}); do {f.dir}/file$i & done; wait"], check=True)
        subprocess.run(["sh", "-c", f"cp /bin/true {f.dir}/often; for i in $(seq {runs}); do {f.dir}/often; done"], check=True)
        figures = told(f)
        hashed, execs = collections.Counter(), set()
        for e in f.events("type=exec", f"exe={f.dir}*") + f.events("type=hash", f"exe={f.dir}*"):
            p = e["process"]
            key = (p["pid"], p["start_ns"], p["exe"])
            if e["type"] == "exec":
                execs.add(key)
            hashed[key] += "sha256" in p
            if "sha256" in p:
                assert p["sha256"] == sha256(p["exe"]), p
        assert len(execs) == files + runs, len(execs)
        without = [k for k in execs if not hashed[k]]
        assert max(hashed.values()) == 1 and not without, (len(without), figures)
        assert figures["busy"] == 0, figures
        peak = status_kib(f.pid("agent"), "VmHWM")
        assert peak < 40 * 1024, peak
        f.ledger()
        return f"{files + runs} execs, {figures['told']} told afterwards; the agent's peak {peak // 1024} MB"
    finally:
        f.close()


main(one_content_under_two_names_in_two_containers_is_found_by_its_hash,
     what_has_no_file_and_what_changes_have_hashes,
     in_a_storm_every_exec_has_one_hash)
