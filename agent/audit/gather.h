/* gather.h - facts brought together: the engine is asked, then the kernel. For the command line and the audit's worker.
 *
 * Waits: of the engine GATHER_TIMEOUT_MS a request at most. */
#pragma once
#include "agent/audit/audit.h"
#include "common/buf.h"

enum { GATHER_TIMEOUT_MS = 10000, GATHER_CONTAINERS_MAX = 10000, GATHER_IMAGES_MAX = 10000 };

struct gather;

/* What is known of an image's files. id: "sha256:…"; where: as gather_use_stock was told; in a. ENOENT: nothing. */
typedef int (*gather_stock_fn)(const char *id, const char *where, struct arena *a, struct facts_stock *ret, struct err *err);

/* docker_socket, proc_root ("/proc"): borrowed until gather_free. Nothing is asked yet. */
int gather_new(const char *docker_socket, const char *proc_root, struct gather **ret, struct err *err) WARN_UNUSED;
void gather_free(struct gather *g);
DEFINE_CLEANUP(struct gather, gather_free)

/* Every image is completed by it, where it knows the image: the room that can look into images is another, and whoever
 * knows both hands it over. where: borrowed until gather_free. */
void gather_use_stock(struct gather *g, gather_stock_fn fn, const char *where);

/* Asks the agent that runs here which files it sees writes of; in a. where: its folder for sockets. Errors: there is none. */
typedef int (*gather_watched_fn)(const char *where, struct arena *a, struct facts_texts *ret, struct err *err);
void gather_use_watched(struct gather *g, gather_watched_fn fn, const char *where);
/* Completes the host, where that is to be judged. */
void gather_watched(struct gather *g);

/* The host and the engine, in the gatherer's own arena until the next call. An engine that does not answer is no error:
 * *ret_daemon says so (is_known, why). */
int gather_host(struct gather *g, const struct facts_host **ret_host, const struct facts_daemon **ret_daemon,
		struct err *err) WARN_UNUSED;
/* known: what facts_known_write said of it the last time (nullable): its filter is not read again where that holds.
 * One container by id or name, whole: its execs, the devices behind its volumes, the kernel's side, its image. *ret_image:
 * what could be had of it, asked for once for all its containers until the next gather_host, and borrowed until then; the
 * container is in a. ENOENT: no such container. gather_host first. */
int gather_container(struct gather *g, const char *id, const struct facts_known *known, struct arena *a, struct facts_container *ret,
		     struct facts_image *ret_image, struct err *err) WARN_UNUSED;
/* These containers will be wanted in this order: the engine is asked for the next one while the kernel is read for one.
 * After gather_host. ids: borrowed as long as gather_container is called; one that is not wanted after all is no harm. */
void gather_ahead(struct gather *g, const char *const *ids, size_t count);
/* An image by id or name, with its history. ENOENT. */
int gather_image(struct gather *g, const char *id, struct arena *a, struct facts_image *ret, struct err *err) WARN_UNUSED;
/* What it is built on: base_latest, borrowed until the next gather_host. For who judges the image itself. */
void gather_base(struct gather *g, struct facts_image *image);
/* Ids of all containers, running or not; of all images. In a. */
int gather_containers(struct gather *g, struct arena *a, struct facts_texts *ret, struct err *err) WARN_UNUSED;
int gather_images(struct gather *g, struct arena *a, struct facts_texts *ret, struct err *err) WARN_UNUSED;
