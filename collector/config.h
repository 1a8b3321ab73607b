/* config.h - collector.yaml: the keys, their defaults and bounds. */
#pragma once
#include "collector/notify/notify.h"
#include "common/conf.h"

struct collector_config {
	char *name; /* what agents and people call this machine: in tokens, links, certificates */
	char *data_dir;
	char *listen, *enrol_listen, *http;
	char *ca_file, *ca_key_file, *cert_file, *key_file;
	char *inbox_url; /* "" = https://NAME:PORT */
	struct conf_list agent_urls, enrol_urls; /* empty = tls+tcp://NAME:PORT of the listeners */
	uint64_t history_days, reserve_bytes, cert_days, fold_ms, group_wait_ms, max_attempts, credit;
	struct conf_list webhooks; /* struct notify_webhook */
	struct conf_list mails;	   /* struct notify_mail */
	int log_level;
};

void collector_config_init(struct collector_config *c);
int collector_config_read(const char *path, struct collector_config *c, struct err *err) WARN_UNUSED;
/* Every key with what it means, one a line. */
void collector_config_print(void);
void collector_config_fini(struct collector_config *c);
