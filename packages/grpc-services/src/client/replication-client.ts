import { MultiPoolerManagerDefinition } from "@multipooler/proto/manager-v1";
import {
  ConfigureSynchronousReplicationRequest,
  GetFollowersRequest,
  PrimaryPositionRequest,
  PrimaryStatusRequest,
  ReplicationStatusRequest,
  ResetReplicationRequest,
  SetPrimaryConnInfoRequest,
  StartReplicationRequest,
  StopReplicationRequest,
  UpdateSynchronousStandbyListRequest,
  WaitForLSNRequest,
} from "@multipooler/proto/replication-v1";
import type {
  ConfigureSynchronousReplicationResponse,
  GetFollowersResponse,
  PrimaryPositionResponse,
  PrimaryStatusResponse,
  ReplicationStatusResponse,
  ResetReplicationResponse,
  SetPrimaryConnInfoResponse,
  StartReplicationResponse,
  StopReplicationResponse,
  UpdateSynchronousStandbyListResponse,
  WaitForLSNResponse,
} from "@multipooler/proto/replication-v1";
import type { ClientChannel, RequestOptions } from "./client-channel.ts";
import { clientMethod } from "./client-method.ts";

/** A request of WaitForLSN; what is left out has its default. */
export type WaitForLSNInput = Parameters<typeof WaitForLSNRequest.fromPartial>[0];
/** A request of SetPrimaryConnInfo; what is left out has its default. */
export type SetPrimaryConnInfoInput = Parameters<typeof SetPrimaryConnInfoRequest.fromPartial>[0];
/** A request of StopReplication; what is left out has its default. */
export type StopReplicationInput = Parameters<typeof StopReplicationRequest.fromPartial>[0];
/** A request of ConfigureSynchronousReplication; what is left out has its default. */
export type ConfigureSynchronousReplicationInput = Parameters<
  typeof ConfigureSynchronousReplicationRequest.fromPartial
>[0];
/** A request of UpdateSynchronousStandbyList; what is left out has its default. */
export type UpdateSynchronousStandbyListInput = Parameters<
  typeof UpdateSynchronousStandbyListRequest.fromPartial
>[0];

/** The calls of a client about replication. Each rejects with a `GrpcStatusError` and nothing else. */
export interface ReplicationClient {
  /** Of a standby: answers when it has replayed a position. */
  waitForLSN(request: WaitForLSNInput, options?: RequestOptions): Promise<WaitForLSNResponse>;
  /** Has a standby follow a primary. */
  setPrimaryConnInfo(
    request: SetPrimaryConnInfoInput,
    options?: RequestOptions,
  ): Promise<SetPrimaryConnInfoResponse>;
  /** Resumes the replay of a standby. */
  startReplication(options?: RequestOptions): Promise<StartReplicationResponse>;
  /** Stops replay, receiver or both of a standby. */
  stopReplication(
    request: StopReplicationInput,
    options?: RequestOptions,
  ): Promise<StopReplicationResponse>;
  /** What a standby says of its replication. */
  replicationStatus(options?: RequestOptions): Promise<ReplicationStatusResponse>;
  /** Has a standby follow nobody. */
  resetReplication(options?: RequestOptions): Promise<ResetReplicationResponse>;
  /** Says for whom a primary waits at commit. */
  configureSynchronousReplication(
    request: ConfigureSynchronousReplicationInput,
    options?: RequestOptions,
  ): Promise<ConfigureSynchronousReplicationResponse>;
  /** Changes for whom a primary waits at commit. */
  updateSynchronousStandbyList(
    request: UpdateSynchronousStandbyListInput,
    options?: RequestOptions,
  ): Promise<UpdateSynchronousStandbyListResponse>;
  /** What a primary says of its replication. */
  primaryStatus(options?: RequestOptions): Promise<PrimaryStatusResponse>;
  /** How far a primary has written. */
  primaryPosition(options?: RequestOptions): Promise<PrimaryPositionResponse>;
  /** Who follows a primary, and for whom it waits. */
  getFollowers(options?: RequestOptions): Promise<GetFollowersResponse>;
}

const SERVICE = MultiPoolerManagerDefinition;
const WAIT_FOR_LSN = clientMethod(SERVICE, SERVICE.methods.waitForLSN);
const SET_PRIMARY_CONN_INFO = clientMethod(SERVICE, SERVICE.methods.setPrimaryConnInfo);
const START_REPLICATION = clientMethod(SERVICE, SERVICE.methods.startReplication);
const STOP_REPLICATION = clientMethod(SERVICE, SERVICE.methods.stopReplication);
const REPLICATION_STATUS = clientMethod(SERVICE, SERVICE.methods.replicationStatus);
const RESET_REPLICATION = clientMethod(SERVICE, SERVICE.methods.resetReplication);
const CONFIGURE_SYNCHRONOUS_REPLICATION = clientMethod(
  SERVICE,
  SERVICE.methods.configureSynchronousReplication,
);
const UPDATE_SYNCHRONOUS_STANDBY_LIST = clientMethod(
  SERVICE,
  SERVICE.methods.updateSynchronousStandbyList,
);
const PRIMARY_STATUS = clientMethod(SERVICE, SERVICE.methods.primaryStatus);
const PRIMARY_POSITION = clientMethod(SERVICE, SERVICE.methods.primaryPosition);
const GET_FOLLOWERS = clientMethod(SERVICE, SERVICE.methods.getFollowers);

/** The calls about replication over a channel. */
export function replicationClient(channel: ClientChannel): ReplicationClient {
  return {
    waitForLSN: (request, call = {}) =>
      channel.unary(WAIT_FOR_LSN, WaitForLSNRequest.fromPartial(request), call),
    setPrimaryConnInfo: (request, call = {}) =>
      channel.unary(SET_PRIMARY_CONN_INFO, SetPrimaryConnInfoRequest.fromPartial(request), call),
    startReplication: (call = {}) =>
      channel.unary(START_REPLICATION, StartReplicationRequest.fromPartial({}), call),
    stopReplication: (request, call = {}) =>
      channel.unary(STOP_REPLICATION, StopReplicationRequest.fromPartial(request), call),
    replicationStatus: (call = {}) =>
      channel.unary(REPLICATION_STATUS, ReplicationStatusRequest.fromPartial({}), call),
    resetReplication: (call = {}) =>
      channel.unary(RESET_REPLICATION, ResetReplicationRequest.fromPartial({}), call),
    configureSynchronousReplication: (request, call = {}) =>
      channel.unary(
        CONFIGURE_SYNCHRONOUS_REPLICATION,
        ConfigureSynchronousReplicationRequest.fromPartial(request),
        call,
      ),
    updateSynchronousStandbyList: (request, call = {}) =>
      channel.unary(
        UPDATE_SYNCHRONOUS_STANDBY_LIST,
        UpdateSynchronousStandbyListRequest.fromPartial(request),
        call,
      ),
    primaryStatus: (call = {}) =>
      channel.unary(PRIMARY_STATUS, PrimaryStatusRequest.fromPartial({}), call),
    primaryPosition: (call = {}) =>
      channel.unary(PRIMARY_POSITION, PrimaryPositionRequest.fromPartial({}), call),
    getFollowers: (call = {}) =>
      channel.unary(GET_FOLLOWERS, GetFollowersRequest.fromPartial({}), call),
  };
}
