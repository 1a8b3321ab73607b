/* history_classes.c - which class a record is of, and which classes records of some types can be in. */
#include "collector/store/history_priv.h"

static unsigned class_of_event(int type)
{
	switch (type) {
	case PICKET__EVENT_TYPE__EVENT_FILE:
	case PICKET__EVENT_TYPE__EVENT_NETWORK:
	case PICKET__EVENT_TYPE__EVENT_TRAFFIC:
		return CLASS_VOLUME;
	case PICKET__EVENT_TYPE__EVENT_CALL:
		return CLASS_RARE;
	case PICKET__EVENT_TYPE__EVENT_ACTION:
	case PICKET__EVENT_TYPE__EVENT_ADMISSION:
		return CLASS_FINDING;
	default:
		return CLASS_PROCESS;
	}
}

unsigned history_class_of(const Picket__Record *rec)
{
	if (rec->body_case == PICKET__RECORD__BODY_CONTAINER)
		return CLASS_PROCESS;
	if (rec->body_case != PICKET__RECORD__BODY_EVENT)
		return CLASS_FINDING; /* and what a newer agent sent: kept longest */
	return class_of_event((int)rec->event->type);
}

/* What record_view calls records that are no events. */
static unsigned class_of_word(const char *type)
{
	static const struct {
		const char *word;
		unsigned class_no;
	} others[] = { { "container", CLASS_PROCESS }, { "finding", CLASS_FINDING }, { "gap", CLASS_FINDING },
		       { "audit", CLASS_FINDING } };
	int event = msg_event_type_parse(slice_of(type));

	if (event)
		return class_of_event(event);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (!strcmp(type, others[i].word))
			return others[i].class_no;
	return CLASS_COUNT;
}

unsigned history_classes_of(const char *const *types)
{
	unsigned classes = 1u << CLASS_MIXED;

	for (size_t i = 0; types && types[i]; i++) {
		unsigned class_no = class_of_word(types[i]);

		if (class_no == CLASS_COUNT) /* "unknown", or a word that we don't know */
			return HISTORY_ALL_CLASSES;
		classes |= 1u << class_no;
	}
	return types ? classes : HISTORY_ALL_CLASSES;
}
