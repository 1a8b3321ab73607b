#!/usr/bin/env python3
"""The images of a fleet: stock is taken where they run, an advisory becomes an alert without looking at them again,
what runs is marked, what is accepted or fixed goes away, and the registry says when there is a newer one."""
import json
import os
import pathlib
import shutil
import subprocess
import time

from lib import Fleet, Skip, free_port, main, wait_until

IMAGE, CVE, LOW, PY = "test/shop:1", "CVE-2030-1001", "CVE-2030-1002", "CVE-2030-1003"
STATUS = """Package: {name}
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: {version}
Source: {source}
Description: made for a test

"""
PACKAGES = [("openssl", "3.0.9-1", "openssl"), ("busybox-static", "1:1.35.0-4", "busybox"),
            ("coreutils", "9.1-1", "coreutils"), ("libc6", "2.36-9", "glibc")]
fleet = None


def tracker(openssl_fixed="3.0.11-1"):
    release = {"repositories": {"bookworm": "1"}, "urgency": "not yet assigned"}
    return {
        "openssl": {CVE: {"description": "a made-up hole", "releases": {"bookworm": {
            **release, "status": "resolved", "fixed_version": openssl_fixed, "urgency": "high"}}}},
        "busybox": {LOW: {"releases": {"bookworm": {**release, "status": "open", "urgency": "low"}}}},
        "glibc": {"CVE-2030-1004": {"releases": {"bookworm": {**release, "status": "open", "urgency": "medium"}}}},
    }


