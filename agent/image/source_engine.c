/* source_engine.c - images and containers of the local engine: where it keeps their layers as folders (overlay2),
 * these are handed to the worker, which is the quick way; else what `docker save` gives. */
#include <errno.h>
#include <fcntl.h>

#include "agent/image/image_limits.h"
#include "agent/image/source.h"
#include "agent/image/stream.h"
#include "common/fetch.h"
#include "common/json.h"
#include "common/text.h"

enum { INSPECT_BYTES = 4 << 20, TIMEOUT_MS = 30000, URL_BYTES = 1024 };

struct engine {
	char socket[108];
	char id[IMAGE_DIGEST_MAX]; /* of the image to be saved */
	int config_fd;		   /* -1: none */
	struct pump *pump;	   /* while a save is under way */
};

static int find_socket(const struct image_options *o, char *dst, size_t size, struct err *err)
{
	const char *path = o->engine_socket, *host = getenv("DOCKER_HOST");

	if (!path && host && *host) {
		if (!slice_starts(slice_of(host), SLICE_LIT("unix://")))
			return err_set(err, ERR_USAGE, "DOCKER_HOST is '%.80s': only unix:// is spoken here", host);
		path = host + strlen("unix://");
	}
	if (!slice_copy(slice_of(path ? path : "/run/docker.sock"), dst, size))
		return err_set(err, ERR_USAGE, "the engine's socket has too long a path");
	return 0;
}

/* A name goes into a URL: only what can't change its meaning. */
static bool is_plain_name(const char *s)
{
	for (const char *p = s; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
		      strchr("._:/@-", *p)))
			return false;
	return *s && *s != '/' && !strstr(s, "..") && !strstr(s, "//") && strlen(s) < URL_BYTES - 64;
}

/* kind: "images" or "containers". */
static int inspect(struct engine *e, const char *kind, const char *name, cJSON **ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf body = { 0 };
	char url[URL_BYTES];
	struct fetch_request rq = { .url = url,
				    .unix_socket = e->socket,
				    .timeout_ms = TIMEOUT_MS,
				    .max_body_bytes = INSPECT_BYTES };
	long status = 0;

	if (!is_plain_name(name))
		return err_set(err, ERR_USAGE, "'%.80s' is no name of an image or container", name);
	(void)snprintf(url, sizeof(url), "http://docker/%s/%s/json", kind, name);
	int r = fetch_wait(&rq, &status, &body, err);
	if (r < 0)
		return err_wrap(err, r, "ask the engine");
	if (status == 404)
		return err_set(err, ERR_NOT_FOUND, "the engine has no %s '%.120s'",
			       *kind == 'i' ? "image" : "container", name);
	if (status != 200)
		return err_set(err, ERR_PEER, "the engine answers %ld", status);
	r = json_parse(buf_slice(&body), INSPECT_BYTES, ret, err);
	return r < 0 ? err_wrap(err, ERR_PEER, "the engine's answer") : 0;
}

static int keep_texts(const cJSON *list, char ***ret, size_t *ret_count, struct err *err)
{
	const cJSON *o;

	*ret = calloc(LIMIT_IMAGE_LIST, sizeof(char *));
	if (!*ret)
		return err_set(err, ENOMEM, "describe an image");
	if (cJSON_IsArray(list))
		cJSON_ArrayForEach(o, list) {
			if (!cJSON_IsString(o) || *ret_count == LIMIT_IMAGE_LIST ||
			    strlen(o->valuestring) > LIMIT_TEXT_BYTES)
				continue;
			(*ret)[*ret_count] = strdup(o->valuestring);
			if (!(*ret)[(*ret_count)++])
				return err_set(err, ENOMEM, "describe an image");
		}
	return 0;
}

static int keep_image(struct source *s, struct engine *e, const cJSON *o, struct err *err)
{
	struct slice id = json_get_str(o, "Id");

	if (!stream_is_digest(id))
		return err_set(err, ERR_PEER, "the engine names the image by no SHA-256 digest");
	(void)slice_copy(id, e->id, sizeof(e->id));
	s->image_id = slice_dup(id);
	if (!s->image_id)
		return err_set(err, ENOMEM, "describe an image");
	int r = keep_texts(cJSON_GetObjectItemCaseSensitive(o, "RepoTags"), &s->names, &s->name_count, err);
	if (r >= 0)
		r = keep_texts(cJSON_GetObjectItemCaseSensitive(o, "RepoDigests"), &s->repo_digests,
			       &s->repo_digest_count, err);
	return r;
}

