/* packages.c - packages, once for the whole fleet, and the layers that are lists of them. */
#include <errno.h>

#include "collector/store/images_priv.h"
#include "common/vulndb/vulndb.h"

/* What only a distribution can judge is matched by distribution; the rest once for all of them. */
#define IS_OF_OS "(p.ecosystem IN ('deb', 'apk', 'rpm') OR p.owner <> '')"

int packages_os_row(struct store *s, const Picket__OsRelease *o, int64_t *ret, struct err *err)
{
	*ret = 0;
	if (!o || (!o->id[0] && !o->id_like[0]))
		return 0;
	const struct bind b[] = { B_STR(o->id), B_STR(o->version_id), B_STR(o->codename), B_STR(o->id_like) };
	int r = db_run(&s->state,
		       "INSERT OR IGNORE INTO os(name, version, codename, os_like) VALUES (?,?,?,?)", b,
		       ARRAY_LEN(b), err);
	return r < 0 ? r
		     : db_number(&s->state,
				 "SELECT id FROM os WHERE name = ? AND version = ? AND codename = ? AND os_like = ?",
				 b, ARRAY_LEN(b), ret, err);
}

static int package_row(struct store *s, const Picket__Package *p, int64_t *ret, struct err *err)
{
	const struct vulndb_package as = { .ecosystem = slice_of(p->ecosystem),
					   .name = slice_of(p->name),
					   .source = slice_of(p->source) };
	char key[LIMIT_PACKAGE_TEXT_BYTES + 1];
	const struct bind b[] = { B_STR(p->name),
				  B_STR(p->version),
				  B_STR(p->ecosystem),
				  B_STR(p->arch),
				  B_STR(p->source),
				  B_STR(p->source_version),
				  B_STR(p->owner),
				  B_TEXT(vulndb_package_key(&as, key, sizeof(key))) };
	int r = db_number(&s->state,
			  "SELECT id FROM package WHERE name = ? AND version = ? AND ecosystem = ? AND arch = ?"
			  " AND source = ? AND source_version = ? AND owner = ?",
			  b, ARRAY_LEN(b) - 1, ret, err);

	if (r < 0 || *ret)
		return r;
	r = db_run(&s->state,
		   "INSERT INTO package(name, version, ecosystem, arch, source, source_version, owner, key)"
		   " VALUES (?,?,?,?,?,?,?,?)",
		   b, ARRAY_LEN(b), err);
	if (r >= 0)
		*ret = sqlite3_last_insert_rowid(s->state.h);
	return r;
}

int packages_find_layer(struct store *s, struct slice key, int64_t *ret, struct err *err)
{
	return DB_NUMBER(&s->state, ret, err, "SELECT id FROM layer WHERE key = ?", B_BLOB(key));
}

int packages_put_layer(struct store *s, const Picket__Layer *l, int64_t *ret, struct err *err)
{
	struct slice key = msg_slice(l->key);
	int r = packages_find_layer(s, key, ret, err);

	if (r < 0 || *ret)
		return r;
	r = DB_RUN(&s->state, err, "INSERT INTO layer(key, packages) VALUES (?,?)", B_BLOB(key),
		   B_INT(l->n_packages));
	if (r >= 0)
		*ret = sqlite3_last_insert_rowid(s->state.h);
	for (size_t i = 0; i < l->n_packages && r >= 0; i++) {
		const Picket__Package *p = l->packages[i];
		int64_t id;

		r = package_row(s, p, &id, err);
		if (r >= 0)
			r = DB_RUN(&s->state, err, "INSERT OR IGNORE INTO layer_package VALUES (?,?,?,?)",
				   B_INT(*ret), B_INT(id), B_BLOB(msg_slice(p->path)), B_INT(p->is_dev));
	}
	return r;
}

int packages_due(struct store *s, int64_t layer, int64_t os, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT OR IGNORE INTO package_os(package, os)"
		      " SELECT p.id, CASE WHEN " IS_OF_OS " THEN ?2 ELSE 0 END"
		      " FROM layer_package lp JOIN package p ON p.id = lp.package WHERE lp.layer = ?1",
		      B_INT(layer), B_INT(os));
}

int packages_prune(struct store *s, int64_t bite, struct err *err)
{
	static const char *const steps[] = {
		"DELETE FROM layer_package WHERE layer IN (SELECT id FROM layer l WHERE NOT EXISTS"
		" (SELECT 1 FROM image_layer il WHERE il.layer = l.id) ORDER BY id LIMIT ?)",
		"DELETE FROM layer WHERE id IN (SELECT id FROM layer l WHERE NOT EXISTS"
		" (SELECT 1 FROM image_layer il WHERE il.layer = l.id) ORDER BY id LIMIT ?)",
		"UPDATE vuln SET is_due = 1 WHERE id IN (SELECT vuln FROM finding WHERE package IN"
		" (SELECT id FROM package p WHERE NOT EXISTS"
		" (SELECT 1 FROM layer_package lp WHERE lp.package = p.id) ORDER BY id LIMIT ?))",
		"DELETE FROM finding WHERE package IN (SELECT id FROM package p WHERE NOT EXISTS"
		" (SELECT 1 FROM layer_package lp WHERE lp.package = p.id) ORDER BY id LIMIT ?)",
		"DELETE FROM package_os WHERE package IN (SELECT id FROM package p WHERE NOT EXISTS"
		" (SELECT 1 FROM layer_package lp WHERE lp.package = p.id) ORDER BY id LIMIT ?)",
		"DELETE FROM package WHERE id IN (SELECT id FROM package p WHERE NOT EXISTS"
		" (SELECT 1 FROM layer_package lp WHERE lp.package = p.id) ORDER BY id LIMIT ?)",
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(steps) && r >= 0; i++)
		r = DB_RUN(&s->state, err, steps[i], B_INT(bite));
	return r < 0 ? r : sqlite3_changes(s->state.h) == bite;
}
