/* merge.c - see merge.h. */
#include "agent/image/merge.h"

#include <errno.h>

#include "agent/image/facts_priv.h"
#include "agent/image/image_limits.h"
#include "agent/image/path.h"
#include "proto/limits.h"

void merged_init(struct merged *m, struct facts_room *room)
{
	*m = (struct merged){ .room = room };
	buf_init(&m->os_release[0], FACTS_OS_RELEASE_BYTES);
	buf_init(&m->os_release[1], FACTS_OS_RELEASE_BYTES);
	buf_init(&m->passwd, PASSWD_BYTES);
	buf_init(&m->problems, LIMIT_PROBLEMS * (2 * IMAGE_PROBLEM_BYTES + 8));
}

void merged_fini(struct merged *m)
{
	/* The same memory as facts', so facts' way of giving it back. */
	struct facts f = { .room = m->room,
			   .files = m->files,
			   .setids = m->setids,
			   .links = m->links,
			   .file_count = m->file_count,
			   .setid_count = m->setid_count,
			   .link_count = m->link_count,
			   .file_size = m->file_size,
			   .setid_size = m->setid_size,
			   .link_size = m->link_size,
			   .os_release = { m->os_release[0], m->os_release[1] },
			   .passwd = m->passwd,
			   .problems = m->problems };

	for (size_t i = 0; i < m->layer_count; i++)
		free(m->layers[i].keys);
	free(m->layers);
	facts_fini(&f);
	*m = (struct merged){ 0 };
}

/* ---- what a layer hides ---- */

/* Is one of path's folders no folder of lower layers any more? */
static bool is_cut_off(const struct facts *f, struct slice path)
{
	uint64_t h = PATH_HASH_START;

	if (facts_has(f, h, FACTS_OPAQUE))
		return true;
	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '/' && (facts_has(f, h, FACTS_FILE) || facts_has(f, h, FACTS_WHITEOUT) ||
					 facts_has(f, h, FACTS_OPAQUE)))
			return true;
		h = path_hash_more(h, slice_sub(path, i, 1));
	}
	return false;
}

/* Is what stood at path (no folder) gone, or another now? */
static bool is_hidden(const struct facts *f, struct slice path)
{
	uint64_t h = path_hash(path);

	return facts_has(f, h, FACTS_FILE) || facts_has(f, h, FACTS_FOLDER) || facts_has(f, h, FACTS_WHITEOUT) ||
	       is_cut_off(f, path);
}

static bool is_linked_anew(const struct facts *f, const char *path)
{
	for (size_t i = 0; i < f->link_count; i++)
		if (f->links[i].is_hard && !strcmp(f->links[i].path, path))
			return true;
	return false;
}

/* ---- which layer brought a package ---- */

static uint64_t package_hash(const struct facts_package *p)
{
	const struct slice texts[] = { p->ecosystem, p->name, p->version, p->arch };
	uint64_t h = PATH_HASH_START;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		h = path_hash_more(path_hash_more(h, texts[i]), SLICE_LIT("\n"));
	return h;
}

struct seen {
	uint64_t hash;
	uint32_t since;
};

static int by_hash(const void *va, const void *vb)
{
	const struct seen *a = va, *b = vb;

	return a->hash < b->hash ? -1 : a->hash > b->hash;
}

/* Packages that the file's former version names already keep their layer. was: nullable. */
static int date_packages(struct facts_file *file, const struct facts_file *was, uint32_t layer, struct err *err)
{
	CLEANUP(freep) struct seen *seen = NULL;
	struct facts_package p;
	struct slice rest;
	uint32_t n = 0;

	file->since = calloc(file->package_count + 1, sizeof(*file->since));
	if (was && was->package_count)
		seen = calloc(was->package_count, sizeof(*seen));
	if (!file->since || (was && was->package_count && !seen))
		return err_set(err, ENOMEM, "join layers");
	if (seen) {
		rest = buf_slice(&was->packages);
		while (n < was->package_count && facts_next_package(&rest, &p)) {
			seen[n] = (struct seen){ package_hash(&p), was->since[n] };
			n++;
		}
		qsort(seen, n, sizeof(*seen), by_hash);
	}
	rest = buf_slice(&file->packages);
	for (uint32_t i = 0; i < file->package_count && facts_next_package(&rest, &p); i++) {
		struct seen key = { package_hash(&p), 0 };
		const struct seen *old = n ? bsearch(&key, seen, n, sizeof(key), by_hash) : NULL;

		file->since[i] = old ? old->since : layer;
	}
	return 0;
}

