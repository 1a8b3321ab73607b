/* judge.c - one request, one verdict. Total: whatever goes wrong on a guarded path refuses. */
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "agent/guard/authz/authz_priv.h"
#include "common/log.h"
#include "common/text.h"

enum az_rule {
#define AZ_RULE(name, id, what, way_out) AZ_##name,
#include "agent/guard/authz/az_rules.def"
#undef AZ_RULE
};
static const struct {
	const char *id, *what, *way_out;
} az_rules[] = {
#define AZ_RULE(name, id, what, way_out) [AZ_##name] = { id, what, way_out },
#include "agent/guard/authz/az_rules.def"
#undef AZ_RULE
};

enum { RUNTIME_ONLY = 1u << POLICY_RUNTIME, EVERY_SECTION = (1u << POLICY_SECTION_COUNT) - 1, MANY_DENIALS = 64 };

struct judge {
	const struct policy *p;
	const struct authz_request *rq;
	const struct authz_ops *ops;
	void *arg;
	uint64_t now_unix_s;
	struct arena *a;
	struct authz_path path;
	struct authz_verdict *v;
	struct err err;
};

static const char *const kind_names[] = {
	[AUTHZ_READ] = "read",	     [AUTHZ_CREATE] = "create",		[AUTHZ_START] = "start",
	[AUTHZ_EXEC_CREATE] = "exec", [AUTHZ_EXEC_START] = "exec start", [AUTHZ_UPDATE] = "update",
	[AUTHZ_RENAME] = "rename",   [AUTHZ_CONNECT] = "connect",	[AUTHZ_PULL] = "pull",
	[AUTHZ_BUILD] = "build",     [AUTHZ_VOLUME_CREATE] = "volume",	[AUTHZ_ARCHIVE_PUT] = "copy into",
	[AUTHZ_SERVICE] = "service", [AUTHZ_PLUGIN] = "plugin",		[AUTHZ_TAG] = "tag",
	[AUTHZ_LOAD] = "load",	     [AUTHZ_COMMIT] = "commit",		[AUTHZ_HARMLESS] = "other",
	[AUTHZ_UNKNOWN] = "unknown",
};
_Static_assert(ARRAY_LEN(kind_names) == AUTHZ_KIND_COUNT, "a name each");

const char *authz_kind_name(enum authz_kind k)
{
	return kind_names[k];
}

/* ---- verdicts ---- */

