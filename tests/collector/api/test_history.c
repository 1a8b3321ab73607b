/* test_history.c - questions to the history by name, asked of the real API. */
#include "tests/collector/api/asked.h"

#include "collector/store/store_history.h"

#define AGENT "6f1c3b1e-0000-4000-8000-000000000002" /* of host-08 */

static char id[] = "c0ffee0123456789c0ffee0123456789c0ffee0123456789c0ffee0123456789", call[] = "connect", tcp[] = "tcp";
static uint64_t seq = 1;

struct made {
	Picket__Record rec;
	Picket__Event ev;
	Picket__Process p;
	Picket__Container c;
	Picket__Ancestor parents[2], *list[2];
	Picket__ContainerConfig config;
	Picket__Network net;
};

/* A process of the container web, with up to two ancestors (pid; started at pid * 10). */
static void make(struct made *m, Picket__EventType type, uint32_t pid, uint32_t parent, uint32_t grand)
{
	picket__record__init(&m->rec);
	picket__event__init(&m->ev);
	picket__process__init(&m->p);
	picket__container__init(&m->c);
	m->rec.time_unix_ns = served_t0 + seq * 1000000000;
	m->rec.body_case = PICKET__RECORD__BODY_EVENT;
	m->rec.event = &m->ev;
	m->ev.type = type;
	m->ev.process = &m->p;
	m->ev.container = &m->c;
	m->c.id = id;
	m->c.name = people_bytes("web");
	m->c.image = people_bytes("nginx:1.25");
	m->p.pid = pid;
	m->p.start_ns = pid * 10;
	m->p.name = people_bytes("sh");
	m->p.exe = people_bytes("/bin/sh");
	for (int i = 0; i < 2 && (i ? grand : parent); i++) {
		picket__ancestor__init(&m->parents[i]);
		m->parents[i].pid = i ? grand : parent;
		m->parents[i].start_ns = m->parents[i].pid * 10;
		m->list[i] = &m->parents[i];
		m->p.n_ancestors++;
	}
	m->p.ancestors = m->list;
}

static void store_made(struct made *m)
{
	served_event(&srv, AGENT, seq++, &m->rec);
}

static void config(struct made *m, Picket__EventType type, bool readonly, int64_t memory)
{
	make(m, type, 1, 0, 0);
	m->ev.process = NULL;
	picket__container_config__init(&m->config);
	m->config.readonly_root = readonly;
	m->config.memory_bytes = memory;
	m->c.config = &m->config;
	store_made(m);
}

static int start(void **state)
{
	struct made m;

	(void)state;
	served_prepare(&srv);
	MUST(store_begin(srv.p.store, &must_err));
	config(&m, PICKET__EVENT_TYPE__EVENT_CONTAINER_START, true, 1000);
	make(&m, PICKET__EVENT_TYPE__EVENT_EXEC, 100, 0, 0);
	store_made(&m);
	make(&m, PICKET__EVENT_TYPE__EVENT_EXEC, 200, 100, 0);
	store_made(&m);
	make(&m, PICKET__EVENT_TYPE__EVENT_EXEC, 300, 200, 100);
	store_made(&m);
	make(&m, PICKET__EVENT_TYPE__EVENT_EXEC, 400, 100, 0); /* a brother */
	uint64_t brother_ns = m.rec.time_unix_ns;
	store_made(&m);
	make(&m, PICKET__EVENT_TYPE__EVENT_EXEC, 200, 1, 0); /* the same number, later */
	m.p.start_ns = 99999;
	store_made(&m);
	make(&m, PICKET__EVENT_TYPE__EVENT_HASH, 400, 100, 0); /* of whom the hash is known later */
	m.rec.time_unix_ns = brother_ns;
	m.p.exe_sha256 = people_bytes("0123456789abcdef0123456789abcdef");
	store_made(&m);
	for (int i = 0; i < 3; i++) {
		make(&m, PICKET__EVENT_TYPE__EVENT_NETWORK, 300, 200, 100);
		picket__network__init(&m.net);
		m.net.protocol = tcp;
		m.net.remote_address = msg_bytes(SLICE_LIT("\xc6\x33\x64\x07"));
		m.net.remote_port = 443;
		m.ev.call = call;
		m.ev.network = &m.net;
		store_made(&m);
	}
	config(&m, PICKET__EVENT_TYPE__EVENT_CONTAINER_UPDATE, false, 1000);
	config(&m, PICKET__EVENT_TYPE__EVENT_CONTAINER_START, false, 2000);
	MUST(store_commit(srv.p.store, &must_err));
	served_run_api(&srv);
	return 0;
}

