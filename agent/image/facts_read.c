/* facts_read.c - entries of a layer to facts: which parser wants the file, and what it finds. */
#include <errno.h>
#include <sys/stat.h>

#include "agent/image/facts_priv.h"
#include "agent/image/image_limits.h"
#include "agent/image/path.h"
#include "proto/limits.h"

struct read {
	const struct facts_reader *fr;
	struct facts *f;
	struct err fatal; /* set: the layer ends here, whatever a parser makes of it */
	/* the file being parsed */
	const struct entry *entry;
	struct facts_file *file;
	size_t group;  /* offset of the last owned file's group in file->owned; SIZE_MAX: none yet */
	uint32_t bad;  /* packages without name or with absurd texts */
	char last_ecosystem[64], last_key[LIMIT_PATH_BYTES];
};

/* ---- what parsers find ---- */

static bool is_usable(struct slice s, size_t max)
{
	return s.n <= max && !(s.n && memchr(s.p, 0, s.n));
}

static int stop(struct read *rd, int r)
{
	return r < 0 ? -rd->fatal.code : r;
}

static int on_package(void *arg, const struct pkg *p)
{
	struct read *rd = arg;
	struct buf *b = &rd->file->packages;
	const struct slice texts[] = { slice_of(p->ecosystem), p->name,	  p->version, p->arch,
				       p->source,	       p->source_version, p->key };
	size_t n = b->n;

	if (!p->name.n || !is_usable(p->name, LIMIT_PACKAGE_TEXT_BYTES) ||
	    !is_usable(p->version, LIMIT_PACKAGE_TEXT_BYTES) || !is_usable(p->arch, LIMIT_NAME_BYTES) ||
	    !is_usable(p->source, LIMIT_PACKAGE_TEXT_BYTES) ||
	    !is_usable(p->source_version, LIMIT_PACKAGE_TEXT_BYTES) || !is_usable(p->key, LIMIT_PATH_BYTES)) {
		rd->bad++;
		return 0;
	}
	if (!rd->fr->room->packages_left)
		return stop(rd, err_set(&rd->fatal, ERR_LIMIT, "more packages than are allowed for an image"));
	buf_add_char(b, p->is_dev);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		pack_text(b, texts[i]);
	if (b->failed)
		return stop(rd, err_set(&rd->fatal, ERR_LIMIT, "the packages of a file take too much memory"));
	n = b->n - n;
	if (room_take(rd->fr->room, n, &rd->fatal) < 0) {
		b->n -= n;
		return -rd->fatal.code;
	}
	rd->fr->room->packages_left--;
	rd->file->package_count++;
	return 0;
}

/* Files of one package mostly come one after the other: they share a group. */
static int begin_group(struct read *rd, const struct pkg_owned *o)
{
	struct buf *b = &rd->file->owned;
	const uint32_t none = 0;
	size_t n = b->n;

	if (rd->group != SIZE_MAX && slice_is(slice_of(o->ecosystem), rd->last_ecosystem) &&
	    slice_is(o->key, rd->last_key))
		return 0;
	(void)slice_copy(slice_of(o->ecosystem), rd->last_ecosystem, sizeof(rd->last_ecosystem));
	(void)slice_copy(o->key, rd->last_key, sizeof(rd->last_key));
	rd->group = n;
	buf_add(b, &none, sizeof(none));
	pack_text(b, slice_of(rd->last_ecosystem));
	pack_text(b, slice_of(rd->last_key));
	if (!b->failed && room_take(rd->fr->room, b->n - n, &rd->fatal) >= 0)
		return 0;
	b->n = n;
	return b->failed ? err_set(&rd->fatal, ERR_LIMIT, "files owned by packages take too much memory") :
			   -rd->fatal.code;
}

static int on_owned(void *arg, const struct pkg_owned *o)
{
	struct read *rd = arg;
	struct buf *b = &rd->file->owned;
	struct slice path = o->path;
	uint32_t count;

	while (path.n && path.p[0] == '/')
		path = slice_sub(path, 1, path.n);
	bool is_prefix = path.n && path.p[path.n - 1] == '/';
	while (path.n && path.p[path.n - 1] == '/')
		path.n--;
	/* Past the bound a file has no known owner; its packages stay. */
	if (!path.n || path.n > LIMIT_PATH_BYTES || !is_usable(o->key, LIMIT_PATH_BYTES - 1) ||
	    !rd->fr->room->owned_left)
		return 0;
	int r = begin_group(rd, o);
	if (r < 0)
		return r;
	uint64_t hash = (path_hash(path) & ~1ULL) | is_prefix;
	if (room_take(rd->fr->room, sizeof(hash), &rd->fatal) < 0)
		return -rd->fatal.code;
	buf_add(b, &hash, sizeof(hash));
	if (b->failed)
		return stop(rd, err_set(&rd->fatal, ERR_LIMIT, "files owned by packages take too much memory"));
	memcpy(&count, b->p + rd->group, sizeof(count));
	count++;
	memcpy(b->p + rd->group, &count, sizeof(count));
	rd->fr->room->owned_left--;
	rd->file->owned_count++;
	return 0;
}

