/* judge.c - one request, one verdict. Total: whatever goes wrong on a guarded path refuses. */
#include "agent/guard/authz/judge_priv.h"

static const char *const kind_names[] = {
	[AUTHZ_READ] = "read",	     [AUTHZ_CREATE] = "create",		[AUTHZ_START] = "start",
	[AUTHZ_EXEC_CREATE] = "exec", [AUTHZ_EXEC_START] = "exec start", [AUTHZ_UPDATE] = "update",
	[AUTHZ_RENAME] = "rename",   [AUTHZ_CONNECT] = "connect",	[AUTHZ_PULL] = "pull",
	[AUTHZ_BUILD] = "build",     [AUTHZ_VOLUME_CREATE] = "volume",	[AUTHZ_ARCHIVE_PUT] = "copy into",
	[AUTHZ_SERVICE] = "service", [AUTHZ_PLUGIN] = "plugin",		[AUTHZ_TAG] = "tag",
	[AUTHZ_LOAD] = "load",	     [AUTHZ_COMMIT] = "commit",		[AUTHZ_HARMLESS] = "other",
	[AUTHZ_UNKNOWN] = "unknown",  [AUTHZ_ARCHIVE_GET] = "copy out of",	[AUTHZ_ATTACH] = "attach",
	[AUTHZ_GRPC] = "BuildKit",
};
_Static_assert(ARRAY_LEN(kind_names) == AUTHZ_KIND_COUNT, "a name each");

const char *authz_kind_name(enum authz_kind k)
{
	return kind_names[k];
}

static void judge_service(struct judge *j)
{
	az_refuse_form(j, AZ_SERVICE, "");
}

static void judge_plugin(struct judge *j)
{
	az_refuse_form(j, AZ_PLUGIN, "");
}

static void judge_unknown(struct judge *j)
{
	az_refuse_form(j, AZ_ENDPOINT, "");
}

static void (*const judges[])(struct judge *j) = {
	[AUTHZ_READ] = NULL,
	[AUTHZ_CREATE] = az_judge_create,
	[AUTHZ_START] = az_judge_start,
	[AUTHZ_EXEC_CREATE] = az_judge_exec_create,
	[AUTHZ_EXEC_START] = az_judge_exec_start,
	[AUTHZ_UPDATE] = az_judge_update,
	[AUTHZ_RENAME] = az_judge_rename,
	[AUTHZ_CONNECT] = az_judge_connect,
	[AUTHZ_PULL] = az_judge_pull,
	[AUTHZ_BUILD] = az_judge_build,
	[AUTHZ_VOLUME_CREATE] = az_judge_volume,
	[AUTHZ_ARCHIVE_PUT] = az_judge_archive,
	[AUTHZ_ARCHIVE_GET] = az_judge_archive,
	[AUTHZ_ATTACH] = az_judge_attach,
	[AUTHZ_GRPC] = az_judge_grpc,
	[AUTHZ_SERVICE] = judge_service,
	[AUTHZ_PLUGIN] = judge_plugin,
	[AUTHZ_TAG] = az_judge_tag,
	[AUTHZ_LOAD] = az_judge_made,
	[AUTHZ_COMMIT] = az_judge_made,
	[AUTHZ_HARMLESS] = NULL,
	[AUTHZ_UNKNOWN] = judge_unknown,
};
_Static_assert(ARRAY_LEN(judges) == AUTHZ_KIND_COUNT, "a judge each");

static void judge(struct judge *j)
{
	if (authz_path_read(j->rq->method, j->rq->uri, &j->path, &j->err) < 0) {
		j->v->kind = AUTHZ_UNKNOWN;
		az_refuse_form(j, AZ_TARGET, j->err.msg);
		return;
	}
	j->v->kind = j->path.kind;
	(void)slice_copy(slice_of(j->path.path), j->v->path, sizeof(j->v->path));
	if (!judges[j->path.kind])
		return;
	if (!j->p)
		az_refuse_form(j, AZ_NO_POLICY, "");
	else if (j->path.api_major == 1 && j->path.api_minor < 24)
		az_refuse_form(j, AZ_VERSION, "");
	else if (az_is_form(j->rq->content_type))
		az_refuse_form(j, AZ_FORM, "");
	else
		judges[j->path.kind](j);
}

void authz_judge(const struct policy *p, const struct authz_request *rq, const struct authz_ops *ops, void *arg,
		 uint64_t now_unix_s, struct authz_verdict *ret)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(AUTHZ_ARENA_BYTES);
	struct judge j = { .p = p, .rq = rq, .ops = ops, .arg = arg, .now_unix_s = now_unix_s, .a = a, .v = ret };

	*ret = (struct authz_verdict){ .answer = AUTHZ_ALLOW, .kind = AUTHZ_UNKNOWN };
	if (!a) {
		az_refuse_all(ret, "out of memory");
		return;
	}
	judge(&j);
}
