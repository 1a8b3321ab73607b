/* checks_container_files.c - which files of the host a container has, and what it can write. */
#include "agent/audit/checks.h"
#include "agent/audit/mounts.h"

static const char *mode_word(bool is_writable)
{
	return is_writable ? "writable" : "read-only";
}

static const char *keep(struct judge *j, const char *text)
{
	char *copy = arena_dup(j->arena, slice_of(text));

	j->failed |= !copy;
	return copy ? copy : "";
}

/* ---- sensitive folders ---- */

struct found {
	struct names names;
	enum audit_severity worst;
	const char *path; /* of the worst */
	bool unasked;
};

static void found_add(struct found *f, const char *path, const char *point, bool is_writable, enum audit_severity s,
		      const char *what)
{
	if (!f->names.count || s > f->worst) {
		f->worst = s;
		f->path = point;
	}
	names_add(&f->names, "%s at %s, %s (%s)", path, point, mode_word(is_writable), what);
}

/* A mount of "/" brings every file system below with it: the one above says it all. */
static bool is_within_another(const struct judge *j, const struct facts_mount *m)
{
	for (size_t i = 0; i < j->real->mount_count; i++) {
		const struct facts_mount *o = &j->real->mounts[i];

		if (o != m && o->host_path[0] && strcmp(o->point, "/") != 0 && !mounts_is_runtimes(j, o) &&
		    strlen(o->point) < strlen(m->point) && mounts_is_below(m->point, o->point) &&
		    mounts_is_below(m->host_path, o->host_path) && o->is_writable >= m->is_writable)
			return true;
	}
	return false;
}

static const struct facts_asked_mount *asked_at(const struct judge *j, const char *point)
{
	char want[4096], have[4096];

	mounts_normal(point, want, sizeof(want));
	for (size_t i = 0; i < j->asked->mount_count; i++) {
		mounts_normal(j->asked->mounts[i].dest, have, sizeof(have));
		if (!strcmp(want, have))
			return &j->asked->mounts[i];
	}
	return NULL;
}

/* Of two names on the host the one that is worse. */
static bool is_sensitive(const struct judge *j, const struct facts_mount *m, struct facts_mount *ret, enum audit_severity *ret_s,
			 const char **ret_what)
{
	const char *root_dir = j->daemon->root_dir, *what;
	bool found = mounts_sensitive(m->host_path, m->is_writable, root_dir, ret_s, ret_what);
	enum audit_severity s;

	*ret = *m;
	if (mounts_sensitive(m->host_other, m->is_writable, root_dir, &s, &what) && (!found || s > *ret_s)) {
		*ret_s = s;
		*ret_what = what;
		ret->host_path = m->host_other;
		found = true;
	}
	return found;
}

static void sensitive_real(struct judge *j, struct found *f)
{
	for (size_t i = 0; i < j->real->mount_count; i++) {
		const struct facts_mount *m = &j->real->mounts[i];
		struct facts_mount as;
		enum audit_severity s;
		const char *what;

		/* an engine's socket itself has a check of its own */
		if (mounts_is_runtimes(j, m) || (m->is_socket && m->api_socket[0]) || !is_sensitive(j, m, &as, &s, &what) ||
		    is_within_another(j, m))
			continue;
		const struct facts_asked_mount *asked = asked_at(j, m->point);
		f->unasked |= asked && m->is_writable && !asked->is_writable;
		found_add(f, as.host_path, m->point, m->is_writable, s, what);
	}
}

/* Where the kernel told what is mounted there, that counts; what it did not, as asked for. */
static bool is_told(const struct judge *j, const char *point)
{
	char want[4096];

	mounts_normal(point, want, sizeof(want));
	for (size_t i = 0; j->real && i < j->real->mount_count; i++) {
		if (!strcmp(j->real->mounts[i].point, want) && j->real->mounts[i].host_path[0])
			return true;
	}
	return false;
}

static void sensitive_asked(struct judge *j, struct found *f)
{
	for (size_t i = 0; i < j->asked->mount_count; i++) {
		const struct facts_asked_mount *m = &j->asked->mounts[i];
		const char *source = mounts_source(m, j->daemon->root_dir), *what;
		enum audit_severity s;

		if (!is_told(j, m->dest) && mounts_sensitive(source, m->is_writable, j->daemon->root_dir, &s, &what))
			found_add(f, source, m->dest, m->is_writable, s, what);
	}
}

