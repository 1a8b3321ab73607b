/* test_bounds.c - whose mode decides over what can't be judged, and bodies that ask for so much that it would take long. */
#include <stdio.h>

#include "judge_test.h"

#define C "/v1.41/containers/create"

static struct policy *policy_of(const char *general, const char *scope, const char *match)
{
	struct policy *p = NULL;
	struct err err = { 0 };
	char text[1024];

	snprintf(text, sizeof(text),
		 "access_control:\n"
		 "  runtime_access: {deny_privileged: true, denied_mounts: [/etc], denied_devices: [/dev/mem]}\n"
		 "  port_access: {restricted_ports: [22]}\n"
		 "scopes:\n"
		 "  - match: {%s}\n"
		 "    access_control: {runtime_access: {deny_host_namespaces: true}}\n"
		 "    mode: %s\n"
		 "mode: %s\n",
		 match, scope, general);
	if (policy_parse(slice_of(text), "policy.yaml", &p, &err) < 0)
		fail_msg("%s", err.msg);
	return p;
}

static void check(const struct policy *p, const char *uri, const char *body, const char *rule, bool is_denied)
{
	struct authz_verdict v = judged(p, "POST", uri, body, "application/json");

	if (strcmp(v.rule, rule) != 0 || (v.answer == AUTHZ_DENY) != is_denied)
		fail_msg("%s %.100s: %s '%s' (%s)", uri, body, v.rule, v.message, v.answer == AUTHZ_DENY ? "denied" : "allowed");
}

static void what_cannot_be_judged_goes_by_the_mode_of_its_scope(void **state)
{
	CLEANUP(policy_freep) struct policy *strict = policy_of("enforce", "monitor", "name: \"lab-*\"");
	CLEANUP(policy_freep) struct policy *mild = policy_of("monitor", "enforce", "name: \"shop-*\"");
	const char *slow = "{\"Image\":\"a\",\"HostConfig\":{\"Binds\":[\"slow:/x\"]}}";

	(void)state;
	check(strict, C "?name=lab-1", slow, "AZ-006", false);
	check(strict, C "?name=shop-1", slow, "AZ-006", true);
	check(mild, C "?name=shop-1", slow, "AZ-006", true);
	check(mild, C "?name=lab-1", slow, "AZ-006", false);
	check(strict, C "?name=lab-1", "{\"Image\":\"a\",\"HostConfig\":{\"Privileged\":true}}", "AC-401", false);
	check(mild, C "?name=shop-1", "{\"Image\":\"a\",\"HostConfig\":{\"Privileged\":true}}", "AC-401", true);
	/* Whom it is about isn't known, or not for certain: the strictest there is. */
	check(mild, C "?name=lab-1", "{\"Image\":\"a\"", "AZ-004", true);
	check(mild, C "?name=lab-1", "", "AZ-003", true);
	check(mild, "/v1.41/new/thing", "{}", "AZ-005", true);
	check(mild, C "?name=lab-1", "{\"Image\":\"slow\"}", "AZ-006", true);
	check(strict, C "?name=lab-1", "{\"Image\":\"slow\"}", "AZ-006", true);
}

static void a_scope_by_image_is_known_by_the_engines_word_only(void **state)
{
	CLEANUP(policy_freep) struct policy *p = policy_of("enforce", "monitor", "image: \"registry.company.com/library/*\"");

	(void)state;
	/* "retagged" is called so, and comes from elsewhere */
	check(p, C, "{\"Image\":\"registry.company.com/library/app\",\"HostConfig\":{\"Privileged\":true}}", "AC-401", false);
	check(p, C, "{\"Image\":\"registry.company.com/library/retagged\",\"HostConfig\":{\"Privileged\":true}}", "AC-401", true);
	check(p, C, "{\"Image\":\"registry.company.com/library/retagged\",\"HostConfig\":{\"Binds\":[\"slow:/x\"]}}", "AZ-006", true);
	check(p, C, "{\"Image\":\"registry.company.com/library/slow\"}", "AZ-006", true);
}

/* ---- much of everything ---- */

