/* facts_secret.c - which variables look like a secret, by their name's words or by the form of their value.
 *
 * Only names are kept. A name that says where a secret is, or how one is to be (…_FILE, …_URL, …_POLICY), is none,
 * unless the value itself has a secret's form. */
#include <ctype.h>

#include "agent/audit/facts_priv.h"
#include "common/json.h"

/* Ends of a name's words: DB_PASSWORD, dbPassword, PGPASSWORD. */
static const char *const secret_words[] = {
	"PASSWORD",    "PASSWD",     "PASSPHRASE", "PWD",	 "SECRET",	"SECRETS",     "TOKEN",
	"APIKEY",      "API_KEY",    "SECRETKEY",  "SECRET_KEY", "ACCESS_KEY",	"PRIVATE_KEY", "ENCRYPTION_KEY",
	"SIGNING_KEY", "MASTER_KEY", "AUTH_KEY",   "CREDENTIAL", "CREDENTIALS", "PASS",
};
/* Whole names that end like a secret and are none. */
static const char *const plain_names[] = { "PWD", "OLDPWD" };

static bool ends_with_word(struct slice name, struct slice w)
{
	if (name.n < w.n || strncasecmp(name.p + name.n - w.n, w.p, w.n))
		return false;
	/* Short ones only as words of their own: COMPASS and BYPASS hold no secret. */
	return w.n > 4 || name.n == w.n || name.p[name.n - w.n - 1] == '_';
}

static bool is_secret_name(struct slice name)
{
	/* DB_PASSWORD_1, SECRET2 */
	while (name.n && isdigit((unsigned char)name.p[name.n - 1]))
		name.n--;
	while (name.n && name.p[name.n - 1] == '_')
		name.n--;
	for (size_t i = 0; i < ARRAY_LEN(plain_names); i++)
		if (slice_is(name, plain_names[i]))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(secret_words); i++)
		if (ends_with_word(name, slice_of(secret_words[i])))
			return true;
	return slice_starts(name, SLICE_LIT("AWS_SECRET_")) || slice_starts(name, SLICE_LIT("SECRET_KEY_"));
}

/* Forms that issuers gave their secrets so that they can be found. min: characters of [A-Za-z0-9_-] after the prefix.
 */
static const struct form {
	const char *prefix;
	size_t min;
} forms[] = {
	{ "AKIA", 16 },	       { "ASIA", 16 },	   { "ghp_", 36 },  { "gho_", 36 },	  { "ghs_", 36 },
	{ "github_pat_", 22 }, { "glpat-", 20 },   { "xoxb-", 10 }, { "xoxp-", 10 },	  { "xoxa-", 10 },
	{ "sk_live_", 16 },    { "rk_live_", 16 }, { "AIza", 35 },  { "npm_", 36 },	  { "dop_v1_", 40 },
	{ "hvs.", 20 },	       { "sk-ant-", 20 },  { "pypi-", 40 }, { "eyJhbGciOi", 20 },
};

static size_t token_length(struct slice s)
{
	size_t n = 0;

	while (n < s.n && (isalnum((unsigned char)s.p[n]) || s.p[n] == '_' || s.p[n] == '-'))
		n++;
	return n;
}

/* scheme://user:password@host */
static bool has_url_password(struct slice v)
{
	ptrdiff_t at = slice_find(v, SLICE_LIT("://"));

	if (at <= 0)
		return false;
	struct slice rest = slice_sub(v, (size_t)at + 3, v.n);
	ptrdiff_t slash = slice_find_char(rest, '/'), sign;
	if (slash >= 0)
		rest = slice_sub(rest, 0, (size_t)slash);
	sign = slice_find_char(rest, '@');
	if (sign < 0)
		return false;
	ptrdiff_t colon = slice_find_char(slice_sub(rest, 0, (size_t)sign), ':');
	return colon >= 0 && colon + 1 < sign;
}

static bool is_secret_value(struct slice v)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct slice p = slice_of(forms[i].prefix);

		if (slice_starts(v, p) && token_length(slice_sub(v, p.n, v.n)) >= forms[i].min)
			return true;
	}
	return slice_find(v, SLICE_LIT("PRIVATE KEY-----")) >= 0 || has_url_password(v);
}

/* Where a secret is, not what it is; or a switch. */
static bool is_harmless_value(struct slice v)
{
	static const char *const switches[] = { "true", "false", "yes", "no", "on", "off", "0", "1", "none", "null" };

	if (!v.n || v.p[0] == '/' || slice_starts(v, SLICE_LIT("file://")))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(switches); i++)
		if (v.n == strlen(switches[i]) && !strncasecmp(v.p, switches[i], v.n))
			return true;
	return false;
}

static bool is_secret(struct slice variable, struct slice *ret_name)
{
	ptrdiff_t eq = slice_find_char(variable, '=');

	if (eq <= 0)
		return false;
	struct slice name = slice_sub(variable, 0, (size_t)eq), value = slice_sub(variable, (size_t)eq + 1, variable.n);
	*ret_name = name;
	return is_secret_value(value) || (is_secret_name(name) && !is_harmless_value(value));
}

void facts_secret_names(struct facts_out *o, const cJSON *env, struct facts_texts *ret)
{
	const cJSON *v;
	struct slice name;

	*ret = (struct facts_texts){ 0 };
	if (!cJSON_IsArray(env) || !facts_texts_open(o, ret, (size_t)cJSON_GetArraySize(env)))
		return;
	cJSON_ArrayForEach(v, env)
	{
		if (ret->count == FACTS_LIST_MAX)
			return;
		if (cJSON_IsString(v) && is_secret(slice_of(v->valuestring), &name))
			facts_texts_add(ret, facts_text(o, name));
	}
}
