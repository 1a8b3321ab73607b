/* owners.c - see owners.h. Two sorted arrays: keys (a path's hash, its lowest bit says "and all below it")
 * and the numbers of their packages. Written as it lies in memory:
 *
 *   "PKOWNERS" version:u32 packages:u32 files:u32 aliases:u32 text:u32   little-endian
 *   keys:u64[files] numbers:u32[files] text                              3 texts a package, 2 an alias;
 *                                                                        each u16 length and bytes
 */
#include "agent/image/owners.h"

#include <endian.h>
#include <errno.h>

#include "common/file.h"

enum { VERSION = 1, HEAD_BYTES = 28, TEXT_MAX = 16 << 20 };
static const char magic[8] = "PKOWNERS";
#define FNV_START 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

struct alias {
	struct slice link, target;
};

struct owners {
	uint64_t *keys;
	uint32_t *numbers;
	struct owners_package *packages;
	struct alias *aliases;
	char *text;
	uint32_t files, package_count, alias_count, text_bytes;
};

static uint64_t fold(uint64_t h, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * FNV_PRIME;
	return h;
}

static struct slice trim(struct slice path)
{
	while (path.n && path.p[0] == '/')
		path = slice_sub(path, 1, path.n);
	while (path.n && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

uint64_t owners_hash(struct slice path)
{
	return fold(FNV_START, trim(path));
}

static uint64_t key_of(uint64_t hash, bool is_prefix)
{
	return (hash & ~1ULL) | is_prefix;
}

/* ---- asking ---- */

static bool find_key(const struct owners *o, uint64_t key, uint32_t *ret)
{
	uint32_t low = 0, high = o->files;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (o->keys[mid] < key)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == o->files || o->keys[low] != key)
		return false;
	*ret = o->numbers[low];
	return true;
}

/* The folder nearest to the path that somebody owns with all below it. h: the hash of what stands before
 * rest, which begins with a component. */
static bool find_prefix(const struct owners *o, uint64_t h, struct slice rest, uint32_t *ret)
{
	bool found = false;

	for (size_t i = 0; i < rest.n; i++) {
		if (rest.p[i] == '/')
			found |= find_key(o, key_of(h, true), ret);
		h = (h ^ (uint8_t)rest.p[i]) * FNV_PRIME;
	}
	return found | find_key(o, key_of(h, true), ret);
}

/* Is path below the alias's target? *ret_h: the hash of link + "/", *ret_rest: what follows. */
static bool below(const struct alias *a, struct slice path, uint64_t *ret_h, struct slice *ret_rest)
{
	if (path.n <= a->target.n || path.p[a->target.n] != '/' || !slice_starts(path, a->target))
		return false;
	*ret_h = fold(fold(FNV_START, a->link), SLICE_LIT("/"));
	*ret_rest = slice_sub(path, a->target.n + 1, path.n);
	return true;
}

bool owners_find(const struct owners *o, struct slice path, struct owners_package *ret)
{
	struct slice rest;
	uint32_t n = 0;
	uint64_t h;

	path = trim(path);
	bool found = find_key(o, key_of(fold(FNV_START, path), false), &n);
	for (uint32_t i = 0; !found && i < o->alias_count; i++)
		if (below(&o->aliases[i], path, &h, &rest))
			found = find_key(o, key_of(fold(h, rest), false), &n);
	if (!found)
		found = find_prefix(o, FNV_START, path, &n);
	for (uint32_t i = 0; !found && i < o->alias_count; i++)
		if (below(&o->aliases[i], path, &h, &rest))
			found = find_prefix(o, h, rest, &n);
	if (found)
		*ret = o->packages[n];
	return found;
}

size_t owners_package_count(const struct owners *o)
{
	return o->package_count;
}

size_t owners_file_count(const struct owners *o)
{
	return o->files;
}

size_t owners_bytes(const struct owners *o)
{
	return sizeof(*o) + o->files * (sizeof(*o->keys) + sizeof(*o->numbers)) + o->text_bytes +
	       o->package_count * sizeof(*o->packages) + o->alias_count * sizeof(*o->aliases);
}

void owners_free(struct owners *o)
{
	if (!o)
		return;
	free(o->keys);
	free(o->numbers);
	free(o->packages);
	free(o->aliases);
	free(o->text);
	free(o);
}

/* ---- bytes ---- */

static void put_u32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_add(b, &v, sizeof(v));
}

int owners_write(const struct owners *o, struct buf *out, struct err *err)
{
	buf_add(out, magic, sizeof(magic));
	put_u32(out, VERSION);
	put_u32(out, o->package_count);
	put_u32(out, o->files);
	put_u32(out, o->alias_count);
	put_u32(out, o->text_bytes);
	for (uint32_t i = 0; i < o->files; i++) {
		uint64_t key = htole64(o->keys[i]);

		buf_add(out, &key, sizeof(key));
	}
	for (uint32_t i = 0; i < o->files; i++)
		put_u32(out, o->numbers[i]);
	buf_add(out, o->text, o->text_bytes);
	return out->failed ? err_set(err, ERR_LIMIT, "a table of owners of more than %zu bytes", out->cap) : 0;
}

