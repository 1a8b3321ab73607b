/* checks_host.c - the host around the engine: its disk, its users, its files. */
#include "agent/audit/checks.h"
#include "agent/audit/mounts.h"

enum audit_status check_h_partition(struct judge *j)
{
	const char *dir = j->daemon->root_dir;

	j->path = dir;
	if (!dir[0])
		return judge_unknown(j, "the engine's folder is not known: %s", j->daemon->why);
	return j->host->root_dir_is_mount ? judge_pass(j, "%s is a mount point", dir) :
					    judge_fail(j, "%s shares its file system with the folder above", dir);
}

enum audit_status check_h_users(struct judge *j)
{
	struct names names = { .most = 10 };

	for (size_t i = 0; i < j->host->docker_user_count; i++) {
		const struct facts_user *u = &j->host->docker_users[i];

		if (u->uid)
			names_add(&names, "%.32s (uid %u)", u->name, (unsigned)u->uid);
	}
	return names.count ? judge_fail(j, "%s", names_text(&names)) : judge_pass(j, "nobody else");
}

/* ---- who notices a change ---- */

static const struct facts_file *file_at(const struct facts_host *h, const char *path)
{
	for (size_t i = 0; i < h->file_count; i++) {
		if (!strcmp(h->files[i].path, path))
			return &h->files[i];
	}
	return NULL;
}

/* By the whole path: a rule for containerd-shim is none for containerd. */
static bool is_watched(const struct facts_texts *watched, const char *path)
{
	char normal[4096], rule[4096];

	mounts_normal(path, normal, sizeof(normal));
	for (size_t i = 0; i < watched->count; i++) {
		mounts_normal(watched->v[i], rule, sizeof(rule));
		if (mounts_is_below(normal, rule))
			return true;
	}
	return false;
}

static void look(struct judge *j, const char *path, struct names *missing)
{
	const struct facts_file *f = file_at(j->host, path);

	if (!path[0] || (f && !f->exists) || is_watched(&j->host->watched, path) || is_watched(&j->host->watched_by_us, path))
		return;
	if (!missing->count)
		j->path = path;
	names_add(missing, "%s", path);
}

enum audit_status check_h_watched(struct judge *j)
{
	static const char *const programs[] = { "/usr/bin/dockerd", "/run/containerd", "/usr/bin/containerd",
						"/usr/bin/containerd-shim-runc-v2", "/usr/bin/runc" };
	struct names missing = { .most = 6 };

	look(j, j->daemon->exe[0] ? j->daemon->exe : programs[0], &missing);
	look(j, j->daemon->root_dir, &missing);
	for (size_t i = 1; i < ARRAY_LEN(programs); i++)
		look(j, programs[i], &missing);
	for (size_t i = 0; i < j->host->file_count; i++) {
		if (j->host->files[i].exists)
			look(j, j->host->files[i].path, &missing);
	}
	if (!missing.count)
		return judge_pass(j, "%s", j->host->watched_by_us.count ? "by picket-agent's rules, or audit rules" : "by audit rules");
	return judge_fail(j, "%s%s: %s", j->host->has_audit_rules ? "not by audit rules" : "no audit rules",
			  j->host->watched_by_us.count ? ", nor by picket-agent's" : "; no picket-agent runs that watches files",
			  names_text(&missing));
}

/* ---- files ---- */

static bool ends(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && !strcmp(s + n - m, tail);
}

/* Files are told by where they are, whatever they were called when they were looked up. */
static bool is_what(const struct judge *j, const struct facts_file *f, const char *what)
{
	const struct facts_daemon *d = j->daemon;

	if (!strcmp(f->what, what))
		return true;
	if (!strcmp(what, "tls ca"))
		return d->tls_ca[0] && !strcmp(f->path, d->tls_ca);
	if (!strcmp(what, "tls cert"))
		return d->tls_cert[0] && !strcmp(f->path, d->tls_cert);
	if (!strcmp(what, "tls key"))
		return d->tls_key[0] && !strcmp(f->path, d->tls_key);
	if (!strcmp(what, "daemon.json"))
		return d->config_path[0] && !strcmp(f->path, d->config_path);
	if (!strcmp(what, "/etc/docker/certs.d"))
		return !strncmp(f->path, what, strlen(what));
	if (what[0] == '/')
		return !strcmp(f->path, what);
	char tail[64];
	snprintf(tail, sizeof(tail), "/%s", what);
	return ends(f->path, tail);
}

/* Root's own bits are nothing: root reads and writes what it likes. So 0644 is as good as 0444. */
static mode_t too_much(const struct facts_file *f, mode_t most)
{
	/* on a folder of certificates x is what lets one in */
	if (f->is_directory && !(most & 0111))
		most |= (most & 0444) >> 2;
	return f->mode & 07777 & ~most & ~(mode_t)0700;
}

static const char *wrong(const struct judge *j, const struct facts_file *f, mode_t most, bool *ret_may_write)
{
	mode_t more = too_much(f, most);
	bool own = j->daemon->is_rootless && f->uid == j->daemon->uid;

	*ret_may_write = true;
	if (f->uid && !own)
		return "belongs to another user";
	if (f->is_link)
		return f->loose_parent[0] ? "can be replaced by others" : NULL;
	if (more & 0022 || (f->is_socket && more))
		return "can be written by others";
	if (f->loose_parent[0])
		return "can be replaced by others";
	*ret_may_write = false;
	if (more)
		return "has a wider mode";
	/* a socket's group is the engine's users: PKT-H-002 */
	if (f->gid && !f->is_socket && !own)
		return "belongs to another group";
	return f->has_acl ? "has an ACL" : NULL;
}

/* The widest of severity: what others can write is worth the row's, what they can read is worth less, but for keys. */
static enum audit_status judge_file(struct judge *j, const char *what, mode_t most)
{
	struct names bad = { .most = 3 };
	bool may_write = false, any_write = false;
	size_t count = 0;

	for (size_t i = 0; i < j->host->file_count; i++) {
		const struct facts_file *f = &j->host->files[i];

		if (!f->exists || !is_what(j, f, what))
			continue;
		count++;
		const char *why = wrong(j, f, most, &may_write);
		if (!why)
			continue;
		if (!bad.count || (may_write && !any_write))
			j->path = f->path;
		any_write |= may_write;
		names_add(&bad, "%s %s: %u:%u %04o%s%s", f->path, why, (unsigned)f->uid, (unsigned)f->gid,
			  (unsigned)(f->mode & 07777), f->loose_parent[0] ? ", below " : "", f->loose_parent);
	}
	if (!count)
		return judge_na(j, "there is none");
	if (!bad.count)
		return judge_pass(j, "root's alone");
	bool is_secret = !(most & 0044);
	return judge_fail_as(j, any_write || is_secret ? j->check->severity : AUDIT_LOW, "%s", names_text(&bad));
}

#define CHECK(fn, id, subject, severity, title, cis, mitre, why, fix)
#define HOSTFILE(fn, id, severity, what, most, title, cis, why)                                                            \
	enum audit_status check_##fn(struct judge *j)                                                                  \
	{                                                                                                              \
		return judge_file(j, what, most);                                                                      \
	}
#include "agent/audit/checks_host.def"
#undef CHECK
#undef HOSTFILE
