/* checks_container_rights.c - what a container's processes may do: user, capabilities, system calls, labels. */
#include <linux/capability.h>
#include <strings.h>

#include "agent/audit/calls.h"
#include "agent/audit/checks.h"

static uint64_t had_by(const struct facts_process *p)
{
	return p->cap_effective | p->cap_permitted | p->cap_ambient;
}

/* ---- privileged ---- */

bool audit_is_privileged(const struct facts_real *r)
{
	uint64_t all = CAP_BIT(CAP_SYS_ADMIN) | CAP_BIT(CAP_SYS_MODULE) | CAP_BIT(CAP_SYS_RAWIO) | CAP_BIT(CAP_SYS_PTRACE) |
		       CAP_BIT(CAP_MKNOD);

	return (r->init.cap_bounding & all) == all && r->init.seccomp == SECCOMP_OFF;
}

enum audit_status check_c_privileged(struct judge *j)
{
	if (!j->real && j->asked->is_privileged)
		return judge_fail(j, "started with --privileged%s", judge_asked_only(j));
	if (!j->real)
		return judge_pass(j, "not asked for%s", judge_asked_only(j));
	unsigned long long bounding = (unsigned long long)j->real->init.cap_bounding;
	if (audit_is_privileged(j->real) && j->asked->is_privileged)
		return judge_fail(j, "started with --privileged: CapBnd %016llx, no seccomp filter", bounding);
	if (audit_is_privileged(j->real)) {
		judge_differs(j, !(judge_asked_caps(j) & CAP_BIT(CAP_SYS_MODULE)));
		return judge_fail(j, "as good as privileged though not asked for: CapBnd %016llx, no seccomp filter", bounding);
	}
	if (j->asked->is_privileged) {
		judge_differs(j, false);
		return judge_fail_as(j, AUDIT_HIGH, "asked for --privileged, has CapBnd %016llx and %s", bounding,
				     j->real->init.seccomp == SECCOMP_OFF ? "no seccomp filter" : "a seccomp filter");
	}
	return judge_pass(j, "CapBnd %016llx", bounding);
}

/* ---- capabilities ---- */

/* How near to the host each brings, beyond the default; what is not named is medium. */
static enum audit_severity cap_severity(unsigned bit)
{
	switch (bit) {
	case CAP_SYS_ADMIN:
	case CAP_SYS_MODULE:
	case CAP_SYS_RAWIO:
	case CAP_DAC_READ_SEARCH: /* opens files of the host by handle */
		return AUDIT_CRITICAL;
	case CAP_SYS_PTRACE:
	case CAP_SYS_BOOT:
	case CAP_NET_ADMIN:
	case CAP_BPF:
	case CAP_PERFMON:
	case CAP_MAC_ADMIN:
	case CAP_MAC_OVERRIDE:
	case CAP_SYS_TIME:
		return AUDIT_HIGH;
	case CAP_NET_BROADCAST:
	case CAP_SYS_NICE:
	case CAP_LEASE:
	case CAP_WAKE_ALARM:
	case CAP_IPC_LOCK:
	case CAP_SYS_TTY_CONFIG:
	case CAP_BLOCK_SUSPEND:
	case CAP_AUDIT_WRITE:
		return AUDIT_LOW;
	}
	return AUDIT_MEDIUM;
}

static enum audit_severity worst_of(uint64_t caps)
{
	enum audit_severity worst = AUDIT_INFO;

	for (unsigned i = 0; i < 64; i++) {
		if ((caps >> i & 1) && cap_severity(i) > worst)
			worst = cap_severity(i);
	}
	return worst;
}

enum audit_status check_c_capabilities(struct judge *j)
{
	uint64_t asked = judge_asked_caps(j), base = j->host->default_caps, extra = asked & ~base;
	struct names names = { .most = 12 };

	if (!j->real) {
		judge_caps_names(extra, &names);
		if (!extra)
			return judge_pass(j, "no more than the default%s", judge_asked_only(j));
		return judge_fail_as(j, worst_of(extra), "%s%s", names_text(&names), judge_asked_only(j));
	}
	const struct facts_process *init = &j->real->init;
	unsigned long long eff = (unsigned long long)init->cap_effective, bnd = (unsigned long long)init->cap_bounding;
	uint64_t more = (init->cap_bounding | had_by(init)) & ~base;
	judge_caps_names(more, &names);
	if (!more)
		return judge_pass(j, "no more than the default: CapEff %016llx CapBnd %016llx", eff, bnd);
	bool unasked = more & ~asked;
	if (unasked)
		judge_differs(j, true);
	const char *words = unasked ? ", more than was asked for" : "";
	/* not held, and no program on disk can give them */
	if (!(had_by(init) & ~base) && init->no_new_privs)
		return judge_warn_as(j, AUDIT_LOW, "out of reach behind no_new_privs: %s (CapBnd %016llx)%s", names_text(&names),
				     bnd, words);
	enum audit_severity worst = worst_of(more);
	if (!j->real->is_user_ns_host && worst > AUDIT_MEDIUM)
		return judge_fail_as(j, AUDIT_MEDIUM, "in a user namespace of its own: %s (CapEff %016llx)%s", names_text(&names),
				     eff, words);
	return judge_fail_as(j, worst, "%s (CapEff %016llx CapBnd %016llx)%s", names_text(&names), eff, bnd, words);
}