/* ---- storage ---- */

/* "…/overlay2/ID/diff" -> "…/overlay2", where the engine keeps all layers. */
static bool storage_of(struct slice upper, struct slice *ret)
{
	for (unsigned i = 0; i < 2; i++) {
		while (upper.n && upper.p[upper.n - 1] != '/')
			upper.n--;
		if (!upper.n)
			return false;
		upper.n--;
	}
	*ret = upper;
	return upper.n && upper.p[0] == '/' && slice_ends(upper, SLICE_LIT("/overlay2"));
}

static int add_folder(struct source *s, struct slice path, struct slice storage, struct err *err)
{
	char text[4096];

	if (!slice_starts(path, storage) || !slice_copy(path, text, sizeof(text)) || strstr(text, "/../"))
		return err_set(err, ERR_PEER, "the engine's storage is not where it says");
	return source_add_folder(s, text, err);
}

/* lower: "top:…:lowest", each a folder. */
static int add_lower(struct source *s, struct slice lower, struct slice storage, struct err *err)
{
	int r = 0;

	while (r >= 0 && lower.n) {
		size_t at = lower.n;

		while (at && lower.p[at - 1] != ':')
			at--;
		r = add_folder(s, slice_sub(lower, at, lower.n), storage, err);
		lower.n = at ? at - 1 : 0;
	}
	return r;
}

static void forget_folders(struct source *s)
{
	while (s->folder_count)
		close(s->folders[--s->folder_count]);
	if (s->root_fd >= 0)
		close(s->root_fd);
	s->root_fd = -1;
}

static int open_root(struct source *s, struct engine *e, struct slice storage, struct err *err)
{
	char path[4096];

	if (!slice_copy(storage, path, sizeof(path)))
		return err_set(err, ERR_PEER, "the engine's storage has too long a path");
	s->root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->root_fd < 0)
		return err_set(err, errno, "open '%.160s'", path);
	/* The configuration, byte for byte: its digest is the image's id. */
	(void)snprintf(path, sizeof(path), "%.*s/image/overlay2/imagedb/content/sha256/%s",
		       (int)(storage.n - strlen("/overlay2")), storage.p, e->id + 7);
	e->config_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return e->config_fd < 0 ? err_set(err, errno, "open '%.160s'", path) : 0;
}

/* o: of the image, or of the container whose own layer comes on top. */
static int open_storage(struct source *s, struct engine *e, const cJSON *o, struct err *err)
{
	const cJSON *driver = cJSON_GetObjectItemCaseSensitive(o, "GraphDriver");
	const cJSON *data = cJSON_GetObjectItemCaseSensitive(driver, "Data");
	struct slice upper = json_get_str(data, "UpperDir"), storage;

	if (!slice_is(json_get_str(driver, "Name"), "overlay2") || !storage_of(upper, &storage))
		return err_set(err, ENOTSUP, "storage driver '%.*s'", SLICE_FMT(json_get_str(driver, "Name")));
	int r = open_root(s, e, storage, err);
	if (r >= 0)
		r = add_lower(s, json_get_str(data, "LowerDir"), storage, err);
	return r < 0 ? r : add_folder(s, upper, storage, err);
}

static size_t count_layers(const cJSON *image)
{
	const cJSON *fs = cJSON_GetObjectItemCaseSensitive(image, "RootFS");
	int n = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(fs, "Layers"));

	return n > 0 ? (size_t)n : 0;
}

/* ---- what the worker asks for ---- */

static int answer_engine(struct source *s, const struct chan_msg *ask, struct answer *ret, struct err *err)
{
	struct engine *e = s->arg;

	if (ask->what == CHAN_ASK_ARCHIVE && s->job.form == WORKER_ARCHIVE) {
		ret->is_pipe = true;
		return 0;
	}
	if (ask->what != CHAN_ASK_CONFIG || e->config_fd < 0)
		return err_set(err, ERR_CORRUPT, "the worker asked for what there is not (%u)", ask->what);
	ret->fd = fcntl(e->config_fd, F_DUPFD_CLOEXEC, 0);
	if (ret->fd < 0 || lseek(ret->fd, 0, SEEK_SET) < 0)
		return err_set(err, errno, "hand over the configuration");
	ret->b = UINT64_MAX;
	return 0;
}

