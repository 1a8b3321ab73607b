/* ctl_args.c - the command line and the settings behind it. */
#include <errno.h>
#include <sys/ioctl.h>

#include "collector/ctl/ctl.h"

#include "common/conf.h"
#include "common/text.h"

static const char *const formats[] = { "auto", "table", "wide", "json", "ndjson", "yaml", "csv" };
static const char *const options[] = { "--server", "--token-file", "--ca", "--output", "--since",
				       "--until", "--limit", "--watch", "--comment", "--reason",
				       "--order", "--timeout", "--image", "--package", "--ended",
				       "--subject", "--host", "--from", "--field", "--sort", "--yes", "--force",
				       "--all", "--group", "--at", "--format",
				       "--help" };

static int set_format(struct ctl *c, const char *text, struct err *err)
{
	for (size_t i = 1; i < ARRAY_LEN(formats); i++) {
		if (!strcmp(text, formats[i])) {
			c->format = (enum ctl_format)i;
			return 0;
		}
	}
	return err_set(err, ERR_USAGE, "-o %.40s: one of table, wide, json, ndjson, yaml, csv", text);
}

static void set_str(char **field, const char *value)
{
	free(*field);
	*field = conf_strdup(value);
}

static int set_limit(struct ctl *c, const char *value, struct err *err)
{
	if (!slice_to_u64(slice_of(value), &c->limit) || !c->limit || c->limit > 1000000)
		return err_set(err, ERR_USAGE, "--limit %.40s: a number from 1 to 1000000", value);
	c->has_limit = true;
	return 0;
}

static int set_timeout(struct ctl *c, const char *value, struct err *err)
{
	if (!text_duration_parse(slice_of(value), &c->timeout_ms) || !c->timeout_ms)
		return err_set(err, ERR_USAGE, "--timeout %.40s: a time such as 500ms, 10s, 2m", value);
	return 0;
}

static int set_order(struct ctl *c, const char *value, struct err *err)
{
	if (strcmp(value, "asc") != 0 && strcmp(value, "desc") != 0)
		return err_set(err, ERR_USAGE, "--order %.40s: asc or desc", value);
	c->is_oldest_first = !strcmp(value, "asc");
	return 0;
}

static int add_group(struct ctl *c, const char *value, struct err *err)
{
	const char *eq = strchr(value, '=');

	if (!eq || eq == value)
		return err_set(err, ERR_USAGE, "--group %.60s: NAME=VALUE, as --group host=web-1", value);
	if (c->group_count == ARRAY_LEN(c->groups))
		return err_set(err, ERR_USAGE, "--group: at most %zu", ARRAY_LEN(c->groups));
	c->groups[c->group_count++] = value;
	return 0;
}

static int set_option(struct ctl *c, const char *name, const char *value, struct err *err)
{
	if (!strcmp(name, "--server"))
		set_str(&c->server, value);
	else if (!strcmp(name, "--token-file"))
		set_str(&c->token_file, value);
	else if (!strcmp(name, "--ca"))
		set_str(&c->ca, value);
	else if (!strcmp(name, "--output") || !strcmp(name, "--format"))
		return set_format(c, value, err);
	else if (!strcmp(name, "--since"))
		c->since = value;
	else if (!strcmp(name, "--until"))
		c->until = value;
	else if (!strcmp(name, "--comment"))
		c->comment = value;
	else if (!strcmp(name, "--reason"))
		c->reason = value;
	else if (!strcmp(name, "--image"))
		c->image = value;
	else if (!strcmp(name, "--package"))
		c->package = value;
	else if (!strcmp(name, "--subject"))
		c->subject = value;
	else if (!strcmp(name, "--host"))
		c->host = value;
	else if (!strcmp(name, "--from"))
		c->from = value;
	else if (!strcmp(name, "--field"))
		c->fields = value;
	else if (!strcmp(name, "--sort"))
		c->sort = value;
	else if (!strcmp(name, "--at"))
		c->at = value;
	else if (!strcmp(name, "--group"))
		return add_group(c, value, err);
	else if (!strcmp(name, "--limit"))
		return set_limit(c, value, err);
	else if (!strcmp(name, "--timeout"))
		return set_timeout(c, value, err);
	else if (!strcmp(name, "--order"))
		return set_order(c, value, err);
	return 0;
}

