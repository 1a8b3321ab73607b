/* Keys, certificates and the small CA. */
#include "common/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>

#include "common/tls_priv.h"
#include "tests/common/pki.h"

#define SIGN(how, csr, out, err)                                                               \
	tls_sign(buf_slice(&pki.ca.cert), buf_slice(&pki.ca.key), csr, how, clock_real(), out, \
		 NULL, err)

static struct pki pki;

static int setup(void **state)
{
	pki_init(&pki);
	return 0;
}

static int teardown(void **state)
{
	pki_fini(&pki);
	return 0;
}

static void an_agents_certificate_carries_its_id_serial_and_dates(void **state)
{
	struct pki_pair agent;
	struct tls_identity id, again;
	uint64_t now = clock_unix_ns(clock_real()) / 1000000000;

	pki_leaf(&pki.ca, TLS_ROLE_AGENT, "host-1.example_A", -3600, 7200, &agent);
	assert_int_equal(tls_cert_identity(buf_slice(&agent.cert), &id, NULL), 0);
	assert_string_equal(id.agent_id, "host-1.example_A");
	assert_string_equal(id.subject, "host-1.example_A");
	assert_int_equal(strlen(id.serial), 32);
	assert_in_range(id.not_before_unix, now - 3602, now - 3599);
	assert_in_range(id.not_after_unix, now + 7198, now + 7201);
	assert_int_equal(tls_key_matches(buf_slice(&agent.cert), buf_slice(&agent.key), NULL), 0);
	assert_int_equal(tls_key_matches(buf_slice(&pki.ca.cert), buf_slice(&agent.key), NULL),
			 -ERR_CRYPTO);
	pki_pair_fini(&agent);
	pki_agent(&pki, "host-1.example_A", &agent);
	assert_int_equal(tls_cert_identity(buf_slice(&agent.cert), &again, NULL), 0);
	assert_string_not_equal(id.serial, again.serial);
	pki_pair_fini(&agent);
}

static void a_server_certificate_names_no_agent(void **state)
{
	struct tls_identity id;

	assert_int_equal(tls_cert_identity(buf_slice(&pki.server.cert), &id, NULL), 0);
	assert_string_equal(id.agent_id, "");
	assert_string_equal(id.subject, "localhost");
}

static void the_chain_ends_with_the_pinned_ca(void **state)
{
	STACK_OF(X509) *chain = NULL;
	uint8_t pin[TLS_PIN_BYTES];

	assert_int_equal(tls_read_chain(buf_slice(&pki.server.cert), &chain, NULL), 0);
	assert_int_equal(sk_X509_num(chain), 2);
	tls_x509_pin(sk_X509_value(chain, 1), pin);
	assert_true(tls_equal(pin, pki.pin, sizeof(pin)));
	sk_X509_pop_free(chain, X509_free);
}

