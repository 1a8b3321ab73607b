/* updates.c - is there a newer image? For each running image that came from a registry: which digest has the tag
 * now. And the list of all local images, so that stock is taken of those that do not run, too. */
#include "agent/image/live/live_priv.h"

#include <stdio.h>

#include "common/text.h"

enum { LIST_BYTES = 16 * 1024 * 1024, LIST_TIMEOUT_MS = 30000, FIRST_ALL_MS = 60000, DIGEST_MS = 60000, INSPECT_BYTES = 1024 * 1024 };

/* ---- what the engine calls an image now ---- */

static bool same_list(const cJSON *all, char *const *mine, size_t count)
{
	const cJSON *k;
	size_t at = 0;

	cJSON_ArrayForEach(k, all)
	{
		if (at >= SUMMARY_NAMES)
			return true;
		if (!cJSON_IsString(k) || at >= count || strcmp(k->valuestring, mine[at]) != 0)
			return false;
		at++;
	}
	return at == count;
}

static void take_list(const cJSON *all, char **mine, size_t *count)
{
	const cJSON *k;

	for (size_t i = 0; i < *count; i++)
		free(mine[i]);
	*count = 0;
	cJSON_ArrayForEach(k, all)
	{
		if (*count >= SUMMARY_NAMES || !cJSON_IsString(k) || !(mine[*count] = slice_dup(slice_of(k->valuestring))))
			return;
		++*count;
	}
}

/* Told with the next question about it; the collector keeps a known image's names up to date. */
static void take_names(struct limage *i, const cJSON *image)
{
	const cJSON *names = cJSON_GetObjectItemCaseSensitive(image, "RepoTags");
	const cJSON *digests = cJSON_GetObjectItemCaseSensitive(image, "RepoDigests");
	struct summary *s = &i->summary;

	if (same_list(names, s->names, s->name_count) &&
	    same_list(digests, s->repo_digests, s->repo_digest_count))
		return;
	take_list(names, s->names, &s->name_count);
	take_list(digests, s->repo_digests, &s->repo_digest_count);
	if (i->told == TOLD_KNOWN)
		i->told = TOLD_NOT;
	i->update_due_ns = 0;
}

static void on_names(void *arg, const struct fetch_result *r)
{
	struct live *v = arg;
	struct limage *i = v->named;
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	struct err err;

	v->naming = NULL;
	v->named = NULL;
	if (!r->code && r->status == 200 && json_parse(r->body, INSPECT_BYTES, &doc, &err) >= 0)
		take_names(i, doc);
}

static void ask_names(struct live *v, struct limage *i)
{
	char url[160];
	struct fetch_request rq = { .url = url,
				    .unix_socket = v->cfg.docker_socket,
				    .timeout_ms = LIST_TIMEOUT_MS,
				    .max_body_bytes = INSPECT_BYTES,
				    .on_done = on_names,
				    .arg = v };
	struct err err;

	snprintf(url, sizeof(url), "http://docker/images/%s/json", i->id);
	i->wants_names = false;
	v->named = i;
	if (fetch_start(v->fetch, &rq, &v->naming, &err) < 0) {
		v->named = NULL;
		LOG(WARN, "image.names", KV_STR("why", err.msg));
	}
}

static void names_step(struct live *v)
{
	struct limage *i;

	if (v->named)
		return;
	TAILQ_FOREACH(i, &v->images, link)
	if (i->wants_names && i->stock == STOCK_THERE) {
		ask_names(v, i);
		return;
	}
}

/* ---- all local images ---- */

static void on_list(void *arg, const struct fetch_result *r)
{
	struct live *v = arg;
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	const cJSON *image;
	struct err err;

	v->listing = NULL;
	if (r->code || r->status != 200 || json_parse(r->body, LIST_BYTES, &doc, &err) < 0) {
		LOG(WARN, "image.list", KV_STR("why", r->code ? r->message : "the engine's answer made no sense"));
		return;
	}
	struct limage *before;
	TAILQ_FOREACH(before, &v->images, link)
	before->is_here = false;
	cJSON_ArrayForEach(image, doc)
	{
		const cJSON *names = cJSON_GetObjectItemCaseSensitive(image, "RepoTags");
		struct limage *i = live_image_get(v, json_get_str(image, "Id"));
		if (!i)
			continue;
		i->is_here = true;
		if (i->has_summary)
			take_names(i, image);
		if (!i->reference[0] && cJSON_IsString(cJSON_GetArrayItem(names, 0))) {
			free(i->reference);
			i->reference = slice_dup(slice_of(cJSON_GetArrayItem(names, 0)->valuestring));
		}
	}
	live_scans_listed(v);
}

