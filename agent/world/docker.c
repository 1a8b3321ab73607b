/* docker.c - what the engine says of its containers.
 *
 *   connect: GET /events?since=<where we were>   (a stream, for as long as it lasts)
 *            GET /containers/json?all=1          (at the same time)
 *            GET /containers/ID/json             (for each that is new; at most 4 at once)
 *
 * `since` makes the order of the first two irrelevant: what happens between them is in the list or
 * is told again. `create` carries name and image, so a container is named before it is started
 * and nothing has to be asked in time. What we hear is only kept, never obeyed. */
#include "agent/world/world_priv.h"
#include "common/json.h"
#include "common/log.h"

enum { URL_BYTES = 256, DIGEST_SIZE = WORLD_DIGEST_BYTES + 1 };

struct job {
	struct docker *d;
	struct fetch *fetch;	    /* nullable */
	char id[65];		    /* of the container */
	char image_id[DIGEST_SIZE]; /* asked in the second step; "" in the first */
};

struct docker {
	struct fetch_pool *fetch;
	const struct clock *clk;
	char *socket_path;
	struct containers *table;
	const struct world_ops *ops;
	void *arg;
	bool is_user;

	struct fetch *stream, *list; /* nullable */
	struct loop_timer *retry;
	uint64_t retry_ms;
	bool is_connected, is_told; /* is_told: on_engine has heard of the present state */
	struct buf line;
	bool skip_line; /* it was too long: the rest of it is not ours */
	uint64_t bad_lines;
	uint64_t last_ns;   /* timeNano of the newest event heard; 0 = none */
	uint64_t resume_ns; /* of the event the present stream was resumed at; 0 = none */
	unsigned round;	    /* counts lists */

	struct centry_list queue; /* to be inspected */
	struct job jobs[WORLD_ENGINE_JOBS];
	struct image {
		char id[DIGEST_SIZE], digest[DIGEST_SIZE];
	} images[WORLD_IMAGE_CACHE];
	unsigned next_image;
};

static void on_retry(void *arg);
static void pump(struct docker *d);
static void on_drop(void *arg, struct centry *e);

struct docker *docker_new(struct loop *l, struct fetch_pool *fetch, const struct clock *clk,
			  const char *socket_path, struct containers *table,
			  const struct world_ops *ops, void *arg)
{
	struct docker *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	TAILQ_INIT(&d->queue);
	buf_init(&d->line, WORLD_ENGINE_LINE_BYTES);
	d->fetch = fetch;
	d->clk = clk;
	d->table = table;
	d->ops = ops;
	d->arg = arg;
	d->retry_ms = WORLD_ENGINE_RETRY_MIN_MS;
	d->is_user = slice_starts(slice_of(socket_path), SLICE_LIT("/run/user/"));
	d->socket_path = strdup(socket_path);
	d->retry = loop_timer_new(l, on_retry, d);
	if (!d->socket_path || !d->retry) {
		docker_free(d);
		return NULL;
	}
	containers_on_drop(table, on_drop, d);
	return d;
}

static void say_engine(struct docker *d, bool is_connected, const char *why)
{
	if (d->is_told && d->is_connected == is_connected)
		return;
	d->is_told = true;
	d->is_connected = is_connected;
	if (d->ops && d->ops->on_engine)
		d->ops->on_engine(d->arg, is_connected, why);
}

static void disconnect(struct docker *d, const char *why)
{
	fetch_cancel(d->list);
	d->list = NULL;
	say_engine(d, false, why);
	loop_timer_once(d->retry, d->retry_ms);
	d->retry_ms = d->retry_ms * 2 > WORLD_ENGINE_RETRY_MAX_MS ? WORLD_ENGINE_RETRY_MAX_MS
								  : d->retry_ms * 2;
}

static int get(struct docker *d, const char *url, size_t max_bytes,
	       void (*on_done)(void *arg, const struct fetch_result *r), void *arg,
	       struct fetch **ret, struct err *err)
{
	struct fetch_request rq = {
		.url = url,
		.unix_socket = d->socket_path,
		.timeout_ms = WORLD_ENGINE_TIMEOUT_MS,
		.max_body_bytes = max_bytes,
		.on_done = on_done,
		.arg = arg,
	};

	return fetch_start(d->fetch, &rq, ret, err);
}

