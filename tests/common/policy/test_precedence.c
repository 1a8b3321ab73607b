/* precedence: which of two rules that both hold decides. Tables, one for each kind of list. */
#include "policy_test.h"

#include <arpa/inet.h>

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define AT "@sha256:" HEX64

static const char *judge_image(const struct policy *p, const char *image, const struct policy_texts *digests, bool is_here)
{
	struct policy_workload w = { .image = image, .image_id = is_here ? "sha256:" HEX64 : "" };

	if (digests)
		w.digests = *digests;
	return denials(p, &w, NOW, NULL);
}

static void the_longest_repository_decides_and_of_equal_ones_the_denial(void **state)
{
	static const struct {
		const char *allowed, *denied, *image, *want;
	} rows[] = {
		{ "registry.company.com/library", NULL, "registry.company.com/library/nginx", "" },
		{ "registry.company.com/library", NULL, "registry.company.com/library", "" },
		{ "registry.company.com/library", NULL, "registry.company.com/library/a/b:1", "" },
		{ "registry.company.com/library", NULL, "registry.company.com/library2/nginx", "AC-102" },
		{ "registry.company.com/library", NULL, "registry.company.com/lib", "AC-102" },
		{ "registry.company.com/library", NULL, "nginx", "AC-102" },
		{ "registry.company.com/library", NULL, "evil.registry.company.com/library/nginx", "AC-102" },
		{ "registry.company.com/library", NULL, "registry.company.com:5000/library/nginx", "AC-102" },
		{ "registry.company.com/library", NULL, "registry.company.com:443/library/nginx", "" },
		{ "registry.company.com/library", NULL, "Registry.Company.COM/library/nginx", "" },
		{ NULL, "docker.io/library", "nginx", "AC-101" },
		{ NULL, "docker.io/library", "docker.io/library/nginx", "AC-101" },
		{ NULL, "docker.io/library", "index.docker.io/nginx", "AC-101" },
		{ NULL, "docker.io/library", "registry-1.docker.io/library/nginx", "AC-101" },
		{ NULL, "docker.io/library", "registry.hub.docker.com/library/nginx", "AC-101" },
		{ NULL, "docker.io/library", "registry-1.docker.io/nginx", "AC-101" },
		{ NULL, "docker.io/library", "docker.io:443/library/nginx", "AC-101" },
		{ NULL, "docker.io/library", "DOCKER.IO/library/nginx", "AC-101" },
		{ NULL, "docker.io/library", "bitnami/redis", "" },
		{ NULL, "docker.io", "bitnami/redis", "AC-101" },
		{ NULL, "docker.io/*", "bitnami/redis", "AC-101" },
		{ NULL, "docker.io", "quay.io/a/b", "" },
		{ NULL, "nginx", "nginx:1.25", "AC-101" },
		{ NULL, "nginx", "docker.io/library/nginx", "AC-101" },
		{ NULL, "nginx", "nginxinc/nginx", "" },
		/* both */
		{ "docker.io/library/nginx", "docker.io/library", "nginx", "" },
		{ "docker.io/library/nginx", "docker.io/library", "redis", "AC-101" },
		{ "docker.io", "docker.io/library", "nginx", "AC-101" },
		{ "docker.io", "docker.io/library", "bitnami/redis", "" },
		{ "docker.io/library", "docker.io/library", "nginx", "AC-101" },
		{ "\"*\"", "docker.io", "quay.io/a", "" },
		{ "\"*\"", "docker.io", "nginx", "AC-101" },
		{ "docker.io/library", "\"*\"", "nginx", "" },
		{ "docker.io/library", "\"*\"", "quay.io/a", "AC-101" },
		{ "\"*\"", "\"*\"", "nginx", "AC-101" },
		{ "", NULL, "nginx", "AC-102" }, /* an empty list allows nothing */
		{ NULL, "", "nginx", "" },
		/* no repository at all */
		{ "docker.io", NULL, "sha256:" HEX64, "AC-109" },
		{ "docker.io", NULL, "UPPER", "AC-109" },
		{ NULL, NULL, "UPPER", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[400] = "access_control:\n  image_access:\n    deny_build: true\n";
		size_t n = strlen(text);

		if (rows[i].allowed)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "    allowed_repositories: [%s]\n", rows[i].allowed);
		if (rows[i].denied)
			snprintf(text + n, sizeof(text) - n, "    denied_repositories: [%s]\n", rows[i].denied);
		CLEANUP(policy_freep) struct policy *p = must_parse(text);
		const char *is = judge_image(p, rows[i].image, NULL, false);
		if (strcmp(is, rows[i].want) != 0)
			fail_msg("allowed %s, denied %s: %s is '%s', not '%s'", rows[i].allowed, rows[i].denied, rows[i].image, is, rows[i].want);
	}
}

