/* authz_priv.h - what the files of this folder share. */
#pragma once
#include "agent/guard/authz/authz.h"
#include "common/buf.h"

enum {
	AUTHZ_ARENA_BYTES = 64 << 20,  /* of one request: its body, decoded and read */
	AUTHZ_ANSWER_BYTES = 4 << 20,  /* of one answer of the engine's */
	AUTHZ_CONNECTIONS = 256,
	AUTHZ_HEAD_BYTES = 16384,
	AUTHZ_REQUEST_BYTES = 8 << 20,
	AUTHZ_SLOW_MS = 5000,	       /* for a request to arrive */
	AUTHZ_WAIT_MS = 2000,	       /* for the engine to tell what is not known */
	AUTHZ_ROUNDS = 5,	       /* of questions for one judgement */
	AUTHZ_QUESTIONS = 48,
	AUTHZ_QUIET_MS = 200,	       /* after the policy's last change */
	AUTHZ_FOLLOW_MAX = 4,	       /* container:X of container:Y … */
	AUTHZ_BODY_BYTES = 256 << 10,  /* of a body that is judged; what docker sends is a few KiB */
	AUTHZ_MOUNTS_MAX = 48,	       /* of one container, volumes of others among them */
};

/* ---- body.c ---- */

enum authz_json { AUTHZ_NULL, AUTHZ_BOOL, AUTHZ_NUMBER, AUTHZ_STRING, AUTHZ_OBJECT, AUTHZ_LIST };
struct authz_body {
	enum authz_json type;
	bool is_true;
	struct slice text;	   /* of a string or number; NUL-terminated, no NUL within */
	struct slice name, folded; /* in an object */
	struct authz_body *first, *last, *next;
	size_t count;
};

/* What the engine itself says: names that fold alike (two labels) are no trick there. */
int authz_body_of_engine(struct slice text, struct arena *a, const struct authz_body **ret, struct err *err) WARN_UNUSED;
/* The member by Go's rules; a null is none. NULL: none, or o is no object. */
const struct authz_body *authz_get(const struct authz_body *o, const char *name);
/* The same with a type; absent: NULL, "", false, 0, none. ERR_SYNTAX: of another type. */
int authz_object(const struct authz_body *o, const char *name, const struct authz_body **ret, struct err *err) WARN_UNUSED;
int authz_list(const struct authz_body *o, const char *name, const struct authz_body **ret, struct err *err) WARN_UNUSED;
int authz_text(const struct authz_body *o, const char *name, const char **ret, struct err *err) WARN_UNUSED;
int authz_bool(const struct authz_body *o, const char *name, bool *ret, struct err *err) WARN_UNUSED;
int authz_i64(const struct authz_body *o, const char *name, int64_t *ret, struct err *err) WARN_UNUSED;
int authz_texts(const struct authz_body *o, const char *name, struct arena *a, struct policy_texts *ret,
		struct err *err) WARN_UNUSED;

/* ---- envelope.c ---- */

/* The body of POST /AuthZPlugin.AuthZReq; everything in the arena. ERR_SYNTAX, ERR_LIMIT. */
int authz_envelope(struct slice text, struct arena *a, struct authz_request *ret, struct err *err) WARN_UNUSED;

/* ---- path.c ---- */

/* As Go's path.Clean, for a path from the root, in place. */
void authz_clean(char *path);
/* Decodes into dst; returns the length. is_query: '+' is a blank. */
int authz_percent(struct slice s, bool is_query, char *dst, size_t size, struct err *err) WARN_UNUSED;
/* A parameter of the query, decoded, in the arena; "" if it isn't there. ERR_SYNTAX: there twice, undecodable. */
int authz_query(struct slice query, const char *name, struct arena *a, const char **ret, struct err *err) WARN_UNUSED;

/* ---- workload.c ---- */

/* Config and HostConfig, as in a request to create or an answer to inspect; both nullable. */
int authz_workload_of(const struct authz_body *config, const struct authz_body *host, struct arena *a,
		      struct policy_workload *ret, struct err *err) WARN_UNUSED;
/* Of an EndpointsConfig (nullable) or what inspect says. */
int authz_networks(const struct authz_body *endpoints, struct arena *a, struct policy_workload *w, struct err *err) WARN_UNUSED;
/* Every text "", no pointer NULL. */
void authz_workload_init(struct policy_workload *w);
/* User as declared; "" root. */
void authz_workload_set_user(struct policy_workload *w, const char *user);

/* ---- mounts.c ---- */

