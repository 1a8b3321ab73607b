/* test_netpol.c - network policies out of flows, to Kubernetes and back; judged by the policy's own judge. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/learn/netpol.h"
#include "common/policy/policy.h"

#define NOW 1796083200ull
#define HEAD "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\n"
#define WEB_ONLY HEAD "spec:\n  podSelector: {matchLabels: {app: web}}\n  policyTypes: [Egress]\n  egress:\n"

static const char *const l_web[] = { "app=web", "com.docker.compose.config-hash=0123456789abcdef", "maintainer=somebody",
				     "org.opencontainers.image.version=1.2", "note=not a label's value" };
static const char *const l_db[] = { "com.docker.compose.project=shop", "com.docker.compose.service=db",
				    "com.docker.compose.container-number=1" };
static const char *const l_db2[] = { "com.docker.compose.project=shop", "com.docker.compose.service=db" };
static const struct reach_member m_web[] = { { "front", "172.20.0.2", "fd00::2" } };
static const struct reach_member m_db[] = { { "front", "172.20.0.3", "" }, { "back", "172.21.0.3", "" } };
static const struct reach_member m_db2[] = { { "front", "172.20.0.4", "" } };
static const struct reach_member m_plain[] = { { "front", "172.20.0.9", "" } };

enum { WEB, DB, DB2, PLAIN, AGENT, COUNT };
static const struct reach_container containers[COUNT] = {
	[WEB] = { .name = "web", .network_mode = "front", .labels = { l_web, 5 }, .members = m_web, .member_count = 1 },
	[DB] = { .name = "shop-db-1", .network_mode = "front", .labels = { l_db, 3 }, .members = m_db, .member_count = 2 },
	[DB2] = { .name = "shop-db-2", .network_mode = "front", .labels = { l_db2, 2 }, .members = m_db2, .member_count = 1 },
	[PLAIN] = { .name = "plain", .network_mode = "front", .members = m_plain, .member_count = 1 },
	[AGENT] = { .name = "agent", .network_mode = "host" },
};
static const struct reach_flow flows[] = {
	{ .from = "web", .to = "shop-db-1", .to_address = "172.20.0.3", .port = 5432, .protocol = "tcp", .count = 9 },
	{ .from = "web", .to_address = "172.20.0.3", .port = 5433, .protocol = "tcp6", .count = 1 },
	{ .from = "web", .to_address = "93.184.216.34", .port = 443, .protocol = "tcp", .count = 2 },
	{ .from = "web", .to_address = "93.184.216.34", .port = 443, .protocol = "tcp", .count = 2 },
	{ .from = "web", .to_address = "2001:db8::7", .port = 443, .protocol = "udp", .count = 2 },
	{ .from = "web", .to_address = "127.0.0.11", .port = 53, .protocol = "udp", .count = 40 },
	{ .from = "web", .to = "agent", .to_address = "172.20.0.1", .port = 9100, .protocol = "tcp" },
	{ .from_address = "198.51.100.7", .to = "web", .port = 80, .protocol = "tcp" },
	{ .from = "shop-db-1", .to_address = "8.8.8.8", .port = 53, .protocol = "udp" },
	{ .from = "web", .to_address = "not an address", .port = 1, .protocol = "tcp" },
};

struct fix {
	struct arena *arena;
	struct buf out, notes;
	struct err err;
	struct reach_input in;
};

static int begin(void **state)
{
	struct fix *f = calloc(1, sizeof(*f));

	f->arena = arena_new(16 << 20);
	f->in = (struct reach_input){ .containers = containers, .container_count = COUNT, .flows = flows, .flow_count = ARRAY_LEN(flows) };
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fix *f = *state;

	arena_free(f->arena);
	buf_fini(&f->out);
	buf_fini(&f->notes);
	free(f);
	return 0;
}

static bool has(const struct buf *b, const char *s)
{
	return slice_find(buf_slice(b), slice_of(s)) >= 0;
}

static int import(struct fix *f, struct slice text)
{
	buf_reset(&f->out);
	buf_reset(&f->notes);
	return netpol_import(text, "np.yaml", &f->in, f->arena, &f->out, &f->notes, &f->err);
}

/* May container i, by the policy in out, reach the address? */
static bool may(struct fix *f, size_t i, const char *address)
{
	const struct reach_container *c = &f->in.containers[i];
	struct policy_workload w = { .name = c->name, .labels = { c->labels.v, c->labels.count }, .network_mode = c->network_mode };
	CLEANUP(policy_freep) struct policy *p = NULL;
	uint8_t a[16] = { 0 };
	bool is_v6 = inet_pton(AF_INET6, address, a) == 1;

	if (!is_v6)
		assert_int_equal(inet_pton(AF_INET, address, a), 1);
	if (policy_parse(buf_slice(&f->out), "out.yaml", &p, &f->err) < 0)
		fail_msg("%s in\n%s", f->err.msg, f->out.p);
	return policy_may_reach(p, &w, NOW, a, is_v6, NULL);
}

