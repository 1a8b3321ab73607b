/* go_binary.c - the build information that Go's linker puts into every program: its version, the main module,
 * what was linked in.
 *
 *   "\xff Go buildinf:" pointer-bytes:1 flags:1
 *   flags & 2 (since 1.18): 16 unused, then twice a varint and as many bytes: version, module text
 *   else: two addresses of Go strings (address, bytes); flags & 1: big-endian
 *
 * The module text has 16 bytes of a mark at both ends, and lines between:
 *   path <tab> package	       mod|dep|=> <tab> module <tab> version <tab> sum	    build <tab> key=value
 * "=>" follows what it replaces. */
#include <errno.h>

#include "agent/image/os/binary.h"

enum {
	MARK_BYTES = 14,
	HEAD_BYTES = 16,
	INLINE_AT = 32,
	VARINT_MAX = 10,
	FLAG_BIG = 1,
	FLAG_INLINE = 2,
	SENTINEL = 16,
	VERSION_MAX = 256,
	TEXT_MAX = 16 * 1024 * 1024,
	SEARCH_MAX = 64 * 1024 * 1024, /* of a data segment without sections */
	SEARCH_STEP = 2048,
	ALIGN = 16,
};
static const char mark[] = "\xff Go buildinf:";

/* The version in what `go build -ldflags "-X main.version=1.2.3"` was given, since a program that is built in
 * its own repository calls itself "(devel)". */
struct guess {
	struct kept version;
	unsigned rank; /* 0: none yet */
	bool is_unsure; /* two of the rank say different things */
};

struct reader {
	struct emit *e;
	struct kept path, main, main_version, dep, dep_version;
	struct guess guess;
	struct window w; /* of small things */
};

/* ---- where it is ---- */

int go_find(struct elf *elf, struct elf_range *ret, struct err *err)
{
	struct elf_range data;
	const char *p;

	*ret = (struct elf_range){ 0 };
	int r = elf_data(elf, &data, err);
	if (r <= 0)
		return r;
	if (data.n > SEARCH_MAX)
		data.n = SEARCH_MAX;
	for (uint64_t at = (data.off + ALIGN - 1) / ALIGN * ALIGN; at < data.off + data.n; at += SEARCH_STEP) {
		uint64_t left = data.off + data.n - at;
		size_t n = left < SEARCH_STEP ? (size_t)left : SEARCH_STEP;

		r = window_get(&elf->w, at, n, &p, err);
		if (r < 0)
			return r;
		for (size_t i = 0; i + HEAD_BYTES <= n; i += ALIGN)
			if (!memcmp(p + i, mark, MARK_BYTES)) {
				*ret = (struct elf_range){ at + i, left - i };
				return 0;
			}
	}
	return 0;
}

/* A varint and where the bytes behind it are. */
static int read_inline(struct reader *r, struct elf *elf, uint64_t *at, struct elf_range *ret, struct err *err)
{
	const uint64_t size = elf->w.b->size;
	size_t n = size - *at < VARINT_MAX ? (size_t)(size - *at) : VARINT_MAX, i = 0;
	uint64_t value = 0;
	const char *p;

	int code = window_get(&r->w, *at, n, &p, err);
	if (code < 0)
		return code;
	for (; i < n && i < 5; i++) {
		value |= (uint64_t)((uint8_t)p[i] & 0x7f) << (7 * i);
		if (!((uint8_t)p[i] & 0x80))
			break;
	}
	if (i == n || i == 5 || value > TEXT_MAX || value > size - *at - i - 1)
		return err_set(err, ERR_CORRUPT, "Go build information: a text at %llu", (unsigned long long)*at);
	*ret = (struct elf_range){ *at + i + 1, value };
	*at += i + 1 + value;
	return 0;
}

/* A Go string by the address of its address and length. */
static int read_pointer(struct reader *r, struct elf *elf, uint64_t at, unsigned width, bool is_big,
			struct elf_range *ret, struct err *err)
{
	uint64_t header;
	const char *p;

	int code = window_get(&r->w, at, width, &p, err);
	if (code < 0)
		return code;
	code = elf_address(elf, elf_word(width == 8, is_big, p), 2 * width, &header, err);
	if (code > 0)
		code = window_get(&r->w, header, 2 * width, &p, err) < 0 ? -1 : 1;
	if (code > 0) {
		ret->n = elf_word(width == 8, is_big, p + width);
		if (!ret->n)
			return 0;
		code = ret->n > TEXT_MAX ? 0 :
					   elf_address(elf, elf_word(width == 8, is_big, p), ret->n, &ret->off, err);
	}
	return code > 0 ? 0 : err_set(err, ERR_CORRUPT, "Go build information: an address leads nowhere");
}

static int find_texts(struct reader *r, struct elf *elf, uint64_t at, struct elf_range *version,
		      struct elf_range *modules, struct err *err)
{
	const char *p;

