/* tls.h - keys, certificates and the small CA, on OpenSSL 3. PEM in, PEM out; nothing global. */
#pragma once
#include "common/buf.h"
#include "common/clock.h"
#include "common/err.h"

enum { TLS_PIN_BYTES = 32, TLS_ID_MAX = 64, TLS_SERIAL_MAX = 48, TLS_NAME_MAX = 256 };

/* Who the other side is, as its verified certificate says. All text NUL-terminated. */
struct tls_identity {
	char agent_id[TLS_ID_MAX];    /* from the SAN URI "picket:agent:<id>"; "" if it is none */
	char subject[TLS_NAME_MAX];   /* common name */
	char serial[TLS_SERIAL_MAX];  /* hex, upper case */
	uint64_t not_before_unix, not_after_unix; /* s since 1970 */
};

/* A new EC P-256 key as PKCS#8 PEM into ret (initialised here; caller frees). */
int tls_key_new(struct buf *ret_pem, struct err *err) WARN_UNUSED;
/* Self-signed CA of the key, valid for years. */
int tls_ca_new(struct slice key_pem, const char *name, unsigned years, const struct clock *clk,
	       struct buf *ret_pem, struct err *err) WARN_UNUSED;
/* A certificate request of the key; name becomes its common name. */
int tls_csr_new(struct slice key_pem, const char *name, struct buf *ret_pem,
		struct err *err) WARN_UNUSED;

enum tls_role { TLS_ROLE_AGENT, TLS_ROLE_SERVER };
struct tls_sign {
	enum tls_role role; /* extended key usage: clientAuth or serverAuth */
	const char *common_name;
	const char *agent_id;	       /* for TLS_ROLE_AGENT */
	const char *const *alt_names;  /* DNS names and IP addresses, NULL-terminated; nullable */
	int64_t valid_from_s, valid_for_s; /* relative to now; from is usually -3600 (backdated) */
};
/* Signs the request's public key only (never its subject or extensions) with a random serial.
 * csr_pem may also be a plain PUBLIC KEY. ret_serial: TLS_SERIAL_MAX, nullable. */
int tls_sign(struct slice ca_pem, struct slice ca_key_pem, struct slice csr_pem,
	     const struct tls_sign *how, const struct clock *clk, struct buf *ret_pem,
	     char *ret_serial, struct err *err) WARN_UNUSED;
/* What a certificate says of itself, unverified. */
int tls_cert_identity(struct slice cert_pem, struct tls_identity *ret, struct err *err) WARN_UNUSED;
/* SHA-256 of the certificate's DER. */
int tls_cert_pin(struct slice cert_pem, uint8_t ret[TLS_PIN_BYTES], struct err *err) WARN_UNUSED;
/* Does the key belong to the certificate? 0 if so. */
int tls_key_matches(struct slice cert_pem, struct slice key_pem, struct err *err) WARN_UNUSED;
/* HMAC-SHA256 and SHA-256. */
void tls_hmac(struct slice key, struct slice data, uint8_t ret[32]);
void tls_sha256(struct slice data, uint8_t ret[32]);
/* In constant time. */
bool tls_equal(const void *a, const void *b, size_t n);
