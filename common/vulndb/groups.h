/* groups.h - which vulnerabilities an advisory is about: a line each, its ids with blanks between, the one
 * people know it by first. GHSA-… with its CVE is one; ALSA-… with five CVEs is five. */
#pragma once
#include "common/vulndb/advisory.h"

/* is_distro: the advisory is a distribution's. *ret lives in the arena; its texts are ids (advisory_is_id). */
int groups_make(const struct advisory *a, bool is_distro, struct arena *arena, struct slice *ret,
		struct err *err) WARN_UNUSED;
/* The better known of two ids: a CVE, then GHSA, then the first in the alphabet. */
bool groups_is_better(struct slice a, struct slice than);
