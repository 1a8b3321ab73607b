/* parse: every key is understood, every mistake has its place and its words. */
#include "policy_test.h"

#include <errno.h>

#include "common/file.h"
#include "common/policy/policy_priv.h"

static void every_key_is_read(void **state)
{
	static const char *const values[] = {
		[POLICY_KIND_BOOL] = "true",
		[POLICY_KIND_SEVERITY] = "high",
		[POLICY_KIND_DURATION] = "7d",
		[POLICY_KIND_REPOSITORIES] = "[registry.company.com/library, docker.io, \"*\"]",
		[POLICY_KIND_NAMES] = "[a, \"b*\"]",
		[POLICY_KIND_PREFIXES] = "[10.0.0.0/8, 192.0.2.1, \"2001:db8::/32\", api.example.org]",
		[POLICY_KIND_PORTS] = "[80, 8000-8100]",
		[POLICY_KIND_CAPABILITIES] = "[SYS_ADMIN, cap_net_raw]",
		[POLICY_KIND_MOUNTS] = "[/etc, /srv/a]",
		[POLICY_KIND_NAMESPACES] = "[pid, network]",
		[POLICY_KIND_LIMITS] = "[memory, cpu]",
	};

	for (size_t i = 0; i < KEY_COUNT; i++) {
		char text[400];
		CLEANUP(policy_freep) struct policy *p = NULL;

		snprintf(text, sizeof(text), "access_control:\n  %s_access:\n    %s: %s\n", policy_section_names[policy_keys[i].section],
			 policy_keys[i].name, values[policy_keys[i].kind]);
		p = must_parse(text);
		const struct policy_value *v = &p->general.v[i];
		assert_true(v->is_set);
		assert_int_equal(v->line, 3);
		assert_int_equal(v->column, 7 + strlen(policy_keys[i].name));
		for (size_t k = 0; k < KEY_COUNT; k++)
			assert_true(k == i || !p->general.v[k].is_set);
		switch (policy_keys[i].kind) {
		case POLICY_KIND_BOOL:
			assert_int_equal(v->n, 1);
			break;
		case POLICY_KIND_SEVERITY:
			assert_string_equal(policy_severity_names[v->n], "high");
			break;
		case POLICY_KIND_DURATION:
			assert_int_equal(v->n, 7 * 86400000);
			break;
		case POLICY_KIND_REPOSITORIES:
			assert_string_equal(v->entries[0].text, "registry.company.com/library");
			assert_string_equal(v->entries[1].text, "docker.io");
			assert_string_equal(v->entries[2].text, "");
			break;
		case POLICY_KIND_NAMES:
			assert_string_equal(v->entries[1].text, "b*");
			break;
		case POLICY_KIND_PREFIXES:
			assert_string_equal(v->entries[0].text, "10.0.0.0/8");
			assert_string_equal(v->entries[1].text, "192.0.2.1/32");
			assert_string_equal(v->entries[2].text, "2001:db8::/32");
			assert_true(v->entries[3].is_name);
			break;
		case POLICY_KIND_PORTS:
			assert_int_equal(v->entries[1].port.from, 8000);
			assert_int_equal(v->entries[1].port.to, 8100);
			break;
		case POLICY_KIND_CAPABILITIES:
			assert_int_equal(v->n, 1 << 21 | 1 << 13);
			break;
		case POLICY_KIND_MOUNTS:
			assert_int_equal(v->count, 2);
			break;
		case POLICY_KIND_NAMESPACES:
			assert_int_equal(v->n, 1 << NAMESPACE_PID | 1 << NAMESPACE_NETWORK);
			break;
		case POLICY_KIND_LIMITS:
			assert_int_equal(v->n, 1 << LIMIT_MEMORY | 1 << LIMIT_CPU);
			break;
		}
	}
}

static void the_documentation_names_every_key_word_and_rule(void **state)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct err err = { 0 };

	if (file_read(TEST_ROOT "/agent/packaging/policy.yaml", 1 << 20, &text, &err) < 0)
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < KEY_COUNT; i++)
		if (!strstr(text.p, policy_keys[i].name))
			fail_msg("policy.yaml does not tell of %s", policy_keys[i].name);
	for (size_t i = 0; i < WORD_COUNT; i++)
		if (!strstr(text.p, policy_words[i].name))
			fail_msg("policy.yaml does not tell of the word %s", policy_words[i].name);
	for (size_t i = 1; i < RULE_COUNT; i++)
		assert_true(strcmp(policy_rules[i - 1].number, policy_rules[i].number) < 0); /* no number twice */
}

