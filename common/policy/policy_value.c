/* policy_value.c - the value of one key: read, checked, made quick to look up. */
#include <arpa/inet.h>
#include <stdarg.h>

#include "common/log.h"
#include "common/policy/policy_priv.h"
#include "common/text.h"

enum { SHOWN_MAX = 80, NAME_MAX_BYTES = 1024 };

int policy_fail(const struct policy_reader *r, const struct conf_node *at, const char *fmt, ...)
{
	char what[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(r->err, ERR_SYNTAX, "%s:%u:%u: %s", r->name, at->line, at->column, what);
}

int policy_fail_unknown(const struct policy_reader *r, const struct conf_node *at, const char *what,
			const char *const *names, size_t count)
{
	const char *near = text_nearest(at->text, names, count);
	char shown[SHOWN_MAX];

	log_escape(at->text, shown, sizeof(shown));
	return policy_fail(r, at, "unknown %s '%s'%s%s%s", what, shown, near ? ", did you mean '" : "", near ? near : "",
			   near ? "'?" : "");
}

int policy_fail_kind(const struct policy_reader *r, const struct conf_node *at, const char *key, const char *expected)
{
	static const char *const kinds[] = { "nothing", "", "a list", "a mapping" };
	char shown[SHOWN_MAX];

	if (at->kind != CONF_NODE_SCALAR)
		return policy_fail(r, at, "'%s' must be %s, not %s", key, expected, kinds[at->kind]);
	log_escape(at->text, shown, sizeof(shown));
	return policy_fail(r, at, "'%s' must be %s, not '%s'", key, expected, shown);
}

static int fail_memory(const struct policy_reader *r, const struct conf_node *at)
{
	return policy_fail(r, at, "too large");
}

static bool is_plain(const struct conf_node *n, const char *word)
{
	return n->kind == CONF_NODE_SCALAR && n->is_plain && slice_is(n->text, word);
}

/* ---- entries ---- */

static int read_repository(const struct policy_reader *r, const struct conf_node *n, struct policy_entry *e)
{
	struct slice s = n->text;
	const char *repository, *tag, *digest;

	if (slice_is(s, "*")) {
		e->text = "";
		return 0;
	}
	if (slice_ends(s, SLICE_LIT("/*")))
		s = slice_sub(s, 0, s.n - 2);
	else if (slice_ends(s, SLICE_LIT("/")))
		s = slice_sub(s, 0, s.n - 1);
	if (slice_find_char(s, '*') >= 0)
		return policy_fail(r, n, "a * can only be the last part: \"registry.example.com/team/*\"");
	ptrdiff_t slash = slice_find_char(s, '/');
	struct slice last = s;
	for (ptrdiff_t at; (at = slice_find_char(last, '/')) >= 0;)
		last = slice_sub(last, (size_t)at + 1, last.n);
	bool is_host = slash < 0 && (slice_find_char(s, '.') >= 0 || slice_find_char(s, ':') >= 0 || slice_is(s, "localhost"));
	if (slice_find_char(s, '@') >= 0 || (!is_host && slice_find_char(last, ':') >= 0))
		return policy_fail(r, n, "a repository is named without tag and digest");
	/* A host by itself, and "docker.io/library" (a folder, not the official image of that name), are prefixes. */
	const char *probe = arena_printf(r->p->arena, "%.*s%s", SLICE_FMT(s), is_host ? "/x" : "");
	if (!probe)
		return fail_memory(r, n);
	if (!policy_reference(probe, r->p->arena, &repository, &tag, &digest))
		return policy_fail(r, n, "not a repository: HOST[:PORT][/PATH]");
	bool has_first = slash > 0 && slice_find_char(slice_sub(s, 0, (size_t)slash), '.') >= 0;
	struct slice canonical = slice_of(is_host || has_first ? NULL : repository);
	if (is_host || has_first) {
		/* As written: Docker Hub's "library/" is put in only where no host is named. */
		const char *host = policy_canonical(slice_sub(s, 0, is_host ? s.n : (size_t)slash), r->p->arena);
		const char *whole = !host ? NULL :
				    is_host ? host :
					      arena_printf(r->p->arena, "%s%.*s", host, SLICE_FMT(slice_sub(s, (size_t)slash, s.n)));
		canonical = slice_of(whole);
	} else {
		canonical = slice_of(policy_canonical(canonical, r->p->arena));
	}
	e->text = canonical.p;
	return e->text ? 0 : fail_memory(r, n);
}

static bool is_host_name(struct slice s)
{
	struct slice rest = s, part;
	bool has_letter = false;

	if (!s.n || s.n > 253 || s.p[s.n - 1] == '.')
		return false;
	while (slice_split(&rest, '.', &part)) {
		if (!part.n || part.n > 63 || part.p[0] == '-' || part.p[part.n - 1] == '-')
			return false;
		has_letter = false; /* of the last label: else it is a mistyped address */
		for (size_t i = 0; i < part.n; i++) {
			char c = part.p[i];
			bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

			if (!is_letter && c != '-' && !(c >= '0' && c <= '9'))
				return false;
			has_letter = has_letter || is_letter;
		}
	}
	return has_letter;
}

static bool mask(struct policy_address *a)
{
	bool is_whole = true;

	for (unsigned i = 0; i < 16; i++) {
		unsigned keep = a->bits >= (i + 1) * 8 ? 8 : a->bits > i * 8 ? a->bits - i * 8 : 0;
		uint8_t kept = (uint8_t)(a->bytes[i] & ~(0xffU >> keep));

		is_whole = is_whole && kept == a->bytes[i];
		a->bytes[i] = kept;
	}
	return is_whole;
}

/* ::ffff:a.b.c.d is the IPv4 address: the kernel sends it there. */
static void unmap(struct policy_address *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (!a->is_v6 || a->bits < 96 || memcmp(a->bytes, mapped, 12) != 0)
		return;
	memmove(a->bytes, a->bytes + 12, 4);
	memset(a->bytes + 4, 0, 12);
	a->bits = (uint8_t)(a->bits - 96);
	a->is_v6 = false;
}

static int read_prefix(const struct policy_reader *r, const struct conf_node *n, struct policy_entry *e)
{
	char text[64], proper[INET6_ADDRSTRLEN];
	ptrdiff_t slash = slice_find_char(n->text, '/');
	struct slice host = slash < 0 ? n->text : slice_sub(n->text, 0, (size_t)slash);
	struct policy_address a = { 0 };
	uint64_t bits;

	if (slash < 0 && is_host_name(host)) {
		char *lower = arena_dup(r->p->arena, host);

		if (!lower)
			return fail_memory(r, n);
		for (char *c = lower; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
		e->text = lower;
		e->is_name = true;
		return 0;
	}
	bool fits = slice_copy(host, text, sizeof(text));
	a.is_v6 = fits && inet_pton(AF_INET6, text, a.bytes) == 1;
	if (!fits || (!a.is_v6 && inet_pton(AF_INET, text, a.bytes) != 1))
		return policy_fail(r, n, "not an address, a prefix (10.0.0.0/8) or a host name");
	bits = a.is_v6 ? 128 : 32;
	if (slash >= 0 && (!slice_to_u64(slice_sub(n->text, (size_t)slash + 1, n->text.n), &bits) || bits > (a.is_v6 ? 128 : 32)))
		return policy_fail(r, n, "the length of a prefix is 0 to %d", a.is_v6 ? 128 : 32);
	a.bits = (uint8_t)bits;
	unmap(&a);
	bool is_whole = mask(&a);
	inet_ntop(a.is_v6 ? AF_INET6 : AF_INET, a.bytes, proper, sizeof(proper));
	if (!is_whole)
		return policy_fail(r, n, "bits are set beyond the prefix: write %s/%u, or the address alone", proper, a.bits);
	e->prefix = a;
	e->text = arena_printf(r->p->arena, "%s/%u", proper, a.bits);
	return e->text ? 0 : fail_memory(r, n);
}

static int read_ports(const struct policy_reader *r, const struct conf_node *n, struct policy_entry *e)
{
	ptrdiff_t dash = slice_find_char(n->text, '-');
	uint64_t from, to;

	if (!slice_to_u64(dash < 0 ? n->text : slice_sub(n->text, 0, (size_t)dash), &from))
		return policy_fail(r, n, "not a port (443) or a range of ports (8000-8100)");
	to = from;
	if (dash >= 0 && !slice_to_u64(slice_sub(n->text, (size_t)dash + 1, n->text.n), &to))
		return policy_fail(r, n, "not a port (443) or a range of ports (8000-8100)");
	if (!from || from > to || to > 65535)
		return policy_fail(r, n, "ports are 1 to 65535, the lower first");
	e->port.from = (uint16_t)from;
	e->port.to = (uint16_t)to;
	e->text = n->text.p;
	return 0;
}

static int read_mount(const struct policy_reader *r, const struct conf_node *n, const char *key, struct policy_entry *e)
{
	bool is_allowed = !strcmp(key, "allowed_mounts"), is_hidden;
	struct slice s = n->text;
	char path[4096];

	if (slice_ends(s, SLICE_LIT(":rw")) || slice_ends(s, SLICE_LIT(":ro"))) {
		e->is_half = slice_ends(s, is_allowed ? SLICE_LIT(":ro") : SLICE_LIT(":rw"));
		if (!e->is_half)
			return policy_fail(r, n, is_allowed ? "allowed is writable too, unless \":ro\" says otherwise" :
							      "denied is read-only too, unless \":rw\" says otherwise");
		s = slice_sub(s, 0, s.n - 3);
	}
	char *text = arena_dup(r->p->arena, s);
	if (!text)
		return fail_memory(r, n);
	if (!policy_path_clean(text, path, sizeof(path), &is_hidden))
		return policy_fail(r, n, "not an absolute path of the host");
	if (strpbrk(path, "*?"))
		return policy_fail(r, n, "a path without * and ?: it holds for all below it");
	e->text = arena_dup(r->p->arena, slice_of(path));
	return e->text ? 0 : fail_memory(r, n);
}

static int read_capability(const struct policy_reader *r, const struct conf_node *n, struct policy_value *v)
{
	const char *names[CAPS_COUNT + 1];
	struct conf_node shown = *n;
	unsigned bit = policy_cap_find(n->text);

	if (bit == CAP_ALL)
		v->n = policy_caps_all();
	if (bit < CAPS_COUNT)
		v->n |= 1ULL << bit;
	if (bit != CAP_UNKNOWN)
		return 0;
	for (unsigned i = 0; i < CAPS_COUNT; i++)
		names[i] = policy_cap_name(i);
	names[CAPS_COUNT] = "ALL";
	if (slice_starts(shown.text, SLICE_LIT("CAP_")))
		shown.text = slice_sub(shown.text, 4, shown.text.n);
	return policy_fail_unknown(r, &shown, "capability", names, ARRAY_LEN(names));
}

static int read_name(const struct policy_reader *r, const struct conf_node *n, struct policy_entry *e)
{
	if (!n->text.n || n->text.n > NAME_MAX_BYTES)
		return policy_fail(r, n, "a name of 1 to %d bytes", NAME_MAX_BYTES);
	e->text = n->text.p;
	return 0;
}

static int read_entry(const struct policy_reader *r, const struct conf_node *n, const char *key, enum policy_kind kind,
		      struct policy_value *v)
{
	struct policy_entry *e = &v->entries[v->count];

	if (n->kind != CONF_NODE_SCALAR)
		return policy_fail(r, n, "each of '%s' must be one text", key);
	*e = (struct policy_entry){ .line = n->line, .column = n->column };
	v->count++;
	switch (kind) {
	case POLICY_KIND_REPOSITORIES:
		return read_repository(r, n, e);
	case POLICY_KIND_PREFIXES:
		return read_prefix(r, n, e);
	case POLICY_KIND_PORTS:
		return read_ports(r, n, e);
	case POLICY_KIND_MOUNTS:
		return read_mount(r, n, key, e);
	case POLICY_KIND_CAPABILITIES:
		e->text = n->text.p;
		return read_capability(r, n, v);
	default:
		return read_name(r, n, e);
	}
}

/* ---- looking up ---- */

static uint64_t hash_address(const struct policy_address *a)
{
	uint64_t x, y;

	memcpy(&x, a->bytes, 8);
	memcpy(&y, a->bytes + 8, 8);
	x = (x ^ (uint64_t)a->bits << 1 ^ a->is_v6) * 0x9e3779b97f4a7c15ULL;
	x = (x ^ x >> 29 ^ y) * 0xbf58476d1ce4e5b9ULL;
	return x ^ x >> 32;
}

static bool same_address(const struct policy_address *a, const struct policy_address *b)
{
	return a->bits == b->bits && a->is_v6 == b->is_v6 && !memcmp(a->bytes, b->bytes, 16);
}

static bool same_entry(const struct policy_entry *a, const struct policy_entry *b, bool is_prefix)
{
	if (a->is_name || b->is_name || !is_prefix)
		return a->is_name == b->is_name && !strcmp(a->text, b->text);
	return same_address(&a->prefix, &b->prefix);
}

static uint64_t hash_entry(const struct policy_entry *e, bool is_prefix)
{
	return is_prefix && !e->is_name ? hash_address(&e->prefix) : slice_hash(slice_of(e->text));
}

bool policy_value_index(struct policy_value *v, struct arena *a, bool is_prefix)
{
	for (v->slot_count = 16; v->slot_count < v->count * 2; v->slot_count *= 2)
		;
	v->slots = arena_zalloc(a, v->slot_count, sizeof(*v->slots));
	for (size_t i = 0; v->slots && i < v->count; i++) {
		const struct policy_entry *e = &v->entries[i];
		size_t at = hash_entry(e, is_prefix) & (v->slot_count - 1);

		while (v->slots[at] && !same_entry(&v->entries[v->slots[at] - 1], e, is_prefix))
			at = (at + 1) & (v->slot_count - 1);
		if (!v->slots[at])
			v->slots[at] = (uint32_t)i + 1;
		if (is_prefix && !e->is_name && !e->prefix.is_v6)
			v->lengths4 |= 1ULL << e->prefix.bits;
		else if (is_prefix && !e->is_name)
			v->lengths6[e->prefix.bits / 64] |= 1ULL << e->prefix.bits % 64;
	}
	return v->slots != NULL;
}

static const struct policy_entry *find_text(const struct policy_value *v, struct slice s)
{
	for (size_t at = slice_hash(s) & (v->slot_count - 1); v->slots[at]; at = (at + 1) & (v->slot_count - 1))
		if (slice_is(s, v->entries[v->slots[at] - 1].text))
			return &v->entries[v->slots[at] - 1];
	return NULL;
}

const struct policy_entry *policy_value_repository(const struct policy_value *v, struct slice repository)
{
	if (!v->slots)
		return NULL;
	for (;;) {
		const struct policy_entry *e = find_text(v, repository);

		if (e || !repository.n)
			return e;
		do
			repository.n--;
		while (repository.n && repository.p[repository.n] != '/');
	}
}

const struct policy_entry *policy_value_prefix(const struct policy_value *v, const struct policy_address *a)
{
	if (!v->slots)
		return NULL;
	for (size_t at = hash_address(a) & (v->slot_count - 1); v->slots[at]; at = (at + 1) & (v->slot_count - 1)) {
		const struct policy_entry *e = &v->entries[v->slots[at] - 1];

		if (!e->is_name && same_address(&e->prefix, a))
			return e;
	}
	return NULL;
}

const struct policy_entry *policy_value_address(const struct policy_value *v, const struct policy_address *a)
{
	struct policy_address p = *a;

	for (int bits = a->bits; v->slots && bits >= 0; bits--) {
		bool is_there = a->is_v6 ? v->lengths6[bits / 64] >> bits % 64 & 1 : v->lengths4 >> bits & 1;

		if (!is_there)
			continue;
		p.bits = (uint8_t)bits;
		(void)mask(&p);
		const struct policy_entry *e = policy_value_prefix(v, &p);
		if (e)
			return e;
	}
	return NULL;
}

static size_t literal_length(const char *glob)
{
	size_t n = 0;

	for (; *glob; glob++)
		n += *glob != '*' && *glob != '?';
	return n;
}

const struct policy_entry *policy_value_name(const struct policy_value *v, const char *name)
{
	const struct policy_entry *best = NULL;
	size_t best_length = 0;

	for (size_t i = 0; i < v->count; i++) {
		const struct policy_entry *e = &v->entries[i];
		size_t n = literal_length(e->text);

		if ((best && n <= best_length) || !text_glob(slice_of(e->text), slice_of(name)))
			continue;
		best = e;
		best_length = n;
	}
	return best;
}

const struct policy_entry *policy_value_port(const struct policy_value *v, uint16_t port)
{
	const struct policy_entry *best = NULL;

	for (size_t i = 0; i < v->count; i++) {
		const struct policy_entry *e = &v->entries[i];

		if (port >= e->port.from && port <= e->port.to &&
		    (!best || e->port.to - e->port.from < best->port.to - best->port.from))
			best = e;
	}
	return best;
}

/* ---- values ---- */

static int read_list(const struct policy_reader *r, const struct conf_node *n, const char *key, enum policy_kind kind,
		     struct policy_value *v)
{
	bool is_long = kind == POLICY_KIND_REPOSITORIES || kind == POLICY_KIND_PREFIXES;
	size_t most = is_long ? POLICY_LONG_MAX : POLICY_LIST_MAX;

	if (n->kind != CONF_NODE_LIST)
		return policy_fail_kind(r, n, key, "a list ([] for none)");
	if (n->count > most)
		return policy_fail(r, n, "'%s' has %zu entries, at most %zu are possible", key, n->count, most);
	v->entries = arena_zalloc(r->p->arena, n->count + 1, sizeof(*v->entries));
	if (!v->entries)
		return fail_memory(r, n);
	for (const struct conf_node *i = n->items; i; i = i->next) {
		int e = read_entry(r, i, key, kind, v);

		if (e < 0)
			return e;
	}
	if (is_long && !policy_value_index(v, r->p->arena, kind == POLICY_KIND_PREFIXES))
		return fail_memory(r, n);
	return 0;
}

/* true, false, or a list of names: bits. */
static int read_bits(const struct policy_reader *r, const struct conf_node *n, const char *key, const char *const *names,
		     size_t count, uint64_t when_true, const char *what, uint64_t *ret)
{
	if (is_plain(n, "true") || is_plain(n, "false")) {
		*ret = is_plain(n, "true") ? when_true : 0;
		return 0;
	}
	if (n->kind != CONF_NODE_LIST)
		return policy_fail_kind(r, n, key, "true, false or a list");
	for (const struct conf_node *i = n->items; i; i = i->next) {
		size_t bit = 0;

		if (i->kind != CONF_NODE_SCALAR)
			return policy_fail(r, i, "each of '%s' must be one text", key);
		while (bit < count && !slice_is(i->text, names[bit]))
			bit++;
		if (bit == count)
			return policy_fail_unknown(r, i, what, names, count);
		*ret |= 1ULL << bit;
	}
	return 0;
}

static int read_severity(const struct policy_reader *r, const struct conf_node *n, const char *key, uint64_t *ret)
{
	if (n->kind != CONF_NODE_SCALAR)
		return policy_fail_kind(r, n, key, "a severity");
	for (size_t i = 0; i < ARRAY_LEN(policy_severity_names); i++) {
		if (slice_is(n->text, policy_severity_names[i])) {
			*ret = i;
			return 0;
		}
	}
	return policy_fail_unknown(r, n, "severity", policy_severity_names, ARRAY_LEN(policy_severity_names));
}

int policy_value_read(const struct policy_reader *r, const struct conf_node *n, const char *key, enum policy_kind kind,
		      struct policy_value *ret)
{
	enum { NAMESPACES_TRUE = 1 << NAMESPACE_PID | 1 << NAMESPACE_IPC | 1 << NAMESPACE_NETWORK | 1 << NAMESPACE_UTS |
				 1 << NAMESPACE_USER };
	struct policy_value v = { .is_set = true, .line = n->line, .column = n->column };
	int e = 0;

	switch (kind) {
	case POLICY_KIND_BOOL:
		v.n = is_plain(n, "true");
		if (!v.n && !is_plain(n, "false"))
			e = policy_fail_kind(r, n, key, "true or false");
		break;
	case POLICY_KIND_SEVERITY:
		e = read_severity(r, n, key, &v.n);
		break;
	case POLICY_KIND_DURATION:
		if (n->kind != CONF_NODE_SCALAR || !text_duration_parse(n->text, &v.n) || !v.n)
			e = policy_fail_kind(r, n, key, "a duration like 24h or 7d");
		break;
	case POLICY_KIND_NAMESPACES:
		e = read_bits(r, n, key, policy_namespace_names, ARRAY_LEN(policy_namespace_names), NAMESPACES_TRUE, "namespace",
			      &v.n);
		break;
	case POLICY_KIND_LIMITS:
		e = read_bits(r, n, key, policy_limit_names, ARRAY_LEN(policy_limit_names), 1 << LIMIT_MEMORY | 1 << LIMIT_PIDS,
			      "limit", &v.n);
		break;
	case POLICY_KIND_REPOSITORIES:
	case POLICY_KIND_NAMES:
	case POLICY_KIND_PREFIXES:
	case POLICY_KIND_PORTS:
	case POLICY_KIND_CAPABILITIES:
	case POLICY_KIND_MOUNTS:
		e = read_list(r, n, key, kind, &v);
		break;
	}
	if (e >= 0)
		*ret = v;
	return e;
}

int policy_texts_read(const struct policy_reader *r, const struct conf_node *n, const char *key, struct policy_texts *ret)
{
	size_t count = n->kind == CONF_NODE_LIST ? n->count : 1, i = 0;

	if (n->kind != CONF_NODE_SCALAR && (n->kind != CONF_NODE_LIST || !n->count))
		return policy_fail_kind(r, n, key, "a text or a list of texts");
	if (count > POLICY_LIST_MAX)
		return policy_fail(r, n, "'%s' has %zu entries, at most %d are possible", key, count, POLICY_LIST_MAX);
	const char **v = arena_zalloc(r->p->arena, count, sizeof(*v));
	if (!v)
		return fail_memory(r, n);
	for (const struct conf_node *x = n->kind == CONF_NODE_LIST ? n->items : n; i < count; x = x->next) {
		if (x->kind != CONF_NODE_SCALAR || !x->text.n || x->text.n > NAME_MAX_BYTES)
			return policy_fail(r, x, "each of '%s' must be a text of 1 to %d bytes", key, NAME_MAX_BYTES);
		v[i++] = x->text.p;
	}
	*ret = (struct policy_texts){ .v = v, .count = count };
	return 0;
}
