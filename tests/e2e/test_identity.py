#!/usr/bin/env python3
"""Who may talk: no, foreign, expired and revoked certificates, another's name, tokens used twice."""
import os
import shutil
import subprocess
import time

from lib import Fleet, main, wait_until


def openssl(*args, **kw):
    return subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, check=True, **kw)


def impostor(f, name, make):
    """A copy of the enrolled agent's state with another certificate; make(dir) puts it there."""
    src, dst = f.dir / "agent", f.dir / name
    shutil.copytree(src, dst, ignore=shutil.ignore_patterns("spool", "run"))
    conf = (dst / "agent.yaml").read_text().replace(f"{src}/", f"{dst}/").replace("agent-host", f"{name}-host")
    (dst / "agent.yaml").write_text(conf)
    make(dst / "state")
    f.start(name, f.bin["agent"], "run", "--config", dst / "agent.yaml")


def sign(f, state, ca, ca_key, days):
    """A client certificate for the agent's own id, signed by some CA, over `days` (may be past)."""
    agent_id = (state / "agent.id").read_text().strip()
    ext = state / "ext"
    ext.write_text(f"extendedKeyUsage=clientAuth\nsubjectAltName=URI:picket:agent:{agent_id}\n")
    openssl("req", "-new", "-key", state / "agent.key", "-subj", "/CN=impostor", "-out", state / "csr")
    openssl("x509", "-req", "-in", state / "csr", "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-extfile", ext,
            "-days", str(days), "-out", state / "agent.pem")


def refused(f, name, agent_word, collector_word):
    wait_until(f"{name}'s log says {agent_word}", 15, lambda: agent_word in f.log(name).lower())
    wait_until(f"the collector's log says {collector_word}", 5, lambda: collector_word in f.log("collector").lower())
    time.sleep(3)
    mine = [line for line in f.log(name).splitlines() if "uplink." in line and agent_word in line.lower()]
    assert len(mine) == 1, f"{name} said it {len(mine)} times: {mine[:3]}"
    theirs = [line for line in f.log("collector").splitlines() if "intake." in line and collector_word in line.lower()]
    assert len(theirs) == 1, f"the collector said it {len(theirs)} times: {theirs[:3]}"
    assert not f.status(name)["uplink"]["connected"]
    f.stop(name)


def foreign_expired_and_missing_certificates_are_refused_with_the_reason_on_both_sides():
    f = Fleet()
    try:
        f.start_collector()
        f.enrol()

        def foreign(state):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=evil CA",
                    "-days", "9", "-keyout", state / "evil.key", "-out", state / "evil.pem")
            sign(f, state, state / "evil.pem", state / "evil.key", 9)

        def expired(state):
            sign(f, state, f.dir / "c/ca.pem", f.dir / "c/ca.key", -1)

        impostor(f, "foreign", foreign)
        refused(f, "foreign", "unknown ca", "unknown ca")
        impostor(f, "expired", expired)
        refused(f, "expired", "expired", "expired")
        r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{f.agent_port}", "-CAfile", f.dir / "c/ca.pem",
                            "-tls1_3", "-ign_eof"],  # in TLS 1.3 the refusal comes after the handshake: wait for it
                           input="", capture_output=True, text=True, timeout=20)
        assert "certificate required" in (r.stdout + r.stderr).lower(), r.stderr[-300:]
        wait_until("the collector says so", 5, lambda: "did not return a certificate" in f.log("collector")
                   or "no certificate" in f.log("collector"))
        r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{f.agent_port}", "-tls1_2"], input="",
                           capture_output=True, text=True, timeout=20)
        assert r.returncode != 0, "TLS 1.2 was accepted"
        f.start_agent()  # the honest one goes on
        f.settle()
    finally:
        f.close()


def a_revocation_cuts_an_open_session_within_5_seconds():
    f = Fleet()
    try:
        f.up()
        t = time.monotonic()
        f.run("collector", "agent", "revoke", "agent-host", "--config", f.dir / "c/collector.yaml")
        wait_until("the session is cut", 5, lambda: not f.status()["uplink"]["connected"])
        took = time.monotonic() - t
        wait_until("the agent knows why", 10, lambda: "revoked" in f.log("agent"))
        assert f.hosts()["agent-host"]["state"] == "revoked"
        before = f.hosts()["agent-host"]["stored"]
        subprocess.run(["/bin/echo", "after-the-revocation"], stdout=subprocess.DEVNULL)
        time.sleep(3)
        assert not f.events("process=echo"), "an event of a revoked agent was stored"
        assert f.hosts()["agent-host"]["stored"] == before
        return f"cut after {took:.1f} s"
    finally:
        f.close()


def a_token_works_once_and_not_after_its_time():
    f = Fleet()
    try:
        f.start_collector()
        token = f.token()
        f.enrol("first", token=token)
        try:
            f.enrol("second", token=token)
            raise SystemExit("the second use of a token was accepted")
        except AssertionError as e:
            assert "used" in str(e) and "exit 4" in str(e), e
        short = f.token("--ttl", "1s")
        time.sleep(2.2)
        try:
            f.enrol("late", token=short)
            raise SystemExit("an expired token was accepted")
        except AssertionError as e:
            assert "expired" in str(e) and "exit 4" in str(e), e
        assert not (f.dir / "late/state/agent.pem").exists()
        key = f.dir / "first/state/agent.key"
        assert os.stat(key).st_mode & 0o777 == 0o600, "the key is readable"
        r = f.run("agent", "enroll", "--token", "pkt1.garbage", "--config", f.dir / "x.yaml", "--state", f.dir / "x", check=False)
        assert r.returncode == 3 and len(r.stderr.strip().splitlines()) == 1, r.stderr
    finally:
        f.close()


main(foreign_expired_and_missing_certificates_are_refused_with_the_reason_on_both_sides,
     a_revocation_cuts_an_open_session_within_5_seconds, a_token_works_once_and_not_after_its_time)
