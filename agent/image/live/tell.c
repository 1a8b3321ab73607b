/* tell.c - what the collector is asked and told, one question at a time:
 *
 *   NOT --ask--> ASKING --known--> KNOWN
 *                   \--unknown--> PACKING (child) --> PACKED --> SENDING part by part --done--> KNOWN
 *                                    ^------- layers are missing there, three times at most --/
 *
 * and the state: which images run in which containers, which of their packages are used. */
#include "agent/image/live/live_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "common/text.h"

enum { STATE_ARENA_BYTES = 8 * 1024 * 1024, STATE_PART_BYTES = 512 * 1024, REFUSED_MS = 3600000 };

static char *text(const char *s)
{
	return (char *)(uintptr_t)(s ? s : "");
}

/* Only what msg.h lets through: a name longer than its bound would make the whole question impossible. */
static char *short_text(const char *s, size_t max)
{
	return text(s && strlen(s) <= max ? s : "");
}

bool live_ask(struct live *v, Picket__Request *m, void (*on_answer)(struct live *, const Picket__Reply *))
{
	struct err err;

	int r = v->ops->ask(v->arg, m, &err);
	if (r < 0 && err.code != ENOTCONN && err.code != EAGAIN) {
		LOG(WARN, "image.ask", KV_STR("why", err.msg));
		v->pause_ns = live_now_ns(v) + LIVE_PAUSE_MS * 1000000ull; /* it would be the same at once */
	}
	if (r < 0)
		return false;
	v->is_asking = true;
	v->on_answer = on_answer;
	return true;
}

static void refuse(struct live *v, struct limage *i, const char *why)
{
	i->told = TOLD_REFUSED;
	i->retry_ns = live_now_ns(v) + REFUSED_MS * 1000000ull;
	(void)slice_copy(slice_of(why), i->why, sizeof(i->why));
	LOG(WARN, "image.refused", KV_STR("image", i->id), KV_STR("why", i->why));
}

/* ---- is it known? ---- */

static bool keep_wanted(struct limage *i, const ProtobufCBinaryData *keys, size_t count)
{
	free(i->wanted);
	i->wanted_count = 0;
	i->wanted = calloc(count + 1, sizeof(*i->wanted));
	for (size_t k = 0; i->wanted && k < count; k++)
		memcpy(i->wanted[i->wanted_count++], keys[k].data, LIMIT_KEY_BYTES); /* their length was checked */
	return i->wanted;
}

static void on_known(struct live *v, const Picket__Reply *r)
{
	const Picket__ImagesReply *m = r && r->body_case == PICKET__REPLY__BODY_IMAGES ? r->images : NULL;

	for (size_t k = 0; k < v->asked_count; k++) {
		struct limage *i = v->asked[k];
		const Picket__ImageKnown *known = m && k < m->n_images ? m->images[k] : NULL;

		if (!known || strcmp(known->image_id, i->id) != 0) {
			i->told = TOLD_NOT;
			continue;
		}
		i->tries = 0;
		if (known->is_known)
			i->told = TOLD_KNOWN;
		else if (keep_wanted(i, known->unknown_layer_keys, known->n_unknown_layer_keys))
			i->told = TOLD_PACKING;
		else
			i->told = TOLD_NOT;
	}
	v->asked_count = 0;
}

static bool wants_asking(const struct live *v, const struct limage *i)
{
	if (i->stock != STOCK_THERE)
		return false;
	return i->told == TOLD_NOT || (i->told == TOLD_REFUSED && live_now_ns(v) >= i->retry_ns);
}

static void fill_ask(struct limage *i, Picket__ImageAsk *a, ProtobufCBinaryData *keys)
{
	picket__image_ask__init(a);
	a->image_id = i->id;
	for (size_t k = 0; k < i->summary.key_count; k++)
		keys[k] = (ProtobufCBinaryData){ LIMIT_KEY_BYTES, i->summary.keys[k] };
	a->layer_keys = keys;
	a->n_layer_keys = i->summary.key_count;
	a->names = i->summary.names;
	a->n_names = i->summary.name_count;
	a->repo_digests = i->summary.repo_digests;
	a->n_repo_digests = i->summary.repo_digest_count;
}

