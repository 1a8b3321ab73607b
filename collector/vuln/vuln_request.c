/* vuln_request.c - what agents ask and tell of images, answered.
 *
 *   ask -> known? which layers?      part … last part -> whole, of its digest, sound, its layers here? -> store
 *
 * What an agent says is checked wholly before the store hears of it: a wrong inventory is refused, and never
 * rolls back what others sent in the same transaction. */
#include <errno.h>

#include "collector/vuln/vuln_priv.h"
#include "common/log.h"

enum { QUOTA_RETRY_MS = 10 * 60 * 1000 };

static int refuse(struct arena *a, Picket__Reply *ret, Picket__Refusal__Reason reason, const char *why)
{
	Picket__Refusal *body = arena_alloc(a, sizeof(*body));
	char *message = arena_dup(a, slice_sub(slice_of(why), 0, LIMIT_TEXT_BYTES));

	if (!body || !message)
		return -ENOMEM;
	picket__refusal__init(body);
	body->reason = reason;
	body->message = message;
	body->retry_ms = reason == PICKET__REFUSAL__REASON__REASON_BUSY ? 2000 : 0;
	ret->body_case = PICKET__REPLY__BODY_REFUSAL;
	ret->refusal = body;
	return 0;
}

static size_t count_packages(const Picket__Inventory *inv)
{
	size_t n = 0;

	for (size_t i = 0; i < inv->n_layers; i++)
		n += inv->layers[i]->n_packages;
	return n;
}

/* ---- asked ---- */

/* A list of keys in the arena that grows to at most count. */
struct keys {
	ProtobufCBinaryData *all;
	size_t n;
};

static int keys_init(struct keys *k, size_t count, struct arena *a, struct err *err)
{
	*k = (struct keys){ .all = arena_zalloc(a, count + 1, sizeof(*k->all)) };
	return k->all ? 0 : err_set(err, ENOMEM, "answer");
}

static int answer_image(struct vuln *v, const Picket__ImageAsk *q, struct arena *a, Picket__ImageKnown *k,
			struct err *err)
{
	struct keys unknown;
	bool known;
	int r = store_image_ask(v->store, q, &known, err);

	if (r >= 0)
		r = keys_init(&unknown, q->n_layer_keys, a, err);
	if (r < 0)
		return r;
	picket__image_known__init(k);
	k->image_id = q->image_id;
	k->is_known = known;
	for (size_t i = 0; i < q->n_layer_keys; i++) {
		r = store_layer_is_known(v->store, msg_slice(q->layer_keys[i]), &known, err);
		if (r < 0)
			return r;
		if (!known)
			unknown.all[unknown.n++] = q->layer_keys[i];
	}
	k->unknown_layer_keys = unknown.all;
	k->n_unknown_layer_keys = unknown.n;
	return 0;
}

static int on_ask(struct vuln *v, const Picket__ImagesAsk *q, struct arena *a, Picket__Reply *ret, struct err *err)
{
	Picket__ImagesReply *body = arena_alloc(a, sizeof(*body));
	Picket__ImageKnown *rows = arena_zalloc(a, q->n_images, sizeof(*rows));
	Picket__ImageKnown **list = arena_zalloc(a, q->n_images, sizeof(*list));

	if (!body || !rows || !list)
		return err_set(err, ENOMEM, "answer");
	picket__images_reply__init(body);
	for (size_t i = 0; i < q->n_images; i++) {
		int r = answer_image(v, q->images[i], a, &rows[i], err);

		if (r < 0)
			return r;
		list[i] = &rows[i];
	}
	body->images = list;
	body->n_images = q->n_images;
	ret->body_case = PICKET__REPLY__BODY_IMAGES;
	ret->images = body;
	return 0;
}

/* ---- an inventory ---- */

static Picket__InventoryReply *inventory_reply(const Picket__InventoryPart *p, struct arena *a, Picket__Reply *ret)
{
	Picket__InventoryReply *body = arena_alloc(a, sizeof(*body));

	if (!body)
		return NULL;
	picket__inventory_reply__init(body);
	body->image_id = p->image_id;
	body->inventory_sha256 = p->inventory_sha256;
	ret->body_case = PICKET__REPLY__BODY_INVENTORY;
	ret->inventory = body;
	return body;
}

