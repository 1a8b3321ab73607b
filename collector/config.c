/* config.c - see config.h. */
#include "collector/config.h"

#include "common/log.h"

static const char *const levels[] = { "debug", "info", "warn", "error", NULL };
static const char *const severities[] = { "info", "low", "medium", "high", "critical", NULL };
static const char *const presets[] = { "picket", "slack", "alertmanager", "falco", "teams", "pagerduty", NULL };
static const char *const formats_of_syslog[] = { "rfc5424", "cef", NULL };
static const char *const if_needed[] = { "if-needed", "yes", "no", NULL };
static const char *const starttls[] = { "required", "when-offered", "none", NULL };

#define WEBHOOK(f) offsetof(struct notify_webhook, f)
static const struct conf_key webhook_keys[] = {
	{ "name", CONF_STR, WEBHOOK(name), .doc = "shown in the outbox" },
	{ "url", CONF_STR, WEBHOOK(url), .doc = "https://…" },
	{ "secret_file", CONF_STR, WEBHOOK(secret_file), .doc = "its content signs the body (HMAC-SHA256); pagerduty: the routing key" },
	{ "template_file", CONF_STR, WEBHOOK(template_file), .doc = "the body, with {{alerts}} …; default: the preset's" },
	{ "headers", CONF_STR_LIST, WEBHOOK(headers), .doc = "\"Name: value\", templates too" },
	{ "ca_file", CONF_STR, WEBHOOK(ca_file), .doc = "default: the system's" },
	{ "preset", CONF_ENUM, WEBHOOK(preset), .names = presets, .doc = "picket slack alertmanager falco teams pagerduty" },
	{ "min_severity", CONF_ENUM, WEBHOOK(min_severity), .names = severities, .doc = "default info" },
};

#define MAIL(f) offsetof(struct notify_mail, f)
static const struct conf_key mail_keys[] = {
	{ "name", CONF_STR, MAIL(name), .doc = "shown in the outbox" },
	{ "url", CONF_STR, MAIL(url), .doc = "smtp://HOST:587, smtps://HOST:465" },
	{ "from", CONF_STR, MAIL(from), .doc = "sender" },
	{ "to", CONF_STR_LIST, MAIL(to), .doc = "recipients" },
	{ "user", CONF_STR, MAIL(user), .doc = "default: no authentication" },
	{ "password_file", CONF_STR, MAIL(password_file), .doc = "for user" },
	{ "ca_file", CONF_STR, MAIL(ca_file), .doc = "default: the system's" },
	{ "starttls", CONF_ENUM, MAIL(starttls), .names = starttls, .doc = "required (default) when-offered none" },
	{ "min_severity", CONF_ENUM, MAIL(min_severity), .names = severities, .doc = "default info" },
};

#define INHIBIT(f) offsetof(struct collector_inhibition, f)
static const struct conf_key inhibit_keys[] = {
	{ "name", CONF_STR, INHIBIT(name), .doc = "shown where an alert is not told" },
	{ "source", CONF_STR, INHIBIT(source), .doc = "a filter: while such an alert is open …" },
	{ "target", CONF_STR, INHIBIT(target), .doc = "… such alerts are not told" },
	{ "equal", CONF_STR_LIST, INHIBIT(equal), .doc = "host container container.id image rule agent source severity" },
};

#define ESCALATE(f) offsetof(struct alert_escalation, f)
static const struct conf_key escalate_keys[] = {
	{ "name", CONF_STR, ESCALATE(name), .doc = "shown in an alert's trail" },
	{ "filter", CONF_STR, ESCALATE(filter), .doc = "which alerts: severity>=high" },
	{ "after", CONF_DURATION, ESCALATE(after_ms), 1000, 30ull * 86400000, .doc = "nobody acknowledged for so long" },
	{ "every", CONF_DURATION, ESCALATE(every_ms), 1000, 30ull * 86400000, .doc = "then again; default: as after" },
	{ "times", CONF_U64, ESCALATE(times), 1, 100, .doc = "so often at most; default 1" },
	{ "routes", CONF_STR_LIST, ESCALATE(routes), .doc = "names of routes that are told" },
};

