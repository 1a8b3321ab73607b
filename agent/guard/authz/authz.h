/* authz.h - the Docker authorization plugin: who asks for what the policy forbids is refused before it is done.
 *
 *   dockerd -> POST /AuthZPlugin.AuthZReq on our socket -> normalised path -> what kind of request -> its body, read
 *           as Go reads it -> workload -> policy -> {"Allow":false,"Msg":"AC-012 …"} within 50 ms
 *
 * The engine asks for every request of its API and waits; it is never waited for here: what has to be asked of it (an
 * image's digests, another container's mode) comes from what is known, and what is not known on a guarded path is
 * refused. One thread: a loop of its own process (`picket-agent guard`), so that a restart of the agent is none of the
 * plugin's, and a crash of the plugin is healed by systemd's socket: the engine keeps its connection waiting, not failing. */
#pragma once
#include "common/clock.h"
#include "common/loop.h"
#include "common/policy/policy.h"

struct authz;

enum authz_answer { AUTHZ_ALLOW, AUTHZ_DENY, AUTHZ_ERROR };

/* ---- pure: one request ---- */

/* As the engine tells it. Slices borrowed. */
struct authz_request {
	struct slice method, uri, content_type;
	struct slice user, user_method; /* "" on the unix socket */
	struct slice body;  /* decoded from base64; has_body false: none came */
	bool has_body;
};

enum authz_kind {
	AUTHZ_READ,	 /* GET, HEAD, OPTIONS but for those in the list: allowed */
	AUTHZ_CREATE, AUTHZ_START, AUTHZ_EXEC_CREATE, AUTHZ_EXEC_START, AUTHZ_UPDATE, AUTHZ_RENAME, AUTHZ_CONNECT,
	AUTHZ_PULL, AUTHZ_BUILD, AUTHZ_VOLUME_CREATE, AUTHZ_ARCHIVE_PUT, AUTHZ_SERVICE, AUTHZ_PLUGIN, AUTHZ_TAG, AUTHZ_LOAD, AUTHZ_COMMIT,
	AUTHZ_HARMLESS,	 /* stop, kill, remove, wait, attach …: a list, endpoints.def */
	AUTHZ_UNKNOWN,	 /* a writing endpoint that is not in the list: refused */
	AUTHZ_ARCHIVE_GET, AUTHZ_ATTACH, /* what reads or writes where a process of its own would have been refused */
	AUTHZ_GRPC,
	AUTHZ_KIND_COUNT
};
const char *authz_kind_name(enum authz_kind k);
struct authz_path {
	enum authz_kind kind;
	unsigned api_major, api_minor; /* 0: not given */
	char id[512]; /* of the container, image, exec … in the path */
	char path[512]; /* clean, without version; cut */
	struct slice query; /* undecoded */
};
/* Percent-decoded once, version off, cleaned. ERR_SYNTAX: undecodable, NUL, or above 8 KiB. */
int authz_path_read(struct slice method, struct slice uri, struct authz_path *ret, struct err *err) WARN_UNUSED;

/* A JSON text as Go's encoding/json sees it: names folded (ASCII, U+017F, U+212A). ERR_SYNTAX: no JSON, trailing data,
 * deeper than 64, two members of one object that fold alike, NUL, no UTF-8. ERR_LIMIT: 4,096 values. */
struct authz_body; /* in the arena */
int authz_body_read(struct slice text, struct arena *a, const struct authz_body **ret, struct err *err) WARN_UNUSED;
/* The body of POST /containers/create as a workload; query: for name=. ERR_LIMIT: more of something than is judged;
 * ERR_DENIED: something that is not judged at all. */
int authz_workload(const struct authz_body *b, struct slice query, struct arena *a, struct policy_workload *ret,
		   struct err *err) WARN_UNUSED;

/* ---- what the judge has to know of the host ---- */

enum authz_known {
	AUTHZ_NOT_KNOWN, /* nobody told (yet): what depends on it is refused */
	AUTHZ_ABSENT,	 /* there is no such thing here */
	AUTHZ_KNOWN,
};
struct authz_exec {
	const char *container, *user;
	bool is_privileged;
};
/* By reference, name, id or prefix of an id, as the engine itself would find it. What is written lives in the arena. */
struct authz_ops {
	/* image_id, digests, scan; user only where w has none. */
	enum authz_known (*image)(void *arg, const char *reference, struct arena *a, struct policy_workload *w);
	enum authz_known (*container)(void *arg, const char *name, struct arena *a, struct policy_workload *ret);
	/* A named volume's driver, device and what it protects. */
	enum authz_known (*volume)(void *arg, const char *name, struct arena *a, struct policy_mount *m);
	enum authz_known (*exec)(void *arg, const char *id, struct arena *a, struct authz_exec *ret);
	/* A network's name. */
	enum authz_known (*network)(void *arg, const char *id, struct arena *a, const char **ret);
};
struct authz_verdict {
	enum authz_answer answer;
	char message[1024]; /* what `docker run` prints: rule, reason, way out, policy's file:line */
	char rule[16];	    /* "AC-401" of the policy, "AZ-003" of the request's form; "" allowed */
	bool is_monitored;  /* it would have been refused */
	enum authz_kind kind;
	char path[256], container[256], image[256]; /* for the log; cut */
};
/* The whole judgement; pure but for ops and the lookups of bind sources (openat2, no links followed outside). Never fails:
 * what can't be judged on a guarded path is refused. */
void authz_judge(const struct policy *p, const struct authz_request *rq, const struct authz_ops *ops, void *arg,
		 uint64_t now_unix_s, struct authz_verdict *ret);

/* ---- the server ---- */
struct authz_config {
	const char *socket_path;   /* /run/docker/plugins/picket.sock; "" with an inherited descriptor */
	int inherited_fd;	   /* of systemd's socket; -1: none */
	const char *policy_path;   /* /etc/picket/policy.yaml */
	bool is_fail_open;	   /* without a policy that loads: allow (told), else refuse what is guarded */
	const char *docker_socket; /* asked beside the requests, for each anew: a tag may have moved since; "" nobody */
	const char *scan_path;	   /* /run/picket/scan-state.json, written by the agent; "" none */
};
/* A judgement was made; strings borrowed for the call. Told for every guarded request. */
struct authz_told {
	const char *user, *method, *path, *container, *image, *rule, *message;
	enum authz_kind kind;
	bool is_allowed, is_monitored;
	uint64_t took_ns, unix_ns;
};
typedef void (*authz_fn)(void *arg, const struct authz_told *t);
/* A policy that doesn't load is no error here: authz_policy_error says why, and cfg.is_fail_open what happens. */
int authz_new(struct loop *l, const struct clock *clk, const struct authz_config *cfg, authz_fn fn, void *fn_arg,
	      struct authz **ret, struct err *err) WARN_UNUSED;
/* "" the policy in force is the file's. Borrowed until the next reload. */
const char *authz_policy_error(const struct authz *z);
/* Reads the policy again; a broken one leaves the old in force and returns what is wrong. */
int authz_reload(struct authz *z, struct err *err) WARN_UNUSED;
void authz_free(struct authz *z);
DEFINE_CLEANUP(struct authz, authz_free)