enum audit_status check_c_mounts(struct judge *j)
{
	struct found f = { .names.most = 4 };

	if (j->real)
		sensitive_real(j, &f);
	sensitive_asked(j, &f);
	if (!f.names.count)
		return judge_pass(j, "none of %zu mounts%s", j->real ? j->real->mount_count : j->asked->mount_count,
				  judge_asked_only(j));
	j->path = f.path;
	if (f.unasked)
		judge_differs(j, true);
	return judge_fail_as(j, f.worst, "%s%s%s", names_text(&f.names), f.unasked ? "; asked for read-only" : "",
			     judge_asked_only(j));
}

/* ---- engines' sockets ---- */

/* For a container that does not run: the places where engines have theirs, and the folders above. */
static bool may_hold_socket(const struct judge *j, const char *source)
{
	static const char *const usual[] = { "/run/docker.sock", "/run/containerd/containerd.sock", "/run/crio/crio.sock",
					     "/run/podman/podman.sock", "/run/docker/containerd/containerd.sock" };
	char normal[4096], socket[4096];

	if (source[0] != '/')
		return false;
	mounts_normal(source, normal, sizeof(normal));
	for (size_t i = 0; i < ARRAY_LEN(usual); i++) {
		if (mounts_is_below(usual[i], normal))
			return true;
	}
	for (size_t i = 0; i < j->daemon->listen_count; i++) {
		const char *address = j->daemon->listens[i].address, *prefix = "unix:";

		if (strncmp(address, prefix, strlen(prefix)) != 0)
			continue;
		address += strlen(prefix);
		mounts_normal(!strncmp(address, "//", 2) ? address + 2 : address, socket, sizeof(socket));
		if (mounts_is_below(socket, normal))
			return true;
	}
	return false;
}

enum audit_status check_c_socket(struct judge *j)
{
	struct names names = { .most = 3 };
	bool asked_for = false;

	for (size_t i = 0; i < j->asked->mount_count; i++) {
		const struct facts_asked_mount *m = &j->asked->mounts[i];
		bool holds = may_hold_socket(j, mounts_source(m, j->daemon->root_dir));

		asked_for |= holds;
		if (!holds || j->real)
			continue;
		j->path = m->dest;
		names_add(&names, "%s of the host at %s", mounts_source(m, j->daemon->root_dir), m->dest);
	}
	for (size_t i = 0; j->real && i < j->real->mount_count; i++) {
		const struct facts_mount *m = &j->real->mounts[i];

		if (!m->api_socket[0])
			continue;
		j->path = m->point;
		names_add(&names, "%s %s %s%s", m->api_socket, m->is_socket ? "at" : "below", m->point,
			  m->is_writable ? "" : " (read-only makes no difference)");
	}
	if (names.count)
		return judge_fail(j, "%s%s", names_text(&names), judge_asked_only(j));
	return judge_pass(j, "%s%s", asked_for ? "a place where one could be is mounted, but there is none now" : "none is mounted",
			  judge_asked_only(j));
}

/* ---- volumes that are something else ---- */

enum audit_status check_c_volume_device(struct judge *j)
{
	struct names names = { .most = 4 };
	enum audit_severity worst = AUDIT_MEDIUM, s;
	const char *what;

	for (size_t i = 0; i < j->asked->mount_count; i++) {
		const struct facts_asked_mount *m = &j->asked->mounts[i];

		if (!m->device[0])
			continue;
		if (mounts_sensitive(m->device, m->is_writable, j->daemon->root_dir, &s, &what) && s > worst)
			worst = s;
		j->path = m->device;
		names_add(&names, "volume %.40s at %s is %s, %s", m->name, m->dest, m->device, mode_word(m->is_writable));
	}
	return names.count ? judge_fail_as(j, worst, "%s", names_text(&names)) : judge_pass(j, "none");
}

/* ---- devices ---- */

