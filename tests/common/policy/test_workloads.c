/* workloads: one strict policy, what it forbids and what it lets through. */
#include "policy_test.h"

#include "common/clock.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX63 "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HUB "docker.io/library/nginx@sha256:" HEX64
#define COMPANY "registry.company.com/library/app@sha256:" HEX64

static const char strict[] =
	"mode: enforce\n"
	"access_control:\n"
	"  image_access:\n"
	"    allowed_repositories: [registry.company.com]\n"
	"    denied_repositories: [registry.company.com/legacy]\n"
	"    denied_tags: [latest, \"*-dev\"]\n"
	"    max_severity: high\n"
	"    max_scan_age: 7d\n"
	"    deny_build: true\n"
	"  network_access:\n"
	"    denied_networks: [legacy]\n"
	"  port_access:\n"
	"    allowed_ports: [80, 443, 8000-8100]\n"
	"    restricted_ports: [22, 8022]\n"
	"  runtime_access:\n"
	"    deny_privileged: true\n"
	"    deny_host_namespaces: true\n"
	"    denied_capabilities: [SYS_ADMIN, NET_ADMIN, SYS_PTRACE]\n"
	"    denied_mounts: [/var/run/docker.sock, /etc, \"/usr:rw\"]\n"
	"    deny_volumes_from: true\n"
	"    denied_devices: [\"/dev/kvm\", \"/dev/input/*\"]\n"
	"    deny_device_requests: true\n"
	"    allowed_runtimes: [runc]\n"
	"    allowed_sysctls: [\"net.*\"]\n"
	"    denied_sysctls: [net.ipv4.ip_forward]\n"
	"    require_user: true\n"
	"    deny_unconfined: true\n"
	"    require_limits: true\n"
	"    deny_oom_protection: true\n"
	"    deny_cgroup_parent: true\n"
	"  exceptions:\n"
	"    - {match: {name: exporter}, allow: [{host_namespaces: [pid]}, {mounts: [/etc/hostname]}, root_user], reason: metrics}\n";

static const char *const company[] = { COMPANY };

/* Right in every way: each row changes something of it. */
#define GOOD                                                                                                         \
	.name = "app-1", .image = "registry.company.com/library/app:1.2", .image_id = "sha256:" HEX64,               \
	.digests = { company, 1 }, .is_scan_known = true, .is_scanned = true, .scanned_unix_s = NOW - 3600,          \
	.worst_severity = "high", .user = "1000:1000", .memory_bytes = 1 << 28, .pids_limit = 100
#define MOUNT(...) .mounts = &(const struct policy_mount){ __VA_ARGS__ }, .mount_count = 1
#define PORT(...) .ports = &(const struct policy_port){ __VA_ARGS__ }, .port_count = 1
#define BIND(path, writable) MOUNT(.type = "bind", .source = path, .is_writable = writable)

