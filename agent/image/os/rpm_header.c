/* rpm_header.c - see rpm_header.h.
 *
 *   count:be32 bytes:be32 { tag type offset count }:4 x be32 [count] values[bytes]
 *
 * Values are read where they lie, through windows that move: a kernel's header with its 80,000 files is
 * 12 MB, and a hostile one as large as it says. */
#include "agent/image/os/rpm_header.h"

#include <errno.h>
#include <sys/stat.h>

enum tag {
	TAG_NAME = 1000,
	TAG_VERSION = 1001,
	TAG_RELEASE = 1002,
	TAG_EPOCH = 1003,
	TAG_ARCH = 1022,
	TAG_FILEMODES = 1030,
	TAG_SOURCERPM = 1044,
	TAG_DIRINDEXES = 1116,
	TAG_BASENAMES = 1117,
	TAG_DIRNAMES = 1118,
};
enum type { TYPE_INT16 = 3, TYPE_INT32 = 4, TYPE_STRING = 6, TYPE_STRINGS = 8 };
enum {
	TAGS_MAX = 65535, /* rpm's own bound */
	ENTRY = 16,
	FOLDERS_MAX = 1 << 18,
	TEXT_MAX = 512, /* of a name, version, release; the sum of them fits OS_TEXT_MAX */
	WINDOW = 64 * 1024,
};

struct value {
	uint32_t count;
	uint64_t off; /* in the blob */
	bool is_there;
};

struct header {
	const struct blob *b;
	struct window w;
	uint64_t end; /* of the values */
	struct value name, version, release, epoch, arch, source_rpm, modes, folder_numbers, names, folders;
};

struct texts {
	char name[TEXT_MAX + 1], version[TEXT_MAX + 1], release[TEXT_MAX + 1], arch[TEXT_MAX + 1],
		source_rpm[TEXT_MAX + 1];
	char evr[OS_TEXT_MAX + 64], source_evr[OS_TEXT_MAX + 64], key[3 * OS_TEXT_MAX];
	uint32_t epoch;
};

/* ---- the index ---- */

static int take_entry(struct header *h, const char *entry, uint64_t values, uint32_t bytes, struct err *err)
{
	const struct {
		enum tag tag;
		enum type type;
		unsigned width; /* bytes at least, each */
		struct value *to;
	} wanted[] = {
		{ TAG_NAME, TYPE_STRING, 1, &h->name },
		{ TAG_VERSION, TYPE_STRING, 1, &h->version },
		{ TAG_RELEASE, TYPE_STRING, 1, &h->release },
		{ TAG_EPOCH, TYPE_INT32, 4, &h->epoch },
		{ TAG_ARCH, TYPE_STRING, 1, &h->arch },
		{ TAG_SOURCERPM, TYPE_STRING, 1, &h->source_rpm },
		{ TAG_FILEMODES, TYPE_INT16, 2, &h->modes },
		{ TAG_DIRINDEXES, TYPE_INT32, 4, &h->folder_numbers },
		{ TAG_BASENAMES, TYPE_STRINGS, 1, &h->names },
		{ TAG_DIRNAMES, TYPE_STRINGS, 1, &h->folders },
	};
	uint32_t tag = get_be32(entry), type = get_be32(entry + 4), off = get_be32(entry + 8),
		 count = get_be32(entry + 12);

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		if (tag != (uint32_t)wanted[i].tag || wanted[i].to->is_there)
			continue;
		if (type != (uint32_t)wanted[i].type || !count || off >= bytes ||
		    (uint64_t)count * wanted[i].width > bytes - off)
			return err_set(err, ERR_CORRUPT, "rpm header: tag %u has type %u, %u values at %u of %u bytes",
				       tag, type, count, off, bytes);
		*wanted[i].to = (struct value){ .count = count, .off = values + off, .is_there = true };
	}
	return 0;
}

static int read_index(struct header *h, struct err *err)
{
	const char *p;

	int r = window_get(&h->w, 0, 8, &p, err);
	if (r < 0)
		return r;
	uint32_t tags = get_be32(p), bytes = get_be32(p + 4);
	if (!tags || tags > TAGS_MAX || bytes > RPM_HEADER_MAX)
		return err_set(err, ERR_CORRUPT, "rpm header: %u tags, %u bytes of values", tags, bytes);
	const uint64_t values = 8 + (uint64_t)tags * ENTRY;
	h->end = values + bytes;
	if (h->end > h->b->size)
		return err_set(err, ERR_CORRUPT, "rpm header: %llu bytes, should be %llu",
			       (unsigned long long)h->b->size, (unsigned long long)h->end);
	for (uint32_t i = 0; r >= 0 && i < tags; i++) {
		r = window_get(&h->w, 8 + (uint64_t)i * ENTRY, ENTRY, &p, err);
		if (r >= 0)
			r = take_entry(h, p, values, bytes, err);
	}
	return r;
}