static void flows_become_a_network_policy(void **state)
{
	struct fix *f = *state;

	assert_int_equal(netpol_to_kubernetes(&f->in, WEB, f->arena, &f->out, &f->notes, &f->err), 0);
	assert_string_equal(f->out.p, "apiVersion: networking.k8s.io/v1\n"
				      "kind: NetworkPolicy\n"
				      "metadata:\n"
				      "  name: picket-web\n"
				      "spec:\n"
				      "  podSelector: {matchLabels: {\"app\": \"web\"}}\n"
				      "  policyTypes: [Ingress, Egress]\n"
				      "  ingress:\n"
				      "    - from:\n"
				      "        - ipBlock: {cidr: \"198.51.100.7/32\"}\n"
				      "      ports:\n"
				      "        - {protocol: TCP, port: 80}\n"
				      "  egress:\n"
				      "    - to:\n"
				      "        - podSelector: {matchLabels: {\"com.docker.compose.project\": \"shop\", \"com.docker.compose.service\": \"db\"}}\n"
				      "      ports:\n"
				      "        - {protocol: TCP, port: 5432}\n"
				      "        - {protocol: TCP, port: 5433}\n"
				      "    - to:\n"
				      "        - ipBlock: {cidr: \"172.20.0.1/32\"}\n"
				      "      ports:\n"
				      "        - {protocol: TCP, port: 9100}\n"
				      "    - to:\n"
				      "        - ipBlock: {cidr: \"2001:db8::7/128\"}\n"
				      "      ports:\n"
				      "        - {protocol: UDP, port: 443}\n"
				      "    - to:\n"
				      "        - ipBlock: {cidr: \"93.184.216.34/32\"}\n"
				      "      ports:\n"
				      "        - {protocol: TCP, port: 443}\n"
				      "    - to:\n"
				      "        - namespaceSelector: {matchLabels: {\"kubernetes.io/metadata.name\": \"kube-system\"}}\n"
				      "          podSelector: {matchLabels: {\"k8s-app\": \"kube-dns\"}}\n"
				      "      ports:\n"
				      "        - {protocol: UDP, port: 53}\n"
				      "        - {protocol: TCP, port: 53}\n");
	assert_true(has(&f->notes, "labels of shop-db-1 select shop-db-2, too"));
	assert_true(has(&f->notes, "1 flows have no address"));
}

