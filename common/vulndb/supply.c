/* supply.c - see supply.h. libarchive reads files and archives, fts walks folders. */
#include "common/vulndb/supply.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "common/text.h"
#include "common/vulndb/limits.h"

enum { BLOCK = 65536, NAME_SIZE = 256, PASSED_OVER = 2 };

struct supply {
	struct archive *archive; /* of a file */
	FTS *fts;		 /* of a folder */
	int fd;			 /* the folder's file at hand, else -1 */
	char name[NAME_SIZE];
	uint64_t total, done, out, entries;
	bool is_broken;
	char block[BLOCK];
};

/* ---- archives ---- */

static int archive_failed(struct supply *s, struct err *err)
{
	const char *why = archive_error_string(s->archive);
	int code = archive_errno(s->archive);

	s->is_broken = true;
	if (code == ENOMEM)
		return err_set(err, ENOMEM, "read archive");
	return err_set(err, ERR_SYNTAX, "the archive is broken after %llu files: %.100s",
		       (unsigned long long)s->entries, why ? why : "?");
}

static int open_archive(struct supply *s, const char *path, struct err *err)
{
	struct archive *a = archive_read_new();

	s->archive = a;
	if (!a)
		return err_set(err, ENOMEM, "open '%s'", path);
	archive_read_support_filter_gzip(a);
	/* Not the zip reader that seeks: it keeps the whole table of contents in memory, however long it is. */
	archive_read_support_format_zip_streamable(a);
	archive_read_support_format_tar(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_filename(a, path, BLOCK) == ARCHIVE_OK)
		return 0;
	return err_set(err, archive_errno(a) == ENOENT ? ENOENT : ERR_SYNTAX, "open '%s': %.100s", path,
		       archive_error_string(a));
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What stands beside the records: read-mes, folders, what a file manager leaves. */
static bool is_wanted(const char *name)
{
	return name[0] != '.' && (slice_ends(slice_of(name), SLICE_LIT(".json")) || slice_ends(slice_of(name), SLICE_LIT(".csv")));
}

static int next_in_archive(struct supply *s, struct err *err)
{
	struct archive_entry *e;
	int rc = archive_read_next_header(s->archive, &e);

	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc < ARCHIVE_WARN)
		return archive_failed(s, err);
	const char *name = archive_entry_pathname(e);
	bool is_raw = archive_format(s->archive) == ARCHIVE_FORMAT_RAW;
	snprintf(s->name, sizeof(s->name), "%s", is_raw || !name ? "" : last_part(name));
	return is_raw || is_wanted(s->name) ? 1 : PASSED_OVER;
}

/* ---- folders ---- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

static int open_folder(const char *path, FTS **ret, struct err *err)
{
	char *const paths[] = { (char *)path, NULL };

	*ret = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT | FTS_XDEV, by_name);
	return *ret ? 0 : err_set(err, errno, "open folder '%s'", path);
}

/* The next wanted file below; NULL at the end, *r < 0 on an error. Links are not followed. */
static FTSENT *next_file(FTS *fts, int *r, struct err *err)
{
	*r = 0;
	for (FTSENT *e; (errno = 0, e = fts_read(fts));) {
		if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR)
			*r = err_set(err, e->fts_errno, "read '%s'", e->fts_path);
		if (*r < 0)
			return NULL;
		if (e->fts_info == FTS_D && e->fts_level > VULNDB_FOLDER_DEPTH_MAX)
			fts_set(fts, e, FTS_SKIP);
		if ((e->fts_info == FTS_F || e->fts_info == FTS_NSOK) && is_wanted(e->fts_name))
			return e;
	}
	if (errno)
		*r = err_set(err, errno, "read folder");
	return NULL;
}

