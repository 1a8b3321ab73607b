/* fuzz_authz_request.c - FUZZ_LINK: agent_guard_authz picket_policy
 * A whole request against a policy: method and target on the first line, its body behind. A body that says Privileged in
 * any way that Go would read is never let through; nothing is ever an error. */
#include <assert.h>

#include "agent/guard/authz/authz_priv.h"
#include "common/text.h"

static const char policy_text[] = "access_control:\n"
				  "  image_access: {allowed_repositories: [docker.io/test], allow_local: true, deny_build: true}\n"
				  "  port_access: {allowed_ports: [80]}\n"
				  "  runtime_access: {deny_privileged: true, deny_privileged_exec: true, deny_host_namespaces: true, "
				  "denied_mounts: [/etc], deny_unconfined: true}\n"
				  "mode: enforce\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum authz_known image(void *arg, const char *reference, struct arena *a, struct policy_workload *w)
{
	w->image_id = "sha256:aa";
	return *reference == 'x' ? AUTHZ_NOT_KNOWN : *reference == 'y' ? AUTHZ_ABSENT : AUTHZ_KNOWN;
}

static enum authz_known container(void *arg, const char *name, struct arena *a, struct policy_workload *ret)
{
	authz_workload_init(ret);
	ret->pid_mode = *name == 'c' ? "container:c" : "";
	return *name == 'x' ? AUTHZ_NOT_KNOWN : *name == 'y' ? AUTHZ_ABSENT : AUTHZ_KNOWN;
}

static enum authz_known volume(void *arg, const char *name, struct arena *a, struct policy_mount *m)
{
	return *name == 'x' ? AUTHZ_NOT_KNOWN : AUTHZ_KNOWN;
}

static enum authz_known exec(void *arg, const char *id, struct arena *a, struct authz_exec *ret)
{
	*ret = (struct authz_exec){ .container = "z", .user = "", .is_privileged = *id == 'p' };
	return AUTHZ_KNOWN;
}

static enum authz_known network(void *arg, const char *id, struct arena *a, const char **ret)
{
	*ret = id;
	return AUTHZ_KNOWN;
}

/* Of what the judge let through: does the engine read a privileged container in it? */
static void check_allowed(const struct authz_request *rq, const struct authz_verdict *v)
{
	struct arena *a = arena_new(AUTHZ_ARENA_BYTES);
	const struct authz_body *b, *host;

	if (v->kind == AUTHZ_CREATE && authz_body_of_engine(rq->body, a, &b, NULL) >= 0) {
		host = authz_get(b, "HostConfig");
		const struct authz_body *p = authz_get(host ? host : b, "Privileged");

		assert(!p || p->type != AUTHZ_BOOL || !p->is_true);
	}
	arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct authz_ops ops = { image, container, volume, exec, network };
	static struct policy *p;
	struct slice rest = slice_from(data, size), line = SLICE_NONE, method = SLICE_NONE;
	struct authz_verdict v;

	if (!p && policy_parse(slice_of(policy_text), "p", &p, NULL) < 0)
		assert(!"the policy is right");
	(void)slice_split(&rest, '\n', &line);
	(void)slice_split(&line, ' ', &method);
	struct authz_request rq = { .method = method, .uri = line, .content_type = SLICE_LIT("application/json"), .body = rest,
				    .has_body = rest.n };
	authz_judge(p, &rq, &ops, NULL, 1800000000, &v);
	assert(v.answer == AUTHZ_ALLOW || v.answer == AUTHZ_DENY);
	assert((v.answer == AUTHZ_DENY) == (*v.rule && !v.is_monitored));
	assert(text_is_clean(slice_of(v.message)));
	if (v.answer == AUTHZ_ALLOW)
		check_allowed(&rq, &v);
	return 0;
}
