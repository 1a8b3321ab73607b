/* act.h - what act.c and evade.c share. */
#pragma once
#include <netinet/in.h>

struct act {
	const char *name;
	int arguments;
	int (*run)(char **a); /* ends with NULL; the exit status */
};
extern const struct act evasions[]; /* ends with a name of NULL */

int cannot(const char *what); /* says it with errno, returns 1 */
struct sockaddr_in address_of(char **a); /* dotted address, port */
