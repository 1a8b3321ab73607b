/* load.c - the programs into the kernel, and their links; what an earlier process pinned is taken over.
 *
 *   PIN_DIR/maps-<layout>/<map>                       what holds, for whoever loads next
 *   PIN_DIR/maps-<layout>-new/<map>                   while they are made larger (bpffs takes no dots)
 *   PIN_DIR/links/connect4 ... egress-<cgroup id> ... each replaced in place by bpf_link_update: no packet between
 */
#include "agent/guard/net/net_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <bpf/bpf.h>

#include "common/bpf_said.h"
#include "common/file.h"
#include "net.skel.h"

DEFINE_CLEANUP(struct net_bpf, net_bpf__destroy)

static const char *const map_names[NET_MAP_COUNT] = {
#define M(name) #name,
	NET_MAPS(M)
#undef M
};
static const struct {
	const char *name;
	enum bpf_attach_type type;
} programs[NET_PROGRAM_COUNT] = {
#define P(name, type) { #name, type },
	NET_PROGRAMS(P)
#undef P
};

/* --- libbpf's words --- */

static struct bpf_said said;
static libbpf_print_fn_t print_before;

static int keep_message(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return bpf_said_keep(&said, level, fmt, ap);
}

void net_quiet(void)
{
	said = (struct bpf_said){ 0 };
	print_before = libbpf_set_print(keep_message);
}

void net_loud(void)
{
	(void)libbpf_set_print(print_before);
}

const char *net_last_message(void)
{
	return said.why;
}

/* --- maps --- */

static struct bpf_map *map_of(struct net_bpf *skel, enum net_map id)
{
	struct bpf_map *const maps[NET_MAP_COUNT] = {
#define M(name) [NET_MAP_##name] = skel->maps.net_##name,
		NET_MAPS(M)
#undef M
	};

	return maps[id];
}

static struct bpf_program *program_of(struct net_bpf *skel, enum net_program id)
{
	struct bpf_program *const all[NET_PROGRAM_COUNT] = {
#define P(name, type) [NET_PROGRAM_##name] = skel->progs.net_##name,
		NET_PROGRAMS(P)
#undef P
	};

	return all[id];
}

/* Of the maps that the configuration sizes; 0: as it stands in the program. */
static uint32_t wanted_size(const struct net *n, enum net_map id)
{
	uint32_t boxes = n->cfg.max_containers + 1, prefixes = n->cfg.max_prefixes;
	const uint32_t sizes[NET_MAP_COUNT] = {
		[NET_MAP_names] = boxes,	 [NET_MAP_cgroups] = 2 * boxes, [NET_MAP_netns] = boxes,
		[NET_MAP_devices] = 2 * boxes,	 [NET_MAP_slots] = boxes,	[NET_MAP_sets] = boxes,
		[NET_MAP_v4] = prefixes,	 [NET_MAP_v6] = prefixes,	[NET_MAP_totals] = boxes,
		[NET_MAP_budgets] = boxes,
	};

	return sizes[id];
}

static void map_path(const struct net *n, const char *kind, const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%s/maps-%d%s%s%s", n->pin_dir, NET_LAYOUT, kind, name[0] ? "/" : "", name);
}

/* Entries of the old map: 0 when there is none. */
static uint32_t pinned_size(const struct net *n, enum net_map id)
{
	char path[PATH_MAX];
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	map_path(n, "", map_names[id], path, sizeof(path));
	CLEANUP(fd_closep) int fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return 0;
	return info.max_entries;
}

/* Maps only grow: what is in them stays. has_grown: they are made anew, beside the old ones. */
static int size_maps(const struct net *n, struct net_bpf *skel, bool *ret_has_grown, struct err *err)
{
	*ret_has_grown = false;
	for (unsigned id = 0; id < NET_MAP_COUNT; id++) {
		uint32_t size = wanted_size(n, id);
		if (!size)
			continue;
		uint32_t before = n->is_pinned ? pinned_size(n, id) : 0;
		*ret_has_grown |= before && before < size;
		int r = bpf_map__set_max_entries(map_of(skel, id), before > size ? before : size);
		if (r < 0)
			return err_set(err, -r, "size the network's maps");
	}
	return 0;
}

