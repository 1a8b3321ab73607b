#!/usr/bin/env python3
"""A real Debian image: every package of it, as dpkg itself says; and what is wrong with them, as debsecan says.

Made by debootstrap and docker import; some 90 packages, with --long some 400. The advisories are made here, of
every kind Debian's tracker knows, for packages that are really in the image; where ../shared/feeds is there, its
tracker file is taken, too. debsecan gets the same data in its own format.
"""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import zlib

from lib import LONG, TOP, Shell, Skip, main, programs

SUITE = "bookworm"
MORE = ("openssl,curl,ca-certificates,python3,perl,git,nginx,openssh-server,postgresql-client,nodejs,default-jre-headless,"
        "build-essential,gdb,vim,imagemagick,ruby,php-cli,redis-server,sqlite3,wget,gnupg,rsync,procps,iproute2")
DERIVED = TOP.parent / "shared/feeds/debian/derived/derived-bookworm.tracker.json"


def run(*argv, env=None, timeout=900, check=True):
    r = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=timeout,
                       env={**os.environ, **(env or {})})
    if check and r.returncode:
        raise AssertionError(f"{argv[0]}: exit {r.returncode}: {r.stderr[-800:]}")
    return r


def mirror():
    for f in ["/etc/apt/sources.list", *sorted(map(str, pathlib.Path("/etc/apt/sources.list.d").glob("*")))]:
        for line in open(f) if os.path.exists(f) else []:
            if line.startswith("URIs:"):
                return line.split()[1]
            if line.startswith("deb "):
                return next(w for w in line.split()[1:] if "://" in w)
    raise Skip("no package mirror is configured")


