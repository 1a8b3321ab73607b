/* verify_chain.c - the hash chains of what agents sent: within a day link by link, then days put together. */
#include <errno.h>

#include "collector/store/verify_priv.h"

enum { CHECKED_MAX = 1 << 21 };

static const char *class_word(unsigned class_no)
{
	return class_no ? store_class_name((enum store_class)(class_no - 1)) : "mixed";
}

/* ---- the table of chains ---- */

static struct checked **find_slot(struct checked **table, size_t size, const char *agent, unsigned class_no)
{
	size_t at = (size_t)(slice_hash(slice_of(agent)) + class_no * 0x9e3779b97f4a7c15ull) & (size - 1);

	while (table[at] && (table[at]->class_no != class_no || strcmp(table[at]->agent, agent)))
		at = (at + 1) & (size - 1);
	return &table[at];
}

static int grow(struct verify *v, struct err *err)
{
	size_t size = v->chain_size ? v->chain_size * 2 : 1024;
	struct checked **table = size > CHECKED_MAX ? NULL : calloc(size, sizeof(*table));

	if (!table)
		return err_set(err, ERR_LIMIT, "verify: too many agents");
	for (size_t i = 0; i < v->chain_size; i++)
		if (v->chains[i])
			*find_slot(table, size, v->chains[i]->agent, v->chains[i]->class_no) = v->chains[i];
	free(v->chains);
	v->chains = table;
	v->chain_size = size;
	return 0;
}

static int get_chain(struct verify *v, const char *agent, unsigned class_no, struct checked **ret, struct err *err)
{
	int r = v->chain_count * 2 >= v->chain_size ? grow(v, err) : 0;

	if (r < 0)
		return r;
	struct checked **slot = find_slot(v->chains, v->chain_size, agent, class_no);
	if (!*slot) {
		struct checked *c = calloc(1, sizeof(*c));

		if (c)
			c->agent = slice_dup(slice_of(agent));
		if (!c || !c->agent) {
			free(c);
			return err_set(err, ENOMEM, "verify");
		}
		c->class_no = class_no;
		*slot = c;
		v->chain_count++;
	}
	*ret = *slot;
	return 0;
}

static bool read_value(sqlite3_stmt *st, int column, struct chain_value *ret)
{
	struct slice hash = db_blob(st, column + 1);

	*ret = (struct chain_value){ .count = db_u64(st, column) };
	if (hash.n == CHAIN_BYTES)
		memcpy(ret->hash, hash.p, CHAIN_BYTES);
	return hash.n == CHAIN_BYTES;
}

static bool is_signed(struct verify *v, const char *what, const char *subject, unsigned class_no,
		      const struct chain_value *value, struct slice mac)
{
	uint8_t want[CHAIN_BYTES];

	chain_sign(v->s->history->key, what, subject, class_no, value, want);
	return slice_eq(mac, slice_from(want, sizeof(want)));
}

static int read_heads(struct verify *v, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&v->s->state, "SELECT agent, class, count, hash, mac FROM history_chain WHERE agent <> ''",
			   NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(&v->s->state, st, err)) > 0) {
		struct checked *c;
		struct chain_value head;
		unsigned class_no = (unsigned)db_u64(st, 1);

		if (class_no >= CLASS_COUNT || !read_value(st, 2, &head)) {
			verify_fault(v, "agent %.64s: the head of its chain can't be read", db_text(st, 0));
			continue;
		}
		if (!is_signed(v, "head", db_text(st, 0), class_no, &head, db_blob(st, 4)))
			verify_fault(v, "agent %.64s, class %s: the head of its chain is not signed by this store",
				     db_text(st, 0), class_word(class_no));
		heads_move(v->s, &v->heads, db_text(st, 0), class_no, NULL, &head);
		r = get_chain(v, db_text(st, 0), class_no, &c, err);
		if (r >= 0)
			c->head = (struct anchor){ .value = head, .is_set = head.count > 0 };
	}
	return r;
}

static int check_heads(struct verify *v, struct err *err)
{
	struct heads want;
	int r = heads_read(v->s, &want, err);

	if (r < 0)
		return r;
	v->has_wrong_heads = !want.is_ours || want.count != v->heads.count ||
			     memcmp(want.lanes, v->heads.lanes, sizeof(want.lanes)) != 0;
	if (!want.is_ours)
		verify_fault(v, "the sum of the heads of chains is missing, or not signed by this store");
	else if (v->has_wrong_heads)
		verify_fault(v, "the heads of chains are not those that were written: %llu are there of %llu; one was taken"
				" away, edited, or put back to what it once was",
			     (unsigned long long)v->heads.count, (unsigned long long)want.count);
	return 0;
}

