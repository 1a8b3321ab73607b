/* live_files.c - rules from files, and whether the files have changed. */
#include "collector/correlate/live_priv.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "common/log.h"

enum { LOOK_EVERY_S = 5, DEPTH_MAX = 8, PATH_BYTES = 4096 };

static void mute(const struct live_config *cfg, struct ruleset *rs)
{
	for (size_t i = 0; i < cfg->muted_count; i++) {
		ptrdiff_t at = ruleset_find(rs, slice_of(cfg->muted[i]));

		if (at >= 0)
			rs->rules[at].is_told = false;
		else
			LOG(WARN, "correlate.muted", KV_STR("rule", cfg->muted[i]), KV_STR("why", "there is no such rule"));
	}
}

int live_load(const struct live_config *cfg, bool is_lenient, struct ruleset **ret, struct err *err)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = ruleset_new();
	int r = rs ? 0 : err_set(err, ENOMEM, "rules");

	if (r >= 0 && cfg->has_shipped)
		r = ruleset_add_shipped(rs, err);
	if (r >= 0 && cfg->correlations_dir[0])
		r = ruleset_add_folder(rs, cfg->correlations_dir, is_lenient, err);
	if (r >= 0 && cfg->rules_dir[0])
		r = ruleset_add_folder(rs, cfg->rules_dir, is_lenient, err);
	if (r >= 0)
		r = ruleset_link(rs, is_lenient, err);
	if (r < 0)
		return r;
	mute(cfg, rs);
	*ret = take_ptr(rs);
	return 0;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
	return (h ^ v) * 0x9e3779b97f4a7c15 + (h >> 29);
}

static uint64_t sign_folder(const char *path, unsigned depth);

static uint64_t sign_entry(const char *folder, const char *name, unsigned depth)
{
	char path[PATH_BYTES];
	struct stat st;

	if (name[0] == '.' || (size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path) || stat(path, &st) < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return depth < DEPTH_MAX ? sign_folder(path, depth + 1) : 0;
	uint64_t h = mix(slice_hash(slice_of(path)), (uint64_t)st.st_size);
	h = mix(h, (uint64_t)st.st_ino);
	return mix(h, (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec);
}

/* A sum, whatever the order: names, sizes, inodes, times of every file. */
static uint64_t sign_folder(const char *path, unsigned depth)
{
	DIR *d = opendir(path);
	uint64_t h = 0;

	if (!d)
		return 0;
	for (const struct dirent *e; (e = readdir(d));)
		h += sign_entry(path, e->d_name, depth);
	closedir(d);
	return h;
}

uint64_t live_signature(const struct live *l)
{
	return mix(sign_folder(l->cfg.correlations_dir, 0), sign_folder(l->cfg.rules_dir, 0));
}

void live_look(struct live *l)
{
	uint64_t now = clock_boot_ns(l->clk);

	(void)live_take(l);
	if (now < l->looked_boot_ns + LOOK_EVERY_S * 1000000000ull)
		return;
	l->looked_boot_ns = now;
	uint64_t signature = live_signature(l);
	if (signature != l->signature)
		live_read(l, signature);
}