/* A layer's key is its content's name for the whole fleet, so nobody's word is taken for it. */
static int check_layers(Picket__Inventory *inv, struct arena *a, struct err *err)
{
	for (size_t i = 0; i < inv->n_layers; i++) {
		Picket__Layer *l = inv->layers[i];
		uint8_t *is;

		if (!l->n_packages && l->key.len)
			continue;
		is = arena_alloc(a, LIMIT_KEY_BYTES);
		if (!is)
			return err_set(err, ERR_LIMIT, "layers");
		int r = msg_layer_key(l->packages, l->n_packages, is, err);
		if (r < 0)
			return r;
		if (l->key.len && memcmp(l->key.data, is, LIMIT_KEY_BYTES) != 0)
			return err_set(err, ERR_CORRUPT, "layer %zu: its key is not that of its packages", i);
		l->key = (ProtobufCBinaryData){ LIMIT_KEY_BYTES, is };
	}
	return 0;
}

static int check_packages(const Picket__Inventory *inv, struct err *err)
{
	size_t packages = count_packages(inv);

	for (size_t i = 0; i < inv->n_layers; i++)
		for (size_t j = 0; j < inv->layers[i]->n_packages; j++)
			if (!inv->layers[i]->packages[j]->name[0])
				return err_set(err, ERR_CORRUPT, "layer %zu: a package without a name", i);
	if (packages > STORE_IMAGE_PACKAGES_MAX)
		return err_set(err, ERR_LIMIT, "%zu packages, at most %d", packages, STORE_IMAGE_PACKAGES_MAX);
	return 0;
}

static int read_inventory(struct vuln *v, const Picket__InventoryPart *p, struct slice frame,
			  Picket__Inventory **ret, struct err *err)
{
	arena_reset(v->inventory_arena);
	int r = assembly_unpack(frame, msg_slice(p->inventory_sha256), &v->unpacked, err);
	if (r >= 0)
		r = msg_read_inventory(buf_slice(&v->unpacked), v->inventory_arena, ret, err);
	if (r >= 0 && strcmp((*ret)->image_id, p->image_id) != 0)
		r = err_set(err, ERR_CORRUPT, "the inventory is of another image");
	if (r >= 0)
		r = check_layers(*ret, v->inventory_arena, err);
	return r < 0 ? r : check_packages(*ret, err);
}

static int find_missing(struct vuln *v, const Picket__Inventory *inv, struct arena *a, Picket__InventoryReply *body,
			struct err *err)
{
	struct keys missing;
	int r = keys_init(&missing, inv->n_layers, a, err);

	for (size_t i = 0; i < inv->n_layers && r >= 0; i++) {
		const Picket__Layer *l = inv->layers[i];
		bool known = true;

		if (!l->n_packages)
			r = store_layer_is_known(v->store, msg_slice(l->key), &known, err);
		if (r < 0 || known)
			continue;
		char *copy = arena_dup(a, msg_slice(l->key)); /* the inventory's arena is not the answer's */
		if (!copy)
			return err_set(err, ENOMEM, "answer");
		missing.all[missing.n++] = (ProtobufCBinaryData){ LIMIT_KEY_BYTES, (uint8_t *)copy };
	}
	if (r < 0)
		return r;
	body->missing_layer_keys = missing.all;
	body->n_missing_layer_keys = missing.n;
	return 0;
}

static int take_inventory(struct vuln *v, const char *agent, const Picket__InventoryPart *p, struct slice frame,
			  struct arena *a, Picket__Reply *ret, struct err *err)
{
	Picket__InventoryReply *body = ret->inventory;
	Picket__Inventory *inv;
	struct err why = { 0 };
	bool is_kept;
	int r = read_inventory(v, p, frame, &inv, &why);

