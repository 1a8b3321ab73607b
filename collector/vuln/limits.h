/* limits.h - every bound of the vuln room. */
#pragma once

enum {
	VULN_ASSEMBLIES = 64,		  /* inventories on their way, of all agents */
	VULN_ASSEMBLIES_PER_AGENT = 2,
	VULN_ASSEMBLY_IDLE_MS = 60 * 1000, /* a part is waited for so long */
	VULN_ASSEMBLY_BYTES = 64 * 1024 * 1024, /* compressed, all together */

	VULN_SLICE_MS = 30, /* then the loop has its turn, as with queries in a row */
	VULN_MATCH_MIN = 8, /* packages of one call of the database */
	VULN_MATCH_MAX = 512,
	VULN_CHANGED_MAX = 200000, /* names that an import changed; more: all are looked at */

	VULN_CASES_MAX = 5000,	  /* images with an alert of one vulnerability */
	VULN_CASE_PLACES_MAX = 64, /* packages that one alert lists */
	VULN_CASE_USES_MAX = 100,  /* containers that one alert lists */
	VULN_ACCEPTANCES_MAX = 1000, /* of one vulnerability */
	VULN_JUDGE_ARENA_BYTES = 64 * 1024 * 1024,

	VULN_FEEDS_MAX = 64,

	VULN_PACKAGES_AT_ONCE = 500000, /* new ones, of one agent */
	VULN_PACKAGES_PER_HOUR = 200000,
};
#define VULN_FEED_BYTES_MAX (4ull * 1024 * 1024 * 1024) /* of one download */
