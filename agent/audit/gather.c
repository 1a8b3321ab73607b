/* gather.c - see gather.h. */
#include "agent/audit/gather.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "common/fetch.h"
#include "common/json.h"

enum {
	HOST_ARENA_BYTES = 16 * 1024 * 1024,
	ANSWER_BYTES = 8 * 1024 * 1024,
	URL_BYTES = 1024,
	ID_BYTES = 128,
	IMAGES_KEPT = 128, /* hosts run few images in many containers */
	IMAGES_ARENA_BYTES = 64 * 1024 * 1024,
	BASES_MAX = 32,
};

/* The next container is asked for by a thread while the kernel's side of this one is read: the engine takes as long. */
struct ahead {
	const char *const *ids; /* borrowed, in the order in which they are wanted */
	size_t count;
	char id[ID_BYTES]; /* that the thread asks for; "": there is no thread */
	pthread_t thread;
	struct buf body;
	struct err err;
	int code;
};

struct gather {
	const char *docker_socket, *proc_root;
	struct arena *arena; /* of host, daemon and sockets */
	struct facts_host host;
	struct facts_daemon daemon;
	struct facts_sockets sockets;
	struct arena *images_arena;
	struct facts_image images[IMAGES_KEPT];
	size_t image_count;
	struct facts_image bases[BASES_MAX]; /* with no other tag than latest */
	size_t base_count;
	bool has_bases;
	gather_stock_fn stock; /* nullable */
	const char *stock_where;
	struct ahead ahead;
	gather_watched_fn watched; /* nullable */
	const char *watched_where;
};

int gather_new(const char *docker_socket, const char *proc_root, struct gather **ret, struct err *err)
{
	CLEANUP(gather_freep) struct gather *g = calloc(1, sizeof(*g));

	if (!g)
		return err_set(err, ENOMEM, "audit");
	g->docker_socket = docker_socket;
	g->proc_root = proc_root;
	g->arena = arena_new(HOST_ARENA_BYTES);
	g->images_arena = arena_new(IMAGES_ARENA_BYTES);
	if (!g->arena || !g->images_arena)
		return err_set(err, ENOMEM, "audit");
	facts_host_init(&g->host);
	facts_daemon_init(&g->daemon);
	*ret = take_ptr(g);
	return 0;
}

static void end_ahead(struct ahead *n)
{
	if (*n->id)
		pthread_join(n->thread, NULL);
	*n->id = 0;
	buf_fini(&n->body);
}

void gather_free(struct gather *g)
{
	if (!g)
		return;
	end_ahead(&g->ahead);
	arena_free(g->images_arena);
	arena_free(g->arena);
	free(g);
}

void gather_use_stock(struct gather *g, gather_stock_fn fn, const char *where)
{
	g->stock = fn;
	g->stock_where = where;
}

void gather_use_watched(struct gather *g, gather_watched_fn fn, const char *where)
{
	g->watched = fn;
	g->watched_where = where;
}

void gather_watched(struct gather *g)
{
	if (g->watched && g->watched(g->watched_where, g->arena, &g->host.watched_by_us, NULL) < 0)
		g->host.watched_by_us = (struct facts_texts){ 0 };
}

static void complete_image(struct gather *g, struct arena *a, struct facts_image *i)
{
	struct facts_stock s = { 0 };

	if (g->stock && !i->has_stock && g->stock(i->id, g->stock_where, a, &s, NULL) >= 0)
		facts_image_stock(i, &s);
}

/* ---- the engine ---- */

/* What comes from outside goes into a path of the URL: a name's characters only. */
static bool is_name(const char *s)
{
	for (const char *p = s; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || strchr("_.-:/@", *p)))
			return false;
	return *s && *s != '/' && !strstr(s, "..");
}

