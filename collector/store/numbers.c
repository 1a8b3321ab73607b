/* numbers.c - single numbers that outlive a restart: what was counted, how far something has come. */
#include "collector/store/images_priv.h"
#include "collector/store/store_vulns.h"

int store_number_get(struct store *s, const char *name, uint64_t *ret, struct err *err)
{
	int64_t v;
	int r = DB_NUMBER(&s->state, &v, err, "SELECT value FROM number WHERE name = ?", B_STR(name));

	if (r >= 0)
		*ret = (uint64_t)v;
	return r;
}

int store_number_set(struct store *s, const char *name, uint64_t value, struct err *err)
{
	return DB_RUN(&s->state, err,
		      "INSERT INTO number VALUES (?1, ?2) ON CONFLICT(name) DO UPDATE SET value = ?2", B_STR(name),
		      B_INT(value));
}

int numbers_add(struct store *s, const char *name, uint64_t n, struct err *err)
{
	if (!n)
		return 0;
	return DB_RUN(&s->state, err,
		      "INSERT INTO number VALUES (?1, ?2) ON CONFLICT(name) DO UPDATE SET value = value + ?2",
		      B_STR(name), B_INT(n));
}