struct row {
	const char *what;
	struct policy_workload w;
	const char *want;
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"

static void what_is_forbidden_is_refused(void **state)
{
	const struct row rows[] = {
		{ "privileged", { GOOD, .is_privileged = true }, "AC-401" },
		{ "privileged with all it brings", { GOOD, .is_privileged = true, .devices = TEXTS("/dev/sda"), .cap_add = TEXTS("ALL") }, "AC-401" },
		{ "all capabilities", { GOOD, .cap_add = TEXTS("ALL") }, "AC-412 AC-412 AC-412 AC-402" },
		{ "all, lower case", { GOOD, .cap_add = TEXTS("all"), .cap_drop = TEXTS("CAP_NET_ADMIN") }, "AC-412 AC-412 AC-402" },
		{ "ALL added outweighs ALL dropped", { GOOD, .cap_add = TEXTS("CAP_ALL"), .cap_drop = TEXTS("ALL") }, "AC-412 AC-412 AC-412 AC-402" },
		{ "a denied capability", { GOOD, .cap_add = TEXTS("SYS_ADMIN") }, "AC-412" },
		{ "with prefix, lower case", { GOOD, .cap_add = TEXTS("cap_sys_admin") }, "AC-412" },
		{ "with a long s, which the engine folds", { GOOD, .cap_add = TEXTS("\xc5\xbfys_adm\xc4\xb1n") }, "AC-412" },
		{ "added and dropped: added wins", { GOOD, .cap_add = TEXTS("SYS_ADMIN"), .cap_drop = TEXTS("SYS_ADMIN") }, "AC-412" },
		{ "all dropped, one added", { GOOD, .cap_add = TEXTS("NET_ADMIN"), .cap_drop = TEXTS("ALL") }, "AC-412" },
		{ "a capability nobody knows", { GOOD, .cap_add = TEXTS("SYS_GOD") }, "AC-413" },
		{ "kernel modules", { GOOD, .cap_add = TEXTS("SYS_MODULE") }, "AC-402" },
		{ "raw I/O", { GOOD, .cap_add = TEXTS("sys_rawio") }, "AC-402" },
		{ "host pid", { GOOD, .pid_mode = "host" }, "AC-411" },
		{ "host pid through another", { GOOD, .pid_mode = "container:x", .real_pid_mode = "host" }, "AC-411" },
		{ "host pid and ptrace", { GOOD, .pid_mode = "host", .cap_add = TEXTS("SYS_PTRACE") }, "AC-412 AC-406 AC-411" },
		{ "host ipc", { GOOD, .ipc_mode = "host" }, "AC-411" },
		{ "host ipc through another", { GOOD, .ipc_mode = "container:x", .real_ipc_mode = "host" }, "AC-411" },
		{ "host network", { GOOD, .network_mode = "host" }, "AC-411" },
		{ "host network by its endpoint", { GOOD, .networks = TEXTS("host") }, "AC-411" },
		{ "host network through another", { GOOD, .network_mode = "container:x", .real_network_mode = "host" }, "AC-411" },
		{ "host uts", { GOOD, .uts_mode = "host" }, "AC-411" },
		{ "host users", { GOOD, .userns_mode = "host" }, "AC-411" },
		{ "docker.sock", { GOOD, BIND("/var/run/docker.sock", false) }, "AC-421" },
		{ "docker.sock, the folder", { GOOD, BIND("/run", false) }, "AC-421" },
		{ "docker.sock by a link", { GOOD, MOUNT(.type = "bind", .source = "/srv/s", .real = "/run/docker.sock") }, "AC-421" },
		{ "docker.sock by inode", { GOOD, MOUNT(.type = "bind", .source = "/srv/s", .real = "/srv/s", .protects = "/var/run/docker.sock") }, "AC-421" },
		{ "the host by inode", { GOOD, MOUNT(.type = "bind", .source = "/srv/s", .real = "/srv/s", .protects = "/") }, "AC-421" },
		{ "the host read-only", { GOOD, BIND("/", false) }, "AC-421" },
		{ "the host writable", { GOOD, BIND("/", true) }, "AC-404 AC-421" },
		{ "/proc writable", { GOOD, BIND("/proc", true) }, "AC-404" },
		{ "/sys below, writable", { GOOD, BIND("/sys/fs/cgroup", true) }, "AC-404" },
		{ "/etc", { GOOD, BIND("/etc/cron.d", true) }, "AC-421" },
		{ "/usr writable", { GOOD, BIND("/usr/local", true) }, "AC-421" },
		{ "a type nobody knows", { GOOD, MOUNT(.type = "mystery", .source = "/etc") }, "AC-421" },
		{ "/etc by a local volume", { GOOD, MOUNT(.type = "volume", .source = "v", .driver = "local", .device = "/etc") }, "AC-421" },
		{ "the host by a local volume", { GOOD, MOUNT(.type = "volume", .source = "v", .device = "/", .is_writable = true) }, "AC-404 AC-421" },
		{ "a disk by a local volume", { GOOD, MOUNT(.type = "volume", .source = "v", .device = "/dev/sda1") }, "AC-403" },
		{ "a volume driver", { GOOD, MOUNT(.type = "volume", .source = "v", .driver = "local-persist") }, "AC-424" },
		{ "volumes from", { GOOD, .volumes_from = TEXTS("other:ro") }, "AC-426" },
		{ "volumes from, not seen", { GOOD, .volumes_from = TEXTS("other"), .has_unseen_volumes = true }, "AC-426 AC-427" },
		{ "a disk", { GOOD, .devices = TEXTS("/dev/sda:/dev/x:rwm") }, "AC-403" },
		{ "a disk by its other names", { GOOD, .devices = TEXTS("/dev/disk/by-id/a", "/dev/nvme0n1p1", "/dev/../dev/dm-0") }, "AC-403 AC-403 AC-403" },
		{ "memory", { GOOD, .devices = TEXTS("/dev/mem") }, "AC-403" },
		{ "every device", { GOOD, .devices = TEXTS("/dev") }, "AC-403 AC-431" },
		{ "a link to a device", { GOOD, .devices = TEXTS("/srv/link") }, "AC-403 AC-431" },
		{ "a denied device", { GOOD, .devices = TEXTS("/dev/kvm") }, "AC-431" },
		{ "a folder of denied devices", { GOOD, .devices = TEXTS("/dev/input") }, "AC-431" },
		{ "device rule: everything", { GOOD, .device_rules = TEXTS("a *:* rwm") }, "AC-408" },
		{ "device rule: disks", { GOOD, .device_rules = TEXTS("b 8:* r") }, "AC-408" },
		{ "device rule: memory", { GOOD, .device_rules = TEXTS("c 1:1 rw") }, "AC-408" },
		{ "device rule: any character device", { GOOD, .device_rules = TEXTS("c *:* rwm") }, "AC-408" },
		{ "device rule: memory, all of it", { GOOD, .device_rules = TEXTS("c 1:* r") }, "AC-408" },
		{ "device rule: unreadable", { GOOD, .device_rules = TEXTS("x") }, "AC-408" },
		{ "device rule: by number", { GOOD, .device_rules = TEXTS("c 10:232 rw") }, "AC-433" },
		{ "a GPU", { GOOD, .device_requests = 1 }, "AC-435" },
		{ "a GPU by its class", { GOOD, .devices = TEXTS("nvidia.com/gpu=all") }, "AC-435" },
		{ "another runtime", { GOOD, .runtime = "kata" }, "AC-442" },
		{ "a denied sysctl", { GOOD, .sysctls = TEXTS("net.ipv4.ip_forward=1") }, "AC-443" },
		{ "a denied sysctl, with slashes", { GOOD, .sysctls = TEXTS("net/ipv4/ip_forward=1") }, "AC-443" },
		{ "another sysctl", { GOOD, .sysctls = TEXTS("kernel.shmmax=1") }, "AC-444" },
		{ "no user", { GOOD, .user = "" }, "AC-451" },
		{ "root", { GOOD, .user = "root:daemon" }, "AC-451" },
		{ "root by number", { GOOD, .user = "0" }, "AC-451" },
		{ "root in other figures", { GOOD, .user = "+000:1000" }, "AC-451" },
		{ "root under another name", { GOOD, .user = "toor", .is_user_root = true }, "AC-451" },
		{ "seccomp off", { GOOD, .security_opt = TEXTS("seccomp=unconfined") }, "AC-452" },
		{ "seccomp off, old form", { GOOD, .security_opt = TEXTS("seccomp:unconfined") }, "AC-452" },
		{ "AppArmor off", { GOOD, .security_opt = TEXTS("apparmor=unconfined") }, "AC-452" },
		{ "SELinux off", { GOOD, .security_opt = TEXTS("label=disable") }, "AC-452" },
		{ "a weaker profile", { GOOD, .has_weaker_seccomp = true }, "AC-453" },
		{ "a weaker AppArmor profile", { GOOD, .has_weaker_apparmor = true }, "AC-453" },
		{ "masks off", { GOOD, .has_unmasked_paths = true }, "AC-405" },
		{ "no memory limit", { GOOD, .memory_bytes = 0 }, "AC-457" },
		{ "no pids limit", { GOOD, .pids_limit = -1 }, "AC-457" },
		{ "OOM killer off", { GOOD, .is_oom_kill_disabled = true }, "AC-458" },
		{ "OOM score", { GOOD, .oom_score_adj = -500 }, "AC-458" },
		{ "cgroup parent", { GOOD, .cgroup_parent = "/" }, "AC-459" },
		{ "foreign image", { GOOD, .image = "nginx:1", .digests = TEXTS(HUB) }, "AC-102" },
		{ "foreign image, renamed", { GOOD, .digests = TEXTS(HUB) }, "AC-102" },
		{ "foreign image, two digests of it", { GOOD, .digests = TEXTS(HUB, "nginx@sha256:a" HEX63) }, "AC-102" },
		{ "denied repository", { GOOD, .digests = TEXTS("registry.company.com/legacy/a@sha256:" HEX64) }, "AC-101" },
		{ "local image", { GOOD, .digests = { 0 } }, "AC-103" },
		{ "mutable tag", { GOOD, .image = "registry.company.com/library/app" }, "AC-108" },
		{ "development tag", { GOOD, .image = "registry.company.com/library/app:1-dev" }, "AC-108" },
		{ "vulnerable", { GOOD, .worst_severity = "critical" }, "AC-105" },
		{ "a severity nobody knows", { GOOD, .worst_severity = "catastrophic" }, "AC-105" },
		{ "not scanned", { GOOD, .is_scanned = false }, "AC-106" },
		{ "scanned long ago", { GOOD, .scanned_unix_s = NOW - 8 * 86400 }, "AC-107" },
		{ "restricted port", { GOOD, PORT(.host_port = 22, .port = 80) }, "AC-301" },
		{ "restricted inside", { GOOD, PORT(.host_port = 8080, .port = 22) }, "AC-304" },
		{ "port not allowed", { GOOD, PORT(.host_port = 3306, .port = 3306) }, "AC-302" },
		{ "the narrower restriction", { GOOD, PORT(.host_port = 8022, .port = 80) }, "AC-301" },
		{ "a port the engine chooses", { GOOD, PORT(.port = 80, .is_published = true) }, "AC-303" },
		{ "all ports", { GOOD, .is_publish_all = true }, "AC-303" },
		{ "denied network", { GOOD, .networks = TEXTS("bridge", "legacy") }, "AC-203" },
		{ "denied network by mode", { GOOD, .network_mode = "legacy" }, "AC-203" },
		{ "privileged exec", { GOOD, .subject = POLICY_EXEC, .is_privileged = true }, "AC-407" },
		{ "exec as root", { GOOD, .subject = POLICY_EXEC, .user = "0" }, "AC-451" },
		{ "pull of a foreign image", { .subject = POLICY_PULL, .image = "nginx:1" }, "AC-102" },
		{ "build", { .subject = POLICY_BUILD, .network_mode = "host", .cgroup_parent = "x" }, "AC-110 AC-411 AC-459" },
		{ "volume over /etc", { .subject = POLICY_VOLUME, MOUNT(.type = "volume", .source = "v", .device = "/etc") }, "AC-421" },
		{ "connect to a denied network", { GOOD, .subject = POLICY_NETWORKS, .networks = TEXTS("legacy") }, "AC-203" },
		{ "an exception is for what it names", { GOOD, .name = "exporter", .network_mode = "host" }, "AC-411" },
	};
	CLEANUP(policy_freep) struct policy *p = must_parse(strict);

	assert_true(ARRAY_LEN(rows) >= 40);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is_allowed;
		const char *is = denials(p, &rows[i].w, NOW, &is_allowed);

		if (strcmp(is, rows[i].want) != 0 || is_allowed)
			fail_msg("%s: '%s', not '%s'", rows[i].what, is, rows[i].want);
	}
}

