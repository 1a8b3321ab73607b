/* checks_image.c - what an image brings into every container of it. */
#include <inttypes.h>

#include "agent/audit/checks.h"

enum audit_status check_i_user(struct judge *j)
{
	const char *user = j->image->user;

	if (judge_is_root_name(user))
		return judge_fail(j, "%s%s%s", user[0] ? "USER '" : "no USER, so root", user, user[0] ? "' is root" : "");
	if (j->image->has_user_uid0 == FACTS_YES)
		return judge_fail(j, "USER '%s' has uid 0", user);
	if (j->image->has_user_uid0 == FACTS_UNKNOWN && (user[0] < '0' || user[0] > '9'))
		return judge_warn_as(j, AUDIT_INFO, "USER '%s': its uid is in the image's files, which have not been looked at", user);
	return judge_pass(j, "USER '%s'", user);
}

enum audit_status check_i_origin(struct judge *j)
{
	if (j->image->digests.count)
		return judge_pass(j, "%s", j->image->digests.v[0]);
	return judge_warn(j, "no digest of a registry");
}

enum audit_status check_i_packages(struct judge *j)
{
	enum { MANY = 200 };

	if (!j->image->has_stock)
		return judge_na(j, "the image's files have not been looked at");
	return j->image->package_count > MANY ? judge_warn(j, "%zu packages", j->image->package_count) :
						judge_pass(j, "%zu packages", j->image->package_count);
}

enum audit_status check_i_age(struct judge *j)
{
	enum { DAY = 86400, OLD_DAYS = 90, VERY_OLD_DAYS = 365, FIRST_IMAGES = 1356998400 /* 2013 */ };
	uint64_t now = j->host->now_unix_s, made = j->image->created_unix_s;

	/* reproducible builds say 1970 or 1980 */
	if (made < FIRST_IMAGES)
		return judge_na(j, "it does not say when it was built");
	if (made > now)
		return judge_warn_as(j, AUDIT_INFO, "it says it was built in the future");
	uint64_t days = (now - made) / DAY;
	if (days <= OLD_DAYS)
		return judge_pass(j, "%" PRIu64 " days", days);
	return judge_fail_as(j, days > VERY_OLD_DAYS ? AUDIT_MEDIUM : AUDIT_LOW, "%" PRIu64 " days", days);
}

enum audit_status check_i_health(struct judge *j)
{
	const struct facts_texts *t = &j->image->health_test;

	if (t->count && !strcmp(t->v[0], "NONE"))
		return judge_fail(j, "HEALTHCHECK NONE");
	return t->count && t->v[0][0] ? judge_pass(j, "it has one") : judge_fail(j, "no HEALTHCHECK");
}

/* ---- history ---- */

/* The words of a step, without what builders put around it. */
static const char *step(const char *created_by, bool *ret_is_run)
{
	static const char *const noise[] = { "/bin/sh -c #(nop) ", "/bin/sh -c #(nop)" };
	static const char *const runs[] = { "RUN ", "/bin/sh -c ", "|" };

	*ret_is_run = false;
	for (size_t i = 0; i < ARRAY_LEN(noise); i++) {
		if (!strncmp(created_by, noise[i], strlen(noise[i]))) {
			created_by += strlen(noise[i]);
			while (*created_by == ' ')
				created_by++;
			return created_by;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(runs); i++)
		*ret_is_run |= !strncmp(created_by, runs[i], strlen(runs[i]));
	return created_by;
}

static bool installs(const char *s)
{
	static const char *const words[] = { " install", " upgrade", " dist-upgrade", " add ", " reinstall", " full-upgrade" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strstr(s, words[i]))
			return true;
	}
	return false;
}

enum audit_status check_i_update(struct judge *j)
{
	static const char *const updates[] = { "apt-get update", "apt update", "apk update", "aptitude update" };
	const struct facts_texts *h = &j->image->history;
	bool is_run;

	if (!h->count)
		return judge_na(j, "it has no history");
	for (size_t i = 0; i < h->count; i++) {
		const char *s = step(h->v[i], &is_run);

		for (size_t k = 0; is_run && k < ARRAY_LEN(updates); k++) {
			if (strstr(s, updates[k]) && !installs(s))
				return judge_fail(j, "%.200s", s);
		}
	}
	return judge_pass(j, "%zu steps", h->count);
}

/* The root file system that a base image begins with was put there by ADD; there is no other way. */
static bool is_base(const char *s, size_t at)
{
	return at == 0 && (!strncmp(s, "ADD file:", 9) || strstr(s, " in / ") || strstr(s, " / "));
}

enum audit_status check_i_add(struct judge *j)
{
	const struct facts_texts *h = &j->image->history;
	struct names names = { .most = 3 };
	bool is_run;

	if (!h->count)
		return judge_na(j, "it has no history");
	for (size_t i = 0; i < h->count; i++) {
		const char *s = step(h->v[i], &is_run);

		if (!is_run && !strncmp(s, "ADD ", 4) && !is_base(s, i))
			names_add(&names, "%.120s", s);
	}
	return names.count ? judge_fail(j, "%s", names_text(&names)) : judge_pass(j, "%zu steps, no ADD", h->count);
}

/* ---- the rest ---- */

enum audit_status check_i_setid(struct judge *j)
{
	struct names names = { .most = 6 };

	if (!j->image->has_stock)
		return judge_na(j, "the image's files have not been looked at");
	for (size_t i = 0; i < j->image->setid_files.count; i++)
		names_add(&names, "%s", j->image->setid_files.v[i]);
	return names.count ? judge_fail(j, "%s", names_text(&names)) : judge_pass(j, "none");
}

enum audit_status check_i_secrets(struct judge *j)
{
	struct names names = { .most = 8 };

	for (size_t i = 0; i < j->image->secret_names.count; i++)
		names_add(&names, "%.64s", j->image->secret_names.v[i]);
	return names.count ? judge_fail(j, "%s", names_text(&names)) : judge_pass(j, "nothing looks like one");
}

enum audit_status check_i_latest(struct judge *j)
{
	const struct facts_texts *t = &j->image->tags;
	struct names names = { .most = 3 };

	for (size_t i = 0; i < t->count; i++) {
		size_t n = strlen(t->v[i]);

		if (n < 7 || strcmp(t->v[i] + n - 7, ":latest") != 0)
			return judge_pass(j, "%s", t->v[i]);
		names_add(&names, "%s", t->v[i]);
	}
	if (!t->count)
		return judge_na(j, "it has no tag");
	return judge_fail(j, "%s", names_text(&names));
}

enum audit_status check_i_base(struct judge *j)
{
	if (j->image->base_latest[0])
		return judge_fail(j, "built on %s", j->image->base_latest);
	return judge_pass(j, "on no image that is here as latest only");
}

enum audit_status check_i_ports(struct judge *j)
{
	static const char *const control[] = { "22/tcp", "23/tcp", "2375/tcp", "2376/tcp", "2377/tcp", "10250/tcp", "3389/tcp", "5900/tcp" };
	struct names names = { .most = 6 };

	for (size_t i = 0; i < ARRAY_LEN(control); i++) {
		if (judge_text_in(&j->image->exposed_ports, control[i]))
			names_add(&names, "%s", control[i]);
	}
	return names.count ? judge_fail(j, "EXPOSE %s", names_text(&names)) :
			     judge_pass(j, "%zu declared", j->image->exposed_ports.count);
}
