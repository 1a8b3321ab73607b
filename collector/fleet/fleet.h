/* fleet.h - the CA, enrolment, revocation. Keeps no events. */
#pragma once
#include "collector/store/store.h"
#include "common/loop.h"
#include "common/wire.h"

struct fleet_init {
	const char *dir;    /* receives ca.pem ca.key (0600) server.pem server.key (0600) collector.yaml
			       admin.token (0600) and data/ */
	const char *host;   /* name or address agents and people use */
	const char *listen; /* tls+tcp://0.0.0.0:7443 */
	const char *enrol_listen; /* tls+tcp://0.0.0.0:7444 */
	const char *http;   /* 0.0.0.0:8443 */
};
/* `picket-collector init`, all of how given: EEXIST when dir holds a CA already, and then nothing is
 * changed. ret_pin: hex of the CA's SHA-256. */
int fleet_init(const struct fleet_init *how, const struct clock *clk, char ret_pin[65],
	       struct err *err) WARN_UNUSED;

/* `token create`: the text to give to a host (a packed proto Token). enrol_urls: NULL-terminated. */
struct fleet_token {
	const char *const *enrol_urls;
	const char *server_name;
	struct slice ca_pem;
	uint64_t ttl_ms; /* 1 s .. 30 days */
	uint32_t uses;	 /* 1 .. 100,000 */
	const char *by;
};
/* Must be called outside a transaction. ret_text: initialised here; caller frees with buf_fini.
 * Errors: EINVAL for ttl or uses out of range, ERR_SYNTAX, ERR_LIMIT for addresses that don't fit. */
int fleet_token_new(struct store *s, const struct clock *clk, const struct fleet_token *how,
		    struct buf *ret_text, struct err *err) WARN_UNUSED;

/* The enrolment listener: no client certificate, 8 KiB a request, tries limited as rate.h says. Commits
 * the token's use and the agent in one transaction: what is refused leaves the token as it was.
 * REASON_TOKEN (the message says which), REASON_MALFORMED, REASON_VERSION, or REASON_BUSY with retry_ms:
 * come again. ERR_CRYPTO when the CA's key is not the CA's. */
struct fleet;
struct fleet_config {
	const char *enrol_url; /* where to listen */
	struct wire_tls tls;   /* server certificate; no_client_cert is set by fleet */
	struct slice ca_pem, ca_key_pem;
	const char *const *agent_urls; /* told to the agent: where it shall send batches */
	uint64_t cert_days;    /* 1 .. 825; default 90 */
};
int fleet_new(struct loop *l, struct store *s, const struct clock *clk, const struct fleet_config *cfg,
	      struct fleet **ret, struct err *err) WARN_UNUSED;
int fleet_port(const struct fleet *f);
void fleet_free(struct fleet *f);
DEFINE_CLEANUP(struct fleet, fleet_free)
