/* judge_devices.c - devices by name, device rules by number, and which of them give the host away. */
#include "common/policy/policy_priv.h"

enum { PATH_BYTES = 4200 };

static void deny(struct judge *j, enum policy_rule rule, enum policy_key key, const char *a, const char *b)
{
	judge_deny(j, &(struct policy_told){ .rule = rule, .value = j->v.v[key], .a = a, .b = b });
}

static bool restricts(const struct view *v)
{
	return v->v[KEY_ALLOWED_DEVICES]->is_set || v->v[KEY_DENIED_DEVICES]->count;
}

/* Which key says so: for what is refused because of both lists. */
static enum policy_key says(const struct view *v)
{
	return v->v[KEY_DENIED_DEVICES]->count ? KEY_DENIED_DEVICES : KEY_ALLOWED_DEVICES;
}

/* Disks and memory of the host, and what holds them. */
static bool is_host_device(const char *path)
{
	static const char *const exact[] = { "/dev/mem", "/dev/kmem", "/dev/port", "/dev/kcore" };
	static const char *const folders[] = { "/dev/mapper", "/dev/disk", "/dev/block", "/dev/pts", "/dev/fd" };
	static const char *const lettered[] = { "/dev/sd", "/dev/hd", "/dev/vd", "/dev/xvd" };
	static const char *const numbered[] = { "/dev/nvme", "/dev/mmcblk", "/dev/dm-", "/dev/md", "/dev/loop", "/dev/nbd", "/dev/rbd",
						"/dev/zd", "/dev/bcache", "/dev/ram", "/dev/zram", "/dev/pmem" };

	if (policy_path_is_under("/dev", path) || !policy_path_is_under(path, "/dev"))
		return true; /* everything; or a link that may lead to a disk */
	for (size_t i = 0; i < ARRAY_LEN(exact); i++)
		if (!strcmp(path, exact[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (policy_path_is_under(path, folders[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(lettered); i++) {
		size_t n = strlen(lettered[i]), letters;

		if (strncmp(path, lettered[i], n) != 0)
			continue;
		letters = strspn(path + n, "abcdefghijklmnopqrstuvwxyz");
		if (letters && strspn(path + n + letters, "0123456789") == strlen(path + n + letters))
			return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(numbered); i++) {
		size_t n = strlen(numbered[i]);

		if (!strncmp(path, numbered[i], n) && path[n] >= '0' && path[n] <= '9')
			return true;
	}
	return false;
}

/* A folder of devices (--device=/dev/snd) is each of them. */
static const struct policy_entry *find_held(const struct policy_value *no, const char *path)
{
	for (size_t i = 0; i < no->count; i++)
		if (policy_path_is_under(no->entries[i].text, path) && strcmp(no->entries[i].text, path) != 0)
			return &no->entries[i];
	return NULL;
}

void judge_device(struct judge *j, const char *given)
{
	const struct policy_value *no = j->v.v[KEY_DENIED_DEVICES];
	char clean[PATH_BYTES];
	bool is_hidden = false, is_named;
	const char *path = arena_dup(j->v.arena, slice_of(policy_path_clean(given, clean, sizeof(clean), &is_hidden) ? clean : given));

	if (!path) {
		j->is_failed = true;
		return;
	}
	bool is_path = path[0] == '/', is_outside = is_path && !policy_path_is_under(path, "/dev");
	if (view_is_on(&j->v, KEY_DENY_PRIVILEGED) && is_path && !j->v.w->is_privileged && is_host_device(path))
		deny(j, RULE_HOST_DEVICE, KEY_DENY_PRIVILEGED, path, "");
	if (!is_path && view_is_on(&j->v, KEY_DENY_DEVICE_REQUESTS))
		deny(j, RULE_DEVICE_REQUEST, KEY_DENY_DEVICE_REQUESTS, path, ""); /* "vendor.com/gpu=all" */
	const struct policy_entry *held = is_path ? find_held(no, path) : NULL;
	if (held)
		judge_deny(j, &(struct policy_told){ .rule = RULE_DENIED_DEVICE, .value = no, .entry = held, .a = path, .b = held->text });
	else if (no->count && is_outside && !policy_value_name(j->v.v[KEY_ALLOWED_DEVICES], path))
		deny(j, RULE_DENIED_DEVICE, KEY_DENIED_DEVICES, path, "denied_devices, as it may lead to any device:");
	else
		judge_name(j, path, KEY_ALLOWED_DEVICES, KEY_DENIED_DEVICES, RULE_DENIED_DEVICE, RULE_OTHER_DEVICE, &is_named);
}

/* "c 1:3 mr": does it open disks, the host's memory, or everything? What can't be read does. */
static bool opens_host(struct slice rule, bool *ret_is_used)
{
	struct slice type, numbers, rights, major, minor;

	*ret_is_used = true;
	rule = slice_trim(rule);
	if (!slice_split(&rule, ' ', &type) || !slice_split(&rule, ' ', &numbers) || !slice_split(&rule, ' ', &rights) || rule.n)
		return true;
	/* To make a node is not to open it. */
	*ret_is_used = slice_find_char(rights, 'r') >= 0 || slice_find_char(rights, 'w') >= 0;
	if (!slice_split(&numbers, ':', &major) || !slice_split(&numbers, ':', &minor) || numbers.n)
		return true;
	if (!*ret_is_used)
		return false;
	if (!slice_is(type, "c") || slice_is(major, "*"))
		return true;
	uint64_t n, k = 0;
	if (!slice_to_u64(major, &n) || (!slice_is(minor, "*") && !slice_to_u64(minor, &k)))
		return true;
	return n == 1 && (slice_is(minor, "*") || k == 1 || k == 2 || k == 4); /* mem, kmem, port */
}

static void judge_rule(struct judge *j, const char *rule)
{
	bool is_used, is_host = opens_host(slice_of(rule), &is_used);

	if (is_host && view_is_on(&j->v, KEY_DENY_PRIVILEGED))
		deny(j, RULE_DEVICE_CONTROL, KEY_DENY_PRIVILEGED, rule, "");
	else if (is_used && restricts(&j->v))
		deny(j, RULE_DEVICE_RULE, says(&j->v), rule, "");
}

void judge_devices(struct judge *j)
{
	const struct policy_workload *w = j->v.w;

	for (size_t i = 0; i < w->devices.count; i++) {
		struct slice s = slice_of(policy_text(w->devices.v[i]));
		ptrdiff_t colon = s.n && s.p[0] == '/' ? slice_find_char(s, ':') : -1;
		const char *path = arena_dup(j->v.arena, colon < 0 ? s : slice_sub(s, 0, (size_t)colon));

		if (path)
			judge_device(j, path);
		else
			j->is_failed = true;
	}
	for (size_t i = 0; i < w->device_rules.count; i++)
		judge_rule(j, policy_text(w->device_rules.v[i]));
	if (w->device_requests && view_is_on(&j->v, KEY_DENY_DEVICE_REQUESTS))
		deny(j, RULE_DEVICE_REQUEST, KEY_DENY_DEVICE_REQUESTS, "", "");
	if (w->is_privileged && !view_is_on(&j->v, KEY_DENY_PRIVILEGED) && restricts(&j->v))
		deny(j, RULE_ALL_DEVICES, says(&j->v), "", "");
}
