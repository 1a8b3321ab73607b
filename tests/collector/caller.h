/* caller.h - a client of the collector's doors, on the test's own loop, and a folder to live in. */
#pragma once
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/wire.h"
#include "proto/msg.h"
#include "tests/common/pki.h"

enum { PATIENCE_MS = 20000 };

#define OK PKI_MUST
/* protobuf-c has no const in its structs. */
#define TEXT(s) ((char *)(uintptr_t)(s))

struct caller {
	struct loop *loop;
	struct wire_client *client;
	struct arena *arena;
	uint32_t next_id;
	unsigned ups, downs, failures, replies, acks;
	unsigned refused[16]; /* by reason */
	char failed[200];
	Picket__Reply *last; /* until the next one */
};

static inline uint64_t now_ms(void)
{
	return clock_boot_ns(clock_real()) / 1000000;
}

#define UNTIL(loop, cond)                                                                          \
	do {                                                                                       \
		uint64_t end_ = now_ms() + PATIENCE_MS;                                            \
		while (!(cond) && now_ms() < end_)                                                 \
			loop_step(loop, 10);                                                       \
		if (!(cond))                                                                       \
			fail_msg("never: %s", #cond);                                              \
	} while (0)

static inline void caller_on_up(void *arg)
{
	((struct caller *)arg)->ups++;
}

static inline void caller_on_reply(void *arg, uint32_t id, struct slice msg)
{
	struct caller *c = arg;

	(void)id;
	arena_reset(c->arena);
	OK(msg_read_reply(msg, c->arena, &c->last, err));
	c->replies++;
	c->acks += c->last->body_case == PICKET__REPLY__BODY_ACK;
	if (c->last->body_case == PICKET__REPLY__BODY_REFUSAL)
		c->refused[c->last->refusal->reason & 15]++;
}

static inline void caller_on_down(void *arg)
{
	((struct caller *)arg)->downs++;
}

static inline void caller_on_failed(void *arg, const char *why)
{
	struct caller *c = arg;

	c->failures++;
	snprintf(c->failed, sizeof(c->failed), "%s", why);
}

/* Dials; does not wait. */
static inline void caller_dial(struct caller *c, struct loop *loop, int port, const struct wire_tls *tls)
{
	static const struct wire_client_ops ops = { caller_on_up, caller_on_reply, caller_on_down,
						    caller_on_failed };
	char url[80];

	*c = (struct caller){ .loop = loop, .arena = arena_new(LIMIT_ARENA_BYTES) };
	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", port);
	OK(wire_client_new(loop, url, tls, &ops, c, &c->client, err));
}

static inline void caller_hang_up(struct caller *c)
{
	wire_client_free(c->client);
	arena_free(c->arena);
	*c = (struct caller){ 0 };
}

static inline void caller_send(struct caller *c, struct slice msg)
{
	OK(wire_request(c->client, ++c->next_id, msg, err));
}

/* Sends and waits for the answer, which lives until the next one. */
static inline const Picket__Reply *caller_ask(struct caller *c, struct slice msg)
{
	unsigned before = c->replies;

	caller_send(c, msg);
	UNTIL(c->loop, c->replies > before || c->downs);
	if (c->replies == before)
		fail_msg("cut instead of answered");
	return c->last;
}

/* Packed as it is, without the checks of msg_pack_request. */
static inline struct buf caller_pack(const Picket__Request *rq)
{
	struct buf b;
	size_t n = picket__request__get_packed_size(rq);

	buf_init(&b, 2 * WIRE_MAX_MESSAGE_BYTES);
	char *p = buf_reserve(&b, n + 1);
	assert_non_null(p);
	picket__request__pack(rq, (uint8_t *)p);
	buf_written(&b, n);
	return b;
}

static inline int folder_remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st, (void)flag, (void)f;
	return remove(path);
}

static inline void folder_make(char dir[64])
{
	snprintf(dir, 64, "/tmp/picket-doors-XXXXXX");
	assert_non_null(mkdtemp(dir));
}

static inline void folder_remove(const char *dir)
{
	nftw(dir, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
