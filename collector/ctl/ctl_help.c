/* ctl_help.c - the commands, as a table, and their help: examples first. */
#include "collector/ctl/ctl.h"

#include "common/text.h"

#define COMMON_OPTIONS                                                                             \
	"\nOptions\n"                                                                              \
	"  -o, --output FORMAT  table, wide, json, ndjson, yaml, csv; table on a terminal, else ndjson\n" \
	"  --server URL         https://HOST:8443      (PICKET_SERVER)\n"                          \
	"  --token-file FILE    the API token          (PICKET_TOKEN_FILE)\n"                      \
	"  --ca FILE            the collector's CA     (PICKET_CA)\n"                              \
	"                       or server, token_file, ca in ~/.config/picket/config.yaml\n"     \
	"  --timeout T          for one request (30s)\n"
#define LIST_OPTIONS                                                                               \
	"  --limit N            rows at most (100)\n"                                              \
	"  -w, --watch          go on: new and changed rows, each second\n"
#define TIME_OPTIONS                                                                               \
	"  --since, --until T   2026-11-23T20:00:00Z, or an age: 15m, 24h, 7d\n"                   \
	"  --order asc|desc     oldest or newest first\n"
#define FILTER_HELP                                                                                \
	"\nFilter\n"                                                                               \
	"  key=value key!=value key~part key>=value -key:value \"free text\"; * and ? in values;\n" \
	"  all must hold. Times: since=24h.\n"

#define MANY_HELP                                                                                    \
	"With a filter instead of numbers: says how many that is, and does it with --yes.\n"
#define MANY_OPTIONS                                                                                 \
	"  --comment TEXT       kept in its trail and the audit log\n"                               \
	"  --yes                do it to all that match a filter\n"                                  \
	"  --limit N            alerts at most (1000)\n"
#define SILENCE_KEYS                                                                                 \
	"\nKeys\n"                                                                                  \
	"  severity host container container.id image rule source priority title agent text\n"       \
	"  process exe cmdline parent user path address tag\n" FILTER_HELP
#define HISTORY(about)                                                                             \
	"\n" about "\n"                                                                          \
	"\nWords are key=value; `picketctl history` lists what each question needs and takes.\n" \
	"since=, until= as with --since, --until. The search goes on until its end, or with\n"   \
	"within=20s stops then and says how far it got and which cursor= goes on there. What was\n" \
	"lost in that time is told on standard error.\n" COMMON_OPTIONS                             \
	"  --limit N            rows at most (100)\n"

#define SUMMARY_COLUMN 36

