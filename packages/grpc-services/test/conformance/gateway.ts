import { createHmac, pbkdf2Sync } from "node:crypto";
import {
  ConcludeTransactionRequest,
  DescribeRequest,
  DiscardTempTablesRequest,
  ExecuteQueryRequest,
  GetAuthCredentialsRequest,
  MultipoolerServiceDefinition,
  PortalStreamExecuteRequest,
  ReleaseReservedConnectionRequest,
  StreamExecuteRequest,
} from "@multipooler/proto/multipoolerservice";
import type {
  ConcludeTransactionResponse,
  DescribeResponse,
  DiscardTempTablesResponse,
  ExecuteQueryResponse,
  GetAuthCredentialsResponse,
  PortalStreamExecuteResponse,
  ReleaseReservedConnectionResponse,
  StreamExecuteResponse,
} from "@multipooler/proto/multipoolerservice";
import type { Target, UserAuth } from "@multipooler/proto/query";
import type { Answer, CallWishes, WireCall, WireClient } from "./wire-client.ts";

const { methods } = MultipoolerServiceDefinition;

/** The message without what has a default. */
type Input<Codec extends { fromPartial(wish: never): unknown }> = Parameters<
  Codec["fromPartial"]
>[0];
type StreamExecuteInput = Input<typeof StreamExecuteRequest>;
type PortalInput = Input<typeof PortalStreamExecuteRequest>;

/** The only shard that a gateway knows. */
const SHARD_KEY = { database: "postgres", tableGroup: "default", shard: "0-inf" };
/** Where a gateway sends what its clients run on its main port. */
export const WRITABLE: Target = { shardKey: SHARD_KEY, mode: 1 };
/** Where it sends what they run on the port for replicas. */
export const INCONSISTENT: Target = { shardKey: SHARD_KEY, mode: 3 };

/** Calls as a gateway makes them: each with the target, unless the test says otherwise. */
export class Gateway {
  readonly client: WireClient;

  constructor(client: WireClient) {
    this.client = client;
  }

  async executeQuery(
    wish: Input<typeof ExecuteQueryRequest>,
    wishes?: CallWishes,
  ): Promise<Answer<ExecuteQueryResponse>> {
    const request = ExecuteQueryRequest.fromPartial({ target: WRITABLE, ...wish });
    return await this.client.ask(methods.executeQuery, request, wishes);
  }

  async streamExecute(
    wish: StreamExecuteInput,
    wishes?: CallWishes,
  ): Promise<Answer<StreamExecuteResponse>> {
    return await this.beginStream(wish, wishes).answer();
  }

  /** A StreamExecute that is read message by message. */
  beginStream(
    wish: StreamExecuteInput,
    wishes?: CallWishes,
  ): WireCall<StreamExecuteRequest, StreamExecuteResponse> {
    const request = StreamExecuteRequest.fromPartial({ target: WRITABLE, ...wish });
    return this.client.open(methods.streamExecute, wishes).send(request).halfClose();
  }

  async portal(
    wish: PortalInput,
    wishes?: CallWishes,
  ): Promise<Answer<PortalStreamExecuteResponse>> {
    const request = PortalStreamExecuteRequest.fromPartial({
      target: WRITABLE,
      portal: {},
      ...wish,
    });
    return await this.client.ask(methods.portalStreamExecute, request, wishes);
  }

  async describe(wish: Input<typeof DescribeRequest>): Promise<Answer<DescribeResponse>> {
    const request = DescribeRequest.fromPartial({ target: WRITABLE, ...wish });
    return await this.client.ask(methods.describe, request);
  }

  async conclude(
    wish: Input<typeof ConcludeTransactionRequest>,
  ): Promise<Answer<ConcludeTransactionResponse>> {
    const request = ConcludeTransactionRequest.fromPartial({
      target: WRITABLE,
      rollbackSessionSettings: {},
      ...wish,
    });
    return await this.client.ask(methods.concludeTransaction, request);
  }

  async discardTempTables(
    wish: Input<typeof DiscardTempTablesRequest>,
  ): Promise<Answer<DiscardTempTablesResponse>> {
    const request = DiscardTempTablesRequest.fromPartial({ target: WRITABLE, ...wish });
    return await this.client.ask(methods.discardTempTables, request);
  }

  async release(
    wish: Input<typeof ReleaseReservedConnectionRequest>,
  ): Promise<Answer<ReleaseReservedConnectionResponse>> {
    const request = ReleaseReservedConnectionRequest.fromPartial({ target: WRITABLE, ...wish });
    return await this.client.ask(methods.releaseReservedConnection, request);
  }

  async credentials(username: string): Promise<Answer<GetAuthCredentialsResponse>> {
    const request = GetAuthCredentialsRequest.fromPartial({ database: "postgres", username });
    return await this.client.ask(methods.getAuthCredentials, request);
  }

  /** What a gateway has of a client after its login with this password. */
  async logIn(username: string, password: string): Promise<{ user: string; userAuth: UserAuth }> {
    const { messages } = await this.credentials(username);
    const verifier = messages[0]?.scramHash ?? "";
    const [, iterations = "", salt = ""] = /^SCRAM-SHA-256\$(\d+):([^$]+)\$/.exec(verifier) ?? [];
    const salted = pbkdf2Sync(
      password,
      Buffer.from(salt, "base64"),
      Number(iterations),
      32,
      "sha256",
    );
    const key = (name: string): Buffer => createHmac("sha256", salted).update(name).digest();
    return {
      user: username,
      userAuth: { clientKey: key("Client Key"), serverKey: key("Server Key") },
    };
  }
}
