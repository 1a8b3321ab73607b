/* elf_file.c - see elf_file.h. */
#include "agent/image/os/elf_file.h"

#include <elf.h>

enum {
	WINDOW = 4096, /* a header and most section tables at once */
	SECTIONS_MAX = 65536,
	NAME_MAX_BYTES = 32,
};

static uint16_t half(const struct elf *e, const char *p)
{
	return e->is_big ? get_be16(p) : get_le16(p);
}

static uint32_t word(const struct elf *e, const char *p)
{
	return e->is_big ? get_be32(p) : get_le32(p);
}

uint64_t elf_word(bool is_64, bool is_big, const char *p)
{
	if (is_64)
		return is_big ? get_be64(p) : get_le64(p);
	return is_big ? get_be32(p) : get_le32(p);
}

static uint64_t wide(const struct elf *e, const char *p)
{
	return elf_word(e->is_64, e->is_big, p);
}

/* The field of a structure of the file's class, as wide as an address. */
#define WIDE(e, p, type, field) \
	wide(e, (p) + ((e)->is_64 ? offsetof(Elf64_##type, field) : offsetof(Elf32_##type, field)))
#define HALF(e, p, type, field) \
	half(e, (p) + ((e)->is_64 ? offsetof(Elf64_##type, field) : offsetof(Elf32_##type, field)))
#define WORD(e, p, type, field) \
	word(e, (p) + ((e)->is_64 ? offsetof(Elf64_##type, field) : offsetof(Elf32_##type, field)))

static int get_section(struct elf *e, uint32_t i, const char **ret, struct err *err)
{
	return window_get(&e->w, e->sections_off + (uint64_t)i * e->section_bytes,
			  e->is_64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr), ret, err);
}

static int get_segment(struct elf *e, uint32_t i, const char **ret, struct err *err)
{
	return window_get(&e->w, e->segments_off + (uint64_t)i * e->segment_bytes,
			  e->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr), ret, err);
}

static bool table_fits(const struct elf *e, uint64_t off, uint32_t count, uint32_t bytes, size_t least)
{
	const uint64_t size = e->w.b->size;

	return bytes >= least && off <= size && (uint64_t)count * bytes <= size - off;
}

/* More sections than 16 bits can count: the numbers are in section 0. */
static int read_counts(struct elf *e, struct err *err)
{
	const char *p;

	if (!e->sections_off || (e->section_count && e->names_section != SHN_XINDEX))
		return 0;
	int r = get_section(e, 0, &p, err);
	if (r < 0)
		return r;
	if (!e->section_count) {
		uint64_t n = WIDE(e, p, Shdr, sh_size);

		e->section_count = n > SECTIONS_MAX ? SECTIONS_MAX : (uint32_t)n;
	}
	if (e->names_section == SHN_XINDEX)
		e->names_section = WORD(e, p, Shdr, sh_link);
	return 0;
}

int elf_init(struct elf *e, const struct blob *b, struct err *err)
{
	const char *p;

	*e = (struct elf){ 0 };
	int r = window_init(&e->w, b, WINDOW, err);
	if (r >= 0)
		r = window_init(&e->names, b, WINDOW, err);
	if (r >= 0)
		r = window_get(&e->w, 0, sizeof(Elf32_Ehdr), &p, err);
	if (r < 0)
		return r;
	if (memcmp(p, ELFMAG, SELFMAG) != 0 || (p[EI_CLASS] != ELFCLASS32 && p[EI_CLASS] != ELFCLASS64) ||
	    (p[EI_DATA] != ELFDATA2LSB && p[EI_DATA] != ELFDATA2MSB))
		return err_set(err, ERR_CORRUPT, "not an ELF file");
	e->is_64 = p[EI_CLASS] == ELFCLASS64;
	e->is_big = p[EI_DATA] == ELFDATA2MSB;
	r = e->is_64 ? window_get(&e->w, 0, sizeof(Elf64_Ehdr), &p, err) : 0;
	if (r < 0)
		return r;
	e->sections_off = WIDE(e, p, Ehdr, e_shoff);
	e->segments_off = WIDE(e, p, Ehdr, e_phoff);
	e->section_bytes = HALF(e, p, Ehdr, e_shentsize);
	e->section_count = HALF(e, p, Ehdr, e_shnum);
	e->names_section = HALF(e, p, Ehdr, e_shstrndx);
	e->segment_bytes = HALF(e, p, Ehdr, e_phentsize);
	e->segment_count = HALF(e, p, Ehdr, e_phnum);
	if (read_counts(e, NULL) < 0 || e->names_section >= e->section_count ||
	    !table_fits(e, e->sections_off, e->section_count, e->section_bytes,
			e->is_64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr)))
		e->section_count = 0; /* stripped of it, or cut */
	if (!table_fits(e, e->segments_off, e->segment_count, e->segment_bytes,
			e->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		e->segment_count = 0;
	return 0;
}

void elf_fini(struct elf *e)
{
	window_fini(&e->w);
	window_fini(&e->names);
}

static bool cut_range(const struct elf *e, struct elf_range *range)
{
	const uint64_t size = e->w.b->size;

	if (range->off >= size)
		return false;
	if (range->n > size - range->off)
		range->n = size - range->off;
	return range->n > 0;
}

static int name_of(struct elf *e, struct elf_range names, uint32_t at, struct slice *ret, struct err *err)
{
	size_t max = at < names.n ? (size_t)(names.n - at) : 0;

	*ret = SLICE_NONE;
	if (max > NAME_MAX_BYTES)
		max = NAME_MAX_BYTES;
	const char *p;
	int r = max ? window_get(&e->names, names.off + at, max, &p, err) : 0;
	if (r >= 0 && max)
		*ret = slice_from(p, strnlen(p, max));
	return r;
}

static int take_section(struct elf *e, uint32_t i, struct elf_range names, const char *const *wanted,
			struct elf_range *ret, size_t count, struct err *err)
{
	struct slice name;
	const char *p;

	int r = get_section(e, i, &p, err);
	if (r >= 0)
		r = name_of(e, names, WORD(e, p, Shdr, sh_name), &name, err);
	if (r < 0)
		return r;
	for (size_t k = 0; k < count; k++) {
		struct elf_range range = { WIDE(e, p, Shdr, sh_offset), WIDE(e, p, Shdr, sh_size) };

		if (!ret[k].n && slice_is(name, wanted[k]) && WORD(e, p, Shdr, sh_type) != SHT_NOBITS &&
		    cut_range(e, &range))
			ret[k] = range;
	}
	return 0;
}

int elf_sections(struct elf *e, const char *const *wanted, struct elf_range *ret, size_t count, struct err *err)
{
	struct elf_range names;
	const char *p;

	memset(ret, 0, count * sizeof(*ret));
	if (!e->section_count)
		return 0;
	int r = get_section(e, e->names_section, &p, err);
	if (r < 0)
		return r;
	names = (struct elf_range){ WIDE(e, p, Shdr, sh_offset), WIDE(e, p, Shdr, sh_size) };
	if (!cut_range(e, &names))
		return 0;
	for (uint32_t i = 0; r >= 0 && i < e->section_count; i++)
		r = take_section(e, i, names, wanted, ret, count, err);
	return r;
}

int elf_data(struct elf *e, struct elf_range *ret, struct err *err)
{
	const char *p;

	for (uint32_t i = 0; i < e->segment_count; i++) {
		int r = get_segment(e, i, &p, err);

		if (r < 0)
			return r;
		if (WORD(e, p, Phdr, p_type) != PT_LOAD ||
		    (WORD(e, p, Phdr, p_flags) & (PF_X | PF_W)) != PF_W)
			continue;
		*ret = (struct elf_range){ WIDE(e, p, Phdr, p_offset), WIDE(e, p, Phdr, p_filesz) };
		return cut_range(e, ret);
	}
	return 0;
}

int elf_address(struct elf *e, uint64_t address, uint64_t n, uint64_t *ret_off, struct err *err)
{
	const char *p;

	for (uint32_t i = 0; i < e->segment_count; i++) {
		int r = get_segment(e, i, &p, err);

		if (r < 0)
			return r;
		uint64_t start = WIDE(e, p, Phdr, p_vaddr), bytes = WIDE(e, p, Phdr, p_filesz);
		if (WORD(e, p, Phdr, p_type) != PT_LOAD || address < start || address - start >= bytes ||
		    n > bytes - (address - start))
			continue;
		*ret_off = WIDE(e, p, Phdr, p_offset) + (address - start);
		return *ret_off >= address - start && *ret_off <= e->w.b->size && n <= e->w.b->size - *ret_off;
	}
	return 0;
}
