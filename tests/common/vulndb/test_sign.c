/* sign: a database is what its signer saw, or it is refused. */
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "tests/common/vulndb/fixture.h"

static char private_pem[2][512], public_pem[2][512], rsa_pem[4096];

static void put_pem(EVP_PKEY *key, bool is_private, char *to, size_t size)
{
	BIO *b = BIO_new(BIO_s_mem());

	if (is_private)
		PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL);
	else
		PEM_write_bio_PUBKEY(b, key);
	int n = BIO_read(b, to, (int)size - 1);
	assert_true(n > 0);
	to[n] = 0;
	BIO_free(b);
}

static int make_keys(void **state)
{
	for (int i = 0; i < 2; i++) {
		EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

		put_pem(k, true, private_pem[i], sizeof(private_pem[i]));
		put_pem(k, false, public_pem[i], sizeof(public_pem[i]));
		EVP_PKEY_free(k);
	}
	EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	put_pem(rsa, true, rsa_pem, sizeof(rsa_pem));
	EVP_PKEY_free(rsa);
	return 0;
}

static const char record[] = "{\"id\":\"A-1\",\"affected\":[{\"package\":{\"ecosystem\":\"npm\",\"name\":\"a\"},\"versions\":[\"1\"]}]}";

static void signed_database(struct fixture *f)
{
	fixture_text(f, "a.json", record);
	assert_int_equal(vulndb_sign(f->db, private_pem[0], &f->err), 0);
}

static int open_with(struct fixture *f, const char *pem)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;

	f->err = (struct err){ 0 };
	return vulndb_open(f->db, pem, &db, &f->err);
}

static void a_right_signature_opens(void **state)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct fixture *f = *state;
	struct vulndb_info info;
	const struct vulndb_package p = { .ecosystem = SLICE_LIT("npm"), .name = SLICE_LIT("a"), .version = SLICE_LIT("1") };

	signed_database(f);
	assert_int_equal(vulndb_open(f->db, public_pem[0], &db, &f->err), 0);
	assert_int_equal(vulndb_status(db, &info, NULL, NULL, &f->err), 0);
	assert_true(info.is_signed);
	assert_int_equal(vulndb_match(db, &no_os, &p, 1, put_found, &f->found, &f->err), 0);
	assert_int_equal(f->found.n > 0, 1);
}

static void another_key_or_none_is_refused(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "a.json", record);
	assert_int_equal(open_with(f, public_pem[0]), -ERR_CORRUPT);
	assert_non_null(strstr(f->err.msg, "not signed"));
	signed_database(f);
	assert_int_equal(open_with(f, public_pem[1]), -ERR_CORRUPT);
	assert_int_equal(open_with(f, "no key"), -ERR_CRYPTO);
	assert_int_equal(open_with(f, private_pem[0]), -ERR_CRYPTO);
	assert_int_equal(vulndb_sign(f->db, public_pem[0], &f->err), -ERR_CRYPTO);
	assert_int_equal(vulndb_sign(f->db, rsa_pem, &f->err), -ERR_CRYPTO);
	assert_int_equal(vulndb_sign("/nowhere/v.db", private_pem[0], &f->err), -ENOENT);
}

static void a_changed_byte_is_refused(void **state)
{
	struct fixture *f = *state;
	struct buf b;

	signed_database(f);
	assert_int_equal(file_read(f->db, 16 << 20, &b, NULL), 0);
	for (size_t i = 0; i < b.n; i += b.n / 7) {
		b.p[i] ^= 1;
		assert_int_equal(file_write_atomic(f->db, buf_slice(&b), 0644, NULL), 0);
		assert_int_equal(open_with(f, public_pem[0]), -ERR_CORRUPT);
		b.p[i] ^= 1;
	}
	assert_int_equal(file_write_atomic(f->db, slice_sub(buf_slice(&b), 0, b.n - 1), 0644, NULL), 0);
	assert_int_equal(open_with(f, public_pem[0]), -ERR_CORRUPT);
	assert_int_equal(file_write_atomic(f->db, buf_slice(&b), 0644, NULL), 0);
	assert_int_equal(open_with(f, public_pem[0]), 0);
	buf_fini(&b);
}

