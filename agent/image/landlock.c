/* landlock.c - files out of reach, by the kernel's Landlock. Its numbers stand here, since Debian's headers know
 * only some of them; what a kernel does not know is left out by its version. */
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/image/sandbox_priv.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

enum { CREATE_VERSION = 1, RULE_PATH_BENEATH = 1 };
/* access to files: execute, write, read a file, read a folder, nine ways to remove and make (1); link and rename
 * elsewhere (2); truncate (3); device ioctls (5) */
enum { FS_READ_FILE = 1 << 2, FS_READ_DIR = 1 << 3, FS_V1 = (1 << 13) - 1, FS_V2 = 1 << 13, FS_V3 = 1 << 14,
       FS_V5 = 1 << 15 };
enum { NET_V4 = 3 /* bind, connect by TCP */, SCOPE_V6 = 3 /* abstract sockets, signals */ };

struct ruleset_attr {
	uint64_t fs, net, scoped;
};
struct path_beneath_attr {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

int landlock_rules(const int *folders, size_t count)
{
	struct ruleset_attr attr = { .fs = FS_V1 };
	size_t size = sizeof(attr.fs);
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);

	if (version < 1)
		return -1;
	attr.fs |= (version >= 2 ? FS_V2 : 0) | (version >= 3 ? FS_V3 : 0) | (version >= 5 ? FS_V5 : 0);
	if (version >= 4) {
		attr.net = NET_V4;
		size = 2 * sizeof(uint64_t);
	}
	if (version >= 6) {
		attr.scoped = SCOPE_V6;
		size = sizeof(attr);
	}
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	for (size_t i = 0; ruleset >= 0 && i < count; i++) {
		struct path_beneath_attr rule = { FS_READ_FILE | FS_READ_DIR, folders[i] };

		if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0) {
			close(ruleset);
			return -1;
		}
	}
	return ruleset;
}

int landlock_enter(int ruleset, struct err *err)
{
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? err_set(err, errno, "enter Landlock") : 0;
}
