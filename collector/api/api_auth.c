/* api_auth.c - who is asking: a bearer token, known to the store by its SHA-256 only.
 *
 * The store looks a hash up; what a stranger learns from timing is about a hash he can't choose the
 * token of. Failed tries are counted per address before anything is looked up. */
#include <arpa/inet.h>
#include <strings.h>

#include "collector/api/api_priv.h"

#include "common/log.h"
#include "common/tls.h"

enum { TOKEN_MAX = 512 };

static uint64_t address_hash(struct evhttp_request *req)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(req);
	char *text = NULL;
	ev_uint16_t port;
	struct in6_addr v6;

	if (evcon)
		evhttp_connection_get_peer(evcon, &text, &port);
	if (!text)
		return 1;
	if (inet_pton(AF_INET6, text, &v6) == 1 && !IN6_IS_ADDR_V4MAPPED(&v6))
		return slice_hash(slice_from(&v6, 8));
	return slice_hash(slice_of(text));
}

/* The bucket of an address, filled up for the time that went by. A collision shares a bucket: it
 * makes the limit tighter for two, never looser. */
static uint64_t *bucket(struct api *a, uint64_t hash)
{
	size_t i = hash % ARRAY_LEN(a->guard.slots);
	uint64_t now = clock_boot_ns(a->clk), most = API_FAILED_AUTH_PER_S * 1000;
	uint64_t *left = &a->guard.slots[i].milli_tokens;

	if (!a->guard.slots[i].last_boot_ns)
		*left = most;
	uint64_t gained = (now - a->guard.slots[i].last_boot_ns) / 1000000 * API_FAILED_AUTH_PER_S;
	if (gained) {
		*left = gained > most - *left ? most : *left + gained;
		a->guard.slots[i].last_boot_ns = now;
	}
	return left;
}

static enum api_role role_of(const char *name)
{
	static const char *const names[] = { "", "viewer", "analyst", "admin" };

	for (size_t i = 1; i < ARRAY_LEN(names); i++) {
		if (!strcmp(name, names[i]))
			return (enum api_role)i;
	}
	return ROLE_NONE;
}

static bool check_token(struct api_call *c)
{
	const char *line = evhttp_find_header(evhttp_request_get_input_headers(c->req), "Authorization");
	uint8_t hash[32];
	char role[16];
	struct err err = { 0 };

	if (!line || strncasecmp(line, "Bearer ", 7) != 0 || strlen(line) > TOKEN_MAX)
		return false;
	tls_sha256(slice_trim(slice_of(line + 7)), hash);
	int r = store_api_token_check(c->api->store, hash, c->user, role, &err);
	if (r < 0) {
		if (r != -ERR_DENIED && r != -ERR_NOT_FOUND)
			LOG(ERROR, "api.token", KV_STR("why", err.msg));
		return false;
	}
	c->role = role_of(role);
	return true;
}

int api_auth_check(struct api_call *c, enum api_role needed)
{
	if (needed == ROLE_NONE)
		return 0;
	uint64_t *left = bucket(c->api, address_hash(c->req));
	if (*left < 1000) {
		c->api->refused++;
		return 429;
	}
	if (!check_token(c)) {
		*left -= 1000;
		c->api->refused++;
		LOG(WARN, "api.denied", KV_STR("path", evhttp_request_get_uri(c->req)));
		return 401;
	}
	return c->role >= needed ? 0 : 403;
}