static int set_pins(const struct net *n, struct net_bpf *skel, bool has_grown, struct err *err)
{
	char path[PATH_MAX];

	if (!n->is_pinned)
		return 0;
	map_path(n, has_grown ? "-new" : "", "", path, sizeof(path));
	int r = file_make_dirs(path, 0700, err);
	for (unsigned id = 0; id < NET_MAP_COUNT && r >= 0; id++) {
		map_path(n, has_grown ? "-new" : "", map_names[id], path, sizeof(path));
		r = bpf_map__set_pin_path(map_of(skel, id), path);
		if (r < 0)
			return err_set(err, -r, "pin the network's maps");
	}
	return r;
}

/* --- load --- */

static int load_mask(const struct net *n, unsigned mask, bool is_trial, struct net_bpf **ret, bool *ret_has_grown,
		     struct err *err)
{
	CLEANUP(net_bpf__destroyp) struct net_bpf *skel = net_bpf__open();
	if (!skel)
		return err_set(err, errno, "open the network's programs");

	for (unsigned i = 0; i < NET_PROGRAM_COUNT; i++)
		bpf_program__set_autoload(program_of(skel, i), mask >> i & 1);
	int r = size_maps(n, skel, ret_has_grown, err);
	if (r >= 0 && !is_trial)
		r = set_pins(n, skel, *ret_has_grown, err);
	if (r < 0)
		return r;
	r = net_bpf__load(skel);
	if (r == -EPERM)
		return err_set(err, EPERM, "load the network's programs: CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN are needed");
	if (r < 0)
		return err_set(err, -r, "load the network's programs (%s)", said.why);
	*ret = take_ptr(skel);
	return 0;
}

/* One program that this kernel refuses makes libbpf refuse all: find out which, load the rest. */
static int load_what_goes(struct net *n, struct net_bpf **ret, bool *ret_has_grown, struct err *err)
{
	unsigned mask = (1U << NET_PROGRAM_COUNT) - 1, good = 0;

	int r = load_mask(n, mask, false, ret, ret_has_grown, err);
	if (r >= 0 || r == -EPERM)
		return r;
	for (unsigned i = 0; i < NET_PROGRAM_COUNT; i++) {
		CLEANUP(net_bpf__destroyp) struct net_bpf *one = NULL;
		struct err e = { 0 };
		bool unused;

		said = (struct bpf_said){ 0 };
		if (load_mask(n, 1U << i, true, &one, &unused, &e) >= 0)
			good |= 1U << i;
		else
			(void)slice_copy(slice_of(e.msg), n->why_not[i], sizeof(n->why_not[i]));
	}
	return good ? load_mask(n, good, false, ret, ret_has_grown, err) : r;
	/* -EINVAL here: each loads by itself, so it is the pinned maps. */
}

/* A map made larger gets what the old one holds. */
static int copy_map(const struct net *n, enum net_map id, int to, struct err *err)
{
	char path[PATH_MAX], key[sizeof(struct net_flow_key) + 64], next[sizeof(key)];
	CLEANUP(freep) char *value = NULL;
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	map_path(n, "", map_names[id], path, sizeof(path));
	CLEANUP(fd_closep) int from = bpf_obj_get(path);
	if (from < 0 || bpf_obj_get_info_by_fd(from, &info, &size) < 0)
		return err_set(err, errno, "the pinned map '%s'", map_names[id]);
	if (info.key_size > sizeof(key) || info.type == BPF_MAP_TYPE_RINGBUF)
		return 0;
	value = malloc((size_t)(info.value_size + 8) * n->cpu_count);
	if (!value)
		return err_set(err, ENOMEM, "copy a map");
	for (void *prev = NULL; !bpf_map_get_next_key(from, prev, next); prev = key) {
		memcpy(key, next, info.key_size);
		if (bpf_map_lookup_elem(from, key, value) < 0)
			continue;
		if (bpf_map_update_elem(to, key, value, BPF_ANY) < 0 && id != NET_MAP_flows)
			return err_set(err, errno, "copy the pinned map '%s'", map_names[id]);
	}
	return 0;
}

