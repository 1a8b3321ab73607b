/* live_copy.c - a snapshot of a large state, made by a copy of this process: fork gives it the state as it is at this moment,
 * and the loop goes on. What it makes comes back in a memory file. The copy has no descriptor of ours (a killed collector's
 * ports and locks must be free at once), takes no signals, and dies with us. */
#include "collector/correlate/live_priv.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/file.h"

enum { COPY_FD = 3 };

static int write_all(int fd, struct slice s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EIO;
		s = slice_sub(s, (size_t)n, s.n);
	}
	return 0;
}

/* Never returns. Of the C library only memory is used, which fork keeps whole. */
static _Noreturn void be_copy(const struct engine *e, int fd, pid_t parent, size_t cap)
{
	struct buf out;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || (fd != COPY_FD && dup2(fd, COPY_FD) < 0))
		_exit(1);
	syscall(SYS_close_range, 0, COPY_FD - 1, 0);
	syscall(SYS_close_range, COPY_FD + 1, ~0U, 0);
	prctl(PR_SET_NAME, "snapshot");
	buf_init(&out, cap);
	_exit(engine_snapshot(e, &out, NULL) < 0 || write_all(COPY_FD, buf_slice(&out)) < 0);
}

int live_copy_start(const struct engine *e, size_t cap, struct live_copy *ret, struct err *err)
{
	CLEANUP(fd_closep) int fd = memfd_create("picket-snapshot", MFD_CLOEXEC);
	pid_t parent = getpid();
	sigset_t all, before;

	if (fd < 0)
		return err_set(err, errno, "a memory file");
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	int why = errno;
	if (!pid)
		be_copy(e, fd, parent, cap);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return err_set(err, why, "a copy of the process");
	*ret = (struct live_copy){ .pid = pid, .fd = take_fd(&fd) };
	return 0;
}

int live_copy_poll(struct live_copy *c, size_t *ret_bytes, struct err *err)
{
	struct stat st;
	int status;

	if (!c->pid)
		return 1;
	pid_t pid = waitpid(c->pid, &status, WNOHANG);
	if (!pid || (pid < 0 && errno == EINTR))
		return 0;
	c->pid = 0;
	if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
		return err_set(err, EIO, "the copy that takes a snapshot ended without one");
	if (fstat(c->fd, &st) < 0)
		return err_set(err, errno, "a snapshot's size");
	*ret_bytes = (size_t)st.st_size;
	return 1;
}

int live_copy_read(const struct live_copy *c, size_t at, size_t n, struct buf *out, struct err *err)
{
	buf_reset(out);
	char *to = buf_reserve(out, n);

	if (!to)
		return err_set(err, ENOMEM, "part of a snapshot");
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(c->fd, to + done, n - done, (off_t)(at + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return err_set(err, got ? errno : EIO, "read a snapshot");
		done += (size_t)got;
	}
	buf_written(out, n);
	return 0;
}

void live_copy_end(struct live_copy *c)
{
	if (c->pid) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	if (c->fd > 0)
		close(c->fd);
	*c = (struct live_copy){ 0 };
}