/* Opened as what it is: a link or a pipe by that name is passed over. */
static int open_plain(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static int next_in_folder(struct supply *s, struct err *err)
{
	FTSENT *e;
	int r;

	fd_closep(&s->fd);
	s->fd = -1;
	while ((e = next_file(s->fts, &r, err))) {
		s->fd = open_plain(e->fts_path);
		if (s->fd < 0 && (errno == EINVAL || errno == ELOOP || errno == ENOENT))
			continue;
		if (s->fd < 0)
			return err_set(err, errno, "open '%s'", e->fts_path);
		snprintf(s->name, sizeof(s->name), "%s", e->fts_name);
		return 1;
	}
	return r;
}

/* ---- the source ---- */

int supply_open(const char *path, struct supply **ret, struct err *err)
{
	CLEANUP(supply_closep) struct supply *s = calloc(1, sizeof(*s));
	struct stat st;

	if (!s)
		return err_set(err, ENOMEM, "open '%s'", path);
	s->fd = -1;
	if (stat(path, &st) < 0)
		return err_set(err, errno, "open '%s'", path);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return err_set(err, ERR_SYNTAX, "'%s' is neither a file nor a folder", path);
	if (S_ISREG(st.st_mode) && !st.st_size)
		return err_set(err, ERR_SYNTAX, "'%s' is empty", path);
	s->total = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	int r = S_ISDIR(st.st_mode) ? open_folder(path, &s->fts, err) : open_archive(s, path, err);
	if (r < 0)
		return r;
	*ret = take_ptr(s);
	return 0;
}

int supply_next(struct supply *s, struct err *err)
{
	int r;

	do {
		if (++s->entries > VULNDB_ENTRIES_MAX) {
			s->is_broken = true;
			return err_set(err, ERR_LIMIT, "over %d files", VULNDB_ENTRIES_MAX);
		}
		r = s->fts ? next_in_folder(s, err) : next_in_archive(s, err);
	} while (r == PASSED_OVER);
	return r;
}

const char *supply_name(const struct supply *s)
{
	return s->name;
}

static bool is_out_of_proportion(const struct supply *s)
{
	return s->archive && s->out > (8 << 20) && s->out / VULNDB_RATIO_MAX > s->done;
}

/* A file may hold much more than it has bytes, but not without measure. */
static int check_out(struct supply *s, struct err *err)
{
	s->done = s->archive ? (uint64_t)archive_filter_bytes(s->archive, -1) : s->out;
	s->is_broken = s->out > VULNDB_SOURCE_MAX || is_out_of_proportion(s);
	if (s->out > VULNDB_SOURCE_MAX)
		return err_set(err, ERR_LIMIT, "over %llu GiB unpacked", VULNDB_SOURCE_MAX >> 30);
	if (s->is_broken)
		return err_set(err, ERR_LIMIT, "%llu MiB come out of %llu KiB: no advisories pack so well",
			       (unsigned long long)s->out >> 20, (unsigned long long)s->done >> 10);
	return 0;
}

int supply_read(struct supply *s, void *p, size_t n, struct err *err)
{
	ssize_t got;

	if (s->archive) {
		got = archive_read_data(s->archive, p, n);
		if (got < 0)
			return archive_failed(s, err);
	} else {
		do {
			got = read(s->fd, p, n);
		} while (got < 0 && errno == EINTR);
		if (got < 0)
			return err_set(err, errno, "read '%s'", s->name);
	}
	s->out += (uint64_t)got;
	int r = check_out(s, err);
	return r < 0 ? r : (int)got;
}

int supply_feed(struct supply *s, int (*feed)(void *reader, struct slice bytes, struct err *err), void *reader,
		struct err *err)
{
	int n;

	while ((n = supply_read(s, s->block, sizeof(s->block), err)) > 0) {
		int r = feed(reader, slice_from(s->block, (size_t)n), err);

		if (r < 0)
			return r;
	}
	return n;
}

bool supply_is_broken(const struct supply *s)
{
	return s->is_broken;
}

uint64_t supply_done(const struct supply *s)
{
	return s->done;
}

uint64_t supply_total(const struct supply *s)
{
	return s->total;
}

void supply_close(struct supply *s)
{
	if (!s)
		return;
	archive_read_free(s->archive);
	if (s->fts)
		fts_close(s->fts);
	fd_closep(&s->fd);
	free(s);
}

/* ---- digest ---- */

static void md_freep(EVP_MD_CTX **md)
{
	EVP_MD_CTX_free(*md);
}

static int digest_file(const char *path, EVP_MD_CTX *md, struct err *err)
{
	static const size_t size = BLOCK;
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CLEANUP(freep) char *block = malloc(size);

	if (fd < 0 || !block)
		return err_set(err, fd < 0 ? errno : ENOMEM, "read '%s'", path);
	for (ssize_t got; (got = read(fd, block, size)) != 0;) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(err, errno, "read '%s'", path);
		EVP_DigestUpdate(md, block, (size_t)got);
	}
	return 0;
}

int supply_digest(const char *path, char ret_hex[65], struct err *err)
{
	CLEANUP(md_freep) EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	struct stat st;

	if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		return err_set(err, ENOMEM, "SHA-256");
	if (stat(path, &st) < 0)
		return err_set(err, errno, "open '%s'", path);
	ret_hex[0] = 0;
	if (S_ISDIR(st.st_mode))
		return 0;
	int r = digest_file(path, md, err);
	if (r < 0)
		return r;
	EVP_DigestFinal_ex(md, sum, &n);
	text_hex(sum, n, ret_hex);
	return 0;
}
