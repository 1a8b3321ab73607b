/* images_json.c - images and vulnerabilities as the contract's JSON: the one place here where those names are
 * spelled. Values that an image chose are JSON strings; whoever shows them escapes them again. */
#include "collector/api/api_priv.h"
#include "collector/store/record_json.h"
#include "collector/store/store_vulns.h"

static void kv_real(struct json *j, const char *key, double v)
{
	json_key(j, key);
	if (v < 0)
		json_null(j);
	else
		json_f64(j, v);
}

static void kv_seconds(struct json *j, const char *key, uint64_t unix_s)
{
	json_kv_time(j, key, unix_s > LIMIT_UNIX_NS / 1000000000 ? 0 : unix_s * 1000000000);
}

static void kv_used(struct json *j, unsigned used)
{
	json_kv_str(j, "used", used & STORE_USED_EXECUTED ? "executed" : used ? "loaded" : NULL);
}

void api_raw_list(struct json *j, const char *key, const char *list)
{
	json_key(j, key);
	json_raw(j, slice_of(list && list[0] ? list : "[]"));
}

void api_image_json(struct api *a, struct json *j, const struct store_image *im)
{
	char name[512];

	json_kv_str(j, "id", im->image_id);
	json_kv_str(j, "name", store_image_name(a->store, im, name, sizeof(name)));
	api_raw_list(j, "names", im->names);
	api_raw_list(j, "digests", im->digests);
	json_kv_str(j, "kind", im->kind);
	json_kv_str(j, "arch", im->arch);
	json_kv_object(j, "os");
	json_kv_str(j, "id", im->os);
	json_kv_str(j, "version", im->os_version);
	json_kv_str(j, "codename", im->os_codename);
	json_kv_str(j, "name", im->os_title);
	json_object_close(j);
	json_kv_bool(j, "known", im->is_known);
	json_kv_bool(j, "running", im->hosts > 0);
	json_kv_u64(j, "hosts", im->hosts);
	json_kv_u64(j, "containers", im->containers);
	json_kv_bool(j, "exposed", im->is_exposed);
	json_kv_bool(j, "newer_image", im->is_newer);
	json_kv_u64(j, "packages", im->packages);
	json_kv_object(j, "summary");
	json_kv_u64(j, "critical", im->critical);
	json_kv_u64(j, "high", im->high);
	json_kv_u64(j, "medium", im->medium);
	json_kv_u64(j, "low", im->low);
	json_kv_u64(j, "unknown", im->other);
	json_object_close(j);
	json_kv_u64(j, "fixable", im->fixable);
	json_kv_u64(j, "kev", im->kev);
	json_kv_u64(j, "risk", im->risk);
	json_kv_u64(j, "size_bytes", im->size_bytes);
	kv_seconds(j, "created", im->created_unix_s);
	kv_seconds(j, "taken", im->taken_unix_s);
	json_kv_time(j, "stored", im->stored_unix_ns);
	json_kv_time(j, "first_seen", im->first_seen_unix_ns);
	json_kv_time(j, "seen", im->seen_unix_ns);
	api_raw_list(j, "problems", im->problems);
}

void api_vuln_json(struct json *j, const struct store_vuln *v)
{
	json_kv_str(j, "id", v->id);
	api_raw_list(j, "aliases", v->aliases);
	json_kv_str(j, "title", v->title);
	json_kv_str(j, "severity", vuln_severity_name(v->severity));
	kv_real(j, "score", v->score);
	kv_real(j, "epss", v->epss);
	kv_real(j, "epss_percentile", v->percentile);
	json_kv_bool(j, "kev", v->is_kev);
	json_kv_str(j, "kev_added", v->kev_added);
	json_kv_str(j, "kev_due", v->kev_due);
	json_kv_bool(j, "ransomware", v->is_ransomware);
	api_raw_list(j, "packages", v->packages);
	json_kv_bool(j, "fixable", v->is_fixable);
	json_kv_u64(j, "images", v->images);
	json_kv_u64(j, "running", v->running);
	json_kv_u64(j, "hosts", v->hosts);
	kv_used(j, v->used);
	json_kv_bool(j, "exposed", v->is_exposed);
	json_kv_bool(j, "accepted", v->is_accepted);
	json_kv_time(j, "first_seen", v->first_seen_unix_ns);
	kv_seconds(j, "published", v->published_unix_s);
	kv_seconds(j, "modified", v->modified_unix_s);
}

static void add_use(struct api *a, struct json *j, const struct store_place *p)
{
	char host[STORE_NAME_MAX];

	json_key(j, "use");
	if (!p->used) {
		json_null(j);
		return;
	}
	if (store_agent_host(a->store, p->used_agent, host, NULL) < 0)
		slice_copy(slice_of(p->used_agent), host, sizeof(host));
	json_object_open(j);
	json_kv_time(j, "time", p->used_unix_ns);
	json_kv_str(j, "host", host);
	json_kv_str(j, "container", p->used_container);
	record_json_text(j, "path", p->used_path, LIMIT_PATH_BYTES);
	json_object_close(j);
}

void api_place_json(struct api *a, struct json *j, const struct store_place *p)
{
	json_kv_str(j, "package", p->package);
	json_kv_str(j, "installed", p->version);
	json_kv_str(j, "fixed", p->fixed);
	json_kv_str(j, "severity", vuln_severity_name(p->severity));
	json_kv_str(j, "severity_source", p->severity_source);
	json_kv_str(j, "status", vuln_status_name(p->status));
	json_kv_str(j, "note", p->note);
	json_kv_str(j, "ecosystem", p->ecosystem);
	json_kv_str(j, "arch", p->arch);
	record_json_text(j, "path", p->path, LIMIT_PATH_BYTES);
	json_kv_u64(j, "layer", p->layer);
	kv_used(j, p->used);
	add_use(a, j, p);
	json_kv_str(j, "record", p->record);
	json_kv_str(j, "feed", p->feed);
	json_kv_time(j, "first_seen", p->first_seen_unix_ns);
}

void api_acceptance_json(struct json *j, const struct store_acceptance *x)
{
	json_object_open(j);
	json_kv_i64(j, "id", x->id);
	json_kv_str(j, "vulnerability", x->vuln);
	json_kv_str(j, "image", x->image);
	json_kv_str(j, "package", x->package);
	json_kv_str(j, "reason", x->reason);
	json_kv_str(j, "who", x->who);
	json_kv_time(j, "created", x->created_unix_ns);
	json_kv_time(j, "until", x->until_unix_ns);
	json_kv_time(j, "ended", x->ended_unix_ns);
	json_kv_str(j, "ended_by", x->ended_by);
	json_object_close(j);
}