static const struct ctl_command commands[] = {
	{ "alert", "list", ctl_alert_list,
	  "picketctl alert list\n"
	  "picketctl alert list 'severity>=high' 'host=web-*' -status:resolved\n"
	  "picketctl alert list --since 1h -o csv > alerts.csv\n"
	  "picketctl alert list --watch\n"
	  "picketctl alert list silenced:yes\n"
	  "\nThe inbox, newest first.\n"
	  "\nKeys\n"
	  "  id severity status assignee source rule title count host agent container container.id image\n"
	  "  priority text time since until\n"
	  "  status       new acknowledged snoozed resolved\n"
	  "  resolution   true_positive false_positive benign duplicate_of\n"
	  "  silenced     yes or no\n"
	  "  process exe cmdline parent user path address tag   of what its newest finding was about\n" FILTER_HELP COMMON_OPTIONS LIST_OPTIONS TIME_OPTIONS },
	{ "alert", "show", ctl_alert_show,
	  "picketctl alert show 42\npicketctl alert show 42 -o json\n"
	  "\nOne alert: what happened, why it matters, process, container, evidence.\n" COMMON_OPTIONS },
	{ "alert", "ack", ctl_alert_change,
	  "picketctl alert ack 42 43\npicketctl alert ack 42 --comment 'looking into it'\n"
	  "picketctl alert ack 'rule=\"Shell in container\"' 'host=ci-*' --yes\n"
	  "\nSomebody is on it.\n" MANY_HELP COMMON_OPTIONS MANY_OPTIONS },
	{ "alert", "resolve", ctl_alert_change,
	  "picketctl alert resolve 42 --reason benign --comment 'planned upgrade'\n"
	  "picketctl alert resolve 43 --reason duplicate_of:42\n"
	  "\nDone with. It opens again by itself when it happens again.\n" MANY_HELP COMMON_OPTIONS
	  "  --reason WORD        true_positive, false_positive, benign, duplicate_of:ID\n" MANY_OPTIONS },
	{ "alert", "snooze", ctl_alert_change,
	  "picketctl alert snooze 42 --until 4h\npicketctl alert snooze 42 --until 2027-01-31T08:00:00Z\n"
	  "\nNot now: it is new again, and told again, when the time has come, or when it gets worse. What comes\n"
	  "meanwhile is counted in silence.\n" MANY_HELP COMMON_OPTIONS
	  "  --until T            needed; at most 366 days\n" MANY_OPTIONS },
	{ "alert", "reopen", ctl_alert_change,
	  "picketctl alert reopen 42\n\nNew again: it was resolved, acknowledged or snoozed too soon.\n" MANY_HELP
		  COMMON_OPTIONS MANY_OPTIONS },
	{ "alert", "assign", ctl_alert_change,
	  "picketctl alert assign 42 alice\npicketctl alert assign 42 ''\n"
	  "\nWho looks after it; '' for nobody.\n" MANY_HELP COMMON_OPTIONS MANY_OPTIONS },
	{ "alert", "comment", ctl_alert_change,
	  "picketctl alert comment 42 'seen this on staging too'\n"
	  "\nA remark, kept in its trail and the audit log.\n" MANY_HELP COMMON_OPTIONS
	  "  --yes                do it to all that match\n  --limit N            alerts at most (1000)\n" },
	{ "alert", "except", ctl_alert_except,
	  "picketctl alert except 42\n"
	  "picketctl alert except 42 --field image,exe --reason 'our backup does that' --until 90d --yes\n"
	  "\nNo more alerts of this kind: proposes an exception from the alert's own fields, says what it would have\n"
	  "hidden in the last 30 days, and what the agents' rules would say for it. With --yes it is made: findings that\n"
	  "match stay in the history, are counted, and become no alert.\n" COMMON_OPTIONS
	  "  --field NAMES        image container host exe process parent path user cmdline address, with commas\n"
	  "  --reason TEXT        why; needed with --yes\n"
	  "  --until T            90d, 2027-01-31; without: for ever\n"
	  "  --yes                make it\n"
	  "  --force              of what the collector says itself, such as loss\n" },
	{ "alert", "noise", ctl_alert_noise,
	  "picketctl alert noise\npicketctl alert noise severity=low --since 7d -o csv\n"
	  "\nWhich rules fill the inbox: alerts, findings, what people said of them, and what to do.\n" FILTER_HELP
		  COMMON_OPTIONS "  --since, --until T   default 30d\n" },
	{ "exception", "list", ctl_exception_list,
	  "picketctl exception list\npicketctl exception list --ended\n"
	  "\nWhich findings become no alert, by whom, why and until when; how many that were.\n" COMMON_OPTIONS
	  "  --limit N            rows at most (100)\n  --ended              those that ended, too\n" },
	{ "exception", "end", ctl_exception_end,
	  "picketctl exception end 3\n\nFindings that match are alerts again.\n" COMMON_OPTIONS },
	{ "silence", "list", ctl_silence_list,
	  "picketctl silence list\npicketctl silence list --ended\n"
	  "\nWhat is not told, by whom, why and until when; how many alerts that held back.\n" COMMON_OPTIONS
	  "  --limit N            rows at most (100)\n  --ended              those that ended, too\n" },
	{ "silence", "create", ctl_silence_create,
	  "picketctl silence create 'rule=\"Shell in container\"' 'host=ci-*' --reason 'CI debugging' --until 4h\n"
	  "picketctl silence create host=db-1 --reason upgrade --from 2027-01-31T20:00:00Z --until 2027-02-01T02:00:00Z\n"
	  "\nAlerts that match are made and counted, but nobody is told; alert list silenced:yes has them. When it ends,\n"
	  "those still new are told, once for each rule. Says what it would have hidden, where that was high or critical.\n"
		  SILENCE_KEYS COMMON_OPTIONS
	  "  --reason TEXT        why; needed\n"
	  "  --until T            4h, 2027-01-31; needed; at most 366 days\n"
	  "  --from T             default now\n" },
	{ "silence", "preview", ctl_silence_preview,
	  "picketctl silence preview 'rule=\"Shell in container\"' 'host=ci-*'\n"
	  "\nWhat a silence would have hidden in the last 30 days: how many, how bad, of which rules.\n" SILENCE_KEYS
		  COMMON_OPTIONS },
	{ "silence", "expire", ctl_silence_expire,
	  "picketctl silence expire 3\n\nEnds it now; what it held back and is still new is told.\n" COMMON_OPTIONS },
	{ "inhibition", "list", ctl_inhibition_list,
	  "picketctl inhibition list\npicketctl inhibition list -o wide\n"
	  "\nOpen alerts that are not told while another is open, and which: alert.inhibit in the configuration says what\n"
	  "inhibits what.\n" COMMON_OPTIONS
	  "  --limit N            rows at most (100)\n" },
	{ "escalation", "list", ctl_escalation_list,
	  "picketctl escalation list\n"
	  "\nAlerts that nobody acknowledged, when each is told to further routes next, and how often it was\n"
	  "(alert.escalations); the next one first.\n" COMMON_OPTIONS
	  "  --limit N            rows at most (100)\n" },
	{ "event", "search", ctl_event_search,
	  "picketctl event search container=web-1 --since 1h\n"
	  "picketctl event search type=exec 'exe=/tmp/*' 'host=web-*' -o ndjson\n"
	  "picketctl event search path=/etc/shadow\n"
	  "picketctl event search type=connect address=203.0.113.0/24 port=443\n"
	  "\nThe history: programs run and ended, files, connections, other system calls,\n"
	  "responses, containers, findings, gaps.\n"
	  "\nKeys\n"
	  "  host agent container container.id image user process exe cmdline pid ppid parent\n"
	  "  type     exec exit fork file network call action finding gap container, or a call: openat;\n"
	  "           container.start container.stop container.update admission traffic audit\n"
	  "  call     openat, of findings too\n"
	  "  path     /etc/shadow; shadow: any file of that name; /etc/: what lies in it; path~part\n"
	  "  address  of either end, or a network: 10.0.0.0/8\n"
	  "  port     of either end\n"
	  "  rule text time since until\n" FILTER_HELP COMMON_OPTIONS
	  LIST_OPTIONS TIME_OPTIONS },
	{ "event", "export", ctl_event_export,
	  "picketctl event export --since 7d > events.ndjson\n"
	  "picketctl event export --format csv type=exec container=web-1 > execs.csv\n"
	  "\nAll events that match, page after page. CSV begins nothing that a spreadsheet takes for\n"
	  "a formula. Keys as of event search.\n" FILTER_HELP COMMON_OPTIONS
	  "  --format FORMAT      ndjson (default) or csv\n"
	  "  --limit N            rows at most (all)\n" TIME_OPTIONS },
	{ "history", "runs", ctl_history_ask,
	  "picketctl history runs web-1 since=24h until=1h\npicketctl history runs container=web-1 user=root\n"
	  HISTORY("Who ran what in a container: needs container=; takes host= user= process=.") },
	{ "history", "process", ctl_history_ask,
	  "picketctl history process 4711 host=node-1 until=2026-11-23T20:00:00Z\n"
	  HISTORY("Everything about the newest process of that number before until, its descendants,\n"
		  "and how its ancestors came and went: needs host= pid=.") },
	{ "history", "binary", ctl_history_ask,
	  "picketctl history binary /usr/bin/nc since=30d\npicketctl history binary name=nc\n"
	  "picketctl history binary hash=SHA256 since=30d\n"
	  HISTORY("Which containers ever ran a program: needs path= (or exe=, the same), name= or hash=;\n"
		  "takes host= container=. A word alone is a path, a hash or a name.\n"
		  "Two files of one path are told apart by when they were changed (-o wide).") },
	{ "history", "address", ctl_history_ask,
	  "picketctl history address 203.0.113.7 port=443 since=30d\n"
	  HISTORY("Which hosts and containers spoke with an address, or a network (10.0.0.0/8):\n"
		  "needs address=; takes port= host=.") },
	{ "history", "vulnerability", ctl_history_ask,
	  "picketctl history vulnerability CVE-2024-3094 day=2026-11-23\n"
	  HISTORY("Which images had a vulnerability when they ran: needs vuln=; takes day=, or since and\n"
		  "until; now, without.") },
	{ "history", "changes", ctl_history_ask,
	  "picketctl history changes web-1 since=30d\npicketctl history changes web-1 since=30d -o csv\n"
	  HISTORY("What changed in how a container was made, oldest first, a row for each field with its\n"
		  "old and new value: needs container=; takes host=. A container made anew under its name is\n"
		  "compared with the one before. (not told): the event doesn't say how it was made.") },
	{ "history", "silence", ctl_history_ask,
	  "picketctl history silence node-1 since=30d\n"
	  HISTORY("When agents were not heard of for a minute or more: takes host=.") },
	{ "history", NULL, ctl_history_list,
	  "picketctl history\npicketctl history runs container=web-1 since=24h\n"
	  "\nThe questions that the history answers by name.\n" COMMON_OPTIONS },
	{ "host", "list", ctl_host_list,
	  "picketctl host list\npicketctl host list state=offline\n"
	  "\nEach host's agent: is it there, what it produced, what was lost.\n" FILTER_HELP COMMON_OPTIONS
	  LIST_OPTIONS },
	{ "host", "show", ctl_host_show,
	  "picketctl host show web-1\n\nOne host, by name or agent id.\n" COMMON_OPTIONS },
	{ "image", "list", ctl_image_list,
	  "picketctl image list running:yes\n"
	  "picketctl image list 'severity>=high' fixable:yes host=web-1\n"
	  "picketctl image list package=log4j-core\n"
	  "\nEvery image the hosts know: what is in it, where it runs, what is wrong with it.\n"
	  "\nKeys\n"
	  "  image    a name, the reference it runs by, 12 digits of its id, a digest; image~nginx\n"
	  "  host container os arch package text\n"
	  "  severity the highest it has\n"
	  "  running exposed kev fixable newer known   yes or no; newer: a registry has a newer one\n"
	  "  risk     0 to 100: risk>=70\n" FILTER_HELP
		  COMMON_OPTIONS LIST_OPTIONS "  --sort risk          the riskiest first\n" },
	{ "image", "show", ctl_image_show,
	  "picketctl image show nginx:1.25\npicketctl image show 3f8a00a1b2c3 --limit 500\n"
	  "picketctl image show nginx:1.25 -o json\n"
	  "\nOne image, by name, id or digest: facts, where it runs, what its registry says, its\n"
	  "vulnerabilities, urgent first: known to be exploited (KEV), likely to be (EPSS), executed or\n"
	  "loaded in a container, severity. JSON and YAML hold its packages too.\n" COMMON_OPTIONS
	  "  --limit N            vulnerabilities at most (100)\n" },
	{ "vuln", "list", ctl_vuln_list,
	  "picketctl vuln list running:yes\n"
	  "picketctl vuln list kev:yes\n"
	  "picketctl vuln list 'severity>=high' image~nginx fixable:yes used:yes\n"
	  "\nVulnerabilities of the images here, urgent first: known to be exploited, likely to be (EPSS of\n"
	  "0.5, 0.1, 0.01), executed or loaded, running, exposed, severity. Accepted ones: accepted:yes.\n"
	  "\nKeys\n"
	  "  vuln     CVE-2024-*, or an alias\n"
	  "  severity info low medium high critical; info: none or unknown\n"
	  "  epss     0 to 1; score: CVSS, 0 to 10\n"
	  "  package ecosystem image host container title text since until\n"
	  "  kev fixable running exposed used accepted   yes or no; used: executed, loaded\n"
	  "  What is asked of one place (package, image, running, used, fixable, ...) must hold of the same one.\n"
		  FILTER_HELP COMMON_OPTIONS LIST_OPTIONS "  --since, --until T   first seen then\n" },
	{ "vuln", "show", ctl_vuln_show,
	  "picketctl vuln show CVE-2024-3094\npicketctl vuln show GHSA-jfh8-c2jp-5v3q -o json\n"
	  "\nOne vulnerability, by id or alias: what it is, and every package of every image that has it.\n"
		  COMMON_OPTIONS },
	{ "vuln", "accept", ctl_vuln_accept,
	  "picketctl vuln accept CVE-2024-3094 --image nginx --reason 'sshd is not in it' --until 30d\n"
	  "picketctl vuln accept CVE-2023-4911 --reason 'no setuid programs' --until 2027-01-31\n"
	  "\nLives with it, for a while: its alerts close, lists leave it out. It comes back by itself.\n"
		  COMMON_OPTIONS
	  "  --image NAME         only in images of this name (with or without its tag; * and ?), or id\n"
	  "  --package NAME       only in this package (* and ?)\n"
	  "  --reason TEXT        why; needed\n"
	  "  --until T            90d (the default), 2027-01-31; at most 366 days\n" },
	{ "vuln", "accepted", ctl_vuln_accepted,
	  "picketctl vuln accepted\npicketctl vuln accepted --ended\n"
	  "\nWhat is accepted, by whom, why and until when.\n" COMMON_OPTIONS
	  "  --limit N            rows at most (100)\n"
	  "  --ended              those that ended, too\n" },
	{ "vuln", "unaccept", ctl_vuln_unaccept,
	  "picketctl vuln unaccept 7\n\nEnds an acceptance, by the number that `vuln accepted` says.\n" COMMON_OPTIONS },
	{ "finding", "list", ctl_finding_list,
	  "picketctl finding list 'severity>=high'\n"
	  "picketctl finding list container=web-1 status:open\n"
	  "picketctl finding list check=PKT-C-005 status:mended --since 7d\n"
	  "\nWhat is wrong with how hosts, engines, images and containers are set up; the worst first.\n"
	  "Without a status: what is open.\n"
	  "\nKeys\n"
	  "  severity info low medium high critical\n"
	  "  status   open (new, still, reopened), mended, waived\n"
	  "  check    PKT-C-005; cis~5.4, mitre=T1611, title~part\n"
	  "  container a name, or 12 digits of its id; subject: of an image, too\n"
	  "  kind     host daemon image container\n"
	  "  result   fail, warn (not for sure), error (could not be told)\n"
	  "  differs:yes   what was asked for and what is are not the same\n"
	  "  host image trigger evidence waiver id text since until\n" FILTER_HELP COMMON_OPTIONS LIST_OPTIONS
	  "  --since, --until T   first seen then\n" },
	{ "finding", "show", ctl_finding_show,
	  "picketctl finding show 12\npicketctl finding show 12 -o json\n"
	  "\nOne finding: what was seen, why it matters, how to mend it, its history.\n" COMMON_OPTIONS },
	{ "finding", "waive", ctl_finding_waive,
	  "picketctl finding waive 12 --reason 'the backup needs it' --until 90d\n"
	  "picketctl finding waive PKT-C-005 --subject 'ci-*' --host 'build-*' --reason 'builds in containers'\n"
	  "\nLives with it, for a while: its alerts close, lists leave it out. It comes back by itself, and is told.\n"
		  COMMON_OPTIONS
	  "  --subject NAME       a container's or image's name (* and ?); of a finding by its number: its own\n"
	  "  --host NAME          likewise\n"
	  "  --reason TEXT        why; needed\n"
	  "  --until T            90d (the default), 2027-01-31; at most 366 days\n" },
	{ "finding", "waivers", ctl_finding_waivers,
	  "picketctl finding waivers\npicketctl finding waivers --ended\n"
	  "\nWhat is waived, by whom, why and until when; how many findings that covers, and which never did.\n"
		  COMMON_OPTIONS
	  "  --limit N            rows at most (100)\n"
	  "  --ended              those that ended, too\n" },
	{ "finding", "unwaive", ctl_finding_unwaive,
	  "picketctl finding unwaive 7\n\nEnds a waiver, by the number that `finding waivers` says.\n" COMMON_OPTIONS },
	{ "container", "list", ctl_container_list,
	  "picketctl container list\n"
	  "picketctl container list host=web-1 privileged:yes\n"
	  "picketctl container list mount=/var/run/docker.sock\n"
	  "\nWhat runs where, how it was made, and how much is wrong with it.\n"
	  "\nKeys\n"
	  "  host container container.id image user network label text\n"
	  "  port     published or inside; mount: its source or target; cap: added capabilities\n"
	  "  running privileged   yes or no; without running: what runs\n"
	  "  risk     0 to 100: risk>=70\n" FILTER_HELP COMMON_OPTIONS LIST_OPTIONS
	  "  --sort risk          the riskiest first\n" },
	{ "container", "show", ctl_container_show,
	  "picketctl container show web-1\npicketctl container show web-1 --host host-07 -o json\n"
	  "\nOne container, by name or id: its configuration, and its open findings.\n" COMMON_OPTIONS
	  "  --host NAME          where several hosts have one of that name\n" },
	{ "policy", "show", ctl_policy_show,
	  "picketctl policy show\npicketctl policy show 3\n"
	  "\nThe access-control policy in force, which hosts have it, and earlier versions.\n" COMMON_OPTIONS },
	{ "policy", "apply", ctl_policy_apply,
	  "picketctl policy diff policy.yaml\npicketctl policy apply policy.yaml --comment 'no more host networks'\n"
	  "\nPuts a policy in force: hosts that have no file of their own take it with their next heartbeat.\n"
	  "A file with a mistake is refused, with its place. For admins.\n" COMMON_OPTIONS
	  "  --comment TEXT       kept with it\n" },
	{ "policy", "diff", ctl_policy_diff,
	  "picketctl policy diff policy.yaml\npicketctl policy diff policy.yaml -o csv\n"
	  "\nWhich running containers the policy in the file would newly refuse, tell of or let through again,\n"
	  "by the collector's record of how each was made: links on the hosts are not followed here.\n" COMMON_OPTIONS },
	{ "rule", "list", ctl_rule_list,
	  "picketctl rule list\npicketctl rule list -o json\n"
	  "\nThe Sigma detection rules in force at the collector: what each looks at, whether it raises alerts\n"
	  "(else a correlation counts it), when it did last.\n" COMMON_OPTIONS },
	{ "rule", "lint", ctl_rule_lint,
	  "picketctl rule lint rules/linux/process_creation\npicketctl rule lint -o json my-rule.yml\n"
	  "\nReads Sigma files and folders, here, without a collector: errors with file, line and column, and notes:\n"
	  "fields and log sources that picket does not record, rules that can never match. Exit 3 with errors.\n"
	  COMMON_OPTIONS, true },
	{ "rule", "test", ctl_rule_test,
	  "picketctl rule test my-rule.yml timeline.ndjson\n"
	  "picketctl event search host=web-1 --since 1h -o ndjson > t.ndjson; picketctl rule test my-rule.yml t.ndjson\n"
	  "\nPlays events through rules, here, and says what fired. Lines of the file: events as `event search` gives\n"
	  "them; {\"now\":TIME}; {\"expect\":{\"rule\":NAME,\"fired\":N,\"group\":{…}}}. Exit 1 where an expectation\n"
	  "is not met or a rule fired that none expects.\n" COMMON_OPTIONS, true },
	{ "rule", "backtest", ctl_rule_backtest,
	  "picketctl rule backtest my-rule.yml --since 30d\n"
	  "\nHow often rules would have matched over the collector's history, when and where. Raises nothing.\n"
	  COMMON_OPTIONS "  --since, --until T   2026-11-23T20:00:00Z, or an age: 15m, 24h, 30d (24h)\n" },
	{ "correlation", "list", ctl_rule_list,
	  "picketctl correlation list\npicketctl correlation list -o wide\n"
	  "\nThe correlations in force: what was counted, how many groups, what was given up, when each fired last.\n"
	  COMMON_OPTIONS },
	{ "correlation", "lint", ctl_rule_lint,
	  "picketctl correlation lint /etc/picket/correlations.d\n"
	  "\nReads Sigma files and folders, here, without a collector: errors with file, line and column, and notes.\n"
	  "They may name picket's own rules. Exit 3 with errors.\n" COMMON_OPTIONS, true },
	{ "correlation", "test", ctl_rule_test,
	  "picketctl correlation test brute-force.yaml timeline.ndjson\n"
	  "\nPlays a file of events through correlations, here; see picketctl rule test --help.\n" COMMON_OPTIONS, true },
	{ "correlation", "backtest", ctl_rule_backtest,
	  "picketctl correlation backtest brute-force.yaml --since 30d\n"
	  "\nHow often correlations would have fired over the collector's history, when, for which groups.\n"
	  COMMON_OPTIONS "  --since, --until T   2026-11-23T20:00:00Z, or an age: 15m, 24h, 30d (24h)\n" },
	{ "correlation", "explain", ctl_correlation_explain,
	  "picketctl correlation explain picket_ssh_many --group host=web-1\n"
	  "picketctl correlation explain picket_ssh_many\n"
	  "\nWhat is counted for a group, what is missing, why it fired or did not. Without --group: the groups there are.\n"
	  COMMON_OPTIONS "  --group NAME=VALUE   of each field of its group-by\n"
	  "  --at TIME            the window that ends then; without it the newest\n" },
	{ "notify", "list", ctl_notify_list,
	  "picketctl notify list\npicketctl notify list -o wide\n"
	  "\nEach route and receiver: does it work, what waits, what was given up, the last success and error.\n" COMMON_OPTIONS },
	{ "notify", "waiting", ctl_notify_waiting,
	  "picketctl notify waiting\n\nMessages that are not delivered yet, oldest first.\n" COMMON_OPTIONS LIST_OPTIONS },
	{ "notify", "dead", ctl_notify_dead,
	  "picketctl notify dead\npicketctl notify resend 42\n"
	  "\nMessages that were given up: why, and which alerts they tell of.\n" COMMON_OPTIONS LIST_OPTIONS },
	{ "notify", "resend", ctl_notify_resend,
	  "picketctl notify resend 42 43\npicketctl notify resend --all\n"
	  "\nDead letters are sent again, under the keys they had. For analysts and admins.\n" COMMON_OPTIONS
	  "  --all                every dead letter\n" },
	{ "notify", "drop", ctl_notify_drop,
	  "picketctl notify drop 42\n\nDead letters go for good. For admins.\n" COMMON_OPTIONS },
	{ "notify", "test", ctl_notify_test,
	  "picketctl notify test on-call\n"
	  "\nA message that says it is a test, to a receiver or to all of a route, now; prints what the other side\n"
	  "answered. Exit code 1 when one did not take it. For analysts and admins.\n" COMMON_OPTIONS },
	{ "audit-log", NULL, ctl_audit_list,
	  "picketctl audit-log\npicketctl audit-log list who=alice --since 7d\n"
	  "picketctl audit-log list 'what=action.*'\n"
	  "\nWho changed what: people (comments, acknowledgements, tokens) and agents (responses,\n"
	  "dry runs too). For analysts and admins.\n" FILTER_HELP COMMON_OPTIONS LIST_OPTIONS TIME_OPTIONS },
	{ "status", NULL, ctl_status,
	  "picketctl status\npicketctl status -o json\n"
	  "\nIs it well: what is wrong now first, then agents, events, loss, alerts, notifications, space.\n"
	  "-o yaml and -o json have every figure.\n" COMMON_OPTIONS },
	{ "metrics", NULL, ctl_metrics,
	  "picketctl metrics\npicketctl metrics | grep picket_health\n"
	  "\nThe collector's metrics as Prometheus reads them at https://COLLECTOR:8443/metrics with the\n"
	  "same token; collector/api/METRICS.md says what each means.\n" COMMON_OPTIONS },
};

