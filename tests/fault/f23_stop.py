#!/usr/bin/env python3
"""F23: processes that stand still, are killed for memory, or have a fork bomb beside them."""
import os
import pathlib
import signal
import subprocess
import time

from rig import Skip, die_with_parent, either, main, scene


def stopped_collector():
    """nothing lost or twice after the collector stood still; agents go on by themselves"""
    still = either(18, 30)
    with scene("f23") as s:
        s.start()
        p = s.fleet_start(100, 2000, still + 8)
        time.sleep(3)
        os.kill(s.pid, signal.SIGSTOP)
        time.sleep(still)
        os.kill(s.pid, signal.SIGCONT)
        r = s.fleet_end(p)
        s.adds_up(30)
        c = s.check()
        return (f"stood still for {still} s: {r['produced']} records, {r['timeouts']} requests given up after 15 s, {r['opens']} connections, "
                f"missing {c['missing']}, twice {c['twice']}"), stopped_collector.__doc__, f"{still} of 30 s"


def stopped_agents():
    """the same for the agents' side"""
    still = either(8, 30)
    with scene("f23") as s:
        s.start()
        p = s.fleet_start(100, 2000, still + 8)
        time.sleep(3)
        p.send_signal(signal.SIGSTOP)
        time.sleep(still)
        p.send_signal(signal.SIGCONT)
        r = s.fleet_end(p)
        s.adds_up(30)
        c = s.check()
        return f"stood still for {still} s: {r['produced']} records, missing {c['missing']}, twice {c['twice']}", stopped_agents.__doc__, f"{still} of 30 s"


def memory_group(name, bytes_max):
    for root, limit, sign in (("/sys/fs/cgroup", "memory.max", "cgroup.controllers"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "cgroup.procs")):
        group = pathlib.Path(root, name)
        if not pathlib.Path(root, sign).exists():  # a tmpfs takes any folder
            continue
        try:
            group.mkdir()
            (group / limit).write_text(str(bytes_max))
            return group
        except OSError:
            if group.exists():
                group.rmdir()
    raise Skip("no memory cgroup to be had here")


def out_of_memory():
    """killed by the kernel for memory: as a kill, nothing lost or twice"""
    with scene("f23") as s:
        group = memory_group(f"picket-f23-{os.getpid()}", 64 << 20)
        s.undo.append(group.rmdir)
        inside = ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh"]
        s.start(prefix=inside)
        p = s.fleet_start(50, 1000, 14)
        time.sleep(3)
        # the rest of the limit is eaten by a neighbour in the same group; the collector is to be the victim
        pathlib.Path(f"/proc/{s.pid}/oom_score_adj").write_text("1000")
        eater = s.spawn("python3", "-c", "import time,sys\nopen('/proc/self/oom_score_adj','w').write('-999')\n"
                        f"open('{group}/cgroup.procs','w').write('0')\nx=[]\n"
                        "for i in range(58):\n x.append(b'x' * (1<<20)); time.sleep(0.02)\ntime.sleep(60)")
        end = time.monotonic() + 15
        while s.collector.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        died = s.collector.poll()
        eater.kill()
        eater.wait()
        if died is None:
            raise Skip("the kernel killed nobody (swap, or limits that do not bind)")
        took = s.start()
        r = s.fleet_end(p)
        s.adds_up(30)
        c = s.check()
        return (f"collector killed by the kernel, serving {took:.2f} s after its start, {r['produced']} records, missing {c['missing']}, "
                f"twice {c['twice']}"), out_of_memory.__doc__


def fork_bomb():
    """a fork bomb beside it: nothing lost, the slowest acknowledgement told"""
    with scene("f23") as s:
        s.start()
        p = s.fleet_start(50, 1000, 12)
        time.sleep(3)
        bomb = subprocess.Popen(["python3", "-c", "import os,time\nend=time.time()+5\nkids=0\n"
                                 "while time.time()<end:\n"
                                 "  while kids<150:\n    pid=os.fork()\n    if not pid:\n      t=time.time()\n      while time.time()-t<0.3: pass\n      os._exit(0)\n    kids+=1\n"
                                 "  os.wait(); kids-=1\nwhile kids: os.wait(); kids-=1"], preexec_fn=die_with_parent)
        s.undo.append(bomb.kill)
        bomb.wait(60)
        r = s.fleet_end(p)
        s.adds_up(30)
        c = s.check()
        return (f"150 spinning processes for 5 s: {r['produced']} records, acknowledged after p99 {r['ack_ms']['p99']:.0f} ms, "
                f"max {r['ack_ms']['max']:.0f} ms, missing {c['missing']}, twice {c['twice']}"), fork_bomb.__doc__


if __name__ == "__main__":
    main(stopped_collector, stopped_agents, out_of_memory, fork_bomb)
