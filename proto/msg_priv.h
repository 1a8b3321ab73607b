/* msg_priv.h - what msg.c and msg_images.c share. Nobody else includes it. */
#pragma once
#include "common/err.h"
#include "proto/picket.pb-c.h"

/* Meaning of the requests about images, the same for what is read and what is sent. */
int msg_check_images_ask(const Picket__ImagesAsk *m, struct err *err) WARN_UNUSED;
int msg_check_inventory_part(const Picket__InventoryPart *m, struct err *err) WARN_UNUSED;
int msg_check_images_in_use(const Picket__ImagesInUse *m, struct err *err) WARN_UNUSED;
int msg_check_base_images(const Picket__BaseImages *m, struct err *err) WARN_UNUSED;
int msg_check_images_reply(const Picket__ImagesReply *m, struct err *err) WARN_UNUSED;
int msg_check_inventory_reply(const Picket__InventoryReply *m, struct err *err) WARN_UNUSED;
int msg_check_inventory(const Picket__Inventory *m, struct err *err) WARN_UNUSED;