static bool ask_known(struct live *v)
{
	enum { AT_ONCE = 32 };
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__ImagesAsk all = PICKET__IMAGES_ASK__INIT;
	Picket__ImageAsk asks[AT_ONCE], *pointers[AT_ONCE];
	CLEANUP(freep) ProtobufCBinaryData *keys = calloc(AT_ONCE * LIMIT_LAYERS, sizeof(*keys));
	struct limage *i;

	if (!keys)
		return false;
	v->asked_count = 0;
	TAILQ_FOREACH(i, &v->images, link)
	{
		if (v->asked_count >= AT_ONCE || !wants_asking(v, i))
			continue;
		fill_ask(i, &asks[v->asked_count], keys + v->asked_count * LIMIT_LAYERS);
		pointers[v->asked_count] = &asks[v->asked_count];
		v->asked[v->asked_count++] = i;
	}
	if (!v->asked_count)
		return false;
	all.images = pointers;
	all.n_images = v->asked_count;
	m.body_case = PICKET__REQUEST__BODY_IMAGES_ASK;
	m.images_ask = &all;
	if (!live_ask(v, &m, on_known)) {
		v->asked_count = 0;
		return false;
	}
	for (size_t k = 0; k < v->asked_count; k++)
		v->asked[k]->told = TOLD_ASKING;
	return true;
}

/* ---- the inventory ---- */

static void remove_packed(struct live *v, struct limage *i)
{
	char path[LIMIT_PATH_BYTES];

	live_path(v, i, "zst", path, sizeof(path));
	(void)unlink(path);
}

static void go_on(struct live *v, struct limage *i, const Picket__InventoryReply *m)
{
	if (strcmp(m->image_id, i->id) != 0 ||
	    !slice_eq(msg_slice(m->inventory_sha256), slice_from(i->sha256, sizeof(i->sha256)))) {
		i->told = TOLD_NOT;
		return;
	}
	if (m->is_done) {
		i->told = TOLD_KNOWN;
		v->told++;
		LOG(INFO, "image.told", KV_STR("image", i->id), KV_STR("name", i->reference),
		    KV_U64("bytes", i->packed_bytes));
		remove_packed(v, i);
	} else if (m->n_missing_layer_keys) {
		if (++i->tries >= LIVE_PACK_TRIES)
			refuse(v, i, "the collector keeps missing layers");
		else if (keep_wanted(i, m->missing_layer_keys, m->n_missing_layer_keys))
			i->told = TOLD_PACKING;
	} else if (m->next_part != i->part + 1 && ++i->tries >= LIVE_PACK_TRIES) {
		refuse(v, i, "the collector keeps asking for other parts");
	} else {
		i->part = m->next_part;
		i->told = TOLD_PACKED;
	}
}

static void on_sent(struct live *v, const Picket__Reply *r)
{
	struct limage *i = v->sending;

	v->sending = NULL;
	if (r && r->body_case == PICKET__REPLY__BODY_INVENTORY) {
		go_on(v, i, r->inventory);
	} else if (r && r->body_case == PICKET__REPLY__BODY_REFUSAL &&
		   r->refusal->reason == PICKET__REFUSAL__REASON__REASON_MALFORMED) {
		refuse(v, i, r->refusal->message);
		remove_packed(v, i);
	} else {
		i->told = TOLD_NOT; /* the connection went, or the collector is busy: asked again */
	}
}

static ssize_t read_part(struct live *v, struct limage *i, char *part)
{
	char path[LIMIT_PATH_BYTES];

	live_path(v, i, "zst", path, sizeof(path));
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -1 : pread(fd, part, LIMIT_PART_BYTES, (off_t)i->part * LIMIT_PART_BYTES);
}

static bool send_part(struct live *v, struct limage *i)
{
	CLEANUP(freep) char *part = malloc(LIMIT_PART_BYTES);
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__InventoryPart p = PICKET__INVENTORY_PART__INIT;

	ssize_t n = part ? read_part(v, i, part) : -1;
	if (n <= 0) {
		i->told = TOLD_NOT;
		return false;
	}
	p.image_id = i->id;
	p.inventory_sha256 = (ProtobufCBinaryData){ sizeof(i->sha256), i->sha256 };
	p.part = i->part;
	p.parts = (uint32_t)((i->packed_bytes + LIMIT_PART_BYTES - 1) / LIMIT_PART_BYTES);
	p.data = (ProtobufCBinaryData){ (size_t)n, (uint8_t *)part };
	m.body_case = PICKET__REQUEST__BODY_INVENTORY_PART;
	m.inventory_part = &p;
	if (!live_ask(v, &m, on_sent))
		return false;
	v->sending = i;
	i->told = TOLD_SENDING;
	return true;
}

static bool send_inventory(struct live *v)
{
	struct limage *i;

	TAILQ_FOREACH(i, &v->images, link)
	if (i->told == TOLD_PACKED)
		return send_part(v, i);
	return false;
}

/* ---- the state ---- */

static void ask_again(struct live *v, const Picket__ImagesInUseReply *m)
{
	for (size_t k = 0; k < m->n_unknown_images; k++) {
		struct limage *i = live_image_find(v, slice_of(m->unknown_images[k]));
		if (i && i->told == TOLD_KNOWN)
			i->told = TOLD_NOT;
	}
}