static void an_image_is_judged_by_where_it_came_from(void **state)
{
	const struct policy_texts hub = TEXTS("nginx" AT), company = TEXTS("registry.company.com/library/nginx" AT),
					 both = TEXTS("registry.company.com/library/nginx" AT, "docker.io/library/nginx" AT),
					 none = TEXTS("<none>@<none>"), mirror = TEXTS("quay.io/x/nginx" AT);
	const struct {
		const struct policy_texts *digests;
		const char *image, *lists, *want;
	} rows[] = {
		/* docker tag can't cheat */
		{ &hub, "registry.company.com/library/nginx", "allowed_repositories: [registry.company.com]", "AC-102" },
		{ &hub, "registry.company.com/library/nginx", "denied_repositories: [docker.io]", "AC-101" },
		{ &company, "nginx", "denied_repositories: [docker.io]", "" },
		{ &company, "nginx", "allowed_repositories: [registry.company.com]", "" },
		{ &company, "sha256:" HEX64, "allowed_repositories: [registry.company.com]", "" },
		/* every repository it came from has to be right */
		{ &both, "registry.company.com/library/nginx", "allowed_repositories: [registry.company.com]", "AC-102" },
		{ &both, "registry.company.com/library/nginx", "denied_repositories: [docker.io]", "AC-101" },
		{ &mirror, "a", "allowed_repositories: [quay.io/x]", "" },
		/* built or loaded here */
		{ NULL, "registry.company.com/library/nginx", "allowed_repositories: [registry.company.com]", "AC-103" },
		{ &none, "registry.company.com/library/nginx", "allowed_repositories: [registry.company.com]", "AC-103" },
		{ NULL, "registry.company.com/library/nginx", "{allowed_repositories: [registry.company.com], allow_local: true}", "" },
		{ NULL, "other/nginx", "{allowed_repositories: [registry.company.com], allow_local: true}", "AC-102" },
		{ NULL, "mine", "denied_repositories: [quay.io]", "" },
		{ NULL, "mine", "{denied_repositories: [quay.io], allow_local: false}", "AC-103" },
		{ NULL, "mine", "allow_local: false", "AC-103" },
		{ &company, "mine", "allow_local: false", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[400];

		snprintf(text, sizeof(text), "access_control:\n  image_access:\n    %s\n", rows[i].lists);
		CLEANUP(policy_freep) struct policy *p = must_parse(text);
		const char *is = judge_image(p, rows[i].image, rows[i].digests, true);
		if (strcmp(is, rows[i].want) != 0)
			fail_msg("row %zu: %s: %s is '%s', not '%s'", i, rows[i].lists, rows[i].image, is, rows[i].want);
	}
}

/* ---- addresses ---- */

struct told {
	struct policy_prefix v[64];
	size_t count;
};

static void on_prefix(void *arg, const struct policy_prefix *p)
{
	struct told *t = arg;

	assert_true(t->count < ARRAY_LEN(t->v));
	assert_int_equal(p->is_denied, p->rule[0] != 0);
	for (size_t i = 0; i < t->count && !p->name[0]; i++)
		if (t->v[i].bits == p->bits && t->v[i].is_v6 == p->is_v6 && !t->v[i].name[0] && !memcmp(t->v[i].address, p->address, 16))
			fail_msg("a prefix of %u bits twice", p->bits);
	t->v[t->count++] = *p;
}

/* As the kernel does it: the longest prefix of those told decides. */
static bool kernel_says(const struct told *t, const uint8_t address[16], bool is_v6)
{
	int best = -1;
	bool is_denied = false;

	for (size_t i = 0; i < t->count; i++) {
		const struct policy_prefix *p = &t->v[i];
		bool holds = p->is_v6 == is_v6 && !p->name[0];

		for (unsigned b = 0; holds && b < p->bits; b++)
			holds = (p->address[b / 8] >> (7 - b % 8) & 1) == (address[b / 8] >> (7 - b % 8) & 1);
		if (!holds || p->bits <= best)
			continue;
		best = p->bits;
		is_denied = p->is_denied;
	}
	return !is_denied;
}

static void the_longest_prefix_decides_here_and_in_the_kernel(void **state)
{
#define EXCEPT(only) "exceptions: [{match: {name: web}, allow: [" only "], reason: r}]\n"
	static const struct {
		const char *lists, *exceptions, *address, *want; /* "" allowed, or the rule */
	} rows[] = {
		{ "whitelist: [10.0.0.0/8]", "", "10.1.2.3", "" },
		{ "whitelist: [10.0.0.0/8]", "", "11.1.2.3", "AC-202" },
		{ "whitelist: [10.0.0.0/8]", "", "2001:db8::1", "AC-202" },
		{ "whitelist: []", "", "10.1.2.3", "AC-202" },
		{ "blacklist: [10.0.0.0/8]", "", "10.1.2.3", "AC-201" },
		{ "blacklist: [10.0.0.0/8]", "", "11.1.2.3", "" },
		{ "blacklist: [10.0.0.0/8]", "", "2001:db8::1", "" },
		{ "blacklist: []", "", "10.1.2.3", "" },
		{ "{whitelist: [10.0.0.0/8], blacklist: [0.0.0.0/0]}", "", "10.1.2.3", "" },
		{ "{whitelist: [10.0.0.0/8], blacklist: [0.0.0.0/0]}", "", "8.8.8.8", "AC-201" },
		{ "{whitelist: [10.0.0.0/8], blacklist: [10.1.0.0/16]}", "", "10.1.2.3", "AC-201" },
		{ "{whitelist: [10.0.0.0/8, 10.1.2.0/24], blacklist: [10.1.0.0/16]}", "", "10.1.2.3", "" },
		{ "{whitelist: [10.0.0.0/8], blacklist: [10.0.0.0/8]}", "", "10.1.2.3", "AC-201" },
		{ "{whitelist: [10.1.2.3], blacklist: [10.1.2.3/32]}", "", "10.1.2.3", "AC-201" },
		{ "{whitelist: [0.0.0.0/0], blacklist: [10.0.0.0/8]}", "", "11.0.0.1", "" },
		{ "{whitelist: [\"2001:db8::/32\"], blacklist: [\"::/0\"]}", "", "2001:db8::1", "" },
		{ "{whitelist: [\"2001:db8::/32\"], blacklist: [\"::/0\"]}", "", "2001:db9::1", "AC-201" },
		{ "{whitelist: [\"::/0\"], blacklist: [\"2001:db8::1\"]}", "", "2001:db8::1", "AC-201" },
		{ "blacklist: [\"2001:db8::/33\"]", "", "2001:db8:8000::1", "" },
		{ "blacklist: [\"2001:db8::/65\"]", "", "2001:db8:0:0:7fff::1", "AC-201" },
		{ "blacklist: [\"2001:db8::/65\"]", "", "2001:db8:0:0:8000::1", "" },
		{ "blacklist: [\"::ffff:10.0.0.0/104\"]", "", "10.1.2.3", "AC-201" },
		{ "blacklist: [\"::/0\"]", "", "10.1.2.3", "" },
		{ "blacklist: [0.0.0.0/1]", "", "127.255.255.255", "" },
		{ "blacklist: [0.0.0.0/1]", "", "126.255.255.255", "AC-201" },
		{ "blacklist: [0.0.0.0/1]", "", "128.0.0.1", "" },
		{ "whitelist: [10.0.0.5, 10.0.0.5/32, 10.0.0.5]", "", "10.0.0.5", "" },
		{ "whitelist: [api.example.org]", "", "10.0.0.5", "AC-202" },
		/* its own loopback, and nowhere, which is the same */
		{ "whitelist: [10.0.0.0/8]", "", "127.0.0.11", "" },
		{ "whitelist: [10.0.0.0/8]", "", "::1", "" },
		{ "whitelist: [10.0.0.0/8]", "", "0.0.0.0", "" },
		{ "whitelist: [10.0.0.0/8]", "", "::", "" },
		{ "blacklist: [0.0.0.0/0, \"::/0\"]", "", "127.0.0.1", "" },
		{ "blacklist: [127.0.0.0/8]", "", "127.0.0.1", "AC-201" },
		{ "blacklist: [127.0.0.1]", "", "127.0.0.1", "AC-201" },
		{ "blacklist: [127.0.0.1]", "", "0.0.0.0", "AC-201" },
		{ "blacklist: [\"::1\"]", "", "::", "AC-201" },
		{ "{whitelist: [127.0.0.0/8], blacklist: [127.0.0.53]}", "", "127.0.0.53", "AC-201" },
		/* exceptions let pass what they name, whatever is longer in the lists */
		{ "blacklist: [10.0.0.0/8]", EXCEPT("{addresses: [10.1.0.0/16]}"), "10.1.2.3", "" },
		{ "blacklist: [10.0.0.0/8]", EXCEPT("{addresses: [10.1.0.0/16]}"), "10.2.2.3", "AC-201" },
		{ "blacklist: [10.1.2.0/24]", EXCEPT("{addresses: [10.1.0.0/16]}"), "10.1.2.3", "" },
		{ "{whitelist: [], blacklist: [10.1.0.0/16]}", EXCEPT("{addresses: [10.1.0.0/16]}"), "10.1.2.3", "" },
		{ "{whitelist: []}", EXCEPT("{addresses: [0.0.0.0/0]}"), "10.1.2.3", "" },
		{ "{whitelist: []}", EXCEPT("{addresses: [0.0.0.0/0]}"), "2001:db8::1", "AC-202" },
		{ "{whitelist: []}", EXCEPT("addresses"), "2001:db8::1", "" },
		{ "{whitelist: []}", EXCEPT("AC-202"), "2001:db8::1", "" },
		{ "{whitelist: []}", EXCEPT("{addresses: [10.0.0.0/8, 10.1.0.0/16, 10.0.0.0/8]}, {addresses: [10.1.0.0/16]}"), "10.1.0.0", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct policy_workload w = { .name = "web" };
		struct told told = { 0 };
		uint8_t address[16] = { 0 };
		char text[600];
		const char *rule;

		snprintf(text, sizeof(text), "access_control:\n  network_access:\n    %s\n  %s", rows[i].lists, rows[i].exceptions);
		CLEANUP(policy_freep) struct policy *p = must_parse(text);
		bool is_v6 = strchr(rows[i].address, ':') != NULL;
		assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET, rows[i].address, address), 1);
		bool may = policy_may_reach(p, &w, NOW, address, is_v6, &rule);
		if (may != !rows[i].want[0] || strcmp(rule, rows[i].want) != 0)
			fail_msg("%s %s: %s is '%s', not '%s'", rows[i].lists, rows[i].exceptions, rows[i].address, rule, rows[i].want);
		policy_each_prefix(p, &w, NOW, on_prefix, &told);
		if (kernel_says(&told, address, is_v6) != may)
			fail_msg("%s %s: the kernel says otherwise of %s", rows[i].lists, rows[i].exceptions, rows[i].address);
	}
}

