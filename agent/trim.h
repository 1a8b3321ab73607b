/* trim.h - gives back what only the start needed. */
#pragma once
#include <stdbool.h>

#include "common/err.h"

/* Unmaps the resident pages of read-only file mappings (code and constants of libraries) and lets
 * malloc return free heap. What is still in use comes back from the page cache by minor faults.
 * Returns the bytes of the mappings that were let go. Errors: errno of /proc/self/smaps. */
long trim_start_pages(struct err *err);
