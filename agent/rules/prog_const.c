/* prog_const.c - the constants of a comparison, made ready once: numbers read, patterns compiled,
 * long lists hashed. */
#include "agent/rules/prog_priv.h"

#include <arpa/inet.h>
#include <netdb.h>

static int fail(const struct cond *c, struct err *err, const char *what)
{
	return err_set(err, ERR_SYNTAX, "%u:%u: %s '%.*s'", c->line, c->column, what,
		       SLICE_FMT(slice_sub(c->text, 0, 80)));
}

static int no_room(struct err *err)
{
	return err_set(err, ERR_LIMIT, "1:1: the rules are too large");
}

static bool read_hex(struct slice s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n < 3 || s.n > 18 || s.p[0] != '0' || (s.p[1] != 'x' && s.p[1] != 'X'))
		return false;
	for (size_t i = 2; i < s.n; i++) {
		char c = s.p[i];
		int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
				 c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (d < 0)
			return false;
		v = v << 4 | (uint64_t)d;
	}
	*ret = v;
	return true;
}

bool constant_number(struct slice s, int64_t *ret)
{
	bool negative = s.n && s.p[0] == '-';
	uint64_t v;

	if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
		s = slice_sub(s, 1, s.n);
	if (!slice_to_u64(s, &v) && !read_hex(s, &v))
		return false;
	*ret = (int64_t)(negative ? 0 - v : v);
	return !negative || v <= (uint64_t)INT64_MAX + 1;
}

/* Services that rules name, also where there is no /etc/services. */
bool constant_port(struct slice s, int64_t *ret)
{
	static const struct {
		const char *name;
		uint16_t port;
	} known[] = { { "ssh", 22 },	{ "smtp", 25 },	  { "domain", 53 }, { "http", 80 },
		      { "https", 443 }, { "ldap", 389 },  { "ldaps", 636 }, { "telnet", 23 },
		      { "ftp", 21 },	{ "mysql", 3306 }, { "postgresql", 5432 } };
	char name[64];

	if (constant_number(s, ret))
		return *ret >= 0 && *ret <= 65535;
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (slice_is(s, known[i].name)) {
			*ret = known[i].port;
			return true;
		}
	const struct servent *found = s.n && slice_copy(s, name, sizeof(name)) ? getservbyname(name, NULL) : NULL;
	if (found)
		*ret = ntohs((uint16_t)found->s_port);
	return found;
}

static bool read_bool(struct slice s, int64_t *ret)
{
	if (slice_is(s, "true") || slice_is(s, "1"))
		*ret = 1;
	else if (slice_is(s, "false") || slice_is(s, "0"))
		*ret = 0;
	else
		return false;
	return true;
}

bool net_parse(struct slice s, bool may_have_prefix, struct net *ret)
{
	char text[INET6_ADDRSTRLEN];
	ptrdiff_t slash = slice_find_char(s, '/');
	struct slice address = slash < 0 ? s : slice_sub(s, 0, (size_t)slash);
	struct net n = { 0 };
	uint64_t prefix;

	if (!slice_copy(address, text, sizeof(text)) || (slash >= 0 && !may_have_prefix))
		return false;
	if (inet_pton(AF_INET, text, n.address) == 1)
		n.length = 4;
	else if (inet_pton(AF_INET6, text, n.address) == 1)
		n.length = 16;
	else
		return false;
	prefix = n.length * 8U;
	if (slash >= 0 && (!slice_to_u64(slice_sub(s, (size_t)slash + 1, s.n), &prefix) ||
			   prefix > n.length * 8U))
		return false;
	n.prefix = (uint8_t)prefix;
	*ret = n;
	return true;
}

static int make_regex(struct pool *p, struct constants *k, size_t i, const struct cond *c,
		      struct err *err)
{
	int code;
	PCRE2_SIZE at;
	char what[120];

	if (p->regex_count == p->regex_size) {
		size_t size = p->regex_size ? p->regex_size * 2 : 16;
		pcre2_code **all = realloc(p->regexes, size * sizeof(pcre2_code *));

		if (!all)
			return no_room(err);
		p->regexes = all;
		p->regex_size = size;
	}
	/* RE2, which Falco uses, has neither look-around nor back references: what it has means the
	 * same here. Byte by byte, so that text in no valid encoding can match too. */
	k->regexes[i] = pcre2_compile((PCRE2_SPTR)(c->text.n ? c->text.p : ""), c->text.n,
				      PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C, &code,
				      &at, NULL);
	if (!k->regexes[i]) {
		pcre2_get_error_message(code, (PCRE2_UCHAR *)what, sizeof(what));
		return err_set(err, ERR_SYNTAX, "%u:%u: invalid regex: %s at %zu", c->line, c->column, what,
			       (size_t)at);
	}
	p->regexes[p->regex_count++] = k->regexes[i];
	return 0;
}

static int make_prefix(struct pool *p, struct path_prefix *ret, struct slice text, struct err *err)
{
	struct slice rest = text, part;
	size_t count = 0;

	for (size_t i = 0; i < text.n; i++)
		count += text.p[i] == '/';
	ret->parts = arena_alloc(p->arena, (count + 1) * sizeof(*ret->parts));
	if (!ret->parts)
		return no_room(err);
	ret->count = 0;
	while (slice_split(&rest, '/', &part))
		if (part.n)
			ret->parts[ret->count++] = part;
	return 0;
}

