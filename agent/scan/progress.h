/* progress.h - one line on standard error while something takes long; gone when it is done. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct image_progress;

struct progress {
	bool is_shown; /* it may be */
	bool is_there; /* a line stands on the terminal */
	uint64_t started_ms;
};

/* is_wanted: by the person; and standard error must be a terminal. */
void progress_init(struct progress *p, bool is_wanted);
/* An image_options.progress; arg: the struct progress. */
void progress_image(void *arg, const struct image_progress *image);
void progress_clear(struct progress *p);
