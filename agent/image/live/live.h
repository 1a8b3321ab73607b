/* live.h - which images run on this host, what is in them, and which of it is used.
 *
 *   container starts -> its image is new here -> stock is taken (a child process, at idle priority) -> cached
 *        -> the collector is asked what it knows -> what it does not know is sent, in parts
 *   a program of the image starts, a library is mapped -> its package is "used" -> told with the state
 *   once a day: all local images; what digest the registry has for a running image's tag
 *
 * One thread: the loop. Nothing here blocks: images and registries are looked at by children of this program.
 * Nothing is spooled: it can all be said again, and the collector keeps it by content. */
#pragma once
#include "agent/world/world.h"
#include "common/json.h"
#include "proto/msg.h"

struct live;

/* Texts borrowed until live_free. */
struct live_config {
	const char *state_dir;	   /* holds images/: inventories and owners by image id */
	const char *docker_socket; /* "" = no engine: no images */
	const char *proc_root;	   /* "/proc" */
	uint64_t all_every_ms;	   /* all local images, running or not; 0: never */
	uint64_t update_every_ms;  /* the registry is asked for a tag's digest; 0: never */
	uint64_t cache_max_bytes;  /* of state_dir/images */
	const char *registry_ca;   /* "" = the system's */
	const char *docker_config; /* registry credentials; "" = the system's */
};

struct live_ops {
	/* Sends a question (body set) to the collector; its answer comes to live_answer, or NULL there when
	 * there will be none. One at a time. Errors: ENOTCONN, EAGAIN: later. */
	int (*ask)(void *arg, Picket__Request *m, struct err *err);
	/* What is in the image's files is known now (summary_load_files). Nullable. */
	void (*stocked)(void *arg, const char *image_id);
};

int live_new(struct loop *l, struct fetch_pool *fetch, const struct clock *clk, const struct live_config *cfg,
	     const struct live_ops *ops, void *arg, struct live **ret, struct err *err) WARN_UNUSED;
/* Whenever more is known of a container, or it started or stopped. */
void live_container(struct live *v, const struct container *c);
/* A program started in it. path: as the container sees it. is_own: the file lies in the container's own
 * layer, so it is none of the image's. */
void live_exec(struct live *v, const struct container *c, uint32_t pid, struct slice path, bool is_own);
/* Where the guard's policy asks what images' scans found (path, copied; NULL: it doesn't): stock is taken of every image
 * that lies here, soon after it came, and the file holds what the collector says of each. */
void live_want_scans(struct live *v, const char *path);
/* An image came, went, or got another name, as the engine says. */
void live_images_changed(struct live *v);
void live_answer(struct live *v, const Picket__Reply *reply);
/* The collector can be asked (again). */
void live_connected(struct live *v);
/* Members of an object: images in use, known, failed and why. */
void live_write_status(const struct live *v, struct json *j);
void live_free(struct live *v);
DEFINE_CLEANUP(struct live, live_free)

/* The children: main() of picket-agent gives them their arguments. What they found goes to standard output,
 * what went wrong as one line to standard error; returns the exit code. -1: argv names none of them.
 *   image-stock --socket S --dir D [--image ID]    takes stock of ID, writes D/HEX.*; prints a summary
 *   image-pack --dir D --image ID [KEY...]	    D/HEX.zst: the inventory with only these layers' packages
 *   image-digest [--ca F] [--docker-config F] REF  prints the registry's digest */
int live_child_main(int argc, char **argv);