/* An id goes into a URL: only what can't change its meaning. */
static bool is_plain_id(const char *id)
{
	for (const char *p = id; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		      (*p >= '0' && *p <= '9') || *p == ':'))
			return false;
	return *id;
}

/* The container of that id, known to the engine from now on. *ret_is_new: nobody has heard of it,
 * not even as a guess from a cgroup. */
static struct centry *get_entry(struct docker *d, struct slice id, bool *ret_is_new)
{
	struct centry *e = containers_get(d->table, id, d->is_user, "docker", CONTAINER_KNOWN);

	*ret_is_new = false;
	if (!e)
		return NULL;
	*ret_is_new = !e->list_round && e->class != CONTAINER_GUESSED;
	if (e->class == CONTAINER_GUESSED)
		containers_set_class(d->table, e, CONTAINER_KNOWN);
	e->list_round = d->round;
	return e;
}

/* An inspect asks for the container, then for its image if that is not known. */

static void on_drop(void *arg, struct centry *e)
{
	struct docker *d = arg;

	if (e->wants_inspect)
		TAILQ_REMOVE(&d->queue, e, of_queue);
	e->wants_inspect = false;
}

void docker_inspect(struct docker *d, struct centry *e)
{
	if (e->wants_inspect || e->is_inspecting || e->is_user != d->is_user ||
	    !is_plain_id(e->c.id))
		return;
	e->wants_inspect = true;
	TAILQ_INSERT_TAIL(&d->queue, e, of_queue);
	pump(d);
}

static const struct image *find_image(const struct docker *d, const char *id)
{
	for (unsigned i = 0; i < WORLD_IMAGE_CACHE; i++)
		if (*id && !strcmp(d->images[i].id, id))
			return &d->images[i];
	return NULL;
}

static void job_end(struct job *j)
{
	struct centry *e = containers_find(j->d->table, slice_of(j->id), j->d->is_user);

	if (e)
		e->is_inspecting = false;
	j->id[0] = j->image_id[0] = 0;
	j->fetch = NULL;
}

static void set_digest(struct docker *d, struct centry *e)
{
	const struct image *i = find_image(d, e->c.image_id);

	if (i)
		(void)containers_set(d->table, e, &e->c.image_digest, slice_of(i->digest),
				     WORLD_DIGEST_BYTES);
}

/* "repo@sha256:..." -> the part behind the @; of several the first. */
static void read_image(struct docker *d, const char *image_id, const cJSON *o)
{
	const cJSON *digests = cJSON_GetObjectItemCaseSensitive(o, "RepoDigests");
	const cJSON *first = cJSON_IsArray(digests) ? cJSON_GetArrayItem(digests, 0) : NULL;
	const char *at = cJSON_IsString(first) ? strrchr(first->valuestring, '@') : NULL;
	struct image *i = &d->images[d->next_image++ % WORLD_IMAGE_CACHE];

	(void)slice_copy(slice_of(image_id), i->id, sizeof(i->id));
	if (!slice_copy(at ? slice_of(at + 1) : SLICE_NONE, i->digest, sizeof(i->digest)))
		i->digest[0] = 0; /* half a digest is none */
}

static void on_image(void *arg, const struct fetch_result *r)
{
	struct job *j = arg;
	struct docker *d = j->d;
	struct centry *e = containers_find(d->table, slice_of(j->id), d->is_user);
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;

	/* An image that is gone has no digest to find: that too is an answer worth keeping. */
	if (!r->code &&
	    (r->status == 404 ||
	     (r->status == 200 && json_parse(r->body, WORLD_ENGINE_INSPECT_BYTES, &o, NULL) >= 0)))
		read_image(d, j->image_id, o);
	if (e && find_image(d, e->c.image_id)) {
		set_digest(d, e);
		if (*e->c.image_digest)
			containers_announce(d->table, e, WORLD_UPDATED);
	}
	job_end(j);
	pump(d);
}

/* True when the job goes on with the image. */
static bool ask_image(struct job *j, const struct centry *e)
{
	char url[URL_BYTES];

	if (!is_plain_id(e->c.image_id) || find_image(j->d, e->c.image_id))
		return false;
	(void)slice_copy(slice_of(e->c.image_id), j->image_id, sizeof(j->image_id));
	snprintf(url, sizeof(url), "http://docker/images/%s/json", j->image_id);
	return get(j->d, url, WORLD_ENGINE_INSPECT_BYTES, on_image, j, &j->fetch, NULL) >= 0;
}

