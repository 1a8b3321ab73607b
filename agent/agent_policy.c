/* agent_policy.c - the access-control policy in force here: the host's own file, or the collector's. What follows from it
 * in the kernel: agent_network.c.
 *
 *   /etc/picket/policy.yaml            the host's own; while it is there, the collector's waits
 *   STATE_DIR/policy.yaml              the collector's
 *
 * A new one that is broken leaves the old in force: status, heartbeat and an alert of the collector say so. */
#include "agent/agent_priv.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/json.h"
#include "common/tls.h"

enum { PATH_BYTES = 4096 };

static const char *const mode_words[] = { [POLICY_OFF] = "off", [POLICY_MONITOR] = "monitor", [POLICY_ENFORCE] = "enforce" };

/* ---- the policy ---- */

static void say_mode(struct agent *a)
{
	static const enum policy_section sections[] = { POLICY_IMAGE, POLICY_NETWORK, POLICY_PORT, POLICY_RUNTIME };
	static const char *const names[] = { "image", "network", "port", "runtime" };
	size_t n = 0;

	a->policy_mode[0] = 0;
	for (size_t i = 0; a->policy && i < ARRAY_LEN(sections); i++)
		n += (size_t)snprintf(a->policy_mode + n, sizeof(a->policy_mode) - n, "%s%s=%s", i ? " " : "", names[i],
				      mode_words[policy_mode_of(a->policy, sections[i])]);
}

static void apply(struct agent *a)
{
	agent_names_watch(a);
	agent_network_apply(a);
	if (a->audit)
		audit_live_changed(a->audit, "policy");
}

static void collectors_path(const struct agent *a, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%s/policy.yaml", a->cfg->state_dir);
}

/* The path of the one that counts; "" none. */
static void find_policy(struct agent *a, char path[PATH_BYTES], const char **ret_source)
{
	snprintf(path, PATH_BYTES, "%s", a->cfg->policy_path);
	*ret_source = "file";
	if (path[0] && access(path, F_OK) == 0)
		return;
	collectors_path(a, path);
	*ret_source = "collector";
	if (access(path, F_OK) < 0) {
		path[0] = 0;
		*ret_source = "";
	}
}

void agent_load_policy(struct agent *a)
{
	struct policy *p = NULL;
	char path[PATH_BYTES];
	const char *source;
	struct err err;

	find_policy(a, path, &source);
	if (path[0] && policy_load(path, &p, &err) < 0) {
		(void)slice_copy(slice_of(err.msg), a->policy_error, sizeof(a->policy_error));
		LOG(ERROR, "policy.load", KV_STR("why", err.msg),
		    KV_STR("instead", a->policy ? "the one before stays in force" : "there is none"));
		return;
	}
	a->policy_error[0] = 0;
	if (!p && !a->policy)
		return;
	if (p && a->policy && !strcmp(policy_digest(p), policy_digest(a->policy))) {
		policy_free(p);
		a->policy_source = source;
		return;
	}
	policy_free(a->policy);
	a->policy = p;
	a->policy_source = source;
	say_mode(a);
	LOG(INFO, "policy.loaded", KV_STR("source", source), KV_STR("digest", p ? policy_digest(p) : ""),
	    KV_STR("mode", a->policy_mode));
	apply(a);
}

static void on_policy_file(void *arg)
{
	agent_load_policy(arg);
}

/* From the collector: kept whether or not it loads, so that its error is seen; the one in force stays until it does. */
void agent_on_policy(void *arg, struct slice text, const char *digest)
{
	struct agent *a = arg;
	struct policy *p = NULL;
	char path[PATH_BYTES];
	uint8_t sum[32];
	char hex[65];
	struct err err;

	if (!text.n || (a->policy && !strcmp(digest, policy_digest(a->policy))) || !strcmp(digest, a->policy_refused))
		return;
	tls_sha256(text, sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
	int r = strcmp(hex, digest) ? err_set(&err, ERR_CORRUPT, "policy of the collector: its digest is another") :
				      policy_parse(text, "the collector's policy", &p, &err);
	policy_free(p);
	collectors_path(a, path);
	if (r >= 0)
		r = file_write_atomic(path, text, 0600, &err);
	if (r >= 0) {
		a->policy_refused[0] = 0;
		agent_load_policy(a);
		return;
	}
	(void)slice_copy(slice_of(digest), a->policy_refused, sizeof(a->policy_refused));
	(void)slice_copy(slice_of(err.msg), a->policy_error, sizeof(a->policy_error));
	LOG(ERROR, "policy.load", KV_STR("why", err.msg), KV_STR("instead", "the one before stays in force"));
}

/* ---- begin and end ---- */

int agent_open_policy(struct agent *a, struct loop *l, struct err *err)
{
	struct err why;

	a->inits = inits_new();
	if (!a->inits)
		return err_set(err, ENOMEM, "policy");
	a->policy_source = "";
	/* First: what an earlier agent left in force goes on without a gap. */
	agent_names_load(a);
	agent_load_policy(a);
	agent_open_network(a, l);
	if (a->cfg->policy_path[0]) {
		const char *path = a->cfg->policy_path;
		int r = watch_new(l, on_policy_file, a, &a->policy_watch, &why);

		if (r >= 0)
			r = watch_set(a->policy_watch, &path, 1, &why);
		if (r < 0)
			LOG(WARN, "policy.watch", KV_STR("why", why.msg), KV_STR("instead", "SIGHUP loads it again"));
	}
	return 0;
}

void agent_close_policy(struct agent *a)
{
	watch_free(take_ptr(a->policy_watch));
	net_free(take_ptr(a->net));
	policy_free(take_ptr(a->policy));
	inits_free(take_ptr(a->inits));
}

static void write_layer(void *arg, const struct net_layer *l)
{
	struct json *j = arg;

	json_object_open(j);
	json_kv_str(j, "name", l->name);
	json_kv_str(j, "why_not", l->why_not);
	json_kv_u64(j, "attached", l->attached);
	json_object_close(j);
}

void agent_write_policy(const struct agent *a, struct json *j)
{
	json_kv_str(j, "source", a->policy_source);
	json_kv_str(j, "digest", a->policy ? policy_digest(a->policy) : "");
	json_kv_str(j, "mode", a->policy_mode);
	json_kv_str(j, "error", a->policy_error);
	json_kv_u64(j, "network_denied", a->net_denied);
	json_kv_u64(j, "network_would_deny", a->net_would_deny);
	json_kv_str(j, "network_why_not", a->net_why);
	json_key(j, "layers");
	json_array_open(j);
	if (a->net)
		net_layers(a->net, write_layer, j);
	json_array_close(j);
}

void agent_policy_state(const struct agent *a, struct uplink_policy *ret)
{
	*ret = (struct uplink_policy){ .digest = a->policy ? policy_digest(a->policy) : "",
				       .source = a->policy_source,
				       .mode = a->policy_mode,
				       .error = a->policy_error,
				       .has_admission = a->has_admission,
				       .has_network = a->net && a->policy,
				       .denied = a->net_denied + a->admission_denied,
				       .would_deny = a->net_would_deny + a->admission_would_deny };
}
