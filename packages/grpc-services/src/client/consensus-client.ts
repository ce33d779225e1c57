import {
  BeginTermRequest,
  CanReachPrimaryRequest,
  MultiPoolerConsensusDefinition,
  SetTermRequest,
} from "@multipooler/proto/consensus-v1";
import type {
  BeginTermResponse,
  CanReachPrimaryResponse,
  ConsensusStatusResponse,
  GetLeadershipViewResponse,
  SetTermResponse,
} from "@multipooler/proto/consensus-v1";
import type { ClientChannel, RequestOptions } from "./client-channel.ts";
import { clientMethod } from "./client-method.ts";

/** A request of SetTerm; what is left out has its default. */
export type SetTermInput = Parameters<typeof SetTermRequest.fromPartial>[0];
/** A request of BeginTerm; what is left out has its default. */
export type BeginTermInput = Parameters<typeof BeginTermRequest.fromPartial>[0];
/** A request of CanReachPrimary; what is left out has its default. */
export type CanReachPrimaryInput = Parameters<typeof CanReachPrimaryRequest.fromPartial>[0];

/** What coordinators agree on terms with. Each call rejects with a `GrpcStatusError` and nothing else. */
export interface ConsensusClient {
  /** Sets the term, a lower one with a reason only. */
  setTerm(request: SetTermInput, options?: RequestOptions): Promise<SetTermResponse>;
  /** Asks for a vote. */
  beginTerm(request: BeginTermInput, options?: RequestOptions): Promise<BeginTermResponse>;
  /** Term and WAL position. */
  status(options?: RequestOptions): Promise<ConsensusStatusResponse>;
  /** Who takes the writes, as far as the pooler knows. */
  leadershipView(options?: RequestOptions): Promise<GetLeadershipViewResponse>;
  /** Whether the standby streams from an address. */
  canReachPrimary(
    request: CanReachPrimaryInput,
    options?: RequestOptions,
  ): Promise<CanReachPrimaryResponse>;
}

const { methods } = MultiPoolerConsensusDefinition;
const SET_TERM = clientMethod(MultiPoolerConsensusDefinition, methods.setTerm);
const BEGIN_TERM = clientMethod(MultiPoolerConsensusDefinition, methods.beginTerm);
const STATUS = clientMethod(MultiPoolerConsensusDefinition, methods.consensusStatus);
const LEADERSHIP_VIEW = clientMethod(MultiPoolerConsensusDefinition, methods.getLeadershipView);
const CAN_REACH_PRIMARY = clientMethod(MultiPoolerConsensusDefinition, methods.canReachPrimary);

/** The calls of `multipooler.v1.MultiPoolerConsensus` on a channel, which stays the caller's. */
export function consensusClient(channel: ClientChannel): ConsensusClient {
  return {
    setTerm: (request, call = {}) =>
      channel.unary(SET_TERM, SetTermRequest.fromPartial(request), call),
    beginTerm: (request, call = {}) =>
      channel.unary(BEGIN_TERM, BeginTermRequest.fromPartial(request), call),
    status: (call = {}) => channel.unary(STATUS, {}, call),
    leadershipView: (call = {}) => channel.unary(LEADERSHIP_VIEW, {}, call),
    canReachPrimary: (request, call = {}) =>
      channel.unary(CAN_REACH_PRIMARY, CanReachPrimaryRequest.fromPartial(request), call),
  };
}