static void on_inspect(void *arg, const struct fetch_result *r)
{
	struct job *j = arg;
	struct docker *d = j->d;
	struct centry *e = containers_find(d->table, slice_of(j->id), d->is_user);
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	struct err err = {0};

	j->fetch = NULL;
	if (e && !r->code && r->status == 200) {
		if (json_parse(r->body, WORLD_ENGINE_INSPECT_BYTES, &o, &err) < 0) {
			LOG(WARN, "world.inspect", KV_STR("container", j->id),
			    KV_STR("why", err.msg));
		} else if (slice_is(json_get_str(o, "Id"), e->c.id)) {
			inspect_read(d->table, e, o);
			set_digest(d, e);
			if (d->ops && d->ops->on_inspected)
				d->ops->on_inspected(d->arg, &e->c, r->body);
			if (e->class == CONTAINER_GUESSED) {
				containers_set_class(d->table, e, CONTAINER_KNOWN);
				e->list_round = d->round;
			}
			containers_announce(d->table, e, WORLD_UPDATED);
			if (ask_image(j, e))
				return;
		}
	} /* 404: removed already; what the events told is all there is */
	job_end(j);
	pump(d);
}

static void pump(struct docker *d)
{
	for (unsigned i = 0; i < WORLD_ENGINE_JOBS; i++) {
		struct job *j = &d->jobs[i];
		struct centry *e = TAILQ_FIRST(&d->queue);
		char url[URL_BYTES];

		if (!e)
			return;
		if (*j->id)
			continue;
		TAILQ_REMOVE(&d->queue, e, of_queue);
		e->wants_inspect = false;
		*j = (struct job){.d = d};
		snprintf(url, sizeof(url), "http://docker/containers/%s/json", e->c.id);
		if (get(d, url, WORLD_ENGINE_INSPECT_BYTES, on_inspect, j, &j->fetch, NULL) < 0)
			continue;
		(void)slice_copy(slice_of(e->c.id), j->id, sizeof(j->id));
		e->is_inspecting = true;
	}
}

static void mark_running(struct docker *d, struct centry *e, bool is_running, uint64_t at_ns)
{
	if (e->c.is_running == is_running)
		return;
	e->c.is_running = is_running;
	if (is_running && at_ns)
		e->c.started_unix_ns = at_ns;
	containers_announce(d->table, e, is_running ? WORLD_STARTED : WORLD_STOPPED);
}

static void mark_gone(struct docker *d, struct centry *e)
{
	if (e->c.is_gone)
		return;
	mark_running(d, e, false, 0);
	containers_mark_gone(d->table, e);
	containers_announce(d->table, e, WORLD_REMOVED);
}

static void say_change(struct docker *d, struct centry *e, bool is_new, bool is_changed)
{
	if (is_new)
		containers_announce(d->table, e, WORLD_CREATED);
	else if (is_changed)
		containers_announce(d->table, e, WORLD_UPDATED);
}

static void list_item(struct docker *d, const cJSON *item)
{
	const cJSON *names = cJSON_GetObjectItemCaseSensitive(item, "Names");
	const cJSON *first = cJSON_IsArray(names) ? cJSON_GetArrayItem(names, 0) : NULL;
	struct slice id = json_get_str(item, "Id");
	struct centry *e = containers_find(d->table, id, d->is_user);
	bool is_new, changed;

	/* An event has told more lately, perhaps that it is gone. But most say nothing of whether it runs. */
	if (!id.n || (e && e->list_round == d->round && e->state_round == d->round))
		return;
	e = get_entry(d, id, &is_new);
	if (!e || e->c.is_gone)
		return;
	changed = inspect_set_name(
		d->table, e, cJSON_IsString(first) ? slice_of(first->valuestring) : SLICE_NONE,
		json_get_str(item, "Image"));
	(void)containers_set(d->table, e, &e->c.image_id, json_get_str(item, "ImageID"),
			     WORLD_DIGEST_BYTES);
	if (!e->c.created_unix_ns)
		e->c.created_unix_ns = json_get_u64(item, "Created", 0) * 1000000000u;
	say_change(d, e, is_new, changed);
	struct slice state = json_get_str(item, "State");
	mark_running(d, e, slice_is(state, "running") || slice_is(state, "paused"), 0);
	if (!e->c.is_inspected)
		docker_inspect(d, e);
}

