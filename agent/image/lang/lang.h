/* lang.h - the parsers of the table in lang.c; each a pure function as pkg.h has it. */
#pragma once
#include "agent/image/pkg.h"

#define LANG_PARSER(name)                                                                                \
	int lang_##name(struct slice path, struct slice text, const struct pkg_out *out, struct err *err) \
		WARN_UNUSED

LANG_PARSER(npm_lock);	 /* package-lock.json, npm-shrinkwrap.json: formats 1 to 3 */
LANG_PARSER(npm_package); /* node_modules/X/package.json */
LANG_PARSER(yarn);	 /* yarn.lock, both kinds */
LANG_PARSER(pnpm);	 /* pnpm-lock.yaml: formats 5 to 9 */
LANG_PARSER(python_metadata); /* METADATA, PKG-INFO, X.egg-info */
LANG_PARSER(python_record);   /* X.dist-info/RECORD: what the package owns */
LANG_PARSER(python_installed_files); /* X.egg-info/installed-files.txt: the same */
LANG_PARSER(requirements);
LANG_PARSER(pipfile_lock);
LANG_PARSER(poetry_lock);
LANG_PARSER(pdm_lock);
LANG_PARSER(uv_lock);
LANG_PARSER(pylock);
LANG_PARSER(pyproject);
LANG_PARSER(gemfile_lock);
LANG_PARSER(gemspec);
LANG_PARSER(composer_lock);
LANG_PARSER(composer_installed);
LANG_PARSER(go_mod);
LANG_PARSER(go_vendor); /* vendor/modules.txt */
LANG_PARSER(cargo_lock);
LANG_PARSER(dotnet_deps); /* X.deps.json */
LANG_PARSER(nuget_lock);
LANG_PARSER(nuget_config); /* packages.config */
LANG_PARSER(gradle_lock);

/* A zip with metadata in it: an egg (installed) or a wheel (waits to be). */
int lang_python_zip(struct slice path, const struct blob *b, const struct pkg_out *out,
		    struct err *err) WARN_UNUSED;
/* Name and version from headers as mail has them; empty where they are none. */
void lang_python_headers(struct slice text, struct slice *ret_name, struct slice *ret_version);

/* One line of requirements ("name[extra] == 1.0 ; marker"): false when it names no package. *ret_version:
 * empty unless it is pinned to one. */
bool lang_requirement(struct slice line, struct slice *ret_name, struct slice *ret_version);

/* A package that was published with a lock file of its own, or a copy of one: not what is installed here. */
bool lang_is_inside(struct slice path, const char *folder);