#define SYSLOG(f) offsetof(struct notify_syslog, f)
static const struct conf_key syslog_keys[] = {
	{ "name", CONF_STR, SYSLOG(name), .doc = "shown in the outbox" },
	{ "url", CONF_STR, SYSLOG(url), .doc = "tcp://HOST:601, tls://HOST:6514" },
	{ "ca_file", CONF_STR, SYSLOG(ca_file), .doc = "default: the system's" },
	{ "format", CONF_ENUM, SYSLOG(format), .names = formats_of_syslog, .doc = "rfc5424 (default) cef" },
	{ "facility", CONF_U64, SYSLOG(facility), 0, 23, .doc = "default 13, audit" },
	{ "min_severity", CONF_ENUM, SYSLOG(min_severity), .names = severities, .doc = "default info" },
};

#define DAY_MS 86400000ull
#define ROUTE(f) offsetof(struct notify_route, f)
static const struct conf_key route_keys[] = {
	{ "name", CONF_STR, ROUTE(name), .doc = "shown in the outbox" },
	{ "receivers", CONF_STR_LIST, ROUTE(receivers), .doc = "names of webhooks, mails, syslogs" },
	{ "filter", CONF_STR, ROUTE(filter), .doc = "as of picketctl alert list" },
	{ "min_severity", CONF_ENUM, ROUTE(min_severity), .names = severities, .doc = "default info" },
	{ "continue", CONF_BOOL, ROUTE(goes_on), .doc = "what matched goes to later routes too" },
	{ "hours", CONF_STR_LIST, ROUTE(hours), .doc = "\"mon-fri 08:00-18:00\"; what comes outside waits" },
	{ "mute", CONF_STR_LIST, ROUTE(mute), .doc = "the same, or \"2026-12-24..2026-12-26\": waits until it is over" },
	{ "time_zone", CONF_STR, ROUTE(time_zone), .doc = "of hours and mute: UTC (default), +02:00, Europe/Berlin" },
	{ "group_by", CONF_STR_LIST, ROUTE(group_by),
	  .doc = "rule host (default) container image severity source alert, or none" },
	{ "group_wait", CONF_DURATION, ROUTE(group_wait_ms), 1, DAY_MS, .doc = "before a group's first message; 30s" },
	{ "group_interval", CONF_DURATION, ROUTE(group_interval_ms), 1, 7 * DAY_MS, .doc = "before its next; 5m" },
	{ "repeat_interval", CONF_DURATION, ROUTE(repeat_interval_ms), 0, 365 * DAY_MS,
	  .doc = "told again while open and not acknowledged; 0 (default): never" },
	{ "send_resolved", CONF_ENUM, ROUTE(send_resolved), .names = if_needed,
	  .doc = "if-needed (default: pagerduty, alertmanager) yes no" },
	{ "digest", CONF_U64, ROUTE(digest), 0, 1000000000,
	  .doc = "more waiting messages are one digest; 10 for people, 50 for programs, syslog: never" },
};

/* In the order of enum vulndb_format and enum vuln_severity. */
static const char *const formats[] = { "auto", "osv", "debian", "alpine", "kev", "epss", NULL };
static const char *const vuln_severities[] = { "unknown", "none", "low", "medium", "high", "critical", NULL };

#define FEED(f) offsetof(struct vuln_feed, f)
static const struct conf_key feed_keys[] = {
	{ "name", CONF_STR, FEED(name), .doc = "shown in status" },
	{ "url", CONF_STR, FEED(url), .doc = "https://…, or a path on this machine" },
	{ "format", CONF_ENUM, FEED(format), .names = formats, .doc = "auto (default) osv debian alpine kev epss" },
	{ "ca_file", CONF_STR, FEED(ca_file), .doc = "default: the system's" },
	{ "part", CONF_BOOL, FEED(is_part), .doc = "of OSV: what the file does not hold stays" },
};

