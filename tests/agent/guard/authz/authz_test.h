/* authz_test.h - an arena, bodies from text. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/guard/authz/authz_priv.h"

static struct arena *arena;

static inline int open_arena(void **state)
{
	(void)state;
	arena = arena_new(AUTHZ_ARENA_BYTES);
	return arena ? 0 : -1;
}

static inline int close_arena(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static inline const struct authz_body *body(const char *text)
{
	const struct authz_body *b = NULL;
	struct err err = { 0 };

	if (authz_body_read(slice_of(text), arena, &b, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return b;
}
