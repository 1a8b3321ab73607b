/* config.c - see config.h. */
#include "collector/config.h"

#include "common/log.h"

static const char *const levels[] = { "debug", "info", "warn", "error", NULL };
static const char *const severities[] = { "info", "low", "medium", "high", "critical", NULL };
static const char *const presets[] = { "picket", "slack", "alertmanager", "falco", NULL };
static const char *const starttls[] = { "required", "when-offered", "none", NULL };

#define WEBHOOK(f) offsetof(struct notify_webhook, f)
static const struct conf_key webhook_keys[] = {
	{ "name", CONF_STR, WEBHOOK(name), .doc = "shown in the outbox" },
	{ "url", CONF_STR, WEBHOOK(url), .doc = "https://…" },
	{ "secret_file", CONF_STR, WEBHOOK(secret_file), .doc = "its content signs the body (HMAC-SHA256)" },
	{ "ca_file", CONF_STR, WEBHOOK(ca_file), .doc = "default: the system's" },
	{ "preset", CONF_ENUM, WEBHOOK(preset), .names = presets, .doc = "picket slack alertmanager falco" },
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
	{ "history.reserve", CONF_SIZE, AT(reserve_bytes), MIB, 1024 * 1024 * MIB,
	  .doc = "free disk kept for alerts: below it agents keep their events" },
	{ "enrol.cert_days", CONF_U64, AT(cert_days), 1, 825, .doc = "life of an agent's certificate" },
	{ "alert.fold", CONF_DURATION, AT(fold_ms), 1000, 30ull * 86400000,
	  .doc = "a repeat within this time adds to the open alert" },
	{ "intake.credit", CONF_U64, AT(credit), 1, LIMIT_CREDIT, .doc = "batches under way per agent" },
	{ "notify.group_wait", CONF_DURATION, AT(group_wait_ms), 0, 60000,
	  .doc = "collects what belongs into one mail" },
	{ "notify.max_attempts", CONF_U64, AT(max_attempts), 1, 10000, .doc = "then: dead letter; 240 are about a week" },
	{ "notify.webhooks", CONF_LIST, AT(webhooks), .sub = webhook_keys, .sub_count = ARRAY_LEN(webhook_keys),
	  .item_size = sizeof(struct notify_webhook), .doc = "name url preset secret_file ca_file min_severity" },
	{ "notify.mails", CONF_LIST, AT(mails), .sub = mail_keys, .sub_count = ARRAY_LEN(mail_keys),
	  .item_size = sizeof(struct notify_mail),
	  .doc = "name url from to starttls user password_file ca_file min_severity" },
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
		.group_wait_ms = 300,
		.max_attempts = 240,
		.credit = 4,
		.log_level = LOG_INFO,
	};
}

int collector_config_read(const char *path, struct collector_config *c, struct err *err)
{
	return conf_read(path, keys, ARRAY_LEN(keys), c, err);
}

void collector_config_print(void)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		printf("%-22s %s\n", keys[i].name, keys[i].doc);
}

void collector_config_fini(struct collector_config *c)
{
	conf_fini(keys, ARRAY_LEN(keys), c);
}