int verify_chains_begin(struct verify *v, const struct store_verify *how, struct err *err)
{
	int64_t until = 0;
	int r = db_number(&v->s->state, "SELECT value FROM number WHERE name = 'unchained_until'", NULL, 0, &until, err);

	v->unchained_until = (uint32_t)until;
	if (r >= 0)
		r = read_heads(v, err);
	if (r >= 0)
		r = check_heads(v, err);
	for (size_t i = 0; r >= 0 && how && i < how->head_count; i++) {
		const struct store_head *h = &how->heads[i];
		struct checked *c;

		r = get_chain(v, h->agent, (unsigned)h->class_no + 1, &c, err);
		if (r < 0)
			break;
		c->kept = (struct anchor){ .value.count = h->count, .is_set = h->count > 0 };
		memcpy(c->kept.value.hash, h->hash, CHAIN_BYTES);
	}
	return r;
}

/* ---- one day ---- */

int verify_day_begin(struct verify *v, struct db *d, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(d, "SELECT no, agent, class, count0, hash0, count, hash FROM chain ORDER BY no", NULL, 0,
			   &st, err);

	v->day_chain_count = 0;
	while (r >= 0 && (r = db_step(d, st, err)) > 0) {
		struct day_chain dc = { .no = sqlite3_column_int64(st, 0) };
		struct checked *c;
		unsigned class_no = (unsigned)db_u64(st, 2);

		if (class_no >= CLASS_COUNT || !read_value(st, 3, &dc.from) || !read_value(st, 5, &dc.want)) {
			verify_fault(v, "agent %.64s: its chain can't be read", db_text(st, 1));
			continue;
		}
		r = get_chain(v, db_text(st, 1), class_no, &c, err);
		if (r < 0)
			return r;
		dc.checked = c;
		dc.at = dc.from;
		if (v->day_chain_count == v->day_chain_size) {
			size_t size = v->day_chain_size ? v->day_chain_size * 2 : 256;
			struct day_chain *grown = realloc(v->day_chains, size * sizeof(*grown));
			if (!grown)
				return err_set(err, ENOMEM, "verify");
			v->day_chains = grown;
			v->day_chain_size = size;
		}
		v->day_chains[v->day_chain_count++] = dc;
	}
	return r;
}

static struct day_chain *find_day_chain(struct verify *v, int64_t no)
{
	size_t low = 0, high = v->day_chain_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (v->day_chains[mid].no == no)
			return &v->day_chains[mid];
		if (v->day_chains[mid].no < no)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static void meet(struct anchor *a, const struct chain_value *v)
{
	if (!a->is_set || a->value.count != v->count)
		return;
	a->is_met = true;
	a->is_wrong |= !chain_is(&a->value, v);
}

static void meet_both(struct checked *c, const struct chain_value *v)
{
	meet(&c->head, v);
	meet(&c->kept, v);
}

/* Links of one block or row, as they are worked through. */
struct open_link {
	struct chain_link link;
	struct day_chain *dc;
	uint64_t met, first_seq, last_seq;
};

static size_t open_links(struct verify *v, struct slice links, unsigned class_no, struct open_link *ret,
			 const char *place)
{
	struct chain_link l;
	size_t count = 0;

	while (count < SEGMENT_SOURCES && chain_link_take(&links, &l)) {
		struct day_chain *dc = find_day_chain(v, l.no);

		if (!dc) {
			verify_fault(v, "%s: a link is of no chain", place);
			continue;
		}
		if (dc->checked->class_no != class_no)
			verify_fault(v, "%s: its records are of class %s, not %s", place, class_word(dc->checked->class_no),
				     class_word(class_no));
		if (l.from != dc->at.count) {
			verify_fault(v, "%s: agent %s, class %s: %llu records are %s before it (%llu to %llu of its chain)",
				     place, dc->checked->agent, class_word(dc->checked->class_no),
				     (unsigned long long)(l.from > dc->at.count ? l.from - dc->at.count :
										   dc->at.count - l.from),
				     l.from > dc->at.count ? "missing" : "there twice, or swapped,",
				     (unsigned long long)dc->at.count + 1, (unsigned long long)l.from);
			dc->at.count = l.from;
		}
		ret[count++] = (struct open_link){ .link = l, .dc = dc };
	}
	if (links.n)
		verify_fault(v, "%s: its links can't be read", place);
	return count;
}

static struct open_link *link_of(struct open_link *open, size_t count, const char *agent)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(open[i].dc->checked->agent, agent))
			return &open[i];
	return NULL;
}

