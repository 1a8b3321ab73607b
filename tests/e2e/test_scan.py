#!/usr/bin/env python3
"""`picket-agent scan` as a pipeline uses it: images of a real engine, advisories of every kind, each format, the
exit codes, what is suppressed and why, and the same findings again from the SBOM it wrote.

The image is made here: Debian's package database of four packages, an npm module and a Python package that Debian
ships. The advisories are written by hand.
"""
import base64
import contextlib
import hashlib
import http.server
import io
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time

from lib import Shell, Skip, main, programs, status_kib, wait_until

IMAGE = "test/web:1.4"
PEAK_KIB = 64 * 1024  # what a scan may take, whatever the image

STATUS = """Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl
Version: 3.0.11-1~deb12u2

Package: openssl
Status: install ok installed
Architecture: amd64
Version: 3.0.11-1~deb12u2

Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc
Version: 2.36-9+deb12u3

Package: python3-idna
Status: install ok installed
Architecture: all
Source: python-idna
Version: 3.3-1
"""
OS_RELEASE = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
IDNA = "usr/lib/python3/dist-packages/idna-3.3.dist-info/METADATA"

TRACKER = {
    "openssl": {
        "CVE-2023-5678": {"description": "Generating long X9.42 DH keys may be slow", "releases": {"bookworm": {
            "status": "resolved", "fixed_version": "3.0.13-1~deb12u1", "urgency": "medium"}}},
        "CVE-2007-6755": {"releases": {"bookworm": {
            "status": "open", "urgency": "unimportant", "nodsa": "no fix", "nodsa_reason": "ignored"}}},
    },
    "glibc": {"CVE-2023-4911": {"description": "buffer overflow in ld.so", "releases": {"bookworm": {
        "status": "resolved", "fixed_version": "2.36-9+deb12u4", "urgency": "high"}}}},
}


def osv(name, ident, cve, ecosystem, package, fixed, vector):
    return name, {
        "id": ident, "modified": "2026-01-01T00:00:00Z", "published": "2025-01-01T00:00:00Z", "aliases": [cve],
        "summary": f"A weakness of {package}", "details": "More words.\n",
        "severity": [{"type": "CVSS_V3", "score": vector}],
        "affected": [{"package": {"ecosystem": ecosystem, "name": package},
                      "ranges": [{"type": "SEMVER" if ecosystem == "npm" else "ECOSYSTEM",
                                  "events": [{"introduced": "0"}, {"fixed": fixed}]}]}],
        "references": [{"type": "WEB", "url": f"https://example.net/{ident}"}],
    }


