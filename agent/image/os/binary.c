/* binary.c - programs: one look at an ELF file for all that compilers leave there. Three reads where there is
 * nothing, as in nearly all of an image's. */
#include "agent/image/os/binary.h"

static int read_elf(struct emit *go, struct emit *rust, struct elf *elf, struct err *err)
{
	static const char *const names[] = { ".go.buildinfo", ".dep-v0" };
	struct elf_range at[ARRAY_LEN(names)];

	int r = elf_sections(elf, names, at, ARRAY_LEN(names), err);
	if (r >= 0 && !elf_has_sections(elf))
		r = go_find(elf, &at[0], err);
	if (r >= 0 && at[0].n)
		r = go_give(go, elf, at[0], err);
	if (r >= 0 && at[1].n && !go->stop)
		r = rust_give(rust, elf->w.b, at[1], err);
	return r;
}

int binary_read(struct slice path, const struct blob *b, const struct pkg_out *out, struct err *err)
{
	struct emit go = { .out = out, .ecosystem = "golang" }, rust = { .out = out, .ecosystem = "cargo" };
	CLEANUP(elf_finip) struct elf elf = { 0 };

	(void)path;
	int r = elf_init(&elf, b, err);
	if (r >= 0)
		r = read_elf(&go, &rust, &elf, err);
	if (r < 0)
		return r;
	r = os_emit_end(&go, err);
	return r ? r : os_emit_end(&rust, err);
}