#define AT(f) offsetof(struct collector_config, f)
#define MIB (1024ull * 1024)
static const struct conf_key keys[] = {
	{ "name", CONF_STR, AT(name), .doc = "this machine's name for agents and people" },
	{ "data_dir", CONF_STR, AT(data_dir), .doc = "database and history" },
	{ "listen", CONF_STR, AT(listen), .doc = "agents: tls+tcp://ADDRESS:7443" },
	{ "enrol_listen", CONF_STR, AT(enrol_listen), .doc = "new agents: tls+tcp://ADDRESS:7444" },
	{ "http", CONF_STR, AT(http), .doc = "API and inbox: ADDRESS:8443" },
	{ "inbox_url", CONF_STR, AT(inbox_url), .doc = "in links; default https://NAME:PORT" },
	{ "agent_urls", CONF_STR_LIST, AT(agent_urls), .doc = "told to agents; default from name and listen" },
	{ "enrol_urls", CONF_STR_LIST, AT(enrol_urls), .doc = "in tokens; default from name, enrol_listen" },
	{ "tls.ca", CONF_STR, AT(ca_file), .doc = "the fleet's CA" },
	{ "tls.ca_key", CONF_STR, AT(ca_key_file), .doc = "its key, 0600" },
	{ "tls.cert", CONF_STR, AT(cert_file), .doc = "this machine's certificate with the CA behind it" },
	{ "tls.key", CONF_STR, AT(key_file), .doc = "its key, 0600" },
	{ "history.days", CONF_U64, AT(history_days), 1, 3650, .doc = "events are kept so long" },
	{ "history.process_days", CONF_U64, AT(class_days[STORE_PROCESS]), 0, 3650,
	  .doc = "exec, exit, fork, containers; default 0: as history.days" },
	{ "history.rare_days", CONF_U64, AT(class_days[STORE_RARE]), 0, 3650, .doc = "rare calls; the same" },
	{ "history.volume_days", CONF_U64, AT(class_days[STORE_VOLUME]), 0, 3650,
	  .doc = "files, network, traffic; the same" },
	{ "history.finding_days", CONF_U64, AT(class_days[STORE_FINDING]), 0, 3650,
	  .doc = "findings, responses, admissions, reports, losses; the same" },
	{ "history.max_bytes", CONF_SIZE, AT(history_max_bytes), 0, 1ull << 50,
	  .doc = "what is nearest to its end goes to stay below; default 0: no bound" },
	{ "history.reserve", CONF_SIZE, AT(reserve_bytes), MIB, 1024 * 1024 * MIB,
	  .doc = "free disk kept for alerts: below it agents keep their events" },
	{ "enrol.cert_days", CONF_U64, AT(cert_days), 1, 825, .doc = "life of an agent's certificate" },
	{ "alert.fold", CONF_DURATION, AT(fold_ms), 1000, 30ull * 86400000,
	  .doc = "a repeat within this time adds to the open alert" },
	{ "alert.keep", CONF_U64, AT(alerts_max), 1000, 100000000,
	  .doc = "alerts kept at most: of more the oldest go, resolved ones first" },
	{ "alert.inhibit", CONF_LIST, AT(inhibitions), .sub = inhibit_keys, .sub_count = ARRAY_LEN(inhibit_keys),
	  .item_size = sizeof(struct collector_inhibition), .doc = "name source target equal: what makes others not worth telling" },
	{ "alert.escalations", CONF_LIST, AT(escalations), .sub = escalate_keys, .sub_count = ARRAY_LEN(escalate_keys),
	  .item_size = sizeof(struct alert_escalation), .doc = "name filter after every times routes: when nobody acknowledges" },
	{ "intake.credit", CONF_U64, AT(credit), 1, LIMIT_CREDIT, .doc = "batches under way per agent" },
	{ "notify.group_wait", CONF_DURATION, AT(group_wait_ms), 0, 60000,
	  .doc = "collects what belongs into one mail" },
	{ "notify.max_attempts", CONF_U64, AT(max_attempts), 1, 10000, .doc = "then: dead letter; 240 are about a week" },
	{ "notify.webhooks", CONF_LIST, AT(webhooks), .sub = webhook_keys, .sub_count = ARRAY_LEN(webhook_keys),
	  .item_size = sizeof(struct notify_webhook), .doc = "name url preset secret_file template_file headers ca_file min_severity" },
	{ "notify.mails", CONF_LIST, AT(mails), .sub = mail_keys, .sub_count = ARRAY_LEN(mail_keys),
	  .item_size = sizeof(struct notify_mail),
	  .doc = "name url from to starttls user password_file ca_file min_severity" },
	{ "notify.syslogs", CONF_LIST, AT(syslogs), .sub = syslog_keys, .sub_count = ARRAY_LEN(syslog_keys),
	  .item_size = sizeof(struct notify_syslog), .doc = "name url format facility ca_file min_severity" },
	{ "notify.routes", CONF_LIST, AT(routes), .sub = route_keys, .sub_count = ARRAY_LEN(route_keys),
	  .item_size = sizeof(struct notify_route),
	  .doc = "name receivers filter min_severity continue hours mute time_zone group_by group_wait group_interval"
		 " repeat_interval send_resolved digest" },
	{ "feeds.sources", CONF_LIST, AT(feeds), .sub = feed_keys, .sub_count = ARRAY_LEN(feed_keys),
	  .item_size = sizeof(struct vuln_feed), .doc = "vulnerability data: name url format ca_file part" },
	{ "feeds.every", CONF_DURATION, AT(feed_every_ms), 0, 30ull * 86400000,
	  .doc = "they are looked at so often; 0: only by `picket-collector feed update`" },
	{ "feeds.stale", CONF_DURATION, AT(feed_stale_ms), 0, 365ull * 86400000,
	  .doc = "older data raises an alert; 0: never" },
	{ "feeds.public_key", CONF_STR, AT(feed_public_key),
	  .doc = "PEM: only databases signed by it are used (feed import db FILE)" },
	{ "images.alert_severity", CONF_ENUM, AT(image_severity), .names = vuln_severities,
	  .doc = "vulnerabilities of running images raise alerts from here on; exploited ones always" },
	{ "images.alerts_per_hour", CONF_U64, AT(image_alerts_per_hour), 1, 10000,
	  .doc = "new ones at most, and so many at once; the rest is in lists" },
	{ "images.gone", CONF_DURATION, AT(image_gone_ms), 0, 30ull * 86400000,
	  .doc = "an image runs so long after its last container ended" },
	{ "images.quiet", CONF_DURATION, AT(image_quiet_ms), 3600000, 365ull * 86400000,
	  .doc = "a host that says nothing for so long runs nothing" },
	{ "images.keep", CONF_DURATION, AT(image_keep_ms), 86400000, 3650ull * 86400000,
	  .doc = "images that run nowhere are kept so long" },
	{ "health.silent", CONF_DURATION, AT(silent_ms), 20000, 86400000,
	  .doc = "an agent that nothing is heard of for so long raises an alert" },
	{ "health.clock", CONF_DURATION, AT(clock_off_ms), 100, 86400000, .doc = "a clock that is off by so much" },
	{ "health.spool", CONF_DURATION, AT(spool_ms), 10000, 30ull * 86400000, .doc = "events that wait at an agent for so long" },
	{ "health.delivery", CONF_DURATION, AT(delivery_ms), 10000, 30ull * 86400000,
	  .doc = "a notification that is not delivered for so long" },
	{ "health.behind", CONF_DURATION, AT(behind_ms), 100, 60000, .doc = "agents that wait so long for their answers" },
	{ "correlate.correlations", CONF_STR, AT(correlations_dir),
	  .doc = "folder of Sigma correlations, read again when it changes; '': none" },
	{ "correlate.rules", CONF_STR, AT(sigma_dir), .doc = "folder of Sigma detection rules, likewise" },
	{ "correlate.shipped", CONF_BOOL, AT(has_shipped_rules), .doc = "picket's own correlations are in force, too" },
	{ "correlate.muted", CONF_STR_LIST, AT(muted_rules), .doc = "ids or names of rules that raise no alerts" },
	{ "correlate.memory", CONF_SIZE, AT(correlate_bytes), MIB, 1024 * MIB,
	  .doc = "of all groups that are counted; past it the least recently used go" },
	{ "correlate.lateness", CONF_DURATION, AT(lateness_ms), 0, 86400000,
	  .doc = "an event this much older than the newest still counts" },
	{ "correlate.unscanned_after", CONF_DURATION, AT(unscanned_ms), 10000, 30ull * 86400000,
	  .doc = "a container that runs for so long with an image that nobody could take stock of is told to rules; 30m" },
	{ "log.level", CONF_ENUM, AT(log_level), .names = levels, .doc = "debug info warn error" },
};

