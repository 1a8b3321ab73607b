/* notify_setup.c - receivers, routes and lanes from the configuration; every mistake is found at start. */
#include "collector/notify/notify_priv.h"

#include <errno.h>

#include "collector/notify/notify_stream.h"
#include "common/file.h"
#include "common/text.h"

enum { SECRET_BYTES = 4096, TEMPLATE_BYTES = 64 * 1024, MAIL_GROUP_WAIT_MS = 300, ROUTING_KEY_CHARS = 32 };

static bool is_set(const char *s)
{
	return s && s[0];
}

static int read_secret(const char *path, struct buf *ret, struct err *err)
{
	buf_init(ret, 0);
	if (!is_set(path))
		return 0;
	buf_fini(ret);
	int r = file_read(path, SECRET_BYTES, ret, err);
	if (r < 0)
		return r;
	while (ret->n && (ret->p[ret->n - 1] == '\n' || ret->p[ret->n - 1] == '\r'))
		ret->p[--ret->n] = 0;
	if (!ret->n)
		return err_set(err, ERR_SYNTAX, "%s: is empty", path);
	return 0;
}

static int add_receiver(struct notify *n, const struct receiver *like, const char *secret_file, struct err *err)
{
	if (!is_set(like->name) || !text_is_clean(slice_of(like->name)) || strlen(like->name) > 64)
		return err_set(err, ERR_SYNTAX, "a receiver needs a name of 1 to 64 characters");
	if (n->receiver_count >= NOTIFY_RECEIVERS)
		return err_set(err, ERR_LIMIT, "more than %d receivers", NOTIFY_RECEIVERS);
	for (size_t i = 0; i < n->receiver_count; i++)
		if (!strcmp(n->receivers[i].name, like->name))
			return err_set(err, ERR_SYNTAX, "two receivers are named '%.64s'", like->name);
	struct receiver *to = &n->receivers[n->receiver_count++];
	*to = *like;
	return read_secret(secret_file, &to->secret, err);
}

/* ---- webhooks ---- */

static int read_headers(struct receiver *to, struct err *err)
{
	char *const *lines = to->webhook->headers.items;

	for (size_t i = 0; i < to->webhook->headers.count; i++) {
		ptrdiff_t colon = slice_find_char(slice_of(lines[i]), ':');
		struct slice name = slice_sub(slice_of(lines[i]), 0, colon < 0 ? 0 : (size_t)colon);
		bool is_name = name.n > 0;

		if (to->header_count == NOTIFY_HEADERS)
			return err_set(err, ERR_LIMIT, "webhook '%.64s': more than %d headers", to->name, NOTIFY_HEADERS);
		for (size_t k = 0; k < name.n; k++)
			is_name &= strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", name.p[k]) != NULL;
		if (!is_name || !text_is_clean(slice_of(lines[i])))
			return err_set(err, ERR_SYNTAX, "webhook '%.64s': '%.60s' is no \"Name: value\"", to->name, lines[i]);
		int r = notify_template_parse(slice_of(lines[i]), &to->headers[to->header_count], err);
		if (r < 0)
			return err_wrap(err, r, "webhook '%.64s': header '%.40s'", to->name, lines[i]);
		to->header_count++;
	}
	return 0;
}

static int read_template(struct receiver *to, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	if (!is_set(to->webhook->template_file))
		return 0;
	int r = file_read(to->webhook->template_file, TEMPLATE_BYTES, &text, err);
	if (r >= 0)
		r = notify_template_parse(buf_slice(&text), &to->body, err);
	return r < 0 ? err_wrap(err, r, "webhook '%.64s': %.100s", to->name, to->webhook->template_file) : 0;
}

static int add_webhook(struct notify *n, const struct notify_webhook *w, struct err *err)
{
	struct receiver like = { .name = w->name, .kind = NOTIFY_WEBHOOK, .webhook = w, .min_severity = w->min_severity };
	int r = add_receiver(n, &like, w->secret_file, err);

	if (r < 0)
		return r;
	struct receiver *to = &n->receivers[n->receiver_count - 1];
	if (!is_set(w->url) || (strncmp(w->url, "https://", 8) != 0 && strncmp(w->url, "http://", 7) != 0))
		return err_set(err, ERR_SYNTAX, "webhook '%.64s' needs a url: https://…", w->name);
	if (w->preset == NOTIFY_PAGERDUTY && (to->secret.n != ROUTING_KEY_CHARS || !text_is_clean(buf_slice(&to->secret))))
		return err_set(err, ERR_SYNTAX, "webhook '%.64s': secret_file holds no routing key of %d characters", w->name,
			       ROUTING_KEY_CHARS);
	r = read_headers(to, err);
	return r < 0 ? r : read_template(to, err);
}

/* ---- mails, syslogs ---- */

static int add_mail(struct notify *n, const struct notify_mail *m, struct err *err)
{
	struct receiver like = { .name = m->name, .kind = NOTIFY_MAIL, .mail = m, .min_severity = m->min_severity };
	const char *const *to = m->to.items;
	char address[256];

	if (!m->to.count || m->to.count > 64)
		return err_set(err, ERR_SYNTAX, "mail route '%.64s' needs 1 to 64 receivers", m->name ? m->name : "");
	int r = notify_mail_address(m->from ? m->from : "", address, sizeof(address), err);
	for (size_t i = 0; i < m->to.count && r >= 0; i++)
		r = notify_mail_address(to[i], address, sizeof(address), err);
	if (r < 0)
		return err_wrap(err, r, "mail route '%.64s'", m->name ? m->name : "");
	return add_receiver(n, &like, m->password_file, err);
}

