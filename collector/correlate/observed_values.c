/* observed_values.c - values that are made of what a record holds, or of what the collector knows besides; each is called
 * only if its part is there. */
#include <arpa/inet.h>
#include <inttypes.h>

#include "collector/correlate/observed_priv.h"

size_t observed_get_host(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_str(ret, o->host);
}

size_t observed_get_agent(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_str(ret, o->agent);
}

size_t observed_get_type(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_str(ret, o->event    ? msg_event_type_name((int)o->event->type) :
			     o->finding ? "finding" :
			     o->report	 ? "audit" :
			     o->record->body_case == PICKET__RECORD__BODY_GAP ? "gap" :
			     o->made && o->ev.source == DETECT_SOURCE_SCAN ? "scan" :
			     o->made		   ? "health" :
			     o->container ? "container" :
					    "");
}

size_t observed_get_time(struct observed *o, struct detect_value *ret, size_t max)
{
	uint64_t t = o->record->time_unix_ns;

	*ret = (struct detect_value){ .kind = DETECT_TIME, .number = t > INT64_MAX ? INT64_MAX : (int64_t)t };
	return 1;
}

size_t observed_get_call(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_str(ret, o->call);
}

size_t observed_get_result(struct observed *o, struct detect_value *ret, size_t max)
{
	*ret = (struct detect_value){ .kind = DETECT_NUMBER, .number = o->call_result };
	return 1;
}

/* first, then the arguments, each behind a blank. */
static struct slice join(struct observed *o, struct slice first)
{
	struct slice args = msg_slice(o->process->args);
	char *out = arena_alloc(o->arena, first.n + args.n + 2);

	if (!out)
		return first;
	(void)slice_copy(first, out, first.n + 1);
	size_t n = first.n;
	if (args.n && !args.p[args.n - 1])
		args.n--; /* the NUL that ends the last one */
	if (args.n)
		out[n++] = ' ';
	for (size_t i = 0; i < args.n; i++)
		out[n++] = args.p[i] ? args.p[i] : ' ';
	return slice_from(out, n);
}

size_t observed_get_cmdline(struct observed *o, struct detect_value *ret, size_t max)
{
	if (!o->cmdline.p)
		o->cmdline = join(o, msg_slice(o->process->name));
	return give_text(ret, o->cmdline);
}

size_t observed_get_command_line(struct observed *o, struct detect_value *ret, size_t max)
{
	const Picket__Process *p = o->process;

	if (!o->command_line.p)
		o->command_line = join(o, msg_slice(p->argv0.len ? p->argv0 : p->name));
	return give_text(ret, o->command_line);
}

size_t observed_get_user(struct observed *o, struct detect_value *ret, size_t max)
{
	if (o->process->user.len)
		return give_text(ret, msg_slice(o->process->user));
	return give_number(ret, o->process->uid);
}

size_t observed_get_login_uid(struct observed *o, struct detect_value *ret, size_t max)
{
	(void)give_number(ret, o->process->login_uid);
	return o->process->login_uid != UINT32_MAX;
}

size_t observed_get_cap_effective(struct observed *o, struct detect_value *ret, size_t max)
{
	snprintf(o->caps, sizeof(o->caps), "0x%" PRIx64, o->process->cap_effective);
	return give_str(ret, o->caps);
}

static bool make_hashes(struct observed *o)
{
	static const char digits[] = "0123456789abcdef";
	ProtobufCBinaryData d = o->process->exe_sha256;
	char *at = o->hashes + 7;

	if (d.len != 32)
		return false;
	memcpy(o->hashes, "SHA256=", 7);
	for (size_t i = 0; i < d.len; i++) {
		*at++ = digits[d.data[i] >> 4];
		*at++ = digits[d.data[i] & 15];
	}
	*at = 0;
	return true;
}

size_t observed_get_sha256(struct observed *o, struct detect_value *ret, size_t max)
{
	return make_hashes(o) ? give_str(ret, o->hashes + 7) : 0;
}

size_t observed_get_hashes(struct observed *o, struct detect_value *ret, size_t max)
{
	return make_hashes(o) ? give_str(ret, o->hashes) : 0;
}

