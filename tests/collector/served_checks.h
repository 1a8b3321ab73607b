/* served_checks.h - containers, findings of checks, a waiver and a policy for the served API, with names made to harm. */
#pragma once
#include "tests/collector/people.h"
#include "tests/collector/reports.h"

#define SERVED_BOX  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SERVED_GOOD "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static inline void served_checks(struct store *s, const char *agent, const char *other)
{
	static struct report rep;
	struct report_container c;
	struct store_waiver w = { .check = "PKT-D-002", .subject = "", .host = "host-08", .reason = "an old engine\xe2\x80\xae",
				  .who = "anna", .until_unix_ns = clock_unix_ns(clock_real()) + 86400000000000ull };
	Picket__PolicyState st = PICKET__POLICY_STATE__INIT;
	int64_t id;

	report_catalogue(s, agent);
	report_container(&c, SERVED_BOX, "web-1", "nginx:1.25");
	c.container.privileged = true;
	c.container.user = msg_bytes(SLICE_LIT("app"));
	MUST(store_container_event(s, agent, &c.event, &must_err));
	report_container(&c, SERVED_GOOD, "good\033[2J", "nginx@sha256:00");
	c.config.n_mounts = 0;
	c.config.n_ports = 0;
	c.config.n_cap_add = 0;
	MUST(store_container_event(s, other, &c.event, &must_err));
	report_init(&rep, "container", SERVED_BOX, "web-1", "nginx:1.25");
	report_add(&rep, "PKT-C-005", "fail", "critical", "CapEff 3fffffffff")->differs = true;
	report_add(&rep, "PKT-C-011", "fail", "low", "no limit\033]0;owned\007");
	report_put(s, agent, &rep);
	report_init(&rep, "daemon", "/run/docker.sock", "docker", "");
	report_add(&rep, "PKT-D-002", "fail", "high", "icc is on");
	report_put(s, other, &rep);
	report_init(&rep, "container", SERVED_GOOD, "good\033[2J", "nginx@sha256:00");
	report_add(&rep, "PKT-C-012", "warn", "medium", "\xe2\x80\xae");
	report_put(s, other, &rep);
	MUST(store_waiver_add(s, &w, &id, &must_err));
	st.digest = REPORT_TEXT(REPORT_KEY);
	st.source = REPORT_TEXT("collector");
	st.mode = REPORT_TEXT("image=enforce network=off");
	st.error = REPORT_TEXT("policy.yaml:3:1: unknown key \033[2J");
	st.has_admission = true;
	st.denied = 4;
	MUST(store_policy_state_put(s, agent, &st, &must_err));
}