/* ENOENT: the engine has no such thing. */
static int get(struct gather *g, const char *path, struct buf *ret, struct err *err)
{
	char url[URL_BYTES];
	struct fetch_request rq = { .url = url,
				    .unix_socket = g->docker_socket,
				    .timeout_ms = GATHER_TIMEOUT_MS,
				    .max_body_bytes = ANSWER_BYTES };
	long status = 0;

	if (snprintf(url, sizeof(url), "http://docker%s", path) >= (int)sizeof(url))
		return err_set(err, ERR_LIMIT, "engine: a path of %zu bytes", strlen(path));
	int r = fetch_wait(&rq, &status, ret, err);
	if (r < 0)
		return err_wrap(err, r, "engine");
	if (status == 404)
		return err_set(err, ENOENT, "engine: %s", path);
	if (status != 200)
		return err_set(err, EPROTO, "engine: %s: status %ld", path, status);
	return 0;
}

typedef int (*read_daemon_fn)(struct slice body, struct arena *a, struct facts_daemon *ret, struct err *err);

static int ask_daemon(struct gather *g, const char *path, read_daemon_fn read, struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	int r = get(g, path, &body, err);

	return r < 0 ? r : read(buf_slice(&body), g->arena, &g->daemon, err);
}

static void ask_engine(struct gather *g)
{
	struct err err = { 0 };

	int r = ask_daemon(g, "/info", facts_read_info, &err);
	/* The engine starts its runtimes to answer either, and /version has nothing else that we need. */
	if (r >= 0 && !*g->daemon.version)
		r = ask_daemon(g, "/version", facts_read_version, &err);
	if (r >= 0)
		r = ask_daemon(g, "/networks", facts_read_networks, &err);
	if (r >= 0 && !strcmp(g->daemon.swarm, "active") && g->daemon.is_swarm_manager == FACTS_YES)
		r = ask_daemon(g, "/swarm", facts_read_swarm, &err);
	g->daemon.is_known = r >= 0;
	if (r < 0) {
		const char *why = arena_dup(g->arena, slice_of(err.msg));
		g->daemon.why = why ? why : "the engine does not answer";
	}
}

int gather_host(struct gather *g, const struct facts_host **ret_host, const struct facts_daemon **ret_daemon, struct err *err)
{
	arena_reset(g->arena);
	arena_reset(g->images_arena);
	g->image_count = g->base_count = 0;
	g->has_bases = false;
	facts_host_init(&g->host);
	facts_daemon_init(&g->daemon);
	g->sockets = (struct facts_sockets){ 0 };
	ask_engine(g);
	int r = facts_read_host(g->proc_root, g->docker_socket, g->arena, &g->daemon, &g->host, err);
	if (r >= 0)
		r = facts_read_sockets(g->docker_socket, &g->daemon, g->arena, &g->sockets, err);
	if (r < 0)
		return r;
	*ret_host = &g->host;
	*ret_daemon = &g->daemon;
	return 0;
}

/* ---- a container ---- */

static void ask_exec(struct gather *g, struct arena *a, struct facts_exec *e)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	char path[256];

	/* One that has just ended is not known any more. */
	if (is_name(e->id) && snprintf(path, sizeof(path), "/exec/%s/json", e->id) < (int)sizeof(path) &&
	    get(g, path, &body, NULL) >= 0)
		(void)facts_read_exec(buf_slice(&body), a, e, NULL);
}

static void ask_volume(struct gather *g, struct arena *a, struct facts_asked_mount *m)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	char path[512];
	const char *name, *device;

	m->is_unseen = true;
	if (!is_name(m->name) || snprintf(path, sizeof(path), "/volumes/%s", m->name) >= (int)sizeof(path) ||
	    get(g, path, &body, NULL) < 0)
		return;
	if (facts_read_volume(buf_slice(&body), a, &name, &device, NULL) >= 0) {
		m->device = device;
		m->is_unseen = false;
	}
}

static void ask_more(struct gather *g, struct arena *a, struct facts_container *c)
{
	for (size_t i = 0; i < c->asked.exec_count; i++)
		ask_exec(g, a, &c->asked.execs[i]);
	for (size_t i = 0; i < c->asked.mount_count; i++)
		if (!strcmp(c->asked.mounts[i].type, "volume"))
			ask_volume(g, a, &c->asked.mounts[i]);
}

