import type {
  FollowRequest,
  PauseMode,
  PrimaryStatus,
  ReplicationStatus,
  StandbyUpdate,
  SynchronousReplication,
  TermClaim,
} from "@multipooler/manager";
import type { CallOptions } from "@multipooler/query-service";
import type { PoolerReplication } from "../src/server/pooler-manager.ts";

/** Replication that answers what the test gives it. */
export class FakeReplication implements PoolerReplication {
  /** What was asked for, in order. */
  readonly asked: unknown[] = [];
  /** Set, every call waits for it. */
  answer: ((signal: AbortSignal | undefined) => Promise<void>) | undefined;
  status: ReplicationStatus = {
    lastReplayLsn: undefined,
    lastReceiveLsn: undefined,
    isReplayPaused: false,
    pauseState: "not paused",
    lastXactReplayTimestamp: undefined,
    primaryConnInfo: undefined,
    walReceiver: undefined,
  };
  primary: PrimaryStatus = { lsn: "0/3000060", followers: [], synchronous: undefined };

  async waitForLsn(
    target: string,
    { timeoutMs, signal }: CallOptions & { readonly timeoutMs?: number | undefined } = {},
  ): Promise<void> {
    await this.#take(signal, ["wait for", target, timeoutMs]);
  }

  async setPrimaryConnInfo(
    request: FollowRequest,
    { signal, ...claim }: CallOptions & TermClaim,
  ): Promise<void> {
    await this.#take(signal, ["follow", request, claim]);
  }

  async startReplication({ signal }: CallOptions = {}): Promise<void> {
    await this.#take(signal, ["start"]);
  }

  async stopReplication(
    mode: PauseMode,
    { waits, signal }: CallOptions & { readonly waits?: boolean | undefined } = {},
  ): Promise<ReplicationStatus> {
    await this.#take(signal, ["stop", mode, waits]);
    return this.status;
  }

  async replicationStatus({ signal }: CallOptions = {}): Promise<ReplicationStatus> {
    await this.#take(signal, ["status"]);
    return this.status;
  }

  async resetReplication({ signal }: CallOptions = {}): Promise<ReplicationStatus> {
    await this.#take(signal, ["reset"]);
    return this.status;
  }

  async configureSynchronousReplication(
    wanted: SynchronousReplication,
    { signal }: CallOptions = {},
  ): Promise<void> {
    await this.#take(signal, ["synchronous", wanted]);
  }

  async updateSynchronousStandbyList(
    update: StandbyUpdate,
    { signal, ...claim }: CallOptions & TermClaim,
  ): Promise<void> {
    await this.#take(signal, ["standbys", update, claim]);
  }

  async primaryStatus({ signal }: CallOptions = {}): Promise<PrimaryStatus> {
    await this.#take(signal, ["primary status"]);
    return this.primary;
  }

  async primaryPosition({ signal }: CallOptions = {}): Promise<string> {
    await this.#take(signal, ["position"]);
    return this.primary.lsn;
  }

  async getFollowers({ signal }: CallOptions = {}): Promise<PrimaryStatus> {
    await this.#take(signal, ["followers"]);
    return this.primary;
  }

  async #take(signal: AbortSignal | undefined, call: readonly unknown[]): Promise<void> {
    this.asked.push(call);
    await this.answer?.(signal);
  }
}
