/* checks_container_net.c - ports and networks of a container, and who gets in by docker exec. */
#include "agent/audit/checks.h"

static bool is_any_address(const char *ip)
{
	return !ip[0] || !strcmp(ip, "0.0.0.0") || !strcmp(ip, "::") || !strcmp(ip, "[::]") || !strcmp(ip, "*");
}

static bool is_loopback(const char *ip)
{
	return !strncmp(ip, "127.", 4) || !strcmp(ip, "::1") || !strncmp(ip, "::ffff:127.", 11);
}

/* Of a container that runs, a port without a number on the host is only declared. */
static bool is_published(const struct judge *j, const struct facts_port *p)
{
	return p->host_port || !judge_is_running(j->c);
}

static void add_port(struct names *names, const struct facts_port *p)
{
	bool is6 = strchr(p->host_ip, ':') && p->host_ip[0] != '[';

	if (p->host_port)
		names_add(names, "%s%s%s:%u->%u/%.8s", is6 ? "[" : "", p->host_ip[0] ? p->host_ip : "*", is6 ? "]" : "", p->host_port,
			  p->port, p->protocol);
	else
		names_add(names, "%s:any->%u/%.8s", p->host_ip[0] ? p->host_ip : "*", p->port, p->protocol);
}

enum audit_status check_c_any_address(struct judge *j)
{
	struct names open = { .most = 6 }, fine = { .most = 6 };

	for (size_t i = 0; i < j->asked->port_count; i++) {
		const struct facts_port *p = &j->asked->ports[i];

		if (is_published(j, p))
			add_port(is_any_address(p->host_ip) ? &open : &fine, p);
	}
	if (open.count)
		return judge_fail(j, "%s%s", names_text(&open), judge_asked_only(j));
	return judge_pass(j, "%s", fine.count ? names_text(&fine) : "no port is published");
}

enum audit_status check_c_low_ports(struct judge *j)
{
	enum { FIRST_FREE = 1024 };
	struct names low = { .most = 6 };
	bool local = true;

	for (size_t i = 0; i < j->asked->port_count; i++) {
		const struct facts_port *p = &j->asked->ports[i];

		if (!p->host_port || p->host_port >= FIRST_FREE)
			continue;
		local &= is_loopback(p->host_ip);
		add_port(&low, p);
	}
	if (!low.count)
		return judge_pass(j, "none below 1024");
	return judge_fail_as(j, local ? AUDIT_LOW : AUDIT_MEDIUM, "%s%s", names_text(&low), judge_asked_only(j));
}

enum audit_status check_c_publish_all(struct judge *j)
{
	struct names names = { .most = 6 };

	for (size_t i = 0; i < j->asked->port_count; i++) {
		if (is_published(j, &j->asked->ports[i]))
			add_port(&names, &j->asked->ports[i]);
	}
	if (j->asked->is_publish_all)
		return judge_fail(j, "-P%s%s", names.count ? ": " : "", names_text(&names));
	return judge_pass(j, "%s", names.count ? names_text(&names) : "no port is published");
}

/* ---- what listens ---- */

static bool is_tcp(const char *protocol)
{
	return !strncmp(protocol, "tcp", 3);
}

static bool is_declared(const struct judge *j, const struct facts_listener *l)
{
	char text[32];

	for (size_t i = 0; i < j->asked->port_count; i++) {
		if (j->asked->ports[i].port == l->port && is_tcp(j->asked->ports[i].protocol) == is_tcp(l->protocol))
			return true;
	}
	snprintf(text, sizeof(text), "%u/%s", l->port, is_tcp(l->protocol) ? "tcp" : "udp");
	return j->image && judge_text_in(&j->image->exposed_ports, text);
}

enum audit_status check_c_listeners(struct judge *j)
{
	struct names names = { .most = 6 };

