/* judge_runtime.c - runtime_access but for mounts and devices: privileges, namespaces, confinement, limits. What defeats
 * a rule is judged with it: deny_privileged would mean little if all capabilities could be added one by one. */
#include <strings.h>

#include "common/policy/policy_priv.h"

enum { SYS_MODULE = 16, SYS_RAWIO = 17, SYS_PTRACE = 19, SYS_ADMIN = 21 }; /* linux/capability.h */

static void deny(struct judge *j, enum policy_rule rule, enum policy_key key, const char *a, const char *b, uint64_t n)
{
	judge_deny(j, &(struct policy_told){ .rule = rule, .value = j->v.v[key], .a = a, .b = b, .n = n });
}

/* ---- namespaces ---- */

static bool is_host(const char *mode)
{
	return !strcmp(policy_text(mode), "host");
}

static bool has_host_network(const struct policy_workload *w)
{
	for (size_t i = 0; i < w->networks.count; i++)
		if (is_host(w->networks.v[i]))
			return true;
	return is_host(w->network_mode);
}

static void judge_namespaces(struct judge *j)
{
	const struct policy_workload *w = j->v.w;
	const struct policy_value *v = j->v.v[KEY_DENY_HOST_NAMESPACES];
	const struct {
		bool is_asked, is_real;
	} all[] = {
		[NAMESPACE_PID] = { is_host(w->pid_mode), is_host(w->real_pid_mode) },
		[NAMESPACE_IPC] = { is_host(w->ipc_mode), is_host(w->real_ipc_mode) },
		[NAMESPACE_NETWORK] = { has_host_network(w), is_host(w->real_network_mode) },
		[NAMESPACE_UTS] = { is_host(w->uts_mode), false },
		[NAMESPACE_USER] = { is_host(w->userns_mode), false },
		[NAMESPACE_CGROUP] = { is_host(w->cgroupns_mode), false },
	};

	for (size_t i = 0; v->is_set && i < ARRAY_LEN(all); i++)
		if ((v->n >> i & 1) && (all[i].is_asked || all[i].is_real))
			deny(j, RULE_HOST_NAMESPACE, KEY_DENY_HOST_NAMESPACES, policy_namespace_names[i],
			     all[i].is_asked ? "" : ", through another container", i);
}

/* ---- privileges ---- */

static void judge_capabilities(struct judge *j, uint64_t effective, const char *unknown)
{
	const struct policy_workload *w = j->v.w;
	uint64_t denied = j->v.v[KEY_DENIED_CAPABILITIES]->n;
	bool has_all;
	const char *ignored;
	struct policy_workload plain = { .cap_drop = w->cap_drop };
	uint64_t by_default = policy_caps_effective(&plain, &has_all, &ignored);

	if (!denied)
		return;
	if (unknown)
		deny(j, RULE_UNKNOWN_CAPABILITY, KEY_DENIED_CAPABILITIES, unknown, "", CAP_UNKNOWN);
	/* Privileged and told so: once is enough, and one exception too. */
	if (w->is_privileged && view_is_on(&j->v, KEY_DENY_PRIVILEGED))
		return;
	for (unsigned i = 0; i < CAPS_COUNT; i++)
		if (denied & effective & 1ULL << i)
			deny(j, RULE_CAPABILITY, KEY_DENIED_CAPABILITIES, policy_cap_name(i),
			     w->is_privileged ? ", as it is privileged" : by_default >> i & 1 ? ", which the engine gives unless dropped" : "", i);
}

