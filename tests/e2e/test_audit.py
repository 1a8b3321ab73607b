#!/usr/bin/env python3
"""The audit: every container judged as it starts, by what it really is; findings in the collector, and mended."""
import io
import json
import os
import shutil
import signal
import tarfile
import time

from lib import Fleet, Skip, main, wait_until

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
    "cap": (["--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN"], {"PKT-C-004": "high", "PKT-C-112": "medium"}),
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
                              # the engine's profile lets SYS_ADMIN mount
                              "PKT-C-112": {"allowall", "cap"}, "PKT-C-022": {"unconfined", "privileged"}, "PKT-C-106": {"secret"},
                              "PKT-C-107": {"bindvolume"}, "PKT-C-018": {"device", "privileged"}}.items():
            found = {x["subject"]["name"] for x in a.findings(f"check={check}")
                     if x["subject"]["kind"] == "container" and x["status"] in ("new", "still")}
            assert found and found <= owners, f"{check} in {found}, not only in {owners}"
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


def make_tar(path, files):
    """files: name -> (mode, content); what `docker import` takes."""
    with tarfile.open(path, "w") as t:
        for name, (mode, content) in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            t.addfile(info, io.BytesIO(content))
    return path


def busybox():
    with open(shutil.which("busybox", path=os.environ["PATH"] + ":/usr/sbin:/sbin"), "rb") as f:
        return f.read()


def images(a):
    """Findings of images, by the image's name: {check: finding}."""
    found = {}
    for x in a.findings():
        if x["subject"]["kind"] == "image" and x["status"] in ("new", "still"):
            found.setdefault(x["subject"]["name"], {})[x["check"]] = x
    return found


def an_image_is_judged_once_when_it_appears():
    a = Audit()
    try:
        a.f.up()
        wait_until("the image that is there is judged", 90, lambda: IMAGE in images(a))
        counted = a.f.status()["audit"]
        tar = make_tar(a.f.dir / "one.tar", {"bin/busybox": (0o755, busybox())})
        a.f.docker("import", "--change", "ENV DB_PASSWORD=hunter2hunter2", tar, "test/imported:1")
        wait_until("an imported one is judged", 60, lambda: "PKT-I-009" in images(a).get("test/imported:1", {}))
        a.f.docker("save", "-o", a.f.dir / "saved.tar", "test/imported:1")
        make_tar(a.f.dir / "two.tar", {"etc/x": (0o644, b"x")})
        (a.f.dir / "Dockerfile").write_text("FROM test/imported:1\nEXPOSE 22\n")
        built = a.f.docker("build", "-t", "test/built:1", "-f", a.f.dir / "Dockerfile", a.f.dir / "agent", check=False)
        if built.returncode == 0:
            wait_until("a built one is judged", 60, lambda: "PKT-I-011" in images(a).get("test/built:1", {}))
        settled = wait_until("nothing waits", 10, lambda: a.f.status()["audit"]["waiting"] == 0 and a.f.status()["audit"])
        # another name of it is no other image, and neither is the same once more
        a.f.docker("tag", "test/imported:1", "test/another:2")
        a.f.docker("load", "-i", a.f.dir / "saved.tar")
        time.sleep(2.5)
        again = a.f.status()["audit"]
        assert again["reports"] == settled["reports"] and again["images"] == settled["images"], (settled, again)
        # one that is gone is closed, and not asked for any more
        a.f.docker("rmi", "-f", *(["test/built:1"] if built.returncode == 0 else []), "test/another:2", "test/imported:1")
        wait_until("its findings are closed", 20, lambda: not {"test/imported:1", "test/built:1"} & images(a).keys())
        gone = a.f.status()["audit"]
        assert gone["images"] == counted["images"] and gone["failed"] == counted["failed"], (counted, gone)
        a.f.docker("load", "-i", a.f.dir / "saved.tar")
        wait_until("a loaded one is judged", 60, lambda: "PKT-I-009" in images(a).get("test/imported:1", {}))
        return f"imported, loaded{', built' if built.returncode == 0 else ' (nothing can be built here)'}: once each; removed: closed"
    finally:
        a.close()