/* ---- the package ---- */

static int read_string(struct header *h, const struct value *v, char dst[TEXT_MAX + 1], struct err *err)
{
	struct slice s;

	dst[0] = '\0';
	if (!v->is_there)
		return 0;
	int r = window_text(&h->w, v->off, TEXT_MAX, '\0', &s, err);
	if (r >= 0)
		(void)slice_copy(s, dst, TEXT_MAX + 1);
	return r;
}

static int read_texts(struct header *h, struct texts *t, struct err *err)
{
	const char *p;

	int r = read_string(h, &h->name, t->name, err);
	if (r >= 0)
		r = read_string(h, &h->version, t->version, err);
	if (r >= 0)
		r = read_string(h, &h->release, t->release, err);
	if (r >= 0)
		r = read_string(h, &h->arch, t->arch, err);
	if (r >= 0)
		r = read_string(h, &h->source_rpm, t->source_rpm, err);
	t->epoch = 0;
	if (r >= 0 && h->epoch.is_there) {
		r = window_get(&h->w, h->epoch.off, 4, &p, err);
		if (r >= 0)
			t->epoch = get_be32(p);
	}
	if (r >= 0 && (!t->name[0] || !t->version[0] || !t->release[0]))
		return err_set(err, ERR_CORRUPT, "rpm header: no name, version or release");
	return r;
}

/* [epoch:]version-release; no epoch is 0. */
static struct slice write_evr(char *dst, size_t size, uint32_t epoch, struct slice version, struct slice release)
{
	char before[16] = "";

	if (epoch)
		(void)snprintf(before, sizeof(before), "%u:", epoch);
	int n = snprintf(dst, size, "%s%.*s-%.*s", before, SLICE_FMT(version), SLICE_FMT(release));
	return slice_from(dst, (size_t)n);
}

static bool cut_last(struct slice *s, char at, struct slice *ret)
{
	for (size_t i = s->n; i; i--)
		if (s->p[i - 1] == at) {
			*ret = slice_sub(*s, i, s->n);
			s->n = i - 1;
			return true;
		}
	return false;
}

/* "util-linux-2.32.1-42.el8_8.src.rpm" -> name, version, release. The source's epoch is the package's. */
static void split_source(struct texts *t, struct pkg *p)
{
	struct slice s = slice_of(t->source_rpm), word, version, release;

	if (!slice_ends(s, SLICE_LIT(".rpm")))
		return;
	s.n -= 4;
	if (!cut_last(&s, '.', &word) || !cut_last(&s, '-', &release) || !cut_last(&s, '-', &version) || !s.n)
		return;
	p->source = s;
	p->source_version = write_evr(t->source_evr, sizeof(t->source_evr), t->epoch, version, release);
}

static struct slice give_package(struct emit *e, struct texts *t)
{
	struct pkg p = { .name = slice_of(t->name), .arch = slice_of(t->arch) };

	p.version = write_evr(t->evr, sizeof(t->evr), t->epoch, slice_of(t->version), slice_of(t->release));
	split_source(t, &p);
	/* Kernels stand side by side, and so do architectures. */
	int n = snprintf(t->key, sizeof(t->key), "%s-%s.%s", t->name, t->evr, t->arch);
	p.key = slice_from(t->key, (size_t)n);
	(void)os_emit_package(e, &p);
	return p.key;
}

/* ---- its files ---- */

/* Strings one after the other, with where the next one begins. */
struct strings {
	struct window w;
	uint64_t at;
	const struct header *h;
};

static int next_string(struct strings *s, struct slice *ret, struct err *err)
{
	if (s->at >= s->h->end)
		return err_set(err, ERR_CORRUPT, "rpm header: fewer strings than counted");
	int r = window_text(&s->w, s->at, OS_PATH_MAX, '\0', ret, err);
	if (r >= 0)
		s->at += ret->n + 1;
	return r;
}

struct files {
	struct strings names, folders;
	struct window numbers, modes;
	uint64_t *starts; /* of each folder's string */
	uint32_t folder;  /* the one in path; UINT32_MAX: none */
	size_t folder_n;
	char path[2 * OS_PATH_MAX + 2];
};

static void files_fini(struct files *f)
{
	window_fini(&f->names.w);
	window_fini(&f->folders.w);
	window_fini(&f->numbers);
	window_fini(&f->modes);
	free(f->starts);
	free(f);
}
DEFINE_CLEANUP(struct files, files_fini)

