#!/usr/bin/env python3
"""F16: malformed messages and frames, by libFuzzer with ASan and UBSan; seeds are the corpora of tests/fuzz."""
import os
import pathlib
import re
import subprocess
import tempfile

from rig import TOP, Skip, either, main, need

TARGETS = ("fuzz_batch", "fuzz_decode_record", "fuzz_reply", "fuzz_spool", "fuzz_token", "fuzz_store_segment")


def fuzz():
    """24 CPU-hours, 0 crashes, 0 leaks, no input slower than 1 s"""
    need("clang")
    build = pathlib.Path(os.environ.get("PICKET_FUZZ_BIN") or TOP / "build/fuzz")
    seconds, parts = either(6, 14400), []
    there = [t for t in TARGETS if (build / "tests/fuzz" / t).exists()]
    if not there:
        raise Skip("the fuzz targets are not built: ./check fuzz, or cmake --preset fuzz && cmake --build --preset fuzz")
    for t in there:
        with tempfile.TemporaryDirectory() as work:
            r = subprocess.run([build / "tests/fuzz" / t, f"-max_total_time={seconds}", "-timeout=1", "-rss_limit_mb=1024", "-print_final_stats=1",
                                f"-artifact_prefix={work}/", work, TOP / "tests/fuzz/corpus" / t], capture_output=True, text=True)
            assert r.returncode == 0, f"{t}: {r.stderr[-600:]}"
            runs = re.search(r"number_of_executed_units: *(\d+)", r.stderr)
            parts.append(f"{t[5:]} {int(runs[1]):,}" if runs else f"{t[5:]} ?")
    return f"{len(there)} targets for {seconds} s each, inputs: {', '.join(parts)}; 0 crashes, 0 leaks".replace(";", ","), fuzz.__doc__, f"{seconds * len(there)} s of 24 h"


if __name__ == "__main__":
    main(fuzz)
