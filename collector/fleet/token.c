/* token.c - what a person hands to a new host: addresses, the CA's pin, a secret used once. */
#include "collector/fleet/fleet.h"

#include <errno.h>

#include "common/text.h"

enum { SECRET_BYTES = 24, MAX_USES = 100000 };
static const uint64_t max_ttl_ms = 30ull * 86400000;

int fleet_token_new(struct store *s, const struct clock *clk, const struct fleet_token *how,
		    struct buf *ret_text, struct err *err)
{
	uint8_t secret[SECRET_BYTES], hash[32], pin[TLS_PIN_BYTES];
	char *urls[LIMIT_URLS];
	Picket__Token token = PICKET__TOKEN__INIT;

	buf_init(ret_text, LIMIT_TOKEN_TEXT_BYTES);
	if (how->ttl_ms < 1000 || how->ttl_ms > max_ttl_ms || !how->uses || how->uses > MAX_USES)
		return err_set(err, EINVAL, "a token lives 1 s to 30 days and is used 1 to %d times", MAX_USES);
	for (size_t i = 0; how->enrol_urls[i]; i++) {
		if (i == LIMIT_URLS)
			return err_set(err, ERR_LIMIT, "a token carries at most %d addresses", LIMIT_URLS);
		urls[i] = (char *)(uintptr_t)how->enrol_urls[i];
		token.n_enrol_urls = i + 1;
	}
	int r = tls_cert_pin(how->ca_pem, pin, err);
	if (r < 0)
		return r;
	text_random(secret, sizeof(secret));
	tls_sha256(slice_from(secret, sizeof(secret)), hash);
	token.enrol_urls = urls;
	token.ca_sha256 = msg_bytes(slice_from(pin, sizeof(pin)));
	token.secret = msg_bytes(slice_from(secret, sizeof(secret)));
	token.server_name = (char *)(uintptr_t)how->server_name;
	r = msg_pack_token(&token, ret_text, err);
	if (r < 0)
		return r;
	uint64_t expires = clock_unix_ns(clk) + how->ttl_ms * 1000000;
	r = store_begin(s, err);
	if (r >= 0)
		r = store_enrol_token_add(s, hash, expires, how->uses, how->by, err);
	if (r >= 0)
		r = store_audit_log(s, how->by, "token.create", "", err);
	return store_end(s, r, err);
}
