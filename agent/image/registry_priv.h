/* registry_priv.h - between registry.c (requests), registry_ref.c (names) and registry_auth.c (who we are). */
#pragma once
#include "agent/image/registry.h"

enum { REGISTRY_URL_BYTES = 4096, REGISTRY_TOKEN_BYTES = 16384, REGISTRY_TIMEOUT_MS = 60000 };

/* Of an answer's head. */
struct registry_head {
	char location[REGISTRY_URL_BYTES];
	char challenge[2048]; /* WWW-Authenticate: Bearer is preferred to Basic */
	char digest[136];
};

struct registry {
	struct registry_ref ref;
	const struct image_options *o;
	bool may_plain; /* plain HTTP is allowed: told so, or this host itself */
	bool is_plain;	/* and spoken */
	bool is_tried;	/* it has answered: is_plain is settled */
	char user[256], password[4096];
	bool has_store; /* the credentials are with a helper program, which is not asked */
	char *authorization; /* a header's line; NULL: none yet */
	/* the request under way */
	struct registry_head head;
	bool (*on_data)(void *arg, struct slice piece);
	void *arg;
};

/* Answers a challenge: sets g->authorization. ERR_DENIED: we have nothing (else) to say. */
int registry_authorize(struct registry *g, struct err *err) WARN_UNUSED;
/* Finds user and password: options, else docker's configuration file. */
int registry_credentials(struct registry *g, struct err *err) WARN_UNUSED;
/* A parameter of a challenge: realm="…". */
bool registry_parameter(struct slice challenge, const char *name, char *dst, size_t size);
/* Is a URL's (or reference's) host this host itself? */
bool registry_is_local(struct slice host);
/* "https://host:port/…" -> "host:port"; empty: none. */
struct slice registry_url_host(struct slice url);
