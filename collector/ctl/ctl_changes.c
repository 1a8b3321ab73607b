/* ctl_changes.c - what changed in how containers were made, a row for each field.
 *
 * A page of the API compares what is in it; the first of each container is compared here, with the page before. */
#include "collector/ctl/ctl_changes.h"

#include <errno.h>
#include <stdlib.h>

#include "common/err.h"

/* What was last known of a container. Borrowed from the rows. */
struct known {
	const cJSON *event; /* its host and container */
	const cJSON *made; /* the container of the newest event that says how it was made; nullable */
	const cJSON *image;
};

static const cJSON *config_of(const cJSON *row)
{
	return ctl_at(row, "event.container.config");
}

static bool is_same_container(const cJSON *a, const cJSON *b)
{
	const char *name = ctl_str(a, "container.name");
	const char *key = name[0] ? "container.name" : "container.id";

	return !strcmp(ctl_str(a, key), ctl_str(b, key)) && !strcmp(ctl_str(a, "agent"), ctl_str(b, "agent")) &&
	       !strcmp(ctl_str(a, "host"), ctl_str(b, "host"));
}

static void add_change(cJSON *changes, const char *key, const cJSON *from, const cJSON *to)
{
	cJSON *one;

	if ((!from && !to) || cJSON_Compare(from, to, true) || !(one = cJSON_CreateObject()))
		return;
	cJSON_AddStringToObject(one, "key", key);
	cJSON_AddItemToObject(one, "from", from ? cJSON_Duplicate(from, true) : cJSON_CreateNull());
	cJSON_AddItemToObject(one, "to", to ? cJSON_Duplicate(to, true) : cJSON_CreateNull());
	cJSON_AddItemToArray(changes, one);
}

/* What stands beside the configuration; a flag that isn't set is left out there. */
static void compare_own(cJSON *changes, const cJSON *before, const cJSON *now)
{
	bool was = ctl_is_true(before, "privileged"), is = ctl_is_true(now, "privileged");
	cJSON *from = cJSON_CreateBool(was), *to = cJSON_CreateBool(is);

	add_change(changes, "privileged", from, to);
	cJSON_Delete(from);
	cJSON_Delete(to);
	add_change(changes, "user", ctl_at(before, "user"), ctl_at(now, "user"));
	add_change(changes, "image_id", ctl_at(before, "image_id"), ctl_at(now, "image_id"));
}

static void compare(cJSON *row, const struct known *before)
{
	const cJSON *now = config_of(row), *was = ctl_at(before->made, "config");
	const cJSON *image = ctl_at(row, "event.container.image"), *item;
	cJSON *changes = cJSON_CreateArray();

	cJSON_ArrayForEach(item, now)
		add_change(changes, item->string, cJSON_GetObjectItemCaseSensitive(was, item->string), item);
	cJSON_ArrayForEach(item, was)
		if (!cJSON_GetObjectItemCaseSensitive(now, item->string))
			add_change(changes, item->string, item, NULL);
	compare_own(changes, before->made, ctl_at(row, "event.container"));
	if (before->image && cJSON_IsString(image) && image->valuestring[0])
		add_change(changes, "image", before->image, image);
	cJSON_ReplaceItemInObjectCaseSensitive(row, "changes", changes);
	cJSON_ReplaceItemInObjectCaseSensitive(row, "first", cJSON_CreateFalse());
}

int ctl_changes_join(cJSON *rows, struct err *err)
{
	size_t count = 0, most = (size_t)cJSON_GetArraySize(rows);
	struct known *all = calloc(most + 1, sizeof(*all));
	cJSON *row;

	if (!all)
		return err_set(err, ENOMEM, "history");
	cJSON_ArrayForEach(row, rows)
	{
		const cJSON *event = ctl_at(row, "event"), *image = ctl_at(row, "event.container.image");
		size_t i = 0;

		while (i < count && !is_same_container(all[i].event, event))
			i++;
		if (i < count && all[i].made && ctl_is_true(row, "first"))
			compare(row, &all[i]);
		count += i == count;
		all[i].event = event;
		if (config_of(row))
			all[i].made = ctl_at(event, "container");
		if (cJSON_IsString(image) && image->valuestring[0])
			all[i].image = image;
	}
	free(all);
	return 0;
}

/* A row that borrows from the one of the answer. */
static bool add_row(cJSON *to, cJSON *row, const cJSON *change, const char *field)
{
	cJSON *one = cJSON_CreateObject();

	if (!one || !cJSON_AddItemToArray(to, one))
		return false;
	cJSON_AddItemReferenceToObject(one, "event", cJSON_GetObjectItemCaseSensitive(row, "event"));
	cJSON_AddStringToObject(one, "field", change ? ctl_str(change, "key") : field);
	if (change) {
		cJSON_AddItemReferenceToObject(one, "from", cJSON_GetObjectItemCaseSensitive(change, "from"));
		cJSON_AddItemReferenceToObject(one, "to", cJSON_GetObjectItemCaseSensitive(change, "to"));
	}
	return true;
}

cJSON *ctl_changes_spread(const cJSON *rows)
{
	cJSON *all = cJSON_CreateArray(), *row, *change;
	bool is_made = all != NULL;

	cJSON_ArrayForEach(row, rows)
	{
		const cJSON *changes = ctl_at(row, "changes");

		cJSON_ArrayForEach(change, changes)
			is_made = is_made && add_row(all, row, change, NULL);
		if (!cJSON_GetArraySize(changes))
			is_made = is_made && add_row(all, row, NULL,
						     ctl_is_true(row, "first") ? "(first seen)" :
						     config_of(row)	       ? "(unchanged)" :
										 "(not told)");
	}
	if (!is_made) {
		cJSON_Delete(all);
		return NULL;
	}
	return all;
}