static uint32_t get_u32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static int read_files(struct owners *o, const char *p, struct err *err)
{
	const char *numbers = p + o->files * sizeof(uint64_t);

	for (uint32_t i = 0; i < o->files; i++) {
		uint64_t key;

		memcpy(&key, p + i * sizeof(key), sizeof(key));
		o->keys[i] = le64toh(key);
		o->numbers[i] = get_u32(numbers + i * sizeof(uint32_t));
		if ((i && o->keys[i] <= o->keys[i - 1]) || o->numbers[i] >= o->package_count)
			return err_set(err, ERR_CORRUPT, "table of owners: file %u", (unsigned)i);
	}
	return 0;
}

static bool next_text(struct slice *rest, struct slice *ret)
{
	if (rest->n < 2)
		return false;
	size_t n = (uint8_t)rest->p[0] | (size_t)(uint8_t)rest->p[1] << 8;
	*rest = slice_sub(*rest, 2, rest->n);
	if (n > rest->n)
		return false;
	*ret = slice_sub(*rest, 0, n);
	*rest = slice_sub(*rest, n, rest->n);
	return true;
}

static int read_text(struct owners *o, struct err *err)
{
	struct slice rest = slice_from(o->text, o->text_bytes);
	bool ok = true;

	for (uint32_t i = 0; ok && i < o->package_count; i++) {
		struct owners_package *p = &o->packages[i];

		ok = next_text(&rest, &p->ecosystem) && next_text(&rest, &p->name) && next_text(&rest, &p->version);
	}
	for (uint32_t i = 0; ok && i < o->alias_count; i++)
		ok = next_text(&rest, &o->aliases[i].link) && next_text(&rest, &o->aliases[i].target);
	return ok && !rest.n ? 0 : err_set(err, ERR_CORRUPT, "table of owners: its text");
}

static int allocate(struct owners *o, struct err *err)
{
	o->keys = calloc(o->files + 1, sizeof(*o->keys));
	o->numbers = calloc(o->files + 1, sizeof(*o->numbers));
	o->packages = calloc(o->package_count + 1, sizeof(*o->packages));
	o->aliases = calloc(o->alias_count + 1, sizeof(*o->aliases));
	o->text = malloc(o->text_bytes + 1);
	return o->keys && o->numbers && o->packages && o->aliases && o->text ? 0 :
		err_set(err, ENOMEM, "read a table of owners");
}

static int read_head(struct owners *o, struct slice bytes, struct err *err)
{
	if (bytes.n < HEAD_BYTES || memcmp(bytes.p, magic, sizeof(magic)) != 0)
		return err_set(err, ERR_CORRUPT, "not a table of owners");
	if (get_u32(bytes.p + 8) != VERSION)
		return err_set(err, ERR_VERSION, "a table of owners of version %u", get_u32(bytes.p + 8));
	o->package_count = get_u32(bytes.p + 12);
	o->files = get_u32(bytes.p + 16);
	o->alias_count = get_u32(bytes.p + 20);
	o->text_bytes = get_u32(bytes.p + 24);
	if (o->package_count > OWNERS_PACKAGES_MAX || o->files > OWNERS_FILES_MAX ||
	    o->alias_count > OWNERS_ALIASES_MAX || o->text_bytes > TEXT_MAX ||
	    bytes.n != HEAD_BYTES + (size_t)o->files * 12 + o->text_bytes)
		return err_set(err, ERR_CORRUPT, "table of owners: its sizes");
	return 0;
}

int owners_read(struct slice bytes, struct owners **ret, struct err *err)
{
	CLEANUP(owners_freep) struct owners *o = calloc(1, sizeof(*o));

	int r = o ? read_head(o, bytes, err) : err_set(err, ENOMEM, "read a table of owners");
	if (r >= 0)
		r = allocate(o, err);
	if (r >= 0)
		r = read_files(o, bytes.p + HEAD_BYTES, err);
	if (r < 0)
		return r;
	memcpy(o->text, bytes.p + bytes.n - o->text_bytes, o->text_bytes);
	r = read_text(o, err);
	if (r < 0)
		return r;
	*ret = take_ptr(o);
	return 0;
}

int owners_save(const struct owners *o, const char *path, struct err *err)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, OWNERS_BYTES_MAX);
	int r = owners_write(o, &b, err);
	return r < 0 ? r : file_write_atomic(path, buf_slice(&b), 0600, err);
}

