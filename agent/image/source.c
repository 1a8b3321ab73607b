/* source.c - see source.h: folders, archives and OCI layouts on this host. */
#include "agent/image/source.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "agent/image/image_limits.h"
#include "agent/image/stream.h"
#include "common/file.h"
#include "common/text.h"

void source_init(struct source *s)
{
	*s = (struct source){ .root_fd = -1 };
}

static void free_texts(char **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

void source_fini(struct source *s)
{
	if (s->fini)
		s->fini(s);
	for (size_t i = 0; i < s->folder_count; i++)
		close(s->folders[i]);
	if (s->root_fd >= 0)
		close(s->root_fd);
	free(s->image_id);
	free_texts(s->names, s->name_count);
	free_texts(s->repo_digests, s->repo_digest_count);
	source_init(s);
}

/* ---- folders ---- */

int source_add_folder(struct source *s, const char *path, struct err *err)
{
	if (s->folder_count == LIMIT_LAYERS)
		return err_set(err, ERR_LIMIT, "more than %d layers", LIMIT_LAYERS);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "open '%.160s'", path);
	s->folders[s->folder_count++] = fd;
	return 0;
}

/* One step or many, never out of the folder, never through a link. */
static int open_below(int folder, const char *path, uint64_t flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
}

static int is_opaque(struct source *s, const struct chan_msg *ask)
{
	char path[LIMIT_PATH_BYTES + 1], value[2] = { 0 };

	if (ask->a >= s->folder_count || !slice_copy(ask->data, path, sizeof(path)))
		return 0;
	/* fgetxattr wants more than O_PATH. */
	CLEANUP(fd_closep) int fd = open_below(s->folders[ask->a], path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return 0;
	return (fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)) == 1 && *value == 'y') ||
	       (fgetxattr(fd, "user.overlay.opaque", value, sizeof(value)) == 1 && *value == 'y');
}

int source_answer_folder(struct source *s, const struct chan_msg *ask, struct answer *ret, struct err *err)
{
	if (ask->what == CHAN_ASK_OPAQUE) {
		ret->a = (uint64_t)is_opaque(s, ask);
		return 0;
	}
	if (ask->what != CHAN_ASK_LAYER || ask->a >= s->folder_count)
		return err_set(err, ERR_CORRUPT, "the worker asked for what there is not (%u)", ask->what);
	ret->fd = fcntl(s->folders[ask->a], F_DUPFD_CLOEXEC, 0);
	return ret->fd < 0 ? err_set(err, errno, "hand over a folder") : 0;
}

int source_open_folder(const char *path, struct source *ret, struct err *err)
{
	struct stat st;

	source_init(ret);
	if (stat(path, &st) < 0)
		return err_set(err, errno, "'%.160s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ENOTDIR, "'%.160s'", path);
	int r = source_add_folder(ret, path, err);
	if (r < 0)
		return r;
	ret->root_fd = fcntl(ret->folders[0], F_DUPFD_CLOEXEC, 0);
	ret->job = (struct job){ .form = WORKER_FOLDERS, .layers = 1, .reads_all = true, .kind = "directory" };
	return 0;
}

/* ---- one file ---- */

static int open_file(const char *path, uint64_t *ret_size, struct err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_set(err, errno, "open '%.160s'", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, S_ISDIR(st.st_mode) ? EISDIR : EINVAL, "'%.160s' is no file", path);
	}
	*ret_size = (uint64_t)st.st_size;
	return fd;
}

static int answer_archive(struct source *s, const struct chan_msg *ask, struct answer *ret, struct err *err)
{
	const char *path = s->arg;

	if (ask->what != CHAN_ASK_ARCHIVE)
		return err_set(err, ERR_CORRUPT, "the worker asked for what there is not (%u)", ask->what);
	int fd = open_file(path, &ret->b, err);
	if (fd >= 0)
		ret->fd = fd;
	return fd < 0 ? fd : 0;
}

