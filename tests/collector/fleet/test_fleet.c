/* Making a fleet's CA, tokens, and the enrolment listener on loopback with real TLS and store. */
#include "collector/fleet/fleet.h"

#include <errno.h>

#include "collector/config.h"
#include "common/file.h"
#include "common/text.h"
#include "tests/collector/caller.h"

enum { CERT_DAYS = 30 };

struct yard {
	char dir[64];
	struct clock clk;
	struct loop *loop;
	struct store *store;
	struct fleet *fleet;
	struct buf ca, ca_key, cert, key;
	uint8_t pin[TLS_PIN_BYTES];
	char pin_hex[65];
	struct caller c;
};

static struct fleet_init how_to(const char *dir)
{
	return (struct fleet_init){ .dir = dir,
				    .host = "localhost",
				    .listen = "tls+tcp://0.0.0.0:7443",
				    .enrol_listen = "tls+tcp://[::]:7444",
				    .http = "[::]:8443" };
}

static struct buf read_of(const char *dir, const char *name)
{
	char path[300];
	struct buf b;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	OK(file_read(path, 65536, &b, err));
	return b;
}

static void open_yard(struct yard *y)
{
	static const char *const urls[] = { "tls+tcp://localhost:7443", "tls+tcp://[::1]:7443", NULL };
	char data[100];
	struct store_config sc = { .dir = data, .reserve_bytes = 1 };

	*y = (struct yard){ .clk = clock_fake(clock_unix_ns(clock_real())) };
	clock_fake_advance(&y->clk, 0);
	folder_make(y->dir);
	struct fleet_init how = how_to(y->dir);
	OK(fleet_init(&how, &y->clk, y->pin_hex, err));
	y->ca = read_of(y->dir, "ca.pem");
	y->ca_key = read_of(y->dir, "ca.key");
	y->cert = read_of(y->dir, "server.pem");
	y->key = read_of(y->dir, "server.key");
	assert_int_equal(text_unhex(slice_of(y->pin_hex), y->pin, sizeof(y->pin)), TLS_PIN_BYTES);
	snprintf(data, sizeof(data), "%s/data", y->dir);
	OK(store_open(&sc, &y->clk, &y->store, err));
	OK(loop_new(&y->loop, err));
	struct fleet_config cfg = { .enrol_url = "tls+tcp://127.0.0.1:0",
				    .tls = { .ca_pem = buf_slice(&y->ca),
					     .cert_pem = buf_slice(&y->cert),
					     .key_pem = buf_slice(&y->key) },
				    .ca_pem = buf_slice(&y->ca),
				    .ca_key_pem = buf_slice(&y->ca_key),
				    .agent_urls = urls,
				    .cert_days = CERT_DAYS };
	OK(fleet_new(y->loop, y->store, &y->clk, &cfg, &y->fleet, err));
}

static void close_yard(struct yard *y)
{
	caller_hang_up(&y->c);
	fleet_free(y->fleet);
	store_close(y->store);
	loop_free(y->loop);
	buf_fini(&y->ca);
	buf_fini(&y->ca_key);
	buf_fini(&y->cert);
	buf_fini(&y->key);
	folder_remove(y->dir);
}

static void dial(struct yard *y, struct caller *c)
{
	struct wire_tls tls = { .ca_pin = y->pin, .server_name = "localhost" };

	caller_dial(c, y->loop, fleet_port(y->fleet), &tls);
	UNTIL(y->loop, c->ups);
}

/* The secret of a fresh token, as a host reads it from the text. */
static struct slice make_token(struct yard *y, uint64_t ttl_ms, uint32_t uses, char secret[64])
{
	static const char *const urls[] = { "tls+tcp://localhost:7444", NULL };
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct fleet_token how = { .enrol_urls = urls,
				   .server_name = "localhost",
				   .ca_pem = buf_slice(&y->ca),
				   .ttl_ms = ttl_ms,
				   .uses = uses,
				   .by = "test" };
	Picket__Token *t;

	OK(fleet_token_new(y->store, &y->clk, &how, &text, err));
	OK(msg_read_token(buf_slice(&text), a, &t, err));
	assert_int_equal(t->ca_sha256.len, TLS_PIN_BYTES);
	assert_memory_equal(t->ca_sha256.data, y->pin, TLS_PIN_BYTES);
	assert_string_equal(t->server_name, "localhost");
	assert_string_equal(t->enrol_urls[0], urls[0]);
	assert_true(t->secret.len >= 24 && t->secret.len <= 64);
	memcpy(secret, t->secret.data, t->secret.len);
	return slice_from(secret, t->secret.len);
}

