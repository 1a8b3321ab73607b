/* known_names.c - see known_names.h. */
#include "agent/known_names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "common/file.h"
#include "common/json.h"

int known_names_add(struct known_names *k, const char *name, const uint8_t *address, size_t bytes, struct err *err)
{
	if (k->count >= KNOWN_NAMES_MAX || (bytes != 4 && bytes != 16))
		return 0;
	if (k->count == k->room) {
		size_t room = k->room ? 2 * k->room : 16;
		struct known_address *more = reallocarray(k->all, room, sizeof(*more));

		if (!more)
			return err_set(err, ENOMEM, "names and addresses");
		k->all = more;
		k->room = room;
	}
	struct known_address *a = &k->all[k->count];
	*a = (struct known_address){ .name = slice_dup(slice_of(name)), .bytes = bytes };
	if (!a->name)
		return err_set(err, ENOMEM, "names and addresses");
	memcpy(a->address, address, bytes);
	k->count++;
	return 0;
}

static int read_row(struct known_names *k, const cJSON *row, struct err *err)
{
	char name[WORLD_HOST_NAME_BYTES + 1], text[INET6_ADDRSTRLEN];
	uint8_t address[16];

	if (!slice_copy(json_get_str(row, "name"), name, sizeof(name)) || !name[0] ||
	    !slice_copy(json_get_str(row, "address"), text, sizeof(text)))
		return 0;
	bool is_v4 = inet_pton(AF_INET, text, address) == 1;
	if (!is_v4 && inet_pton(AF_INET6, text, address) != 1)
		return 0;
	return known_names_add(k, name, address, is_v4 ? 4 : 16, err);
}

int known_names_parse(struct slice text, struct known_names *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	struct known_names k = { 0 };
	const cJSON *row;

	int r = json_parse(text, KNOWN_NAMES_FILE_BYTES, &o, err);
	if (r < 0)
		return r;
	const cJSON *rows = cJSON_GetObjectItemCaseSensitive(o, "addresses");
	if (json_get_u64(o, "version", 0) != 1 || !cJSON_IsArray(rows))
		return err_set(err, ERR_SYNTAX, "no names of this version");
	cJSON_ArrayForEach(row, rows)
	{
		r = read_row(&k, row, err);
		if (r < 0) {
			known_names_free(&k);
			return r;
		}
	}
	*ret = k;
	return 0;
}

int known_names_write(const struct known_names *k, struct buf *out, struct err *err)
{
	struct json j;

	json_init(&j, out);
	json_object_open(&j);
	json_kv_u64(&j, "version", 1);
	json_key(&j, "addresses");
	json_array_open(&j);
	for (size_t i = 0; i < k->count; i++) {
		char text[INET6_ADDRSTRLEN] = "";

		(void)inet_ntop(k->all[i].bytes == 4 ? AF_INET : AF_INET6, k->all[i].address, text, sizeof(text));
		json_object_open(&j);
		json_kv_str(&j, "name", k->all[i].name);
		json_kv_str(&j, "address", text);
		json_object_close(&j);
	}
	json_array_close(&j);
	json_object_close(&j);
	return out->failed ? err_set(err, ENOMEM, "names and addresses") : 0;
}

int known_names_load(const char *path, struct known_names *ret, struct err *err)
{
	CLEANUP(buf_finip) struct buf text = { 0 };

	*ret = (struct known_names){ 0 };
	int r = file_read(path, KNOWN_NAMES_FILE_BYTES, &text, err);
	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = known_names_parse(buf_slice(&text), ret, err);
	return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}

void known_names_free(struct known_names *k)
{
	for (size_t i = 0; i < k->count; i++)
		free((char *)(uintptr_t)k->all[i].name);
	free(k->all);
	*k = (struct known_names){ 0 };
}
