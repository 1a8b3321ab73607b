/* inspect.c - what the engine's JSON says of one container, into its entry. Every value is cut at
 * its bound, and one of the wrong type counts as absent. */
#include "agent/world/world_priv.h"
#include "common/json.h"
#include "common/text.h"

bool inspect_set_name(struct containers *t, struct centry *e, struct slice name, struct slice image)
{
	bool changed = false;

	if (name.n && name.p[0] == '/')
		name = slice_sub(name, 1, name.n);
	if (name.n)
		changed |= containers_set(t, e, &e->c.name, name, WORLD_NAME_BYTES);
	if (image.n)
		changed |= containers_set(t, e, &e->c.image, image, WORLD_IMAGE_BYTES);
	e->c.is_named = *e->c.name && *e->c.image;
	return changed;
}

static void read_labels(struct containers *t, struct centry *e, const cJSON *labels)
{
	const cJSON *l;

	cJSON_ArrayForEach(l, labels) if (cJSON_IsString(l) && l->string)
		containers_add_label(t, e, slice_of(l->string), slice_of(l->valuestring));
}

static const char *str_of(const cJSON *o, const char *key)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, key);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static void read_mounts(struct containers *t, struct centry *e, const cJSON *mounts)
{
	const cJSON *m;

	cJSON_ArrayForEach(m, mounts)
	{
		struct container_mount to = {
			.source = str_of(m, "Source"),
			.dest = str_of(m, "Destination"),
			.mode = str_of(m, "Mode"),
			.propagation = str_of(m, "Propagation"),
			.rw = json_get_bool(m, "RW", false),
		};
		if (cJSON_IsObject(m))
			containers_add_mount(t, e, &to);
	}
}

static bool is_loopback(const char *ip)
{
	return !strncmp(ip, "127.", 4) || !strcmp(ip, "::1");
}

/* A port of the container counts when one of the addresses it is published on is not the host's loopback. */
static void add_published(struct buf *out, const cJSON *port)
{
	const cJSON *b;

	cJSON_ArrayForEach(b, port) if (cJSON_IsObject(b) && !is_loopback(str_of(b, "HostIp")))
	{
		buf_printf(out, "%s%s", out->n ? " " : "", port->string);
		return;
	}
}

/* Before a start NetworkSettings has none yet: then what was asked for. */
static void read_published(struct containers *t, struct centry *e, const cJSON *o, const cJSON *host)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	const cJSON *net = cJSON_GetObjectItemCaseSensitive(o, "NetworkSettings"), *port;
	const cJSON *ports = cJSON_GetObjectItemCaseSensitive(net, "Ports");

	if (!cJSON_IsObject(ports) || !ports->child)
		ports = cJSON_GetObjectItemCaseSensitive(host, "PortBindings");
	buf_init(&out, WORLD_PUBLISHED_BYTES);
	if (!strcmp(str_of(host, "NetworkMode"), "host"))
		buf_add_char(&out, '*');
	else
		cJSON_ArrayForEach(port, ports) if (port->string && cJSON_IsArray(port))
			add_published(&out, port);
	(void)containers_set(t, e, &e->c.published, buf_slice(&out), WORLD_PUBLISHED_BYTES);
}

/* Year 1 is Go's way of saying "never". */
static uint64_t time_of(const cJSON *o, const char *key)
{
	uint64_t ns = 0;
	struct slice s = json_get_str(o, key);

	return !slice_starts(s, SLICE_LIT("0001-")) && text_time_parse(s, &ns) ? ns : 0;
}

void inspect_read(struct containers *t, struct centry *e, const cJSON *o)
{
	const cJSON *config = cJSON_GetObjectItemCaseSensitive(o, "Config");
	const cJSON *state = cJSON_GetObjectItemCaseSensitive(o, "State");
	const cJSON *host = cJSON_GetObjectItemCaseSensitive(o, "HostConfig");
	uint64_t started = time_of(state, "StartedAt");

	(void)inspect_set_name(t, e, json_get_str(o, "Name"), json_get_str(config, "Image"));
	(void)containers_set(t, e, &e->c.image_id, json_get_str(o, "Image"), WORLD_DIGEST_BYTES);
	(void)containers_set(t, e, &e->c.user, json_get_str(config, "User"), WORLD_NAME_BYTES);
	containers_clear_details(t, e);
	read_labels(t, e, cJSON_GetObjectItemCaseSensitive(config, "Labels"));
	read_mounts(t, e, cJSON_GetObjectItemCaseSensitive(o, "Mounts"));
	read_published(t, e, o, host);
	e->c.privileged = json_get_bool(host, "Privileged", false);
	e->c.created_unix_ns = time_of(o, "Created");
	if (started)
		e->c.started_unix_ns = started;
	e->c.is_inspected = true;
}