static int wrong_word(const char *kind, const char *word, const char *const *known, size_t count,
		      struct err *err)
{
	const char *near = text_nearest(slice_of(word), known, count);

	/* A wrong noun is often a plural. */
	for (size_t i = 0; i < count && !near; i++) {
		if (known[i][0] && slice_starts(slice_of(word), slice_of(known[i])))
			near = known[i];
	}
	return err_set(err, ERR_USAGE, "unknown %s '%.40s'%s%s; see picketctl --help", kind, word,
		       near ? ", did you mean " : "", near ? near : "");
}

static int unknown_noun(const char *noun, struct err *err)
{
	const char *nouns[ARRAY_LEN(commands)];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!count || strcmp(commands[i].noun, nouns[count - 1]) != 0)
			nouns[count++] = commands[i].noun;
	return wrong_word("command", noun, nouns, count, err);
}

static int unknown_verb(const struct ctl *c, struct err *err)
{
	const char *verbs[ARRAY_LEN(commands)];
	char all[256] = "";
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].noun, c->noun) != 0)
			continue;
		if (!commands[i].verb)
			continue;
		verbs[count++] = commands[i].verb;
		snprintf(all + strlen(all), sizeof(all) - strlen(all), " %s", commands[i].verb);
	}
	if (!c->verb)
		return err_set(err, ERR_USAGE, "%s: which of%s?", c->noun, all);
	return wrong_word("verb", c->verb, verbs, count, err);
}

