/* main.c - picket-agent: run, enroll, rules, replay, status. */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>

#include "agent/advise_cli.h"
#include "agent/agent.h"
#include "agent/audit_command.h"
#include "agent/guard_cli.h"
#include "agent/hooks.h"
#include "agent/audit/live/live.h"
#include "agent/hash/worker.h"
#include "agent/image/image.h"
#include "agent/image/live/live.h"
#include "agent/network_cli.h"
#include "agent/policy_cli.h"
#include "agent/replay.h"
#include "agent/rules/rules_cli.h"
#include "agent/scan/scan_cli.h"
#include "agent/status.h"
#include "agent/trim.h"
#include "agent/uplink/uplink.h"
#include "agent/version_cli.h"
#include "agent/vulndb_cli.h"
#include "common/file.h"
#include "common/log.h"
#include "common/text.h"

enum { TRIM_AFTER_MS = 3000, TRIM_AGAIN_MS = 8000 };

static const char default_config[] = "/etc/picket/agent.yaml";

static const char usage_text[] =
	"picket-agent - sees what runs in this host's containers and tells the collector\n"
	"\n"
	"  picket-agent enroll --token TOKEN        join a fleet (token: `picket-collector token create`)\n"
	"  picket-agent run [--record FILE]         the daemon, in the foreground\n"
	"  picket-agent status [--json]             is it healthy, what does it see and lose\n"
	"  picket-agent status --hooks [--json]     what each hook in the kernel costs and lets through\n"
	"  picket-agent rules check FILE...         are these Falco rule files right\n"
	"  picket-agent rules list FILE... [--json] what they look for, and which ATT&CK techniques they cover\n"
	"  picket-agent rules parse|compile COND    is this condition right\n"
	"  picket-agent rules eval COND --event F   would it match this event (flat JSON)\n"
	"  picket-agent replay --rules FILE... --events FILE [--matching all|first] [--json]\n"
	"                                           recorded events through rules: what would have fired\n"
	"  picket-agent vulndb import|status|show|sign|verify\n"
	"                                           the vulnerability database: built, looked at, signed\n"
	"  picket-agent policy check [FILE]         is this access-control policy right, and what does it say\n"
	"  picket-agent scan TARGET [--fail-on high] what is known to be vulnerable in an image; see scan --help\n"
	"  picket-agent guard [--policy FILE]       Docker's authorization plugin: refuses what the policy forbids; see\n"
	"                                           guard --help\n"
	"  picket-agent network release             lifts what the kernel enforces for the policy, which outlives the agent\n"
	"  picket-agent audit [--container NAME]    how host, engine, images and containers are configured: what is wrong\n"
	"                                           and how to mend it; see audit --help\n"
	"  picket-agent advise network CONTAINER    who it can reach and who it did; a network policy out of that, or from\n"
	"                                           Kubernetes; see advise --help\n"
	"  picket-agent version-compare SCHEME A B  which is newer: <, = or >\n"
	"  picket-agent version-match SCHEME RANGE VERSION\n"
	"                                           is the version in the range: true or false; SCHEME: deb apk rpm\n"
	"                                           semver go npm pep440 gem maven nuget packagist cargo\n"
	"  picket-agent version\n"
	"\n"
	"  --config FILE    default /etc/picket/agent.yaml\n"
	"run:\n"
	"  --record FILE    also writes every event there, a line of JSON each, for `replay` (256 MiB, then\n"
	"                   FILE.1 has the older ones); it holds command lines of everybody\n"
	"  SIGHUP           loads the rules again, as editing them does\n"
	"enroll:\n"
	"  --collector URL  where to enrol, instead of the token's addresses\n"
	"  --state DIR      key and spool, default /var/lib/picket/agent\n"
	"  --name NAME      this host's name in alerts, default the system's\n"
	"  --force          replace an enrolment that is there\n";

static int fail(int r, const struct err *err)
{
	fprintf(stderr, "picket-agent: %s\n", err->msg);
	return err_exit_code(r);
}

static int wrong_usage(const char *what, const char *value)
{
	fprintf(stderr, "picket-agent: %s '%s'; see picket-agent --help\n", what, value);
	return 2;
}

/* A missing file is fine unless it was asked for. */
static int read_config(const char *path, struct agent_config *cfg, struct err *err)
{
	agent_config_init(cfg);
	if (!path && access(default_config, F_OK) < 0 && errno == ENOENT)
		return 0;
	return agent_config_read(path ? path : default_config, cfg, err);
}

/* ---- run ---- */

struct running {
	struct loop *loop;
	struct agent *agent;
};

