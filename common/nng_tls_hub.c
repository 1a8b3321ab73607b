/* nng_tls_hub.c - the hub: its OpenSSL context, refusals on their way to the loop, denied serials.
 */
#include "common/nng_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/eventfd.h>

#include "common/nng_tls_priv.h"
#include "common/tls_priv.h"

static void pkey_freep(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void chain_freep(STACK_OF(X509) * *c)
{
	sk_X509_pop_free(*c, X509_free);
}

void tls_hub_hold(struct tls_hub *h)
{
	__atomic_add_fetch(&h->refs, 1, __ATOMIC_RELAXED);
}

void tls_hub_drop(struct tls_hub *h)
{
	if (__atomic_sub_fetch(&h->refs, 1, __ATOMIC_ACQ_REL))
		return;
	SSL_CTX_free(h->ctx);
	if (h->fd >= 0)
		close(h->fd);
	guard_fini(&h->guard);
	pthread_mutex_destroy(&h->mutex);
	free(h->denied);
	free(h);
}

int tls_hub_expect(struct tls_hub *h)
{
	nng_tls_config *config;

	h->dial++;
	if (tls_engine_config(h, &config, NULL) < 0)
		return NNG_ENOMEM;
	nng_tls_config_free(h->config);
	h->config = config;
	__atomic_store_n(&h->expected, h->dial, __ATOMIC_RELEASE);
	return 0;
}

bool tls_hub_stop(struct tls_hub *h)
{
	bool none = __atomic_exchange_n(&h->expected, 0, __ATOMIC_ACQ_REL) != 0;

	/* In this order: what is not cut here sees that it is stopped. */
	__atomic_store_n(&h->stopped, h->dial, __ATOMIC_RELEASE);
	guard_cut_all(&h->guard);
	return none;
}

bool tls_hub_begin(struct tls_hub *h, unsigned dial)
{
	return dial && __atomic_compare_exchange_n(&h->expected, &dial, 0, false, __ATOMIC_ACQ_REL,
						   __ATOMIC_ACQUIRE);
}

bool tls_hub_is_stopped(struct tls_hub *h, unsigned dial)
{
	return __atomic_load_n(&h->stopped, __ATOMIC_ACQUIRE) >= dial;
}

void tls_hub_count(struct tls_hub *h, uint64_t *counter)
{
	pthread_mutex_lock(&h->mutex);
	++*counter;
	pthread_mutex_unlock(&h->mutex);
}

void tls_hub_refuse(struct tls_hub *h, const char *addr, const char *why)
{
	uint64_t one = 1;

	pthread_mutex_lock(&h->mutex);
	h->counts.refused++;
	if (h->waiting < TLS_HUB_REFUSALS_MAX) {
		struct tls_hub_refusal *r =
			&h->refusals[(h->first + h->waiting++) % TLS_HUB_REFUSALS_MAX];
		slice_copy(slice_of(addr), r->addr, sizeof(r->addr));
		slice_copy(slice_of(why), r->why, sizeof(r->why));
		if (h->waiting == 1)
			(void)!write(h->fd, &one, sizeof(one)); /* an eventfd at 1 can't fail */
	} else {
		h->counts.refused_untold++;
	}
	pthread_mutex_unlock(&h->mutex);
}

bool tls_hub_take(struct tls_hub *h, struct tls_hub_refusal *ret)
{
	uint64_t n;

	pthread_mutex_lock(&h->mutex);
	bool any = h->waiting > 0;
	if (any) {
		*ret = h->refusals[h->first];
		h->first = (h->first + 1) % TLS_HUB_REFUSALS_MAX;
		if (!--h->waiting)
			(void)!read(h->fd, &n, sizeof(n));
	}
	pthread_mutex_unlock(&h->mutex);
	return any;
}

int tls_hub_fd(const struct tls_hub *h)
{
	return h->fd;
}

nng_tls_config *tls_hub_config(struct tls_hub *h)
{
	return h->config;
}

void tls_hub_expire(struct tls_hub *h)
{
	guard_expire(&h->guard);
}

void tls_hub_cut_all(struct tls_hub *h)
{
	guard_cut_all(&h->guard);
}

void tls_hub_counts(struct tls_hub *h, struct wire_counts *ret)
{
	pthread_mutex_lock(&h->guard.mutex);
	unsigned negotiating = h->guard.count;
	pthread_mutex_unlock(&h->guard.mutex);
	pthread_mutex_lock(&h->mutex);
	*ret = h->counts;
	pthread_mutex_unlock(&h->mutex);
	ret->negotiating = negotiating;
}

static int by_serial(const void *a, const void *b)
{
	return strcmp(a, b);
}

bool tls_hub_is_denied(struct tls_hub *h, const char *serial)
{
	pthread_mutex_lock(&h->mutex);
	bool found = h->denied_count &&
		     bsearch(serial, h->denied, h->denied_count, sizeof(*h->denied), by_serial);
	pthread_mutex_unlock(&h->mutex);
	return found;
}

static int deny(struct tls_hub *h, const char *serial, struct err *err)
{
	if (h->denied_count == h->denied_size) {
		size_t size = h->denied_size ? h->denied_size * 2 : 64;
		char(*more)[TLS_SERIAL_MAX] = reallocarray(h->denied, size, sizeof(*more));

		if (size > TLS_HUB_DENIED_MAX || !more) {
			h->denied = more ? more : h->denied;
			return err_set(err, more ? ERR_LIMIT : ENOMEM, "deny certificate %s",
				       serial);
		}
		h->denied = more;
		h->denied_size = size;
	}
	size_t at = h->denied_count;
	while (at && strcmp(h->denied[at - 1], serial) > 0)
		at--;
	if (at && !strcmp(h->denied[at - 1], serial))
		return 0;
	memmove(h->denied + at + 1, h->denied + at, (h->denied_count - at) * sizeof(*h->denied));
	slice_copy(slice_of(serial), h->denied[at], sizeof(h->denied[at]));
	h->denied_count++;
	return 0;
}

int tls_hub_deny(struct tls_hub *h, const char *serial, struct err *err)
{
	if (!*serial || strlen(serial) >= TLS_SERIAL_MAX)
		return err_set(err, EINVAL, "'%.60s' is no serial number", serial);
	pthread_mutex_lock(&h->mutex);
	int r = deny(h, serial, err);
	pthread_mutex_unlock(&h->mutex);
	return r;
}

static void on_cut(void *arg, const struct guard_conn *c, bool too_many)
{
	struct tls_hub *h = arg;

	if (c->told)
		return;
	tls_hub_count(h, too_many ? &h->counts.too_many : &h->counts.too_slow);
	tls_hub_refuse(h, c->addr,
		       too_many ? "too many connections in negotiation"
				: "negotiation took too long");
}

/* The chain of a server ends with its CA, since a client that only has a pin needs to see it. */
static int load_own(struct tls_hub *h, const struct wire_tls *tls, struct err *err)
{
	CLEANUP(chain_freep) STACK_OF(X509) *chain = NULL;
	CLEANUP(chain_freep) STACK_OF(X509) *cas = NULL;
	CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
	int r;

	if ((r = tls_read_chain(tls->cert_pem, &chain, err)) < 0 ||
	    (r = tls_read_key(tls->key_pem, &key, err)) < 0)
		return r;
	if (SSL_CTX_use_certificate(h->ctx, sk_X509_value(chain, 0)) != 1)
		return tls_err(err, "use the certificate");
	if (SSL_CTX_use_PrivateKey(h->ctx, key) != 1)
		return tls_err(err, "the key does not belong to the certificate");
	for (int i = 1; i < sk_X509_num(chain); i++)
		if (!SSL_CTX_add1_chain_cert(h->ctx, sk_X509_value(chain, i)))
			return tls_err(err, "use the certificate's chain");
	if (!h->is_server || sk_X509_num(chain) > 1 || !tls->ca_pem.n)
		return 0;
	if ((r = tls_read_chain(tls->ca_pem, &cas, err)) < 0)
		return r;
	for (int i = 0; i < sk_X509_num(cas); i++)
		if (!SSL_CTX_add1_chain_cert(h->ctx, sk_X509_value(cas, i)))
			return tls_err(err, "use the CA");
	return 0;
}

static int make_ctx(struct tls_hub *h, const struct wire_tls *tls, struct err *err)
{
	h->ctx = SSL_CTX_new(h->is_server ? TLS_server_method() : TLS_client_method());
	if (!h->ctx)
		return tls_err(err, "start OpenSSL");
	SSL_CTX_set_app_data(h->ctx, h);
	SSL_CTX_set_min_proto_version(h->ctx, TLS1_3_VERSION);
	SSL_CTX_set_mode(h->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					 SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_options(h->ctx,
			    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_num_tickets(h->ctx, 0);
	SSL_CTX_set_session_cache_mode(h->ctx, SSL_SESS_CACHE_OFF);
	if (h->is_server && !tls->cert_pem.n)
		return err_set(err, EINVAL, "a listener needs a certificate");
	int r = tls->cert_pem.n ? load_own(h, tls, err) : 0;
	return r < 0 ? r : tls_verify_setup(h, tls, err);
}

int tls_hub_new(bool is_server, const struct wire_tls *tls, struct tls_hub **ret, struct err *err)
{
	struct tls_hub *h = calloc(1, sizeof(*h));

	if (!h)
		return err_set(err, ENOMEM, "set up TLS");
	h->refs = 1;
	h->is_server = is_server;
	pthread_mutex_init(&h->mutex, NULL);
	guard_init(&h->guard, TLS_HUB_NEGOTIATING_MAX, TLS_HUB_DEADLINE_MS);
	h->guard.on_cut = on_cut;
	h->guard.arg = h;
	h->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = h->fd < 0 ? err_set(err, errno, "make an eventfd") : make_ctx(h, tls, err);

	if (r >= 0)
		r = tls_engine_config(h, &h->config, err);
	if (r < 0) {
		tls_hub_free(h);
		return err_wrap(err, r, "set up TLS");
	}
	*ret = h;
	return 0;
}

void tls_hub_free(struct tls_hub *h)
{
	if (!h)
		return;
	if (h->config)
		nng_tls_config_free(h->config);
	tls_hub_drop(h);
}
