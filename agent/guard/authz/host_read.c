/* host_read.c - what the engine says of an image, a container, a volume, an exec, as far as a judgement asks; pure. */
#include "agent/guard/authz/authz_priv.h"

static int open_answer(struct slice text, struct arena *a, const struct authz_body **ret, struct err *err)
{
	int r = authz_body_of_engine(text, a, ret, err);

	if (r >= 0 && (*ret)->type != AUTHZ_OBJECT)
		r = err_set(err, ERR_PEER, "the engine's answer is no object");
	return r;
}

int authz_read_image(struct slice text, struct arena *a, struct policy_workload *w, struct err *err)
{
	const struct authz_body *b, *config;
	struct policy_texts digests;
	const char *id, *user;
	int r;

	if ((r = open_answer(text, a, &b, err)) < 0 || (r = authz_text(b, "Id", &id, err)) < 0 ||
	    (r = authz_texts(b, "RepoDigests", a, &digests, err)) < 0 || (r = authz_object(b, "Config", &config, err)) < 0 ||
	    (r = authz_text(config, "User", &user, err)) < 0)
		return r;
	if (!*id)
		return err_set(err, ERR_PEER, "an image without an id");
	w->image_id = id;
	w->digests = digests;
	if (!*w->user)
		authz_workload_set_user(w, user);
	return 0;
}

/* What was mounted when it was made, volumes of others among it. Images that are mounted stand with the names that
 * were asked for in HostConfig only. */
static int read_mounts(const struct authz_body *list, struct arena *a, struct policy_workload *w, struct err *err)
{
	struct policy_mount *v = arena_zalloc(a, list->count + w->mount_count + 1, sizeof(*v));
	size_t n = 0;

	if (!v)
		return err_set(err, ERR_LIMIT, "Mounts is too long");
	for (size_t i = 0; i < w->mount_count; i++)
		if (!strcmp(w->mounts[i].type, "image"))
			v[n++] = w->mounts[i];
	for (const struct authz_body *e = list->first; e; e = e->next) {
		struct policy_mount m = { .real = "", .device = "", .protects = "" };
		const char *name;
		int r;

		if ((r = authz_text(e, "Type", &m.type, err)) < 0 || (r = authz_text(e, "Source", &m.source, err)) < 0 ||
		    (r = authz_text(e, "Name", &name, err)) < 0 || (r = authz_text(e, "Driver", &m.driver, err)) < 0 ||
		    (r = authz_text(e, "Destination", &m.dest, err)) < 0 || (r = authz_bool(e, "RW", &m.is_writable, err)) < 0)
			return r;
		if (*name)
			m.source = name;
		if (strcmp(m.type, "image") != 0)
			v[n++] = m;
	}
	w->mounts = v;
	w->mount_count = n;
	return 0;
}

static int read_networks(const struct authz_body *b, struct arena *a, struct policy_workload *w, struct err *err)
{
	const struct authz_body *settings, *networks = NULL;
	int r = authz_object(b, "NetworkSettings", &settings, err);

	if (r >= 0)
		r = authz_object(settings, "Networks", &networks, err);
	return r < 0 ? r : authz_networks(networks, a, w, err);
}

int authz_read_container(struct slice text, struct arena *a, struct policy_workload *ret, struct err *err)
{
	const struct authz_body *b, *config, *host, *mounts;
	struct policy_workload w;
	int r;

	if ((r = open_answer(text, a, &b, err)) < 0 || (r = authz_object(b, "Config", &config, err)) < 0 ||
	    (r = authz_object(b, "HostConfig", &host, err)) < 0 || (r = authz_list(b, "Mounts", &mounts, err)) < 0)
		return r;
	if (!config || !host)
		return err_set(err, ERR_PEER, "a container without Config or HostConfig");
	if ((r = authz_workload_of(config, host, a, &w, err)) < 0 || (r = authz_text(b, "Image", &w.image_id, err)) < 0 ||
	    (r = authz_text(b, "Name", &w.name, err)) < 0 || (r = read_networks(b, a, &w, err)) < 0)
		return r;
	if (mounts && (r = read_mounts(mounts, a, &w, err)) < 0)
		return r;
	w.name += *w.name == '/';
	*ret = w;
	return 0;
}

int authz_read_volume(struct slice text, struct arena *a, struct policy_mount *m, struct err *err)
{
	const struct authz_body *b, *options;
	const char *driver;
	int r;

	if ((r = open_answer(text, a, &b, err)) < 0 || (r = authz_text(b, "Driver", &driver, err)) < 0 ||
	    (r = authz_object(b, "Options", &options, err)) < 0)
		return r;
	return authz_volume_options(driver, options, a, m, err);
}

int authz_read_exec(struct slice text, struct arena *a, struct authz_exec *ret, struct err *err)
{
	const struct authz_body *b, *process;
	struct authz_exec e;
	int r;

	if ((r = open_answer(text, a, &b, err)) < 0 || (r = authz_text(b, "ContainerID", &e.container, err)) < 0 ||
	    (r = authz_object(b, "ProcessConfig", &process, err)) < 0 ||
	    (r = authz_bool(process, "privileged", &e.is_privileged, err)) < 0 ||
	    (r = authz_text(process, "user", &e.user, err)) < 0)
		return r;
	if (!*e.container)
		return err_set(err, ERR_PEER, "an exec without a container");
	*ret = e;
	return 0;
}

int authz_read_network(struct slice text, struct arena *a, const char **ret, struct err *err)
{
	const struct authz_body *b;
	const char *name, *driver;
	int r;

	if ((r = open_answer(text, a, &b, err)) < 0 || (r = authz_text(b, "Name", &name, err)) < 0 ||
	    (r = authz_text(b, "Driver", &driver, err)) < 0)
		return r;
	if (!*name)
		return err_set(err, ERR_PEER, "a network without a name");
	*ret = strcmp(driver, "host") ? name : "host";
	return 0;
}

void authz_read_scan(const struct authz_body *scans, const char *image_id, struct policy_workload *w)
{
	const struct authz_body *s = authz_get(authz_get(scans, "images"), image_id);
	int64_t scanned = 0;

	w->is_scan_known = true;
	w->is_scanned = s && authz_i64(s, "scanned", &scanned, NULL) >= 0 && scanned > 0 &&
			authz_text(s, "worst", &w->worst_severity, NULL) >= 0;
	w->scanned_unix_s = w->is_scanned ? (uint64_t)scanned : 0;
	if (!w->is_scanned)
		w->worst_severity = "";
}

const char *authz_question_path(const char *before, const char *name, const char *after, struct arena *a)
{
	static const char hex[] = "0123456789ABCDEF";
	struct slice rest = slice_of(name), part;
	char *p = arena_alloc(a, strlen(before) + 3 * rest.n + strlen(after) + 1), *to;

	/* The engine's router cleans paths: a name with steps in it would ask for something else. */
	if (!p || !rest.n || name[rest.n - 1] == '/')
		return "";
	while (slice_split(&rest, '/', &part))
		if (!part.n || slice_is(part, ".") || slice_is(part, ".."))
			return "";
	to = stpcpy(p, before);
	for (; *name; name++) {
		uint8_t c = (uint8_t)*name;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~/:@", c)) {
			*to++ = (char)c;
			continue;
		}
		*to++ = '%';
		*to++ = hex[c >> 4];
		*to++ = hex[c & 15];
	}
	strcpy(to, after);
	return p;
}
