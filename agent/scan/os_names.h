/* os_names.h - what distributions are called: in os-release (ours), in Trivy's output, for people. */
#pragma once
#include "common/slice.h"

/* Trivy's and other tools' name -> the ID of os-release; unknown names stay as they are. */
struct slice os_names_id(struct slice name);
/* ID of os-release -> Trivy's family; unknown ones stay as they are. */
struct slice os_names_family(struct slice id);
/* "debian", "12.5" -> "12": the part of a version that advisories go by, as os-release has it. */
struct slice os_names_version(struct slice id, struct slice version);
/* "debian", "12" -> "bookworm"; empty when not known. For documents that don't carry it. */
struct slice os_names_codename(struct slice id, struct slice version);