static void out_and_in_again_gives_the_same_verdicts(void **state)
{
	static const struct {
		const char *address;
		bool may;
	} cases[] = {
		{ "172.20.0.3", true }, { "172.20.0.4", true /* the other replica */ }, { "93.184.216.34", true },
		{ "93.184.216.35", false }, { "2001:db8::7", true }, { "2001:db8::8", false }, { "172.20.0.1", true },
		{ "172.20.0.9", false }, { "8.8.8.8", false }, { "127.0.0.11", true }, { "::ffff:93.184.216.34", true },
	};
	struct fix *f = *state;
	CLEANUP(buf_finip) struct buf kubernetes = { 0 };

	assert_int_equal(netpol_to_kubernetes(&f->in, WEB, f->arena, &kubernetes, &f->notes, &f->err), 0);
	if (import(f, buf_slice(&kubernetes)) < 0)
		fail_msg("%s", f->err.msg);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (may(f, WEB, cases[i].address) != cases[i].may)
			fail_msg("%s in\n%s", cases[i].address, f->out.p);
	assert_true(may(f, PLAIN, "8.8.8.8")); /* not of the scope */
	assert_true(has(&f->notes, "namespaceSelector: there are no namespaces"));
	assert_true(has(&f->notes, "ingress: the policy judges"));
	assert_true(has(&f->notes, "ports: the policy has none"));
	/* straight to ours: the same, but for the replica nobody talked to */
	buf_reset(&f->out);
	assert_int_equal(netpol_to_policy(&f->in, WEB, f->arena, &f->out, &f->notes, &f->err), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (strcmp(cases[i].address, "172.20.0.4") != 0)
			assert_int_equal(may(f, WEB, cases[i].address), cases[i].may);
	assert_false(may(f, WEB, "172.21.0.3")); /* an address of db in a network web is not in */
	assert_true(has(&f->notes, "addresses of containers are those of now"));
}

static void what_was_never_seen_is_refused_and_told(void **state)
{
	struct fix *f = *state;

	assert_int_equal(netpol_to_kubernetes(&f->in, PLAIN, f->arena, &f->out, &f->notes, &f->err), 0);
	assert_true(has(&f->out, "ingress: []\n  egress: []\n"));
	assert_true(has(&f->notes, "nothing was seen of it"));
	assert_true(has(&f->notes, "plain has no label that stays: give its pod app: \"plain\""));
	buf_reset(&f->out);
	assert_int_equal(netpol_to_policy(&f->in, PLAIN, f->arena, &f->out, &f->notes, &f->err), 0);
	assert_false(may(f, PLAIN, "172.20.0.3"));
	assert_int_equal(netpol_to_policy(&f->in, COUNT, f->arena, &f->out, &f->notes, &f->err), -ERR_NOT_FOUND);
}

static void blocks_add_up_as_in_kubernetes(void **state)
{
	static const struct {
		const char *egress, *yes, *no; /* addresses, by blanks */
	} cases[] = {
		{ "  - to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]\n", "10.0.0.1 10.2.0.1", "10.1.0.1 11.0.0.1 fd00::1" },
		{ "  - to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]\n  - to: [{ipBlock: {cidr: 10.1.0.0/16}}]\n", "10.0.0.1 10.1.0.1", "11.0.0.1" },
		{ "  - to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}, {ipBlock: {cidr: 10.1.2.0/24, except: [10.1.2.128/25]}}]\n",
		  "10.1.2.1 10.9.9.9", "10.1.2.200 10.1.3.1" },
		{ "  - to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}, {ipBlock: {cidr: 10.1.0.0/16, except: [10.1.2.0/24]}}]\n",
		  "10.1.1.1 10.2.0.1", "10.1.2.1" },
		{ "  - to: [{ipBlock: {cidr: 10.1.0.0/16, except: [10.1.2.0/24]}}]\n  - {}\n", "10.1.2.1 8.8.8.8 fd00::1", "" },
		{ "  - to: [{ipBlock: {cidr: '::/0', except: ['fd00::/8']}}]\n", "2001:db8::1", "fd00::1 10.0.0.1" },
		{ "  - to: [{ipBlock: {cidr: 10.1.2.3/8}}]\n", "10.0.0.1", "11.0.0.1" },
		{ "  - to: [{podSelector: {}}]\n", "172.20.0.2 172.20.0.3 172.21.0.3 fd00::2", "172.20.0.1" },
		{ "  - to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: web}}}]\n", "172.20.0.2", "172.20.0.3" },
		{ "  - to: [{podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}, {key: com.docker.compose.service, operator: NotIn, values: [db]}]}}]\n",
		  "172.20.0.9", "172.20.0.2 172.20.0.3" },
		{ "  - to: [{namespaceSelector: {matchLabels: {a: b}}}]\n", "", "172.20.0.2 8.8.8.8" },
	};
	struct fix *f = *state;
	char text[1024], address[64];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), "%s%s", WEB_ONLY, cases[i].egress);
		if (import(f, slice_of(text)) < 0)
			fail_msg("%s", f->err.msg);
		for (int want = 0; want < 2; want++) {
			struct slice rest = slice_of(want ? cases[i].yes : cases[i].no), word;

			while (slice_split(&rest, ' ', &word)) {
				slice_copy(word, address, sizeof(address));
				if (address[0] && may(f, WEB, address) != want)
					fail_msg("%s of %s gave\n%s", address, cases[i].egress, f->out.p);
			}
		}
	}
}