static void read_kernel(struct gather *g, const struct facts_known *known, struct arena *a, struct facts_container *c)
{
	struct err err = { 0 };

	if (c->pid <= 0) {
		c->real.why = "it does not run";
		return;
	}
	/* Who is frozen would not stop for us. */
	const struct facts_how how = { .flags = c->state == STATE_PAUSED ? FACTS_NO_FILTER : 0, .sockets = &g->sockets, .known = known };
	if (facts_read_real(g->proc_root, c->pid, &how, a, &c->real, &err) >= 0)
		return;
	const char *why = arena_dup(a, slice_of(err.msg));
	c->real.is_known = false;
	c->real.why = why ? why : "out of memory";
}

/* An image that was removed under its container leaves what the container knows. */
static void image_of(struct gather *g, const char *id, struct arena *a, struct facts_image *ret)
{
	bool is_kept = g->image_count < IMAGES_KEPT;

	for (size_t i = 0; i < g->image_count; i++) {
		if (!strcmp(g->images[i].id, id)) {
			complete_image(g, g->images_arena, &g->images[i]); /* its stock may be newer */
			*ret = g->images[i];
			return;
		}
	}
	if (gather_image(g, id, is_kept ? g->images_arena : a, ret, NULL) < 0)
		facts_image_init(ret);
	else if (is_kept)
		g->images[g->image_count++] = *ret;
}

static int ask_container(struct gather *g, const char *id, struct buf *ret, struct err *err)
{
	char path[512];

	if (!is_name(id) || snprintf(path, sizeof(path), "/containers/%s/json", id) >= (int)sizeof(path))
		return err_set(err, ENOENT, "container '%.80s': not a name", id);
	return get(g, path, ret, err);
}

static void *ask_ahead(void *arg)
{
	struct gather *g = arg;

	g->ahead.code = ask_container(g, g->ahead.id, &g->ahead.body, &g->ahead.err);
	return NULL;
}

/* Where there is no thread to be had, it is asked for when it is wanted. */
static void start_ahead(struct gather *g)
{
	struct ahead *n = &g->ahead;
	sigset_t all, before;

	if (*n->id || !n->count)
		return;
	n->count--;
	if (!slice_copy(slice_of(*n->ids++), n->id, sizeof(n->id)))
		*n->id = 0;
	if (!*n->id)
		return;
	sigfillset(&all); /* no signal of the program is to be handled there */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&n->thread, NULL, ask_ahead, g))
		*n->id = 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void gather_ahead(struct gather *g, const char *const *ids, size_t count)
{
	end_ahead(&g->ahead);
	g->ahead.ids = ids;
	g->ahead.count = count;
	start_ahead(g);
}

static int take_container(struct gather *g, const char *id, struct buf *ret, struct err *err)
{
	struct ahead *n = &g->ahead;
	int r;

	if (*n->id && !strcmp(n->id, id)) {
		pthread_join(n->thread, NULL);
		*n->id = 0;
		*ret = n->body;
		buf_init(&n->body, 0);
		r = n->code;
		if (r < 0 && err)
			*err = n->err;
	} else {
		r = ask_container(g, id, ret, err);
	}
	start_ahead(g);
	return r;
}

int gather_container(struct gather *g, const char *id, const struct facts_known *known, struct arena *a, struct facts_container *ret,
		     struct facts_image *ret_image, struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 };

	facts_container_init(ret);
	facts_image_init(ret_image);
	int r = take_container(g, id, &body, err);
	if (r >= 0)
		r = facts_read_container(buf_slice(&body), a, ret, err);
	if (r < 0)
		return r;
	ask_more(g, a, ret);
	read_kernel(g, known, a, ret);
	image_of(g, ret->image_id, a, ret_image);
	return 0;
}

