/* judge_image.c - images pulled, built, loaded, tagged; volumes made by themselves. */
#include "agent/guard/authz/judge_priv.h"

static bool parameters(struct judge *j, const char *const *names, const char **ret, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (authz_query(j->path.query, names[i], j->a, &ret[i], &j->err) >= 0)
			continue;
		az_refuse_form(j, AZ_TARGET, j->err.msg);
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
	return az_or_empty(arena_printf(j->a, strchr(tag, ':') ? "%s@%s" : "%s:%s", repository, tag));
}

static void judge_image(struct judge *j, const char *image, enum policy_subject subject, struct policy_workload *w)
{
	const char *repository = NULL, *tag = NULL, *digest = NULL;

	w->subject = subject;
	w->image = image;
	if (policy_reference(image, j->a, &repository, &tag, &digest)) {
		w->repository = az_or_empty(repository);
		w->tag = az_or_empty(tag);
	}
	(void)az_is_refused(j, w, EVERY_SECTION);
}

void az_judge_build(struct judge *j)
{
	static const char *const names[] = { "networkmode", "cgroupparent", "t" };
	const char *v[ARRAY_LEN(names)];
	struct policy_workload w;

	if (!parameters(j, names, v, ARRAY_LEN(names) - 1))
		return;
	authz_workload_init(&w);
	w.cgroup_parent = v[1];
	w.network_mode = v[0];
	if (az_follow(j, SPACE_NETWORK, v[0], &w.real_network_mode))
		judge_image(j, "", POLICY_BUILD, &w);
}

/* BuildKit's whole API: what is built by it, and with which network, is not shown. */
void az_judge_grpc(struct judge *j)
{
	struct policy_workload w;

	authz_workload_init(&w);
	w.network_mode = w.real_network_mode = "none";
	judge_image(j, "", POLICY_BUILD, &w);
	if (*j->v->rule && j->v->answer == AUTHZ_DENY)
		return;
	struct authz_verdict before = *j->v;
	w.network_mode = w.real_network_mode = "host";
	if (!az_is_refused(j, &w, RUNTIME_ONLY) && !j->v->is_monitored)
		return;
	*j->v = before;
	az_refuse_form(j, AZ_BUILDKIT, "");
}

/* Loaded, committed or imported: an image that comes from no repository, as one that is built. */
void az_judge_made(struct judge *j)
{
	struct policy_workload w;

	authz_workload_init(&w);
	w.network_mode = w.real_network_mode = "none"; /* nothing runs */
	judge_image(j, "", POLICY_BUILD, &w);
}

void az_judge_pull(struct judge *j)
{
	static const char *const names[] = { "fromImage", "tag", "fromSrc" };
	const char *v[ARRAY_LEN(names)];
	struct policy_workload w;

	if (!parameters(j, names, v, ARRAY_LEN(names)))
		return;
	if (!*v[0] || *v[2])
		az_judge_made(j);
	if (!*v[0] || *j->v->rule)
		return;
	authz_workload_init(&w);
	judge_image(j, with_tag(j, v[0], v[1]), POLICY_PULL, &w);
}

/* Its digests tell where it came from, whatever it is to be called. */
void az_judge_tag(struct judge *j)
{
	static const char *const names[] = { "repo", "tag" };
	const char *v[ARRAY_LEN(names)];
	struct policy_workload w;

	if (!parameters(j, names, v, ARRAY_LEN(names)))
		return;
	authz_workload_init(&w);
	enum authz_known known = j->ops->image(j->arg, j->path.id, j->a, &w);
	if (!az_is_told(j, known, "image", j->path.id) || known == AUTHZ_ABSENT)
		return;
	judge_image(j, with_tag(j, v[0], v[1]), POLICY_PULL, &w);
}

void az_judge_volume(struct judge *j)
{
	const struct authz_body *b = az_body_of(j), *options;
	struct policy_mount m = { .type = "volume", .source = "", .real = "", .device = "", .driver = "", .dest = "",
				  .is_writable = true, .protects = "" };
	struct policy_workload w;
	const char *driver;

	if (!b)
		return;
	if (authz_text(b, "Name", &m.source, &j->err) < 0 || authz_text(b, "Driver", &driver, &j->err) < 0 ||
	    authz_object(b, "DriverOpts", &options, &j->err) < 0 ||
	    authz_volume_options(driver, options, j->a, &m, &j->err) < 0) {
		az_refuse_body(j);
		return;
	}
	authz_workload_init(&w);
	w.subject = POLICY_VOLUME;
	w.mounts = &m;
	w.mount_count = 1;
	authz_resolve(j->p, &w, j->a);
	(void)az_is_refused(j, &w, EVERY_SECTION);
}
