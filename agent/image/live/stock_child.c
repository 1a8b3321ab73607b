/* stock_child.c - what the children do: blocking work on images, away from the agent's loop and memory. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <openssl/evp.h>
#include <zstd.h>

#include "agent/image/image.h"
#include "agent/image/live/live.h"
#include "agent/image/live/summary.h"
#include "common/file.h"
#include "common/text.h"

enum { PATH_BYTES = 4096, ZSTD_LEVEL = 3, IDLE_NICE = 19, IOPRIO_IDLE = 3 << 13, IOPRIO_WHO_PROCESS = 1 };

struct args {
	const char *socket, *dir, *image, *ca, *docker_config;
};

static int read_args(int argc, char **argv, struct args *ret)
{
	static const struct option options[] = { { "socket", required_argument, NULL, 's' },
						 { "dir", required_argument, NULL, 'd' },
						 { "image", required_argument, NULL, 'i' },
						 { "ca", required_argument, NULL, 'c' },
						 { "docker-config", required_argument, NULL, 'g' },
						 { 0 } };

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 's')
			ret->socket = optarg;
		else if (c == 'd')
			ret->dir = optarg;
		else if (c == 'i')
			ret->image = optarg;
		else if (c == 'c')
			ret->ca = optarg;
		else if (c == 'g')
			ret->docker_config = optarg;
		else
			return -1;
	}
	return optind;
}

static int fail(const struct err *err, int r)
{
	fprintf(stderr, "%s\n", err->msg);
	return err_exit_code(r);
}

/* DIR/HEX.suffix */
static int path_of(const struct args *a, const char *suffix, char *dst, struct err *err)
{
	const char *hex = a->image ? strchr(a->image, ':') : NULL;

	if (!a->dir || !hex || strchr(hex, '/') ||
	    (size_t)snprintf(dst, PATH_BYTES, "%s/%s.%s", a->dir, hex + 1, suffix) >= PATH_BYTES)
		return err_set(err, ERR_USAGE, "--dir DIR --image sha256:ID are needed");
	return 0;
}

static int write_file(const struct args *a, const char *suffix, struct slice data, struct err *err)
{
	char path[PATH_BYTES];
	int r = path_of(a, suffix, path, err);

	return r < 0 ? r : file_write_atomic(path, data, 0600, err);
}

/* The summary comes last: where it is, the others are. */
static int keep(const struct args *a, Picket__Inventory *inv, const struct owners *owners, struct err *err)
{
	CLEANUP(buf_finip) struct buf packed = { 0 };
	CLEANUP(buf_finip) struct buf summary = { 0 };
	char path[PATH_BYTES];

	inv->image_id = (char *)(uintptr_t)a->image; /* as containers name it */
	buf_init(&packed, LIMIT_INVENTORY_BYTES + 1);
	buf_init(&summary, SUMMARY_BYTES);
	int r = msg_pack_inventory(inv, &packed, err);
	if (r >= 0)
		r = write_file(a, "inv", buf_slice(&packed), err);
	if (r >= 0)
		r = path_of(a, "own", path, err);
	if (r >= 0)
		r = owners_save(owners, path, err);
	if (r < 0)
		return r;
	summary_write(inv, &summary);
	if (summary.failed)
		return err_set(err, ERR_LIMIT, "the image's summary is too long");
	r = write_file(a, "json", buf_slice(&summary), err);
	if (r >= 0)
		r = file_write_all(1, summary.p, summary.n, err);
	return r;
}

static int command_stock(const struct args *a, struct err *err)
{
	CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	CLEANUP(owners_freep) struct owners *owners = NULL;
	Picket__Inventory *inv = NULL;
	struct image_options o = { .engine_socket = a->socket, .spool_dir = a->dir, .is_idle = true };
	char path[PATH_BYTES];

	if (!arena)
		return err_set(err, ENOMEM, "take stock");
	int r = path_of(a, "inv", path, err);
	if (r >= 0)
		r = image_take_stock(a->image, &o, arena, &inv, &owners, err);
	return r < 0 ? r : keep(a, inv, owners, err);
}