static void free_arg(struct source *s)
{
	free(s->arg);
}

int source_open_archive(const char *path, bool prefers_oci, struct source *ret, struct err *err)
{
	uint64_t size;

	source_init(ret);
	int fd = open_file(path, &size, err);
	if (fd < 0)
		return fd;
	close(fd);
	ret->job = (struct job){ .form = WORKER_ARCHIVE, .prefers_oci = prefers_oci, .kind = "image" };
	ret->arg = strdup(path);
	ret->answer = answer_archive;
	ret->fini = free_arg;
	return ret->arg ? 0 : err_set(err, ENOMEM, "open an archive");
}

/* ---- an OCI layout ---- */

static int answer_oci(struct source *s, const struct chan_msg *ask, struct answer *ret, struct err *err)
{
	const int *folder = s->arg;
	char path[128] = "index.json";
	struct stat st;

	if (ask->what == CHAN_ASK_MANIFEST || ask->what == CHAN_ASK_BLOB) {
		if (!stream_is_digest(ask->data))
			return err_set(err, ERR_CORRUPT, "the worker asked for what is no digest");
		(void)snprintf(path, sizeof(path), "blobs/sha256/%.64s", ask->data.p + 7);
	} else if (ask->what != CHAN_ASK_TOP) {
		return err_set(err, ERR_CORRUPT, "the worker asked for what there is not (%u)", ask->what);
	}
	ret->fd = open_below(*folder, path, O_RDONLY | O_NONBLOCK);
	if (ret->fd < 0)
		return err_set(err, errno == ENOENT ? ERR_CORRUPT : errno, "the OCI layout has no %s", path);
	if (fstat(ret->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, ERR_CORRUPT, "%s is no file", path);
	ret->b = (uint64_t)st.st_size;
	return 0;
}

static void close_oci(struct source *s)
{
	int *folder = s->arg;

	if (folder && *folder >= 0)
		close(*folder);
	free(folder);
}

int source_open_oci(const char *path, struct source *ret, struct err *err)
{
	source_init(ret);
	int *folder = malloc(sizeof(*folder));
	if (!folder)
		return err_set(err, ENOMEM, "open an OCI layout");
	*folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ret->arg = folder;
	ret->fini = close_oci;
	ret->answer = answer_oci;
	ret->job = (struct job){ .form = WORKER_BLOBS, .kind = "image" };
	return *folder < 0 ? err_set(err, errno, "open '%.160s'", path) : 0;
}

/* ---- bytes ---- */

int source_answer_bytes(struct slice bytes, struct answer *ret, struct err *err)
{
	CLEANUP(fd_closep) int fd = memfd_create("picket-document", MFD_CLOEXEC);

	if (fd < 0)
		return err_set(err, errno, "hand over a document");
	int r = file_write_all(fd, bytes.p, bytes.n, err);
	if (r < 0)
		return r;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_set(err, errno, "hand over a document");
	ret->b = bytes.n;
	ret->fd = take_fd(&fd);
	return 0;
}

int source_open(enum image_kind kind, const char *rest, const struct image_options *o, struct source *ret,
		struct err *err)
{
	switch (kind) {
	case IMAGE_ENGINE:
		return source_open_engine(rest, o, ret, err);
	case IMAGE_CONTAINER:
		return source_open_container(rest, o, ret, err);
	case IMAGE_DOCKER_ARCHIVE:
		return source_open_archive(rest, false, ret, err);
	case IMAGE_OCI_ARCHIVE:
		return source_open_archive(rest, true, ret, err);
	case IMAGE_OCI:
		return source_open_oci(rest, ret, err);
	case IMAGE_DIR:
		return source_open_folder(rest, ret, err);
	case IMAGE_REGISTRY:
		return source_open_registry(rest, o, ret, err);
	}
	return err_set(err, EINVAL, "kind %d of image", (int)kind);
}
