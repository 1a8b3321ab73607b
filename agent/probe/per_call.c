/* per_call.c - a program at each wanted call's sys_exit tracepoint, attached through perf events.
 */
#include "agent/probe/each_call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

/* A tracefs of our own: it is not mounted everywhere. */
static int open_tracefs(void)
{
	CLEANUP(fd_closep) int fs = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);

	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
}

static long tracepoint_id(int tracefs, const char *name)
{
	char path[96], text[24] = "";

	snprintf(path, sizeof(path), "events/syscalls/sys_exit_%s/id", name);
	CLEANUP(fd_closep) int fd = openat(tracefs, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	return n > 0 ? strtol(text, NULL, 10) : -EIO;
}

static int attach(int tracefs, const char *name, int prog_fd, int *ret_fd)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr)};
	long id = tracepoint_id(tracefs, name);

	if (id < 0)
		return (int)id;
	attr.config = (uint64_t)id;
	attr.sample_period = 1;
	CLEANUP(fd_closep)
	int fd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog_fd) < 0 ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int per_call_attach(int prog_fd, const struct tables *t, struct calls *c, struct err *err)
{
	CLEANUP(fd_closep) int tracefs = open_tracefs();

	if (tracefs < 0)
		return err_set(err, errno, "open the kernel's list of tracepoints");
	for (size_t call = 0; call < CALL_COUNT && c->count < HOOKS_MAX; call++) {
		char text[sizeof(c->hook->name)];

		if (!t->is_hooked[call])
			continue;
		snprintf(text, sizeof(text), "sys_exit_%s", each_call_name((enum call)call));
		struct hook *h = calls_new_hook(c, text);
		h->calls[call / 64] |= 1ULL << call % 64;
		int r = attach(tracefs, each_call_name((enum call)call), prog_fd, &h->link_fd);
		if (r < 0)
			snprintf(h->why_not, sizeof(h->why_not), "attach: %s", err_name(-r));
		else
			h->prog_fd = load_keep_fd(prog_fd);
	}
	return 0;
}
