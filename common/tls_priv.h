/* tls_priv.h - what tls.c shares with the TLS engine under nng; nobody outside common includes it.
 */
#pragma once
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "common/tls.h"

/* err: "what: " and OpenSSL's first queued reason; the queue is emptied. Returns -ERR_CRYPTO. */
int tls_err(struct err *err, const char *what);
/* The first certificate / private key of a PEM text. *ret: caller frees. */
int tls_read_cert(struct slice pem, X509 **ret, struct err *err) WARN_UNUSED;
int tls_read_key(struct slice pem, EVP_PKEY **ret, struct err *err) WARN_UNUSED;
/* Every certificate of a PEM text, at most TLS_CHAIN_MAX. *ret: caller frees with
 * sk_X509_pop_free(…, X509_free). ERR_CRYPTO when there is none. */
enum { TLS_CHAIN_MAX = 16 };
int tls_read_chain(struct slice pem, STACK_OF(X509) * *ret, struct err *err) WARN_UNUSED;
/* Fills ret from the certificate; agent_id stays "" unless exactly one SAN URI names one. */
void tls_x509_identity(X509 *cert, struct tls_identity *ret);
void tls_x509_pin(X509 *cert, uint8_t ret[TLS_PIN_BYTES]);
/* Letters, digits, '.', '_', '-', 1 .. TLS_ID_MAX - 1 of them. */
bool tls_agent_id_is_valid(struct slice id);

#define TLS_AGENT_URI "picket:agent:"