int ctl_find(const struct ctl *c, const struct ctl_command **ret, struct err *err)
{
	const struct ctl_command *alone = NULL;
	bool is_noun = false, has_verbs = false;

	*ret = NULL;
	if (!c->noun && c->wants_help)
		return 0;
	if (!c->noun)
		return err_set(err, ERR_USAGE, "which command? see picketctl --help");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct ctl_command *cmd = &commands[i];

		if (strcmp(cmd->noun, c->noun) != 0)
			continue;
		is_noun = true;
		if (c->verb && cmd->verb && !strcmp(cmd->verb, c->verb)) {
			*ret = cmd;
			return 0;
		}
		alone = cmd->verb ? alone : cmd;
		has_verbs |= cmd->verb != NULL;
	}
	if (alone && (!c->verb || !has_verbs)) {
		*ret = alone;
		return 0;
	}
	if (is_noun && !c->verb && c->wants_help)
		return 0;
	return is_noun ? unknown_verb(c, err) : unknown_noun(c->noun, err);
}

/* The first sentence behind the examples. */
static void print_summary(FILE *out, const char *help)
{
	const char *p = strstr(help, "\n\n");

	if (!p)
		return;
	for (p += 2; *p && !(strchr(".:;", *p) && (p[1] == ' ' || p[1] == '\n')); p++)
		if (*p != '\n')
			fputc(*p, out);
		else if (p[1] == '\n')
			break;
		else
			fputc(' ', out);
}

void ctl_help(const struct ctl *c, const struct ctl_command *cmd)
{
	if (cmd) {
		fputs(cmd->help, c->out);
		return;
	}
	if (!c->noun)
		fputs("picketctl alert list\npicketctl alert show 42\n"
		      "picketctl event search container=web-1 --since 1h\npicketctl vuln list running:yes\n"
		      "picketctl status\n\n"
		      "Commands (each takes --help)\n", c->out);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (c->noun && strcmp(commands[i].noun, c->noun) != 0)
			continue;
		const char *verb = commands[i].verb ? commands[i].verb : "";
		int width = fprintf(c->out, "  picketctl %s %s", commands[i].noun, verb);

		fprintf(c->out, "%*s", width < SUMMARY_COLUMN ? SUMMARY_COLUMN - width : 2, "");
		print_summary(c->out, commands[i].help);
		fputc('\n', c->out);
	}
	fputs(COMMON_OPTIONS, c->out);
	fputs("\nExit codes\n  0 fine, 1 failure, 2 usage, 3 wrong file, 4 not allowed, 5 not found,\n"
	      "  6 collector not reachable, 7 timed out\n", c->out);
}
