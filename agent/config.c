/* config.c - see config.h. */
#include "agent/config.h"

#include "agent/guard/guard.h"
#include "agent/probe/probe.h"
#include "agent/rules/rules.h"
#include "common/log.h"

static const char *const matchings[] = { [RULES_MATCH_ALL] = "all", [RULES_MATCH_FIRST] = "first", NULL };
static const char *const modes[] = { [GUARD_OFF] = "off",
				     [GUARD_DRY_RUN] = "dry-run",
				     [GUARD_ENFORCE] = "enforce",
				     NULL };
static const char *const actions[] = { [GUARD_KILL] = "kill",
				       [GUARD_STOP] = "stop",
				       [GUARD_PAUSE] = "pause",
				       [GUARD_DISCONNECT] = "disconnect",
				       NULL };
static const char *const hookings[] = { [PROBE_AUTO] = "auto",
					[PROBE_FEXIT] = "fexit",
					[PROBE_DISPATCH] = "dispatch",
					[PROBE_PER_CALL] = "per-call",
					NULL };
static const char *const levels[] = { "debug", "info", "warn", "error", NULL };

#define AT(field) offsetof(struct agent_config, field)
#define MIB (1024ull * 1024)
#define DAY_MS 86400000ull

static const struct conf_key response_keys[] = {
	{ "rule", CONF_STR, offsetof(struct agent_response, rule), .doc = "the rule's exact name" },
	{ "action", CONF_ENUM, offsetof(struct agent_response, action), .names = actions,
	  .doc = "kill (default) stop pause disconnect" },
};

static const struct conf_key keys[] = {
	{ "name", CONF_STR, AT(name), .doc = "the host's name in alerts; default: the system's" },
	{ "state_dir", CONF_STR, AT(state_dir), .doc = "key, certificate and spool" },
	{ "run_dir", CONF_STR, AT(run_dir), .doc = "where `picket-agent status` finds the agent" },
	{ "collector.url", CONF_STR, AT(url), .doc = "tls+tcp://HOST:7443; default: as enrolled" },
	{ "collector.server_name", CONF_STR, AT(server_name),
	  .doc = "name in the collector's certificate; default: as enrolled" },
	{ "rules", CONF_STR_LIST, AT(rules), .doc = "Falco rule files, or folders of *.yaml" },
	{ "rule_matching", CONF_ENUM, AT(rule_matching), .names = matchings,
	  .doc = "all: every rule that matches an event; first: only the first, as Falco's default" },
	{ "fold.burst", CONF_U64, AT(fold_burst), 0, 1000000,
	  .doc = "alerts of one rule in one container told one by one in a window, beside the first of "
		 "each thing done; 0: all" },
	{ "fold.window", CONF_DURATION, AT(fold_window_ms), 1000, 3600000,
	  .doc = "the others are told as one, with their count, when it ends" },
	{ "response.mode", CONF_ENUM, AT(response_mode), .names = modes,
	  .doc = "off, dry-run (only says what it would do), enforce" },
	{ "response.rules", CONF_LIST, AT(responses), .sub = response_keys,
	  .sub_count = ARRAY_LEN(response_keys), .item_size = sizeof(struct agent_response),
	  .doc = "what to do when a rule matches" },
	{ "response.max_per_minute", CONF_U64, AT(response_max_per_minute), 1, 100000,
	  .doc = "actions a minute, over all rules; more are refused and told" },
	{ "probe.mode", CONF_ENUM, AT(probe_mode), .names = hookings,
	  .doc = "how system calls are seen: auto fexit dispatch per-call" },
	{ "engine.docker_socket", CONF_STR, AT(docker_socket), .doc = "\"\" = no Docker here" },
	{ "images.enabled", CONF_BOOL, AT(images_enabled),
	  .doc = "take stock of the images that run here, and see which of their packages are used" },
	{ "images.all", CONF_DURATION, AT(images_all_ms), 0, 30 * DAY_MS,
	  .doc = "how often all local images are looked for, running or not; 0: never" },
	{ "images.update_check", CONF_DURATION, AT(images_update_ms), 0, 30 * DAY_MS,
	  .doc = "how often the registry is asked what a running image's tag is now; 0: never" },
	{ "images.cache_size", CONF_SIZE, AT(images_cache_bytes), MIB, 64 * 1024 * MIB,
	  .doc = "disk for stock that was taken" },
	{ "images.registry_ca", CONF_STR, AT(images_registry_ca),
	  .doc = "file with the registry's CA; \"\": the system's" },
	{ "images.docker_config", CONF_STR, AT(images_docker_config),
	  .doc = "file with registry credentials, as docker login writes it" },
	{ "audit.enabled", CONF_BOOL, AT(audit_enabled),
	  .doc = "check how containers, images, the engine and the host are configured, as they start and change" },
	{ "audit.every", CONF_DURATION, AT(audit_every_ms), 0, 30 * DAY_MS,
	  .doc = "how often everything is checked again; 0: only at the start" },
	{ "network.enabled", CONF_BOOL, AT(network_enabled),
	  .doc = "hooks on the network of containers: the policy's addresses and ports, and traffic" },
	{ "network.deny_unknown", CONF_BOOL, AT(network_unknown_denied),
	  .doc = "a container nobody has told of yet reaches nothing, while the policy is enforced" },
	{ "network.pin_dir", CONF_STR, AT(network_pin_dir),
	  .doc = "below a bpffs: what is enforced goes on without the agent; \"\" = it ends with the agent" },
	{ "hash.enabled", CONF_BOOL, AT(hash_enabled), .doc = "SHA-256 of the files that are run" },
	{ "hash.max_size", CONF_SIZE, AT(hash_max_bytes), 4096, 16 * 1024 * MIB,
	  .doc = "larger files are not read; how many execs that were stands in `picket-agent status`" },
	{ "hash.rate", CONF_SIZE, AT(hash_rate_bytes), 64 * 1024, 16 * 1024 * MIB,
	  .doc = "bytes read for it in a second, at most" },
	{ "stats.interval", CONF_DURATION, AT(stats_ms), 1000, 3600000,
	  .doc = "how often processes and traffic of containers are counted, for rules about container_stats" },
	{ "policy.file", CONF_STR, AT(policy_path), .doc = "the access-control policy; need not be there" },
	{ "limits.processes", CONF_U64, AT(max_processes), 1024, 1048576,
	  .doc = "processes remembered for ancestors" },
	{ "limits.ring", CONF_SIZE, AT(ring_bytes), 64 * 1024, 64 * MIB,
	  .doc = "kernel buffer for process events; a power of two" },
	{ "limits.ring_rare", CONF_SIZE, AT(rare_ring_bytes), 64 * 1024, 64 * MIB,
	  .doc = "kernel buffer for rare system calls, when a rule needs them" },
	{ "limits.ring_volume", CONF_SIZE, AT(volume_ring_bytes), 64 * 1024, 64 * MIB,
	  .doc = "kernel buffer for files and network, when a rule needs them" },
	{ "spool.max_size", CONF_SIZE, AT(spool_max_bytes), MIB, 64 * 1024 * MIB,
	  .doc = "disk for what the collector has not acknowledged" },
	{ "spool.sync", CONF_DURATION, AT(sync_ms), 1, 10000, .doc = "longest time until fdatasync" },
	{ "send.flush", CONF_DURATION, AT(flush_ms), 5, 10000,
	  .doc = "longest time an event waits for company in its batch" },
	{ "send.heartbeat", CONF_DURATION, AT(heartbeat_ms), 1000, 600000, .doc = "sign of life" },
	{ "alert.name_wait", CONF_DURATION, AT(name_wait_ms), 0, 5000,
	  .doc = "longest time an alert waits for its container's name" },
	{ "priority", CONF_U64, AT(priority), 0, 20,
	  .doc = "scheduling priority above others, 0 = none, 20 = highest" },
	{ "log.level", CONF_ENUM, AT(log_level), .names = levels, .doc = "debug info warn error" },
};