static enum audit_severity device_severity(const char *path)
{
	static const char *const disks[] = { "/dev/sd", "/dev/hd",  "/dev/vd",	 "/dev/xvd",  "/dev/nvme", "/dev/dm-", "/dev/mapper",
					     "/dev/md", "/dev/mmc", "/dev/loop", "/dev/disk", "/dev/mem",  "/dev/kmem", "/dev/port" };
	static const char *const harmless[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty" };

	for (size_t i = 0; i < ARRAY_LEN(disks); i++) {
		if (!strncmp(path, disks[i], strlen(disks[i])))
			return AUDIT_CRITICAL;
	}
	for (size_t i = 0; i < ARRAY_LEN(harmless); i++) {
		if (!strcmp(path, harmless[i]))
			return AUDIT_INFO;
	}
	return AUDIT_HIGH;
}

static void device_add(struct names *names, enum audit_severity *worst, const char *text, enum audit_severity s)
{
	if (s > *worst)
		*worst = s;
	names_add(names, "%s", text);
}

enum audit_status check_c_devices(struct judge *j)
{
	struct names names = { .most = 6 };
	enum audit_severity worst = AUDIT_INFO;
	char path[512];

	for (size_t i = 0; i < j->asked->devices.count; i++) {
		const char *d = j->asked->devices.v[i];

		slice_copy(slice_from(d, strcspn(d, ":")), path, sizeof(path));
		device_add(&names, &worst, path, device_severity(path));
	}
	for (size_t i = 0; i < j->asked->device_rules.count; i++) {
		snprintf(path, sizeof(path), "rule '%.100s'", j->asked->device_rules.v[i]);
		device_add(&names, &worst, path, strchr(j->asked->device_rules.v[i], '*') ? AUDIT_CRITICAL : AUDIT_HIGH);
	}
	if (j->asked->device_requests)
		device_add(&names, &worst, "a GPU or another device by request", AUDIT_LOW);
	for (size_t i = 0; j->real && i < j->real->mount_count; i++) {
		const struct facts_mount *m = &j->real->mounts[i];

		if ((m->is_block || m->is_char) && m->host_path[0] && !mounts_is_runtimes(j, m))
			device_add(&names, &worst, keep(j, m->host_path), m->is_block ? AUDIT_CRITICAL : device_severity(m->host_path));
	}
	if (j->asked->is_privileged)
		device_add(&names, &worst, "all of them: --privileged", AUDIT_CRITICAL);
	else if (j->real && j->real->has_all_devices) {
		judge_differs(j, !j->asked->device_rules.count);
		device_add(&names, &worst, "all of them: the device cgroup refuses none", AUDIT_CRITICAL);
	}
	return names.count ? judge_fail_as(j, worst, "%s%s", names_text(&names), judge_asked_only(j)) :
			     judge_pass(j, "none%s", judge_asked_only(j));
}

/* ---- /proc ---- */

enum audit_status check_c_masked(struct judge *j)
{
	const char *how = j->asked->is_privileged ? "--privileged unmasks them" : "systempaths=unconfined";
	bool asked_off = j->asked->is_privileged || j->asked->masks_proc == FACTS_NO;
	size_t covered = 0;

	if (!j->real)
		return asked_off ? judge_fail(j, "%s%s", how, judge_asked_only(j)) : judge_pass(j, "as usual%s", judge_asked_only(j));
	/* the runtime covers what this kernel has of a list: which ones differs, that there are some does not */
	for (size_t i = 0; i < j->real->mount_count; i++) {
		const char *point = j->real->mounts[i].point;

		if (!strncmp(point, "/proc/", 6) && !asked_at(j, point))
			covered++;
	}
	if (covered)
		return judge_pass(j, "%zu places in /proc are covered", covered);
	/* another runtime may keep its kernel from the container in its own way, and then masks nothing */
	if (!j->real->mount_count)
		return judge_unknown(j, "its mounts could not be read");
	if (!asked_off)
		judge_differs(j, true);
	return judge_fail(j, "nothing in /proc is covered: %s", asked_off ? how : "though nobody asked for that");
}

/* ---- propagation ---- */

enum audit_status check_c_propagation(struct judge *j)
{
	struct names names = { .most = 4 };

