/* path.c - paths of the host, compared as texts: for who can't look, or before who can has looked. */
#include "common/policy/policy_priv.h"

bool policy_path_is_under(const char *path, const char *dir)
{
	size_t n = policy_path_depth(dir);

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/');
}

size_t policy_path_depth(const char *path)
{
	return path[0] == '/' && !path[1] ? 0 : strlen(path);
}

/* "." and ".." and doubled slashes away, as the engine does before it mounts. */
static bool clean(const char *path, char *dst, size_t size)
{
	struct slice rest = slice_of(path), part;
	size_t n = 0;

	if (!size || path[0] != '/')
		return false;
	while (slice_split(&rest, '/', &part)) {
		if (!part.n || slice_is(part, "."))
			continue;
		if (slice_is(part, "..")) {
			while (n && dst[--n] != '/')
				;
			continue;
		}
		if (part.n + 2 > size - n)
			return false;
		dst[n++] = '/';
		memcpy(dst + n, part.p, part.n);
		n += part.n;
	}
	if (!n)
		dst[n++] = '/';
	if (n >= size)
		return false;
	dst[n] = 0;
	return true;
}

/* Length of "/proc/N" ("/proc/self", "/proc/thread-self", "/proc/N/task/M"); 0: it is none. */
static size_t proc_of_task(const char *path)
{
	size_t n = 6, word;

	if (strncmp(path, "/proc/", 6) != 0)
		return 0;
	word = strcspn(path + n, "/");
	bool is_word = (word == 4 && !strncmp(path + n, "self", 4)) || (word == 11 && !strncmp(path + n, "thread-self", 11));
	if (!is_word && (!word || strspn(path + n, "0123456789") != word))
		return 0;
	n += word;
	if (!strncmp(path + n, "/task/", 6)) {
		word = strspn(path + n + 6, "0123456789");
		if (word && (path[n + 6 + word] == '/' || !path[n + 6 + word]))
			n += 6 + word;
	}
	return n;
}

static bool is_part(const char *path, const char *part)
{
	size_t n = strlen(part);

	return !strncmp(path, part, n) && (!path[n] || path[n] == '/');
}

/* Takes a prefix away; what is left begins with a slash. */
static void take_off(char *path, size_t n)
{
	memmove(path, path + n, strlen(path + n) + 1);
	if (!path[0])
		memcpy(path, "/", 2);
}

bool policy_path_clean(const char *path, char *dst, size_t size, bool *ret_is_hidden)
{
	size_t n;

	*ret_is_hidden = false;
	if (size < 8 || !clean(path, dst, size))
		return false;
	/* Each round makes it shorter. */
	while ((n = proc_of_task(dst)) > 0) {
		if (is_part(dst + n, "/root")) {
			take_off(dst, n + 5);
			continue;
		}
		*ret_is_hidden = is_part(dst + n, "/cwd") || is_part(dst + n, "/fd") || is_part(dst + n, "/map_files");
		break;
	}
	/* /var/run and /var/lock are links into /run everywhere since 2012. */
	if (is_part(dst, "/var/run") || is_part(dst, "/var/lock"))
		take_off(dst, 4);
	return true;
}
