/* registry_auth.c - who we are to a registry: basic, or a token that the registry says where to get. */
#include <errno.h>
#include <strings.h>

#include "agent/image/registry_priv.h"
#include "common/file.h"
#include "common/json.h"
#include "common/text.h"

enum { CONFIG_BYTES = 1 << 20, ANSWER_BYTES = 256 * 1024 };

/* ---- docker's configuration ---- */

/* Base64 with or without padding, as Go writes it -> the house's form. */
static ptrdiff_t decode(struct slice s, char *dst, size_t size)
{
	char text[8192];

	if (s.n >= sizeof(text))
		return -1;
	while (s.n && s.p[s.n - 1] == '=')
		s.n--;
	for (size_t i = 0; i < s.n; i++)
		text[i] = s.p[i] == '+' ? '-' : s.p[i] == '/' ? '_' : s.p[i];
	return text_unbase64url(slice_from(text, s.n), dst, size);
}

static bool take_entry(struct registry *g, const cJSON *entry)
{
	char plain[sizeof(g->user) + sizeof(g->password)];
	ptrdiff_t n = decode(json_get_str(entry, "auth"), plain, sizeof(plain));
	struct slice rest = slice_from(plain, n > 0 ? (size_t)n : 0), user;

	if (!rest.n)
		return false;
	return slice_split(&rest, ':', &user) && slice_copy(user, g->user, sizeof(g->user)) &&
	       slice_copy(rest, g->password, sizeof(g->password));
}

/* A key is a host or a URL: "https://index.docker.io/v1/". */
static bool is_for(const char *key, const char *host)
{
	struct slice k = slice_of(key), at = registry_url_host(k);

	if (!at.n && slice_split(&k, '/', &at) && !at.n)
		return false;
	return slice_is(at, host) || (!strcmp(host, "docker.io") && slice_is(at, "index.docker.io"));
}

static void read_config(struct registry *g, const cJSON *o)
{
	const cJSON *auths = cJSON_GetObjectItemCaseSensitive(o, "auths"), *e;
	const cJSON *helpers = cJSON_GetObjectItemCaseSensitive(o, "credHelpers");

	g->has_store = json_get_str(o, "credsStore").n || cJSON_GetObjectItemCaseSensitive(helpers, g->ref.host);
	if (cJSON_IsObject(auths))
		cJSON_ArrayForEach(e, auths)
			if (e->string && is_for(e->string, g->ref.host) && take_entry(g, e))
				return;
}

static bool config_path(const struct image_options *o, char *dst, size_t size)
{
	const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	if (o->docker_config)
		return slice_copy(slice_of(o->docker_config), dst, size);
	if (dir && *dir)
		return snprintf(dst, size, "%s/config.json", dir) < (int)size;
	return home && *home && snprintf(dst, size, "%s/.docker/config.json", home) < (int)size;
}

int registry_credentials(struct registry *g, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	CLEANUP(buf_finip) struct buf b = { 0 };
	char path[4096];

	if (g->o->user) {
		bool ok = slice_copy(slice_of(g->o->user), g->user, sizeof(g->user)) &&
			  slice_copy(slice_of(g->o->password), g->password, sizeof(g->password));
		return ok ? 0 : err_set(err, ERR_USAGE, "the registry's user or password is too long");
	}
	if (!config_path(g->o, path, sizeof(path)))
		return 0;
	int r = file_read(path, CONFIG_BYTES, &b, err);
	if (r == -ENOENT || r == -EACCES || r == -ENOTDIR)
		return g->o->docker_config ? err_wrap(err, r, "docker's configuration") : 0;
	if (r >= 0 && !b.n)
		return 0;
	if (r >= 0)
		r = json_parse(buf_slice(&b), CONFIG_BYTES, &o, err);
	if (r < 0)
		return err_wrap(err, r, "docker's configuration '%.100s'", path);
	read_config(g, o);
	return 0;
}

/* ---- challenges ---- */

bool registry_parameter(struct slice challenge, const char *name, char *dst, size_t size)
{
	size_t n = strlen(name);

	dst[0] = 0;
	for (size_t i = 0; i + n + 2 < challenge.n; i++) {
		if (strncasecmp(challenge.p + i, name, n) != 0 || challenge.p[i + n] != '=' ||
		    (i && !strchr(" ,\t", challenge.p[i - 1])))
			continue;
		struct slice value = slice_sub(challenge, i + n + 1, challenge.n);
		if (value.p[0] == '"') {
			value = slice_sub(value, 1, value.n);
			ptrdiff_t end = slice_find_char(value, '"');
			return end >= 0 && slice_copy(slice_sub(value, 0, (size_t)end), dst, size);
		}
		size_t end = 0;
		while (end < value.n && !strchr(", \t", value.p[end]))
			end++;
		return slice_copy(slice_sub(value, 0, end), dst, size);
	}
	return false;
}

