/* msg_audit.c - what the messages about checks, the policy and traffic must mean, and the name of a catalogue. */
#include <errno.h>
#include <inttypes.h>

#include <openssl/evp.h>

#include "common/text.h"
#include "proto/msg.h"
#include "proto/msg_priv.h"

/* A word of ours: what it may be is the reader's table, as a newer sender may know more. */
static int check_word(const char *what, const char *word, struct err *err)
{
	if (!word[0] || !text_is_clean(slice_of(word)))
		return err_set(err, ERR_CORRUPT, "%s: empty, or not plain text", what);
	return 0;
}

/* SHA-256 as hex, lower case; empty where may_be_empty. */
static int check_digest(const char *what, const char *hex, bool may_be_empty, struct err *err)
{
	size_t n = strspn(hex, "0123456789abcdef");

	if (hex[n] || (n != 2 * LIMIT_KEY_BYTES && (n || !may_be_empty)))
		return err_set(err, ERR_CORRUPT, "%s: not a SHA-256 as hex", what);
	return 0;
}

static int check_count(const char *what, uint64_t n, struct err *err)
{
	/* Numbers of these are added up at the collector, in 64 bits with a sign. */
	if (n > LIMIT_FINDING_COUNT)
		return err_set(err, ERR_CORRUPT, "%s: %" PRIu64 " is too many", what, n);
	return 0;
}

static int check_bytes(const char *what, uint64_t n, struct err *err)
{
	if (n > LIMIT_TRAFFIC)
		return err_set(err, ERR_CORRUPT, "%s: %" PRIu64 " is too many", what, n);
	return 0;
}

int msg_check_container(const Picket__Container *m, struct err *err)
{
	if (!m->id[0])
		return err_set(err, ERR_CORRUPT, "Container.id: empty");
	for (size_t i = 0; m->config && i < m->config->n_ports; i++) {
		const Picket__Port *p = m->config->ports[i];

		if (p->port > UINT16_MAX || p->host_port > UINT16_MAX)
			return err_set(err, ERR_CORRUPT, "Port: %" PRIu32 ", %" PRIu32 " are no ports", p->host_port,
				       p->port);
	}
	return 0;
}

int msg_check_report(const Picket__AuditReport *m, struct err *err)
{
	int r = check_word("AuditReport.subject", m->subject, err);

	if (r >= 0 && !text_is_clean(slice_of(m->subject_id)))
		r = err_set(err, ERR_CORRUPT, "AuditReport.subject_id: not plain text");
	if (r >= 0)
		r = check_digest("AuditReport.catalogue", m->catalogue, m->is_gone, err);
	if (r >= 0 && m->is_gone && (m->n_results || m->n_passed))
		r = err_set(err, ERR_CORRUPT, "AuditReport: gone, with results");
	for (size_t i = 0; i < m->n_results && r >= 0; i++) {
		r = check_word("AuditResult.check_id", m->results[i]->check_id, err);
		if (r >= 0)
			r = check_word("AuditResult.status", m->results[i]->status, err);
	}
	return r;
}

int msg_check_catalogue(const Picket__CheckCatalogue *m, struct err *err)
{
	int r = check_digest("CheckCatalogue.key", m->key, false, err);

	for (size_t i = 0; i < m->n_checks && r >= 0; i++)
		r = check_word("Check.id", m->checks[i]->id, err);
	return r;
}

int msg_check_admission(const Picket__Admission *m, struct err *err)
{
	int r = check_word("Admission.kind", m->kind, err);

	if (r >= 0)
		r = check_digest("Admission.policy", m->policy, true, err);
	return r < 0 ? r : check_count("Admission.count", m->count, err);
}

static int check_peer(const Picket__TrafficPeer *p, struct err *err)
{
	int r = msg_check_end("TrafficPeer.address", p->address, p->port, err);

	if (r >= 0)
		r = check_bytes("TrafficPeer.rx_bytes", p->rx_bytes, err);
	if (r >= 0)
		r = check_bytes("TrafficPeer.tx_bytes", p->tx_bytes, err);
	return r < 0 ? r : check_count("TrafficPeer.connections", p->connections, err);
}

int msg_check_traffic(const Picket__Traffic *m, struct err *err)
{
	int r = msg_check_time("Traffic.from_unix_ns", m->from_unix_ns, err);

	if (r >= 0)
		r = msg_check_time("Traffic.to_unix_ns", m->to_unix_ns, err);
	if (r >= 0 && m->from_unix_ns > m->to_unix_ns)
		r = err_set(err, ERR_CORRUPT, "Traffic: ends before it begins");
	if (r >= 0)
		r = check_bytes("Traffic.rx_bytes", m->rx_bytes, err);
	if (r >= 0)
		r = check_bytes("Traffic.tx_bytes", m->tx_bytes, err);
	for (size_t i = 0; i < m->n_peers && r >= 0; i++)
		r = check_peer(m->peers[i], err);
	return r;
}

int msg_check_policy_state(const Picket__PolicyState *m, struct err *err)
{
	int r = check_digest("PolicyState.digest", m->digest, true, err);

	if (r >= 0)
		r = check_count("PolicyState.denied", m->denied, err);
	return r < 0 ? r : check_count("PolicyState.would_deny", m->would_deny, err);
}

int msg_check_configuration(const Picket__Configuration *m, struct err *err)
{
	/* The text alone could not be told from an older one. */
	return check_digest("Configuration.policy_digest", m->policy_digest, !m->policy.len, err);
}

int msg_catalogue_key(Picket__Check *const *checks, size_t count, char ret[MSG_CATALOGUE_KEY_MAX], struct err *err)
{
	enum { ROOM = 16 * 1024 }; /* a check within its bounds */
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	uint8_t room[ROOM], digest[LIMIT_KEY_BYTES];
	bool ok = sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; i < count && ok; i++)
		ok = picket__check__get_packed_size(checks[i]) <= ROOM &&
		     EVP_DigestUpdate(sha, room, picket__check__pack(checks[i], room)) == 1;
	ok = ok && EVP_DigestFinal_ex(sha, digest, NULL) == 1;
	EVP_MD_CTX_free(sha);
	if (!ok)
		return err_set(err, ERR_LIMIT, "the key of a catalogue's checks: one is too large");
	text_hex(digest, sizeof(digest), ret);
	return 0;
}
