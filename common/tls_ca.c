/* tls_ca.c - making keys, requests and certificates; the small CA of tls.h. */
#include "common/tls.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "common/tls_priv.h"

enum { PEM_CAP = 64 * 1024, SERIAL_BYTES = 16, ALT_NAMES_MAX = 64, CN_MAX = 64 /* X.520 */ };

static void bio_freep(BIO **b)
{
	BIO_free(*b);
}
static void x509_freep(X509 **x)
{
	X509_free(*x);
}
static void req_freep(X509_REQ **r)
{
	X509_REQ_free(*r);
}
static void pkey_freep(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}
static void names_freep(GENERAL_NAMES **n)
{
	GENERAL_NAMES_free(*n);
}

/* What a memory BIO holds becomes ret, which the caller owns. */
static int take_pem(BIO *b, struct buf *ret, struct err *err)
{
	char *p = NULL;
	long n = BIO_get_mem_data(b, &p);

	buf_init(ret, PEM_CAP);
	buf_add(ret, p, n > 0 ? (size_t)n : 0);
	if (n <= 0 || ret->failed) {
		buf_fini(ret);
		return err_set(err, ENOMEM, "write PEM");
	}
	return 0;
}

int tls_key_new(struct buf *ret_pem, struct err *err)
{
	CLEANUP(pkey_freep) EVP_PKEY *k = EVP_EC_gen("P-256");
	CLEANUP(bio_freep) BIO *b = BIO_new(BIO_s_mem());

	buf_init(ret_pem, PEM_CAP);
	if (!k || !b || !PEM_write_bio_PKCS8PrivateKey(b, k, NULL, NULL, 0, NULL, NULL))
		return tls_err(err, "make a key");
	return take_pem(b, ret_pem, err);
}

static int set_name(X509_NAME *n, const char *cn, struct err *err)
{
	size_t len = strnlen(cn, CN_MAX);

	/* Not in the middle of a UTF-8 sequence. */
	while (cn[len] && len && ((unsigned char)cn[len] & 0xC0) == 0x80)
		len--;
	if (!X509_NAME_add_entry_by_NID(n, NID_commonName, MBSTRING_UTF8, (const unsigned char *)cn,
					(int)len, -1, 0))
		return tls_err(err, "set the common name");
	return 0;
}

static int set_serial(X509 *x, struct err *err)
{
	unsigned char raw[SERIAL_BYTES];

	if (RAND_bytes(raw, sizeof(raw)) != 1)
		return tls_err(err, "draw a serial number");
	raw[0] = (unsigned char)((raw[0] & 0x7F) | 0x40); /* positive, and always 16 bytes */
	BIGNUM *bn = BN_bin2bn(raw, sizeof(raw), NULL);
	bool ok = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));

	BN_free(bn);
	return ok ? 0 : tls_err(err, "set the serial number");
}

static int set_times(X509 *x, int64_t from_s, int64_t to_s, struct err *err)
{
	if (to_s <= from_s)
		return err_set(err, EINVAL, "the certificate would end before it begins");
	if (!ASN1_TIME_set(X509_getm_notBefore(x), (time_t)from_s) ||
	    !ASN1_TIME_set(X509_getm_notAfter(x), (time_t)to_s))
		return tls_err(err, "set the validity");
	return 0;
}

/* value: constants of this file only; never text from outside, which could add sections. */
static int add_ext(X509 *x, X509 *issuer, int nid, const char *value, struct err *err)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool ok = e && X509_add_ext(x, e, -1);

	X509_EXTENSION_free(e);
	return ok ? 0 : tls_err(err, "add an extension");
}

static int64_t now_s(const struct clock *clk)
{
	return (int64_t)(clock_unix_ns(clk) / 1000000000u);
}

static int write_cert(X509 *x, EVP_PKEY *key, struct buf *ret_pem, struct err *err)
{
	CLEANUP(bio_freep) BIO *b = BIO_new(BIO_s_mem());

	if (!X509_sign(x, key, EVP_sha256()))
		return tls_err(err, "sign the certificate");
	if (!b || !PEM_write_bio_X509(b, x))
		return tls_err(err, "write the certificate");
	return take_pem(b, ret_pem, err);
}

int tls_ca_new(struct slice key_pem, const char *name, unsigned years, const struct clock *clk,
	       struct buf *ret_pem, struct err *err)
{
	CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
	CLEANUP(x509_freep) X509 *x = X509_new();
	int64_t now = now_s(clk);
	int r;

