/* stock.h - hand-made inventories, uses and what a vulnerability database says, for the tests of whoever deals
 * with images. Everything lives in an arena, or for ever. */
#pragma once
#include "collector/store/store_vulns.h"
#include "common/tls.h"

#define STOCK_TEXT(s) ((char *)(uintptr_t)(s))

/* "deb openssl 3.0.11-1", with a source as a fourth word. */
static inline Picket__Package *stock_package(struct arena *a, const char *words)
{
	Picket__Package *p = arena_alloc(a, sizeof(*p));
	char *w[5] = { 0 }, *rest = arena_dup(a, slice_of(words));

	picket__package__init(p);
	for (size_t i = 0; i < 5 && (w[i] = strsep(&rest, " ")); i++)
		;
	p->ecosystem = w[0];
	p->name = w[1];
	p->version = w[2];
	p->arch = STOCK_TEXT("amd64");
	if (w[3]) {
		p->source = w[3];
		p->source_version = w[2];
	}
	if (w[4])
		p->owner = w[4];
	p->path = msg_bytes(SLICE_LIT("var/lib/dpkg/status"));
	return p;
}

/* packages: NULL-terminated. */
static inline Picket__Layer *stock_layer(struct arena *a, const char *const *packages)
{
	Picket__Layer *l = arena_alloc(a, sizeof(*l));
	uint8_t *key = arena_alloc(a, LIMIT_KEY_BYTES);

	picket__layer__init(l);
	while (packages && packages[l->n_packages])
		l->n_packages++;
	l->packages = arena_zalloc(a, l->n_packages + 1, sizeof(*l->packages));
	for (size_t i = 0; i < l->n_packages; i++)
		l->packages[i] = stock_package(a, packages[i]);
	if (msg_layer_key(l->packages, l->n_packages, key, NULL) < 0)
		abort();
	l->key = (ProtobufCBinaryData){ LIMIT_KEY_BYTES, key };
	l->diff_id = STOCK_TEXT("sha256:d1ff");
	l->created_by = STOCK_TEXT("RUN something");
	l->size_bytes = 1000;
	return l;
}

/* Of Debian 12; name nullable. Layers are added with stock_add. */
static inline Picket__Inventory *stock_inventory(struct arena *a, const char *image_id, const char *name)
{
	Picket__Inventory *m = arena_alloc(a, sizeof(*m));
	Picket__OsRelease *os = arena_alloc(a, sizeof(*os));

	picket__inventory__init(m);
	picket__os_release__init(os);
	os->id = STOCK_TEXT("debian");
	os->version_id = STOCK_TEXT("12");
	os->codename = STOCK_TEXT("bookworm");
	os->pretty_name = STOCK_TEXT("Debian GNU/Linux 12 (bookworm)");
	m->image_id = arena_dup(a, slice_of(image_id));
	m->kind = STOCK_TEXT("image");
	m->arch = STOCK_TEXT("amd64");
	m->os_type = STOCK_TEXT("linux");
	m->os = os;
	m->created_unix_s = 1700000000;
	m->taken_unix_s = 1795400000;
	m->size_bytes = 5000;
	m->layers = arena_zalloc(a, 16, sizeof(*m->layers));
	if (name) {
		m->names = arena_zalloc(a, 1, sizeof(*m->names));
		m->names[m->n_names++] = arena_dup(a, slice_of(name));
	}
	return m;
}

static inline void stock_add(Picket__Inventory *m, Picket__Layer *l)
{
	m->layers[m->n_layers++] = l;
}

/* Its bytes and their digest. */
static inline void stock_pack(const Picket__Inventory *m, struct buf *out, uint8_t sha256[32])
{
	struct err err;

	buf_reset(out);
	if (msg_pack_inventory(m, out, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
	tls_sha256(buf_slice(out), sha256);
}

static inline int stock_put(struct store *s, const char *agent, const Picket__Inventory *m, struct err *err)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	uint8_t sha[32];
	bool kept;

	stock_pack(m, &b, sha);
	return store_inventory_put(s, agent, m, slice_from(sha, sizeof(sha)), &kept, err);
}

/* One state with one image in one container; images, packages may be changed before it is told. */
struct stock_use {
	Picket__ImagesInUse state;
	Picket__ImageUse image, *images[1];
	Picket__ContainerUse container, *containers[1];
	Picket__PackageUse package, *packages[1];
	char *ports[1];
};
static inline void stock_use(struct stock_use *u, uint64_t state, const char *image_id, const char *container)
{
	*u = (struct stock_use){ .state = PICKET__IMAGES_IN_USE__INIT,
				 .image = PICKET__IMAGE_USE__INIT,
				 .container = PICKET__CONTAINER_USE__INIT,
				 .package = PICKET__PACKAGE_USE__INIT };
	u->state.state = state;
	u->state.parts = 1;
	u->state.images = u->images;
	u->state.n_images = image_id ? 1 : 0;
	u->images[0] = &u->image;
	u->image.image_id = STOCK_TEXT(image_id ? image_id : "");
	u->image.reference = msg_bytes(SLICE_LIT("nginx:1.25"));
	u->image.containers = u->containers;
	u->image.n_containers = 1;
	u->containers[0] = &u->container;
	u->container.id = STOCK_TEXT(container ? container : "c0ffee");
	u->container.name = msg_bytes(slice_of(container ? container : "web-1"));
	u->container.published_ports = u->ports;
	u->ports[0] = STOCK_TEXT("80/tcp");
	u->container.n_published_ports = 1;
	u->packages[0] = &u->package;
	u->image.packages = u->packages;
}
static inline int stock_tell(struct store *s, const char *agent, const Picket__ImagesInUse *m, struct err *err)
{
	bool whole;

	return store_images_in_use(s, agent, m, &whole, NULL, NULL, err);
}

/* A word of the database: severity, "" or the fixed version. Debian's unless changed. */
static inline struct vulndb_found stock_found(const char *id, enum vuln_severity severity, const char *fixed)
{
	return (struct vulndb_found){ .id = slice_of(id),
				      .record = slice_of(id),
				      .title = SLICE_LIT("a hole in it"),
				      .description = SLICE_LIT("Long words."),
				      .fixed = slice_of(fixed),
				      .severity = severity,
				      .severity_source = SLICE_LIT("debian"),
				      .epss = -1,
				      .epss_percentile = -1,
				      .status = fixed[0] ? VULN_FIXED : VULN_AFFECTED,
				      .feed = SLICE_LIT("debian") };
}
