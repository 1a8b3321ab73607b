/* ctl_list.c - lists: follows the cursor up to --limit, prints in any format, watches for what is new
 * or changed. */
#include <errno.h>
#include <inttypes.h>

#include "collector/ctl/ctl.h"

#include "common/log.h"

enum { PAGE_MAX = 1000, WATCH_S = 1, SEEN_MAX = 1 << 16 };

/* Rows of one reading: the JSON as it came, and parsed. */
struct rows {
	struct buf *bodies; /* the pages; raw borrows them */
	size_t body_count;
	struct slice *raw;
	cJSON **docs;
	size_t count, size;
	bool has_more;
	char lost[CTL_LOST_BYTES], gaps[CTL_GAPS_BYTES]; /* what hosts lost in the time asked for, where; "" = nothing */
};

static void rows_fini(struct rows *r)
{
	for (size_t i = 0; i < r->count; i++)
		cJSON_Delete(r->docs[i]);
	for (size_t i = 0; i < r->body_count; i++)
		buf_fini(&r->bodies[i]);
	free(r->bodies);
	free(r->raw);
	free(r->docs);
	*r = (struct rows){ 0 };
}

/* Cuts the next element off an array's inside; the text is valid JSON already. */
static bool next_element(struct slice *rest, struct slice *ret)
{
	unsigned depth = 0;
	bool is_quoted = false;
	size_t i;

	*rest = slice_trim(*rest);
	if (!rest->n || rest->p[0] == ']')
		return false;
	for (i = 0; i < rest->n; i++) {
		char ch = rest->p[i];

		if (is_quoted) {
			if (ch == '\\')
				i++;
			else if (ch == '"')
				is_quoted = false;
			continue;
		}
		if (ch == '"')
			is_quoted = true;
		else if (ch == '{' || ch == '[')
			depth++;
		else if (!depth && (ch == ',' || ch == ']'))
			break;
		else if (ch == '}' || ch == ']')
			depth--;
	}
	*ret = slice_trim(slice_sub(*rest, 0, i));
	*rest = slice_sub(*rest, i + (i < rest->n && rest->p[i] == ','), rest->n);
	return true;
}

static int add_row(struct rows *r, struct slice raw, struct err *err)
{
	if (r->count == r->size) {
		size_t size = r->size ? 2 * r->size : 128;
		struct slice *more_raw = reallocarray(r->raw, size, sizeof(*more_raw));

		if (more_raw)
			r->raw = more_raw;
		cJSON **more_docs = reallocarray(r->docs, size, sizeof(*more_docs));
		if (more_docs)
			r->docs = more_docs;
		if (!more_raw || !more_docs)
			return err_set(err, ENOMEM, "rows");
		r->size = size;
	}
	int e = json_parse(raw, raw.n, &r->docs[r->count], err);
	if (e < 0)
		return err_wrap(err, e, "the collector's answer");
	r->raw[r->count++] = raw;
	return 0;
}

bool ctl_lost(const cJSON *lost, char dst[CTL_LOST_BYTES])
{
	static const char *const classes[] = { "process", "rare", "volume", "other" };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(classes) && n < CTL_LOST_BYTES; i++) {
		uint64_t count = json_get_u64(lost, classes[i], 0);
		const char *before = n					    ? ", " :
				     json_get_bool(lost, "partial", false) ? "at least " :
									      "";

		if (count)
			n += (size_t)snprintf(dst + n, CTL_LOST_BYTES - n, "%s%" PRIu64 " %s", before, count,
					      classes[i]);
	}
	return n > 0;
}

void ctl_gaps(const cJSON *lost, char dst[CTL_GAPS_BYTES])
{
	char host[256], reason[64];
	const cJSON *gap;
	uint64_t left_out = json_get_u64(lost, "gaps_left_out", 0);
	CLEANUP(buf_finip) struct buf out = { 0 };

	cJSON_ArrayForEach(gap, cJSON_GetObjectItemCaseSensitive(lost, "gaps"))
	{
		log_escape(json_get_str(gap, "host"), host, sizeof(host));
		log_escape(json_get_str(gap, "reason"), reason, sizeof(reason));
		buf_printf(&out, "  %s from %s to %s: %" PRIu64 " %s%s%s\n", host, ctl_str(gap, "from"), ctl_str(gap, "to"),
			   json_get_u64(gap, "lost", 0), ctl_str(gap, "class"), reason[0] ? ", " : "", reason);
	}
	if (left_out)
		buf_printf(&out, "  and earlier: event search type=gap\n");
	snprintf(dst, CTL_GAPS_BYTES, "%s", out.p ? out.p : "");
}

