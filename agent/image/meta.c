/* meta.c - see meta.h. */
#include "agent/image/meta.h"

#include <errno.h>
#include <openssl/evp.h>

#include "agent/image/image_limits.h"
#include "agent/image/stream.h"
#include "common/json.h"
#include "common/text.h"

char meta_none[1];

char *meta_text(struct arena *a, struct slice s, size_t max)
{
	if (s.n > max) {
		s.n = max;
		while (s.n && ((uint8_t)s.p[s.n] & 0xc0) == 0x80)
			s.n--;
	}
	char *p = arena_dup(a, s);
	for (size_t i = 0; p && i < s.n; i++)
		if (!p[i])
			p[i] = ' ';
	return p;
}

int meta_digest(struct slice bytes, char dst[72], struct err *err)
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!EVP_Digest(bytes.n ? bytes.p : "", bytes.n, hash, &n, EVP_sha256(), NULL) || n != 32)
		return err_set(err, ERR_CRYPTO, "SHA-256");
	memcpy(dst, "sha256:", 7);
	text_hex(hash, 32, dst + 7);
	return 0;
}

/* ---- secrets ---- */

/* Words of a name, between '_' and '-' and at changes of case; two words where one alone says little. */
static bool has_word(struct slice upper, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= upper.n; i++)
		if (!memcmp(upper.p + i, word, n) && (!i || upper.p[i - 1] == '_') &&
		    (i + n == upper.n || upper.p[i + n] == '_'))
			return true;
	return false;
}

static bool is_secret_name(struct slice upper)
{
	static const char *const anywhere[] = { "PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "APIKEY", "CREDENTIAL",
						"PRIVATE_KEY", "API_KEY", "ACCESS_KEY", "AUTH_KEY", "ENCRYPTION_KEY",
						"SIGNING_KEY" };
	static const char *const words[] = { "TOKEN", "PASS", "PWD", "PAT", "JWT", "TOKENS", "DSN" };
	/* Where it is kept, not what it is. GPG_KEY: official images name the key that signed a release. */
	static const char *const not_at_end[] = { "_FILE", "_PATH", "_DIR", "_URL", "_ID", "_TTL", "_EXPIRY", "_NAME",
						  "_LENGTH", "_ALGORITHM" };

	for (size_t i = 0; i < ARRAY_LEN(not_at_end); i++)
		if (slice_ends(upper, slice_of(not_at_end[i])))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(anywhere); i++)
		if (slice_find(upper, slice_of(anywhere[i])) >= 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!slice_is(upper, "PWD") && !slice_is(upper, "OLDPWD") && has_word(upper, words[i]))
			return true;
	return false;
}

/* "scheme://user:password@host": a password in an address. */
static bool has_password(struct slice v)
{
	ptrdiff_t at = slice_find(v, SLICE_LIT("://"));
	struct slice rest = at < 0 ? SLICE_NONE : slice_sub(v, (size_t)at + 3, v.n);
	ptrdiff_t end = slice_find_char(rest, '/'), user;

	if (end >= 0)
		rest.n = (size_t)end;
	at = slice_find_char(rest, '@');
	user = slice_find_char(rest, ':');
	return at > 0 && user >= 0 && user + 1 < at && rest.p[user + 1] != '$';
}