	if (r < 0) {
		LOG(WARN, "vuln.inventory", KV_STR("agent", agent), KV_STR("image", p->image_id), KV_STR("why", why.msg));
		return refuse(a, ret, PICKET__REFUSAL__REASON__REASON_MALFORMED, why.msg);
	}
	r = find_missing(v, inv, a, body, err);
	if (r < 0 || body->n_missing_layer_keys)
		return r;
	if (!quota_take(&v->quota, agent, count_packages(inv), clock_boot_ns(v->clk))) {
		LOG(WARN, "vuln.quota", KV_STR("agent", agent), KV_U64("packages", count_packages(inv)),
		    KV_STR("why", "this agent brought too many packages lately"));
		r = refuse(a, ret, PICKET__REFUSAL__REASON__REASON_BUSY, "too many packages from this agent lately");
		if (r >= 0)
			ret->refusal->retry_ms = QUOTA_RETRY_MS;
		return r;
	}
	r = store_inventory_put(v->store, agent, inv, msg_slice(p->inventory_sha256), &is_kept, err);
	if (r == -ERR_LIMIT)
		return refuse(a, ret, PICKET__REFUSAL__REASON__REASON_MALFORMED, err ? err->msg : "too many");
	if (r < 0)
		return r;
	LOG(INFO, "vuln.inventory", KV_STR("agent", agent), KV_STR("image", inv->image_id),
	    KV_U64("layers", inv->n_layers), KV_U64("anothers", is_kept));
	body->is_done = true;
	return 0;
}

static int on_part(struct vuln *v, const char *agent, const Picket__InventoryPart *p, struct arena *a,
		   Picket__Reply *ret, struct err *err)
{
	Picket__InventoryReply *body = inventory_reply(p, a, ret);
	struct slice whole = SLICE_NONE;
	bool is_stored;

	if (!body)
		return err_set(err, ENOMEM, "answer");
	int r = store_inventory_is_stored(v->store, p->image_id, msg_slice(p->inventory_sha256), &is_stored, err);
	if (r < 0)
		return r;
	if (is_stored) {
		assembly_end(v->assemblies, agent, msg_slice(p->inventory_sha256));
		body->is_done = true;
		return 0;
	}
	switch (assembly_add(v->assemblies, agent, p, clock_boot_ns(v->clk), &body->next_part, &whole)) {
	case ASSEMBLY_BUSY:
		return refuse(a, ret, PICKET__REFUSAL__REASON__REASON_BUSY, "too many inventories are on their way");
	case ASSEMBLY_MORE:
		return 0;
	case ASSEMBLY_WHOLE:
		break;
	}
	body->next_part = 0;
	r = take_inventory(v, agent, p, whole, a, ret, err);
	assembly_end(v->assemblies, agent, msg_slice(p->inventory_sha256));
	return r;
}

/* ---- what runs, what registries say ---- */

struct unknown {
	struct arena *a;
	char **list;
	size_t n;
};

static int add_unknown(void *arg, const char *image_id)
{
	struct unknown *u = arg;

	if (u->n < LIMIT_IMAGES_IN_USE) {
		u->list[u->n] = arena_dup(u->a, slice_of(image_id));
		if (!u->list[u->n])
			return -ENOMEM;
		u->n++;
	}
	return 0;
}

static int on_in_use(struct vuln *v, const char *agent, const Picket__ImagesInUse *m, struct arena *a,
		     Picket__Reply *ret, struct err *err)
{
	Picket__ImagesInUseReply *body = arena_alloc(a, sizeof(*body));
	struct unknown u = { .a = a, .list = arena_zalloc(a, LIMIT_IMAGES_IN_USE, sizeof(*u.list)) };
	bool whole;

	if (!body || !u.list)
		return err_set(err, ENOMEM, "answer");
	int r = store_images_in_use(v->store, agent, m, &whole, add_unknown, &u, err);
	if (r < 0)
		return r;
	picket__images_in_use_reply__init(body);
	body->state = m->state;
	body->is_wanted_whole = whole;
	body->unknown_images = u.list;
	body->n_unknown_images = u.n;
	ret->body_case = PICKET__REPLY__BODY_IMAGES_IN_USE;
	ret->images_in_use = body;
	return 0;
}