static void on_stop(void *arg)
{
	struct running *r = arg;

	LOG(INFO, "agent.stopping", KV_STR("why", "signal"));
	loop_stop(r->loop);
}

static void on_hangup(void *arg)
{
	agent_reload_logged(((struct running *)arg)->agent);
}

struct trimming {
	struct loop_timer *timer;
	bool is_again;
};

/* Once the first connections stand, and after the first heartbeat: what only the start needed is given back. */
static void on_trim(void *arg)
{
	struct trimming *t = arg;
	struct err err;
	long bytes = trim_start_pages(&err);

	if (bytes < 0)
		LOG(INFO, "agent.trim", KV_STR("why", err.msg));
	if (!t->is_again)
		loop_timer_once(t->timer, TRIM_AGAIN_MS);
	t->is_again = true;
}

static int run_daemon(const struct agent_config *cfg, struct err *err)
{
	CLEANUP(loop_freep) struct loop *loop = NULL;
	CLEANUP(agent_freep) struct agent *agent = NULL;
	CLEANUP(loop_timer_freep) struct loop_timer *trim = NULL;
	struct trimming trimming = { 0 };
	struct running running;

	int r = loop_new(&loop, err);
	if (r >= 0)
		r = agent_new(loop, clock_real(), cfg, &agent, err);
	if (r < 0)
		return r;
	running = (struct running){ .loop = loop, .agent = agent };
	r = loop_signal(loop, SIGTERM, on_stop, &running, err);
	if (r >= 0)
		r = loop_signal(loop, SIGINT, on_stop, &running, err);
	if (r >= 0)
		r = loop_signal(loop, SIGHUP, on_hangup, &running, err);
	if (r < 0)
		return r;
	trim = trimming.timer = loop_timer_new(loop, on_trim, &trimming);
	if (!trim)
		return err_set(err, ENOMEM, "timer");
	LOG(INFO, "agent.running", KV_STR("version", PICKET_VERSION), KV_STR("host", cfg->name));
	loop_timer_once(trim, TRIM_AFTER_MS);
	loop_run(loop);
	return 0;
}

static int command_run(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
						 { "foreground", no_argument, NULL, 'f' },
						 { "record", required_argument, NULL, 'r' },
						 { 0 } };
	struct agent_config cfg;
	const char *path = NULL, *record = NULL;
	struct err err;

	for (int c; (c = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		if (c == 'c')
			path = optarg;
		else if (c == 'r')
			record = optarg;
		else if (c != 'f')
			return 2;
	}
	if (optind < argc)
		return wrong_usage("unexpected argument", argv[optind]);
	/* nng brings threads; one malloc arena for all keeps the idle agent small. */
	mallopt(M_ARENA_MAX, 1);
	int r = read_config(path, &cfg, &err);
	cfg.record_path = record;
	if (r >= 0) {
		log_open((enum log_level)cfg.log_level, STDERR_FILENO);
		r = run_daemon(&cfg, &err);
	}
	agent_config_fini(&cfg);
	return r < 0 ? fail(r, &err) : 0;
}

/* ---- enroll ---- */

static int write_first_config(const char *path, const struct agent_config *cfg, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	char dir[4096];

	slice_copy(slice_of(path), dir, sizeof(dir));
	char *slash = strrchr(dir, '/');
	if (slash && slash != dir) {
		*slash = 0;
		int r = file_make_dirs(dir, 0755, err);
		if (r < 0)
			return r;
	}
	buf_init(&text, 65536);
	agent_config_write(cfg, &text);
	return file_write_atomic(path, buf_slice(&text), 0640, err);
}

static void replace(char **field, const char *value)
{
	if (!value)
		return;
	free(*field);
	*field = conf_strdup(value);
}

struct enrol_args {
	const char *token, *collector, *config, *state, *name;
	bool force;
};

static int enrol(const struct enrol_args *a, struct agent_config *cfg, struct err *err)
{
	const char *path = a->config ? a->config : default_config;
	bool has_config = access(path, F_OK) == 0;
	CLEANUP(buf_finip) struct buf machine = { 0 };
	struct enrol_result res;
	char machine_id[64] = "";

	agent_config_init(cfg);
	int r = has_config ? agent_config_read(path, cfg, err) : 0;
	if (r < 0)
		return r;
	replace(&cfg->state_dir, a->state);
	replace(&cfg->name, a->name);
	if (file_read("/etc/machine-id", 4096, &machine, NULL) >= 0)
		slice_copy(slice_trim(buf_slice(&machine)), machine_id, sizeof(machine_id));
	r = uplink_enrol(a->token, a->collector, cfg->state_dir, cfg->name, machine_id, a->force, 30000, &res,
			 err);
	if (r >= 0)
		r = agent_enrolment_write(cfg->state_dir, res.url, res.server_name, err);
	if (r >= 0 && !has_config)
		r = write_first_config(path, cfg, err);
	if (r < 0)
		return r;
	printf("enrolled %s as %s with %s\nconfiguration: %s%s\nnext: picket-agent run%s%s\n", cfg->name,
	       res.agent_id, res.url, path, has_config ? " (was there, not changed)" : "",
	       a->config ? " --config " : "", a->config ? a->config : "");
	return 0;
}