	int code = window_get(&r->w, at, HEAD_BYTES, &p, err);
	if (code < 0)
		return code;
	if (memcmp(p, mark, MARK_BYTES) != 0)
		return err_set(err, ERR_CORRUPT, "Go build information: no mark");
	unsigned width = (uint8_t)p[MARK_BYTES], flags = (uint8_t)p[MARK_BYTES + 1];
	if (flags & FLAG_INLINE) {
		at += INLINE_AT;
		if (at >= elf->w.b->size)
			return err_set(err, ERR_CORRUPT, "Go build information: cut");
		code = read_inline(r, elf, &at, version, err);
		return code < 0 ? code : read_inline(r, elf, &at, modules, err);
	}
	if (width != 4 && width != 8)
		return err_set(err, ERR_CORRUPT, "Go build information: addresses of %u bytes", width);
	code = read_pointer(r, elf, at + HEAD_BYTES, width, flags & FLAG_BIG, version, err);
	return code < 0 ? code : read_pointer(r, elf, at + HEAD_BYTES + width, width, flags & FLAG_BIG, modules, err);
}

/* ---- what it says ---- */

/* "go1.21.3", "go1.21.3 X:boringcrypto", "devel go1.22-3f2bf70 Mon ..." -> "1.21.3", "1.22-3f2bf70". */
static int give_stdlib(struct reader *r, struct elf_range at, struct err *err)
{
	struct slice text, word;
	const char *p;

	if (at.n > VERSION_MAX)
		return err_set(err, ERR_CORRUPT, "Go build information: a version of %llu bytes",
			       (unsigned long long)at.n);
	int code = window_get(&r->w, at.off, (size_t)at.n, &p, err);
	if (code < 0)
		return code;
	text = slice_from(p, (size_t)at.n);
	while (slice_split(&text, ' ', &word))
		if (slice_starts(word, SLICE_LIT("go")) && word.n > 2 && word.p[2] >= '0' && word.p[2] <= '9') {
			struct pkg pkg = { .name = SLICE_LIT("stdlib"), .version = slice_sub(word, 2, word.n) };

			(void)os_emit_package(r->e, &pkg);
			break;
		}
	return 0;
}

static bool is_version(struct slice v)
{
	size_t i = v.n && v.p[0] == 'v';
	bool has_dot = false;

	if (i >= v.n || v.p[i] < '0' || v.p[i] > '9')
		return false;
	for (; i < v.n; i++) {
		const char c = v.p[i];

		has_dot |= c == '.';
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
		      c == '-' || c == '+'))
			return false;
	}
	return has_dot;
}

/* "main.version=1.2.3": how much it is the program's own. */
static unsigned rank_of(const struct reader *r, struct slice key)
{
	static const struct slice ends[] = { { ".version", 8 }, { ".ver", 4 } };
	bool is_version_key = false;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		is_version_key |= key.n > ends[i].n &&
				  !strncasecmp(key.p + key.n - ends[i].n, ends[i].p, ends[i].n);
	if (!is_version_key)
		return 0;
	if (slice_starts(key, SLICE_LIT("main.")) || (r->main.n && slice_starts(key, kept_slice(&r->main))))
		return 2;
	return 1;
}

static void take_guess(struct reader *r, struct slice word)
{
	ptrdiff_t equals = slice_find_char(word, '=');

	if (equals <= 0)
		return;
	struct slice key = slice_sub(word, 0, (size_t)equals), value = slice_sub(word, (size_t)equals + 1, word.n);
	if (slice_starts(key, SLICE_LIT("-X"))) { /* -X=key=value */
		take_guess(r, value);
		return;
	}
	unsigned rank = rank_of(r, key);
	if (!rank || rank < r->guess.rank || !is_version(value))
		return;
	if (rank == r->guess.rank) {
		r->guess.is_unsure |= !slice_eq(value, kept_slice(&r->guess.version));
		return;
	}
	r->guess = (struct guess){ .rank = rank };
	kept_set(&r->guess.version, value);
}

/* The value is quoted once as a whole and may be again inside: what is between blanks and quotes counts. */
static void take_ldflags(struct reader *r, struct slice value)
{
	size_t start = 0;

	for (size_t i = 0; i <= value.n; i++) {
		if (i < value.n && !strchr(" \t\"'\\", value.p[i]))
			continue;
		take_guess(r, slice_sub(value, start, i - start));
		start = i + 1;
	}
}

/* "./fork", "/src/fork": a replacement by a folder, whose version nobody knows. */
static bool is_folder(struct slice module)
{
	return slice_starts(module, SLICE_LIT("./")) || slice_starts(module, SLICE_LIT("../")) ||
	       slice_starts(module, SLICE_LIT("/"));
}

