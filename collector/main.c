/* main.c - picket-collector: init, run, token, agent, feed, verify, heads, backup, config. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "collector/collector.h"
#include "collector/evidence.h"
#include "collector/fleet/fleet.h"
#include "common/file.h"
#include "common/log.h"
#include "common/show.h"
#include "common/text.h"

static const char default_config[] = "/etc/picket/collector.yaml";

static const char usage_text[] =
	"picket-collector - keeps what agents send, raises alerts and tells people\n"
	"\n"
	"  picket-collector init --dir DIR [--name HOST] [--listen URL] [--enrol-listen URL] [--http ADDR]\n"
	"                                          CA, certificate, configuration, admin token\n"
	"  picket-collector run                    the daemon, in the foreground\n"
	"  picket-collector token create [--ttl 1h] [--uses N]\n"
	"                                          a token for `picket-agent enroll`\n"
	"  picket-collector agent list             who belongs to the fleet\n"
	"  picket-collector agent revoke HOST      cuts its session within 5 s, for good\n"
	"  picket-collector feed update            new vulnerability data from the configured sources\n"
	"  picket-collector feed import FORMAT FILE\n"
	"                                          FORMAT: osv debian alpine kev epss auto; db: a whole database\n"
	"  picket-collector feed list              what is known of them\n"
	"  picket-collector verify [--heads FILE]  reads everything stored and checks it, and its hash chains\n"
	"  picket-collector heads                  where the chains stand: keep it elsewhere, for verify --heads\n"
	"  picket-collector backup DIR             a consistent copy, while running\n"
	"  picket-collector config                 every configuration key\n"
	"  picket-collector version\n"
	"\n"
	"  --config FILE    default /etc/picket/collector.yaml\n";

static int fail(int r, const struct err *err)
{
	fprintf(stderr, "picket-collector: %s\n", err->msg);
	return err_exit_code(r);
}

/* What every command takes, and what some do. */
struct args {
	const char *config, *dir, *name, *listen, *enrol_listen, *http, *ttl, *uses, *heads;
	bool wants_help, wants_version;
	int rest_count;
	char **rest;
};

/* Options may stand anywhere; what is left are the words. */
static int parse(int argc, char **argv, struct args *a, struct err *err)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
						 { "dir", required_argument, NULL, 'd' },
						 { "name", required_argument, NULL, 'n' },
						 { "listen", required_argument, NULL, 'l' },
						 { "enrol-listen", required_argument, NULL, 'e' },
						 { "http", required_argument, NULL, 'w' },
						 { "ttl", required_argument, NULL, 't' },
						 { "uses", required_argument, NULL, 'u' },
						 { "heads", required_argument, NULL, 'k' },
						 { "help", no_argument, NULL, 'h' },
						 { "version", no_argument, NULL, 'v' },
						 { 0 } };

	*a = (struct args){ 0 };
	opterr = 0; /* in our own words */
	for (int c; (c = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
		const char **target = c == 'c'	 ? &a->config
				      : c == 'd' ? &a->dir
				      : c == 'n' ? &a->name
				      : c == 'l' ? &a->listen
				      : c == 'e' ? &a->enrol_listen
				      : c == 'w' ? &a->http
				      : c == 't' ? &a->ttl
				      : c == 'u' ? &a->uses
				      : c == 'k' ? &a->heads
						 : NULL;
		if (target)
			*target = optarg;
		else if (c == 'h')
			a->wants_help = true;
		else if (c == 'v')
			a->wants_version = true;
		else
			return err_set(err, ERR_USAGE, "%s '%.60s'; see picket-collector --help",
				       c == ':' ? "a value is missing behind" : "unknown option",
				       argv[optind - 1]);
	}
	a->rest = argv + optind;
	a->rest_count = argc - optind;
	return 0;
}

static int read_config(const struct args *a, struct collector_config *cfg, struct err *err)
{
	collector_config_init(cfg);
	return collector_config_read(a->config ? a->config : default_config, cfg, err);
}

static int open_store(const struct collector_config *cfg, struct store **ret, struct err *err)
{
	struct store_config sc;
	char path[4200];

	collector_store_config(cfg, &sc);
	/* A wrong folder must not look like an empty, sound store. Only init and run make one. */
	snprintf(path, sizeof(path), "%s/state.db", cfg->data_dir);
	if (access(path, F_OK) < 0)
		return err_set(err, errno, "no store in data_dir '%s'", cfg->data_dir);
	return store_open(&sc, clock_real(), ret, err);
}

/* ---- init ---- */