static struct buf make_csr(const char *name, struct buf *ret_key)
{
	struct buf csr;

	OK(tls_key_new(ret_key, err));
	OK(tls_csr_new(buf_slice(ret_key), name, &csr, err));
	return csr;
}

static struct buf enrol_request(struct slice secret, struct slice csr, const char *host)
{
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__Enrol e = PICKET__ENROL__INIT;

	e.secret = msg_bytes(secret);
	e.csr_pem = TEXT(csr.p);
	e.hostname = TEXT(host);
	e.machine_id = TEXT("0123456789abcdef");
	rq.protocol = PROTO_VERSION;
	rq.body_case = PICKET__REQUEST__BODY_ENROL;
	rq.enrol = &e;
	return caller_pack(&rq);
}

static const Picket__Reply *ask_enrol(struct caller *c, struct slice secret, const char *host)
{
	CLEANUP(buf_finip) struct buf key = { 0 };
	CLEANUP(buf_finip) struct buf csr = make_csr("some host", &key);
	CLEANUP(buf_finip) struct buf rq = enrol_request(secret, buf_slice(&csr), host);

	return caller_ask(c, buf_slice(&rq));
}

static void assert_refused(const Picket__Reply *r, Picket__Refusal__Reason reason, const char *part)
{
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_REFUSAL);
	if (r->refusal->reason != reason || !strstr(r->refusal->message, part))
		fail_msg("reason %d: %s", (int)r->refusal->reason, r->refusal->message);
}

static uint64_t agents(struct yard *y)
{
	struct store_status st;

	OK(store_status(y->store, &st, err));
	return st.agents;
}

/* ---- init ---- */

static void assert_mode(const char *dir, const char *name, mode_t mode)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (stat(path, &st))
		fail_msg("%s: not there", path);
	if ((st.st_mode & 0777) != mode)
		fail_msg("%s: mode %o", path, st.st_mode & 0777);
}

static void init_makes_what_a_collector_needs(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;
	} files[] = { { "ca.pem", 0644 },     { "ca.key", 0600 },	 { "server.pem", 0644 },
		      { "server.key", 0600 }, { "collector.yaml", 0640 }, { "admin.token", 0600 },
		      { "data", 0700 },	      { "data/state.db", 0600 } };
	char dir[64], pin[65];
	struct err why;

	folder_make(dir);
	struct fleet_init how = how_to(dir);
	OK(fleet_init(&how, clock_real(), pin, err));
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		assert_mode(dir, files[i].name, files[i].mode);
	struct buf before[6], cert = read_of(dir, "server.pem"), key = read_of(dir, "server.key");
	OK(tls_key_matches(buf_slice(&cert), buf_slice(&key), err));
	/* The admin's token is one. */
	struct buf token = read_of(dir, "admin.token");
	struct store *s;
	char data[100], user[64], role[16];
	uint8_t hash[32];
	snprintf(data, sizeof(data), "%s/data", dir);
	struct store_config sc = { .dir = data };
	OK(store_open(&sc, clock_real(), &s, err));
	tls_sha256(slice_trim(buf_slice(&token)), hash);
	OK(store_api_token_check(s, hash, user, role, err));
	assert_string_equal(role, "admin");
	store_close(s);
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		before[i] = read_of(dir, files[i].name);
	assert_int_equal(fleet_init(&how, clock_real(), pin, &why), -EEXIST);
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		struct buf now = read_of(dir, files[i].name);

		assert_true(slice_eq(buf_slice(&before[i]), buf_slice(&now)));
		buf_fini(&now);
		buf_fini(&before[i]);
	}
	buf_fini(&cert);
	buf_fini(&key);
	buf_fini(&token);
	folder_remove(dir);
}

