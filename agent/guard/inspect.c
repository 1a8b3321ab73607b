/* inspect.c - GET /containers/ID/json and refusals, as far as a response asks. */
#include "agent/guard/guard_priv.h"
#include "common/json.h"
#include "common/text.h"

bool inspect_is_id(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return s.n == 64;
}

/* A network's id: 64 hex digits, or a swarm's 25 letters and digits. Nothing that means more in a URL. */
static bool is_network_id(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'z')))
			return false;
	return s.n && s.n <= 64;
}

static int read_networks(const cJSON *o, struct inspect *ret, struct err *err)
{
	struct slice mode =
		json_get_str(cJSON_GetObjectItemCaseSensitive(o, "HostConfig"), "NetworkMode");
	const cJSON *settings = cJSON_GetObjectItemCaseSensitive(o, "NetworkSettings"), *n;
	const cJSON *networks = cJSON_GetObjectItemCaseSensitive(settings, "Networks");

	ret->net = NET_NONE;
	if (slice_starts(mode, SLICE_LIT("container:")))
		ret->net = NET_SHARED;
	if (slice_is(mode, "host"))
		ret->net = NET_HOST;
	if (networks && !cJSON_IsObject(networks) && !cJSON_IsNull(networks))
		return err_set(err, ERR_PEER, "its networks are no object");
	cJSON_ArrayForEach(n, networks)
	{
		struct slice id = json_get_str(n, "NetworkID");

		/* The engine reserves these two names. */
		if (!n->string || !strcmp(n->string, "none"))
			continue;
		if (!strcmp(n->string, "host")) {
			ret->net = NET_HOST;
			continue;
		}
		if (!id.n) /* an engine without a bridge names the network, and there is none */
			continue;
		if (!is_network_id(id))
			return ret->is_running ? err_set(err, ERR_PEER, "a network without an id") : 0;
		ret->net = NET_OWN;
		(void)slice_copy(id, ret->network, sizeof(ret->network));
		return 0;
	}
	return 0;
}

int inspect_parse(struct slice text, const char *id, struct inspect *ret, struct err *err)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	struct inspect in = { 0 };
	struct slice role;
	int r = json_parse(text, GUARD_ENGINE_BYTES, &o, err);

	if (r < 0)
		return r;
	const cJSON *state = cJSON_GetObjectItemCaseSensitive(o, "State");
	if (!slice_is(json_get_str(o, "Id"), id) || !cJSON_IsObject(state))
		return err_set(err, ERR_PEER, "the engine speaks of another container");
	in.is_running = json_get_bool(state, "Running", false);
	in.is_paused = json_get_bool(state, "Paused", false);
	in.is_created = !in.is_running && slice_is(json_get_str(state, "Status"), "created");
	in.pid = (uint32_t)json_get_u64(state, "Pid", 0);
	role = json_get_str(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(o, "Config"),
							      "Labels"),
			    "picket.role");
	in.role = slice_is(role, "agent") ? "agent" : slice_is(role, "collector") ? "collector" : NULL;
	r = read_networks(o, &in, err);
	if (r >= 0)
		*ret = in;
	return r;
}

void inspect_message(struct slice body, char *dst, size_t size)
{
	CLEANUP(cJSON_Deletep) cJSON *o = NULL;
	struct slice s = SLICE_NONE;

	if (json_parse(body, GUARD_ENGINE_BYTES, &o, NULL) >= 0)
		s = slice_trim(json_get_str(o, "message"));
	s = slice_sub(s, 0, size - 1);
	while (s.n && !text_is_clean(s)) /* a character cut in two, or what no line should hold */
		s.n--;
	(void)slice_copy(s, dst, size);
}