size_t observed_get_ancestor_names(struct observed *o, struct detect_value *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < o->process->n_ancestors && n < max; i++)
		n += give_text(&ret[n], msg_slice(o->process->ancestors[i]->name));
	return n;
}

size_t observed_get_ancestor_exes(struct observed *o, struct detect_value *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < o->process->n_ancestors && n < max; i++)
		n += give_text(&ret[n], msg_slice(o->process->ancestors[i]->exe));
	return n;
}

size_t observed_get_ancestor_cmdlines(struct observed *o, struct detect_value *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < o->process->n_ancestors && n < max; i++)
		n += give_text(&ret[n], msg_slice(o->process->ancestors[i]->cmdline));
	return n;
}

static const struct observed_known *known(struct observed *o)
{
	if (!o->has_asked && o->world)
		o->is_known = o->world->container(o->world->arg, o->agent, o->container->id, &o->known);
	o->has_asked = true;
	return o->is_known ? &o->known : NULL;
}

/* Events carry names where the agent knew them then. */
size_t observed_get_container_name(struct observed *o, struct detect_value *ret, size_t max)
{
	if (o->container->name.len)
		return give_text(ret, msg_slice(o->container->name));
	return known(o) ? give_text(ret, o->known.name) : 0;
}

size_t observed_get_container_image(struct observed *o, struct detect_value *ret, size_t max)
{
	if (o->container->image.len)
		return give_text(ret, msg_slice(o->container->image));
	return known(o) ? give_text(ret, o->known.image) : 0;
}

size_t observed_get_container_image_id(struct observed *o, struct detect_value *ret, size_t max)
{
	if (o->container->image_id[0])
		return give_str(ret, o->container->image_id);
	return known(o) ? give_str(ret, o->known.image_id) : 0;
}

size_t observed_get_image_scanned(struct observed *o, struct detect_value *ret, size_t max)
{
	return known(o) ? give_bool(ret, o->known.is_scanned) : 0;
}

size_t observed_get_image_exploited(struct observed *o, struct detect_value *ret, size_t max)
{
	return known(o) ? give_bool(ret, o->known.is_exploited) : 0;
}

size_t observed_get_image_worst(struct observed *o, struct detect_value *ret, size_t max)
{
	return known(o) ? give_str(ret, o->known.worst) : 0;
}

/* ---- what the collector made ---- */

size_t observed_get_scan_state(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_str(ret, o->made->state);
}

size_t observed_get_scan_vulnerability(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_str(ret, o->made->vulnerability);
}

size_t observed_get_scan_severity(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_str(ret, o->made->severity);
}

size_t observed_get_scan_package(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_str(ret, o->made->package);
}

size_t observed_get_scan_used(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_str(ret, o->made->used);
}

size_t observed_get_scan_exploited(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_bool(ret, o->made->is_exploited);
}

size_t observed_get_scan_exposed(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_bool(ret, o->made->is_exposed);
}

size_t observed_get_scan_fixable(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_bool(ret, o->made->is_fixable);
}

size_t observed_get_health_state(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_str(ret, o->made->state);
}

/* Only what an engine says of a container tells that it is not; an event says no more than who it is. */
size_t observed_get_privileged(struct observed *o, struct detect_value *ret, size_t max)
{
	bool is_told = o->container->privileged || o->ev.source == DETECT_SOURCE_CONTAINER;

	if (!is_told && known(o) && o->known.is_told)
		return give_bool(ret, o->known.is_privileged);
	return is_told ? give_bool(ret, o->container->privileged) : 0;
}

size_t observed_get_final_path(struct observed *o, struct detect_value *ret, size_t max)
{
	const Picket__File *f = o->file;

	return give_text(ret, msg_slice(f->target.len ? f->target : f->path.len ? f->path : f->raw));
}

/* ---- both ends ---- */

/* An accept was begun by the other end. */
static bool is_initiated(const struct observed *o)
{
	return !is_accept(o->call);
}