FEEDS = dict([
    ("tracker.json", TRACKER),
    osv("lodash.json", "GHSA-jf85-cpcp-j695", "CVE-2019-10744", "npm", "lodash", "4.17.12",
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:H"),
    osv("idna.json", "GHSA-jjg7-2v4v-x38h", "CVE-2024-3651", "PyPI", "idna", "3.7",
        "CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"),
    ("kev.json", {"title": "KEV", "catalogVersion": "2026.01.01", "count": 1, "dateReleased": "2026-01-01T00:00:00Z",
                  "vulnerabilities": [{"cveID": "CVE-2023-4911", "dateAdded": "2023-11-21", "dueDate": "2023-12-12",
                                       "vendorProject": "GNU", "product": "glibc", "vulnerabilityName": "A buffer overflow in ld.so",
                                       "shortDescription": "x", "requiredAction": "x",
                                       "knownRansomwareCampaignUse": "Known"}]}),
])
EPSS = "#model_version:v2025.03.14,score_date:2026-01-01T00:00:00+0000\ncve,epss,percentile\nCVE-2019-10744,0.03,0.9\n"

# id, package, status; in the order that people should look at them
WANT = [
    ("CVE-2023-4911", "libc6", "fixed"),
    ("CVE-2019-10744", "lodash", "fixed"),
    ("CVE-2023-5678", "libssl3", "fixed"),
    ("CVE-2023-5678", "openssl", "fixed"),
    ("CVE-2007-6755", "libssl3", "will_not_fix"),
    ("CVE-2007-6755", "openssl", "will_not_fix"),
]


def layer(files):
    """A layer's tar, of path: text."""
    b = io.BytesIO()
    with tarfile.open(fileobj=b, mode="w") as t:
        for path, text in files.items():
            e = tarfile.TarInfo(path)
            data = text.encode()
            e.size, e.mode = len(data), 0o644
            t.addfile(e, io.BytesIO(data))
    return b.getvalue()


class World:
    """An engine with the image, a database, the command."""

    def __init__(self):
        self.bin = programs("release")["agent"]
        if not self.bin.exists():
            raise Skip("picket-agent is not built")
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pk", dir="/tmp"))
        self.shell, self.engine = Shell("dockerd.sh"), self.dir / "d"
        self.work, self.db = self.dir / "work", self.dir / "db.sqlite"
        self.work.mkdir()
        try:
            self.shell("start_dockerd", self.engine)
            self.make_image()
            self.make_database()
        except BaseException:
            self.close()
            raise

    def close(self):
        with contextlib.suppress(AssertionError, Skip):
            self.shell("stop_dockerd", self.engine)
        shutil.rmtree(self.dir, ignore_errors=True)

    def docker(self, *args, data=None):
        r = subprocess.run(["docker", "-H", f"unix://{self.engine}/d.sock", *map(str, args)], input=data,
                           capture_output=True, timeout=120)
        if r.returncode:
            raise AssertionError(f"docker {args[0]}: {r.stderr.decode(errors='replace')}")
        return r.stdout.decode().strip()

    def make_image(self):
        self.docker("import", "-", "test/base:1", data=layer({
            "etc/os-release": OS_RELEASE, "var/lib/dpkg/status": STATUS, IDNA: "Metadata-Version: 2.1\nName: idna\nVersion: 3.3\n",
            "var/lib/dpkg/info/python3-idna.list": "/.\n/usr\n/" + IDNA + "\n"}))
        context = self.dir / "context"
        (context / "lodash").mkdir(parents=True)
        (context / "lodash/package.json").write_text('{"name": "lodash", "version": "4.17.4"}')
        (context / "Dockerfile").write_text("FROM test/base:1\nUSER app\nCMD [\"/bin/web\"]\n"
                                            "COPY lodash /opt/app/node_modules/lodash\n")
        os.environ["DOCKER_BUILDKIT"] = "0"  # the classic builder needs no network and no plugin
        self.docker("build", "--network", "none", "-q", "-t", IMAGE, context)

    def make_database(self):
        feeds = self.dir / "feeds"
        feeds.mkdir()
        (feeds / "epss.csv").write_text(EPSS)
        for name, data in FEEDS.items():
            (feeds / name).write_text(json.dumps(data))
        subprocess.run([self.bin, "vulndb", "import", "--db", self.db, *sorted(feeds.iterdir())], check=True,
                       capture_output=True)

    def run(self, *args, db=True, code=0, env=None, **more):
        """Runs a scan in its own folder and wants that exit code."""
        argv = [self.bin, "scan", *args] + (["--db", self.db] if db else [])
        r = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=120, cwd=self.work,
                           env={**os.environ, "DOCKER_HOST": f"unix://{self.engine}/d.sock", **(env or {})}, **more)
        assert r.returncode == code, f"exit {r.returncode} instead of {code}: {r.stderr[-600:]} {r.stdout[-600:]}"
        return r

    def json(self, *args, **more):
        return json.loads(self.run(*args, "--format", "json", **more).stdout)


WORLD = None


def world():
    global WORLD
    WORLD = WORLD or World()
    return WORLD


def found(result):
    return [(v["id"], v["package"], v["status"]) for v in result["vulnerabilities"]]


# ---- what is found ----