static void judge_privileged(struct judge *j)
{
	const struct policy_workload *w = j->v.w;
	const uint64_t own_kernel = 1ULL << SYS_MODULE | 1ULL << SYS_RAWIO;
	const char *unknown;
	bool has_all;
	uint64_t effective = policy_caps_effective(w, &has_all, &unknown);

	judge_capabilities(j, effective, unknown);
	if (!view_is_on(&j->v, KEY_DENY_PRIVILEGED))
		return;
	if (w->is_privileged) {
		deny(j, RULE_PRIVILEGED, KEY_DENY_PRIVILEGED, "", "", 0);
		return;
	}
	if (has_all && (effective & (own_kernel | 1ULL << SYS_ADMIN)))
		deny(j, RULE_ALL_CAPABILITIES, KEY_DENY_PRIVILEGED, "ALL", "", CAP_ALL);
	for (unsigned i = 0; i < CAPS_COUNT && !has_all; i++)
		if (effective & own_kernel & 1ULL << i)
			deny(j, RULE_ALL_CAPABILITIES, KEY_DENY_PRIVILEGED, policy_cap_name(i), "", i);
	/* As root without read-only /proc/sys: core_pattern, and so a program of one's own as the host's root. */
	if (w->has_unmasked_paths)
		deny(j, RULE_UNMASKED, KEY_DENY_PRIVILEGED, "/proc and /sys", "", 0);
	if ((is_host(w->pid_mode) || is_host(w->real_pid_mode)) && (effective & 1ULL << SYS_PTRACE))
		deny(j, RULE_HOST_PTRACE, KEY_DENY_PRIVILEGED, "SYS_PTRACE", "", SYS_PTRACE);
}

/* ---- confinement ---- */

struct options { /* what security_opt comes to; later ones win, as in the engine */
	bool is_seccomp_off, is_apparmor_off, is_label_off, has_no_new_privileges;
};