static bool is_wanted(const Picket__Layer *l, char *const *keys, int count)
{
	uint8_t key[LIMIT_KEY_BYTES];

	for (int i = 0; i < count; i++)
		if (text_unhex(slice_of(keys[i]), key, sizeof(key)) == sizeof(key) &&
		    slice_eq(msg_slice(l->key), slice_from(key, sizeof(key))))
			return true;
	return false;
}

static int compress(struct slice in, struct buf *out, struct err *err)
{
	size_t bound = ZSTD_compressBound(in.n);

	buf_init(out, bound + 1);
	char *room = buf_reserve(out, bound);
	if (!room)
		return err_set(err, ENOMEM, "compress an inventory");
	size_t n = ZSTD_compress(room, bound, in.p, in.n, ZSTD_LEVEL);
	if (ZSTD_isError(n))
		return err_set(err, ENOMEM, "compress an inventory: %s", ZSTD_getErrorName(n));
	buf_written(out, n);
	return 0;
}

static int write_packed(const struct args *a, struct slice packed, struct err *err)
{
	CLEANUP(buf_finip) struct buf zst = { 0 };
	uint8_t sha[LIMIT_KEY_BYTES];
	char hex[2 * LIMIT_KEY_BYTES + 1];

	int r = compress(packed, &zst, err);
	if (r >= 0)
		r = write_file(a, "zst", buf_slice(&zst), err);
	if (r < 0)
		return r;
	if (EVP_Digest(packed.p, packed.n, sha, NULL, EVP_sha256(), NULL) != 1)
		return err_set(err, ENOMEM, "SHA-256");
	printf("%s\n", text_hex(sha, sizeof(sha), hex));
	return fflush(stdout) ? err_set(err, errno, "tell what was packed") : 0;
}

/* keys: layers whose packages go along. */
static int command_pack(const struct args *a, char *const *keys, int count, struct err *err)
{
	CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_INVENTORY_ARENA_BYTES);
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(buf_finip) struct buf packed = { 0 };
	Picket__Inventory *inv = NULL;
	char path[PATH_BYTES];

	if (!arena)
		return err_set(err, ENOMEM, "pack an inventory");
	int r = path_of(a, "inv", path, err);
	if (r >= 0)
		r = file_read(path, LIMIT_INVENTORY_BYTES, &text, err);
	if (r >= 0)
		r = msg_read_inventory(buf_slice(&text), arena, &inv, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < inv->n_layers; i++)
		if (!is_wanted(inv->layers[i], keys, count))
			inv->layers[i]->n_packages = 0;
	buf_init(&packed, LIMIT_INVENTORY_BYTES + 1);
	r = msg_pack_inventory(inv, &packed, err);
	return r < 0 ? r : write_packed(a, buf_slice(&packed), err);
}

static int command_digest(const struct args *a, const char *ref, struct err *err)
{
	struct image_options o = { .ca_file = a->ca, .docker_config = a->docker_config };
	char digest[IMAGE_DIGEST_MAX];

	int r = image_registry_digest(ref, &o, digest, err);
	if (r < 0)
		return r;
	printf("%s\n", digest);
	return fflush(stdout) ? err_set(err, errno, "tell the digest") : 0;
}

int live_child_main(int argc, char **argv)
{
	struct args a = { 0 };
	struct err err;

	if (argc < 2)
		return -1;
	bool is_stock = !strcmp(argv[1], "image-stock"), is_pack = !strcmp(argv[1], "image-pack"),
	     is_digest = !strcmp(argv[1], "image-digest");
	if (!is_stock && !is_pack && !is_digest)
		return -1;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setpriority(PRIO_PROCESS, 0, IDLE_NICE);
	(void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	int at = read_args(argc - 1, argv + 1, &a);
	if (at < 0)
		return 2;
	char **rest = argv + 1 + at;
	int count = argc - 1 - at;
	int r = is_stock  ? command_stock(&a, &err)
		: is_pack ? command_pack(&a, rest, count, &err)
		: count == 1 ? command_digest(&a, rest[0], &err)
			     : err_set(&err, ERR_USAGE, "image-digest wants one reference");
	return r < 0 ? fail(&err, r) : 0;
}
