/* child.h - a process to read facts of: made as the test says, then waiting to be ended. */
#pragma once
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

struct child {
	pid_t pid;
	int from; /* what it says */
};

/* become(arg) is called in the child; false: it can't be what it was to be (the test skips). */
static inline struct child child_start(bool (*become)(void *arg), void *arg)
{
	int fds[2];
	char answer = 0;

	assert(pipe2(fds, O_CLOEXEC) == 0);
	struct child c = { .pid = fork(), .from = fds[0] };
	assert(c.pid >= 0);
	if (!c.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing */
		answer = become(arg) ? 'y' : 'n';
		if (write(fds[1], &answer, 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(fds[1]);
	if (read(c.from, &answer, 1) != 1 || answer != 'y') {
		kill(c.pid, SIGKILL);
		waitpid(c.pid, NULL, 0);
		close(c.from);
		c.pid = 0;
	}
	return c;
}

static inline void child_end(struct child *c)
{
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		close(c->from);
	}
	c->pid = 0;
}

/* The letter of its state in /proc: S T t Z … */
static inline char child_state(pid_t pid, int *ret_tracer)
{
	char path[64], line[256], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f)) {
		(void)sscanf(line, "State:\t%c", &state);
		if (ret_tracer)
			(void)sscanf(line, "TracerPid:\t%d", ret_tracer);
	}
	if (f)
		fclose(f);
	return state;
}
