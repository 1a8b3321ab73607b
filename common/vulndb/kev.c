/* kev.c - CISA's known exploited vulnerabilities; see feeds.h. */
#include "common/vulndb/feeds.h"
#include "common/vulndb/limits.h"
#include "common/vulndb/walk.h"

struct kev {
	struct walk *walk;
	struct kev_reader reader;
	char id[VULNDB_ID_MAX], added[32], due[32], title[VULNDB_TITLE_MAX], ransomware[16];
	char date[64];
};

static const struct {
	size_t at, size;
} fields[] = {
#define KEEP(name) { offsetof(struct kev, name), sizeof(((struct kev *)0)->name) }
	KEEP(date), KEEP(id), KEEP(added), KEEP(due), KEEP(title), KEEP(ransomware),
#undef KEEP
};
enum { DATE, ID, ADDED, DUE, TITLE, RANSOMWARE };

static int on_field(void *arg, const struct walk_event *e, struct err *err)
{
	char *to = (char *)arg + fields[e->at].at;

	if (e->what != WALK_TEXT)
		return 0;
	bool fits = slice_copy(e->text, to, fields[e->at].size);
	if (e->at != TITLE && (!fits || !advisory_is_line(e->text, fields[e->at].size)))
		to[0] = 0;
	return 0;
}

static int on_entry(void *arg, const struct walk_event *e, struct err *err)
{
	struct kev *k = arg;
	char what[256];

	if (e->what == WALK_OPEN)
		k->id[0] = k->added[0] = k->due[0] = k->title[0] = k->ransomware[0] = 0;
	if (e->what != WALK_CLOSE)
		return 0;
	struct kev_row row = { advisory_cve(slice_of(k->id)), slice_of(k->added), slice_of(k->due), slice_of(k->title),
			       strcmp(k->ransomware, "Known") == 0 };
	if (row.cve)
		return k->reader.row(k->reader.arg, &row, err);
	snprintf(what, sizeof(what), "line %lu: '%.100s' is no CVE", walk_line(k->walk), k->id);
	return k->reader.bad(k->reader.arg, what, err);
}

enum place { CATALOG, ENTRIES, ENTRY, VALUE };

static const struct walk_place places[] = {
	{ CATALOG, VALUE, "dateReleased", on_field, DATE },
	{ CATALOG, ENTRIES, "vulnerabilities" },
	{ ENTRIES, ENTRY, "[]", on_entry },
	{ ENTRY, VALUE, "cveID", on_field, ID },
	{ ENTRY, VALUE, "dateAdded", on_field, ADDED },
	{ ENTRY, VALUE, "dueDate", on_field, DUE },
	{ ENTRY, VALUE, "vulnerabilityName", on_field, TITLE },
	{ ENTRY, VALUE, "knownRansomwareCampaignUse", on_field, RANSOMWARE },
};

struct kev *kev_new(const struct kev_reader *r)
{
	struct kev *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->reader = *r;
	k->walk = walk_new(places, ARRAY_LEN(places), k);
	if (!k->walk) {
		free(k);
		return NULL;
	}
	return k;
}

int kev_feed(struct kev *k, struct slice bytes, struct err *err)
{
	return walk_feed(k->walk, bytes, err);
}

int kev_end(struct kev *k, struct err *err)
{
	return walk_end(k->walk, err);
}

struct slice kev_date(const struct kev *k)
{
	return slice_of(k->date);
}

void kev_free(struct kev *k)
{
	if (!k)
		return;
	walk_free(k->walk);
	free(k);
}
