/* fixture.h - a store in a folder of its own, and records to put into it. */
#pragma once
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "collector/store/store.h"

#define DAY_NS (24ull * 3600 * 1000000000)
#define SECOND_NS 1000000000ull
#define T0 1795400000000000000ull /* 2026-11-23T02:13:20Z */

#define OK(call)                                                                                   \
	do {                                                                                       \
		struct err *ok_err_ = &err;                                                        \
		err.msg[0] = 0;                                                                    \
		int ok_r_ = (call);                                                                \
		if (ok_r_ < 0)                                                                     \
			fail_msg("%s: %d %s", #call, ok_r_, ok_err_->msg);                         \
	} while (0)

struct fixture {
	char dir[64];
	struct clock clk;
	struct store *s;
	struct store_config cfg;
};

static inline int fixture_remove(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

static inline void fixture_open(struct fixture *f)
{
	struct err err;

	f->cfg.dir = f->dir;
	if (!f->cfg.reserve_bytes)
		f->cfg.reserve_bytes = 1;
	OK(store_open(&f->cfg, &f->clk, &f->s, &err));
}

static inline void fixture_init(struct fixture *f)
{
	*f = (struct fixture){ .clk = clock_fake(T0) };
	snprintf(f->dir, sizeof(f->dir), "/tmp/picket-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	fixture_open(f);
}

static inline void fixture_reopen(struct fixture *f)
{
	store_close(f->s);
	f->s = NULL;
	fixture_open(f);
}

static inline void fixture_fini(struct fixture *f)
{
	store_close(f->s);
	nftw(f->dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_enrol(struct store *s, const char *id, const char *host)
{
	struct err err;
	struct store_agent a = { .id = id, .host = host, .serial = "01" };

	OK(store_agent_enrol(s, &a, &err));
}

/* One exec as a record, packed into out. */
struct sample {
	const char *container_id, *container, *image, *process, *exe, *args, *user;
	uint32_t pid, uid;
	uint64_t time_unix_ns;
};
static inline struct slice sample_pack(const struct sample *p, struct buf *out)
{
	Picket__Record rec = PICKET__RECORD__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Process proc = PICKET__PROCESS__INIT;
	Picket__Container c = PICKET__CONTAINER__INIT;
	struct err err;

	rec.time_unix_ns = p->time_unix_ns;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	ev.type = PICKET__EVENT_TYPE__EVENT_EXEC;
	ev.process = &proc;
	proc.pid = p->pid;
	proc.uid = p->uid;
	proc.name = msg_bytes(slice_of(p->process));
	proc.exe = msg_bytes(slice_of(p->exe));
	proc.args = msg_bytes(slice_of(p->args));
	proc.user = msg_bytes(slice_of(p->user));
	if (p->container_id) {
		ev.container = &c;
		c.id = (char *)(uintptr_t)p->container_id;
		c.name = msg_bytes(slice_of(p->container));
		c.image = msg_bytes(slice_of(p->image));
	}
	buf_reset(out);
	OK(msg_pack_record(&rec, out, &err));
	return buf_slice(out);
}

/* Puts a packed record into the history, as intake does. */
static inline int put_packed(struct store *s, const char *agent, uint64_t epoch, uint64_t seq,
			     struct slice packed, struct err *err)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(LIMIT_ARENA_BYTES);
	Picket__Record *rec;
	int r = msg_read_record(packed, a, &rec, err);

	return r < 0 ? r : store_history_add(s, agent, epoch, seq, packed, rec, err);
}