static bool is_secret_value(struct slice v)
{
	static const struct {
		const char *start;
		size_t least;
	} rows[] = {
		{ "AKIA", 20 },	       { "ASIA", 20 },	   { "ghp_", 36 },	{ "gho_", 36 },	  { "ghs_", 36 },
		{ "github_pat_", 40 }, { "glpat-", 20 },   { "xoxb-", 20 },	{ "xoxp-", 20 },  { "sk_live_", 20 },
		{ "sk-", 40 },	       { "AIza", 35 },	   { "eyJ", 60 },	{ "npm_", 36 },	  { "dop_v1_", 40 },
		{ "hvs.", 24 },	       { "pypi-AgE", 40 }, { "SG.", 40 },
	};

	if (slice_find(v, SLICE_LIT("-----BEGIN ")) >= 0 && slice_find(v, SLICE_LIT("PRIVATE KEY")) >= 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (v.n >= rows[i].least && slice_starts(v, slice_of(rows[i].start)))
			return true;
	return has_password(v);
}

bool meta_is_secret(struct slice name, struct slice value)
{
	char upper[LIMIT_NAME_BYTES + 1];

	if (!value.n)
		return false;
	(void)slice_copy(name, upper, sizeof(upper));
	for (char *p = upper; *p; p++)
		*p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p == '-' || *p == '.' ? '_' : *p;
	return is_secret_name(slice_of(upper)) || is_secret_value(value);
}

/* ---- JSON ---- */

struct reading {
	struct arena *a;
	struct err *err;
	int r; /* of the first failure */
};

static void *fail_full(struct reading *rd)
{
	if (rd->r >= 0)
		rd->r = err_set(rd->err, ERR_LIMIT, "the image's configuration is too large");
	return NULL;
}

static char *text(struct reading *rd, struct slice s, size_t max)
{
	char *p = meta_text(rd->a, s, max);

	return p ? p : fail_full(rd);
}

static char *get_text(struct reading *rd, const cJSON *o, const char *key, size_t max)
{
	return text(rd, json_get_str(o, key), max);
}

static const cJSON *get(const cJSON *o, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(o, key);
}

/* As many pointers as o has members, at most max. */
static void *list(struct reading *rd, const cJSON *o, size_t max)
{
	size_t n = 0;

	for (const cJSON *c = o ? o->child : NULL; c && n < max; c = c->next)
		n++;
	void *p = arena_zalloc(rd->a, n + 1, sizeof(void *));
	return p ? p : fail_full(rd);
}

static void get_texts(struct reading *rd, const cJSON *o, size_t max, size_t *ret_n, char ***ret)
{
	const cJSON *c;

	*ret = list(rd, o, LIMIT_IMAGE_LIST);
	if (!*ret)
		return;
	/* Docker's old form of a command: a text alone. */
	if (cJSON_IsString(o)) {
		*ret = arena_zalloc(rd->a, 1, sizeof(char *));
		if (*ret)
			(*ret)[(*ret_n)++] = text(rd, slice_of(o->valuestring), max);
		return;
	}
	if (cJSON_IsArray(o))
		cJSON_ArrayForEach(c, o)
			if (cJSON_IsString(c) && *ret_n < LIMIT_IMAGE_LIST)
				(*ret)[(*ret_n)++] = text(rd, slice_of(c->valuestring), max);
}

static void get_keys(struct reading *rd, const cJSON *o, size_t max, size_t *ret_n, char ***ret)
{
	const cJSON *c;

	*ret = list(rd, o, LIMIT_IMAGE_LIST);
	if (*ret && cJSON_IsObject(o))
		cJSON_ArrayForEach(c, o)
			if (c->string && *ret_n < LIMIT_IMAGE_LIST)
				(*ret)[(*ret_n)++] = text(rd, slice_of(c->string), max);
}

static void get_env(struct reading *rd, const cJSON *o, Picket__ImageConfig *c)
{
	const cJSON *e;

	c->env_names = list(rd, o, LIMIT_IMAGE_LIST);
	c->secret_env = list(rd, o, LIMIT_IMAGE_LIST);
	if (!c->env_names || !c->secret_env || !cJSON_IsArray(o))
		return;
	cJSON_ArrayForEach(e, o) {
		struct slice value = cJSON_IsString(e) ? slice_of(e->valuestring) : SLICE_NONE, name = SLICE_NONE;

		if (!slice_split(&value, '=', &name) || !name.n || c->n_env_names == LIMIT_IMAGE_LIST)
			continue;
		c->env_names[c->n_env_names++] = text(rd, name, LIMIT_NAME_BYTES);
		if (meta_is_secret(name, value))
			c->secret_env[c->n_secret_env++] = text(rd, name, LIMIT_NAME_BYTES);
	}
}

static void get_labels(struct reading *rd, const cJSON *o, Picket__ImageConfig *c)
{
	const cJSON *l;

	c->labels = list(rd, o, LIMIT_IMAGE_LIST);
	if (!c->labels || !cJSON_IsObject(o))
		return;
	cJSON_ArrayForEach(l, o) {
		Picket__ImageConfig__LabelsEntry *e = arena_alloc(rd->a, sizeof(*e));

		if (!e)
			fail_full(rd);
		if (!e || !cJSON_IsString(l) || !l->string || c->n_labels == LIMIT_IMAGE_LIST)
			continue;
		picket__image_config__labels_entry__init(e);
		e->key = text(rd, slice_of(l->string), LIMIT_NAME_BYTES);
		e->value = text(rd, slice_of(l->valuestring), LIMIT_TEXT_BYTES);
		c->labels[c->n_labels++] = e;
	}
}

static void get_healthcheck(struct reading *rd, const cJSON *o, Picket__ImageConfig *c)
{
	Picket__Healthcheck *h = arena_alloc(rd->a, sizeof(*h));

	if (!h) {
		fail_full(rd);
		return;
	}
	picket__healthcheck__init(h);
	c->healthcheck = h;
	h->is_declared = cJSON_IsObject(o) && cJSON_IsArray(get(o, "Test")) && get(o, "Test")->child;
	get_texts(rd, get(o, "Test"), LIMIT_TEXT_BYTES, &h->n_test, &h->test);
	h->is_none = h->n_test && h->test[0] && !strcmp(h->test[0], "NONE");
	h->interval_ns = json_get_u64(o, "Interval", 0);
}

static uint64_t get_seconds(const cJSON *o, const char *key)
{
	uint64_t ns = 0;

	return text_time_parse(json_get_str(o, key), &ns) && ns <= LIMIT_UNIX_NS ? ns / 1000000000 : 0;
}

static void get_history(struct reading *rd, const cJSON *o, Picket__ImageConfig *c)
{
	const cJSON *h;

	c->history = list(rd, o, LIMIT_LAYERS);
	if (!c->history || !cJSON_IsArray(o))
		return;
	cJSON_ArrayForEach(h, o) {
		Picket__HistoryStep *s = arena_alloc(rd->a, sizeof(*s));

		if (!s)
			fail_full(rd);
		if (!s || c->n_history == LIMIT_LAYERS)
			return;
		picket__history_step__init(s);
		s->created_by = get_text(rd, h, "created_by", LIMIT_TEXT_BYTES);
		s->comment = get_text(rd, h, "comment", LIMIT_TEXT_BYTES);
		s->created_unix_s = get_seconds(h, "created");
		s->empty_layer = json_get_bool(h, "empty_layer", false);
		c->history[c->n_history++] = s;
	}
}

static void get_config(struct reading *rd, const cJSON *o, Picket__ImageConfig *c)
{
	c->user = get_text(rd, o, "User", LIMIT_NAME_BYTES);
	c->working_dir = get_text(rd, o, "WorkingDir", LIMIT_PATH_BYTES);
	c->stop_signal = get_text(rd, o, "StopSignal", LIMIT_NAME_BYTES);
	get_keys(rd, get(o, "ExposedPorts"), LIMIT_NAME_BYTES, &c->n_exposed_ports, &c->exposed_ports);
	get_keys(rd, get(o, "Volumes"), LIMIT_PATH_BYTES, &c->n_volumes, &c->volumes);
	get_texts(rd, get(o, "Entrypoint"), LIMIT_TEXT_BYTES, &c->n_entrypoint, &c->entrypoint);
	get_texts(rd, get(o, "Cmd"), LIMIT_TEXT_BYTES, &c->n_cmd, &c->cmd);
	get_env(rd, get(o, "Env"), c);
	get_labels(rd, get(o, "Labels"), c);
	get_healthcheck(rd, get(o, "Healthcheck"), c);
}

static int get_layers(struct reading *rd, const cJSON *o, struct meta *m)
{
	const cJSON *ids = get(o, "diff_ids"), *id;
	const Picket__ImageConfig *c = m->config;
	size_t step = 0;

	m->layers = arena_zalloc(rd->a, LIMIT_LAYERS, sizeof(*m->layers));
	if (!m->layers)
		return fail_full(rd), rd->r;
	if (!cJSON_IsArray(ids))
		return err_set(rd->err, ERR_CORRUPT, "the image's configuration names no layers (rootfs.diff_ids)");
	cJSON_ArrayForEach(id, ids) {
		if (m->layer_count == LIMIT_LAYERS)
			return err_set(rd->err, ERR_LIMIT, "more than %d layers", LIMIT_LAYERS);
		if (!cJSON_IsString(id) || !stream_is_digest(slice_of(id->valuestring)))
			return err_set(rd->err, ERR_CORRUPT, "the image's configuration: layer %zu is no SHA-256 digest",
				       m->layer_count + 1);
		struct meta_layer *l = &m->layers[m->layer_count++];
		l->diff_id = text(rd, slice_of(id->valuestring), LIMIT_NAME_BYTES);
		l->digest = meta_none;
		while (step < c->n_history && c->history[step]->empty_layer)
			step++;
		l->created_by = step < c->n_history ? c->history[step++]->created_by : meta_none;
	}
	return 0;
}

int meta_empty(struct arena *a, size_t layer_count, struct meta *ret, struct err *err)
{
	struct meta m = { .image_id = meta_none,
			  .arch = meta_none,
			  .os_type = meta_none,
			  .variant = meta_none,
			  .layer_count = layer_count };

	m.config = arena_alloc(a, sizeof(*m.config));
	m.layers = arena_zalloc(a, layer_count + 1, sizeof(*m.layers));
	if (!m.config || !m.layers)
		return err_set(err, ENOMEM, "describe an image");
	picket__image_config__init(m.config);
	for (size_t i = 0; i < layer_count; i++)
		m.layers[i] = (struct meta_layer){ meta_none, meta_none, meta_none, 0 };
	*ret = m;
	return 0;
}

int meta_read_config(struct slice json, struct arena *a, struct meta *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	struct reading rd = { a, err, 0 };
	char digest[72];
	struct meta m;

	int r = meta_empty(a, 0, &m, err);
	if (r >= 0)
		r = meta_digest(json, digest, err);
	if (r >= 0)
		r = json_parse(json, IMAGE_DOCUMENT_BYTES, &o, err);
	if (r < 0)
		return err_wrap(err, r, "the image's configuration");
	if (!cJSON_IsObject(o))
		return err_set(err, ERR_CORRUPT, "the image's configuration is no object");
	m.image_id = text(&rd, slice_of(digest), LIMIT_NAME_BYTES);
	m.arch = get_text(&rd, o, "architecture", LIMIT_NAME_BYTES);
	m.os_type = get_text(&rd, o, "os", LIMIT_NAME_BYTES);
	m.variant = get_text(&rd, o, "variant", LIMIT_NAME_BYTES);
	m.created_unix_s = get_seconds(o, "created");
	get_config(&rd, get(o, "config"), m.config);
	get_history(&rd, get(o, "history"), m.config);
	if (rd.r >= 0)
		rd.r = get_layers(&rd, get(o, "rootfs"), &m);
	if (rd.r >= 0)
		*ret = m;
	return rd.r;
}