static size_t rows(const cJSON *doc)
{
	return (size_t)cJSON_GetArraySize(at(doc, "items"));
}

static const char *text(const cJSON *doc, const char *path)
{
	const cJSON *v = at(doc, path);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static void questions_are_listed_with_what_they_need(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = get_doc("/api/v1/history");

	(void)state;
	assert_int_equal(rows(doc), 7);
	assert_string_equal(text(doc, "items.0.name"), "runs");
	assert_string_equal(text(doc, "items.0.needs.0"), "container");
	for (int i = 0; i < 7; i++) {
		char path[32];

		snprintf(path, sizeof(path), "items.%d.example", i);
		assert_memory_equal(text(doc, path), "picketctl history ", 18);
	}
}

static void wrong_questions_are_refused(void **state)
{
	static const struct {
		const char *path;
		long status;
		const char *says;
	} cases[] = {
		{ "/api/v1/history/wishes", 404, "no question 'wishes'" },
		{ "/api/v1/history/runs", 400, "needs container=" },
		{ "/api/v1/history/runs?container=web&exe=x", 400, "takes no 'exe'" },
		{ "/api/v1/history/process?host=h&pid=x", 400, "a number" },
		{ "/api/v1/history/process?host=h&pid=2&tree=1.2", 400, "not one of ours" },
		{ "/api/v1/history/binary", 400, "needs hash=SHA256, exe=" },
		{ "/api/v1/history/vulnerability?vuln=CVE-1&day=soon", 400, "like 2026-11-23" },
		{ "/api/v1/history/vulnerability?vuln=CVE-1", 404, "no vulnerability" },
		{ "/api/v1/history/silence?host=nobody", 404, "" },
		{ "/api/v1/history/changes?container=web&order=desc", 400, "oldest first" },
		{ "/api/v1/history/runs?container=%22web&since=never", 400, "not a time" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
		long status = ask("GET", cases[i].path, "viewer-token", NULL, &doc);

		if (status != cases[i].status || !strstr(text(doc, "detail"), cases[i].says))
			fail_msg("%s: %ld %s", cases[i].path, status, text(doc, "detail"));
	}
}

static void who_ran_what_in_a_container(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = get_doc("/api/v1/history/runs?container=web");
	CLEANUP(cJSON_Deletep) cJSON *less = get_doc("/api/v1/history/runs?container=web&since=2026-11-23T20:00:05Z");
	CLEANUP(cJSON_Deletep) cJSON *none = get_doc("/api/v1/history/runs?container=a%20%22quoted%5C%20name");

	(void)state;
	assert_int_equal(rows(doc), 5);
	assert_int_equal(at(doc, "items.0.process.pid")->valueint, 200);
	assert_string_equal(text(doc, "items.0.host"), "host-08");
	assert_int_equal(at(doc, "lost.process")->valueint, 12);
	assert_int_equal(rows(less), 2);
	assert_int_equal(rows(none), 0);
}

static void a_process_with_its_tree(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = get_doc("/api/v1/history/process?host=host-08&pid=200&until=2026-11-23T20:00:05Z");
	CLEANUP(cJSON_Deletep) cJSON *newer = get_doc("/api/v1/history/process?host=host-08&pid=200");
	CLEANUP(cJSON_Deletep) cJSON *again = get_doc("/api/v1/history/process?host=host-08&pid=200&tree=200.2000,100.1000");

	(void)state;
	/* the descendant, itself, its parent; neither its brother nor the later one of that number */
	assert_int_equal(rows(doc), 3);
	assert_string_equal(text(doc, "items.0.relation"), "descendant");
	assert_string_equal(text(doc, "items.1.relation"), "self");
	assert_string_equal(text(doc, "items.2.relation"), "ancestor");
	assert_int_equal(at(doc, "items.2.event.process.pid")->valueint, 100);
	assert_string_equal(text(doc, "tree"), "200.2000,100.1000");
	/* the connections of its descendant are newest, and so it is meant: not the later one of that number */
	assert_string_equal(text(newer, "tree"), "200.2000,100.1000");
	assert_int_equal(rows(newer), 6);
	assert_int_equal(rows(again), 6);
}

static void which_containers_ran_a_program(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = get_doc("/api/v1/history/binary?exe=/bin/sh");
	CLEANUP(cJSON_Deletep) cJSON *none = get_doc("/api/v1/history/binary?exe=/bin/absent");

	(void)state;
	assert_int_equal(rows(doc), 1);
	assert_string_equal(text(doc, "items.0.container.name"), "web");
	assert_int_equal(at(doc, "items.0.count")->valueint, 5);
	assert_string_equal(text(doc, "items.0.first"), "2026-11-23T20:00:02.000000000Z");
	assert_string_equal(text(doc, "items.0.last"), "2026-11-23T20:00:06.000000000Z");
	assert_int_equal(rows(none), 0);
}

/* Where the hash is asked for, its own event stands for the exec, else it says what the exec did not know yet. */
static void which_containers_ran_what_has_a_hash(void **state)
{
	static const char sum[] = "3031323334353637383961626364656630313233343536373839616263646566";
	CLEANUP(cJSON_Deletep) cJSON *doc =
		get_doc("/api/v1/history/binary?hash=3031323334353637383961626364656630313233343536373839616263646566");
	CLEANUP(cJSON_Deletep) cJSON *by_path = get_doc("/api/v1/history/binary?exe=/bin/sh");
	CLEANUP(cJSON_Deletep) cJSON *none =
		get_doc("/api/v1/history/binary?hash=4031323334353637383961626364656630313233343536373839616263646566");

	(void)state;
	assert_int_equal(rows(doc), 1);
	assert_int_equal(at(doc, "items.0.count")->valueint, 1);
	assert_string_equal(text(doc, "items.0.sha256"), sum);
	assert_string_equal(text(doc, "items.0.container.image"), "nginx:1.25");
	assert_string_equal(text(doc, "items.0.first"), "2026-11-23T20:00:05.000000000Z");
	assert_int_equal(rows(by_path), 1);
	assert_int_equal(at(by_path, "items.0.count")->valueint, 5);
	assert_string_equal(text(by_path, "items.0.sha256"), sum);
	assert_int_equal(rows(none), 0);
}

static void who_spoke_with_an_address(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = get_doc("/api/v1/history/address?address=198.51.100.7");
	CLEANUP(cJSON_Deletep) cJSON *net = get_doc("/api/v1/history/address?address=198.51.100.0/24&port=443");
	CLEANUP(cJSON_Deletep) cJSON *none = get_doc("/api/v1/history/address?address=198.51.100.7&port=80");

	(void)state;
	assert_int_equal(rows(doc), 1);
	assert_int_equal(at(doc, "items.0.count")->valueint, 3);
	assert_string_equal(text(doc, "items.0.call"), "connect");
	assert_string_equal(text(doc, "items.0.host"), "host-08");
	assert_int_equal(rows(net), 1);
	assert_int_equal(rows(none), 0);
}

static void what_changed_in_a_container(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = get_doc("/api/v1/history/changes?container=web");

	(void)state;
	assert_int_equal(rows(doc), 3);
	assert_true(cJSON_IsTrue(at(doc, "items.0.first")));
	assert_int_equal(cJSON_GetArraySize(at(doc, "items.0.changes")), 0);
	assert_int_equal(cJSON_GetArraySize(at(doc, "items.1.changes")), 1);
	assert_string_equal(text(doc, "items.1.changes.0.key"), "readonly_root");
	assert_string_equal(text(doc, "items.2.changes.0.key"), "memory_bytes");
	assert_int_equal(at(doc, "items.2.changes.0.from")->valueint, 1000);
	assert_int_equal(at(doc, "items.2.changes.0.to")->valueint, 2000);
}

static void silences_and_the_forecast_are_told(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *silence = get_doc("/api/v1/history/silence?host=host-08");
	CLEANUP(cJSON_Deletep) cJSON *status = get_doc("/api/v1/status");

	(void)state;
	assert_int_equal(rows(silence), 0);
	assert_true(cJSON_IsNumber(at(status, "history.bytes")));
	assert_true(cJSON_IsObject(at(status, "history.volume")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_are_listed_with_what_they_need),
		cmocka_unit_test(wrong_questions_are_refused),
		cmocka_unit_test(who_ran_what_in_a_container),
		cmocka_unit_test(a_process_with_its_tree),
		cmocka_unit_test(which_containers_ran_a_program),
		cmocka_unit_test(which_containers_ran_what_has_a_hash),
		cmocka_unit_test(who_spoke_with_an_address),
		cmocka_unit_test(what_changed_in_a_container),
		cmocka_unit_test(silences_and_the_forecast_are_told),
	};

	return cmocka_run_group_tests(tests, start, asked_stop);
}
