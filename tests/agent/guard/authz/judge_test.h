/* judge_test.h - a host of the test's own, and requests judged on it. */
#pragma once
#include <time.h>

#include "authz_test.h"

/* CPU time of this thread: what a judgement costs, whatever else runs on the machine. */
static inline uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- a host of the test's own ---- */

static inline enum authz_known image(void *arg, const char *reference, struct arena *a, struct policy_workload *w)
{
	static const char *const ours[] = { "registry.company.com/library/app@sha256:"
					    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	static const char *const theirs[] = { "evil/app@sha256:"
					      "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" };

	(void)arg, (void)a;
	if (strstr(reference, "slow"))
		return AUTHZ_NOT_KNOWN;
	if (strstr(reference, "absent"))
		return AUTHZ_ABSENT;
	bool is_ours = !strstr(reference, "retagged") && strcmp(reference, "nginx") != 0;
	w->image_id = is_ours ? "sha256:aa" : "sha256:bb";
	w->digests = (struct policy_texts){ is_ours ? ours : theirs, strstr(reference, "local") ? 0 : 1 };
	if (!*w->user)
		authz_workload_set_user(w, strstr(reference, "rootly") ? "root" : "1000");
	return AUTHZ_KNOWN;
}

static inline enum authz_known container(void *arg, const char *name, struct arena *a, struct policy_workload *ret)
{
	static const struct policy_mount sock = { .type = "bind", .source = "/etc", .real = "", .device = "", .driver = "", .dest = "/s",
						  .is_writable = true, .protects = "" };

	(void)arg, (void)a;
	if (!strcmp(name, "slow"))
		return AUTHZ_NOT_KNOWN;
	if (!strcmp(name, "absent"))
		return AUTHZ_ABSENT;
	authz_workload_init(ret);
	ret->name = name;
	ret->image = "registry.company.com/library/app:1";
	ret->image_id = "sha256:aa";
	authz_workload_set_user(ret, "1000");
	if (!strcmp(name, "hostly"))
		ret->pid_mode = ret->ipc_mode = ret->network_mode = "host";
	if (!strcmp(name, "second"))
		ret->pid_mode = ret->network_mode = "container:hostly";
	if (!strcmp(name, "loop"))
		ret->pid_mode = "container:loop";
	if (!strcmp(name, "strong"))
		ret->is_privileged = true;
	if (!strcmp(name, "mounted")) {
		ret->mounts = &sock;
		ret->mount_count = 1;
	}
	return AUTHZ_KNOWN;
}

static inline enum authz_known volume(void *arg, const char *name, struct arena *a, struct policy_mount *m)
{
	(void)arg, (void)a;
	if (!strcmp(name, "slow"))
		return AUTHZ_NOT_KNOWN;
	if (!strcmp(name, "rooted"))
		m->device = "/etc";
	if (!strcmp(name, "ssh"))
		m->driver = "sshfs";
	return !strcmp(name, "absent") ? AUTHZ_ABSENT : AUTHZ_KNOWN;
}

static inline enum authz_known exec(void *arg, const char *id, struct arena *a, struct authz_exec *ret)
{
	(void)arg, (void)a;
	*ret = (struct authz_exec){ .container = "plain", .user = "", .is_privileged = !strcmp(id, "strong") };
	return !strcmp(id, "slow") ? AUTHZ_NOT_KNOWN : AUTHZ_KNOWN;
}

static inline enum authz_known network(void *arg, const char *id, struct arena *a, const char **ret)
{
	(void)arg, (void)a;
	*ret = !strcmp(id, "0123") ? "secret" : !strcmp(id, "4567") ? "host" : id;
	return !strcmp(id, "slow") ? AUTHZ_NOT_KNOWN : AUTHZ_KNOWN;
}

static const struct authz_ops ops = { image, container, volume, exec, network };

static inline struct authz_verdict judged(const struct policy *p, const char *method, const char *uri, const char *text, const char *type)
{
	struct authz_request rq = { .method = slice_of(method), .uri = slice_of(uri), .content_type = slice_of(type),
				    .body = slice_of(text), .has_body = text && *text };
	struct authz_verdict v;

	authz_judge(p, &rq, &ops, NULL, 1800000000, &v);
	return v;
}
