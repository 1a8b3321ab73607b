/* summary.c - see summary.h. */
#include "agent/image/live/summary.h"

#include <errno.h>

#include "common/text.h"

static void write_list(struct json *j, const char *key, char *const *all, size_t count)
{
	json_key(j, key);
	json_array_open(j);
	for (size_t i = 0; i < count && i < SUMMARY_NAMES; i++)
		json_str(j, slice_of(all[i]));
	json_array_close(j);
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

void summary_fini(struct summary *s)
{
	for (size_t i = 0; i < s->name_count; i++)
		free(s->names[i]);
	for (size_t i = 0; i < s->repo_digest_count; i++)
		free(s->repo_digests[i]);
	free(s->keys);
	*s = (struct summary){ 0 };
}