static void selectors_become_scopes(void **state)
{
	static const struct {
		const char *spec, *match, *note;
	} cases[] = {
		{ "{podSelector: {}, egress: [{}]}", "match: {name: \"*\"}", "ingress" },
		{ "{podSelector: {matchLabels: {app: web}}, policyTypes: [Egress]}", "match: {label: [\"app=web\"]}", "" },
		{ "{podSelector: {matchExpressions: [{key: app, operator: In, values: [web, api]}]}, policyTypes: [Egress]}",
		  "match: {label: [\"app=web\", \"app=api\"]}", "" },
		{ "{podSelector: {matchExpressions: [{key: app, operator: Exists}]}, policyTypes: [Egress]}", "match: {label: \"app\"}", "" },
		{ "{podSelector: {matchLabels: {com.docker.compose.project: shop, com.docker.compose.service: db}}, policyTypes: [Egress]}",
		  "match: {name: [\"shop-db-1\", \"shop-db-2\"]}", "are named instead" },
		{ "{podSelector: {matchLabels: {a: b, c: d}}, policyTypes: [Egress]}", NULL, "nothing comes of the policy" },
		{ "{podSelector: {}, ingress: [{from: [{podSelector: {}}], ports: [{port: http}]}]}", NULL, "egress is not restricted" },
	};
	struct fix *f = *state;
	char text[512];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), HEAD "spec: %s\n", cases[i].spec);
		if (import(f, slice_of(text)) < 0)
			fail_msg("%s", f->err.msg);
		if (cases[i].match ? !has(&f->out, cases[i].match) : f->out.n)
			fail_msg("%s gave\n%s", cases[i].spec, f->out.n ? f->out.p : "");
		if (cases[i].note[0] ? !has(&f->notes, cases[i].note) : f->notes.n)
			fail_msg("%s noted\n%s", cases[i].spec, f->notes.n ? f->notes.p : "");
		if (cases[i].match)
			may(f, WEB, "10.0.0.1");
	}
}

static void what_is_wrong_has_a_place(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "", "np.yaml:1:1: no NetworkPolicy in it" },
		{ "[]", "np.yaml:1:1: a NetworkPolicy must be a mapping" },
		{ "kind: NetworkPolicy\n", "np.yaml:1:1: 'apiVersion: networking.k8s.io/v1' is missing" },
		{ "apiVersion: networking.k8s.io/v1\nkind: List\n", "np.yaml:2:7: 'kind' must be NetworkPolicy, not 'List'" },
		{ HEAD, "np.yaml:1:1: 'spec' is missing" },
		{ HEAD "spec: {}\n", "np.yaml:4:7: 'podSelector' is missing ({} for all)" },
		{ HEAD "spec: {podSelector: {}, egres: []}\n", "np.yaml:4:25: unknown key 'egres' in spec, did you mean 'egress'?" },
		{ HEAD "spec: {podSelector: {matchLabels: {\"a\\nb\": c}}}\n", "np.yaml:4:36: not the key of a label" },
		{ HEAD "spec: {podSelector: {matchLabels: {a: \"*\"}}}\n", "np.yaml:4:39: not the value of a label" },
		{ HEAD "spec: {podSelector: {}, policyTypes: [Both]}\n", "np.yaml:4:39: 'policyTypes' are Ingress and Egress" },
		{ WEB_ONLY "  - to: [{ipBlock: {cidr: 10.0.0.0}}]\n", "np.yaml:8:27: not a prefix (10.0.0.0/8)" },
		{ WEB_ONLY "  - to: [{ipBlock: {cidr: 10.0.0.0/33}}]\n", "np.yaml:8:27: not a prefix (10.0.0.0/8)" },
		{ WEB_ONLY "  - to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}}]\n", "np.yaml:8:48: 'except' must lie within 'cidr', and be smaller" },
		{ WEB_ONLY "  - to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}]\n", "np.yaml:8:48: 'except' must lie within 'cidr', and be smaller" },
		{ WEB_ONLY "  - to: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]\n", "np.yaml:8:11: 'ipBlock' stands alone in a peer" },
		{ WEB_ONLY "  - to: [{}]\n", "np.yaml:8:10: a peer needs ipBlock, podSelector or namespaceSelector" },
		{ WEB_ONLY "  - ports: [{port: 70000}]\n", "np.yaml:8:20: ports are 1 to 65535" },
		{ WEB_ONLY "  - ports: [{port: 80, endPort: 79}]\n", "np.yaml:8:33: 'endPort' needs a 'port' that is a number and not above it" },
		{ WEB_ONLY "  - ports: [{protocol: ICMP}]\n", "np.yaml:8:24: 'protocol' is one of TCP, UDP, SCTP" },
		{ HEAD "spec: {podSelector: {}, ingress: [{from: [{ipBlock: {}}]}]}\n", "np.yaml:4:53: 'cidr' is missing" },
		{ "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: 'a\"b'}\nspec: {podSelector: {}}\n", "np.yaml:3:18: not a name" },
		{ HEAD "spec: &a {podSelector: {}}\n", "np.yaml:4:" },
		{ HEAD "spec: {podSelector: {}}\n---\n" HEAD, "np.yaml:" },
	};
	struct fix *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(import(f, slice_of(cases[i].text)), -ERR_SYNTAX);
		if (!slice_starts(slice_of(f->err.msg), slice_of(cases[i].message)))
			fail_msg("'%s' instead of '%s'", f->err.msg, cases[i].message);
		assert_int_equal(f->out.n, 0);
	}
}

