/* table.c - the files of distributions and compilers, and who reads them. All are read where they lie, at any
 * size. */
#include "agent/image/os/os_priv.h"

const struct pkg_parser pkg_os_parsers[] = {
	{ .name = "dpkg", .match = PKG_PATH, .pattern = "var/lib/dpkg/status", .read = dpkg_status_read },
	{ .name = "dpkg", .match = PKG_GLOB, .pattern = "var/lib/dpkg/status.d/*", .read = dpkg_status_d_read },
	{ .name = "dpkg", .match = PKG_GLOB, .pattern = "var/lib/dpkg/info/*.list", .read = dpkg_list_read },
	{ .name = "dpkg", .match = PKG_GLOB, .pattern = "var/lib/dpkg/info/*.md5sums", .read = dpkg_md5sums_read },
	{ .name = "opkg", .match = PKG_PATH, .pattern = "usr/lib/opkg/status", .read = opkg_status_read },
	{ .name = "opkg", .match = PKG_PATH, .pattern = "var/lib/opkg/status", .read = opkg_status_read },
	{ .name = "opkg", .match = PKG_GLOB, .pattern = "usr/lib/opkg/info/*.list", .read = opkg_list_read },
	{ .name = "opkg", .match = PKG_GLOB, .pattern = "var/lib/opkg/info/*.list", .read = opkg_list_read },
	{ .name = "apk", .match = PKG_PATH, .pattern = "lib/apk/db/installed", .read = apk_read },
	{ .name = "apk", .match = PKG_PATH, .pattern = "usr/lib/apk/db/installed", .read = apk_read },
#define RPM(folder)                                                                                              \
	{ .name = "rpm", .match = PKG_PATH, .pattern = folder "/rpmdb.sqlite", .read = rpm_sqlite_read },        \
	{ .name = "rpm", .match = PKG_PATH, .pattern = folder "/Packages.db", .read = rpm_ndb_read },            \
	{ .name = "rpm", .match = PKG_PATH, .pattern = folder "/Packages", .read = rpm_bdb_read }
	RPM("var/lib/rpm"),
	RPM("usr/lib/sysimage/rpm"),
	RPM("usr/share/rpm"),
#undef RPM
	{ .name = "binary", .match = PKG_ELF, .read = binary_read },
	{ .name = "java", .match = PKG_GLOB, .pattern = "*.jar", .read = java_read },
	{ .name = "java", .match = PKG_GLOB, .pattern = "*.war", .read = java_read },
	{ .name = "java", .match = PKG_GLOB, .pattern = "*.ear", .read = java_read },
	{ .name = "java", .match = PKG_GLOB, .pattern = "*.par", .read = java_read },
	{ .name = "java", .match = PKG_GLOB, .pattern = "*.hpi", .read = java_read },
	{ .name = "java", .match = PKG_GLOB, .pattern = "*.jpi", .read = java_read },
};
const size_t pkg_os_parser_count = ARRAY_LEN(pkg_os_parsers);
