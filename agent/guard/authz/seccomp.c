/* seccomp.c - is a profile that comes inline weaker than the engine's default?
 *
 * By what it lets through without a condition: the calls that the default refuses a container without capabilities.
 * A profile that is stricter, or the default itself with a few calls less, passes. */
#include "agent/guard/authz/authz_priv.h"

/* Refused by the default (20.10 to 27) unless a capability was added. */
static const char *const refused[] = {
	"_sysctl", "acct", "add_key", "bpf", "clock_adjtime", "clock_settime", "create_module", "delete_module",
	"fanotify_init", "finit_module", "fsconfig", "fsmount", "fsopen", "fspick", "get_kernel_syms", "init_module", "ioperm",
	"iopl", "kcmp", "kexec_file_load", "kexec_load",
	"keyctl", "lookup_dcookie", "mount", "mount_setattr", "move_mount", "move_pages", "nfsservctl", "open_by_handle_at",
	"open_tree", "perf_event_open", "personality", "pidfd_getfd", "pivot_root", "query_module",
	"quotactl", "reboot", "request_key", "setdomainname", "sethostname", "setns", "settimeofday", "stime", "swapoff",
	"swapon", "sysfs", "syslog", "umount", "umount2", "unshare", "uselib", "userfaultfd", "ustat", "vhangup", "vm86",
	"vm86old", "clone", "clone3",
};

static bool is_refused(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (!strcmp(refused[i], name))
			return true;
	return false;
}

/* Everything but what ends or fails the call lets it through. */
static bool lets_through(const char *action)
{
	return strcmp(action, "SCMP_ACT_ERRNO") != 0 && strncmp(action, "SCMP_ACT_KILL", 13) != 0 &&
	       strcmp(action, "SCMP_ACT_TRAP") != 0;
}

static bool has_any(const struct authz_body *o, const char *name)
{
	const struct authz_body *m = authz_get(o, name);

	return m && m->count;
}

/* An argument's test with which the default itself lets the call through: clone without new namespaces (CLONE_NEW*
 * masked to 0), personality of three values. */
static bool is_tested(const struct authz_body *rule, const char *name)
{
	const struct authz_body *args = authz_get(rule, "args");

	if (!args || args->type != AUTHZ_LIST || !args->count)
		return false;
	for (const struct authz_body *t = args->first; t; t = t->next) {
		const char *op = "";
		int64_t value = -1, two = -1, index = -1;

		if (authz_text(t, "op", &op, NULL) < 0 || authz_i64(t, "value", &value, NULL) < 0 ||
		    authz_i64(t, "valueTwo", &two, NULL) < 0 || authz_i64(t, "index", &index, NULL) < 0)
			return false;
		if (!strcmp(name, "personality") && !index && !strcmp(op, "SCMP_CMP_EQ"))
			return true;
		/* 0x7e020000: every CLONE_NEW* flag; a mask with fewer lets some through */
		if (!strcmp(name, "clone") && !strcmp(op, "SCMP_CMP_MASKED_EQ") && (value & 0x7e020000) == 0x7e020000 && !two)
			return true;
	}
	return false;
}

static bool is_weak_rule(const struct authz_body *rule, struct arena *a)
{
	const struct authz_body *includes = NULL;
	struct policy_texts names;
	const char *action, *one;

	if (authz_text(rule, "action", &action, NULL) < 0 || authz_texts(rule, "names", a, &names, NULL) < 0 ||
	    authz_text(rule, "name", &one, NULL) < 0 || authz_object(rule, "includes", &includes, NULL) < 0)
		return true;
	if (!lets_through(action))
		return false;
	/* "Only with this capability": the capability is judged where it is asked for. */
	if (has_any(includes, "caps"))
		return false;
	if (*one && is_refused(one) && !is_tested(rule, one))
		return true;
	for (size_t i = 0; i < names.count; i++)
		if (is_refused(names.v[i]) && !is_tested(rule, names.v[i]))
			return true;
	return false;
}

bool authz_seccomp_is_weaker(struct slice profile, struct arena *a)
{
	const struct authz_body *b, *rules;
	const char *action;

	if (authz_body_read(profile, a, &b, NULL) < 0 || authz_text(b, "defaultAction", &action, NULL) < 0 ||
	    authz_list(b, "syscalls", &rules, NULL) < 0 || lets_through(action))
		return true;
	for (const struct authz_body *rule = rules ? rules->first : NULL; rule; rule = rule->next)
		if (rule->type != AUTHZ_OBJECT || is_weak_rule(rule, a))
			return true;
	return false;
}
