/* latency.c - see latency.h. */
#include "agent/audit/live/latency.h"

void latency_count(struct audit_live_stats *s, uint64_t took_ns)
{
	s->starts++;
	s->late += took_ns > LATENCY_LATE_NS;
	s->last_took_ns = took_ns;
	s->sum_took_ns += took_ns;
	if (took_ns > s->worst_took_ns)
		s->worst_took_ns = took_ns;
}

void latency_write(const struct audit_live_stats *s, struct json *j)
{
	json_kv_u64(j, "audits", s->audits);
	json_kv_u64(j, "reports", s->reports);
	json_kv_u64(j, "failed", s->failed);
	json_kv_u64(j, "killed", s->killed);
	json_kv_u64(j, "waiting", s->waiting);
	json_kv_u64(j, "images", s->images);
	json_kv_u64(j, "starts", s->starts);
	json_kv_u64(j, "late", s->late);
	json_kv_u64(j, "late_after_us", LATENCY_LATE_NS / 1000);
	json_kv_u64(j, "mean_took_us", s->starts ? s->sum_took_ns / s->starts / 1000 : 0);
	json_kv_u64(j, "last_took_us", s->last_took_ns / 1000);
	json_kv_u64(j, "worst_took_us", s->worst_took_ns / 1000);
	json_kv_str(j, "why", s->why);
}
