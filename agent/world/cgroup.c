/* cgroup.c - the container in a cgroup path, from the path alone.
 *
 * The path is read from the root down and the OUTERMOST match wins. Falco takes the innermost:
 * there, a process that may write to its own cgroup tree hides its container by making
 * "<id>/sub" (no match at all) or passes for another by making "<id>/docker-<other>.scope". What
 * lies above a container's own directory was made by the host, so it can't be forged from inside.
 * For docker in docker the answer is then the host's container, which is the one that the host's
 * engine can name. */
#include "agent/world/world_priv.h"

enum { ID_HEX = 64, ID_MAX = 64 };

static const struct form {
	const char *prefix, *suffix, *engine;
} forms[] = {
	{"docker-", ".scope", "docker"}, /* systemd driver */
	{"libpod-", ".scope", "podman"},
	{"libpod-", "", "podman"},	   /* no systemd, or a user's own */
	{"libpod-payload-", "", "podman"}, /* cgroups=split, under a unit of its own */
	{"crio-", "", "crio"},
	{"crio-", ".scope", "crio"},
	{"cri-containerd-", ".scope", "containerd"},
};

/* First segments under which no containerd namespace stands, though the form would fit. */
static const char *const host_roots[] = {"docker", "kubepods", "libpod_parent", "lxc", "buildkit"};

static bool is_hex_id(struct slice s)
{
	if (s.n != ID_HEX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return true;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* containerd's identifiers: letters and digits, with single . _ - between them. */
static bool is_identifier(struct slice s)
{
	if (!s.n || !is_alnum(s.p[0]) || !is_alnum(s.p[s.n - 1]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!is_alnum(s.p[i]) &&
		    !((s.p[i] == '.' || s.p[i] == '_' || s.p[i] == '-') && is_alnum(s.p[i - 1])))
			return false;
	return true;
}

static bool is_systemd_unit(struct slice s)
{
	return slice_ends(s, SLICE_LIT(".service")) || slice_ends(s, SLICE_LIT(".slice")) ||
	       slice_ends(s, SLICE_LIT(".scope"));
}

static struct slice cut_ends(struct slice s, const char *prefix, const char *suffix)
{
	struct slice head = slice_of(prefix), tail = slice_of(suffix);

	if (s.n < head.n + tail.n || !slice_starts(s, head) || !slice_ends(s, tail))
		return SLICE_NONE;
	return slice_from(s.p + head.n, s.n - head.n - tail.n);
}

/* ":cri-containerd:<id>" at the end: containerd that does not drive systemd. */
static struct slice cri_colon_id(struct slice seg)
{
	struct slice mark = SLICE_LIT(":cri-containerd:");

	if (seg.n < mark.n + ID_HEX)
		return SLICE_NONE;
	struct slice tail = slice_from(seg.p + seg.n - mark.n - ID_HEX, mark.n + ID_HEX);
	return cut_ends(tail, mark.p, "");
}

/* A form that no host cgroup has by chance. first: the path's first segment. */
static bool match_segment(struct slice seg, struct slice first, struct slice before,
			  struct slice *ret_id, const char **ret_engine)
{
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct slice id = cut_ends(seg, forms[i].prefix, forms[i].suffix);

		if (is_hex_id(id)) {
			*ret_id = id;
			*ret_engine = forms[i].engine;
			return true;
		}
	}
	struct slice id = cri_colon_id(seg);
	if (is_hex_id(id)) {
		*ret_id = id;
		*ret_engine = "containerd";
		return true;
	}
	if (is_hex_id(seg)) { /* a bare id says nothing of its engine; where it stands may */
		*ret_id = seg;
		*ret_engine = slice_starts(first, SLICE_LIT("kubepods"))   ? "containerd"
			      : slice_starts(before, SLICE_LIT("podman-")) ? "podman"
									   : "docker";
		return true;
	}
	struct slice lxc = cut_ends(seg, "lxc.payload.", "");
	if (lxc.n <= ID_MAX && is_identifier(lxc)) {
		*ret_id = lxc;
		*ret_engine = "lxc";
		return true;
	}
	return false;
}

/* Forms whose ids are chosen by people: "/namespace/id" of ctr, "/lxc/name", docker's build steps.
 * Only at the root, or any two names in a row would be one. */
static bool match_loose(const struct slice seg[3], struct slice *ret_id, const char **ret_engine)
{
	if (slice_is(seg[0], "docker") && slice_is(seg[1], "buildkit") && is_identifier(seg[2]) &&
	    seg[2].n <= ID_MAX) {
		*ret_id = seg[2];
		*ret_engine = "buildkit";
		return true;
	}
	if (!seg[1].n || seg[1].n > ID_MAX || is_systemd_unit(seg[1]) || !is_identifier(seg[1]))
		return false;
	if (slice_is(seg[0], "lxc")) {
		*ret_id = seg[1];
		*ret_engine = "lxc";
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(host_roots); i++)
		if (slice_is(seg[0], host_roots[i]))
			return false;
	if (is_systemd_unit(seg[0]) || !is_identifier(seg[0]))
		return false;
	*ret_id = seg[1];
	*ret_engine = "containerd";
	return true;
}

bool cgroup_find_id(struct slice path, struct cgroup_match *ret)
{
	struct slice rest = path, seg, before = SLICE_NONE, head[3] = {{NULL, 0}}, id;
	unsigned count = 0;
	const char *engine;

	ret->is_user = slice_starts(path, SLICE_LIT("/user.slice/"));
	while (slice_split(&rest, '/', &seg)) {
		if (!seg.n)
			continue;
		if (count < ARRAY_LEN(head))
			head[count] = seg;
		count++;
		if (match_segment(seg, head[0], before, &id, &engine)) {
			ret->is_loose = false;
			return slice_copy(id, ret->id, sizeof(ret->id)) && (ret->engine = engine);
		}
		before = seg;
	}
	if (!match_loose(head, &id, &engine))
		return false;
	ret->is_loose = true;
	return slice_copy(id, ret->id, sizeof(ret->id)) && (ret->engine = engine);
}

bool cgroup_container_id(struct slice path, char *ret_id, const char **ret_engine)
{
	struct cgroup_match m;

	if (!cgroup_find_id(path, &m))
		return false;
	memcpy(ret_id, m.id, sizeof(m.id));
	*ret_engine = m.engine;
	return true;
}
