/* fuzz_image_layer.c - FUZZ_LINK: agent_image
 * Two layers, packed or not, with the real parsers, to an inventory. The first byte says where to cut. */
#include <sys/mman.h>

#include "agent/image/inventory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_layer(const struct facts_reader *fr, struct slice s, struct merged *m)
{
	CLEANUP(stream_closep) struct stream *plain = NULL;
	struct facts f = { .room = fr->room };
	struct stream *in = NULL;
	int r = stream_of_slice(s, &in, NULL);

	r = r < 0 ? r : stream_unpacked(in, fr->budget, &plain, NULL);
	r = r < 0 ? r : facts_read_tar(fr, plain, &f, NULL);
	if (r >= 0)
		return merge_layer(m, &f, NULL);
	facts_fini(&f);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct matcher *matcher;
	static int spool = -1;
	const struct pkg_table tables[] = { { pkg_os_parsers, pkg_os_parser_count },
					    { pkg_lang_parsers, pkg_lang_parser_count } };
	struct budget budget = { 8 << 20, 10000, 1000, 0, NULL };
	struct facts_room room = { 4 << 20, 10000, 10000 };
	CLEANUP(arena_freep) struct arena *a = arena_new(16 << 20);
	struct slice all = slice_from(data, size), first = slice_sub(all, 1, size ? data[0] * 512u : 0);
	CLEANUP(owners_freep) struct owners *owners = NULL;
	struct facts_alias aliases[16];
	Picket__Inventory *inv = NULL;
	struct merged m;
	struct meta meta;

	if (!matcher && (matcher_new(tables, 2, true, &matcher, NULL) < 0 || (spool = memfd_create("spool", 0)) < 0))
		return 0;
	struct facts_reader fr = { matcher, 1 << 20, { spool, 1 << 20 }, &budget, &room, aliases, 0, true, true };
	merged_init(&m, &room);
	if (read_layer(&fr, first, &m) >= 0 && merged_aliases(&m, matcher, a, aliases, 16, &fr.alias_count, NULL) >= 0 &&
	    read_layer(&fr, slice_sub(all, 1 + first.n, size), &m) >= 0 && meta_empty(a, m.layer_count, &meta, NULL) >= 0)
		(void)!inventory_make(&(struct inventory_input){ &m, &meta, "image" }, a, &inv, &owners, NULL);
	merged_fini(&m);
	if (room.bytes_left != 4 << 20 || room.packages_left != 10000 || room.owned_left != 10000)
		__builtin_trap();
	return 0;
}
