/* maps.h - the files that a process has mapped to run, from /proc/PID/maps. Pure. */
#pragma once
#include "common/slice.h"

/* Calls fn for each executable mapping of a file, in order; the same file may come several times. path: as
 * the process sees it, absolute; borrowed for the call. Lines that are none are passed by. */
void maps_parse(struct slice text, void (*fn)(void *arg, struct slice path), void *arg);
