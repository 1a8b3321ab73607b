/* checks_container_ns.c - whose namespaces a container lives in: by inode number, whatever was asked for. */
#include "agent/audit/checks.h"

static bool is_host_mode(const char *mode)
{
	return !strcmp(mode, "host");
}

static const char *joined(const char *mode)
{
	return !strncmp(mode, "container:", 10) ? mode + 10 : NULL;
}

/* "host" is whatever the engine runs in: where that is not the host's own (an engine in a container), it is still
 * shared with the engine. */
static enum audit_status judge_ns(struct judge *j, enum facts_ns ns, const char *mode)
{
	uint64_t own = j->real ? j->real->init.ns[ns] : 0, hosts = j->host->ns[ns];
	bool is_hosts = own && own == hosts, asked = is_host_mode(mode);
	const char *other = joined(mode);

	if (!own || !hosts) {
		if (asked)
			return judge_fail(j, "the host's%s", judge_asked_only(j));
		if (other)
			return judge_warn(j, "that of container %.24s: whose that is shows when it runs", other);
		return judge_pass(j, "its own%s", judge_asked_only(j));
	}
	unsigned long long number = (unsigned long long)own;
	if (is_hosts && other)
		return judge_fail(j, "the host's (%llu), by way of container %.24s", number, other);
	if (is_hosts && !asked) {
		judge_differs(j, true);
		return judge_fail(j, "the host's (%llu), though asked for '%.60s'", number, mode[0] ? mode : "private");
	}
	if (is_hosts)
		return judge_fail(j, "the host's (%llu)", number);
	if (asked)
		return judge_fail(j, "the engine's (%llu), which is not the host's", number);
	return judge_pass(j, "%s (%llu)", other ? "another container's, not the host's" : "its own", number);
}

enum audit_status check_c_host_pid(struct judge *j)
{
	return judge_ns(j, NS_PID, j->asked->pid_mode);
}

enum audit_status check_c_host_net(struct judge *j)
{
	return judge_ns(j, NS_NET, j->asked->network_mode);
}

enum audit_status check_c_host_ipc(struct judge *j)
{
	return judge_ns(j, NS_IPC, j->asked->ipc_mode);
}

enum audit_status check_c_host_uts(struct judge *j)
{
	return judge_ns(j, NS_UTS, j->asked->uts_mode);
}

enum audit_status check_c_cgroupns(struct judge *j)
{
	const char *mode = j->asked->cgroupns_mode;
	uint64_t own = j->real ? j->real->init.ns[NS_CGROUP] : 0;

	/* With cgroup v1 the engine gives every container the host's and writes "host" into its options; nobody can
	 * tell it from one that was asked for. */
	if (j->daemon->cgroup_version == 1 && (is_host_mode(mode) || !mode[0]) && (!own || own == j->host->ns[NS_CGROUP]))
		return judge_warn_as(j, AUDIT_LOW, "the host's: the engine's default with cgroup v1%s", judge_asked_only(j));
	if (!mode[0] && own && own == j->host->ns[NS_CGROUP])
		return judge_fail_as(j, AUDIT_LOW, "the host's (%llu), by the engine's default", (unsigned long long)own);
	if (j->asked->is_privileged && own && own == j->host->ns[NS_CGROUP])
		return judge_fail(j, "the host's (%llu)", (unsigned long long)own);
	return judge_ns(j, NS_CGROUP, mode);
}

enum audit_status check_c_userns(struct judge *j)
{
	bool asked = is_host_mode(j->asked->userns_mode), remaps = j->daemon->has_userns || j->daemon->is_rootless;

	/* The engine's own check says once that it has none; here it counts where this container was left out. */
	if (!j->real && asked)
		return judge_fail(j, "the host's, as asked for%s", judge_asked_only(j));
	if (!j->real)
		return remaps ? judge_pass(j, "remapped by the engine%s", judge_asked_only(j)) :
				judge_warn_as(j, AUDIT_LOW, "the host's: the engine has no userns-remap%s", judge_asked_only(j));
	if (!j->real->is_user_ns_host)
		return judge_pass(j, "root in it is uid %u on the host", (unsigned)j->real->root_uid);
	if (asked)
		return judge_fail(j, "uid 0 in it is uid 0 of the host, as asked for");
	if (!remaps)
		return judge_warn_as(j, AUDIT_LOW, "uid 0 in it is uid 0 of the host; the engine has no userns-remap");
	if (!j->asked->is_privileged)
		judge_differs(j, true);
	return judge_fail(j, "uid 0 in it is uid 0 of the host, though the engine remaps");
}

enum audit_status check_c_joined(struct judge *j)
{
	const struct facts_asked *a = j->asked;
	const struct {
		const char *word, *mode;
	} modes[] = { { "processes", a->pid_mode }, { "network", a->network_mode }, { "IPC", a->ipc_mode } };
	struct names names = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (joined(modes[i].mode))
			names_add(&names, "%s of container %.24s", modes[i].word, joined(modes[i].mode));
	}
	return names.count ? judge_warn(j, "%s", names_text(&names)) : judge_pass(j, "none was asked for");
}
