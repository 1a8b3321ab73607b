/* golang.c - go.mod, with go.sum where go.mod alone doesn't tell, and vendor/modules.txt. Binaries, which
 * say best what is in them, are read in os/.
 *
 * Versions keep their "v", as Go writes them. The standard library counts where a toolchain is named: the
 * "go" line is only the oldest that would do. */
#include "agent/image/lang/give.h"
#include "agent/image/lang/lang.h"

enum { WORDS_MAX = 6, REPLACED_MAX = 1024 };

struct statement {
	struct slice verb;
	struct slice word[WORDS_MAX];
	size_t count;
};

struct mod {
	struct give e;
	struct replaced {
		struct slice name, version, by_name, by_version;
	} replaced[REPLACED_MAX];
	size_t replaced_count;
	struct slice go, toolchain;
	struct err *err;
};
typedef int (*statement_fn)(struct mod *m, const struct statement *s);

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Words of a line up to a comment; quotes are taken off. */
static void split_words(struct slice line, struct statement *s)
{
	ptrdiff_t comment = slice_find(line, SLICE_LIT("//"));

	s->count = 0;
	if (comment >= 0)
		line = slice_sub(line, 0, (size_t)comment);
	for (size_t at = 0; at < line.n && s->count < WORDS_MAX;) {
		size_t from = at;

		while (at < line.n && !is_blank(line.p[at]))
			at++;
		struct slice w = slice_sub(line, from, at - from);
		if (w.n > 1 && (w.p[0] == '"' || w.p[0] == '`'))
			w = slice_sub(w, 1, w.n - 2);
		if (w.n)
			s->word[s->count++] = w;
		while (at < line.n && is_blank(line.p[at]))
			at++;
	}
}

/* "require a v1" and the lines of "require (" … ")" alike. */
static int each_statement(struct mod *m, struct slice text, statement_fn fn)
{
	struct statement s = { 0 };
	struct slice line, block = SLICE_NONE;
	int r = 0;

	while (!r && slice_split(&text, '\n', &line)) {
		split_words(line, &s);
		if (!s.count)
			continue;
		if (block.n && slice_is(s.word[0], ")")) {
			block = SLICE_NONE;
			continue;
		}
		if (!block.n && s.count > 1 && slice_is(s.word[1], "(")) {
			block = s.word[0];
			continue;
		}
		s.verb = block;
		if (!block.n) {
			s.verb = s.word[0];
			memmove(s.word, s.word + 1, --s.count * sizeof(s.word[0]));
		}
		r = fn(m, &s);
	}
	return r;
}

/* First the words that bear on others: replace OLD [VERSION] => NEW [VERSION], go, toolchain. */
static int note(struct mod *m, const struct statement *s)
{
	size_t arrow = s->count > 1 && slice_is(s->word[1], "=>") ? 1 : 2;

	if (slice_is(s->verb, "go") && s->count)
		m->go = s->word[0];
	if (slice_is(s->verb, "toolchain") && s->count)
		m->toolchain = s->word[0];
	if (!slice_is(s->verb, "replace") || s->count < arrow + 2 || !slice_is(s->word[arrow], "=>"))
		return 0;
	if (m->replaced_count == REPLACED_MAX)
		return err_set(m->err, ERR_LIMIT, "more than %d modules are replaced", REPLACED_MAX);
	m->replaced[m->replaced_count++] = (struct replaced){
		.name = s->word[0],
		.version = arrow == 2 ? s->word[1] : SLICE_NONE,
		.by_name = s->word[arrow + 1],
		.by_version = s->count > arrow + 2 ? s->word[arrow + 2] : SLICE_NONE,
	};
	return 0;
}

/* One for this version goes before one for any; nullable. */
static const struct replaced *find_replaced(const struct mod *m, struct slice name, struct slice version)
{
	const struct replaced *any = NULL;

	for (size_t i = 0; i < m->replaced_count; i++) {
		const struct replaced *r = &m->replaced[i];

		if (!slice_eq(r->name, name))
			continue;
		if (r->version.n && slice_eq(r->version, version))
			return r;
		if (!r->version.n)
			any = r;
	}
	return any;
}

static int require(struct mod *m, const struct statement *s)
{
	if (!slice_is(s->verb, "require") || s->count < 2)
		return 0;
	const struct replaced *by = find_replaced(m, s->word[0], s->word[1]);
	(void)give_seen(&m->e, give_hash(s->word[0], SLICE_NONE, 'm'));
	if (!by)
		return give_package(&m->e, s->word[0], s->word[1], false);
	(void)give_seen(&m->e, give_hash(by->by_name, SLICE_NONE, 'm'));
	/* By a folder: nobody's module but theirs. */
	return by->by_version.n ? give_package(&m->e, by->by_name, by->by_version, false) : 0;
}

