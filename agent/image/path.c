/* path.c - see path.h. */
#include "agent/image/path.h"

#include "agent/image/image_limits.h"
#include "proto/limits.h"

bool path_next(struct slice *rest, struct slice *ret)
{
	while (rest->n && rest->p[0] == '/')
		*rest = slice_sub(*rest, 1, rest->n);
	return rest->n && slice_split(rest, '/', ret);
}

/* Appends a component. *n: what dst holds. */
static bool add(char *dst, size_t *n, struct slice part)
{
	if (*n + 1 + part.n > LIMIT_PATH_BYTES)
		return false;
	if (*n)
		dst[(*n)++] = '/';
	memcpy(dst + *n, part.p, part.n);
	*n += part.n;
	return true;
}

int path_clean(struct slice path, char *dst, struct slice *ret, struct err *err)
{
	struct slice rest = path, part;
	size_t n = 0, depth = 0;

	while (path_next(&rest, &part)) {
		if (slice_is(part, "."))
			continue;
		if (slice_is(part, ".."))
			return err_set(err, ERR_CORRUPT, "'%.*s' leads out of the image",
				       (int)(path.n > 120 ? 120 : path.n), path.p);
		if (++depth > IMAGE_PATH_DEPTH)
			return err_set(err, ERR_CORRUPT, "'%.*s…' is more than %d folders deep", 80, path.p,
				       IMAGE_PATH_DEPTH);
		if (!add(dst, &n, part))
			return err_set(err, ERR_CORRUPT, "'%.*s…' is longer than %d bytes", 80, path.p,
				       LIMIT_PATH_BYTES);
	}
	dst[n] = 0;
	*ret = slice_from(dst, n);
	return 0;
}

bool path_join(struct slice at, struct slice target, char *dst, struct slice *ret)
{
	struct slice folder = target.n && target.p[0] == '/' ? SLICE_NONE : path_folder(at);
	struct slice rests[2] = { folder, target }, part;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(rests); i++) {
		while (path_next(&rests[i], &part)) {
			if (slice_is(part, "."))
				continue;
			if (slice_is(part, ".."))
				n = path_folder(slice_from(dst, n)).n;
			else if (!add(dst, &n, part))
				return false;
		}
	}
	dst[n] = 0;
	*ret = slice_from(dst, n);
	return true;
}

struct slice path_name(struct slice path)
{
	size_t i = path.n;

	while (i && path.p[i - 1] != '/')
		i--;
	return slice_sub(path, i, path.n);
}

struct slice path_folder(struct slice path)
{
	size_t i = path.n;

	while (i && path.p[i - 1] != '/')
		i--;
	return slice_sub(path, 0, i ? i - 1 : 0);
}

bool path_is_below(struct slice path, struct slice folder)
{
	return !folder.n || (slice_starts(path, folder) && (path.n == folder.n || path.p[folder.n] == '/'));
}

uint64_t path_hash_more(uint64_t h, struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ (uint8_t)s.p[i]) * 0x100000001b3ULL;
	return h;
}

uint64_t path_hash(struct slice path)
{
	return path_hash_more(PATH_HASH_START, path);
}
