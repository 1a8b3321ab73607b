/* agent_admission.c - what the authorization plugin (picket-agent guard) says it decided: into events; and what it has to
 * know of images, while the policy asks for that. */
#include "agent/agent_priv.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/record_policy.h"
#include "common/file.h"
#include "common/json.h"

enum { READS_AT_ONCE = 64, SCANS_LOOK_MS = 1000 };

/* A container that is being made has no entry yet; one by name or id may. */
struct seeking {
	struct slice name;
	const struct container *found;
};

static void seek(void *arg, const struct container *c)
{
	struct seeking *s = arg;

	if (!s->found && (slice_is(s->name, c->name) || (s->name.n >= 12 && slice_starts(slice_of(c->id), s->name))))
		s->found = c;
}

static void on_verdict(struct agent *a, struct slice line)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct admission m;
	struct err err;

	if (admission_read(line, &doc, &m, &err) < 0) {
		LOG(WARN, "admission.verdict", KV_STR("why", err.msg));
		return;
	}
	a->admission_seen_ns = clock_boot_ns(a->clk);
	a->has_admission = true;
	if (!m.is_allowed)
		a->admission_denied++;
	else if (m.is_monitored)
		a->admission_would_deny++;
	/* What was allowed and done is told by the container's own events. */
	if (m.is_allowed && !m.is_monitored)
		return;
	struct seeking s = { .name = m.container };
	if (m.container.n)
		world_containers_each(a->world, seek, &s);
	agent_send_admission(a, &m, s.found);
}

static void on_datagram(void *arg, int fd, unsigned ready)
{
	struct agent *a = arg;
	char line[ADMISSION_BYTES_MAX + 1];

	(void)ready;
	for (int i = 0; i < READS_AT_ONCE; i++) {
		ssize_t n = recv(fd, line, sizeof(line), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0)
			return;
		if ((size_t)n > ADMISSION_BYTES_MAX) {
			LOG(WARN, "admission.verdict", KV_STR("why", "too long"));
			continue;
		}
		on_verdict(a, slice_trim(slice_from(line, (size_t)n)));
	}
}

/* The policy may change at any time, and come from its file or from the collector. */
static void on_scans_tick(void *arg)
{
	struct agent *a = arg;
	bool wants = a->policy && policy_wants_scans(a->policy);

	if (a->live)
		live_want_scans(a->live, wants ? a->scans_path : NULL);
	else if (wants && !a->has_no_scans)
		LOG(WARN, "admission.scans", KV_STR("why", "the policy asks for images' scans, and images are not looked at here"),
		    KV_STR("instead", "images count as not scanned"));
	a->has_no_scans = wants && !a->live;
}

static int open_scans(struct agent *a, struct loop *l, struct err *err)
{
	int n = snprintf(a->scans_path, sizeof(a->scans_path), "%s/scan-state.json", a->cfg->run_dir);

	if (n < 0 || (size_t)n >= sizeof(a->scans_path))
		return err_set(err, ENAMETOOLONG, "%s/scan-state.json", a->cfg->run_dir);
	a->scans_timer = loop_timer_new(l, on_scans_tick, a);
	if (!a->scans_timer)
		return err_set(err, ENOMEM, "scans for the policy");
	loop_timer_every(a->scans_timer, SCANS_LOOK_MS);
	return 0;
}

int agent_open_admission(struct agent *a, struct loop *l, struct err *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/guard.sock", a->cfg->run_dir);

	a->admission_fd = -1;
	if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
		return err_set(err, ENAMETOOLONG, "%s/guard.sock", a->cfg->run_dir);
	int r = file_make_dirs(a->cfg->run_dir, 0755, err);
	if (r < 0)
		return r;
	CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, errno, "socket for the plugin's verdicts");
	(void)unlink(addr.sun_path);
	mode_t before = umask(0077);
	r = bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	umask(before);
	if (r < 0)
		return err_set(err, errno, "%s", addr.sun_path);
	a->admission_watch = loop_fd_new(l, fd, LOOP_READ, on_datagram, a);
	if (!a->admission_watch)
		return err_set(err, ENOMEM, "socket for the plugin's verdicts");
	a->admission_fd = take_fd(&fd);
	return open_scans(a, l, err);
}

void agent_close_admission(struct agent *a)
{
	char path[512];

	loop_timer_free(take_ptr(a->scans_timer));
	loop_fd_free(take_ptr(a->admission_watch));
	if (a->admission_fd < 0)
		return;
	fd_closep(&a->admission_fd);
	a->admission_fd = -1;
	snprintf(path, sizeof(path), "%s/guard.sock", a->cfg->run_dir);
	(void)unlink(path);
}
