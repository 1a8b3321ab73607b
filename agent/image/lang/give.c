/* give.c - see give.h. */
#include "agent/image/lang/give.h"

#include "common/text.h"

/* More are not looked at: a file made so that its hashes meet gets a package twice, not an hour. */
enum { PROBES_MAX = 32 };

void give_init(struct give *e, const char *ecosystem, const struct pkg_out *out)
{
	*e = (struct give){ .out = out, .ecosystem = ecosystem };
}

uint64_t give_hash(struct slice name, struct slice version, char kind)
{
	uint64_t h = slice_hash(name) * 0x9e3779b97f4a7c15ULL;

	h = (h ^ slice_hash(version) ^ (uint64_t)(uint8_t)kind << 56) * 0xff51afd7ed558ccdULL;
	h ^= h >> 32;
	return h ? h : 1; /* 0 is an empty place */
}

bool give_seen(struct give *e, uint64_t hash)
{
	if (!e->seen)
		e->seen = calloc(GIVE_SEEN_MAX, sizeof(*e->seen));
	if (!e->seen)
		return false;
	for (size_t i = 0; i < PROBES_MAX; i++) {
		uint64_t *place = &e->seen[(hash + i) % GIVE_SEEN_MAX];

		if (*place == hash)
			return true;
		if (!*place) {
			*place = hash;
			return false;
		}
	}
	return false;
}

static bool is_text(struct slice s)
{
	return s.n <= GIVE_TEXT_MAX && text_is_clean(s);
}

int give_package(struct give *e, struct slice name, struct slice version, bool is_dev)
{
	if (!name.n)
		return 0;
	if (!is_text(name) || !is_text(version)) {
		e->bad++;
		return 0;
	}
	if (give_seen(e, give_hash(name, version, 'p')) &&
	    (is_dev || give_seen(e, give_hash(name, version, 'r'))))
		return 0;
	if (!is_dev)
		(void)give_seen(e, give_hash(name, version, 'r'));
	struct pkg p = { .ecosystem = e->ecosystem, .name = name, .version = version, .is_dev = is_dev };
	return e->out->package(e->out->arg, &p);
}

int give_end(struct give *e, int result, struct err *err)
{
	free(e->seen);
	e->seen = NULL;
	if (!result && e->bad)
		return err_set(err, ERR_SYNTAX, "packages without a right name or version: %zu", e->bad);
	return result;
}

int give_one(const char *ecosystem, struct slice name, struct slice version, struct slice key,
	     const struct pkg_out *out, struct err *err)
{
	struct pkg p = { .ecosystem = ecosystem, .name = name, .version = version, .key = key };

	if (!name.n || !version.n)
		return err_set(err, ERR_SYNTAX, "no %s", name.n ? "version" : "name");
	if (!is_text(name) || !is_text(version))
		return err_set(err, ERR_SYNTAX, "the name or version is no text");
	return out->package(out->arg, &p);
}

int give_owned(const char *ecosystem, struct slice key, struct slice path, const struct pkg_out *out)
{
	struct pkg_owned o = { .ecosystem = ecosystem, .key = key, .path = path };

	return out->owned ? out->owned(out->arg, &o) : 0;
}

struct slice give_folder(struct slice path)
{
	while (path.n && path.p[path.n - 1] != '/')
		path.n--;
	return slice_sub(path, 0, path.n ? path.n - 1 : 0);
}

struct slice give_basename(struct slice path)
{
	struct slice folder = give_folder(path);

	return slice_sub(path, folder.n ? folder.n + 1 : path.n && path.p[0] == '/', path.n);
}

bool give_join(struct slice base, struct slice relative, char *ret, size_t size)
{
	bool is_absolute = relative.n && relative.p[0] == '/';
	size_t n = is_absolute ? 0 : base.n;
	struct slice part;

	if (n >= size || !relative.n || slice_find_char(relative, 0) >= 0)
		return false;
	if (n)
		memcpy(ret, base.p, n);
	while (slice_split(&relative, '/', &part)) {
		if (!part.n || slice_is(part, "."))
			continue;
		if (slice_is(part, "..")) {
			if (!n)
				return false;
			n = give_folder(slice_from(ret, n)).n;
			continue;
		}
		if (n + (n != 0) + part.n >= size)
			return false;
		if (n)
			ret[n++] = '/';
		memcpy(ret + n, part.p, part.n);
		n += part.n;
	}
	ret[n] = 0;
	return n != 0;
}