static void add_escaped(struct buf *b, const char *s)
{
	for (; *s; s++) {
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/:", *s))
			buf_add_char(b, *s);
		else
			buf_printf(b, "%%%02X", (unsigned)(uint8_t)*s);
	}
}

static int set_authorization(struct registry *g, const char *kind, struct slice value, struct err *err)
{
	char *line = NULL;

	if (!value.n || value.n > REGISTRY_TOKEN_BYTES || !text_is_clean(value))
		return err_set(err, ERR_PEER, "the registry's token is none");
	if (asprintf(&line, "Authorization: %s %.*s", kind, (int)value.n, value.p) < 0)
		return err_set(err, ENOMEM, "ask the registry");
	free(g->authorization);
	g->authorization = line;
	return 0;
}

static int basic(struct registry *g, struct err *err)
{
	char plain[sizeof(g->user) + sizeof(g->password)], coded[sizeof(plain) * 4 / 3 + 8];
	int n = snprintf(plain, sizeof(plain), "%s:%s", g->user, g->password);
	size_t c = text_base64url(plain, (size_t)n, coded);

	for (size_t i = 0; i < c; i++)
		coded[i] = coded[i] == '-' ? '+' : coded[i] == '_' ? '/' : coded[i];
	while (c % 4)
		coded[c++] = '=';
	return set_authorization(g, "Basic", slice_from(coded, c), err);
}

static int read_token(struct registry *g, long status, struct slice body, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;

	if (status == 401 || status == 403)
		return err_set(err, ERR_DENIED, "the registry's token service refuses%s%s (%ld)",
			       *g->user ? " user " : " us without a password", g->user, status);
	if (status != 200)
		return err_set(err, ERR_PEER, "the registry's token service answers %ld", status);
	if (json_parse(body, ANSWER_BYTES, &o, NULL) < 0)
		return err_set(err, ERR_PEER, "the registry's token service answers no JSON");
	struct slice token = json_get_str(o, "token");
	return set_authorization(g, "Bearer", token.n ? token : json_get_str(o, "access_token"), err);
}

static int bearer(struct registry *g, struct err *err)
{
	CLEANUP(buf_finip) struct buf url = { 0 };
	CLEANUP(buf_finip) struct buf body = { 0 };
	struct slice challenge = slice_of(g->head.challenge);
	char realm[1024], service[512], scope[1024];
	long status = 0;

	if (!registry_parameter(challenge, "realm", realm, sizeof(realm)))
		return err_set(err, ERR_PEER, "the registry says not where to get a token");
	bool plain = slice_starts(slice_of(realm), SLICE_LIT("http://"));
	struct slice host = registry_url_host(slice_of(realm));
	if ((!plain && !slice_starts(slice_of(realm), SLICE_LIT("https://"))) || !host.n ||
	    (plain && !g->o->is_insecure && !registry_is_local(host)))
		return err_set(err, ERR_DENIED, "the registry sends us for a token to '%.120s'",
			       text_is_clean(slice_of(realm)) ? realm : "");
	buf_init(&url, REGISTRY_URL_BYTES);
	buf_printf(&url, "%s%c", realm, strchr(realm, '?') ? '&' : '?');
	if (registry_parameter(challenge, "service", service, sizeof(service))) {
		buf_add_str(&url, "service=");
		add_escaped(&url, service);
		buf_add_char(&url, '&');
	}
	if (!registry_parameter(challenge, "scope", scope, sizeof(scope)))
		(void)snprintf(scope, sizeof(scope), "repository:%s:pull", g->ref.repo);
	buf_add_str(&url, "scope=");
	add_escaped(&url, scope);
	if (url.failed)
		return err_set(err, ERR_PEER, "the registry's challenge is too long");
	struct fetch_request rq = { .url = url.p,
				    .ca_file = g->o->ca_file,
				    .user = *g->user ? g->user : NULL,
				    .password = *g->user ? g->password : NULL,
				    .timeout_ms = REGISTRY_TIMEOUT_MS,
				    .max_body_bytes = ANSWER_BYTES };
	int r = fetch_wait(&rq, &status, &body, err);
	return r < 0 ? err_wrap(err, r, "get a token") : read_token(g, status, buf_slice(&body), err);
}

int registry_authorize(struct registry *g, struct err *err)
{
	const char *hint = g->has_store && !*g->user ? "; docker keeps them in a credentials store, which is not asked" :
						       "";

	if (!strncasecmp(g->head.challenge, "Bearer ", 7))
		return bearer(g, err);
	if (strncasecmp(g->head.challenge, "Basic ", 6) != 0)
		return err_set(err, ERR_DENIED, "the registry refuses us, and says not what it wants");
	if (!*g->user)
		return err_set(err, ERR_DENIED, "the registry %s wants user and password%s", g->ref.host, hint);
	return basic(g, err);
}
