/* names.c - the words that people and scripts see for the messages' numbers. */
#include "proto/msg.h"

#include <strings.h>

static const struct {
	const char *word;
	enum msg_severity severity;
} priorities[] = {
	{"emergency", SEVERITY_CRITICAL}, {"alert", SEVERITY_CRITICAL},
	{"critical", SEVERITY_CRITICAL},  {"error", SEVERITY_HIGH},
	{"warning", SEVERITY_MEDIUM},	  {"notice", SEVERITY_LOW},
	{"informational", SEVERITY_INFO}, {"info", SEVERITY_INFO},
	{"debug", SEVERITY_INFO},
};

static const char *const severity_names[] = {
	[SEVERITY_INFO] = "info", [SEVERITY_LOW] = "low",	    [SEVERITY_MEDIUM] = "medium",
	[SEVERITY_HIGH] = "high", [SEVERITY_CRITICAL] = "critical",
};

static const char *const event_names[] = {
	[PICKET__EVENT_TYPE__EVENT_EXEC] = "exec",
	[PICKET__EVENT_TYPE__EVENT_EXIT] = "exit",
	[PICKET__EVENT_TYPE__EVENT_CONTAINER_CREATE] = "container.create",
	[PICKET__EVENT_TYPE__EVENT_CONTAINER_START] = "container.start",
	[PICKET__EVENT_TYPE__EVENT_CONTAINER_STOP] = "container.stop",
	[PICKET__EVENT_TYPE__EVENT_FORK] = "fork",
	[PICKET__EVENT_TYPE__EVENT_FILE] = "file",
	[PICKET__EVENT_TYPE__EVENT_NETWORK] = "network",
	[PICKET__EVENT_TYPE__EVENT_CALL] = "call",
	[PICKET__EVENT_TYPE__EVENT_ACTION] = "action",
	[PICKET__EVENT_TYPE__EVENT_ADMISSION] = "admission",
	[PICKET__EVENT_TYPE__EVENT_TRAFFIC] = "traffic",
	[PICKET__EVENT_TYPE__EVENT_CONTAINER_UPDATE] = "container.update",
	[PICKET__EVENT_TYPE__EVENT_HASH] = "hash",
};

static const char *const loss_names[] = {
	[PICKET__LOSS_CLASS__LOSS_PROCESS] = "process",
	[PICKET__LOSS_CLASS__LOSS_RARE] = "rare",
	[PICKET__LOSS_CLASS__LOSS_VOLUME] = "volume",
};

static const char *name_of(const char *const *names, size_t count, int i)
{
	return i >= 0 && (size_t)i < count && names[i] ? names[i] : "unknown";
}

enum msg_severity msg_severity(struct slice priority)
{
	for (size_t i = 0; i < ARRAY_LEN(priorities); i++)
		if (priority.n == strlen(priorities[i].word) &&
		    !strncasecmp(priority.p, priorities[i].word, priority.n))
			return priorities[i].severity;
	return SEVERITY_INFO;
}

const char *msg_severity_name(enum msg_severity s)
{
	return name_of(severity_names, ARRAY_LEN(severity_names), (int)s);
}

const char *msg_event_type_name(int type)
{
	return name_of(event_names, ARRAY_LEN(event_names), type);
}

int msg_event_type_parse(struct slice name)
{
	for (size_t i = 0; i < ARRAY_LEN(event_names); i++)
		if (event_names[i] && slice_is(name, event_names[i]))
			return (int)i;
	return 0;
}

const char *msg_loss_class_name(int loss_class)
{
	return name_of(loss_names, ARRAY_LEN(loss_names), loss_class);
}
