/* tokens.c - secrets for enrolling and for the API. Only their SHA-256 is here. */
#include "collector/store/store_priv.h"

#define B_HASH(h) B_BLOB(slice_from((h), 32))

int store_enrol_token_add(struct store *s, const uint8_t hash[32], uint64_t expires_unix_ns,
			  uint32_t uses, const char *by, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT INTO enrol_token(hash, expires, uses_left, made_by, created)"
		      " VALUES (?,?,?,?,?)",
		      B_HASH(hash), B_INT(expires_unix_ns), B_INT(uses), B_STR(by),
		      B_INT(clock_unix_ns(s->clk)));
}

static int use_token(struct store *s, const uint8_t hash[32], struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT expires, uses_left FROM enrol_token WHERE hash = ?", B_HASH(hash));

	if (r < 0)
		return r;
	r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, ERR_DENIED, "the token is unknown");
	uint64_t expires = db_u64(st, 0);
	if (expires && expires <= clock_unix_ns(s->clk))
		return err_set(err, ERR_DENIED, "the token has expired");
	if (!db_u64(st, 1))
		return err_set(err, ERR_DENIED, "the token is used up");
	return DB_RUN(&s->state, err,
		      "UPDATE enrol_token SET uses_left = uses_left - 1 WHERE hash = ?", B_HASH(hash));
}

int store_enrol_token_use(struct store *s, const uint8_t hash[32], struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	if (r < 0)
		return r;
	return store_own_end(s, is_own, use_token(s, hash, err), err);
}

int store_api_token_add(struct store *s, const uint8_t hash[32], const char *user, const char *role,
			uint64_t expires_unix_ns, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT INTO api_token(hash, user, role, expires, created) VALUES (?,?,?,?,?)",
		      B_HASH(hash), B_STR(user), B_STR(role), B_INT(expires_unix_ns),
		      B_INT(clock_unix_ns(s->clk)));
}

int store_api_token_check(struct store *s, const uint8_t hash[32], char ret_user[64],
			  char ret_role[16], struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT user, role, expires FROM api_token WHERE hash = ?", B_HASH(hash));

	if (r < 0)
		return r;
	r = db_step(&s->state, st, err);
	if (r < 0)
		return r;
	if (!r)
		return err_set(err, ERR_DENIED, "the token is unknown");
	uint64_t expires = db_u64(st, 2);
	if (expires && expires <= clock_unix_ns(s->clk))
		return err_set(err, ERR_DENIED, "the token has expired");
	if (!slice_copy(slice_of(db_text(st, 0)), ret_user, 64) ||
	    !slice_copy(slice_of(db_text(st, 1)), ret_role, 16))
		return err_set(err, ERR_CORRUPT, "the token's user or role is too long");
	return 0;
}
