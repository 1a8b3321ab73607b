#!/usr/bin/env python3
"""Counts the cases of a ctest run (JUnit file) for ./check: one line a failure or skip, totals last.

usage: report.py JUNIT  ->  prints 'not ok …', 'skip …' lines and, last, 'COUNT passed failed skipped'
"""
import re
import sys
import xml.etree.ElementTree as ET

CASE = re.compile(r"^\[\s+(OK|FAILED|SKIPPED|ERROR)\s+\] (\S+)$", re.M)


def main(path):
    passed = failed = skipped = 0
    for case in ET.parse(path).getroot().iter("testcase"):
        name, status = case.get("name"), case.get("status")
        out = (case.findtext("system-out") or "")
        seen = {}
        for verdict, test in CASE.findall(out):
            if not test.isdigit():
                seen[test] = verdict
        if status in ("notrun", "disabled") or "SKIP_RETURN_CODE" in (case.get("message") or ""):
            reason = out.strip().splitlines()[-1] if out.strip() else "not run"
            print(f"skip {name}: {reason}")
            skipped += 1
            continue
        bad = [t for t, v in seen.items() if v in ("FAILED", "ERROR")]
        for t in bad:
            print(f"not ok {name}: {t}")
        for t, v in seen.items():
            if v == "SKIPPED":
                reason = re.findall(r"^skip: (.*)$", out, re.M)
                print(f"skip {name}: {t}" + (f" ({reason[0]})" if reason else ""))
                skipped += 1
        passed += sum(v == "OK" for v in seen.values())
        failed += len(bad)
        if status == "fail" and not bad:
            print(f"not ok {name}: died or timed out")
            failed += 1
        if status == "run" and not seen:
            passed += 1
        if status == "fail":
            print("\n".join("    " + line for line in out.strip().splitlines()[-40:]))
    print("COUNT", passed, failed, skipped)


main(sys.argv[1])