void collector_config_init(struct collector_config *c)
{
	char host[256] = "localhost";

	gethostname(host, sizeof(host) - 1);
	*c = (struct collector_config){
		.name = conf_strdup(host),
		.data_dir = conf_strdup("/var/lib/picket/collector"),
		.listen = conf_strdup("tls+tcp://0.0.0.0:7443"),
		.enrol_listen = conf_strdup("tls+tcp://0.0.0.0:7444"),
		.http = conf_strdup("0.0.0.0:8443"),
		.inbox_url = conf_strdup(""),
		.ca_file = conf_strdup("/etc/picket/ca.pem"),
		.ca_key_file = conf_strdup("/etc/picket/ca.key"),
		.cert_file = conf_strdup("/etc/picket/server.pem"),
		.key_file = conf_strdup("/etc/picket/server.key"),
		.history_days = 30,
		.reserve_bytes = 64 * MIB,
		.cert_days = 90,
		.fold_ms = 86400000,
		.alerts_max = 1000000,
		.group_wait_ms = 300,
		.max_attempts = 240,
		.credit = 4,
		.feed_public_key = conf_strdup(""),
		.feed_every_ms = 6 * 3600000,
		.feed_stale_ms = 48 * 3600000,
		.image_severity = VULN_HIGH,
		.image_alerts_per_hour = 100,
		.image_gone_ms = 600000,
		.image_quiet_ms = 86400000,
		.image_keep_ms = 30ull * 86400000,
		.silent_ms = 45000,
		.clock_off_ms = 5000,
		.spool_ms = 300000,
		.delivery_ms = 300000,
		.behind_ms = 2000,
		.correlations_dir = conf_strdup("/etc/picket/correlations.d"),
		.sigma_dir = conf_strdup("/etc/picket/sigma.d"),
		.has_shipped_rules = true,
		.correlate_bytes = 32 * MIB,
		.lateness_ms = 120000,
		.unscanned_ms = 1800000,
		.log_level = LOG_INFO,
	};
}