int owners_load(const char *path, struct owners **ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	int r = file_read(path, OWNERS_BYTES_MAX, &b, err);
	if (r >= 0)
		r = owners_read(buf_slice(&b), ret, err);
	return r < 0 ? err_wrap(err, r, "read '%.160s'", path) : 0;
}

/* ---- making ---- */

struct row {
	uint64_t key;
	uint32_t number, turn; /* turn: the order they were added in */
};

struct owners_maker {
	struct row *rows;
	uint32_t files, size, package_count, alias_count;
	struct buf packages, aliases; /* as text in the file */
};

int owners_maker_new(struct owners_maker **ret, struct err *err)
{
	struct owners_maker *m = calloc(1, sizeof(*m));

	if (!m)
		return err_set(err, ENOMEM, "make a table of owners");
	buf_init(&m->packages, TEXT_MAX - OWNERS_ALIASES_MAX * 2 * UINT16_MAX);
	buf_init(&m->aliases, OWNERS_ALIASES_MAX * 2 * UINT16_MAX);
	*ret = m;
	return 0;
}

void owners_maker_free(struct owners_maker *m)
{
	if (!m)
		return;
	free(m->rows);
	buf_fini(&m->packages);
	buf_fini(&m->aliases);
	free(m);
}

/* Longer texts are cut: nobody names a package so. */
static void put_text(struct buf *b, struct slice s)
{
	s.n = s.n > UINT16_MAX ? UINT16_MAX : s.n;
	buf_add_char(b, (char)(s.n & 0xff));
	buf_add_char(b, (char)(s.n >> 8));
	buf_add_slice(b, s);
}

int owners_add_package(struct owners_maker *m, const struct owners_package *p, uint32_t *ret, struct err *err)
{
	if (m->package_count == OWNERS_PACKAGES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d packages own files", OWNERS_PACKAGES_MAX);
	put_text(&m->packages, p->ecosystem);
	put_text(&m->packages, p->name);
	put_text(&m->packages, p->version);
	if (m->packages.failed)
		return err_set(err, ERR_LIMIT, "the names of packages that own files: more than %zu bytes",
			       m->packages.cap);
	*ret = m->package_count++;
	return 0;
}

int owners_add_file(struct owners_maker *m, uint64_t hash, bool is_prefix, uint32_t p, struct err *err)
{
	if (m->files == OWNERS_FILES_MAX)
		return err_set(err, ERR_LIMIT, "packages own more than %d files", OWNERS_FILES_MAX);
	if (m->files == m->size) {
		uint32_t size = m->size ? m->size + m->size / 2 : 4096;
		struct row *rows = realloc(m->rows, size * sizeof(*rows));

		if (!rows)
			return err_set(err, ENOMEM, "make a table of owners");
		m->rows = rows;
		m->size = size;
	}
	m->rows[m->files] = (struct row){ key_of(hash, is_prefix), p, m->files };
	m->files++;
	return 0;
}

int owners_add_alias(struct owners_maker *m, struct slice link, struct slice target, struct err *err)
{
	if (m->alias_count == OWNERS_ALIASES_MAX || link.n > UINT16_MAX || target.n > UINT16_MAX)
		return 0;
	put_text(&m->aliases, link);
	put_text(&m->aliases, target);
	m->alias_count++;
	return m->aliases.failed ? err_set(err, ENOMEM, "make a table of owners") : 0;
}

static int by_key(const void *va, const void *vb)
{
	const struct row *a = va, *b = vb;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->turn < b->turn ? -1 : a->turn > b->turn;
}

int owners_make(struct owners_maker *m, struct owners **ret, struct err *err)
{
	CLEANUP(owners_freep) struct owners *o = calloc(1, sizeof(*o));

	if (!o)
		return err_set(err, ENOMEM, "make a table of owners");
	if (m->files)
		qsort(m->rows, m->files, sizeof(*m->rows), by_key);
	o->files = m->files;
	o->package_count = m->package_count;
	o->alias_count = m->alias_count;
	o->text_bytes = (uint32_t)(m->packages.n + m->aliases.n);
	int r = allocate(o, err);
	if (r < 0)
		return r;
	o->files = 0;
	for (uint32_t i = 0; i < m->files; i++) {
		if (i && m->rows[i].key == m->rows[i - 1].key)
			continue;
		o->keys[o->files] = m->rows[i].key;
		o->numbers[o->files++] = m->rows[i].number;
	}
	if (m->packages.n)
		memcpy(o->text, m->packages.p, m->packages.n);
	if (m->aliases.n)
		memcpy(o->text + m->packages.n, m->aliases.p, m->aliases.n);
	r = read_text(o, err);
	if (r < 0)
		return r;
	free(m->rows);
	m->rows = NULL;
	m->files = m->size = m->package_count = m->alias_count = 0;
	buf_reset(&m->packages);
	buf_reset(&m->aliases);
	*ret = take_ptr(o);
	return 0;
}