def an_image_of_the_engine_is_judged():
    w = world()
    r = w.json(IMAGE)
    assert found(r) == WANT, found(r)
    assert r["target"] == IMAGE and r["kind"] == "image" and r["os"]["id"] == "debian" and r["os"]["version"] == "12", r["os"]
    assert r["summary"]["total"] == 6 and r["summary"]["kev"] == 1 and r["summary"]["fixable"] == 4, r["summary"]
    assert {"critical", "high", "medium", "low", "unknown"} <= set(r["summary"]), r["summary"]
    assert len(r["layers"]) == 2 and not r["problems"] and not r["warnings"], (r["layers"], r["problems"], r["warnings"])
    packages = {p["name"]: p for p in r["packages"]}
    assert set(packages) == {"libssl3", "openssl", "libc6", "python3-idna", "idna", "lodash"}, packages
    assert packages["libssl3"]["source"] == "openssl" and packages["libssl3"]["arch"] == "amd64", packages["libssl3"]
    # what Debian ships is Debian's to judge: no finding of PyPI's for it
    assert packages["idna"]["owner"] == "python3-idna", packages["idna"]
    by_id = {v["id"]: v for v in r["vulnerabilities"]}
    v = by_id["CVE-2019-10744"]
    assert v["layer"] == r["layers"][1]["diff_id"] and v["path"] == "opt/app/node_modules/lodash/package.json", v
    assert v["fixed"] == "4.17.12" and v["installed"] == "4.17.4" and v["severity"] == "critical" and v["score"] == 9.1, v
    assert v["epss"] == 0.03 and v["aliases"] == ["GHSA-jf85-cpcp-j695"] and v["urls"], v
    v = by_id["CVE-2023-4911"]
    assert v["kev"] is True and v["kev_due"] == "2023-12-12" and v["severity"] == "high", v
    assert v["layer"] == r["layers"][0]["diff_id"] and by_id["CVE-2007-6755"]["fixed"] is None, v


def every_kind_of_target_says_the_same():
    w = world()
    want = found(w.json(IMAGE))
    image_id = w.docker("image", "inspect", "-f", "{{.Id}}", IMAGE)
    tar, root = w.dir / "image.tar", w.dir / "root"
    w.docker("save", "-o", tar, IMAGE)
    subprocess.run(["mkdir", "-p", root], check=True)
    container = w.docker("create", IMAGE)
    subprocess.run(["docker", "-H", f"unix://{w.engine}/d.sock", "export", "-o", w.dir / "root.tar", container], check=True)
    subprocess.run(["tar", "-C", root, "-xf", w.dir / "root.tar"], check=True)
    for target in (image_id, f"docker-archive:{tar}", f"dir:{root}", f"container:{container}"):
        got = found(w.json(target))
        assert got == want, f"{target}: {got}"


def an_image_of_a_registry_is_judged_with_a_password():
    w = world()
    tar = w.dir / "save.tar"
    w.docker("save", "-o", tar, IMAGE)
    blobs = {}
    with tarfile.open(tar) as t:
        saved = json.load(t.extractfile("manifest.json"))[0]
        members = [t.extractfile(name).read() for name in [saved["Config"], *saved["Layers"]]]

    def described(data, kind):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": kind, "size": len(data), "digest": digest}
    docker = "application/vnd.docker."
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": docker + "distribution.manifest.v2+json",
        "config": described(members[0], docker + "container.image.v1+json"),
        "layers": [described(m, docker + "image.rootfs.diff.tar") for m in members[1:]]}).encode()

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            want = "Basic " + base64.b64encode(b"ops:geheim").decode()
            if self.headers.get("Authorization") != want:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="here"')
                self.send_header("Content-Length", "0")
                return self.end_headers()
            data = manifest if "/manifests/" in self.path else blobs.get(self.path.rsplit("/", 1)[-1], b"{}")
            self.send_response(200)
            self.send_header("Content-Type", docker + "distribution.manifest.v2+json" if data is manifest else "application/octet-stream")
            self.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(data).hexdigest())
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)
        do_HEAD = do_GET

        def log_message(self, *args):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        target = f"registry:127.0.0.1:{server.server_address[1]}/team/web:1.4"
        r = w.json(target, "--username", "ops", "--password-stdin", input="geheim\n")
        assert found(r) == WANT, found(r)
        assert r["digest"] == "sha256:" + hashlib.sha256(manifest).hexdigest(), r["digest"]
        r = w.run(target, "--username", "ops", "--password-stdin", input="wrong\n", code=4)
        assert "geheim" not in r.stderr and len(r.stderr.splitlines()) == 1, r.stderr
    finally:
        server.shutdown()
        server.server_close()


