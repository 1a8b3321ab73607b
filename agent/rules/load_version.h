/* load_version.h - what a rule file requires of the engine and of plugins. */
#pragma once
#include "agent/rules/load.h"

void load_engine_version(struct loader *l, const struct ynode *item);
void load_plugin_versions(struct loader *l, const struct ynode *item);
