/* trim.c - see trim.h.
 *
 * Loading 45 libraries, relocating them, verifying and loading BPF programs touches some 10 MiB of code
 * and symbol tables that a running agent never looks at again. They are clean pages of files, so
 * dropping our mapping of them costs nothing but a minor fault for those that are needed after all.
 * Mappings with anonymous pages (relocated constants) hold data that is nowhere else: left alone. */
#include "agent/trim.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>

enum { MAX_MAPPINGS = 1024 };

struct mapping {
	uintptr_t start, end;
};

/* "7f12…-7f13… r-xp 00028000 fe:00 1234  /usr/lib/…": readable, not writable, private, of a file. */
static int is_candidate(const char *line, struct mapping *ret)
{
	char perms[5] = "", path[2] = "";
	unsigned long inode = 0;

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %lu %1s", &ret->start, &ret->end, perms, &inode,
		   path) < 5)
		return -1;
	return perms[0] == 'r' && perms[1] == '-' && perms[3] == 'p' && inode && path[0] == '/';
}

/* Reads first and acts after, so that the walk never depends on what it changes. */
static int find_mappings(struct mapping *found, struct err *err)
{
	CLEANUP(fclosep) FILE *f = fopen("/proc/self/smaps", "re");
	struct mapping at = { 0 };
	char line[512];
	bool candidate = false;
	int count = 0;

	if (!f)
		return err_set(err, errno, "open '/proc/self/smaps'");
	while (fgets(line, sizeof(line), f)) {
		struct mapping next;
		unsigned long kib;
		int r = is_candidate(line, &next);

		if (r >= 0) {
			candidate = r == 1;
			at = next;
		} else if (candidate && sscanf(line, "Anonymous: %lu kB", &kib) == 1) {
			candidate = false;
			if (!kib && count < MAX_MAPPINGS)
				found[count++] = at;
		}
	}
	return count;
}

long trim_start_pages(struct err *err)
{
	struct mapping found[MAX_MAPPINGS];
	long bytes = 0;
	int count = find_mappings(found, err);

	if (count < 0)
		return count;
	for (int i = 0; i < count; i++) {
		size_t n = found[i].end - found[i].start;

		if (madvise((void *)found[i].start, n, MADV_DONTNEED) == 0)
			bytes += (long)n;
	}
	malloc_trim(0);
	return bytes;
}