static void the_issue_s_example_is_right(void **state)
{
	CLEANUP(policy_freep) struct policy *p = must_parse(
		"access_control:\n"
		"  image_access:   {allowed_repositories: [registry.company.com/library], denied_repositories: [docker.io/library], "
		"require_digest: false, max_severity: critical, max_scan_age: 7d}\n"
		"  network_access: {whitelist: [10.0.0.0/8], blacklist: [0.0.0.0/0]}\n"
		"  port_access:    {allowed_ports: [80, 443, 8080], restricted_ports: [22, 23]}\n"
		"  runtime_access: {deny_privileged: true, deny_host_namespaces: true, denied_capabilities: [SYS_ADMIN], "
		"denied_mounts: [/var/run/docker.sock], require_user: true}\n"
		"  exceptions:     [{match: {name: \"node-exporter*\"}, allow: [host_namespaces], reason: host metrics, until: 2027-01-01}]\n"
		"mode: monitor     # or enforce, per section\n");

	for (size_t i = 0; i < POLICY_SECTION_COUNT; i++)
		assert_int_equal(policy_mode_of(p, (enum policy_section)i), POLICY_MONITOR);
	assert_int_equal(p->exception_count, 1);
	assert_int_equal(p->exceptions[0].until_unix_s, 1798848000); /* 2027-01-02T00:00:00Z: the whole day counts */
	assert_string_equal(policy_name(p), "policy.yaml");
	assert_int_equal(strlen(policy_digest(p)), 64);
}

static void what_is_not_said_denies_nothing(void **state)
{
	static const char *const texts[] = { "", "# nothing\n", "{}", "access_control:\n", "access_control:\n  image_access:\n  runtime_access: {}\n",
					     "scopes: []\n", "access_control: {exceptions: []}\nscopes:\n", "---\n" };
	const struct policy_workload w = { .image = "nginx", .is_privileged = true, .pid_mode = "host" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP(policy_freep) struct policy *p = must_parse(texts[i]);
		bool is_allowed;

		assert_string_equal(denials(p, &w, NOW, &is_allowed), "");
		assert_true(is_allowed);
		assert_int_equal(policy_mode_of(p, POLICY_IMAGE), POLICY_MONITOR);
	}
}

static void modes_are_for_all_or_by_section(void **state)
{
	CLEANUP(policy_freep) struct policy *all = must_parse("mode: enforce");
	CLEANUP(policy_freep) struct policy *some = must_parse("mode: {image: enforce, network: off}");

	assert_int_equal(policy_mode_of(all, POLICY_IMAGE), POLICY_ENFORCE);
	assert_int_equal(policy_mode_of(all, POLICY_RUNTIME), POLICY_ENFORCE);
	assert_int_equal(policy_mode_of(some, POLICY_IMAGE), POLICY_ENFORCE);
	assert_int_equal(policy_mode_of(some, POLICY_NETWORK), POLICY_OFF);
	assert_int_equal(policy_mode_of(some, POLICY_PORT), POLICY_MONITOR);
}

#define IMAGE "access_control:\n  image_access:\n    "
#define NETWORK "access_control:\n  network_access:\n    "
#define PORT "access_control:\n  port_access:\n    "
#define RUNTIME "access_control:\n  runtime_access:\n    "
#define EXCEPTION "access_control:\n  exceptions:\n    - "
#define EXCEPTION_REST "{match: {name: x}, reason: r, "
#define SCOPE "scopes:\n  - "

