/* advise_cli.c - see advise_cli.h. Facts are the audit's, the advice is learn's: rooms that don't know each other. What
 * can't be said goes before the policy as comments, so that it stays with the file. */
#include "agent/advise_cli.h"

#include <errno.h>
#include <getopt.h>

#include "agent/audit/gather.h"
#include "agent/learn/flows.h"
#include "agent/learn/netpol.h"
#include "common/file.h"

enum { ARENA_BYTES = 512 << 20, TABLE_BYTES = 4 << 20, TRAFFIC_BYTES = 64 << 20, TRAFFIC_FILES_MAX = 16 };

static const char usage[] =
	"usage: picket-agent advise network CONTAINER [option...]\n"
	"       picket-agent advise network --import FILE [option...]\n"
	"\n"
	"Which containers this one can reach (networks in common, icc, shared namespaces), which it did, and the least that\n"
	"it was seen to need. What was seen: its connections at this moment, and FILEs of --traffic. Nothing is changed.\n"
	"\n"
	"  --format NAME         text; policy: a scope for policy.yaml; kubernetes: a NetworkPolicy\n"
	"  --traffic FILE        what the collector kept: picketctl event search type=traffic container=NAME -o ndjson;\n"
	"                        again for more\n"
	"  --import FILE         a Kubernetes NetworkPolicy as a scope for policy.yaml; podSelector stands for the addresses\n"
	"                        of this host's containers\n"
	"  --docker-socket PATH  of the engine, default $DOCKER_HOST, else /var/run/docker.sock\n"
	"\n"
	"exit code: 0 fine, 2 wrong usage, 3 a wrong file, 4 not allowed, 5 no such container, 6 the engine can't be reached\n";

enum format { FORMAT_TEXT, FORMAT_POLICY, FORMAT_KUBERNETES };
struct options {
	const char *container, *import, *socket;
	const char *traffic[TRAFFIC_FILES_MAX];
	size_t traffic_count;
	enum format format;
	bool has_format;
};

/* ---- the command line ---- */

static int take_format(struct options *o, const char *word, struct err *err)
{
	static const char *const names[] = { "text", "policy", "kubernetes" };

	o->has_format = true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!strcmp(word, names[i])) {
			o->format = (enum format)i;
			return 0;
		}
	}
	return err_set(err, ERR_USAGE, "--format '%.40s' is none of text, policy, kubernetes", word);
}

static int take_socket(struct options *o, struct err *err)
{
	static const char prefix[] = "unix://";
	const char *host = getenv("DOCKER_HOST");

	if (!o->socket)
		o->socket = host && host[0] ? host : "/var/run/docker.sock";
	if (!strncmp(o->socket, prefix, sizeof(prefix) - 1))
		o->socket += sizeof(prefix) - 1;
	return strstr(o->socket, "://") ? err_set(err, ERR_USAGE, "'%.80s': only unix:// is spoken here", o->socket) : 0;
}

enum { OPT_FORMAT = 256, OPT_TRAFFIC, OPT_IMPORT, OPT_SOCKET, OPT_HELP };

static int read_options(int argc, char **argv, struct options *o, struct err *err)
{
	static const struct option longs[] = {
		{ "format", required_argument, NULL, OPT_FORMAT },	{ "traffic", required_argument, NULL, OPT_TRAFFIC },
		{ "import", required_argument, NULL, OPT_IMPORT },	{ "docker-socket", required_argument, NULL, OPT_SOCKET },
		{ "help", no_argument, NULL, OPT_HELP },		{ NULL, 0, NULL, 0 },
	};
	int c, r = 0;

	optind = 1;
	while (r >= 0 && (c = getopt_long(argc, argv, "h", longs, NULL)) >= 0) {
		if (c == OPT_FORMAT)
			r = take_format(o, optarg, err);
		else if (c == OPT_IMPORT)
			o->import = optarg;
		else if (c == OPT_SOCKET)
			o->socket = optarg;
		else if (c == OPT_HELP || c == 'h')
			return 1;
		else if (c != OPT_TRAFFIC)
			return err_set(err, ERR_USAGE, "see picket-agent advise --help");
		else if (o->traffic_count == TRAFFIC_FILES_MAX)
			r = err_set(err, ERR_USAGE, "at most %d of --traffic", TRAFFIC_FILES_MAX);
		else
			o->traffic[o->traffic_count++] = optarg;
	}
	if (r < 0)
		return r;
	if (optind >= argc || strcmp(argv[optind], "network") != 0)
		return err_set(err, ERR_USAGE, "what about? advise network CONTAINER");
	o->container = optind + 1 < argc ? argv[optind + 1] : NULL;
	if (optind + 2 < argc || !o->container == !o->import)
		return err_set(err, ERR_USAGE, "one container, or --import FILE");
	if (o->import && (o->has_format || o->traffic_count))
		return err_set(err, ERR_USAGE, "--import goes with neither --format nor --traffic");
	return take_socket(o, err);
}

