/* reports.h - hand-made reports of checks, catalogues and containers, for the tests of whoever deals with them. */
#pragma once
#include "collector/store/store_checks.h"

#define REPORT_TEXT(s) ((char *)(uintptr_t)(s))
#define REPORT_KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* Of one subject; results are added with report_add. */
struct report {
	Picket__AuditReport m;
	Picket__AuditResult results[LIMIT_CHECKS], *list[LIMIT_CHECKS];
};

static inline void report_init(struct report *r, const char *kind, const char *id, const char *name, const char *image)
{
	r->m = (Picket__AuditReport)PICKET__AUDIT_REPORT__INIT;
	r->m.subject = REPORT_TEXT(kind);
	r->m.subject_id = REPORT_TEXT(id);
	r->m.subject_name = msg_bytes(slice_of(name));
	r->m.image = msg_bytes(slice_of(image));
	r->m.trigger = REPORT_TEXT("start");
	r->m.catalogue = REPORT_TEXT(REPORT_KEY);
	r->m.results = r->list;
}

static inline Picket__AuditResult *report_add(struct report *r, const char *check, const char *status,
					      const char *severity, const char *evidence)
{
	Picket__AuditResult *x = &r->results[r->m.n_results];

	*x = (Picket__AuditResult)PICKET__AUDIT_RESULT__INIT;
	r->list[r->m.n_results++] = x;
	x->check_id = REPORT_TEXT(check);
	x->status = REPORT_TEXT(status);
	x->severity = REPORT_TEXT(severity);
	x->evidence = msg_bytes(slice_of(evidence));
	x->fix = msg_bytes(SLICE_LIT("run it without"));
	return x;
}

static inline struct store_report report_put(struct store *s, const char *agent, struct report *r)
{
	struct store_report ret = { 0 };
	struct err err = { 0 };

	if (store_report_put(s, agent, 0, &r->m, &ret, &err) < 0)
		fail_msg("%s", err.msg);
	return ret;
}

/* Two checks' texts under REPORT_KEY; the store takes the key on trust, as its caller compared it. */
static inline void report_catalogue(struct store *s, const char *agent)
{
	static Picket__Check checks[2], *list[2];
	Picket__CheckCatalogue c = PICKET__CHECK_CATALOGUE__INIT;
	struct err err = { 0 };

	for (size_t i = 0; i < 2; i++) {
		checks[i] = (Picket__Check)PICKET__CHECK__INIT;
		list[i] = &checks[i];
		checks[i].subject = REPORT_TEXT("container");
	}
	checks[0].id = REPORT_TEXT("PKT-C-005");
	checks[0].title = REPORT_TEXT("The container is not privileged");
	checks[0].severity = REPORT_TEXT("critical");
	checks[0].cis = REPORT_TEXT("1.6: 5.4");
	checks[0].mitre = REPORT_TEXT("T1611");
	checks[0].why = REPORT_TEXT("A privileged container owns its host.");
	checks[0].fix = REPORT_TEXT("docker run without --privileged");
	checks[1].id = REPORT_TEXT("PKT-C-011");
	checks[1].title = REPORT_TEXT("Memory is limited");
	checks[1].severity = REPORT_TEXT("low");
	c.key = REPORT_TEXT(REPORT_KEY);
	c.checks = list;
	c.n_checks = 2;
	if (store_catalogue_put(s, agent, &c, &err) < 0)
		fail_msg("%s", err.msg);
}

/* A container that started, with what may be judged of it. */
struct report_container {
	Picket__Event event;
	Picket__Container container;
	Picket__ContainerConfig config;
	Picket__Mount mount, *mounts[1];
	Picket__Port port, *ports[1];
	char *caps[1];
	ProtobufCBinaryData networks[1];
};
static inline void report_container(struct report_container *c, const char *id, const char *name, const char *image)
{
	*c = (struct report_container){ .event = PICKET__EVENT__INIT, .container = PICKET__CONTAINER__INIT,
					.config = PICKET__CONTAINER_CONFIG__INIT, .mount = PICKET__MOUNT__INIT,
					.port = PICKET__PORT__INIT };
	c->event.type = PICKET__EVENT_TYPE__EVENT_CONTAINER_START;
	c->event.container = &c->container;
	c->container.id = REPORT_TEXT(id);
	c->container.name = msg_bytes(slice_of(name));
	c->container.image = msg_bytes(slice_of(image));
	c->container.image_id = REPORT_TEXT("sha256:1111");
	c->container.engine = REPORT_TEXT("docker");
	c->container.config = &c->config;
	c->config.mounts = c->mounts;
	c->config.n_mounts = 1;
	c->mounts[0] = &c->mount;
	c->mount.type = REPORT_TEXT("bind");
	c->mount.source = msg_bytes(SLICE_LIT("/etc"));
	c->mount.target = msg_bytes(SLICE_LIT("/host/etc"));
	c->mount.writable = true;
	c->config.ports = c->ports;
	c->config.n_ports = 1;
	c->ports[0] = &c->port;
	c->port.host_port = 8080;
	c->port.port = 80;
	c->port.protocol = REPORT_TEXT("tcp");
	c->config.cap_add = c->caps;
	c->config.n_cap_add = 1;
	c->caps[0] = REPORT_TEXT("SYS_ADMIN");
	c->config.networks = c->networks;
	c->config.n_networks = 1;
	c->networks[0] = msg_bytes(SLICE_LIT("bridge"));
	c->config.restart = REPORT_TEXT("always");
}
