/* elf_file.h - as much of an ELF file as tells where a section or an address is. Both classes and byte
 * orders; whatever a file says is checked against the file. */
#pragma once
#include "agent/image/os/window.h"

struct elf {
	struct window w, names;
	bool is_64, is_big;
	uint64_t sections_off, segments_off;
	uint32_t section_bytes, section_count, names_section; /* section_count 0: none */
	uint32_t segment_bytes, segment_count;
};
struct elf_range {
	uint64_t off, n; /* in the file */
};

/* Caller frees with elf_fini, also after an error. ERR_CORRUPT where it is none. */
int elf_init(struct elf *e, const struct blob *b, struct err *err) WARN_UNUSED;
void elf_fini(struct elf *e);
static inline void elf_finip(struct elf *e)
{
	elf_fini(e);
}
/* Where the sections by these names (of at most 31 bytes) are; n 0: there is none, or it has no bytes in the
 * file. */
int elf_sections(struct elf *e, const char *const *wanted, struct elf_range *ret, size_t count,
		 struct err *err) WARN_UNUSED;
/* Has it a table of sections at all? */
static inline bool elf_has_sections(const struct elf *e)
{
	return e->section_count > 0;
}
/* 1 and the first writable segment that is no code, cut at the file's end; 0: none. */
int elf_data(struct elf *e, struct elf_range *ret, struct err *err) WARN_UNUSED;
/* 1 and where the n bytes at an address are in the file; 0: nowhere. */
int elf_address(struct elf *e, uint64_t address, uint64_t n, uint64_t *ret_off, struct err *err) WARN_UNUSED;
/* An address (4 or 8 bytes in the file's order). */
uint64_t elf_word(bool is_64, bool is_big, const char *p);
