/* bounds.c - a descriptor-driven walk over packed bytes, and the table of every field's bounds.
 *
 * It runs before protobuf-c sees the bytes: protobuf-c copies a string up to its length but hands
 * out a char pointer, so a NUL inside would silently cut a name; and it merges a message field that
 * stands twice, which no sender of ours does. Both are refused here. */
#include "proto/bounds_priv.h"

#include <inttypes.h>

#include "proto/limits.h"
#include "proto/picket.pb-c.h"

enum { MAX_FIELDS = 64, MAX_DEPTH = 8 };
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_LENGTH = 2, WIRE_32 = 5 };

#define B(type, field, bytes)                             \
	{                                                 \
		offsetof(Picket__##type, field), bytes, 1 \
	}
#define R(type, field, bytes, count)                          \
	{                                                     \
		offsetof(Picket__##type, field), bytes, count \
	}

static const struct bound ancestor[] = {
	B(Ancestor, name, LIMIT_NAME_BYTES),
	B(Ancestor, exe, LIMIT_PATH_BYTES),
	B(Ancestor, cmdline, LIMIT_CMDLINE_BYTES),
};
static const struct bound process[] = {
	B(Process, name, LIMIT_NAME_BYTES),  B(Process, exe, LIMIT_PATH_BYTES),
	B(Process, argv0, LIMIT_ARGS_BYTES), B(Process, args, LIMIT_ARGS_BYTES),
	B(Process, cwd, LIMIT_PATH_BYTES),   B(Process, user, LIMIT_NAME_BYTES),
	B(Process, group, LIMIT_NAME_BYTES), R(Process, ancestors, 0, LIMIT_ANCESTORS),
	B(Process, exe_sha256, LIMIT_KEY_BYTES),
};
static const struct bound container[] = {
	B(Container, id, LIMIT_NAME_BYTES),	      B(Container, name, LIMIT_NAME_BYTES),
	B(Container, image, LIMIT_TEXT_BYTES),	      B(Container, image_id, LIMIT_NAME_BYTES),
	B(Container, image_digest, LIMIT_NAME_BYTES), B(Container, user, LIMIT_NAME_BYTES),
	R(Container, labels, 0, LIMIT_LABELS),	      B(Container, engine, LIMIT_NAME_BYTES),
};
static const struct bound label[] = {
	B(Container__LabelsEntry, key, LIMIT_NAME_BYTES),
	B(Container__LabelsEntry, value, LIMIT_TEXT_BYTES),
};
static const struct bound event[] = {
	B(Event, call, LIMIT_NAME_BYTES),
	B(Event, args, LIMIT_ARGS_BYTES),
};
static const struct bound file[] = {
	B(File, path, LIMIT_PATH_BYTES),
	B(File, raw, LIMIT_PATH_BYTES),
	B(File, target, LIMIT_PATH_BYTES),
};
static const struct bound network[] = {
	B(Network, protocol, LIMIT_NAME_BYTES),
	B(Network, local_address, LIMIT_ADDRESS_BYTES),
	B(Network, remote_address, LIMIT_ADDRESS_BYTES),
	B(Network, path, LIMIT_PATH_BYTES),
};
static const struct bound action[] = {
	B(Action, kind, LIMIT_NAME_BYTES),
	B(Action, rule, LIMIT_NAME_BYTES),
	B(Action, why, LIMIT_TEXT_BYTES),
};
static const struct bound finding[] = {
	B(Finding, rule, LIMIT_NAME_BYTES),	   B(Finding, priority, LIMIT_NAME_BYTES),
	B(Finding, output, LIMIT_OUTPUT_BYTES),	   R(Finding, tags, LIMIT_NAME_BYTES, LIMIT_TAGS),
	R(Finding, fields, 0, LIMIT_FIELDS),	   B(Finding, source, LIMIT_NAME_BYTES),
	B(Finding, description, LIMIT_TEXT_BYTES), B(Finding, call, LIMIT_NAME_BYTES),
};
static const struct bound finding_field[] = {
	B(Finding__FieldsEntry, key, LIMIT_NAME_BYTES),
	B(Finding__FieldsEntry, value, LIMIT_OUTPUT_BYTES),
};
static const struct bound gap[] = {
	B(Gap, reason, LIMIT_NAME_BYTES),
	B(Gap, noisiest, LIMIT_NAME_BYTES),
};
static const struct bound mount[] = {
	B(Mount, type, LIMIT_NAME_BYTES),
	B(Mount, propagation, LIMIT_NAME_BYTES),
	B(Mount, driver, LIMIT_NAME_BYTES),
	B(Mount, source, LIMIT_PATH_BYTES),
	B(Mount, target, LIMIT_PATH_BYTES),
	B(Mount, device, LIMIT_PATH_BYTES),
};
static const struct bound port[] = {
	B(Port, host_ip, LIMIT_NAME_BYTES),
	B(Port, protocol, LIMIT_NAME_BYTES),
};
static const struct bound container_config[] = {
	B(ContainerConfig, pid_mode, LIMIT_NAME_BYTES),
	B(ContainerConfig, ipc_mode, LIMIT_NAME_BYTES),
	B(ContainerConfig, network_mode, LIMIT_NAME_BYTES),
	B(ContainerConfig, uts_mode, LIMIT_NAME_BYTES),
	B(ContainerConfig, userns_mode, LIMIT_NAME_BYTES),
	B(ContainerConfig, cgroupns_mode, LIMIT_NAME_BYTES),
	B(ContainerConfig, restart, LIMIT_NAME_BYTES),
	B(ContainerConfig, runtime, LIMIT_NAME_BYTES),
	R(ContainerConfig, mounts, 0, LIMIT_CONTAINER_LIST),
	R(ContainerConfig, ports, 0, LIMIT_CONTAINER_PORTS),
	R(ContainerConfig, networks, LIMIT_NAME_BYTES, LIMIT_CONTAINER_LIST),
	R(ContainerConfig, cap_add, LIMIT_NAME_BYTES, LIMIT_CONTAINER_LIST),
	R(ContainerConfig, cap_drop, LIMIT_NAME_BYTES, LIMIT_CONTAINER_LIST),
	R(ContainerConfig, security_opt, LIMIT_TEXT_BYTES, LIMIT_CONTAINER_LIST),
	R(ContainerConfig, devices, LIMIT_PATH_BYTES, LIMIT_CONTAINER_LIST),
	R(ContainerConfig, sysctls, LIMIT_TEXT_BYTES, LIMIT_CONTAINER_LIST),
	R(ContainerConfig, image_digests, LIMIT_TEXT_BYTES, LIMIT_CONTAINER_LIST),
};
static const struct bound audit_report[] = {
	B(AuditReport, subject, LIMIT_NAME_BYTES),
	B(AuditReport, subject_id, LIMIT_NAME_BYTES),
	B(AuditReport, subject_name, LIMIT_NAME_BYTES),
	B(AuditReport, image_id, LIMIT_NAME_BYTES),
	B(AuditReport, trigger, LIMIT_NAME_BYTES),
	B(AuditReport, catalogue, LIMIT_NAME_BYTES),
	B(AuditReport, image, LIMIT_TEXT_BYTES),
	R(AuditReport, results, 0, LIMIT_CHECKS),
	R(AuditReport, passed, LIMIT_NAME_BYTES, LIMIT_CHECKS),
};
static const struct bound audit_result[] = {
	B(AuditResult, check_id, LIMIT_NAME_BYTES),
	B(AuditResult, status, LIMIT_NAME_BYTES),
	B(AuditResult, severity, LIMIT_NAME_BYTES),
	B(AuditResult, evidence, LIMIT_TEXT_BYTES),
	B(AuditResult, fix, LIMIT_TEXT_BYTES),
};
static const struct bound check[] = {
	B(Check, id, LIMIT_NAME_BYTES),
	B(Check, subject, LIMIT_NAME_BYTES),
	B(Check, severity, LIMIT_NAME_BYTES),
	B(Check, title, LIMIT_TEXT_BYTES), B(Check, cis, LIMIT_NAME_BYTES), B(Check, mitre, LIMIT_NAME_BYTES),
	B(Check, why, LIMIT_TEXT_BYTES),   B(Check, fix, LIMIT_TEXT_BYTES),
};
static const struct bound check_catalogue[] = {
	B(CheckCatalogue, key, LIMIT_NAME_BYTES),
	R(CheckCatalogue, checks, 0, LIMIT_CHECKS),
};
static const struct bound admission[] = {
	B(Admission, kind, LIMIT_NAME_BYTES),
	B(Admission, rule, LIMIT_NAME_BYTES),
	B(Admission, policy, LIMIT_NAME_BYTES),
	B(Admission, user, LIMIT_NAME_BYTES),
	B(Admission, method, LIMIT_NAME_BYTES),
	B(Admission, reason, LIMIT_TEXT_BYTES),
	B(Admission, path, LIMIT_PATH_BYTES),
};
static const struct bound traffic[] = {
	R(Traffic, peers, 0, LIMIT_TRAFFIC_PEERS),
};
static const struct bound traffic_peer[] = {
	B(TrafficPeer, protocol, LIMIT_NAME_BYTES),
	B(TrafficPeer, address, LIMIT_ADDRESS_BYTES),
};
static const struct bound policy_state[] = {
	B(PolicyState, digest, LIMIT_NAME_BYTES),
	B(PolicyState, source, LIMIT_NAME_BYTES),
	B(PolicyState, mode, LIMIT_NAME_BYTES),
	B(PolicyState, error, LIMIT_TEXT_BYTES),
};
static const struct bound package[] = {
	B(Package, ecosystem, LIMIT_NAME_BYTES),
	B(Package, name, LIMIT_PACKAGE_TEXT_BYTES),
	B(Package, version, LIMIT_PACKAGE_TEXT_BYTES),
	B(Package, arch, LIMIT_NAME_BYTES),
	B(Package, source, LIMIT_PACKAGE_TEXT_BYTES),
	B(Package, source_version, LIMIT_PACKAGE_TEXT_BYTES),
	B(Package, path, LIMIT_PATH_BYTES),
	B(Package, owner, LIMIT_PACKAGE_TEXT_BYTES),
};
static const struct bound layer[] = {
	B(Layer, diff_id, LIMIT_NAME_BYTES),	B(Layer, digest, LIMIT_NAME_BYTES),
	B(Layer, created_by, LIMIT_TEXT_BYTES), B(Layer, key, LIMIT_KEY_BYTES),
	R(Layer, packages, 0, LIMIT_PACKAGES),
};
static const struct bound healthcheck[] = {
	R(Healthcheck, test, LIMIT_TEXT_BYTES, LIMIT_IMAGE_LIST),
};
static const struct bound history_step[] = {
	B(HistoryStep, created_by, LIMIT_TEXT_BYTES),
	B(HistoryStep, comment, LIMIT_TEXT_BYTES),
};
static const struct bound setid_file[] = {
	B(SetidFile, path, LIMIT_PATH_BYTES),
	B(SetidFile, package, LIMIT_PACKAGE_TEXT_BYTES),
};
static const struct bound image_config[] = {
	B(ImageConfig, user, LIMIT_NAME_BYTES),
	R(ImageConfig, exposed_ports, LIMIT_NAME_BYTES, LIMIT_IMAGE_LIST),
	R(ImageConfig, secret_env, LIMIT_NAME_BYTES, LIMIT_IMAGE_LIST),
	R(ImageConfig, setid_files, 0, LIMIT_SETID_FILES),
	R(ImageConfig, history, 0, LIMIT_LAYERS),
	R(ImageConfig, entrypoint, LIMIT_TEXT_BYTES, LIMIT_IMAGE_LIST),
	R(ImageConfig, cmd, LIMIT_TEXT_BYTES, LIMIT_IMAGE_LIST),
	R(ImageConfig, labels, 0, LIMIT_IMAGE_LIST),
	R(ImageConfig, volumes, LIMIT_PATH_BYTES, LIMIT_IMAGE_LIST),
	B(ImageConfig, working_dir, LIMIT_PATH_BYTES),
	B(ImageConfig, stop_signal, LIMIT_NAME_BYTES),
	R(ImageConfig, env_names, LIMIT_NAME_BYTES, LIMIT_IMAGE_LIST),
	R(ImageConfig, uid0_users, LIMIT_NAME_BYTES, LIMIT_IMAGE_LIST),
};
static const struct bound image_label[] = {
	B(ImageConfig__LabelsEntry, key, LIMIT_NAME_BYTES),
	B(ImageConfig__LabelsEntry, value, LIMIT_TEXT_BYTES),
};
static const struct bound os_release[] = {
	B(OsRelease, id, LIMIT_NAME_BYTES),	  B(OsRelease, version_id, LIMIT_NAME_BYTES),
	B(OsRelease, codename, LIMIT_NAME_BYTES), B(OsRelease, id_like, LIMIT_NAME_BYTES),
	B(OsRelease, pretty_name, LIMIT_NAME_BYTES),
};
static const struct bound inventory[] = {
	B(Inventory, image_id, LIMIT_NAME_BYTES),
	B(Inventory, kind, LIMIT_NAME_BYTES),
	B(Inventory, target, LIMIT_PATH_BYTES),
	R(Inventory, names, LIMIT_TEXT_BYTES, LIMIT_IMAGE_LIST),
	R(Inventory, repo_digests, LIMIT_TEXT_BYTES, LIMIT_IMAGE_LIST),
	B(Inventory, arch, LIMIT_NAME_BYTES),
	B(Inventory, os_type, LIMIT_NAME_BYTES),
	R(Inventory, layers, 0, LIMIT_LAYERS),
	R(Inventory, problems, LIMIT_TEXT_BYTES, LIMIT_PROBLEMS),
};
static const struct bound sensor[] = {
	B(Sensor, name, LIMIT_NAME_BYTES),
	B(Sensor, why_not, LIMIT_TEXT_BYTES),
};
static const struct bound heartbeat[] = {
	R(Heartbeat, sensors, 0, LIMIT_SENSORS),
	B(Heartbeat, rules_version, LIMIT_NAME_BYTES),
};
static const struct bound hello[] = {
	B(Hello, hostname, LIMIT_NAME_BYTES), B(Hello, agent_version, LIMIT_NAME_BYTES),
	B(Hello, kernel, LIMIT_NAME_BYTES),   B(Hello, machine_id, LIMIT_NAME_BYTES),
	B(Hello, boot_id, LIMIT_NAME_BYTES),
};
static const struct bound batch[] = {
	R(Batch, records, LIMIT_RECORD_BYTES, LIMIT_BATCH_RECORDS),
};
static const struct bound configuration[] = {
	B(Configuration, version, LIMIT_NAME_BYTES),
	B(Configuration, document, LIMIT_DOCUMENT_BYTES),
	B(Configuration, policy, LIMIT_POLICY_BYTES),
	B(Configuration, policy_digest, LIMIT_NAME_BYTES),
};
static const struct bound image_ask[] = {
	B(ImageAsk, image_id, LIMIT_NAME_BYTES),
	R(ImageAsk, layer_keys, LIMIT_KEY_BYTES, LIMIT_LAYERS),
	R(ImageAsk, names, LIMIT_TEXT_BYTES, LIMIT_IMAGE_LIST),
	R(ImageAsk, repo_digests, LIMIT_TEXT_BYTES, LIMIT_IMAGE_LIST),
};
static const struct bound images_ask[] = {
	R(ImagesAsk, images, 0, LIMIT_IMAGES_ASKED),
};
static const struct bound image_known[] = {
	B(ImageKnown, image_id, LIMIT_NAME_BYTES),
	R(ImageKnown, unknown_layer_keys, LIMIT_KEY_BYTES, LIMIT_LAYERS),
};
static const struct bound images_reply[] = {
	R(ImagesReply, images, 0, LIMIT_IMAGES_ASKED),
};
static const struct bound inventory_part[] = {
	B(InventoryPart, image_id, LIMIT_NAME_BYTES),
	B(InventoryPart, inventory_sha256, LIMIT_KEY_BYTES),
	B(InventoryPart, data, LIMIT_PART_BYTES),
};
static const struct bound inventory_reply[] = {
	B(InventoryReply, image_id, LIMIT_NAME_BYTES),
	B(InventoryReply, inventory_sha256, LIMIT_KEY_BYTES),
	R(InventoryReply, missing_layer_keys, LIMIT_KEY_BYTES, LIMIT_LAYERS),
};
static const struct bound container_use[] = {
	B(ContainerUse, id, LIMIT_NAME_BYTES),
	B(ContainerUse, name, LIMIT_NAME_BYTES),
	R(ContainerUse, published_ports, LIMIT_NAME_BYTES, LIMIT_IMAGE_LIST),
};
static const struct bound package_use[] = {
	B(PackageUse, ecosystem, LIMIT_NAME_BYTES),
	B(PackageUse, name, LIMIT_PACKAGE_TEXT_BYTES),
	B(PackageUse, version, LIMIT_PACKAGE_TEXT_BYTES),
	B(PackageUse, path, LIMIT_PATH_BYTES),
	B(PackageUse, container_id, LIMIT_NAME_BYTES),
};
static const struct bound image_use[] = {
	B(ImageUse, image_id, LIMIT_NAME_BYTES),
	B(ImageUse, reference, LIMIT_TEXT_BYTES),
	R(ImageUse, containers, 0, LIMIT_IMAGE_CONTAINERS),
	R(ImageUse, packages, 0, LIMIT_PACKAGES_IN_USE),
};
static const struct bound images_in_use[] = {
	R(ImagesInUse, images, 0, LIMIT_IMAGES_IN_USE),
};
static const struct bound images_in_use_reply[] = {
	R(ImagesInUseReply, unknown_images, LIMIT_NAME_BYTES, LIMIT_IMAGES_IN_USE),
};
static const struct bound image_scans_ask[] = {
	R(ImageScansAsk, image_ids, LIMIT_NAME_BYTES, LIMIT_IMAGES_IN_USE),
};
static const struct bound image_scan[] = {
	B(ImageScan, image_id, LIMIT_NAME_BYTES),
	B(ImageScan, worst, LIMIT_NAME_BYTES),
};
static const struct bound image_scans_reply[] = {
	R(ImageScansReply, images, 0, LIMIT_IMAGES_IN_USE),
	R(ImageScansReply, unknown_images, LIMIT_NAME_BYTES, LIMIT_IMAGES_IN_USE),
};
static const struct bound base_image[] = {
	B(BaseImage, image_id, LIMIT_NAME_BYTES),
	B(BaseImage, reference, LIMIT_TEXT_BYTES),
	B(BaseImage, running_digest, LIMIT_NAME_BYTES),
	B(BaseImage, current_digest, LIMIT_NAME_BYTES),
	B(BaseImage, error, LIMIT_TEXT_BYTES),
};
static const struct bound base_images[] = {
	R(BaseImages, images, 0, LIMIT_BASE_IMAGES),
};
static const struct bound enrol[] = {
	B(Enrol, secret, LIMIT_SECRET_BYTES),
	B(Enrol, csr_pem, LIMIT_PEM_BYTES),
	B(Enrol, hostname, LIMIT_NAME_BYTES),
	B(Enrol, machine_id, LIMIT_NAME_BYTES),
};
static const struct bound enrol_reply[] = {
	B(EnrolReply, agent_id, LIMIT_NAME_BYTES),
	B(EnrolReply, certificate_pem, LIMIT_PEM_BYTES),
	B(EnrolReply, ca_pem, LIMIT_PEM_BYTES),
	R(EnrolReply, urls, LIMIT_NAME_BYTES, LIMIT_URLS),
};
static const struct bound refusal[] = {
	B(Refusal, message, LIMIT_TEXT_BYTES),
};
static const struct bound request[] = {
	B(Request, agent_id, LIMIT_NAME_BYTES),
};
static const struct bound token[] = {
	R(Token, enrol_urls, LIMIT_NAME_BYTES, LIMIT_URLS),
	B(Token, ca_sha256, 32),
	B(Token, secret, LIMIT_SECRET_BYTES),
	B(Token, server_name, LIMIT_NAME_BYTES),
};

struct table {
	const ProtobufCMessageDescriptor *message;
	const struct bound *rows;
	size_t count;
};
static const struct table tables[] = {
#define T(desc, rows)                                                \
	{                                                            \
		&picket__##desc##__descriptor, rows, ARRAY_LEN(rows) \
	}
	T(process, process),
	T(container, container),
	T(ancestor, ancestor),
	T(container__labels_entry, label),
	T(event, event),
	T(file, file),
	T(network, network),
	T(action, action),
	T(finding, finding),
	T(finding__fields_entry, finding_field),
	T(gap, gap),
	T(batch, batch),
	T(request, request),
	T(mount, mount),
	T(port, port),
	T(container_config, container_config),
	T(audit_report, audit_report),
	T(audit_result, audit_result),
	T(check, check),
	T(check_catalogue, check_catalogue),
	T(admission, admission),
	T(traffic, traffic),
	T(traffic_peer, traffic_peer),
	T(policy_state, policy_state),
	T(package, package),
	T(layer, layer),
	T(healthcheck, healthcheck),
	T(history_step, history_step),
	T(setid_file, setid_file),
	T(image_config, image_config),
	T(image_config__labels_entry, image_label),
	T(os_release, os_release),
	T(inventory, inventory),
	T(sensor, sensor),
	T(heartbeat, heartbeat),
	T(hello, hello),
	T(configuration, configuration),
	T(image_ask, image_ask),
	T(images_ask, images_ask),
	T(image_known, image_known),
	T(images_reply, images_reply),
	T(inventory_part, inventory_part),
	T(inventory_reply, inventory_reply),
	T(container_use, container_use),
	T(package_use, package_use),
	T(image_use, image_use),
	T(images_in_use, images_in_use),
	T(images_in_use_reply, images_in_use_reply),
	T(image_scans_ask, image_scans_ask),
	T(image_scan, image_scan),
	T(image_scans_reply, image_scans_reply),
	T(base_image, base_image),
	T(base_images, base_images),
	T(enrol, enrol),
	T(enrol_reply, enrol_reply),
	T(refusal, refusal),
	T(token, token),
#undef T
};

static const struct table *table_of(const ProtobufCMessageDescriptor *d)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		if (tables[i].message == d)
			return &tables[i];
	return NULL;
}

static const struct bound *row_of(const struct table *t, const ProtobufCFieldDescriptor *f)
{
	for (size_t i = 0; t && i < t->count; i++)
		if (t->rows[i].offset == f->offset)
			return &t->rows[i];
	return NULL;
}

const struct bound *bounds_find(const ProtobufCMessageDescriptor *d,
				const ProtobufCFieldDescriptor *f)
{
	return row_of(table_of(d), f);
}

static inline bool read_varint(struct slice *s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s->n && !(s->p[0] & 0x80)) { /* most are one byte */
		*ret = (uint8_t)*s->p++;
		s->n--;
		return true;
	}
	for (unsigned i = 0; i < 10 && i < s->n; i++) {
		uint8_t b = (uint8_t)s->p[i];

		v |= (uint64_t)(b & 0x7f) << (7 * i);
		if (!(b & 0x80)) {
			s->p += i + 1;
			s->n -= i + 1;
			*ret = v;
			return true;
		}
	}
	return false;
}