void agent_config_init(struct agent_config *c)
{
	char host[256] = "localhost";

	gethostname(host, sizeof(host) - 1);
	*c = (struct agent_config){
		.name = conf_strdup(host),
		.state_dir = conf_strdup("/var/lib/picket/agent"),
		.run_dir = conf_strdup("/run/picket"),
		.url = conf_strdup(""),
		.server_name = conf_strdup(""),
		.docker_socket = conf_strdup("/var/run/docker.sock"),
		.images_enabled = true,
		.images_all_ms = DAY_MS,
		.images_update_ms = DAY_MS,
		.images_cache_bytes = 256 * MIB,
		.images_registry_ca = conf_strdup(""),
		.images_docker_config = conf_strdup(""),
		.audit_enabled = true,
		.audit_every_ms = DAY_MS,
		.network_enabled = true,
		.network_pin_dir = conf_strdup("/sys/fs/bpf/picket/net"),
		.stats_ms = 60000,
		.hash_enabled = true,
		.hash_max_bytes = 64 * MIB,
		.hash_rate_bytes = 64 * MIB,
		.policy_path = conf_strdup("/etc/picket/policy.yaml"),
		.max_processes = 32768,
		.spool_max_bytes = 1024 * MIB,
		.ring_bytes = 2 * MIB,
		.rare_ring_bytes = MIB,
		.volume_ring_bytes = 2 * MIB,
		.rule_matching = RULES_MATCH_ALL,
		.probe_mode = PROBE_AUTO,
		.fold_burst = 10,
		.fold_window_ms = 60000,
		.response_mode = GUARD_OFF,
		.response_max_per_minute = 60,
		.flush_ms = 20,
		.sync_ms = 100,
		.heartbeat_ms = 10000,
		.name_wait_ms = 500,
		.priority = 10,
		.log_level = LOG_INFO,
	};
}