static void every_mistake_has_its_place_and_words(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		/* shape */
		{ "acess_control: {}", "1:1: unknown key 'acess_control', did you mean 'access_control'?" },
		{ "exceptions: []", "1:1: unknown key 'exceptions'" },
		{ "- a", "1:1: 'the policy' must be a mapping, not a list" },
		{ "text", "1:1: 'the policy' must be a mapping, not 'text'" },
		{ "access_control: [a]", "1:17: 'access_control' must be a mapping, not a list" },
		{ "access_control:\n  image_acces: {}", "2:3: unknown key 'image_acces', did you mean 'image_access'?" },
		{ "access_control:\n  image_access: true", "2:17: 'image_access' must be a mapping" },
		{ RUNTIME "deny_privilegd: true", "3:5: unknown key 'deny_privilegd', did you mean 'deny_privileged'?" },
		{ RUNTIME "whitelist: []", "3:5: 'whitelist' belongs to network_access" },
		{ RUNTIME "require_user: true\n    require_user: true", "4:5: duplicate key 'require_user'" },
		{ "mode: off\nmode: off", "2:1: duplicate key 'mode'" },
		{ "[a]: b", "1:1: a key must be text" },
		/* YAML */
		{ "mode: *a", "1:7: aliases are not allowed here" },
		{ "mode: &a off", "1:7: anchors are not allowed here" },
		{ "mode: !!str off", "1:7: tags are not allowed here" },
		{ "%TAG ! x:\n---\nmode: off", "1:1: tags are not allowed here" },
		{ "mode: off\n---\nmode: off", "2:1: more than one document" },
		{ "mode: [", "2:1: did not find expected node content while parsing a flow node" },
		{ "mode: \"o\\0\"", "1:7: a text contains a NUL" },
		{ "a: [[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "1:19: nested deeper than 16" },
		{ "mode: \x01", "1:7: control characters are not allowed" },
		{ "mode: \xff", "1:7: invalid leading UTF-8 octet" },
		/* kinds of values */
		{ RUNTIME "deny_privileged: yes", "3:22: 'deny_privileged' must be true or false, not 'yes'" },
		{ RUNTIME "deny_privileged: \"true\"", "3:22: 'deny_privileged' must be true or false, not 'true'" },
		{ RUNTIME "deny_privileged:", "3:21: 'deny_privileged' must be true or false, not nothing" },
		{ RUNTIME "deny_privileged: [true]", "3:22: 'deny_privileged' must be true or false, not a list" },
		{ RUNTIME "denied_mounts: /etc", "3:20: 'denied_mounts' must be a list ([] for none), not '/etc'" },
		{ RUNTIME "denied_mounts: [etc]", "3:21: not an absolute path of the host" },
		{ RUNTIME "denied_mounts: [\"/etc/*\"]", "3:21: a path without * and ?: it holds for all below it" },
		{ RUNTIME "denied_mounts: [\"/etc:ro\"]", "3:21: denied is read-only too, unless \":rw\" says otherwise" },
		{ RUNTIME "allowed_mounts: [\"/etc:rw\"]", "3:22: allowed is writable too, unless \":ro\" says otherwise" },
		{ RUNTIME "denied_mounts: [[a]]", "3:21: each of 'denied_mounts' must be one text" },
		{ RUNTIME "denied_capabilities: [SYS_ADMN]", "3:27: unknown capability 'SYS_ADMN', did you mean 'SYS_ADMIN'?" },
		{ RUNTIME "denied_capabilities: [CAP_SYS_ADMN]", "3:27: unknown capability 'SYS_ADMN', did you mean 'SYS_ADMIN'?" },
		{ RUNTIME "deny_host_namespaces: [pids]", "3:28: unknown namespace 'pids', did you mean 'pid'?" },
		{ RUNTIME "deny_host_namespaces: pid", "3:27: 'deny_host_namespaces' must be true, false or a list, not 'pid'" },
		{ RUNTIME "require_limits: [memori]", "3:22: unknown limit 'memori', did you mean 'memory'?" },
		{ RUNTIME "denied_devices: [\"\"]", "3:22: a name of 1 to 1024 bytes" },
		{ IMAGE "max_severity: hihg", "3:19: unknown severity 'hihg', did you mean 'high'?" },
		{ IMAGE "max_severity: critcal", "3:19: unknown severity 'critcal', did you mean 'critical'?" },
		{ IMAGE "max_severity: [high]", "3:19: 'max_severity' must be a severity, not a list" },
		{ IMAGE "max_scan_age: week", "3:19: 'max_scan_age' must be a duration like 24h or 7d, not 'week'" },
		{ IMAGE "max_scan_age: 0", "3:19: 'max_scan_age' must be a duration like 24h or 7d, not '0'" },
		{ IMAGE "denied_repositories: [\"docker.io/library/nginx:1\"]", "3:27: a repository is named without tag and digest" },
		{ IMAGE "denied_repositories: [\"a@sha256:12\"]", "3:27: a repository is named without tag and digest" },
		{ IMAGE "denied_repositories: [\"*.example.org/a\"]", "3:27: a * can only be the last part: \"registry.example.com/team/*\"" },
		{ IMAGE "denied_repositories: [A/b/C]", "3:27: not a repository: HOST[:PORT][/PATH]" },
		{ IMAGE "denied_repositories: [\"\"]", "3:27: not a repository: HOST[:PORT][/PATH]" },
		{ IMAGE "denied_repositories: [ok.example/a, 'https://x/y']", "3:41: not a repository: HOST[:PORT][/PATH]" },
		{ NETWORK "whitelist: [10.0.0.0/33]", "3:17: the length of a prefix is 0 to 32" },
		{ NETWORK "whitelist: [\"::/129\"]", "3:17: the length of a prefix is 0 to 128" },
		{ NETWORK "whitelist: [10.0.0.1/8]", "3:17: bits are set beyond the prefix: write 10.0.0.0/8, or the address alone" },
		{ NETWORK "whitelist: [\"2001:db8::1/32\"]", "3:17: bits are set beyond the prefix: write 2001:db8::/32, or the address alone" },
		{ NETWORK "whitelist: [10.0.0]", "3:17: not an address, a prefix (10.0.0.0/8) or a host name" },
		{ NETWORK "whitelist: [300.0.0.1]", "3:17: not an address, a prefix (10.0.0.0/8) or a host name" },
		{ NETWORK "whitelist: [x10.0.0.1]", "3:17: not an address, a prefix (10.0.0.0/8) or a host name" },
		{ NETWORK "whitelist: [010.0.0.1]", "3:17: not an address, a prefix (10.0.0.0/8) or a host name" },
		{ NETWORK "whitelist: [\"*.example.org\"]", "3:17: not an address, a prefix (10.0.0.0/8) or a host name" },
		{ NETWORK "whitelist: [example.org/24]", "3:17: not an address, a prefix (10.0.0.0/8) or a host name" },
		{ NETWORK "whitelist: [\"10.0.0.0/8:443\"]", "3:17: the length of a prefix is 0 to 32" },
		{ NETWORK "whitelist: [\"fe80::1%eth0\"]", "3:17: not an address, a prefix (10.0.0.0/8) or a host name" },
		{ PORT "allowed_ports: [0]", "3:21: ports are 1 to 65535, the lower first" },
		{ PORT "allowed_ports: [65536]", "3:21: ports are 1 to 65535, the lower first" },
		{ PORT "allowed_ports: [90-80]", "3:21: ports are 1 to 65535, the lower first" },
		{ PORT "allowed_ports: [http]", "3:21: not a port (443) or a range of ports (8000-8100)" },
		{ PORT "allowed_ports: [80-]", "3:21: not a port (443) or a range of ports (8000-8100)" },
		{ PORT "allowed_ports: [-1]", "3:21: not a port (443) or a range of ports (8000-8100)" },
		/* mode */
		{ "mode: enforced", "1:7: unknown mode 'enforced', did you mean 'enforce'?" },
		{ "mode: [enforce]", "1:7: 'mode' must be off, monitor or enforce, not a list" },
		{ "mode: {images: off}", "1:8: unknown key 'images', did you mean 'image'?" },
		{ "mode: {image: on}", "1:15: unknown mode 'on'" },
		{ "mode:", "1:6: 'mode' must be off, monitor or enforce, not nothing" },
		/* exceptions */
		{ EXCEPTION "{allow: [privileged], reason: r}", "3:7: 'match' is missing: {name: …, image: …, label: …}" },
		{ EXCEPTION "{match: {}, allow: [privileged], reason: r}", "3:15: 'match' names nothing: it would hold for everything" },
		{ EXCEPTION "{match: {nam: x}, allow: [privileged], reason: r}", "3:16: unknown key 'nam', did you mean 'name'?" },
		{ EXCEPTION "{match: {name: []}, allow: [privileged], reason: r}", "3:22: 'name' must be a text or a list of texts, not a list" },
		{ EXCEPTION "{match: {name: [\"\"]}, allow: [privileged], reason: r}", "3:23: each of 'name' must be a text of 1 to 1024 bytes" },
		{ EXCEPTION "{match: {name: x}, reason: r}", "3:7: 'allow' is missing: what it lets pass" },
		{ EXCEPTION "{match: {name: x}, allow: [privileged]}", "3:7: 'reason' is missing: who reads this in a year wants to know" },
		{ EXCEPTION "{match: {name: x}, allow: [privileged], reason: \" \"}", "3:55: 'reason' must be a text of 1 to 300 bytes on one line" },
		{ EXCEPTION EXCEPTION_REST "allow: []}", "3:44: 'allow' names nothing" },
		{ EXCEPTION EXCEPTION_REST "allow: privileged}", "3:44: 'allow' must be a list ([] for none), not 'privileged'" },
		{ EXCEPTION EXCEPTION_REST "allow: [privilegd]}", "3:45: unknown word 'privilegd', did you mean 'privileged'?" },
		{ EXCEPTION EXCEPTION_REST "allow: [AC-999]}", "3:45: unknown word 'AC-999'" },
		{ EXCEPTION EXCEPTION_REST "allow: [{privileged: [a]}]}", "3:58: 'privileged' takes no list" },
		{ EXCEPTION EXCEPTION_REST "allow: [{mounts: []}]}", "3:54: 'mounts' with an empty list allows nothing" },
		{ EXCEPTION EXCEPTION_REST "allow: [{mounts: [etc]}]}", "3:55: not an absolute path of the host" },
		{ EXCEPTION EXCEPTION_REST "allow: [[a]]}", "3:45: each of 'allow' must be a word, or {WORD: [what only]}" },
		{ EXCEPTION EXCEPTION_REST "allow: [privileged], until: soon}",
		  "3:65: 'until' must be a date like 2027-01-31, or a time like 2027-01-31T18:00:00Z, not 'soon'" },
		{ EXCEPTION EXCEPTION_REST "allow: [privileged], until: 2027-02-30}",
		  "3:65: 'until' must be a date like 2027-01-31, or a time like 2027-01-31T18:00:00Z, not '2027-02-30'" },
		{ EXCEPTION EXCEPTION_REST "allow: [privileged], til: 1}", "3:58: unknown key 'til'" },
		{ "access_control: {exceptions: {a: b}}", "1:30: 'exceptions' must be a list ([] for none), not a mapping" },
		/* scopes */
		{ SCOPE "{match: {name: x}}", "2:5: a scope without access_control and mode changes nothing" },
		{ SCOPE "{access_control: {}}", "2:5: 'match' is missing: {name: …, image: …, label: …}" },
		{ SCOPE "{match: {name: x}, access_control: {exceptions: []}}",
		  "2:41: exceptions stand in the general access_control: they match by themselves" },
		{ SCOPE "{match: {name: x}, mode: strict}", "2:30: unknown mode 'strict'" },
		{ SCOPE "{matches: {name: x}, mode: off}", "2:6: unknown key 'matches', did you mean 'match'?" },
		{ SCOPE "x", "2:5: 'a scope' must be a mapping, not 'x'" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(policy_freep) struct policy *p = NULL;
		struct err err = { 0 };
		char want[256];

		snprintf(want, sizeof(want), "policy.yaml:%s", rows[i].message);
		int r = policy_parse(slice_of(rows[i].text), "policy.yaml", &p, &err);
		if (r != -ERR_SYNTAX || strcmp(err.msg, want) != 0)
			print_error("%s\n  is: %s\n  not: %s\n", rows[i].text, r < 0 ? err.msg : "accepted", want);
		assert_int_equal(r, -ERR_SYNTAX);
		assert_string_equal(err.msg, want);
		assert_null(p);
	}
}

static void repeat(struct buf *b, const char *fmt_head, const char *item, size_t count, const char *tail)
{
	buf_add_str(b, fmt_head);
	for (size_t i = 0; i < count; i++)
		buf_add_str(b, item);
	buf_add_str(b, tail);
}

static void what_is_too_much_is_refused(void **state)
{
	const struct {
		const char *head, *item, *tail, *message;
		size_t count;
	} rows[] = {
		{ "#", "aaaaaaaaaaaaaaaa", "\n", "policy.yaml:1:1: larger than 1 MiB", 65536 },
		{ "a: [", "a,", "]\n", "policy.yaml:1:399999: more than 200000 values", 300000 },
		{ RUNTIME "denied_mounts: [", "/a,", "]\n", "policy.yaml:3:20: 'denied_mounts' has 1001 entries, at most 1000 are possible", 1001 },
		{ NETWORK "blacklist: [", "1.1.1.1,", "]\n", "policy.yaml:3:16: 'blacklist' has 50001 entries, at most 50000 are possible", 50001 },
		{ "scopes: [", "{match: {name: a}, mode: off},", "]\n",
		  "policy.yaml:1:9: 'scopes' has 257 entries, at most 256 are possible", 257 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_finip) struct buf b = { 0 };
		struct policy *p = NULL;
		struct err err = { 0 };

		repeat(&b, rows[i].head, rows[i].item, rows[i].count, rows[i].tail);
		assert_int_equal(policy_parse(buf_slice(&b), "policy.yaml", &p, &err), -ERR_SYNTAX);
		assert_string_equal(err.msg, rows[i].message);
	}
}

static void a_file_is_read_or_said_to_be_missing(void **state)
{
	CLEANUP(policy_freep) struct policy *p = NULL;
	struct err err = { 0 };

	assert_int_equal(policy_load("/nonexistent/policy.yaml", &p, &err), -ENOENT);
	assert_int_equal(policy_load("/dev/zero", &p, &err), -ERR_SYNTAX); /* without an end */
	assert_string_equal(err.msg, "/dev/zero:1:1: larger than 1 MiB");
	if (policy_load(TEST_ROOT "/agent/packaging/policy.yaml", &p, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(policy_name(p), TEST_ROOT "/agent/packaging/policy.yaml");
	/* As shipped it watches, and refuses nothing. */
	for (size_t i = 0; i < POLICY_SECTION_COUNT; i++)
		assert_int_equal(policy_mode_of(p, (enum policy_section)i), POLICY_MONITOR);
}

static void a_summary_tells_what_was_understood(void **state)
{
	static const char want[] = "image (enforce)\n"
				   "  allowed_repositories: registry.company.com\n"
				   "  max_severity: high\n"
				   "network (monitor): nothing said\n"
				   "port (monitor)\n"
				   "  restricted_ports: 1, 2, 3, 4, 5, 6 and 1 more\n"
				   "runtime (monitor)\n"
				   "  deny_privileged: yes\n"
				   "  deny_host_namespaces: pid, ipc, network, uts, user\n"
				   "  denied_capabilities: NET_RAW, SYS_ADMIN\n"
				   "scope db: name db*, label tier=a or b\n"
				   "  port\n"
				   "    allowed_ports: nothing\n"
				   "exception at line 6 for image x: mounts, AC-401 (old\\n, ENDED 2020-01-01)\n";
	CLEANUP(policy_freep) struct policy *p = must_parse(
		"access_control:\n"
		"  image_access: {allowed_repositories: [registry.company.com], max_severity: high}\n"
		"  port_access: {restricted_ports: [1, 2, 3, 4, 5, 6, 7]}\n"
		"  runtime_access: {deny_privileged: true, deny_host_namespaces: true, denied_capabilities: [SYS_ADMIN, NET_RAW]}\n"
		"  exceptions:\n"
		"    - {match: {image: x}, allow: [{mounts: [/a]}, AC-401], reason: 'old\\n', until: 2020-01-01}\n"
		"scopes:\n"
		"  - {name: db, match: {name: \"db*\", label: [tier=a, b]}, access_control: {port_access: {allowed_ports: []}}}\n"
		"mode: {image: enforce}\n");
	CLEANUP(buf_finip) struct buf b = { 0 };

	policy_summary(p, NOW, &b);
	assert_string_equal(b.p, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(the_documentation_names_every_key_word_and_rule),
		cmocka_unit_test(the_issue_s_example_is_right),
		cmocka_unit_test(what_is_not_said_denies_nothing),
		cmocka_unit_test(modes_are_for_all_or_by_section),
		cmocka_unit_test(every_mistake_has_its_place_and_words),
		cmocka_unit_test(what_is_too_much_is_refused),
		cmocka_unit_test(a_file_is_read_or_said_to_be_missing),
		cmocka_unit_test(a_summary_tells_what_was_understood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
