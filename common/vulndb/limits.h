/* limits.h - the bounds of what advisories may cost. Seen in 21,932 OSV records of ten publishers: at most
 * 196 KB, 516 packages, 118 events a range, 1,132 listed versions, 352 references, 44 CVEs in one advisory. */
#pragma once

enum {
	VULNDB_DEPTH_MAX = 48,		     /* nesting of JSON */
	VULNDB_RECORD_MAX = 16 << 20,	     /* bytes of one OSV record */
	VULNDB_RECORD_ARENA = 64 << 20,	     /* bytes of memory for one record */
	VULNDB_TOKEN_MAX = 4 << 20,	     /* bytes of JSON without an end of string, key or number */
	VULNDB_ID_MAX = 200,		     /* bytes of an id */
	VULNDB_NAME_MAX = 512,		     /* bytes of a package's name, an ecosystem's */
	VULNDB_IDS_MAX = 4096,		     /* aliases and the like of one record */
	VULNDB_AFFECTED_MAX = 50000,	     /* packages of one record */
	VULNDB_EVENTS_MAX = 20000,	     /* events of one record */
	VULNDB_VERSIONS_MAX = 200000,	     /* listed versions of one record */
	VULNDB_URLS_MAX = 64,		     /* kept of one record */
	VULNDB_URL_MAX = 2048,		     /* bytes of a URL; longer ones are left out */
	VULNDB_TITLE_MAX = 512,		     /* bytes kept of a title */
	VULNDB_TEXT_MAX = 8192,		     /* bytes kept of a description */
	VULNDB_NOTE_MAX = 300,		     /* bytes kept of a distribution's reason */
	VULNDB_ENTRIES_MAX = 4000000,	     /* files of one archive or folder */
	VULNDB_RATIO_MAX = 250,		     /* bytes out of an archive for each byte of it */
	VULNDB_BAD_MAX = 1000,		     /* bad records, after which there must be more good ones */
	VULNDB_FOLDER_DEPTH_MAX = 32,
};

/* Bytes read from one source, unpacked. */
#define VULNDB_SOURCE_MAX (16ULL << 30)