static void what_is_not_forbidden_is_let_through(void **state)
{
	const struct row rows[] = {
		{ "as it should be", { GOOD } },
		{ "not here yet", { GOOD, .image_id = "", .digests = { 0 } } },
		{ "by digest", { GOOD, .image = COMPANY } },
		{ "by digest and mutable tag", { GOOD, .image = "registry.company.com/library/app:latest@sha256:" HEX64 } },
		{ "by id", { GOOD, .image = "sha256:" HEX64 } },
		{ "under another name", { GOOD, .image = "app:1" } },
		{ "another allowed repository", { GOOD, .digests = TEXTS("registry.company.com/team/a/b@sha256:" HEX64) } },
		{ "a repository that only begins alike", { GOOD, .digests = TEXTS("registry.company.com/legacy2/a@sha256:" HEX64) } },
		{ "no findings", { GOOD, .worst_severity = "" } },
		{ "medium findings", { GOOD, .worst_severity = "Medium" } },
		{ "scanned six days ago", { GOOD, .scanned_unix_s = NOW - 6 * 86400 } },
		{ "scanned a moment from now", { GOOD, .scanned_unix_s = NOW + 60 } },
		{ "nobody to ask for scans", { GOOD, .is_scan_known = false, .is_scanned = false } },
		{ "capabilities dropped", { GOOD, .cap_drop = TEXTS("ALL") } },
		{ "a harmless capability", { GOOD, .cap_add = TEXTS("NET_BIND_SERVICE", "cap_chown"), .cap_drop = TEXTS("all") } },
		{ "another capability", { GOOD, .cap_add = TEXTS("SYS_NICE") } },
		{ "all but those that matter",
		  { GOOD, .cap_add = TEXTS("ALL"), .cap_drop = TEXTS("SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "SYS_MODULE", "cap_sys_rawio") } },
		{ "own namespaces", { GOOD, .pid_mode = "", .ipc_mode = "private", .network_mode = "default", .uts_mode = "" } },
		{ "namespaces of another", { GOOD, .pid_mode = "container:x", .network_mode = "container:x", .ipc_mode = "container:x" } },
		{ "the host's cgroup namespace, which is the default of v1", { GOOD, .cgroupns_mode = "host" } },
		{ "no network", { GOOD, .network_mode = "none" } },
		{ "a network", { GOOD, .network_mode = "app", .networks = TEXTS("app") } },
		{ "a folder", { GOOD, BIND("/srv/data", true) } },
		{ "a folder beside a denied one", { GOOD, BIND("/etcetera", true) } },
		{ "/usr read-only", { GOOD, BIND("/usr/share", false) } },
		{ "/proc read-only", { GOOD, BIND("/proc", false) } },
		{ "a link that leads to nothing denied", { GOOD, MOUNT(.type = "bind", .source = "/srv/l", .real = "/data/x", .is_writable = true) } },
		{ "a named volume", { GOOD, MOUNT(.type = "volume", .source = "data", .driver = "local", .is_writable = true) } },
		{ "a volume as inspect shows it",
		  { GOOD, MOUNT(.type = "volume", .source = "/var/lib/docker/volumes/x/_data", .real = "/var/lib/docker/volumes/x/_data") } },
		{ "an anonymous volume", { GOOD, MOUNT(.type = "volume", .source = "") } },
		{ "a volume named like a path", { GOOD, MOUNT(.type = "volume", .source = "etc") } },
		{ "a local volume over a harmless folder", { GOOD, MOUNT(.type = "volume", .source = "v", .device = "/srv/v", .is_writable = true) } },
		{ "a local volume over NFS", { GOOD, MOUNT(.type = "volume", .source = "v", .device = ":/etc") } },
		{ "a tmpfs, whatever its source says", { GOOD, MOUNT(.type = "tmpfs", .source = "/etc") } },
		{ "a tmpfs over /etc", { GOOD, MOUNT(.type = "tmpfs", .source = "", .dest = "/etc") } },
		{ "a device", { GOOD, .devices = TEXTS("/dev/fuse:/dev/fuse:rwm") } },
		{ "a device whose name begins as a disk's", { GOOD, .devices = TEXTS("/dev/snd", "/dev/sdr-radio", "/dev/loop-control", "/dev/vdpa0x") } },
		{ "device rule: make nodes", { GOOD, .device_rules = TEXTS("c 1:3 m", "b 8:0 m") } },
		{ "the default runtime", { GOOD, .runtime = "" } },
		{ "runc", { GOOD, .runtime = "runc" } },
		{ "a network sysctl", { GOOD, .sysctls = TEXTS("net.core.somaxconn=1024") } },
		{ "a user by name", { GOOD, .user = "app" } },
		{ "a user with group root", { GOOD, .user = "1000:0" } },
		{ "a user with a zero in it", { GOOD, .user = "100" } },
		{ "a stricter profile", { GOOD, .security_opt = TEXTS("seccomp={\"defaultAction\":\"SCMP_ACT_ERRNO\"}", "apparmor=docker-default") } },
		{ "no new privileges", { GOOD, .security_opt = TEXTS("no-new-privileges:true") } },
		{ "cpu limit", { GOOD, .nano_cpus = 1000000000 } },
		{ "first to die", { GOOD, .oom_score_adj = 500 } },
		{ "allowed ports", { GOOD, PORT(.host_port = 443, .port = 8443) } },
		{ "a range of ports", { GOOD, PORT(.host_port = 8050, .port = 3000) } },
		{ "an exposed port", { GOOD, PORT(.port = 22) } },
		{ "exec", { GOOD, .subject = POLICY_EXEC, .user = "" } },
		{ "exec as somebody", { GOOD, .subject = POLICY_EXEC, .user = "1000" } },
		{ "pull", { .subject = POLICY_PULL, .image = "registry.company.com/library/app:2" } },
		{ "volume", { .subject = POLICY_VOLUME, MOUNT(.type = "volume", .source = "v", .driver = "local") } },
		{ "connect", { GOOD, .subject = POLICY_NETWORKS, .networks = TEXTS("app") } },
		{ "secrets in the environment are not its business", { GOOD, .env_names = TEXTS("PASSWORD") } },
		{ "the exception", { GOOD, .name = "exporter", .pid_mode = "host", .user = "root", BIND("/etc/hostname", false) }, "(AC-411) (AC-451) (AC-421)" },
	};
	CLEANUP(policy_freep) struct policy *p = must_parse(strict);

	assert_true(ARRAY_LEN(rows) >= 40);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is_allowed;
		const char *is = denials(p, &rows[i].w, NOW, &is_allowed);

		if (strcmp(is, rows[i].want ? rows[i].want : "") != 0 || !is_allowed)
			fail_msg("%s: '%s'", rows[i].what, is);
	}
}

/* Each rule that stands by itself is there without deny_privileged too, and does not speak without its key. */
static void what_privileged_brings_is_judged_where_privileged_is_allowed(void **state)
{
	static const struct {
		const char *keys, *want;
	} rows[] = {
		{ "denied_capabilities: [SYS_ADMIN]", "AC-412" },
		{ "denied_devices: [/dev/mem]", "AC-434" },
		{ "allowed_devices: []", "AC-434" },
		{ "deny_unconfined: true", "AC-452 AC-452" },
		{ "{deny_privileged: true, denied_capabilities: [ALL], denied_devices: [/dev/mem], deny_unconfined: true}", "AC-401" },
		{ "require_user: false", "" },
	};
	const struct policy_workload w = { .is_privileged = true };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[300];

		snprintf(text, sizeof(text), "access_control:\n  runtime_access:\n    %s\n", rows[i].keys);
		CLEANUP(policy_freep) struct policy *p = must_parse(text);
		assert_string_equal(denials(p, &w, NOW, NULL), rows[i].want);
	}
}

static void the_other_keys_are_judged(void **state)
{
	const struct {
		const char *section, *keys;
		struct policy_workload w;
		const char *want;
	} rows[] = {
		{ "image", "require_digest: true", { .image = "nginx:1" }, "AC-104" },
		{ "image", "require_digest: true", { .image = "nginx@sha256:" HEX64 }, "" },
		{ "image", "require_digest: true", { .image = "0123456789ab", .image_id = "sha256:" HEX64 }, "" },
		{ "image", "require_digest: true", { .image = "0123456789ac", .image_id = "sha256:" HEX64 }, "AC-104" },
		{ "image", "max_severity: critical", { .image = "a", .is_scan_known = true }, "" },
		{ "image", "max_severity: none", { .image = "a", .is_scan_known = true, .is_scanned = true, .worst_severity = "low" }, "AC-105" },
		{ "image", "deny_build: true", { .subject = POLICY_CONTAINER, .image = "a" }, "" },
		{ "network", "allowed_networks: [\"app-*\"]", { .network_mode = "app-1" }, "" },
		{ "network", "allowed_networks: [\"app-*\"]", { .network_mode = "" }, "AC-204" },
		{ "network", "allowed_networks: [bridge]", { .network_mode = "default" }, "" },
		{ "network", "allowed_networks: [\"app-*\"]", { .network_mode = "none" }, "" },
		{ "network", "allowed_networks: [\"app-*\"]", { .network_mode = "container:x" }, "" },
		{ "network", "allowed_networks: [\"app-*\"]", { .networks = TEXTS("app-1", "x"), .network_mode = "bridge" }, "AC-204" },
		{ "network", "allowed_networks: [\"app-*\"]", { .network_mode = "host" }, "AC-204" },
		{ "port", "deny_all_interfaces: true", { PORT(.host_port = 80, .port = 80) }, "AC-305" },
		{ "port", "deny_all_interfaces: true", { PORT(.host_port = 80, .port = 80, .host_ip = "0.0.0.0") }, "AC-305" },
		{ "port", "deny_all_interfaces: true", { PORT(.host_port = 80, .port = 80, .host_ip = "::") }, "AC-305" },
		{ "port", "deny_all_interfaces: true", { PORT(.host_port = 80, .port = 80, .host_ip = "127.0.0.1") }, "" },
		{ "port", "deny_all_interfaces: true", { .is_publish_all = true }, "AC-305" },
		{ "port", "restricted_ports: [22]", { PORT(.port = 80, .is_published = true) }, "" },
		{ "runtime", "deny_privileged_exec: true", { .subject = POLICY_EXEC, .is_privileged = true }, "AC-407" },
		{ "runtime", "{deny_privileged: true, deny_privileged_exec: false}", { .subject = POLICY_EXEC, .is_privileged = true }, "" },
		{ "runtime", "deny_privileged: true", { .subject = POLICY_EXEC, .is_privileged = true }, "AC-407" },
		{ "runtime", "deny_host_namespaces: [cgroup]", { .cgroupns_mode = "host", .pid_mode = "host" }, "AC-411" },
		{ "runtime", "deny_host_namespaces: false", { .pid_mode = "host" }, "" },
		{ "runtime", "denied_capabilities: [NET_RAW]", { 0 }, "AC-412" }, /* what the engine gives counts */
		{ "runtime", "denied_capabilities: [NET_RAW]", { .cap_drop = TEXTS("net_raw") }, "" },
		{ "runtime", "denied_capabilities: [ALL]", { .cap_drop = TEXTS("ALL") }, "" },
		{ "runtime", "denied_capabilities: [ALL]", { .cap_drop = TEXTS("ALL"), .cap_add = TEXTS("CHOWN") }, "AC-412" },
		{ "runtime", "allowed_volume_drivers: [\"vieux/*\"]", { MOUNT(.type = "volume", .driver = "vieux/sshfs:latest") }, "" },
		{ "runtime", "allowed_volume_drivers: [\"vieux/*\"]", { MOUNT(.type = "volume", .driver = "nfs") }, "AC-424" },
		{ "runtime", "{denied_mounts: [/etc], allowed_volume_drivers: [nfs]}", { MOUNT(.type = "volume", .driver = "nfs") }, "" },
		{ "runtime", "denied_volume_drivers: [nfs]", { MOUNT(.type = "volume", .driver = "nfs") }, "AC-423" },
		{ "runtime", "denied_volume_drivers: [local]", { MOUNT(.type = "volume", .driver = "") }, "AC-423" },
		{ "runtime", "require_user: true", { .user = "1", MOUNT(.type = "volume", .driver = "nfs") }, "" },
		{ "runtime", "deny_volume_binds: true", { MOUNT(.type = "volume", .source = "v", .device = "/srv") }, "AC-425" },
		{ "runtime", "deny_volume_binds: true", { MOUNT(.type = "volume", .source = "v") }, "" },
		{ "runtime", "deny_volume_binds: true", { .has_unseen_volumes = true }, "AC-427" },
		{ "runtime", "require_user: false", { .has_unseen_volumes = true }, "" },
		{ "runtime", "allowed_devices: [\"/dev/snd/*\"]", { .devices = TEXTS("/dev/snd/a") }, "" },
		{ "runtime", "allowed_devices: [\"/dev/snd/*\"]", { .devices = TEXTS("/dev/fuse") }, "AC-432" },
		{ "runtime", "allowed_devices: [\"/dev/snd/*\"]", { .device_rules = TEXTS("c 1:3 r") }, "AC-433" },
		{ "runtime", "{allowed_devices: [/dev/sda], denied_devices: [\"/dev/sd*\"]}", { .devices = TEXTS("/dev/sda") }, "" },
		{ "runtime", "denied_devices: [\"/dev/sd*\"]", { MOUNT(.type = "volume", .source = "v", .device = "/dev/sdb") }, "AC-431" },
		{ "runtime", "deny_unconfined: true", { .has_unmasked_paths = true }, "AC-454" },
		{ "runtime", "deny_unconfined: true", { .security_opt = TEXTS("label=type:spc_t") }, "AC-452" },
		/* the engine's own doing */
		{ "runtime", "deny_unconfined: true", { .security_opt = TEXTS("label=disable"), .pid_mode = "host" }, "" },
		{ "runtime", "deny_unconfined: true", { .security_opt = TEXTS("label=disable"), .ipc_mode = "host" }, "" },
		{ "runtime", "deny_unconfined: true", { .security_opt = TEXTS("label=disable", "seccomp=unconfined"), .pid_mode = "host" }, "AC-452" },
		{ "runtime", "require_no_new_privileges: true", { 0 }, "AC-455" },
		{ "runtime", "require_no_new_privileges: true", { .security_opt = TEXTS("no-new-privileges") }, "" },
		{ "runtime", "require_no_new_privileges: true", { .security_opt = TEXTS("no-new-privileges=true") }, "" },
		{ "runtime", "require_no_new_privileges: true", { .security_opt = TEXTS("no-new-privileges:true", "no-new-privileges:false") }, "AC-455" },
		{ "runtime", "require_read_only_root: true", { 0 }, "AC-456" },
		{ "runtime", "require_read_only_root: true", { .is_root_readonly = true }, "" },
		{ "runtime", "require_limits: [cpu]", { 0 }, "AC-457" },
		{ "runtime", "require_limits: [cpu]", { .cpu_quota = 1000 }, "" },
		{ "runtime", "denied_mounts: [/var/lib/docker]",
		  { MOUNT(.type = "volume", .source = "/var/lib/docker/volumes/x/_data", .protects = "/var/lib/docker") }, "" },
		{ "runtime", "denied_mounts: [/var/lib/docker]", { MOUNT(.type = "volume", .source = "x", .protects = "/var/lib/docker") }, "AC-421" },
		{ "runtime", "{denied_mounts: [/etc], allowed_mounts: [/etc/ssl]}", { MOUNT(.type = "bind", .source = "/etc/ssl", .protects = "/etc") }, "" },
		{ "runtime", "{denied_mounts: [/etc], allowed_mounts: [/srv/data]}",
		  { MOUNT(.type = "bind", .source = "/srv/data/link", .protects = "/etc") }, "AC-421" },
		{ "runtime", "{denied_mounts: [/etc], allowed_mounts: [/srv]}",
		  { MOUNT(.type = "bind", .source = "/srv/link", .protects = "/etc") }, "AC-421" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[300];

		snprintf(text, sizeof(text), "access_control:\n  %s_access:\n    %s\n", rows[i].section, rows[i].keys);
		CLEANUP(policy_freep) struct policy *p = must_parse(text);
		const char *is = denials(p, &rows[i].w, NOW, NULL);
		if (strcmp(is, rows[i].want) != 0)
			fail_msg("row %zu: %s: '%s', not '%s'", i, rows[i].keys, is, rows[i].want);
	}
}
#pragma GCC diagnostic pop

static void nothing_given_is_judged_without_a_fault(void **state)
{
	CLEANUP(policy_freep) struct policy *p = must_parse(strict);

	for (int subject = POLICY_CONTAINER; subject <= POLICY_NETWORKS; subject++) {
		const struct policy_mount m = { 0 };
		const struct policy_port port = { .is_published = true };
		const struct policy_workload w = { .subject = (enum policy_subject)subject, .mounts = &m, .mount_count = 1, .ports = &port,
						   .port_count = 1, .networks = TEXTS(NULL), .devices = TEXTS(NULL), .device_rules = TEXTS(NULL),
						   .cap_add = TEXTS(NULL), .security_opt = TEXTS(NULL), .sysctls = TEXTS(NULL),
						   .digests = TEXTS(NULL), .labels = TEXTS(NULL), .volumes_from = TEXTS(NULL) };

		(void)denials(p, &w, NOW, NULL);
	}
}

static void a_flood_of_denials_is_cut_and_refused(void **state)
{
	enum { MANY = 5000 };
	CLEANUP(policy_freep) struct policy *p = must_parse(strict);
	CLEANUP(arena_freep) struct arena *a = arena_new(4 << 20);
	CLEANUP(freep) struct policy_mount *mounts = calloc(MANY, sizeof(*mounts));
	struct policy_workload w = { .mounts = mounts, .mount_count = MANY };
	struct policy_verdict v;
	struct err err;

	for (size_t i = 0; i < MANY; i++)
		mounts[i] = (struct policy_mount){ .type = "bind", .source = "/etc" };
	assert_int_equal(policy_judge(p, &w, NOW, a, &v, &err), 0);
	assert_int_equal(v.count, 256);
	assert_false(v.is_allowed);
	/* Too little memory to say why: an error, never a permission. */
	CLEANUP(arena_freep) struct arena *small = arena_new(2000);
	assert_true(policy_judge(p, &w, NOW, small, &v, &err) < 0);
}

static void an_image_of_too_many_repositories_is_refused_and_never_judged_by_its_name(void **state)
{
	enum { MANY = 300 };
	static char texts[MANY][160];
	const char *digests[MANY];
	CLEANUP(policy_freep) struct policy *p = must_parse(strict);
	struct policy_workload w = { .name = "a", .image = "registry.company.com/library/app:1", .image_id = "sha256:" HEX64,
				     .digests = { digests, MANY }, .subject = POLICY_PULL };
	struct policy_verdict v;
	struct err err;

	for (size_t i = 0; i < MANY; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%s/a%zu@sha256:" HEX64, i + 1 < MANY ? "registry.company.com" : "evil.example", i);
		digests[i] = texts[i];
	}
	assert_string_equal(denials(p, &w, NOW, NULL), "AC-102");
	w.digests.count = 256;
	assert_string_equal(denials(p, &w, NOW, NULL), "");
	/* However little memory there is: refused, or an error. */
	digests[0] = digests[MANY - 1];
	w.digests.count = 1;
	for (size_t cap = 0; cap < 8000; cap += 16) {
		CLEANUP(arena_freep) struct arena *a = arena_new(cap);

		if (policy_judge(p, &w, NOW, a, &v, &err) >= 0)
			assert_false(v.is_allowed);
	}
}

/* The quickest of some rounds, in us: the neighbours of the machine are not measured. */
static double quickest(const struct policy *p, const struct policy_workload *w, bool is_address)
{
	enum { ROUNDS = 20, EACH = 10 };
	const struct clock *clk = clock_real();
	const uint8_t address[16] = { 10, 3, 7, 9 };
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint64_t from = clock_boot_ns(clk), took;

		for (unsigned k = 0; k < EACH; k++) {
			if (is_address)
				assert_false(policy_may_reach(p, w, NOW, address, false, NULL));
			else
				assert_string_equal(denials(p, w, NOW, NULL), "");
		}
		took = clock_boot_ns(clk) - from;
		best = took < best ? took : best;
	}
	return (double)best / 1e3 / EACH;
}

/* 1,000 repositories, 10,000 prefixes. Loose bounds: with the sanitizers it is twenty times what it is without. */
static void a_large_policy_is_judged_in_a_fraction_of_a_millisecond(void **state)
{
	const struct policy_workload w = { .name = "app", .image = "registry-500.example.org/team/app:1", .digests = TEXTS(
						"registry-500.example.org/team/app@sha256:" HEX64), .user = "1000" };
	CLEANUP(buf_finip) struct buf b = { 0 };
	CLEANUP(policy_freep) struct policy *p = NULL;
	struct err err;

	buf_add_str(&b, "access_control:\n  image_access:\n    allowed_repositories:\n");
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&b, "      - registry-%u.example.org/team\n", i);
	buf_add_str(&b, "  network_access:\n    whitelist: [10.0.0.0/8]\n    blacklist:\n");
	for (unsigned i = 0; i < 10000; i++)
		buf_printf(&b, "      - 10.%u.%u.0/24\n", i / 256, i % 256);
	if (policy_parse(buf_slice(&b), "large.yaml", &p, &err) < 0)
		fail_msg("%s", err.msg);
	double judged_us = quickest(p, &w, false), reach_us = quickest(p, &w, true);
	print_message("a container %.1f us, an address %.1f us\n", judged_us, reach_us);
	assert_true(judged_us < 1000);
	assert_true(reach_us < 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_forbidden_is_refused),
		cmocka_unit_test(what_is_not_forbidden_is_let_through),
		cmocka_unit_test(what_privileged_brings_is_judged_where_privileged_is_allowed),
		cmocka_unit_test(the_other_keys_are_judged),
		cmocka_unit_test(nothing_given_is_judged_without_a_fault),
		cmocka_unit_test(a_flood_of_denials_is_cut_and_refused),
		cmocka_unit_test(an_image_of_too_many_repositories_is_refused_and_never_judged_by_its_name),
		cmocka_unit_test(a_large_policy_is_judged_in_a_fraction_of_a_millisecond),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
