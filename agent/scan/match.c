/* match.c - see match.h. */
#include "agent/scan/match.h"

#include <errno.h>

struct asked {
	struct vulndb_package *packages;
	uint32_t *index; /* of each in the result */
	size_t count;
	struct scan_collector *collector;
};

static struct slice text(const char *s)
{
	return slice_of(s);
}

static struct vulndb_package package_of(const Picket__Package *p)
{
	return (struct vulndb_package){ .ecosystem = text(p->ecosystem),
					.name = text(p->name),
					.version = text(p->version),
					.arch = text(p->arch),
					.source = text(p->source),
					.source_version = text(p->source_version),
					.owner = text(p->owner) };
}

static struct vulndb_os os_of(const Picket__OsRelease *os)
{
	if (!os)
		return (struct vulndb_os){ 0 };
	return (struct vulndb_os){ .id = text(os->id),
				   .version_id = text(os->version_id),
				   .codename = text(os->codename),
				   .id_like = text(os->id_like) };
}

static int on_found(void *arg, size_t package, const struct vulndb_found *f)
{
	const struct asked *a = arg;

	return scan_collect(a->collector, a->index[package], f);
}

static int note_newest(void *arg, const struct vulndb_feed *f)
{
	uint64_t *newest = arg;

	if (f->imported_unix_s > *newest)
		*newest = f->imported_unix_s;
	return 0;
}

static int check_age(struct scan_result *r, struct vulndb *db, struct err *err)
{
	struct vulndb_info info;
	int e = vulndb_status(db, &info, note_newest, &r->database_unix_s, err);

	if (e < 0)
		return e;
	uint64_t age_days = r->now_unix_s > r->database_unix_s ? (r->now_unix_s - r->database_unix_s) / 86400 : 0;
	if (age_days >= MATCH_OLD_DAYS)
		scan_warn(r, "the vulnerability database is %llu days old: newer advisories are not in it",
			  (unsigned long long)age_days);
	if (!info.records)
		scan_warn(r, "the vulnerability database is empty");
	r->has_database = true;
	return 0;
}

static int ask(struct scan_result *r, struct vulndb *db, struct asked *a, struct err *err)
{
	struct vulndb_os os = os_of(r->inventory->os);

	for (size_t i = 0; i < r->package_count; i++) {
		if (r->packages[i].is_excluded)
			continue;
		a->index[a->count] = (uint32_t)i;
		a->packages[a->count++] = package_of(r->packages[i].pkg);
	}
	int e = vulndb_match(db, &os, a->packages, a->count, on_found, a, err);
	if (e == -ERR_LIMIT)
		return err_set(err, ERR_LIMIT, "more findings than one scan can hold");
	return e;
}

int match_packages(struct scan_result *r, const char *db_path, const char *pubkey_pem, struct err *err)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	CLEANUP(scan_collector_freep) struct scan_collector *collector = NULL;
	CLEANUP(freep) struct vulndb_package *packages = calloc(r->package_count + 1, sizeof(*packages));
	CLEANUP(freep) uint32_t *index = calloc(r->package_count + 1, sizeof(*index));
	struct asked a = { .packages = packages, .index = index };

	if (!packages || !index)
		return err_set(err, ENOMEM, "match %zu packages", r->package_count);
	int e = vulndb_open(db_path, pubkey_pem, &db, err);
	if (e >= 0)
		e = check_age(r, db, err);
	if (e >= 0)
		e = scan_collector_new(r, &collector, err);
	a.collector = collector;
	if (e >= 0)
		e = ask(r, db, &a, err);
	return e < 0 ? e : scan_collector_end(collector, err);
}