/* body: {"items":[…],"cursor":"…","lost":{…}}, as our API writes it. taken: the rows borrow it. */
static int add_page(struct rows *r, struct buf *body, char *cursor, size_t size, struct err *err)
{
	static const struct slice before = { "{\"items\":[", 10 };
	struct buf *bodies = reallocarray(r->bodies, r->body_count + 1, sizeof(*bodies));
	struct slice text, rest, one;
	cJSON *doc = NULL;

	if (!bodies) {
		buf_fini(body);
		return err_set(err, ENOMEM, "rows");
	}
	r->bodies = bodies;
	r->bodies[r->body_count++] = *body;
	text = buf_slice(body);
	int e = json_parse(text, text.n, &doc, err);
	if (e < 0)
		return err_wrap(err, e, "the collector's answer");
	bool has_room = slice_copy(json_get_str(doc, "cursor"), cursor, size);
	ctl_lost(cJSON_GetObjectItemCaseSensitive(doc, "lost"), r->lost);
	if (cJSON_GetObjectItemCaseSensitive(doc, "lost"))
		ctl_gaps(cJSON_GetObjectItemCaseSensitive(doc, "lost"), r->gaps);
	cJSON_Delete(doc);
	if (!has_room || !slice_starts(text, before))
		return err_set(err, ERR_PEER, "the collector's answer is no list");
	rest = slice_sub(text, before.n, text.n);
	while (e >= 0 && next_element(&rest, &one))
		e = add_row(r, one, err);
	return e;
}

/* One page more, from the cursor on. */
static int read_page(struct ctl *c, const struct ctl_view *view, uint64_t want, char *cursor, size_t cursor_size,
		     struct rows *r, struct err *err)
{
	CLEANUP(buf_finip) struct buf filter = { 0 }, path = { 0 }, body = { 0 };
	char limit[24];

	ctl_filter(c, &filter);
	buf_add_str(&path, view->path);
	ctl_query(&path, "filter", filter.n ? filter.p : NULL);
	snprintf(limit, sizeof(limit), "%" PRIu64, want > PAGE_MAX ? PAGE_MAX : want);
	ctl_query(&path, "limit", limit);
	ctl_query(&path, "cursor", cursor);
	ctl_query(&path, "sort", c->sort);
	if (view->has_times) {
		ctl_query(&path, "since", c->since);
		ctl_query(&path, "until", c->until);
		ctl_query(&path, "order", c->is_oldest_first ? "asc" : NULL);
	}
	int e = ctl_request(c, path.p, NULL, &body, err);
	if (e < 0)
		return e;
	e = add_page(r, &body, cursor, cursor_size, err);
	body = (struct buf){ 0 };
	return e;
}

static int read_rows(struct ctl *c, const struct ctl_view *view, struct rows *r, struct err *err)
{
	char cursor[256] = "";
	int e;

	do {
		e = read_page(c, view, c->limit - r->count, cursor, sizeof(cursor), r, err);
		if (e < 0)
			return e;
	} while (cursor[0] && r->count < c->limit);
	r->has_more = cursor[0] != 0;
	return 0;
}

static void print_rows(struct ctl *c, struct ctl_table *t, const struct rows *r)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	if (c->format == CTL_TABLE || c->format == CTL_WIDE) {
		ctl_table_print(c, t, r->docs, r->count);
		return;
	}
	if (c->format == CTL_CSV && !t->has_header)
		ctl_csv_header(t->view, &out);
	t->has_header = true;
	if (c->format == CTL_JSON)
		buf_add_char(&out, '[');
	for (size_t i = 0; i < r->count; i++) {
		if (c->format == CTL_CSV) {
			ctl_csv_row(t->view, r->docs[i], &out);
		} else if (c->format == CTL_YAML) {
			buf_add_str(&out, "- ");
			ctl_yaml(r->docs[i], 2, &out);
		} else {
			buf_add_str(&out, c->format == CTL_JSON && i ? ",\n " : "");
			ctl_json_safe(r->raw[i], &out);
			buf_add_str(&out, c->format == CTL_NDJSON ? "\n" : "");
		}
		fwrite(out.p, 1, out.n, c->out);
		buf_reset(&out);
	}
	if (c->format == CTL_JSON)
		buf_add_str(&out, "]\n");
	if (c->format == CTL_YAML && !r->count)
		buf_add_str(&out, "[]\n");
	fwrite(out.n ? out.p : "", 1, out.n, c->out);
}

void ctl_print_one(struct ctl *c, struct slice raw, const cJSON *doc)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	if (c->format == CTL_YAML) {
		ctl_yaml(doc, 0, &out);
	} else {
		ctl_json_safe(raw, &out);
		buf_add_char(&out, '\n');
	}
	fwrite(out.p, 1, out.n, c->out);
}