static int unknown_option(struct slice name, struct err *err)
{
	const char *near = text_nearest(name, options, ARRAY_LEN(options));

	return err_set(err, ERR_USAGE, "unknown option '%.*s'%s%s; see picketctl --help",
		       SLICE_FMT(slice_sub(name, 0, 40)), near ? ", did you mean " : "", near ? near : "");
}

/* Options without a value. */
static bool *flag_of(struct ctl *c, const char *name)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = { { "--help", &c->wants_help }, { "--ended", &c->wants_ended }, { "--watch", &c->is_watching },
		      { "--yes", &c->wants_yes },   { "--force", &c->wants_force },
		      { "--all", &c->wants_all } };

	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (!strcmp(flags[i].name, name))
			return flags[i].flag;
	return NULL;
}

/* "--name value" or "--name=value"; *i moves on past a value of its own. */
static int long_option(struct ctl *c, int argc, char **argv, int *i, struct err *err)
{
	char name[32];
	struct slice arg = slice_of(argv[*i]);
	ptrdiff_t eq = slice_find_char(arg, '=');
	bool is_known = false;

	slice_copy(eq < 0 ? arg : slice_sub(arg, 0, (size_t)eq), name, sizeof(name));
	bool *flag = flag_of(c, name);
	if (flag && eq >= 0)
		return err_set(err, ERR_USAGE, "%s takes no value", name);
	if (flag) {
		*flag = true;
		return 0;
	}
	for (size_t k = 0; k < ARRAY_LEN(options); k++)
		is_known |= !strcmp(options[k], name);
	if (!is_known)
		return unknown_option(slice_of(name), err);
	if (eq >= 0)
		return set_option(c, name, argv[*i] + eq + 1, err);
	if (*i + 1 >= argc)
		return err_set(err, ERR_USAGE, "%s needs a value", name);
	return set_option(c, name, argv[++*i], err);
}

static int add_word(struct ctl *c, const char *word, struct err *err)
{
	if (!c->noun)
		c->noun = word;
	else if (!c->verb)
		c->verb = word;
	else if (c->arg_count < CTL_ARGS_MAX)
		c->args[c->arg_count++] = word;
	else
		return err_set(err, ERR_USAGE, "more than %d words", CTL_ARGS_MAX);
	return 0;
}

/* "-status:resolved" is a word of the filter language, not an option. */
static bool is_negated_term(const char *arg)
{
	return arg[0] == '-' && arg[1] && arg[1] != '-' && strpbrk(arg, ":=~<>!") != NULL;
}

int ctl_args(struct ctl *c, int argc, char **argv, struct err *err)
{
	bool is_over = false;
	int r = 0;

	for (int i = 1; i < argc && r >= 0; i++) {
		const char *arg = argv[i];

		if (is_over || arg[0] != '-' || !arg[1] || is_negated_term(arg))
			r = add_word(c, arg, err);
		else if (!strcmp(arg, "--"))
			is_over = true;
		else if (!strcmp(arg, "-h"))
			c->wants_help = true;
		else if (!strcmp(arg, "-w"))
			c->is_watching = true;
		else if (!strcmp(arg, "-o") && i + 1 < argc)
			r = set_format(c, argv[++i], err);
		else if (!strcmp(arg, "-o"))
			r = err_set(err, ERR_USAGE, "-o needs a value: table, wide, json, ndjson, yaml, csv");
		else if (!strcmp(arg, "--version"))
			r = add_word(c, "version", err);
		else if (!strncmp(arg, "-o", 2) && arg[2])
			r = set_format(c, arg + 2, err);
		else if (!strncmp(arg, "--", 2))
			r = long_option(c, argc, argv, &i, err);
		else
			r = unknown_option(slice_of(arg), err);
	}
	return r;
}

static void set_from_environment(char **field, const char *name)
{
	const char *v = getenv(name);

	if (!*field && v && v[0])
		*field = conf_strdup(v);
}

