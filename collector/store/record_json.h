/* record_json.h - the contract's JSON of what the store holds: alerts, and the processes and
 * containers that alerts and events name. Pure; the one place where those names are spelled.
 *
 * Values are what the host said, as JSON strings; whoever puts them before people escapes them again
 * (common/show.h). NUL bytes become U+FFFD, since JSON readers in C stop at them. */
#pragma once
#include "collector/store/store.h"
#include "common/json.h"

/* A value that a container may have chosen: cut at max_bytes. */
void record_json_text(struct json *j, const char *key, struct slice s, size_t max_bytes);
/* "process": {pid, name, exe, cmdline, cwd, user, …, parent{pid, name, exe, cmdline}}; p nullable
 * writes null. */
void record_json_process(struct json *j, const char *key, const Picket__Process *p);
/* "container": {id, name, image, image_digest, …}; null on the host (no id). */
void record_json_container(struct json *j, const char *key, const Picket__Container *c);
/* An alert: the row's columns and the members of its document. */
void record_json_alert(struct json *j, const struct store_alert *al);
/* "agent:epoch:seq" */
enum { RECORD_ID_MAX = 128 };
char *record_json_id(const char *agent, uint64_t epoch, uint64_t seq, char dst[RECORD_ID_MAX]);
