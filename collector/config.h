/* config.h - collector.yaml: the keys, their defaults and bounds. */
#pragma once
#include "collector/alert/escalate.h"
#include "collector/notify/notify.h"
#include "collector/store/store_quiet.h"
#include "collector/store/store_history.h"
#include "collector/vuln/vuln.h"
#include "common/conf.h"

struct collector_inhibition {
	char *name, *source, *target;
	struct conf_list equal;
};

struct collector_config {
	char *name; /* what agents and people call this machine: in tokens, links, certificates */
	char *data_dir;
	char *listen, *enrol_listen, *http;
	char *ca_file, *ca_key_file, *cert_file, *key_file;
	char *inbox_url; /* "" = https://NAME:PORT */
	struct conf_list agent_urls, enrol_urls; /* empty = tls+tcp://NAME:PORT of the listeners */
	uint64_t class_days[STORE_CLASSES], history_max_bytes; /* 0: as history_days; no bound */
	uint64_t history_days, reserve_bytes, cert_days, fold_ms, group_wait_ms, max_attempts, credit;
	struct conf_list webhooks; /* struct notify_webhook */
	struct conf_list mails;	   /* struct notify_mail */
	uint64_t alerts_max;
	struct conf_list inhibitions; /* struct collector_inhibition */
	struct conf_list escalations; /* struct alert_escalation */
	struct conf_list syslogs;  /* struct notify_syslog */
	struct conf_list routes;   /* struct notify_route */
	struct conf_list feeds;	   /* struct vuln_feed */
	char *feed_public_key;
	uint64_t feed_every_ms, feed_stale_ms;
	int image_severity; /* enum vuln_severity */
	uint64_t image_alerts_per_hour, image_gone_ms, image_quiet_ms, image_keep_ms;
	uint64_t silent_ms, clock_off_ms, spool_ms, delivery_ms, behind_ms;
	char *correlations_dir, *sigma_dir; /* "" none */
	bool has_shipped_rules;
	struct conf_list muted_rules; /* char * */
	uint64_t correlate_bytes, lateness_ms, unscanned_ms;
	int log_level;
	char *path; /* of the file; NULL: none was read */
};

void collector_config_init(struct collector_config *c);
int collector_config_read(const char *path, struct collector_config *c, struct err *err) WARN_UNUSED;
/* What the store needs of it: how many. rules borrow c, and hold STORE_INHIBITIONS_MAX. */
int collector_inhibitions(const struct collector_config *c, struct store_inhibition *rules, struct err *err) WARN_UNUSED;
/* What the store needs of it: paths are borrowed. */
void collector_store_config(const struct collector_config *c, struct store_config *ret);
/* What the vuln room needs of it; db_path must live as long as *ret. */
int collector_vuln_config(const struct collector_config *c, char db_path[4096], struct vuln_config *ret,
			  struct err *err) WARN_UNUSED;
/* Every key with what it means, one a line. */
void collector_config_print(void);
void collector_config_fini(struct collector_config *c);
