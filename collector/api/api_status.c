/* api_status.c - is it well: status, metrics, health, and the page behind the printed address. */
#include <sys/resource.h>

#include "collector/api/api_priv.h"
#include "collector/store/store_checks.h"
#include "collector/store/store_history.h"
#include "collector/store/store_vulns.h"
#include "common/file.h"

int api_health(struct api_call *c, struct err *err)
{
	(void)err;
	c->type = "text/plain; charset=utf-8";
	buf_add_str(&c->out, "ok\n");
	return 0;
}

int api_front_page(struct api_call *c, struct err *err)
{
	(void)err;
	c->type = "text/html; charset=utf-8";
	buf_add_str(&c->out,
		    "<!DOCTYPE html>\n<html lang=\"en\"><head><title>picket</title></head><body>\n"
		    "<h1>picket collector</h1>\n"
		    "<p>This collector keeps what the picket agents of your container hosts see, raises\n"
		    "alerts and tells people. It is read with <code>picketctl</code>:</p>\n"
		    "<pre>picketctl alert list\npicketctl alert show ID\n"
		    "picketctl event search container=web-1 since=1h\npicketctl host list\n"
		    "picketctl status</pre>\n"
		    "<p>picketctl needs this address, a token and the collector's CA: <code>--server,\n"
		    "--token-file, --ca</code>. Scripts use <code>/api/v1/</code> with a bearer token.</p>\n"
		    "</body></html>\n");
	return 0;
}

static void days_json(struct json *j, const char *key, double days)
{
	json_key(j, key);
	if (days < 0)
		json_null(j); /* not at this rate, or it is not known */
	else
		json_f64(j, days);
}

/* How much there is of each class, since when, and when there is no more room. */
static void add_forecast(struct json *j, const struct store_forecast *f)
{
	char date[16];

	json_kv_object(j, "history");
	json_kv_u64(j, "bytes", f->bytes);
	json_kv_u64(j, "max_bytes", f->max_bytes);
	json_kv_u64(j, "bytes_per_day", f->bytes_per_day);
	days_json(j, "days_to_max", f->days_to_max);
	days_json(j, "days_to_full", f->days_to_full);
	for (size_t i = 0; i < STORE_CLASSES; i++) {
		uint32_t oldest = f->classes[i].oldest;

		json_kv_object(j, store_class_name((enum store_class)i));
		json_kv_u64(j, "bytes", f->classes[i].bytes);
		json_kv_u64(j, "days_kept", f->classes[i].days);
		snprintf(date, sizeof(date), "%04u-%02u-%02u", oldest / 10000, oldest / 100 % 100, oldest % 100);
		json_kv_str(j, "oldest", oldest ? date : NULL);
		json_object_close(j);
	}
	json_object_close(j);
}

int api_status_show(struct api_call *c, struct err *err)
{
	struct store_forecast forecast;
	struct store_status st;
	struct json j;

	int r = store_status(c->api->store, &st, err);
	if (r >= 0)
		r = store_forecast(c->api->store, &forecast, err);
	if (r < 0)
		return r;
	json_init(&j, &c->out);
	json_object_open(&j);
	json_kv_str(&j, "version", PICKET_VERSION);
	json_kv_time(&j, "time", clock_unix_ns(c->api->clk));
	json_kv_u64(&j, "agents", st.agents);
	json_kv_u64(&j, "agents_online", st.agents_online);
	json_kv_u64(&j, "alerts_open", st.alerts_open);
	json_kv_u64(&j, "events", st.events);
	json_kv_u64(&j, "produced", st.produced);
	json_kv_u64(&j, "stored", st.stored);
	json_kv_u64(&j, "lost", st.lost);
	json_kv_u64(&j, "folded", st.folded);
	json_kv_u64(&j, "actions", st.actions);
	json_kv_u64(&j, "history_bytes", st.history_bytes);
	json_kv_u64(&j, "state_bytes", st.state_bytes);
	json_kv_u64(&j, "free_bytes", st.free_bytes);
	add_forecast(&j, &forecast);
	json_kv_u64(&j, "outbox_waiting", st.outbox_waiting);
	json_kv_u64(&j, "outbox_dead", st.outbox_dead);
	json_kv_u64(&j, "schema", st.schema);
	if (c->api->ops.on_status)
		c->api->ops.on_status(c->api->arg, &j);
	json_object_close(&j);
	return 0;
}

static void add_checks(struct buf *out, const struct store_check_counts *n)
{
	prom_family(out, "picket_check_findings", PROM_GAUGE, "Open findings of checks, waived by nobody.");
	for (size_t i = ARRAY_LEN(n->open); i-- > 0;)
		prom_u64(out, "picket_check_findings", PROM_LABELS("severity", msg_severity_name((enum msg_severity)i)), n->open[i]);
}

