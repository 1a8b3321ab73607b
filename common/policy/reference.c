/* reference.c - names of images, by the grammar of the engine (distribution's reference): a name that it reads
 * otherwise than we do would be judged as another image. */
#include "common/policy/policy_priv.h"

enum { NAME_MAX_BYTES = 255, TAG_MAX = 128, DIGEST_HEX_MIN = 32, DIGEST_MAX = 256 };

static bool is_lower(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static bool is_hex(struct slice s, bool may_be_upper)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f') ||
		      (may_be_upper && s.p[i] >= 'A' && s.p[i] <= 'F')))
			return false;
	return s.n > 0;
}

static bool is_label(struct slice s)
{
	if (!s.n || !is_alnum(s.p[0]) || !is_alnum(s.p[s.n - 1]))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

static bool is_port(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

static bool is_v6(struct slice s)
{
	bool has_colon = false;

	for (size_t i = 0; i < s.n; i++) {
		if (!is_hex(slice_sub(s, i, 1), true) && s.p[i] != ':')
			return false;
		has_colon = has_colon || s.p[i] == ':';
	}
	return has_colon;
}

/* labels with dots between, or [IPv6], and a port */
static bool is_host(struct slice s)
{
	struct slice part;

	if (s.n && s.p[0] == '[') {
		ptrdiff_t end = slice_find_char(s, ']');
		struct slice rest = end < 0 ? SLICE_NONE : slice_sub(s, (size_t)end + 1, s.n);

		return end > 0 && is_v6(slice_sub(s, 1, (size_t)end - 1)) &&
		       (!rest.n || (rest.p[0] == ':' && is_port(slice_sub(rest, 1, rest.n))));
	}
	ptrdiff_t colon = slice_find_char(s, ':');
	if (colon >= 0 && !is_port(slice_sub(s, (size_t)colon + 1, s.n)))
		return false;
	s = colon < 0 ? s : slice_sub(s, 0, (size_t)colon);
	if (!s.n || s.p[s.n - 1] == '.')
		return false;
	while (slice_split(&s, '.', &part))
		if (!is_label(part))
			return false;
	return true;
}

/* [a-z0-9]+ with one ., one or two _, or any number of - between */
static bool is_component(struct slice s)
{
	if (!s.n || !is_lower(s.p[0]) || !is_lower(s.p[s.n - 1]))
		return false;
	for (size_t i = 0; i < s.n;) {
		size_t n = 0;

		if (is_lower(s.p[i])) {
			i++;
			continue;
		}
		while (i + n < s.n && s.p[i + n] == s.p[i])
			n++;
		if (!strchr("._-", s.p[i]) || !is_lower(s.p[i + n]) || (s.p[i] == '.' && n > 1) || (s.p[i] == '_' && n > 2))
			return false;
		i += n;
	}
	return true;
}

static bool is_path(struct slice s)
{
	struct slice part;

	if (!s.n || s.p[s.n - 1] == '/')
		return false;
	while (slice_split(&s, '/', &part))
		if (!is_component(part))
			return false;
	return true;
}

static bool is_tag(struct slice s)
{
	if (!s.n || s.n > TAG_MAX || !(is_alnum(s.p[0]) || s.p[0] == '_'))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!is_alnum(s.p[i]) && !strchr("_.-", s.p[i]))
			return false;
	return true;
}

static bool is_digest(struct slice s)
{
	ptrdiff_t colon = slice_find_char(s, ':');

	if (colon <= 0 || !is_letter(s.p[0]) || s.n > DIGEST_MAX)
		return false;
	for (ptrdiff_t i = 1; i < colon; i++) {
		bool is_separator = strchr("-_+.", s.p[i]) != NULL;

		if (is_separator ? !is_letter(s.p[i + 1]) : !is_alnum(s.p[i]))
			return false;
	}
	struct slice hex = slice_sub(s, (size_t)colon + 1, s.n);
	if (slice_starts(s, SLICE_LIT("sha256:")) && hex.n != 64)
		return false;
	return hex.n >= DIGEST_HEX_MIN && is_hex(hex, true);
}

static bool is_id(struct slice s)
{
	if (slice_starts(s, SLICE_LIT("sha256:")))
		s = slice_sub(s, 7, s.n);
	return s.n == 64 && is_hex(s, false);
}

/* What stands before the first slash is a host if it can't be a path's component. */
static bool has_host(struct slice first)
{
	for (size_t i = 0; i < first.n; i++)
		if (first.p[i] == '.' || first.p[i] == ':' || (first.p[i] >= 'A' && first.p[i] <= 'Z'))
			return true;
	return slice_is(first, "localhost");
}

bool policy_reference(const char *image, struct arena *a, const char **ret_repository, const char **ret_tag,
		      const char **ret_digest)
{
	struct slice rest = slice_of(policy_text(image)), host = SLICE_LIT("docker.io"), digest = SLICE_NONE, tag = SLICE_NONE;
	ptrdiff_t at = slice_find_char(rest, '@');

	if (is_id(rest))
		return false;
	if (at >= 0) {
		digest = slice_sub(rest, (size_t)at + 1, rest.n);
		rest = slice_sub(rest, 0, (size_t)at);
		if (!is_digest(digest))
			return false;
	}
	ptrdiff_t slash = slice_find_char(rest, '/');
	if (slash > 0 && has_host(slice_sub(rest, 0, (size_t)slash))) {
		host = slice_sub(rest, 0, (size_t)slash);
		rest = slice_sub(rest, (size_t)slash + 1, rest.n);
	}
	at = slice_find_char(rest, ':');
	if (at >= 0) {
		tag = slice_sub(rest, (size_t)at + 1, rest.n);
		rest = slice_sub(rest, 0, (size_t)at);
		if (!is_tag(tag))
			return false;
	}
	if (slice_is(host, "index.docker.io"))
		host = SLICE_LIT("docker.io");
	if (!is_host(host) || !is_path(rest) || rest.n > NAME_MAX_BYTES || host.n > NAME_MAX_BYTES)
		return false;
	bool is_official = slice_is(host, "docker.io") && slice_find_char(rest, '/') < 0;
	if (!tag.n && !digest.n)
		tag = SLICE_LIT("latest");
	const char *repository = arena_printf(a, "%.*s/%s%.*s", SLICE_FMT(host), is_official ? "library/" : "", SLICE_FMT(rest));
	const char *tag_copy = arena_dup(a, tag), *digest_copy = arena_dup(a, digest);
	if (!repository || !tag_copy || !digest_copy)
		return false;
	*ret_repository = repository;
	*ret_tag = tag_copy;
	*ret_digest = digest_copy;
	return true;
}

/* All of them answer a pull as docker.io does: a denied docker.io would be reached under another name. */
static bool is_hub(const char *host)
{
	static const char *const names[] = { "docker.io", "index.docker.io", "registry-1.docker.io", "registry.docker.io",
					     "hub.docker.com", "registry.hub.docker.com" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(host, names[i]))
			return true;
	return false;
}

const char *policy_canonical(struct slice repository, struct arena *a)
{
	ptrdiff_t slash = slice_find_char(repository, '/');
	struct slice host = slash < 0 ? repository : slice_sub(repository, 0, (size_t)slash);
	struct slice path = slash < 0 ? SLICE_NONE : slice_sub(repository, (size_t)slash + 1, repository.n);

	if (slice_ends(host, SLICE_LIT(":443")))
		host = slice_sub(host, 0, host.n - 4);
	char *lower = arena_dup(a, host);
	if (!lower)
		return NULL;
	for (char *c = lower; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	if (slash < 0)
		return is_hub(lower) ? "docker.io" : lower;
	bool hub = is_hub(lower), is_official = hub && slice_find_char(path, '/') < 0;
	return arena_printf(a, "%s/%s%.*s", hub ? "docker.io" : lower, is_official ? "library/" : "", SLICE_FMT(path));
}