static void init_writes_a_configuration_that_can_be_read(void **state)
{
	static const char *const names[] = { "plain", "with blank # and: colon", "\"quoted\" \\ 'it' [x]",
					     "@HOST@ %s {a: b}" };
	char dir[64];

	folder_make(dir);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char sub[200], path[300], pin[65];
		struct collector_config c;

		snprintf(sub, sizeof(sub), "%s/%s", dir, names[i]);
		struct fleet_init how = how_to(sub);
		OK(fleet_init(&how, clock_real(), pin, err));
		snprintf(path, sizeof(path), "%s/collector.yaml", sub);
		collector_config_init(&c);
		OK(collector_config_read(path, &c, err));
		assert_string_equal(c.name, "localhost");
		assert_string_equal(c.listen, how.listen);
		assert_string_equal(c.enrol_listen, how.enrol_listen);
		assert_string_equal(c.http, how.http);
		snprintf(path, sizeof(path), "%s/data", sub);
		assert_string_equal(c.data_dir, path);
		snprintf(path, sizeof(path), "%s/ca.key", sub);
		assert_string_equal(c.ca_key_file, path);
		assert_int_equal(c.webhooks.count, 0);
		assert_int_equal(c.mails.count, 0);
		collector_config_fini(&c);
	}
	folder_remove(dir);
}

static void a_name_that_no_certificate_can_carry_is_refused(void **state)
{
	char dir[64], pin[65];
	struct err why;

	folder_make(dir);
	struct fleet_init how = how_to(dir);
	how.host = "not a host";
	assert_int_equal(fleet_init(&how, clock_real(), pin, &why), -EINVAL);
	how.host = "192.0.2.1"; /* what failed can be done again */
	OK(fleet_init(&how, clock_real(), pin, err));
	folder_remove(dir);
}

/* ---- enrolment ---- */

static void a_host_with_a_token_becomes_an_agent(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	CLEANUP(buf_finip) struct buf key = { 0 };
	struct yard y;
	struct tls_identity id;
	struct store_agent row;
	char secret[64];

	open_yard(&y);
	dial(&y, &y.c);
	struct slice s = make_token(&y, 3600000, 1, secret);
	/* The request asks for another's subject: only its key is taken. */
	CLEANUP(buf_finip) struct buf csr = make_csr("picket:agent:another", &key);
	CLEANUP(buf_finip) struct buf rq = enrol_request(s, buf_slice(&csr), "web-1");
	const Picket__Reply *r = caller_ask(&y.c, buf_slice(&rq));
	assert_int_equal(r->body_case, PICKET__REPLY__BODY_ENROL);
	assert_true(text_is_uuid(slice_of(r->enrol->agent_id)));
	assert_true(slice_eq(slice_of(r->enrol->ca_pem), buf_slice(&y.ca)));
	assert_int_equal(r->enrol->n_urls, 2);
	assert_string_equal(r->enrol->urls[1], "tls+tcp://[::1]:7443");
	struct slice cert = slice_of(r->enrol->certificate_pem);
	OK(tls_key_matches(cert, buf_slice(&key), err));
	OK(tls_cert_identity(cert, &id, err));
	assert_string_equal(id.agent_id, r->enrol->agent_id);
	assert_string_equal(id.subject, "web-1");
	uint64_t now = clock_unix_ns(&y.clk) / 1000000000;
	assert_int_equal(id.not_after_unix, now + CERT_DAYS * 86400);
	assert_int_equal(id.not_before_unix, now - 3600);
	OK(store_agent_get(y.store, "web-1", &row, a, err));
	assert_string_equal(row.id, id.agent_id);
	assert_string_equal(row.serial, id.serial);
	assert_string_equal(row.machine_id, "0123456789abcdef");
	assert_int_equal(row.cert_not_after_unix_ns / 1000000000, id.not_after_unix);
	assert_true(store_agent_may(y.store, id.agent_id, id.serial));
	/* A second time the same. */
	assert_refused(caller_ask(&y.c, buf_slice(&rq)), PICKET__REFUSAL__REASON__REASON_TOKEN, "used up");
	assert_int_equal(agents(&y), 1);
	close_yard(&y);
}

static void a_request_gets_only_our_names(void **state)
{
	struct yard y;
	char secret[64];

	open_yard(&y);
	dial(&y, &y.c);
	struct slice s = make_token(&y, 3600000, 2, secret);
	const Picket__Reply *r = ask_enrol(&y.c, s, "db-1");
	char first[64];
	slice_copy(slice_of(r->enrol->agent_id), first, sizeof(first));
	/* The certificate of a request is no request, and a name is not inherited: same host, new agent. */
	r = ask_enrol(&y.c, s, "db-1");
	assert_string_not_equal(r->enrol->agent_id, first);
	assert_int_equal(agents(&y), 2);
	close_yard(&y);
}

