import type { ServiceImpl } from "@connectrpc/connect";
import type { InventoryService } from "../../../gen/ts/weft/inventory/v1/inventory_service_pb.ts";
import { callerOf } from "../../platform/rpc/caller.ts";
import { pageSize, type PageTokens } from "../../platform/rpc/page-token.ts";
import * as app from "../app/list-products.ts";
import { productToProto } from "./product-to-proto.ts";

export interface ListProductsDeps extends app.ListProductsDeps {
  readonly pageTokens: PageTokens;
}

export function listProducts(
  deps: ListProductsDeps,
): ServiceImpl<typeof InventoryService>["listProducts"] {
  return async (request, context) => {
    const { tenant } = callerOf(context);
    const query = { method: "ListProducts", tenant };
    const [afterSku] =
      request.pageToken === ""
        ? []
        : deps.pageTokens.decode(query, request.pageToken);
    const page = await app.listProducts(deps, {
      tenant,
      pageSize: pageSize(request.pageSize),
      ...(afterSku !== undefined && { afterSku }),
    });
    return {
      products: page.products.map(productToProto),
      nextPageToken:
        page.nextAfterSku === undefined
          ? ""
          : deps.pageTokens.encode(query, [page.nextAfterSku]),
    };
  };
}
