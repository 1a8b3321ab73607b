/* import_guess.h - what a source is and what its feed is called, where the caller does not say. */
#pragma once
#include "common/vulndb/vulndb.h"

/* ret_feed: 64 bytes. ERR_SYNTAX: none of the formats. */
int import_guess(const struct vulndb_import *in, enum vulndb_format *ret, char ret_feed[64],
		 struct err *err) WARN_UNUSED;