static void on_state(struct live *v, const Picket__Reply *r)
{
	if (!r || r->body_case != PICKET__REPLY__BODY_IMAGES_IN_USE) {
		v->state_parts = 0;
		v->is_state_known = false; /* all of it, next time */
		return;
	}
	ask_again(v, r->images_in_use);
	if (r->images_in_use->is_wanted_whole) {
		v->state_parts = 0;
		v->is_state_known = false;
		return;
	}
	v->state_told_ns = live_now_ns(v);
	if (!v->state_parts) /* it was the word that nothing changed */
		return;
	v->state_from = v->state_next;
	if (++v->state_part == v->state_parts) {
		v->state_parts = 0;
		v->is_state_known = true;
	}
}

static Picket__ContainerUse *container_use(struct arena *a, const struct lcontainer *c)
{
	Picket__ContainerUse *u = arena_zalloc(a, 1, sizeof(*u));
	struct slice rest = slice_of(c->published), port;

	if (!u)
		return NULL;
	picket__container_use__init(u);
	u->id = text(c->id);
	u->name = msg_bytes(slice_of(short_text(c->name, LIMIT_NAME_BYTES)));
	u->started_unix_s = c->started_unix_s;
	u->published_ports = arena_zalloc(a, LIMIT_IMAGE_LIST, sizeof(char *));
	while (u->published_ports && u->n_published_ports < LIMIT_IMAGE_LIST / 2 && slice_split(&rest, ' ', &port))
		if (port.n && port.n <= LIMIT_NAME_BYTES &&
		    (u->published_ports[u->n_published_ports] = arena_dup(a, port)))
			u->n_published_ports++;
	return u;
}

static Picket__PackageUse *package_use(struct arena *a, const struct lused *l)
{
	Picket__PackageUse *u = arena_zalloc(a, 1, sizeof(*u));

	if (!u)
		return NULL;
	picket__package_use__init(u);
	u->ecosystem = text(l->ecosystem);
	u->name = text(l->name);
	u->version = text(l->version);
	u->is_executed = l->how & USE_EXECUTED;
	u->is_loaded = l->how & USE_LOADED;
	u->path = msg_bytes(slice_of(l->path));
	u->container_id = text(l->container_id);
	u->last_unix_s = l->last_unix_s;
	return u;
}

static Picket__ImageUse *image_use(struct arena *a, struct limage *i)
{
	Picket__ImageUse *u = arena_zalloc(a, 1, sizeof(*u));
	struct lcontainer *c;

	if (!u)
		return NULL;
	picket__image_use__init(u);
	u->image_id = i->id;
	u->reference = msg_bytes(slice_of(short_text(i->reference, LIMIT_TEXT_BYTES)));
	u->containers = arena_zalloc(a, LIMIT_IMAGE_CONTAINERS, sizeof(*u->containers));
	u->packages = arena_zalloc(a, i->used_count + 1, sizeof(*u->packages));
	if (!u->containers || !u->packages)
		return NULL;
	TAILQ_FOREACH(c, &i->containers, link)
	if (u->n_containers < LIMIT_IMAGE_CONTAINERS && (u->containers[u->n_containers] = container_use(a, c)))
		u->n_containers++;
	for (size_t k = 0; k < i->used_count; k++)
		if (i->used[k].name && (u->packages[u->n_packages] = package_use(a, &i->used[k])))
			u->n_packages++;
	return u;
}

static struct limage *next_running(struct limage *i)
{
	while (i && TAILQ_EMPTY(&i->containers))
		i = TAILQ_NEXT(i, link);
	return i;
}

/* Fills m with images from `from` on, until a part is full. Returns the first that is not in it. */
static struct limage *fill_part(struct arena *a, Picket__ImagesInUse *m, struct limage *from)
{
	enum { IMAGES = 256 };
	size_t bytes = 0;

	m->images = arena_zalloc(a, IMAGES, sizeof(*m->images));
	for (struct limage *i = next_running(from); m->images; i = next_running(TAILQ_NEXT(i, link))) {
		if (!i)
			return NULL;
		Picket__ImageUse *u = m->n_images < IMAGES ? image_use(a, i) : NULL;
		size_t more = u ? picket__image_use__get_packed_size(u) : 0;
		if (!u || (m->n_images && bytes + more > STATE_PART_BYTES))
			return i;
		m->images[m->n_images++] = u;
		bytes += more;
	}
	return from;
}