/* Cuts the field's value off *s; for WIRE_LENGTH *ret is what it holds. */
static bool read_value(struct slice *s, unsigned wire, struct slice *ret)
{
	uint64_t n;

	switch (wire) {
	case WIRE_VARINT:
		return read_varint(s, &n);
	case WIRE_64:
		n = 8;
		break;
	case WIRE_32:
		n = 4;
		break;
	case WIRE_LENGTH:
		if (!read_varint(s, &n))
			return false;
		break;
	default: /* groups are not spoken here */
		return false;
	}
	if (n > s->n)
		return false;
	*ret = (struct slice){ s->p, (size_t)n };
	s->p += n;
	s->n -= n;
	return true;
}

static unsigned wire_of(ProtobufCType t)
{
	switch (t) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		return WIRE_LENGTH;
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return WIRE_64;
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return WIRE_32;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_ENUM:
		return WIRE_VARINT;
	}
	return WIRE_VARINT;
}

static int walk(const ProtobufCMessageDescriptor *d, struct slice s, int code, unsigned depth,
		struct err *err);

static int check_value(const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *f,
		       const struct bound *b, struct slice v, int code, unsigned depth,
		       struct err *err)
{
	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return walk(f->descriptor, v, code, depth + 1, err);
	if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_BYTES)
		return 0;
	uint32_t max = b ? b->max_bytes : LIMIT_NAME_BYTES;
	if (v.n > max)
		return err_set(err, code, "%s.%s: %zu bytes, at most %" PRIu32, d->short_name,
			       f->name, v.n, max);
	if (f->type == PROTOBUF_C_TYPE_STRING && v.n && memchr(v.p, 0, v.n))
		return err_set(err, code, "%s.%s: a NUL in text", d->short_name, f->name);
	return 0;
}