/* ---- what is there ---- */

struct host {
	struct gather *gather;
	const struct facts_daemon *daemon;
	struct arena *arena;
	struct reach_container *containers;
	pid_t *pids; /* by container; 0 not running */
	struct reach_input in;
	struct flows flows;
	struct buf notes;
};

static void host_fini(struct host *h)
{
	gather_free(h->gather);
	arena_free(h->arena);
	buf_fini(&h->notes);
}

static int keep_networks(struct host *h, struct err *err)
{
	struct reach_network *v = arena_zalloc(h->arena, h->daemon->network_count + 1, sizeof(*v));

	if (!v)
		return err_set(err, ENOMEM, "networks");
	for (size_t i = 0; i < h->daemon->network_count; i++) {
		const struct facts_bridge *b = &h->daemon->networks[i];

		v[i] = (struct reach_network){ .name = b->name, .driver = b->driver, .is_icc_off = b->has_icc == FACTS_NO,
					       .is_internal = b->is_internal == FACTS_YES, .is_default = b->is_default };
	}
	h->in.networks = v;
	h->in.network_count = h->daemon->network_count;
	return 0;
}

static int keep_container(struct host *h, const struct facts_container *c, struct err *err)
{
	struct reach_member *members = arena_zalloc(h->arena, c->asked.network_count + 1, sizeof(*members));
	struct reach_port *ports = arena_zalloc(h->arena, c->asked.port_count + 1, sizeof(*ports));

	if (!members || !ports)
		return err_set(err, ENOMEM, "containers");
	for (size_t i = 0; i < c->asked.network_count; i++)
		members[i] = (struct reach_member){ c->asked.networks[i].name, c->asked.networks[i].address, c->asked.networks[i].address6 };
	for (size_t i = 0; i < c->asked.port_count; i++) {
		const struct facts_port *p = &c->asked.ports[i];

		ports[i] = (struct reach_port){ p->port, p->host_port, p->protocol, p->host_ip };
	}
	h->pids[h->in.container_count] = c->pid;
	h->containers[h->in.container_count++] = (struct reach_container){
		.name = c->name, .id = c->id, .network_mode = c->asked.network_mode, .labels = { c->labels.v, c->labels.count },
		.members = members, .member_count = c->asked.network_count, .ports = ports, .port_count = c->asked.port_count,
	};
	return 0;
}

/* Those that run: what is stopped reaches nobody. One that goes away meanwhile is left out. */
static int read_containers(struct host *h, struct err *err)
{
	struct facts_texts ids;

	int r = gather_containers(h->gather, h->arena, &ids, err);
	if (r < 0)
		return r;
	h->containers = arena_zalloc(h->arena, ids.count + 1, sizeof(*h->containers));
	h->pids = arena_zalloc(h->arena, ids.count + 1, sizeof(*h->pids));
	if (!h->containers || !h->pids)
		return err_set(err, ENOMEM, "containers");
	for (size_t i = 0; i < ids.count; i++) {
		struct facts_container c = { 0 };
		struct facts_image image = { 0 };

		r = gather_container(h->gather, ids.v[i], NULL, h->arena, &c, &image, err);
		if (r == -ENOENT)
			continue;
		if (r >= 0 && c.pid > 0)
			r = keep_container(h, &c, err);
		if (r < 0)
			return r;
	}
	h->in.containers = h->containers;
	return 0;
}

/* is_needed false: a NetworkPolicy without podSelector in its peers can be read anywhere. */
static int read_host(struct host *h, const char *socket, bool is_needed, struct err *err)
{
	const struct facts_host *host;

	h->arena = arena_new(ARENA_BYTES);
	if (!h->arena)
		return err_set(err, ENOMEM, "advise");
	if (access(socket, R_OK | W_OK) < 0 && errno == EACCES)
		return err_set(err, ERR_DENIED, "'%.200s' may be used by root and its group only", socket);
	int r = gather_new(socket, "/proc", &h->gather, err);
	if (r >= 0)
		r = gather_host(h->gather, &host, &h->daemon, err);
	if (r >= 0 && !h->daemon->is_known && !is_needed) {
		buf_printf(&h->notes, "no engine answers: podSelector stands for no container (%s)\n", h->daemon->why);
		return 0;
	}
	if (r >= 0 && !h->daemon->is_known)
		r = err_set(err, ERR_PEER, "%.200s", h->daemon->why);
	if (r >= 0)
		r = keep_networks(h, err);
	return r < 0 ? r : read_containers(h, err);
}