/* "go1.23.6-custom" -> 1.23.6, as it is told of binaries. */
static int add_toolchain(struct mod *m)
{
	ptrdiff_t dash = slice_find_char(m->toolchain, '-');
	struct slice t = dash < 0 ? m->toolchain : slice_sub(m->toolchain, 0, (size_t)dash);

	if (!slice_starts(t, SLICE_LIT("go")) || t.n < 3)
		return 0;
	return give_package(&m->e, SLICE_LIT("stdlib"), slice_sub(t, 2, t.n), false);
}

/* Up to 1.16 go.mod named only what the module itself imports. */
static bool names_all(struct slice go)
{
	struct slice major, minor;
	uint64_t a, b;

	if (!slice_split(&go, '.', &major) || !slice_split(&go, '.', &minor) || !slice_to_u64(major, &a) ||
	    !slice_to_u64(minor, &b))
		return false;
	return a > 1 || b >= 17;
}

/* "MODULE VERSION[/go.mod] h1:…": of each module the last, for they are sorted. Modules of which only go.mod
 * was looked at count too: more than is built, as Trivy has it. */
static int read_sum(struct mod *m, struct slice sum)
{
	struct slice line, name = SLICE_NONE, version = SLICE_NONE;
	struct statement s = { 0 };
	bool has_line = true;
	int r = 0;

	while (!r && has_line) {
		has_line = slice_split(&sum, '\n', &line);
		split_words(has_line ? line : SLICE_NONE, &s);
		if (has_line && s.count < 3)
			continue;
		if (slice_ends(s.word[1], SLICE_LIT("/go.mod")))
			s.word[1].n -= strlen("/go.mod");
		if (name.n && (!has_line || !slice_eq(name, s.word[0])) &&
		    !give_seen(&m->e, give_hash(name, SLICE_NONE, 'm')))
			r = give_package(&m->e, name, version, false);
		name = s.word[0];
		version = s.word[1];
	}
	return r;
}

static int read_mod(struct mod *m, struct slice text)
{
	int r = each_statement(m, text, note);

	if (!r)
		r = each_statement(m, text, require);
	if (!r && m->toolchain.n)
		r = add_toolchain(m);
	if (!r && !names_all(m->go) && m->e.out->sibling)
		r = read_sum(m, m->e.out->sibling(m->e.out->arg, "go.sum"));
	return r;
}

int lang_go_mod(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	/* Others' modules have a go.mod of their own, in the cache and in vendor. */
	if (lang_is_inside(path, "vendor") || slice_find(path, SLICE_LIT("pkg/mod/")) >= 0)
		return 0;
	CLEANUP(freep) struct mod *m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(err, ERR_LIMIT, "no memory for go.mod");
	m->err = err;
	give_init(&m->e, "golang", out);
	return give_end(&m->e, read_mod(m, text), err);
}

/* "# MODULE VERSION", "# MODULE [VERSION] => NEW [VERSION]" and below it the packages that were copied; a
 * module without any is not there. */
static int read_vendor(struct give *e, struct slice text)
{
	struct slice line, name = SLICE_NONE, version = SLICE_NONE;
	struct statement s = { 0 };
	int r = 0;

	while (!r && slice_split(&text, '\n', &line)) {
		split_words(line, &s);
		if (!s.count || slice_is(s.word[0], "##"))
			continue;
		if (!slice_is(s.word[0], "#")) {
			r = give_package(e, name, version, false);
			name = SLICE_NONE;
			continue;
		}
		size_t arrow = s.count > 2 && slice_is(s.word[2], "=>") ? 2 : 3;
		bool is_replaced = s.count > arrow + 2 && slice_is(s.word[arrow], "=>");
		bool is_named = s.count > 2 && arrow == 3;
		name = is_replaced ? s.word[arrow + 1] : is_named ? s.word[1] : SLICE_NONE;
		version = is_replaced ? s.word[arrow + 2] : is_named ? s.word[2] : SLICE_NONE;
	}
	return r;
}

int lang_go_vendor(struct slice path, struct slice text, const struct pkg_out *out, struct err *err)
{
	struct give e;

	(void)path;
	give_init(&e, "golang", out);
	return give_end(&e, read_vendor(&e, text), err);
}
