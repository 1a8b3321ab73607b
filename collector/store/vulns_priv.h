/* vulns_priv.h - the columns of a vulnerability and of its places, shared by the files about them. */
#pragma once
#include "collector/store/images_priv.h"
#include "collector/store/store_vulns.h"

#define VULN_COLUMNS                                                                                       \
	"v.id, v.name, v.aliases, v.title, v.description, v.urls, v.vector, v.score, v.epss, v.percentile, "   \
	"v.is_kev, v.is_ransomware, v.kev_added, v.kev_due, v.published, v.modified, v.first_seen, "       \
	"v.severity, v.packages, v.is_fixable, v.is_exposed, v.is_accepted, v.images, v.running, v.hosts, " \
	"v.used, v.rank"
enum { VULN_RANK = 26, VULN_COLUMN_COUNT = 27 };
/* Borrowed until the statement's next step. */
void vulns_read_row(sqlite3_stmt *st, struct store_vuln *ret);
int vulns_keep_row(struct store_vuln *row, struct arena *a, struct err *err) WARN_UNUSED;

/* Places: from VULN_COLUMNS on, with what each query says first. used: the most that any host did. */
#define PLACE_COLUMNS                                                                                      \
	"i.id, i.image_id, i.names, i.hosts, i.containers, i.is_exposed, p.ecosystem, p.name, p.version, "    \
	"p.arch, f.fixed, f.note, f.feed, f.record, f.severity_source, lp.path, il.position, f.severity, "    \
	"f.status, max(f.first_seen, i.stored), coalesce(u.how, 0), coalesce(u.last, 0), "                 \
	"coalesce(u.agent, ''), coalesce(u.container, ''), coalesce(u.path, x'')"
#define PLACE_JOINS                                                                                        \
	" LEFT JOIN package_use u ON u.image = i.id AND u.name = p.name AND u.version = p.version AND"     \
	" u.ecosystem = p.ecosystem AND u.agent = CASE WHEN i.is_used THEN (SELECT x.agent FROM package_use" \
	" x WHERE x.image = i.id AND x.name = p.name AND x.version = p.version AND"                         \
	" x.ecosystem = p.ecosystem ORDER BY x.how DESC, x.last DESC LIMIT 1) END"
void vulns_read_place(sqlite3_stmt *st, int first, struct store_place *ret);

/* Where it stands in lists: the larger, the more urgent. */
int64_t vulns_rank(const struct store_vuln *v);
