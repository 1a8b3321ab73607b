/* good.h - facts in which every check passes or does not apply: each case changes what it is about, and nothing else. */
#pragma once
#include "agent/audit/audit.h"

enum { GOOD_ROWS = 12 };
#define GOOD_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define GOOD_DIGEST "registry.example/app@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct good {
	struct facts_host host;
	struct facts_daemon daemon;
	struct facts_image image;
	struct facts_container c;
	struct facts_asked *asked; /* of c */
	struct facts_real *real;
	struct facts_process *init;
	/* room for rows */
	struct facts_process processes[GOOD_ROWS];
	struct facts_mount mounts[GOOD_ROWS];
	struct facts_asked_mount asked_mounts[GOOD_ROWS];
	struct facts_port ports[GOOD_ROWS];
	struct facts_network networks[GOOD_ROWS];
	struct facts_exec execs[GOOD_ROWS];
	struct facts_ulimit ulimits[1];
	struct facts_listener listeners[GOOD_ROWS];
	struct facts_listen listens[GOOD_ROWS];
	struct facts_bridge bridges[GOOD_ROWS];
	struct facts_user users[GOOD_ROWS];
	struct facts_file files[GOOD_ROWS];
	const char *texts[40][GOOD_ROWS];
	size_t texts_used;
	bool has_image;
};

void good_init(struct good *w);
struct audit_input good_input(const struct good *w);

/* What cases do. */
void good_stop(struct good *w, enum facts_state s); /* the container does not run: nothing is known from the kernel */
void good_set(struct good *w, struct facts_texts *t, const char *a, const char *b);
void good_seen_as_privileged(struct good *w);
struct facts_mount *good_mount(struct good *w, const char *host_path, const char *point, bool is_writable);
struct facts_asked_mount *good_asked_mount(struct good *w, const char *source, const char *dest, bool is_writable);
struct facts_process *good_process(struct good *w, uid_t uid);
void good_exec(struct good *w, const char *user, bool is_privileged, bool is_running);
void good_port(struct good *w, const char *ip, uint16_t host_port, uint16_t port);
void good_listener(struct good *w, const char *address, uint16_t port);
void good_listen(struct good *w, const char *address, bool is_tcp, enum facts_tri has_tls);
struct facts_file *good_file(struct good *w, const char *path, mode_t mode);
void good_allow(struct facts_filter *f, int call);