	if (!j->real)
		return judge_na(j, "it does not run");
	if (!strcmp(j->asked->network_mode, "host") ||
	    (j->real->init.ns[NS_NET] && j->real->init.ns[NS_NET] == j->host->ns[NS_NET]))
		return judge_na(j, "the network is the host's: PKT-C-010");
	for (size_t i = 0; i < j->real->listener_count; i++) {
		const struct facts_listener *l = &j->real->listeners[i];

		/* on loopback nobody from outside reaches it; the engine's own name server is there, too */
		if (is_loopback(l->address) || is_declared(j, l))
			continue;
		names_add(&names, "%s port %u/%s", l->address, l->port, is_tcp(l->protocol) ? "tcp" : "udp");
	}
	if (!names.count)
		return judge_pass(j, "%zu listen, all declared or on loopback", j->real->listener_count);
	return judge_warn(j, "%s", names_text(&names));
}

/* The one check that looks at a program's name: it asks for one. A name can only accuse its own container; what
 * listens on the port counts whatever it is called. */
static bool is_sshd(const struct facts_process *p)
{
	const char *slash = strrchr(p->exe, '/'), *exe = slash ? slash + 1 : p->exe;

	return !strcmp(p->comm, "sshd") || !strcmp(p->comm, "dropbear") || !strcmp(exe, "sshd") || !strcmp(exe, "dropbear");
}

enum audit_status check_c_sshd(struct judge *j)
{
	enum { SSH = 22 };

	if (!j->real)
		return judge_na(j, "it does not run");
	for (size_t i = 0; i < j->real->listener_count; i++) {
		const struct facts_listener *l = &j->real->listeners[i];

		if (l->port == SSH && is_tcp(l->protocol))
			return judge_fail_as(j, AUDIT_MEDIUM, "something listens on %s port 22", l->address);
	}
	for (size_t i = 0; i < j->real->process_count; i++) {
		if (is_sshd(&j->real->processes[i]))
			return judge_fail(j, "pid %d is called sshd; it does not listen on port 22", (int)j->real->processes[i].pid);
	}
	return judge_pass(j, "nothing listens on port 22");
}

enum audit_status check_c_default_bridge(struct judge *j)
{
	for (size_t i = 0; i < j->asked->network_count; i++) {
		if (!strcmp(j->asked->networks[i].name, "bridge"))
			return judge_fail(j, "address %s on the default bridge",
					  j->asked->networks[i].address[0] ? j->asked->networks[i].address : "not given yet");
	}
	return judge_pass(j, "%.100s", j->asked->network_count ? j->asked->networks[0].name : "in none of the engine's networks");
}

/* ---- settings of the kernel ---- */

static bool starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* Those that Kubernetes calls safe, and what else only changes the container's own network stack. */
static bool is_harmless_sysctl(const char *s)
{
	static const char *const prefixes[] = {
		"kernel.shm_rmid_forced=", "kernel.shm",	      "kernel.msg",		 "kernel.sem=",
		"fs.mqueue.",		   "net.ipv4.ip_local_",     "net.ipv4.tcp_",		 "net.ipv4.ping_group_range=",
		"net.ipv4.ip_unprivileged_port_start=", "net.core.somaxconn=", "net.unix.max_dgram_qlen=", "net.ipv4.vs.",
		"net.ipv4.igmp_",	   "net.ipv4.neigh.",	      "net.ipv6.conf.all.disable_ipv6=",
		"net.ipv6.conf.default.disable_ipv6=",
	};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (starts(s, prefixes[i]))
			return true;
	}
	return false;
}