static void a_wrong_token_is_refused_and_says_why(void **state)
{
	struct yard y;
	char secret[64], garbage[24];

	open_yard(&y);
	dial(&y, &y.c);
	text_random(garbage, sizeof(garbage));
	assert_refused(ask_enrol(&y.c, slice_from(garbage, sizeof(garbage)), "h"),
		       PICKET__REFUSAL__REASON__REASON_TOKEN, "unknown");
	struct slice s = make_token(&y, 60000, 5, secret);
	clock_fake_advance(&y.clk, 61ull * 1000000000);
	assert_refused(ask_enrol(&y.c, s, "h"), PICKET__REFUSAL__REASON__REASON_TOKEN, "expired");
	clock_fake_advance(&y.clk, 10ull * 1000000000);
	assert_refused(ask_enrol(&y.c, SLICE_LIT("short"), "h"), PICKET__REFUSAL__REASON__REASON_MALFORMED,
		       "secret");
	assert_int_equal(agents(&y), 0);
	close_yard(&y);
}

static void a_wrong_request_leaves_the_token_as_it_was(void **state)
{
	static char large[20000];
	static const char *const csrs[] = {
		"not a request",
		"-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n",
		large, /* over the listener's bound */
	};
	static const char *const hosts[] = { "", "a\nb", "\xff\xfe", "\x1b[31mred" };
	struct yard y;
	char secret[64];

	memset(large, 'A', sizeof(large) - 1);
	open_yard(&y);
	dial(&y, &y.c);
	struct slice s = make_token(&y, 3600000, 1, secret);
	for (size_t i = 0; i < ARRAY_LEN(csrs); i++) {
		CLEANUP(buf_finip) struct buf rq = enrol_request(s, slice_of(csrs[i]), "h");

		assert_refused(caller_ask(&y.c, buf_slice(&rq)), PICKET__REFUSAL__REASON__REASON_MALFORMED,
			       "");
		clock_fake_advance(&y.clk, 2ull * 1000000000);
	}
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		assert_refused(ask_enrol(&y.c, s, hosts[i]), PICKET__REFUSAL__REASON__REASON_MALFORMED,
			       "name");
		clock_fake_advance(&y.clk, 2ull * 1000000000);
	}
	assert_refused(caller_ask(&y.c, SLICE_LIT("\xff\xff\xff")),
		       PICKET__REFUSAL__REASON__REASON_MALFORMED, "");
	clock_fake_advance(&y.clk, 2ull * 1000000000);
	assert_int_equal(agents(&y), 0);
	assert_int_equal(ask_enrol(&y.c, s, "h")->body_case, PICKET__REPLY__BODY_ENROL);
	close_yard(&y);
}

static void a_flood_of_bytes_cuts_its_sender(void **state)
{
	CLEANUP(buf_finip) struct buf big = { 0 };
	struct yard y;

	open_yard(&y);
	dial(&y, &y.c);
	buf_init(&big, 0);
	char *p = buf_reserve(&big, WIRE_MAX_MESSAGE_BYTES);
	assert_non_null(p);
	memset(p, 'x', WIRE_MAX_MESSAGE_BYTES);
	buf_written(&big, WIRE_MAX_MESSAGE_BYTES);
	caller_send(&y.c, buf_slice(&big));
	UNTIL(y.loop, y.c.downs);
	assert_int_equal(y.c.replies, 0);
	close_yard(&y);
}

static void another_ca_than_the_pinned_one_is_not_believed(void **state)
{
	struct yard y;

	open_yard(&y);
	y.pin[3] ^= 1;
	struct wire_tls tls = { .ca_pin = y.pin, .server_name = "localhost" };
	caller_dial(&y.c, y.loop, fleet_port(y.fleet), &tls);
	UNTIL(y.loop, y.c.failures);
	assert_non_null(strstr(y.c.failed, "pinned"));
	assert_int_equal(y.c.ups, 0);
	close_yard(&y);
}

/* ---- how often ---- */

static void wrong_tokens_are_slowed_down_first(void **state)
{
	struct yard y;
	char secret[64];

	open_yard(&y);
	dial(&y, &y.c);
	struct slice s = make_token(&y, 3600000, 10, secret);
	for (unsigned i = 0; i < 3; i++)
		assert_refused(ask_enrol(&y.c, SLICE_LIT("sixteen bytes or more"), "h"),
			       PICKET__REFUSAL__REASON__REASON_TOKEN, "unknown");
	const Picket__Reply *r = ask_enrol(&y.c, s, "h");
	assert_refused(r, PICKET__REFUSAL__REASON__REASON_BUSY, "too many");
	assert_true(r->refusal->retry_ms >= 500 && r->refusal->retry_ms <= 2000);
	clock_fake_advance(&y.clk, 1000000000);
	assert_int_equal(ask_enrol(&y.c, s, "h")->body_case, PICKET__REPLY__BODY_ENROL);
	close_yard(&y);
}

