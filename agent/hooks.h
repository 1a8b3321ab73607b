/* hooks.h - `picket-agent status --hooks`: what each program in the kernel costs.
 *
 * Asking turns the kernel's measuring on for a second, so the answer comes a second later. All who ask
 * meanwhile get the same answer. */
#pragma once
#include "common/err.h"
#include "common/json.h"
#include "common/loop.h"

struct hooks_server;

struct hooks_ops {
	void (*begin)(void *arg);		  /* measuring begins */
	void (*write)(void *arg, struct json *j); /* it ends: the members of one object */
};

/* Listens on RUN_DIR/hooks.sock (0600). */
int hooks_server_new(struct loop *l, const char *run_dir, const struct hooks_ops *ops, void *arg,
		     struct hooks_server **ret, struct err *err) WARN_UNUSED;
void hooks_server_free(struct hooks_server *s);

/* Prints it. Returns the exit code: 0, 6 when no agent answers. */
int hooks_show(const char *run_dir, bool as_json);
