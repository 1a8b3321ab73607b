/* checks_container_limits.c - what a container may use up, and what becomes of it when it fails. */
#include <inttypes.h>

#include "agent/audit/checks.h"

/* ---- limits: the cgroup's own numbers ---- */

static const char *size_text(int64_t bytes, char dst[32])
{
	snprintf(dst, 32, "%" PRId64 " MiB", bytes >> 20);
	return dst;
}

enum audit_status check_c_memory(struct judge *j)
{
	int64_t asked = j->asked->memory_bytes, is = j->real ? j->real->memory_max : -2;
	char text[32];

	if (is == -2)
		return asked > 0 ? judge_pass(j, "%s%s", size_text(asked, text), judge_asked_only(j)) :
				   judge_fail(j, "no limit%s", judge_asked_only(j));
	if (is >= 0)
		return judge_pass(j, "%s", size_text(is, text));
	if (asked > 0)
		judge_differs(j, true);
	return judge_fail(j, "no limit%s%s", asked > 0 ? ", though asked for " : "", asked > 0 ? size_text(asked, text) : "");
}

enum audit_status check_c_pids(struct judge *j)
{
	int64_t asked = j->asked->pids_limit, is = j->real ? j->real->pids_max : -2, host = j->host->pid_max;
	bool by_kernel = is != -2;

	if (!by_kernel)
		is = asked > 0 ? asked : -1;
	if (is < 0) {
		if (by_kernel && asked > 0)
			judge_differs(j, true);
		return judge_fail(j, "no limit%s", judge_asked_only(j));
	}
	if (host > 0 && is >= host)
		return judge_fail(j, "%" PRId64 ": the whole host has %" PRId64, is, host);
	return judge_pass(j, "%" PRId64 "%s", is, judge_asked_only(j));
}

enum audit_status check_c_cpu(struct judge *j)
{
	const struct facts_asked *a = j->asked;
	bool asked = a->nano_cpus > 0 || a->cpu_quota > 0;

	if (j->real && j->real->cpu_period_us > 0) {
		if (j->real->cpu_quota_us > 0)
			return judge_pass(j, "%.2f CPUs", (double)j->real->cpu_quota_us / (double)j->real->cpu_period_us);
		if (asked)
			judge_differs(j, true);
	} else if (asked) {
		return judge_pass(j, "limited%s", judge_asked_only(j));
	}
	/* a weight counts only while others want the CPU, but it is what the benchmark asks for */
	if (a->cpu_shares > 0 && a->cpu_shares != 1024)
		return judge_warn(j, "a weight of %" PRId64 ", no limit%s", a->cpu_shares, judge_asked_only(j));
	return judge_fail(j, "no limit%s", judge_asked_only(j));
}

enum audit_status check_c_ulimits(struct judge *j)
{
	enum { PLENTY = 1 << 20 }; /* what the engine's unit sets, and containers inherit */
	bool is_set = j->asked->ulimit_count || j->daemon->ulimit_count;

	if (!j->real)
		return is_set ? judge_pass(j, "set%s", judge_asked_only(j)) : judge_warn(j, "the engine's own%s", judge_asked_only(j));
	unsigned long long files = (unsigned long long)j->real->nofile_max;
	if (j->real->nofile_max < PLENTY)
		return judge_pass(j, "nofile %llu", files);
	if (j->real->nofile_max == UINT64_MAX)
		return judge_warn(j, "nofile unlimited%s", is_set ? ", as set" : "");
	return is_set ? judge_pass(j, "nofile %llu, as set", files) : judge_warn(j, "nofile %llu", files);
}

enum audit_status check_c_oom(struct judge *j)
{
	int64_t adj = j->real ? j->real->init.oom_score_adj : j->asked->oom_score_adj;
	bool limited = j->real && j->real->memory_max != -2 ? j->real->memory_max >= 0 : j->asked->memory_bytes > 0;

	if (j->asked->is_oom_kill_disabled)
		return judge_fail_as(j, limited ? AUDIT_MEDIUM : AUDIT_HIGH, "--oom-kill-disable, memory %s%s",
				     limited ? "limited: it hangs when it is full" : "without limit: the host hangs when it is full",
				     judge_asked_only(j));
	if (adj >= 0)
		return judge_pass(j, "oom_score_adj %" PRId64 "%s", adj, judge_asked_only(j));
	if (j->real && j->asked->oom_score_adj >= 0)
		judge_differs(j, true);
	return judge_fail(j, "oom_score_adj %" PRId64 "%s", adj, judge_asked_only(j));
}

/* ---- life cycle ---- */

enum audit_status check_c_restart(struct judge *j)
{
	enum { FEW = 5 };

	switch (j->asked->restart) {
	case RESTART_NO:
		return judge_pass(j, "no restarts");
	case RESTART_ALWAYS:
		return judge_fail(j, "always");
	case RESTART_UNLESS_STOPPED:
		return judge_fail(j, "unless-stopped");
	case RESTART_ON_FAILURE:
		break;
	}
	if (j->asked->restart_max <= 0)
		return judge_fail(j, "on-failure without a number");
	if (j->asked->restart_max > FEW)
		return judge_fail(j, "on-failure:%" PRId64, j->asked->restart_max);
	return judge_pass(j, "on-failure:%" PRId64, j->asked->restart_max);
}

static bool has_health_check(const struct judge *j)
{
	const struct facts_texts *t = &j->asked->health_test;

	return !j->asked->is_health_none && t->count && t->v[0][0] && strcmp(t->v[0], "NONE") != 0;
}