def what_is_in_an_images_files_is_judged():
    a = Audit()
    try:
        a.f.up()
        passwd = b"root:x:0:0:root:/root:/bin/sh\napp:x:0:0::/:/bin/sh\nok:x:1000:1000::/:/bin/sh\n"
        tar = make_tar(a.f.dir / "files.tar", {"bin/busybox": (0o755, busybox()), "bin/sleep": (0o755, busybox()),
                                               "usr/bin/raise": (0o4755, b"x"), "etc/passwd": (0o644, passwd)})
        for user in ("app", "ok"):
            a.f.docker("import", "--change", f"USER {user}", tar, f"test/files-{user}:1")
            a.f.docker("run", "-d", "--name", f"f-{user}", "--network", "none", f"test/files-{user}:1", "sleep", "1000")
        wait_until("the stock of both is taken, and they are judged by it", 60, lambda: all(
            "raise" in images(a).get(f"test/files-{u}:1", {}).get("PKT-I-007", {}).get("evidence", "") for u in ("app", "ok")))
        found = images(a)
        assert "uid 0" in found["test/files-app:1"]["PKT-I-001"]["evidence"], found["test/files-app:1"]
        assert "PKT-I-001" not in found["test/files-ok:1"], found["test/files-ok:1"]
        inside = wait_until("so are their containers", 20, lambda: "PKT-C-111" in a.of("f-ok") and a.of("f-ok"))
        assert "raise" in inside["PKT-C-111"]["evidence"], inside["PKT-C-111"]
        # the command knows what the agent knows, and looks by itself where it is asked for one
        sock, state = f"{a.f.docker_dir}/d.sock", a.f.dir / "agent" / "state"

        def verdicts(*args):
            r = a.f.run("agent", "audit", "--docker-socket", sock, "--format", "json", *args, check=False)
            return {(x["target"], x["id"]): x["status"] for x in json.loads(r.stdout)["results"]}
        for args in (["--state-dir", state], ["--state-dir", a.f.dir / "none", "--container", "f-ok", "--image", "test/files-app:1"]):
            v = verdicts(*args)
            assert any(i == "PKT-C-111" and s == "fail" and "f-ok" in t for (t, i), s in v.items()), (args, v)
            assert any(i == "PKT-I-001" and s == "fail" and "files-app" in t for (t, i), s in v.items()), (args, v)
        v = verdicts("--state-dir", a.f.dir / "none")
        assert not any(i == "PKT-C-111" and s == "fail" for (_, i), s in v.items()), v
    finally:
        a.close()


def a_filter_is_read_once():
    """Reading one wakes the first process: the kernel counts how often it was."""
    a = Audit()
    try:
        a.f.up()
        a.run("quiet", [])
        wait_until("it was audited", 20, lambda: a.of("quiet"))
        pid = a.f.docker("inspect", "-f", "{{.State.Pid}}", "quiet").stdout.strip()

        def status(key):
            with open(f"/proc/{pid}/status") as f:
                return next((line.split()[1] for line in f if line.startswith(key + ":")), None)

        if status("Seccomp_filters") in (None, "0"):
            raise Skip("no filter, or the kernel does not count them")
        time.sleep(1)
        before, reports = status("voluntary_ctxt_switches"), a.f.status()["audit"]["reports"]
        for limit in ("64m", "65m", "66m"):
            a.f.docker("update", "--memory", limit, "--memory-swap", limit, "quiet")
            reports = wait_until("it is audited again", 20, lambda: a.f.status()["audit"]["reports"] > reports and a.f.status()["audit"]["reports"])
        assert status("voluntary_ctxt_switches") == before, (before, status("voluntary_ctxt_switches"))
        assert "PKT-C-112" not in a.of("quiet"), a.of("quiet")
        # what reads it is no attack
        seen = [x for x in a.f.items("alert", "list", "--limit", "1000") if x["rule"] == "Process taken over by ptrace"
                and (x["process"] or {}).get("name") == "picket-agent"]
        assert not seen, seen
        # who knows nothing of it has to read it
        a.f.run("agent", "audit", "--docker-socket", f"{a.f.docker_dir}/d.sock", "--container", "quiet", check=False)
        assert int(status("voluntary_ctxt_switches")) > int(before)
    finally:
        a.close()


