#!/usr/bin/env python3
"""F22: receivers that are down, slow, answer 429 and 500, break TLS, cut in the middle; a mail server that greylists,
refuses, is away. Every alert arrives at least once, a message sent twice has one key, order per group is kept."""
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import receivers
from rig import LONG, Skip, free_port, main, wait_until

SECONDS = 600 if LONG else 12  # of each trouble


def notify_conf(f_webhooks, extra=""):
    return ("notify:\n  webhooks:\n" + f_webhooks + extra)


def route(receiver, digest=1000000):
    """A route that sends each alert of a rule in order, never a digest: nothing may be summed up here."""
    return (f"    - name: to-{receiver}\n      receivers: [{receiver}]\n      group_by: [rule]\n      group_wait: 50ms\n"
            f"      group_interval: 50ms\n      digest: {digest}\n      continue: true\n")


def check(name, took, wanted):
    """took: list of {key, json}. Ids of alerts that arrived, in order within each group, duplicates by key alone."""
    by_key, order = {}, {}
    for c in took:
        ids = [str(a["id"]) for a in c["json"]["alerts"]]
        if c["key"] in by_key:
            assert by_key[c["key"]] == ids, f"{name}: two messages with one key differ: {by_key[c['key']]}, {ids}"
            continue
        by_key[c["key"]] = ids
        order.setdefault(c["json"]["group"], []).extend(int(i) for i in ids)
    seen = [i for ids in by_key.values() for i in ids]
    missing = wanted - set(seen)
    assert not missing, f"{name}: {len(missing)} of {len(wanted)} never came: {sorted(missing, key=int)[:10]}"
    twice = {i for i in seen if seen.count(i) > 1}
    assert not twice, f"{name}: told twice under different keys: {sorted(twice)[:10]}"
    for group, ids in order.items():
        assert ids == sorted(ids), f"{name}: out of order in {group}: {ids[:40]}"
    return len(took), len(took) - len(by_key)


def alert_ids(f):
    return {str(a["id"]) for a in f.items("alert", "list", "rule~\"Feed rule\"", "--limit", "100000")}


def all_told(f):
    return all(r["waiting"] == 0 and r["pending"] == 0 for r in f.items("notify", "list"))


def fed(p):
    out, err = p.communicate(timeout=SECONDS * 4 + 120)
    assert p.returncode == 0, f"{out}{err}"


def webhooks_in_trouble_lose_nothing_and_keep_order():
    """Each receiver has its own trouble while alerts come; then all are well. The collector is killed in the middle."""
    hows = ["429", "500", "cut", "slow", "ok"]
    rcv = {how: receivers.Receiver(how) for how in hows}
    down_port = free_port()
    conf = "".join(f"    - {{name: r{h}, url: 'http://127.0.0.1:{r.port}/'}}\n" for h, r in rcv.items())
    conf += f"    - {{name: rdown, url: 'http://127.0.0.1:{down_port}/'}}\n"
    f = receivers.Fleet(notify_conf(conf, "  routes:\n" + "".join(route(f"r{h}") for h in hows + ["down"])))
    try:
        f.start()
        p = f.feed(SECONDS * 20, 20, rules=4)
        time.sleep(SECONDS / 2)
        f.kill()
        time.sleep(1)
        f.start()
        time.sleep(SECONDS / 2)
        failing = {r["receiver"] for r in f.items("notify", "list") if r["state"] == "failing"}
        assert failing >= {"r429", "r500", "rdown"}, f"failing: {failing}"
        for r in rcv.values():
            r.how = "ok"
        rcv["down"] = receivers.Receiver("ok", port=down_port)
        fed(p)
        wait_until("all is told: " + f.ctl("notify", "list", "-o", "table").stdout, 180, lambda: all_told(f), 1)
        wanted = alert_ids(f)
        assert len(wanted) == SECONDS * 20, len(wanted)
        dead = f.items("notify", "dead")
        assert not dead, dead[:2]
        notes = []
        for how, r in rcv.items():
            messages, twice = check(how, r.took, wanted)
            notes.append(f"{how}: {messages} messages, {twice} of them twice, {r.tried - messages} refused")
        return f"{len(wanted)} alerts, one kill -9; " + "; ".join(notes)
    finally:
        f.close()
        for r in rcv.values():
            r.close()