static void the_host_s_loopback_is_no_container_s_own(void **state)
{
	static const uint8_t loopback[16] = { 127, 0, 0, 1 };
	CLEANUP(policy_freep) struct policy *p = must_parse("access_control: {network_access: {whitelist: [10.0.0.0/8]}}");
	const struct policy_workload asked = { .network_mode = "host" },
				     joined = { .network_mode = "container:x", .real_network_mode = "host" };
	struct told told = { 0 };

	assert_false(policy_may_reach(p, &asked, NOW, loopback, false, NULL));
	assert_false(policy_may_reach(p, &joined, NOW, loopback, false, NULL));
	policy_each_prefix(p, &joined, NOW, on_prefix, &told);
	assert_false(kernel_says(&told, loopback, false));
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, 10, 1, 2, 3 };
	CLEANUP(policy_freep) struct policy *p = must_parse("access_control: {network_access: {blacklist: [10.0.0.0/8]}}");
	const struct policy_workload w = { 0 };
	const char *rule;

	assert_false(policy_may_reach(p, &w, NOW, mapped, true, &rule));
	assert_string_equal(rule, "AC-201");
}

static void host_names_are_told_as_names(void **state)
{
	CLEANUP(policy_freep) struct policy *p = must_parse(
		"access_control: {network_access: {whitelist: [API.example.org, both.example.org], blacklist: [bad.example.org, both.example.org]}}");
	const struct policy_workload w = { 0 };
	struct told told = { 0 };
	size_t names = 0;

	policy_each_prefix(p, &w, NOW, on_prefix, &told);
	for (size_t i = 0; i < told.count; i++) {
		if (!told.v[i].name[0])
			continue;
		names++;
		assert_int_equal(told.v[i].is_denied, strcmp(told.v[i].name, "api.example.org") != 0);
	}
	assert_int_equal(names, 3); /* the one in both lists once, denied */
}