enum audit_status check_c_net_raw(struct judge *j)
{
	if (!j->real && (judge_asked_caps(j) & CAP_BIT(CAP_NET_RAW)))
		return judge_fail(j, "NET_RAW%s", judge_asked_only(j));
	if (!j->real)
		return judge_pass(j, "NET_RAW is dropped%s", judge_asked_only(j));
	const struct facts_process *init = &j->real->init;
	if (had_by(init) & CAP_BIT(CAP_NET_RAW))
		return judge_fail(j, "NET_RAW is held: CapEff %016llx", (unsigned long long)init->cap_effective);
	if ((init->cap_bounding & CAP_BIT(CAP_NET_RAW)) && !init->no_new_privs)
		return judge_fail_as(j, AUDIT_INFO, "NET_RAW is not held, but a setuid program can give it: CapBnd %016llx",
				     (unsigned long long)init->cap_bounding);
	return judge_pass(j, "NET_RAW can't be had: CapBnd %016llx", (unsigned long long)init->cap_bounding);
}

/* ---- more rights than the container ---- */

/* Against what was asked for too: an init that gives up rights of its own (a supervisor, a browser) makes no intruder
 * of a plain docker exec. */
static const char *more_rights(struct judge *j, const struct facts_process *p, struct names *caps)
{
	const struct facts_process *init = &j->real->init;
	uint64_t more = had_by(p) & ~(init->cap_bounding | judge_asked_caps(j));
	const char *seccomp = judge_option(&j->asked->security_opt, "seccomp");
	bool unfiltered = j->asked->is_privileged || (seccomp && !strcmp(seccomp, "unconfined"));

	if (more) {
		judge_caps_names(more, caps);
		return names_text(caps);
	}
	if (p->seccomp == SECCOMP_OFF && init->seccomp == SECCOMP_FILTERED && !unfiltered)
		return "no seccomp filter";
	const char *nnp = judge_option(&j->asked->security_opt, "no-new-privileges");
	if (!p->no_new_privs && init->no_new_privs && nnp && strcmp(nnp, "false") != 0)
		return "no no_new_privs";
	return NULL;
}

enum audit_status check_c_more_rights(struct judge *j)
{
	struct names all = { .most = 4 };
	bool runs_exec = false;

	for (size_t i = 0; i < j->asked->exec_count; i++)
		runs_exec |= j->asked->execs[i].is_privileged && j->asked->execs[i].is_running;
	if (!j->real)
		return judge_na(j, "its processes can't be seen%s", judge_asked_only(j));
	for (size_t i = 0; i < j->real->process_count; i++) {
		struct names caps = { .most = 6 };
		const struct facts_process *p = &j->real->processes[i];
		const char *what = more_rights(j, p, &caps);

		if (what)
			names_add(&all, "pid %d (%.32s): %s", (int)p->pid, p->comm, what);
	}
	if (!all.count)
		return judge_pass(j, "%zu processes, none has more than the container", j->real->process_total);
	judge_differs(j, true);
	return judge_fail(j, "%s%s", names_text(&all), runs_exec ? "; a privileged docker exec runs" : "");
}

/* ---- user ---- */

static const struct facts_process *process_of(const struct facts_real *r, uid_t uid)
{
	if (r->init.uid == uid || r->init.euid == uid)
		return &r->init;
	for (size_t i = 0; i < r->process_count; i++) {
		if (r->processes[i].uid == uid || r->processes[i].euid == uid)
			return &r->processes[i];
	}
	return NULL;
}

static enum audit_status user_asked(struct judge *j)
{
	const char *user = j->asked->user;
	bool is_images = j->image && !strcmp(j->image->user, user);

	if (!user[0])
		return judge_fail(j, "no user is set, so root%s", judge_asked_only(j));
	if (judge_is_root_name(user))
		return judge_fail(j, "user '%s' is root%s", user, judge_asked_only(j));
	if (is_images && j->image->has_user_uid0 == FACTS_YES)
		return judge_fail(j, "user '%s' has uid 0 in the image%s", user, judge_asked_only(j));
	if ((user[0] >= '0' && user[0] <= '9') || (is_images && j->image->has_user_uid0 == FACTS_NO))
		return judge_pass(j, "user '%s'%s", user, judge_asked_only(j));
	return judge_warn(j, "user '%s': its uid shows only when it runs", user);
}