static int command_enroll(int argc, char **argv)
{
	static const struct option options[] = { { "token", required_argument, NULL, 't' },
						 { "collector", required_argument, NULL, 'u' },
						 { "config", required_argument, NULL, 'c' },
						 { "state", required_argument, NULL, 's' },
						 { "name", required_argument, NULL, 'n' },
						 { "force", no_argument, NULL, 'f' },
						 { 0 } };
	struct enrol_args a = { 0 };
	struct agent_config cfg;
	struct err err;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 't':
			a.token = optarg;
			break;
		case 'u':
			a.collector = optarg;
			break;
		case 'c':
			a.config = optarg;
			break;
		case 's':
			a.state = optarg;
			break;
		case 'n':
			a.name = optarg;
			break;
		case 'f':
			a.force = true;
			break;
		default:
			return 2;
		}
	}
	if (!a.token || optind < argc) {
		fputs("picket-agent: enroll needs --token TOKEN (made by `picket-collector token create`)\n",
		      stderr);
		return 2;
	}
	log_open(LOG_ERROR, STDERR_FILENO);
	int r = enrol(&a, &cfg, &err);
	agent_config_fini(&cfg);
	return r < 0 ? fail(r, &err) : 0;
}

/* ---- status ---- */

static int command_status(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
						 { "json", no_argument, NULL, 'j' },
						 { "hooks", no_argument, NULL, 'h' },
						 { 0 } };
	struct agent_config cfg;
	const char *path = NULL;
	bool as_json = false, hooks = false;
	struct err err;

	for (int c; (c = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		if (c == 'c')
			path = optarg;
		else if (c == 'j')
			as_json = true;
		else if (c == 'h')
			hooks = true;
		else
			return 2;
	}
	if (optind < argc)
		return wrong_usage("unexpected argument", argv[optind]);
	int r = read_config(path, &cfg, &err);
	if (r < 0)
		r = fail(r, &err);
	else
		r = hooks ? hooks_show(cfg.run_dir, as_json) : status_show(cfg.run_dir, as_json);
	agent_config_fini(&cfg);
	return r;
}

static int command_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("picket-agent " PICKET_VERSION);
	return 0;
}

static int command_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fputs(usage_text, stdout);
	return 0;
}

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", command_run },		{ "enroll", command_enroll },	  { "status", command_status },
	{ "replay", replay_cli },	{ "rules", rules_cli },		{ "version", command_version },	  { "--version", command_version },
	{ "policy", policy_cli },	{ "network", network_cli },
	{ "audit", audit_command },	{ "advise", advise_cli },
	{ "scan", scan_cli },		{ "vulndb", vulndb_cli },	  { "guard", guard_cli },
	{ "version-compare", version_compare_cli }, { "version-match", version_match_cli },
	{ "help", command_help },	{ "--help", command_help },	  { "-h", command_help },
};

static bool is_help(const char *arg)
{
	return !strcmp(arg, "--help") || !strcmp(arg, "-h");
}

static bool has_own_help(int (*run)(int argc, char **argv))
{
	return run == rules_cli || run == scan_cli || run == audit_command || run == advise_cli || run == guard_cli || run == network_cli;
}

int main(int argc, char **argv)
{
	const char *names[ARRAY_LEN(commands)];

	image_worker_if_asked(argc, argv);
	int child = live_child_main(argc, argv);
	if (child < 0)
		child = audit_worker_main(argc, argv, &audit_outside);
	if (child < 0)
		child = hash_worker_main(argc, argv);
	if (child >= 0)
		return child;
	if (argc < 2) {
		fputs(usage_text, stderr);
		return 2;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		names[i] = commands[i].name;
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (argc > 2 && !has_own_help(commands[i].run) && is_help(argv[2]))
			return command_help(0, NULL);
		argv[1] = argv[0]; /* what getopt's messages begin with */
		return commands[i].run(argc - 1, argv + 1);
	}
	const char *near = text_nearest(slice_of(argv[1]), names, ARRAY_LEN(names));
	fprintf(stderr, "picket-agent: unknown command '%s'%s%s%s; see picket-agent --help\n", argv[1],
		near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
	return 2;
}
