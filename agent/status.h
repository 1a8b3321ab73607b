/* status.h - a unix socket that answers each connection with one JSON document, and its reader. */
#pragma once
#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"
#include "common/loop.h"

struct status_server;
typedef void (*status_fn)(void *arg, struct json *j);

/* Listens on RUN_DIR/agent.sock (0600, the folder is made). fn writes the members of one object. */
int status_server_new(struct loop *l, const char *run_dir, status_fn fn, void *arg,
		      struct status_server **ret, struct err *err) WARN_UNUSED;
void status_server_free(struct status_server *s);

/* A listening unix socket in RUN_DIR. */
struct status_socket {
	int fd;
	char path[108];
};
int status_listen(const char *run_dir, const char *name, struct status_socket *ret, struct err *err) WARN_UNUSED;
void status_unlisten(struct status_socket *s);
/* Reads what the running agent says at the socket until it closes; at most the buffer's cap.
 * Errors: ERR_PEER when there is none, EACCES, ETIMEDOUT. */
int status_fetch(const char *run_dir, const char *name, unsigned patience_s, struct buf *ret,
		 struct err *err) WARN_UNUSED;

/* `picket-agent status [--json]`. Returns the exit code: 0 healthy, 1 not, 6 not running. */
int status_show(const char *run_dir, bool as_json);
