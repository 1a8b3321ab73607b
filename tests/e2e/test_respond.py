#!/usr/bin/env python3
"""Responses: kill, stop, pause, disconnect; a dry run; each an event at the collector and in the audit log."""
import os
import shutil
import signal
import statistics
import subprocess
import time

from lib import Fleet, main, wait_until

IMAGE = "test/busybox:1.0"
MEMFD = 777  # the number its name is made of: rules here must hit nothing else on this host

RULES = """
- rule: memfd
  desc: decided in the kernel
  condition: evt.type in (execve, execveat) and proc.name = "777" and proc.is_exe_from_memfd = true
  output: memfd %proc.name
  priority: CRITICAL
- rule: forbidden
  desc: decided in the kernel
  condition: evt.type = execve and proc.exepath = {dir}/forbidden
  output: forbidden %proc.exepath
  priority: CRITICAL
- rule: secret
  desc: decided in user space
  condition: evt.type in (open, openat, openat2) and fd.name = {dir}/secret
  output: secret %fd.name
  priority: CRITICAL
- rule: stopme
  desc: x
  condition: evt.type = execve and container.id != host and proc.args contains pk-stop
  output: stop %proc.args
  priority: WARNING
- rule: pauseme
  desc: x
  condition: evt.type = execve and container.id != host and proc.args contains pk-pause
  output: pause %proc.args
  priority: WARNING
- rule: cutme
  desc: x
  condition: evt.type = execve and container.id != host and proc.args contains pk-cut
  output: cut %proc.args
  priority: WARNING
"""

RESPONSE = """response:
  mode: {mode}
  rules:
    - rule: memfd
      action: kill
    - rule: forbidden
      action: kill
    - rule: secret
      action: kill
"""
OF_CONTAINERS = """    - rule: stopme
      action: stop
    - rule: pauseme
      action: pause
    - rule: cutme
      action: disconnect
"""


def fleet(mode, docker=False):
    f = Fleet(docker=docker, agent_extra=RESPONSE.format(mode=mode) + (OF_CONTAINERS if docker else ""))
    try:
        _up(f, docker)
    except BaseException:
        f.close()
        raise
    return f


def _up(f, docker):
    rules = f.dir / "rules.yaml"
    rules.write_text(RULES.format(dir=f.dir))
    (f.dir / "secret").write_text("geheim\n")
    shutil.copy("/bin/touch", f.dir / "forbidden")
    f.start_collector()
    f.enrol(rules=rules)
    f.start_agent()
    if docker:
        wait_until("the engine is connected", 15, lambda: f.status()["world"]["engine_connected"])


def run_memfd(marker):
    """A program that is in no file system touches a file. Returns how it ended."""
    touch = open("/bin/touch", "rb").read()
    pid = os.fork()
    if pid == 0:
        try:
            fd = os.memfd_create("pk", 0)
            os.write(fd, touch)
            os.dup2(fd, MEMFD)
            os.execv(f"/proc/self/fd/{MEMFD}", ["touch", str(marker)])
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def run_forbidden(f, marker):
    return subprocess.run([f.dir / "forbidden", marker]).returncode


def read_secret(f, marker):
    """Reads, then does for a while what the kill must come before."""
    p = subprocess.run(["/bin/sh", "-c", f'read x <{f.dir}/secret; sleep 1; echo "$x" >{marker}'])
    return p.returncode


def actions(f, kind, **want):
    return [e for e in f.events("type=action") if e["action"]["kind"] == kind
            and all(e["action"][k] == v for k, v in want.items())]


def one_action(f, kind, **want):
    found = wait_until(f"the {kind} is told: {want}", 5, lambda: actions(f, kind, **want))
    assert len(found) == 1, found
    return found[0]


def audited(f, what):
    return [a for a in f.items("audit-log", "list", "--limit", "1000") if a["what"] == what]


def a_dry_run_says_and_does_nothing():
    f = fleet("dry-run", docker=True)
    try:
        for i, run in enumerate((run_memfd, lambda m: run_forbidden(f, m), lambda m: read_secret(f, m))):
            marker = f.dir / f"ran-{i}"
            assert run(marker) == 0 and marker.exists(), i
        for rule in ("memfd", "forbidden", "secret"):
            e = one_action(f, "kill", rule=rule)
            # a program so short has ended before the agent looked
            assert e["action"]["dry_run"] and not e["action"]["done"], e
            assert e["action"]["why"] in ("dry run", "already gone"), e
        assert actions(f, "kill", rule="secret", why="dry run"), "the shell that read was still there"
        f.docker("run", "-d", "--name", "box", "--network", "none", IMAGE, "sleep", "1000")
        f.docker("exec", "box", "echo", "pk-stop", "pk-pause")
        for kind in ("stop", "pause"):
            e = one_action(f, kind)
            assert e["action"]["why"] == "dry run" and e["container"]["name"] == "box", e
            assert len(audited(f, f"action.{kind} (dry run)")) == 1
        assert f.docker("inspect", "-f", "{{.State.Status}}", "box").stdout.strip() == "running"
    finally:
        f.close()


