/* fleet_mix.h - what simulated hosts see: records made from numbers alone.
 *
 * A record is a function of (seed, host, epoch, sequence number), so nothing need be kept to send it again,
 * and whoever checks the store makes it once more and compares every byte: that is its checksum. */
#pragma once
#include "common/arena.h"
#include "common/buf.h"

enum mix_kind { MIX_REAL, MIX_EXEC }; /* MIX_EXEC: execs alone, for what an exec costs */

struct mix {
	uint64_t seed, base_unix_ns; /* time of number 0 */
	uint64_t step_ns;	     /* between two numbers of one host */
	enum mix_kind kind;
	uint32_t findings_every; /* one record in so many is a finding; 0: none */
	const char *exe;	 /* nullable: all programs are this one */
	uint8_t exe_sha256[32];	 /* of exe, then */
};

/* Appends the packed record to out. Pure. */
void mix_record(const struct mix *m, uint32_t host, uint64_t epoch, uint64_t seq, struct buf *out);
/* Spreads a number over 64 bits. */
uint64_t mix_hash(uint64_t x);