static int copy_maps(struct net *n, struct err *err)
{
	static const enum net_map kept[] = { NET_MAP_knobs,   NET_MAP_sets,  NET_MAP_v4,     NET_MAP_v6,
					     NET_MAP_ports,   NET_MAP_slots, NET_MAP_totals, NET_MAP_names,
					     NET_MAP_cgroups, NET_MAP_netns, NET_MAP_devices, NET_MAP_flows };

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		int r = copy_map(n, kept[i], n->map_fd[kept[i]], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int keep_fds(struct net *n, struct net_bpf *skel, struct err *err)
{
	for (unsigned i = 0; i < NET_MAP_COUNT; i++) {
		n->map_fd[i] = fcntl(bpf_map__fd(map_of(skel, i)), F_DUPFD_CLOEXEC, 3);
		if (n->map_fd[i] < 0)
			return err_set(err, errno, "keep a map");
	}
	for (unsigned i = 0; i < NET_PROGRAM_COUNT; i++) {
		int fd = bpf_program__fd(program_of(skel, i));

		n->prog_fd[i] = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	return 0;
}

/* --- pins --- */

static void remove_dir(const char *path)
{
	DIR *d = opendir(path);
	char name[PATH_MAX + 256];

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.' && snprintf(name, sizeof(name), "%s/%s", path, e->d_name) < (int)sizeof(name))
			(void)unlink(name);
	closedir(d);
	(void)rmdir(path);
}

/* Every folder of maps below dir but keep's. Returns how many there were. */
static size_t remove_maps(const char *pin_dir, const char *keep)
{
	DIR *d = opendir(pin_dir);
	char path[PATH_MAX + 256];
	size_t count = 0;

	if (!d)
		return 0;
	for (struct dirent *e; (e = readdir(d));) {
		if (strncmp(e->d_name, "maps-", 5) || !strcmp(e->d_name, keep))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", pin_dir, e->d_name) < (int)sizeof(path))
			remove_dir(path);
		count++;
	}
	closedir(d);
	return count;
}

void net_drop_old_pins(struct net *n)
{
	char keep[64], new[PATH_MAX], path[PATH_MAX];

	if (!n->is_pinned)
		return;
	map_path(n, "-new", "", new, sizeof(new));
	map_path(n, "", "", path, sizeof(path));
	if (!access(new, F_OK)) {
		remove_dir(path);
		(void)rename(new, path);
	}
	snprintf(keep, sizeof(keep), "maps-%d", NET_LAYOUT);
	(void)remove_maps(n->pin_dir, keep);
}

/* Something is in force that was made by another layout. */
static bool has_other_layout(const struct net *n)
{
	char ours[64], new[64];
	bool has = false;
	DIR *d = opendir(n->pin_dir);

	snprintf(ours, sizeof(ours), "maps-%d", NET_LAYOUT);
	snprintf(new, sizeof(new), "maps-%d-new", NET_LAYOUT);
	for (struct dirent *e; d && (e = readdir(d));)
		has |= !strncmp(e->d_name, "maps-", 5) && strcmp(e->d_name, ours) && strcmp(e->d_name, new);
	if (d)
		closedir(d);
	return has;
}

static void find_pin_dir(struct net *n)
{
	struct statfs fs;
	struct err e = { 0 };
	char links[PATH_MAX];

	snprintf(links, sizeof(links), "%s/links", n->pin_dir);
	if (!n->pin_dir[0])
		snprintf(n->why_not[NET_LAYER_PIN], sizeof(n->why_not[0]), "not asked for");
	else if (file_make_dirs(links, 0700, &e) < 0)
		(void)slice_copy(slice_of(e.msg), n->why_not[NET_LAYER_PIN], sizeof(n->why_not[0]));
	else if (statfs(links, &fs) < 0 || (uint32_t)fs.f_type != BPFFS_MAGIC_NUMBER) {
		snprintf(n->why_not[NET_LAYER_PIN], sizeof(n->why_not[0]), "'%.100s' is on no bpffs", n->pin_dir);
		(void)rmdir(links);
		(void)rmdir(n->pin_dir);
	} else
		n->is_pinned = true;
}

static int load_quietly(struct net *n, struct err *err)
{
	CLEANUP(net_bpf__destroyp) struct net_bpf *skel = NULL;
	char stale[PATH_MAX];
	bool has_grown = false;

	map_path(n, "-new", "", stale, sizeof(stale));
	if (n->is_pinned)
		remove_dir(stale); /* of one who ended half-way */
	int r = load_what_goes(n, &skel, &has_grown, err);
	if (r == -EINVAL && n->is_pinned) {
		/* The pinned maps are not as ours, whatever their folder is called. */
		map_path(n, "", "", stale, sizeof(stale));
		remove_dir(stale);
		n->is_settled = false;
		r = load_what_goes(n, &skel, &has_grown, err);
	}
	if (r >= 0)
		r = keep_fds(n, skel, err);
	if (r >= 0 && has_grown)
		r = copy_maps(n, err);
	return r;
}

int net_load(struct net *n, struct err *err)
{
	find_pin_dir(n);
	n->is_settled = !n->is_pinned || !has_other_layout(n);
	net_quiet();
	int r = load_quietly(n, err);
	net_loud();
	/* Relocation read the kernel's 5 MB of type information; give that back. */
	malloc_trim(0);
	return r;
}

/* --- links --- */

int net_attach_cgroup(struct net *n, enum net_program p, int cgroup_fd, const char *pin, int *ret_fd, struct err *err)
{
	char path[PATH_MAX];

	*ret_fd = -1;
	if (n->prog_fd[p] < 0)
		return err_set(err, ENOTSUP, "%s", n->why_not[p][0] ? n->why_not[p] : "not loaded");
	snprintf(path, sizeof(path), "%s/links/%s", n->pin_dir, pin);
	if (n->is_pinned) {
		CLEANUP(fd_closep) int old = bpf_obj_get(path);
		if (old >= 0 && !bpf_link_update(old, n->prog_fd[p], NULL))
			return 0;
		/* Its cgroup is gone, or it is something else. */
		if (old >= 0)
			(void)unlink(path);
	}
	CLEANUP(fd_closep) int fd = bpf_link_create(n->prog_fd[p], cgroup_fd, programs[p].type, NULL);
	if (fd < 0)
		return err_set(err, errno, "attach %s", programs[p].name);
	if (n->is_pinned && bpf_obj_pin(fd, path) < 0)
		return err_set(err, errno, "pin %s", programs[p].name);
	if (!n->is_pinned)
		*ret_fd = take_fd(&fd);
	return 0;
}

void net_attach_root(struct net *n)
{
	CLEANUP(fd_closep) int root = open(n->cgroup_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (unsigned p = 0; p < NET_PROGRAM_ROOT_COUNT; p++) {
		struct err e = { 0 };

		if (n->is_attached[p])
			continue;
		n->why_not[p][0] = n->prog_fd[p] < 0 ? n->why_not[p][0] : 0;
		if (net_attach_cgroup(n, p, root, programs[p].name, &n->link_fd[p], &e) >= 0)
			n->is_attached[p] = true;
		else
			(void)slice_copy(slice_of(e.msg), n->why_not[p], sizeof(n->why_not[p]));
	}
}

void net_detach_root(struct net *n)
{
	char path[PATH_MAX];

	for (unsigned p = 0; p < NET_PROGRAM_ROOT_COUNT; p++) {
		snprintf(path, sizeof(path), "%s/links/%s", n->pin_dir, programs[p].name);
		if (n->is_pinned)
			(void)unlink(path);
		fd_closep(&n->link_fd[p]);
		n->link_fd[p] = -1;
		n->is_attached[p] = false;
		if (n->prog_fd[p] >= 0)
			snprintf(n->why_not[p], sizeof(n->why_not[p]), "nothing is judged");
	}
}

/* Only what is surely ours is deleted. */
static int clear_pins(const char *pin_dir, struct err *err)
{
	char links[PATH_MAX];
	struct statfs fs;

	if (!pin_dir[0])
		return 0;
	if (statfs(pin_dir, &fs) < 0)
		return errno == ENOENT ? 0 : err_set(err, errno, "'%s'", pin_dir);
	if ((uint32_t)fs.f_type != BPFFS_MAGIC_NUMBER)
		return err_set(err, EINVAL, "'%s' is on no bpffs", pin_dir);
	if (snprintf(links, sizeof(links), "%s/links", pin_dir) >= (int)sizeof(links))
		return err_set(err, ENAMETOOLONG, "'%s'", pin_dir);
	remove_dir(links);
	(void)remove_maps(pin_dir, "");
	return rmdir(pin_dir) < 0 ? err_set(err, errno, "remove '%s'", pin_dir) : 0;
}

int net_clear(const char *pin_dir, struct err *err)
{
	int r = clear_pins(pin_dir, err);

	net_veth_clear(NULL, NULL);
	return r;
}
