#!/usr/bin/env python3
"""The audit: every container judged as it starts, by what it really is; findings in the collector, and mended."""
import json
import os
import time

from lib import Fleet, main, wait_until

IMAGE = "test/busybox:1.0"

# name -> options (PRIVILEGED: as this host can), what must be found, at least as bad as
BAD = {
    "privileged": (["PRIVILEGED"], {"PKT-C-005": "critical"}),
    "hostpid": (["--pid", "host"], {"PKT-C-016": "high"}),
    "hostipc": (["--ipc", "host"], {"PKT-C-017": "high"}),
    "hostuts": (["--uts", "host"], {"PKT-C-021": "low"}),
    "joinspid": (["--pid", "container:hostpid"], {"PKT-C-016": "high"}),
    "sock": (["-v", "SOCK:/var/run/docker.sock"], {"PKT-C-032": "critical"}),
    "sockro": (["-v", "SOCK:/s:ro"], {"PKT-C-032": "critical"}),
    "sockdir": (["-v", "SOCKDIR:/srv"], {"PKT-C-032": "critical"}),
    "socklink": (["-v", "SOCKLINK:/srv"], {"PKT-C-032": "critical"}),
    "etc": (["-v", "/etc:/host-etc"], {"PKT-C-006": "high"}),
    "root": (["-v", "/:/host:ro"], {"PKT-C-006": "critical"}),
    "cap": (["--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN"], {"PKT-C-004": "high"}),
    "unconfined": (["--security-opt", "seccomp=unconfined"], {"PKT-C-022": "critical"}),
    "allowall": (["--security-opt", "seccomp=ALLOWALL"], {"PKT-C-112": "high"}),
    "nnpfalse": (["--security-opt", "no-new-privileges:false"], {"PKT-C-026": "medium"}),
    "device": (["--device", "/dev/kmsg"], {"PKT-C-018": "high"}),
    "user00": (["--user", "0:0"], {"PKT-C-001": "medium"}),
    "secret": (["-e", "DB_PASSWORD=hunter2hunter2"], {"PKT-C-106": "high"}),
    "always": (["--restart", "always"], {"PKT-C-015": "low"}),
    "pids": (["--pids-limit", "-1"], {"PKT-C-029": "medium"}),
    "bindvolume": (["--mount", "type=volume,dst=/v,volume-opt=type=none,volume-opt=o=bind,volume-opt=device=/etc"], {"PKT-C-107": "high"}),
}
GOOD = ["--user", "1000:1000", "--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,nodev,size=1m", "--cap-drop", "ALL", "--security-opt",
        "no-new-privileges", "--memory", "32m", "--cpus", "0.2", "--pids-limit", "32", "--ulimit", "nofile=256:256", "--restart",
        "on-failure:5", "--health-cmd", "true", "--health-interval", "1h"]
LEVELS = ["info", "low", "medium", "high", "critical"]


class Audit:
    """A fleet with an engine; containers by name."""

    def __init__(self, extra=""):
        self.f = f = Fleet(docker=True, agent_extra=extra)
        (f.dir / "allow-all.json").write_text('{"defaultAction":"SCMP_ACT_ALLOW"}')
        os.symlink(f.docker_dir, f.dir / "link")
        self.words = {"SOCK": f"{f.docker_dir}/d.sock", "SOCKDIR": str(f.docker_dir), "SOCKLINK": f"{f.dir}/link/d.sock",
                      "ALLOWALL": f"{f.dir}/allow-all.json"}
        self.privileged = ["--privileged"]
        daemon = json.loads((f.docker_dir / "daemon.json").read_text())
        if "limited" in daemon.get("runtimes", {}):
            self.privileged += ["--runtime", "limited"]

    def option(self, o):
        if o == "PRIVILEGED":
            return self.privileged
        head, sep, tail = o.partition(":")
        if head in self.words:
            return [self.words[head] + sep + tail]
        return [o.replace("ALLOWALL", self.words["ALLOWALL"])]

    def run(self, name, options):
        args = [x for o in options for x in self.option(o)]
        return self.f.docker("run", "-d", "--name", name, "--network", "none", *args, IMAGE, "sleep", "1000")

    def findings(self, *filters):
        return self.f.items("finding", "list", "--limit", "10000", *filters)

    def of(self, name):
        return {x["check"]: x for x in self.findings(f"container={name}") if x["status"] in ("new", "still")}

    def close(self):
        self.f.close()