static void drop_unlisted(void *arg, struct centry *e)
{
	struct docker *d = arg;

	if (e->class == CONTAINER_KNOWN && e->is_user == d->is_user && e->list_round != d->round)
		mark_gone(d, e);
}

static void on_list(void *arg, const struct fetch_result *r)
{
	struct docker *d = arg;
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	struct err err = {0};
	const cJSON *item;

	d->list = NULL;
	if (r->code || r->status != 200) {
		snprintf(err.msg, sizeof(err.msg), "list: status %ld %s", r->status, r->message);
	} else if (json_parse(r->body, WORLD_ENGINE_LIST_BYTES, &o, &err) >= 0 &&
		   cJSON_IsArray(o)) {
		cJSON_ArrayForEach(item, o) list_item(d, item);
		containers_each(d->table, drop_unlisted, d);
		d->retry_ms = WORLD_ENGINE_RETRY_MIN_MS;
		loop_timer_once(d->retry, WORLD_ENGINE_RELIST_MS);
		say_engine(d, true, "");
		return;
	}
	/* Without the list the stream alone would leave containers out: begin again. */
	fetch_cancel(d->stream);
	d->stream = NULL;
	disconnect(d, *err.msg ? err.msg : "list: not an array");
}

/* A container came into a network, or left it. Of one nobody has heard of its own events will tell. */
static void read_network_event(struct docker *d, struct slice action, const cJSON *attributes)
{
	struct centry *e = containers_find(d->table, json_get_str(attributes, "container"), d->is_user);

	if (!e || e->c.is_gone || (!slice_is(action, "connect") && !slice_is(action, "disconnect")))
		return;
	containers_announce(d->table, e, WORLD_CHANGED);
}

static void read_event(struct docker *d, const cJSON *o)
{
	const cJSON *actor = cJSON_GetObjectItemCaseSensitive(o, "Actor");
	const cJSON *attributes = cJSON_GetObjectItemCaseSensitive(actor, "Attributes");
	struct slice action = json_get_str(o, "Action"), id = json_get_str(actor, "ID");
	uint64_t at_ns = json_get_u64(o, "timeNano", 0);
	bool is_new, changed;

	struct slice type = json_get_str(o, "Type");
	bool is_network = slice_is(type, "network"), is_image = slice_is(type, "image");
	if (!id.n || (!is_network && !is_image && !slice_is(type, "container")))
		return;
	if (at_ns == d->resume_ns) /* `since` includes the very event that we had last */
		return;
	d->last_ns = at_ns;
	if (is_network) {
		read_network_event(d, action, attributes);
		return;
	}
	if (is_image) {
		/* A pull is told by its name, others by an id, and some builds not at all: who cares asks for the list. */
		if (d->ops && d->ops->on_images)
			d->ops->on_images(d->arg);
		return;
	}
	struct centry *e = get_entry(d, id, &is_new);
	if (!e || e->c.is_gone)
		return;
	changed = inspect_set_name(d->table, e, json_get_str(attributes, "name"),
				   json_get_str(attributes, "image"));
	if (slice_is(action, "create") && !e->c.created_unix_ns)
		e->c.created_unix_ns = at_ns;
	say_change(d, e, is_new, changed);
	bool is_update = slice_is(action, "update");
	if (!e->c.is_inspected || is_update)
		docker_inspect(d, e);
	if (is_update || slice_is(action, "rename"))
		containers_announce(d->table, e, WORLD_CHANGED);

	if (slice_is(action, "start") || slice_is(action, "die") || slice_is(action, "destroy"))
		e->state_round = d->round;
	if (slice_is(action, "start")) {
		mark_running(d, e, true, at_ns);
	} else if (slice_is(action, "die")) {
		mark_running(d, e, false, at_ns);
	} else if (slice_is(action, "destroy")) {
		mark_gone(d, e);
	}
}

