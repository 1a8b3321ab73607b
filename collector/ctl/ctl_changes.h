/* ctl_changes.h - what changed in how containers were made. Private to ctl. */
#pragma once
#include "collector/ctl/ctl.h"

/* The first of each container in a page is compared with the pages before; rows: all of an answer, oldest first. */
int ctl_changes_join(cJSON *rows, struct err *err) WARN_UNUSED;
/* {event, field, from, to} for each field, one for a row without. Borrows from rows; caller deletes; NULL: no memory. */
cJSON *ctl_changes_spread(const cJSON *rows);
