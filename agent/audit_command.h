/* audit_command.h - `picket-agent audit`, with the room of images to look into their files. */
#pragma once

int audit_command(int argc, char **argv);
