/* fleet_identity.c - see fleet_identity.h. The file: "AGENT ID HOST", its certificate, its key, and so on. */
#include "tests/fleet/fleet_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>

#include "collector/store/store.h"
#include "common/file.h"
#include "common/tls.h"

enum { PEM_MAX = 65536, VALID_S = 90 * 86400 };

static void name_agent(unsigned i, char id[37], char host[32])
{
	snprintf(id, 37, "51300000-0000-4000-8000-%012x", i);
	snprintf(host, 32, "sim-%04u", i);
}

static int make_one(struct store *s, struct slice ca, struct slice ca_key, unsigned i, FILE *f, struct err *err)
{
	CLEANUP(buf_finip) struct buf key = { 0 };
	CLEANUP(buf_finip) struct buf csr = { 0 };
	CLEANUP(buf_finip) struct buf cert = { 0 };
	char id[37], host[32], serial[TLS_SERIAL_MAX];

	name_agent(i, id, host);
	struct tls_sign how = { .role = TLS_ROLE_AGENT,
				.common_name = host,
				.agent_id = id,
				.valid_from_s = -3600,
				.valid_for_s = VALID_S };
	int r = tls_key_new(&key, err);
	if (r >= 0)
		r = tls_csr_new(buf_slice(&key), host, &csr, err);
	if (r >= 0)
		r = tls_sign(ca, ca_key, buf_slice(&csr), &how, clock_real(), &cert, serial, err);
	if (r < 0)
		return r;
	uint64_t now = clock_unix_ns(clock_real());
	struct store_agent a = { .id = id, .host = host, .serial = serial, .machine_id = id, .enrolled_unix_ns = now,
				 .cert_not_after_unix_ns = now + VALID_S * 1000000000ull };
	fprintf(f, "AGENT %s %s\n%.*s%.*s", id, host, (int)cert.n, cert.p, (int)key.n, key.p);
	return store_agent_enrol(s, &a, err);
}

static int make_all(struct store *s, struct slice ca, struct slice ca_key, unsigned count, FILE *f, struct err *err)
{
	int r = store_begin(s, err);

	for (unsigned i = 0; i < count && r >= 0; i++)
		r = make_one(s, ca, ca_key, i, f, err);
	return store_end(s, r, err);
}

int identity_make(const char *ca_file, const char *ca_key_file, const char *data_dir, unsigned count, const char *path,
		  struct err *err)
{
	CLEANUP(store_closep) struct store *s = NULL;
	CLEANUP(buf_finip) struct buf ca = { 0 };
	CLEANUP(buf_finip) struct buf ca_key = { 0 };
	CLEANUP(fclosep) FILE *f = NULL;

	if (!access(path, R_OK))
		return 0;
	int r = file_read(ca_file, PEM_MAX, &ca, err);
	if (r >= 0)
		r = file_read(ca_key_file, PEM_MAX, &ca_key, err);
	if (r >= 0)
		r = store_open(&(struct store_config){ .dir = data_dir, .reserve_bytes = 1 }, clock_real(), &s, err);
	if (r < 0)
		return r;
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return err_set(err, errno, "write '%s'", path);
	r = make_all(s, buf_slice(&ca), buf_slice(&ca_key), count, f, err);
	if (r < 0)
		unlink(path);
	return r;
}

int identity_each(const char *path, unsigned count,
		  int (*fn)(void *arg, unsigned index, const char *id, const char *host, X509 *cert, EVP_PKEY *key),
		  void *arg, struct err *err)
{
	CLEANUP(fclosep) FILE *f = fopen(path, "re");
	char id[40], host[64];
	int r = 0;

	if (!f)
		return err_set(err, errno, "read '%s'", path);
	for (unsigned i = 0; i < count && r >= 0; i++) {
		if (fscanf(f, " AGENT %39s %63s", id, host) != 2)
			return err_set(err, ERR_LIMIT, "'%s' has %u agents only", path, i);
		X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
		EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
		if (!cert || !key) {
			X509_free(cert);
			EVP_PKEY_free(key);
			return err_set(err, ERR_CORRUPT, "'%s': agent %u", path, i);
		}
		r = fn(arg, i, id, host, cert, key);
	}
	return r < 0 ? err_set(err, ENOMEM, "agents") : 0;
}
