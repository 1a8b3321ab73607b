/* hold.c - see hold.h. A list in order of arrival; it is nearly always empty. */
#include "agent/hold.h"

#include <errno.h>

struct held {
	struct held *next;
	uint64_t event_seq, deadline_boot_ns;
	size_t bytes; /* of this allocation */
	char container_id[65];
	struct event e; /* slices point behind the struct */
};

struct hold {
	struct held *first, **end;
	size_t count, max;
	size_t bytes, max_bytes; /* one event is up to 19 KiB of what a container says */
	bool is_evicting, is_closing;
	hold_fn fn;
	void *arg;
};

int hold_new(size_t max, size_t max_bytes, hold_fn fn, void *arg, struct hold **ret, struct err *err)
{
	struct hold *h = calloc(1, sizeof(*h));

	if (!h)
		return err_set(err, ENOMEM, "hold");
	h->max = max;
	h->max_bytes = max_bytes;
	h->fn = fn;
	h->arg = arg;
	h->end = &h->first;
	*ret = h;
	return 0;
}

/* Every slice of an event, so that copying can't forget one that is added later. */
enum { SLICES = 15 };

static void each_slice(struct event *e, struct slice *ret[SLICES])
{
	struct slice *all[SLICES] = { &e->p.cgroup,  &e->p.name,    &e->p.parent_name, &e->p.exe,
				      &e->p.argv0,   &e->p.args,    &e->p.cwd,	       &e->p.env,
				      &e->call.path, &e->call.path2, &e->call.raw,     &e->call.raw2,
				      &e->call.base, &e->call.base2, &e->call.data };

	memcpy(ret, all, sizeof(all));
}

static struct held *copy(const struct event *e)
{
	struct slice *slices[SLICES];
	struct event tmp = *e;
	size_t bytes = 0;

	each_slice(&tmp, slices);
	for (size_t i = 0; i < ARRAY_LEN(slices); i++)
		bytes += slices[i]->n;
	struct held *x = malloc(sizeof(*x) + bytes + 1);
	if (!x)
		return NULL;
	memset(x, 0, sizeof(*x));
	x->e = *e;
	x->bytes = sizeof(*x) + bytes + 1;
	char *at = (char *)(x + 1);
	each_slice(&x->e, slices);
	for (size_t i = 0; i < ARRAY_LEN(slices); i++) {
		if (!slices[i]->n)
			continue;
		memcpy(at, slices[i]->p, slices[i]->n);
		slices[i]->p = at;
		at += slices[i]->n;
	}
	return x;
}

/* Takes the entry out before judging it, as judging may come back here. */
static void judge_first(struct hold *h)
{
	struct held *x = h->first;

	h->first = x->next;
	if (!h->first)
		h->end = &h->first;
	h->count--;
	h->bytes -= x->bytes;
	h->fn(h->arg, &x->e, x->event_seq);
	free(x);
}

void hold_add(struct hold *h, const struct event *e, uint64_t event_seq, const char *container_id,
	      uint64_t deadline_boot_ns)
{
	struct held *x = h->max && !h->is_closing ? copy(e) : NULL;

	if (!x) {
		h->fn(h->arg, e, event_seq);
		return;
	}
	x->event_seq = event_seq;
	x->deadline_boot_ns = deadline_boot_ns;
	slice_copy(slice_of(container_id), x->container_id, sizeof(x->container_id));
	*h->end = x;
	h->end = &x->next;
	h->count++;
	h->bytes += x->bytes;
	if (h->is_evicting) /* judging the oldest added this: the loop below goes on with it */
		return;
	h->is_evicting = true;
	while (h->count > h->max || h->bytes > h->max_bytes)
		judge_first(h);
	h->is_evicting = false;
}

/* Judges, in order, those of the container (nullable: any) whose deadline has come. They leave the list
 * together before the first is judged, so judging may add to the list or release from it. */
static void judge_all(struct hold *h, const char *container_id, uint64_t now_boot_ns)
{
	struct held *taken = NULL, **end = &taken, **at = &h->first;

	while (*at) {
		struct held *x = *at;

		if (x->deadline_boot_ns > now_boot_ns ||
		    (container_id && strcmp(x->container_id, container_id) != 0)) {
			at = &x->next;
			continue;
		}
		*at = x->next;
		x->next = NULL;
		*end = x;
		end = &x->next;
		h->count--;
		h->bytes -= x->bytes;
	}
	h->end = at;
	while (taken) {
		struct held *x = taken;

		taken = x->next;
		h->fn(h->arg, &x->e, x->event_seq);
		free(x);
	}
}

void hold_release(struct hold *h, const char *container_id)
{
	judge_all(h, container_id, UINT64_MAX);
}

size_t hold_expire(struct hold *h, uint64_t now_boot_ns)
{
	judge_all(h, NULL, now_boot_ns);
	return h->count;
}

void hold_free(struct hold *h)
{
	if (!h)
		return;
	h->is_closing = true;
	judge_all(h, NULL, UINT64_MAX);
	free(h);
}
