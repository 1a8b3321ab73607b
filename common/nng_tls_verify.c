/* nng_tls_verify.c - whom the engine believes, and plain words for why it does not. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/nng_tls_priv.h"
#include "common/tls_priv.h"

struct words {
	int code;
	const char *text;
};

static const struct words verify_words[] = {
	{X509_V_ERR_CERT_HAS_EXPIRED, "certificate has expired"},
	{X509_V_ERR_CERT_NOT_YET_VALID, "certificate is not yet valid"},
	{X509_V_ERR_CERT_REVOKED, "certificate was revoked"},
	{X509_V_ERR_INVALID_PURPOSE, "certificate is not meant for this use"},
	{X509_V_ERR_INVALID_CA, "certificate was signed by what is no CA"},
	{X509_V_ERR_HOSTNAME_MISMATCH, "certificate is for another name"},
	{X509_V_ERR_IP_ADDRESS_MISMATCH, "certificate is for another address"},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "unknown CA"},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "unknown CA"},
	{X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "unknown CA"},
	{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "unknown CA"},
	{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "unknown CA"},
	{X509_V_ERR_CERT_SIGNATURE_FAILURE, "certificate's signature is wrong"},
	{X509_V_ERR_CERT_UNTRUSTED, "unknown CA"},
	{X509_V_ERR_APPLICATION_VERIFICATION, "its CA is not the pinned one"},
};

/* What the other side says of our certificate, by alert number (RFC 8446, 6.2). OpenSSL sends
 * bad_certificate for one that is not yet valid. */
static const struct words alert_words[] = {
	{SSL_AD_BAD_CERTIFICATE, "certificate is bad or not yet valid"},
	{SSL_AD_UNSUPPORTED_CERTIFICATE, "certificate is not meant for this use"},
	{SSL_AD_CERTIFICATE_REVOKED, "certificate was revoked"},
	{SSL_AD_CERTIFICATE_EXPIRED, "certificate expired"},
	{SSL_AD_CERTIFICATE_UNKNOWN, "certificate was not accepted"},
	{SSL_AD_UNKNOWN_CA, "unknown CA"},
	{SSL_AD_ACCESS_DENIED, "access denied"},
	{SSL_AD_DECRYPT_ERROR, "certificate's signature is wrong"},
	{SSL_AD_CERTIFICATE_REQUIRED, "no certificate was given"},
};

static const struct words protocol_words[] = {
	{SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "no certificate"},
	{SSL_R_UNSUPPORTED_PROTOCOL, "TLS older than 1.3"},
	{SSL_R_HTTP_REQUEST, "an HTTP request, not TLS"},
	{SSL_R_WRONG_VERSION_NUMBER, "not TLS"},
	{SSL_R_NO_SHARED_CIPHER, "no common cipher"},
};

static const char *find_words(const struct words *w, size_t n, int code)
{
	for (size_t i = 0; i < n; i++)
		if (w[i].code == code)
			return w[i].text;
	return NULL;
}

