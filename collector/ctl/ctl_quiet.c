/* ctl_quiet.c - inhibition list, escalation list. */
#include "collector/ctl/ctl.h"

static const struct ctl_column inhibited[] = {
	{ .title = "ALERT", .path = "alert" },
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "TITLE", .path = "title", .may_shrink = true },
	{ .title = "BY", .path = "by.alert" },
	{ .title = "WHICH_IS", .path = "by.title", .may_shrink = true },
	{ .title = "SINCE", .path = "since" },
	{ .title = "RULE", .path = "rule", .is_wide = true },
	{ .title = "HOST", .path = "host", .is_wide = true },
	{ .title = "BY_RULE", .path = "by.rule", .is_wide = true },
	{ .title = "BY_HOST", .path = "by.host", .is_wide = true },
};
static const struct ctl_view inhibitions = { .path = "/api/v1/inhibitions", .columns = inhibited,
					     .column_count = ARRAY_LEN(inhibited) };

static const struct ctl_column escalating[] = {
	{ .title = "DUE", .path = "due" },
	{ .title = "POLICY", .path = "policy" },
	{ .title = "TOLD", .path = "told" },
	{ .title = "ALERT", .path = "alert" },
	{ .title = "SEVERITY", .path = "severity" },
	{ .title = "TITLE", .path = "title", .may_shrink = true },
	{ .title = "RULE", .path = "rule", .is_wide = true },
	{ .title = "HOST", .path = "host", .is_wide = true },
};
static const struct ctl_view escalations = { .path = "/api/v1/escalations", .columns = escalating,
					     .column_count = ARRAY_LEN(escalating) };

int ctl_inhibition_list(struct ctl *c, struct err *err)
{
	return ctl_list(c, &inhibitions, err);
}

int ctl_escalation_list(struct ctl *c, struct err *err)
{
	return ctl_list(c, &escalations, err);
}