	buf_init(ret_pem, PEM_CAP);
	if (!x || !X509_set_version(x, X509_VERSION_3))
		return tls_err(err, "make a CA");
	if ((r = tls_read_key(key_pem, &key, err)) < 0 || (r = set_serial(x, err)) < 0 ||
	    (r = set_name(X509_get_subject_name(x), name, err)) < 0 ||
	    (r = set_times(x, now - 3600, now + (int64_t)years * 31557600, err)) < 0)
		return r;
	if (!X509_set_issuer_name(x, X509_get_subject_name(x)) || !X509_set_pubkey(x, key))
		return tls_err(err, "make a CA");
	if ((r = add_ext(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0", err)) < 0 ||
	    (r = add_ext(x, x, NID_key_usage, "critical,keyCertSign,cRLSign", err)) < 0 ||
	    (r = add_ext(x, x, NID_subject_key_identifier, "hash", err)) < 0)
		return r;
	return write_cert(x, key, ret_pem, err);
}

int tls_csr_new(struct slice key_pem, const char *name, struct buf *ret_pem, struct err *err)
{
	CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
	CLEANUP(req_freep) X509_REQ *req = X509_REQ_new();
	CLEANUP(bio_freep) BIO *b = BIO_new(BIO_s_mem());
	int r;

	buf_init(ret_pem, PEM_CAP);
	if (!req || !b)
		return tls_err(err, "make a request");
	if ((r = tls_read_key(key_pem, &key, err)) < 0 ||
	    (r = set_name(X509_REQ_get_subject_name(req), name, err)) < 0)
		return r;
	if (!X509_REQ_set_pubkey(req, key) || !X509_REQ_sign(req, key, EVP_sha256()) ||
	    !PEM_write_bio_X509_REQ(b, req))
		return tls_err(err, "make a request");
	return take_pem(b, ret_pem, err);
}

/* The requester's public key: a request must be signed with it, so that nobody gets another's
 * key certified. */
static int read_pubkey(struct slice pem, EVP_PKEY **ret, struct err *err)
{
	if (pem.n > PEM_CAP)
		return err_set(err, ERR_LIMIT, "the request is larger than %d bytes", PEM_CAP);
	CLEANUP(bio_freep) BIO *b = BIO_new_mem_buf(pem.n ? pem.p : "", (int)pem.n);
	CLEANUP(pkey_freep) EVP_PKEY *key = NULL;

	if (b && slice_find(pem, SLICE_LIT("-----BEGIN PUBLIC KEY-----")) >= 0) {
		key = PEM_read_bio_PUBKEY(b, NULL, NULL, NULL);
	} else if (b) {
		CLEANUP(req_freep) X509_REQ *req = PEM_read_bio_X509_REQ(b, NULL, NULL, NULL);

		key = req ? X509_REQ_get_pubkey(req) : NULL;
		if (key && X509_REQ_verify(req, key) != 1)
			return tls_err(err, "the request is not signed with its own key");
	}
	if (!key)
		return tls_err(err, "read the request");
	if (EVP_PKEY_get_security_bits(key) < 112)
		return err_set(err, ERR_CRYPTO, "the request's key is too weak");
	ERR_clear_error();
	*ret = take_ptr(key);
	return 0;
}

static bool dns_name_is_valid(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > 253)
		return false;
	for (size_t i = 0; i < n; i++) {
		char c = s[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '-' || c == '.' || c == '_'))
			return false;
	}
	return true;
}

static int push_text(GENERAL_NAMES *names, int type, const char *text, struct err *err)
{
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	if (!g || !s || !ASN1_STRING_set(s, text, -1) || !sk_GENERAL_NAME_push(names, g)) {
		GENERAL_NAME_free(g);
		ASN1_IA5STRING_free(s);
		return err_set(err, ENOMEM, "name the certificate");
	}
	GENERAL_NAME_set0_value(g, type, s);
	return 0;
}

