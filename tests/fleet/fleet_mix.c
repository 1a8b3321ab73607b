/* fleet_mix.c - see fleet_mix.h.
 *
 * A host has ten containers of five kinds. Its numbers come in jobs of twelve, as hosts really do: a shell
 * starts, starts others, files are read, something is connected to, all end. Shares: exec 33 %, exit 33 %,
 * files 25 %, network 8 %, findings as asked for. */
#include "tests/fleet/fleet_mix.h"

#include <stdio.h>

#include "proto/msg.h"

enum { CONTAINERS = 10, JOB = 12, RECORD_MAX = 4096 };

static const char *const images[] = { "registry.example.net/shop/web:2.14.1", "registry.example.net/shop/worker:2.14.1",
				      "postgres:15.8-bookworm", "redis:7.2.5-alpine", "nginx:1.27.1" };
static const char *const names[] = { "web", "worker", "db", "cache", "proxy" };
static const char *const users[] = { "app", "app", "postgres", "redis", "nginx" };
static const uint32_t uids[] = { 1000, 1000, 999, 999, 101 };

/* % in args: a number that changes with each run; ~: one of few. Blanks part arguments. */
static const struct program {
	const char *name, *exe, *args;
} programs[] = {
	{ "sh", "/usr/bin/dash", "-c /usr/local/bin/healthcheck" },
	{ "curl", "/usr/bin/curl", "-fsS --max-time 3 http://127.0.0.1:8080/health" },
	{ "pg_isready", "/usr/lib/postgresql/15/bin/pg_isready", "-U app -d shop" },
	{ "redis-cli", "/usr/local/bin/redis-cli", "-h 127.0.0.1 ping" },
	{ "php", "/usr/local/bin/php", "/srv/app/artisan queue:work --once --job=%" },
	{ "python3", "/usr/bin/python3.11", "/srv/app/manage.py send_mail --batch ~" },
	{ "convert", "/usr/bin/convert-im6.q16", "/tmp/upload-% -resize 320x /srv/app/thumb/%.jpg" },
	{ "cat", "/usr/bin/cat", "/proc/loadavg" },
	{ "cp", "/usr/bin/cp", "/tmp/upload-% /srv/app/files/~/%" },
	{ "rm", "/usr/bin/rm", "-f /tmp/upload-%" },
	{ "psql", "/usr/lib/postgresql/15/bin/psql", "-h db -U app -d shop -c VACUUM" },
	{ "tar", "/usr/bin/tar", "-czf /backup/~.tar.gz /srv/app/files" },
	{ "gzip", "/usr/bin/gzip", "-9" },
	{ "git", "/usr/bin/git", "rev-parse HEAD" },
	{ "node", "/usr/local/bin/node", "/srv/app/render.js --page=/product/%" },
	{ "logrotate", "/usr/sbin/logrotate", "/etc/logrotate.conf" },
};
static const char *const files[] = { "/etc/passwd", "/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt",
				     "/srv/app/config/app.yaml", "/tmp/upload-%", "/srv/app/files/~/%",
				     "/var/log/app/app.log", "/proc/self/status" };