enum audit_status check_c_health(struct judge *j)
{
	if (j->asked->is_health_none || (j->asked->health_test.count && !strcmp(j->asked->health_test.v[0], "NONE")))
		return judge_fail(j, "switched off (NONE)");
	return has_health_check(j) ? judge_pass(j, "it has one") : judge_fail(j, "neither the image nor the options have one");
}

enum audit_status check_c_unhealthy(struct judge *j)
{
	const char *health = j->asked->health;

	if (!has_health_check(j))
		return judge_na(j, "no health check");
	if (!judge_is_running(j->c))
		return judge_na(j, "it does not run");
	return !strcmp(health, "unhealthy") ? judge_fail(j, "unhealthy") : judge_pass(j, "%s", health[0] ? health : "not run yet");
}

static bool counts_as_bad(const struct audit_result *r)
{
	return r->status == AUDIT_FAIL && r->severity >= AUDIT_HIGH;
}

enum audit_status check_c_starts_again(struct judge *j)
{
	struct names names = { .most = 4 };
	enum facts_restart restart = j->asked->restart;

	if (judge_is_running(j->c))
		return judge_na(j, "it runs");
	if (restart != RESTART_ALWAYS && restart != RESTART_UNLESS_STOPPED)
		return judge_pass(j, "it does not start by itself");
	for (size_t i = 0; i < j->done_count; i++) {
		if (counts_as_bad(&j->done[i]))
			names_add(&names, "%s (%s)", j->done[i].check->title, j->done[i].check->id);
	}
	if (!names.count)
		return judge_pass(j, "it starts again, with nothing severe");
	if (restart == RESTART_UNLESS_STOPPED)
		return judge_warn(j, "unless-stopped: starts again where nobody stopped it, without: %s", names_text(&names));
	return judge_fail(j, "always: starts again with the engine, without: %s", names_text(&names));
}

/* ---- the engine's book-keeping ---- */

enum audit_status check_c_cgroup(struct judge *j)
{
	const char *parent = j->asked->cgroup_parent;

	if (parent[0] && strcmp(parent, j->daemon->cgroup_parent) != 0)
		return judge_fail(j, "--cgroup-parent %.100s", parent);
	/* whatever the driver, the engine's own path names the container */
	if (j->real && j->real->cgroup[0] && j->real->cgroup[1] && j->c->id[0] && !strstr(j->real->cgroup, j->c->id)) {
		judge_differs(j, true);
		return judge_warn(j, "init was moved to %.200s", j->real->cgroup);
	}
	return judge_pass(j, "%.200s", j->real && j->real->cgroup[0] ? j->real->cgroup : "the engine's");
}

enum audit_status check_c_log(struct judge *j)
{
	return !strcmp(j->asked->log_driver, "none") ? judge_fail(j, "log driver none") :
						       judge_pass(j, "%s", j->asked->log_driver[0] ? j->asked->log_driver : "the engine's");
}

enum audit_status check_c_runtime(struct judge *j)
{
	/* runc and its like; runsc and kata put more walls around it, not fewer */
	static const char *const known[] = { "runc", "io.containerd.runc.v2", "io.containerd.runtime.v1.linux", "crun", "youki",
					     "runsc", "io.containerd.runsc.v1", "kata", "kata-runtime", "io.containerd.kata.v2",
					     "nvidia", "sysbox-runc" };
	const char *runtime = j->asked->runtime;

	if (!runtime[0] || !strcmp(runtime, j->daemon->default_runtime))
		return judge_pass(j, "the engine's default%s%s", runtime[0] ? ": " : "", runtime);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!strcmp(runtime, known[i]))
			return judge_pass(j, "%s", runtime);
	}
	return judge_fail(j, "%.100s", runtime);
}

/* ---- the image ---- */

static bool has_digest(const char *name)
{
	return strstr(name, "@sha256:") || !strncmp(name, "sha256:", 7);
}

/* "localhost:5000/app" has no tag. */
static const char *tag_of(const char *name)
{
	const char *slash = strrchr(name, '/'), *colon = strchr(slash ? slash : name, ':');

	return colon ? colon + 1 : NULL;
}

enum audit_status check_c_tag(struct judge *j)
{
	const char *name = j->c->image, *tag = tag_of(name);

	if (has_digest(name))
		return judge_pass(j, "%.150s", name);
	if (j->image && !j->image->digests.count)
		return judge_na(j, "%.100s was built or loaded here: no registry has a digest of it", name);
	if (!tag || !strcmp(tag, "latest"))
		return judge_fail(j, "%.100s%s", name, tag ? "" : " (no tag: latest)");
	return judge_warn_as(j, AUDIT_INFO, "%.100s", name);
}

/* The engine's short form: "docker.io/library/nginx" is nginx. */
static const char *short_name(const char *name)
{
	static const char *const prefixes[] = { "docker.io/library/", "docker.io/", "index.docker.io/library/" };

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return name + strlen(prefixes[i]);
	}
	return name;
}

enum audit_status check_c_outdated(struct judge *j)
{
	char name[512];

	if (has_digest(j->c->image))
		return judge_na(j, "started by digest");
	if (!j->image)
		return judge_unknown(j, "its image is not there any more");
	snprintf(name, sizeof(name), "%s%s", short_name(j->c->image), tag_of(j->c->image) ? "" : ":latest");
	for (size_t i = 0; i < j->image->tags.count; i++) {
		if (!strcmp(short_name(j->image->tags.v[i]), name))
			return judge_pass(j, "%.150s is the image it runs", name);
	}
	if (!strncmp(j->c->image_id, "sha256:", 7) && !strncmp(j->c->image_id + 7, j->c->image, strlen(j->c->image)))
		return judge_na(j, "started by the image's id");
	return judge_fail(j, "%.150s is another image by now; it runs %.19s", name, j->c->image_id);
}
