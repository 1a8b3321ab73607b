/* tls.c - keys and what certificates say: reading, identity, pins, digests. See tls_ca.c for
 * making certificates. */
#include "common/tls.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "common/tls_priv.h"

static void bio_freep(BIO **b)
{
	BIO_free(*b);
}

static void x509_freep(X509 **x)
{
	X509_free(*x);
}

static void pkey_freep(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

/* Keys of this program are never encrypted; without this OpenSSL would ask on the terminal. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return -1;
}

int tls_err(struct err *err, const char *what)
{
	unsigned long e = ERR_peek_error();
	const char *why = e ? ERR_reason_error_string(e) : NULL;
	int r = err_set(err, ERR_CRYPTO, "%s: %s", what, why ? why : "not understood");

	ERR_clear_error();
	return r;
}

static BIO *bio_of(struct slice s)
{
	return BIO_new_mem_buf(s.n ? s.p : "", s.n > INT32_MAX ? 0 : (int)s.n);
}

int tls_read_cert(struct slice pem, X509 **ret, struct err *err)
{
	CLEANUP(bio_freep) BIO *b = bio_of(pem);
	X509 *x = b ? PEM_read_bio_X509(b, NULL, no_password, NULL) : NULL;

	if (!x)
		return tls_err(err, "read the certificate");
	*ret = x;
	return 0;
}

int tls_read_key(struct slice pem, EVP_PKEY **ret, struct err *err)
{
	CLEANUP(bio_freep) BIO *b = bio_of(pem);
	EVP_PKEY *k = b ? PEM_read_bio_PrivateKey(b, NULL, no_password, NULL) : NULL;

	if (!k)
		return tls_err(err, "read the private key");
	*ret = k;
	return 0;
}

int tls_read_chain(struct slice pem, STACK_OF(X509) * *ret, struct err *err)
{
	CLEANUP(bio_freep) BIO *b = bio_of(pem);
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *x;

	while (b && chain && (x = PEM_read_bio_X509(b, NULL, no_password, NULL))) {
		if (sk_X509_num(chain) >= TLS_CHAIN_MAX || !sk_X509_push(chain, x)) {
			X509_free(x);
			sk_X509_pop_free(chain, X509_free);
			return err_set(err, ERR_CRYPTO, "read the certificates: more than %d",
				       TLS_CHAIN_MAX);
		}
	}
	/* The end of the text is an error to OpenSSL; anything else in the queue is one to us. */
	unsigned long e = ERR_peek_last_error();
	bool at_end = !e || ERR_GET_REASON(e) == PEM_R_NO_START_LINE;

	if (!chain || !sk_X509_num(chain) || !at_end) {
		sk_X509_pop_free(chain, X509_free);
		return tls_err(err, "read the certificates");
	}
	ERR_clear_error();
	*ret = chain;
	return 0;
}

bool tls_agent_id_is_valid(struct slice id)
{
	if (!id.n || id.n >= TLS_ID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			  (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
		if (!ok)
			return false;
	}
	return true;
}

/* Two different agent URIs in one certificate name nobody: then neither can be believed. */
static void identity_agent(X509 *cert, struct tls_identity *ret)
{
	const struct slice prefix = SLICE_LIT(TLS_AGENT_URI);
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	unsigned found = 0;

	for (int i = 0; names && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);

		if (g->type != GEN_URI)
			continue;
		const ASN1_STRING *uri = g->d.uniformResourceIdentifier;
		struct slice s =
			slice_from(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri));
		if (!slice_starts(s, prefix))
			continue;
		s = slice_sub(s, prefix.n, s.n);
		if (++found == 1 && tls_agent_id_is_valid(s))
			slice_copy(s, ret->agent_id, sizeof(ret->agent_id));
		else
			ret->agent_id[0] = '\0';
	}
	GENERAL_NAMES_free(names);
}

static uint64_t unix_of(const ASN1_TIME *t)
{
	struct tm tm;

	if (!t || !ASN1_TIME_to_tm(t, &tm))
		return 0;
	time_t s = timegm(&tm);
	return s < 0 ? 0 : (uint64_t)s;
}

/* An embedded NUL or a non-UTF-8 name gives no name at all rather than half of one. */
static void identity_subject(X509 *cert, struct tls_identity *ret)
{
	X509_NAME *name = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);

	if (at < 0)
		return;
	unsigned char *utf8 = NULL;
	int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (n > 0 && !memchr(utf8, 0, (size_t)n))
		slice_copy(slice_from(utf8, (size_t)n), ret->subject, sizeof(ret->subject));
	OPENSSL_free(utf8);
}

void tls_x509_identity(X509 *cert, struct tls_identity *ret)
{
	memset(ret, 0, sizeof(*ret));
	identity_subject(cert, ret);
	identity_agent(cert, ret);

	BIGNUM *bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
	char *hex = bn ? BN_bn2hex(bn) : NULL;
	slice_copy(slice_of(hex), ret->serial, sizeof(ret->serial));
	OPENSSL_free(hex);
	BN_free(bn);
	ret->not_before_unix = unix_of(X509_get0_notBefore(cert));
	ret->not_after_unix = unix_of(X509_get0_notAfter(cert));
	ERR_clear_error();
}

int tls_cert_identity(struct slice cert_pem, struct tls_identity *ret, struct err *err)
{
	CLEANUP(x509_freep) X509 *x = NULL;
	int r = tls_read_cert(cert_pem, &x, err);

	if (r < 0)
		return r;
	tls_x509_identity(x, ret);
	return 0;
}

void tls_x509_pin(X509 *cert, uint8_t ret[TLS_PIN_BYTES])
{
	unsigned n = 0;

	/* Fails only without memory; then a pin that matches nothing. */
	if (!X509_digest(cert, EVP_sha256(), ret, &n) || n != TLS_PIN_BYTES)
		memset(ret, 0, TLS_PIN_BYTES);
}

int tls_cert_pin(struct slice cert_pem, uint8_t ret[TLS_PIN_BYTES], struct err *err)
{
	CLEANUP(x509_freep) X509 *x = NULL;
	int r = tls_read_cert(cert_pem, &x, err);

	if (r < 0)
		return r;
	tls_x509_pin(x, ret);
	return 0;
}

int tls_key_matches(struct slice cert_pem, struct slice key_pem, struct err *err)
{
	CLEANUP(x509_freep) X509 *x = NULL;
	CLEANUP(pkey_freep) EVP_PKEY *k = NULL;
	int r = tls_read_cert(cert_pem, &x, err);

	if (r >= 0)
		r = tls_read_key(key_pem, &k, err);
	if (r < 0)
		return r;
	if (X509_check_private_key(x, k) != 1)
		return tls_err(err, "the key does not belong to the certificate");
	return 0;
}

void tls_hmac(struct slice key, struct slice data, uint8_t ret[32])
{
	unsigned n = 0;

	HMAC(EVP_sha256(), key.n ? key.p : "", (int)key.n,
	     (const unsigned char *)(data.n ? data.p : ""), data.n, ret, &n);
}

void tls_sha256(struct slice data, uint8_t ret[32])
{
	SHA256((const unsigned char *)(data.n ? data.p : ""), data.n, ret);
}

bool tls_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}