static bool is_true(struct slice s)
{
	static const char *const words[] = { "1", "t", "T", "true", "TRUE", "True" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (slice_is(s, words[i]))
			return true;
	return false;
}

static bool is_unconfined(struct slice s)
{
	return s.n == 10 && !strncasecmp(s.p, "unconfined", 10);
}

/* "key=value" before "key:value": the engine looks for = first. */
static void read_option(const char *text, struct options *o)
{
	struct slice s = slice_of(text), key = s, value = SLICE_NONE;
	ptrdiff_t at = slice_find_char(s, '=');

	at = at < 0 ? slice_find_char(s, ':') : at;
	if (at >= 0) {
		key = slice_sub(s, 0, (size_t)at);
		value = slice_sub(s, (size_t)at + 1, s.n);
	}
	if (slice_is(key, "no-new-privileges"))
		o->has_no_new_privileges = at < 0 || is_true(value);
	else if (slice_is(key, "seccomp"))
		o->is_seccomp_off = is_unconfined(value);
	else if (slice_is(key, "apparmor"))
		o->is_apparmor_off = is_unconfined(value);
	else if (slice_is(key, "disable") && at < 0)
		o->is_label_off = true;
	else if (slice_is(key, "label") && (slice_is(value, "disable") || slice_find(value, SLICE_LIT("spc_t")) >= 0))
		o->is_label_off = true;
}

static void judge_confinement(struct judge *j)
{
	const struct policy_workload *w = j->v.w;
	struct options o = { 0 };
	bool tells_privileged = view_is_on(&j->v, KEY_DENY_PRIVILEGED);

	for (size_t i = 0; i < w->security_opt.count; i++)
		read_option(policy_text(w->security_opt.v[i]), &o);
	if (view_is_on(&j->v, KEY_REQUIRE_NO_NEW_PRIVILEGES) && !o.has_no_new_privileges)
		deny(j, RULE_NEW_PRIVILEGES, KEY_REQUIRE_NO_NEW_PRIVILEGES, "", "", 0);
	if (!view_is_on(&j->v, KEY_DENY_UNCONFINED) || (w->is_privileged && tells_privileged))
		return;
	const char *why = w->is_privileged ? ", as it is privileged" : "";
	if (o.is_seccomp_off || w->is_privileged)
		deny(j, RULE_UNCONFINED, KEY_DENY_UNCONFINED, "seccomp", why, 0);
	else if (w->has_weaker_seccomp)
		deny(j, RULE_WEAKER, KEY_DENY_UNCONFINED, "seccomp", "", 0);
	if (o.is_apparmor_off || w->is_privileged)
		deny(j, RULE_UNCONFINED, KEY_DENY_UNCONFINED, "apparmor", why, 0);
	else if (w->has_weaker_apparmor)
		deny(j, RULE_WEAKER, KEY_DENY_UNCONFINED, "apparmor", "", 0);
	/* With the host's processes or shared memory the engine itself switches labels off, and says so as if asked. */
	if (o.is_label_off && !is_host(w->pid_mode) && !is_host(w->ipc_mode) && !w->is_privileged)
		deny(j, RULE_UNCONFINED, KEY_DENY_UNCONFINED, "label", "", 0);
	if (w->has_unmasked_paths && !tells_privileged)
		deny(j, RULE_UNMASKED_PATHS, KEY_DENY_UNCONFINED, "/proc and /sys", "", 0);
}

/* ---- the rest ---- */

/* As runc reads it: a number of any form of zero, or the name; what stands after the colon is a group. */
static bool is_root(const char *user)
{
	struct slice s = slice_of(user);
	ptrdiff_t colon = slice_find_char(s, ':');

	s = colon < 0 ? s : slice_sub(s, 0, (size_t)colon);
	if (!s.n || slice_is(s, "root"))
		return true;
	size_t i = s.p[0] == '+' || s.p[0] == '-';
	if (i == s.n)
		return false;
	while (i < s.n && s.p[i] == '0')
		i++;
	return i == s.n;
}

static void judge_user(struct judge *j)
{
	const struct policy_workload *w = j->v.w;
	const char *user = policy_text(w->user);
	const char *shown = user[0] ? arena_printf(j->v.arena, ", as user '%.100s'", user) : ": no user is named";

	if (!view_is_on(&j->v, KEY_REQUIRE_USER))
		return;
	/* An exec without a user takes the container's, which was judged. */
	if (w->is_user_root || (is_root(user) && (user[0] || w->subject != POLICY_EXEC)))
		deny(j, RULE_ROOT_USER, KEY_REQUIRE_USER, shown, "", 0);
}

static void judge_limits(struct judge *j)
{
	static const char *const options[] = { "memory=512m", "pids-limit=200", "cpus=1" };
	const struct policy_workload *w = j->v.w;
	const bool is_missing[] = {
		[LIMIT_MEMORY] = w->memory_bytes <= 0,
		[LIMIT_PIDS] = w->pids_limit <= 0,
		[LIMIT_CPU] = w->nano_cpus <= 0 && w->cpu_quota <= 0,
	};

	for (size_t i = 0; i < ARRAY_LEN(is_missing); i++)
		if ((j->v.v[KEY_REQUIRE_LIMITS]->n >> i & 1) && is_missing[i])
			deny(j, RULE_NO_LIMIT, KEY_REQUIRE_LIMITS, policy_limit_names[i], options[i], i);
	if (!view_is_on(&j->v, KEY_DENY_OOM_PROTECTION))
		return;
	if (w->is_oom_kill_disabled)
		deny(j, RULE_OOM_PROTECTION, KEY_DENY_OOM_PROTECTION, "--oom-kill-disable", "", 0);
	if (w->oom_score_adj < 0)
		deny(j, RULE_OOM_PROTECTION, KEY_DENY_OOM_PROTECTION, "--oom-score-adj below 0", "", 0);
}

static void judge_sysctls(struct judge *j)
{
	const struct policy_texts *all = &j->v.w->sysctls;
	bool is_named;

	if (!j->v.v[KEY_ALLOWED_SYSCTLS]->is_set && !j->v.v[KEY_DENIED_SYSCTLS]->count)
		return;
	for (size_t i = 0; i < all->count; i++) {
		struct slice s = slice_of(policy_text(all->v[i]));
		ptrdiff_t end = slice_find_char(s, '=');
		char *name = arena_dup(j->v.arena, end < 0 ? s : slice_sub(s, 0, (size_t)end));

		for (char *c = name; c && *c; c++)
			*c = (char)(*c == '/' ? '.' : *c); /* both are separators to the runtime */
		if (name)
			judge_name(j, name, KEY_ALLOWED_SYSCTLS, KEY_DENIED_SYSCTLS, RULE_DENIED_SYSCTL, RULE_OTHER_SYSCTL, &is_named);
		else
			j->is_failed = true;
	}
}

static void judge_exec(struct judge *j)
{
	const struct policy_value *v = j->v.v[KEY_DENY_PRIVILEGED_EXEC];
	/* deny_privileged means it too, unless this says otherwise. */
	enum policy_key says = v->is_set ? KEY_DENY_PRIVILEGED_EXEC : KEY_DENY_PRIVILEGED;

	if (j->v.w->is_privileged && view_is_on(&j->v, says))
		deny(j, RULE_PRIVILEGED_EXEC, says, "", "", 0);
	judge_user(j);
}

static void judge_build(struct judge *j)
{
	const struct policy_workload *w = j->v.w;
	bool is_denied = j->v.v[KEY_DENY_HOST_NAMESPACES]->n >> NAMESPACE_NETWORK & 1;

	if (is_denied && (is_host(w->network_mode) || is_host(w->real_network_mode)))
		deny(j, RULE_HOST_NAMESPACE, KEY_DENY_HOST_NAMESPACES, policy_namespace_names[NAMESPACE_NETWORK], "", NAMESPACE_NETWORK);
	if (view_is_on(&j->v, KEY_DENY_CGROUP_PARENT) && policy_text(w->cgroup_parent)[0])
		deny(j, RULE_CGROUP_PARENT, KEY_DENY_CGROUP_PARENT, w->cgroup_parent, "", 0);
}

static void judge_container(struct judge *j)
{
	const struct policy_workload *w = j->v.w;
	bool is_named;

	judge_privileged(j);
	judge_namespaces(j);
	judge_confinement(j);
	judge_user(j);
	judge_limits(j);
	judge_sysctls(j);
	if (policy_text(w->runtime)[0])
		judge_name(j, w->runtime, KEY_ALLOWED_RUNTIMES, KEY_DENIED_RUNTIMES, RULE_DENIED_RUNTIME, RULE_OTHER_RUNTIME, &is_named);
	if (view_is_on(&j->v, KEY_REQUIRE_READ_ONLY_ROOT) && !w->is_root_readonly)
		deny(j, RULE_WRITABLE_ROOT, KEY_REQUIRE_READ_ONLY_ROOT, "", "", 0);
	if (view_is_on(&j->v, KEY_DENY_CGROUP_PARENT) && policy_text(w->cgroup_parent)[0])
		deny(j, RULE_CGROUP_PARENT, KEY_DENY_CGROUP_PARENT, w->cgroup_parent, "", 0);
}

void judge_runtime(struct judge *j)
{
	switch (j->v.w->subject) {
	case POLICY_CONTAINER:
		judge_container(j);
		return;
	case POLICY_EXEC:
		judge_exec(j);
		return;
	case POLICY_BUILD:
		judge_build(j);
		return;
	case POLICY_NETWORKS: {
		const struct policy_workload *w = j->v.w;

		if ((j->v.v[KEY_DENY_HOST_NAMESPACES]->n >> NAMESPACE_NETWORK & 1) && has_host_network(w))
			deny(j, RULE_HOST_NAMESPACE, KEY_DENY_HOST_NAMESPACES, policy_namespace_names[NAMESPACE_NETWORK], "", NAMESPACE_NETWORK);
		return;
	}
	case POLICY_PULL:
	case POLICY_VOLUME:
		return;
	}
}