int authz_mounts(const struct authz_body *config, const struct authz_body *host, struct arena *a,
		 struct policy_workload *w, struct err *err) WARN_UNUSED;
/* Driver and its options (nullable) of a volume, into m. */
int authz_volume_options(const char *driver, const struct authz_body *options, struct arena *a, struct policy_mount *m,
			 struct err *err) WARN_UNUSED;

/* ---- bounds.c ---- */

/* Lists and maps of a Config or HostConfig (nullable) that hold more than is judged: ERR_LIMIT, by name. */
int authz_bounds(const struct authz_body *o, struct err *err) WARN_UNUSED;

/* ---- seccomp.c ---- */

/* Does the profile let through what the engine's default refuses? true also for one that can't be read. Pure. */
bool authz_seccomp_is_weaker(struct slice profile, struct arena *a);

/* ---- resolve.c ---- */

/* Fills real, dev, ino and protects of every mount that has something of the host in it. */
void authz_resolve(const struct policy *p, struct policy_workload *w, struct arena *a);

/* ---- devices.c ---- */

/* Adds, beside each device that goes by a link or another node's name, the device that it really is: the engine
 * follows links. What can't be followed may be any: "/dev". */
void authz_resolve_devices(struct policy_workload *w, struct arena *a);

/* ---- host.c: what the engine says, asked for one judgement ---- */

struct authz_host;
/* docker_socket: "" nobody to ask. scan_path: "" no scan state. */
int authz_host_new(struct loop *l, const char *docker_socket, const char *scan_path, struct authz_host **ret,
		   struct err *err) WARN_UNUSED;
void authz_host_free(struct authz_host *h);
DEFINE_CLEANUP(struct authz_host, authz_host_free)

/* Asks the engine for its version, once it has answered no more; what is open in it is a warning of the log. */
void authz_host_ask_version(struct authz_host *h);

struct authz_asked; /* the questions of one judgement and their answers */
struct authz_asked *authz_asked_new(struct authz_host *h) WARN_UNUSED;
/* For authz_judge, with the authz_asked as arg. */
extern const struct authz_ops authz_host_ops;
/* Puts what the last judgement had to ask; done is called once, from the loop, when all is answered. false: nothing. */
bool authz_asked_put(struct authz_asked *q, loop_fn done, void *arg);
/* No call of done after it. */
void authz_asked_free(struct authz_asked *q);

/* An image's, a container's, a volume's, an exec's JSON; pure. */
int authz_read_image(struct slice text, struct arena *a, struct policy_workload *w, struct err *err) WARN_UNUSED;
int authz_read_container(struct slice text, struct arena *a, struct policy_workload *ret, struct err *err) WARN_UNUSED;
int authz_read_volume(struct slice text, struct arena *a, struct policy_mount *m, struct err *err) WARN_UNUSED;
int authz_read_exec(struct slice text, struct arena *a, struct authz_exec *ret, struct err *err) WARN_UNUSED;
int authz_read_network(struct slice text, struct arena *a, const char **ret, struct err *err) WARN_UNUSED;
/* Of the agent's file, read: {"images":{"sha256:…":{"scanned":UNIX_S,"worst":"high"}}}. What is not in it is not scanned. */
void authz_read_scan(const struct authz_body *scans, const char *image_id, struct policy_workload *w);
/* The path of a question below the engine's API; "" for a name that would lead elsewhere. */
const char *authz_question_path(const char *before, const char *name, const char *after, struct arena *a);

/* ---- engine_version.c ---- */

/* CVEs of plugins' blindness that are open in the version, as upstream numbers it, with blanks between. false: no version. */
bool authz_engine_holes(struct slice version, char *dst, size_t size);

/* ---- server.c: HTTP ---- */

struct server;
struct server_call; /* one request that waits for its answer */
/* path: "/AuthZPlugin.AuthZReq"; body borrowed for the call. Must answer, now or later, by server_answer. */
typedef void (*server_fn)(void *arg, struct server_call *c, struct slice path, struct slice body);
/* A call ended without an answer: its peer went away. Forget it. */
typedef void (*server_gone_fn)(void *arg, struct server_call *c);
int server_new(struct loop *l, const char *path, int inherited_fd, server_fn fn, server_gone_fn gone, void *arg,
	       struct server **ret, struct err *err) WARN_UNUSED;
void server_answer(struct server_call *c, unsigned status, struct slice json);
/* For the handler: what it keeps about the call. */
void server_call_set(struct server_call *c, void *p);
void *server_call_get(const struct server_call *c);
void server_free(struct server *s);
