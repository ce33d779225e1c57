import {
  ManagerHealthStreamRequest,
  MultiPoolerManagerDefinition,
  SetServingStatusRequest,
  StatusRequest,
} from "@multipooler/proto/manager-v1";
import type {
  ManagerHealthStreamResponse,
  SetServingStatusResponse,
  StatusResponse,
} from "@multipooler/proto/manager-v1";
import {
  GetActivityRequest,
  KillRequest,
  ReloadConfigRequest,
} from "@multipooler/proto/operations-v1";
import type {
  GetActivityResponse,
  KillResponse,
  ReloadConfigResponse,
} from "@multipooler/proto/operations-v1";
import type { ClientChannel, RequestOptions } from "./client-channel.ts";
import { clientMethod } from "./client-method.ts";

/** A request of SetServingStatus; what is left out has its default. */
export type SetServingStatusInput = Parameters<typeof SetServingStatusRequest.fromPartial>[0];

/** A request of ManagerHealthStream; what is left out has its default. */
export type ManagerHealthStreamInput = Parameters<typeof ManagerHealthStreamRequest.fromPartial>[0];

/** A request of ReloadConfig; what is left out has its default. */
export type ReloadConfigInput = Parameters<typeof ReloadConfigRequest.fromPartial>[0];

/** A request of Kill. */
export type KillInput = Parameters<typeof KillRequest.fromPartial>[0];

/** The calls of a client about the pooler itself. Each rejects with a `GrpcStatusError` and nothing else. */
export interface ManagerClient {
  /** What the pooler is doing. */
  status(options?: RequestOptions): Promise<StatusResponse>;
  /**
   * The same again and again: at once, at each change, at each poll, and at an interval. The first
   * request starts the stream; leaving the loop cancels the call.
   */
  managerHealthStream(
    requests: AsyncIterable<ManagerHealthStreamInput>,
    options?: RequestOptions,
  ): AsyncIterable<ManagerHealthStreamResponse>;
  /** Wishes a serving status, and with `wait` answers when the pooler is there. */
  setServingStatus(
    request: SetServingStatusInput,
    options?: RequestOptions,
  ): Promise<SetServingStatusResponse>;
  /** Has the pooler read its settings again; a fault in them is FAILED_PRECONDITION. */
  reloadConfig(request: ReloadConfigInput, options?: RequestOptions): Promise<ReloadConfigResponse>;
  /** Who uses and who waits for which connections. */
  getActivity(options?: RequestOptions): Promise<GetActivityResponse>;
  /** Ends a client of PostgreSQL's protocol, or a reservation; NOT_FOUND if there is none. */
  kill(request: KillInput, options?: RequestOptions): Promise<KillResponse>;
}

const { methods } = MultiPoolerManagerDefinition;
const STATUS = clientMethod(MultiPoolerManagerDefinition, methods.status);
const MANAGER_HEALTH_STREAM = clientMethod(
  MultiPoolerManagerDefinition,
  methods.managerHealthStream,
);
const SET_SERVING_STATUS = clientMethod(MultiPoolerManagerDefinition, methods.setServingStatus);
const RELOAD_CONFIG = clientMethod(MultiPoolerManagerDefinition, methods.reloadConfig);
const GET_ACTIVITY = clientMethod(MultiPoolerManagerDefinition, methods.getActivity);
const KILL = clientMethod(MultiPoolerManagerDefinition, methods.kill);

/** The calls about the pooler itself on a channel, which stays the caller's. */
export function managerClient(channel: ClientChannel): ManagerClient {
  return {
    status: (call = {}) => channel.unary(STATUS, StatusRequest.fromPartial({}), call),
    managerHealthStream: (requests, call = {}) =>
      channel.bidiStream(MANAGER_HEALTH_STREAM, healthStreamRequests(requests), call),
    setServingStatus: (request, call = {}) =>
      channel.unary(SET_SERVING_STATUS, SetServingStatusRequest.fromPartial(request), call),
    reloadConfig: (request, call = {}) =>
      channel.unary(RELOAD_CONFIG, ReloadConfigRequest.fromPartial(request), call),
    getActivity: (call = {}) =>
      channel.unary(GET_ACTIVITY, GetActivityRequest.fromPartial({}), call),
    kill: (request, call = {}) => channel.unary(KILL, KillRequest.fromPartial(request), call),
  };
}

async function* healthStreamRequests(
  requests: AsyncIterable<ManagerHealthStreamInput>,
): AsyncGenerator<ManagerHealthStreamRequest, void, void> {
  for await (const request of requests) {
    yield ManagerHealthStreamRequest.fromPartial(request);
  }
}
