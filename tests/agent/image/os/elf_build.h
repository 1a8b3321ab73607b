/* elf_build.h - makes small ELF files with the sections and the one data segment asked for. */
#pragma once
#include "collect.h"

enum { ELF_SECTIONS_MAX = 6, ELF_DATA_ADDRESS = 0x10000 };

struct elf_build {
	bool is_32, is_big, has_no_sections;
	struct {
		const char *name;
		struct slice bytes;
	} sections[ELF_SECTIONS_MAX];
	size_t count;
	struct slice data; /* the writable segment, at ELF_DATA_ADDRESS */
};

static inline void elf_put(const struct elf_build *e, struct buf *b, unsigned width, uint64_t v)
{
	for (unsigned i = 0; i < width; i++)
		buf_add_char(b, (char)(v >> 8 * (e->is_big ? width - 1 - i : i)));
}

/* A field as wide as an address. */
static inline void elf_wide(const struct elf_build *e, struct buf *b, uint64_t v)
{
	elf_put(e, b, e->is_32 ? 4 : 8, v);
}

static inline void elf_pad(struct buf *b)
{
	while (b->n % 16)
		buf_add_char(b, '\0');
}

static inline void elf_section_row(const struct elf_build *e, struct buf *b, size_t name, unsigned type, size_t off,
				   size_t n)
{
	elf_put(e, b, 4, name);
	elf_put(e, b, 4, type);
	elf_wide(e, b, 0);
	elf_wide(e, b, 0);
	elf_wide(e, b, off);
	elf_wide(e, b, n);
	elf_put(e, b, 4, 0);
	elf_put(e, b, 4, 0);
	elf_wide(e, b, 0);
	elf_wide(e, b, 0);
}

static inline void elf_segment_row(const struct elf_build *e, struct buf *b, unsigned flags, size_t off, size_t n)
{
	elf_put(e, b, 4, 1);
	if (!e->is_32)
		elf_put(e, b, 4, flags);
	elf_wide(e, b, off);
	elf_wide(e, b, flags & 2 ? ELF_DATA_ADDRESS : 0x1000);
	elf_wide(e, b, 0);
	elf_wide(e, b, n);
	elf_wide(e, b, n);
	if (e->is_32)
		elf_put(e, b, 4, flags);
	elf_wide(e, b, 4096);
}

/* Caller frees with buf_fini. */
static inline struct buf elf_of(const struct elf_build *e)
{
	size_t head = e->is_32 ? 52 : 64, offs[ELF_SECTIONS_MAX], names[ELF_SECTIONS_MAX], segment = e->is_32 ? 32 : 56;
	struct buf out, body, strings;

	buf_init(&out, 0), buf_init(&body, 0), buf_init(&strings, 0);
	buf_add_char(&strings, '\0');
	/* The body begins behind the head and two segments, aligned. */
	size_t start = (head + 2 * segment + 15) / 16 * 16;
	size_t data = start;
	buf_add_slice(&body, e->data);
	for (size_t i = 0; i < e->count; i++) {
		elf_pad(&body);
		offs[i] = start + body.n;
		buf_add_slice(&body, e->sections[i].bytes);
		names[i] = strings.n;
		buf_add(&strings, e->sections[i].name, strlen(e->sections[i].name) + 1);
	}
	size_t strings_off = start + body.n, strings_name = strings.n;
	buf_add(&strings, ".shstrtab", 10);
	buf_add_slice(&body, buf_slice(&strings));
	elf_pad(&body);

	buf_add(&out, "\177ELF", 4);
	buf_add_char(&out, e->is_32 ? 1 : 2);
	buf_add_char(&out, e->is_big ? 2 : 1);
	buf_add(&out, "\1\0\0\0\0\0\0\0\0\0", 10);
	elf_put(e, &out, 2, 2), elf_put(e, &out, 2, 62), elf_put(e, &out, 4, 1);
	elf_wide(e, &out, 0);
	elf_wide(e, &out, head);
	elf_wide(e, &out, e->has_no_sections ? 0 : start + body.n);
	elf_put(e, &out, 4, 0), elf_put(e, &out, 2, head);
	elf_put(e, &out, 2, segment), elf_put(e, &out, 2, 2);
	elf_put(e, &out, 2, e->is_32 ? 40 : 64);
	elf_put(e, &out, 2, e->has_no_sections ? 0 : e->count + 2);
	elf_put(e, &out, 2, e->has_no_sections ? 0 : e->count + 1);
	elf_segment_row(e, &out, 5, 0, start); /* code */
	elf_segment_row(e, &out, 6, data, e->data.n);
	while (out.n < start)
		buf_add_char(&out, '\0');
	buf_add_slice(&out, buf_slice(&body));
	if (!e->has_no_sections) {
		elf_section_row(e, &out, 0, 0, 0, 0);
		for (size_t i = 0; i < e->count; i++)
			elf_section_row(e, &out, names[i], 1, offs[i], e->sections[i].bytes.n);
		elf_section_row(e, &out, strings_name, 3, strings_off, strings.n);
	}
	buf_fini(&body), buf_fini(&strings);
	return out;
}

/* A program with one section. */
static inline struct buf elf_with(const char *name, struct slice bytes)
{
	const struct elf_build e = { .sections = { { name, bytes } }, .count = 1 };

	return elf_of(&e);
}

static inline void expect_elf(struct buf elf, int want, const char *packages, const char *why)
{
	struct collect c;

	collect_init(&c);
	int r = collect_bytes(&c, "ELF", buf_slice(&elf));
	if (r != want)
		fail_msg("%d %s", r, c.err.msg);
	assert_string_equal(collect_packages(&c), packages);
	assert_int_equal(c.owned_count, 0);
	if (why && !strstr(c.err.msg, why))
		fail_msg("'%s' does not say '%s'", c.err.msg, why);
	collect_fini(&c);
	buf_fini(&elf);
}