static void fold_records(struct verify *v, const struct segment *g, struct open_link *open, size_t count,
			 const char *place)
{
	static struct open_link *of[SEGMENT_SOURCES]; /* one verification at a time: it holds the store */
	uint64_t strange = 0;

	for (size_t i = 0; i < g->source_count; i++)
		of[i] = link_of(open, count, g->sources[i].agent);
	for (size_t i = 0; i < g->count; i++) {
		struct open_link *o = of[g->source[i]];

		if (!o || o->met == o->link.n) {
			strange++;
			continue;
		}
		chain_add(v->s->history->hasher, &o->dc->at, g->sources[g->source[i]].epoch, g->seq[i],
			  segment_record(g, i));
		if (!o->met++)
			o->first_seq = g->seq[i];
		o->last_seq = g->seq[i];
		meet_both(o->dc->checked, &o->dc->at);
	}
	if (strange)
		verify_fault(v, "%s: %llu records are of no chain: they were put in", place, (unsigned long long)strange);
}

void verify_links(struct verify *v, const struct segment *g, struct slice links, unsigned class_no, const char *place)
{
	static struct open_link open[SEGMENT_SOURCES];
	size_t count = open_links(v, links, class_no, open, place);

	if (g)
		fold_records(v, g, open, count, place);
	for (size_t i = 0; i < count; i++) {
		struct open_link *o = &open[i];
		const struct checked *c = o->dc->checked;
		struct chain_value end = { .count = o->link.from + o->link.n };

		memcpy(end.hash, o->link.end, CHAIN_BYTES);
		if (g && !chain_is(&end, &o->dc->at))
			verify_fault(v, "%s: agent %s, class %s: records %llu to %llu are not those that came (%llu are there)",
				     place, c->agent, class_word(c->class_no), (unsigned long long)o->first_seq,
				     (unsigned long long)o->last_seq, (unsigned long long)o->met);
		o->dc->at = end; /* so that one fault is told once */
		meet_both(o->dc->checked, &end);
	}
}

static int add_fragment(struct verify *v, const struct day_chain *dc, struct err *err)
{
	struct checked *c = dc->checked;

	if (c->count == c->size) {
		size_t size = c->size ? c->size * 2 : 4;
		struct fragment *grown = realloc(c->fragments, size * sizeof(*grown));
		if (!grown)
			return err_set(err, ENOMEM, "verify");
		c->fragments = grown;
		c->size = size;
	}
	c->fragments[c->count++] = (struct fragment){ dc->from, dc->want, v->date };
	return 0;
}

int verify_day_end(struct verify *v, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < v->day_chain_count && r >= 0; i++) {
		const struct day_chain *dc = &v->day_chains[i];
		const struct checked *c = dc->checked;

		if (dc->at.count != dc->want.count)
			verify_fault(v, "agent %s, class %s: its chain has %llu records here, %llu were stored (%llu to %llu)",
				     c->agent, class_word(c->class_no), (unsigned long long)dc->at.count,
				     (unsigned long long)dc->want.count, (unsigned long long)dc->at.count + 1,
				     (unsigned long long)dc->want.count);
		else if (!chain_is(&dc->at, &dc->want))
			verify_fault(v, "agent %s, class %s: its chain does not end in the value noted", c->agent,
				     class_word(c->class_no));
		r = add_fragment(v, dc, err);
	}
	return r;
}

/* ---- all days ---- */

static int read_bases(struct verify *v, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&v->s->state,
			   "SELECT agent, class, base, base_hash, base_mac FROM history_chain WHERE base > 0", NULL, 0,
			   &st, err);

	while (r >= 0 && (r = db_step(&v->s->state, st, err)) > 0) {
		struct checked *c;
		struct chain_value base;
		unsigned class_no = (unsigned)db_u64(st, 1);

		if (class_no >= CLASS_COUNT || !read_value(st, 2, &base) ||
		    !is_signed(v, "base", db_text(st, 0), class_no, &base, db_blob(st, 4))) {
			verify_fault(v, "agent %.64s, class %s: what retention says it dropped is not signed by this store",
				     db_text(st, 0), class_word(class_no));
			continue;
		}
		r = get_chain(v, db_text(st, 0), class_no, &c, err);
		if (r < 0)
			return r;
		c->base = base;
		c->has_base = true;
	}
	return r;
}

