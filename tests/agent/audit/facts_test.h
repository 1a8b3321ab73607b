/* facts_test.h - what the tests of the facts have in common. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/audit/facts_priv.h"

static inline int new_arena(void **state)
{
	*state = arena_new(64 << 20);
	return *state ? 0 : -1;
}

static inline int free_arena(void **state)
{
	arena_free(*state);
	return 0;
}

#define with_arena(f) cmocka_unit_test_setup_teardown(f, new_arena, free_arena)

static inline bool has_text(const struct facts_texts *t, const char *s)
{
	for (size_t i = 0; i < t->count; i++)
		if (!strcmp(t->v[i], s))
			return true;
	return false;
}

static inline bool has_bit(const uint64_t *set, unsigned n)
{
	return set[n / 64] >> n % 64 & 1;
}
