/* sequence.c - which numbers of an agent were given out, stored, lost. Every sum is kept in the
 * transaction that causes it, so that produced = stored + lost + waiting holds after any kill. */
#include <errno.h>

#include "collector/store/store_priv.h"

/* Epochs kept per agent: a new one begins when a spool is made anew. More come only from an agent
 * that misbehaves, and its oldest go. */
enum { EPOCHS_MAX = 256 };
/* No agent gives out more; a number beyond is a lie or a fault and must not overflow the sums. */
static const uint64_t seq_max = 1ull << 48;

struct epoch_row {
	bool exists;
	uint64_t seq, given, stored, holes;
};

static int read_epoch(struct store *s, const char *agent, uint64_t epoch, struct epoch_row *ret,
		      struct err *err)
{
	CLEANUP(db_resetp) sqlite3_stmt *st = NULL;
	int r = DB_PREPARE(&s->state, &st, err,
			   "SELECT seq, given, stored, holes FROM agent_epoch"
			   " WHERE agent = ? AND epoch = ?",
			   B_STR(agent), B_INT(epoch));

	*ret = (struct epoch_row){ 0 };
	if (r < 0)
		return r;
	r = db_step(&s->state, st, err);
	if (r > 0)
		*ret = (struct epoch_row){ .exists = true,
					   .seq = db_u64(st, 0),
					   .given = db_u64(st, 1),
					   .stored = db_u64(st, 2),
					   .holes = db_u64(st, 3) };
	return r < 0 ? r : 0;
}

static int add_epoch(struct store *s, const char *agent, uint64_t epoch, struct err *err)
{
	int r = DB_RUN(&s->state, err, "INSERT INTO agent_epoch(agent, epoch, created) VALUES (?,?,?)",
		       B_STR(agent), B_INT(epoch), B_INT(clock_unix_ns(s->clk)));

	if (r < 0)
		return r;
	return DB_RUN(&s->state, err,
		      "DELETE FROM agent_epoch WHERE agent = ?1 AND epoch IN (SELECT epoch FROM agent_epoch"
		      " WHERE agent = ?1 AND epoch <> ?2 ORDER BY created DESC LIMIT -1 OFFSET ?3)",
		      B_STR(agent), B_INT(epoch), B_INT(EPOCHS_MAX - 1));
}

/* Writes the epoch's row and adds what changed to the agent's sums. */
static int write_epoch(struct store *s, const char *agent, uint64_t epoch,
		       const struct epoch_row *old, const struct epoch_row *now, struct err *err)
{
	int r = old->exists ? 0 : add_epoch(s, agent, epoch, err);

	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "UPDATE agent_epoch SET seq = ?, given = ?, stored = ?, holes = ?"
			   " WHERE agent = ? AND epoch = ?",
			   B_INT(now->seq), B_INT(now->given), B_INT(now->stored), B_INT(now->holes),
			   B_STR(agent), B_INT(epoch));
	if (r >= 0)
		r = DB_RUN(&s->state, err,
			   "UPDATE agent SET given = given + ?2, stored = stored + ?3, holes = holes + ?4,"
			   " loss_seen = CASE WHEN ?4 > 0 THEN ?5 ELSE loss_seen END WHERE id = ?1",
			   B_STR(agent), B_INT(now->given - old->given), B_INT(now->stored - old->stored),
			   B_INT(now->holes - old->holes), B_INT(clock_unix_ns(s->clk)));
	return r;
}

int agents_count_given(struct store *s, const char *agent, uint64_t epoch, uint64_t given,
		       struct err *err)
{
	struct epoch_row old, now;
	int r = read_epoch(s, agent, epoch, &old, err);

	if (r < 0 || given <= old.given)
		return r;
	now = old;
	now.given = given < seq_max ? given : seq_max;
	return now.given > old.given ? write_epoch(s, agent, epoch, &old, &now, err) : 0;
}

int store_seq_get(struct store *s, const char *agent, uint64_t epoch, uint64_t *ret, struct err *err)
{
	struct epoch_row row;
	int r = read_epoch(s, agent, epoch, &row, err);

	if (r < 0)
		return r;
	*ret = row.seq;
	return 0;
}

