/* sign.c - Ed25519 over a database file. FILE.sig is four lines of text; the signature is over the first three,
 * which hold the file's SHA-256 and its generation. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/file.h"
#include "common/text.h"
#include "common/vulndb/supply.h"
#include "common/vulndb/vulndb_priv.h"

enum { SIG_MAX = 1024, SIGNATURE = 64 };

static const char head[] = "picket vulnerability database, signature 1\n";

static void pkey_freep(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void md_freep(EVP_MD_CTX **md)
{
	EVP_MD_CTX_free(*md);
}

static void bio_freep(BIO **b)
{
	BIO_free(*b);
}

static int read_key(const char *pem, bool is_private, EVP_PKEY **ret, struct err *err)
{
	CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(pem, -1);

	if (!bio)
		return err_set(err, ENOMEM, "read key");
	*ret = is_private ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	if (!*ret || EVP_PKEY_get_id(*ret) != EVP_PKEY_ED25519)
		return err_set(err, ERR_CRYPTO, "the key is no %s Ed25519 key in PEM", is_private ? "private" : "public");
	return 0;
}

static int sig_path(const char *path, char *dst, size_t size, struct err *err)
{
	return (size_t)snprintf(dst, size, "%s.sig", path) < size ? 0 : err_set(err, ENAMETOOLONG, "'%s'", path);
}

/* What is signed. */
static int put_statement(struct buf *b, const char *path, uint64_t generation, struct err *err)
{
	char digest[65];
	int r = supply_digest(path, digest, err);

	if (r < 0)
		return r;
	buf_printf(b, "%sgeneration %" PRIu64 "\nsha256 %s\n", head, generation, digest);
	return 0;
}

/* ---- signing ---- */

/* Everything into the file itself, and the generation of what is there then. */
static int settle(const char *path, uint64_t *ret_generation, struct err *err)
{
	struct vulndb db;
	struct stat st;

	if (stat(path, &st) < 0)
		return err_set(err, errno, "sign '%s'", path);
	int r = sql_open(&db, path, SQL_WRITE, err);
	if (r >= 0)
		r = sql_exec(&db, "PRAGMA wal_checkpoint(TRUNCATE)", err);
	if (r >= 0)
		r = meta_get(&db, "generation", ret_generation, err);
	sql_close(&db);
	return r;
}

static int make_signature(EVP_PKEY *key, struct slice text, unsigned char ret[SIGNATURE], struct err *err)
{
	CLEANUP(md_freep) EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t n = SIGNATURE;

	if (!md || EVP_DigestSignInit(md, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(md, ret, &n, (const unsigned char *)text.p, text.n) != 1 || n != SIGNATURE)
		return err_set(err, ERR_CRYPTO, "sign");
	return 0;
}

int vulndb_sign(const char *path, const char *key_pem, struct err *err)
{
	CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
	CLEANUP(buf_finip) struct buf text = { 0 };
	unsigned char signature[SIGNATURE];
	char to[4096], b64[SIGNATURE * 2];
	uint64_t generation = 0;

	buf_init(&text, SIG_MAX);
	int r = read_key(key_pem, true, &key, err);
	if (r >= 0)
		r = sig_path(path, to, sizeof(to), err);
	if (r >= 0)
		r = settle(path, &generation, err);
	if (r >= 0)
		r = put_statement(&text, path, generation, err);
	if (r >= 0)
		r = make_signature(key, buf_slice(&text), signature, err);
	if (r < 0)
		return r;
	buf_printf(&text, "signature %.*s\n", (int)text_base64url(signature, sizeof(signature), b64), b64);
	return file_write_atomic(to, buf_slice(&text), 0644, err);
}

/* ---- checking ---- */

/* The last line cut off *text and read. */
static int take_signature(struct slice *text, unsigned char ret[SIGNATURE])
{
	static const struct slice word = SLICE_LIT("\nsignature ");
	ptrdiff_t at = slice_find(*text, word);

	if (at < 0 || !slice_ends(*text, SLICE_LIT("\n")))
		return -1;
	struct slice b64 = slice_trim(slice_sub(*text, (size_t)at + word.n, SIZE_MAX));
	if (text_unbase64url(b64, ret, SIGNATURE) != SIGNATURE)
		return -1;
	*text = slice_sub(*text, 0, (size_t)at + 1);
	return 0;
}

static int check_signature(EVP_PKEY *key, struct slice text, const unsigned char signature[SIGNATURE], const char *of,
			   struct err *err)
{
	CLEANUP(md_freep) EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (!md || EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) != 1)
		return err_set(err, ENOMEM, "check signature");
	if (EVP_DigestVerify(md, signature, SIGNATURE, (const unsigned char *)text.p, text.n) != 1)
		return err_set(err, ERR_CORRUPT, "'%s' is signed by another key, or was changed", of);
	return 0;
}

/* The file is the one that was signed. */
static int check_file(const char *path, struct slice statement, struct err *err)
{
	CLEANUP(buf_finip) struct buf now = { 0 };
	struct slice rest = statement, line = SLICE_NONE;
	uint64_t generation;

	buf_init(&now, SIG_MAX);
	(void)slice_split(&rest, '\n', &line);
	(void)slice_split(&rest, '\n', &line);
	if (!slice_starts(statement, slice_of(head)) || !slice_starts(line, SLICE_LIT("generation ")) ||
	    !slice_to_u64(slice_sub(line, 11, SIZE_MAX), &generation))
		return err_set(err, ERR_CORRUPT, "'%s.sig' is no signature of a vulnerability database", path);
	int r = put_statement(&now, path, generation, err);
	if (r < 0)
		return r;
	if (!slice_eq(buf_slice(&now), statement))
		return err_set(err, ERR_CORRUPT, "'%s' is not the file that was signed (generation %" PRIu64 ")", path,
			       generation);
	return 0;
}

int sign_check(const char *path, const char *pubkey_pem, struct err *err)
{
	CLEANUP(pkey_freep) EVP_PKEY *key = NULL;
	CLEANUP(buf_finip) struct buf file = { 0 };
	unsigned char signature[SIGNATURE];
	char from[4096];

	int r = read_key(pubkey_pem, false, &key, err);
	if (r >= 0)
		r = sig_path(path, from, sizeof(from), err);
	if (r < 0)
		return r;
	r = file_read(from, SIG_MAX, &file, err);
	if (r == -ENOENT && access(path, F_OK) == 0)
		return err_set(err, ERR_CORRUPT, "'%s' is not signed: no '%s.sig'", path, path);
	if (r < 0)
		return r;
	struct slice text = buf_slice(&file);
	if (take_signature(&text, signature) < 0)
		return err_set(err, ERR_CORRUPT, "'%s' is no signature of a vulnerability database", from);
	r = check_signature(key, text, signature, from, err);
	return r < 0 ? r : check_file(path, text, err);
}
