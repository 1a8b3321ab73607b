/* os_priv.h - what the parsers of this room share: giving out what was found, and their names for the table.
 *
 * A parser goes on after a bad entry, since what stands behind it counts as much; the first thing that was
 * wrong is its result at the end. */
#pragma once
#include "agent/image/os/window.h"
#include "agent/image/pkg.h"
#include "common/err.h"

enum {
	OS_TEXT_MAX = 1024, /* of a name, version, source */
	OS_PATH_MAX = 4096,
};

struct emit {
	const struct pkg_out *out; /* borrowed */
	const char *ecosystem;
	int stop; /* what the taker answered, not 0: it wants no more */
	int wrong; /* the first thing that was wrong, negative */
	struct err first; /* its words */
	unsigned given; /* packages */
};

/* A package of e->ecosystem. One without a name or version, or whose texts are none, is noted as wrong.
 * False when the taker wants no more. p->ecosystem is set here. */
bool os_emit_package(struct emit *e, struct pkg *p);
/* path: slashes at its ends and "./" are taken off here; nothing left, or nobody asks: nothing happens. */
bool os_emit_owned(struct emit *e, struct slice key, struct slice path);
/* Notes what was wrong if it is the first. */
void os_emit_wrong(struct emit *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The same with what a function has said: r its negative result, err its words. */
void os_emit_failed(struct emit *e, int r, const struct err *err);
/* What the parser returns. */
int os_emit_end(const struct emit *e, struct err *err) WARN_UNUSED;

/* A text kept over lines. Truncation is remembered. */
struct kept {
	char p[OS_TEXT_MAX];
	uint16_t n;
	bool is_cut;
};
void kept_set(struct kept *k, struct slice s);
static inline struct slice kept_slice(const struct kept *k)
{
	return slice_from(k->p, k->n);
}
/* "value" of "name: value" or "name=value" where the line begins with name and sep, blanks around it gone. */
bool field_is(struct slice line, const char *name, char sep, struct slice *ret);
/* What follows the last '/'. */
struct slice base_name(struct slice path);

int dpkg_status_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
int dpkg_status_d_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
int dpkg_list_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
int dpkg_md5sums_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
int opkg_status_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
int opkg_list_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
int apk_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
int rpm_sqlite_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
int rpm_ndb_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
int rpm_bdb_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
int binary_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
int java_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err);
