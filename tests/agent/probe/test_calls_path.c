/* test_calls_path.c - calls that name files: every one of them, with and without a directory. */
#include "tests/agent/probe/watch_calls.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

enum { DIR_FD = 50, BAD_FD = 999, PATH_ROOM = 128 };

/* D below stands for the test's directory in what is wanted; dfd is its "sub". */
#define D "\001"
#define S(text) (long)(text)

struct row {
	enum call call;
	long nr, arg[5];
	long want_ret;
	const char *path, *raw, *base, *raw2, *base2;
};

static char dir[64], absolute[PATH_ROOM], absolute2[PATH_ROOM], too_long[5000];

static struct row rows[] = {
#ifdef SYS_mkdir
	{ CALL_MKDIR, SYS_mkdir, { S("a"), 0700 }, 0, "", "a", D, "", "" },
	{ CALL_MKDIR, SYS_mkdir, { S(absolute), 0700 }, 0, "", absolute, "", "", "" },
	{ CALL_MKDIR, SYS_mkdir, { 1, 0700 }, -EFAULT, "", "", "", "", "" },
	{ CALL_RMDIR, SYS_rmdir, { S("a") }, 0, "", "a", D, "", "" },
	{ CALL_MKNOD, SYS_mknod, { S("f"), S_IFREG | 0600 }, 0, "", "f", D, "", "" },
	{ CALL_CHMOD, SYS_chmod, { S("./f"), 0755 }, 0, "", "./f", D, "", "" },
	{ CALL_CHOWN, SYS_chown, { S("f"), 1, 1 }, 0, "", "f", D, "", "" },
	{ CALL_LCHOWN, SYS_lchown, { S("f"), 0, 0 }, 0, "", "f", D, "", "" },
	{ CALL_LINK, SYS_link, { S("f"), S("sub/../h") }, 0, "", "f", D, "sub/../h", D },
	{ CALL_SYMLINK, SYS_symlink, { S("../to"), S("l") }, 0, "", "../to", "", "l", D },
	{ CALL_RENAME, SYS_rename, { S("h"), S("h2") }, 0, "", "h", D, "h2", D },
	{ CALL_UNLINK, SYS_unlink, { S("l") }, 0, "", "l", D, "", "" },
	{ CALL_UNLINK, SYS_unlink, { S("none") }, -ENOENT, "", "none", D, "", "" },
#endif
	{ CALL_MKDIRAT, SYS_mkdirat, { DIR_FD, S("x"), 0700 }, 0, "", "x", D "/sub", "", "" },
	{ CALL_MKDIRAT, SYS_mkdirat, { AT_FDCWD, S("y"), 0700 }, 0, "", "y", D, "", "" },
	{ CALL_MKDIRAT, SYS_mkdirat, { BAD_FD, S("z"), 0700 }, -EBADF, "", "z", "", "", "" },
	{ CALL_MKNODAT, SYS_mknodat, { DIR_FD, S("g"), S_IFREG | 0600 }, 0, "", "g", D "/sub", "", "" },
	{ CALL_FCHMODAT, SYS_fchmodat, { DIR_FD, S("g"), 0755 }, 0, "", "g", D "/sub", "", "" },
	{ CALL_FCHMODAT2, SYS_fchmodat2, { DIR_FD, S("g"), 0755, 0 }, 0, "", "g", D "/sub", "", "" },
	{ CALL_FCHOWNAT, SYS_fchownat, { DIR_FD, S(""), 0, 0, AT_EMPTY_PATH }, 0, "", "", D "/sub", "",
	  "" },
	{ CALL_LINKAT, SYS_linkat, { DIR_FD, S("g"), AT_FDCWD, S("k") }, 0, "", "g", D "/sub", "k", D },
	{ CALL_SYMLINKAT, SYS_symlinkat, { S("to"), DIR_FD, S("m") }, 0, "", "to", "", "m", D "/sub" },
	{ CALL_RENAMEAT, SYS_renameat, { AT_FDCWD, S("k"), DIR_FD, S("k2") }, 0, "", "k", D, "k2",
	  D "/sub" },
	{ CALL_RENAMEAT2, SYS_renameat2, { DIR_FD, S("k2"), AT_FDCWD, S(absolute2), 0 }, 0, "", "k2",
	  D "/sub", absolute2, "" },
	{ CALL_UNLINKAT, SYS_unlinkat, { DIR_FD, S("g") }, 0, "", "g", D "/sub", "", "" },
	{ CALL_MOUNT, SYS_mount, { S("tmpfs"), S("y"), S("tmpfs") }, 0, "", "tmpfs", "", "y", D },
	{ CALL_MOUNT, SYS_mount, { S("sub"), S("y"), 0, MS_BIND }, 0, "", "sub", D, "y", D },
	{ CALL_UMOUNT2, SYS_umount2, { S("y"), MNT_DETACH }, 0, "", "y", D, "", "" },
	{ CALL_MOVE_MOUNT, SYS_move_mount, { BAD_FD, S(""), AT_FDCWD, S("y"), 4 }, -EBADF, "", "", "",
	  "y", D },
	{ CALL_PIVOT_ROOT, SYS_pivot_root, { S("none"), S("y") }, -ENOENT, "", "none", D, "y", D },
	{ CALL_CHROOT, SYS_chroot, { S("none") }, -ENOENT, "", "none", D, "", "" },
	{ CALL_CHDIR, SYS_chdir, { S("none") }, -ENOENT, "", "none", D, "", "" },
	/* What was reached is known better than any text: no base, which would be the place after. */
	{ CALL_CHDIR, SYS_chdir, { S("sub/./x/..") }, 0, D "/sub", "sub/./x/..", "", "", "" },
	{ CALL_CHROOT, SYS_chroot, { S("x") }, 0, D "/sub/x", "x", "", "", "" },
};

