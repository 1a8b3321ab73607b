/* rpm_ndb.c - rpm's own database format (SUSE since 15.3): one file, Packages.db, little-endian.
 *
 *   head: "RpmP" version:0 generation pages next ...	32 bytes
 *   slots: "Slot" package block blocks			16 each, to the end of `pages` pages of 4 KiB
 *   blobs, in blocks of 16 bytes: "BlbS" package generation bytes, the header, "BlbE" checksum bytes */
#include "agent/image/os/rpm_header.h"

enum {
	MAGIC_DB = 'R' | 'p' << 8 | 'm' << 16 | 'P' << 24,
	MAGIC_SLOT = 'S' | 'l' << 8 | 'o' << 16 | 't' << 24,
	MAGIC_BLOB = 'B' | 'l' << 8 | 'b' << 16 | 'S' << 24,
	HEAD = 32,
	SLOT = 16,
	BLOCK = 16,
	PAGE = 4096,
	PAGES_MAX = RPM_PACKAGES_MAX / (PAGE / SLOT),
};

/* Not free: package number, where its blob is. */
static bool give_slot(struct emit *e, struct rpm_budget *left, const struct blob *b, const char *slot)
{
	uint32_t number = get_le32(slot + 4), blocks = get_le32(slot + 12);
	uint64_t off = (uint64_t)get_le32(slot + 8) * BLOCK;
	char head[16];
	struct part p;
	struct err err;

	int r = blob_read(b, off, head, sizeof(head), &err);
	if (r >= 0 && (get_le32(head) != MAGIC_BLOB || get_le32(head + 4) != number ||
		       get_le32(head + 12) > (uint64_t)blocks * BLOCK))
		r = err_set(&err, ERR_CORRUPT, "no package %u at %llu", number, (unsigned long long)off);
	if (r >= 0)
		r = part_init(&p, b, off + sizeof(head), get_le32(head + 12), &err);
	if (r >= 0)
		return rpm_header_give(e, left, &p.b);
	os_emit_failed(e, r, &err);
	return true;
}

int rpm_ndb_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	struct emit e = { .out = out, .ecosystem = "rpm" };
	struct rpm_budget left = rpm_budget_of(b);
	CLEANUP(window_finip) struct window w = { 0 };
	bool go_on = true;
	const char *p;

	(void)path;
	int r = window_init(&w, b, PAGE, err);
	if (r >= 0)
		r = window_get(&w, 0, HEAD, &p, err);
	if (r < 0)
		return r;
	uint32_t version = get_le32(p + 4), pages = get_le32(p + 12);
	if (get_le32(p) != MAGIC_DB)
		return err_set(err, ERR_CORRUPT, "not an rpm ndb database");
	if (version)
		return err_set(err, ERR_VERSION, "an rpm ndb database of version %u", version);
	if (pages > PAGES_MAX || (uint64_t)pages * PAGE > b->size)
		return err_set(err, ERR_CORRUPT, "%u pages of slots", pages);
	for (uint64_t off = HEAD; go_on && r >= 0 && off < (uint64_t)pages * PAGE; off += SLOT) {
		r = window_get(&w, off, SLOT, &p, err);
		if (r >= 0 && get_le32(p) != MAGIC_SLOT)
			return err_set(err, ERR_CORRUPT, "no slot at %llu", (unsigned long long)off);
		if (r >= 0 && get_le32(p + 8)) /* 0: free */
			go_on = give_slot(&e, &left, b, p);
	}
	return r < 0 ? r : os_emit_end(&e, err);
}
