/* devices.c - which device a path of --device really is. The engine follows links and takes a node of any name, in
 * /dev/shm too, where everybody may put links; the policy compares names. So the name that the kernel has for the node's
 * number stands beside the one asked for, and both are judged.
 *
 *   /dev/shm/x ──openat2──► character, 1:1 ──/sys/dev/char/1:1/uevent──► "mem" ──► "/dev/mem" */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "agent/guard/authz/authz_priv.h"
#include "common/file.h"

enum { UEVENT_BYTES = 4096 };
static const char anything[] = "/dev";

static const char *name_of(const struct stat *st, struct arena *a)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char path[96];
	struct slice rest, line;

	snprintf(path, sizeof(path), "/sys/dev/%s/%u:%u/uevent", S_ISBLK(st->st_mode) ? "block" : "char", major(st->st_rdev),
		 minor(st->st_rdev));
	if (file_read(path, UEVENT_BYTES, &text, NULL) < 0)
		return NULL;
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line))
		if (slice_starts(line, SLICE_LIT("DEVNAME=")))
			return arena_printf(a, "/dev/%.*s", (int)(line.n - 8), line.p + 8);
	return NULL;
}

/* "": as it is called, or not here at all. */
static const char *real_device(const char *path, struct arena *a)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS };
	CLEANUP(fd_closep) int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	char link[64], real[4096];
	const char *name = NULL;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT && lstat(path, &st) < 0 ? "" : anything;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, real, sizeof(real) - 1);
	if (fstat(fd, &st) < 0 || n <= 0 || n == (ssize_t)sizeof(real) - 1)
		return anything;
	real[n] = 0;
	/* A node that the kernel has no name for opens what its number says: nothing there, or nobody knows what. */
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		name = name_of(&st, a);
		if (!name && strncmp(real, "/dev/", 5) != 0)
			return anything;
	}
	name = name ? name : arena_dup(a, slice_of(real));
	return !name ? anything : strcmp(name, path) ? name : "";
}

void authz_resolve_devices(struct policy_workload *w, struct arena *a)
{
	static const char *const all[] = { "/dev" };
	size_t count = w->devices.count, n = count;
	const char **v = count ? arena_zalloc(a, 2 * count, sizeof(*v)) : NULL;

	for (size_t i = 0; v && i < count; i++) {
		const char *asked = w->devices.v[i];
		char *path = arena_dup(a, (struct slice){ asked, strcspn(asked, ":") });
		const char *real = !path ? anything : *path == '/' ? real_device(path, a) : "";

		v[i] = asked;
		if (*real && !(v[n++] = arena_printf(a, "%s%s", real, asked + strcspn(asked, ":"))))
			v = NULL;
	}
	if (count)
		w->devices = v ? (struct policy_texts){ v, n } : (struct policy_texts){ all, 1 };
}