def a_signed_database_is_asked_for():
    w = world()
    key, public, other = w.dir / "key.pem", w.dir / "public.pem", w.dir / "other.pem"
    for private, name in ((key, public), (w.dir / "key2.pem", other)):
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, capture_output=True)
        subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", name], check=True, capture_output=True)
    w.run(IMAGE, "--db-key", public, code=3)  # not signed yet
    subprocess.run([w.bin, "vulndb", "sign", "--db", w.db, "--key", key], check=True, capture_output=True)
    assert found(w.json(IMAGE, "--db-key", public)) == WANT
    r = w.run(IMAGE, "--db-key", other, code=3)
    assert len(r.stderr.splitlines()) == 1, r.stderr


def a_lock_file_counts_in_a_folder_and_in_an_image_when_asked():
    w = world()
    project = w.dir / "project"
    project.mkdir()
    (project / "package-lock.json").write_text(json.dumps({
        "name": "app", "lockfileVersion": 3, "packages": {
            "": {"name": "app"}, "node_modules/lodash": {"version": "4.17.4", "dev": True}}}))
    r = w.json(f"dir:{project}")
    assert not r["vulnerabilities"] and r["packages"][0]["dev"] is True, r
    r = w.json(f"dir:{project}", "--include-dev")
    assert found(r) == [("CVE-2019-10744", "lodash", "fixed")], r
    assert "1 package for development not judged" in w.run(f"dir:{project}").stdout
    w.docker("import", "-", "test/lock:1", data=layer({
        "app/yarn.lock": '# yarn lockfile v1\n\nlodash@^4.0.0:\n  version "4.17.4"\n'}))
    assert not w.json("test/lock:1")["packages"]
    assert found(w.json("test/lock:1", "--lockfiles")) == [("CVE-2019-10744", "lodash", "fixed")]


# ---- for people ----