def broken_tls_is_refused_and_tried_again_until_it_is_mended():
    """0 lost, nothing sent without a good certificate"""
    made = None
    ports = {name: free_port() for name in ("expired", "other", "good")}
    conf = "".join(f"    - {{name: {n}, url: 'https://localhost:{port}/', ca_file: CA}}\n" for n, port in ports.items())
    f = receivers.Fleet(notify_conf(conf, "  routes:\n" + "".join(route(n) for n in ports)))
    rcv = {}
    try:
        made = receivers.certificates(f.dir / "tls")
        path = f.dir / "c/collector.yaml"
        path.write_text(path.read_text().replace("CA}", f"{f.dir}/tls/ca.pem}}"))
        rcv = {n: receivers.Receiver("ok", cert=made[n], port=port) for n, port in ports.items()}
        f.start()
        p = f.feed(60, 20, rules=4)
        fed(p)
        wait_until("the good one is told", 20, lambda: len({a["id"] for c in rcv["good"].took for a in c["json"]["alerts"]}) == 60)
        time.sleep(2)
        errors = {r["receiver"]: r["last_error"] for r in f.items("notify", "list")}
        assert "expired" in errors["expired"] and rcv["expired"].took == [], errors
        assert rcv["other"].took == [], errors
        for n in ("expired", "other"):
            rcv[n].close()
            rcv[n] = receivers.Receiver("ok", cert=made["good"], port=ports[n])
        wait_until("all is told: " + f.ctl("notify", "list", "-o", "table").stdout, 90, lambda: all_told(f), 1)
        wanted = alert_ids(f)
        for n, r in rcv.items():
            check(n, r.took, wanted)
        return f"60 alerts each; while broken: {errors['expired']!r}, {errors['other']!r}"
    finally:
        f.close()
        for r in rcv.values():
            r.close()


class Gate:
    """Before the real mail server: answers 451 or 550 itself, or is slow, or lets through."""

    def __init__(self, to_port):
        self.how, self.to_port, self.refused, self.open = "451", to_port, 0, []
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c, self.how), daemon=True).start()

    def serve(self, c, how):
        if how in ("451", "550"):
            self.refused += 1
            with c:
                c.sendall(b"220 gate ESMTP\r\n")
                c.recv(1000)
                c.sendall(f"{how} not now\r\n".encode())
                time.sleep(0.1)
            return
        if how == "slow":
            time.sleep(3)
        try:
            up = socket.create_connection(("127.0.0.1", self.to_port))
        except OSError:
            c.close()
            return
        self.open.append(c)

        def pump(a, b):
            try:
                while True:
                    data = a.recv(65536)
                    if not data:
                        break
                    b.sendall(data)
            except OSError:
                pass
            for x in (a, b):
                try:
                    x.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        threading.Thread(target=pump, args=(c, up), daemon=True).start()
        pump(up, c)

    def cut(self):
        """Ends what is open: clients keep connections for the next mail."""
        for c in self.open:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open.clear()

    def close(self):
        self.s.close()


def a_mail_server_that_greylists_is_slow_and_away_gets_every_alert():
    """0 lost"""
    f = receivers.Fleet("notify:\n  mails: []\n", mail=True)
    gate = Gate(f.mail_port)
    try:
        path = f.dir / "c/collector.yaml"
        conf = path.read_text()
        path.write_text(conf[:conf.index("notify:")] +
                        f"notify:\n  mails:\n    - name: mail\n      url: smtp://localhost:{gate.port}\n"
                        f"      from: picket@example.net\n      to: [ops@example.net]\n      ca_file: {f.dir}/m/ca.pem\n"
                        "  routes:\n" + route("mail"))
        f.start_mail()
        f.start()
        p = f.feed(SECONDS * 5, 5, rules=2)
        time.sleep(SECONDS / 3)  # greylisting
        gate.how = "slow"
        time.sleep(SECONDS / 3)
        f.stop_mail()
        time.sleep(SECONDS / 3)
        f.start_mail()
        gate.how = "ok"
        fed(p)
        wait_until("all is told: " + f.ctl("notify", "list", "-o", "table").stdout, 180, lambda: all_told(f), 1)
        wanted = alert_ids(f)
        time.sleep(2)  # the server delivers
        mails = f.mails()
        shown = {i for m in mails for i in re.findall(r"picketctl alert show (\d+)", m)}
        assert wanted <= shown, f"{len(wanted - shown)} of {len(wanted)} in no mail"
        ids = [re.search(r"^Message-ID: (\S+)", m, re.M | re.I)[1] for m in mails]
        replies = [m for m in mails if re.search(r"^In-Reply-To: (\S+)", m, re.M)]
        for m in replies:
            assert re.search(r"^In-Reply-To: (\S+)", m, re.M)[1] in ids, "a reply to a mail that nobody got"
        assert gate.refused, "nothing was greylisted"
        gate.how = "550"
        gate.cut()
        r = f.ctl("notify", "test", "mail", check=False)
        assert r.returncode == 1 and "550" in r.stdout, (r.returncode, r.stdout, r.stderr)
        return (f"{len(wanted)} alerts in {len(mails)} mails ({len(mails) - len(set(ids))} twice, {len(replies)} in threads); "
                f"{gate.refused} greylisted; refused for good: {r.stdout.strip()}")
    finally:
        gate.close()
        f.close()