class Debian:
    """The root, the image made of it, the database of advisories for it."""

    def __init__(self):
        for tool in ("debootstrap", "debsecan", "dpkg-query"):
            if not shutil.which(tool):
                raise Skip(f"{tool} is not installed")
        if os.geteuid() != 0:
            raise Skip("debootstrap needs root")
        self.bin = programs("release")["agent"]
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="pk", dir="/tmp"))
        self.docker = Shell("dockerd.sh")
        self.engine = None
        try:
            self.make_root()
            self.engine = self.dir / "d"
            self.docker("start_dockerd", self.engine)
            self.env = {"DOCKER_HOST": f"unix://{self.engine}/d.sock"}
            tar = subprocess.Popen(["tar", "-C", self.root, "--exclude=./dev/*", "-c", "."], stdout=subprocess.PIPE)
            subprocess.run(["docker", "import", "-", "test/debian:1"], stdin=tar.stdout, check=True, timeout=300,
                           capture_output=True, env={**os.environ, **self.env})
            tar.wait()
            self.packages = self.ask_dpkg()
            self.make_advisories()
        except BaseException:
            self.close()
            raise

    def make_root(self):
        if os.environ.get("PICKET_DEBIAN_ROOT"):  # one that was made before, to try again quickly
            self.made, self.root = None, pathlib.Path(os.environ["PICKET_DEBIAN_ROOT"])
            return
        self.made = self.root = self.dir / "root"
        self.root.mkdir()
        # dpkg syncs each file: in memory that is nothing
        run("mount", "-t", "tmpfs", "-o", "size=6g,mode=755", "picket-test", self.root)
        extra = [f"--include={MORE}"] if LONG else []
        r = run("debootstrap", "--variant=minbase", *extra, SUITE, self.root, mirror(), timeout=1800, check=False)
        if r.returncode:
            raise Skip("debootstrap could not make a root: " + (r.stderr or r.stdout)[-200:].replace("\n", " "))

    def ask_dpkg(self):
        form = "${binary:Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\t${source:Version}\\n"
        rows = run("dpkg-query", f"--admindir={self.root}/var/lib/dpkg", "-W", "-f", form).stdout.splitlines()
        return sorted((n.split(":")[0], v, a, s, sv) for n, v, a, s, sv in (row.split("\t") for row in rows))

    def make_advisories(self):
        """One advisory of each kind, in turn, for each source package; as Debian's tracker writes them."""
        kinds = [
            {"status": "resolved", "fixed_version": "999:1"},
            {"status": "resolved", "fixed_version": "0.0~0"},
            {"status": "resolved", "fixed_version": "0"},
            {"status": "open"},
            {"status": "open", "nodsa": "Minor issue", "nodsa_reason": ""},
            {"status": "open", "nodsa": "Minor issue", "nodsa_reason": "postponed"},
            {"status": "open", "nodsa": "Too small", "nodsa_reason": "ignored"},
        ]
        sources = sorted({(p[3], p[4]) for p in self.packages})
        tracker = {}
        for i, (source, version) in enumerate(sources):
            entry = dict(kinds[i % len(kinds)])
            tracker.setdefault(source, {})[f"CVE-2030-{10000 + i}"] = {
                "description": f"made for {source}",
                "releases": {SUITE: {**entry, "repositories": {SUITE: version}, "urgency": "medium"}},
            }
            # exactly the installed version: fixed
            tracker[source][f"CVE-2031-{10000 + i}"] = {"releases": {SUITE: {
                "status": "resolved", "fixed_version": version, "repositories": {SUITE: version}, "urgency": "low"}}}
        self.trackers = [tracker]
        if DERIVED.exists():
            self.trackers.append(json.loads(DERIVED.read_text()))
        merged = {}
        for t in self.trackers:
            for source, cves in t.items():
                merged.setdefault(source, {}).update(cves)
        self.tracker = merged
        (self.dir / "tracker.json").write_text(json.dumps(merged))
        self.db = self.dir / "vulndb.sqlite"
        run(self.bin, "vulndb", "import", "--db", self.db, self.dir / "tracker.json")

    def debsecan(self):
        """The same data in debsecan's format; what it finds, as (CVE, binary package)."""
        names, rows = [], []
        for source, cves in self.tracker.items():
            for cve, entry in cves.items():
                release = entry["releases"].get(SUITE)
                if not release or release.get("fixed_version") == "0":
                    continue
                fixed = release["fixed_version"] if release["status"] == "resolved" else ""
                rows.append(f"{source},{len(names)},S ?{'F' if fixed else ' '},{fixed},")
                names.append(f"{cve},,")
        text = "\n".join(["VERSION 1", *names, "", *rows, "", ""]) + "\n"
        folder = self.dir / "debsecan"
        folder.mkdir(exist_ok=True)
        (folder / SUITE).write_bytes(zlib.compress(text.encode()))
        out = run("debsecan", "--suite", SUITE, "--source", f"file://{folder}", "--status",
                  self.root / "var/lib/dpkg/status", "--format", "simple").stdout
        return {tuple(line.split()[:2]) for line in out.splitlines() if line.strip()}

    def scan(self, *args):
        return run(self.bin, "scan", *args, env=self.env)

    def close(self):
        if self.engine:
            self.docker("stop_dockerd", self.engine)
        if getattr(self, "made", None):
            run("umount", "-l", self.made, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


debian = None


def the_image_is_made():
    global debian
    debian = Debian()
    assert len(debian.packages) > (300 if LONG else 60), len(debian.packages)
    return f"{len(debian.packages)} packages"


def need():
    if not debian:
        raise Skip("there is no Debian image")
    return debian


def the_inventory_is_what_dpkg_says():
    d = need()
    doc = json.loads(d.scan("test/debian:1", "--db", d.db, "--format", "json", "--list-packages").stdout)
    assert doc["os"]["id"] == "debian" and doc["os"]["version"].split(".")[0] == "12", doc["os"]
    got = sorted((p["name"], p["version"], p["arch"], p.get("source") or p["name"],
                  p.get("source_version") or p["version"]) for p in doc["packages"] if p["ecosystem"] == "deb")
    assert got == d.packages, (set(got) ^ set(d.packages))


def it_finds_what_debsecan_finds():
    d = need()
    doc = json.loads(d.scan("test/debian:1", "--db", d.db, "--format", "json").stdout)
    ours = {(v["id"], v["package"]) for v in doc["vulnerabilities"] if v["status"] != "under_investigation"}
    theirs = d.debsecan()
    assert len(theirs) > 20
    assert ours == theirs, f"only here: {sorted(ours - theirs)[:5]}, only there: {sorted(theirs - ours)[:5]}"
    return f"{len(ours)} findings, the same as debsecan's"


def every_kind_of_advisory_keeps_its_word():
    d = need()
    doc = json.loads(d.scan("test/debian:1", "--db", d.db, "--format", "json").stdout)
    seen = {v["status"] for v in doc["vulnerabilities"] if v["id"].startswith("CVE-2030-")}
    assert {"fixed", "affected", "fix_deferred", "will_not_fix"} <= seen, seen
    assert not [v for v in doc["vulnerabilities"] if v["id"].startswith("CVE-2031-")]


def the_archive_and_the_folder_say_the_same():
    d = need()
    archive = d.dir / "image.tar"
    run("docker", "save", "-o", archive, "test/debian:1", env=d.env)

    def stock(target):
        doc = json.loads(d.scan(target, "--db", d.db, "--format", "json", "--list-packages").stdout)
        return sorted((p["name"], p["version"]) for p in doc["packages"] if p["ecosystem"] == "deb")

    engine = stock("test/debian:1")
    assert stock(f"docker-archive:{archive}") == engine
    assert stock(f"dir:{d.root}") == engine


def it_is_quick_and_small():
    """Wide bounds: a change of kind. The figures stand in the README."""
    d, said = need(), []
    for name, target, bound in (("engine", "test/debian:1", 6), ("archive", f"docker-archive:{d.dir}/image.tar", 20)):
        best, peak = 99.0, 0
        for _ in range(3):
            begin = time.monotonic()
            r = run("/usr/bin/env", "python3", "-c",
                    "import resource,subprocess,sys\nr=subprocess.run(sys.argv[1:],capture_output=True)\n"
                    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\nsys.exit(r.returncode)",
                    d.bin, "scan", target, "--db", d.db, "--format", "json", "--list-packages", env=d.env)
            best, peak = min(best, time.monotonic() - begin), max(peak, int(r.stdout))
        said.append(f"{name} {best:.2f} s, {peak / 1024:.1f} MiB")
        assert best < bound, f"{name}: {best:.2f} s"
        assert peak < 64 * 1024, f"{name}: {peak} KiB"
    return f"{len(d.packages)} packages: " + ", ".join(said)


def everything_is_cleaned_up():
    need().close()


if __name__ == "__main__":
    main(the_image_is_made, the_inventory_is_what_dpkg_says, it_finds_what_debsecan_finds,
                  every_kind_of_advisory_keeps_its_word, the_archive_and_the_folder_say_the_same,
                  it_is_quick_and_small, everything_is_cleaned_up)
