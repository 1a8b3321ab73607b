/* images.c - the table of images: those that run, and those that only lie here until they are told. */
#include "agent/image/live/live_priv.h"

#include <stdio.h>

uint64_t live_now_ns(const struct live *v)
{
	return clock_boot_ns(v->clk);
}

void live_set_changed(struct live *v)
{
	v->is_changed = true;
	v->changed_ns = live_now_ns(v);
}

/* "sha256:" and digits only: the id names files. */
static bool is_id(struct slice id)
{
	const struct slice prefix = SLICE_LIT("sha256:");

	if (!slice_starts(id, prefix) || id.n != prefix.n + 64)
		return false;
	for (size_t i = prefix.n; i < id.n; i++)
		if (!strchr("0123456789abcdef", id.p[i]))
			return false;
	return true;
}

void live_path(const struct live *v, const struct limage *i, const char *suffix, char *dst, size_t size)
{
	snprintf(dst, size, "%s/%s.%s", v->dir, i->id + strlen("sha256:"), suffix);
}

struct limage *live_image_find(struct live *v, struct slice id)
{
	struct limage *i;

	TAILQ_FOREACH(i, &v->images, link)
	if (slice_is(id, i->id))
		return i;
	return NULL;
}

struct limage *live_image_get(struct live *v, struct slice id)
{
	struct limage *i = live_image_find(v, id);

	if (i || !is_id(id))
		return i;
	if (v->image_count >= LIVE_IMAGES || !(i = calloc(1, sizeof(*i)))) {
		v->dropped++;
		return NULL;
	}
	(void)slice_copy(id, i->id, sizeof(i->id));
	i->reference = slice_dup(SLICE_LIT(""));
	TAILQ_INIT(&i->containers);
	TAILQ_INSERT_TAIL(&v->images, i, link);
	v->image_count++;
	live_stock_load(v, i);
	return i;
}

struct limage *live_image_of(struct live *v, const char *container_id, struct lcontainer **ret)
{
	struct lcontainer *c;

	HASH_FIND_STR(v->containers, container_id, c);
	if (c && ret)
		*ret = c;
	return c ? c->image : NULL;
}

static void free_container(struct live *v, struct limage *i, struct lcontainer *c)
{
	TAILQ_REMOVE(&i->containers, c, link);
	HASH_DEL(v->containers, c);
	v->container_count--;
	free(c->name);
	free(c->published);
	free(c);
}

static void free_image(struct live *v, struct limage *i)
{
	struct lcontainer *c;

	while ((c = TAILQ_FIRST(&i->containers)))
		free_container(v, i, c);
	TAILQ_REMOVE(&v->images, i, link);
	v->image_count--;
	live_use_free(i);
	summary_fini(&i->summary);
	free(i->wanted);
	free(i->update_reference);
	free(i->reference);
	free(i);
}

static bool is_busy(const struct live *v, const struct limage *i)
{
	for (size_t k = 0; k < v->asked_count; k++)
		if (v->asked[k] == i)
			return true;
	return i == v->child_image || i == v->sending || i == v->named || v->state_parts;
}

void live_images_forget(struct live *v)
{
	struct limage *i, *next;

	for (i = TAILQ_FIRST(&v->images); i; i = next) {
		next = TAILQ_NEXT(i, link);
		bool is_told = i->told == TOLD_KNOWN || i->told == TOLD_REFUSED || i->stock == STOCK_FAILED;
		bool is_kept = v->scan_path && i->is_here;
		if (TAILQ_EMPTY(&i->containers) && is_told && !is_kept && !is_busy(v, i))
			free_image(v, i);
	}
}

void live_images_free(struct live *v)
{
	struct limage *i;

	while ((i = TAILQ_FIRST(&v->images)))
		free_image(v, i);
}

/* ---- containers ---- */

static void remove_container(struct live *v, const char *id)
{
	struct lcontainer *c = NULL;
	struct limage *i = live_image_of(v, id, &c);

	if (!i)
		return;
	free_container(v, i, c);
	live_set_changed(v);
}

static void set_text(struct live *v, char **to, const char *from)
{
	if (*to && !strcmp(*to, from))
		return;
	free(*to);
	*to = slice_dup(slice_of(from));
	live_set_changed(v);
}

static struct lcontainer *add_container(struct live *v, struct limage *i, const char *id)
{
	struct lcontainer *c = v->container_count < LIVE_CONTAINERS ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		v->dropped++;
		return NULL;
	}
	(void)slice_copy(slice_of(id), c->id, sizeof(c->id));
	c->image = i;
	i->wants_names = true; /* an image may have been tagged or pushed since its stock was taken */
	TAILQ_INSERT_TAIL(&i->containers, c, link);
	HASH_ADD_STR(v->containers, id, c);
	v->container_count++;
	live_set_changed(v);
	return c;
}

void live_container(struct live *v, const struct container *c)
{
	struct lcontainer *known = NULL;

	if (!c->is_running || c->is_gone) {
		remove_container(v, c->id);
		return;
	}
	if (!c->is_inspected || !c->image_id[0])
		return;
	struct limage *i = live_image_of(v, c->id, &known);
	if (!i)
		i = live_image_get(v, slice_of(c->image_id));
	if (!i || (!known && !(known = add_container(v, i, c->id))))
		return;
	set_text(v, &known->name, c->name);
	set_text(v, &known->published, c->published);
	set_text(v, &i->reference, c->image);
	known->started_unix_s = c->started_unix_ns / 1000000000;
}
