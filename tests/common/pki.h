/* pki.h - a throwaway CA and its certificates, for the tests of TLS and wire. Aborts on failure. */
#pragma once
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/tls.h"

#define PKI_MUST(call)                                                                    \
	do {                                                                              \
		struct err pki_err_ = {0};                                                \
		struct err *err = &pki_err_;                                              \
		if ((call) < 0) {                                                         \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, pki_err_.msg); \
			abort();                                                          \
		}                                                                         \
	} while (0)

/* nng 1.5.2 loses what was still negotiating when its endpoint closed: a few objects at the end of
 * a program. While a program runs, tests/fault/test_hostile_peers.c sees to it that nothing is
 * lost. */
__attribute__((weak)) const char *__lsan_default_suppressions(void);
__attribute__((weak)) const char *__lsan_default_suppressions(void)
{
	return "leak:libnng.so\n";
}

struct pki_pair {
	struct buf cert, key;
};

struct pki {
	struct pki_pair ca, server;
	uint8_t pin[TLS_PIN_BYTES];
};

static inline void pki_pair_fini(struct pki_pair *p)
{
	buf_fini(&p->cert);
	buf_fini(&p->key);
}

/* A leaf of the CA. from, to: s relative to now. chain: the CA's certificate is appended. */
static inline void pki_leaf(struct pki_pair *ca, enum tls_role role, const char *id, int64_t from,
			    int64_t to, struct pki_pair *ret)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "::1", NULL};
	struct tls_sign how = {.role = role,
			       .common_name = id,
			       .agent_id = role == TLS_ROLE_AGENT ? id : NULL,
			       .alt_names = role == TLS_ROLE_SERVER ? names : NULL,
			       .valid_from_s = from,
			       .valid_for_s = to};
	struct buf csr;

	PKI_MUST(tls_key_new(&ret->key, err));
	PKI_MUST(tls_csr_new(buf_slice(&ret->key), id, &csr, err));
	PKI_MUST(tls_sign(buf_slice(&ca->cert), buf_slice(&ca->key), buf_slice(&csr), &how,
			  clock_real(), &ret->cert, NULL, err));
	if (role == TLS_ROLE_SERVER)
		buf_add_slice(&ret->cert, buf_slice(&ca->cert));
	buf_fini(&csr);
}

static inline void pki_agent(struct pki *p, const char *id, struct pki_pair *ret)
{
	pki_leaf(&p->ca, TLS_ROLE_AGENT, id, -3600, 86400, ret);
}

static inline void pki_init(struct pki *p)
{
	PKI_MUST(tls_key_new(&p->ca.key, err));
	PKI_MUST(tls_ca_new(buf_slice(&p->ca.key), "picket test CA", 10, clock_real(), &p->ca.cert,
			    err));
	PKI_MUST(tls_cert_pin(buf_slice(&p->ca.cert), p->pin, err));
	pki_leaf(&p->ca, TLS_ROLE_SERVER, "localhost", -3600, 86400, &p->server);
}

static inline void pki_fini(struct pki *p)
{
	pki_pair_fini(&p->ca);
	pki_pair_fini(&p->server);
}