/* What a request named goes to a terminal. */
PRINTF_LIKE(2, 3)
static void say(struct authz_verdict *v, const char *fmt, ...)
{
	char raw[sizeof(v->message)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	(void)log_escape(slice_of(raw), v->message, sizeof(v->message));
}

static void refuse(struct authz_verdict *v, const char *rule, bool is_enforced)
{
	(void)slice_copy(slice_of(rule), v->rule, sizeof(v->rule));
	v->answer = is_enforced ? AUTHZ_DENY : AUTHZ_ALLOW;
	v->is_monitored = !is_enforced;
}

/* The form of a request matters where something is judged by what it says. */
static enum policy_mode strictest(const struct policy *p)
{
	enum policy_mode most = POLICY_OFF;

	for (int s = 0; s < POLICY_SECTION_COUNT; s++)
		if (policy_mode_of(p, (enum policy_section)s) > most)
			most = policy_mode_of(p, (enum policy_section)s);
	return most;
}

/* A refusal of ours; why: what exactly, or "". */
static void refuse_form(struct judge *j, enum az_rule rule, const char *why)
{
	enum policy_mode mode = j->p ? strictest(j->p) : POLICY_ENFORCE;

	if (mode == POLICY_OFF)
		return;
	refuse(j->v, az_rules[rule].id, mode == POLICY_ENFORCE);
	say(j->v, "%s %s%s%s: %s", az_rules[rule].id, az_rules[rule].what, *why ? ": " : "", why, az_rules[rule].way_out);
}

static void refuse_body(struct judge *j)
{
	refuse_form(j, AZ_BODY, j->err.msg);
}

static void refuse_by(struct judge *j, const struct policy_denial *d, size_t more)
{
	char others[40] = "";

	if (more)
		snprintf(others, sizeof(others), " (and %zu more)", more);
	refuse(j->v, d->rule, d->is_enforced);
	say(j->v, "%s %s: %s; policy %s:%u%s", d->rule, d->reason, d->way_out, policy_name(j->p), d->line, others);
}

/* The worst that the policy says, of the wanted sections. true: it was judged and refused; nothing more is to be said. */
static bool is_refused(struct judge *j, const struct policy_workload *w, unsigned sections)
{
	const struct policy_denial *worst = NULL;
	struct policy_verdict verdict;
	size_t count = 0;

	(void)slice_copy(slice_of(w->name), j->v->container, sizeof(j->v->container));
	(void)slice_copy(slice_of(w->image), j->v->image, sizeof(j->v->image));
	if (policy_judge(j->p, w, j->now_unix_s, j->a, &verdict, &j->err) < 0) {
		refuse_form(j, AZ_UNKNOWN, j->err.msg);
		return true;
	}
	for (size_t i = 0; i < verdict.count; i++) {
		const struct policy_denial *d = &verdict.denials[i];

		if (*d->exception || !(sections & 1u << d->section))
			continue;
		count++;
		if (!worst || (d->is_enforced && !worst->is_enforced))
			worst = d;
	}
	/* A refusal stands; what is only told doesn't hide it. */
	if (worst && (worst->is_enforced || !*j->v->rule))
		refuse_by(j, worst, count - 1);
	if (worst && worst->is_enforced)
		return true;
	/* Denied by something beyond the list's end. */
	if (verdict.is_allowed || (sections != EVERY_SECTION && verdict.count < MANY_DENIALS))
		return false;
	refuse(j->v, az_rules[AZ_UNKNOWN].id, true);
	say(j->v, "%s denied for more reasons than can be told", az_rules[AZ_UNKNOWN].id);
	return true;
}

/* ---- what a request refers to ---- */

/* false: refused. */
static bool is_told(struct judge *j, enum authz_known known, const char *what, const char *name)
{
	char why[300];

	if (known != AUTHZ_NOT_KNOWN)
		return true;
	snprintf(why, sizeof(why), "%s %.200s", what, name);
	refuse_form(j, AZ_UNKNOWN, why);
	return false;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* Repository, digests, user and scan of the workload's image. The reference is what the engine will look up. */
static bool know_image(struct judge *j, struct policy_workload *w, const char *reference)
{
	const char *repository = NULL, *tag = NULL, *digest = NULL;

	if (policy_reference(w->image, j->a, &repository, &tag, &digest)) {
		w->repository = or_empty(repository);
		w->tag = or_empty(tag);
	}
	if (!*reference)
		return true;
	enum authz_known known = j->ops->image(j->arg, reference, j->a, w);
	if (known == AUTHZ_ABSENT) {
		/* The engine will say so itself. Should it come between, the start is judged with it. */
		w->is_scan_known = false;
		if (!*w->user) {
			w->user = "of an image that is not here";
			w->is_user_root = false;
		}
	}
	return is_told(j, known, "image", reference);
}

/* "container:X" -> X; else NULL. */
static const char *other_container(const char *mode)
{
	return !strncmp(mode, "container:", 10) ? mode + 10 : NULL;
}

enum space { SPACE_PID, SPACE_IPC, SPACE_NETWORK };

static const char *mode_of(const struct policy_workload *w, enum space s)
{
	return s == SPACE_PID ? w->pid_mode : s == SPACE_IPC ? w->ipc_mode : w->network_mode;
}

/* What a namespace joined by way of other containers is in the end. */
static bool follow(struct judge *j, enum space s, const char *mode, const char **ret)
{
	for (unsigned i = 0;; i++) {
		const char *other = other_container(mode);
		struct policy_workload w;

		*ret = mode;
		if (!other)
			return true;
		if (i == AUTHZ_FOLLOW_MAX)
			return is_told(j, AUTHZ_NOT_KNOWN, "container", other);
		enum authz_known known = j->ops->container(j->arg, other, j->a, &w);
		if (!is_told(j, known, "container", other))
			return false;
		if (known == AUTHZ_ABSENT)
			return true; /* the engine refuses it */
		mode = mode_of(&w, s);
	}
}

static bool follow_namespaces(struct judge *j, struct policy_workload *w)
{
	const char *network = w->real_network_mode; /* may be the host's by way of an endpoint */

	if (!follow(j, SPACE_PID, w->pid_mode, &w->real_pid_mode) || !follow(j, SPACE_IPC, w->ipc_mode, &w->real_ipc_mode))
		return false;
	if (!strcmp(network, "host"))
		return true;
	return follow(j, SPACE_NETWORK, w->network_mode, &w->real_network_mode);
}

/* "X", "X:ro", "X:ro,z": all mounts of X. */
static bool add_volumes_from(struct judge *j, struct policy_workload *w, const char *text)
{
	size_t n = strcspn(text, ":");
	const char *name = arena_dup(j->a, (struct slice){ text, n });
	bool is_readonly = text[n] && strstr(text + n, "ro");
	struct policy_workload other;
	enum authz_known known = name ? j->ops->container(j->arg, name, j->a, &other) : AUTHZ_NOT_KNOWN;

	if (known == AUTHZ_NOT_KNOWN)
		w->has_unseen_volumes = true;
	if (known != AUTHZ_KNOWN)
		return is_told(j, known, "container", text);
	struct policy_mount *v = arena_zalloc(j->a, w->mount_count + other.mount_count + 1, sizeof(*v));
	if (!v)
		return is_told(j, AUTHZ_NOT_KNOWN, "container", text);
	for (size_t i = 0; i < w->mount_count; i++)
		v[i] = w->mounts[i];
	for (size_t i = 0; i < other.mount_count; i++) {
		v[w->mount_count + i] = other.mounts[i];
		v[w->mount_count + i].is_writable &= !is_readonly;
	}
	w->mounts = v;
	w->mount_count += other.mount_count;
	return true;
}

/* A volume that is there already is what it is, whatever the request says of its driver. */
static bool see_through_volumes(struct judge *j, struct policy_workload *w)
{
	struct policy_mount *v = arena_zalloc(j->a, w->mount_count + 1, sizeof(*v));

	if (!v)
		return is_told(j, AUTHZ_NOT_KNOWN, "volumes of", w->name);
	for (size_t i = 0; i < w->mount_count; i++) {
		v[i] = w->mounts[i];
		if (strcmp(v[i].type, "volume") != 0 || !*v[i].source)
			continue;
		struct policy_mount there = v[i];
		enum authz_known known = j->ops->volume(j->arg, v[i].source, j->a, &there);
		if (!is_told(j, known, "volume", v[i].source))
			return false;
		if (known == AUTHZ_KNOWN && (!*v[i].protects && !*v[i].device))
			v[i] = there;
	}
	w->mounts = v;
	return true;
}

static bool is_built_in(const char *mode)
{
	static const char *const words[] = { "", "default", "bridge", "none", "host", "private" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(mode, words[i]))
			return true;
	return other_container(mode) != NULL;
}

/* Networks by their names: an id is as good for the engine. */
static bool name_networks(struct judge *j, struct policy_workload *w)
{
	const char **v = arena_zalloc(j->a, w->networks.count + 1, sizeof(*v));

	for (size_t i = 0; v && i < w->networks.count; i++) {
		v[i] = w->networks.v[i];
		if (is_built_in(v[i]))
			continue;
		if (!is_told(j, j->ops->network(j->arg, w->networks.v[i], j->a, &v[i]), "network", v[i]))
			return false;
	}
	if (!v)
		return is_told(j, AUTHZ_NOT_KNOWN, "networks of", w->name);
	w->networks.v = v;
	const char *mode = w->network_mode;
	if (!is_built_in(mode) && !is_told(j, j->ops->network(j->arg, mode, j->a, &w->network_mode), "network", mode))
		return false;
	for (size_t i = 0; i < w->networks.count; i++)
		if (!strcmp(v[i], "host"))
			w->real_network_mode = "host";
	if (!strcmp(w->network_mode, "host"))
		w->real_network_mode = "host";
	return true;
}

/* All of a container. false: refused on the way. */
static bool complete(struct judge *j, struct policy_workload *w)
{
	const struct policy_texts from = w->volumes_from;
	bool is_complete;

	/* Each is asked about, so that what isn't known is asked for in one go; `and` would take a round each. */
	is_complete = know_image(j, w, *w->image_id ? w->image_id : w->image);
	is_complete &= follow_namespaces(j, w);
	is_complete &= name_networks(j, w);
	for (size_t i = 0; i < from.count; i++)
		is_complete &= add_volumes_from(j, w, from.v[i]);
	is_complete &= see_through_volumes(j, w);
	if (is_complete)
		authz_resolve(j->p, w, j->a);
	return is_complete;
}

/* ---- one function for each kind ---- */

static bool is_json(struct slice content_type)
{
	ptrdiff_t end = slice_find_char(content_type, ';');
	struct slice s = slice_trim(end < 0 ? content_type : slice_sub(content_type, 0, (size_t)end));

	return s.n == 16 && !strncasecmp(s.p, "application/json", 16);
}

static bool is_form(struct slice content_type)
{
	struct slice s = slice_trim(content_type);

	return (s.n >= 33 && !strncasecmp(s.p, "application/x-www-form-urlencoded", 33)) ||
	       (s.n >= 10 && !strncasecmp(s.p, "multipart/", 10));
}

/* NULL: refused. */
static const struct authz_body *body_of(struct judge *j)
{
	const struct authz_body *b = NULL;

	if (!j->rq->has_body || !is_json(j->rq->content_type)) {
		refuse_form(j, AZ_NO_BODY, "");
		return NULL;
	}
	if (authz_body_read(j->rq->body, j->a, &b, &j->err) < 0) {
		refuse_body(j);
		return NULL;
	}
	if (b->type != AUTHZ_OBJECT) {
		refuse_form(j, AZ_BODY, "it is no object");
		return NULL;
	}
	return b;
}

static void judge_create(struct judge *j)
{
	const struct authz_body *b = body_of(j);
	struct policy_workload w;

	if (!b)
		return;
	if (authz_workload(b, j->path.query, j->a, &w, &j->err) < 0)
		refuse_body(j);
	else if (complete(j, &w))
		(void)is_refused(j, &w, EVERY_SECTION);
}

/* false: refused, or there is none and the engine will say so. */
static bool find_container(struct judge *j, const char *id, struct policy_workload *w)
{
	enum authz_known known = j->ops->container(j->arg, id, j->a, w);

	(void)slice_copy(slice_of(id), j->v->container, sizeof(j->v->container));
	return is_told(j, known, "container", id) && known == AUTHZ_KNOWN;
}

static void judge_start(struct judge *j)
{
	struct policy_workload w;
	const char *folder;

	if (j->rq->has_body && j->rq->body.n) {
		refuse_form(j, AZ_START_BODY, "");
		return;
	}
	/* Processes out of a folder of the host, with whatever privileges its files say. */
	if (authz_query(j->path.query, "checkpoint-dir", j->a, &folder, &j->err) < 0 || *folder) {
		refuse_form(j, AZ_START_BODY, "checkpoint-dir");
		return;
	}
	if (find_container(j, j->path.id, &w) && complete(j, &w))
		(void)is_refused(j, &w, EVERY_SECTION);
}

/* What is done to the files of a container that must not be is refused as its start would be. */
static void judge_archive(struct judge *j)
{
	struct policy_workload w;

	if (find_container(j, j->path.id, &w) && complete(j, &w))
		(void)is_refused(j, &w, RUNTIME_ONLY);
}

static void judge_exec_of(struct judge *j, const char *container, const char *user, bool is_privileged)
{
	struct policy_workload w;

	if (!find_container(j, container, &w) || !know_image(j, &w, w.image_id))
		return;
	/* Whoever is in a privileged container is as privileged as it. */
	if (w.is_privileged && is_refused(j, &w, RUNTIME_ONLY))
		return;
	w.subject = POLICY_EXEC;
	w.is_privileged = is_privileged;
	if (*user)
		authz_workload_set_user(&w, user);
	(void)is_refused(j, &w, EVERY_SECTION);
}

static void judge_exec_create(struct judge *j)
{
	const struct authz_body *b = body_of(j);
	const char *user;
	bool is_privileged;

	if (!b)
		return;
	if (authz_bool(b, "Privileged", &is_privileged, &j->err) < 0 || authz_text(b, "User", &user, &j->err) < 0)
		refuse_body(j);
	else
		judge_exec_of(j, j->path.id, user, is_privileged);
}

static void judge_exec_start(struct judge *j)
{
	struct authz_exec e;
	enum authz_known known = j->ops->exec(j->arg, j->path.id, j->a, &e);

	if (is_told(j, known, "exec", j->path.id) && known == AUTHZ_KNOWN)
		judge_exec_of(j, e.container, e.user, e.is_privileged);
}

/* 0: as it is. */
static int change(const struct authz_body *b, const char *name, int64_t *value, struct err *err)
{
	int64_t new;
	int r = authz_i64(b, name, &new, err);

	if (r >= 0 && new)
		*value = new;
	return r;
}

static void judge_update(struct judge *j)
{
	const struct authz_body *b = body_of(j);
	struct policy_workload w, asked;

	if (!b || !find_container(j, j->path.id, &w))
		return;
	if (authz_workload_of(NULL, b, j->a, &asked, &j->err) < 0 || change(b, "Memory", &w.memory_bytes, &j->err) < 0 ||
	    change(b, "NanoCpus", &w.nano_cpus, &j->err) < 0 || change(b, "CpuQuota", &w.cpu_quota, &j->err) < 0) {
		refuse_body(j);
		return;
	}
	if (authz_get(b, "PidsLimit"))
		w.pids_limit = asked.pids_limit;
	w.is_oom_kill_disabled |= asked.is_oom_kill_disabled;
	w.is_privileged |= asked.is_privileged;
	if (asked.devices.count)
		w.devices = asked.devices;
	if (asked.device_rules.count)
		w.device_rules = asked.device_rules;
	w.device_requests += asked.device_requests;
	if (*asked.cgroup_parent)
		w.cgroup_parent = asked.cgroup_parent;
	if (complete(j, &w))
		(void)is_refused(j, &w, RUNTIME_ONLY);
}

/* A new name may be one that the policy has no exception for, or another scope's. */
static void judge_rename(struct judge *j)
{
	struct policy_workload w;
	const char *name;

	if (authz_query(j->path.query, "name", j->a, &name, &j->err) < 0) {
		refuse_form(j, AZ_TARGET, j->err.msg);
		return;
	}
	if (!find_container(j, j->path.id, &w))
		return;
	w.name = name + (*name == '/');
	if (complete(j, &w))
		(void)is_refused(j, &w, EVERY_SECTION);
}

static void judge_connect(struct judge *j)
{
	const struct authz_body *b = body_of(j), *endpoint;
	struct policy_workload w;
	const char *container, *v[2] = { j->path.id };

	if (!b)
		return;
	if (authz_text(b, "Container", &container, &j->err) < 0 || authz_object(b, "EndpointConfig", &endpoint, &j->err) < 0 ||
	    authz_text(endpoint, "NetworkID", &v[1], &j->err) < 0) {
		refuse_body(j);
		return;
	}
	if (!find_container(j, container, &w) || !know_image(j, &w, w.image_id))
		return;
	w.networks = (struct policy_texts){ v, *v[1] ? 2 : 1 };
	w.subject = POLICY_NETWORKS;
	if (name_networks(j, &w))
		(void)is_refused(j, &w, EVERY_SECTION);
}

static bool parameters(struct judge *j, const char *const *names, const char **ret, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (authz_query(j->path.query, names[i], j->a, &ret[i], &j->err) >= 0)
			continue;
		refuse_form(j, AZ_TARGET, j->err.msg);
		return false;
	}
	return true;
}

/* "nginx:1", "2" -> what the engine makes of it: docker.io/library/nginx:2. "": out of memory. */
static const char *with_tag(struct judge *j, const char *image, const char *tag)
{
	const char *repository, *old, *digest;

	if (!*tag || !policy_reference(image, j->a, &repository, &old, &digest))
		return image;
	return or_empty(arena_printf(j->a, strchr(tag, ':') ? "%s@%s" : "%s:%s", repository, tag));
}

static void judge_image(struct judge *j, const char *image, enum policy_subject subject, struct policy_workload *w)
{
	const char *repository = NULL, *tag = NULL, *digest = NULL;

	w->subject = subject;
	w->image = image;
	if (policy_reference(image, j->a, &repository, &tag, &digest)) {
		w->repository = or_empty(repository);
		w->tag = or_empty(tag);
	}
	(void)is_refused(j, w, EVERY_SECTION);
}

static void judge_build(struct judge *j)
{
	static const char *const names[] = { "networkmode", "cgroupparent", "t" };
	const char *v[ARRAY_LEN(names)];
	struct policy_workload w;

	if (!parameters(j, names, v, ARRAY_LEN(names) - 1))
		return;
	authz_workload_init(&w);
	w.cgroup_parent = v[1];
	w.network_mode = v[0];
	if (follow(j, SPACE_NETWORK, v[0], &w.real_network_mode))
		judge_image(j, "", POLICY_BUILD, &w);
}

/* Loaded, committed or imported: an image that comes from no repository, as one that is built. */
static void judge_made(struct judge *j)
{
	struct policy_workload w;

	authz_workload_init(&w);
	w.network_mode = w.real_network_mode = "none"; /* nothing runs */
	judge_image(j, "", POLICY_BUILD, &w);
}

static void judge_pull(struct judge *j)
{
	static const char *const names[] = { "fromImage", "tag", "fromSrc" };
	const char *v[ARRAY_LEN(names)];
	struct policy_workload w;

	if (!parameters(j, names, v, ARRAY_LEN(names)))
		return;
	if (!*v[0] || *v[2])
		judge_made(j);
	if (!*v[0] || *j->v->rule)
		return;
	authz_workload_init(&w);
	judge_image(j, with_tag(j, v[0], v[1]), POLICY_PULL, &w);
}

/* Its digests tell where it came from, whatever it is to be called. */
static void judge_tag(struct judge *j)
{
	static const char *const names[] = { "repo", "tag" };
	const char *v[ARRAY_LEN(names)];
	struct policy_workload w;

	if (!parameters(j, names, v, ARRAY_LEN(names)))
		return;
	authz_workload_init(&w);
	enum authz_known known = j->ops->image(j->arg, j->path.id, j->a, &w);
	if (!is_told(j, known, "image", j->path.id) || known == AUTHZ_ABSENT)
		return;
	judge_image(j, with_tag(j, v[0], v[1]), POLICY_PULL, &w);
}

static void judge_volume(struct judge *j)
{
	const struct authz_body *b = body_of(j), *options;
	struct policy_mount m = { .type = "volume", .source = "", .real = "", .device = "", .driver = "", .dest = "",
				  .is_writable = true, .protects = "" };
	struct policy_workload w;
	const char *driver;

	if (!b)
		return;
	if (authz_text(b, "Name", &m.source, &j->err) < 0 || authz_text(b, "Driver", &driver, &j->err) < 0 ||
	    authz_object(b, "DriverOpts", &options, &j->err) < 0 ||
	    authz_volume_options(driver, options, j->a, &m, &j->err) < 0) {
		refuse_body(j);
		return;
	}
	authz_workload_init(&w);
	w.subject = POLICY_VOLUME;
	w.mounts = &m;
	w.mount_count = 1;
	authz_resolve(j->p, &w, j->a);
	(void)is_refused(j, &w, EVERY_SECTION);
}

static void judge_service(struct judge *j)
{
	refuse_form(j, AZ_SERVICE, "");
}

static void judge_plugin(struct judge *j)
{
	refuse_form(j, AZ_PLUGIN, "");
}

static void judge_unknown(struct judge *j)
{
	refuse_form(j, AZ_ENDPOINT, "");
}

static void (*const judges[])(struct judge *j) = {
	[AUTHZ_READ] = NULL,
	[AUTHZ_CREATE] = judge_create,
	[AUTHZ_START] = judge_start,
	[AUTHZ_EXEC_CREATE] = judge_exec_create,
	[AUTHZ_EXEC_START] = judge_exec_start,
	[AUTHZ_UPDATE] = judge_update,
	[AUTHZ_RENAME] = judge_rename,
	[AUTHZ_CONNECT] = judge_connect,
	[AUTHZ_PULL] = judge_pull,
	[AUTHZ_BUILD] = judge_build,
	[AUTHZ_VOLUME_CREATE] = judge_volume,
	[AUTHZ_ARCHIVE_PUT] = judge_archive,
	[AUTHZ_SERVICE] = judge_service,
	[AUTHZ_PLUGIN] = judge_plugin,
	[AUTHZ_TAG] = judge_tag,
	[AUTHZ_LOAD] = judge_made,
	[AUTHZ_COMMIT] = judge_made,
	[AUTHZ_HARMLESS] = NULL,
	[AUTHZ_UNKNOWN] = judge_unknown,
};
_Static_assert(ARRAY_LEN(judges) == AUTHZ_KIND_COUNT, "a judge each");

static void judge(struct judge *j)
{
	if (authz_path_read(j->rq->method, j->rq->uri, &j->path, &j->err) < 0) {
		j->v->kind = AUTHZ_UNKNOWN;
		refuse_form(j, AZ_TARGET, j->err.msg);
		return;
	}
	j->v->kind = j->path.kind;
	(void)slice_copy(slice_of(j->path.path), j->v->path, sizeof(j->v->path));
	if (!judges[j->path.kind])
		return;
	if (!j->p)
		refuse_form(j, AZ_NO_POLICY, "");
	else if (j->path.api_major == 1 && j->path.api_minor < 24)
		refuse_form(j, AZ_VERSION, "");
	else if (is_form(j->rq->content_type))
		refuse_form(j, AZ_FORM, "");
	else
		judges[j->path.kind](j);
}

void authz_judge(const struct policy *p, const struct authz_request *rq, const struct authz_ops *ops, void *arg,
		 uint64_t now_unix_s, struct authz_verdict *ret)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(AUTHZ_ARENA_BYTES);
	struct judge j = { .p = p, .rq = rq, .ops = ops, .arg = arg, .now_unix_s = now_unix_s, .a = a, .v = ret };

	*ret = (struct authz_verdict){ .answer = AUTHZ_ALLOW, .kind = AUTHZ_UNKNOWN };
	if (!a) {
		refuse(ret, "AZ-006", true);
		say(ret, "AZ-006 out of memory");
		return;
	}
	judge(&j);
}