def every_fault_is_found_in_the_right_container():
    a = Audit()
    try:
        a.f.up()
        for name, (options, _) in BAD.items():
            a.run(name, options)
        a.run("good", GOOD)
        a.f.settle()
        missing = []
        for name, (_, wanted) in BAD.items():
            have = wait_until(f"{name} was audited", 20, lambda: a.of(name))
            for check, level in wanted.items():
                if check not in have or LEVELS.index(have[check]["severity"]) < LEVELS.index(level):
                    missing.append(f"{name}: {check} {level}, not {have.get(check, {}).get('severity')}")
        assert not missing, missing
        good = wait_until("good was audited", 20, lambda: a.of("good"))
        bad = {c: x["evidence"] for c, x in good.items() if LEVELS.index(x["severity"]) >= LEVELS.index("high")}
        assert not bad, bad
        # what is one container's fault is nobody else's
        for check, owners in {"PKT-C-005": {"privileged"}, "PKT-C-032": {"sock", "sockro", "sockdir", "socklink", "root"},
                              "PKT-C-112": {"allowall"}, "PKT-C-022": {"unconfined", "privileged"}, "PKT-C-106": {"secret"},
                              "PKT-C-107": {"bindvolume"}, "PKT-C-018": {"device", "privileged"}}.items():
            found = {x["subject"]["name"] for x in a.findings(f"check={check}", "subject=container") if x["status"] in ("new", "still")}
            assert found <= owners, f"{check} also in {found - owners}"
        took = a.f.status()["audit"]
        return f"{len(BAD)} faults, none in the good one; audit after start: last {took['last_took_us'] / 1000:.0f} ms, worst {took['worst_took_us'] / 1000:.0f} ms"
    finally:
        a.close()


def what_is_mended_closes_and_what_changes_is_seen():
    a = Audit()
    try:
        a.f.up()
        a.run("web", [])
        wait_until("no memory limit is found", 20, lambda: "PKT-C-011" in a.of("web"))
        a.f.docker("update", "--memory", "64m", "--memory-swap", "64m", "web")
        wait_until("it is mended", 20, lambda: "PKT-C-011" not in a.of("web") and a.of("web"))
        mended = [x for x in a.findings("container=web", "check=PKT-C-011", "status=mended")]
        assert len(mended) == 1 and mended[0]["mended"], mended
        # a program with more rights than its container, by an engine that nobody asked us about
        a.f.docker("exec", "-d", "--privileged", "web", "sleep", "50", check=False)
        ran = a.f.docker("exec", "web", "true", check=False)
        assert ran.returncode == 0, ran
        first = {x["id"] for x in a.findings("container=web", "check=PKT-C-013")}
        a.f.docker("rm", "-f", "web")
        wait_until("it is closed with its container", 20, lambda: not a.of("web"))
        # one of the same name has the same finding again, not a new one
        a.run("web", [])
        wait_until("it is open again", 20, lambda: "PKT-C-013" in a.of("web"))
        assert {x["id"] for x in a.findings("container=web", "check=PKT-C-013")} == first
    finally:
        a.close()