static const struct conf_key file_keys[] = {
	{ .name = "server", .kind = CONF_STR, .offset = offsetof(struct ctl, server),
	  .doc = "the collector's address, https://HOST:8443" },
	{ .name = "token_file", .kind = CONF_STR, .offset = offsetof(struct ctl, token_file),
	  .doc = "file with the API token" },
	{ .name = "ca", .kind = CONF_STR, .offset = offsetof(struct ctl, ca),
	  .doc = "the collector's CA, PEM" },
};

static int read_config_file(struct ctl *c, struct err *err)
{
	struct ctl from_file = { 0 };
	const char *home = getenv("XDG_CONFIG_HOME"), *below = "";
	char path[4096];
	int r = 0;

	if (!home || !home[0]) {
		home = getenv("HOME");
		below = "/.config";
	}
	if (!home || !home[0])
		return 0;
	snprintf(path, sizeof(path), "%s%s/picket/config.yaml", home, below);
	if (access(path, F_OK) == 0)
		r = conf_read(path, file_keys, ARRAY_LEN(file_keys), &from_file, err);
	if (r >= 0) {
		c->server = c->server ? c->server : take_ptr(from_file.server);
		c->token_file = c->token_file ? c->token_file : take_ptr(from_file.token_file);
		c->ca = c->ca ? c->ca : take_ptr(from_file.ca);
	}
	conf_fini(file_keys, ARRAY_LEN(file_keys), &from_file);
	return r;
}

void ctl_terminal(struct ctl *c)
{
	const char *columns = getenv("COLUMNS"), *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize ws;
	uint64_t n = 0;

	c->is_tty = isatty(fileno(c->out));
	if (c->is_tty && ioctl(fileno(c->out), TIOCGWINSZ, &ws) == 0)
		c->columns = ws.ws_col;
	/* COLUMNS given by hand also fits a table that goes elsewhere. */
	if (columns && slice_to_u64(slice_of(columns), &n) && n >= 20 && n <= 10000)
		c->columns = (size_t)n;
	if (c->format == CTL_WIDE)
		c->columns = 0; /* asked for everything */
	c->has_colour = c->is_tty && (!no_colour || !no_colour[0]) && (!term || strcmp(term, "dumb") != 0);
	bool is_export = c->verb && !strcmp(c->verb, "export");
	if (c->format == CTL_AUTO)
		c->format = c->is_tty && !is_export ? CTL_TABLE : CTL_NDJSON;
	if (!c->limit)
		c->limit = is_export ? UINT64_MAX : CTL_LIMIT_DEFAULT;
}

int ctl_settings(struct ctl *c, struct err *err)
{
	ctl_terminal(c);
	set_from_environment(&c->server, "PICKET_SERVER");
	set_from_environment(&c->token_file, "PICKET_TOKEN_FILE");
	set_from_environment(&c->ca, "PICKET_CA");
	int r = c->server && c->token_file && c->ca ? 0 : read_config_file(c, err);
	if (r < 0)
		return r;
	if (!c->server)
		return err_set(err, ERR_USAGE,
			       "no server: --server https://HOST:8443, PICKET_SERVER or ~/.config/picket/config.yaml");
	if (!c->token_file)
		return err_set(err, ERR_USAGE,
			       "no token: --token-file FILE, PICKET_TOKEN_FILE or ~/.config/picket/config.yaml");
	return 0;
}

void ctl_fini(struct ctl *c)
{
	free(c->server);
	free(c->token_file);
	free(c->ca);
	buf_fini(&c->token);
}

void ctl_filter(const struct ctl *c, struct buf *out)
{
	for (size_t i = 0; i < c->arg_count; i++) {
		const char *arg = c->args[i];
		size_t key = strcspn(arg, ":=~<>! ");

		if (i)
			buf_add_char(out, ' ');
		if (!strpbrk(arg, " \t") || strchr(arg, '"')) {
			buf_add_str(out, arg);
			continue;
		}
		/* The shell took the quotes away: "free text", and key="a value". */
		key = arg[key] && arg[key] != ' ' ? key + strspn(arg + key, ":=~<>!") : 0;
		buf_add(out, arg, key);
		buf_printf(out, "\"%s\"", arg + key);
	}
}
