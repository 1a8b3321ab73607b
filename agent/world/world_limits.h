/* world_limits.h - how much the world may remember. Past a bound the oldest of the least use goes.
 */
#pragma once

enum world_limits {
	WORLD_PROCESSES_MIN = 1024,
	WORLD_PROCESSES_DEFAULT = 32768,
	WORLD_PROCESSES_MAX = 1048576,
	WORLD_PROC_STRINGS_BYTES = 16 * 1024 * 1024, /* of all processes together */
	WORLD_EXE_BYTES = 512,
	WORLD_ARGV0_BYTES = 256,
	WORLD_ARGS_BYTES = 1024,
	WORLD_CWD_BYTES = 512,
	WORLD_EXITED_KEEP_MS = 5000, /* an exited process without children; for late events */

	WORLD_CONTAINERS = 8192,
	WORLD_CONTAINER_STRINGS_BYTES = 16 * 1024 * 1024, /* of all containers together */
	WORLD_GONE_KEEP_MS = 60000,
	WORLD_LABELS = 64,
	WORLD_LABEL_KEY_BYTES = 256,
	WORLD_LABEL_VALUE_BYTES = 1024,
	WORLD_MOUNTS = 64,
	WORLD_NAME_BYTES = 255,	 /* a container's name, user */
	WORLD_DIGEST_BYTES = 79, /* "sha256:" and 64 digits are 71 */
	WORLD_IMAGE_BYTES = 512, /* a reference; the registry's own bound is 255 + tag 128 */
	WORLD_MOUNT_BYTES = 512,
	WORLD_PUBLISHED_BYTES = 1024, /* the list of published ports */

	WORLD_ENGINE_LINE_BYTES = 256 * 1024, /* one event of the stream */
	WORLD_ENGINE_INSPECT_BYTES = 1024 * 1024,
	WORLD_ENGINE_LIST_BYTES = 32 * 1024 * 1024,
	WORLD_ENGINE_JOBS = 4, /* inspects under way at once */
	WORLD_ENGINE_TIMEOUT_MS = 10000,
	WORLD_ENGINE_RETRY_MIN_MS = 200,
	WORLD_ENGINE_RETRY_MAX_MS = 2000, /* an engine that came back: its containers are nameless until then */
	WORLD_ENGINE_RELIST_MS = 300000,
	WORLD_IMAGE_CACHE = 128, /* digests by image id */

	WORLD_USER_TABLES = 256,
	WORLD_USER_TABLE_NAMES = 4096, /* users (or groups) of one root */
	WORLD_USER_NAME_BYTES = 64,
	WORLD_USER_FILE_BYTES = 1024 * 1024,
	WORLD_USER_CACHE_BYTES = 4 * 1024 * 1024, /* of all tables together */
	WORLD_USER_TTL_MS = 30000,

	WORLD_NAMES = 256, /* watched host names */
	WORLD_NAME_ADDRESSES = 64, /* of one */
	WORLD_HOST_NAME_BYTES = 255,
	WORLD_NAME_AGAIN_MS = 60000, /* it is asked for again, where no answer says how long it holds */
	WORLD_NAME_LEAST_MS = 10000, /* sooner never, whatever an answer says; */
	WORLD_NAME_MOST_MS = 300000, /* nor later */
	WORLD_NAME_KEEP_MS = 300000, /* an address that no answer has any more */
};