static int check_feeds(const struct collector_config *c, struct err *err)
{
	const struct vuln_feed *f = c->feeds.items;

	for (size_t i = 0; i < c->feeds.count; i++) {
		if (!f[i].name || !f[i].name[0] || !f[i].url)
			return err_set(err, ERR_SYNTAX, "feeds.sources: number %zu needs a name and a url", i + 1);
		if (strncmp(f[i].url, "https://", 8) != 0 && f[i].url[0] != '/')
			return err_set(err, ERR_SYNTAX, "feeds.sources: '%.100s' is neither https://… nor a path",
				       f[i].url);
		for (size_t k = 0; k < i; k++)
			if (!strcmp(f[i].name, f[k].name))
				return err_set(err, ERR_SYNTAX, "feeds.sources: two are called '%.60s'", f[i].name);
	}
	if (c->feeds.count && c->feed_public_key[0])
		return err_set(err, ERR_SYNTAX,
			       "feeds.public_key takes whole signed databases only, so there can be no feeds.sources");
	return 0;
}

int collector_inhibitions(const struct collector_config *c, struct store_inhibition *rules, struct err *err)
{
	const struct collector_inhibition *from = c->inhibitions.items;

	if (c->inhibitions.count > STORE_INHIBITIONS_MAX)
		return err_set(err, ERR_SYNTAX, "alert.inhibit: more than %d", STORE_INHIBITIONS_MAX);
	for (size_t i = 0; i < c->inhibitions.count; i++)
		rules[i] = (struct store_inhibition){ .name = from[i].name,
						      .source = from[i].source,
						      .target = from[i].target,
						      .equal = (const char *const *)from[i].equal.items,
						      .equal_count = from[i].equal.count };
	return (int)c->inhibitions.count;
}

int collector_config_read(const char *path, struct collector_config *c, struct err *err)
{
	int r = conf_read(path, keys, ARRAY_LEN(keys), c, err);

	if (r < 0)
		return r;
	c->path = realpath(path, NULL); /* told to the processes that are started here */
	return check_feeds(c, err);
}

void collector_config_print(void)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		printf("%-22s %s\n", keys[i].name, keys[i].doc);
}

void collector_config_fini(struct collector_config *c)
{
	conf_fini(keys, ARRAY_LEN(keys), c);
	free(c->path);
	c->path = NULL;
}

int collector_vuln_config(const struct collector_config *c, char db_path[4096], struct vuln_config *ret, struct err *err)
{
	if (snprintf(db_path, 4096, "%s/vulndb.db", c->data_dir) >= 4096)
		return err_set(err, ERR_LIMIT, "data_dir '%.100s' is too long", c->data_dir);
	*ret = (struct vuln_config){ .db_path = db_path,
				     .public_key_file = c->feed_public_key[0] ? c->feed_public_key : NULL,
				     .min_severity = c->image_severity,
				     .gone_ms = c->image_gone_ms,
				     .quiet_ms = c->image_quiet_ms,
				     .keep_ms = c->image_keep_ms,
				     .stale_ms = c->feed_stale_ms,
				     .feeds = c->feeds.items,
				     .feed_count = c->feeds.count,
				     .feed_every_ms = c->feed_every_ms };
	return 0;
}

void collector_store_config(const struct collector_config *c, struct store_config *ret)
{
	*ret = (struct store_config){ .dir = c->data_dir,
				      .history_days = c->history_days,
				      .history_max_bytes = c->history_max_bytes,
				      .reserve_bytes = c->reserve_bytes,
				      .alerts_max = c->alerts_max };
	for (size_t i = 0; i < STORE_CLASSES; i++)
		ret->class_days[i] = c->class_days[i];
}
