import { HealthCheckResponse_ServingStatus, HealthDefinition } from "@multipooler/proto/health-v1";
import {
  ConcludeTransactionRequest,
  CopyBidiExecuteRequest,
  DescribeRequest,
  DiscardTempTablesRequest,
  ExecuteQueryRequest,
  GetAuthCredentialsRequest,
  MultipoolerServiceDefinition,
  NotificationStreamRequest,
  PortalStreamExecuteRequest,
  ReleaseReservedConnectionRequest,
  StreamExecuteRequest,
} from "@multipooler/proto/multipoolerservice";
import type {
  ConcludeTransactionResponse,
  CopyBidiExecuteResponse,
  DescribeResponse,
  DiscardTempTablesResponse,
  ExecuteQueryResponse,
  NotificationStreamResponse,
  PortalStreamExecuteResponse,
  GetAuthCredentialsResponse,
  ReleaseReservedConnectionResponse,
  StreamExecuteResponse,
  StreamPoolerHealthResponse,
} from "@multipooler/proto/multipoolerservice";
import { ClientChannel } from "./client-channel.ts";
import type { ClientTls, RequestOptions } from "./client-channel.ts";
import { clientMethod } from "./client-method.ts";
import { consensusClient } from "./consensus-client.ts";
import type { ConsensusClient } from "./consensus-client.ts";
import { managerClient } from "./manager-client.ts";
import type { ManagerClient } from "./manager-client.ts";
import { promotionClient } from "./promotion-client.ts";
import type { PromotionClient } from "./promotion-client.ts";
import { replicationClient } from "./replication-client.ts";
import type { ReplicationClient } from "./replication-client.ts";
import { MAX_MESSAGE_BYTES } from "../server/message-limit.ts";

/** The pooler that a client connects to, and the largest message on that connection. */
export interface ConnectOptions {
  /** "host:port", with brackets around an IPv6 address. */
  readonly address: string;
  /** The largest message that is sent or taken. Default 16 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** How the connection is encrypted. Default: it is not. */
  readonly tls?: ClientTls | undefined;
  /** Sent with each call, for a pooler that asks callers of its manager service for one. */
  readonly token?: string | undefined;
}

/** A request of ExecuteQuery; what is left out has its default. */
export type ExecuteQueryInput = Parameters<typeof ExecuteQueryRequest.fromPartial>[0];
/** A request of StreamExecute; what is left out has its default. */
export type StreamExecuteInput = Parameters<typeof StreamExecuteRequest.fromPartial>[0];
/** A request of PortalStreamExecute; what is left out has its default. */
export type PortalStreamExecuteInput = Parameters<typeof PortalStreamExecuteRequest.fromPartial>[0];
/** A request of CopyBidiExecute; what is left out has its default. */
export type CopyBidiExecuteInput = Parameters<typeof CopyBidiExecuteRequest.fromPartial>[0];
/** A request of Describe; what is left out has its default. */
export type DescribeInput = Parameters<typeof DescribeRequest.fromPartial>[0];
/** A request of GetAuthCredentials; what is left out has its default. */
export type GetAuthCredentialsInput = Parameters<typeof GetAuthCredentialsRequest.fromPartial>[0];
/** A request of ConcludeTransaction; what is left out has its default. */
export type ConcludeTransactionInput = Parameters<typeof ConcludeTransactionRequest.fromPartial>[0];
/** A request of DiscardTempTables; what is left out has its default. */
export type DiscardTempTablesInput = Parameters<typeof DiscardTempTablesRequest.fromPartial>[0];
/** A request of ReleaseReservedConnection; what is left out has its default. */
export type ReleaseReservedConnectionInput = Parameters<
  typeof ReleaseReservedConnectionRequest.fromPartial
>[0];

/** A request of NotificationStream; what is left out has its default. */
export type NotificationStreamInput = Parameters<typeof NotificationStreamRequest.fromPartial>[0];

