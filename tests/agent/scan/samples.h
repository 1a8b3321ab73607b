/* samples.h - real documents, read out of the archive of samples that stands beside the checkout. */
#pragma once
#include <archive.h>
#include <archive_entry.h>

#include "common/buf.h"

#define SAMPLES_ZIP TEST_ROOT "/../shared/feeds/samples/sbom-vex.zip"

/* The member's text with a NUL behind it; -1 where there is none. Reset text first by itself. */
static inline int sample_read(const char *member, struct buf *text)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	int r = -1;

	buf_reset(text);
	archive_read_support_format_zip(a);
	if (archive_read_open_filename(a, SAMPLES_ZIP, 65536) == ARCHIVE_OK) {
		while (r < 0 && archive_read_next_header(a, &e) == ARCHIVE_OK) {
			size_t n = (size_t)archive_entry_size(e);
			char *to = strcmp(archive_entry_pathname(e), member) ? NULL : buf_reserve(text, n);

			if (to && archive_read_data(a, to, n) == (ssize_t)n) {
				buf_written(text, n);
				r = 0;
			}
		}
	}
	archive_read_free(a);
	return r;
}