int gather_image(struct gather *g, const char *id, struct arena *a, struct facts_image *ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	CLEANUP(buf_finip) struct buf history = { 0 };
	char path[512];

	facts_image_init(ret);
	if (!is_name(id) || snprintf(path, sizeof(path), "/images/%s/json", id) >= (int)sizeof(path))
		return err_set(err, ENOENT, "image '%.80s': not a name", id);
	int r = get(g, path, &body, err);
	if (r >= 0)
		r = facts_read_image(buf_slice(&body), a, ret, err);
	if (r < 0)
		return r;
	complete_image(g, a, ret);
	snprintf(path, sizeof(path), "/images/%s/history", id);
	return get(g, path, &history, NULL) < 0 ? 0 : facts_read_history(buf_slice(&history), a, ret, err);
}

/* ---- what an image is built on ---- */

static int read_base(struct gather *g, struct slice id, struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	char name[100], path[200];

	if (!slice_copy(id, name, sizeof(name)) || !is_name(name))
		return err_set(err, ENOENT, "image: not a name");
	snprintf(path, sizeof(path), "/images/%s/json", name);
	int r = get(g, path, &body, err);
	return r < 0 ? r : facts_read_image(buf_slice(&body), g->images_arena, &g->bases[g->base_count], err);
}

static void read_bases(struct gather *g)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *list = NULL;
	const cJSON *i, *tag;

	g->has_bases = true;
	if (get(g, "/images/json", &body, NULL) < 0 || json_parse(buf_slice(&body), ANSWER_BYTES, &list, NULL) < 0)
		return;
	cJSON_ArrayForEach(i, list)
	{
		bool is_latest = false;

		cJSON_ArrayForEach(tag, cJSON_GetObjectItemCaseSensitive(i, "RepoTags"))
			is_latest |= cJSON_IsString(tag) && slice_ends(slice_of(tag->valuestring), SLICE_LIT(":latest"));
		if (!is_latest || g->base_count == BASES_MAX || read_base(g, json_get_str(i, "Id"), NULL) < 0)
			continue;
		g->base_count += facts_image_is_latest(&g->bases[g->base_count].tags);
	}
}

/* The nearest of them; all are asked for once until the next gather_host. */
void gather_base(struct gather *g, struct facts_image *image)
{
	size_t most = 0;

	if (!g->has_bases)
		read_bases(g);
	for (size_t i = 0; i < g->base_count; i++) {
		const struct facts_image *b = &g->bases[i];

		if (b->layers.count <= most || !facts_image_is_base(b, image))
			continue;
		most = b->layers.count;
		image->base_latest = b->tags.v[0];
	}
}

/* ---- lists ---- */

static int read_ids(struct slice body, size_t max, struct arena *a, struct facts_texts *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	const cJSON *item;

	int r = json_parse(body, ANSWER_BYTES, &o, err);
	if (r < 0)
		return r;
	size_t n = cJSON_IsArray(o) ? (size_t)cJSON_GetArraySize(o) : 0;
	if (n > max)
		return err_set(err, ERR_LIMIT, "engine: %zu in a list, at most %zu", n, max);
	*ret = (struct facts_texts){ .v = arena_zalloc(a, n + 1, sizeof(*ret->v)) };
	if (!ret->v)
		return err_set(err, ENOMEM, "engine: a list of %zu", n);
	cJSON_ArrayForEach(item, o)
	{
		struct slice id = json_get_str(item, "Id");
		const char *copy = id.n ? arena_dup(a, id) : NULL;

		if (copy)
			ret->v[ret->count++] = copy;
	}
	return 0;
}

static int list(struct gather *g, const char *path, size_t max, struct arena *a, struct facts_texts *ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	int r = get(g, path, &body, err);

	return r < 0 ? r : read_ids(buf_slice(&body), max, a, ret, err);
}

int gather_containers(struct gather *g, struct arena *a, struct facts_texts *ret, struct err *err)
{
	return list(g, "/containers/json?all=1", GATHER_CONTAINERS_MAX, a, ret, err);
}

int gather_images(struct gather *g, struct arena *a, struct facts_texts *ret, struct err *err)
{
	return list(g, "/images/json", GATHER_IMAGES_MAX, a, ret, err);
}
