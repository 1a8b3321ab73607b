/* summary.c - see summary.h. */
#include "agent/image/live/summary.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "common/file.h"
#include "common/text.h"

static void write_list(struct json *j, const char *key, char *const *all, size_t count)
{
	json_key(j, key);
	json_array_open(j);
	for (size_t i = 0; i < count && i < SUMMARY_NAMES; i++)
		json_str(j, slice_of(all[i]));
	json_array_close(j);
}

static void write_files(struct json *j, const Picket__ImageConfig *c)
{
	size_t n = c ? c->n_setid_files : 0, bytes = 0;

	json_kv_u64(j, "setids", n);
	json_key(j, "setid_files");
	json_array_open(j);
	for (size_t i = 0; i < n && i < SUMMARY_SETIDS; i++) {
		bytes += c->setid_files[i]->path.len;
		if (bytes <= SUMMARY_SETID_BYTES)
			json_str(j, msg_slice(c->setid_files[i]->path));
	}
	json_array_close(j);
	json_kv_bool(j, "has_passwd", c && c->has_passwd);
	write_list(j, "uid0_users", c ? c->uid0_users : NULL, c ? c->n_uid0_users : 0);
}

void summary_write(const Picket__Inventory *inv, struct buf *out)
{
	char hex[2 * LIMIT_KEY_BYTES + 1];
	uint64_t packages = 0;
	struct json j;

	json_init(&j, out);
	json_object_open(&j);
	json_key(&j, "layer_keys");
	json_array_open(&j);
	for (size_t i = 0; i < inv->n_layers; i++) {
		packages += inv->layers[i]->n_packages;
		text_hex(inv->layers[i]->key.data, inv->layers[i]->key.len, hex);
		json_str(&j, slice_of(hex));
	}
	json_array_close(&j);
	write_list(&j, "names", inv->names, inv->n_names);
	write_list(&j, "repo_digests", inv->repo_digests, inv->n_repo_digests);
	json_kv_u64(&j, "packages", packages);
	json_kv_u64(&j, "problems", inv->n_problems);
	if (inv->n_problems)
		json_kv_str(&j, "first_problem", inv->problems[0]);
	write_files(&j, inv->config);
	json_object_close(&j);
}

static int read_keys(const cJSON *doc, struct summary *s, struct err *err)
{
	const cJSON *all = cJSON_GetObjectItemCaseSensitive(doc, "layer_keys"), *k;
	int count = cJSON_GetArraySize(all);

	if (!cJSON_IsArray(all) || count > LIMIT_LAYERS)
		return err_set(err, ERR_SYNTAX, "an image's summary: layer_keys");
	s->keys = calloc((size_t)count + 1, sizeof(*s->keys));
	if (!s->keys)
		return err_set(err, ENOMEM, "an image's summary");
	cJSON_ArrayForEach(k, all)
	{
		if (!cJSON_IsString(k) || text_unhex(slice_of(k->valuestring), s->keys[s->key_count], LIMIT_KEY_BYTES) != LIMIT_KEY_BYTES)
			return err_set(err, ERR_SYNTAX, "an image's summary: a key of a layer");
		s->key_count++;
	}
	return 0;
}

static int read_list(const cJSON *doc, const char *key, char **to, size_t *count, struct err *err)
{
	const cJSON *all = cJSON_GetObjectItemCaseSensitive(doc, key), *k;

	cJSON_ArrayForEach(k, all)
	{
		if (*count >= SUMMARY_NAMES || !cJSON_IsString(k))
			return err_set(err, ERR_SYNTAX, "an image's summary: %s", key);
		to[*count] = slice_dup(slice_of(k->valuestring));
		if (!to[*count])
			return err_set(err, ENOMEM, "an image's summary");
		++*count;
	}
	return 0;
}

int summary_read(struct slice text, struct summary *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct summary s = { 0 };

	int r = json_parse(text, SUMMARY_BYTES, &doc, err);
	/* One of an earlier release has none: what the audit wants is missing, so stock is taken again. */
	if (r >= 0 && !cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(doc, "setid_files")))
		r = err_set(err, ERR_SYNTAX, "an image's summary: setid_files");
	if (r >= 0)
		r = read_keys(doc, &s, err);
	if (r >= 0)
		r = read_list(doc, "names", s.names, &s.name_count, err);
	if (r >= 0)
		r = read_list(doc, "repo_digests", s.repo_digests, &s.repo_digest_count, err);
	if (r < 0) {
		summary_fini(&s);
		return r;
	}
	s.packages = json_get_u64(doc, "packages", 0);
	s.problems = json_get_u64(doc, "problems", 0);
	(void)slice_copy(json_get_str(doc, "first_problem"), s.first_problem, sizeof(s.first_problem));
	*ret = s;
	return 0;
}

static int read_texts(const cJSON *doc, const char *key, size_t max, struct arena *a, const char ***ret, size_t *ret_count,
		      struct err *err)
{
	const cJSON *all = cJSON_GetObjectItemCaseSensitive(doc, key), *k;
	const char **v = arena_zalloc(a, max, sizeof(*v));
	size_t n = 0;

	if (!v)
		return err_set(err, ERR_LIMIT, "an image's summary");
	if (!cJSON_IsArray(all) || (size_t)cJSON_GetArraySize(all) > max)
		return err_set(err, ERR_SYNTAX, "an image's summary: %s", key);
	cJSON_ArrayForEach(k, all)
	{
		if (!cJSON_IsString(k))
			return err_set(err, ERR_SYNTAX, "an image's summary: %s", key);
		v[n] = arena_dup(a, slice_of(k->valuestring));
		if (!v[n++])
			return err_set(err, ERR_LIMIT, "an image's summary");
	}
	*ret = v;
	*ret_count = n;
	return 0;
}

int summary_read_files(struct slice text, struct arena *a, struct summary_files *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct summary_files f = { 0 };

	int r = json_parse(text, SUMMARY_BYTES, &doc, err);
	if (r >= 0)
		r = read_texts(doc, "setid_files", SUMMARY_SETIDS, a, &f.setids, &f.setid_count, err);
	if (r >= 0)
		r = read_texts(doc, "uid0_users", SUMMARY_NAMES, a, &f.roots, &f.root_count, err);
	if (r < 0)
		return r;
	f.setids_total = json_get_u64(doc, "setids", f.setid_count);
	f.packages = json_get_u64(doc, "packages", 0);
	f.has_passwd = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(doc, "has_passwd"));
	*ret = f;
	return 0;
}

int summary_load_files(const char *state_dir, const char *id, struct arena *a, struct summary_files *ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	const char *hex = id + strlen("sha256:");
	uint8_t key[LIMIT_KEY_BYTES];
	char path[PATH_MAX];

	if (strncmp(id, "sha256:", strlen("sha256:")) != 0 || text_unhex(slice_of(hex), key, sizeof(key)) != sizeof(key) ||
	    snprintf(path, sizeof(path), "%s/images/%s.json", state_dir, hex) >= (int)sizeof(path))
		return err_set(err, ENOENT, "'%.80s' is no image's id", id);
	int r = file_read(path, SUMMARY_BYTES, &text, err);
	return r < 0 ? r : summary_read_files(buf_slice(&text), a, ret, err);
}

void summary_fini(struct summary *s)
{
	for (size_t i = 0; i < s->name_count; i++)
		free(s->names[i]);
	for (size_t i = 0; i < s->repo_digest_count; i++)
		free(s->repo_digests[i]);
	free(s->keys);
	*s = (struct summary){ 0 };
}
