/* enrolment.c - see enrolment.h. */
#include "agent/uplink/enrolment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "common/text.h"
#include "common/tls.h"
#include "proto/limits.h"

enum { PATH_SIZE = 4096 };

static int path_of(const char *dir, const char *name, char dst[PATH_SIZE], struct err *err)
{
	if ((size_t)snprintf(dst, PATH_SIZE, "%s/%s", dir, name) >= PATH_SIZE)
		return err_set(err, ENAMETOOLONG, "'%s'", dir);
	return 0;
}

static int read_one(const char *dir, const char *name, struct buf *ret, struct err *err)
{
	char path[PATH_SIZE];
	int r = path_of(dir, name, path, err);

	return r < 0 ? r : file_read(path, LIMIT_PEM_BYTES, ret, err);
}

static int write_one(const char *dir, const char *name, struct slice data, mode_t mode,
		     struct err *err)
{
	char path[PATH_SIZE];
	int r = path_of(dir, name, path, err);

	return r < 0 ? r : file_write_atomic(path, data, mode, err);
}

int enrolment_read(const char *state_dir, struct enrolment *ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf id = { 0 };

	*ret = (struct enrolment){0};
	buf_init(&id, 0);
	buf_init(&ret->key_pem, 0);
	buf_init(&ret->cert_pem, 0);
	buf_init(&ret->ca_pem, 0);
	int r = read_one(state_dir, "agent.id", &id, err);
	if (r == -ENOENT)
		return err_set(err, ENOENT,
			       "this host is not enrolled ('%s/agent.id'): "
			       "run picket-agent enroll --token TOKEN",
			       state_dir);
	if (r >= 0 && !text_is_uuid(slice_trim(buf_slice(&id))))
		r = err_set(err, ERR_CORRUPT, "'%s/agent.id' holds no agent's id", state_dir);
	if (r >= 0)
		r = read_one(state_dir, "agent.key", &ret->key_pem, err);
	if (r >= 0)
		r = read_one(state_dir, "agent.pem", &ret->cert_pem, err);
	if (r >= 0)
		r = read_one(state_dir, "ca.pem", &ret->ca_pem, err);
	if (r >= 0)
		r = tls_key_matches(buf_slice(&ret->cert_pem), buf_slice(&ret->key_pem), err);
	if (r >= 0)
		slice_copy(slice_trim(buf_slice(&id)), ret->agent_id, sizeof(ret->agent_id));
	return r;
}

int enrolment_write(const char *state_dir, const struct enrolment *e, struct err *err)
{
	int r = file_make_dirs(state_dir, 0700, err);

	if (r >= 0)
		r = write_one(state_dir, "agent.key", buf_slice(&e->key_pem), 0600, err);
	if (r >= 0)
		r = write_one(state_dir, "agent.pem", buf_slice(&e->cert_pem), 0644, err);
	if (r >= 0)
		r = write_one(state_dir, "ca.pem", buf_slice(&e->ca_pem), 0644, err);
	if (r >= 0)
		r = write_one(state_dir, "agent.id", slice_of(e->agent_id), 0644, err);
	return r;
}

bool enrolment_exists(const char *state_dir)
{
	char path[PATH_SIZE];

	return path_of(state_dir, "agent.id", path, NULL) >= 0 && access(path, F_OK) == 0;
}

void enrolment_fini(struct enrolment *e)
{
	if (e->key_pem.p)
		explicit_bzero(e->key_pem.p, e->key_pem.n);
	buf_fini(&e->key_pem);
	buf_fini(&e->cert_pem);
	buf_fini(&e->ca_pem);
}