static void an_import_after_the_signature_is_refused(void **state)
{
	struct fixture *f = *state;

	signed_database(f);
	fixture_text(f, "e.csv", "cve,epss,percentile\nCVE-2024-0001,0.5,0.9\n");
	assert_int_equal(open_with(f, public_pem[0]), -ERR_CORRUPT);
	assert_int_equal(vulndb_sign(f->db, private_pem[0], &f->err), 0);
	assert_int_equal(open_with(f, public_pem[0]), 0);
}

/* While this reader is in the middle, an import's pages stay in the journal beside the file. */
static int open_beside_journal(void *arg, size_t package, const struct vulndb_found *found)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct fixture *f = arg;
	uint64_t generation = 0;
	struct stat st;
	char wal[128];

	fixture_text(f, "e.csv", "cve,epss,percentile\nCVE-2024-0001,0.5,0.9\n");
	snprintf(wal, sizeof(wal), "%s-wal", f->db);
	assert_int_equal(stat(wal, &st), 0);
	assert_true(st.st_size > 0);
	assert_int_equal(vulndb_open(f->db, public_pem[0], &db, &f->err), 0);
	assert_int_equal(vulndb_generation(db, &generation, &f->err), 0);
	assert_int_equal(generation, 1); /* what was signed */
	return 0;
}

/* SQLite would play it into the file: whoever can write there could add what nobody signed. */
static void a_journal_beside_the_file_is_not_looked_at(void **state)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct fixture *f = *state;
	const struct vulndb_package p = { .ecosystem = SLICE_LIT("npm"), .name = SLICE_LIT("a"), .version = SLICE_LIT("1") };

	signed_database(f);
	assert_int_equal(vulndb_open(f->db, NULL, &db, &f->err), 0);
	assert_int_equal(vulndb_match(db, &no_os, &p, 1, open_beside_journal, f, &f->err), 0);
}

static void a_file_changed_under_a_signed_handle_is_told(void **state)
{
	CLEANUP(vulndb_closep) struct vulndb *db = NULL;
	struct fixture *f = *state;
	uint64_t generation;

	signed_database(f);
	assert_int_equal(vulndb_open(f->db, public_pem[0], &db, &f->err), 0);
	assert_int_equal(vulndb_generation(db, &generation, &f->err), 0);
	fixture_text(f, "e.csv", "cve,epss,percentile\nCVE-2024-0001,0.5,0.9\n");
	assert_int_equal(vulndb_generation(db, &generation, &f->err), -ESTALE);
}

static void a_hostile_signature_file_is_refused(void **state)
{
	static const char *const rows[] = { "", "\n", "signature \n", "x\nsignature AAAA\n",
					    "picket vulnerability database, signature 1\ngeneration 1\nsha256 00\nsignature !!!\n" };
	struct fixture *f = *state;
	CLEANUP(freep) char *big = malloc(100000);

	signed_database(f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fixture_write(f, "v.db.sig", rows[i]);
		assert_int_equal(open_with(f, public_pem[0]), -ERR_CORRUPT);
	}
	memset(big, 'a', 99999);
	big[99999] = 0;
	fixture_write(f, "v.db.sig", big);
	assert_int_equal(open_with(f, public_pem[0]), -ERR_LIMIT);
}

static void a_reader_without_write_access_opens_it(void **state)
{
	struct fixture *f = *state;

	fixture_text(f, "a.json", record);
	assert_int_equal(chmod(f->dir, 0555), 0);
	if (geteuid() == 0 && setresuid(65534, 65534, 0) != 0)
		skip();
	int r = open_with(f, NULL);
	if (geteuid() == 65534)
		assert_int_equal(setresuid(0, 0, 0), 0);
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(r, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_open, fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_right_signature_opens),
		T(another_key_or_none_is_refused),
		T(a_changed_byte_is_refused),
		T(an_import_after_the_signature_is_refused),
		T(a_journal_beside_the_file_is_not_looked_at),
		T(a_file_changed_under_a_signed_handle_is_told),
		T(a_hostile_signature_file_is_refused),
		T(a_reader_without_write_access_opens_it),
	};

	return cmocka_run_group_tests(tests, make_keys, NULL);
}