static struct tls_hub *hub_of(X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static int refuse(X509_STORE_CTX *store, int why)
{
	X509_STORE_CTX_set_error(store, why);
	return 0;
}

/* Called for every certificate of a chain. OpenSSL lets a certificate without any extended key
 * usage serve every purpose; we want ours said. */
static int on_verify(int ok, X509_STORE_CTX *store)
{
	if (!ok || X509_STORE_CTX_get_error_depth(store) != 0)
		return ok;
	struct tls_hub *h = hub_of(store);
	X509 *cert = X509_STORE_CTX_get_current_cert(store);
	uint32_t wanted = h->is_server ? XKU_SSL_CLIENT : XKU_SSL_SERVER;
	struct tls_identity id;

	if (!(X509_get_extension_flags(cert) & EXFLAG_XKUSAGE) ||
	    !(X509_get_extended_key_usage(cert) & wanted))
		return refuse(store, X509_V_ERR_INVALID_PURPOSE);
	tls_x509_identity(cert, &id);
	return tls_hub_is_denied(h, id.serial) ? refuse(store, X509_V_ERR_CERT_REVOKED) : 1;
}

/* The one certificate with the pinned digest becomes the only anchor; everything else (dates, name,
 * usage, signatures) is checked as ever. */
static int verify_by_pin(X509_STORE_CTX *store, void *arg)
{
	struct tls_hub *h = arg;
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(store);
	STACK_OF(X509) *anchor = sk_X509_new_null();
	uint8_t pin[TLS_PIN_BYTES];
	int ok = 0;

	for (int i = 0; anchor && !sk_X509_num(anchor) && i < sk_X509_num(sent); i++) {
		X509 *x = sk_X509_value(sent, i);

		tls_x509_pin(x, pin);
		if (tls_equal(pin, h->pin, sizeof(pin)) && X509_check_ca(x) == 1)
			sk_X509_push(anchor, x);
	}
	if (anchor && sk_X509_num(anchor)) {
		X509_STORE_CTX_set0_trusted_stack(store, anchor);
		ok = X509_verify_cert(store);
		X509_STORE_CTX_set0_trusted_stack(store, NULL);
	} else {
		X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	}
	sk_X509_free(anchor);
	return ok == 1;
}

static int load_cas(struct tls_hub *h, struct slice pem, struct err *err)
{
	STACK_OF(X509) *cas = NULL;
	X509_STORE *store = SSL_CTX_get_cert_store(h->ctx);
	bool ok = true;
	int r = tls_read_chain(pem, &cas, err);

	for (int i = 0; r >= 0 && ok && i < sk_X509_num(cas); i++) {
		X509 *x = sk_X509_value(cas, i);

		ok = X509_STORE_add_cert(store, x) &&
		     (!h->is_server || SSL_CTX_add_client_CA(h->ctx, x));
	}
	sk_X509_pop_free(cas, X509_free);
	if (r < 0)
		return err_wrap(err, r, "trusted CA");
	return ok ? 0 : tls_err(err, "trust the CA");
}

int tls_verify_setup(struct tls_hub *h, const struct wire_tls *tls, struct err *err)
{
	if (h->is_server && tls->no_client_cert) {
		SSL_CTX_set_verify(h->ctx, SSL_VERIFY_NONE, NULL);
		return 0;
	}
	int mode = SSL_VERIFY_PEER | (h->is_server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
	SSL_CTX_set_verify(h->ctx, mode, on_verify);
	if (!h->is_server &&
	    (!tls->server_name || !*tls->server_name ||
	     !slice_copy(slice_of(tls->server_name), h->server_name, sizeof(h->server_name))))
		return err_set(err, EINVAL, "the server's name is missing or too long");
	if (tls->ca_pem.n)
		return load_cas(h, tls->ca_pem, err);
	if (h->is_server || !tls->ca_pin)
		return err_set(err, EINVAL, "neither a CA nor its pin is given");
	memcpy(h->pin, tls->ca_pin, sizeof(h->pin));
	h->has_pin = true;
	SSL_CTX_set_cert_verify_callback(h->ctx, verify_by_pin, h);
	return 0;
}

static bool is_about_certificate(int alert)
{
	return find_words(alert_words, ARRAY_LEN(alert_words), alert) != NULL;
}

static const char *why_alert(struct tls_hub *h, int alert, char *buf, size_t size)
{
	const char *who = h->is_server ? "the client" : "the collector";

	if (is_about_certificate(alert))
		snprintf(buf, size, "%s refused our certificate: %s", who,
			 find_words(alert_words, ARRAY_LEN(alert_words), alert));
	else
		snprintf(buf, size, "%s broke off: %s", who, SSL_alert_desc_string_long(alert));
	return buf;
}

const char *tls_verify_why(struct tls_hub *h, SSL *ssl, char *buf, size_t size)
{
	unsigned long e = ERR_peek_error();
	int reason = ERR_GET_REASON(e);
	long verdict = SSL_get_verify_result(ssl);
	const char *text;

	ERR_clear_error();
	if (verdict != X509_V_OK && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE) {
		text = find_words(verify_words, ARRAY_LEN(verify_words), (int)verdict);
		snprintf(buf, size, "%s%s", h->is_server ? "" : "the collector is not trusted: ",
			 text ? text : X509_verify_cert_error_string(verdict));
		return buf;
	}
	if (!e || ERR_GET_LIB(e) != ERR_LIB_SSL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return NULL;
	if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
		return why_alert(h, reason - SSL_AD_REASON_OFFSET, buf, size);
	text = find_words(protocol_words, ARRAY_LEN(protocol_words), reason);
	if (!text)
		text = ERR_reason_error_string(e);
	snprintf(buf, size, "%s", text ? text : "TLS error");
	return buf;
}
