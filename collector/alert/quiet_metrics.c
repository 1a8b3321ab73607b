/* quiet_metrics.c - how much is not told, and how much is not acknowledged, for Prometheus. */
#include "collector/alert/quiet.h"
#include "collector/store/store_quiet_list.h"
#include "common/prom.h"

void alert_quiet_metrics(struct store *s, struct buf *out)
{
	struct store_quiet_counts n;

	if (store_quiet_counts(s, &n, NULL) < 0)
		return;
	prom_family(out, "picket_silences", PROM_GAUGE, "Silences by state: active, or to come.");
	prom_u64(out, "picket_silences", PROM_LABELS("state", "active"), n.silences);
	prom_u64(out, "picket_silences", PROM_LABELS("state", "to_come"), n.silences_to_come);
	prom_one(out, "picket_silence_matches", PROM_GAUGE, "Alerts that the active silences matched.", n.silence_hits);
	prom_one(out, "picket_exceptions", PROM_GAUGE, "Exceptions in force.", n.exceptions);
	prom_one(out, "picket_exception_matches", PROM_GAUGE, "Findings that the exceptions in force matched.", n.exception_hits);
	prom_family(out, "picket_alerts_held", PROM_GAUGE, "Alerts that are not told while something holds them back.");
	prom_u64(out, "picket_alerts_held", PROM_LABELS("by", "silence"), n.silenced);
	prom_u64(out, "picket_alerts_held", PROM_LABELS("by", "inhibition"), n.inhibited);
	prom_one(out, "picket_escalations_waiting", PROM_GAUGE, "Escalations that run: alerts nobody acknowledged, by policy.", n.escalating);
}