static struct slice on_sibling(void *arg, const char *name)
{
	const struct read *rd = arg;
	const struct entry *e = rd->entry;

	return e->sibling ? e->sibling(e->arg, name, rd->fr->parse_bytes) : SLICE_NONE;
}

/* ---- one file, one parser ---- */

static struct facts_file *new_file(struct read *rd, struct slice path, uint16_t row)
{
	struct facts *f = rd->f;
	struct facts_file *p = room_grow(f->room, f->files, &f->file_size, f->file_count, sizeof(*p), &rd->fatal);

	if (!p)
		return NULL;
	f->files = p;
	p += f->file_count;
	*p = (struct facts_file){ .row = row, .path_n = (uint32_t)path.n, .turn = (uint32_t)f->key_count };
	buf_init(&p->packages, IMAGE_FACTS_BYTES);
	buf_init(&p->owned, IMAGE_FACTS_BYTES);
	p->path = room_dup(f->room, path, &rd->fatal);
	if (!p->path)
		return NULL;
	f->file_count++;
	return p;
}

static int call_parser(struct read *rd, const struct entry *e, const struct pkg_parser *p, struct slice as,
		       struct err *err)
{
	const struct pkg_out out = { on_package, rd->fr->wants_owned ? on_owned : NULL, rd, on_sibling };
	uint64_t max = p->max_bytes && p->max_bytes < rd->fr->parse_bytes ? p->max_bytes : rd->fr->parse_bytes;
	struct slice text = SLICE_NONE;
	struct blob blob = { 0 };
	int r;

	if (p->read) {
		r = e->blob(e->arg, &blob, err);
		return r < 0 ? r : p->read(as, &blob, &out, err);
	}
	r = e->text(e->arg, max, &text, err);
	return r < 0 ? r : p->parse(as, text, &out, err);
}

/* Shrinks what a buffer took ahead; many files have a package or two. */
static void trim_buf(struct buf *b)
{
	if (!b->n) {
		buf_fini(b);
		return;
	}
	char *p = realloc(b->p, b->n + 1);
	if (p) {
		b->p = p;
		b->size = b->n + 1;
	}
}

/* as: the path that the parser is told, where the file has another name too. at: the one that is kept. */
static int parse(struct read *rd, const struct entry *e, uint16_t row, struct slice as, struct slice at,
		 struct err *err)
{
	const struct pkg_parser *p = matcher_row(rd->fr->matcher, row);
	char why[IMAGE_PROBLEM_BYTES];
	struct err e1 = { 0 };

	rd->file = new_file(rd, at, row);
	if (!rd->file)
		return err_set(err, rd->fatal.code, "%s", rd->fatal.msg);
	rd->entry = e;
	rd->file->is_of_link = !slice_eq(at, e->path);
	rd->group = SIZE_MAX;
	rd->bad = 0;
	int r = call_parser(rd, e, p, as, &e1);
	if (rd->fatal.code) {
		if (err)
			*err = rd->fatal;
		return -rd->fatal.code;
	}
	if (r < 0) {
		snprintf(why, sizeof(why), "%s: %s", p->name, e1.msg);
		facts_problem(rd->f, at, why);
	}
	if (rd->bad) {
		snprintf(why, sizeof(why), "%s: %u packages without a usable name or version", p->name, rd->bad);
		facts_problem(rd->f, at, why);
	}
	if (!rd->file->package_count && !rd->file->owned_count)
		facts_file_fini(rd->f->room, &rd->f->files[--rd->f->file_count]);
	else {
		trim_buf(&rd->file->packages);
		trim_buf(&rd->file->owned);
	}
	return 0;
}

static int parse_all(struct read *rd, const struct entry *e, const uint16_t *rows, size_t n, struct slice as,
		     struct slice at, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < n; i++)
		r = parse(rd, e, rows[i], as, at, err);
	return r;
}

/* ---- what else a file is ---- */

static int keep_os_release(struct read *rd, const struct entry *e, struct slice as)
{
	static const char *const paths[] = { "etc/os-release", "usr/lib/os-release" };
	struct slice text = SLICE_NONE;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (!slice_is(as, paths[i]) || e->text(e->arg, FACTS_OS_RELEASE_BYTES, &text, NULL) < 0)
			continue;
		buf_reset(&rd->f->os_release[i]);
		buf_add_slice(&rd->f->os_release[i], text);
		buf_add_char(&rd->f->os_release[i], '\n'); /* never empty: it is there */
	}
	return 0;
}