/** A client of one pooler. Each call rejects with a `GrpcStatusError` and nothing else. */
export interface PoolerClient extends ManagerClient, Disposable {
  /** The result of the first statement in one message. */
  executeQuery(request: ExecuteQueryInput, options?: RequestOptions): Promise<ExecuteQueryResponse>;
  /**
   * The results of all statements as they come. Reading slowly slows the pooler down; leaving the
   * loop cancels the call.
   */
  streamExecute(
    request: StreamExecuteInput,
    options?: RequestOptions,
  ): AsyncIterable<StreamExecuteResponse>;
  /** The result of a statement with parameters, in the same way. */
  portalStreamExecute(
    request: PortalStreamExecuteInput,
    options?: RequestOptions,
  ): AsyncIterable<PortalStreamExecuteResponse>;
  /**
   * A COPY from or to the client. `requests` are asked for one after the other, as fast as the pooler
   * takes them; leaving the loop cancels the call.
   */
  copyBidiExecute(
    requests: AsyncIterable<CopyBidiExecuteInput>,
    options?: RequestOptions,
  ): AsyncIterable<CopyBidiExecuteResponse>;
  /** Parameters and columns of a statement, or the columns of a portal. */
  describe(request: DescribeInput, options?: RequestOptions): Promise<DescribeResponse>;
  /** What the password of a role is checked with. */
  getAuthCredentials(
    request: GetAuthCredentialsInput,
    options?: RequestOptions,
  ): Promise<GetAuthCredentialsResponse>;
  /** Whether the pooler serves and in which role: now, at each change, and as a heartbeat. */
  streamPoolerHealth(options?: RequestOptions): AsyncIterable<StreamPoolerHealthResponse>;
  /** Ends the transaction of a reserved connection. A failure says what stays reserved. */
  concludeTransaction(
    request: ConcludeTransactionInput,
    options?: RequestOptions,
  ): Promise<ConcludeTransactionResponse>;
  /** Drops the temporary tables of a reserved connection. */
  discardTempTables(
    request: DiscardTempTablesInput,
    options?: RequestOptions,
  ): Promise<DiscardTempTablesResponse>;
  /** Gives up a reserved connection; one that is not known is no error. */
  releaseReservedConnection(
    request: ReleaseReservedConnectionInput,
    options?: RequestOptions,
  ): Promise<ReleaseReservedConnectionResponse>;
  /**
   * The notifications of the channels that `requests` name, and one message that says `ready` for each
   * request. Leaving the loop cancels the call.
   */
  notificationStream(
    requests: AsyncIterable<NotificationStreamInput>,
    options?: RequestOptions,
  ): AsyncIterable<NotificationStreamResponse>;
  /** The calls about replication. */
  readonly replication: ReplicationClient;
  /** Whether a service is serving; the empty name stands for the pooler as a whole. */
  isServing(service: string, options?: RequestOptions): Promise<boolean>;
  /** What coordinators agree on terms with. */
  readonly consensus: ConsensusClient;
  /** The calls about roles. */
  readonly roles: PromotionClient;
  /** Ends the connection once the calls that run have ended. */
  close(): void;
}

/** HTTP/2's own 64 KiB would make each block of rows wait for thirty round trips. */
const FLOW_CONTROL_WINDOW_BYTES = 2_097_152;

