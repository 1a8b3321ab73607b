/* registry_ref.c - names of images in registries. */
#include "agent/image/registry_priv.h"
#include "agent/image/stream.h"

static bool is_made_of(struct slice s, const char *more)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || strchr(more, s.p[i])))
			return false;
	return s.n > 0;
}

/* Upper case too, in hosts and tags. */
static bool is_word(struct slice s, const char *more)
{
	char upper[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	strncat(upper, more, sizeof(upper) - strlen(upper) - 1);
	return is_made_of(s, upper);
}

static bool is_repo(struct slice s)
{
	struct slice part;

	if (!is_made_of(s, "._-/"))
		return false;
	while (slice_split(&s, '/', &part))
		if (!part.n || part.p[0] == '.' || slice_find(part, SLICE_LIT("..")) >= 0)
			return false;
	return true;
}

/* What stands before the first slash is a host if it looks like one. */
static bool has_host(struct slice first)
{
	return slice_find_char(first, '.') >= 0 || slice_find_char(first, ':') >= 0 || slice_is(first, "localhost");
}

static bool parse(struct slice text, struct registry_ref *r)
{
	struct slice rest = text, host = SLICE_LIT("docker.io"), first, digest = SLICE_NONE, tag = SLICE_NONE;
	ptrdiff_t at = slice_find_char(rest, '@');
	bool ok = true;

	if (at >= 0) {
		digest = slice_sub(rest, (size_t)at + 1, rest.n);
		rest = slice_sub(rest, 0, (size_t)at);
		ok = stream_is_digest(digest);
	}
	struct slice behind = rest;
	if (slice_find_char(rest, '/') >= 0 && slice_split(&behind, '/', &first) && has_host(first)) {
		host = first;
		rest = behind;
	}
	at = slice_find_char(rest, ':');
	if (at >= 0) {
		tag = slice_sub(rest, (size_t)at + 1, rest.n);
		rest = slice_sub(rest, 0, (size_t)at);
		ok = ok && is_word(tag, "0123456789._-") && tag.p[0] != '.' && tag.p[0] != '-';
	}
	bool hub = slice_is(host, "docker.io") || slice_is(host, "index.docker.io");
	ok = ok && is_word(host, "0123456789.-:[]") && is_repo(rest);
	ok = ok && slice_copy(hub ? SLICE_LIT("docker.io") : host, r->host, sizeof(r->host)) &&
	     slice_copy(hub ? SLICE_LIT("registry-1.docker.io") : host, r->server, sizeof(r->server));
	bool official = hub && slice_find_char(rest, '/') < 0;
	ok = ok && snprintf(r->repo, sizeof(r->repo), "%s%.*s", official ? "library/" : "", SLICE_FMT(rest)) <
			   (int)sizeof(r->repo);
	if (!tag.n && !digest.n)
		tag = SLICE_LIT("latest");
	return ok && slice_copy(tag, r->tag, sizeof(r->tag)) && slice_copy(digest, r->digest, sizeof(r->digest));
}

int registry_ref_parse(const char *text, struct registry_ref *ret, struct err *err)
{
	struct registry_ref r = { 0 };

	if (!parse(slice_of(text), &r))
		return err_set(err, ERR_USAGE, "'%.120s' is no image in a registry: [HOST[:PORT]/]PATH[:TAG][@sha256:…]",
			       text);
	*ret = r;
	return 0;
}

bool registry_is_local(struct slice host)
{
	ptrdiff_t port;

	if (slice_starts(host, SLICE_LIT("[::1]")))
		return host.n == 5 || host.p[5] == ':';
	port = slice_find_char(host, ':');
	if (port >= 0)
		host.n = (size_t)port;
	/* All of 127.0.0.0/8, as numbers only: "127.evil.example" is a name. */
	return slice_is(host, "localhost") ||
	       (slice_starts(host, SLICE_LIT("127.")) && is_made_of(slice_sub(host, 4, host.n), ".") &&
		host.n <= 15 && strspn(host.p, "0123456789.") >= host.n);
}

struct slice registry_url_host(struct slice url)
{
	ptrdiff_t at = slice_find(url, SLICE_LIT("://"));
	size_t n = 0;

	if (at < 0)
		return SLICE_NONE;
	url = slice_sub(url, (size_t)at + 3, url.n);
	while (n < url.n && url.p[n] != '/' && url.p[n] != '?' && url.p[n] != '#')
		n++;
	return slice_sub(url, 0, n);
}
