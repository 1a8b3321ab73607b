#!/usr/bin/env python3
"""F21: 10,000 alerts in 10 s. Each receiver hears of them in at most 20 notifications; all of them are kept."""
import re
import sys
import time

import receivers
from rig import LONG, main, wait_until

COUNT, RATE = 10000, 1000
PEOPLE_S = 150  # two windows of a storm


def storm(group_by, wait, count=COUNT, kills=0, how="ok"):
    hook, pager, plain = receivers.Receiver(how), receivers.Receiver(how), receivers.Receiver(how)
    by = f"      group_by: [{group_by}]\n" if group_by else ""
    notify = (f"notify:\n  webhooks:\n    - {{name: hook, url: 'http://127.0.0.1:{hook.port}/'}}\n"
              f"    - {{name: chat, url: 'http://127.0.0.1:{pager.port}/', preset: slack}}\n"
              f"    - {{name: plain, url: 'http://127.0.0.1:{plain.port}/'}}\n"
              f"  routes:\n    - name: all\n      receivers: [hook, chat]\n      group_wait: {wait}\n      group_interval: {wait}\n{by}")
    f = receivers.Fleet(notify)
    try:
        f.start()
        began = time.monotonic()
        p = f.feed(count, RATE, rules=20)
        for _ in range(kills):
            time.sleep(4)
            f.kill()
            f.start()
        out, err = p.communicate(timeout=120)
        assert p.returncode == 0, f"{out}{err}"
        seconds = float(re.search(r"seconds=([\d.]+)", out)[1])
        t = time.monotonic()
        rows = f.items("alert", "list", "--limit", "100")
        inbox_ms = (time.monotonic() - t) * 1000
        assert len(rows) == 100

        def settled():
            return all(r["waiting"] == 0 and r["pending"] == 0 for r in f.items("notify", "list"))
        wait_until(f"everything is told: {f.ctl('notify', 'list', '-o', 'table').stdout}", PEOPLE_S, settled, 1)
        kept = sum(1 for _ in f.items("alert", "list", "rule~\"Feed rule\"", "--limit", "100000"))
        stored = len(f.items("event", "search", "type=finding", "--limit", "100000"))
        every = len(f.items("alert", "list", "--limit", "100000"))  # a busy machine raises some of the collector's own
        assert kept == count, f"{kept} of {count} alerts in the inbox"
        assert stored == count, f"{stored} of {count} findings in the history"
        for name, r in (("hook", hook), ("chat", pager), ("plain", plain)):
            # each start of the collector begins with ten messages at once
            assert 1 <= len(r.took) <= 20 + 11 * kills, f"{name}: {len(r.took)} notifications"
        told = {}
        for name, r in (("hook", hook), ("plain", plain)):
            messages = {c["key"]: c["json"] for c in r.took}.values()  # one that was sent twice has one key
            digests = [m["digest"]["count"] for m in messages if "digest" in m]
            single = sum(len(m["alerts"]) for m in messages if "digest" not in m)
            told[name] = single + sum(digests)
            assert count <= told[name] <= every, f"{name}: {single} alerts and digests of {digests}; {every} alerts in all"
        assert inbox_ms <= 500, f"the inbox took {inbox_ms:.0f} ms"
        return (f"{count} alerts in {seconds:.1f} s; notifications: hook {len(hook.took)}, chat {len(pager.took)}, "
                f"a webhook without a route {len(plain.took)}, together telling of all {count}; "
                f"inbox {inbox_ms:.0f} ms; told after {time.monotonic() - began:.0f} s")
    finally:
        f.close()
        for r in (hook, pager, plain):
            r.close()


def a_storm_grouped_by_rule_and_host():
    """<= 20 notifications a receiver, all 10,000 in history and inbox, the inbox <= 500 ms"""
    return storm(None, "2s")


def a_storm_in_which_each_alert_is_a_group():
    """<= 20 notifications a receiver, all 10,000 in history and inbox, the inbox <= 500 ms"""
    return storm("alert", "1ms")


def a_storm_grouped_by_container_with_a_wait():
    """<= 20 notifications a receiver, all 10,000 in history and inbox, the inbox <= 500 ms"""
    return storm("container", "5s")


def a_storm_that_is_one_group():
    """<= 20 notifications a receiver, all 10,000 in history and inbox, the inbox <= 500 ms"""
    return storm("none", "5s")


def a_storm_in_which_the_collector_is_killed_three_times():
    """the same, and 11 more for each kill"""
    return storm("alert", "1ms", kills=3)


def a_storm_and_receivers_that_take_a_second():
    """<= 20 notifications a receiver, all 10,000 in history and inbox, the inbox <= 500 ms"""
    return storm(None, "50ms", how="slow")


if __name__ == "__main__":
    some = (a_storm_in_which_each_alert_is_a_group, a_storm_in_which_the_collector_is_killed_three_times)
    others = (a_storm_grouped_by_rule_and_host, a_storm_grouped_by_container_with_a_wait, a_storm_that_is_one_group,
              a_storm_and_receivers_that_take_a_second)
    main(*some, *(others if LONG or len(sys.argv) > 1 else ()))
