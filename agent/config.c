/* config.c - see config.h. */
#include "agent/config.h"

#include "common/log.h"

static const char *const levels[] = { "debug", "info", "warn", "error", NULL };

#define AT(field) offsetof(struct agent_config, field)
#define MIB (1024ull * 1024)

static const struct conf_key keys[] = {
	{ "name", CONF_STR, AT(name), .doc = "the host's name in alerts; default: the system's" },
	{ "state_dir", CONF_STR, AT(state_dir), .doc = "key, certificate and spool" },
	{ "run_dir", CONF_STR, AT(run_dir), .doc = "where `picket-agent status` finds the agent" },
	{ "collector.url", CONF_STR, AT(url), .doc = "tls+tcp://HOST:7443; default: as enrolled" },
	{ "collector.server_name", CONF_STR, AT(server_name),
	  .doc = "name in the collector's certificate; default: as enrolled" },
	{ "rules", CONF_STR_LIST, AT(rules), .doc = "Falco rule files, or folders of *.yaml" },
	{ "engine.docker_socket", CONF_STR, AT(docker_socket), .doc = "\"\" = no Docker here" },
	{ "limits.processes", CONF_U64, AT(max_processes), 1024, 1048576,
	  .doc = "processes remembered for ancestors" },
	{ "limits.ring", CONF_SIZE, AT(ring_bytes), 64 * 1024, 64 * MIB,
	  .doc = "kernel buffer for process events; a power of two" },
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
		.max_processes = 32768,
		.spool_max_bytes = 1024 * MIB,
		.ring_bytes = 2 * MIB,
		.flush_ms = 20,
		.sync_ms = 100,
		.heartbeat_ms = 10000,
		.name_wait_ms = 500,
		.priority = 10,
		.log_level = LOG_INFO,
	};
}

int agent_config_read(const char *path, struct agent_config *c, struct err *err)
{
	return conf_read(path, keys, ARRAY_LEN(keys), c, err);
}

void agent_config_write(const struct agent_config *c, struct buf *out)
{
	buf_printf(out,
		   "# picket-agent. Keys that are commented out show their defaults.\n"
		   "name: \"%s\"\n"
		   "state_dir: \"%s\"\n"
		   "run_dir: \"%s\"\n"
		   "rules:\n",
		   c->name, c->state_dir, c->run_dir);
	char **items = c->rules.items;
	for (size_t i = 0; i < c->rules.count; i++)
		buf_printf(out, "  - \"%s\"\n", items[i]);
	if (!c->rules.count)
		buf_add_str(out, "  - /etc/picket/rules.d\n");
	buf_printf(out,
		   "engine:\n"
		   "  docker_socket: \"%s\"\n"
		   "#collector:\n"
		   "#  url: tls+tcp://HOST:7443   # default: as enrolled\n"
		   "#spool:\n"
		   "#  max_size: 1GiB\n"
		   "#log:\n"
		   "#  level: info\n",
		   c->docker_socket);
}

void agent_config_fini(struct agent_config *c)
{
	conf_fini(keys, ARRAY_LEN(keys), c);
}