static int push_alt_name(GENERAL_NAMES *names, const char *text, struct err *err)
{
	ASN1_OCTET_STRING *ip = a2i_IPADDRESS(text);

	if (!ip) {
		ERR_clear_error();
		if (!dns_name_is_valid(text))
			return err_set(err, EINVAL, "'%.80s' is neither a DNS name nor an address",
				       text);
		return push_text(names, GEN_DNS, text, err);
	}
	GENERAL_NAME *g = GENERAL_NAME_new();
	if (!g || !sk_GENERAL_NAME_push(names, g)) {
		GENERAL_NAME_free(g);
		ASN1_OCTET_STRING_free(ip);
		return err_set(err, ENOMEM, "name the certificate");
	}
	GENERAL_NAME_set0_value(g, GEN_IPADD, ip);
	return 0;
}

static int add_names(X509 *x, const struct tls_sign *how, struct err *err)
{
	CLEANUP(names_freep) GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	int r = 0;

	if (!names)
		return err_set(err, ENOMEM, "name the certificate");
	if (how->role == TLS_ROLE_AGENT) {
		char uri[sizeof(TLS_AGENT_URI) + TLS_ID_MAX];

		if (!tls_agent_id_is_valid(slice_of(how->agent_id)))
			return err_set(err, EINVAL, "'%.80s' is no agent id",
				       how->agent_id ? how->agent_id : "");
		snprintf(uri, sizeof(uri), TLS_AGENT_URI "%s", how->agent_id);
		r = push_text(names, GEN_URI, uri, err);
	}
	for (size_t i = 0; r >= 0 && how->alt_names && how->alt_names[i]; i++) {
		if (i == ALT_NAMES_MAX)
			return err_set(err, ERR_LIMIT, "more than %d names", ALT_NAMES_MAX);
		r = push_alt_name(names, how->alt_names[i], err);
	}
	if (r >= 0 && sk_GENERAL_NAME_num(names) &&
	    X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) != 1)
		r = tls_err(err, "name the certificate");
	return r;
}

static int add_leaf_exts(X509 *x, X509 *ca, const struct tls_sign *how, struct err *err)
{
	const char *use = how->role == TLS_ROLE_SERVER ? "serverAuth" : "clientAuth";
	int r;

	if ((r = add_ext(x, ca, NID_basic_constraints, "critical,CA:FALSE", err)) < 0 ||
	    (r = add_ext(x, ca, NID_key_usage, "critical,digitalSignature", err)) < 0 ||
	    (r = add_ext(x, ca, NID_ext_key_usage, use, err)) < 0 ||
	    (r = add_ext(x, ca, NID_subject_key_identifier, "hash", err)) < 0 ||
	    (r = add_ext(x, ca, NID_authority_key_identifier, "keyid:always", err)) < 0)
		return r;
	return add_names(x, how, err);
}

int tls_sign(struct slice ca_pem, struct slice ca_key_pem, struct slice csr_pem,
	     const struct tls_sign *how, const struct clock *clk, struct buf *ret_pem,
	     char *ret_serial, struct err *err)
{
	CLEANUP(x509_freep) X509 *ca = NULL;
	CLEANUP(x509_freep) X509 *x = X509_new();
	CLEANUP(pkey_freep) EVP_PKEY *ca_key = NULL;
	CLEANUP(pkey_freep) EVP_PKEY *pub = NULL;
	int64_t from = now_s(clk) + how->valid_from_s;
	int r;

	buf_init(ret_pem, PEM_CAP);
	if (!x || !X509_set_version(x, X509_VERSION_3))
		return tls_err(err, "make a certificate");
	if ((r = tls_read_cert(ca_pem, &ca, err)) < 0 ||
	    (r = tls_read_key(ca_key_pem, &ca_key, err)) < 0 ||
	    (r = read_pubkey(csr_pem, &pub, err)) < 0)
		return r;
	if (X509_check_private_key(ca, ca_key) != 1)
		return tls_err(err, "the CA's key does not belong to the CA");
	if ((r = set_serial(x, err)) < 0 ||
	    (r = set_name(X509_get_subject_name(x), how->common_name, err)) < 0 ||
	    (r = set_times(x, from, now_s(clk) + how->valid_for_s, err)) < 0)
		return r;
	if (!X509_set_issuer_name(x, X509_get_subject_name(ca)) || !X509_set_pubkey(x, pub))
		return tls_err(err, "make a certificate");
	if ((r = add_leaf_exts(x, ca, how, err)) < 0 ||
	    (r = write_cert(x, ca_key, ret_pem, err)) < 0)
		return r;
	if (ret_serial) {
		struct tls_identity id;

		tls_x509_identity(x, &id);
		memcpy(ret_serial, id.serial, TLS_SERIAL_MAX);
	}
	return 0;
}
