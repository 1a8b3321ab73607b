/* sandbox.c - see sandbox.h. In the order of what each step still needs: rules of Landlock (open folders), the
 * new root (CAP_SYS_CHROOT), another user (CAP_SETUID), capabilities, Landlock, and system calls at last. */
#include "agent/image/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/image/image_limits.h"
#include "agent/image/sandbox_priv.h"

enum { NOBODY = 65534 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool is_sanitized = true; /* its shadow memory is no use of ours */
#else
static const bool is_sanitized = false;
#endif

static void add_note(char *note, const char *what)
{
	size_t n = strlen(note);

	snprintf(note + n, SANDBOX_NOTE_MAX - n, "%s%s", n ? ", " : "", what);
}

static int limit(int what, uint64_t value, struct err *err)
{
	struct rlimit r = { value, value };

	return setrlimit((__rlimit_resource_t)what, &r) < 0 ? err_set(err, errno, "limit resource %d", what) : 0;
}

static int set_limits(const struct sandbox *s, struct err *err)
{
	const struct {
		int what;
		uint64_t value;
	} rows[] = {
		{ RLIMIT_CORE, 0 },	       { RLIMIT_FSIZE, s->file_bytes }, { RLIMIT_CPU, s->cpu_s },
		{ RLIMIT_NOFILE, IMAGE_WORKER_FILES }, { RLIMIT_MEMLOCK, 0 },	{ RLIMIT_MSGQUEUE, 0 },
	};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(rows); i++)
		r = limit(rows[i].what, rows[i].value, err);
	/* Private writable memory, not address space: libraries' code is mapped, never written. */
	if (r >= 0 && !is_sanitized)
		r = limit(RLIMIT_DATA, s->data_bytes, err);
	return r;
}

static int change_root(int fd, bool must, char *note, struct err *err)
{
	if (fd < 0)
		return 0;
	if (fchdir(fd) >= 0 && chroot(".") >= 0)
		return 0;
	if (must)
		return err_set(err, errno, "change the root directory");
	add_note(note, "own root directory");
	return 0;
}

static int set_caps(uint32_t low, struct err *err)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2] = { { low, low, 0 }, { 0, 0, 0 } };

	return syscall(SYS_capset, &h, d) < 0 ? err_set(err, errno, "drop capabilities") : 0;
}

static bool has_cap(unsigned cap)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	return syscall(SYS_capget, &h, d) >= 0 && d[0].effective >> cap & 1;
}

/* Nobody, with the one capability that storage needs. */
static int change_user(bool reads_all, char *note, struct err *err)
{
	uint32_t keep = reads_all && has_cap(CAP_DAC_READ_SEARCH) ? 1U << CAP_DAC_READ_SEARCH : 0;
	int r = 0;

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (int cap = 0; cap <= 63; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* none can come back anyway: no new programs */
	if (has_cap(CAP_SETUID) && has_cap(CAP_SETGID)) {
		if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
		    setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
			r = err_set(err, errno, "become nobody");
		(void)prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	} else if (!geteuid()) {
		add_note(note, "another user");
	}
	return r < 0 ? r : set_caps(keep, err);
}

int sandbox_enter(const struct sandbox *s, char note[SANDBOX_NOTE_MAX], struct err *err)
{
	CLEANUP(fd_closep) int landlock = -1;

	note[0] = 0;
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, errno, "give up new privileges");
	landlock = landlock_rules(s->folders, s->folder_count);
	if (landlock < 0)
		add_note(note, "Landlock");
	int r = set_limits(s, err);
	/* One of the two keeps other files out of reach of one who may read all. */
	if (r >= 0)
		r = change_root(s->root_fd, landlock < 0 && s->reads_all && !geteuid(), note, err);
	if (r >= 0)
		r = change_user(s->reads_all, note, err);
	/* again: another user forgets it, and a worker read on after its parent was interrupted */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (r >= 0 && landlock >= 0)
		r = landlock_enter(landlock, err);
	if (r >= 0)
		r = seccomp_enter(s->sock, err);
	return r;
}
