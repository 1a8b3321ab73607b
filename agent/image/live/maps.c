/* maps.c - see maps.h. A line: "START-END rwxp OFFSET MAJ:MIN INODE     PATH", where the kernel writes a
 * newline in a path as \012, and " (deleted)" behind one that is gone. */
#include "agent/image/live/maps.h"

static bool next_word(struct slice *rest, struct slice *ret)
{
	while (rest->n && rest->p[0] == ' ')
		*rest = slice_sub(*rest, 1, rest->n);
	return slice_split(rest, ' ', ret) && ret->n;
}

static bool parse_line(struct slice line, struct slice *ret)
{
	struct slice range, perms, offset, dev, inode;
	const struct slice deleted = SLICE_LIT(" (deleted)");

	if (!next_word(&line, &range) || !next_word(&line, &perms) || !next_word(&line, &offset) ||
	    !next_word(&line, &dev) || !next_word(&line, &inode))
		return false;
	if (perms.n != 4 || perms.p[2] != 'x' || slice_is(inode, "0"))
		return false;
	while (line.n && line.p[0] == ' ')
		line = slice_sub(line, 1, line.n);
	if (slice_ends(line, deleted))
		return false; /* what lies there now is another file */
	*ret = line;
	return line.n > 1 && line.p[0] == '/' && !slice_starts(line, SLICE_LIT("/memfd:")) &&
	       !slice_starts(line, SLICE_LIT("/SYSV")) && slice_find(line, SLICE_LIT("\\012")) < 0;
}

void maps_parse(struct slice text, void (*fn)(void *arg, struct slice path), void *arg)
{
	struct slice line, path, last = SLICE_NONE;

	while (slice_split(&text, '\n', &line)) {
		if (!parse_line(line, &path) || slice_eq(path, last))
			continue;
		last = path;
		fn(arg, path);
	}
}
