#!/usr/bin/env python3
"""F9: the network is gone: wholly, one way, now and then; and all come back at once."""
import time

from rig import Proxy, cpu_s, either, main, scene, wait_until


def herd():
    """1,000 agents back in <= 60 s, collector <= 1 core on average meanwhile"""
    agents = either(1000, 1000)
    with scene("f09") as s:
        s.start()
        p = s.fleet_start(agents, 2000, either(14, 75), "--herd", 3, "--watch")
        wait_until("all are connected", 120, lambda: "   2 s:" in s.log("fleet.log"))
        time.sleep(0.9)
        cpu, t = cpu_s(s.pid), time.monotonic()
        wait_until("the cut", 10, lambda: "   3 s:" in s.log("fleet.log"))
        wait_until("all are back", 90, lambda: f"{agents} open" in s.log("fleet.log").split("   3 s:")[1].split("\n", 1)[-1], 0.2)
        cores = (cpu_s(s.pid) - cpu) / (time.monotonic() - t)
        r = s.fleet_end(p)
        s.adds_up(30)
        c = s.check()
        text = (f"{agents} agents cut at once are back after {r['herd_s']:.1f} s, collector {cores:.2f} cores meanwhile, first connected in "
                f"{r['connect_s']:.1f} s, missing {c['missing']}, twice {c['twice']}")
        assert 0 < r["herd_s"] <= 60 and cores <= 1.0, text
        return text, herd.__doc__


def partition(name, doc, act, seconds):
    with scene("f09") as s:
        s.start()
        proxy = Proxy(s.port)
        s.undo.append(proxy.close)
        s.connect_port = proxy.port
        p = s.fleet_start(50, 1000, seconds)
        time.sleep(3)
        healed = act(proxy)
        r = s.fleet_end(p)
        s.adds_up(40)
        c = s.check()
        return (f"{name}: {r['produced']} records, {r['closes']} cut, {r['timeouts']} given up after 15 s, all delivered "
                f"{time.monotonic() - healed:.0f} s after it healed (the run's end included), missing {c['missing']}, twice {c['twice']}"), doc


def both_ways():
    """0 lost; agents back <= 30 s after it heals"""
    def act(proxy):
        proxy.deaf["up"] = proxy.deaf["down"] = True
        time.sleep(either(10, 600))
        proxy.deaf["up"] = proxy.deaf["down"] = False
        return time.monotonic()
    return *partition(f"silent for {either(10, 600)} s", both_ways.__doc__, act, either(16, 620)), "10 s of 10 min"


def one_way():
    """0 lost where answers do not come back"""
    def act(proxy):
        proxy.deaf["down"] = True
        time.sleep(either(18, 60))
        proxy.deaf["down"] = False
        return time.monotonic()
    return *partition(f"answers held for {either(18, 60)} s", one_way.__doc__, act, either(24, 80)), "18 of 60 s"


def flapping():
    """0 lost, 0 twice with connections cut each second"""
    def act(proxy):
        for _ in range(either(8, 60)):
            proxy.cut()
            time.sleep(1)
        return time.monotonic()
    return *partition(f"cut {either(8, 60)} times, once a second", flapping.__doc__, act, either(12, 70)), "8 of 60 cuts"


def hours():
    """6 h away (in virtual time): 0 lost up to the spool's size, all delivered once it heals"""
    away, rate = either(1, 6), 20
    n = away * 3600 * rate
    with scene("f09") as s:
        s.start()
        d = s.enrol()
        s.kill(15)
        s.uplink_end(s.uplink(d, "--rate", 40000, "--count", n, "--span", away * 3600, "--offline", "--spool", 4 << 30, "--seconds", 300), 320)
        s.start()
        t = time.monotonic()
        s.drain(d, 200, "--spool", 4 << 30)
        took = time.monotonic() - t
        s.adds_up(20)
        h = s.host()
        text = f"{away} h at {rate}/s: {n + 1} records, {h['stored']} stored, {h['lost']} lost, delivered in {took:.1f} s ({n / took:.0f}/s)"
        assert h["stored"] == n + 1 and not h["lost"], text
        return text, hours.__doc__, f"{away} of 6 h"


if __name__ == "__main__":
    main(herd, both_ways, one_way, flapping, hours)
