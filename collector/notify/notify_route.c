/* notify_route.c - one route: what the configuration says of it, the names of its groups, its hours. */
#include "collector/notify/notify_priv.h"

#include <errno.h>
#include <inttypes.h>

#include "common/show.h"
#include "common/text.h"
#include "common/tls.h"

enum { GROUP_WAIT_MS = 30 * 1000, GROUP_INTERVAL_MS = 5 * 60 * 1000, DOCUMENT_BYTES = 1024 * 1024, LABEL_CHARS = 200 };

static const char *const field_names[] = { [GROUP_RULE] = "rule",	    [GROUP_HOST] = "host",
					   [GROUP_CONTAINER] = "container", [GROUP_IMAGE] = "image",
					   [GROUP_SEVERITY] = "severity",   [GROUP_SOURCE] = "source",
					   [GROUP_ALERT] = "alert" };

static int read_group_by(const struct conf_list *from, struct route *ret, struct err *err)
{
	char *const *names = from->items;

	ret->fields[0] = GROUP_RULE;
	ret->fields[1] = GROUP_HOST;
	ret->field_count = from->count ? 0 : 2;
	for (size_t i = 0; i < from->count; i++) {
		size_t f = 0;

		if (!strcmp(names[i], "none") && from->count == 1)
			return 0;
		while (f < ARRAY_LEN(field_names) && strcmp(field_names[f], names[i]) != 0)
			f++;
		if (f == ARRAY_LEN(field_names) || ret->field_count == NOTIFY_GROUP_FIELDS)
			return err_set(err, ERR_SYNTAX,
				       "group_by takes rule host container image severity source alert, or none alone; not '%.40s'",
				       names[i]);
		ret->fields[ret->field_count++] = (enum group_field)f;
	}
	return 0;
}

static int read_times(const struct conf_list *from, struct notify_schedule *ret, struct err *err)
{
	char *const *texts = from->items;
	int r = 0;

	for (size_t i = 0; i < from->count && r >= 0; i++)
		r = notify_schedule_add(ret, texts[i], err);
	return r;
}

int notify_route_read(struct notify *n, const struct notify_route *from, struct route *ret, struct err *err)
{
	uint64_t wait_ms = from->group_wait_ms ? from->group_wait_ms : GROUP_WAIT_MS;
	uint64_t interval_ms = from->group_interval_ms ? from->group_interval_ms : GROUP_INTERVAL_MS;

	*ret = (struct route){ .name = from->name,
			       .goes_on = from->goes_on,
			       .min_severity = from->min_severity,
			       .send_resolved = from->send_resolved,
			       .wait_ns = wait_ms * 1000000,
			       .interval_ns = interval_ms * 1000000,
			       .repeat_ns = from->repeat_interval_ms * 1000000,
			       .digest = from->digest };
	int r = read_group_by(&from->group_by, ret, err);
	if (r >= 0 && from->filter && from->filter[0]) {
		char *text = arena_dup(n->arena, slice_of(from->filter));

		ret->has_filter = true;
		r = text ? store_alert_filter(slice_of(text), n->arena, &ret->filter, err) : err_set(err, ENOMEM, "filter");
		if (r < 0)
			return err_wrap(err, r, "filter");
	}
	if (r >= 0)
		r = notify_zone_open(from->time_zone ? from->time_zone : "", n->arena, &ret->zone, err);
	if (r >= 0)
		r = read_times(&from->hours, &ret->hours, err);
	if (r >= 0)
		r = read_times(&from->mute, &ret->mute, err);
	return r;
}

uint64_t notify_route_closed(const struct route *rt, uint64_t now_ns)
{
	if (!rt->hours.count && !rt->mute.count)
		return 0;
	uint64_t next = notify_schedule_next(&rt->hours, &rt->mute, rt->zone, now_ns);
	return next > now_ns ? next : 0;
}

/* ---- lanes ---- */

bool notify_lane_is_people(const struct lane *l)
{
	if (l->to->kind == NOTIFY_WEBHOOK)
		return l->to->webhook->preset == NOTIFY_SLACK || l->to->webhook->preset == NOTIFY_TEAMS ||
		       l->to->webhook->preset == NOTIFY_PAGERDUTY;
	return l->to->kind == NOTIFY_MAIL;
}

