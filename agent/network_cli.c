/* network_cli.c - see network_cli.h. For who removes the agent: what it pinned goes on without it, on purpose. */
#include "agent/network_cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "agent/config.h"
#include "agent/guard/net/net.h"
#include "agent/status.h"

enum { PATIENCE_S = 5, STATUS_BYTES = 1024 * 1024 };

static const char usage_text[] =
	"usage: picket-agent network release [--config FILE] [--pin-dir DIR] [--force]\n"
	"\n"
	"  What the policy refuses in the kernel goes on when the agent ends. This lifts it: the hooks on every container's\n"
	"  network are taken away, and what is pinned below network.pin_dir. For good once the agent is not started any more.\n"
	"\n"
	"  --config FILE   the agent's, default /etc/picket/agent.yaml; need not be there\n"
	"  --pin-dir DIR   instead of the configuration's; an earlier one, after it was changed\n"
	"  --force         while an agent runs: it goes on without hooks until it is started again\n";

struct asked {
	const char *config, *pin_dir;
	bool is_forced;
};

static int usage(FILE *to)
{
	fputs(usage_text, to);
	return to == stdout ? 0 : err_exit_code(ERR_USAGE);
}

static bool is_running(const char *run_dir)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, STATUS_BYTES);
	return status_fetch(run_dir, "agent.sock", PATIENCE_S, &b, NULL) != -ERR_PEER;
}

static int release(const struct asked *a, struct agent_config *cfg, struct err *err)
{
	int r = agent_config_read(a->config ? a->config : "/etc/picket/agent.yaml", cfg, err);

	if (r == -ENOENT && !a->config)
		r = 0; /* removed already */
	if (r < 0)
		return r;
	if (!a->is_forced && is_running(cfg->run_dir))
		return err_set(err, ERR_USAGE, "an agent runs and would go on as if it enforced: stop it first, or --force");
	const char *pin_dir = a->pin_dir ? a->pin_dir : cfg->network_pin_dir;
	r = net_clear(pin_dir, err);
	if (r >= 0)
		printf("released: containers reach what they could without picket%s%s\n", pin_dir[0] ? "; nothing is pinned any more in " : "",
		       pin_dir);
	return r;
}

int network_cli(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
						 { "pin-dir", required_argument, NULL, 'p' },
						 { "force", no_argument, NULL, 'f' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	struct agent_config cfg;
	struct asked a = { 0 };
	struct err err = { 0 };

	optind = 0;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'c')
			a.config = optarg;
		else if (c == 'p')
			a.pin_dir = optarg;
		else if (c == 'f')
			a.is_forced = true;
		else
			return usage(c == 'h' ? stdout : stderr);
	}
	if (optind != argc - 1 || strcmp(argv[optind], "release") != 0)
		return usage(stderr);
	agent_config_init(&cfg);
	int r = release(&a, &cfg, &err);
	agent_config_fini(&cfg);
	if (r < 0)
		fprintf(stderr, "picket-agent: network release: %s\n", err.msg);
	return r < 0 ? err_exit_code(r) : 0;
}