/* ---- what was seen ---- */

static int read_tables(struct host *h, size_t subject, struct err *err)
{
	static const char *const tables[] = { "tcp", "tcp6", "udp", "udp6" };
	const struct reach_container *c = &h->containers[subject];
	int r = 0;

	if (c->network_mode && !strcmp(c->network_mode, "host")) {
		buf_add_str(&h->notes, "connections of now are the whole host's: not counted\n");
		return 0;
	}
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(tables); i++) {
		CLEANUP(buf_finip) struct buf text = { 0 };
		char path[64];
		struct err why;

		snprintf(path, sizeof(path), "/proc/%d/net/%s", (int)h->pids[subject], tables[i]);
		if (file_read(path, TABLE_BYTES, &text, &why) < 0)
			buf_printf(&h->notes, "connections of now: %s\n", why.msg);
		else
			r = flows_add_table(&h->flows, buf_slice(&text), tables[i], c->name, h->arena, err);
	}
	return r;
}

static int read_traffic(struct host *h, const struct options *o, struct err *err)
{
	for (size_t i = 0; i < o->traffic_count; i++) {
		CLEANUP(buf_finip) struct buf text = { 0 };

		int r = file_read(o->traffic[i], TRAFFIC_BYTES, &text, err);
		if (r >= 0)
			r = flows_add_events(&h->flows, buf_slice(&text), h->arena, err);
		if (r < 0)
			return r;
	}
	if (h->flows.skipped)
		buf_printf(&h->notes, "%zu lines or peers of --traffic say nothing of traffic\n", h->flows.skipped);
	if (h->flows.is_cut)
		buf_printf(&h->notes, "only the first %d flows are counted\n", REACH_FLOWS_MAX);
	if (!o->traffic_count)
		buf_add_str(&h->notes, "seen: connections of this moment only (--traffic FILE adds what the collector kept)\n");
	return 0;
}

/* ---- what is said ---- */

static void put_notes(const struct buf *notes)
{
	struct slice rest = buf_slice(notes), line;

	while (slice_split(&rest, '\n', &line))
		if (line.n)
			printf("# %.*s\n", SLICE_FMT(line));
}

static int advise(struct host *h, const struct options *o, struct buf *out, struct err *err)
{
	size_t subject = reach_find(&h->in, o->container);
	struct reach_result result;

	if (subject == REACH_NOBODY)
		return err_set(err, ERR_NOT_FOUND, "no container '%.80s' runs here", o->container);
	int r = read_tables(h, subject, err);
	if (r >= 0)
		r = read_traffic(h, o, err);
	if (r < 0)
		return r;
	h->in.flows = h->flows.v;
	h->in.flow_count = h->flows.count;
	if (o->format == FORMAT_POLICY)
		return netpol_to_policy(&h->in, subject, h->arena, out, &h->notes, err);
	if (o->format == FORMAT_KUBERNETES)
		return netpol_to_kubernetes(&h->in, subject, h->arena, out, &h->notes, err);
	r = reach_judge(&h->in, subject, h->arena, &result, err);
	if (r >= 0)
		reach_text(&h->in, subject, &result, out);
	return r;
}

static int import(struct host *h, const char *path, struct buf *out, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	int r = file_read(path, NETPOL_BYTES_MAX, &text, err);
	return r < 0 ? r : netpol_import(buf_slice(&text), path, &h->in, h->arena, out, &h->notes, err);
}

int advise_cli(int argc, char **argv)
{
	CLEANUP(host_fini) struct host h = { 0 };
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct options o = { 0 };
	struct err err;

	int r = read_options(argc, argv, &o, &err);
	if (r == 1) {
		fputs(usage, stdout);
		return 0;
	}
	if (r >= 0)
		r = read_host(&h, o.socket, !o.import, &err);
	if (r >= 0)
		r = o.import ? import(&h, o.import, &out, &err) : advise(&h, &o, &out, &err);
	if (r >= 0 && (out.failed || h.notes.failed))
		r = err_set(&err, ENOMEM, "advise");
	if (r < 0) {
		fprintf(stderr, "picket-agent: %s\n", err.msg);
		return err_exit_code(r);
	}
	put_notes(&h.notes);
	fputs(out.n ? out.p : "", stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}