/* Names lead to addresses that stand in the lists too: who writes them down one by one has the last. */
static void allowances_are_told_before_denials_and_exceptions_last(void **state)
{
	CLEANUP(policy_freep) struct policy *p = must_parse("access_control:\n"
							    "  network_access: {whitelist: [a.example.org, 10.0.0.1], blacklist: [b.example.org, 10.0.0.2]}\n"
							    "  exceptions: [{match: {name: w}, allow: [{addresses: [c.example.org, 10.0.0.3]}], reason: r}]\n");
	const struct policy_workload w = { .name = "w" };
	struct told told = { 0 };
	char order[64] = "";
	size_t n = 0;

	policy_each_prefix(p, &w, NOW, on_prefix, &told);
	for (size_t i = 0; i < told.count && n < sizeof(order) - 1; i++)
		if (told.v[i].name[0])
			order[n++] = told.v[i].name[0];
		else if (told.v[i].address[0] == 10)
			order[n++] = (char)('0' + told.v[i].address[3]);
	assert_string_equal(order, "a1b2c3");
}

/* ---- ports ---- */

struct port_ranges {
	struct policy_port_range v[64];
	size_t count;
};

static void on_range(void *arg, const struct policy_port_range *r)
{
	struct port_ranges *t = arg;

	assert_true(t->count < ARRAY_LEN(t->v));
	t->v[t->count++] = *r;
}