static int files_init(struct files *f, const struct header *h, struct err *err)
{
	f->names.h = f->folders.h = h;
	f->names.at = h->names.off;
	f->folders.at = h->folders.off;
	f->folder = UINT32_MAX;
	f->starts = calloc(h->folders.count, sizeof(*f->starts));
	int r = f->starts ? 0 : err_set(err, ENOMEM, "read an rpm header");
	if (r >= 0)
		r = window_init(&f->names.w, h->b, WINDOW, err);
	if (r >= 0)
		r = window_init(&f->folders.w, h->b, WINDOW, err);
	if (r >= 0)
		r = window_init(&f->numbers, h->b, WINDOW / 4, err);
	if (r >= 0)
		r = window_init(&f->modes, h->b, WINDOW / 4, err);
	for (uint32_t i = 0; r >= 0 && i < h->folders.count; i++) {
		struct slice s;

		f->starts[i] = f->folders.at;
		r = next_string(&f->folders, &s, err);
	}
	return r;
}

static int set_folder(struct files *f, uint32_t number, struct err *err)
{
	struct slice s;

	if (f->folder == number)
		return 0;
	int r = window_text(&f->folders.w, f->starts[number], OS_PATH_MAX, '\0', &s, err);
	if (r < 0)
		return r;
	if (s.n)
		memcpy(f->path, s.p, s.n);
	f->folder_n = s.n;
	f->folder = number;
	return 0;
}

/* 1: a file, its path in f->path and *ret; 0: a folder, passed over. */
static int next_file(struct files *f, const struct header *h, uint32_t i, struct slice *ret, struct err *err)
{
	struct slice name;
	const char *p;

	int r = next_string(&f->names, &name, err);
	if (r >= 0 && h->modes.is_there) {
		r = window_get(&f->modes, h->modes.off + 2ULL * i, 2, &p, err);
		if (r >= 0 && S_ISDIR(get_be16(p)))
			return 0;
	}
	if (r >= 0)
		r = window_get(&f->numbers, h->folder_numbers.off + 4ULL * i, 4, &p, err);
	if (r < 0)
		return r;
	uint32_t number = get_be32(p);
	if (number >= h->folders.count)
		return err_set(err, ERR_CORRUPT, "rpm header: file %u is in folder %u of %u", i, number,
			       h->folders.count);
	r = set_folder(f, number, err);
	if (r < 0)
		return r;
	if (name.n)
		memcpy(f->path + f->folder_n, name.p, name.n);
	*ret = slice_from(f->path, f->folder_n + name.n);
	return 1;
}

static int give_files(struct emit *e, const struct header *h, struct slice key, struct err *err)
{
	struct slice path;

	if (!h->names.is_there) /* it has none */
		return 0;
	if (!h->folders.is_there || !h->folder_numbers.is_there || h->folder_numbers.count != h->names.count ||
	    (h->modes.is_there && h->modes.count != h->names.count) || h->folders.count > FOLDERS_MAX)
		return err_set(err, ERR_CORRUPT, "rpm header: %u files, %u in folders, %u folders", h->names.count,
			       h->folder_numbers.count, h->folders.count);
	CLEANUP(files_finip) struct files *f = calloc(1, sizeof(*f));
	int r = f ? files_init(f, h, err) : err_set(err, ENOMEM, "read an rpm header");
	for (uint32_t i = 0; r >= 0 && i < h->names.count; i++) {
		r = next_file(f, h, i, &path, err);
		if (r > 0 && !os_emit_owned(e, key, path))
			break;
	}
	return r;
}

/* ---- together ---- */

static int give_header(struct emit *e, struct header *h, struct err *err)
{
	CLEANUP(freep) struct texts *t = malloc(sizeof(*t));

	int r = t ? window_init(&h->w, h->b, WINDOW, err) : err_set(err, ENOMEM, "read an rpm header");
	if (r >= 0)
		r = read_index(h, err);
	if (r >= 0)
		r = read_texts(h, t, err);
	if (r < 0 || !strcmp(t->name, "gpg-pubkey"))
		return r;
	struct slice key = give_package(e, t);
	return !e->stop && e->out->owned ? give_files(e, h, key, err) : 0;
}

bool rpm_header_give(struct emit *e, struct rpm_budget *left, const struct blob *b)
{
	struct header h = { .b = b };
	struct err err;

	if (!left->packages || left->bytes < b->size) {
		os_emit_wrong(e, ERR_CORRUPT, "more headers than fit the database");
		return false;
	}
	left->packages--;
	left->bytes -= b->size;
	int r = give_header(e, &h, &err);
	window_fini(&h.w);
	if (r < 0)
		os_emit_failed(e, r, &err);
	return !e->stop;
}
