/* facts.c - see facts.h. Storage of facts, and how packages lie in a buffer. */
#include "agent/image/facts.h"

#include <errno.h>

#include "agent/image/image_limits.h"
#include "agent/image/facts_priv.h"
#include "agent/image/path.h"
#include "proto/limits.h"

/* ---- room ---- */

int room_take(struct facts_room *room, size_t n, struct err *err)
{
	if (n > room->bytes_left)
		return err_set(err, ERR_LIMIT, "its packages take more than %d MiB of memory",
			       IMAGE_FACTS_BYTES >> 20);
	room->bytes_left -= n;
	return 0;
}

void *room_grow(struct facts_room *room, void *p, size_t *size, size_t count, size_t item, struct err *err)
{
	if (count < *size)
		return p;
	size_t more = *size ? *size + *size / 2 : 16;
	if (room_take(room, (more - *size) * item, err) < 0)
		return NULL;
	void *q = realloc(p, more * item);
	if (!q) {
		room->bytes_left += (more - *size) * item;
		(void)err_set(err, ENOMEM, "keep what is in an image");
		return NULL;
	}
	*size = more;
	return q;
}

char *room_dup(struct facts_room *room, struct slice s, struct err *err)
{
	if (room_take(room, s.n + 1, err) < 0)
		return NULL;
	char *p = slice_dup(s);
	if (!p)
		(void)err_set(err, ENOMEM, "keep what is in an image");
	return p;
}

static void drop(struct facts_room *room, char *s)
{
	if (s)
		room->bytes_left += strlen(s) + 1;
	free(s);
}

/* ---- packages and owned files in a buffer ---- */

void pack_text(struct buf *b, struct slice s)
{
	buf_add_char(b, (char)(s.n & 0xff));
	buf_add_char(b, (char)(s.n >> 8 & 0xff));
	buf_add_slice(b, s);
}

static bool next_text(struct slice *rest, struct slice *ret)
{
	if (rest->n < 2)
		return false;
	size_t n = (uint8_t)rest->p[0] | (size_t)(uint8_t)rest->p[1] << 8;
	if (n > rest->n - 2)
		return false;
	*ret = slice_sub(*rest, 2, n);
	*rest = slice_sub(*rest, 2 + n, rest->n);
	return true;
}

bool facts_next_package(struct slice *rest, struct facts_package *ret)
{
	struct slice *const texts[] = { &ret->ecosystem, &ret->name,   &ret->version,	     &ret->arch,
					&ret->source,	 &ret->source_version, &ret->key };

	if (!rest->n)
		return false;
	ret->is_dev = rest->p[0];
	*rest = slice_sub(*rest, 1, rest->n);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (!next_text(rest, texts[i]))
			return false;
	return true;
}

bool facts_next_owned(struct slice *rest, struct facts_owned *ret)
{
	if (rest->n < sizeof(ret->count))
		return false;
	memcpy(&ret->count, rest->p, sizeof(ret->count));
	*rest = slice_sub(*rest, sizeof(ret->count), rest->n);
	if (!next_text(rest, &ret->ecosystem) || !next_text(rest, &ret->key) ||
	    rest->n / sizeof(uint64_t) < ret->count)
		return false;
	ret->hashes = rest->p;
	*rest = slice_sub(*rest, ret->count * sizeof(uint64_t), rest->n);
	return true;
}

void facts_file_fini(struct facts_room *room, struct facts_file *file)
{
	drop(room, file->path);
	room->bytes_left += file->packages.n + file->owned.n;
	room->packages_left += file->package_count;
	room->owned_left += file->owned_count;
	buf_fini(&file->packages);
	buf_fini(&file->owned);
	free(file->since);
	*file = (struct facts_file){ 0 };
}

/* ---- keys ---- */

static uint64_t key_of(uint64_t hash, enum facts_tag tag)
{
	return (hash & ~3ULL) | tag;
}

int facts_add_key(struct facts *f, uint64_t hash, enum facts_tag tag, struct err *err)
{
	/* Bounded by the budget's entries, not by the room: eight bytes a file. */
	if (f->key_count == f->key_size) {
		size_t size = f->key_size ? f->key_size + f->key_size / 2 : 1024;
		uint64_t *p = realloc(f->keys, size * sizeof(*p));

		if (!p)
			return err_set(err, ENOMEM, "keep what is in an image");
		f->keys = p;
		f->key_size = size;
	}
	f->keys[f->key_count++] = key_of(hash, tag);
	return 0;
}

static int by_number(const void *va, const void *vb)
{
	uint64_t a = *(const uint64_t *)va, b = *(const uint64_t *)vb;

	return a < b ? -1 : a > b;
}

void facts_sort(struct facts *f)
{
	if (f->key_count)
		qsort(f->keys, f->key_count, sizeof(*f->keys), by_number);
}

bool facts_has(const struct facts *f, uint64_t hash, enum facts_tag tag)
{
	uint64_t key = key_of(hash, tag);

	return f->key_count && bsearch(&key, f->keys, f->key_count, sizeof(key), by_number);
}

/* ---- the rest ---- */

void facts_problem(struct facts *f, struct slice path, const char *why)
{
	if (f->problem_count >= LIMIT_PROBLEMS)
		return;
	f->problem_count++;
	/* A line each: what could end it early is shown otherwise. */
	for (size_t i = 0; i < path.n && i < IMAGE_PROBLEM_BYTES; i++)
		buf_add_char(&f->problems, path.p[i] == '\n' ? ' ' : path.p[i]);
	buf_add_str(&f->problems, path.n ? ": " : "");
	for (size_t i = 0; why[i] && i < IMAGE_PROBLEM_BYTES; i++)
		buf_add_char(&f->problems, why[i] == '\n' ? ' ' : why[i]);
	buf_add_char(&f->problems, '\n');
}