def the_kernel_kills_before_the_first_instruction():
    f = fleet("enforce")
    try:
        for i in range(20):
            marker = f.dir / f"ran-{i}"
            ended = run_memfd(marker) if i % 2 else run_forbidden(f, marker)
            assert ended == -signal.SIGKILL, f"{i}: ended with {ended}"
            assert not marker.exists(), f"{i}: it ran"
        for rule in ("memfd", "forbidden"):
            rows = wait_until("each kill is told", 5, lambda: (lambda r: len(r) >= 10 and r)(actions(f, "kill", rule=rule)))
            assert len(rows) == 10, f"{len(rows)} told for 10 kills by {rule}"
            assert all(e["action"]["by_kernel"] and e["action"]["done"] for e in rows), rows
        assert len(audited(f, "action.kill")) == 20
        assert {a["rule"]["name"] if isinstance(a["rule"], dict) else a["rule"] for a in f.alerts()} >= {"memfd", "forbidden"}
    finally:
        f.close()


def a_rule_on_open_kills_from_user_space():
    f = fleet("enforce")
    try:
        count = 20
        for i in range(count):
            marker = f.dir / f"ran-{i}"
            assert read_secret(f, marker) == -signal.SIGKILL, i
            assert not marker.exists()
        rows = wait_until("each kill is told", 5, lambda: (lambda r: len(r) >= count and r)(actions(f, "kill", rule="secret")))
        assert len(rows) == count and all(e["action"]["done"] and not e["action"]["by_kernel"] for e in rows), rows
        assert all(e["process"]["name"] == "sh" for e in rows), rows[0]
        took = sorted(e["action"]["took_ns"] / 1e6 for e in rows)
        assert len(audited(f, "action.kill")) == count
        with open(f.dir / "secret") as mine:  # this process is above the agent
            mine.read()
        e = one_action(f, "kill", rule="secret", done=False)
        assert e["action"]["why"] == "protected: the agent runs below it", e
        return f"open to kill: median {statistics.median(took):.1f} ms, worst {took[-1]:.1f} ms"
    finally:
        f.close()


def containers_are_stopped_paused_and_cut_off():
    f = fleet("enforce", docker=True)
    network = None
    try:
        def state(name, what="{{.State.Status}}"):
            return f.docker("inspect", "-f", what, name).stdout.strip()

        for name in ("stopped", "paused", "bystander"):
            f.docker("run", "-d", "--name", name, "--network", "none", IMAGE, "sleep", "1000")
        notes = []
        for name, kind, word, want in (("stopped", "stop", "pk-stop", "exited"), ("paused", "pause", "pk-pause", "paused")):
            f.docker("exec", name, "sh", "-c", f": {word}; sleep 20", check=False) if kind == "stop" else \
                subprocess.Popen(["docker", "-H", f"unix://{f.docker_dir}/d.sock", "exec", name, "echo", word],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            e = one_action(f, kind, done=True)
            assert e["container"]["name"] == name, e
            assert state(name) == want, state(name)
            assert len(audited(f, f"action.{kind}")) == 1
            notes.append(f"{kind} {e['action']['took_ns'] / 1e6:.0f} ms")
        # the first process of a container: the engine is still starting it
        f.docker("run", "-d", "--name", "fresh", "--network", "none", IMAGE, "sh", "-c", ": pk-stop; sleep 1000", check=False)
        wait_until("the fresh one is stopped", 8, lambda: state("fresh") == "exited")
        # none of it was asked of others
        assert state("bystander") == "running"
        r = f.docker("network", "create", "--internal", "--subnet", "10.213.77.0/24", "picket-e2e", check=False)
        if r.returncode:
            return ", ".join(notes) + "; no bridge can be made here: disconnect is in guard_test_docker only"
        network = "picket-e2e"
        f.docker("run", "-d", "--name", "cut", "--network", network, IMAGE, "sleep", "1000")
        f.docker("exec", "cut", "echo", "pk-cut")
        e = one_action(f, "disconnect", done=True)
        assert e["container"]["name"] == "cut" and state("cut") == "running", e
        assert state("cut", "{{len .NetworkSettings.Networks}}") == "0"
        f.docker("exec", "bystander", "echo", "pk-cut")
        e = one_action(f, "disconnect", done=False)
        assert e["action"]["why"] == "it is in no network", e
        assert len(audited(f, "action.disconnect")) == 2
        return ", ".join(notes)
    finally:
        if network:
            f.docker("rm", "-f", "cut", check=False)
            f.docker("network", "rm", network, check=False)
        f.close()


main(a_dry_run_says_and_does_nothing,
     the_kernel_kills_before_the_first_instruction,
     a_rule_on_open_kills_from_user_space,
     containers_are_stopped_paused_and_cut_off)
