/* alert_feed.c - an agent that enrols and sends findings, each of them an alert of its own; for fault scripts.
 *
 *   alert_feed TOKEN STATE_DIR COUNT PER_SECOND [RULES [PRIORITY]]
 *
 * Finding i is of rule "Feed rule i mod RULES", in a container "feed-<epoch>-i" of image "feed:<i mod 7>". Sends
 * batches of what is due each 20 ms and prints "sent=… acked=… seconds=…". */
#include <stdio.h>
#include <stdlib.h>

#include "agent/uplink/uplink.h"
#include "common/file.h"
#include "common/wire.h"
#include "proto/msg.h"

enum { BATCH_MAX = 500, PATIENCE_MS = 60000 };

struct feed {
	struct loop *loop;
	struct wire_client *client;
	struct arena *arena;
	char agent[64];
	uint64_t epoch, made, acked, count, rules;
	double per_second;
	uint32_t next_id;
	bool is_open, is_ready, is_waiting;
	char *priority;
};

static int write_record(const struct feed *f, uint64_t i, struct buf *out, struct err *err)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Finding finding = PICKET__FINDING__INIT;
	Picket__Process process = PICKET__PROCESS__INIT;
	Picket__Container box = PICKET__CONTAINER__INIT;
	char rule[64], id[80], name[64], image[32], args[64], output[128];

	snprintf(rule, sizeof(rule), "Feed rule %llu", (unsigned long long)(i % f->rules));
	snprintf(id, sizeof(id), "%016llx%048llx", (unsigned long long)f->epoch, (unsigned long long)i);
	snprintf(name, sizeof(name), "feed-%llu", (unsigned long long)i);
	snprintf(image, sizeof(image), "feed:%llu", (unsigned long long)(i % 7));
	int n = snprintf(args, sizeof(args), "feed%c%llu%c", 0, (unsigned long long)i, 0);
	snprintf(output, sizeof(output), "feed %llu ran", (unsigned long long)i);
	process.pid = 1000 + (uint32_t)(i % 30000);
	process.name = msg_bytes(SLICE_LIT("feed"));
	process.exe = msg_bytes(SLICE_LIT("/usr/bin/feed"));
	process.args = msg_bytes(slice_from(args, (size_t)n));
	box.id = id;
	box.name = msg_bytes(slice_of(name));
	box.image = msg_bytes(slice_of(image));
	finding.rule = rule;
	finding.priority = f->priority;
	finding.output = output;
	finding.event_type = PICKET__EVENT_TYPE__EVENT_EXEC;
	finding.process = &process;
	finding.container = &box;
	rec.time_unix_ns = clock_unix_ns(clock_real());
	rec.body_case = PICKET__RECORD__BODY_FINDING;
	rec.finding = &finding;
	return msg_pack_record(&rec, out, err);
}

static int send_batch(struct feed *f, uint64_t count, struct err *err)
{
	static struct buf packed[BATCH_MAX];
	static struct slice all[BATCH_MAX];
	CLEANUP(buf_finip) struct buf batch = { 0 };
	int r = 0;

	for (uint64_t i = 0; i < count && r >= 0; i++) {
		buf_reset(&packed[i]);
		r = write_record(f, f->made + i, &packed[i], err);
		all[i] = buf_slice(&packed[i]);
	}
	buf_init(&batch, LIMIT_MESSAGE_BYTES);
	if (r >= 0)
		r = msg_pack_batch(f->agent, f->epoch, f->made + 1, 0, all, (size_t)count, &batch, err);
	if (r >= 0)
		r = wire_request(f->client, ++f->next_id, buf_slice(&batch), err);
	if (r >= 0) {
		f->made += count;
		f->is_waiting = true;
	}
	return r;
}

static void say_hello(struct feed *f)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	Picket__Request rq = PICKET__REQUEST__INIT;
	Picket__Hello hello = PICKET__HELLO__INIT;
	char host[] = "feed-host", machine[] = "feed-machine";
	struct err err = { 0 };

	rq.protocol = PROTO_VERSION;
	rq.agent_id = f->agent;
	rq.body_case = PICKET__REQUEST__BODY_HELLO;
	rq.hello = &hello;
	hello.hostname = host;
	hello.machine_id = machine;
	hello.epoch = f->epoch;
	hello.first_seq = f->acked + 1;
	hello.next_seq = f->made + 1;
	buf_init(&b, LIMIT_MESSAGE_BYTES);
	if (msg_pack_request(&rq, &b, &err) < 0 || wire_request(f->client, ++f->next_id, buf_slice(&b), &err) < 0)
		fprintf(stderr, "alert_feed: hello: %s\n", err.msg);
}

static void on_open(void *arg)
{
	struct feed *f = arg;

	f->is_open = true;
	f->is_ready = f->is_waiting = false;
	say_hello(f);
}