	for (size_t i = 0; j->real && i < j->real->mount_count; i++) {
		const struct facts_mount *m = &j->real->mounts[i];

		if (!m->is_shared || !m->host_path[0] || mounts_is_runtimes(j, m))
			continue;
		j->path = m->point;
		names_add(&names, "%s (%s of the host)", m->point, m->host_path);
	}
	for (size_t i = 0; i < j->asked->mount_count && !names.count; i++) {
		const struct facts_asked_mount *m = &j->asked->mounts[i];

		if (strcmp(m->propagation, "shared") != 0 && strcmp(m->propagation, "rshared") != 0)
			continue;
		j->path = m->dest;
		names_add(&names, "%s was asked to be %s", m->dest, m->propagation);
	}
	return names.count ? judge_fail(j, "%s%s", names_text(&names), judge_asked_only(j)) :
			     judge_pass(j, "no shared mount of the host%s", judge_asked_only(j));
}

/* ---- what can be written ---- */

enum audit_status check_c_root_readonly(struct judge *j)
{
	bool asked = j->asked->is_root_readonly, is = j->real ? j->real->is_root_readonly : asked;

	if (j->real && is != asked)
		judge_differs(j, asked);
	if (is)
		return judge_pass(j, "read-only%s", judge_asked_only(j));
	return judge_fail(j, "writable%s%s", asked ? ", though asked for --read-only" : "", judge_asked_only(j));
}

static bool has_tmpfs_at_tmp(const struct judge *j)
{
	for (size_t i = 0; j->real && i < j->real->mount_count; i++) {
		if (!strcmp(j->real->mounts[i].point, "/tmp"))
			return !strcmp(j->real->mounts[i].fs_type, "tmpfs");
	}
	for (size_t i = 0; !j->real && i < j->asked->mount_count; i++) {
		if (!strcmp(j->asked->mounts[i].dest, "/tmp"))
			return !strcmp(j->asked->mounts[i].type, "tmpfs");
	}
	return false;
}

enum audit_status check_c_tmp(struct judge *j)
{
	bool readonly = j->real ? j->real->is_root_readonly : j->asked->is_root_readonly;

	if (has_tmpfs_at_tmp(j))
		return judge_pass(j, "tmpfs%s", judge_asked_only(j));
	if (readonly)
		return judge_pass(j, "no /tmp that could be written%s", judge_asked_only(j));
	return judge_fail(j, "/tmp is in the writable layer%s", judge_asked_only(j));
}

enum audit_status check_c_executable(struct judge *j)
{
	struct names tmpfs = { .most = 5 }, others = { .most = 5 };

	if (!j->real)
		return judge_na(j, "the options of its mounts show only when it runs");
	for (size_t i = 0; i < j->real->mount_count; i++) {
		const struct facts_mount *m = &j->real->mounts[i];

		if (!m->is_writable || m->is_noexec || mounts_is_runtimes(j, m) ||
		    (!m->is_directory && strcmp(m->fs_type, "tmpfs") != 0))
			continue;
		if (!j->path[0])
			j->path = m->point;
		names_add(strcmp(m->fs_type, "tmpfs") ? &others : &tmpfs, "%s (%s)", m->point, m->fs_type);
	}
	if (tmpfs.count)
		return judge_fail(j, "%s", names_text(&tmpfs));
	/* the engine has no option for it: nothing that could be mended at once */
	if (others.count)
		return judge_warn_as(j, AUDIT_INFO, "%s", names_text(&others));
	return judge_pass(j, "no mount is both");
}

enum audit_status check_c_root_writes(struct judge *j)
{
	struct names names = { .most = 5 };

	for (size_t i = 0; j->real && i < j->real->mount_count; i++) {
		const struct facts_mount *m = &j->real->mounts[i];
		bool is_volume = mounts_is_volume(m->host_path, j->daemon->root_dir) &&
				 (!m->host_other[0] || mounts_is_volume(m->host_other, j->daemon->root_dir));

		if (!m->is_writable || !m->host_path[0] || mounts_is_runtimes(j, m) || m->is_socket || is_volume ||
		    is_within_another(j, m))
			continue;
		j->path = m->host_path;
		names_add(&names, "%s at %s", m->host_path, m->point);
	}
	for (size_t i = 0; !j->real && i < j->asked->mount_count; i++) {
		const struct facts_asked_mount *m = &j->asked->mounts[i];
		const char *source = mounts_source(m, j->daemon->root_dir);

		if (!m->is_writable || !source[0])
			continue;
		j->path = source;
		names_add(&names, "%s at %s", source, m->dest);
	}
	if (!names.count)
		return judge_pass(j, "no folder of the host is writable%s", judge_asked_only(j));
	if (judge_is_root(j))
		return judge_fail(j, "%s%s", names_text(&names), judge_asked_only(j));
	return judge_pass(j, "not as root: %s%s", names_text(&names), judge_asked_only(j));
}
