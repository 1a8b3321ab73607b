/* alert_scan.c - a vulnerability of an image that runs, as an alert: opened once, kept up to date in silence,
 * closed with why. */
#include <errno.h>
#include <inttypes.h>

#include "collector/alert/alert.h"
#include "collector/alert/alert_kept.h"
#include "collector/alert/alert_text.h"
#include "collector/store/record_json.h"

#define SCAN_RULE "Vulnerability in a running image"

enum { NAME_CHARS = 80, IMAGE_CHARS = 120, HOSTS_NAMED = 2,
       TEXT_BYTES = 256, PATH_BYTES = 512 };

/* ---- words ---- */

static bool is_first_of_host(const struct store_case *c, size_t i)
{
	return i == 0 || strcmp(c->uses[i].host, c->uses[i - 1].host) != 0;
}

/* "host-1, host-2 and 3 more" */
static void add_hosts(struct buf *out, const struct store_case *c)
{
	uint64_t named = 0;

	for (size_t i = 0; i < c->use_count && named < HOSTS_NAMED; i++) {
		if (!is_first_of_host(c, i))
			continue;
		buf_add_str(out, named++ ? ", " : "");
		alert_text_name(out, slice_of(c->uses[i].host), NAME_CHARS);
	}
	if (c->hosts > named)
		buf_printf(out, "%s%" PRIu64 " %s", named ? " and " : "", c->hosts - named, named ? "more" : "hosts");
}

/* "`nginx:1.25` on host-1 has CVE-2026-0001 (critical, known to be exploited) in openssl 3.0.11-1; 3.0.12-1 fixes
 * it" */
static void write_title(struct buf *out, const struct store_case *c)
{
	const struct store_place *p = &c->places[0];

	buf_add_char(out, '`');
	alert_text_name(out, slice_of(c->image), IMAGE_CHARS);
	buf_add_str(out, "` on ");
	add_hosts(out, c);
	buf_add_str(out, " has ");
	alert_text_name(out, slice_of(c->vuln->id), NAME_CHARS);
	buf_printf(out, " (%s%s%s) in ", vuln_severity_name(p->severity),
		   c->vuln->is_kev ? ", known to be exploited" : "",
		   p->used & STORE_USED_EXECUTED ? ", executed" : p->used ? ", loaded" : "");
	alert_text_name(out, slice_of(p->package), NAME_CHARS);
	buf_add_char(out, ' ');
	alert_text_name(out, slice_of(p->version), NAME_CHARS);
	if (c->place_count > 1)
		buf_printf(out, " and %zu more", c->place_count - 1);
	if (p->fixed[0]) {
		buf_add_str(out, "; ");
		alert_text_name(out, slice_of(p->fixed), NAME_CHARS);
		buf_add_str(out, " fixes it");
	} else {
		buf_add_str(out, "; no fix is known");
	}
}

static void write_advice(struct buf *out, const struct store_case *c)
{
	const struct store_place *p = &c->places[0];

	buf_add_str(out, c->vuln->title[0] ? c->vuln->title : "A vulnerability of a package in this image");
	if (p->used)
		buf_printf(out, ". The package was %s in a container, so the hole is within reach",
			   p->used & STORE_USED_EXECUTED ? "executed" : "loaded");
	buf_add_str(out, p->fixed[0] ? ". Build the image again with the fixed version, or take its newer one: " :
				       ". There is no fixed version yet: ");
	buf_printf(out, "picketctl image show %.80s; to accept it: picketctl vuln accept %.80s --reason … --until …",
		   c->image_id, c->vuln->id);
}

/* ---- the document ---- */

static void add_place(struct json *j, const struct store_place *p)
{
	json_object_open(j);
	record_json_text(j, "name", slice_of(p->package), TEXT_BYTES);
	record_json_text(j, "ecosystem", slice_of(p->ecosystem), TEXT_BYTES);
	record_json_text(j, "installed", slice_of(p->version), TEXT_BYTES);
	record_json_text(j, "fixed", slice_of(p->fixed), TEXT_BYTES);
	json_kv_str(j, "severity", vuln_severity_name(p->severity));
	json_kv_str(j, "status", vuln_status_name(p->status));
	record_json_text(j, "path", p->path, PATH_BYTES);
	json_kv_u64(j, "layer", p->layer);
	if (p->used) {
		json_kv_str(j, "used", p->used & STORE_USED_EXECUTED ? "executed" : "loaded");
		record_json_text(j, "used_path", p->used_path, PATH_BYTES);
	}
	json_object_close(j);
}

static void add_vulnerability(struct json *j, const struct store_case *c)
{
	const struct store_vuln *v = c->vuln;

	json_kv_object(j, "vulnerability");
	json_kv_str(j, "id", v->id);
	json_key(j, "aliases");
	json_raw(j, slice_of(v->aliases[0] ? v->aliases : "[]"));
	record_json_text(j, "title", slice_of(v->title), PATH_BYTES);
	json_kv_str(j, "severity", vuln_severity_name(c->places[0].severity));
	json_key(j, "score");
	json_f64(j, v->score);
	json_key(j, "epss");
	if (v->epss >= 0)
		json_f64(j, v->epss);
	else
		json_null(j);
	json_kv_bool(j, "kev", v->is_kev);
	json_kv_str(j, "kev_due", v->kev_due);
	json_kv_bool(j, "exposed", c->is_exposed);
	json_key(j, "urls");
	json_raw(j, slice_of(v->urls[0] ? v->urls : "[]"));
	json_kv_array(j, "packages");
	for (size_t i = 0; i < c->place_count; i++)
		add_place(j, &c->places[i]);
	json_array_close(j);
	json_object_close(j);
}