/* IPv4 in IPv6 as IPv4, so that one address has one text. */
static bool observed_address(ProtobufCBinaryData d, char dst[OBSERVED_ADDRESS_MAX])
{
	struct in6_addr a = { 0 };
	bool is_v4 = d.len == 4;

	if (d.len != 4 && d.len != 16)
		return false;
	memcpy(&a, d.data, d.len);
	if (!is_v4 && IN6_IS_ADDR_V4MAPPED(&a)) {
		memmove(&a, d.data + 12, 4);
		is_v4 = true;
	}
	return inet_ntop(is_v4 ? AF_INET : AF_INET6, &a, dst, OBSERVED_ADDRESS_MAX) != NULL;
}

static size_t give_address(struct observed *o, bool is_remote, struct detect_value *ret)
{
	char *dst = o->addresses[is_remote];

	return observed_address(is_remote ? o->network->remote_address : o->network->local_address, dst) ? give_str(ret, dst) : 0;
}

static size_t give_port(struct observed *o, bool is_remote, struct detect_value *ret)
{
	const Picket__Network *n = o->network;

	(void)give_number(ret, is_remote ? n->remote_port : n->local_port);
	return (is_remote ? n->remote_address.len : n->local_address.len) != 0;
}

static size_t give_is_ipv6(struct observed *o, bool is_remote, struct detect_value *ret)
{
	size_t n = give_address(o, is_remote, ret);

	return n ? give_bool(ret, slice_find_char(ret->text, ':') >= 0) : 0;
}

size_t observed_get_local_address(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_address(o, false, ret);
}

size_t observed_get_remote_address(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_address(o, true, ret);
}

size_t observed_get_remote_host(struct observed *o, struct detect_value *ret, size_t max)
{
	size_t n = o->world ? give_address(o, true, ret) : 0;

	return n ? give_str(ret, o->world->host_of(o->world->arg, ret->text)) : 0;
}

size_t observed_get_remote_silent(struct observed *o, struct detect_value *ret, size_t max)
{
	if (!observed_get_remote_host(o, ret, max))
		return 0;
	return give_bool(ret, o->world->is_silent(o->world->arg, ret->text.p));
}

size_t observed_get_local_port(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_port(o, false, ret);
}

size_t observed_get_remote_port(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_port(o, true, ret);
}

size_t observed_get_source_address(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_address(o, !is_initiated(o), ret);
}

size_t observed_get_source_port(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_port(o, !is_initiated(o), ret);
}

size_t observed_get_source_is_ipv6(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_is_ipv6(o, !is_initiated(o), ret);
}

size_t observed_get_destination_address(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_address(o, is_initiated(o), ret);
}

size_t observed_get_destination_port(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_port(o, is_initiated(o), ret);
}

size_t observed_get_destination_is_ipv6(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_is_ipv6(o, is_initiated(o), ret);
}

size_t observed_get_initiated(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_bool(ret, is_initiated(o));
}

/* ---- findings and the rest ---- */

size_t observed_get_severity(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_str(ret, msg_severity_name(msg_severity(slice_of(o->finding->priority))));
}

size_t observed_get_finding_count(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_number(ret, o->finding->count ? o->finding->count : 1);
}

size_t observed_get_tags(struct observed *o, struct detect_value *ret, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < o->finding->n_tags && n < max; i++)
		n += give_str(&ret[n], o->finding->tags[i]);
	return n;
}

size_t observed_get_admission_count(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_number(ret, o->event->admission->count ? o->event->admission->count : 1);
}

/* Hosts that answered a container though their agents are silent. */
size_t observed_get_silent_host(struct observed *o, struct detect_value *ret, size_t max)
{
	const Picket__Traffic *t = o->event->traffic;
	size_t n = 0;

	for (size_t i = 0; o->world && i < t->n_peers && n < max; i++) {
		const Picket__TrafficPeer *p = t->peers[i];
		char text[OBSERVED_ADDRESS_MAX];

		if (!p->is_outgoing || !p->rx_bytes || !observed_address(p->address, text))
			continue;
		const char *host = o->world->host_of(o->world->arg, slice_of(text));
		if (host[0] && o->world->is_silent(o->world->arg, host))
			n += give_str(&ret[n], host);
	}
	return n;
}

size_t observed_get_gap_class(struct observed *o, struct detect_value *ret, size_t max)
{
	return give_str(ret, msg_loss_class_name((int)o->record->gap->loss_class));
}