/* How many parts: by filling them all once. */
static uint32_t count_parts(struct arena *a, struct limage *from)
{
	uint32_t parts = 0;

	do {
		Picket__ImagesInUse m = PICKET__IMAGES_IN_USE__INIT;
		struct limage *next = fill_part(a, &m, from);
		arena_reset(a);
		parts++;
		if (next == from)
			break; /* no room even for one: it is left out */
		from = next;
	} while (from);
	return parts;
}

static bool send_state(struct live *v, struct arena *a)
{
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__ImagesInUse s = PICKET__IMAGES_IN_USE__INIT;

	s.state = v->state;
	s.part = v->state_part;
	s.parts = v->state_parts;
	v->state_next = v->state_part || v->state_from ? fill_part(a, &s, v->state_from) : NULL;
	m.body_case = PICKET__REQUEST__BODY_IMAGES_IN_USE;
	m.images_in_use = &s;
	return live_ask(v, &m, on_state);
}

static bool tell_state(struct live *v)
{
	CLEANUP(arena_freep) struct arena *a = NULL;
	uint64_t now = live_now_ns(v);
	bool is_new = v->is_changed && now - v->changed_ns >= LIVE_SETTLE_MS * 1000000ull;

	if (!v->state_parts && !is_new && (v->is_changed || v->is_state_known))
		return false;
	if (!(a = arena_new(STATE_ARENA_BYTES)))
		return false;
	if (!v->state_parts) {
		uint64_t unix_ns = clock_unix_ns(v->clk);
		v->state = unix_ns > v->state ? unix_ns : v->state + 1;
		v->state_part = 0;
		v->state_from = next_running(TAILQ_FIRST(&v->images));
		v->state_parts = v->state_from ? count_parts(a, v->state_from) : 1;
		v->is_changed = false;
		v->is_state_known = false;
	}
	if (send_state(v, a))
		return true;
	v->state_parts = 0;
	return false;
}

static bool tell_unchanged(struct live *v)
{
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__ImagesInUse s = PICKET__IMAGES_IN_USE__INIT;

	if (!v->is_state_known || live_now_ns(v) - v->state_told_ns < LIVE_AGAIN_MS * 1000000ull)
		return false;
	s.state = v->state;
	s.is_unchanged = true;
	m.body_case = PICKET__REQUEST__BODY_IMAGES_IN_USE;
	m.images_in_use = &s;
	return live_ask(v, &m, on_state);
}

/* ---- updates ---- */

static void on_updates(struct live *v, const Picket__Reply *r)
{
	for (size_t k = 0; k < v->asked_count; k++)
		if (r && r->body_case == PICKET__REPLY__BODY_BASE_IMAGES)
			v->asked[k]->has_update = false;
	v->asked_count = 0;
}

static bool tell_updates(struct live *v)
{
	enum { AT_ONCE = 64 };
	Picket__Request m = PICKET__REQUEST__INIT;
	Picket__BaseImages all = PICKET__BASE_IMAGES__INIT;
	Picket__BaseImage b[AT_ONCE], *pointers[AT_ONCE];
	struct limage *i;

	v->asked_count = 0;
	TAILQ_FOREACH(i, &v->images, link)
	{
		if (!i->has_update || v->asked_count >= AT_ONCE)
			continue;
		Picket__BaseImage *to = pointers[v->asked_count] = &b[v->asked_count];
		picket__base_image__init(to);
		to->image_id = i->id;
		to->reference = text(i->update_reference);
		to->running_digest = i->running_digest;
		to->current_digest = i->update_digest;
		to->checked_unix_s = i->update_unix_s;
		to->error = i->update_error;
		v->asked[v->asked_count++] = i;
	}
	if (!v->asked_count)
		return false;
	all.images = pointers;
	all.n_images = v->asked_count;
	m.body_case = PICKET__REQUEST__BODY_BASE_IMAGES;
	m.base_images = &all;
	if (live_ask(v, &m, on_updates))
		return true;
	v->asked_count = 0;
	return false;
}

/* ---- one thing at a time ---- */

void live_tell_step(struct live *v)
{
	if (v->is_asking || live_now_ns(v) < v->pause_ns)
		return;
	if (live_scans_ask(v) || tell_state(v) || ask_known(v) || send_inventory(v) || tell_updates(v))
		return;
	(void)tell_unchanged(v);
}

void live_answer(struct live *v, const Picket__Reply *reply)
{
	if (!v->is_asking)
		return;
	v->is_asking = false;
	bool is_refused = reply && reply->body_case == PICKET__REPLY__BODY_REFUSAL;
	if (is_refused)
		LOG(WARN, "image.refused", KV_STR("why", reply->refusal->message));
	if (is_refused || !reply)
		v->pause_ns = live_now_ns(v) + LIVE_PAUSE_MS * 1000000ull;
	v->on_answer(v, reply);
	live_tell_step(v);
}
