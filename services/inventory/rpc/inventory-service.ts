import { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { service, type MountedService } from "../../platform/rpc/server.ts";
import type { AdjustStockDeps } from "../app/adjust-stock.ts";
import type { ReservationBatches } from "../app/reservation-batches.ts";
import { adjustStock } from "./adjust-stock.ts";
import { batchGetProducts } from "./batch-get-products.ts";
import { confirm } from "./confirm.ts";
import { createProduct } from "./create-product.ts";
import { getProduct } from "./get-product.ts";
import { getReservation } from "./get-reservation.ts";
import { listProducts, type ListProductsDeps } from "./list-products.ts";
import { release } from "./release.ts";
import { reserve } from "./reserve.ts";

/** All that the RPCs need together. */
export interface InventoryDeps extends AdjustStockDeps, ListProductsDeps {
  readonly db: AdjustStockDeps["db"];
  readonly batches: ReservationBatches;
}

/** The methods that keep the name of a request in the transaction of its effect. */
export const joinedMethods = [
  InventoryService.method.createProduct,
  InventoryService.method.adjustStock,
] as const;

/** The Inventory service, ready to be served. */
export function inventoryService(
  deps: InventoryDeps,
): MountedService<typeof InventoryService> {
  return service(InventoryService, {
    createProduct: createProduct(deps),
    getProduct: getProduct(deps),
    listProducts: listProducts(deps),
    batchGetProducts: batchGetProducts(deps),
    adjustStock: adjustStock(deps),
    reserve: reserve(deps),
    confirm: confirm(deps),
    release: release(deps),
    getReservation: getReservation(deps),
  });
}
