/* raw_tls.h - a peer that speaks TLS by hand, so that it can misbehave: non-blocking socket, memory
 * BIOs, one call one step. For the tests of wire. */
#pragma once
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/common/pki.h"

struct raw_tls {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	bool greeted;
	size_t got;
};

static inline int raw_connect(const char *host, int port, bool blocking)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	bool is_v6 = strchr(host, ':') != NULL;
	int fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, host, &v4.sin_addr);
	inet_pton(AF_INET6, host, &v6.sin6_addr);
	if (fd < 0 || connect(fd, is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
			      is_v6 ? sizeof(v6) : sizeof(v4))) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (!blocking)
		fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

/* own: nullable. Trusts everybody. */
static inline SSL_CTX *raw_ctx(const struct pki_pair *own)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (!own)
		return ctx;
	BIO *b = BIO_new_mem_buf(own->cert.p, (int)own->cert.n);
	X509 *x = PEM_read_bio_X509(b, NULL, NULL, NULL);
	BIO_free(b);
	b = BIO_new_mem_buf(own->key.p, (int)own->key.n);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(b, NULL, NULL, NULL);
	BIO_free(b);
	if (SSL_CTX_use_certificate(ctx, x) != 1 || SSL_CTX_use_PrivateKey(ctx, k) != 1)
		abort();
	X509_free(x);
	EVP_PKEY_free(k);
	return ctx;
}

static inline void raw_tls_start(struct raw_tls *r, const char *host, int port,
				 const struct pki_pair *own)
{
	memset(r, 0, sizeof(*r));
	r->ctx = raw_ctx(own);
	r->ssl = SSL_new(r->ctx);
	r->fd = raw_connect(host, port, false);
	if (r->fd < 0)
		abort();
	SSL_set_fd(r->ssl, r->fd);
	SSL_set_connect_state(r->ssl);
}

/* One step of handshake and greeting as a REQ; true when the server's greeting has come. */
static inline bool raw_tls_greet(struct raw_tls *r)
{
	uint8_t hello[8];

	if (SSL_do_handshake(r->ssl) != 1)
		return false;
	if (!r->greeted)
		r->greeted = SSL_write(r->ssl, "\0SP\0\0\x30\0\0", 8) == 8;
	int n = SSL_read(r->ssl, hello, (int)(sizeof(hello) - r->got));
	r->got += n > 0 ? (size_t)n : 0;
	return r->got == sizeof(hello);
}

static inline void raw_tls_write(struct raw_tls *r, const void *p, size_t n)
{
	(void)SSL_write(r->ssl, p, (int)n);
}

static inline void raw_tls_end(struct raw_tls *r)
{
	SSL_free(r->ssl);
	SSL_CTX_free(r->ctx);
	close(r->fd);
}