/* What the image's users are is asked of the engine's reading of this file, whatever the image's programs make of it. */
static void keep_passwd(struct read *rd, const struct entry *e, struct slice as)
{
	struct slice text = SLICE_NONE;

	if (!slice_is(as, "etc/passwd") || e->text(e->arg, PASSWD_BYTES, &text, NULL) < 0)
		return;
	buf_reset(&rd->f->passwd);
	buf_add_char(&rd->f->passwd, '\n'); /* never empty: it is there */
	passwd_roots(text, &rd->f->passwd);
}

static int keep_setid(struct read *rd, const struct entry *e, struct err *err)
{
	struct facts *f = rd->f;

	if ((e->kind != ENTRY_FILE && e->kind != ENTRY_HARDLINK) || !(e->mode & (S_ISUID | S_ISGID)) ||
	    f->setid_count >= LIMIT_SETID_FILES)
		return 0;
	struct facts_setid *p = room_grow(f->room, f->setids, &f->setid_size, f->setid_count, sizeof(*p), err);
	if (!p)
		return -ERR_LIMIT;
	f->setids = p;
	p += f->setid_count;
	*p = (struct facts_setid){ room_dup(f->room, e->path, err), e->mode & 07777, e->uid, e->gid };
	f->setid_count += !!p->path;
	return p->path ? 0 : -ERR_LIMIT;
}

static int keep_link(struct read *rd, const struct entry *e, bool is_hard, struct err *err)
{
	struct facts *f = rd->f;
	struct slice target = e->target;

	if (f->link_count >= IMAGE_LINKS || (!is_hard && e->link && !e->link(e->arg, &target)))
		return 0;
	struct facts_link *p = room_grow(f->room, f->links, &f->link_size, f->link_count, sizeof(*p), err);
	if (!p)
		return -ERR_LIMIT;
	f->links = p;
	p += f->link_count;
	*p = (struct facts_link){ room_dup(f->room, e->path, err), room_dup(f->room, target, err), is_hard };
	f->link_count++;
	return p->path && p->target ? 0 : -ERR_LIMIT;
}

static bool is_elf(const struct entry *e)
{
	struct slice head = SLICE_NONE;

	return e->size > 4 && e->head(e->arg, &head, NULL) >= 0 && slice_starts(head, SLICE_LIT("\177ELF"));
}

static void keep_drift(struct read *rd, const struct entry *e, bool elf)
{
	struct buf *b = &rd->f->drift;
	bool is_file = e->kind == ENTRY_FILE || e->kind == ENTRY_SYMLINK || e->kind == ENTRY_HARDLINK;

	if (!is_file && e->kind != ENTRY_WHITEOUT)
		return;
	rd->f->drift_total++;
	if (b->n + e->path.n + 2 > FACTS_DRIFT_BYTES || (e->path.n && memchr(e->path.p, '\n', e->path.n)))
		return;
	buf_add_char(b, e->kind == ENTRY_WHITEOUT ? 'd' : elf || (e->kind == ENTRY_FILE && e->mode & 0111) ? 'x' : 'f');
	buf_add_slice(b, e->path);
	buf_add_char(b, '\n');
}

/* ---- entries ---- */

static int parse_as(struct read *rd, const struct entry *e, struct slice as, struct slice at, struct err *err)
{
	uint16_t rows[MATCH_FOUND_MAX];

	(void)keep_os_release(rd, e, as);
	keep_passwd(rd, e, as);
	return parse_all(rd, e, rows, matcher_find(rd->fr->matcher, as, rows), as, at, err);
}

/* The file under its other names. What is found stays with the file's own path, but for a hard link's, which may
 * outlive it. */
static int parse_aliases(struct read *rd, const struct entry *e, struct err *err)
{
	char as[LIMIT_PATH_BYTES + 1];
	int r = 0;

	for (size_t i = 0; !r && i < rd->fr->alias_count; i++) {
		const struct facts_alias *a = &rd->fr->aliases[i];
		size_t rest = e->path.n - a->real.n;

		if (!path_is_below(e->path, a->real) || (a->is_hard && rest) || a->name.n + rest > LIMIT_PATH_BYTES)
			continue;
		memcpy(as, a->name.p, a->name.n);
		memcpy(as + a->name.n, e->path.p + a->real.n, rest);
		struct slice name = slice_from(as, a->name.n + rest);
		r = parse_as(rd, e, name, a->is_hard ? name : e->path, err);
	}
	return r;
}