static int add_syslog(struct notify *n, const struct notify_syslog *s, struct err *err)
{
	struct receiver like = { .name = s->name, .kind = NOTIFY_SYSLOG, .syslog = s, .min_severity = s->min_severity };
	int r = stream_check_url(s->url ? s->url : "", err);

	if (r >= 0 && s->facility > 23)
		r = err_set(err, ERR_SYNTAX, "facilities are 0 to 23");
	return r < 0 ? err_wrap(err, r, "syslog '%.64s'", s->name ? s->name : "") : add_receiver(n, &like, NULL, err);
}

static int add_receivers(struct notify *n, struct err *err)
{
	const struct notify_config *cfg = n->cfg;
	int r = 0;

	for (size_t i = 0; i < cfg->webhook_count && r >= 0; i++)
		r = add_webhook(n, &cfg->webhooks[i], err);
	for (size_t i = 0; i < cfg->mail_count && r >= 0; i++)
		r = add_mail(n, &cfg->mails[i], err);
	for (size_t i = 0; i < cfg->syslog_count && r >= 0; i++)
		r = add_syslog(n, &cfg->syslogs[i], err);
	return r;
}

/* ---- routes ---- */

static int add_lane(struct notify *n, struct route *rt, struct receiver *to, struct err *err)
{
	if (n->lane_count == NOTIFY_LANES)
		return err_set(err, ERR_LIMIT, "routes name more than %d receivers in all", NOTIFY_LANES);
	for (size_t i = 0; i < n->lane_count; i++)
		if (n->lanes[i].route == rt && n->lanes[i].to == to)
			return err_set(err, ERR_SYNTAX, "route '%.64s' names '%.64s' twice", rt->name, to->name);
	n->lanes[n->lane_count++] = (struct lane){ .route = rt, .to = to };
	return 0;
}

static int add_lanes(struct notify *n, const struct notify_route *from, struct route *rt, struct err *err)
{
	char *const *names = from->receivers.items;

	if (!from->receivers.count)
		return err_set(err, ERR_SYNTAX, "route '%.64s' names no receivers", rt->name);
	for (size_t i = 0; i < from->receivers.count; i++) {
		struct receiver *to = NULL;

		for (size_t k = 0; k < n->receiver_count; k++)
			if (!strcmp(n->receivers[k].name, names[i]))
				to = &n->receivers[k];
		if (!to)
			return err_set(err, ERR_SYNTAX, "route '%.64s': there is no receiver '%.64s'", rt->name, names[i]);
		to->is_named = true;
		int r = add_lane(n, rt, to, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_route(struct notify *n, const struct notify_route *from, struct err *err)
{
	if (!is_set(from->name) || !text_is_clean(slice_of(from->name)) || strlen(from->name) > 64)
		return err_set(err, ERR_SYNTAX, "a route needs a name of 1 to 64 characters");
	if (n->route_count >= NOTIFY_ROUTES - NOTIFY_RECEIVERS)
		return err_set(err, ERR_LIMIT, "more than %d routes", NOTIFY_ROUTES - NOTIFY_RECEIVERS);
	for (size_t i = 0; i < n->route_count; i++)
		if (!strcmp(n->routes[i].name, from->name))
			return err_set(err, ERR_SYNTAX, "two routes are named '%.64s'", from->name);
	struct route *rt = &n->routes[n->route_count++];
	int r = notify_route_read(n, from, rt, err);
	if (r < 0)
		return err_wrap(err, r, "route '%.64s'", from->name);
	return add_lanes(n, from, rt, err);
}

/* As it was before there were routes: each alert at once, mails after a short wait. */
static int add_implicit(struct notify *n, struct receiver *to, struct err *err)
{
	struct route *rt = &n->routes[n->route_count];

	for (size_t i = 0; i < n->route_count; i++)
		if (!strcmp(n->routes[i].name, to->name))
			return err_set(err, ERR_SYNTAX, "route '%.64s' has the name of a receiver that no route names", to->name);
	n->route_count++;
	*rt = (struct route){ .name = to->name,
			      .is_implicit = true,
			      .fields = { GROUP_RULE, GROUP_HOST },
			      .field_count = 2 };
	if (to->kind == NOTIFY_MAIL)
		rt->wait_ns = (n->cfg->group_wait_ms ? n->cfg->group_wait_ms : MAIL_GROUP_WAIT_MS) * 1000000;
	return add_lane(n, rt, to, err);
}

int notify_setup(struct notify *n, struct err *err)
{
	int r = add_receivers(n, err);

	for (size_t i = 0; i < n->cfg->route_count && r >= 0; i++)
		r = add_route(n, &n->cfg->routes[i], err);
	for (size_t i = 0; i < n->receiver_count && r >= 0; i++)
		if (!n->receivers[i].is_named)
			r = add_implicit(n, &n->receivers[i], err);
	return r;
}

void notify_setup_fini(struct notify *n)
{
	for (size_t i = 0; i < n->receiver_count; i++) {
		struct receiver *to = &n->receivers[i];

		buf_fini(&to->secret);
		notify_template_free(to->body);
		for (size_t k = 0; k < to->header_count; k++)
			notify_template_free(to->headers[k]);
	}
}
