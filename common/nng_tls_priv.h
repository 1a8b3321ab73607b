/* nng_tls_priv.h - the hub's inside, shared by its context (nng_tls_hub.c), its verification
 * (nng_tls_verify.c) and the engine (nng_tls.c). */
#pragma once
#include <openssl/ssl.h>

#include "common/nng_tls.h"

struct tls_hub {
	unsigned refs; /* atomic: the creator's and one per nng config */
	bool is_server;
	/* A client's dials are numbered from 1, and each configuration of nng's knows its dial. */
	unsigned dial;	   /* the last one; the loop's */
	unsigned expected; /* atomic: of this dial a connection may begin; 0: of none */
	unsigned stopped;  /* atomic: dials up to this one may not go on */
	bool has_pin;
	uint8_t pin[TLS_PIN_BYTES];
	char server_name[TLS_NAME_MAX];
	SSL_CTX *ctx;
	nng_tls_config *config;
	struct guard guard;

	pthread_mutex_t mutex; /* taken after the guard's, never before; guards all below */
	int fd;		       /* eventfd, readable while refusals wait */
	struct tls_hub_refusal refusals[TLS_HUB_REFUSALS_MAX];
	unsigned first, waiting;
	struct wire_counts counts;
	char (*denied)[TLS_SERIAL_MAX]; /* sorted */
	size_t denied_count, denied_size;
};

/* nng_tls_hub.c */
void tls_hub_hold(struct tls_hub *h);
void tls_hub_drop(struct tls_hub *h);
/* A connection of this dial begins: may it? */
bool tls_hub_begin(struct tls_hub *h, unsigned dial);
/* To be asked once more when it can be found by tls_hub_cut_all. */
bool tls_hub_is_stopped(struct tls_hub *h, unsigned dial);
void tls_hub_count(struct tls_hub *h, uint64_t *counter);
bool tls_hub_is_denied(struct tls_hub *h, const char *serial);

/* nng_tls_verify.c: sets how the context checks the other side. */
int tls_verify_setup(struct tls_hub *h, const struct wire_tls *tls, struct err *err) WARN_UNUSED;
/* The failed handshake's (or first read's) reason in a few words; NULL when the peer just went
 * away. Uses up OpenSSL's error queue. */
const char *tls_verify_why(struct tls_hub *h, SSL *ssl, char *buf, size_t size);

/* nng_tls.c: makes h's configuration for nng, registering the engine the first time. */
int tls_engine_config(struct tls_hub *h, nng_tls_config **ret, struct err *err) WARN_UNUSED;