def a_waiver_keeps_it_quiet_until_it_ends():
    a = Audit()
    try:
        a.f.up()
        a.run("priv", ["PRIVILEGED"])
        found = wait_until("privileged is found", 20, lambda: a.of("priv").get("PKT-C-005"))
        a.f.ctl("finding", "waive", str(found["id"]), "--reason", "needs the disk", "--until", time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86400)))
        waived = wait_until("it is waived", 10, lambda: a.findings("container=priv", "check=PKT-C-005", "status=waived"))
        assert "PKT-C-005" not in a.of("priv"), a.of("priv")
        assert "needs the disk" in a.f.ctl("finding", "show", str(waived[0]["id"]), "-o", "json").stdout, waived
    finally:
        a.close()


def against_the_policy_and_there_all_the_same():
    a = Audit()
    try:
        (a.f.dir / "agent").mkdir(exist_ok=True)
        (a.f.dir / "agent" / "policy.yaml").write_text("access_control:\n  runtime_access:\n    deny_privileged: true\nmode: monitor\n")
        a.f.up()
        a.run("priv", ["PRIVILEGED"])
        found = wait_until("the policy speaks", 20, lambda: [c for c in a.of("priv") if c.startswith("PKT-P-AC-")])
        state = a.f.status()["policy"]
        assert state["source"] == "file" and "runtime=monitor" in state["mode"], state
        # a broken one leaves the old in force, and says so
        (a.f.dir / "agent" / "policy.yaml").write_text("access_control:\n  runtime_acess: {}\n")
        state = wait_until("the error is told", 10, lambda: a.f.status()["policy"]["error"] and a.f.status()["policy"])
        assert "policy.yaml:2:" in state["error"] and state["digest"], state
        wait_until("an alert says so", 30, lambda: [x for x in a.f.alerts() if "policy" in x["title"].lower() and x["source"] in ("system", "policy")])
        return f"{found}"
    finally:
        a.close()


def the_command_says_the_same_and_is_the_gate():
    a = Audit()
    try:
        a.f.up()
        a.run("priv", ["PRIVILEGED"])
        a.run("good", GOOD)
        sock = f"{a.f.docker_dir}/d.sock"
        r = a.f.run("agent", "audit", "--docker-socket", sock, "--format", "json", check=False)
        out = json.loads(r.stdout)
        targets = {x["target"] for x in out["results"] if x["id"] == "PKT-C-005" and x["status"] == "fail"}
        assert any("priv" in t for t in targets) and not any("good" in t for t in targets), targets
        assert a.f.run("agent", "audit", "--docker-socket", sock, "--container", "priv", "--fail-on", "critical", check=False).returncode == 1
        assert a.f.run("agent", "audit", "--docker-socket", sock, "--container", "good", "--fail-on", "critical", check=False).returncode == 0
        assert a.f.run("agent", "audit", "--docker-socket", sock, "--container", "nosuch", check=False).returncode == 5
        for i in range(28):
            a.run(f"n{i}", [])
        since = time.monotonic()
        r = a.f.run("agent", "audit", "--docker-socket", sock, "--format", "json", check=False)
        took = time.monotonic() - since
        assert len({x["target"] for x in json.loads(r.stdout)["results"] if x["id"] == "PKT-C-005"}) == 30
        assert took < 3, took
        return f"a whole host with 30 containers in {took:.2f} s"
    finally:
        a.close()


def the_audit_log_says_how_each_container_was_made():
    a = Audit()
    try:
        a.f.up()
        a.run("made", ["--cap-add", "NET_ADMIN", "-v", "/etc:/host-etc:ro", "--memory", "64m"])
        a.f.settle()
        started = wait_until("its start is there", 10, lambda: a.f.events("container=made", "type=container.start"))[0]
        text = json.dumps(started)
        for word in ("NET_ADMIN", "/host-etc", "67108864"):
            assert word in text, text
        return text[:300]
    finally:
        a.close()


if __name__ == "__main__":
    main(every_fault_is_found_in_the_right_container, what_is_mended_closes_and_what_changes_is_seen,
         a_waiver_keeps_it_quiet_until_it_ends, against_the_policy_and_there_all_the_same,
         the_command_says_the_same_and_is_the_gate, the_audit_log_says_how_each_container_was_made)