static bool on_save(void *arg, struct slice piece)
{
	struct engine *e = arg;

	return pump_write(e->pump, piece);
}

static int pump_save(struct source *s, struct pump *p, struct err *err)
{
	struct engine *e = s->arg;
	CLEANUP(buf_finip) struct buf body = { 0 };
	char url[URL_BYTES];
	struct fetch_request rq = { .url = url, .unix_socket = e->socket, .on_data = on_save, .arg = e };
	long status = 0;

	e->pump = p;
	(void)snprintf(url, sizeof(url), "http://docker/images/%s/get", e->id);
	int r = fetch_wait(&rq, &status, &body, err);
	if (r < 0)
		return err_wrap(err, r, "ask the engine for the image");
	return status == 200 ? 0 : err_set(err, ERR_PEER, "the engine answers %ld when asked for the image", status);
}

static void close_engine(struct source *s)
{
	struct engine *e = s->arg;

	if (e && e->config_fd >= 0)
		close(e->config_fd);
	free(e);
}

static int new_engine(const struct image_options *o, struct source *s, struct engine **ret, struct err *err)
{
	struct engine *e = calloc(1, sizeof(*e));

	source_init(s);
	if (!e)
		return err_set(err, ENOMEM, "ask the engine");
	e->config_fd = -1;
	s->arg = e;
	s->fini = close_engine;
	s->answer = answer_engine;
	s->pump = pump_save;
	*ret = e;
	return find_socket(o, e->socket, sizeof(e->socket), err);
}

int source_open_engine(const char *name, const struct image_options *o, struct source *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *image = NULL;
	struct engine *e;

	int r = new_engine(o, ret, &e, err);
	if (r >= 0)
		r = inspect(e, "images", name, &image, err);
	if (r >= 0)
		r = keep_image(ret, e, image, err);
	if (r < 0)
		return r;
	r = open_storage(ret, e, image, NULL);
	if (r >= 0 && ret->folder_count && ret->folder_count == count_layers(image)) {
		ret->job = (struct job){ .form = WORKER_FOLDERS,
					 .layers = (uint32_t)ret->folder_count,
					 .has_config = true,
					 .is_overlay = true,
					 .reads_all = true,
					 .kind = "image" };
		return 0;
	}
	/* Another driver, another host's socket, or not allowed: the engine has to pack it all. */
	forget_folders(ret);
	ret->job = (struct job){ .form = WORKER_ARCHIVE, .kind = "image" };
	return 0;
}

/* The engine puts a layer of its own between the image's and the container's: mount points, no files. */
static void drop_init_layer(struct source *s)
{
	close(s->folders[s->folder_count - 2]);
	s->folders[s->folder_count - 2] = s->folders[s->folder_count - 1];
	s->folder_count--;
}

int source_open_container(const char *name, const struct image_options *o, struct source *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *container = NULL;
	CLEANUP(cJSON_Deletep) cJSON *image = NULL;
	struct engine *e;
	char id[IMAGE_DIGEST_MAX];

	int r = new_engine(o, ret, &e, err);
	if (r >= 0)
		r = inspect(e, "containers", name, &container, err);
	if (r >= 0 && !slice_copy(json_get_str(container, "Image"), id, sizeof(id)))
		r = err_set(err, ERR_PEER, "the engine names no image of the container");
	if (r >= 0)
		r = inspect(e, "images", id, &image, err);
	if (r >= 0)
		r = keep_image(ret, e, image, err);
	if (r >= 0)
		r = open_storage(ret, e, container, err);
	if (r < 0)
		return r == -ENOTSUP ? err_wrap(err, r, "a container's own layer is read from overlay2 only") : r;
	size_t layers = count_layers(image);
	if (ret->folder_count == layers + 2)
		drop_init_layer(ret);
	if (ret->folder_count != layers + 1)
		return err_set(err, ERR_PEER, "the container has %zu layers, its image %zu", ret->folder_count, layers);
	ret->job = (struct job){ .form = WORKER_FOLDERS,
				 .layers = (uint32_t)ret->folder_count,
				 .has_config = true,
				 .is_overlay = true,
				 .has_drift = true,
				 .reads_all = true,
				 .kind = "container" };
	return 0;
}
