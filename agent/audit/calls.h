/* calls.h - names of system calls of this machine. By itself: what libseccomp includes has a struct audit_status of
 * its own. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* "openat"; false where the number has no name. */
bool calls_name(int number, char *dst, size_t size);