static void add_containers(struct json *j, const struct store_case *c, size_t from)
{
	json_kv_array(j, "containers");
	for (size_t i = from; i < c->use_count && (i == from || !is_first_of_host(c, i)); i++) {
		if (!c->uses[i].container[0])
			continue;
		json_object_open(j);
		json_kv_str(j, "id", c->uses[i].container);
		json_kv_str(j, "name", c->uses[i].container_name);
		json_key(j, "ports");
		json_raw(j, slice_of(c->uses[i].ports));
		json_object_close(j);
	}
	json_array_close(j);
}

/* "hosts": [{name, containers: [{id, name, ports}]}], and how many there are where not all are listed. */
static void add_places(struct json *j, const struct store_case *c)
{
	json_kv_array(j, "hosts");
	for (size_t i = 0; i < c->use_count; i++) {
		if (!is_first_of_host(c, i))
			continue;
		json_object_open(j);
		json_kv_str(j, "name", c->uses[i].host);
		add_containers(j, c, i);
		json_object_close(j);
	}
	json_array_close(j);
	json_kv_u64(j, "host_count", c->hosts);
	json_kv_u64(j, "container_count", c->containers);
}

static void add_first_container(struct json *j, const struct store_case *c)
{
	json_kv_object(j, "container");
	json_kv_str(j, "id", c->use_count ? c->uses[0].container : "");
	json_kv_str(j, "name", c->use_count ? c->uses[0].container_name : "");
	json_kv_str(j, "image", c->image);
	json_kv_str(j, "image_id", c->image_id);
	json_object_close(j);
}

static void add_joined(struct json *j, const char *key, const struct store_case *c, bool is_hosts)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	buf_init(&text, ALERT_DOCUMENT_BYTES);
	for (size_t i = 0; i < c->use_count; i++) {
		const char *name = is_hosts ? c->uses[i].host : c->uses[i].container_name;

		if ((is_hosts && !is_first_of_host(c, i)) || !name[0])
			continue;
		buf_add_str(&text, text.n ? ", " : "");
		buf_add_str(&text, name);
	}
	json_kv_slice(j, key, buf_slice(&text));
}

static void add_fields(struct json *j, const struct store_case *c)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	buf_init(&text, ALERT_DOCUMENT_BYTES);
	for (size_t i = 0; i < c->place_count; i++)
		buf_printf(&text, "%s%.256s %.256s%s%.256s%s", i ? ", " : "", c->places[i].package, c->places[i].version,
			   c->places[i].fixed[0] ? " (fixed: " : "", c->places[i].fixed, c->places[i].fixed[0] ? ")" : "");
	json_kv_object(j, "fields");
	json_kv_str(j, "vulnerability", c->vuln->id);
	json_kv_str(j, "image", c->image);
	json_kv_slice(j, "packages", buf_slice(&text));
	add_joined(j, "hosts", c, true);
	add_joined(j, "containers", c, false);
	json_object_close(j);
}

static void add_document(struct buf *out, const struct store_case *c, struct slice title)
{
	CLEANUP(buf_finip) struct buf advice = { 0 };
	struct json j;

	buf_init(&advice, 8192);
	write_advice(&advice, c);
	json_init(&j, out);
	json_object_open(&j);
	add_first_container(&j, c);
	json_key(&j, "process");
	json_null(&j);
	add_vulnerability(&j, c);
	add_places(&j, c);
	add_fields(&j, c);
	json_kv_array(&j, "tags");
	json_str(&j, SLICE_LIT("vulnerability"));
	if (c->vuln->is_kev)
		json_str(&j, SLICE_LIT("kev"));
	json_array_close(&j);
	json_kv_slice(&j, "output", title);
	json_kv_slice(&j, "description", buf_slice(&advice));
	json_kv_str(&j, "event_type", "scan");
	json_object_close(&j);
}

/* With as many packages and containers as there is room for: what is beyond stands in `image show`. */
static void write_document(struct buf *out, const struct store_case *c, struct slice title)
{
	static const struct {
		size_t places, uses;
	} tries[] = { { 20, 100 }, { 4, 20 }, { 1, 1 } };
	struct store_case some = *c;

	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		some.place_count = c->place_count < tries[i].places ? c->place_count : tries[i].places;
		some.use_count = c->use_count < tries[i].uses ? c->use_count : tries[i].uses;
		buf_reset(out);
		add_document(out, &some, title);
		if (!out->failed)
			return;
	}
}

/* ---- the alert ---- */

int alert_from_case(struct store *s, const struct clock *clk, const struct store_case *c, int64_t id, bool is_news,
		    struct alert_change *ret, struct err *err)
{
	CLEANUP(alert_draft_finip) struct alert_draft d = { .about = c->vuln->id };

	if (!c->place_count)
		return err_set(err, EINVAL, "a vulnerability in no package");
	/* Of no host: no rule's finding has the same key. */
	alert_draft_init(&d, (const char *const[]){ SCAN_RULE, "", c->vuln->id, c->image_id });
	write_title(&d.title, c);
	write_document(&d.document, c, buf_slice(&d.title));
	d.row = (struct store_alert){ .severity = c->severity,
				      .source = "scan",
				      .rule = SCAN_RULE,
				      .host = c->use_count ? c->uses[0].host : "",
				      .agent = "",
				      .container_id = c->use_count ? c->uses[0].container : "" };
	return alert_draft_tell(&d, s, clk, id, is_news ? ALERT_NEWS : ALERT_SAME, ret, err);
}