static bool give_dep(struct reader *r)
{
	struct pkg p = { .name = kept_slice(&r->dep), .version = kept_slice(&r->dep_version) };

	if (!r->dep.n)
		return true;
	if (slice_is(p.version, "(devel)"))
		p.version = SLICE_NONE;
	return os_emit_package(r->e, &p);
}

static bool take_module(struct reader *r, struct slice kind, struct slice rest)
{
	struct slice module = SLICE_NONE, version = SLICE_NONE;
	bool go_on = true;

	(void)slice_split(&rest, '\t', &module);
	(void)slice_split(&rest, '\t', &version);
	if (slice_is(kind, "path")) {
		kept_set(&r->path, module);
	} else if (slice_is(kind, "mod")) {
		kept_set(&r->main, module);
		kept_set(&r->main_version, version);
	} else if (slice_is(kind, "dep")) {
		go_on = give_dep(r);
		kept_set(&r->dep, module);
		kept_set(&r->dep_version, version);
	} else if (slice_is(kind, "=>")) {
		/* Of a main module, which is given last, or of a dependency. */
		struct kept *name = r->dep.n ? &r->dep : &r->main,
			    *name_version = r->dep.n ? &r->dep_version : &r->main_version;

		if (is_folder(module))
			version = SLICE_NONE;
		else
			kept_set(name, module);
		kept_set(name_version, version);
	}
	return go_on;
}

/* Built without modules: a package's path below a forge tells the module, which is its repository. */
static void guess_main(struct reader *r)
{
	static const char *const forges[] = { "github.com", "gitlab.com", "bitbucket.org" };
	struct slice rest = kept_slice(&r->path), host = SLICE_NONE, owner, repository;

	(void)slice_split(&rest, '/', &host);
	for (size_t i = 0; i < ARRAY_LEN(forges); i++)
		if (slice_is(host, forges[i]) && slice_split(&rest, '/', &owner) &&
		    slice_split(&rest, '/', &repository) && repository.n)
			kept_set(&r->main, slice_from(r->path.p, (size_t)(repository.p + repository.n - r->path.p)));
}

static void give_main(struct reader *r)
{
	char guessed[OS_TEXT_MAX + 2];
	struct slice version = kept_slice(&r->main_version), guess = kept_slice(&r->guess.version);
	bool is_sure = r->guess.rank && !r->guess.is_unsure;

	if (!r->main.n && is_sure)
		guess_main(r);
	if (!r->main.n)
		return;
	if (!version.n || slice_is(version, "(devel)")) {
		int n = snprintf(guessed, sizeof(guessed), "%s%.*s", guess.n && guess.p[0] == 'v' ? "" : "v",
				 SLICE_FMT(guess));

		version = is_sure ? slice_from(guessed, (size_t)n) : SLICE_NONE;
	}
	struct pkg p = { .name = kept_slice(&r->main), .version = version };
	(void)os_emit_package(r->e, &p);
}

static int give_modules(struct reader *r, const struct blob *b, struct elf_range at, struct err *err)
{
	CLEANUP(lines_finip) struct lines l = { 0 };
	struct slice line, kind;
	struct part text;
	bool go_on = true;
	const char *p;

	if (at.n < 2 * SENTINEL + 1)
		return 0;
	int code = window_get(&r->w, at.off + at.n - SENTINEL - 1, 1, &p, err);
	if (code < 0 || *p != '\n')
		return code;
	code = part_init(&text, b, at.off + SENTINEL, at.n - 2 * SENTINEL, err);
	if (code >= 0)
		code = lines_init(&l, &text.b, err);
	while (code >= 0 && go_on && (code = lines_next(&l, &line, err)) > 0) {
		if (!slice_split(&line, '\t', &kind))
			continue;
		if (slice_is(kind, "build") && slice_starts(line, SLICE_LIT("-ldflags=")))
			take_ldflags(r, slice_sub(line, 9, line.n));
		else
			go_on = take_module(r, kind, line);
	}
	if (code >= 0 && go_on && give_dep(r))
		give_main(r);
	return code < 0 ? code : 0;
}

int go_give(struct emit *e, struct elf *elf, struct elf_range at, struct err *err)
{
	struct elf_range version = { 0 }, modules = { 0 };
	CLEANUP(freep) struct reader *r = calloc(1, sizeof(*r));

	if (!r)
		return err_set(err, ENOMEM, "read a program");
	r->e = e;
	int code = window_init(&r->w, elf->w.b, HEAD_BYTES + VERSION_MAX, err);
	if (code >= 0)
		code = find_texts(r, elf, at.off, &version, &modules, err);
	if (code >= 0)
		code = give_stdlib(r, version, err);
	if (code >= 0 && !e->stop)
		code = give_modules(r, elf->w.b, modules, err);
	window_fini(&r->w);
	return code;
}
