/* policy_test.h - what the tests of the policy begin with: a policy from a text, a verdict in words. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/policy/policy.h"

enum { NOW = 1796083200 }; /* 2026-12-01T00:00:00Z */

/* A policy that must be right. Caller frees. */
static inline struct policy *must_parse(const char *text)
{
	struct policy *p = NULL;
	struct err err = { 0 };

	if (policy_parse(slice_of(text), "policy.yaml", &p, &err) < 0)
		fail_msg("%s\n%s", err.msg, text);
	return p;
}

/* The numbers of what denies, "AC-101 AC-401"; an excepted one in brackets. Borrowed until the next call. */
static inline const char *denials(const struct policy *p, const struct policy_workload *w, uint64_t now, bool *ret_is_allowed)
{
	static char text[4096];
	CLEANUP(arena_freep) struct arena *a = arena_new(4 << 20);
	struct policy_verdict v;
	struct err err = { 0 };
	size_t n = 0;

	if (policy_judge(p, w, now, a, &v, &err) < 0)
		fail_msg("%s", err.msg);
	text[0] = 0;
	for (size_t i = 0; i < v.count && n < sizeof(text) - 20; i++) {
		const struct policy_denial *d = &v.denials[i];

		assert_true(d->line && d->column && d->reason[0] && d->way_out[0]);
		assert_null(strstr(d->reason, "$1"));
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s%s", n ? " " : "", d->exception[0] ? "(" : "", d->rule,
				      d->exception[0] ? ")" : "");
	}
	if (ret_is_allowed)
		*ret_is_allowed = v.is_allowed;
	return text;
}

/* texts("a", "b") as a list. */
#define TEXTS(...)                                                                                                   \
	{                                                                                                            \
		(const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *)  \
	}