bool notify_lane_resolves(const struct lane *l)
{
	if (l->route->send_resolved)
		return l->route->send_resolved == 1;
	/* those whose alerts would stay open for ever */
	return l->to->kind == NOTIFY_WEBHOOK &&
	       (l->to->webhook->preset == NOTIFY_PAGERDUTY || l->to->webhook->preset == NOTIFY_ALERTMANAGER);
}

bool notify_lane_follows(const struct lane *l)
{
	return notify_lane_resolves(l) || l->route->repeat_ns;
}

size_t notify_lane_most(const struct lane *l)
{
	if (l->to->kind != NOTIFY_WEBHOOK)
		return NOTIFY_MAIL_ALERTS;
	/* their formats hold one; and so was it before there were routes */
	if (l->to->webhook->preset == NOTIFY_FALCO || l->to->webhook->preset == NOTIFY_PAGERDUTY || l->route->is_implicit)
		return 1;
	return NOTIFY_MAIL_ALERTS;
}

/* ---- groups ---- */

static struct slice field_value(enum group_field f, const struct store_alert *al, const cJSON *container, char number[24])
{
	switch (f) {
	case GROUP_RULE:
		return slice_of(al->rule);
	case GROUP_HOST:
		return slice_of(al->host);
	case GROUP_CONTAINER:
		return json_get_str(container, "name").n ? json_get_str(container, "name") : slice_of(al->container_id);
	case GROUP_IMAGE:
		return json_get_str(container, "image");
	case GROUP_SEVERITY:
		return slice_of(msg_severity_name(al->severity));
	case GROUP_SOURCE:
		return slice_of(al->source);
	case GROUP_ALERT:
		snprintf(number, 24, "%" PRId64, al->id);
		return slice_of(number);
	}
	return SLICE_NONE;
}

/* "rule@host", as it always was; of other fields "image nginx:1.25, severity high". */
static void add_label(const struct route *rt, size_t i, struct slice value, struct buf *out)
{
	bool is_plain = rt->field_count == 2 && rt->fields[0] == GROUP_RULE && rt->fields[1] == GROUP_HOST;
	size_t chars = is_plain ? 400 : LABEL_CHARS;

	if (i)
		buf_add_str(out, is_plain ? "@" : ", ");
	if (!is_plain)
		buf_printf(out, "%s ", field_names[rt->fields[i]]);
	if (value.n)
		show_text(out, value, chars);
	else if (!is_plain)
		buf_add_str(out, "none");
}

int notify_group_name(const struct route *rt, const struct store_alert *al, struct group_name *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *document = NULL;
	CLEANUP(buf_finip) struct buf key = { 0 }, label = { 0 };
	const cJSON *container = NULL;
	uint8_t hash[32];
	char number[24];

	for (size_t i = 0; i < rt->field_count && !container; i++) {
		bool needs = rt->fields[i] == GROUP_CONTAINER || rt->fields[i] == GROUP_IMAGE;

		/* A document that can't be read has no container, for filters too. */
		if (needs && !document && json_parse(slice_of(al->document), DOCUMENT_BYTES, &document, NULL) >= 0)
			container = notify_member(document, "container");
	}
	buf_init(&key, DOCUMENT_BYTES);
	buf_init(&label, 64 * 1024);
	for (size_t i = 0; i < rt->field_count; i++) {
		struct slice value = field_value(rt->fields[i], al, container, number);

		buf_printf(&key, "%zu:", value.n); /* so that no two lists of values make one key */
		buf_add_slice(&key, value);
		add_label(rt, i, value, &label);
	}
	if (key.failed)
		return err_set(err, ERR_LIMIT, "group of alert %" PRId64, al->id);
	tls_sha256(buf_slice(&key), hash);
	text_hex(hash, sizeof(hash), ret->key);
	slice_copy(label.n ? buf_slice(&label) : SLICE_LIT("all alerts"), ret->label, sizeof(ret->label));
	return 0;
}
