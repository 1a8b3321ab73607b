/* test_record_policy.c - what the policy refused and what containers send, as records; the plugin's lines, also wrong ones. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/inits.h"
#include "agent/record_policy.h"
#include "common/json.h"

#define UNIX_NS 1700000000000000000ull
#define POLICY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct container web = {
	.id = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", .name = "web", .image = "nginx:1", .image_id = "", .image_digest = "",
};

struct made {
	struct arena *scratch, *arena;
	struct buf out;
	Picket__Record *record;
};

static void begin(struct made *m)
{
	*m = (struct made){ .scratch = arena_new(1 << 20), .arena = arena_new(1 << 20) };
	buf_init(&m->out, 0);
}

static Picket__Event *read_back(struct made *m)
{
	struct err err;

	if (msg_read_record(buf_slice(&m->out), m->arena, &m->record, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(m->record->body_case, PICKET__RECORD__BODY_EVENT);
	return m->record->event;
}

static void end(struct made *m)
{
	arena_free(m->scratch);
	arena_free(m->arena);
	buf_fini(&m->out);
}

static void a_refused_connection(void **state)
{
	struct net_event e = { .container_id = web.id, .hook = NET_CONNECT, .is_refused = true, .port = 443, .protocol = 6,
			       .pid = 77, .comm = "curl", .rule = 201, .count = 3 };
	struct made m;
	struct err err;

	begin(&m);
	inet_pton(AF_INET, "203.0.113.5", e.address);
	assert_int_equal(record_net_event(&e, &web, POLICY, UNIX_NS, m.scratch, &m.out, &err), 0);
	Picket__Event *ev = read_back(&m);
	assert_int_equal(ev->type, PICKET__EVENT_TYPE__EVENT_ADMISSION);
	assert_string_equal(ev->admission->kind, "network");
	assert_string_equal(ev->admission->rule, "AC-201");
	assert_false(ev->admission->is_allowed || ev->admission->is_monitored);
	assert_int_equal(ev->admission->count, 3);
	assert_string_equal(ev->network->protocol, "tcp");
	assert_int_equal(ev->network->remote_port, 443);
	assert_int_equal(ev->network->remote_address.len, 4);
	assert_int_equal(ev->process->pid, 77);
	assert_true(slice_is(msg_slice(ev->process->name), "curl"));
	assert_true(slice_is(msg_slice(ev->container->name), "web"));
	assert_true(slice_is(msg_slice(ev->admission->reason), "connect tcp 203.0.113.5:443 refused by the policy of this host"));
	end(&m);
}

static void from_outside_to_a_port_of_its_own(void **state)
{
	struct net_event e = { .container_id = web.id, .hook = NET_INGRESS, .port = 22, .protocol = 6, .is_v6 = true, .address = { 0xfd }, .rule = 304,
			       .count = 1 };
	struct made m;
	struct err err;

	begin(&m);
	assert_int_equal(record_net_event(&e, &web, POLICY, UNIX_NS, m.scratch, &m.out, &err), 0);
	Picket__Event *ev = read_back(&m);
	assert_int_equal(ev->network->local_port, 22);
	assert_int_equal(ev->network->remote_port, 0);
	assert_int_equal(ev->network->remote_address.len, 16);
	assert_true(slice_is(msg_slice(ev->admission->reason), "tcp from fd00:: to port 22 would be refused by the policy of this host"));
	end(&m);
}

/* Of a connection that was open what comes back is refused by who sends it: the port is the sender's. */
static void what_an_open_connection_brings_back(void **state)
{
	struct net_event e = { .container_id = web.id, .hook = NET_INGRESS, .port = 7000, .protocol = 6, .address = { 10, 1, 2, 3 }, .rule = 201,
			       .is_refused = true, .count = 1 };
	struct made m;
	struct err err;

	begin(&m);
	assert_int_equal(record_net_event(&e, &web, POLICY, UNIX_NS, m.scratch, &m.out, &err), 0);
	Picket__Event *ev = read_back(&m);
	assert_int_equal(ev->network->local_port, 0);
	assert_int_equal(ev->network->remote_port, 7000);
	assert_true(slice_is(msg_slice(ev->admission->reason), "ingress tcp 10.1.2.3:7000 refused by the policy of this host"));
	end(&m);
}

static void a_watched_listener_over_ipv6_without_process_and_container(void **state)
{
	struct net_event e = { .container_id = "", .hook = NET_BIND, .port = 22, .protocol = 6, .is_v6 = true, .count = 1 };
	struct made m;
	struct err err;

	begin(&m);
	assert_int_equal(record_net_event(&e, NULL, "", UNIX_NS, m.scratch, &m.out, &err), 0);
	Picket__Event *ev = read_back(&m);
	assert_true(ev->admission->is_allowed && ev->admission->is_monitored);
	assert_int_equal(ev->network->local_address.len, 16);
	assert_int_equal(ev->network->local_port, 22);
	assert_null(ev->process);
	assert_null(ev->container);
	end(&m);
}