static void read_line(struct docker *d, struct slice line)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	struct err err = {0};

	line = slice_trim(line);
	if (!line.n)
		return;
	if (json_parse(line, WORLD_ENGINE_LINE_BYTES, &o, &err) < 0) {
		d->bad_lines++;
		LOG(WARN, "world.engine_event", KV_STR("why", err.msg),
		    KV_U64("bad", d->bad_lines));
		return;
	}
	read_event(d, o);
}

static bool on_stream(void *arg, struct slice piece)
{
	struct docker *d = arg;

	while (piece.n) {
		ptrdiff_t end = slice_find_char(piece, '\n');
		struct slice part = end < 0 ? piece : slice_sub(piece, 0, (size_t)end);

		if (!d->skip_line)
			buf_add_slice(&d->line, part);
		if (!d->skip_line && d->line.failed) {
			d->skip_line = true;
			d->bad_lines++;
			LOG(WARN, "world.engine_event", KV_STR("why", "line too long"),
			    KV_U64("bad", d->bad_lines));
		}
		if (end < 0)
			return true;
		if (!d->skip_line)
			read_line(d, buf_slice(&d->line));
		buf_reset(&d->line);
		d->skip_line = false;
		piece = slice_sub(piece, (size_t)end + 1, piece.n);
	}
	return true;
}

static void on_stream_end(void *arg, const struct fetch_result *r)
{
	struct docker *d = arg;

	d->stream = NULL;
	disconnect(d, *r->message ? r->message : "the event stream ended");
}

static int open_stream(struct docker *d, struct err *err)
{
	char url[URL_BYTES * 2];
	uint64_t since_ns = d->last_ns ? d->last_ns : clock_unix_ns(d->clk);
	struct fetch_request rq = {
		.url = url,
		.unix_socket = d->socket_path,
		.on_data = on_stream,
		.on_done = on_stream_end,
		.arg = d,
	};

	d->resume_ns = d->last_ns;
	buf_reset(&d->line);
	d->skip_line = false;
	/* {"type":["container","network","image"],"event":["create",...]}: the many exec_* events are not wanted */
	snprintf(url, sizeof(url),
		 "http://docker/"
		 "events?since=%llu.%09llu&filters=%%7B%%22type%%22%%3A%%5B%%22container%%22%%2C%%22network"
		 "%%22%%2C%%22image%%22%%5D%%2C%%22event%%22%%3A%%5B%%22create%%22%%2C%%22start%%22%%2C%%22die%%22%%2C"
		 "%%22destroy%%22%%2C%%22rename%%22%%2C%%22update%%22%%2C%%22connect%%22%%2C%%22disconnect%%22"
		 "%%2C%%22pull%%22%%2C%%22load%%22%%2C%%22import%%22%%2C%%22tag%%22%%2C%%22untag%%22%%2C%%22delete%%22"
		 "%%5D%%7D",
		 (unsigned long long)(since_ns / 1000000000u),
		 (unsigned long long)(since_ns % 1000000000u));
	return fetch_start(d->fetch, &rq, &d->stream, err);
}

/* Connects; while connected, asks for the list once more: an engine that hangs is found out by it,
 * and what its events left out is put right. */
static void on_retry(void *arg)
{
	struct docker *d = arg;
	struct err err = {0};
	int r = d->stream ? 0 : open_stream(d, &err);

	d->round++;
	if (r >= 0)
		r = get(d, "http://docker/containers/json?all=1", WORLD_ENGINE_LIST_BYTES, on_list,
			d, &d->list, &err);
	if (r >= 0)
		return;
	fetch_cancel(d->stream);
	d->stream = NULL;
	disconnect(d, err.msg);
}

void docker_start(struct docker *d)
{
	on_retry(d);
}

bool docker_is_connected(const struct docker *d)
{
	return d->is_connected;
}

bool docker_is_user(const struct docker *d)
{
	return d->is_user;
}

void docker_free(struct docker *d)
{
	if (!d)
		return;
	fetch_cancel(d->stream);
	fetch_cancel(d->list);
	for (unsigned i = 0; i < WORLD_ENGINE_JOBS; i++)
		fetch_cancel(d->jobs[i].fetch);
	containers_on_drop(d->table, NULL, NULL);
	loop_timer_free(d->retry);
	buf_fini(&d->line);
	free(d->socket_path);
	free(d);
}
