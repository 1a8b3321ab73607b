/* cleanup.h - who owns a thing releases it when its local goes out of scope. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* CLEANUP(fn) on a local: fn gets a pointer to the local. Reverse order of declaration. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

#define ARRAY_LEN(a)                                                                               \
	(sizeof(a) / sizeof((a)[0]) +                                                              \
	 0 * sizeof(char[1 - 2 * __builtin_types_compatible_p(__typeof__(a), __typeof__(&(a)[0]))]))

#define WARN_UNUSED __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* DEFINE_CLEANUP(struct spool, spool_close) makes spool_closep for CLEANUP(). */
#define DEFINE_CLEANUP(type, fn)                                                                   \
	static inline void fn##p(type **p)                                                         \
	{                                                                                          \
		if (*p)                                                                            \
			fn(*p);                                                                    \
	}

static inline void fd_closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Gives the descriptor away: the local's cleanup then does nothing. */
static inline int take_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

/* Gives the object away: the local's cleanup then does nothing. */
#define take_ptr(p)                                                                                \
	({                                                                                         \
		__typeof__(p) take_ptr_ = (p);                                                     \
		(p) = NULL;                                                                        \
		take_ptr_;                                                                         \
	})