def python_advisory():
    return {"id": "GHSA-aaaa-bbbb-cccc", "aliases": [PY], "modified": "2026-11-01T00:00:00Z",
            "summary": "requests says too much", "severity": [
                {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
            "affected": [{"package": {"ecosystem": "PyPI", "name": "requests"}, "ranges": [
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.31.0"}]}]}]}


def make_root(root, python_version="2.20.0"):
    """A Debian of four packages, with a program that really loads a library, and a Python module."""
    for d in ("bin", "etc", "tmp", "dev", "proc", "sys", "var/lib/dpkg/info"):
        (root / d).mkdir(parents=True)
    busybox = shutil.which("busybox") or "/bin/busybox"
    shutil.copy(busybox, root / "bin/busybox")
    for applet in ("sh", "cat", "echo"):
        os.symlink("busybox", root / "bin" / applet)
    (root / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n')
    (root / "var/lib/dpkg/status").write_text("".join(STATUS.format(name=n, version=v, source=s) for n, v, s in PACKAGES))
    info = root / "var/lib/dpkg/info"
    (info / "busybox-static:amd64.list").write_text("/.\n/bin\n/bin/busybox\n")
    (info / "coreutils:amd64.list").write_text("/bin/sleep\n")
    shutil.copy("/bin/sleep", root / "bin/sleep")
    libs = []
    for word in subprocess.run(["ldd", "/bin/sleep"], capture_output=True, text=True, check=True).stdout.split():
        if word.startswith("/"):
            libs.append(word)
            (root / word.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(word, root / word.lstrip("/"))
    (info / "libc6:amd64.list").write_text("\n".join(libs) + "\n")
    meta = root / f"usr/lib/python3/dist-packages/requests-{python_version}.dist-info"
    meta.mkdir(parents=True)
    (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: requests\nVersion: {python_version}\n")


def make_image(name, **options):
    root = fleet.dir / "root"
    shutil.rmtree(root, ignore_errors=True)
    make_root(root, **options)
    tar = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
    subprocess.run(["docker", "-H", f"unix://{fleet.docker_dir}/d.sock", "import", "--change", "ENV PATH=/bin",
                    "--change", "ENV DB_PASSWORD=x", "-", name], stdin=tar.stdout, check=True, capture_output=True)
    tar.wait()


def feed(format, document, name="feed.json"):
    path = fleet.dir / name
    path.write_text(json.dumps(document))
    return fleet.run("collector", "feed", "import", format, path, "--config", fleet.dir / "c/collector.yaml")


def images():
    return fleet.items("image", "list")


def shown(*args):
    return json.loads(fleet.ctl(*args, "-o", "json").stdout)


def scan_alerts(*filters):
    return [a for a in fleet.alerts(*filters) if a["source"] == "scan"]


def the_fleet_is_up():
    global fleet
    fleet = Fleet(docker=True, agent_extra="images:\n  update_check: 2s\n  all: 0s\n")
    fleet.up()
    make_image(IMAGE)


def need():
    if not fleet:
        raise Skip("there is no fleet")
    return fleet


def stock_of_a_running_image_is_taken():
    need()
    fleet.docker("run", "-d", "--network", "none", "--name", "shop-1", IMAGE, "sleep", "600")
    began = time.monotonic()
    image = wait_until("the image is known", 30, lambda: next((i for i in images() if i["known"] and i["running"]), None))
    assert image["packages"] == len(PACKAGES) + 1, image
    assert image["os"]["id"] == "debian" and image["containers"] == 1, image
    doc = shown("image", "show", IMAGE)
    assert sorted((p["name"], p["version"]) for p in doc["package_list"] if p["ecosystem"] == "deb") == \
        sorted((n, v) for n, v, _ in PACKAGES), doc["package_list"]
    ours = [a["title"] for a in fleet.alerts() if "picket-agent" in json.dumps(a)]
    assert not ours, f"taking stock raised an alert: {ours}"
    return f"known after {time.monotonic() - began:.1f} s"


def an_advisory_becomes_an_alert_without_looking_again():
    need()
    assert fleet.status()["images"]["taken"] == 1
    began = time.monotonic()
    feed("debian", tracker())
    alert = wait_until("an alert", 30, lambda: next(iter(scan_alerts()), None))
    took = time.monotonic() - began
    assert CVE in alert["title"] and alert["severity"] == "high", alert
    text = json.dumps(alert)
    assert "agent-host" in text and "shop-1" in text and IMAGE in text, text
    assert fleet.status()["images"]["taken"] == 1
    found = shown("image", "show", IMAGE)["vulnerabilities"]
    assert {v["id"] for v in found} == {CVE, LOW, "CVE-2030-1004"}, found
    return f"import to alert {took:.1f} s"


def a_known_exploit_is_critical():
    need()
    feed("kev", {"vulnerabilities": [{"cveID": LOW, "dateAdded": "2030-01-02", "dueDate": "2030-02-02",
                                      "knownRansomwareCampaignUse": "Known", "vulnerabilityName": "x"}]}, "kev.json")
    wait_until("the exploited one is critical", 30,
               lambda: [a for a in scan_alerts() if LOW in a["title"] and a["severity"] == "critical"])
    assert fleet.items("vuln", "list")[0]["id"] == LOW, "the exploited one comes first"


def what_runs_is_marked():
    need()
    fleet.docker("exec", "shop-1", "sh", "-c", "echo hello")

    def used():
        return {v["id"]: v for v in fleet.items("vuln", "list", "used:yes")}

    found = wait_until("busybox and libc are used", 45, lambda: (u := used()) and LOW in u and "CVE-2030-1004" in u and u)
    assert CVE not in found, "nobody ran openssl"


def a_second_container_is_no_second_alert():
    need()
    before = len(scan_alerts())
    fleet.docker("run", "-d", "--network", "none", "--name", "shop-2", IMAGE, "sleep", "600")
    wait_until("both are seen", 30, lambda: [i for i in images() if i["containers"] == 2])
    assert len(scan_alerts()) == before


def a_known_image_is_not_sent_again():
    need()
    fleet.stop("agent")
    fleet.start_agent()
    wait_until(f"the image is known: {fleet.status()['images']}", 30, lambda: fleet.status()["images"]["known"] == 1)
    st = fleet.status()["images"]
    assert st["taken"] == 0 and st["sent"] == 0, st


def what_is_accepted_is_quiet_for_a_while():
    need()
    fleet.ctl("vuln", "accept", CVE, "--image", IMAGE, "--reason", "openssl is never run", "--until", "30d")
    wait_until("its alert closes", 20, lambda: [a for a in fleet.alerts("status=resolved") if CVE in a["title"]])
    assert CVE not in {v["id"] for v in fleet.items("vuln", "list")}
    assert CVE in {v["id"] for v in fleet.items("vuln", "list", "accepted:yes")}
    assert "openssl is never run" in json.dumps(fleet.audit_log()), "who accepted it is in the audit log"


def a_language_package_is_matched_too():
    need()
    feed("osv", python_advisory(), "GHSA-aaaa-bbbb-cccc.json")
    alert = wait_until("an alert", 30, lambda: next((a for a in scan_alerts() if PY in a["title"]), None))
    assert alert["severity"] == "critical", alert


def what_the_feed_takes_back_closes_by_itself():
    need()
    feed("osv", {**python_advisory(), "withdrawn": "2026-11-03T00:00:00Z", "modified": "2026-11-03T00:00:00Z"},
         "GHSA-aaaa-bbbb-cccc.json")
    wait_until("its alert closes", 30, lambda: [a for a in fleet.alerts("status=resolved") if PY in a["title"]])


def feeds_say_when_they_came():
    need()
    text = fleet.run("collector", "feed", "list", "--config", fleet.dir / "c/collector.yaml").stdout
    assert "debian" in text and "kev" in text, text


def a_newer_image_in_the_registry_is_told():
    need()
    if not shutil.which("docker-registry"):
        raise Skip("docker-registry is not installed")
    port = free_port()
    (fleet.dir / "registry.yaml").write_text(
        f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {fleet.dir}/registry\nhttp:\n  addr: 127.0.0.1:{port}\n")
    fleet.start("registry", "docker-registry", "serve", fleet.dir / "registry.yaml")
    name = f"localhost:{port}/team/shop:1"
    wait_until("the registry listens", 20, lambda: subprocess.run(
        ["curl", "-sf", f"http://localhost:{port}/v2/"], capture_output=True).returncode == 0)
    make_image("test/next:1", python_version="2.31.0")
    fleet.docker("tag", IMAGE, name)
    fleet.docker("push", name)
    fleet.docker("run", "-d", "--network", "none", "--name", "shop-3", name, "sleep", "600")
    feed("osv", {**python_advisory(), "modified": "2026-11-04T00:00:00Z"}, "GHSA-aaaa-bbbb-cccc.json")
    wait_until("its digest is known", 30, lambda: any(d.startswith(f"localhost:{port}/") for i in images() for d in i["digests"]))
    assert not [i for i in images() if i["newer_image"]]
    fleet.docker("tag", "test/next:1", name)
    fleet.docker("push", name)
    # its stock is known, too, because somebody runs it
    fleet.docker("run", "-d", "--network", "none", "--name", "next-1", "test/next:1", "sleep", "600")
    wait_until("a newer image is told", 45, lambda: [i for i in images() if i["newer_image"]])
    doc = wait_until("what it would mend is told", 30, lambda: (d := shown("image", "show", IMAGE)) and
                     PY in json.dumps(d.get("fixed_by_newer")) and d)
    assert doc["registry"][0]["newer"] and doc["registry"][0]["image"], doc["registry"]
    return f"it would mend {json.dumps(doc['fixed_by_newer'])[:120]}"


def an_inventory_stays_within_the_agents_memory():
    need()
    rss = fleet.status()["rss_bytes"] / 1048576
    assert rss < 60, f"{rss:.1f} MiB"
    return f"{rss:.1f} MiB resident with Docker, rules and images"


def everything_is_cleaned_up():
    need()
    ids = fleet.docker("ps", "-q").stdout.split()
    fleet.docker("kill", *ids)  # a sleep as process 1 hears no SIGTERM, and the engine would wait for it
    fleet.close()


if __name__ == "__main__":
    main(the_fleet_is_up, stock_of_a_running_image_is_taken, an_advisory_becomes_an_alert_without_looking_again,
         a_known_exploit_is_critical, what_runs_is_marked, a_second_container_is_no_second_alert,
         a_known_image_is_not_sent_again, what_is_accepted_is_quiet_for_a_while, a_language_package_is_matched_too,
         what_the_feed_takes_back_closes_by_itself, feeds_say_when_they_came, a_newer_image_in_the_registry_is_told,
         an_inventory_stays_within_the_agents_memory, everything_is_cleaned_up)