/* Every day that was begun is there, or was dropped by retention. */
static int check_days_there(struct verify *v, struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = db_prepare(&v->s->state, "SELECT date, dropped, mac FROM history_day ORDER BY date", NULL, 0, &st, err);

	while (r >= 0 && (r = db_step(&v->s->state, st, err)) > 0) {
		struct chain_value value = { .count = db_u64(st, 1) };
		char subject[16];
		struct day *day;

		snprintf(subject, sizeof(subject), "%u", (unsigned)db_u64(st, 0));
		v->date = (uint32_t)db_u64(st, 0);
		if (value.count && !is_signed(v, "dropped", subject, 0, &value, db_blob(st, 2)))
			verify_fault(v, "that retention dropped it is not signed by this store");
		if (!value.count && history_day(v->s, v->date, false, &day, NULL) == -ENOENT)
			verify_fault(v, "its file is missing, and retention did not drop it");
	}
	v->date = 0;
	return r;
}

static int order_fragments(const void *a, const void *b)
{
	const struct fragment *x = a, *y = b;

	return x->from.count != y->from.count ? (x->from.count > y->from.count) - (x->from.count < y->from.count) :
						(x->to.count > y->to.count) - (x->to.count < y->to.count);
}

static void check_anchor(struct verify *v, const struct checked *c, const struct anchor *a,
			 const struct chain_value *end, uint32_t last_date, const char *what)
{
	if (!a->is_set || (c->has_base && a->value.count < c->base.count))
		return;
	if (a->value.count > end->count)
		verify_fault(v, "agent %s, class %s: records %llu to %llu of its chain are missing after day %u: %s says so",
			     c->agent, class_word(c->class_no), (unsigned long long)end->count + 1,
			     (unsigned long long)a->value.count, last_date, what);
	else if (a->is_wrong)
		verify_fault(v, "agent %s, class %s: its chain does not pass %s at record %llu: it was made anew", c->agent,
			     class_word(c->class_no), what, (unsigned long long)a->value.count);
}

static void check_whole(struct verify *v, struct checked *c)
{
	struct chain_value at = c->base;
	uint32_t date = 0;

	if (!c->has_base)
		chain_start(v->s->history->hasher, c->agent, c->class_no, &at);
	if (c->count)
		qsort(c->fragments, c->count, sizeof(*c->fragments), order_fragments);
	for (size_t i = 0; i < c->count; i++) {
		const struct fragment *f = &c->fragments[i];

		if (f->to.count <= c->base.count)
			continue; /* retention is in the middle of it */
		if (f->from.count > at.count && f->from.count > c->base.count)
			verify_fault(v, "agent %s, class %s: records %llu to %llu of its chain are missing, between day %u and day %u",
				     c->agent, class_word(c->class_no), (unsigned long long)at.count + 1,
				     (unsigned long long)f->from.count, date, f->date);
		else if (f->from.count < at.count && f->from.count >= c->base.count)
			verify_fault(v, "agent %s, class %s: day %u has records of its chain that day %u has", c->agent,
				     class_word(c->class_no), f->date, date);
		else if (f->from.count == at.count && !chain_is(&f->from, &at))
			verify_fault(v, "agent %s, class %s: day %u does not go on from day %u", c->agent,
				     class_word(c->class_no), f->date, date);
		at = f->to;
		date = f->date;
	}
	meet_both(c, &at);
	/* a kill before the state's first commit of it leaves none, but leaves their sum right */
	if (v->has_wrong_heads && c->count && !c->head.is_set)
		verify_fault(v, "agent %s, class %s: the head of its chain is missing", c->agent, class_word(c->class_no));
	check_anchor(v, c, &c->head, &at, date, "the head in the state");
	check_anchor(v, c, &c->kept, &at, date, "the head that was kept");
}

int verify_chains_end(struct verify *v, struct err *err)
{
	int r = read_bases(v, err);

	if (r >= 0)
		r = check_days_there(v, err);
	for (size_t i = 0; r >= 0 && i < v->chain_size; i++)
		if (v->chains[i])
			check_whole(v, v->chains[i]);
	return r;
}

void verify_chains_fini(struct verify *v)
{
	for (size_t i = 0; i < v->chain_size; i++) {
		if (!v->chains[i])
			continue;
		free(v->chains[i]->agent);
		free(v->chains[i]->fragments);
		free(v->chains[i]);
	}
	free(v->chains);
	free(v->day_chains);
}
