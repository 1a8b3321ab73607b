/* known.c - see known.h. */
#include "agent/audit/live/known.h"

struct known *known_find(const struct known_all *a, const char *id)
{
	struct known *k;

	HASH_FIND_STR(a->containers, id, k);
	return k;
}

struct known *known_take_in(struct known_all *a, const struct container *c)
{
	struct known *k = known_find(a, c->id);

	if (!k && HASH_COUNT(a->containers) < KNOWN_CONTAINERS) {
		k = calloc(1, sizeof(*k));
		if (!k)
			return NULL;
		(void)slice_copy(slice_of(c->id), k->id, sizeof(k->id));
		HASH_ADD_STR(a->containers, id, k);
	}
	if (k && c->name && *c->name)
		(void)slice_copy(slice_of(c->name), k->name, sizeof(k->name));
	if (k && c->image && *c->image)
		(void)slice_copy(slice_of(c->image), k->image, sizeof(k->image));
	if (k && c->image_id)
		(void)slice_copy(slice_of(c->image_id), k->image_id, sizeof(k->image_id));
	return k;
}

void known_set_filter(struct known *k, struct slice word)
{
	free(k->filter);
	k->filter = word.n && word.n < QUESTION_BYTES_MAX / 2 + 100 ? slice_dup(word) : NULL;
}

void known_forget(struct known_all *a, struct known *k)
{
	HASH_DEL(a->containers, k);
	free(k->filter);
	free(k);
}

struct known_image *known_image_find(const struct known_all *a, const char *id)
{
	struct known_image *i;

	HASH_FIND_STR(a->images, id, i);
	return i;
}

struct known_image *known_image_new(struct known_all *a, struct slice id)
{
	char text[KNOWN_ID_BYTES];

	if (!slice_starts(id, SLICE_LIT("sha256:")) || !slice_copy(id, text, sizeof(text)) || known_image_find(a, text) ||
	    HASH_COUNT(a->images) >= KNOWN_IMAGES)
		return NULL;
	struct known_image *i = calloc(1, sizeof(*i));
	if (!i)
		return NULL;
	(void)slice_copy(id, i->id, sizeof(i->id));
	i->round = a->round;
	HASH_ADD_STR(a->images, id, i);
	return i;
}

void known_image_forget(struct known_all *a, struct known_image *i)
{
	HASH_DEL(a->images, i);
	free(i);
}

void known_fini(struct known_all *a)
{
	struct known *k, *next;
	struct known_image *i, *next_image;

	HASH_ITER(hh, a->containers, k, next)
	known_forget(a, k);
	HASH_ITER(hh, a->images, i, next_image)
	known_image_forget(a, i);
}
