/* lang.c - the table: which file is read by whom. */
#include "agent/image/lang/lang.h"

enum { MIB = 1 << 20 };

bool lang_is_inside(struct slice path, const char *folder)
{
	struct slice part;

	while (slice_split(&path, '/', &part))
		if (slice_is(part, folder) && path.n)
			return true;
	return false;
}

#define INSTALLED .is_lockfile = false
#define LOCKFILE .is_lockfile = true

/* Sizes: some times the largest seen in the wild (npm locks of 4 MiB; a RECORD of 2 MiB). */
const struct pkg_parser pkg_lang_parsers[] = {
	{ "npm-package", PKG_GLOB, "*node_modules/*package.json", INSTALLED, MIB, lang_npm_package, NULL },
	{ "python-metadata", PKG_GLOB, "*.dist-info/METADATA", INSTALLED, 4 * MIB, lang_python_metadata, NULL },
	{ "python-record", PKG_GLOB, "*.dist-info/RECORD", INSTALLED, 8 * MIB, lang_python_record, NULL },
	{ "python-egg-info", PKG_GLOB, "*.egg-info", INSTALLED, 4 * MIB, lang_python_metadata, NULL },
	{ "python-egg-info", PKG_GLOB, "*.egg-info/PKG-INFO", INSTALLED, 4 * MIB, lang_python_metadata, NULL },
	{ "python-egg-info", PKG_GLOB, "*EGG-INFO/PKG-INFO", INSTALLED, 4 * MIB, lang_python_metadata, NULL },
	{ "python-installed-files", PKG_GLOB, "*.egg-info/installed-files.txt", INSTALLED, 8 * MIB,
	  lang_python_installed_files, NULL },
	{ "python-egg", PKG_GLOB, "*.egg", INSTALLED, 0, NULL, lang_python_zip },
	{ "gemspec", PKG_GLOB, "*specifications/*.gemspec", INSTALLED, MIB, lang_gemspec, NULL },
	{ "composer-installed", PKG_GLOB, "*composer/installed.json", INSTALLED, 8 * MIB,
	  lang_composer_installed, NULL },
	{ "dotnet-deps", PKG_GLOB, "*.deps.json", INSTALLED, 8 * MIB, lang_dotnet_deps, NULL },

	{ "npm-lock", PKG_NAME, "package-lock.json", LOCKFILE, 8 * MIB, lang_npm_lock, NULL },
	{ "npm-lock", PKG_NAME, "npm-shrinkwrap.json", LOCKFILE, 8 * MIB, lang_npm_lock, NULL },
	{ "yarn-lock", PKG_NAME, "yarn.lock", LOCKFILE, 8 * MIB, lang_yarn, NULL },
	{ "pnpm-lock", PKG_NAME, "pnpm-lock.yaml", LOCKFILE, 8 * MIB, lang_pnpm, NULL },
	{ "requirements", PKG_GLOB, "*requirements*.txt", LOCKFILE, MIB, lang_requirements, NULL },
	{ "pipfile-lock", PKG_NAME, "Pipfile.lock", LOCKFILE, 8 * MIB, lang_pipfile_lock, NULL },
	{ "poetry-lock", PKG_NAME, "poetry.lock", LOCKFILE, 8 * MIB, lang_poetry_lock, NULL },
	{ "pdm-lock", PKG_NAME, "pdm.lock", LOCKFILE, 8 * MIB, lang_pdm_lock, NULL },
	{ "uv-lock", PKG_NAME, "uv.lock", LOCKFILE, 8 * MIB, lang_uv_lock, NULL },
	{ "pylock", PKG_NAME, "pylock.toml", LOCKFILE, 8 * MIB, lang_pylock, NULL },
	{ "pylock", PKG_GLOB, "*pylock.*.toml", LOCKFILE, 8 * MIB, lang_pylock, NULL },
	{ "pyproject", PKG_NAME, "pyproject.toml", LOCKFILE, MIB, lang_pyproject, NULL },
	{ "python-wheel", PKG_GLOB, "*.whl", LOCKFILE, 0, NULL, lang_python_zip },
	{ "gemfile-lock", PKG_NAME, "Gemfile.lock", LOCKFILE, MIB, lang_gemfile_lock, NULL },
	{ "gemfile-lock", PKG_NAME, "gems.locked", LOCKFILE, MIB, lang_gemfile_lock, NULL },
	{ "composer-lock", PKG_NAME, "composer.lock", LOCKFILE, 8 * MIB, lang_composer_lock, NULL },
	{ "go-mod", PKG_NAME, "go.mod", LOCKFILE, MIB, lang_go_mod, NULL },
	{ "go-vendor", PKG_GLOB, "*vendor/modules.txt", LOCKFILE, 4 * MIB, lang_go_vendor, NULL },
	{ "cargo-lock", PKG_NAME, "Cargo.lock", LOCKFILE, 8 * MIB, lang_cargo_lock, NULL },
	{ "nuget-lock", PKG_NAME, "packages.lock.json", LOCKFILE, 8 * MIB, lang_nuget_lock, NULL },
	{ "nuget-config", PKG_NAME, "packages.config", LOCKFILE, MIB, lang_nuget_config, NULL },
	{ "gradle-lock", PKG_NAME, "gradle.lockfile", LOCKFILE, MIB, lang_gradle_lock, NULL },
	{ "gradle-lock", PKG_NAME, "buildscript-gradle.lockfile", LOCKFILE, MIB, lang_gradle_lock, NULL },
};
const size_t pkg_lang_parser_count = ARRAY_LEN(pkg_lang_parsers);