/* item, count times, with '#' as the number. */
static const char *list(const char *item, int count)
{
	struct buf b;

	buf_init(&b, 1 << 22);
	for (int i = 0; i < count; i++) {
		if (i)
			buf_add_char(&b, ',');
		for (const char *c = item; *c; c++)
			if (*c == '#')
				buf_printf(&b, "%d", i);
			else
				buf_add_char(&b, *c);
	}
	const char *copy = arena_dup(arena, buf_slice(&b));
	buf_fini(&b);
	return copy;
}

static const char *host(const char *member, char open, const char *items, char close)
{
	return arena_printf(arena, "{\"Image\":\"a\",\"HostConfig\":{\"%s\":%c%s%c}}", member, open, items, close);
}

static uint64_t timed(const struct policy *p, const char *body, const char *rule)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t from = cpu_ns();

		check(p, C, body, rule, *rule != 0);
		uint64_t took = cpu_ns() - from;
		best = took < best ? took : best;
	}
	return best;
}

static void more_than_is_judged_is_refused_and_quickly(void **state)
{
	CLEANUP(policy_freep) struct policy *p = policy_of("enforce", "monitor", "name: \"lab-*\"");
	const char *deep = "/no/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t";
	const struct {
		const char *what, *body, *rule;
	} rows[] = {
		{ "binds, at the bound", host("Binds", '[', list("\"/srv/#:/x#\"", 48), ']'), "" },
		{ "binds", host("Binds", '[', list("\"/srv/#:/x#\"", 49), ']'), "AZ-012" },
		{ "binds far down", host("Binds", '[', list(arena_printf(arena, "\"%s/#:/x#\"", deep), 48), ']'), "AC-421" },
		{ "mounts", host("Mounts", '[', list("{\"Type\":\"bind\",\"Source\":\"/srv/#\",\"Target\":\"/x#\"}", 65), ']'), "AZ-012" },
		{ "devices", host("Devices", '[', list("{\"PathOnHost\":\"/dev/a#\",\"PathInContainer\":\"/dev/b#\"}", 65), ']'), "AZ-012" },
		{ "ports, at the bound", host("PortBindings", '{', list("\"#/tcp\":[{\"HostPort\":\"#\"}]", 512), '}'), "AC-301" },
		{ "ports", host("PortBindings", '{', list("\"#/tcp\":[]", 1100), '}'), "AZ-012" },
		{ "ranges of ports", host("PortBindings", '{', list("\"#-1#/tcp\":[{\"HostPort\":\"2000-3000\"}]", 9), '}'), "AZ-012" },
		{ "exposed ports", arena_printf(arena, "{\"Image\":\"a\",\"ExposedPorts\":{%s}}", list("\"#/tcp\":{}", 1100)), "AZ-012" },
		{ "capabilities", host("CapAdd", '[', list("\"C#\"", 65), ']'), "AZ-012" },
		{ "volumes of others", host("VolumesFrom", '[', list("\"c#\"", 17), ']'), "AZ-012" },
		{ "labels", arena_printf(arena, "{\"Image\":\"a\",\"Labels\":{%s}}", list("\"k#\":\"#\"", 1025)), "AZ-012" },
		{ "values", arena_printf(arena, "{\"Image\":\"a\",\"x\":[%s]}", list("#", 8193)), "AZ-012" },
		{ "a long text", arena_printf(arena, "{\"Image\":\"a\",\"x\":\"%s\"}", list("#", 60000)), "AZ-012" },
		{ "options of seccomp", host("SecurityOpt", '[', list("\"seccomp={\\\"defaultAction\\\":\\\"SCMP_ACT_ERRNO\\\",\\\"a\\\":#}\"", 17), ']'), "AZ-012" },
	};
	uint64_t worst = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t took = timed(p, rows[i].body, rows[i].rule);

		print_message("%-22s %5lu us\n", rows[i].what, (unsigned long)(took / 1000));
		worst = took > worst ? took : worst;
	}
	assert_true(worst < 30000000); /* with the sanitizers; without them it is a tenth */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_judged_goes_by_the_mode_of_its_scope),
		cmocka_unit_test(a_scope_by_image_is_known_by_the_engines_word_only),
		cmocka_unit_test_setup_teardown(more_than_is_judged_is_refused_and_quickly, open_arena, close_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