int store_epoch_is_back(struct store *s, const char *agent, uint64_t epoch, bool *ret, struct err *err)
{
	int64_t n = 0;
	int r = DB_NUMBER(&s->state, &n, err,
			  "SELECT NOT EXISTS (SELECT 1 FROM agent_epoch WHERE agent = ?1 AND epoch = ?2) AND"
			  " EXISTS (SELECT 1 FROM agent_epoch WHERE agent = ?1 AND epoch > ?2 AND seq > 0)",
			  B_STR(agent), B_INT(epoch));

	if (r < 0)
		return r;
	*ret = n != 0;
	return 0;
}

/* Runs are delivered in order: once a later one's records are stored, what an earlier one gave out and did not
 * deliver will never come. A killed agent may have told of numbers that were in its memory only. */
static int close_earlier(struct store *s, const char *agent, uint64_t epoch, struct err *err)
{
	int64_t n = 0;
	int r = DB_NUMBER(&s->state, &n, err,
			  "SELECT sum(given - seq) FROM agent_epoch WHERE agent = ? AND epoch < ? AND given > seq",
			  B_STR(agent), B_INT(epoch));

	if (r < 0 || n <= 0)
		return r;
	r = DB_RUN(&s->state, err,
		   "UPDATE agent_epoch SET holes = holes + given - seq, seq = given"
		   " WHERE agent = ? AND epoch < ? AND given > seq",
		   B_STR(agent), B_INT(epoch));
	if (r >= 0)
		r = DB_RUN(&s->state, err, "UPDATE agent SET holes = holes + ?2, loss_seen = ?3 WHERE id = ?1",
			   B_STR(agent), B_INT(n), B_INT(clock_unix_ns(s->clk)));
	return r;
}

static int set_seq(struct store *s, const char *agent, uint64_t epoch, uint64_t seq, uint64_t stored,
		   struct err *err)
{
	struct epoch_row old, now;
	int r = read_epoch(s, agent, epoch, &old, err);

	if (r < 0)
		return r;
	if (seq < old.seq || seq > seq_max || stored > seq - old.seq)
		return err_set(err, EINVAL, "agent '%s': sequence from %llu to %llu with %llu stored",
			       agent, (unsigned long long)old.seq, (unsigned long long)seq,
			       (unsigned long long)stored);
	now = old;
	now.seq = seq;
	now.stored += stored;
	now.holes += seq - old.seq - stored;
	if (now.given < seq)
		now.given = seq;
	r = write_epoch(s, agent, epoch, &old, &now, err);
	return r < 0 || old.seq ? r : close_earlier(s, agent, epoch, err);
}

int store_seq_set(struct store *s, const char *agent, uint64_t epoch, uint64_t seq, uint64_t stored,
		  uint64_t lost, struct err *err)
{
	bool is_own;
	int r = store_own_begin(s, &is_own, err);

	(void)lost; /* a number passed over is lost, whatever the caller thinks of it: the sum must hold */
	if (r < 0)
		return r;
	return store_own_end(s, is_own, set_seq(s, agent, epoch, seq, stored, err), err);
}

/* Reasons that describe numbers which were given out: they are holes and counted as such. All others
 * are losses before a number was given. */
static bool is_hole(const char *reason)
{
	static const char *const holes[] = { "spool_full", "spool_damaged", "disk_full", "refused" };

	for (size_t i = 0; reason && i < ARRAY_LEN(holes); i++)
		if (!strcmp(reason, holes[i]))
			return true;
	return false;
}

int agents_count_gap(struct store *s, const char *agent, uint64_t epoch, uint64_t seq,
		     const Picket__Gap *gap, struct err *err)
{
	struct epoch_row row;

	if (!gap->lost || is_hole(gap->reason))
		return 0;
	int r = read_epoch(s, agent, epoch, &row, err);
	if (r < 0 || seq <= row.seq)
		return r; /* a replay: counted already */
	return DB_RUN(&s->state, err,
		      "UPDATE agent SET kernel_lost = kernel_lost + ?2, loss_seen = ?3 WHERE id = ?1",
		      B_STR(agent), B_INT(gap->lost < seq_max ? gap->lost : seq_max),
		      B_INT(clock_unix_ns(s->clk)));
}