static void wrong_names_are_not_signed(void **state)
{
	static const char *const ids[] = {"",
					  "a b",
					  "../../etc",
					  "a\nb",
					  "x/y",
					  "caf\xc3\xa9",
					  "0123456789012345678901234567890123456789012345678901234"
					  "567890123"};
	static const char *const alts[] = {"", "a,DNS:evil", "host name", "300.1.1.1\n"};
	struct tls_sign how = {.role = TLS_ROLE_AGENT, .common_name = "x", .valid_for_s = 60};
	struct buf csr, out;
	struct err err;

	assert_int_equal(tls_csr_new(buf_slice(&pki.server.key), "x", &csr, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		how.agent_id = ids[i];
		assert_int_equal(SIGN(&how, buf_slice(&csr), &out, &err), -EINVAL);
	}
	how.agent_id = NULL;
	assert_int_equal(SIGN(&how, buf_slice(&csr), &out, &err), -EINVAL);
	how.role = TLS_ROLE_SERVER;
	for (size_t i = 0; i < ARRAY_LEN(alts); i++) {
		const char *const list[] = {alts[i], NULL};
		how.alt_names = list;
		assert_int_equal(SIGN(&how, buf_slice(&csr), &out, &err), -EINVAL);
	}
	buf_fini(&csr);
}

static void only_the_public_key_of_a_request_is_taken(void **state)
{
	struct tls_sign how = {.role = TLS_ROLE_AGENT,
			       .common_name = "given",
			       .agent_id = "given",
			       .valid_for_s = 60};
	struct buf csr, out;
	struct tls_identity id;

	assert_int_equal(tls_csr_new(buf_slice(&pki.server.key), "asked", &csr, NULL), 0);
	assert_int_equal(SIGN(&how, buf_slice(&csr), &out, NULL), 0);
	assert_int_equal(tls_cert_identity(buf_slice(&out), &id, NULL), 0);
	assert_string_equal(id.subject, "given");
	assert_int_equal(tls_key_matches(buf_slice(&out), buf_slice(&pki.server.key), NULL), 0);
	buf_fini(&out);
	buf_fini(&csr);
}

/* Bytes of a request changed one at a time: either it is refused or (a change in the PEM's blanks)
 * means the same; it must never crash nor certify another key. */
static void a_damaged_request_is_refused(void **state)
{
	struct tls_sign how = {
		.role = TLS_ROLE_AGENT, .common_name = "a", .agent_id = "a", .valid_for_s = 60};
	struct buf csr, out;
	unsigned refused = 0;

	assert_int_equal(tls_csr_new(buf_slice(&pki.server.key), "a", &csr, NULL), 0);
	for (size_t i = 0; i < csr.n; i += 7) {
		char old = csr.p[i];

		csr.p[i] = old == 'A' ? 'B' : 'A';
		if (SIGN(&how, buf_slice(&csr), &out, NULL) < 0)
			refused++;
		else
			assert_int_equal(
				tls_key_matches(buf_slice(&out), buf_slice(&pki.server.key), NULL),
				0);
		buf_fini(&out);
		csr.p[i] = old;
	}
	assert_true(refused > csr.n / 7 - 8);
	assert_int_equal(SIGN(&how, SLICE_NONE, &out, NULL), -ERR_CRYPTO);
	assert_int_equal(SIGN(&how, SLICE_LIT("garbage"), &out, NULL), -ERR_CRYPTO);
	buf_fini(&csr);
}

static void text_that_is_no_pem_is_an_error_with_a_reason(void **state)
{
	static const char *const bad[] = {"", "x", "-----BEGIN CERTIFICATE-----\n",
					  "-----BEGIN CERTIFICATE-----\nAAAA\n-----END "
					  "CERTIFICATE-----\n"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct tls_identity id;
		uint8_t pin[TLS_PIN_BYTES];
		struct err err = {0};

		assert_int_equal(tls_cert_identity(slice_of(bad[i]), &id, &err), -ERR_CRYPTO);
		assert_true(strlen(err.msg) > 10);
		assert_int_equal(tls_cert_pin(slice_of(bad[i]), pin, NULL), -ERR_CRYPTO);
	}
}

static void the_ca_may_sign_leaves_only(void **state)
{
	X509 *ca = NULL;

	assert_int_equal(tls_read_cert(buf_slice(&pki.ca.cert), &ca, NULL), 0);
	assert_int_equal(X509_check_ca(ca), 1);
	assert_int_equal(X509_get_pathlen(ca), 0);
	assert_int_equal(X509_get_key_usage(ca), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	X509_free(ca);
}

static void digests_are_the_published_ones(void **state)
{
	uint8_t d[32];

	/* RFC 4231, case 2; FIPS 180 "abc" */
	tls_hmac(SLICE_LIT("Jefe"), SLICE_LIT("what do ya want for nothing?"), d);
	assert_memory_equal(d, "\x5b\xdc\xc1\x46\xbf\x60\x75\x4e\x6a\x04\x24\x26\x08\x95\x75\xc7",
			    16);
	tls_sha256(SLICE_LIT("abc"), d);
	assert_memory_equal(d, "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23",
			    16);
	tls_hmac(SLICE_NONE, SLICE_NONE, d);
	tls_sha256(SLICE_NONE, d);
	assert_true(tls_equal(d, d, sizeof(d)));
	assert_false(tls_equal("a", "b", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_agents_certificate_carries_its_id_serial_and_dates),
		cmocka_unit_test(a_server_certificate_names_no_agent),
		cmocka_unit_test(the_chain_ends_with_the_pinned_ca),
		cmocka_unit_test(wrong_names_are_not_signed),
		cmocka_unit_test(only_the_public_key_of_a_request_is_taken),
		cmocka_unit_test(a_damaged_request_is_refused),
		cmocka_unit_test(text_that_is_no_pem_is_an_error_with_a_reason),
		cmocka_unit_test(the_ca_may_sign_leaves_only),
		cmocka_unit_test(digests_are_the_published_ones),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