void facts_init(struct facts *f, struct facts_room *room)
{
	*f = (struct facts){ .room = room };
	buf_init(&f->os_release[0], FACTS_OS_RELEASE_BYTES);
	buf_init(&f->os_release[1], FACTS_OS_RELEASE_BYTES);
	buf_init(&f->passwd, PASSWD_BYTES);
	buf_init(&f->problems, LIMIT_PROBLEMS * (2 * IMAGE_PROBLEM_BYTES + 8));
	buf_init(&f->drift, FACTS_DRIFT_BYTES);
}

void facts_fini(struct facts *f)
{
	for (size_t i = 0; i < f->file_count; i++)
		facts_file_fini(f->room, &f->files[i]);
	for (size_t i = 0; i < f->setid_count; i++)
		drop(f->room, f->setids[i].path);
	for (size_t i = 0; i < f->link_count; i++) {
		drop(f->room, f->links[i].path);
		drop(f->room, f->links[i].target);
	}
	if (f->room)
		f->room->bytes_left += f->file_size * sizeof(*f->files) + f->setid_size * sizeof(*f->setids) +
				       f->link_size * sizeof(*f->links);
	free(f->files);
	free(f->setids);
	free(f->links);
	free(f->keys);
	buf_fini(&f->os_release[0]);
	buf_fini(&f->os_release[1]);
	buf_fini(&f->passwd);
	buf_fini(&f->problems);
	buf_fini(&f->drift);
	*f = (struct facts){ 0 };
}

/* ---- a copy ---- */

static int copy_file(struct facts_room *room, const struct facts_file *f, struct facts_file *ret, struct err *err)
{
	*ret = (struct facts_file){ .row = f->row, .path_n = f->path_n, .is_of_link = f->is_of_link, .turn = f->turn };
	buf_init(&ret->packages, IMAGE_FACTS_BYTES);
	buf_init(&ret->owned, IMAGE_FACTS_BYTES);
	if (f->package_count > room->packages_left || f->owned_count > room->owned_left)
		return err_set(err, ERR_LIMIT, "more packages than are allowed for an image");
	int r = room_take(room, f->packages.n + f->owned.n, err);
	if (r < 0)
		return r;
	buf_add_slice(&ret->packages, buf_slice(&f->packages));
	buf_add_slice(&ret->owned, buf_slice(&f->owned));
	room->packages_left -= ret->package_count = f->package_count;
	room->owned_left -= ret->owned_count = f->owned_count;
	ret->path = room_dup(room, slice_from(f->path, f->path_n), err);
	return !ret->path || ret->packages.failed || ret->owned.failed ? err_set(err, ERR_LIMIT, "a layer's copy") : 0;
}

static int copy_lists(const struct facts *f, struct facts *ret, struct err *err)
{
	int r = room_take(f->room,
			  f->file_count * sizeof(*f->files) + f->setid_count * sizeof(*f->setids) +
				  f->link_count * sizeof(*f->links),
			  err);
	if (r < 0)
		return r;
	ret->file_size = f->file_count;
	ret->setid_size = f->setid_count;
	ret->link_size = f->link_count;
	ret->files = calloc(f->file_count + 1, sizeof(*f->files));
	ret->setids = calloc(f->setid_count + 1, sizeof(*f->setids));
	ret->links = calloc(f->link_count + 1, sizeof(*f->links));
	if (!ret->files || !ret->setids || !ret->links)
		return err_set(err, ENOMEM, "copy a layer");
	for (; r >= 0 && ret->file_count < f->file_count; ret->file_count++)
		r = copy_file(f->room, &f->files[ret->file_count], &ret->files[ret->file_count], err);
	for (; r >= 0 && ret->setid_count < f->setid_count; ret->setid_count++) {
		struct facts_setid *s = &ret->setids[ret->setid_count];

		*s = f->setids[ret->setid_count];
		s->path = room_dup(f->room, slice_of(s->path), err);
		r = s->path ? 0 : -ERR_LIMIT;
	}
	for (; r >= 0 && ret->link_count < f->link_count; ret->link_count++) {
		struct facts_link *l = &ret->links[ret->link_count];
		const struct facts_link *from = &f->links[ret->link_count];

		*l = (struct facts_link){ room_dup(f->room, slice_of(from->path), err),
					  room_dup(f->room, slice_of(from->target), err), from->is_hard };
		r = l->path && l->target ? 0 : -ERR_LIMIT;
	}
	return r;
}

int facts_copy(const struct facts *f, struct facts *ret, struct err *err)
{
	int r = 0;

	facts_init(ret, f->room);
	for (size_t i = 0; r >= 0 && i < f->key_count; i++)
		r = facts_add_key(ret, f->keys[i], (enum facts_tag)(f->keys[i] & 3), err);
	buf_add_slice(&ret->os_release[0], buf_slice(&f->os_release[0]));
	buf_add_slice(&ret->os_release[1], buf_slice(&f->os_release[1]));
	buf_add_slice(&ret->passwd, buf_slice(&f->passwd));
	buf_add_slice(&ret->problems, buf_slice(&f->problems));
	buf_add_slice(&ret->drift, buf_slice(&f->drift));
	ret->problem_count = f->problem_count;
	ret->drift_total = f->drift_total;
	ret->bytes = f->bytes;
	return r < 0 ? r : copy_lists(f, ret, err);
}
