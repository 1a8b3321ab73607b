/* tables.c - see tables.h. */
#include "agent/probe/tables.h"

#include <string.h>

#include "agent/bpf/record.h"

_Static_assert((int)CALL_COUNT <= (int)CALLS_MAX, "the kernel's tables hold every call");

static const struct call_numbers {
	int x86_64, i386, arm64;
	uint8_t family, class;
} calls[] = {
#define CALL(id, name, family, class, x86_64, i386, arm64) \
	{x86_64, i386, arm64, FAMILY_##family, CLASS_##class},
#include "agent/calls.def"
#undef CALL
};

/* Calls after which a path that was looked up before may be another's. */
static const uint8_t moves[] = {CALL_RENAME,  CALL_RENAMEAT,   CALL_RENAMEAT2, CALL_MOUNT,
				CALL_UMOUNT2, CALL_MOVE_MOUNT, CALL_PIVOT_ROOT};

#if defined(__x86_64__)
/* i386's with 16-bit ids, and its first umount. */
static const struct {
	int nr;
	enum call call;
} old_i386[] = {
	{16, CALL_LCHOWN},     {22, CALL_UMOUNT2},  {23, CALL_SETUID}, {46, CALL_SETGID},
	{70, CALL_SETREUID},   {71, CALL_SETREGID}, {95, CALL_FCHOWN}, {164, CALL_SETRESUID},
	{170, CALL_SETRESGID}, {182, CALL_CHOWN},
};
static const uint8_t socketcalls[] = {
	[1] = CALL_SOCKET,   [2] = CALL_BIND,	    [3] = CALL_CONNECT,	  [4] = CALL_LISTEN,
	[5] = CALL_ACCEPT,   [8] = CALL_SOCKETPAIR, [9] = CALL_SENDTO,	  [10] = CALL_RECVFROM,
	[11] = CALL_SENDTO,  [12] = CALL_RECVFROM,  [13] = CALL_SHUTDOWN, [16] = CALL_SENDMSG,
	[17] = CALL_RECVMSG, [18] = CALL_ACCEPT4,
};
enum { NR_SOCKETCALL = 102 };
#endif

/* How common a byte is in paths: the less, the better it tells them apart. */
static unsigned commonness(unsigned char c)
{
	if (c == '/')
		return 4;
	if (strchr("aeiolnrst", c))
		return 5;
	if (strchr("bcdhmpuy", c))
		return 3;
	return 1;
}

static void grams_init(struct grams *g, uint32_t bytes)
{
	g->bytes = bytes;
	memset(&g->mask, 0xff, bytes);
}

static struct gram *find_gram(struct grams *g, uint32_t key, bool may_take)
{
	uint32_t h = gram_hash(key);
	struct gram *bucket = &g->gram[gram_bucket(h)];

	for (size_t i = 0; i < GRAM_WAYS; i++)
		if ((bucket[i].any || bucket[i].start) && bucket[i].key == key)
			return &bucket[i];
	for (size_t i = 0; may_take && i < GRAM_WAYS; i++)
		if (!bucket[i].any && !bucket[i].start) {
			bucket[i].key = key;
			g->bits[h >> 26] |= 1ULL << (h >> 20 & 63);
			return &bucket[i];
		}
	return NULL;
}

static uint32_t gram_at(const struct grams *g, struct slice text, size_t i)
{
	uint32_t key = 0;

	memcpy(&key, text.p + i, g->bytes);
	return key;
}

/* Where in text its rarest bytes are that find a place; < 0: none. */
static int choose_gram(struct grams *g, struct slice text)
{
	unsigned best_score = ~0U;
	int best = -1;

	for (size_t i = 0; i + g->bytes <= text.n; i++) {
		unsigned score = 0;
		uint32_t key = gram_at(g, text, i);

		for (size_t k = 0; k < g->bytes; k++)
			score += commonness((unsigned char)text.p[i + k]);
		struct gram *at = find_gram(g, key, false);
		if (!at) {
			const struct gram *bucket = &g->gram[gram_bucket(gram_hash(key))];
			if ((bucket[0].any || bucket[0].start) &&
			    (bucket[1].any || bucket[1].start))
				continue;
		}
		if (score < best_score) {
			best_score = score;
			best = (int)i;
		}
	}
	return best;
}

static void add_text(struct grams *g, const struct filter_text *t, uint64_t row)
{
	int i = choose_gram(g, t->text);

	if (i < 0) {
		g->all |= row;
		return;
	}
	struct gram *gram = find_gram(g, gram_at(g, t->text, (size_t)i), true);
	if (t->kind == FILTER_SUFFIX || t->kind == FILTER_CONTAINS ||
	    (gram->start && gram->at != (uint32_t)i)) {
		gram->any |= row;
		return;
	}
	gram->start |= row;
	gram->at = (uint32_t)i;
}

static void add_texts(struct grams *g, const struct filter_text *texts, size_t count, uint64_t row)
{
	if (!count)
		g->all |= row;
	for (size_t i = 0; i < count; i++)
		add_text(g, &texts[i], row);
}

uint64_t tables_match(const struct grams *g, struct slice path)
{
	uint64_t rows = g->all;

	if (path.n > GRAM_SCAN_MAX)
		return UINT64_MAX;
	for (size_t i = 0; i + g->bytes <= path.n; i++) {
		uint32_t key = gram_at(g, path, i), h = gram_hash(key);
		if (!(g->bits[h >> 26] >> (h >> 20 & 63) & 1))
			continue;
		for (size_t k = 0; k < GRAM_WAYS; k++) {
			const struct gram *gram = &g->gram[gram_bucket(h) + k];
			if (gram->key != key)
				continue;
			rows |= gram->any;
			if (gram->at == i)
				rows |= gram->start;
		}
	}
	return rows;
}

static void add_row(const struct filter_row *row, uint64_t bit, struct tables *t)
{
	/* 0 is no question, like an empty list. */
	unsigned outcome = row->outcome ? row->outcome : FILTER_ANY_OUTCOME;
	unsigned access = row->access ? row->access : FILTER_ANY_ACCESS;
	unsigned anywhere = row->where ? row->where : FILTER_ANYWHERE;
	unsigned sock = row->sock ? row->sock : FILTER_ANY_SOCK;

	for (size_t c = 0; c < CALL_COUNT; c++) {
		if (!filter_row_has_call(row, (enum call)c))
			continue;
		/* A program that was started is EV_EXEC, not a call. */
		if (outcome & FILTER_OK && calls[c].family != FAMILY_EXEC)
			t->call_rows[0][c] |= bit;
		if (outcome & FILTER_FAILED)
			t->call_rows[1][c] |= bit;
	}
	for (size_t mode = 0; mode < 4; mode++) {
		static const unsigned access_of[4] = {FILTER_READ, FILTER_WRITE, FILTER_ANY_ACCESS,
						      FILTER_ANY_ACCESS};
		if (access & access_of[mode])
			t->access_rows[mode] |= bit;
	}
	for (unsigned where = 0; where < 4; where++)
		if (where == 0 || anywhere & where)
			t->where_rows[where] |= bit;
	for (unsigned i = 0; i < 3; i++)
		if (sock >> i & 1)
			t->sock_rows[i] |= bit;
	if (!row->comm_count)
		t->comm_all |= bit;
	if (!row->port_count)
		t->port_all |= bit;
	add_texts(&t->path, row->paths, row->path_count, bit);
	add_texts(&t->raw, row->raws, row->raw_count, bit);
	if (row->raws_bind_success)
		t->raw_binds |= bit;
}

static void set_number(struct tables *t, size_t table, int nr, enum call call)
{
	if (nr >= 0 && nr < CALL_NUMBER_MAX)
		t->call_of[table][nr] = (uint8_t)call;
}

static void fill_numbers(struct tables *t, const bool *hooked)
{
	memset(t->call_of, CALL_NONE, sizeof(t->call_of));
	memset(t->call_of_socketcall, CALL_NONE, sizeof(t->call_of_socketcall));
	for (size_t c = 0; c < CALL_COUNT; c++) {
		if (!t->is_wanted[c] || (hooked && hooked[c]))
			continue;
		t->is_hooked[c] = t->has_hooked = true;
#if defined(__x86_64__)
		set_number(t, 0, calls[c].x86_64, (enum call)c);
		set_number(t, 1, calls[c].i386, (enum call)c);
		for (size_t i = 0; i < sizeof(old_i386) / sizeof(*old_i386); i++)
			if (old_i386[i].call == c)
				set_number(t, 1, old_i386[i].nr, (enum call)c);
		for (size_t i = 0; i < sizeof(socketcalls); i++)
			if (i && socketcalls[i] && socketcalls[i] == c) {
				t->call_of_socketcall[i] = (uint8_t)c;
				t->has_socketcall = true;
				set_number(t, 1, NR_SOCKETCALL, (enum call)c);
			}
#else
		set_number(t, 0, calls[c].arm64, (enum call)c);
#endif
	}
}

void tables_fill(const struct filter *f, const bool *hooked, struct tables *ret)
{
	struct tables *t = ret;
	bool has_paths = false;

	memset(t, 0, sizeof(*t));
	grams_init(&t->path, GRAM_BYTES);
	grams_init(&t->raw, GRAM_BYTES - 1);
	for (size_t i = 0; i < f->row_count; i++) {
		add_row(&f->rows[i], 1ULL << i, t);
		has_paths |= f->rows[i].path_count > 0;
	}
	for (size_t c = 0; c < CALL_COUNT; c++) {
		t->call_families[c] = calls[c].family;
		t->call_class[c] = calls[c].class;
		t->is_wanted[c] = t->call_rows[0][c] | t->call_rows[1][c];
		if (!t->is_wanted[c])
			continue;
		t->has_calls = true;
		t->has_class[calls[c].class == CLASS_VOLUME] = true;
	}
	for (size_t i = 0; has_paths && i < sizeof(moves); i++) {
		t->call_moves[moves[i]] = 1;
		t->is_wanted[moves[i]] = true;
	}
	fill_numbers(t, hooked);
}