static int by_path(const void *va, const void *vb)
{
	const struct facts_file *a = va, *b = vb;
	int c = strcmp(a->path, b->path);

	return c ? c : a->row < b->row ? -1 : a->row > b->row;
}

/* ---- the parts ---- */

static int merge_files(struct merged *m, struct facts *f, struct err *err)
{
	uint32_t layer = (uint32_t)m->layer_count;
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < m->file_count; i++) {
		struct facts_file *old = &m->files[i];
		struct facts_file *new = f->file_count ? bsearch(old, f->files, f->file_count, sizeof(*new), by_path) :
							 NULL;
		bool stays = !new && (!is_hidden(f, slice_from(old->path, old->path_n)) ||
				      (old->is_of_link && is_linked_anew(f, old->path)));

		if (new && !new->since && r >= 0)
			r = date_packages(new, old, layer, err);
		if (stays)
			m->files[n++] = *old;
		else
			facts_file_fini(m->room, old);
	}
	m->file_count = n;
	for (size_t i = 0; r >= 0 && i < f->file_count; i++) {
		if (!f->files[i].since)
			r = date_packages(&f->files[i], NULL, layer, err);
		struct facts_file *p = r < 0 ? NULL : room_grow(m->room, m->files, &m->file_size, m->file_count,
								sizeof(*p), err);
		if (!p)
			return r < 0 ? r : -ERR_LIMIT;
		m->files = p;
		m->files[m->file_count++] = f->files[i];
		f->files[i] = (struct facts_file){ 0 };
	}
	return r;
}

static int merge_setids(struct merged *m, struct facts *f, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < m->setid_count; i++) {
		if (!is_hidden(f, slice_of(m->setids[i].path))) {
			m->setids[n++] = m->setids[i];
			continue;
		}
		m->room->bytes_left += strlen(m->setids[i].path) + 1;
		free(m->setids[i].path);
	}
	m->setid_count = n;
	for (size_t i = 0; i < f->setid_count && m->setid_count < LIMIT_SETID_FILES; i++) {
		struct facts_setid *p = room_grow(m->room, m->setids, &m->setid_size, m->setid_count, sizeof(*p), err);
		if (!p)
			return -ERR_LIMIT;
		m->setids = p;
		m->setids[m->setid_count++] = f->setids[i];
		f->setids[i].path = NULL;
	}
	return 0;
}

static int merge_links(struct merged *m, struct facts *f, struct err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < m->link_count; i++) {
		if (!is_hidden(f, slice_of(m->links[i].path))) {
			m->links[n++] = m->links[i];
			continue;
		}
		m->room->bytes_left += strlen(m->links[i].path) + strlen(m->links[i].target) + 2;
		free(m->links[i].path);
		free(m->links[i].target);
	}
	m->link_count = n;
	for (size_t i = 0; i < f->link_count; i++) {
		struct facts_link *p = room_grow(m->room, m->links, &m->link_size, m->link_count, sizeof(*p), err);
		if (!p)
			return -ERR_LIMIT;
		m->links = p;
		m->links[m->link_count++] = f->links[i];
		f->links[i] = (struct facts_link){ 0 };
	}
	return 0;
}

static void merge_os_release(struct merged *m, const struct facts *f)
{
	static const char *const paths[] = { "etc/os-release", "usr/lib/os-release" };

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (f->os_release[i].n || is_hidden(f, slice_of(paths[i])))
			buf_reset(&m->os_release[i]);
		buf_add_slice(&m->os_release[i], buf_slice(&f->os_release[i]));
	}
}