static int make_hex(struct pool *p, struct slice *text, const struct cond *c, struct err *err)
{
	char *bytes = arena_alloc(p->arena, c->text.n / 2 + 1);
	struct slice hex = c->text;

	if (!bytes)
		return no_room(err);
	if (!hex.n || hex.n % 2)
		return fail(c, err, "expected pairs of hexadecimal digits, not");
	for (size_t i = 0; i < hex.n; i += 2) {
		char pair[5] = { '0', 'x', hex.p[i], hex.p[i + 1], 0 };
		uint64_t v;

		if (!read_hex(slice_of(pair), &v) || !pair[2] || !pair[3])
			return fail(c, err, "expected pairs of hexadecimal digits, not");
		bytes[i / 2] = (char)v;
	}
	*text = slice_from(bytes, hex.n / 2);
	return 0;
}

static int make_text(struct pool *p, const struct check *check, struct constants *k, size_t i,
		     const struct cond *c, struct err *err)
{
	if (check->op == OP_BCONTAINS || check->op == OP_BSTARTSWITH)
		return make_hex(p, &k->texts[i], c, err);
	if (check->class == CMP_TEXT && c->text.n && memchr(c->text.p, 0, c->text.n))
		return err_set(err, ERR_SYNTAX, "%u:%u: a string can't hold a NUL byte", c->line, c->column);
	char *copy = arena_dup(p->arena, c->text);
	if (!copy)
		return no_room(err);
	k->texts[i] = slice_from(copy, c->text.n);
	if (check->op == OP_REGEX)
		return make_regex(p, k, i, c, err);
	if (check->op == OP_PMATCH)
		return make_prefix(p, &k->prefixes[i], k->texts[i], err);
	return 0;
}

static int make_one(struct pool *p, const struct check *check, struct constants *k, size_t i,
		    const struct cond *c, struct err *err)
{
	enum rules_type type = p->operands[check->left].type;

	switch (check->class) {
	case CMP_TEXT:
	case CMP_BYTES:
		return make_text(p, check, k, i, c, err);
	case CMP_SIGNED:
	case CMP_UNSIGNED:
		if (type == RT_PORT)
			return constant_port(c->text, &k->numbers[i]) ?
				       0 :
				       fail(c, err, "expected a port number or the name of a service, not");
		if (!constant_number(c->text, &k->numbers[i]))
			return fail(c, err, "expected a number, not");
		return 0;
	case CMP_BOOL:
		return read_bool(c->text, &k->numbers[i]) ? 0 :
							    fail(c, err, "unrecognized boolean value");
	case CMP_NET:
		return net_parse(c->text, true, &k->nets[i]) ?
			       0 :
			       fail(c, err, "unrecognized IP address or network");
	case CMP_COUNT:
		break;
	}
	return fail(c, err, "unexpected value");
}

static int make_arrays(struct pool *p, const struct check *check, struct constants *k, struct err *err)
{
	size_t n = k->count ? k->count : 1;
	bool is_text = check->class == CMP_TEXT || check->class == CMP_BYTES;

	if (is_text)
		k->texts = arena_zalloc(p->arena, n, sizeof(*k->texts));
	else if (check->class == CMP_NET)
		k->nets = arena_zalloc(p->arena, n, sizeof(*k->nets));
	else
		k->numbers = arena_zalloc(p->arena, n, sizeof(*k->numbers));
	if (check->op == OP_REGEX)
		k->regexes = arena_zalloc(p->arena, n, sizeof(pcre2_code *));
	if (check->op == OP_PMATCH)
		k->prefixes = arena_zalloc(p->arena, n, sizeof(*k->prefixes));
	if ((is_text ? !k->texts : check->class == CMP_NET ? !k->nets : !k->numbers) ||
	    (check->op == OP_REGEX && !k->regexes) || (check->op == OP_PMATCH && !k->prefixes))
		return no_room(err);
	return 0;
}

static int hash_texts(struct pool *p, struct constants *k, struct err *err)
{
	uint32_t size = 16;

	while (size < k->count * 2)
		size *= 2;
	k->hash = arena_zalloc(p->arena, size, sizeof(*k->hash));
	if (!k->hash)
		return no_room(err);
	k->hash_mask = size - 1;
	for (uint32_t i = 0; i < k->count; i++) {
		uint32_t at = (uint32_t)slice_hash(k->texts[i]) & k->hash_mask;

		while (k->hash[at])
			at = (at + 1) & k->hash_mask;
		k->hash[at] = i + 1;
	}
	return 0;
}

int constants_make(struct pool *p, struct check *check, const struct cond *c, struct err *err)
{
	struct constants *k = &check->k;
	const struct cond *first = c->kind == COND_LIST ? c->child : c;
	size_t i = 0;

	for (const struct cond *v = first; v; v = c->kind == COND_LIST ? v->next : NULL)
		k->count++;
	if (k->count > VALUES_MAX)
		return err_set(err, ERR_LIMIT, "%u:%u: the list has more than %d values", c->line, c->column,
			       VALUES_MAX);
	int r = make_arrays(p, check, k, err);
	for (const struct cond *v = first; r >= 0 && i < k->count; v = v->next)
		r = make_one(p, check, k, i++, v, err);
	if (r < 0)
		return r;
	bool is_set = check->op == OP_IN || check->op == OP_INTERSECTS;
	if (is_set && k->texts && k->count >= SET_HASH_MIN)
		return hash_texts(p, k, err);
	if (check->op == OP_CONTAINS && check->mod == MOD_ANYOF && k->count >= NEEDLES_MIN)
		k->needles = needles_new(p->arena, k->texts, k->count); /* without, one by one */
	return 0;
}