/* What each image's vulnerabilities come to, for the policy of the host that it lies on. */
static int fill_scans(struct vuln *v, const Picket__ImageScansAsk *m, struct arena *a, Picket__ImageScansReply *body,
		      struct err *err)
{
	Picket__ImageScan *rows = arena_zalloc(a, m->n_image_ids + 1, sizeof(*rows));

	body->images = arena_zalloc(a, m->n_image_ids + 1, sizeof(*body->images));
	body->unknown_images = arena_zalloc(a, m->n_image_ids + 1, sizeof(*body->unknown_images));
	if (!rows || !body->images || !body->unknown_images)
		return err_set(err, ENOMEM, "answer");
	for (size_t i = 0; i < m->n_image_ids; i++) {
		struct store_image_scan s;
		Picket__ImageScan *row = &rows[body->n_images];
		int r = store_image_scan_get(v->store, m->image_ids[i], &s, err);

		if (r < 0)
			return r;
		if (!s.is_known)
			body->unknown_images[body->n_unknown_images++] = m->image_ids[i];
		if (!s.is_scanned)
			continue;
		picket__image_scan__init(row);
		row->image_id = m->image_ids[i];
		row->scanned_unix_s = s.scanned_unix_s;
		row->worst = (char *)(uintptr_t)s.worst;
		body->images[body->n_images++] = row;
	}
	return 0;
}

static int on_scans_ask(struct vuln *v, const Picket__ImageScansAsk *m, struct arena *a, Picket__Reply *ret,
			struct err *err)
{
	Picket__ImageScansReply *body = arena_alloc(a, sizeof(*body));

	if (!body)
		return err_set(err, ENOMEM, "answer");
	picket__image_scans_reply__init(body);
	int r = store_image_scans_generation(v->store, &body->generation, err);
	if (r >= 0)
		r = store_number_get(v->store, vuln_matched_name, &body->matched_unix_s, err);
	if (r >= 0)
		r = fill_scans(v, m, a, body, err);
	if (r < 0)
		return r;
	ret->body_case = PICKET__REPLY__BODY_IMAGE_SCANS;
	ret->image_scans = body;
	return 0;
}

static int on_base_images(struct vuln *v, const char *agent, const Picket__BaseImages *m, struct arena *a,
			  Picket__Reply *ret, struct err *err)
{
	Picket__BaseImagesReply *body = arena_alloc(a, sizeof(*body));
	int r = body ? 0 : err_set(err, ENOMEM, "answer");

	for (size_t i = 0; i < m->n_images && r >= 0; i++)
		r = store_base_image_put(v->store, agent, m->images[i], err);
	if (r < 0)
		return r;
	picket__base_images_reply__init(body);
	ret->body_case = PICKET__REPLY__BODY_BASE_IMAGES;
	ret->base_images = body;
	return 0;
}

int vuln_request(struct vuln *v, const char *agent, const Picket__Request *rq, struct arena *a, Picket__Reply *ret,
		 struct err *err)
{
	picket__reply__init(ret);
	ret->protocol = PROTO_VERSION;
	switch (rq->body_case) {
	case PICKET__REQUEST__BODY_IMAGES_ASK:
		return on_ask(v, rq->images_ask, a, ret, err);
	case PICKET__REQUEST__BODY_INVENTORY_PART:
		return on_part(v, agent, rq->inventory_part, a, ret, err);
	case PICKET__REQUEST__BODY_IMAGES_IN_USE:
		return on_in_use(v, agent, rq->images_in_use, a, ret, err);
	case PICKET__REQUEST__BODY_IMAGE_SCANS_ASK:
		return on_scans_ask(v, rq->image_scans_ask, a, ret, err);
	case PICKET__REQUEST__BODY_BASE_IMAGES:
		return on_base_images(v, agent, rq->base_images, a, ret, err);
	default:
		return err_set(err, EINVAL, "a request that is not about images");
	}
}
