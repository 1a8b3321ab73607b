/* msg_images.c - what the messages about images must mean, and the name of a layer's content. */
#include <errno.h>
#include <inttypes.h>

#include <openssl/evp.h>

#include "common/text.h"
#include "proto/msg.h"
#include "proto/msg_priv.h"

static int check_image_id(const char *what, const char *id, struct err *err)
{
	if (!id[0] || !text_is_clean(slice_of(id)))
		return err_set(err, ERR_CORRUPT, "%s.image_id: empty, or not plain text", what);
	return 0;
}

static int check_keys(const char *what, const ProtobufCBinaryData *keys, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		if (keys[i].len != LIMIT_KEY_BYTES)
			return err_set(err, ERR_CORRUPT, "%s: a key of %zu bytes", what, keys[i].len);
	return 0;
}

/* 0 where a number was not given; years beyond 2200 are no time. */
static int check_seconds(const char *what, uint64_t unix_s, struct err *err)
{
	if (unix_s > LIMIT_UNIX_NS / 1000000000)
		return err_set(err, ERR_CORRUPT, "%s: %" PRIu64 " is no time", what, unix_s);
	return 0;
}

int msg_check_images_ask(const Picket__ImagesAsk *m, struct err *err)
{
	if (!m->n_images)
		return err_set(err, ERR_CORRUPT, "ImagesAsk.images: none");
	for (size_t i = 0; i < m->n_images; i++) {
		const Picket__ImageAsk *a = m->images[i];
		int r = check_image_id("ImageAsk", a->image_id, err);

		if (r >= 0)
			r = check_keys("ImageAsk.layer_keys", a->layer_keys, a->n_layer_keys, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int msg_check_images_reply(const Picket__ImagesReply *m, struct err *err)
{
	for (size_t i = 0; i < m->n_images; i++) {
		const Picket__ImageKnown *k = m->images[i];
		int r = check_image_id("ImageKnown", k->image_id, err);

		if (r >= 0)
			r = check_keys("ImageKnown.unknown_layer_keys", k->unknown_layer_keys,
				       k->n_unknown_layer_keys, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int msg_check_inventory_part(const Picket__InventoryPart *m, struct err *err)
{
	int r = check_image_id("InventoryPart", m->image_id, err);

	if (r >= 0)
		r = check_keys("InventoryPart.inventory_sha256", &m->inventory_sha256, 1, err);
	if (r < 0)
		return r;
	if (!m->parts || m->parts > LIMIT_PARTS || m->part >= m->parts)
		return err_set(err, ERR_CORRUPT, "InventoryPart: part %" PRIu32 " of %" PRIu32 ", at most %d",
			       m->part, m->parts, LIMIT_PARTS);
	if (!m->data.len)
		return err_set(err, ERR_CORRUPT, "InventoryPart.data: empty");
	return 0;
}

int msg_check_inventory_reply(const Picket__InventoryReply *m, struct err *err)
{
	int r = check_image_id("InventoryReply", m->image_id, err);

	if (r >= 0)
		r = check_keys("InventoryReply.inventory_sha256", &m->inventory_sha256, 1, err);
	if (r >= 0)
		r = check_keys("InventoryReply.missing_layer_keys", m->missing_layer_keys,
			       m->n_missing_layer_keys, err);
	if (r >= 0 && m->next_part > LIMIT_PARTS)
		r = err_set(err, ERR_CORRUPT, "InventoryReply.next_part: %" PRIu32, m->next_part);
	return r;
}

static int check_image_use(const Picket__ImageUse *u, struct err *err)
{
	int r = check_image_id("ImageUse", u->image_id, err);

	for (size_t i = 0; i < u->n_containers && r >= 0; i++)
		r = u->containers[i]->id[0] ? check_seconds("ContainerUse.started_unix_s",
							    u->containers[i]->started_unix_s, err)
					    : err_set(err, ERR_CORRUPT, "ContainerUse.id: empty");
	for (size_t i = 0; i < u->n_packages && r >= 0; i++)
		r = u->packages[i]->name[0] ? check_seconds("PackageUse.last_unix_s",
							    u->packages[i]->last_unix_s, err)
					    : err_set(err, ERR_CORRUPT, "PackageUse.name: empty");
	return r;
}

int msg_check_images_in_use(const Picket__ImagesInUse *m, struct err *err)
{
	/* A signed 64-bit number in the store. */
	if (!m->state || m->state > INT64_MAX)
		return err_set(err, ERR_CORRUPT, "ImagesInUse.state: %" PRIu64, m->state);
	if (m->is_unchanged)
		return m->n_images ? err_set(err, ERR_CORRUPT, "ImagesInUse: unchanged, with images") : 0;
	if (!m->parts || m->part >= m->parts)
		return err_set(err, ERR_CORRUPT, "ImagesInUse: part %" PRIu32 " of %" PRIu32, m->part,
			       m->parts);
	for (size_t i = 0; i < m->n_images; i++) {
		int r = check_image_use(m->images[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

int msg_check_image_scans_ask(const Picket__ImageScansAsk *m, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < m->n_image_ids && r >= 0; i++)
		r = check_image_id("ImageScansAsk", m->image_ids[i], err);
	return r;
}

int msg_check_image_scans(const Picket__ImageScansReply *m, struct err *err)
{
	int r = check_seconds("ImageScansReply.matched_unix_s", m->matched_unix_s, err);

	for (size_t i = 0; i < m->n_images && r >= 0; i++) {
		const Picket__ImageScan *s = m->images[i];

		r = check_image_id("ImageScan", s->image_id, err);
		if (r >= 0)
			r = check_seconds("ImageScan.scanned_unix_s", s->scanned_unix_s, err);
		if (r >= 0 && (!s->scanned_unix_s || !text_is_clean(slice_of(s->worst))))
			r = err_set(err, ERR_CORRUPT, "ImageScan: no time, or a severity that is no plain text");
	}
	return r;
}

int msg_check_base_images(const Picket__BaseImages *m, struct err *err)
{
	if (!m->n_images)
		return err_set(err, ERR_CORRUPT, "BaseImages.images: none");
	for (size_t i = 0; i < m->n_images; i++) {
		const Picket__BaseImage *b = m->images[i];
		int r = check_image_id("BaseImage", b->image_id, err);

		if (r >= 0)
			r = check_seconds("BaseImage.checked_unix_s", b->checked_unix_s, err);
		if (r >= 0 && (!b->reference[0] || !b->checked_unix_s))
			r = err_set(err, ERR_CORRUPT, "BaseImage: reference or checked_unix_s is missing");
		if (r < 0)
			return r;
	}
	return 0;
}

int msg_check_inventory(const Picket__Inventory *m, struct err *err)
{
	int r = check_image_id("Inventory", m->image_id, err);

	for (size_t i = 0; i < m->n_layers && r >= 0; i++)
		if (m->layers[i]->key.len && m->layers[i]->key.len != LIMIT_KEY_BYTES)
			r = err_set(err, ERR_CORRUPT, "Layer.key: %zu bytes", m->layers[i]->key.len);
	if (r >= 0)
		r = check_seconds("Inventory.taken_unix_s", m->taken_unix_s, err);
	return r;
}

int msg_layer_key(Picket__Package *const *packages, size_t count, uint8_t ret[LIMIT_KEY_BYTES],
		  struct err *err)
{
	enum { ROOM = 16 * 1024 }; /* a package within its bounds */
	EVP_MD_CTX *sha = EVP_MD_CTX_new();
	uint8_t room[ROOM];
	bool ok = sha && EVP_DigestInit_ex(sha, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; i < count && ok; i++)
		ok = picket__package__get_packed_size(packages[i]) <= ROOM &&
		     EVP_DigestUpdate(sha, room, picket__package__pack(packages[i], room)) == 1;
	ok = ok && EVP_DigestFinal_ex(sha, ret, NULL) == 1;
	EVP_MD_CTX_free(sha);
	return ok ? 0 : err_set(err, ERR_LIMIT, "the key of a layer's packages: one is too large");
}