const HEALTH_CHECK = clientMethod(HealthDefinition, HealthDefinition.methods.check);
const EXECUTE_QUERY = clientMethod(
  MultipoolerServiceDefinition,
  MultipoolerServiceDefinition.methods.executeQuery,
);
const STREAM_EXECUTE = clientMethod(
  MultipoolerServiceDefinition,
  MultipoolerServiceDefinition.methods.streamExecute,
);
const PORTAL_STREAM_EXECUTE = clientMethod(
  MultipoolerServiceDefinition,
  MultipoolerServiceDefinition.methods.portalStreamExecute,
);
const COPY_BIDI_EXECUTE = clientMethod(
  MultipoolerServiceDefinition,
  MultipoolerServiceDefinition.methods.copyBidiExecute,
);
const DESCRIBE = clientMethod(
  MultipoolerServiceDefinition,
  MultipoolerServiceDefinition.methods.describe,
);
const GET_AUTH_CREDENTIALS = clientMethod(
  MultipoolerServiceDefinition,
  MultipoolerServiceDefinition.methods.getAuthCredentials,
);
const STREAM_POOLER_HEALTH = clientMethod(
  MultipoolerServiceDefinition,
  MultipoolerServiceDefinition.methods.streamPoolerHealth,
);
const CONCLUDE_TRANSACTION = clientMethod(
  MultipoolerServiceDefinition,
  MultipoolerServiceDefinition.methods.concludeTransaction,
);
const DISCARD_TEMP_TABLES = clientMethod(
  MultipoolerServiceDefinition,
  MultipoolerServiceDefinition.methods.discardTempTables,
);
const RELEASE_RESERVED_CONNECTION = clientMethod(
  MultipoolerServiceDefinition,
  MultipoolerServiceDefinition.methods.releaseReservedConnection,
);
const NOTIFICATION_STREAM = clientMethod(
  MultipoolerServiceDefinition,
  MultipoolerServiceDefinition.methods.notificationStream,
);
/** A client of the pooler at an address. Connects at its first call, and again when it must. */
export function connect(options: ConnectOptions): PoolerClient {
  const maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES;
  const channel = new ClientChannel(options.address, {
    tls: options.tls,
    token: options.token,
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    "grpc.service_config_disable_resolution": 1,
    // A pooler is a neighbour; grpc-js would ask the proxy for the web even for 127.0.0.1.
    "grpc.enable_http_proxy": 0,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_channelz": 0,
    "grpc-node.flow_control_window": FLOW_CONTROL_WINDOW_BYTES,
  });
  const close = (): void => channel.close();
  return {
    executeQuery: (request, call = {}) =>
      channel.unary(EXECUTE_QUERY, ExecuteQueryRequest.fromPartial(request), call),
    streamExecute: (request, call = {}) =>
      channel.serverStream(STREAM_EXECUTE, StreamExecuteRequest.fromPartial(request), call),
    portalStreamExecute: (request, call = {}) =>
      channel.serverStream(
        PORTAL_STREAM_EXECUTE,
        PortalStreamExecuteRequest.fromPartial(request),
        call,
      ),
    copyBidiExecute: (requests, call = {}) =>
      channel.bidiStream(COPY_BIDI_EXECUTE, copyRequests(requests), call),
    describe: (request, call = {}) =>
      channel.unary(DESCRIBE, DescribeRequest.fromPartial(request), call),
    getAuthCredentials: (request, call = {}) =>
      channel.unary(GET_AUTH_CREDENTIALS, GetAuthCredentialsRequest.fromPartial(request), call),
    streamPoolerHealth: (call = {}) => channel.serverStream(STREAM_POOLER_HEALTH, {}, call),
    concludeTransaction: (request, call = {}) =>
      channel.unary(CONCLUDE_TRANSACTION, ConcludeTransactionRequest.fromPartial(request), call),
    discardTempTables: (request, call = {}) =>
      channel.unary(DISCARD_TEMP_TABLES, DiscardTempTablesRequest.fromPartial(request), call),
    releaseReservedConnection: (request, call = {}) =>
      channel.unary(
        RELEASE_RESERVED_CONNECTION,
        ReleaseReservedConnectionRequest.fromPartial(request),
        call,
      ),
    notificationStream: (requests, call = {}) =>
      channel.bidiStream(NOTIFICATION_STREAM, notificationRequests(requests), call),
    ...managerClient(channel),
    replication: replicationClient(channel),
    isServing: async (service, call = {}) => {
      const { status } = await channel.unary(HEALTH_CHECK, { service }, call);
      return status === HealthCheckResponse_ServingStatus.SERVING;
    },
    consensus: consensusClient(channel),
    roles: promotionClient(channel),
    close,
    [Symbol.dispose]: close,
  };
}

async function* copyRequests(
  inputs: AsyncIterable<CopyBidiExecuteInput>,
): AsyncGenerator<CopyBidiExecuteRequest, void, void> {
  for await (const input of inputs) {
    yield CopyBidiExecuteRequest.fromPartial(input);
  }
}

async function* notificationRequests(
  requests: AsyncIterable<NotificationStreamInput>,
): AsyncGenerator<NotificationStreamRequest, void, void> {
  for await (const request of requests) {
    yield NotificationStreamRequest.fromPartial(request);
  }
}
