/* match.h - asks the vulnerability database what it knows of a result's packages. */
#pragma once
#include "agent/scan/result.h"

enum { MATCH_OLD_DAYS = 7 };

/* pubkey_pem: nullable, see vulndb_open. Findings, has_database and database_unix_s of r are set; a database
 * older than MATCH_OLD_DAYS is a warning. Errors: those of vulndb_open and vulndb_match. */
int match_packages(struct scan_result *r, const char *db_path, const char *pubkey_pem,
		   struct err *err) WARN_UNUSED;
