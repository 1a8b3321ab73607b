/* call_names.h - name and family of each system call of calls.def. */
#pragma once
#include "agent/calls.h"

/* Falco's evt.type: "openat". c < CALL_COUNT. */
static inline const char *call_name(enum call c)
{
	static const char *const names[] = {
#define CALL(id, name, family, class, x86_64, i386, arm64) name,
#include "agent/calls.def"
#undef CALL
	};

	return names[c];
}

static inline enum call_family call_family(enum call c)
{
	static const unsigned char families[] = {
#define CALL(id, name, family, class, x86_64, i386, arm64) FAMILY_##family,
#include "agent/calls.def"
#undef CALL
	};

	return families[c];
}
