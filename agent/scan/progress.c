/* progress.c - see progress.h. */
#include "agent/scan/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/image/image.h"

/* What is done sooner needs no line. */
enum { QUIET_MS = 500 };

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void progress_init(struct progress *p, bool is_wanted)
{
	const char *term = getenv("TERM");

	*p = (struct progress){ .is_shown = is_wanted && isatty(STDERR_FILENO) && term && strcmp(term, "dumb"),
				.started_ms = now_ms() };
}

void progress_image(void *arg, const struct image_progress *image)
{
	struct progress *p = arg;
	uint64_t mib = image->bytes >> 20, total = image->total_bytes >> 20;

	if (!p->is_shown || now_ms() - p->started_ms < QUIET_MS)
		return;
	fputs("\r\033[Kreading", stderr);
	if (image->layers > 1)
		fprintf(stderr, " layer %" PRIu32 " of %" PRIu32 ",", image->layer, image->layers);
	if (mib)
		fprintf(stderr, " %" PRIu64 " MiB", mib);
	if (mib && total >= mib)
		fprintf(stderr, " of %" PRIu64, total);
	fprintf(stderr, "%s %" PRIu64 " s", mib ? "," : "", (now_ms() - p->started_ms) / 1000);
	fflush(stderr);
	p->is_there = true;
}

void progress_clear(struct progress *p)
{
	if (p->is_there)
		fputs("\r\033[K", stderr);
	p->is_there = false;
}