static int do_init(const struct args *a, struct collector_config *cfg, struct err *err)
{
	char pin[65], *dir;
	struct fleet_init how = { .host = a->name ? a->name : cfg->name,
				  .listen = a->listen ? a->listen : cfg->listen,
				  .enrol_listen = a->enrol_listen ? a->enrol_listen : cfg->enrol_listen,
				  .http = a->http ? a->http : cfg->http };

	if (!a->dir)
		return err_set(err, ERR_USAGE, "init needs --dir DIR; see picket-collector --help");
	if (strncmp(how.listen, "tls+tcp://", 10) != 0 || strncmp(how.enrol_listen, "tls+tcp://", 10) != 0)
		return err_set(err, ERR_USAGE, "--listen and --enrol-listen: tls+tcp://ADDRESS:PORT");
	int r = file_make_dirs(a->dir, 0755, err);
	if (r < 0)
		return r;
	dir = realpath(a->dir, NULL); /* the configuration holds whole paths */
	if (!dir)
		return err_set(err, errno, "'%s'", a->dir);
	how.dir = dir;
	r = fleet_init(&how, clock_real(), pin, err);
	if (r >= 0)
		printf("CA fingerprint (SHA-256): %s\n"
		       "configuration:            %s/collector.yaml\n"
		       "admin token:              %s/admin.token\n"
		       "next:\n"
		       "  picket-collector run --config %s/collector.yaml\n"
		       "  picket-collector token create --config %s/collector.yaml      # for each new host\n",
		       pin, dir, dir, dir, dir);
	free(dir);
	return r;
}

/* ---- run ---- */

static void on_stop(void *arg)
{
	LOG(INFO, "collector.stopping", KV_STR("why", "signal"));
	loop_stop(arg);
}

static int do_run(const struct args *a, struct collector_config *cfg, struct err *err)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	CLEANUP(collector_freep) struct collector *c = NULL;

	(void)a;
	log_open((enum log_level)cfg->log_level, STDERR_FILENO);
	int r = loop_new(&loop, err);
	if (r >= 0)
		r = loop_signal(loop, SIGTERM, on_stop, loop, err);
	if (r >= 0)
		r = loop_signal(loop, SIGINT, on_stop, loop, err);
	if (r >= 0)
		r = collector_new(loop, clock_real(), cfg, &c, err);
	if (r < 0)
		return r;
	LOG(INFO, "collector.running", KV_STR("version", PICKET_VERSION), KV_STR("agents", cfg->listen),
	    KV_STR("enrolment", cfg->enrol_listen), KV_STR("http", cfg->http));
	loop_run(loop);
	return 0;
}

/* ---- token, agent ---- */

static int create_token(const struct args *a, struct collector_config *cfg, struct err *err)
{
	CLEANUP(store_closep) struct store *s = NULL;
	CLEANUP(buf_finip) struct buf ca = { 0 }, text = { 0 };
	char urls_text[512];
	const char *urls[9];
	struct fleet_token how = { .enrol_urls = urls,
				   .server_name = cfg->name,
				   .ttl_ms = 3600 * 1000,
				   .uses = 1,
				   .by = "command line" };
	uint64_t uses = 1;

	if (a->ttl && (!text_duration_parse(slice_of(a->ttl), &how.ttl_ms) || how.ttl_ms < 1000 ||
		       how.ttl_ms > 30ull * 86400000))
		return err_set(err, ERR_USAGE, "--ttl '%s': 1s to 30d, like 1h", a->ttl);
	if (a->uses && (!slice_to_u64(slice_of(a->uses), &uses) || !uses || uses > 100000))
		return err_set(err, ERR_USAGE, "--uses '%s': 1 to 100000", a->uses);
	how.uses = (uint32_t)uses;
	collector_public_urls(cfg, &cfg->enrol_urls, cfg->enrol_listen, urls_text, urls);
	int r = file_read(cfg->ca_file, 65536, &ca, err);
	if (r >= 0)
		r = open_store(cfg, &s, err);
	if (r < 0)
		return r;
	how.ca_pem = buf_slice(&ca);
	r = fleet_token_new(s, clock_real(), &how, &text, err);
	if (r >= 0)
		printf("%.*s\n", SLICE_FMT(buf_slice(&text)));
	return r;
}

static int do_token(const struct args *a, struct collector_config *cfg, struct err *err)
{
	if (a->rest_count != 1 || strcmp(a->rest[0], "create") != 0)
		return err_set(err, ERR_USAGE, "usage: picket-collector token create [--ttl 1h] [--uses N]");
	return create_token(a, cfg, err);
}