static int walk(const ProtobufCMessageDescriptor *d, struct slice s, int code, unsigned depth,
		struct err *err)
{
	uint32_t counts[MAX_FIELDS] = {0};
	const struct table *t = table_of(d);

	if (depth > MAX_DEPTH)
		return err_set(err, ERR_CORRUPT, "%s: nested too deeply", d->short_name);
	while (s.n) {
		uint64_t tag;
		struct slice v = SLICE_NONE;

		if (!read_varint(&s, &tag) || tag >> 3 == 0 || tag >> 32)
			return err_set(err, ERR_CORRUPT, "%s: not a field", d->short_name);
		if (!read_value(&s, tag & 7, &v))
			return err_set(err, ERR_CORRUPT, "%s: field %u is cut short", d->short_name,
				       (unsigned)(tag >> 3));
		const ProtobufCFieldDescriptor *f =
			protobuf_c_message_descriptor_get_field(d, (unsigned)(tag >> 3));
		if (!f) /* from a newer sender */
			continue;
		size_t index = (size_t)(f - d->fields);
		if (index >= MAX_FIELDS || (tag & 7) != wire_of(f->type))
			return err_set(err, ERR_CORRUPT, "%s.%s: wrong type", d->short_name,
				       f->name);
		const struct bound *b = wire_of(f->type) == WIRE_LENGTH ? row_of(t, f) : NULL;
		uint32_t max = f->label == PROTOBUF_C_LABEL_REPEATED && b ? b->max_count : 1;
		if (++counts[index] > max)
			return err_set(err, max > 1 ? code : ERR_CORRUPT,
				       "%s.%s: more than %" PRIu32, d->short_name, f->name, max);
		int r = check_value(d, f, b, v, code, depth, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int bounds_check(const ProtobufCMessageDescriptor *d, struct slice msg, int code, struct err *err)
{
	return walk(d, msg, code, 0, err);
}