static void act(void)
{
	must(unshare(CLONE_NEWNS));
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(chdir(dir));
	must(mkdir("sub", 0700));
	must(dup2((int)must(open("sub", O_DIRECTORY | O_RDONLY)), DIR_FD));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];

		(void)syscall(r->nr, r->arg[0], r->arg[1], r->arg[2], r->arg[3], r->arg[4]);
	}
}

static const char *expand(const char *want, char *buf, size_t size)
{
	if (want[0] != D[0])
		return want;
	snprintf(buf, size, "%s%s", dir, want + 1);
	return buf;
}

static void every_call_carries_its_texts_and_what_they_count_from(void **state)
{
	struct watch *w = *state;
	int nth[CALL_COUNT] = { [CALL_CHDIR] = 1, [CALL_MOUNT] = 1 }; /* act's own before */
	char buf[256];

#ifdef SYS_mkdir
	nth[CALL_MKDIR] = 1;
#else
	nth[CALL_MKDIRAT] = 1;
#endif
	pid_t pid = watch_child(w, act);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		const struct event_call *c = watch_call(w, pid, r->call, nth[r->call]++);

		if (c->ret == -ENOSYS) /* fchmodat2, before 6.6 */
			continue;
		CHECK_NUMBER(c, ret, r->want_ret);
		CHECK_NUMBER(c, arg[0], r->arg[0]);
		CHECK_NUMBER(c, fd, -1);
		CHECK_TEXT(c, path, expand(r->path, buf, sizeof(buf)));
		CHECK_TEXT(c, raw, r->raw);
		CHECK_TEXT(c, raw2, r->raw2);
		CHECK_TEXT(c, base, expand(r->base, buf, sizeof(buf)));
		CHECK_TEXT(c, base2, expand(r->base2, buf, sizeof(buf)));
		assert_false(c->raw_truncated || c->raw2_truncated || c->path_truncated);
	}
}

static void name_too_long(void)
{
	memset(too_long, 'a', sizeof(too_long) - 1);
	(void)syscall(SYS_mkdirat, AT_FDCWD, too_long, 0700);
	(void)syscall(SYS_renameat2, AT_FDCWD, too_long + 904, AT_FDCWD, too_long, 0);
}

static void a_text_longer_than_a_path_may_be_is_cut_and_marked(void **state)
{
	struct watch *w = *state;
	pid_t pid = watch_child(w, name_too_long);
	const struct event_call *c = watch_call(w, pid, CALL_MKDIRAT, 0);

	CHECK_NUMBER(c, ret, -ENAMETOOLONG);
	CHECK_NUMBER(c, raw.n, 4095);
	assert_true(c->raw_truncated);
	c = watch_call(w, pid, CALL_RENAMEAT2, 0);
	CHECK_NUMBER(c, raw.n, 4095);
	assert_false(c->raw_truncated); /* as long as it may be, and whole */
	CHECK_NUMBER(c, raw2.n, 4095);
	assert_true(c->raw2_truncated);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_call_carries_its_texts_and_what_they_count_from),
		cmocka_unit_test(a_text_longer_than_a_path_may_be_is_cut_and_marked),
	};
	char command[PATH_ROOM];
	int r = watch_begin(argc, argv);

	if (r)
		return r;
	snprintf(dir, sizeof(dir), "/tmp/picket-path-%d", (int)getpid());
	snprintf(absolute, sizeof(absolute), "%s/abs", dir);
	snprintf(absolute2, sizeof(absolute2), "%s/abs2", dir);
	if (mkdir(dir, 0700) < 0)
		return 1;
	r = cmocka_run_group_tests(tests, watch_setup, watch_teardown);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) ? 1 : r;
}