static void on_reply(void *arg, uint32_t id, struct slice msg)
{
	struct feed *f = arg;
	Picket__Reply *reply = NULL;
	struct err err = { 0 };

	(void)id;
	arena_reset(f->arena);
	if (msg_read_reply(msg, f->arena, &reply, &err) < 0) {
		fprintf(stderr, "alert_feed: %s\n", err.msg);
		return;
	}
	if (reply->body_case == PICKET__REPLY__BODY_ACK || reply->body_case == PICKET__REPLY__BODY_HELLO) {
		f->acked = reply->body_case == PICKET__REPLY__BODY_ACK ? reply->ack->stored_seq : reply->hello->stored_seq;
		f->is_ready = true;
	} else if (reply->body_case == PICKET__REPLY__BODY_REFUSAL) {
		fprintf(stderr, "alert_feed: refused: %d\n", reply->refusal->reason);
	}
	f->made = f->acked; /* what was refused, or sent before a cut, goes again */
	f->is_waiting = false;
}

static void on_close(void *arg)
{
	((struct feed *)arg)->is_open = ((struct feed *)arg)->is_ready = false;
}

static void on_failed(void *arg, const char *why)
{
	(void)arg;
	fprintf(stderr, "alert_feed: %s\n", why);
}

static int read_state(const char *dir, const char *name, struct buf *ret, struct err *err)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return file_read(path, 65536, ret, err);
}

static int feed(struct feed *f)
{
	uint64_t begun = clock_boot_ns(clock_real()), progress = begun, last = 0;
	struct err err = { 0 };

	while (f->acked < f->count) {
		uint64_t now = clock_boot_ns(clock_real()), due = (uint64_t)((double)(now - begun) / 1e9 * f->per_second);

		loop_step(f->loop, 5);
		if (due > f->count)
			due = f->count;
		if (f->acked > last) {
			last = f->acked;
			progress = now;
		}
		if (now - progress > PATIENCE_MS * 1000000ull)
			return 7;
		if (f->is_ready && !f->is_waiting && due > f->made &&
		    send_batch(f, due - f->made > BATCH_MAX ? BATCH_MAX : due - f->made, &err) < 0)
			fprintf(stderr, "alert_feed: %s\n", err.msg);
	}
	printf("sent=%llu acked=%llu seconds=%.2f\n", (unsigned long long)f->made, (unsigned long long)f->acked,
	       (double)(clock_boot_ns(clock_real()) - begun) / 1e9);
	return 0;
}

static int join(struct feed *f, const char *token, const char *dir, struct err *err)
{
	static const struct wire_client_ops ops = { on_open, on_reply, on_close, on_failed };
	static struct buf ca, cert, key;
	struct enrol_result res;
	int r = file_make_dirs(dir, 0700, err);

	if (r >= 0)
		r = uplink_enrol(token, NULL, dir, "feed-host", "feed-machine", true, PATIENCE_MS, &res, err);
	if (r >= 0)
		r = read_state(dir, "ca.pem", &ca, err);
	if (r >= 0)
		r = read_state(dir, "agent.pem", &cert, err);
	if (r >= 0)
		r = read_state(dir, "agent.key", &key, err);
	if (r < 0)
		return r;
	snprintf(f->agent, sizeof(f->agent), "%s", res.agent_id);
	const struct wire_tls tls = { .ca_pem = buf_slice(&ca), .cert_pem = buf_slice(&cert), .key_pem = buf_slice(&key),
				      .server_name = res.server_name };
	r = loop_new(&f->loop, err);
	return r < 0 ? r : wire_client_new(f->loop, res.url, &tls, &ops, f, &f->client, err);
}

int main(int argc, char **argv)
{
	struct feed f = { .arena = arena_new(LIMIT_ARENA_BYTES), .epoch = clock_unix_ns(clock_real()) };
	struct err err = { 0 };

	if (argc < 5 || argc > 7) {
		fprintf(stderr, "usage: alert_feed TOKEN STATE_DIR COUNT PER_SECOND [RULES [PRIORITY]]\n");
		return 2;
	}
	f.count = strtoull(argv[3], NULL, 10);
	f.per_second = atof(argv[4]);
	f.rules = argc > 5 ? strtoull(argv[5], NULL, 10) : 3;
	f.priority = argc > 6 ? argv[6] : (char[]){ "Error" };
	if (!f.rules || !(f.per_second > 0) || !f.arena)
		return 2;
	if (join(&f, argv[1], argv[2], &err) < 0) {
		fprintf(stderr, "alert_feed: %s\n", err.msg);
		return 6;
	}
	int r = feed(&f);
	wire_client_free(f.client);
	loop_free(f.loop);
	arena_free(f.arena);
	return r;
}
