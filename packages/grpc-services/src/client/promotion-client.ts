import { ChangeTypeRequest, MultiPoolerManagerDefinition } from "@multipooler/proto/manager-v1";
import type { ChangeTypeResponse } from "@multipooler/proto/manager-v1";
import { DemoteRequest, PromoteRequest, UndoDemoteRequest } from "@multipooler/proto/promotion-v1";
import type {
  DemoteResponse,
  PromoteResponse,
  UndoDemoteResponse,
} from "@multipooler/proto/promotion-v1";
import type { ClientChannel, RequestOptions } from "./client-channel.ts";
import { clientMethod } from "./client-method.ts";

/** A request of Promote; what is left out has its default. */
export type PromoteInput = Parameters<typeof PromoteRequest.fromPartial>[0];
/** A request of Demote; what is left out has its default. */
export type DemoteInput = Parameters<typeof DemoteRequest.fromPartial>[0];
/** A request of UndoDemote; what is left out has its default. */
export type UndoDemoteInput = Parameters<typeof UndoDemoteRequest.fromPartial>[0];
/** A request of ChangeType; what is left out has its default. */
export type ChangeTypeInput = Parameters<typeof ChangeTypeRequest.fromPartial>[0];

/** The calls of a client about roles. Each rejects with a `GrpcStatusError` and nothing else. */
export interface PromotionClient {
  /** Makes a primary of a standby. */
  promote(request: PromoteInput, options?: RequestOptions): Promise<PromoteResponse>;
  /** Makes a standby of a primary. */
  demote(request: DemoteInput, options?: RequestOptions): Promise<DemoteResponse>;
  /** Makes a primary again of a server that was just demoted. */
  undoDemote(request: UndoDemoteInput, options?: RequestOptions): Promise<UndoDemoteResponse>;
  /** Names another type in the pooler's record. */
  changeType(request: ChangeTypeInput, options?: RequestOptions): Promise<ChangeTypeResponse>;
}

const { methods } = MultiPoolerManagerDefinition;
const PROMOTE = clientMethod(MultiPoolerManagerDefinition, methods.promote);
const DEMOTE = clientMethod(MultiPoolerManagerDefinition, methods.demote);
const UNDO_DEMOTE = clientMethod(MultiPoolerManagerDefinition, methods.undoDemote);
const CHANGE_TYPE = clientMethod(MultiPoolerManagerDefinition, methods.changeType);

/** The calls about roles on a channel, which stays the caller's. */
export function promotionClient(channel: ClientChannel): PromotionClient {
  return {
    promote: (request, call = {}) =>
      channel.unary(PROMOTE, PromoteRequest.fromPartial(request), call),
    demote: (request, call = {}) => channel.unary(DEMOTE, DemoteRequest.fromPartial(request), call),
    undoDemote: (request, call = {}) =>
      channel.unary(UNDO_DEMOTE, UndoDemoteRequest.fromPartial(request), call),
    changeType: (request, call = {}) =>
      channel.unary(CHANGE_TYPE, ChangeTypeRequest.fromPartial(request), call),
  };
}
