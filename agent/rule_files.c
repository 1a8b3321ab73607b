/* rule_files.c - see rule_files.h. */
#include "agent/rule_files.h"

#include <dirent.h>
#include <errno.h>

#include "common/slice.h"

enum { PATH_BYTES = 4096 };

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_rule_file(const char *file)
{
	struct slice name = slice_of(file);

	return name.n && name.p[0] != '.' &&
	       (slice_ends(name, SLICE_LIT(".yaml")) || slice_ends(name, SLICE_LIT(".yml")));
}

static int add(struct rule_files *f, const char *path, struct err *err)
{
	if (f->count == RULE_FILES_MAX)
		return err_set(err, ERR_LIMIT, "more than %d rule files", RULE_FILES_MAX);
	f->paths[f->count] = strdup(path);
	if (!f->paths[f->count])
		return err_set(err, ENOMEM, "rule files");
	f->count++;
	return 0;
}

static int add_folder(struct rule_files *f, const char *path, DIR *d, struct err *err)
{
	size_t first = f->count;
	int r = 0;

	for (struct dirent *e; r >= 0 && (e = readdir(d));) {
		char whole[PATH_BYTES];

		if (!is_rule_file(e->d_name))
			continue;
		int n = snprintf(whole, sizeof(whole), "%s/%s", path, e->d_name);
		r = n >= 0 && (size_t)n < sizeof(whole) ? add(f, whole, err)
							: err_set(err, ENAMETOOLONG, "rules '%s'", path);
	}
	qsort(f->paths + first, f->count - first, sizeof(*f->paths), compare_names);
	return r;
}

static int add_path(struct rule_files *f, const char *path, struct err *err)
{
	DIR *d = opendir(path);

	if (!d)
		return errno == ENOTDIR ? add(f, path, err) : err_set(err, errno, "rules '%s'", path);
	int r = add_folder(f, path, d, err);
	closedir(d);
	return r;
}

int rule_files_find(const char *const *paths, size_t count, struct rule_files *ret, struct err *err)
{
	int r = 0;

	*ret = (struct rule_files){ 0 };
	for (size_t i = 0; i < count && r >= 0; i++)
		r = add_path(ret, paths[i], err);
	return r;
}

void rule_files_fini(struct rule_files *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->paths[i]);
	f->count = 0;
}