static int check_responses(const char *path, const struct agent_config *c, struct err *err)
{
	const struct agent_response *all = c->responses.items;

	for (size_t i = 0; i < c->responses.count; i++)
		if (!all[i].rule || !all[i].rule[0])
			return err_set(err, ERR_SYNTAX, "%s: element %zu of response.rules has no 'rule'", path,
				       i + 1);
	if (c->response_mode != GUARD_OFF && !c->responses.count)
		return err_set(err, ERR_SYNTAX,
			       "%s: response.mode is %s, but response.rules names no rule to act on", path,
			       modes[c->response_mode]);
	return 0;
}

int agent_config_read(const char *path, struct agent_config *c, struct err *err)
{
	int r = conf_read(path, keys, ARRAY_LEN(keys), c, err);

	return r < 0 ? r : check_responses(path, c, err);
}

void agent_config_write(const struct agent_config *c, struct buf *out)
{
	buf_printf(out,
		   "# picket-agent. Keys that are commented out show their defaults.\n"
		   "name: \"%s\"            # the host's name in alerts\n"
		   "state_dir: \"%s\"   # key, certificate and spool\n"
		   "run_dir: \"%s\"     # where `picket-agent status` finds the agent\n"
		   "rules:                # Falco rule files, or folders of *.yaml; read again when they change\n",
		   c->name, c->state_dir, c->run_dir);
	char **items = c->rules.items;
	for (size_t i = 0; i < c->rules.count; i++)
		buf_printf(out, "  - \"%s\"\n", items[i]);
	if (!c->rules.count)
		buf_add_str(out, "  - /etc/picket/rules.d\n");
	buf_printf(out,
		   "#rule_matching: all   # or first: of the rules that match an event only the first\n"
		   "#fold:\n"
		   "#  burst: 10          # alerts of one rule in one container told one by one ...\n"
		   "#  window: 60s        # ... in this time; the others as one with their count. 0 = no folding\n"
		   "#response:\n"
		   "#  mode: off          # dry-run: say what would be done; enforce: do it\n"
		   "#  max_per_minute: 60\n"
		   "#  rules:\n"
		   "#    - rule: Detect crypto miners using the Stratum protocol\n"
		   "#      action: kill   # stop, pause, disconnect: of its container\n"
		   "engine:\n"
		   "  docker_socket: \"%s\"   # \"\" = no Docker here\n"
		   "#collector:\n"
		   "#  url: tls+tcp://HOST:7443   # default: as enrolled\n"
		   "#  server_name: HOST          # name in the collector's certificate; default: as enrolled\n"
		   "#probe:\n"
		   "#  mode: auto         # fexit, dispatch, per-call: how system calls are seen\n"
		   "#images:\n"
		   "#  enabled: true      # stock of the images that run here, and which of their packages are used\n"
		   "#  all: 24h           # how often all local images are looked for; 0 = never\n"
		   "#  update_check: 24h  # how often the registry is asked for a newer image; 0 = never\n"
		   "#  cache_size: 256MiB\n"
		   "#  registry_ca: \"\"    # file; default: the system's\n"
		   "#  docker_config: \"\"  # file with registry credentials; default: root's\n"
		   "#audit:\n"
		   "#  enabled: true      # how containers, images, engine and host are configured, as they start and change\n"
		   "#  every: 24h         # how often everything is checked again; 0 = only at the start\n"
		   "#network:\n"
		   "#  enabled: true      # hooks on containers' network: the policy's addresses and ports, traffic\n"
		   "#  deny_unknown: false   # while the policy is enforced, a container not yet known reaches nothing\n"
		   "#  pin_dir: /sys/fs/bpf/picket/net   # enforcement goes on without the agent; \"\" = not\n"
		   "#hash:\n"
		   "#  enabled: true      # SHA-256 of the files that are run, each read once\n"
		   "#  max_size: 64MiB    # larger files are not read\n"
		   "#  rate: 64MiB        # read in a second, at most\n"
		   "#stats:\n"
		   "#  interval: 60s      # how often processes and traffic of containers are counted\n"
		   "#policy:\n"
		   "#  file: /etc/picket/policy.yaml   # the access-control policy; need not be there\n"
		   "#limits:\n"
		   "#  processes: 32768   # remembered for ancestors\n"
		   "#  ring: 2MiB         # kernel buffers, powers of two: of process events,\n"
		   "#  ring_rare: 1MiB    # of rare system calls, when a rule needs them,\n"
		   "#  ring_volume: 2MiB  # of files and network, when a rule needs them\n"
		   "#spool:\n"
		   "#  max_size: 1GiB     # disk for what the collector has not acknowledged\n"
		   "#  sync: 100ms        # longest time until it is on the disk\n"
		   "#send:\n"
		   "#  flush: 20ms        # longest time an event waits for company in its batch\n"
		   "#  heartbeat: 10s\n"
		   "#alert:\n"
		   "#  name_wait: 500ms   # longest time an alert waits for its container's name\n"
		   "#priority: 10         # scheduling priority above others, 0 = none, 20 = highest\n"
		   "#log:\n"
		   "#  level: info        # debug info warn error\n",
		   c->docker_socket);
}

void agent_config_fini(struct agent_config *c)
{
	conf_fini(keys, ARRAY_LEN(keys), c);
}