static void hostile_containers_do_no_harm(void **state)
{
	static const char *const labels[] = { "app=\"}}\nevil: 1", "a\nb=c", "=", "", "app", "no-value=", "x=0123456789abcdef" };
	static const struct reach_member members[] = { { NULL, "10.0.0.0/0", "zz" }, { "n", NULL, NULL } };
	static const struct reach_container odd[] = {
		{ .name = "a\": x\n", .labels = { labels, 7 }, .members = members, .member_count = 2 },
		{ .name = "b", .members = members, .member_count = 2 },
		{ .name = NULL },
	};
	static const struct reach_flow seen[] = {
		{ .from = "b", .to = "a\": x\n", .port = 1, .protocol = "icmp\n" },
		{ .from = "b", .to_address = "0.0.0.0/0", .port = 1, .protocol = "tcp" },
	};
	struct fix *f = *state;

	f->in = (struct reach_input){ .containers = odd, .container_count = 3, .flows = seen, .flow_count = 2 };
	assert_int_equal(netpol_to_kubernetes(&f->in, 0, f->arena, &f->out, &f->notes, &f->err), 0);
	assert_true(has(&f->out, "podSelector: {matchLabels: {\"app\": \"unnamed\"}}"));
	assert_false(has(&f->out, "evil"));
	assert_int_equal(netpol_to_policy(&f->in, 0, f->arena, &f->out, &f->notes, &f->err), -ERR_SYNTAX);
	buf_reset(&f->out);
	assert_int_equal(netpol_to_policy(&f->in, 1, f->arena, &f->out, &f->notes, &f->err), 0);
	assert_true(has(&f->out, "whitelist: []"));
	assert_int_equal(import(f, SLICE_LIT(HEAD "spec: {podSelector: {}, egress: [{to: [{podSelector: {}}]}]}\n")), 0);
	assert_true(has(&f->out, "whitelist: []"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(flows_become_a_network_policy, begin, end),
		cmocka_unit_test_setup_teardown(out_and_in_again_gives_the_same_verdicts, begin, end),
		cmocka_unit_test_setup_teardown(what_was_never_seen_is_refused_and_told, begin, end),
		cmocka_unit_test_setup_teardown(blocks_add_up_as_in_kubernetes, begin, end),
		cmocka_unit_test_setup_teardown(selectors_become_scopes, begin, end),
		cmocka_unit_test_setup_teardown(what_is_wrong_has_a_place, begin, end),
		cmocka_unit_test_setup_teardown(hostile_containers_do_no_harm, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