# As an engine that gives more than it was asked for, or does not say what it gives.
SNEAKY = """#!/bin/bash
filter='.process.capabilities |= map_values(. + ["CAP_SYS_PTRACE"] | unique)
 | .mounts += [{"destination": "/mnt", "type": "bind", "source": "/etc", "options": ["rbind", "ro"]}]
 | .linux.namespaces |= map(select(.type != "uts")) | del(.hostname)'
previous=
for a in "$@"; do
	file=
	case $previous in --bundle|-b) file=$a/config.json ;; esac
	case $a in --bundle=*) file=${a#*=}/config.json ;; esac
	previous=$a
	[ -f "$file" ] && jq -c "$filter" "$file" >"$file.new" && cat "$file.new" >"$file" && rm -f "$file.new"
done
PATH=$PATH:/usr/sbin:/sbin exec runc "$@"
"""
POLICY = """access_control:
  runtime_access:
    deny_host_namespaces: true
    denied_capabilities: [SYS_PTRACE]
    denied_mounts: [/etc]
mode: monitor
"""


def what_the_engine_does_not_tell_is_found_against_the_policy():
    if not shutil.which("jq"):
        raise Skip("jq is not installed")
    a = Audit()
    try:
        d = a.f.docker_dir
        (d / "sneaky").write_text(SNEAKY)
        (d / "sneaky").chmod(0o755)
        daemon = json.loads((d / "daemon.json").read_text())
        daemon.setdefault("runtimes", {})["sneaky"] = {"path": str(d / "sneaky")}
        (d / "daemon.json").write_text(json.dumps(daemon))
        os.kill(int((d / "pid").read_text()), signal.SIGHUP)
        wait_until("the engine knows the runtime", 10, lambda: "sneaky" in a.f.docker("info", "-f", "{{json .Runtimes}}").stdout)
        (a.f.dir / "agent").mkdir(exist_ok=True)
        (a.f.dir / "agent" / "policy.yaml").write_text(POLICY)
        a.f.up()
        a.run("honest", [])
        a.run("sneaky", ["--runtime", "sneaky"])
        asked = json.loads(a.f.docker("inspect", "sneaky").stdout)[0]
        assert not asked["HostConfig"]["CapAdd"] and not asked["Mounts"] and asked["HostConfig"]["UTSMode"] == "", asked["HostConfig"]

        def against():
            return {c: x["evidence"] for c, x in a.of("sneaky").items() if c.startswith("PKT-P-AC-")}
        wait_until("it is judged", 20, lambda: a.of("sneaky") and a.of("honest"))
        text = wait_until("all three are found", 20, lambda: len(against()) >= 3 and json.dumps(against()))
        for word in ("SYS_PTRACE", "/etc", "uts"):
            assert word in text, text
        assert not [c for c in a.of("honest") if c.startswith("PKT-P-AC-")], a.of("honest")
        return text[:300]
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
        # which files are watched the running agent says; where none runs, nobody does
        for where, words in ((a.f.dir / "agent" / "run", "picket-agent's"), (a.f.dir, "no picket-agent runs")):
            r = a.f.run("agent", "audit", "--docker-socket", sock, "--run-dir", where, "--check", "PKT-H-003", "--all", "--format", "json", check=False)
            host = [x for x in json.loads(r.stdout)["results"] if x["id"] == "PKT-H-003"]
            assert len(host) == 1 and words in host[0]["evidence"], host
        assert "/etc/picket" in a.f.status()["audit"]["watched"], a.f.status()["audit"]
        live = [x for x in a.findings("check=PKT-H-003") if x["status"] in ("new", "still")]
        assert all("picket-agent's" in x["evidence"] for x in live), live
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
         an_image_is_judged_once_when_it_appears, what_is_in_an_images_files_is_judged, a_filter_is_read_once,
         what_the_engine_does_not_tell_is_found_against_the_policy,
         a_waiver_keeps_it_quiet_until_it_ends, against_the_policy_and_there_all_the_same,
         the_command_says_the_same_and_is_the_gate, the_audit_log_says_how_each_container_was_made)