def on_a_terminal(w, *args, env=None, seconds=60):
    """What the command writes to a terminal of 120 columns."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(w.work)
        os.environ.update({"TERM": "xterm", "COLUMNS": "120", "DOCKER_HOST": f"unix://{w.engine}/d.sock", **(env or {})})
        os.execv(w.bin, [str(w.bin), "scan", *map(str, args), "--db", str(w.db)])
    out, end = b"", time.monotonic() + seconds
    while time.monotonic() < end and select.select([fd], [], [], 1)[0] is not None:
        try:
            more = os.read(fd, 65536)
        except OSError:
            break
        if not more:
            break
        out += more
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out.decode(errors="replace")


def a_person_gets_a_table():
    w = world()
    out = w.run(IMAGE).stdout
    lines = out.splitlines()
    assert lines[0] == IMAGE and "Debian GNU/Linux 12 (bookworm), 6 packages in 2 layers" in lines[1], lines[:2]
    assert "OS packages, debian 12: 5 findings in 4 packages" in out and "Node.js: 1 finding in 1 package" in out, out
    row = next(line for line in lines if line.startswith("libc6"))
    for word in ("CVE-2023-4911", "high", "KEV", "2.36-9+deb12u3", "2.36-9+deb12u4", "buffer overflow in ld.so"):
        assert word in row, row
    assert any(re.match(r"libssl3, openssl +CVE-2023-5678 ", line) for line in lines), out
    assert any("CVE-2007-6755" in line and "won't fix" in line for line in lines), out
    assert "Total 6: 1 critical, 1 high, 2 medium, 2 low; 1 known to be exploited; 4 can be fixed" in out, lines[-1]
    assert "\x1b" not in out
    code, out = on_a_terminal(w, IMAGE)
    assert code == 0 and "\x1b[1;31mcritical\x1b[0m" in out, out
    assert all(len(re.sub(r"\x1b\[[0-9;]*[mK]", "", line)) <= 121 for line in out.splitlines() if "Total" not in line), out
    assert "\x1b[1;31m" not in on_a_terminal(w, IMAGE, env={"NO_COLOR": "1"})[1]
    assert "PACKAGE" in w.run(IMAGE, "--list-packages").stdout


def an_image_cannot_speak_to_the_terminal():
    w = world()
    evil = "\x1b]0;owned\x07\x1b[2J"
    w.docker("import", "-", "test/evil:1", data=layer({
        "etc/os-release": f'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="{evil}\u202e"\n', "var/lib/dpkg/status": STATUS,
        "opt/a/node_modules/b/package.json": json.dumps({"name": f"b{evil}", "version": f"1.0.0{evil}"}),
        f"opt/{evil}/node_modules/lodash/package.json": '{"name": "lodash", "version": "4.17.4"}',
        "opt/c/node_modules/d/package.json": "{" + evil}))
    r = w.run("test/evil:1", "--list-packages", "--show-suppressed")
    for text in (r.stdout, r.stderr):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", text), repr(text)
    assert "\\x1b[2J" in r.stdout, r.stdout
    json.loads(w.run("test/evil:1", "--format", "json").stdout)


# ---- the gate ----

def the_exit_code_is_the_gate():
    w = world()
    for args, code in (
            (["--fail-on", "critical"], 1), (["--fail-on", "low"], 1), (["--fail-on", "kev"], 1),
            (["--fail-on", "high", "--severity", "medium,low"], 0), (["--fail-on", "MEDIUM", "--severity", "medium"], 1),
            (["--fail-on", "low", "--severity", "low", "--ignore-unfixed"], 0),
            (["--fail-on", "critical", "--ignore-unfixed"], 1), ([], 0)):
        r = w.run(IMAGE, *args, code=code)
        assert r.stdout and not r.stderr, (args, r.stderr)
    assert found(w.json(IMAGE, "--severity", "critical,HIGH")) == WANT[:2]
    assert found(w.json(IMAGE, "--ignore-unfixed")) == WANT[:4]


def errors_are_one_line_and_have_their_exit_code():
    w = world()
    broken = w.dir / "broken.json"
    broken.write_text('{"bomFormat": "CycloneDX", ')
    for args, code, word in (
            (["nosuch:1"], 5, "nosuch:1"), ([f"sbom:{w.dir}/nosuch"], 5, "nosuch"), ([f"sbom:{broken}"], 3, "broken.json"),
            ([f"docker-archive:{broken}"], 3, "broken.json"), ([f"dir:{w.dir}/nosuch"], 5, "nosuch"),
            ([IMAGE, "--vex", broken], 3, "broken.json"), ([IMAGE, "--ignore-file", w.dir / "nosuch"], 5, "nosuch"),
            ([IMAGE, "--engine", w.dir / "nosuch.sock"], 6, "nosuch.sock"), ([IMAGE, "--format", "xml"], 2, "xml"),
            ([IMAGE, "--severity", "bad"], 2, "bad"), ([IMAGE, "--fail-on", "bad"], 2, "bad"), ([], 2, "--help"),
            ([IMAGE, "-o", w.dir / "no/such/folder"], 5, "folder"), ([IMAGE, "--timeout", "1ms"], 7, "")):
        r = w.run(*args, code=code)
        assert not r.stdout and len(r.stderr.splitlines()) == 1 and word in r.stderr, (args, r.stderr, r.stdout)


def without_a_database_packages_are_listed():
    w = world()
    nowhere = ["--db", w.dir / "nowhere"]
    for form in ("table", "json", "trivy-json", "sarif"):
        r = w.run(IMAGE, "--format", form, *nowhere, db=False, code=5)
        assert "picket-agent vulndb import --db" in r.stderr and len(r.stderr.splitlines()) == 1 and not r.stdout, r.stderr
    r = w.run(IMAGE, "--list-packages", *nowhere, db=False)
    assert "libssl3" in r.stdout and "no vulnerability database" in r.stderr, (r.stdout, r.stderr)
    r = json.loads(w.run(IMAGE, "--list-packages", "--format", "json", *nowhere, db=False).stdout)
    assert len(r["packages"]) == 6 and r["database"] is None and r["vulnerabilities"] == [], r
    for form in ("cyclonedx", "spdx"):
        assert "libssl3" in w.run(IMAGE, "--format", form, *nowhere, db=False).stdout


# ---- what is suppressed ----

VEX = {"@context": "https://openvex.dev/ns/v0.2.0", "@id": "https://example.net/vex", "author": "us",
       "timestamp": "2026-01-01T00:00:00Z", "version": 1, "statements": [
           {"vulnerability": {"name": "CVE-2019-10744"}, "products": [{"@id": "pkg:npm/lodash@4.17.4"}],
            "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path",
            "impact_statement": "defaultsDeep is not called"}]}


def suppressed_findings_are_told_with_their_reason():
    w = world()
    default = w.work / ".picketignore.yaml"
    vex = w.dir / "vendor.vex.json"
    vex.write_text(json.dumps(VEX))
    default.write_text("ignore:\n  - {id: CVE-2023-4911, reason: no setuid programs here, until: 2999-01-01}\n"
                       "  - {id: CVE-2023-5678, package: libssl3, reason: too late, until: 2020-01-01}\n")
    try:
        r = w.json(IMAGE, "--vex", vex)
        assert found(r) == WANT[2:], found(r)
        hidden = {v["id"]: v["suppressed"] for v in r["suppressed"]}
        assert hidden["CVE-2023-4911"] == {"by": "ignore-file", "state": "ignored", "reason": "no setuid programs here",
                                           "until": "2999-01-01", "source": ".picketignore.yaml"}, hidden
        assert hidden["CVE-2019-10744"]["by"] == "vex" and hidden["CVE-2019-10744"]["source"] == str(vex), hidden
        assert hidden["CVE-2019-10744"]["reason"].endswith("defaultsDeep is not called"), hidden
        assert r["summary"]["suppressed"] == 2 and r["summary"]["total"] == 4, r["summary"]
        assert any("CVE-2023-5678" in x and "2020-01-01" in x for x in r["warnings"]), r["warnings"]
        out = w.run(IMAGE, "--vex", vex).stdout
        assert "2 suppressed (1 by the ignore file, 1 by VEX; --show-suppressed says why)" in out, out
        assert "CVE-2023-4911" not in out, out
        out = w.run(IMAGE, "--vex", vex, "--show-suppressed").stdout
        assert "CVE-2023-4911" in out and "no setuid programs here" in out and "vulnerable_code_not_in_execute_path" in out, out
        w.run(IMAGE, "--vex", vex, "--fail-on", "high", code=0)
        w.run(IMAGE, "--fail-on", "critical", code=1)
    finally:
        default.unlink()
    (w.work / ".trivyignore").write_text("# Accept the risk\nCVE-2023-4911\nCVE-2019-10744 exp:2999-01-01\n")
    assert found(w.json(IMAGE)) == WANT  # only where it is asked for
    assert found(w.json(IMAGE, "--ignore-file", ".trivyignore")) == WANT[2:]


# ---- formats ----

def jq(program, text):
    if not shutil.which("jq"):
        raise Skip("jq is not installed")
    r = subprocess.run(["jq", "-r", program], input=text, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    return r.stdout.split("\n")[:-1]


def scripts_for_trivy_read_it_unchanged():
    w = world()
    text = w.run(IMAGE, "--format", "trivy-json").stdout
    assert jq('.Results[].Vulnerabilities[]? | select(.Severity == "CRITICAL" or .Severity == "HIGH") | '
              '"\\(.VulnerabilityID) \\(.PkgName) \\(.InstalledVersion) \\(.FixedVersion)"', text) == [
        "CVE-2023-4911 libc6 2.36-9+deb12u3 2.36-9+deb12u4", "CVE-2019-10744 lodash 4.17.4 4.17.12"]
    assert jq('[.Results[]?.Vulnerabilities[]?.Severity] | group_by(.) | map("\\(.[0])=\\(length)") | join(",")', text) == [
        "CRITICAL=1,HIGH=1,LOW=2,MEDIUM=2"]
    assert jq('.Results[] | "\\(.Target)|\\(.Class)|\\(.Type)"', text) == [
        f"{IMAGE} (debian 12)|os-pkgs|debian", "Node.js|lang-pkgs|node-pkg"]
    assert jq('.SchemaVersion, .ArtifactName, .ArtifactType, .Metadata.OS.Family, .Metadata.OS.Name', text) == [
        "2", IMAGE, "container_image", "debian", "12"]
    image_id = w.docker("image", "inspect", "-f", "{{.Id}}", IMAGE)
    assert jq(".Metadata.ImageID, .Metadata.RepoTags[0], .Metadata.ImageConfig.config.User, "
              "(.Metadata.DiffIDs | length)", text) == [image_id, IMAGE, "app", "2"]
    assert jq('.Results[].Vulnerabilities[]? | select(.PkgName == "lodash") | .PkgPath, .CVSS.ghsa.V3Score, .Status, '
              '.Layer.DiffID == (input_line_number | tostring), .PkgIdentifier.PURL, .SeveritySource, (.References | length)',
              text)[0::4] == ["opt/app/node_modules/lodash/package.json", "pkg:npm/lodash@4.17.4"]
    assert jq(".Results[].Packages", text) == ["null", "null"]
    text = w.run(IMAGE, "--format", "trivy-json", "--list-packages").stdout
    assert jq('[.Results[].Packages[].Name] | sort | join(" ")', text) == ["idna libc6 libssl3 lodash openssl python3-idna"]


def sarif_has_what_code_scanning_takes():
    w = world()
    run = json.loads(w.run(IMAGE, "--format", "sarif").stdout)["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [r["id"] for r in rules] == ["CVE-2007-6755", "CVE-2019-10744", "CVE-2023-4911", "CVE-2023-5678"], rules
    assert rules[1]["properties"]["security-severity"] == "9.1" and rules[1]["help"]["markdown"], rules[1]
    assert len(run["results"]) == 6
    prints = set()
    for r in run["results"]:
        assert rules[r["ruleIndex"]]["id"] == r["ruleId"] and r["level"] in ("error", "warning", "note"), r
        where = r["locations"][0]
        assert where["physicalLocation"]["region"]["startLine"] == 1, where
        assert where["logicalLocations"][0]["fullyQualifiedName"].startswith("pkg:"), where
        prints.add(r["partialFingerprints"]["picketFinding/v1"])
    assert len(prints) == 6, "each finding has its own fingerprint"


def findings_come_back_from_the_bills_of_materials():
    w = world()
    a = w.json(IMAGE)
    notes = []
    for form in ("cyclonedx", "spdx"):
        path = w.dir / f"sbom.{form}.json"
        w.run(IMAGE, "--format", form, "-o", path)
        assert not list(w.dir.glob("sbom*.tmp")), "a temporary file stayed"
        b = w.json(f"sbom:{path}")
        assert b["kind"] == "sbom" and not b["problems"], b["problems"]
        for key in ("packages", "vulnerabilities", "summary", "os"):
            assert a[key] == b[key], f"{form}: {key}: {a[key]} became {b[key]}"
        with open(path) as f:  # and from a pipe
            assert found(w.json("sbom:-", stdin=f)) == WANT
        notes.append(f"{form} {path.stat().st_size} bytes")
    c = json.loads((w.dir / "sbom.cyclonedx.json").read_text())
    refs = {x["bom-ref"] for x in c["components"]}
    assert all(y["ref"] in refs for x in c["vulnerabilities"] for y in x["affects"]), c["vulnerabilities"]
    assert len(c["vulnerabilities"]) == 4, [v["id"] for v in c["vulnerabilities"]]
    return ", ".join(notes)


# ---- long work ----

def children_of(pid):
    return [int(c) for t in pathlib.Path(f"/proc/{pid}/task").glob("*/children") for c in t.read_text().split()]


def an_interrupted_scan_leaves_nothing_behind():
    w = world()
    out = w.dir / "interrupted"
    # who started these tests in the background may have had the signal ignored
    p = subprocess.Popen([w.bin, "scan", "dir:/", "--db", w.db, "-o", out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    kids = wait_until("the worker runs", 10, lambda: children_of(p.pid))
    time.sleep(0.3)
    p.send_signal(signal.SIGINT)
    assert p.wait(10) == -signal.SIGINT, p.returncode

    def gone(pid):
        try:
            return re.search(r"^State:\s+[ZX]", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
        except OSError:
            return True
    wait_until("the worker is gone", 5, lambda: all(gone(k) for k in kids))
    assert not list(w.dir.glob("interrupted*")), "a file stayed"


def long_work_says_how_far_it_is():
    w = world()
    code, out = on_a_terminal(w, "dir:/usr")
    assert code == 0 and "\r\x1b[Kreading" in out and "\r\x1b[K/" not in out, out[:400]
    code, out = on_a_terminal(w, "dir:/usr", "--no-progress")
    assert code == 0 and "reading" not in out, out[:400]


def memory_stays_small():
    w = world()
    modules = {f"opt/app/node_modules/m{i}/package.json": json.dumps({"name": f"m{i}", "version": "1.0.0"})
               for i in range(20000)}
    modules.update({f"opt/app/node_modules/x{i}/node_modules/lodash/package.json": '{"name":"lodash","version":"4.17.4"}'
                    for i in range(5000)})
    w.docker("import", "-", "test/many:1", data=layer(modules))
    notes = []
    for args in (["test/many:1", "--format", "json"], ["test/many:1"], ["test/many:1", "--format", "cyclonedx"]):
        t = time.monotonic()
        p = subprocess.Popen([w.bin, "scan", *args, "--db", w.db], stdout=subprocess.DEVNULL, cwd=w.work,
                             env={**os.environ, "DOCKER_HOST": f"unix://{w.engine}/d.sock"})
        own = worker = 0
        while p.poll() is None:
            with contextlib.suppress(OSError):
                own = max(own, status_kib(p.pid, "VmHWM"))
                worker = max([worker, *(status_kib(c, "VmHWM") for c in children_of(p.pid))])
            time.sleep(0.01)
        assert p.returncode == 0, p.returncode
        assert 0 < own <= PEAK_KIB and worker <= PEAK_KIB, f"{own} and {worker} KiB for {args}"
        notes.append(f"{own // 1024} MiB, its worker {worker // 1024}, {time.monotonic() - t:.1f} s")
    return "25,000 packages, 5,000 findings: " + "; ".join(notes)


try:
    main(an_image_of_the_engine_is_judged,
         every_kind_of_target_says_the_same,
         an_image_of_a_registry_is_judged_with_a_password,
         a_signed_database_is_asked_for,
         a_lock_file_counts_in_a_folder_and_in_an_image_when_asked,
         a_person_gets_a_table,
         an_image_cannot_speak_to_the_terminal,
         the_exit_code_is_the_gate,
         errors_are_one_line_and_have_their_exit_code,
         without_a_database_packages_are_listed,
         suppressed_findings_are_told_with_their_reason,
         scripts_for_trivy_read_it_unchanged,
         sarif_has_what_code_scanning_takes,
         findings_come_back_from_the_bills_of_materials,
         an_interrupted_scan_leaves_nothing_behind,
         long_work_says_how_far_it_is,
         memory_stays_small)
finally:
    if WORLD:
        WORLD.close()
