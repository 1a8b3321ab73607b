#!/usr/bin/env python3
"""F10: delay, jitter, little bandwidth, loss."""
import os
import subprocess
import time

from rig import Proxy, Skip, either, main, need, scene


def through(name, doc, agents, per_s, seconds, settle=90, **how):
    with scene("f10") as s:
        s.start()
        proxy = Proxy(s.port, **how)
        s.undo.append(proxy.close)
        s.connect_port = proxy.port
        r = s.fleet(agents, per_s, seconds, settle=settle)
        s.adds_up(30)
        c = s.check()
        text = (f"{name}: {r['acked']} records of {agents} agents at {per_s}/s, acknowledged after p50 {r['ack_ms']['p50']:.0f} "
                f"p99 {r['ack_ms']['p99']:.0f} ms, {r['acked'] / max(1, r['batches']):.0f} records a batch, {r['timeouts']} given up, "
                f"missing {c['missing']}, twice {c['twice']}")
        assert not r["timeouts"], text
        return text, doc


def delay():
    """200 ms +- 100 ms each way: slower, never stalls"""
    return through("200 ms +- 100 ms each way", delay.__doc__, 10, 200, either(10, 60), delay=0.2, jitter=0.1)


def bandwidth():
    """64 kbit/s: slower, never stalls; batches grow"""
    return through("8,000 bytes/s each connection", bandwidth.__doc__, 4, 40, either(10, 60), rate=8000)


def loss():
    """1 %, 10 %, 30 % of packets lost: slower, never stalls, nothing lost"""
    need("iptables", "ip", "unshare", root=True)
    # in a network namespace of our own: its loopback loses packets
    if os.environ.get("PICKET_IN_NETNS") != "1":
        r = subprocess.run(["unshare", "-n", "sh", "-c", 'ip link set lo up && PICKET_IN_NETNS=1 exec "$0" "$@"', __file__, "loss"],
                           capture_output=True, text=True)
        line = r.stdout.strip().splitlines()[-1] if r.stdout.strip() else r.stderr[-200:]
        if line.startswith("skip"):
            raise Skip(line)
        assert line.startswith("ok"), line
        return line.split(": ", 1)[1].split("; target")[0], loss.__doc__, "6 of 60 s each"
    if subprocess.run(["iptables", "-A", "INPUT", "-p", "tcp", "-m", "statistic", "--mode", "random", "--probability", "0.5", "--dport", "1",
                       "-j", "DROP"], capture_output=True).returncode:
        raise Skip("iptables -m statistic does not work here")
    parts = []
    for pct in (1, 10, 30):
        with scene("f10") as s:
            s.start()
            rule = ["-p", "tcp", "--dport", str(s.port), "-m", "statistic", "--mode", "random", "--probability", str(pct / 100), "-j", "DROP"]
            subprocess.run(["iptables", "-A", "INPUT", *rule], check=True)
            s.undo.append(lambda: subprocess.run(["iptables", "-D", "INPUT", *rule]))
            r = s.fleet(8, 400, either(6, 60), settle=150)
            c = s.check()
            parts.append(f"{pct} %: {r['acked']} records, p50 {r['ack_ms']['p50']:.0f} p99 {r['ack_ms']['p99']:.0f} ms, {r['timeouts']} given up, "
                         f"missing {c['missing']}, twice {c['twice']}")
    return "; ".join(parts).replace(";", ","), loss.__doc__


if __name__ == "__main__":
    main(delay, bandwidth, loss)