static void traffic_with_more_peers_than_a_record_takes(void **state)
{
	struct net_peer peers[LIMIT_TRAFFIC_PEERS + 5] = { 0 };
	struct net_traffic t = { .container_id = web.id, .from_unix_ns = UNIX_NS, .to_unix_ns = UNIX_NS + 60000000000ull,
				 .rx_bytes = 1000, .tx_bytes = 2000, .rx_packets = 3, .tx_packets = 4,
				 .peers = (const void *)peers, .peer_count = ARRAY_LEN(peers), .other_bytes = 5 };
	struct made m;
	struct err err;

	begin(&m);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		peers[i] = (struct net_peer){ .port = (uint16_t)(i + 1), .protocol = 17, .is_outgoing = true, .rx_bytes = i };
	assert_int_equal(record_traffic(&t, &web, m.scratch, &m.out, &err), 0);
	Picket__Event *ev = read_back(&m);
	assert_int_equal(ev->type, PICKET__EVENT_TYPE__EVENT_TRAFFIC);
	assert_int_equal(ev->traffic->n_peers, LIMIT_TRAFFIC_PEERS);
	assert_int_equal(ev->traffic->tx_bytes, 2000);
	assert_string_equal(ev->traffic->peers[0]->protocol, "udp");
	end(&m);
}

#define LINE "{\"time\":\"2026-11-30T18:00:00Z\",\"kind\":\"create\",\"allowed\":false,\"rule\":\"AC-401\",\"message\":\"no\"," \
	     "\"user\":\"\",\"method\":\"POST\",\"path\":\"/containers/create\",\"container\":\"x\",\"image\":\"nginx\",\"took_ns\":5}"

static void a_verdict_of_the_plugin(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct admission a;
	struct made m;
	struct err err;

	begin(&m);
	assert_int_equal(admission_read(SLICE_LIT(LINE), &doc, &a, &err), 0);
	assert_int_equal(record_admission(&a, NULL, POLICY, m.scratch, &m.out, &err), 0);
	Picket__Event *ev = read_back(&m);
	assert_string_equal(ev->admission->kind, "create");
	assert_string_equal(ev->admission->rule, "AC-401");
	assert_true(slice_is(msg_slice(ev->admission->reason), "no"));
	assert_true(slice_is(msg_slice(ev->container->image), "nginx"));
	assert_int_equal(m.record->time_unix_ns, 1796061600000000000ull);
	end(&m);
}

/* Root alone can write to that socket; a line that makes no sense is still no more than a line. */
static void lines_that_are_none(void **state)
{
	static const char *const wrong[] = { "", "[]", "{}", "{\"time\":7}", "{\"time\":\"yesterday\"}", "{\"time\":\"1960-01-01T00:00:00Z\"}" };
	CLEANUP(cJSON_Deletep) cJSON *odd = NULL;
	struct admission a;
	struct made m;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

		assert_int_equal(admission_read(slice_of(wrong[i]), &doc, &a, &err), -ERR_SYNTAX);
	}
	/* words with line ends, values of the wrong type, an endless message */
	CLEANUP(buf_finip) struct buf b = { 0 };
	buf_init(&b, 0);
	buf_add_str(&b, "{\"time\":\"2026-11-30T18:00:00Z\",\"kind\":\"a\\nb\",\"rule\":7,\"took_ns\":\"x\",\"message\":\"");
	for (unsigned i = 0; i < 9000; i++)
		buf_add_char(&b, 'x');
	buf_add_str(&b, "\"}");
	begin(&m);
	assert_int_equal(admission_read(buf_slice(&b), &odd, &a, &err), 0);
	assert_int_equal(record_admission(&a, NULL, "", m.scratch, &m.out, &err), 0);
	Picket__Event *ev = read_back(&m);
	assert_string_equal(ev->admission->kind, "other");
	assert_int_equal(ev->admission->reason.len, LIMIT_TEXT_BYTES);
	end(&m);
}

static void first_processes_are_kept_by_container(void **state)
{
	CLEANUP(inits_freep) struct inits *i = inits_new();
	char id[32];

	assert_int_equal(inits_get(i, "a"), 0);
	assert_true(inits_put(i, "a", 7));
	assert_false(inits_put(i, "a", 7));
	assert_true(inits_put(i, "a", 8)); /* started again */
	assert_int_equal(inits_get(i, "a"), 8);
	inits_drop(i, "a");
	assert_int_equal(inits_get(i, "a"), 0);
	for (unsigned n = 0; n < INITS_MAX + 10; n++) {
		snprintf(id, sizeof(id), "%u", n);
		assert_true(inits_put(i, id, 5));
	}
	assert_int_equal(inits_get(i, "0"), 5);
	assert_int_equal(inits_get(i, id), 0); /* no room; told as new all the same */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_connection),
		cmocka_unit_test(from_outside_to_a_port_of_its_own),
		cmocka_unit_test(what_an_open_connection_brings_back),
		cmocka_unit_test(a_watched_listener_over_ipv6_without_process_and_container),
		cmocka_unit_test(traffic_with_more_peers_than_a_record_takes),
		cmocka_unit_test(a_verdict_of_the_plugin),
		cmocka_unit_test(lines_that_are_none),
		cmocka_unit_test(first_processes_are_kept_by_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
