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

/* A file opened, one that could not be, a connection, a mount, a response: with names made to harm. */
static inline void served_calls(struct served *s, const char *agent, struct people_finding *f)
{
	static char opened[] = "openat", connected[] = "connect", renamed[] = "renameat2", mounted[] = "mount",
		    tcp[] = "tcp", kill_word[] = "kill", why[] = "dry run", none[] = "";
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__File file = PICKET__FILE__INIT;
	Picket__Network net = PICKET__NETWORK__INIT;
	Picket__Action action = PICKET__ACTION__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;

	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	rec.time_unix_ns = served_t0 + 3000000;
	ev.process = &f->process;
	ev.container = &f->container;
	ev.type = PICKET__EVENT_TYPE__EVENT_FILE;
	ev.call = opened;
	ev.result = 3;
	ev.file = &file;
	file.path = people_bytes("/etc/shadow");
	file.raw = people_bytes("../etc/shadow");
	file.open_flags = 02000000;
	file.file_mode = 0100640;
	file.inode = 77;
	file.dev = 2049;
	served_event(s, agent, 4, &rec);
	file.path = people_bytes("/tmp/\033]0;owned\007\nname\xe2\x80\xae");
	file.raw = file.path;
	file.open_flags = 0101 | 01000;
	file.mode = 0600;
	ev.result = -13;
	served_event(s, agent, 5, &rec);
	file = (Picket__File)PICKET__FILE__INIT;
	file.path = people_bytes("/tmp/a");
	file.raw = file.path;
	file.target = people_bytes("/usr/bin/b");
	ev.call = renamed;
	ev.result = 0;
	served_event(s, agent, 6, &rec);
	ev.type = PICKET__EVENT_TYPE__EVENT_NETWORK;
	ev.call = connected;
	ev.file = NULL;
	ev.network = &net;
	net.protocol = tcp;
	net.local_address = msg_bytes(SLICE_LIT("\x0a\x00\x00\x07"));
	net.local_port = 40000;
	net.remote_address = msg_bytes(SLICE_LIT("\xcb\x00\x71\x09"));
	net.remote_port = 443;
	served_event(s, agent, 7, &rec);
	ev.type = PICKET__EVENT_TYPE__EVENT_CALL;
	ev.call = mounted;
	ev.network = NULL;
	ev.args = people_bytes("dev=/dev/sda1 dir=/mnt type=ext4 flags=0");
	served_event(s, agent, 8, &rec);
	ev.type = PICKET__EVENT_TYPE__EVENT_ACTION;
	ev.call = none;
	ev.args = people_bytes("");
	ev.action = &action;
	action.kind = kill_word;
	action.rule = f->finding.rule;
	action.dry_run = true;
	action.why = why;
	served_event(s, agent, 9, &rec);
	MUST(alert_add_action(s->p.store, &(struct alert_config){ 0 }, agent, "host-07", 5, 9, &rec, &must_err));
}

/* One that says how it is: two matches folded, a hook that could not be attached. */
static inline void served_heartbeat(struct served *s, const char *agent)
{
	static char exec[] = "sched_process_exec", uring[] = "io_uring", why[] = "not in this kernel\033[2J", none[] = "";
	Picket__Heartbeat hb = PICKET__HEARTBEAT__INIT;
	Picket__Sensor sensors[2] = { PICKET__SENSOR__INIT, PICKET__SENSOR__INIT };
	Picket__Sensor *list[2] = { &sensors[0], &sensors[1] };

	sensors[0].name = exec;
	sensors[0].attached = true;
	sensors[0].why_not = none;
	sensors[1].name = uring;
	sensors[1].why_not = why;
	hb.n_sensors = 2;
	hb.sensors = list;
	hb.folded = 2;
	hb.actions = 1;
	hb.lost_volume = 7;
	MUST(store_agent_heartbeat(s->p.store, agent, &hb, &must_err));
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
	served_heartbeat(s, agents[1].id);
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
	served_calls(s, agents[0].id, &f);
	MUST(store_commit(s->p.store, &must_err));
	people_token(s->p.store, "admin-token", "root", "admin");
	people_token(s->p.store, "viewer-token", "vera", "viewer");
	people_token(s->p.store, "analyst-token", "anna", "analyst");
}

#define SERVED_AGENT "6f1c3b1e-0000-4000-8000-000000000001" /* of host-07 */

/* Everything but the API: its store may be filled further. */
static inline void served_prepare(struct served *s)
{
	memset(s, 0, sizeof(*s));
	people_open(&s->p);
	people_certificates(s->p.dir);
	served_fill(s);
	MUST(loop_new(&s->loop, &must_err));
}

static inline void served_run_api_with(struct served *s, const struct api_ops *ops, void *arg)
{
	char cert[128], key[128];
	struct api_config cfg = { .address = "127.0.0.1:0", .cert_file = cert, .key_file = key };

	snprintf(cert, sizeof(cert), "%s/server.pem", s->p.dir);
	snprintf(key, sizeof(key), "%s/server.key", s->p.dir);
	snprintf(s->ca, sizeof(s->ca), "%s/ca.pem", s->p.dir);
	snprintf(s->token, sizeof(s->token), "%s/token", s->p.dir);
	MUST(file_write_atomic(s->token, SLICE_LIT("admin-token\n"), 0600, &must_err));
	MUST(api_new(s->loop, s->p.store, &s->p.clk, &cfg, ops, arg, &s->api, &must_err));
	snprintf(s->url, sizeof(s->url), "https://127.0.0.1:%d", api_port(s->api));
	assert_int_equal(pthread_create(&s->thread, NULL, served_run, s), 0);
}

static inline void served_run_api(struct served *s)
{
	served_run_api_with(s, NULL, NULL);
}

static inline void served_start(struct served *s)
{
	served_prepare(s);
	served_run_api(s);
}

/* After its thread. */
static inline void served_end(struct served *s)
{
	api_free(s->api);
	loop_free(s->loop);
	people_close(&s->p);
}

static inline void served_stop(struct served *s)
{
	atomic_store(&s->must_stop, true);
	pthread_join(s->thread, NULL);
	served_end(s);
}