static int read_file(struct read *rd, const struct entry *e, struct err *err)
{
	bool may_run = e->mode & 0111, elf = (may_run || rd->fr->wants_drift) && is_elf(e);
	uint16_t rows[MATCH_FOUND_MAX];

	rd->f->bytes += e->own_bytes;
	if (rd->fr->wants_drift)
		keep_drift(rd, e, elf);
	int r = parse_as(rd, e, e->path, e->path, err);
	if (!r && elf && may_run)
		r = parse_all(rd, e, rows, matcher_elf(rd->fr->matcher, rows), e->path, e->path, err);
	return r ? r : parse_aliases(rd, e, err);
}

static bool is_wanted_link(struct read *rd, const struct entry *e, uint64_t hash)
{
	uint16_t rows[MATCH_FOUND_MAX];

	if (e->kind == ENTRY_HARDLINK)
		return matcher_find(rd->fr->matcher, e->path, rows) || slice_is(e->path, "etc/os-release") ||
		       slice_is(e->path, "etc/passwd");
	for (size_t i = 0; i < rd->fr->alias_count; i++)
		if (path_is_below(rd->fr->aliases[i].real, e->path))
			return true;
	/* Those at the top are known to everyone: bin -> usr/bin. */
	return matcher_is_way(rd->fr->matcher, hash) || !path_folder(e->path).n ||
	       slice_is(e->path, "etc/os-release") || slice_is(e->path, "usr/lib/os-release") ||
	       slice_is(e->path, "etc/passwd");
}

static int on_entry(void *arg, const struct entry *e, struct err *err)
{
	static const enum facts_tag tags[] = {
		[ENTRY_FILE] = FACTS_FILE,	     [ENTRY_FOLDER] = FACTS_FOLDER, [ENTRY_SYMLINK] = FACTS_FILE,
		[ENTRY_HARDLINK] = FACTS_FILE,	     [ENTRY_WHITEOUT] = FACTS_WHITEOUT,
		[ENTRY_OPAQUE] = FACTS_OPAQUE,	     [ENTRY_OTHER] = FACTS_FILE,
	};
	struct read *rd = arg;
	uint64_t hash = path_hash(e->path);

	int r = facts_add_key(rd->f, hash, tags[e->kind], err);
	if (r < 0)
		return r;
	r = keep_setid(rd, e, err);
	if (r < 0)
		return r;
	if (e->kind == ENTRY_FILE)
		return read_file(rd, e, err);
	if (rd->fr->wants_drift)
		keep_drift(rd, e, false);
	if ((e->kind == ENTRY_SYMLINK || e->kind == ENTRY_HARDLINK) && is_wanted_link(rd, e, hash))
		return keep_link(rd, e, e->kind == ENTRY_HARDLINK, err);
	return 0;
}

static void on_problem(void *arg, struct slice path, const char *why)
{
	struct read *rd = arg;

	facts_problem(rd->f, path, why);
}

/* An archive may name a file twice: the later one is what is there in the end. */
static int by_path(const void *va, const void *vb)
{
	const struct facts_file *a = va, *b = vb;
	int c = strcmp(a->path, b->path);

	if (c || a->row != b->row)
		return c ? c : a->row < b->row ? -1 : 1;
	return a->turn < b->turn ? -1 : a->turn > b->turn;
}

static void settle(struct facts *f)
{
	size_t n = 0;

	facts_sort(f);
	if (f->file_count)
		qsort(f->files, f->file_count, sizeof(*f->files), by_path);
	for (size_t i = 0; i < f->file_count; i++) {
		struct facts_file *next = i + 1 < f->file_count ? &f->files[i + 1] : NULL;

		if (next && next->row == f->files[i].row && !strcmp(next->path, f->files[i].path))
			facts_file_fini(f->room, &f->files[i]);
		else
			f->files[n++] = f->files[i];
	}
	f->file_count = n;
}

int facts_read_tar(const struct facts_reader *fr, struct stream *tar, struct facts *ret, struct err *err)
{
	struct read rd = { .fr = fr, .f = ret };
	const struct entry_ops ops = { on_entry, on_problem, &rd };

	facts_init(ret, fr->room);
	int r = entry_read_tar(tar, fr->budget, &fr->spool, &ops, err);
	settle(ret);
	return r;
}

int facts_read_folder(const struct facts_reader *fr, int fd, unsigned flags, struct facts *ret, struct err *err)
{
	struct read rd = { .fr = fr, .f = ret };
	const struct entry_ops ops = { on_entry, on_problem, &rd };

	facts_init(ret, fr->room);
	int r = entry_read_folder(fd, flags, fr->budget, &ops, err);
	settle(ret);
	return r;
}
