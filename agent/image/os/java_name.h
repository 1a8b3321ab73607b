/* java_name.h - what a jar is called: from its pom.properties, its manifest, its file's name. Pure. */
#pragma once
#include "agent/image/os/os_priv.h"

/* A pom.properties, or what was made out otherwise. */
struct java_name {
	struct kept group, artifact, version;
};

/* What a manifest's main section says; each may be empty. */
struct java_manifest {
	struct kept title, version, vendor_id;		/* Implementation-* */
	struct kept spec_title, spec_version;		/* Specification-* */
	struct kept bundle, bundle_version;		/* Bundle-SymbolicName without ";...", Bundle-Version */
};

/* b: the file. False when it has no group, artifact or version, or has them from a variable. */
int java_pom_read(const struct blob *b, struct java_name *ret, bool *ret_is_whole, struct err *err) WARN_UNUSED;
int java_manifest_read(const struct blob *b, struct java_manifest *ret, struct err *err) WARN_UNUSED;

/* "spring-core-5.3.4.jar" -> "spring-core", "5.3.4"; without a version in it: the whole stem and nothing.
 * known: the manifest's version, which tells where the name ends; may be empty. */
void java_file_split(struct slice file, struct slice known, struct slice *artifact, struct slice *version);
/* Is this pom.properties the one of the jar with that file name? */
bool java_is_of_file(const struct java_name *n, struct slice file);
/* Say manifest and file name that the jar is something other than the one pom.properties in it, which has
 * that version? */
bool java_is_other(const struct java_manifest *m, struct slice file, const struct kept *pom_version);
/* The jar's own name, made out from manifest and file name. False: there is not enough to name it. */
bool java_guess(const struct java_manifest *m, struct slice file, struct java_name *ret);
