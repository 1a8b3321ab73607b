/* items.c - see items.h. */
#include "agent/image/lang/items.h"

struct reader {
	const struct items_format *f;
	struct give e;
	struct item it;
	bool is_in; /* an item is open */
	char text[ITEM_SLOT_COUNT][GIVE_TEXT_MAX + 1];
};

static void begin(struct reader *r, const struct doc *d, const struct item_shape *s)
{
	void *arg = r->it.arg;

	r->it = (struct item){ .d = d, .level = doc_depth(d), .is_dev = s->is_dev, .arg = arg };
	r->is_in = true;
}

static void keep(struct reader *r, enum item_slot slot, struct slice text, bool is_more)
{
	struct slice *s = &r->it.text[slot];
	size_t n = is_more ? s->n : 0, room;

	s->p = r->text[slot];
	if (n && n < sizeof(r->text[slot]))
		r->text[slot][n++] = ' ';
	room = sizeof(r->text[slot]) - n;
	s->n = n + (text.n < room ? text.n : room);
	if (s->n > n)
		memcpy(r->text[slot] + n, text.p, s->n - n);
}

static void take(struct reader *r, const struct doc *d, enum doc_event e, struct slice text)
{
	if (e == DOC_WORD && (!text.n || slice_is(text, "null") || slice_is(text, "~")))
		return;
	for (size_t i = 0; i < ARRAY_LEN(r->f->fields) && r->f->fields[i].at; i++) {
		const struct item_field *f = &r->f->fields[i];

		if (doc_is(d, r->it.level, f->at))
			keep(r, f->slot, text, slice_ends(slice_of(f->at), SLICE_LIT("#")));
	}
}

static int found(struct reader *r, const struct doc *d)
{
	struct item *it = &r->it;

	r->is_in = false;
	it->key = it->level ? doc_key(d, it->level - 1) : SLICE_NONE;
	if (r->f->found)
		return r->f->found(&r->e, it);
	return give_package(&r->e, it->text[ITEM_NAME], it->text[ITEM_VERSION], it->is_dev);
}

static const struct item_shape *shape_at(const struct reader *r, const struct doc *d)
{
	for (size_t i = 0; i < ARRAY_LEN(r->f->shapes) && r->f->shapes[i].at; i++)
		if (doc_is(d, 0, r->f->shapes[i].at))
			return &r->f->shapes[i];
	return NULL;
}

static int on_event(void *arg, const struct doc *d, enum doc_event e, struct slice text)
{
	struct reader *r = arg;
	bool is_value = e == DOC_TEXT || e == DOC_WORD;

	if (r->is_in) {
		if (is_value)
			take(r, d, e, text);
		return e == DOC_MAP_END && doc_depth(d) == r->it.level ? found(r, d) : 0;
	}
	const struct item_shape *s = is_value || e == DOC_MAP ? shape_at(r, d) : NULL;
	if (s) {
		begin(r, d, s);
		if (!is_value)
			return 0;
		take(r, d, e, text);
		return found(r, d);
	}
	return r->f->other ? r->f->other(r->it.arg, d, e, text) : 0;
}

int items_read(const struct items_format *f, struct slice text, void *arg, const struct pkg_out *out,
	       struct err *err)
{
	struct reader r = { .f = f, .it.arg = arg };

	give_init(&r.e, f->ecosystem, out);
	return give_end(&r.e, f->read(text, on_event, &r, err), err);
}

bool item_has_word(const struct item *it, enum item_slot slot, const char *word)
{
	struct slice rest = it->text[slot], w;

	while (slice_split(&rest, ' ', &w))
		if (slice_is(w, word))
			return true;
	return false;
}