/* net.ipv4.conf.eth0.accept_redirects=1: the last name tells. */
static bool is_unsafe_sysctl(const char *s)
{
	static const char *const on[] = { "ip_forward=1",     "forwarding=1",	       "route_localnet=1", "accept_redirects=1",
					  "send_redirects=1", "accept_source_route=1", "proxy_arp=1",	   "rp_filter=0",
					  "bootp_relay=1",    "arp_accept=1" };
	size_t n = strlen(s);

	for (size_t i = 0; i < ARRAY_LEN(on); i++) {
		size_t m = strlen(on[i]);

		if (n > m && !strcmp(s + n - m, on[i]) && s[n - m - 1] == '.')
			return true;
	}
	return !starts(s, "net.") && !starts(s, "kernel.shm") && !starts(s, "kernel.msg") && !starts(s, "kernel.sem") &&
	       !starts(s, "fs.mqueue.") && !starts(s, "kernel.domainname=") && !starts(s, "kernel.hostname=");
}

enum audit_status check_c_sysctls(struct judge *j)
{
	struct names bad = { .most = 6 }, odd = { .most = 6 };
	const struct facts_texts *t = &j->asked->sysctls;

	for (size_t i = 0; i < t->count; i++) {
		if (is_unsafe_sysctl(t->v[i]))
			names_add(&bad, "%.100s", t->v[i]);
		else if (!is_harmless_sysctl(t->v[i]))
			names_add(&odd, "%.100s", t->v[i]);
	}
	if (bad.count)
		return judge_fail(j, "%s", names_text(&bad));
	if (odd.count)
		return judge_warn_as(j, AUDIT_LOW, "not known to be harmless: %s", names_text(&odd));
	return judge_pass(j, "%zu set, all harmless", t->count);
}

/* ---- docker exec ---- */

enum audit_status check_c_exec_privileged(struct judge *j)
{
	struct names running = { .most = 4 }, over = { .most = 4 };

	for (size_t i = 0; i < j->asked->exec_count; i++) {
		const struct facts_exec *e = &j->asked->execs[i];

		if (e->is_privileged)
			names_add(e->is_running ? &running : &over, "%.12s%s", e->id, e->is_running && e->pid ? " (runs)" : "");
	}
	if (running.count)
		return judge_fail(j, "exec %s", names_text(&running));
	if (over.count)
		return judge_warn_as(j, AUDIT_MEDIUM, "exec %s, not running now", names_text(&over));
	return judge_pass(j, "%zu exec, none privileged", j->asked->exec_count);
}

enum audit_status check_c_exec_root(struct judge *j)
{
	struct names names = { .most = 4 };

	for (size_t i = 0; i < j->asked->exec_count; i++) {
		const struct facts_exec *e = &j->asked->execs[i];

		/* without a user it is the container's */
		if (e->user[0] && judge_is_root_name(e->user))
			names_add(&names, "%.12s as '%.32s'", e->id, e->user);
	}
	return names.count ? judge_fail(j, "exec %s", names_text(&names)) :
			     judge_pass(j, "%zu exec, none as root by option", j->asked->exec_count);
}

/* ---- the rest ---- */

enum audit_status check_c_secrets(struct judge *j)
{
	struct names names = { .most = 8 };

	for (size_t i = 0; i < j->asked->secret_names.count; i++)
		names_add(&names, "%.64s", j->asked->secret_names.v[i]);
	return names.count ? judge_fail(j, "variables %s", names_text(&names)) : judge_pass(j, "no variable looks like one");
}

enum audit_status check_c_as_asked(struct judge *j)
{
	struct names names = { .most = 6 };
	enum audit_severity worst = AUDIT_LOW;

	if (!j->real)
		return judge_na(j, "%s", judge_is_running(j->c) ? "the kernel could not be asked" : "it does not run");
	for (size_t i = 0; i < j->done_count; i++) {
		const struct audit_result *r = &j->done[i];

		if (!j->done_weaker[i])
			continue;
		names_add(&names, "%s: %.120s", r->check->id, r->evidence);
		if (r->severity > worst)
			worst = r->severity;
	}
	if (!names.count)
		return judge_pass(j, "nothing is weaker than it was asked to be");
	j->result->differs = true;
	return judge_fail_as(j, worst, "%s", names_text(&names));
}
