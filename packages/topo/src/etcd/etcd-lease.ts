import { status } from "@grpc/grpc-js";
import { TopoError, TopoErrorCode, isTopoError } from "../error.ts";
import type { Leases } from "../lease-session.ts";
import type { EtcdClient } from "./etcd-client.ts";
import { isServiceError } from "./etcd-error.ts";
import { procedures } from "./procedures.ts";

/** The leases of a cluster. */
export class EtcdLeases implements Leases {
  readonly #client: EtcdClient;

  constructor({ client }: { readonly client: EtcdClient }) {
    this.#client = client;
  }

  /** Makes a lease; etcd counts in seconds, and has a least time to live of its own. */
  async grant(
    ttlMs: number,
    signal: AbortSignal,
  ): Promise<{ readonly id: bigint; readonly ttlMs: number }> {
    const request = { TTL: BigInt(Math.ceil(ttlMs / 1000)), ID: 0n };
    const options = { key: "session", signal };
    const { ID, TTL } = await this.#client.call(procedures.leaseGrant, request, options);
    return { id: ID, ttlMs: Number(TTL) * 1000 };
  }

  async renew(id: bigint, signal: AbortSignal): Promise<boolean> {
    const options = { key: sessionKey(id), signal };
    const answers = this.#client.converse(procedures.leaseKeepAlive, { ID: id }, options);
    for await (const { TTL } of answers) {
      return TTL > 0n;
    }
    throw new TopoError({
      code: TopoErrorCode.Unavailable,
      key: options.key,
      message: "etcd ended the stream without an answer",
    });
  }

  async revoke(id: bigint, signal: AbortSignal): Promise<void> {
    try {
      await this.#client.call(procedures.leaseRevoke, { ID: id }, { key: sessionKey(id), signal });
    } catch (error) {
      if (!isLeaseUnknown(error)) {
        throw error;
      }
    }
  }
}

/** Whether a call failed because its lease does not exist. */
export function isLeaseUnknown(error: unknown): boolean {
  const cause: unknown = isTopoError(error) ? error.cause : undefined;
  return isServiceError(cause) && cause.code === status.NOT_FOUND;
}

function sessionKey(id: bigint): string {
  return `session ${id}`;
}
