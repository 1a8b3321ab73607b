/* facts_image.c - what the engine says of an image: inspect and history. Pure. */
#include "agent/audit/facts_priv.h"
#include "common/json.h"

int facts_read_image(struct slice body, struct arena *a, struct facts_image *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct facts_out o = { .a = a };
	struct facts_image i;
	int r = facts_json_object(body, &doc, err);

	if (r < 0)
		return err_wrap(err, r, "the engine's answer about an image");
	const cJSON *config = facts_get(doc, "Config");
	int64_t size = facts_json_i64(doc, "Size", 0);
	facts_image_init(&i);
	i.id = facts_json_text(&o, doc, "Id");
	facts_json_texts(&o, facts_get(doc, "RepoTags"), &i.tags);
	facts_json_texts(&o, facts_get(doc, "RepoDigests"), &i.digests);
	i.user = facts_json_text(&o, config, "User");
	facts_json_texts(&o, facts_get(facts_get(config, "Healthcheck"), "Test"), &i.health_test);
	facts_json_keys(&o, facts_get(config, "ExposedPorts"), &i.exposed_ports);
	facts_secret_names(&o, facts_get(config, "Env"), &i.secret_names);
	facts_json_texts(&o, facts_get(facts_get(doc, "RootFS"), "Layers"), &i.layers);
	i.created_unix_s = facts_json_time_s(doc, "Created");
	i.size_bytes = size > 0 ? (uint64_t)size : 0;
	r = facts_done(&o, err);
	if (r < 0)
		return r;
	*ret = i;
	return 0;
}

/* An engine looks for the name in passwd first, whatever it looks like: "1000:x:0:0" makes USER 1000 root. */
void facts_image_stock(struct facts_image *ret, const struct facts_stock *s)
{
	size_t n = strcspn(ret->user, ":");

	ret->has_stock = true;
	ret->setid_files = s->setid_files;
	ret->package_count = s->package_count;
	ret->has_user_uid0 = s->has_passwd ? FACTS_NO : FACTS_UNKNOWN;
	for (size_t i = 0; n && i < s->roots.count; i++)
		if (slice_is(slice_from(ret->user, n), s->roots.v[i]))
			ret->has_user_uid0 = FACTS_YES;
}

bool facts_image_is_base(const struct facts_image *base, const struct facts_image *of)
{
	if (!base->layers.count || base->layers.count >= of->layers.count)
		return false;
	for (size_t i = 0; i < base->layers.count; i++)
		if (strcmp(base->layers.v[i], of->layers.v[i]) != 0)
			return false;
	return true;
}

bool facts_image_is_latest(const struct facts_texts *tags)
{
	for (size_t i = 0; i < tags->count; i++)
		if (!slice_ends(slice_of(tags->v[i]), SLICE_LIT(":latest")))
			return false;
	return tags->count;
}

/* [{"CreatedBy": "…"}, …], the newest first. */
int facts_read_history(struct slice body, struct arena *a, struct facts_image *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct facts_out o = { .a = a };
	struct facts_texts t = { 0 };
	int r = json_parse(body, FACTS_BODY_BYTES, &doc, err);

	if (r >= 0 && !cJSON_IsArray(doc))
		r = err_set(err, ERR_SYNTAX, "1:1: not a JSON array");
	if (r < 0)
		return err_wrap(err, r, "the engine's answer about an image's history");
	const cJSON *first = doc->child, *h;
	if (first && facts_texts_open(&o, &t, (size_t)cJSON_GetArraySize(doc))) {
		/* prev of the first is the last: so cJSON keeps its lists. */
		for (h = first->prev;; h = h->prev) {
			if (cJSON_IsObject(h))
				facts_texts_add(&t, facts_json_text(&o, h, "CreatedBy"));
			if (h == first)
				break;
		}
	}
	r = facts_done(&o, err);
	if (r < 0)
		return r;
	ret->history = t;
	return 0;
}
