/* groups.c - see groups.h. */
#include "common/vulndb/groups.h"

#include "common/buf.h"
#include "common/vulndb/limits.h"

static int rank_of(struct slice id)
{
	if (slice_starts(id, SLICE_LIT("CVE-")))
		return 0;
	return slice_starts(id, SLICE_LIT("GHSA-")) ? 1 : 2;
}

static int order(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : a.n < b.n ? -1 : a.n > b.n;
}

static int compare(struct slice a, struct slice b)
{
	int64_t x = advisory_cve(a), y = advisory_cve(b);

	if (rank_of(a) != rank_of(b))
		return rank_of(a) - rank_of(b);
	return x && y ? (x > y) - (x < y) : order(a, b); /* CVE-2024-999 before CVE-2024-10000 */
}

bool groups_is_better(struct slice a, struct slice than)
{
	return compare(a, than) < 0;
}

static int by_rank(const void *a, const void *b)
{
	return compare(*(const struct slice *)a, *(const struct slice *)b);
}

struct ids {
	struct slice *v;
	size_t count;
};

static void add(struct ids *ids, const struct slice *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ids->v[ids->count++] = advisory_plain_id(from[i]);
}

/* Sorted, each once. Returns how many of them are CVEs; they stand first. */
static size_t settle(struct ids *ids)
{
	size_t n = 0, cves = 0;

	if (ids->count)
		qsort(ids->v, ids->count, sizeof(*ids->v), by_rank);
	for (size_t i = 0; i < ids->count; i++)
		if (!n || !slice_eq(ids->v[i], ids->v[n - 1]))
			ids->v[n++] = ids->v[i];
	ids->count = n;
	while (cves < n && rank_of(ids->v[cves]) == 0)
		cves++;
	return cves;
}

static int put(const struct ids *ids, size_t count, char separator, struct arena *arena, struct slice *ret,
	       struct err *err)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, VULNDB_RECORD_MAX);
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_add_char(&b, separator);
		buf_add_slice(&b, ids->v[i]);
	}
	char *p = b.failed ? NULL : arena_dup(arena, buf_slice(&b));
	if (!p)
		return err_set(err, ERR_LIMIT, "the ids of a record need over %d MiB", VULNDB_RECORD_ARENA >> 20);
	*ret = slice_from(p, b.n);
	return 0;
}

int groups_make(const struct advisory *a, bool is_distro, struct arena *arena, struct slice *ret, struct err *err)
{
	size_t room = 1 + a->alias_count + a->upstream_count + a->related_count;
	struct ids ids = { arena_alloc(arena, room * sizeof(*ids.v)), 0 };
	struct slice own = advisory_plain_id(a->record);

	if (!ids.v)
		return err_set(err, ERR_LIMIT, "the ids of a record need over %d MiB", VULNDB_RECORD_ARENA >> 20);
	add(&ids, a->aliases, a->alias_count);
	if (!is_distro || advisory_cve(own)) {
		add(&ids, &own, 1);
		(void)settle(&ids);
		return put(&ids, ids.count, ' ', arena, ret, err);
	}
	add(&ids, a->upstream, a->upstream_count);
	size_t cves = settle(&ids);
	if (cves > 1)
		return put(&ids, cves, '\n', arena, ret, err);
	/* AlmaLinux and Rocky name the CVEs of an advisory as related; the rest of what is related is another */
	struct ids related = { cves ? NULL : arena_alloc(arena, room * sizeof(*related.v)), 0 };
	if (related.v)
		add(&related, a->related, a->related_count);
	size_t related_cves = settle(&related);
	if (related_cves)
		return put(&related, related_cves, '\n', arena, ret, err);
	if (!cves)
		add(&ids, &own, 1);
	(void)settle(&ids);
	return put(&ids, ids.count, ' ', arena, ret, err);
}
