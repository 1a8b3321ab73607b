/* facts_audit_rules.c - paths that the kernel's audit watches: its own list, and where it does not give one, the files
 * that auditctl loads it from. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "agent/audit/facts_priv.h"

enum { ANSWER_BYTES = 16384, RULE_FILES_MAX = 64 };

static void add_path(struct facts_out *o, struct slice path, struct facts_texts *t)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	if (path.n && path.p[0] == '/' && t->v)
		facts_texts_add(t, facts_text(o, path));
}

/* ---- the files: "-w PATH -p wa -k docker", "-a always,exit -F path=PATH", "-F dir=PATH" ---- */

static struct slice next_word(struct slice *rest)
{
	struct slice w = SLICE_NONE;

	*rest = slice_trim(*rest);
	if (!rest->n || !slice_split(rest, ' ', &w))
		return SLICE_NONE;
	return slice_trim(w);
}

static struct slice unquoted(struct slice s)
{
	if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0])
		return slice_sub(s, 1, s.n - 2);
	return s;
}

static void parse_line(struct slice line, struct facts_out *o, struct facts_texts *t)
{
	struct slice rest = slice_trim(line), w, path = SLICE_NONE;
	bool is_never = false;

	if (slice_starts(rest, SLICE_LIT("#")))
		return;
	while ((w = next_word(&rest)).n) {
		if (slice_is(w, "-w"))
			path = next_word(&rest);
		else if (slice_is(w, "-a") || slice_is(w, "-A"))
			is_never |= slice_find(next_word(&rest), SLICE_LIT("never")) >= 0;
		else if (slice_starts(w, SLICE_LIT("path=")))
			path = slice_sub(w, 5, w.n);
		else if (slice_starts(w, SLICE_LIT("dir=")))
			path = slice_sub(w, 4, w.n);
	}
	if (!is_never)
		add_path(o, unquoted(path), t);
}

void facts_parse_audit_rules(struct slice text, struct facts_out *o, struct facts_texts *t)
{
	struct slice line;

	while (t->count < FACTS_LIST_MAX && slice_split(&text, '\n', &line))
		parse_line(line, o, t);
}

static void read_file(int dir, const char *name, struct facts_out *o, struct facts_texts *t, bool *ret_was_read)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	if (facts_read_at(dir, name, FACTS_FILE_BYTES, &b) < 0)
		return;
	*ret_was_read = true;
	facts_parse_audit_rules(buf_slice(&b), o, t);
}

static void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

static bool read_files(struct facts_out *o, struct facts_texts *t)
{
	CLEANUP(closedirp) DIR *d = opendir("/etc/audit/rules.d");
	bool was_read = false;
	size_t files = 0;

	read_file(AT_FDCWD, "/etc/audit/audit.rules", o, t, &was_read);
	for (struct dirent *e; d && files < RULE_FILES_MAX && (e = readdir(d));) {
		if (!slice_ends(slice_of(e->d_name), SLICE_LIT(".rules")))
			continue;
		read_file(dirfd(d), e->d_name, o, t, &was_read);
		files++;
	}
	return was_read;
}

/* ---- the kernel's list ---- */

void facts_parse_audit_rule(struct slice data, struct facts_out *o, struct facts_texts *t)
{
	struct audit_rule_data r;
	struct slice texts = slice_sub(data, sizeof(r), data.n);

	if (data.n < sizeof(r))
		return;
	memcpy(&r, data.p, sizeof(r));
	/* The texts of the fields stand one behind the other; what is no text has no part in them. */
	for (uint32_t i = 0; i < r.field_count && i < AUDIT_MAX_FIELDS; i++) {
		bool is_path = r.fields[i] == AUDIT_WATCH || r.fields[i] == AUDIT_DIR;
		bool is_text = is_path || r.fields[i] == AUDIT_FILTERKEY || r.fields[i] == AUDIT_EXE ||
			       (r.fields[i] >= AUDIT_SUBJ_USER && r.fields[i] <= AUDIT_SUBJ_CLR) ||
			       (r.fields[i] >= AUDIT_OBJ_USER && r.fields[i] <= AUDIT_OBJ_LEV_HIGH);

		if (!is_text)
			continue;
		if (r.values[i] > texts.n)
			return;
		if (is_path && r.action != AUDIT_NEVER)
			add_path(o, slice_sub(texts, 0, r.values[i]), t);
		texts = slice_sub(texts, r.values[i], texts.n);
	}
}

/* 1 done, 0 go on, -1 refused. */
static int read_answer(const char *p, size_t left, struct facts_out *o, struct facts_texts *t)
{
	while (left >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const void *)p;
		const struct nlmsgerr *e = NLMSG_DATA(h);

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > left)
			return -1;
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR && (h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)) || e->error))
			return -1;
		if (h->nlmsg_type == AUDIT_LIST_RULES)
			facts_parse_audit_rule(slice_from(NLMSG_DATA(h), h->nlmsg_len - NLMSG_HDRLEN), o, t);
		size_t step = NLMSG_ALIGN(h->nlmsg_len);
		if (step >= left)
			break;
		p += step;
		left -= step;
	}
	return 0;
}

static bool read_kernel(struct facts_out *o, struct facts_texts *t)
{
	const struct nlmsghdr ask = { .nlmsg_len = sizeof(ask),
				      .nlmsg_type = AUDIT_LIST_RULES,
				      .nlmsg_flags = NLM_F_REQUEST };
	const struct timeval patience = { .tv_usec = 200000 };
	CLEANUP(fd_closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	CLEANUP(freep) char *answer = malloc(ANSWER_BYTES);

	if (fd < 0 || !answer || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    send(fd, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask))
		return false;
	for (;;) {
		ssize_t n = recv(fd, answer, ANSWER_BYTES, 0);

		if (n < 0 && errno == EINTR)
			continue;
		int r = n <= 0 ? -1 : read_answer(answer, (size_t)n, o, t);
		if (r)
			return r > 0;
	}
}

bool facts_read_audit_rules(struct facts_out *o, struct facts_texts *ret)
{
	if (!facts_texts_open(o, ret, FACTS_LIST_MAX))
		return false;
	if (read_kernel(o, ret))
		return true;
	ret->count = 0;
	return read_files(o, ret);
}
