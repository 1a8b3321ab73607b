#!/usr/bin/env python3
"""F7: the Nth call of the system fails, at the agent's spool and at the collector."""
import random
import time

from rig import SEED, either, main, need, scene, wait_until

CALLS = ("pwrite64", "fdatasync", "ftruncate", "unlinkat", "openat", "pread64")
ERRORS = ("EIO", "ENOSPC", "EINTR")


def agent():
    """no crash, no silent skip: what was not lost and told is delivered"""
    need("strace")
    rnd, rounds = random.Random(SEED), either(12, 500)
    with scene("f07") as s:
        s.start()
        d = s.enrol()
        seen = {}
        for i in range(rounds):
            call, error = CALLS[i % len(CALLS)], ERRORS[i // len(CALLS) % 3]
            n = rnd.randrange(1, 40)
            p = s.uplink(d, "--rate", 4000, "--count", 1200, "--spool", 2 << 20, "--seconds", 15, prefix=(
                "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={n}+37", "-P",
                str(d / "state/spool")) if call == "openat" else (
                "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={n}+37"))
            p.communicate(timeout=60)
            assert p.returncode in (0, 2), f"{call} {error} at {n}: exit {p.returncode}: {s.log('uplink.log')[-300:]}"
            seen[error] = seen.get(error, 0) + 1
        s.drain(d)
        time.sleep(2.5)
        h = s.host()
        text = (f"{rounds} runs with every 37th of a call failing ({', '.join(CALLS)}; {', '.join(f'{k} {v}' for k, v in seen.items())}): 0 crashes, "
                f"produced {h['produced']}, stored {h['stored']}, lost {h['lost']}")
        assert h["produced"] == h["stored"] + h["lost"], text
        return text, agent.__doc__, f"{rounds} of 500 runs"


def collector():
    """no crash, nothing acknowledged and lost, nothing twice"""
    need("strace")
    rnd, rounds = random.Random(SEED), either(6, 100)
    with scene("f07") as s:
        calls = ("pwrite64", "fdatasync", "pread64")
        refused = 0
        for i in range(rounds):
            call, error = calls[i % 3], ERRORS[i % 2]
            n = rnd.randrange(30, 200)
            s.start(prefix=["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={n}+151"])
            p = s.fleet_start(20, 1000, 3, epoch=100 + i, settle=25)
            time.sleep(4)
            alive = s.collector.poll() is None
            assert alive, f"{call} {error}: the collector ended: {s.log()[-400:]}"
            s.kill(15)
            s.start()
            r = s.fleet_end(p)
            refused += r["busy"]
            s.kill(15)
        s.start()
        c = s.check()
        code, out = s.verify()
        text = (f"{rounds} starts with every 151st of a call failing ({', '.join(calls)}): 0 crashes, {refused} requests refused for now, missing {c['missing']}, "
                f"twice {c['twice']}, changed {c['changed']}, verify {code}")
        assert code == 0, text + out[-300:]
        return text, collector.__doc__, f"{rounds} of 100 starts"


if __name__ == "__main__":
    main(agent, collector)