static void add_process(struct buf *out)
{
	struct rusage ru;

	if (!getrusage(RUSAGE_SELF, &ru)) {
		double cpu = (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
			     (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
		prom_family(out, "process_cpu_seconds_total", PROM_COUNTER, "CPU time of the collector.");
		prom_f64(out, "process_cpu_seconds_total", NULL, cpu);
	}
	prom_one(out, "process_resident_memory_bytes", PROM_GAUGE, "Resident memory of the collector.", file_own_rss_bytes());
	prom_family(out, "picket_build_info", PROM_GAUGE, "1, with the version.");
	prom_u64(out, "picket_build_info", PROM_LABELS("version", PICKET_VERSION), 1);
}

int api_metrics(struct api_call *c, struct err *err)
{
	struct store_status st;
	struct store_vuln_status v;
	struct store_check_counts checks;

	int r = store_status(c->api->store, &st, err);
	if (r >= 0)
		r = store_vuln_status(c->api->store, &v, err);
	if (r >= 0)
		r = store_check_counts(c->api->store, &checks, err);
	if (r < 0)
		return r;
	const struct {
		const char *name;
		enum prom_kind kind;
		const char *help;
		uint64_t value;
	} rows[] = {
		{ "picket_agents", PROM_GAUGE, "Enrolled agents.", st.agents },
		{ "picket_agents_online", PROM_GAUGE, "Agents heard of lately.", st.agents_online },
		{ "picket_alerts_open", PROM_GAUGE, "Alerts that nobody resolved.", st.alerts_open },
		{ "picket_history_events", PROM_GAUGE, "Events in the history.", st.events },
		{ "picket_records_produced_total", PROM_COUNTER, "Records the agents made.", st.produced },
		{ "picket_records_stored_total", PROM_COUNTER, "Records stored.", st.stored },
		{ "picket_records_lost_total", PROM_COUNTER, "Records counted as lost.", st.lost },
		{ "picket_agent_folded_total", PROM_COUNTER, "Matches that agents folded into one finding.",
		  st.folded },
		{ "picket_agent_actions_total", PROM_COUNTER, "Responses that agents did.", st.actions },
		{ "picket_history_bytes", PROM_GAUGE, "Size of the history.", st.history_bytes },
		{ "picket_state_bytes", PROM_GAUGE, "Size of the state database.", st.state_bytes },
		{ "picket_free_bytes", PROM_GAUGE, "Free space where the data is.", st.free_bytes },
		{ "picket_outbox_waiting", PROM_GAUGE, "Notifications not delivered yet.", st.outbox_waiting },
		{ "picket_outbox_dead", PROM_GAUGE, "Notifications given up.", st.outbox_dead },
		{ "picket_images", PROM_GAUGE, "Images whose inventory is stored.", v.images_known },
		{ "picket_images_running", PROM_GAUGE, "Images that run on some host.", v.images_running },
		{ "picket_images_dropped_total", PROM_COUNTER, "Images that nobody ran or saw for long.", v.images_dropped },
		{ "picket_vulnerabilities", PROM_GAUGE, "Vulnerabilities found in images.", v.vulns },
		{ "picket_vulnerabilities_exploited_running", PROM_GAUGE,
		  "Those known to be exploited, in images that run, accepted by nobody.", v.kev_running },
		{ "picket_packages_to_match", PROM_GAUGE, "Packages not yet matched against the newest data.",
		  v.packages_due },
		{ "picket_api_connections", PROM_GAUGE, "Open API connections.", c->api->conn_count },
		{ "picket_api_requests_total", PROM_COUNTER, "API requests.", c->api->requests },
		{ "picket_api_refused_total", PROM_COUNTER, "API requests and connections refused.",
		  c->api->refused },
	};
	c->type = "text/plain; version=0.0.4; charset=utf-8";
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		prom_one(&c->out, rows[i].name, rows[i].kind, rows[i].help, rows[i].value);
	prom_family(&c->out, "picket_agent_lost_total", PROM_COUNTER, "Records that agents counted as lost, by class.");
	prom_u64(&c->out, "picket_agent_lost_total", PROM_LABELS("class", "process"), st.lost_process);
	prom_u64(&c->out, "picket_agent_lost_total", PROM_LABELS("class", "rare"), st.lost_rare);
	prom_u64(&c->out, "picket_agent_lost_total", PROM_LABELS("class", "volume"), st.lost_volume);
	add_checks(&c->out, &checks);
	add_process(&c->out);
	if (c->api->ops.on_metrics)
		c->api->ops.on_metrics(c->api->arg, &c->out);
	return 0;
}
