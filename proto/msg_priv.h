/* msg_priv.h - what msg.c, msg_images.c and msg_audit.c share. Nobody else includes it. */
#pragma once
#include "common/err.h"
#include "proto/picket.pb-c.h"

/* Meaning of the requests about images, the same for what is read and what is sent. */
int msg_check_images_ask(const Picket__ImagesAsk *m, struct err *err) WARN_UNUSED;
int msg_check_inventory_part(const Picket__InventoryPart *m, struct err *err) WARN_UNUSED;
int msg_check_images_in_use(const Picket__ImagesInUse *m, struct err *err) WARN_UNUSED;
int msg_check_base_images(const Picket__BaseImages *m, struct err *err) WARN_UNUSED;
int msg_check_image_scans_ask(const Picket__ImageScansAsk *m, struct err *err) WARN_UNUSED;
int msg_check_image_scans(const Picket__ImageScansReply *m, struct err *err) WARN_UNUSED;
int msg_check_images_reply(const Picket__ImagesReply *m, struct err *err) WARN_UNUSED;
int msg_check_inventory_reply(const Picket__InventoryReply *m, struct err *err) WARN_UNUSED;
int msg_check_inventory(const Picket__Inventory *m, struct err *err) WARN_UNUSED;

/* Of the audit and the policy. */
int msg_check_container(const Picket__Container *m, struct err *err) WARN_UNUSED;
int msg_check_report(const Picket__AuditReport *m, struct err *err) WARN_UNUSED;
int msg_check_catalogue(const Picket__CheckCatalogue *m, struct err *err) WARN_UNUSED;
int msg_check_admission(const Picket__Admission *m, struct err *err) WARN_UNUSED;
int msg_check_traffic(const Picket__Traffic *m, struct err *err) WARN_UNUSED;
int msg_check_policy_state(const Picket__PolicyState *m, struct err *err) WARN_UNUSED;
int msg_check_configuration(const Picket__Configuration *m, struct err *err) WARN_UNUSED;

/* In msg.c. */
int msg_check_time(const char *what, uint64_t unix_ns, struct err *err) WARN_UNUSED;
int msg_check_end(const char *what, ProtobufCBinaryData address, uint32_t port, struct err *err) WARN_UNUSED;
