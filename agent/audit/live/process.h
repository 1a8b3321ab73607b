/* process.h - the worker as the agent holds it: started when it is needed, asked one thing at a time, killed when it
 * takes too long. On the loop. */
#pragma once
#include <sys/types.h>

#include "agent/audit/live/frame.h"
#include "common/err.h"
#include "common/loop.h"

struct process;

struct process_ops {
	/* A frame of the question under way; body borrowed for the call. Also FRAME_DONE. */
	void (*on_frame)(void *arg, enum frame_kind kind, struct slice body);
	/* It ended, or was killed: "" by itself with nothing to do. No frame follows. */
	void (*on_end)(void *arg, const char *why);
};

/* argv: argv[0] included, NULL-ended; borrowed until process_free. Nothing is started yet. */
int process_new(struct loop *l, const char *const *argv, const struct process_ops *ops, void *arg, struct process **ret,
		struct err *err) WARN_UNUSED;
/* Starts it if it does not run. line: without its end. Not while a question is under way. After limit_ms without
 * FRAME_DONE it is killed. */
int process_ask(struct process *p, const char *line, uint64_t limit_ms, struct err *err) WARN_UNUSED;
bool process_is_busy(const struct process *p);
/* 0: none runs. */
pid_t process_pid(const struct process *p);
/* Kills it and waits; no callback. NULL is allowed. */
void process_free(struct process *p);
DEFINE_CLEANUP(struct process, process_free)