static void fifty_hosts_behind_one_address_are_through_soon(void **state)
{
	struct yard y;
	unsigned done = 0, seconds = 0;
	char secret[64];

	open_yard(&y);
	dial(&y, &y.c);
	struct slice s = make_token(&y, 3600000, 50, secret);
	for (; done < 50; seconds++) { /* all that are left come once a second */
		unsigned waiting = 50 - done;

		for (unsigned i = 0; i < waiting && i < 20; i++) {
			char host[16];

			snprintf(host, sizeof(host), "n-%u", done);
			const Picket__Reply *r = ask_enrol(&y.c, s, host);
			if (r->body_case == PICKET__REPLY__BODY_ENROL)
				done++;
			else
				assert_refused(r, PICKET__REFUSAL__REASON__REASON_BUSY, "too many");
		}
		clock_fake_advance(&y.clk, 1000000000);
		assert_true(seconds < 15);
	}
	print_message("50 hosts in %u s\n", seconds);
	assert_true(seconds >= 8);
	assert_int_equal(agents(&y), 50);
	close_yard(&y);
}

static void strangers_that_stay_are_cut(void **state)
{
	struct yard y;

	open_yard(&y);
	dial(&y, &y.c);
	(void)caller_ask(&y.c, SLICE_LIT("?")); /* so that the listener knows it by now */
	clock_fake_advance(&y.clk, 31ull * 1000000000);
	UNTIL(y.loop, y.c.downs);
	close_yard(&y);
}

static void foolish_settings_are_told(void **state)
{
	static const char *const urls[] = { "tls+tcp://localhost:7444", NULL };
	CLEANUP(buf_finip) struct buf other = { 0 };
	struct yard y;
	struct err why;

	open_yard(&y);
	const struct fleet_token good = { urls, "localhost", buf_slice(&y.ca), 60000, 1, "test" };
	struct fleet_token bad[] = { good, good, good, good, good };
	bad[0].ttl_ms = 10;
	bad[1].ttl_ms = UINT64_MAX;
	bad[2].uses = 0;
	bad[3].uses = 100001;
	bad[4].enrol_urls = urls + 1;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP(buf_finip) struct buf text = { 0 };

		assert_int_equal(fleet_token_new(y.store, &y.clk, &bad[i], &text, &why),
				 i < 4 ? -EINVAL : -ERR_SYNTAX);
	}
	OK(tls_key_new(&other, err));
	struct fleet_config cfg = { .enrol_url = "tls+tcp://127.0.0.1:0",
				    .tls = { .cert_pem = buf_slice(&y.cert), .key_pem = buf_slice(&y.key) },
				    .ca_pem = buf_slice(&y.ca),
				    .ca_key_pem = buf_slice(&other),
				    .agent_urls = urls };
	struct fleet *f = NULL;
	assert_int_equal(fleet_new(y.loop, y.store, &y.clk, &cfg, &f, &why), -ERR_CRYPTO);
	assert_null(f);
	close_yard(&y);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_makes_what_a_collector_needs),
		cmocka_unit_test(init_writes_a_configuration_that_can_be_read),
		cmocka_unit_test(a_name_that_no_certificate_can_carry_is_refused),
		cmocka_unit_test(a_host_with_a_token_becomes_an_agent),
		cmocka_unit_test(a_request_gets_only_our_names),
		cmocka_unit_test(a_wrong_token_is_refused_and_says_why),
		cmocka_unit_test(a_wrong_request_leaves_the_token_as_it_was),
		cmocka_unit_test(a_flood_of_bytes_cuts_its_sender),
		cmocka_unit_test(another_ca_than_the_pinned_one_is_not_believed),
		cmocka_unit_test(wrong_tokens_are_slowed_down_first),
		cmocka_unit_test(fifty_hosts_behind_one_address_are_through_soon),
		cmocka_unit_test(strangers_that_stay_are_cut),
		cmocka_unit_test(foolish_settings_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
