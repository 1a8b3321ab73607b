/* served.h - the real API over TLS on loopback, its loop in a thread of the test; the store has two
 * hosts, three alerts and some history. The thread owns the store until served_stop. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "collector/alert/alert.h"
#include "collector/api/api.h"
#include "tests/collector/people.h"

static const uint64_t served_t0 = 1795464000ull * 1000000000; /* 2026-11-23T20:00:00Z */

struct served {
	struct people p;
	struct loop *loop;
	struct api *api;
	pthread_t thread;
	atomic_bool must_stop;
	char url[64], ca[128], token[128];
};

static inline void served_poll(void *arg)
{
	struct served *s = arg;

	if (atomic_load(&s->must_stop))
		loop_stop(s->loop);
}

static inline void *served_run(void *arg)
{
	struct served *s = arg;
	struct loop_timer *t = loop_timer_new(s->loop, served_poll, s);

	loop_timer_every(t, 10);
	loop_run(s->loop);
	loop_timer_free(t);
	return NULL;
}

static inline void served_event(struct served *s, const char *agent, uint64_t seq, Picket__Record *rec)
{
	struct buf packed = { 0 };

	MUST(msg_pack_record(rec, &packed, &must_err));
	MUST(store_history_add(s->p.store, agent, 5, seq, buf_slice(&packed), rec, &must_err));
	buf_fini(&packed);
}

static inline void served_fill(struct served *s)
{
	static char evil_rule[] = "Evil <rule>, \"quoted\"", evil_id[] = "eeee", notice[] = "Notice";
	const struct store_agent agents[] = {
		{ .id = "6f1c3b1e-0000-4000-8000-000000000001", .host = "host-07", .agent_version = "0.1.0",
		  .kernel = "6.1.0", .serial = "AA", .enrolled_unix_ns = served_t0 },
		{ .id = "6f1c3b1e-0000-4000-8000-000000000002", .host = "host-08", .agent_version = "0.1.0",
		  .kernel = "6.1.0", .serial = "BB", .enrolled_unix_ns = served_t0 },
	};
	struct alert_config cfg = { 0 };
	struct people_finding f;
	struct alert_change c;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Exit ended = PICKET__EXIT__INIT;
	Picket__Gap gap = PICKET__GAP__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;

	for (size_t i = 0; i < ARRAY_LEN(agents); i++)
		MUST(store_agent_enrol(s->p.store, &agents[i], &must_err));
	MUST(store_begin(s->p.store, &must_err));
	people_finding(&f, served_t0);
	f.finding.event_seq = 1;
	MUST(alert_from_finding(s->p.store, &cfg, agents[0].id, "host-07", 5, 3, &f.record, &c, &must_err));
	people_finding(&f, served_t0 + 1000000000);
	f.finding.container = NULL;
	f.finding.priority = notice;
	MUST(alert_from_finding(s->p.store, &cfg, agents[1].id, "host-08", 5, 4, &f.record, &c, &must_err));
	/* A container that chose its names to harm whoever reads them. */
	people_finding(&f, served_t0 + 2000000000);
	f.finding.rule = evil_rule;
	f.container.id = evil_id;
	f.container.name = people_bytes("=HYPERLINK(\"x\")");
	f.process.name = people_bytes("\033]0;owned\007\xe2\x80\xaetxt");
	MUST(alert_from_finding(s->p.store, &cfg, agents[0].id, "host-07", 5, 9, &f.record, &c, &must_err));

	people_finding(&f, served_t0);
	ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
	ev.process = &f.process;
	ev.container = &f.container;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	rec.time_unix_ns = served_t0;
	served_event(s, agents[0].id, 1, &rec);
	ev.type = PICKET__EVENT_TYPE__EVENT_EXIT;
	ended.code = 3;
	ended.duration_ns = 2500;
	ev.exit = &ended;
	rec.time_unix_ns = served_t0 + 1000000;
	served_event(s, agents[0].id, 2, &rec);
	gap.loss_class = PICKET__LOSS_CLASS__LOSS_PROCESS;
	gap.lost = 12;
	gap.from_unix_ns = served_t0;
	gap.to_unix_ns = served_t0 + 5;
	rec.body_case = PICKET__RECORD__BODY_GAP;
	rec.gap = &gap;
	rec.time_unix_ns = served_t0 + 2000000;
	served_event(s, agents[0].id, 3, &rec);
	MUST(store_commit(s->p.store, &must_err));
	people_token(s->p.store, "admin-token", "root", "admin");
	people_token(s->p.store, "viewer-token", "vera", "viewer");
}

static inline void served_start(struct served *s)
{
	char cert[128], key[128];
	struct api_config cfg = { .address = "127.0.0.1:0", .cert_file = cert, .key_file = key };

	memset(s, 0, sizeof(*s));
	people_open(&s->p);
	people_certificates(s->p.dir);
	served_fill(s);
	snprintf(cert, sizeof(cert), "%s/server.pem", s->p.dir);
	snprintf(key, sizeof(key), "%s/server.key", s->p.dir);
	snprintf(s->ca, sizeof(s->ca), "%s/ca.pem", s->p.dir);
	snprintf(s->token, sizeof(s->token), "%s/token", s->p.dir);
	MUST(file_write_atomic(s->token, SLICE_LIT("admin-token\n"), 0600, &must_err));
	MUST(loop_new(&s->loop, &must_err));
	MUST(api_new(s->loop, s->p.store, &s->p.clk, &cfg, NULL, NULL, &s->api, &must_err));
	snprintf(s->url, sizeof(s->url), "https://127.0.0.1:%d", api_port(s->api));
	assert_int_equal(pthread_create(&s->thread, NULL, served_run, s), 0);
}

static inline void served_stop(struct served *s)
{
	atomic_store(&s->must_stop, true);
	pthread_join(s->thread, NULL);
	api_free(s->api);
	loop_free(s->loop);
	people_close(&s->p);
}