void live_list_all(struct live *v)
{
	struct fetch_request rq = { .url = "http://docker/images/json",
				    .unix_socket = v->cfg.docker_socket,
				    .timeout_ms = LIST_TIMEOUT_MS,
				    .max_body_bytes = LIST_BYTES,
				    .on_done = on_list,
				    .arg = v };
	struct err err;

	if (!v->listing && fetch_start(v->fetch, &rq, &v->listing, &err) < 0)
		LOG(WARN, "image.list", KV_STR("why", err.msg));
}

void live_updates_step(struct live *v)
{
	uint64_t now = live_now_ns(v);

	names_step(v);
	if (!v->cfg.all_every_ms || !v->cfg.docker_socket[0])
		return;
	if (!v->all_due_ns)
		v->all_due_ns = now + FIRST_ALL_MS * 1000000ull;
	if (now < v->all_due_ns || v->listing)
		return;
	v->all_due_ns = now + v->cfg.all_every_ms * 1000000;
	live_list_all(v);
}

/* ---- a tag's digest ---- */

/* "registry:5000/team/app:1.2" -> its repository's length; 0 where there is no tag, but a digest or an id. */
static size_t repository_length(const char *reference)
{
	const char *slash = strrchr(reference, '/'), *colon = strrchr(reference, ':');

	if (!reference[0] || strchr(reference, '@') || !strncmp(reference, "sha256:", 7))
		return 0;
	return colon && (!slash || colon > slash) ? (size_t)(colon - reference) : strlen(reference);
}

/* The digest that the image was pulled by, of the repository that the reference names. */
static const char *running_digest(const struct limage *i, const char *reference)
{
	size_t n = repository_length(reference);

	for (size_t k = 0; n && k < i->summary.repo_digest_count; k++) {
		const char *d = i->summary.repo_digests[k], *at = strchr(d, '@');
		if (at && (size_t)(at - d) == n && !strncmp(d, reference, n))
			return at + 1;
	}
	return NULL;
}

/* What the container was started by; else a name that the engine has for the image. */
static const char *reference_of(const struct limage *i)
{
	if (running_digest(i, i->reference))
		return i->reference;
	for (size_t k = 0; k < i->summary.name_count; k++)
		if (running_digest(i, i->summary.names[k]))
			return i->summary.names[k];
	return NULL;
}

static void on_digest(void *arg, int status, struct slice out, const char *why)
{
	struct live *v = arg;
	struct limage *i = v->child_image;
	struct slice digest = slice_trim(out);

	v->child = NULL;
	v->child_image = NULL;
	i->update_unix_s = clock_unix_ns(v->clk) / 1000000000;
	i->update_digest[0] = i->update_error[0] = 0;
	if (!status && slice_starts(digest, SLICE_LIT("sha256:")) && text_is_clean(digest))
		(void)slice_copy(digest, i->update_digest, sizeof(i->update_digest));
	else
		(void)slice_copy(slice_of(why[0] ? why : "the registry's answer is no digest"), i->update_error,
				 sizeof(i->update_error));
	i->has_update = true;
	v->updates_checked++;
}

static bool start_digest(struct live *v, struct limage *i, const char *reference)
{
	const char *argv[10] = { "picket-agent", "image-digest" };
	unsigned n = 2;
	struct err err;

	if (v->cfg.registry_ca[0]) {
		argv[n++] = "--ca";
		argv[n++] = v->cfg.registry_ca;
	}
	if (v->cfg.docker_config[0]) {
		argv[n++] = "--docker-config";
		argv[n++] = v->cfg.docker_config;
	}
	argv[n++] = "--"; /* whatever the engine calls it, it is no option */
	argv[n++] = reference;
	if (child_start(v->loop, argv, DIGEST_MS, on_digest, v, &v->child, &err) < 0) {
		LOG(WARN, "image.update", KV_STR("why", err.msg));
		return false;
	}
	v->child_image = i;
	free(i->update_reference);
	i->update_reference = slice_dup(slice_of(reference));
	(void)slice_copy(slice_of(running_digest(i, reference)), i->running_digest, sizeof(i->running_digest));
	return true;
}

/* One of all that are due; half of the interval is random, so that a fleet does not ask in step. */
bool live_update_start(struct live *v)
{
	uint64_t now = live_now_ns(v), every_ns = v->cfg.update_every_ms * 1000000;
	struct limage *i;

	TAILQ_FOREACH(i, &v->images, link)
	{
		const char *reference;
		uint32_t random;

		if (!every_ns || i->stock != STOCK_THERE || TAILQ_EMPTY(&i->containers) || now < i->update_due_ns)
			continue;
		text_random(&random, sizeof(random));
		i->update_due_ns = now + every_ns / 2 + every_ns / 2 / UINT32_MAX * random;
		i->wants_names = true;
		if ((reference = reference_of(i)))
			return start_digest(v, i, reference);
	}
	return false;
}