def dead_letters_are_seen_and_sent_again():
    """what is given up is a dead letter, and goes out when a person says so"""
    r = receivers.Receiver("500")
    f = receivers.Fleet(f"notify:\n  max_attempts: 1\n  webhooks:\n    - {{name: hook, url: 'http://127.0.0.1:{r.port}/'}}\n"
                        "  routes:\n" + route("hook"))
    try:
        f.start()
        fed(f.feed(5, 50, rules=5))
        # the collector's own word that letters are dead may be one of them
        dead = wait_until("five dead letters", 30, lambda: (d := f.items("notify", "dead")) and len(d) >= 5 and d)[:5]
        assert all(d["last_error"].startswith("answer 500") for d in dead), dead
        test = f.ctl("notify", "test", "to-hook", check=False)
        assert test.returncode == 1 and "answer 500" in test.stdout, test
        r.how = "ok"
        r.took.clear()
        test = f.ctl("notify", "test", "hook")
        assert "ok" in test.stdout and any(x["json"].get("test") is True for x in r.took), test.stdout
        r.took.clear()
        f.ctl("notify", "drop", dead[0]["id"])
        f.ctl("notify", "resend", dead[1]["id"])
        def came():
            return {x["key"] for x in r.took}
        wait_until("it came", 10, lambda: dead[1]["key"] in came())
        assert not came() & {d["key"] for d in dead[2:]}, "only what was asked for"
        out = f.ctl("notify", "resend", "--all").stdout
        assert int(out.split()[0]) in (3, 4) and "on their way" in out, out
        wait_until("the others came", 10, lambda: {d["key"] for d in dead[1:]} <= came() and not f.items("notify", "dead"))
        assert dead[0]["key"] not in came(), "it was dropped"
        said = [a["what"] for a in f.items("audit-log", "list", "what=notify.*")]
        assert sorted(set(said)) == ["notify.drop", "notify.resend", "notify.test"], said
        return test.stdout.strip()
    finally:
        f.close()
        r.close()


def syslog_over_tcp_and_tls_gets_every_alert():
    """0 lost"""
    plain = receivers.Syslog()
    tls_port = free_port()
    f = receivers.Fleet(f"notify:\n  syslogs:\n    - {{name: siem, url: 'tcp://localhost:{plain.port}'}}\n"
                        f"    - {{name: cef, url: 'tls://localhost:{tls_port}', ca_file: CA, format: cef}}\n"
                        f"    - {{name: old, url: 'tls://127.0.0.1:{tls_port + 0}', ca_file: CA, min_severity: critical}}\n")
    secure = None
    try:
        made = receivers.certificates(f.dir / "tls")
        path = f.dir / "c/collector.yaml"
        path.write_text(path.read_text().replace("CA,", f"{f.dir}/tls/ca.pem,"))
        f.start()
        fed(f.feed(100, 200, rules=5))  # the TLS one is down meanwhile
        secure = receivers.Syslog(cert=made["expired"], port=tls_port)
        wait_until("the TLS receiver is told off", 60, lambda: [r for r in f.items("notify", "list")
                                                                if r["receiver"] == "cef" and "expired" in r["last_error"]], 0.5)
        assert secure.lines == []
        secure.close()
        secure = receivers.Syslog(cert=made["good"], port=tls_port)
        wait_until("all is told: " + f.ctl("notify", "list", "-o", "table").stdout, 120, lambda: all_told(f), 1)
        for name, r, find in (("syslog", plain, r'container="feed-(\d+)"'), ("cef", secure, r"cs1=feed-(\d+) ")):
            got = {m[1] for line in r.lines for m in [re.search(find, line)] if m}
            assert len(got) == 100, f"{name}: {len(got)} of 100: {r.lines[:2]}"
        assert re.match(r"<107>1 \d{4}-\d\d-\d\dT[\d:.]+Z feed-host picket - alert \[picket@32473 id=", plain.lines[0]), plain.lines[0]
        assert "CEF:0|picket|collector|" in secure.lines[0], secure.lines[0]
        return f"{len(plain.lines)} lines over TCP, {len(secure.lines)} over TLS after a refused certificate"
    finally:
        f.close()
        plain.close()
        if secure:
            secure.close()