enum audit_status check_c_user(struct judge *j)
{
	if (!j->real)
		return user_asked(j);
	const char *user = j->asked->user, *shown = user[0] ? user : "root by default";
	bool asked_root = judge_is_root_name(user);
	const struct facts_process *p = process_of(j->real, 0);
	if (p) {
		uint64_t more = (had_by(&j->real->init) | j->real->init.cap_bounding) & ~j->host->default_caps;

		if (!asked_root)
			judge_differs(j, p == &j->real->init && user[0] >= '0' && user[0] <= '9');
		/* behind the default walls it is one hole away from the host, without them none */
		return judge_fail_as(j, more ? AUDIT_HIGH : AUDIT_MEDIUM, "pid %d (%.32s) is uid 0; asked for: %s", (int)p->pid,
				     p->comm, shown);
	}
	p = j->real->is_user_ns_host ? NULL : process_of(j->real, j->real->root_uid);
	if (p)
		return judge_warn_as(j, AUDIT_LOW, "root in its own user namespace only: uid %u on the host", (unsigned)p->uid);
	if (asked_root)
		judge_differs(j, false);
	return judge_pass(j, "uid %u; asked for: %s", (unsigned)j->real->init.uid, shown);
}

enum audit_status check_c_nnp(struct judge *j)
{
	const char *v = judge_option(&j->asked->security_opt, "no-new-privileges");

	if (!j->real)
		return judge_has_nnp(j) ? judge_pass(j, "no-new-privileges%s", judge_asked_only(j)) :
					  judge_fail(j, "%s%s", v ? "no-new-privileges:false" : "not set", judge_asked_only(j));
	if (j->real->init.no_new_privs)
		return judge_pass(j, "NoNewPrivs 1");
	if (v && strcmp(v, "false") != 0) {
		judge_differs(j, true);
		return judge_fail(j, "NoNewPrivs 0, though no-new-privileges was asked for");
	}
	return judge_fail(j, "NoNewPrivs 0%s", v ? "; asked for as no-new-privileges:false" : "");
}

enum audit_status check_c_setuid(struct judge *j)
{
	struct names names = { .most = 5 };

	if (!j->image || !j->image->has_stock)
		return judge_na(j, "the image's files have not been looked at");
	for (size_t i = 0; i < j->image->setid_files.count; i++)
		names_add(&names, "%s", j->image->setid_files.v[i]);
	if (!names.count)
		return judge_pass(j, "the image has none");
	if (judge_has_nnp(j))
		return judge_pass(j, "no_new_privs keeps %zu from working", names.count);
	return judge_fail_as(j, judge_is_root(j) ? AUDIT_LOW : AUDIT_MEDIUM, "%s", names_text(&names));
}

/* ---- seccomp ---- */

static bool asked_unconfined(const struct judge *j)
{
	const char *v = judge_option(&j->asked->security_opt, "seccomp");

	if (v)
		return !strcmp(v, "unconfined");
	return j->asked->is_privileged || !strcmp(j->daemon->seccomp_profile, "unconfined");
}

enum audit_status check_c_seccomp(struct judge *j)
{
	bool asked_off = asked_unconfined(j);
	const char *by = j->asked->is_privileged ? "--privileged switches it off" : "seccomp=unconfined";

	if (!j->real || j->real->init.seccomp == SECCOMP_UNKNOWN)
		return asked_off ? judge_fail(j, "%s%s", by, judge_asked_only(j)) :
				   judge_pass(j, "not switched off%s", judge_asked_only(j));
	if (j->real->init.seccomp != SECCOMP_OFF) {
		if (asked_off)
			judge_differs(j, false);
		return judge_pass(j, "Seccomp %d%s", (int)j->real->init.seccomp, asked_off ? ", though asked for unconfined" : "");
	}
	if (!asked_off)
		judge_differs(j, true);
	return judge_fail(j, "Seccomp 0: %s", asked_off ? by : "no filter, though nobody asked for that");
}

/* Calls that exploits and escapes are made of; the default refuses them, or most of what they do. */
static bool is_dangerous_call(const char *name)
{
	static const char *const calls[] = {
		"acct", "add_key", "bpf", "clock_settime", "create_module", "delete_module", "finit_module", "fsconfig", "fsmount",
		"fsopen", "init_module", "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie",
		"mount", "mount_setattr", "move_mount", "move_pages", "name_to_handle_at", "open_by_handle_at", "open_tree",
		"perf_event_open", "pivot_root", "process_vm_readv", "process_vm_writev", "ptrace", "quotactl", "reboot",
		"request_key", "setns", "settimeofday", "swapoff", "swapon", "umount2", "unshare", "uselib", "userfaultfd",
	};

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		if (!strcmp(calls[i], name))
			return true;
	}
	return false;
}

