/* feed_child.c - the process that updates the feeds: started when it is time, watched until its end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "collector/vuln/vuln_priv.h"
#include "common/log.h"

extern char **environ;

enum { FIRST_AFTER_MS = 5000, CHILD_MAX_MS = 2 * 3600 * 1000 };
static const uint64_t ms_ns = 1000000;

static int newest(void *arg, const struct store_feed *f)
{
	uint64_t *at = arg;

	if (f->tried_unix_ns > *at)
		*at = f->tried_unix_ns;
	return 0;
}

static bool is_time(struct vuln *v)
{
	uint64_t tried = 0, now = clock_unix_ns(v->clk);

	if (store_feeds_each(v->store, newest, &tried, NULL) < 0)
		return false;
	/* A clock that was set back must not keep it waiting for years. */
	return tried > now || now - tried >= v->cfg->feed_every_ms * ms_ns;
}

static void end_child(struct vuln *v)
{
	loop_fd_free(v->child_watch);
	if (v->child_fd >= 0)
		close(v->child_fd);
	v->child_watch = NULL;
	v->child_fd = -1;
	v->child = 0;
}

static void on_child(void *arg, int fd, unsigned ready)
{
	struct vuln *v = arg;
	int status = 0;

	(void)fd, (void)ready;
	if (waitpid(v->child, &status, WNOHANG) <= 0)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		LOG(INFO, "vuln.feeds", KV_STR("state", "updated"));
	else
		LOG(WARN, "vuln.feeds", KV_STR("state", "not all could be updated; picketctl status says which"),
		    KV_U64("status", (uint64_t)(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status))));
	end_child(v);
	v->data.looked_boot_ns = 0; /* look at once */
}

static void start_child(struct vuln *v)
{
	int r = posix_spawn(&v->child, "/proc/self/exe", NULL, NULL,
			    (char *const *)(uintptr_t)v->cfg->update_command, environ);

	if (r) {
		LOG(ERROR, "vuln.feeds", KV_STR("why", strerror(r)));
		v->child = 0;
		return;
	}
	LOG(INFO, "vuln.feeds", KV_STR("state", "updating"), KV_U64("pid", (uint64_t)v->child));
	v->child_fd = (int)syscall(SYS_pidfd_open, v->child, 0);
	if (v->child_fd >= 0)
		v->child_watch = loop_fd_new(v->loop, v->child_fd, LOOP_READ, on_child, v);
}

void feeds_tick(struct vuln *v)
{
	uint64_t now = clock_boot_ns(v->clk);

	if (v->child > 0) {
		if (!v->child_watch) /* no descriptor: asked each second instead */
			on_child(v, -1, 0);
		else if (now - v->child_started_boot_ns > CHILD_MAX_MS * ms_ns)
			kill(v->child, SIGTERM);
		return;
	}
	if (!v->cfg->feed_count || !v->cfg->feed_every_ms || !v->cfg->update_command)
		return;
	if (!v->child_started_boot_ns)
		v->child_started_boot_ns = now; /* the first look: not while everything starts */
	if (now - v->child_started_boot_ns < FIRST_AFTER_MS * ms_ns || !is_time(v))
		return;
	v->child_started_boot_ns = now;
	start_child(v);
}

void feeds_fini(struct vuln *v)
{
	if (v->child > 0) {
		kill(v->child, SIGTERM);
		waitpid(v->child, NULL, 0);
	}
	end_child(v);
}
