/* enrolment.h - the files that make this host an agent. */
#pragma once
#include "common/buf.h"
#include "common/err.h"

struct enrolment {
	char agent_id[64];
	struct buf key_pem, cert_pem, ca_pem;
};

/* Reads agent.id, agent.key, agent.pem and ca.pem of state_dir. *ret: initialised by the call, also
 * on error; caller frees with enrolment_fini. Errors: ENOENT (not enrolled), ERR_CORRUPT,
 * ERR_CRYPTO (key and certificate are not of one another). */
int enrolment_read(const char *state_dir, struct enrolment *ret, struct err *err) WARN_UNUSED;
/* All four, each there entirely or not at all; agent.id last: it is what makes the rest count. */
int enrolment_write(const char *state_dir, const struct enrolment *e, struct err *err) WARN_UNUSED;
bool enrolment_exists(const char *state_dir);
void enrolment_fini(struct enrolment *e);