static int print_agent(void *arg, const struct store_agent *ag)
{
	struct store *s = arg;
	char seen[TEXT_TIME_MAX] = "never";

	if (ag->last_seen_unix_ns)
		text_time(ag->last_seen_unix_ns / 1000000000 * 1000000000, seen, sizeof(seen));
	CLEANUP(buf_finip) struct buf host = { 0 };
	show_text(&host, slice_of(ag->host), 256);
	printf("%-36s %-8s %-24s %s\n", ag->id, store_agent_state_name(store_agent_state(s, ag)),
	       host.n ? host.p : "-", seen);
	return 0;
}

struct revoked {
	struct store *store;
	const char *what;
};

static int print_revoked(void *arg, const struct store_agent *ag)
{
	const struct revoked *r = arg;

	if (strcmp(ag->id, r->what) != 0 && strcmp(ag->host, r->what) != 0)
		return 0;
	return print_agent(r->store, ag);
}

static int do_agent(const struct args *a, struct collector_config *cfg, struct err *err)
{
	CLEANUP(store_closep) struct store *s = NULL;
	bool list = a->rest_count == 1 && !strcmp(a->rest[0], "list");
	bool revoke = a->rest_count == 2 && !strcmp(a->rest[0], "revoke");

	if (!list && !revoke)
		return err_set(err, ERR_USAGE, "usage: picket-collector agent list | agent revoke HOST");
	int r = open_store(cfg, &s, err);
	if (r < 0)
		return r;
	if (list)
		return store_agents_each(s, print_agent, s, err);
	r = store_begin(s, err);
	if (r >= 0)
		r = store_agent_revoke(s, a->rest[1], err);
	if (r >= 0)
		r = store_audit_log(s, "command line", "agent.revoke", a->rest[1], err);
	r = store_end(s, r, err);
	if (r < 0)
		return r;
	struct revoked what = { s, a->rest[1] };
	puts("revoked; an open session ends within 5 s:");
	return store_agents_each(s, print_revoked, &what, err);
}

/* ---- feeds ---- */

static void print_line(void *arg, const char *line)
{
	CLEANUP(buf_finip) struct buf shown = { 0 };

	(void)arg;
	show_text(&shown, slice_of(line), 1000);
	puts(shown.n ? shown.p : "");
	fflush(stdout); /* a download may take its time */
}

static int print_feed(void *arg, const struct store_feed *f)
{
	char succeeded[TEXT_TIME_MAX] = "never", changed[TEXT_TIME_MAX] = "never";
	CLEANUP(buf_finip) struct buf error = { 0 };

	(void)arg;
	if (f->succeeded_unix_ns)
		text_time(f->succeeded_unix_ns / 1000000000 * 1000000000, succeeded, sizeof(succeeded));
	if (f->changed_unix_ns)
		text_time(f->changed_unix_ns / 1000000000 * 1000000000, changed, sizeof(changed));
	show_text(&error, slice_of(f->error), 200);
	printf("%-20s fetched %-32s new %-32s %s%s\n", f->name, succeeded, changed, error.n ? "failed: " : "",
	       error.n ? error.p : "");
	return 0;
}

static int print_import(void *arg, const struct vulndb_feed *f)
{
	char at[TEXT_TIME_MAX];

	(void)arg;
	printf("%-20.*s %" PRIu64 " advisories, imported %s\n", SLICE_FMT(f->name), f->records,
	       text_time(f->imported_unix_s * 1000000000, at, sizeof(at)));
	return 0;
}

static int list_feeds(struct store *s, const struct vuln_config *cfg, struct err *err)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct vulndb_info info;
	int r = store_feeds_each(s, print_feed, NULL, err);

	if (r >= 0)
		r = vulndb_open(cfg->db_path, NULL, &db, err);
	if (r == -ENOENT) {
		puts("there is no vulnerability data yet: picket-collector feed update, or feed import");
		return 0;
	}
	return r < 0 ? r : vulndb_status(db, &info, print_import, NULL, err);
}

static int update_feeds(struct store *s, const struct vuln_config *cfg, struct err *err)
{
	unsigned failed;

	if (!cfg->feed_count)
		return err_set(err, ERR_SYNTAX, "the configuration names no feeds: feeds.sources");
	(void)!nice(10); /* ignored: beside a collector that works it should have the lesser share */
	int r = vuln_feeds_update(s, clock_real(), cfg, print_line, NULL, &failed, err);
	if (r >= 0 && failed)
		r = err_set(err, ERR_PEER, "%u of %zu feeds could not be updated", failed, cfg->feed_count);
	return r;
}