static void the_narrowest_range_of_ports_decides(void **state)
{
	static const struct {
		const char *lists, *exceptions;
		uint16_t port;
		const char *listen, *publish;
	} rows[] = {
		{ "allowed_ports: [80, 443]", "", 80, "", "" },
		{ "allowed_ports: [80, 443]", "", 81, "AC-302", "AC-302" },
		{ "allowed_ports: []", "", 80, "AC-302", "AC-302" },
		{ "restricted_ports: [22]", "", 22, "AC-301", "AC-301" },
		{ "restricted_ports: [22]", "", 23, "", "" },
		{ "{allowed_ports: [1-65535], restricted_ports: [22]}", "", 22, "AC-301", "AC-301" },
		{ "{allowed_ports: [1-65535], restricted_ports: [1-65535]}", "", 80, "AC-301", "AC-301" },
		{ "{allowed_ports: [8080], restricted_ports: [8000-9000]}", "", 8080, "", "" },
		{ "{allowed_ports: [8080], restricted_ports: [8000-9000]}", "", 8081, "AC-301", "AC-301" },
		{ "{allowed_ports: [8000-9000, 8080], restricted_ports: [8000-9500, 8070-8090]}", "", 8080, "", "" },
		{ "{allowed_ports: [8000-9000, 8080], restricted_ports: [8000-9500, 8070-8090]}", "", 8081, "AC-301", "AC-301" },
		{ "{allowed_ports: [8000-8100], restricted_ports: [8050-8150]}", "", 8070, "AC-301", "AC-301" },
		{ "{allowed_ports: [8000-8100], restricted_ports: [8050-8151]}", "", 8070, "", "" },
		{ "restricted_ports: [22]", EXCEPT("{ports: [22]}"), 22, "", "(AC-301)" },
		{ "restricted_ports: [22]", EXCEPT("{ports: [23]}"), 22, "AC-301", "AC-301" },
		{ "allowed_ports: [80]", EXCEPT("ports"), 22, "", "(AC-302)" },
		{ "{allowed_ports: [80], restricted_ports: [20-22]}", EXCEPT("{ports: [20-30]}"), 22, "", "(AC-301)" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct policy_port port = { .host_port = rows[i].port, .port = rows[i].port, .protocol = "tcp" };
		const struct policy_workload w = { .name = "web", .ports = &port, .port_count = 1 };
		struct port_ranges told = { 0 };
		char text[600];
		const char *rule;
		bool is_denied = false;

		snprintf(text, sizeof(text), "access_control:\n  port_access:\n    %s\n  %s", rows[i].lists, rows[i].exceptions);
		CLEANUP(policy_freep) struct policy *p = must_parse(text);
		bool may = policy_may_listen(p, &w, NOW, rows[i].port, &rule);
		if (may != !rows[i].listen[0] || strcmp(rule, rows[i].listen) != 0)
			fail_msg("%s %s: %u is '%s', not '%s'", rows[i].lists, rows[i].exceptions, rows[i].port, rule, rows[i].listen);
		assert_string_equal(denials(p, &w, NOW, NULL), rows[i].publish);
		policy_each_port(p, &w, NOW, on_range, &told);
		for (size_t k = 0; k < told.count; k++)
			if (rows[i].port >= told.v[k].from && rows[i].port <= told.v[k].to)
				is_denied = told.v[k].is_denied;
		if (is_denied == may)
			fail_msg("%s %s: the kernel says otherwise of %u", rows[i].lists, rows[i].exceptions, rows[i].port);
		assert_true(policy_may_listen(p, &w, NOW, 0, NULL));
	}
}

/* ---- mounts ---- */

static void the_longest_path_decides_and_what_holds_a_denied_one_is_denied(void **state)
{
	static const struct {
		const char *allowed, *denied, *source;
		bool is_writable;
		const char *want;
	} rows[] = {
		{ NULL, "/var/run/docker.sock", "/var/run/docker.sock", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/run/docker.sock", false, "AC-421" },
		{ NULL, "/run/docker.sock", "/var/run/docker.sock", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/var/run", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/run", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/var", false, "" }, /* there it is a link out of it */
		{ NULL, "/var/run/docker.sock", "//var//run/./docker.sock", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/srv/../var/run/docker.sock", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/../../run/docker.sock/", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/proc/1/root/run/docker.sock", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/proc/self/root/proc/1/root", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/proc/1/task/1/root/var/run/docker.sock", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/proc/1/cwd/run/docker.sock", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/proc/self/fd/7", false, "AC-421" },
		{ NULL, "/var/run/docker.sock", "/var/run/docker.sock2", false, "" },
		{ NULL, "/var/run/docker.sock", "/var/run/docker", false, "" },
		{ NULL, "/etc", "/etc/passwd", false, "AC-421" },
		{ NULL, "/etc", "/etcetera", false, "" },
		{ NULL, "/etc:rw", "/etc/passwd", false, "" },
		{ NULL, "/etc:rw", "/etc/passwd", true, "AC-421" },
		{ NULL, "/etc:rw", "/", true, "AC-421" },
		{ NULL, "/", "/srv", false, "AC-421" },
		{ "/srv", NULL, "/srv/a", true, "" },
		{ "/srv", NULL, "/srv", true, "" },
		{ "/srv", NULL, "/srv2", true, "AC-422" },
		{ "/srv", NULL, "/", true, "AC-422" },
		{ "/srv", NULL, "/proc/1/cwd", true, "AC-421" },
		{ "/srv:ro", NULL, "/srv/a", true, "AC-422" },
		{ "/srv:ro", NULL, "/srv/a", false, "" },
		{ "", NULL, "/srv/a", false, "AC-422" },
		{ "/etc/ssl", "/etc", "/etc/ssl/certs", false, "" },
		{ "/etc/ssl", "/etc", "/etc", false, "AC-421" },
		{ "/etc/ssl", "/etc", "/etc/shadow", false, "AC-421" },
		{ "/etc", "/etc", "/etc/x", false, "AC-421" },
		{ "/srv", "/srv/secret", "/srv", false, "AC-421" },
		{ "/srv", "/srv/secret", "/srv/a", false, "" },
		{ "/", "/etc", "/opt", false, "" },
		{ "/", "/etc", "/", false, "AC-421" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct policy_mount m = { .type = "bind", .source = rows[i].source, .is_writable = rows[i].is_writable };
		const struct policy_workload w = { .mounts = &m, .mount_count = 1 };
		char text[400] = "access_control:\n  runtime_access:\n    require_user: false\n";
		size_t n = strlen(text);

		if (rows[i].allowed)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "    allowed_mounts: [%s]\n", rows[i].allowed);
		if (rows[i].denied)
			snprintf(text + n, sizeof(text) - n, "    denied_mounts: [%s]\n", rows[i].denied);
		CLEANUP(policy_freep) struct policy *p = must_parse(text);
		const char *is = denials(p, &w, NOW, NULL);
		if (strcmp(is, rows[i].want) != 0)
			fail_msg("allowed %s, denied %s: %s is '%s', not '%s'", rows[i].allowed, rows[i].denied, rows[i].source, is, rows[i].want);
		/* The same found by following links. */
		m.real = m.source;
		m.source = "/opt/link";
		is = denials(p, &w, NOW, NULL);
		if (rows[i].want[0] && !strstr(is, "AC-42"))
			fail_msg("allowed %s, denied %s: %s by a link passes", rows[i].allowed, rows[i].denied, rows[i].source);
	}
}

/* ---- names ---- */

static void the_most_literal_name_decides(void **state)
{
	static const struct {
		const char *lists, *name, *want;
	} rows[] = {
		{ "allowed_runtimes: [runc]", "runc", "" },
		{ "allowed_runtimes: [runc]", "crun", "AC-442" },
		{ "allowed_runtimes: [runc]", "", "" }, /* the engine's own default */
		{ "allowed_runtimes: []", "runc", "AC-442" },
		{ "denied_runtimes: [\"sys*\"]", "sysbox", "AC-441" },
		{ "denied_runtimes: [\"sys*\"]", "runc", "" },
		{ "{allowed_runtimes: [\"*\"], denied_runtimes: [\"run?\"]}", "runc", "AC-441" },
		{ "{allowed_runtimes: [runc], denied_runtimes: [\"*\"]}", "runc", "" },
		{ "{allowed_runtimes: [runc], denied_runtimes: [\"*\"]}", "crun", "AC-441" },
		{ "{allowed_runtimes: [runc], denied_runtimes: [runc]}", "runc", "AC-441" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct policy_workload w = { .runtime = rows[i].name };
		char text[400];

		snprintf(text, sizeof(text), "access_control:\n  runtime_access:\n    %s\n", rows[i].lists);
		CLEANUP(policy_freep) struct policy *p = must_parse(text);
		assert_string_equal(denials(p, &w, NOW, NULL), rows[i].want);
	}
}

/* ---- scopes ---- */

static void the_more_specific_scope_is_laid_on_top(void **state)
{
	static const char text[] =
		"access_control:\n"
		"  port_access: {allowed_ports: [1], restricted_ports: [99]}\n"
		"scopes:\n"
		"  - {match: {name: web-1}, access_control: {port_access: {allowed_ports: [2]}}}\n"
		"  - {match: {name: \"web-*\"}, access_control: {port_access: {allowed_ports: [3]}}}\n"
		"  - {match: {image: \"quay.io/a/*\"}, access_control: {port_access: {allowed_ports: [4]}}}\n"
		"  - {match: {label: \"tier=db\"}, access_control: {port_access: {allowed_ports: [5]}}}\n"
		"  - {match: {label: \"tier=db\"}, access_control: {port_access: {allowed_ports: [6]}}}\n"
		"  - {match: {image: \"quay.io/a/*\", label: \"tier=db\"}, access_control: {port_access: {allowed_ports: [7]}}}\n"
		"  - {match: {name: [x, y], label: owner}, access_control: {port_access: {allowed_ports: [8]}}}\n"
		"  - {match: {name: z}, access_control: {port_access: {restricted_ports: []}}}\n";
	const struct policy_texts none = { 0 }, db = TEXTS("tier=db"), owner = TEXTS("owner=me"), from_a = TEXTS("quay.io/a/b" AT),
					 from_b = TEXTS("quay.io/b/b" AT);
	const struct {
		const char *name, *image;
		const struct policy_texts *labels, *digests;
		uint16_t port;
		const char *says;
	} rows[] = {
		{ "other", "nginx", &none, &none, 1, "general" },
		{ "web-1", "nginx", &none, &none, 2, "the name over the glob" },
		{ "/web-1", "nginx", &none, &none, 2, "the engine's leading slash" },
		{ "web-2", "nginx", &none, &none, 3, "the glob" },
		{ "other", "quay.io/a/b", &none, &none, 4, "the image, not yet here" },
		{ "other", "nginx", &none, &from_a, 4, "the image by its origin" },
		{ "other", "quay.io/a/b", &none, &from_b, 1, "not by what it is called" },
		{ "web-1", "quay.io/a/b", &db, &none, 2, "a name over image and label" },
		{ "other", "nginx", &db, &none, 6, "of equal ones the later" },
		{ "other", "quay.io/a/b", &db, &none, 7, "image and label over either" },
		{ "x", "nginx", &none, &none, 1, "all that is given must match" },
		{ "y", "nginx", &owner, &none, 8, "one of the names, a label of any value" },
		{ "z", "nginx", &none, &none, 99, "a list emptied" },
	};
	CLEANUP(policy_freep) struct policy *p = must_parse(text);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct policy_workload w = { .name = rows[i].name, .image = rows[i].image, .labels = *rows[i].labels,
						   .digests = *rows[i].digests };
		bool is_z = rows[i].port == 99;

		for (uint16_t port = 1; port < 10; port++)
			if (policy_may_listen(p, &w, NOW, port, NULL) != (is_z ? port == 1 : port == rows[i].port))
				fail_msg("%s: port %u", rows[i].says, port);
		const char *rule;
		(void)policy_may_listen(p, &w, NOW, 99, &rule);
		assert_string_equal(rule, is_z ? "AC-302" : "AC-301"); /* what a scope does not say stands as it was */
	}
}

static void a_local_image_s_name_gives_no_scope_where_repositories_are_allowed_one_by_one(void **state)
{
	static const char scope[] = "scopes: [{match: {image: \"quay.io/a/*\"}, mode: off}]\n";
	const struct policy_workload w = { .image = "quay.io/a/b", .image_id = "sha256:" HEX64 };
	CLEANUP(policy_freep) struct policy *open = must_parse(scope);
	char text[300];

	assert_int_equal(policy_mode_for(open, &w, POLICY_RUNTIME), POLICY_OFF);
	snprintf(text, sizeof(text), "access_control: {image_access: {allowed_repositories: [quay.io]}}\n%s", scope);
	CLEANUP(policy_freep) struct policy *strict = must_parse(text);
	assert_int_equal(policy_mode_for(strict, &w, POLICY_RUNTIME), POLICY_MONITOR);
}

static void a_tag_counts_only_with_the_repository_it_stands_behind(void **state)
{
	const struct {
		const char *image, *tag;
		enum policy_mode mode;
	} rows[] = {
		{ "quay.io/a/b:2", "2", POLICY_OFF },
		{ "quay.io/a/b:2", "", POLICY_OFF },
		{ "quay.io/a/b:1", "1", POLICY_MONITOR },
		{ "mine:2", "2", POLICY_MONITOR },
		{ "quay.io/a/c:2", "2", POLICY_MONITOR },
	};
	CLEANUP(policy_freep) struct policy *p = must_parse("scopes: [{match: {image: \"quay.io/a/b:2\"}, mode: off}]");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct policy_workload w = { .image = rows[i].image, .tag = rows[i].tag, .image_id = "sha256:" HEX64,
						   .digests = TEXTS("quay.io/a/b" AT) };

		assert_int_equal(policy_mode_for(p, &w, POLICY_IMAGE), rows[i].mode);
	}
}

static void an_image_is_matched_as_people_write_it(void **state)
{
	static const struct {
		const char *pattern, *image;
		bool matches;
	} rows[] = {
		{ "nginx", "nginx", true },
		{ "nginx", "docker.io/library/nginx:1.25", true },
		{ "nginx:1.*", "nginx:1.25", true },
		{ "nginx:1.*", "nginx:2", false },
		{ "docker.io/library/nginx", "nginx", true },
		{ "prom/*", "prom/node-exporter", true },
		{ "prom/*", "quay.io/prom/node-exporter", false },
		{ "nginx@sha256:0*", "nginx@sha256:" HEX64, true }, /* not here yet, but what it will be is said */
		{ "nginx@sha256:1*", "nginx@sha256:" HEX64, false },
		{ "nginx", "evil/nginx", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct policy_workload w = { .image = rows[i].image };
		char text[200];

		snprintf(text, sizeof(text), "scopes: [{match: {image: \"%s\"}, mode: off}]", rows[i].pattern);
		CLEANUP(policy_freep) struct policy *p = must_parse(text);
		if ((policy_mode_for(p, &w, POLICY_PORT) == POLICY_OFF) != rows[i].matches)
			fail_msg("%s, %s", rows[i].pattern, rows[i].image);
	}
	const struct policy_workload here = { .image = "mine", .digests = TEXTS("nginx" AT) };
	CLEANUP(policy_freep) struct policy *p = must_parse("scopes: [{match: {image: \"nginx@sha256:01*\"}, mode: off}]");
	assert_int_equal(policy_mode_for(p, &here, POLICY_PORT), POLICY_OFF);
}

static void modes_decide_what_is_refused_told_or_not_looked_at(void **state)
{
	static const char text[] = "access_control: {runtime_access: {deny_privileged: true}, image_access: {denied_tags: [latest]}}\n"
				   "scopes:\n"
				   "  - {match: {name: soft}, mode: {runtime: monitor}}\n"
				   "  - {match: {name: none}, mode: off}\n"
				   "mode: {runtime: enforce}\n";
	static const struct {
		const char *name, *want;
		bool is_allowed;
	} rows[] = {
		{ "hard", "AC-108 AC-401", false },
		{ "soft", "AC-108 AC-401", true },
		{ "none", "", true },
	};
	CLEANUP(policy_freep) struct policy *p = must_parse(text);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct policy_workload w = { .name = rows[i].name, .image = "nginx", .is_privileged = true };
		bool is_allowed;

		assert_string_equal(denials(p, &w, NOW, &is_allowed), rows[i].want);
		assert_int_equal(is_allowed, rows[i].is_allowed);
	}
	assert_int_equal(policy_mode_of(p, POLICY_RUNTIME), POLICY_ENFORCE);
	CLEANUP(policy_freep) struct policy *by_scope = must_parse("scopes: [{match: {name: a}, mode: {port: enforce}}]");
	CLEANUP(policy_freep) struct policy *none = must_parse("mode: off\nscopes: [{match: {name: a}, access_control: {}}]");
	assert_int_equal(policy_mode_strictest(p), POLICY_ENFORCE);
	assert_int_equal(policy_mode_strictest(by_scope), POLICY_ENFORCE);
	assert_int_equal(policy_mode_strictest(none), POLICY_OFF);
	/* what the kernel has to look at: only where addresses or ports are named */
	CLEANUP(policy_freep) struct policy *addresses = must_parse(
		"access_control: {network_access: {blacklist: [10.0.0.0/8]}, port_access: {deny_all_interfaces: true}}\n"
		"mode: {network: monitor, port: enforce}\n");
	CLEANUP(policy_freep) struct policy *ports = must_parse(
		"scopes: [{match: {name: a}, access_control: {port_access: {restricted_ports: [22]}}, mode: {port: enforce}}]");
	assert_int_equal(policy_mode_network(p), POLICY_OFF);
	assert_int_equal(policy_mode_network(addresses), POLICY_MONITOR);
	assert_int_equal(policy_mode_network(ports), POLICY_ENFORCE);
}

static void on_path(void *arg, const char *path)
{
	strcat(arg, path);
	strcat(arg, " ");
}

static void denied_mounts_are_told_once_for_all_scopes(void **state)
{
	CLEANUP(policy_freep) struct policy *p = must_parse("access_control: {runtime_access: {denied_mounts: [/var/run/x, \"/etc:rw\", /etc]}}\n"
							    "scopes: [{match: {name: a}, access_control: {runtime_access: {denied_mounts: [/srv, /run/x]}}}]");
	CLEANUP(policy_freep) struct policy *none = must_parse("");
	char told[200] = "";

	policy_each_denied_mount(p, on_path, told);
	assert_string_equal(told, "/etc /run/x /srv ");
	told[0] = 0;
	policy_each_denied_mount(none, on_path, told);
	assert_string_equal(told, "");
}

static void host_names_are_told_once_of_all_scopes_and_exceptions(void **state)
{
	CLEANUP(policy_freep) struct policy *p = must_parse("access_control:\n"
							    "  network_access: {whitelist: [10.0.0.0/8, z.example.net], blacklist: [a.example.net]}\n"
							    "  exceptions: [{match: {name: b}, allow: [{addresses: [c.example.net, 10.9.9.9]}], reason: x}]\n"
							    "scopes: [{match: {name: a}, access_control: {network_access: {blacklist: [a.example.net, b.example.net]}}}]");
	char told[200] = "";

	policy_each_host_name(p, on_path, told);
	assert_string_equal(told, "a.example.net b.example.net c.example.net z.example.net ");
}

/* ---- exceptions ---- */

static void an_exception_lets_pass_what_it_names_until_it_ends(void **state)
{
	enum { DAY = 86400 };
	static const char base[] = "mode: enforce\n"
				   "access_control:\n"
				   "  runtime_access: {deny_privileged: true, deny_host_namespaces: true, denied_capabilities: [NET_ADMIN, SYS_ADMIN], "
				   "denied_mounts: [/etc, /run/docker.sock]}\n"
				   "  exceptions:\n    - ";
	const struct policy_texts caps = TEXTS("NET_ADMIN"), two = TEXTS("NET_ADMIN", "SYS_ADMIN");
	const struct policy_mount sock = { .type = "bind", .source = "/var/run/docker.sock" }, root = { .type = "bind", .source = "/" };
	const struct policy_workload host = { .name = "node-exporter-7", .image = "quay.io/p/n", .pid_mode = "host", .network_mode = "host" },
				     cap = { .name = "vpn", .cap_add = caps }, more = { .name = "vpn", .cap_add = two },
				     mount = { .name = "proxy", .mounts = &sock, .mount_count = 1 },
				     all = { .name = "proxy", .mounts = &root, .mount_count = 1 };
	static const uint64_t ends = 1796083200; /* 2026-12-01T00:00:00Z */
	const struct {
		const char *exception;
		const struct policy_workload *w;
		uint64_t now;
		const char *want;
		bool is_allowed;
	} rows[] = {
		{ "{match: {name: \"node-exporter*\"}, allow: [host_namespaces], reason: r}", &host, NOW, "(AC-411) (AC-411)", true },
		{ "{match: {name: \"other*\"}, allow: [host_namespaces], reason: r}", &host, NOW, "AC-411 AC-411", false },
		{ "{match: {name: \"node-exporter*\"}, allow: [privileged], reason: r}", &host, NOW, "AC-411 AC-411", false },
		{ "{match: {name: \"node-exporter*\"}, allow: [{host_namespaces: [pid]}], reason: r}", &host, NOW, "(AC-411) AC-411", false },
		{ "{match: {name: \"node-exporter*\"}, allow: [AC-411], reason: r}", &host, NOW, "(AC-411) (AC-411)", true },
		{ "{match: {name: \"node-exporter*\"}, allow: [{AC-411: [pid, network]}], reason: r}", &host, NOW, "(AC-411) (AC-411)", true },
		{ "{match: {name: \"node-*\", image: \"quay.io/p/*\"}, allow: [host_namespaces], reason: r}", &host, NOW, "(AC-411) (AC-411)", true },
		{ "{match: {name: \"node-*\", image: \"quay.io/q/*\"}, allow: [host_namespaces], reason: r}", &host, NOW, "AC-411 AC-411", false },
		{ "{match: {name: vpn}, allow: [{capabilities: [net_admin]}], reason: r}", &cap, NOW, "(AC-412)", true },
		{ "{match: {name: vpn}, allow: [{capabilities: [NET_ADMIN]}], reason: r}", &more, NOW, "(AC-412) AC-412", false },
		{ "{match: {name: vpn}, allow: [{capabilities: [ALL]}], reason: r}", &more, NOW, "(AC-412) (AC-412)", true },
		{ "{match: {name: proxy}, allow: [{mounts: [/run/docker.sock]}], reason: r}", &mount, NOW, "(AC-421)", true },
		{ "{match: {name: proxy}, allow: [{mounts: [/run]}], reason: r}", &mount, NOW, "(AC-421)", true },
		{ "{match: {name: proxy}, allow: [{mounts: [/etc]}], reason: r}", &mount, NOW, "AC-421", false },
		{ "{match: {name: proxy}, allow: [{mounts: [/run/docker.sock]}], reason: r}", &all, NOW, "AC-421", false },
		/* the last day counts */
		{ "{match: {name: vpn}, allow: [capabilities], reason: r, until: 2026-11-30}", &cap, ends - 1, "(AC-412)", true },
		{ "{match: {name: vpn}, allow: [capabilities], reason: r, until: 2026-11-30}", &cap, ends, "AC-412", false },
		{ "{match: {name: vpn}, allow: [capabilities], reason: r, until: 2026-11-30T12:00:00+02:00}", &cap, ends - DAY + 36000 - 1, "(AC-412)", true },
		{ "{match: {name: vpn}, allow: [capabilities], reason: r, until: 2026-11-30T12:00:00+02:00}", &cap, ends - DAY + 36000, "AC-412", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[800];
		bool is_allowed;

		snprintf(text, sizeof(text), "%s%s\n", base, rows[i].exception);
		CLEANUP(policy_freep) struct policy *p = must_parse(text);
		const char *is = denials(p, rows[i].w, rows[i].now, &is_allowed);
		if (strcmp(is, rows[i].want) != 0 || is_allowed != rows[i].is_allowed)
			fail_msg("%s: '%s', not '%s'", rows[i].exception, is, rows[i].want);
	}
}

static void a_denial_tells_of_the_exception_that_ended_and_where_the_rule_stands(void **state)
{
	CLEANUP(policy_freep) struct policy *p = must_parse("access_control:\n"
							    "  runtime_access:\n"
							    "    denied_mounts:\n"
							    "      - /boot\n"
							    "      - /etc\n"
							    "  exceptions:\n"
							    "    - match: {name: a}\n"
							    "      allow: [mounts]\n"
							    "      reason: once\n"
							    "      until: 2020-02-02\n");
	const struct policy_mount m = { .type = "bind", .source = "/etc/ssh\x1b[31m", .is_writable = true };
	const struct policy_workload w = { .name = "a", .mounts = &m, .mount_count = 1 };
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct policy_verdict v;
	struct err err;

	assert_int_equal(policy_judge(p, &w, NOW, a, &v, &err), 0);
	assert_int_equal(v.count, 1);
	assert_true(v.is_allowed); /* monitor */
	assert_false(v.denials[0].is_enforced);
	assert_int_equal(v.denials[0].section, POLICY_RUNTIME);
	assert_int_equal(v.denials[0].line, 5);
	assert_int_equal(v.denials[0].column, 9);
	assert_string_equal(v.denials[0].reason, "mount of /etc/ssh\\x1b[31m (writable, lies in /etc) (the exception at 7:7 ended 2020-02-02)");
	assert_string_equal(v.denials[0].exception, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_repository_decides_and_of_equal_ones_the_denial),
		cmocka_unit_test(an_image_is_judged_by_where_it_came_from),
		cmocka_unit_test(the_longest_prefix_decides_here_and_in_the_kernel),
		cmocka_unit_test(the_host_s_loopback_is_no_container_s_own),
		cmocka_unit_test(a_mapped_address_is_the_ipv4_address),
		cmocka_unit_test(host_names_are_told_as_names),
		cmocka_unit_test(allowances_are_told_before_denials_and_exceptions_last),
		cmocka_unit_test(the_narrowest_range_of_ports_decides),
		cmocka_unit_test(the_longest_path_decides_and_what_holds_a_denied_one_is_denied),
		cmocka_unit_test(the_most_literal_name_decides),
		cmocka_unit_test(the_more_specific_scope_is_laid_on_top),
		cmocka_unit_test(a_local_image_s_name_gives_no_scope_where_repositories_are_allowed_one_by_one),
		cmocka_unit_test(a_tag_counts_only_with_the_repository_it_stands_behind),
		cmocka_unit_test(an_image_is_matched_as_people_write_it),
		cmocka_unit_test(modes_decide_what_is_refused_told_or_not_looked_at),
		cmocka_unit_test(host_names_are_told_once_of_all_scopes_and_exceptions),
		cmocka_unit_test(denied_mounts_are_told_once_for_all_scopes),
		cmocka_unit_test(an_exception_lets_pass_what_it_names_until_it_ends),
		cmocka_unit_test(a_denial_tells_of_the_exception_that_ended_and_where_the_rule_stands),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
