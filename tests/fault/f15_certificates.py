#!/usr/bin/env python3
"""F15: certificates that are wrong, old, revoked, used twice. Made with openssl and the fleet's own CA."""
import re
import shutil
import time

from rig import AGENT, cli, main, need, scene, wait_until

CONF = """[ca]
default_ca=c
[c]
dir={d}
new_certs_dir={d}
database={d}/index.txt
serial={d}/serial
default_md=sha256
policy=p
unique_subject=no
[p]
commonName=supplied
[x]
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage={eku}
subjectAltName=URI:picket:agent:{id}
"""


def sign(s, d, agent_id, ca=None, start="20200101000000Z", end="20400101000000Z", eku="clientAuth"):
    """A certificate of the agent's own key; dates as asked for."""
    work = s.dir / f"ca{time.monotonic_ns()}"
    work.mkdir()
    (work / "index.txt").write_text("")
    (work / "serial").write_text(f"{time.monotonic_ns():020X}\n")
    (work / "conf").write_text(CONF.format(d=work, id=agent_id, eku=eku))
    ca_cert, ca_key = ca or (s.c / "ca.pem", s.c / "ca.key")
    cli("openssl", "req", "-new", "-key", d / "state/agent.key", "-subj", "/CN=load-host", "-out", work / "csr")
    cli("openssl", "ca", "-batch", "-notext", "-config", work / "conf", "-extensions", "x", "-in", work / "csr", "-cert", ca_cert, "-keyfile", ca_key,
        "-startdate", start, "-enddate", end, "-out", work / "cert")
    return (work / "cert").read_text()


def other_ca(s):
    cli("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", s.dir / "o.key", "-out", s.dir / "o.pem",
        "-subj", "/CN=other CA", "-days", "30")
    return s.dir / "o.pem", s.dir / "o.key"


def attempt(s, d, name):
    """What both sides say of a connection with the state as it is, within 5 s."""
    s.log_at = len(s.log())
    log = f"{name}.log"
    p = s.uplink(d, "--rate", 100, "--seconds", 2, "--count", 10, log=log)
    p.communicate(timeout=30)
    ours = [line for line in s.log(log).splitlines() if line.startswith("down: ") and "not connected yet" not in line]
    theirs = re.findall(r'why="([^"]*)"', s.log()[s.log_at:])
    up = "up: connected" in s.log(log)
    return up, (ours[-1][6:] if ours else s.log(log).strip().splitlines()[-1][-100:] if s.log(log).strip() else ""), (theirs[-1] if theirs else "")


def certificates():
    """refused in the handshake or <= 5 s, the reason in one line on both sides; a good one works"""
    need("openssl")
    with scene("f15") as s:
        s.start()
        d = s.enrol()
        good = (d / "state/agent.pem").read_text()
        agent_id = (d / "state/agent.id").read_text().strip()
        key = (d / "state/agent.key").read_text()
        said, silent = [], []
        cases = {
            "expired": lambda: sign(s, d, agent_id, end="20210101000000Z"),
            "not yet valid": lambda: sign(s, d, agent_id, start="20390101000000Z"),
            "wrong CA": lambda: sign(s, d, agent_id, ca=other_ca(s)),
            "not in the store": lambda: sign(s, d, agent_id),
            "for servers": lambda: sign(s, d, agent_id, eku="serverAuth"),
            "no agent": lambda: sign(s, d, "x"),
        }
        for name, make in cases.items():
            (d / "state/agent.pem").write_text(make())
            up, ours, theirs = attempt(s, d, name.replace(" ", "_"))
            assert not up, f"{name}: connected"
            said.append(f"{name}: agent \"{ours[:70]}\", collector \"{theirs[:60]}\"")
            if not ours or not theirs:
                silent.append(name)
        (d / "state/agent.pem").write_text(good)
        cli("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", d / "state/agent.key")
        up, ours, _ = attempt(s, d, "other_key")
        assert not up
        said.append(f"another key: agent \"{ours[:90]}\"")
        (d / "state/agent.key").write_text(key)
        up, ours, _ = attempt(s, d, "good")
        assert up, f"the good one is refused: {ours}"
        assert not silent, f"no reason on both sides: {', '.join(silent)}; " + "; ".join(said)
        return ", ".join(said), certificates.__doc__


def wrong_server():
    """an agent refuses a collector whose certificate is for another name, or of another CA, and says why"""
    need("openssl")
    with scene("f15") as s:
        s.start()
        d = s.enrol()
        ca = (d / "state/ca.pem").read_text()
        cert, _ = other_ca(s)
        shutil.copy(cert, d / "state/ca.pem")
        up, ours, theirs = attempt(s, d, "server")
        assert not up and ours, f"connected to a collector of another CA: {ours}"
        (d / "state/ca.pem").write_text(ca)
        return f"another CA: agent \"{ours[:80]}\", collector \"{theirs[:60]}\"", wrong_server.__doc__


def revoked():
    """revoked in the middle of a session: cut <= 5 s, the agent's log says why, its spool keeps what it has"""
    with scene("f15") as s:
        s.start()
        d = s.enrol()
        p = s.uplink(d, "--rate", 500, "--seconds", 14)
        s.uplink_ready(p, d)
        wait_until("stored", 10, lambda: s.hosts() and s.hosts()[0]["stored"] > 100)
        s.collect("agent", "revoke", "load-host")
        t = time.monotonic()
        wait_until("cut", 10, lambda: "revoked" in s.log("uplink.log"), 0.05)
        took = time.monotonic() - t
        stored = s.host()["stored"]
        r = s.uplink_end(p)
        time.sleep(1)
        text = f"cut after {took:.1f} s, nothing stored from then on ({s.host()['stored'] - stored} more), {r['spool_records']} records wait in its spool"
        assert took <= 5 and s.host()["stored"] - stored < 500 and r["spool_records"] > 0, text
        assert any(a["rule"] == "Revoked agent knocks" for a in s.alerts()), "no alert"
        return text + ", alert raised", revoked.__doc__


def twice():
    """two machines with one certificate: an alert"""
    with scene("f15") as s:
        s.start()
        s.fleet(2, 100, 2)
        # the same identity from a machine with another id: the simulator's agents say their id as machine id
        d = s.enrol("a")
        shutil.copytree(d, s.dir / "b")
        s.uplink_end(s.uplink(d, "--rate", 100, "--count", 50))
        s.uplink_end(s.uplink(s.dir / "b", "--rate", 100, "--count", 50, "--machine", "another"))
        found = wait_until("an alert", 10, lambda: [a for a in s.alerts() if a["rule"] == "Cloned identity"], 0.3)
        return f"{len(found)} alert: {found[0]['title']}", twice.__doc__


def renewed():
    """enrolled again while records wait: none lost"""
    with scene("f15") as s:
        s.start()
        d = s.enrol()
        s.kill(15)
        s.uplink_end(s.uplink(d, "--rate", 10000, "--count", 3000, "--offline"))
        s.start()
        token = s.collect("token", "create").stdout.strip()
        cli(AGENT, "enroll", "--token", token, "--config", d / "agent.yaml", "--force")
        r = s.drain(d)
        stored = sum(h["stored"] for h in s.hosts())
        text = f"3,000 waiting, {stored} stored under the new certificate, {r['spool_records']} left"
        assert stored >= 3000, text
        return text, renewed.__doc__


if __name__ == "__main__":
    main(certificates, wrong_server, revoked, twice, renewed)
