#!/usr/bin/env python3
"""Wrong files, damaged spools, full disks: one clear line each, and nothing stored is lost."""
import os
import random
import subprocess
import time

from lib import Fleet, Skip, main, wait_until


def one_line(r, code, *words):
    lines = r.stderr.strip().splitlines()
    assert r.returncode == code, (r.returncode, r.stderr)
    assert len(lines) == 1, r.stderr
    for w in words:
        assert w in lines[0], f"'{w}' is not in: {lines[0]}"


def wrong_configurations_and_rules_are_one_line_with_the_place():
    f = Fleet()
    try:
        conf = f.dir / "bad.yaml"
        conf.write_text("state_dir: /nowhere\nspool:\n  max_siez: 1GiB\n")
        one_line(f.run("agent", "run", "--config", conf, check=False), 3, "bad.yaml:3:3", "max_siez", "max_size")
        conf.write_text("http: [1]\n")
        one_line(f.run("collector", "run", "--config", conf, check=False), 3, "bad.yaml:1:")
        f.start_collector()
        rules = f.dir / "rules.yaml"
        rules.write_text('- rule: r\n  desc: d\n  condition: evt.type = execve and proc.nam = "x"\n  output: o\n  priority: INFO\n')
        f.enrol(rules=rules)
        one_line(f.run("agent", "rules", "check", rules, check=False), 3, "rules.yaml:", "proc.nam")
        r = f.run("agent", "run", "--config", f.agent_config(), check=False)
        assert r.returncode == 3 and "proc.nam" in r.stderr.splitlines()[-1], r.stderr
        one_line(f.run("agent", "status", "--config", f.agent_config(), check=False), 6, "no agent answers")
        one_line(f.ctl("alert", "list", "severty=high", check=False), 2, "severity")
        one_line(f.run("agent", "run", "--config", f.dir / "none.yaml", check=False), 5, "none.yaml")
        assert f.run("agent", "rnu", check=False).returncode == 2
    finally:
        f.close()


def a_spool_with_flipped_bits_loses_the_damaged_records_only_and_counts_them():
    f = Fleet()
    try:
        f.up()
        f.settle()
        f.stop("collector")
        for i in range(300):
            subprocess.run(["/bin/echo", f"flip-{i}"], stdout=subprocess.DEVNULL)
        time.sleep(0.5)
        f.stop("agent")
        spool = f.dir / "agent/state/spool"
        segments = sorted((p for p in spool.iterdir() if p.suffix == ".seg"), key=lambda p: p.stat().st_size)
        assert segments, list(spool.iterdir())
        data = bytearray(segments[-1].read_bytes())
        random.seed(3)
        flips = [random.randrange(len(data) // 4, len(data) * 3 // 4) for _ in range(3)]
        for at in flips:
            data[at] ^= 0x10
        segments[-1].write_bytes(data)
        f.start_collector()
        f.start_agent()
        f.settle()
        seen = {e["process"]["cmdline"].split()[-1] for e in f.events("process=echo", "type=exec")}
        there = sum(f"flip-{i}" in seen for i in range(300))
        assert 300 - len(flips) <= there < 301, f"{there} of 300 survived {len(flips)} flipped bits"
        h = f.ledger()
        assert 1 <= h["lost"] <= len(flips), f"lost {h['lost']}"
        assert "damaged" in f.log("agent")
        return f"{there} of 300 execs left after {len(flips)} flipped bits, lost {h['lost']} counted"
    finally:
        f.close()


def tmpfs(path, size):
    path.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], capture_output=True).returncode:
        raise Skip("no right to mount a tmpfs")


def a_full_disk_at_the_agent_counts_its_loss_and_heals():
    f = Fleet(agent_extra="spool:\n  max_size: 64MiB\n")
    mounted = None
    try:
        f.start_collector()
        f.enrol()
        mounted = f.dir / "agent/state/spool"
        tmpfs(mounted, "2m")
        f.start_agent()
        f.settle()
        f.stop("collector")
        load = subprocess.run([f.bin["load"], "-n", "12000", "-t", "20", "-j", "2"], capture_output=True, text=True)
        assert "ops=12000" in load.stdout, load.stdout
        time.sleep(1)
        assert f.procs["agent"].poll() is None, f.log("agent")[-500:]
        f.start_collector()
        wait_until("the agent is back", 40, lambda: f.status().get("healthy"))
        f.settle()

        def healed():
            subprocess.run(["/bin/echo", "healed"], stdout=subprocess.DEVNULL)
            return f.events("process=echo", "type=exec", "healed")

        wait_until("events come again after the disk was full", 15, healed, 0.5)
        f.settle()
        h = f.ledger()
        assert h["lost"] > 0, "a 2 MiB spool took 12,000 execs"
        assert len([x for x in f.log("agent").splitlines() if "agent.spool" in x]) < 20, "a full disk floods the log"
        gaps = [e for e in f.events("type=gap")]
        assert gaps, "no gap record tells of the loss"
        return f"produced {h['produced']} = stored {h['stored']} + lost {h['lost']}"
    finally:
        f.close_after_unmount(mounted)


def a_full_disk_at_the_collector_stops_acknowledgements_not_alerts_and_heals():
    f = Fleet()
    conf = f.dir / "c/collector.yaml"
    conf.write_text(conf.read_text().replace("history:\n", "history:\n  reserve: 8MiB\n"))
    mounted = f.dir / "c/data"
    try:
        aside = f.dir / "aside"
        os.rename(mounted, aside)
        tmpfs(mounted, "48m")
        subprocess.run(["cp", "-a", f"{aside}/.", str(mounted)], check=True)
        f.up()
        f.settle()
        fill = mounted / "fill"
        with open(fill, "wb") as out:
            try:
                while True:
                    out.write(os.urandom(1 << 16))
                    s = os.statvfs(mounted)
                    if s.f_bavail * s.f_frsize < 6 << 20:
                        break
            except OSError:
                pass
        time.sleep(1.5)
        for i in range(50):
            subprocess.run(["/bin/echo", f"full-{i}"], stdout=subprocess.DEVNULL)
        wait_until("the collector says it is full", 10, lambda: "intake.full" in f.log("collector"))
        time.sleep(1)
        assert f.status()["uplink"]["spool_records"] > 0, "acknowledged without room"
        assert f.procs["collector"].poll() is None
        fill.unlink()
        f.settle(seconds=40)
        seen = [e["process"]["cmdline"].split()[-1] for e in f.events("process=echo", "type=exec")]
        assert sorted(w for w in seen if w.startswith("full-")) == sorted(f"full-{i}" for i in range(50)), len(seen)
        h = f.ledger()
        assert h["lost"] == 0
    finally:
        f.close_after_unmount(mounted)


main(wrong_configurations_and_rules_are_one_line_with_the_place,
     a_spool_with_flipped_bits_loses_the_damaged_records_only_and_counts_them,
     a_full_disk_at_the_agent_counts_its_loss_and_heals,
     a_full_disk_at_the_collector_stops_acknowledgements_not_alerts_and_heals)