def a_real_rsyslog_reads_every_line_over_tls():
    """rsyslogd in PATH, or unpacked below PICKET_RSYSLOG (dpkg -x of rsyslog, rsyslog-openssl and its libraries)."""
    root = os.environ.get("PICKET_RSYSLOG", "")
    program = f"{root}/usr/sbin/rsyslogd" if root else shutil.which("rsyslogd")
    if not program or not os.path.exists(program):
        raise Skip("this host has no rsyslogd")
    port = free_port()
    f = receivers.Fleet(f"notify:\n  syslogs:\n    - {{name: siem, url: 'tls://localhost:{port}', ca_file: CA}}\n")
    p = None
    try:
        made = receivers.certificates(f.dir / "tls")
        path = f.dir / "c/collector.yaml"
        path.write_text(path.read_text().replace("CA}", f"{f.dir}/tls/ca.pem}}"))
        out, conf = f.dir / "out", f.dir / "rsyslog.conf"
        conf.write_text(f"""global(workDirectory="{f.dir}" defaultNetstreamDriverCAFile="{f.dir}/tls/ca.pem"
  defaultNetstreamDriverCertFile="{made['good'][0]}" defaultNetstreamDriverKeyFile="{made['good'][1]}")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.Authmode="anon")
input(type="imtcp" port="{port}" address="127.0.0.1")
template(name="t" type="string" string="%hostname%|%app-name%|%msgid%|%structured-data%|%msg%\\n")
action(type="omfile" file="{out}" template="t")
""")
        env = {**os.environ}
        lib = f"{root}/usr/lib/x86_64-linux-gnu"
        extra = ["-M", f"{lib}/rsyslog"] if root else []
        if root:
            env["LD_LIBRARY_PATH"] = lib
        f.start()
        fed(f.feed(50, 100, rules=5))  # it is down
        p = subprocess.Popen([program, "-n", "-f", str(conf), "-i", str(f.dir / "rsyslog.pid"), *extra], env=env,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=receivers._die_with_parent)
        fed(f.feed(50, 100, rules=5))
        wait_until("all is told", 120, lambda: all_told(f), 1)
        wait_until("100 lines", 10, lambda: out.exists() and len(out.read_text().splitlines()) >= 100)
        lines = [line.split("|") for line in out.read_text().splitlines()]
        for host, app, msgid, data, msg in lines:
            assert (host, app, msgid) == ("feed-host", "picket", "alert") and data.startswith("[picket@32473 id=") and "ran in" in msg, \
                (host, app, msgid, data, msg)
        ids = {re.search(r' id="(\d+)"', x[3])[1] for x in lines}
        assert ids == alert_ids(f), "ids differ"
        return f"{len(lines)} lines, {len(ids)} alerts"
    finally:
        if p:
            p.terminate()
            p.wait()
        f.close()


if __name__ == "__main__":
    main(webhooks_in_trouble_lose_nothing_and_keep_order, broken_tls_is_refused_and_tried_again_until_it_is_mended,
         a_mail_server_that_greylists_is_slow_and_away_gets_every_alert, dead_letters_are_seen_and_sent_again,
         syslog_over_tcp_and_tls_gets_every_alert, a_real_rsyslog_reads_every_line_over_tls)
