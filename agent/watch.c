/* watch.c - see watch.h. */
#include "agent/watch.h"

#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "common/slice.h"

enum { LATEST_ROUNDS = 10, PATH_BYTES = 4096, READ_BYTES = 16 * 1024 };

static const uint32_t wanted = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE |
			       IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

struct watch {
	int fd;
	struct loop_fd *ready;
	struct loop_timer *quiet;
	unsigned put_off; /* how often a further change made it wait again */
	bool is_waiting;
	loop_fn fn;
	void *arg;
	struct watched {
		int wd;
		char *file; /* owned: its name in the folder; NULL: every rule file in it */
	} all[WATCH_PATHS_MAX];
	size_t count;
};

static bool is_rule_file(struct slice name)
{
	return name.n && name.p[0] != '.' &&
	       (slice_ends(name, SLICE_LIT(".yaml")) || slice_ends(name, SLICE_LIT(".yml")));
}

/* Kubernetes swaps ..data, which all files of a mounted configuration are links through. */
static bool is_of_interest(const struct watch *w, const struct inotify_event *e)
{
	struct slice name = e->len ? slice_of(e->name) : SLICE_NONE;

	if (e->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF) || slice_is(name, "..data"))
		return true;
	for (size_t i = 0; i < w->count; i++) {
		if (w->all[i].wd != e->wd)
			continue;
		if (w->all[i].file ? slice_is(name, w->all[i].file) : is_rule_file(name))
			return true;
	}
	return false;
}

static void on_ready(void *arg, int fd, unsigned ready)
{
	struct watch *w = arg;
	_Alignas(struct inotify_event) char bytes[READ_BYTES];
	bool changed = false;

	(void)ready;
	for (ssize_t n; (n = read(fd, bytes, sizeof(bytes))) > 0;) {
		for (char *at = bytes; at < bytes + n;) {
			const struct inotify_event *e = (const struct inotify_event *)(void *)at;

			changed = changed || is_of_interest(w, e);
			at += sizeof(*e) + e->len;
		}
	}
	if (!changed || (w->is_waiting && ++w->put_off >= LATEST_ROUNDS))
		return;
	w->is_waiting = true;
	loop_timer_once(w->quiet, WATCH_QUIET_MS);
}

static void on_quiet(void *arg)
{
	struct watch *w = arg;

	w->is_waiting = false;
	w->put_off = 0;
	w->fn(w->arg);
}

int watch_new(struct loop *l, loop_fn fn, void *arg, struct watch **ret, struct err *err)
{
	CLEANUP(watch_freep) struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(err, ENOMEM, "watch");
	w->fn = fn;
	w->arg = arg;
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0)
		return err_set(err, errno, "inotify");
	w->ready = loop_fd_new(l, w->fd, LOOP_READ, on_ready, w);
	w->quiet = loop_timer_new(l, on_quiet, w);
	if (!w->ready || !w->quiet)
		return err_set(err, ENOMEM, "watch");
	*ret = take_ptr(w);
	return 0;
}

static void forget_all(struct watch *w)
{
	for (size_t i = 0; i < w->count; i++) {
		(void)inotify_rm_watch(w->fd, w->all[i].wd); /* twice for two files of a folder: harmless */
		free(w->all[i].file);
	}
	w->count = 0;
}

static int add_path(struct watch *w, const char *path, struct err *err)
{
	struct watched *x = &w->all[w->count];
	char folder[PATH_BYTES];
	struct stat st;

	if (!slice_copy(slice_of(path), folder, sizeof(folder)))
		return err_set(err, ENAMETOOLONG, "watch '%s'", path);
	*x = (struct watched){ 0 };
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode)) {
		char *slash = strrchr(folder, '/');

		x->file = slice_dup(slice_of(slash ? slash + 1 : folder));
		if (!x->file)
			return err_set(err, ENOMEM, "watch");
		if (!slash)
			slice_copy(slice_of("."), folder, sizeof(folder));
		else
			slash[slash == folder] = 0;
	}
	x->wd = inotify_add_watch(w->fd, folder, wanted);
	if (x->wd < 0) {
		int code = errno;

		free(x->file);
		return err_set(err, code, "watch '%s'", folder);
	}
	w->count++;
	return 0;
}

int watch_set(struct watch *w, const char *const *paths, size_t count, struct err *err)
{
	int result = 0;

	forget_all(w);
	for (size_t i = 0; i < count; i++) {
		struct err why;
		int r = i < WATCH_PATHS_MAX ? add_path(w, paths[i], &why)
					    : err_set(&why, ERR_LIMIT, "more than %d paths", WATCH_PATHS_MAX);

		if (r < 0 && result >= 0) {
			result = r;
			if (err)
				*err = why;
		}
	}
	return result;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	forget_all(w);
	loop_timer_free(w->quiet);
	loop_fd_free(w->ready);
	if (w->fd > 0)
		close(w->fd);
	free(w);
}
