/* picketctl - the inbox, the history and the fleet, from a terminal or a script. */
#include <signal.h>

#include "collector/ctl/ctl.h"

int main(int argc, char **argv)
{
	struct ctl c = { .out = stdout };
	const struct ctl_command *cmd = NULL;
	struct err err = { 0 };

	signal(SIGPIPE, SIG_DFL); /* `picketctl … | head` ends quietly */
	int r = ctl_args(&c, argc, argv, &err);
	if (r >= 0 && c.noun && !strcmp(c.noun, "version")) {
		puts("picketctl " PICKET_VERSION);
		ctl_fini(&c);
		return 0;
	}
	if (r >= 0)
		r = ctl_find(&c, &cmd, &err);
	if (r >= 0 && c.wants_help) {
		ctl_help(&c, cmd);
	} else if (r >= 0) {
		if (cmd->is_local)
			ctl_terminal(&c);
		else
			r = ctl_settings(&c, &err);
		if (r >= 0)
			r = cmd->run(&c, &err);
	}
	if (r < 0)
		fprintf(stderr, "picketctl: %s\n", err.msg);
	ctl_fini(&c);
	if (fflush(stdout) != 0 && r >= 0) {
		fprintf(stderr, "picketctl: can't write to standard output\n");
		return 1;
	}
	return err_exit_code(r);
}