static void add_calls(const struct facts_filter *f, const struct facts_filter *base, bool dangerous, struct names *ret)
{
	for (int n = 0; n < FACTS_SYSCALLS; n++) {
		uint64_t bit = UINT64_C(1) << (n % 64);
		char name[64];

		if (!(f->allows[n / 64] & ~base->allows[n / 64] & bit))
			continue;
		if (calls_name(n, name, sizeof(name)) && is_dangerous_call(name) == dangerous)
			names_add(ret, "%s", name);
	}
}

static enum audit_status filter_asked(struct judge *j, const char *why)
{
	const char *v = judge_option(&j->asked->security_opt, "seccomp");

	if (v && strcmp(v, "builtin") != 0 && v[0])
		return judge_warn_as(j, AUDIT_LOW, "has a profile of its own, which can't be judged: %s", why);
	return judge_pass(j, "the engine's profile was asked for; %s", why);
}

enum audit_status check_c_filter(struct judge *j)
{
	struct names dangerous = { .most = 10 }, others = { .most = 10 };

	if (!j->real)
		return asked_unconfined(j) ? judge_na(j, "there is none: PKT-C-022") : filter_asked(j, "it does not run");
	if (j->real->init.seccomp == SECCOMP_OFF)
		return judge_na(j, "there is none: PKT-C-022");
	const struct facts_filter *f = &j->real->filter, *base = &j->host->default_filter;
	if (!f->is_read)
		return filter_asked(j, f->why[0] ? f->why : "the filter could not be read");
	if (!base->is_read)
		return judge_unknown(j, "the filter lets %u calls through, but the default is not known here: %s", f->allowed,
				     base->why);
	add_calls(f, base, true, &dangerous);
	add_calls(f, base, false, &others);
	bool abi = f->allows_other_abi && !base->allows_other_abi;
	if (!dangerous.count && !others.count && !abi)
		return judge_pass(j, "%u calls allowed, none beyond the default's %u", f->allowed, base->allowed);
	if (!dangerous.count)
		return judge_fail_as(j, AUDIT_LOW, "beyond the default: %s%s%s (%u calls allowed, default %u)", names_text(&others),
				     others.count && abi ? ", " : "", abi ? "calls of other ABIs" : "", f->allowed, base->allowed);
	/* some twenty come with SYS_ADMIN; all of them are an empty profile */
	bool is_empty = dangerous.count > 30;
	bool by_caps = judge_asked_caps(j) & ~j->host->default_caps;
	return judge_fail_as(j, is_empty ? AUDIT_CRITICAL : by_caps ? AUDIT_MEDIUM : AUDIT_HIGH,
			     "%s: %s (%u calls allowed, default %u)", is_empty ? "as good as none" : "beyond the default",
			     names_text(&dangerous), f->allowed, base->allowed);
}

/* ---- labels ---- */

enum audit_status check_c_apparmor(struct judge *j)
{
	const char *asked = j->asked->apparmor;
	bool asked_off = !strcmp(asked, "unconfined");

	if (!j->host->has_apparmor)
		return judge_na(j, "this host's kernel runs without AppArmor");
	if (!j->real) {
		if (asked_off || j->asked->is_privileged)
			return judge_fail(j, "unconfined%s", judge_asked_only(j));
		return asked[0] ? judge_pass(j, "profile %s%s", asked, judge_asked_only(j)) :
				  judge_warn(j, "none named: shows only when it runs");
	}
	const char *label = j->real->init.label;
	if (!label[0] || !strncmp(label, "unconfined", 10)) {
		if (!asked_off && asked[0])
			judge_differs(j, true);
		return judge_fail(j, "unconfined%s%s", asked[0] ? "; asked for: " : "", asked);
	}
	if (strstr(label, "(complain)"))
		return judge_fail(j, "%s: it is logged, not refused", label);
	return judge_pass(j, "%s", label);
}

enum audit_status check_c_selinux(struct judge *j)
{
	const char *option = judge_option(&j->asked->security_opt, "label");

	if (!j->host->has_selinux)
		return judge_na(j, "this host's kernel runs without SELinux");
	if (!j->real) {
		if (option && !strcmp(option, "disable"))
			return judge_fail(j, "label=disable%s", judge_asked_only(j));
		return j->daemon->has_selinux ? judge_pass(j, "the engine labels containers%s", judge_asked_only(j)) :
						judge_fail(j, "the engine labels no containers%s", judge_asked_only(j));
	}
	const char *label = j->real->init.label;
	if (strstr(label, ":container_") || strstr(label, ":svirt_"))
		return judge_pass(j, "%s", label);
	return judge_fail(j, "%s", label[0] ? label : "no label");
}