static void merge_passwd(struct merged *m, const struct facts *f)
{
	if (f->passwd.n || is_hidden(f, SLICE_LIT("etc/passwd")))
		buf_reset(&m->passwd);
	buf_add_slice(&m->passwd, buf_slice(&f->passwd));
}

static int merge_keys(struct merged *m, struct facts *f, struct err *err)
{
	if (m->layer_count == m->layer_size) {
		size_t size = m->layer_size ? m->layer_size * 2 : 16;
		struct merged_layer *p = realloc(m->layers, size * sizeof(*p));

		if (!p)
			return err_set(err, ENOMEM, "join layers");
		m->layers = p;
		m->layer_size = size;
	}
	uint64_t *keys = f->keys;
	if (f->key_count) { /* give back what was taken ahead */
		keys = realloc(f->keys, f->key_count * sizeof(*keys));
		keys = keys ? keys : f->keys;
	}
	m->layers[m->layer_count++] = (struct merged_layer){ keys, f->key_count, f->bytes };
	f->keys = NULL;
	f->key_count = 0;
	return 0;
}

static void merge_problems(struct merged *m, const struct facts *f)
{
	struct slice rest = buf_slice(&f->problems), line;

	while (m->problem_count < LIMIT_PROBLEMS && slice_split(&rest, '\n', &line) && line.n) {
		buf_add_slice(&m->problems, line);
		buf_add_char(&m->problems, '\n');
		m->problem_count++;
	}
}

int merge_layer(struct merged *m, struct facts *f, struct err *err)
{
	int r = merge_files(m, f, err);

	if (r >= 0)
		r = merge_setids(m, f, err);
	if (r >= 0)
		r = merge_links(m, f, err);
	if (r >= 0) {
		merge_os_release(m, f);
		merge_passwd(m, f);
		merge_problems(m, f);
		r = merge_keys(m, f, err);
	}
	facts_fini(f);
	return r;
}

/* ---- opaque folders ---- */

struct asking {
	struct facts *f;
	int (*is_opaque)(void *arg, struct slice path, struct err *err);
	void *arg;
	struct facts asked; /* its keys alone: folders done */
};

static bool was_asked(struct asking *a, uint64_t hash)
{
	/* Few, and mostly the last ones again. */
	for (size_t i = a->asked.key_count; i-- > 0;)
		if (a->asked.keys[i] == (hash & ~3ULL))
			return true;
	return false;
}

static int ask_folders(struct asking *a, struct slice path, struct err *err)
{
	uint64_t h = PATH_HASH_START;

	for (size_t i = 0; i < path.n; i++) {
		if (path.p[i] == '/') {
			if (!facts_has(a->f, h, FACTS_FOLDER))
				return 0; /* nothing of the path in this layer */
			if (!was_asked(a, h)) {
				int r = facts_add_key(&a->asked, h, 0, err);
				if (r >= 0)
					r = a->is_opaque(a->arg, slice_sub(path, 0, i), err);
				if (r > 0) {
					r = facts_add_key(a->f, h, FACTS_OPAQUE, err);
					facts_sort(a->f);
				}
				if (r < 0)
					return r;
			}
		}
		h = path_hash_more(h, slice_sub(path, i, 1));
	}
	return 0;
}

int merge_ask_opaque(const struct merged *m, struct facts *f,
		     int (*is_opaque)(void *arg, struct slice path, struct err *err), void *arg, struct err *err)
{
	struct asking a = { f, is_opaque, arg, { 0 } };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < m->file_count; i++)
		r = ask_folders(&a, slice_from(m->files[i].path, m->files[i].path_n), err);
	for (size_t i = 0; r >= 0 && i < m->setid_count; i++)
		r = ask_folders(&a, slice_of(m->setids[i].path), err);
	for (size_t i = 0; r >= 0 && i < m->link_count; i++)
		r = ask_folders(&a, slice_of(m->links[i].path), err);
	if (r >= 0) /* and etc/passwd */
		r = ask_folders(&a, SLICE_LIT("etc/os-release"), err);
	if (r >= 0)
		r = ask_folders(&a, SLICE_LIT("usr/lib/os-release"), err);
	free(a.asked.keys);
	return r;
}
