/* judge_container.c - what is done with containers: made, started, entered, changed, connected. */
#include <strings.h>

#include "agent/guard/authz/judge_priv.h"

static bool is_json(struct slice content_type)
{
	ptrdiff_t end = slice_find_char(content_type, ';');
	struct slice s = slice_trim(end < 0 ? content_type : slice_sub(content_type, 0, (size_t)end));

	return s.n == 16 && !strncasecmp(s.p, "application/json", 16);
}

bool az_is_form(struct slice content_type)
{
	struct slice s = slice_trim(content_type);

	return (s.n >= 33 && !strncasecmp(s.p, "application/x-www-form-urlencoded", 33)) ||
	       (s.n >= 10 && !strncasecmp(s.p, "multipart/", 10));
}

const struct authz_body *az_body_of(struct judge *j)
{
	const struct authz_body *b = NULL;

	if (!j->rq->has_body || !is_json(j->rq->content_type)) {
		az_refuse_form(j, AZ_NO_BODY, "");
		return NULL;
	}
	if (j->rq->body.n > AUTHZ_BODY_BYTES) {
		az_refuse_form(j, AZ_TOO_MUCH, "a body of more than 256 KiB");
		return NULL;
	}
	if (authz_body_read(j->rq->body, j->a, &b, &j->err) < 0) {
		az_refuse_body(j);
		return NULL;
	}
	if (b->type != AUTHZ_OBJECT) {
		az_refuse_form(j, AZ_BODY, "it is no object");
		return NULL;
	}
	return b;
}

/* A mount of type image shows its files, programs among them: it is judged as the image of a container. */
static bool mounts_refused_image(struct judge *j, const struct policy_workload *w)
{
	const struct policy_workload *about = j->about;

	for (size_t i = 0; i < w->mount_count; i++) {
		struct policy_workload of = *w;

		if (strcmp(w->mounts[i].type, "image") != 0)
			continue;
		of.image = w->mounts[i].source;
		of.image_id = of.repository = of.tag = "";
		of.digests = (struct policy_texts){ 0 };
		of.user = "1"; /* nothing runs as its user */
		bool is_bad = !az_know_image(j, &of, of.image) || az_is_refused(j, &of, IMAGE_ONLY);
		j->about = about;
		if (is_bad)
			return true;
	}
	return false;
}

void az_judge_create(struct judge *j)
{
	const struct authz_body *b = az_body_of(j);
	struct policy_workload w;

	if (!b)
		return;
	if (authz_workload(b, j->path.query, j->a, &w, &j->err) < 0)
		az_refuse_body(j);
	else if (az_complete(j, &w) && !mounts_refused_image(j, &w))
		(void)az_is_refused(j, &w, EVERY_SECTION);
}

void az_judge_start(struct judge *j)
{
	struct policy_workload w;
	const char *folder;

	if (j->rq->has_body && j->rq->body.n) {
		az_refuse_form(j, AZ_START_BODY, "");
		return;
	}
	/* Processes out of a folder of the host, with whatever privileges its files say. */
	if (authz_query(j->path.query, "checkpoint-dir", j->a, &folder, &j->err) < 0 || *folder) {
		az_refuse_form(j, AZ_START_BODY, "checkpoint-dir");
		return;
	}
	if (az_find_container(j, j->path.id, &w) && az_complete(j, &w) && !mounts_refused_image(j, &w))
		(void)az_is_refused(j, &w, EVERY_SECTION);
}

/* The files of a container that must not be, its mounts' among them, are as far away as its start. */
void az_judge_archive(struct judge *j)
{
	struct policy_workload w;

	if (az_find_container(j, j->path.id, &w) && az_complete(j, &w))
		(void)az_is_refused(j, &w, RUNTIME_ONLY);
}

/* Whoever writes to a shell in a privileged container is as privileged as it. */
void az_judge_attach(struct judge *j)
{
	struct policy_workload w;

	if (az_find_container(j, j->path.id, &w) && w.is_privileged && az_know_image(j, &w, w.image_id))
		(void)az_is_refused(j, &w, RUNTIME_ONLY);
}

static void judge_exec_of(struct judge *j, const char *container, const char *user, bool is_privileged)
{
	struct policy_workload w;

	if (!az_find_container(j, container, &w) || !az_know_image(j, &w, w.image_id))
		return;
	/* Whoever is in a privileged container is as privileged as it. */
	if (w.is_privileged && az_is_refused(j, &w, RUNTIME_ONLY))
		return;
	w.subject = POLICY_EXEC;
	w.is_privileged = is_privileged;
	if (*user)
		authz_workload_set_user(&w, user);
	(void)az_is_refused(j, &w, EVERY_SECTION);
}

void az_judge_exec_create(struct judge *j)
{
	const struct authz_body *b = az_body_of(j);
	const char *user;
	bool is_privileged;

	if (!b)
		return;
	if (authz_bool(b, "Privileged", &is_privileged, &j->err) < 0 || authz_text(b, "User", &user, &j->err) < 0)
		az_refuse_body(j);
	else
		judge_exec_of(j, j->path.id, user, is_privileged);
}

void az_judge_exec_start(struct judge *j)
{
	struct authz_exec e;
	enum authz_known known = j->ops->exec(j->arg, j->path.id, j->a, &e);

	if (az_is_told(j, known, "exec", j->path.id) && known == AUTHZ_KNOWN)
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

void az_judge_update(struct judge *j)
{
	const struct authz_body *b = az_body_of(j);
	struct policy_workload w, asked;

	if (!b || !az_find_container(j, j->path.id, &w))
		return;
	if (authz_bounds(b, &j->err) < 0 || authz_workload_of(NULL, b, j->a, &asked, &j->err) < 0 || change(b, "Memory", &w.memory_bytes, &j->err) < 0 ||
	    change(b, "NanoCpus", &w.nano_cpus, &j->err) < 0 || change(b, "CpuQuota", &w.cpu_quota, &j->err) < 0) {
		az_refuse_body(j);
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
	if (az_complete(j, &w))
		(void)az_is_refused(j, &w, RUNTIME_ONLY);
}

/* A new name may be one that the policy has no exception for, or another scope's. */
void az_judge_rename(struct judge *j)
{
	struct policy_workload w;
	const char *name;

	if (authz_query(j->path.query, "name", j->a, &name, &j->err) < 0) {
		az_refuse_form(j, AZ_TARGET, j->err.msg);
		return;
	}
	if (!az_find_container(j, j->path.id, &w))
		return;
	w.name = name + (*name == '/');
	if (az_complete(j, &w))
		(void)az_is_refused(j, &w, EVERY_SECTION);
}

void az_judge_connect(struct judge *j)
{
	const struct authz_body *b = az_body_of(j), *endpoint;
	struct policy_workload w;
	const char *container, *v[2] = { j->path.id };

	if (!b)
		return;
	if (authz_text(b, "Container", &container, &j->err) < 0 || authz_object(b, "EndpointConfig", &endpoint, &j->err) < 0 ||
	    authz_text(endpoint, "NetworkID", &v[1], &j->err) < 0) {
		az_refuse_body(j);
		return;
	}
	if (!az_find_container(j, container, &w) || !az_know_image(j, &w, w.image_id))
		return;
	w.networks = (struct policy_texts){ v, *v[1] ? 2 : 1 };
	w.subject = POLICY_NETWORKS;
	if (az_name_networks(j, &w))
		(void)az_is_refused(j, &w, EVERY_SECTION);
}