/* What was printed already: a row is known by its whole text, so a changed one is new. A lost entry
 * only prints a row again. */
static bool is_news(uint64_t *seen, struct slice raw)
{
	uint64_t hash = slice_hash(raw) | 1;
	uint64_t *slot = &seen[hash % SEEN_MAX];

	if (*slot == hash)
		return false;
	*slot = hash;
	return true;
}

static void keep_news(struct rows *r, uint64_t *seen)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->count; i++) {
		if (!is_news(seen, r->raw[i])) {
			cJSON_Delete(r->docs[i]);
			continue;
		}
		r->raw[kept] = r->raw[i];
		r->docs[kept++] = r->docs[i];
	}
	r->count = kept;
	/* The newest last, where the eye is. */
	for (size_t i = 0; i < kept / 2; i++) {
		struct slice raw = r->raw[i];
		cJSON *doc = r->docs[i];

		r->raw[i] = r->raw[kept - 1 - i];
		r->docs[i] = r->docs[kept - 1 - i];
		r->raw[kept - 1 - i] = raw;
		r->docs[kept - 1 - i] = doc;
	}
}

static int watch(struct ctl *c, struct ctl_table *t, struct err *err)
{
	CLEANUP(freep) uint64_t *seen = calloc(SEEN_MAX, sizeof(*seen));

	if (!seen)
		return err_set(err, ENOMEM, "watch");
	/* Until interrupted, or the reader of our output went away. */
	for (;;) {
		struct rows r = { 0 };
		int e = read_rows(c, t->view, &r, err);

		if (e >= 0) {
			keep_news(&r, seen);
			if (r.count || !t->has_header)
				print_rows(c, t, &r);
		}
		rows_fini(&r);
		if (e < 0)
			return e;
		if (fflush(c->out) || ferror(c->out))
			return err_set(err, EIO, "standard output");
		sleep(WATCH_S);
	}
}

int ctl_list(struct ctl *c, const struct ctl_view *view, struct err *err)
{
	struct ctl_table t = { .view = view };
	struct rows r = { 0 };

	if (!view->has_times && (c->since || c->until || c->is_oldest_first))
		return err_set(err, ERR_USAGE, "%s %s takes no --since, --until or --order", c->noun, c->verb);
	if (c->sort && (!view->has_risk || strcmp(c->sort, "risk") != 0))
		return err_set(err, ERR_USAGE, view->has_risk ? "--sort %.40s: only risk" : "there is no --sort %.40s here", c->sort);
	if (c->is_watching && (c->format == CTL_JSON || c->format == CTL_YAML))
		return err_set(err, ERR_USAGE, "--watch goes with table, wide, ndjson or csv");
	if (c->is_watching)
		return watch(c, &t, err);
	int e = read_rows(c, view, &r, err);
	if (e >= 0) {
		print_rows(c, &t, &r);
		if (r.lost[0])
			fprintf(stderr,
				"picketctl: in this time these hosts lost %s records: what is not listed may have happened\n%s",
				r.lost, r.gaps);
		if (r.has_more)
			fprintf(stderr, "picketctl: there are more than %zu rows: --limit, or a narrower filter\n",
				r.count);
	}
	rows_fini(&r);
	return e;
}

/* A page is printed before the next one is asked for, so that there may be any number. */
int ctl_export(struct ctl *c, const struct ctl_view *view, struct err *err)
{
	struct ctl_table t = { .view = view };
	char cursor[256] = "", lost[CTL_LOST_BYTES] = "", gaps[CTL_GAPS_BYTES] = "";
	uint64_t given = 0;
	int e;

	if (c->is_watching || (c->format != CTL_NDJSON && c->format != CTL_CSV))
		return err_set(err, ERR_USAGE, "export: --format ndjson or csv, and no --watch");
	do {
		struct rows r = { 0 };

		e = read_page(c, view, c->limit - given, cursor, sizeof(cursor), &r, err);
		if (e >= 0)
			print_rows(c, &t, &r);
		given += r.count;
		if (r.lost[0]) {
			memcpy(lost, r.lost, sizeof(lost));
			memcpy(gaps, r.gaps, sizeof(gaps));
		}
		rows_fini(&r);
		if (e >= 0 && (fflush(c->out) || ferror(c->out)))
			e = err_set(err, EIO, "standard output");
	} while (e >= 0 && cursor[0] && given < c->limit);
	if (e < 0)
		return e;
	if (lost[0])
		fprintf(stderr, "picketctl: in this time these hosts lost %s records: what is not in it may have happened\n%s",
			lost, gaps);
	if (cursor[0])
		fprintf(stderr, "picketctl: there are more than %" PRIu64 " rows\n", given);
	return 0;
}