uint64_t mix_hash(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* One record being made; everything it points to is in here. */
struct made {
	Picket__Record rec;
	Picket__Event ev;
	Picket__Finding fi;
	Picket__Process p;
	Picket__Container c;
	Picket__Exit exit;
	Picket__File file;
	Picket__Network net;
	Picket__Ancestor parent[2], *parents[2];
	char id[65], name[32], args[256], path[128];
	uint64_t sha256[4];
	uint8_t local[4], remote[4];
};

static ProtobufCBinaryData text(const char *s)
{
	return msg_bytes(slice_of(s));
}

/* The template with its % and ~ filled in. */
static size_t fill(char *dst, size_t size, const char *from, uint64_t h, char blank)
{
	size_t n = 0;

	for (; *from && n + 12 < size; from++) {
		if (*from == '%')
			n += (size_t)sprintf(dst + n, "%05x", (unsigned)(h & 0xfffff));
		else if (*from == '~')
			n += (size_t)sprintf(dst + n, "%u", (unsigned)(h % 12));
		else
			dst[n++] = *from == ' ' ? blank : *from;
	}
	dst[n] = '\0';
	return n;
}

static void make_container(struct made *r, const struct mix *m, uint32_t host, unsigned which)
{
	uint64_t h = mix_hash(m->seed + host * 64ull + which);

	for (int k = 0; k < 4; k++, h = mix_hash(h))
		snprintf(r->id + k * 16, 17, "%016llx", (unsigned long long)h);
	snprintf(r->name, sizeof(r->name), "%s-%u-%u", names[which % 5], host % 50, which / 5);
	r->c.id = r->id;
	r->c.name = text(r->name);
	r->c.image = text(images[which % 5]);
	r->ev.container = &r->c;
}

static void make_parents(struct made *r, uint64_t job)
{
	static const char *const who[] = { "supervisord", "containerd-shim" };
	static const char *const where[] = { "/usr/bin/supervisord", "/usr/bin/containerd-shim-runc-v2" };

	for (int k = 0; k < 2; k++) {
		picket__ancestor__init(&r->parent[k]);
		r->parent[k].pid = 800 + (uint32_t)(job >> 40) % 7 + (uint32_t)k;
		r->parent[k].start_ns = 7919000000ull + (uint64_t)k * 1000003;
		r->parent[k].name = text(who[k]);
		r->parent[k].exe = text(where[k]);
		r->parents[k] = &r->parent[k];
	}
	r->p.ancestors = r->parents;
	r->p.n_ancestors = 2;
}

static void make_process(struct made *r, const struct mix *m, uint64_t job, uint64_t h, unsigned which, uint64_t seq)
{
	const struct program *pr = &programs[h % ARRAY_LEN(programs)];
	unsigned at = which % 5;

	r->p.pid = 2000 + (uint32_t)(seq % 4000000);
	r->p.vpid = 20 + (uint32_t)(seq % 30000);
	r->p.ppid = 800 + (uint32_t)(job % 64);
	r->p.start_ns = 86400000000000ull + seq * m->step_ns + (h >> 44);
	r->p.name = text(pr->name);
	r->p.exe = text(m->exe ? m->exe : pr->exe);
	for (unsigned i = 0; i < ARRAY_LEN(r->sha256); i++)
		r->sha256[i] = mix_hash((h % ARRAY_LEN(programs) + 1) * 0x9e3779b97f4a7c15ull + i);
	r->p.exe_sha256 = (ProtobufCBinaryData){ sizeof(r->sha256), (uint8_t *)r->sha256 };
	if (m->exe)
		r->p.exe_sha256.data = (uint8_t *)(uintptr_t)m->exe_sha256;
	r->p.argv0 = text(pr->name);
	r->p.args = msg_bytes(slice_from(r->args, fill(r->args, sizeof(r->args), pr->args, h >> 8, '\0') + 1));
	r->p.cwd = text("/srv/app");
	r->p.uid = r->p.gid = r->p.real_uid = uids[at];
	r->p.user = r->p.group = text(users[at]);
	r->p.login_uid = UINT32_MAX;
	r->p.session_id = r->p.group_id = r->p.ppid;
	r->p.ns_pid = r->p.ns_mnt = r->p.ns_net = 4026532000u + which;
	r->p.ns_user = 4026531837u;
	r->p.cgroup_id = 10000 + which;
	r->p.exe_inode = 500000 + h % ARRAY_LEN(programs);
	r->p.exe_ctime_ns = r->p.exe_mtime_ns = 1790000000000000000ull + (h % ARRAY_LEN(programs)) * 1000003;
	make_parents(r, job);
	r->ev.process = &r->p;
}

static void make_file(struct made *r, uint64_t h)
{
	fill(r->path, sizeof(r->path), files[h % ARRAY_LEN(files)], h >> 8, ' ');
	r->ev.type = PICKET__EVENT_TYPE__EVENT_FILE;
	r->ev.call = (char *)(uintptr_t)"openat";
	r->ev.result = 3 + (int)(h >> 60);
	r->file.path = r->file.raw = text(r->path);
	r->file.open_flags = h & 256 ? 02000000 : 02000101;
	r->file.file_mode = 0100644;
	r->file.inode = 700000 + h % 4096;
	r->file.dev = 2049;
	r->ev.file = &r->file;
}

static void make_connect(struct made *r, uint32_t host, uint64_t h)
{
	static const uint16_t ports[] = { 5432, 6379, 443, 8080 };

	r->local[0] = r->remote[0] = 10;
	r->local[1] = (uint8_t)(host >> 8), r->local[2] = (uint8_t)host, r->local[3] = 7;
	r->remote[1] = 99, r->remote[2] = (uint8_t)(h % 4), r->remote[3] = (uint8_t)(h >> 8 & 31);
	r->ev.type = PICKET__EVENT_TYPE__EVENT_NETWORK;
	r->ev.call = (char *)(uintptr_t)"connect";
	r->net.protocol = (char *)(uintptr_t)"tcp";
	r->net.local_address = (ProtobufCBinaryData){ 4, r->local };
	r->net.remote_address = (ProtobufCBinaryData){ 4, r->remote };
	r->net.local_port = 32768 + (uint32_t)(h >> 16 & 0x3fff);
	r->net.remote_port = ports[h >> 32 & 3];
	r->ev.network = &r->net;
}

static void make_finding(struct made *r, uint64_t h)
{
	static const char *const rules[] = { "Terminal shell in container", "Read sensitive file untrusted",
					     "Drop and execute new binary in container" };

	picket__finding__init(&r->fi);
	r->fi.rule = (char *)(uintptr_t)rules[h % 3];
	r->fi.priority = (char *)(uintptr_t)"Notice";
	r->fi.output = (char *)(uintptr_t)"something to look at (simulated)";
	r->fi.event_type = PICKET__EVENT_TYPE__EVENT_EXEC;
	r->fi.process = &r->p;
	r->fi.container = &r->c;
	r->fi.source = (char *)(uintptr_t)"syscall";
	r->fi.call = (char *)(uintptr_t)"execve";
	r->rec.body_case = PICKET__RECORD__BODY_FINDING;
	r->rec.finding = &r->fi;
}

static void make_kind(const struct mix *m, struct made *r, uint32_t host, uint64_t seq, uint64_t h)
{
	static const char kinds[JOB + 1] = "EEFXENFXEXFX";
	char kind = m->kind == MIX_EXEC ? 'E' : kinds[seq % JOB];

	r->ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
	if (kind == 'X') {
		r->ev.type = PICKET__EVENT_TYPE__EVENT_EXIT;
		r->exit.code = h & 0xf00 ? 0 : 1;
		r->exit.duration_ns = 1000000 + (h >> 40);
		r->ev.exit = &r->exit;
	} else if (kind == 'F') {
		make_file(r, h);
	} else if (kind == 'N') {
		make_connect(r, host, h);
	}
}

void mix_record(const struct mix *m, uint32_t host, uint64_t epoch, uint64_t seq, struct buf *out)
{
	uint64_t base = mix_hash(m->seed ^ mix_hash(host + epoch * 0x9e3779b97f4a7c15ull));
	uint64_t h = mix_hash(base + seq), job = mix_hash(base ^ (seq / JOB));
	unsigned which = (unsigned)(job % CONTAINERS);
	struct made r;

	picket__record__init(&r.rec);
	picket__event__init(&r.ev);
	picket__process__init(&r.p);
	picket__container__init(&r.c);
	picket__exit__init(&r.exit);
	picket__file__init(&r.file);
	picket__network__init(&r.net);
	r.rec.time_unix_ns = m->base_unix_ns + seq * m->step_ns + (h & 0x3fff);
	r.rec.body_case = PICKET__RECORD__BODY_EVENT;
	r.rec.event = &r.ev;
	make_container(&r, m, host, which);
	make_process(&r, m, job, h, which, seq);
	make_kind(m, &r, host, seq, h);
	if (m->findings_every && h % m->findings_every == 0)
		make_finding(&r, h >> 20);
	char *to = buf_reserve(out, RECORD_MAX);
	if (to) {
		out->n += picket__record__pack(&r.rec, (uint8_t *)to);
		out->p[out->n] = '\0';
	}
}
