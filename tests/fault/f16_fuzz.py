#!/usr/bin/env python3
"""F16: malformed messages and frames, by libFuzzer with ASan and UBSan; seeds are the corpora of tests/fuzz."""
import os
import pathlib
import re
import subprocess
import tempfile
import time

from rig import SEED, TOP, Skip, either, main, need

# what comes from the network, from a spool and from the store's own files
TARGETS = ("fuzz_batch", "fuzz_decode_record", "fuzz_reply", "fuzz_spool", "fuzz_token", "fuzz_store_segment")


def build_missing(build):
    missing = [t for t in TARGETS if not (build / "tests/fuzz" / t).exists()]
    if not missing:
        return
    if os.environ.get("PICKET_FUZZ_BIN"):
        raise Skip(f"{missing[0]} is not built")
    for cmd in (["cmake", "--preset", "fuzz"], ["cmake", "--build", "build/fuzz", "--target", *missing]):
        r = subprocess.run(cmd, cwd=TOP, capture_output=True, text=True)
        assert r.returncode == 0, f"{' '.join(cmd)}: {(r.stdout + r.stderr)[-800:]}"


def one(target, build, seconds):
    """How many inputs it ran."""
    with tempfile.TemporaryDirectory() as work:
        r = subprocess.run([build / "tests/fuzz" / target, f"-max_total_time={seconds}", f"-seed={SEED}", "-timeout=1", "-rss_limit_mb=1024",
                            "-malloc_limit_mb=64", "-max_len=65536", "-print_final_stats=1", f"-artifact_prefix={work}/", work,
                            TOP / "tests/fuzz/corpus" / target], capture_output=True, text=True)
        assert r.returncode == 0, f"{target}: {r.stderr[-600:]}"
        runs = re.search(r"number_of_executed_units: *(\d+)", r.stderr)
        return int(runs[1]) if runs else 0


def fuzz():
    """24 CPU-hours, 0 crashes, 0 leaks, no input slower than 1 s, no allocation above 64 MiB"""
    need("clang")
    build = pathlib.Path(os.environ.get("PICKET_FUZZ_BIN") or TOP / "build/fuzz")
    seconds, parts, began = either(5, 14400), [], time.monotonic()
    build_missing(build)
    built = time.monotonic() - began
    for t in TARGETS:
        n = one(t, build, seconds)
        assert n > 100, f"{t} ran {n} inputs"
        parts.append(f"{t[5:]} {n:,}")
    return (f"{len(TARGETS)} targets for {seconds} s each (built in {built:.0f} s), inputs: {', '.join(parts)}, 0 crashes, 0 leaks", fuzz.__doc__,
            f"{seconds * len(TARGETS)} s of 24 h")


if __name__ == "__main__":
    main(fuzz)