static int do_feed(const struct args *a, struct collector_config *cfg, struct err *err)
{
	CLEANUP(store_closep) struct store *s = NULL;
	const char *verb = a->rest_count ? a->rest[0] : "";
	struct vuln_config vc;
	char db_path[4096];

	int r = collector_vuln_config(cfg, db_path, &vc, err);
	if (r >= 0)
		r = open_store(cfg, &s, err);
	if (r < 0)
		return r;
	if (a->rest_count == 1 && !strcmp(verb, "update"))
		return update_feeds(s, &vc, err);
	if (a->rest_count == 1 && !strcmp(verb, "list"))
		return list_feeds(s, &vc, err);
	if (a->rest_count == 3 && !strcmp(verb, "import"))
		return vuln_feed_import(s, clock_real(), &vc, a->rest[1], a->rest[2], print_line, NULL, err);
	return err_set(err, ERR_USAGE, "usage: picket-collector feed update | feed list | feed import FORMAT FILE");
}

/* ---- verify, backup ---- */

static int do_verify(const struct args *a, struct collector_config *cfg, struct err *err)
{
	CLEANUP(store_closep) struct store *s = NULL;
	int r = open_store(cfg, &s, err);

	return r < 0 ? r : evidence_verify(s, a->heads, err);
}

static int do_heads(const struct args *a, struct collector_config *cfg, struct err *err)
{
	CLEANUP(store_closep) struct store *s = NULL;
	int r = open_store(cfg, &s, err);

	(void)a;
	return r < 0 ? r : evidence_print_heads(s, err);
}

static int do_backup(const struct args *a, struct collector_config *cfg, struct err *err)
{
	CLEANUP(store_closep) struct store *s = NULL;

	if (a->rest_count != 1)
		return err_set(err, ERR_USAGE, "usage: picket-collector backup DIR");
	int r = open_store(cfg, &s, err);
	if (r >= 0)
		r = store_backup(s, a->rest[0], err);
	if (r >= 0)
		fprintf(stderr, "backed up to %s\n", a->rest[0]);
	return r;
}

static int do_config(const struct args *a, struct collector_config *cfg, struct err *err)
{
	(void)a, (void)cfg, (void)err;
	collector_config_print();
	return 0;
}

/* ---- the table ---- */

static const struct command {
	const char *name;
	int (*run)(const struct args *a, struct collector_config *cfg, struct err *err);
	bool needs_no_config, takes_no_words;
} commands[] = {
	{ "init", do_init, true, true },
	{ "run", do_run, false, true },
	{ "token", do_token, false, false },
	{ "agent", do_agent, false, false },
	{ "feed", do_feed, false, false },
	{ "verify", do_verify, false, true },
	{ "heads", do_heads, false, true },
	{ "backup", do_backup, false, false },
	{ "config", do_config, true, true },
};

static int run_command(const struct command *cmd, const struct args *a, struct err *err)
{
	struct collector_config cfg;
	int r = 0;

	if (cmd->takes_no_words && a->rest_count)
		return err_set(err, ERR_USAGE, "%s takes no word '%.60s'; see picket-collector --help", cmd->name,
			       a->rest[0]);
	log_open(LOG_WARN, STDERR_FILENO);
	if (cmd->needs_no_config)
		collector_config_init(&cfg);
	else
		r = read_config(a, &cfg, err);
	if (r >= 0)
		r = cmd->run(a, &cfg, err);
	collector_config_fini(&cfg);
	return r;
}

static int unknown_command(const char *name, struct err *err)
{
	const char *names[ARRAY_LEN(commands)];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		names[i] = commands[i].name;
	const char *near = text_nearest(slice_of(name), names, ARRAY_LEN(names));
	return err_set(err, ERR_USAGE, "unknown command '%.60s'%s%s%s; see picket-collector --help", name,
		       near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int run(int argc, char **argv, struct err *err)
{
	struct args a;
	int r = parse(argc, argv, &a, err);

	if (r < 0)
		return r;
	const char *name = a.rest_count ? a.rest[0] : "";
	if (a.wants_help || !strcmp(name, "help")) {
		fputs(usage_text, stdout);
		return 0;
	}
	if (a.wants_version || !strcmp(name, "version")) {
		puts("picket-collector " PICKET_VERSION);
		return 0;
	}
	if (!a.rest_count)
		return err_set(err, ERR_USAGE, "which command? see picket-collector --help");
	a.rest++;
	a.rest_count--;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (!strcmp(name, commands[i].name))
			return run_command(&commands[i], &a, err);
	return unknown_command(name, err);
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	int r = run(argc, argv, &err);

	/* A token that nobody got to see is no success. */
	if (r >= 0 && fflush(stdout) != 0)
		r = err_set(&err, errno, "standard output");
	return r < 0 ? fail(r, &err) : 0;
}
